//! `uncross instrument`: what is traded, and whether.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::{Map, Value};
use uncross_server::config::listing::Listing;

use super::{
    admin::{DoorArguments, segment},
    replay::replayed,
};
use crate::{
    errors::{self, Failure},
    output::{Outcome, Output},
    venue::torn_text,
};

pub(super) const EXAMPLES: &str = "\
Examples:
  uncross instrument list ./venue
  uncross instrument halt DEMO --venue ./venue";

const ADD_EXAMPLES: &str = "\
The instrument is listed at once: the feed says so, then orders are taken. Its id and its symbol
belong to each other for ever. What is not given is as in a configuration file: tick 0.01, lot 1,
quantities 1 to 999999, a collar of 5%.

Examples:
  uncross instrument add NEW --id 42 --tick 0.05 --venue ./venue
  uncross instrument add BTC --id 43 --qty-decimals 3 --lot 0.001 --qty-min 0.001 --venue ./venue";

const CHANGE_EXAMPLES: &str = "\
The change comes with the next day roll; what does not fit then is canceled with reason S. What is
not given stays as it is, or as it was ordered to become: that is read from the journal, so that
--venue is needed. To order it as it is takes a change back.

Examples:
  uncross instrument change DEMO --tick 0.05 --venue ./venue
  uncross instrument change DEMO --collar none --qty-max 5000 --venue ./venue --json";

const REMOVE_EXAMPLES: &str = "\
The instrument is halted and all its orders are canceled with reason S. Its id and symbol are never
given to another. NAME is a symbol or id:N.

Examples:
  uncross instrument remove DEMO --venue ./venue
  uncross instrument remove id:2 --venue ./venue --json";

const HALT_EXAMPLES: &str = "\
New orders and replacements are rejected; what stands stays, and cancels pass. The halt survives
restarts and day rolls. NAME is a symbol or id:N.

Examples:
  uncross instrument halt DEMO --venue ./venue";

const RESUME_EXAMPLES: &str = "\
NAME is a symbol or id:N.

Examples:
  uncross instrument resume DEMO --venue ./venue";

const LIST_EXAMPLES: &str = "\
All of it comes from the journal, so it can be asked beside a running venue or after its end. An
instrument that changes with the next day has a second line.

Examples:
  uncross instrument list ./venue
  uncross instrument list ./venue --json";

/// Manage what is traded
#[derive(Debug, Subcommand)]
pub(crate) enum Instrument {
    Add(Add),
    Change(Change),
    Remove(Remove),
    Halt(Halt),
    Resume(Resume),
    List(List),
}

/// List an instrument at once
#[derive(Args, Debug)]
#[command(after_help = ADD_EXAMPLES)]
pub(crate) struct Add {
    /// Its symbol: 1 to 8 printable characters without spaces
    #[arg(value_name = "SYMBOL")]
    symbol: String,
    /// Its id, a number from 1 that no other has had
    #[arg(long, value_name = "N")]
    id: u32,
    #[command(flatten)]
    terms: Terms,
    #[command(flatten)]
    door: DoorArguments,
}

/// Change an instrument from the next day on
#[derive(Args, Debug)]
#[command(after_help = CHANGE_EXAMPLES)]
pub(crate) struct Change {
    /// Its symbol
    #[arg(value_name = "SYMBOL")]
    symbol: String,
    #[command(flatten)]
    terms: Terms,
    #[command(flatten)]
    door: DoorArguments,
}

/// Take an instrument off the list, and cancel its orders
#[derive(Args, Debug)]
#[command(after_help = REMOVE_EXAMPLES)]
pub(crate) struct Remove {
    #[command(flatten)]
    named: Named,
}

/// Refuse new orders in an instrument
#[derive(Args, Debug)]
#[command(after_help = HALT_EXAMPLES)]
pub(crate) struct Halt {
    #[command(flatten)]
    named: Named,
}

/// End a halt
#[derive(Args, Debug)]
#[command(after_help = RESUME_EXAMPLES)]
pub(crate) struct Resume {
    #[command(flatten)]
    named: Named,
}

/// Show what is traded, and whether
#[derive(Args, Debug)]
#[command(after_help = LIST_EXAMPLES)]
pub(crate) struct List {
    /// Folder of the venue
    #[arg(value_name = "DIR")]
    dir: PathBuf,
}

#[derive(Args, Debug)]
struct Named {
    /// Its symbol, or id:N
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    door: DoorArguments,
}

/// What an instrument is but for its names; texts, as the venue reads decimals exactly.
#[derive(Args, Debug)]
struct Terms {
    /// Decimals of a price
    #[arg(long, value_name = "COUNT")]
    price_decimals: Option<u8>,
    /// Decimals of a quantity
    #[arg(long, value_name = "COUNT")]
    qty_decimals: Option<u8>,
    /// Prices are multiples of it
    #[arg(long, value_name = "PRICE")]
    tick: Option<String>,
    /// Quantities are multiples of it
    #[arg(long, value_name = "QTY")]
    lot: Option<String>,
    /// Smallest quantity of an order
    #[arg(long, value_name = "QTY")]
    qty_min: Option<String>,
    /// Largest quantity of an order
    #[arg(long, value_name = "QTY")]
    qty_max: Option<String>,
    /// How far from the last price market orders trade, such as 5%, or none
    #[arg(long, value_name = "PERCENT")]
    collar: Option<String>,
    /// Stands for the last price before the first trade
    #[arg(long, value_name = "PRICE")]
    reference_price: Option<String>,
}

impl Terms {
    /// Writes what was given over `fields`.
    fn lay_over(&self, fields: &mut Map<String, Value>) {
        let Self { price_decimals, qty_decimals, tick, lot, qty_min, qty_max, .. } = self;
        let Self { collar, reference_price, .. } = self;
        let counts = [("price_decimals", price_decimals), ("qty_decimals", qty_decimals)];
        for (key, count) in counts {
            fields.extend(count.map(|count| (key.to_owned(), count.into())));
        }
        let texts = [
            ("tick", tick),
            ("lot", lot),
            ("qty_min", qty_min),
            ("qty_max", qty_max),
            ("collar", collar),
            ("reference_price", reference_price),
        ];
        for (key, text) in texts {
            fields.extend(text.clone().map(|text| (key.to_owned(), text.into())));
        }
    }
}

impl Instrument {
    pub(super) fn run(&self, output: &mut Output) -> Outcome {
        match self {
            Self::Add(command) => command.run(output),
            Self::Change(command) => command.run(output),
            Self::Remove(Remove { named }) => named.act("remove", "DELETE", "", output),
            Self::Halt(Halt { named }) => named.act("halt", "POST", "/halt", output),
            Self::Resume(Resume { named }) => named.act("resume", "POST", "/resume", output),
            Self::List(command) => command.run(output),
        }
    }
}

const LISTINGS: (&str, &str) = ("POST", "/v1/instruments");

impl Add {
    fn run(&self, output: &mut Output) -> Outcome {
        let mut fields = Map::new();
        fields.insert("id".to_owned(), self.id.into());
        fields.insert("symbol".to_owned(), self.symbol.clone().into());
        self.terms.lay_over(&mut fields);
        let body = Value::Object(fields);
        self.door.open()?.act(("list", &self.symbol), LISTINGS, Some(&body), output)
    }
}

impl Change {
    fn run(&self, output: &mut Output) -> Outcome {
        let Some(venue) = self.door.venue() else {
            let message = "--venue DIR is missing: what is not given is read from its journal";
            return Err(Failure::new(&errors::USAGE, message).into());
        };
        let door = self.door.open()?;
        let rows = listings(venue)?.instruments;
        let Some(row) = rows.into_iter().find(|row| row.today.symbol == self.symbol) else {
            let message = format!("no instrument {} is listed", self.symbol);
            return Err(Failure::new(&errors::UNKNOWN_INSTRUMENT, message).into());
        };
        let known = row.next.unwrap_or(row.today);
        let known = serde_json::to_value(&known).map_err(|error| {
            Failure::new(&errors::SYSTEM, format!("the instrument cannot be written: {error}"))
        })?;
        let Value::Object(mut fields) = known else {
            return Err(Failure::new(&errors::SYSTEM, "the instrument is no object").into());
        };
        self.terms.lay_over(&mut fields);
        let body = Value::Object(fields);
        door.act(("change", &self.symbol), LISTINGS, Some(&body), output)
    }
}

impl Named {
    fn act(&self, act: &str, method: &str, end: &str, output: &mut Output) -> Outcome {
        let path = format!("/v1/instruments/{}{end}", segment(&self.name));
        self.door.open()?.act((act, &self.name), (method, &path), None, output)
    }
}

#[derive(Serialize)]
struct Told {
    venue: String,
    last_seq: u64,
    instruments: Vec<Row>,
    torn: Option<String>,
}

#[derive(Serialize)]
struct Row {
    #[serde(flatten)]
    today: Listing,
    /// trading or halted.
    state: &'static str,
    /// As it is from the next day on, if it changes.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<Listing>,
}

/// What the journal of the venue in `dir` lists.
fn listings(dir: &Path) -> Result<Told, Failure> {
    let found = replayed(dir)?;
    let rows = found.replica.engine().listings().map(|listed| Row {
        today: Listing::from(&listed.instrument),
        state: if listed.is_halted { "halted" } else { "trading" },
        next: listed.next.as_ref().map(Listing::from),
    });
    let mut instruments: Vec<Row> = rows.collect();
    instruments.sort_by_key(|row| row.today.id);
    Ok(Told {
        venue: dir.display().to_string(),
        last_seq: found.last_seq,
        instruments,
        torn: found.torn.as_ref().map(torn_text),
    })
}

impl List {
    fn run(&self, output: &mut Output) -> Outcome {
        let told = listings(&self.dir)?;
        if output.is_json() {
            return output.json("uncross.instruments/1", &told);
        }
        let Told { last_seq, instruments, torn, .. } = told;
        output.line(format_args!("journal  to record {last_seq}"))?;
        if let Some(torn) = torn {
            output.line(format_args!("behind   {torn}"))?;
        }
        output.line("")?;
        let mut rows = Vec::new();
        for Row { today, state, next } in &instruments {
            rows.push(cells(today, state));
            rows.extend(next.as_ref().map(|next| cells(next, "next day")));
        }
        let headings =
            ["ID", "SYMBOL", "STATE", "TICK", "LOT", "MIN", "MAX", "COLLAR", "REFERENCE"];
        output.table(&headings, &rows)
    }
}

fn cells(listing: &Listing, state: &str) -> Vec<String> {
    let Listing { id, symbol, tick, lot, qty_min, qty_max, collar, reference_price, .. } = listing;
    let texts = [symbol, state, tick, lot, qty_min, qty_max, collar, reference_price];
    let mut cells = vec![id.to_string()];
    cells.extend(texts.map(str::to_owned));
    cells
}
