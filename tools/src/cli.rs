//! The command line: the flags that every command has, and what happens when it makes no sense.

use std::ffi::OsString;

use clap::{
    Args, Parser, ValueEnum,
    error::{ContextKind, ContextValue, ErrorKind},
};

use crate::{
    commands::Command,
    errors::{Failure, USAGE},
    output::{Outcome, Output},
};

const EXAMPLES: &str = "\
Examples:
  uncross demo --for 1s --port 0
  uncross init ./venue
  uncross user add BROK01 --venue ./venue
  uncross config check ./venue/venue.toml
  uncross doctor ./venue --syncs 0
  uncross version --verbose";

/// A matching engine and market-data server.
#[derive(Debug, Parser)]
#[command(name = "uncross", version, after_help = EXAMPLES)]
#[command(arg_required_else_help = true, disable_help_subcommand = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) frame: Frame,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// How a command speaks.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct Frame {
    /// Print one JSON object instead of text, also of an error
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// When to use colours; auto is on a terminal, unless the variable `NO_COLOR` is set
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value_t = Color::Auto)]
    #[arg(help = "When to use colours; auto is on a terminal, unless NO_COLOR is set")]
    pub(crate) color: Color,
}

/// When to use colours. Without comments on the variants, which would make every help longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "lower")]
pub(crate) enum Color {
    Auto,
    Always,
    Never,
}

impl Frame {
    /// What the frame would be, of arguments that make no sense otherwise.
    pub(crate) fn guess(arguments: &[OsString]) -> Self {
        let mut frame = Self { json: false, color: Color::Auto };
        let mut previous = "";
        for argument in arguments.iter().filter_map(|argument| argument.to_str()) {
            frame.json |= argument == "--json";
            let value = argument.strip_prefix("--color=");
            let value = value.or((previous == "--color").then_some(argument));
            if let Some(color) = value.and_then(|value| Color::from_str(value, false).ok()) {
                frame.color = color;
            }
            previous = argument;
        }
        frame
    }
}

/// Answers a command line that clap did not accept: with help if that was asked for.
pub(crate) fn explain_usage(error: &clap::Error, output: &mut Output) -> Outcome {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => output.styled(&error.render()),
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            if !output.is_json() {
                output.styled(&error.render())?;
            }
            Err(Failure::new(&USAGE, "a command is missing").into())
        }
        _ => Err(usage_failure(error).into()),
    }
}

fn usage_failure(error: &clap::Error) -> Failure {
    let rendered = error.render().to_string();
    // The first paragraph says what is wrong, perhaps with a list; tips and usage follow.
    let first = rendered.split("\n\n").next().unwrap_or_default();
    let words: Vec<&str> = first.trim_start_matches("error: ").split_whitespace().collect();
    let failure = Failure::new(&USAGE, words.join(" "));
    let suggestions =
        [ContextKind::SuggestedSubcommand, ContextKind::SuggestedArg, ContextKind::SuggestedValue];
    let suggested = suggestions.into_iter().find_map(|kind| match error.get(kind)? {
        ContextValue::String(text) => Some(text.clone()),
        ContextValue::Strings(list) => list.first().cloned(),
        _ => None,
    });
    match suggested {
        Some(text) => failure.fix(format!("did you mean {text}? uncross --help shows the rest")),
        None => failure,
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn frame_is_guessed_from_arguments_that_make_no_sense() {
        let guess = |words: &[&str]| {
            let words: Vec<_> = words.iter().map(OsString::from).collect();
            let Frame { json, color } = Frame::guess(&words);
            (json, color)
        };
        assert_eq!(guess(&["uncross", "nonsense"]), (false, Color::Auto));
        assert_eq!(guess(&["uncross", "nonsense", "--json"]), (true, Color::Auto));
        assert_eq!(guess(&["uncross", "--color=always"]), (false, Color::Always));
        assert_eq!(guess(&["uncross", "--color", "never", "x"]), (false, Color::Never));
        assert_eq!(guess(&["uncross", "--color", "sometimes"]), (false, Color::Auto));
    }
}
