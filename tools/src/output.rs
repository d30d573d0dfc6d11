//! The one writer: data to standard output, errors to standard error, as text or as JSON.
//!
//! A reader that goes away ends the command quietly; print macros would abort instead.

use std::{
    fmt::Display,
    io::{self, BufWriter, IsTerminal, Stdout, Write},
    process::ExitCode,
};

use clap::builder::StyledStr;
use comfy_table::{Table, presets};
use serde::Serialize;

use crate::{
    cli::{Color, Frame},
    errors::{Failure, OUTPUT},
};

/// Why a command ends early.
#[derive(Debug)]
pub(crate) enum End {
    /// It failed. Boxed, because success is what should be small.
    Failed(Box<Failure>),
    /// Nobody reads the output any more, as with `| head`.
    Unread,
}

impl From<Failure> for End {
    fn from(failure: Failure) -> Self {
        Self::Failed(Box::new(failure))
    }
}

impl From<io::Error> for End {
    /// An error of writing the output; others become a [`Failure`] where they happen.
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::Unread,
            _ => Failure::new(&OUTPUT, format!("the output cannot be written: {error}")).into(),
        }
    }
}

/// What came of a command.
pub(crate) type Outcome = Result<(), End>;

const BOLD_RED: &str = "\x1b[1;31m";
const BOLD: &str = "\x1b[1m";
const PLAIN: &str = "\x1b[0m";

/// The one writer.
#[derive(Debug)]
pub(crate) struct Output {
    frame: Frame,
    out: BufWriter<Stdout>,
}

/// A JSON object that begins with the name of its form.
#[derive(Serialize)]
struct Document<'a, T> {
    schema: &'static str,
    #[serde(flatten)]
    body: &'a T,
}

impl Output {
    pub(crate) fn new(frame: Frame) -> Self {
        Self { frame, out: BufWriter::new(io::stdout()) }
    }

    /// Whether one JSON object is due instead of text.
    pub(crate) const fn is_json(&self) -> bool {
        self.frame.json
    }

    /// Whether somebody watches how far the work is: at a terminal, and not for one JSON object.
    pub(crate) fn is_watched(&self) -> bool {
        !self.is_json() && io::stderr().is_terminal()
    }

    /// Writes a line of text.
    pub(crate) fn line(&mut self, text: impl Display) -> Outcome {
        Ok(writeln!(self.out, "{text}")?)
    }

    /// Writes text as it is.
    pub(crate) fn text(&mut self, text: &str) -> Outcome {
        Ok(self.out.write_all(text.as_bytes())?)
    }

    /// Writes bytes as they are.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.out.write_all(bytes)
    }

    /// Writes rows under headings, in columns without rules.
    pub(crate) fn table(&mut self, headings: &[&str], rows: &[Vec<String>]) -> Outcome {
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_header(headings).add_rows(rows);
        for line in table.lines() {
            // Without a border the first column would begin with its padding.
            let line = line.strip_prefix(' ').unwrap_or(&line).trim_end();
            writeln!(self.out, "{line}")?;
        }
        Ok(())
    }

    /// Writes `body` as one JSON object named `schema`.
    pub(crate) fn json(&mut self, schema: &'static str, body: &impl Serialize) -> Outcome {
        serde_json::to_writer(&mut self.out, &Document { schema, body })
            .map_err(io::Error::from)?;
        Ok(writeln!(self.out)?)
    }

    /// Writes help as clap made it.
    pub(crate) fn styled(&mut self, text: &StyledStr) -> Outcome {
        let is_colored = use_color(self.frame.color, &io::stdout());
        Ok(if is_colored {
            write!(self.out, "{}", text.ansi())
        } else {
            write!(self.out, "{text}")
        }?)
    }

    /// Sends out what is buffered; for commands that go on for long.
    pub(crate) fn flush(&mut self) -> Outcome {
        Ok(self.out.flush()?)
    }

    /// Sends out what is buffered, reports a failure and gives the exit code.
    pub(crate) fn close(mut self, outcome: Outcome) -> ExitCode {
        let flushed = self.out.flush().map_err(End::from);
        match outcome.and(flushed) {
            Ok(()) | Err(End::Unread) => ExitCode::SUCCESS,
            Err(End::Failed(failure)) => {
                // When standard error is gone too, the exit code still tells.
                drop(self.report(&failure));
                failure.code.exit.into()
            }
        }
    }

    fn report(&self, failure: &Failure) -> io::Result<()> {
        let mut stderr = io::stderr().lock();
        if self.frame.json {
            serde_json::to_writer(&mut stderr, &failure.as_json())?;
            return writeln!(stderr);
        }
        let is_colored = use_color(self.frame.color, &stderr);
        let paint = |style| if is_colored { style } else { "" };
        let (red, bold, plain) = (paint(BOLD_RED), paint(BOLD), paint(PLAIN));
        let Failure { code, message, cause, fix, .. } = failure;
        let [message, cause, fix] = [message, cause, fix].map(|text| inert(text));
        writeln!(stderr, "{red}error[{}]{plain}: {message}", code.id)?;
        writeln!(stderr, "{bold}cause{plain}: {cause}")?;
        writeln!(stderr, "{bold}fix{plain}: {fix}")
    }
}

/// What a terminal shows and does not obey: names and paths of others are part of messages. Lines
/// stay, which faults in files have.
fn inert(text: &str) -> String {
    let obeyed = |character: char| character.is_control() && character != '\n';
    let shown = |character: char| {
        let escaped = obeyed(character).then(|| character.escape_default());
        escaped.into_iter().flatten().chain((!obeyed(character)).then_some(character))
    };
    text.chars().flat_map(shown).collect()
}

/// Whether to colour what goes to `stream`. A flag wins over `NO_COLOR`.
fn use_color(color: Color, stream: &impl IsTerminal) -> bool {
    match color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => {
            let is_unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
            stream.is_terminal() && !is_unwanted
        }
    }
}
