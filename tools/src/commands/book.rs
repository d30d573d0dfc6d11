//! `uncross book`: the order book of an instrument, once or as it changes.

use std::{
    io::{IsTerminal, stdout},
    time::{Duration, Instant},
};

use clap::Args;
use uncross_client::{Books, Symbol};

use super::{
    feed::{CLEAR, Day, Origin, Watch, Watching},
    session::{Units, unknown_symbol},
};
use crate::{
    errors::Failure,
    output::{Outcome, Output},
};

pub(super) mod picture;

use picture::{Picture, Shown};

const EXAMPLES: &str = "\
The book is built from the first message of the day on, up to the number that the feed has reached
when the command logs in. With --watch it is then drawn again whenever it changes; elsewhere than on
a terminal each change is a line, or with --json an object. Without --venue prices are shown with 4
decimals and quantities without, as is usual; the wire does not say.

Examples:
  uncross book DEMO --venue ./venue --user ACME --password-file password.txt
  uncross book DEMO --orders-in-queue --venue ./venue --user ACME --password-file password.txt
  uncross book DEMO --watch --for 1s --venue ./venue --user ACME --password-file password.txt";

/// Shortest time between two drawings on a terminal.
const REDRAW: Duration = Duration::from_millis(50);

/// Show the order book of an instrument
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ShowBook {
    /// Instrument
    #[arg(value_name = "SYMBOL")]
    symbol: Symbol,
    /// Price levels of each side
    #[arg(long, value_name = "LEVELS", default_value_t = 10)]
    #[arg(value_parser = clap::value_parser!(u16).range(1..))]
    depth: u16,
    /// Also show the orders in the queue of each level, the next to trade first
    #[arg(long)]
    orders_in_queue: bool,
    #[command(flatten)]
    watch: Watch,
    #[command(flatten)]
    origin: Origin,
}

impl ShowBook {
    pub(super) fn run(&self, output: &mut Output) -> Outcome {
        let (config, options) = self.origin.open()?;
        let units = config.as_ref().map(|config| Units::find(config, self.symbol)).transpose()?;
        let units = units.unwrap_or_default();
        let watching = self.watch.begin()?;
        let day = Day::catch_up(&options)?;
        if let Some(watching) = watching {
            return self.watch(day, units, &watching, output);
        }
        let picture = self.picture(&day.books, units, day.feed.next_number())?;
        day.leave();
        picture.show(output)
    }

    fn picture(&self, books: &Books, units: Units, next: u64) -> Result<Picture, Failure> {
        let book = books.by_symbol(self.symbol).ok_or_else(|| unknown_symbol(self.symbol))?;
        let shown = Shown { depth: usize::from(self.depth), has_queue: self.orders_in_queue };
        Ok(Picture::new(book, units, shown, next))
    }

    /// Shows the book again and again: redrawn on a terminal, else a line or object per change.
    fn watch(
        &self,
        mut day: Day,
        units: Units,
        watching: &Watching,
        output: &mut Output,
    ) -> Outcome {
        let is_redrawn = stdout().is_terminal() && !output.is_json();
        let mut is_due = true;
        let mut drawn: Option<Instant> = None;
        loop {
            let is_time = !is_redrawn || drawn.is_none_or(|at| REDRAW <= at.elapsed());
            if is_due && is_time {
                let picture = self.picture(&day.books, units, day.feed.next_number())?;
                draw(&picture, is_redrawn, output)?;
                (is_due, drawn) = (false, Some(Instant::now()));
            }
            if watching.is_over() {
                day.leave();
                return Ok(());
            }
            watching.next(&mut day, is_due.then_some(REDRAW), |step| {
                let book = step.books.by_symbol(self.symbol);
                is_due |= book.is_some_and(|book| step.change.locate() == Some(book.locate()));
                Ok(())
            })?;
        }
    }
}

/// Shows a book that changed: over the old one on a terminal, else as a line or object.
fn draw(picture: &Picture, is_redrawn: bool, output: &mut Output) -> Outcome {
    if is_redrawn {
        output.text(CLEAR)?;
        picture.show(output)?;
    } else if output.is_json() {
        picture.show(output)?;
    } else {
        output.line(picture.line())?;
    }
    output.flush()
}
