//! `uncross import`: plays recorded markets through a venue.

use std::{
    fs::File,
    io::BufReader,
    path::{Path, PathBuf},
};

use clap::{Args, Subcommand};
use uncross_client::{Book, ConnectOptions, OrderSession, Symbol};
use uncross_server::{
    config::VenueDir,
    users::{Users, random_password},
    venue::{self, Venue},
};

use super::{
    feed::Day,
    init::{make_folder, write_new},
    session::{parse_address, password_in, unknown_symbol},
    venue::{load, unreadable, unwritable},
};
use crate::{
    errors::{self, Failure},
    output::{Outcome, Output},
    venue::hex,
};

mod lobster;
mod plan;
mod play;
mod report;

use lobster::{Messages, ReadError};
use plan::Plan;
use report::Report;

pub(super) const EXAMPLES: &str = "\
Examples:
  uncross import lobster AAPL_sample.csv --venue ./aapl";

const LOBSTER_EXAMPLES: &str = "\
The file becomes order entry, all through one session: type 1 a limit order, 2 a reduction that
keeps priority, 3 a cancel, 4 an immediate-or-cancel order that is expected to trade with the order
named, and with no other; 5, 6 and 7 are dropped. Orders that are named without having been entered
rested before: they are entered just before the first larger id. Exits with 6 if an execution is not
reproduced or an order is rejected. Prices have 4 decimals and quantities none.

Examples:
  uncross import lobster AAPL_sample.csv --venue ./aapl
  uncross import lobster AAPL_sample.csv --venue ./aapl --symbol TEST --json";

/// The user that a venue of an import is made with; its password is never told.
const USER: &str = "IMPORT";
const FIRM: &str = "IMPT";

/// Play recorded markets through a venue
#[derive(Debug, Subcommand)]
pub(crate) enum Import {
    Lobster(Lobster),
}

/// Play a LOBSTER message file and compare its executions, maker by maker
#[derive(Args, Debug)]
#[command(after_help = LOBSTER_EXAMPLES)]
pub(crate) struct Lobster {
    /// Message file, a line per event
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Instrument; by default the file's name up to the first underscore
    #[arg(long, value_name = "SYMBOL")]
    symbol: Option<Symbol>,
    /// Make a venue with this one instrument in this folder and play into it
    #[arg(long, value_name = "DIR", required_unless_present = "orders")]
    #[arg(conflicts_with_all = ["orders", "data", "user", "password_file"])]
    venue: Option<PathBuf>,
    #[command(flatten)]
    running: Running,
}

/// A venue that runs already.
#[derive(Args, Debug)]
struct Running {
    /// Play into the venue that runs here, which should list the instrument and be idle
    #[arg(long, value_name = "ADDR", value_parser = parse_address)]
    #[arg(requires_all = ["data", "user", "password_file"])]
    orders: Option<String>,
    /// Where its market data is
    #[arg(long, value_name = "ADDR", value_parser = parse_address, requires = "orders")]
    data: Option<String>,
    /// Log in there as this user
    #[arg(long, value_name = "USER", requires = "orders")]
    user: Option<String>,
    /// Read the user's password from this file
    #[arg(long, value_name = "FILE", requires = "orders")]
    password_file: Option<PathBuf>,
}

impl Import {
    pub(super) fn run(&self, output: &mut Output) -> Outcome {
        match self {
            Self::Lobster(command) => command.run(output),
        }
    }
}

impl Lobster {
    fn run(&self, output: &mut Output) -> Outcome {
        let symbol = self.symbol()?;
        let messages = self.read()?;
        if messages.events.is_empty() {
            let message = format!("{}: no event of a visible order", self.file.display());
            return Err(Failure::new(&errors::LOBSTER_EMPTY, message).into());
        }
        let plan = Plan::new(&messages.events).map_err(|fault| self.fault(&fault))?;
        let mut report = match &self.venue {
            Some(folder) => {
                let (running, logins) = found(folder, symbol)?;
                let played = run(&logins, symbol, &messages, &plan);
                let summary = running.stop().map_err(Failure::from)?;
                let mut report = played?;
                report.note_end(summary.last_seq, hex(&summary.state_hash));
                report
            }
            None => run(&self.running.logins()?, symbol, &messages, &plan)?,
        };
        report.file = self.file.display().to_string();
        report.tell(output)?;
        output.flush()?;
        let (expected, reproduced) = (report.executions, report.reproduced);
        if expected == reproduced && report.rejected == 0 {
            return Ok(());
        }
        if expected == reproduced {
            let message = format!("{} orders were rejected", report.rejected);
            return Err(Failure::new(&errors::IMPORT_REJECTED, message).into());
        }
        let message = format!("{reproduced} of {expected} executions were reproduced");
        Err(Failure::new(&errors::NOT_REPRODUCED, message).into())
    }

    fn symbol(&self) -> Result<Symbol, Failure> {
        if let Some(symbol) = self.symbol {
            return Ok(symbol);
        }
        let name = self.file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let start = name.split_once('_').map_or("", |(start, _)| start);
        Symbol::new(start).ok().filter(|_| !start.is_empty()).ok_or_else(|| {
            let message = format!("the name {name:?} does not begin with a symbol and _");
            Failure::new(&errors::USAGE, message).fix("name the instrument with --symbol")
        })
    }

    fn read(&self) -> Result<Messages, Failure> {
        let fail = |error| unreadable(&errors::FILE_READ, &self.file, &error);
        let file = File::open(&self.file).map_err(fail)?;
        lobster::read(BufReader::new(file)).map_err(|error| match error {
            ReadError::Io(error) => fail(error),
            ReadError::Fault(fault) => self.fault(&fault),
        })
    }

    fn fault(&self, fault: &lobster::Fault) -> Failure {
        let message = format!("{}: {fault}", self.file.display());
        Failure::new(&errors::LOBSTER_SYNTAX, message)
    }
}

/// How to log in to both ports of a venue.
struct Logins {
    orders: ConnectOptions,
    data: ConnectOptions,
}

impl Running {
    fn logins(&self) -> Result<Logins, Failure> {
        // Each asks for the others, so that all are there.
        let text = |field: &Option<String>| field.clone().unwrap_or_default();
        let password = password_in(self.password_file.as_deref().unwrap_or(Path::new("")))?;
        let (orders, data, user) = (text(&self.orders), text(&self.data), text(&self.user));
        Ok(Logins {
            orders: ConnectOptions::new(orders, user.clone(), password.clone()),
            data: ConnectOptions::new(data, user, password),
        })
    }
}

/// Makes a venue with one instrument and one user in `folder`, and starts it on free ports.
fn found(folder: &Path, symbol: Symbol) -> Result<(Venue, Logins), Failure> {
    make_folder(folder)?;
    let dir = VenueDir::new(folder);
    let file = dir.config_file();
    let text = format!(
        "# Made by uncross import lobster. What is not set here is as by default.\n\n\
         [[instrument]]\nid = 1\nsymbol = {:?}\nprice_decimals = 4\ntick = \"0.01\"\n",
        symbol.to_string()
    );
    write_new(&file, &text).map_err(|error| unwritable(&file, &error))?;
    let password = random_password()?;
    let mut users = Users::new(dir.users_file());
    users.add(USER, FIRM, &password)?;
    users.save()?;
    let overrides = [
        ("orders.listen", "127.0.0.1:0"),
        ("data.listen", "127.0.0.1:0"),
        // The one who plays needs a CPU as much as the venue does.
        ("core.pin", "false"),
    ];
    let overrides = overrides.map(|(key, value)| (key.to_owned(), value.to_owned()));
    let running = venue::start(&load(Some(&file), &overrides)?, &dir)?;
    let at = |address: String| ConnectOptions::new(address, USER, password.clone());
    let orders = at(running.orders_addr().to_string());
    let data = at(running.data_addr().to_string());
    Ok((running, Logins { orders, data }))
}

/// Plays the plan and reads the book that it leads to.
fn run(
    logins: &Logins,
    symbol: Symbol,
    messages: &Messages,
    plan: &Plan,
) -> Result<Report, Failure> {
    let mut session = OrderSession::connect(&logins.orders)?;
    let played = play::play(&mut session, symbol, plan)?;
    drop(session.logout());
    let day = Day::catch_up(&logins.data)?;
    let book: &Book = day.books.by_symbol(symbol).ok_or_else(|| unknown_symbol(symbol))?;
    let report = Report::new(symbol, messages, plan, &played, book);
    day.leave();
    Ok(report)
}
