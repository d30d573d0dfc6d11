//! `uncross user`: who may log in.

use std::{path::PathBuf, time::Duration};

use clap::{Args, Subcommand};
use serde::Serialize;
use uncross_server::{
    config::units::{format_duration, parse_duration},
    users::{self, User as Known, Users},
};

use super::{
    session::{password_in, password_on_stdin},
    venue::{VenueArgument, open},
};
use crate::{
    errors::{self, Failure},
    output::{Outcome, Output},
};

pub(super) const EXAMPLES: &str = "\
Examples:
  uncross user add BROK01 --venue ./venue
  uncross user list --venue ./venue";

const ADD_EXAMPLES: &str = "\
Examples:
  uncross user add BROK01 --venue ./venue
  uncross user add BROK01 --venue ./venue --firm ACME --password-file password.txt
  uncross user add RISK01 --venue ./venue --drop-copy ACME
  head -n 1 password.txt | uncross user add BROK01 --venue ./venue --password-stdin";

const SET_EXAMPLES: &str = "\
Examples:
  uncross user set BROK01 --venue ./venue --cancel-on-disconnect 5s
  uncross user set BROK01 --venue ./venue --cancel-on-disconnect never";

const LIST_EXAMPLES: &str = "\
Examples:
  uncross user list --venue ./venue
  uncross user list --venue ./venue --json";

/// Manage who may log in
#[derive(Debug, Subcommand)]
pub(crate) enum User {
    Add(Add),
    Set(Set),
    List(List),
}

/// Add a user; without a password given, one is made and printed once
#[derive(Args, Debug)]
#[command(after_help = ADD_EXAMPLES)]
pub(crate) struct Add {
    /// Name for the login: 1 to 6 letters and digits
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    venue: VenueArgument,
    /// Firm of the user: 1 to 4 letters and digits; by default the name's first four
    #[arg(long, value_name = "FIRM", conflicts_with = "drop_copy")]
    firm: Option<String>,
    /// Make a user who enters no orders but listens to the reports of all ports of this firm
    #[arg(long, value_name = "FIRM", conflicts_with = "cancel_on_disconnect")]
    drop_copy: Option<String>,
    /// Read the password from this file
    #[arg(long, value_name = "FILE", conflicts_with = "password_stdin")]
    password_file: Option<PathBuf>,
    /// Read the password from standard input
    #[arg(long)]
    password_stdin: bool,
    /// Cancel the user's orders when its connection has been gone for so long: 0s to 24h, or never
    #[arg(long, value_name = "TIME", default_value = "never", value_parser = grace)]
    cancel_on_disconnect: Grace,
}

/// Change a user; a running venue learns of it when it starts again
#[derive(Args, Debug)]
#[command(after_help = SET_EXAMPLES)]
pub(crate) struct Set {
    /// Name of the user
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    venue: VenueArgument,
    /// Cancel the user's orders when its connection has been gone for so long: 0s to 24h, or never
    #[arg(long, value_name = "TIME", value_parser = grace)]
    cancel_on_disconnect: Grace,
}

/// How long orders outlive a connection.
#[derive(Clone, Copy, Debug)]
struct Grace(Option<Duration>);

fn grace(text: &str) -> Result<Grace, String> {
    if text == "never" {
        return Ok(Grace(None));
    }
    let duration = parse_duration(text).map_err(|error| format!("{error}, or never"))?;
    Ok(Grace(Some(duration)))
}

/// List the users
#[derive(Args, Debug)]
#[command(after_help = LIST_EXAMPLES)]
pub(crate) struct List {
    #[command(flatten)]
    venue: VenueArgument,
}

#[derive(Serialize)]
struct Row<'a> {
    name: &'a str,
    /// `orders` or `drop-copy`.
    role: &'static str,
    /// Absent: it enters no orders.
    #[serde(skip_serializing_if = "Option::is_none")]
    port: Option<u16>,
    firm: &'a str,
    /// Absent: never.
    #[serde(skip_serializing_if = "Option::is_none")]
    cancel_on_disconnect: Option<String>,
}

impl<'a> Row<'a> {
    fn of(user: &'a Known) -> Self {
        Self {
            name: user.name(),
            role: if user.port().is_some() { "orders" } else { "drop-copy" },
            port: user.port(),
            firm: user.firm_text(),
            cancel_on_disconnect: user.cancel_on_disconnect().map(format_duration),
        }
    }

    fn grace_text(&self) -> &str {
        match self.port {
            Some(_) => self.cancel_on_disconnect.as_deref().unwrap_or("never"),
            None => "-",
        }
    }

    fn port_text(&self) -> String {
        self.port.map_or_else(|| "-".to_owned(), |port| port.to_string())
    }
}

#[derive(Serialize)]
struct Added<'a> {
    #[serde(flatten)]
    user: Row<'a>,
    /// Only one that was made here; one that was given is not repeated.
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<&'a str>,
}

#[derive(Serialize)]
struct All<'a> {
    users: Vec<Row<'a>>,
}

impl User {
    pub(super) fn run(&self, output: &mut Output) -> Outcome {
        match self {
            Self::Add(command) => command.run(output),
            Self::Set(command) => command.run(output),
            Self::List(command) => command.run(output),
        }
    }
}

impl Add {
    fn run(&self, output: &mut Output) -> Outcome {
        let (dir, config) = open(&self.venue.venue, &[])?;
        let given = self.given_password()?;
        let made = match &given {
            Some(_) => None,
            None => Some(users::random_password().map_err(Failure::from)?),
        };
        let password = given.as_deref().or(made.as_deref()).unwrap_or_default();
        let path = dir.users_file();
        let lock = Users::lock(&path).map_err(Failure::from)?;
        let mut users = Users::load(&path).map_err(Failure::from)?;
        if let Some(firm) = &self.drop_copy {
            users.add_drop_copy(&self.name, firm, password).map_err(Failure::from)?;
        } else {
            self.add_port(&mut users, password, config.capacity.ports)?;
        }
        let Some(user) = users.find(&self.name) else {
            return Err(Failure::new(&errors::SYSTEM, "the user was not kept").into());
        };
        let added = Added { user: Row::of(user), password: made.as_deref() };
        // A password that could not be shown must not become one.
        added.tell(output)?;
        output.flush()?;
        users.save().map_err(Failure::from)?;
        drop(lock);
        Ok(())
    }

    fn add_port(&self, users: &mut Users, password: &str, ports_max: u16) -> Result<(), Failure> {
        let firm = self.firm.clone().unwrap_or_else(|| self.name.chars().take(4).collect());
        let port = users.add(&self.name, &firm, password)?;
        let Grace(grace) = self.cancel_on_disconnect;
        users.set_cancel_on_disconnect(&self.name, grace)?;
        if ports_max < port {
            let message = format!("the next port is {port}, and capacity.ports is {ports_max}");
            return Err(Failure::new(&errors::PORTS_FULL, message));
        }
        Ok(())
    }

    /// The password from a file or standard input, if one of them was named.
    fn given_password(&self) -> Result<Option<String>, Failure> {
        match &self.password_file {
            Some(path) => password_in(path).map(Some),
            None if self.password_stdin => password_on_stdin().map(Some),
            None => Ok(None),
        }
    }
}

impl Added<'_> {
    fn tell(&self, output: &mut Output) -> Outcome {
        if output.is_json() {
            return output.json("uncross.user-add/1", self);
        }
        let Row { name, port, firm, .. } = &self.user;
        output.line(format_args!("added {name}"))?;
        if let Some(port) = port {
            output.line(format_args!("  port      {port}"))?;
            output.line(format_args!("  firm      {firm}"))?;
            let grace = self.user.grace_text();
            output.line(format_args!("  orders    cancelled on disconnect: {grace}"))?;
        } else {
            output.line(format_args!("  listens   to the drop copies of {firm}"))?;
            output.line("  from      the next start of the venue on")?;
        }
        match self.password {
            Some(password) => output
                .line(format_args!("  password  {password}  (shown once; only its hash is kept)")),
            None => Ok(()),
        }
    }
}

impl Set {
    fn run(&self, output: &mut Output) -> Outcome {
        let (dir, _config) = open(&self.venue.venue, &[])?;
        let path = dir.users_file();
        let lock = Users::lock(&path).map_err(Failure::from)?;
        let mut users = Users::load(&path).map_err(Failure::from)?;
        let Grace(grace) = self.cancel_on_disconnect;
        users.set_cancel_on_disconnect(&self.name, grace).map_err(Failure::from)?;
        users.save().map_err(Failure::from)?;
        drop(lock);
        let Some(user) = users.find(&self.name) else {
            return Err(Failure::new(&errors::SYSTEM, "the user was not kept").into());
        };
        let row = Row::of(user);
        if output.is_json() {
            return output.json("uncross.user-set/1", &row);
        }
        let grace = row.grace_text();
        output.line(format_args!("{}: orders cancelled on disconnect: {grace}", row.name))?;
        output.line("It holds from the user's first login after the venue's next start.")
    }
}

impl List {
    fn run(&self, output: &mut Output) -> Outcome {
        let (dir, _config) = open(&self.venue.venue, &[])?;
        let users = Users::load(&dir.users_file()).map_err(Failure::from)?;
        let rows = users.list().iter().map(Row::of);
        if output.is_json() {
            return output.json("uncross.users/1", &All { users: rows.collect() });
        }
        let rows: Vec<_> = rows
            .map(|row| {
                let grace = row.grace_text().to_owned();
                let words = [row.name, row.role].map(str::to_owned);
                let [name, role] = words;
                vec![name, row.port_text(), row.firm.to_owned(), role, grace]
            })
            .collect();
        output.table(&["NAME", "PORT", "FIRM", "ROLE", "CANCEL ON DISCONNECT"], &rows)
    }
}
