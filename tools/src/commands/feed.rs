//! What the commands share that read market data: where from, how long, and the books of the day.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use clap::Args;
use uncross_client::{Books, Change, ConnectOptions, FeedReader, Symbol, wire::itch::Message};
use uncross_server::config::{Config, units::parse_duration};

use super::session::{Door, Login, PATIENCE, Units, address, configuration, parse_address};
use crate::{
    errors::{self, Failure},
    output::Outcome,
    venue::Stop,
};

/// Longest time until a signal or the end is noticed.
const POLL: Duration = Duration::from_millis(100);
/// Moves to the upper left of a terminal and clears it.
pub(super) const CLEAR: &str = "\x1b[H\x1b[2J";

/// Where market data comes from, and as whom.
#[derive(Args, Debug)]
pub(super) struct Origin {
    #[command(flatten)]
    login: Login,
    /// Take the address and the decimals from the venue in this folder
    #[arg(long, value_name = "DIR")]
    venue: Option<PathBuf>,
    /// Connect here instead; 127.0.0.1:9002 when there is no --venue either
    #[arg(long, value_name = "ADDR", value_parser = parse_address)]
    data: Option<String>,
}

/// Whether to go on, and for how long.
#[derive(Args, Debug)]
pub(super) struct Watch {
    /// Go on until Ctrl-C
    #[arg(long)]
    watch: bool,
    /// With --watch, end by itself after this long, for example 10s
    #[arg(long = "for", value_name = "DURATION", value_parser = parse_duration)]
    #[arg(requires = "watch")]
    duration: Option<Duration>,
}

impl Origin {
    /// The configuration, if a folder was named, and what a login needs.
    pub(super) fn open(&self) -> Result<(Option<Config>, ConnectOptions), Failure> {
        let config = configuration(self.venue.as_deref())?;
        let address = address(self.data.as_deref(), config.as_ref(), Door::Data)?;
        let options = self.login.options(&address)?;
        Ok((config, options))
    }
}

/// The units of `symbol` as configured; as OUCH and ITCH have it without a configuration, or when
/// it does not list the symbol.
pub(super) fn units_or_usual(config: Option<&Config>, symbol: Symbol) -> Units {
    config.and_then(|config| Units::find(config, symbol).ok()).unwrap_or_default()
}

impl Watch {
    /// Begins to watch, if that was asked for; signals then end it.
    pub(super) fn begin(&self) -> Result<Option<Watching>, Failure> {
        if !self.watch {
            return Ok(None);
        }
        let end = self.duration.map(|duration| Instant::now() + duration);
        Ok(Some(Watching { stop: Stop::on_signals()?, end }))
    }
}

/// Watching the feed until somebody, or the clock, ends it.
#[derive(Debug)]
pub(super) struct Watching {
    stop: Stop,
    end: Option<Instant>,
}

impl Watching {
    fn left(&self) -> Option<Duration> {
        self.end.map(|end| end.saturating_duration_since(Instant::now()))
    }

    /// How long to wait for one message.
    pub(super) fn patience(&self) -> Duration {
        self.left().map_or(POLL, |left| POLL.min(left))
    }

    pub(super) fn is_over(&self) -> bool {
        self.stop.is_asked() || self.left().is_some_and(|left| left.is_zero())
    }

    /// Waits at most `at_most`, and never past the end, for a message; takes it into the books.
    pub(super) fn next(
        &self,
        day: &mut Day,
        at_most: Option<Duration>,
        on_change: impl FnOnce(&Step<'_>) -> Outcome,
    ) -> Outcome {
        let wait = at_most.map_or(POLL, |at_most| at_most.min(POLL));
        let wait = self.left().map_or(wait, |left| wait.min(left));
        day.step(wait, on_change).map(|_is_step| ())
    }
}

/// The feed and the books built from it so far.
#[derive(Debug)]
pub(super) struct Day {
    pub(super) feed: FeedReader,
    pub(super) books: Books,
}

/// A message that was taken into the books.
#[derive(Debug)]
pub(super) struct Step<'a> {
    /// Its number in the feed.
    pub(super) number: u64,
    pub(super) message: &'a Message<'a>,
    pub(super) change: Change,
    /// The books after it.
    pub(super) books: &'a Books,
}

impl Day {
    /// Waits for one message; whether it came.
    fn step<E: From<Failure>>(
        &mut self,
        wait: Duration,
        on_change: impl FnOnce(&Step<'_>) -> Result<(), E>,
    ) -> Result<bool, E> {
        let Some(message) = self.feed.next_message(wait).map_err(Failure::from)? else {
            return Ok(false);
        };
        let change = self.books.apply(&message.message).map_err(Failure::from)?;
        let (number, message, books) = (message.number, &message.message, &self.books);
        on_change(&Step { number, message, change, books })?;
        Ok(true)
    }

    /// Reads the feed from its first message of the day and builds the books.
    ///
    /// They are complete up to the moment of the call: a login for live messages tells the number
    /// of the next one, and all before it are read.
    ///
    /// # Errors
    ///
    /// Those of the feed, and the first that `on_change` gives.
    pub(super) fn catch_up_with<E: From<Failure>>(
        options: &ConnectOptions,
        mut on_change: impl FnMut(&Step<'_>) -> Result<(), E>,
    ) -> Result<Self, E> {
        let live = FeedReader::connect(&options.clone().from_number(0)).map_err(Failure::from)?;
        let (session, next) = (live.session().to_owned(), live.next_number());
        drop(live.logout());
        let resumed = options.clone().resuming(session, 1);
        let feed = FeedReader::connect(&resumed).map_err(Failure::from)?;
        let mut day = Self { feed, books: Books::new() };
        while day.feed.next_number() < next {
            if !day.step(PATIENCE, &mut on_change)? {
                let number = day.feed.next_number();
                let message = format!("message {number} of the feed did not come");
                return Err(Failure::new(&errors::NO_ANSWER, message).into());
            }
        }
        Ok(day)
    }

    /// The same for those who want the books alone.
    pub(super) fn catch_up(options: &ConnectOptions) -> Result<Self, Failure> {
        Self::catch_up_with(options, |_step| Ok(()))
    }

    /// Says goodbye; what was read is complete, however that goes.
    pub(super) fn leave(self) {
        drop(self.feed.logout());
    }
}

/// Nanoseconds since midnight as people read a clock; hours may exceed 23.
pub(super) fn clock(timestamp_ns: u64) -> String {
    let (seconds, ns) = (timestamp_ns / 1_000_000_000, timestamp_ns % 1_000_000_000);
    let (hours, minutes) = (seconds / 3_600, seconds / 60 % 60);
    format!("{hours:02}:{minutes:02}:{:02}.{ns:09}", seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_a_clock_and_may_pass_midnight() {
        assert_eq!(clock(0), "00:00:00.000000000");
        assert_eq!(clock(34_200_000_000_007), "09:30:00.000000007");
        assert_eq!(clock(90_061_500_000_000), "25:01:01.500000000");
    }
}
