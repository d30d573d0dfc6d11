//! `uncross book`: the order book of an instrument, once or as it changes.

use std::{
    io::{IsTerminal, stdout},
    path::PathBuf,
    time::{Duration, Instant},
};

use clap::Args;
use uncross_client::{Books, FeedReader, Symbol};
use uncross_server::config::units::parse_duration;

use super::session::{
    Door, Login, Units, address, catch_up, configuration, parse_address, unknown_symbol,
};
use crate::{
    errors::Failure,
    output::{Outcome, Output},
    venue::Stop,
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

/// Longest time until a signal or the end is noticed.
const POLL: Duration = Duration::from_millis(100);
/// Shortest time between two drawings on a terminal.
const REDRAW: Duration = Duration::from_millis(50);
/// Moves to the upper left of a terminal and clears it.
const CLEAR: &str = "\x1b[H\x1b[2J";

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
    /// Go on until Ctrl-C
    #[arg(long)]
    watch: bool,
    /// With --watch, end by itself after this long, for example 10s
    #[arg(long = "for", value_name = "DURATION", value_parser = parse_duration)]
    #[arg(requires = "watch")]
    duration: Option<Duration>,
    #[command(flatten)]
    login: Login,
    /// Take the address and the decimals from the venue in this folder
    #[arg(long, value_name = "DIR")]
    venue: Option<PathBuf>,
    /// Connect here instead; 127.0.0.1:9002 when there is no --venue either
    #[arg(long, value_name = "ADDR", value_parser = parse_address)]
    data: Option<String>,
}

impl ShowBook {
    pub(super) fn run(&self, output: &mut Output) -> Outcome {
        let config = configuration(self.venue.as_deref())?;
        let units = config.as_ref().map(|config| Units::find(config, self.symbol)).transpose()?;
        let units = units.unwrap_or_default();
        let address = address(self.data.as_deref(), config.as_ref(), Door::Data)?;
        let stop = self.watch.then(Stop::on_signals).transpose()?;
        let (feed, books) = catch_up(&self.login.options(&address)?)?;
        if let Some(stop) = stop {
            return self.watch(feed, books, units, &stop, output);
        }
        let picture = self.picture(&books, units, feed.next_number())?;
        // The book is complete, however the goodbye goes.
        drop(feed.logout());
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
        mut feed: FeedReader,
        mut books: Books,
        units: Units,
        stop: &Stop,
        output: &mut Output,
    ) -> Outcome {
        let is_redrawn = stdout().is_terminal() && !output.is_json();
        let end = self.duration.map(|duration| Instant::now() + duration);
        let mut is_due = true;
        let mut drawn: Option<Instant> = None;
        loop {
            let is_time = !is_redrawn || drawn.is_none_or(|at| REDRAW <= at.elapsed());
            if is_due && is_time {
                let picture = self.picture(&books, units, feed.next_number())?;
                draw(&picture, is_redrawn, output)?;
                (is_due, drawn) = (false, Some(Instant::now()));
            }
            let left = end.map(|end| end.saturating_duration_since(Instant::now()));
            if stop.is_asked() || left.is_some_and(|left| left.is_zero()) {
                drop(feed.logout());
                return Ok(());
            }
            let wait = if is_due { REDRAW } else { POLL };
            let wait = left.map_or(wait, |left| wait.min(left));
            let Some(message) = feed.next_message(wait).map_err(Failure::from)? else {
                continue;
            };
            let change = books.apply(&message.message).map_err(Failure::from)?;
            let book = books.by_symbol(self.symbol);
            is_due |= book.is_some_and(|book| change.locate() == Some(book.locate()));
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
