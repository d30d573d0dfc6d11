//! The commands, one file per group. To add one: a file with its arguments, examples and `run`,
//! and a line each in [`Command`] and [`Command::run`].

mod bench;
mod book;
mod completions;
mod config;
mod demo;
mod doctor;
mod drop_copy;
mod explain;
mod feed;
mod import;
mod init;
mod journal;
mod man;
mod order;
mod replay;
mod session;
mod sessions;
mod start;
mod tape;
mod top;
mod user;
mod venue;
mod version;

use clap::Subcommand;

use crate::output::{Outcome, Output};

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Init(init::Init),
    #[command(subcommand, after_help = user::EXAMPLES)]
    User(user::User),
    #[command(subcommand, after_help = config::EXAMPLES)]
    Config(config::ConfigCommand),
    Explain(explain::Explain),
    Start(start::Start),
    Replay(replay::Replay),
    Sessions(sessions::Sessions),
    #[command(subcommand, after_help = journal::EXAMPLES)]
    Journal(journal::Journal),
    Demo(demo::Demo),
    Doctor(doctor::Doctor),
    Order(order::Order),
    Cancel(order::Cancel),
    Replace(order::Replace),
    Modify(order::Modify),
    MassCancel(order::MassCancel),
    Disable(order::Disable),
    Enable(order::Enable),
    Query(order::Query),
    Book(book::ShowBook),
    Tape(tape::Tape),
    DropCopy(drop_copy::DropCopy),
    Top(top::Top),
    #[command(subcommand, after_help = import::EXAMPLES)]
    Import(import::Import),
    #[command(subcommand, after_help = bench::EXAMPLES)]
    Bench(bench::Bench),
    Completions(completions::Completions),
    Man(man::Man),
    Version(version::Version),
}

impl Command {
    /// Does it.
    pub(crate) fn run(&self, output: &mut Output) -> Outcome {
        match self {
            Self::Init(command) => command.run(output),
            Self::User(command) => command.run(output),
            Self::Config(command) => command.run(output),
            Self::Explain(command) => command.run(output),
            Self::Start(command) => command.run(output),
            Self::Replay(command) => command.run(output),
            Self::Sessions(command) => command.run(output),
            Self::Journal(command) => command.run(output),
            Self::Demo(command) => command.run(output),
            Self::Doctor(command) => command.run(output),
            Self::Order(command) => command.run(output),
            Self::Cancel(command) => command.run(output),
            Self::Replace(command) => command.run(output),
            Self::Modify(command) => command.run(output),
            Self::MassCancel(command) => command.run(output),
            Self::Disable(command) => command.run(output),
            Self::Enable(command) => command.run(output),
            Self::Query(command) => command.run(output),
            Self::Book(command) => command.run(output),
            Self::Tape(command) => command.run(output),
            Self::DropCopy(command) => command.run(output),
            Self::Top(command) => command.run(output),
            Self::Import(command) => command.run(output),
            Self::Bench(command) => command.run(output),
            Self::Completions(command) => command.run(output),
            Self::Man(command) => command.run(output),
            Self::Version(command) => command.run(output),
        }
    }
}
