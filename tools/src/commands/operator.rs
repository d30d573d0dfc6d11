//! `uncross operator`: who may look at a venue and act on it.

use std::{
    fs::OpenOptions,
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;
use uncross_admin::operators::{self, Operators, Token};

use super::venue::{VenueArgument, open, unwritable};
use crate::{
    errors::Failure,
    output::{Outcome, Output},
};

pub(super) const EXAMPLES: &str = "\
Examples:
  uncross operator add carol --role viewer --venue ./venue
  uncross operator list --venue ./venue";

const ADD_EXAMPLES: &str = "\
A running venue lets the operator in at once.

Examples:
  uncross operator add carol --venue ./venue
  uncross operator add prometheus --role viewer --venue ./venue --token-file ./scrape.token";

const REMOVE_EXAMPLES: &str = "\
A running venue refuses the token at once. A file that holds it is left.

Examples:
  uncross operator remove admin --venue ./venue";

const LIST_EXAMPLES: &str = "\
Examples:
  uncross operator list --venue ./venue
  uncross operator list --venue ./venue --json";

/// Manage who may look at a venue and act on it
#[derive(Debug, Subcommand)]
pub(crate) enum Operator {
    Add(Add),
    Remove(Remove),
    List(List),
}

/// Add an operator; the token is made here and shown once
#[derive(Args, Debug)]
#[command(after_help = ADD_EXAMPLES)]
pub(crate) struct Add {
    /// Name beside each act in the journal: 1 to 16 letters, digits, '-', '_' and '.'
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    venue: VenueArgument,
    /// What the operator may do: a viewer looks, an operator acts too
    #[arg(long, value_enum, value_name = "ROLE", default_value_t = Role::Operator)]
    role: Role,
    /// Write the token to this new file, readable only by its owner, instead of showing it
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
}

/// What an operator may do. Without comments on the variants, which would make the help longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "lower")]
enum Role {
    Viewer,
    Operator,
}

impl From<Role> for operators::Role {
    fn from(role: Role) -> Self {
        match role {
            Role::Viewer => Self::Viewer,
            Role::Operator => Self::Operator,
        }
    }
}

/// Take an operator's token away
#[derive(Args, Debug)]
#[command(after_help = REMOVE_EXAMPLES)]
pub(crate) struct Remove {
    /// Name of the operator
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    venue: VenueArgument,
}

/// List the operators
#[derive(Args, Debug)]
#[command(after_help = LIST_EXAMPLES)]
pub(crate) struct List {
    #[command(flatten)]
    venue: VenueArgument,
}

#[derive(Serialize)]
struct Row<'a> {
    name: &'a str,
    role: &'static str,
}

#[derive(Serialize)]
struct Added<'a> {
    #[serde(flatten)]
    operator: Row<'a>,
    /// Only if it was not written to a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token_file: Option<&'a Path>,
}

#[derive(Serialize)]
struct All<'a> {
    operators: Vec<Row<'a>>,
}

impl Operator {
    pub(super) fn run(&self, output: &mut Output) -> Outcome {
        match self {
            Self::Add(command) => command.run(output),
            Self::Remove(command) => command.run(output),
            Self::List(command) => command.run(output),
        }
    }
}

impl Add {
    fn run(&self, output: &mut Output) -> Outcome {
        let (dir, _config) = open(&self.venue.venue, &[])?;
        let path = dir.operators_file();
        let lock = Operators::lock(&path).map_err(Failure::from)?;
        let mut all = Operators::load(&path).map_err(Failure::from)?;
        let role = operators::Role::from(self.role);
        let token = all.add(&self.name, role).map_err(Failure::from)?;
        let file = self.token_file.as_deref();
        if let Some(file) = file {
            write_token(file, &token).map_err(|error| unwritable(file, &error))?;
        }
        let operator = Row { name: &self.name, role: role.name() };
        let shown = file.is_none().then(|| token.text());
        // A token that could not be shown must not become one.
        Added { operator, token: shown, token_file: file }.tell(output)?;
        output.flush()?;
        all.save().map_err(Failure::from)?;
        drop(lock);
        Ok(())
    }
}

impl Added<'_> {
    fn tell(&self, output: &mut Output) -> Outcome {
        if output.is_json() {
            return output.json("uncross.operator-add/1", self);
        }
        let Row { name, role } = self.operator;
        output.line(format_args!("added {name}"))?;
        output.line(format_args!("  role   {role}"))?;
        if let Some(token) = self.token {
            output.line(format_args!("  token  {token}  (shown once; only its hash is kept)"))?;
        }
        match self.token_file {
            Some(file) => output.line(format_args!("  token  in {}", file.display())),
            None => Ok(()),
        }
    }
}

impl Remove {
    fn run(&self, output: &mut Output) -> Outcome {
        let (dir, _config) = open(&self.venue.venue, &[])?;
        let path = dir.operators_file();
        let lock = Operators::lock(&path).map_err(Failure::from)?;
        let mut all = Operators::load(&path).map_err(Failure::from)?;
        let known = all.list().iter().find(|operator| operator.name() == self.name);
        let role = known.map_or("", |operator| operator.role().name());
        all.remove(&self.name).map_err(Failure::from)?;
        all.save().map_err(Failure::from)?;
        drop(lock);
        if output.is_json() {
            return output.json("uncross.operator-remove/1", &Row { name: &self.name, role });
        }
        output.line(format_args!("removed {}", self.name))
    }
}

impl List {
    fn run(&self, output: &mut Output) -> Outcome {
        let (dir, _config) = open(&self.venue.venue, &[])?;
        let all = Operators::load(&dir.operators_file()).map_err(Failure::from)?;
        let rows =
            all.list().iter().map(|each| Row { name: each.name(), role: each.role().name() });
        if output.is_json() {
            return output.json("uncross.operators/1", &All { operators: rows.collect() });
        }
        let rows: Vec<_> =
            rows.map(|Row { name, role }| vec![name.to_owned(), role.to_owned()]).collect();
        output.table(&["NAME", "ROLE"], &rows)
    }
}

/// Writes a token to a new file that only its owner may read.
pub(super) fn write_token(path: &Path, token: &Token) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    writeln!(file, "{}", token.text())?;
    file.sync_all()
}
