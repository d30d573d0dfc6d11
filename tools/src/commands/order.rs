//! `uncross order`, `replace`, `modify`, `cancel`, `mass-cancel`, `disable`, `enable`, `query`: one
//! request each, over a session of its own.
//!
//! `terms` are the options of an order, `tags` its optional fields by number, `answer` what the
//! reports say about it, `told` how that is printed.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use clap::{Args, ValueEnum};
use uncross_client::{
    ConnectOptions, Elements, Error, OrderSession, Side, Symbol, wire::ouch::appendage::tag,
};
use uncross_server::config::Config;

use super::session::{
    Decimals, Door, Login, PATIENCE, Units, Which, address, configuration, parse_address, symbol_of,
};
use crate::errors::{self, Failure};

mod answer;
mod cancel;
mod enter;
mod entry;
mod mass_cancel;
mod modify;
mod query;
mod replace;
mod tags;
mod terms;
mod told;

use answer::{Answer, Request};
use tags::RawTag;

pub(crate) use cancel::Cancel;
pub(crate) use enter::Order;
pub(crate) use entry::{Disable, Enable};
pub(crate) use mass_cancel::MassCancel;
pub(crate) use modify::Modify;
pub(crate) use query::Query;
pub(crate) use replace::Replace;

/// The sides. Without comments on the variants, which would make every help longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Way {
    Buy,
    Sell,
    #[value(alias = "short")]
    SellShort,
    #[value(alias = "exempt")]
    SellExempt,
}

impl Way {
    const fn side(self) -> Side {
        match self {
            Self::Buy => Side::Buy,
            Self::Sell => Side::Sell,
            Self::SellShort => Side::SellShort,
            Self::SellExempt => Side::SellShortExempt,
        }
    }

    /// The word for a side on the wire.
    const fn word(side: Side) -> &'static str {
        match side {
            Side::Buy => "buy",
            Side::Sell => "sell",
            Side::SellShort => "sell-short",
            Side::SellShortExempt => "sell-exempt",
        }
    }
}

/// The word for a side.
pub(super) const fn side_word(side: Side) -> &'static str {
    Way::word(side)
}

/// Where to, and as whom.
#[derive(Args, Debug)]
struct Place {
    #[command(flatten)]
    login: Login,
    /// Take the address and the decimals from the venue in this folder
    #[arg(long, value_name = "DIR")]
    venue: Option<PathBuf>,
    /// Connect here instead; 127.0.0.1:9001 when there is no --venue either
    #[arg(long, value_name = "ADDR", value_parser = parse_address)]
    orders: Option<String>,
    #[command(flatten)]
    decimals: Decimals,
}

/// What every request may carry.
#[derive(Args, Debug)]
struct Extras {
    /// Channel of the port that the number belongs to (tag 28); each counts its orders from 1
    #[arg(long, value_name = "INDEX")]
    channel: Option<u8>,
    /// An optional field by number, as it goes to the wire: text, or hex digits after 0x
    #[arg(long = "tag", value_name = "TAG=VALUE")]
    raw: Vec<RawTag>,
}

impl Extras {
    /// The channel alone, as questions about numbers carry it.
    fn channel_elements(&self) -> Result<Elements, Failure> {
        let mut elements = Elements::new();
        if let Some(channel) = self.channel {
            tags::put(&mut elements, tag::USER_REF_INDEX, &[channel])?;
        }
        Ok(elements)
    }

    /// Everything, behind `elements`.
    fn put(&self, elements: &mut Elements) -> Result<(), Failure> {
        elements.extend(&self.channel_elements()?);
        self.raw.iter().try_for_each(|raw| raw.put(elements))
    }
}

impl Place {
    fn config(&self) -> Result<Option<Config>, Failure> {
        configuration(self.venue.as_deref())
    }

    /// What the logins need; reads the password, so it can be asked for once.
    fn options(&self, config: Option<&Config>) -> Result<ConnectOptions, Failure> {
        let address = address(self.orders.as_deref(), config, Door::Orders)?;
        self.login.options(&address)
    }

    /// The decimals that were given in place of a folder.
    fn given_units(&self) -> Result<Units, Failure> {
        self.decimals.units().ok_or_else(|| {
            let message = "without --venue the decimals are not known";
            Failure::new(&errors::USAGE, message)
                .cause("the wire does not say how many decimals prices and quantities have")
                .fix("add --price-decimals and --qty-decimals, or --venue")
        })
    }

    /// Checks the order that is to be changed against `symbol`, and finds its units: in the
    /// folder by its instrument, else as given; `None` when neither says.
    fn units_of(
        &self,
        order: Which,
        symbol: Option<Symbol>,
        config: Option<&Config>,
        options: &ConnectOptions,
    ) -> Result<Option<Units>, Failure> {
        if config.is_none() && symbol.is_none() {
            return Ok(self.decimals.units());
        }
        let found = match (symbol_of(options, order)?, order) {
            (Some(found), _) => found,
            // An order of an earlier day is in no report of this one.
            (None, Which::Reference(_)) => match (symbol, config) {
                (Some(symbol), _) => symbol,
                (None, _) => return Ok(None),
            },
            (None, Which::Number { .. }) => {
                let message = format!("{order} is unknown: nothing was sent");
                return Err(Failure::new(&errors::IGNORED, message));
            }
        };
        if let Some(symbol) = symbol.filter(|symbol| *symbol != found) {
            let message = format!("{order} is of {found}, not of {symbol}");
            let failure = Failure::new(&errors::USAGE, message);
            return Err(failure.fix("check the number of the order, or leave --symbol out"));
        }
        match config {
            Some(config) => Units::find(config, found).map(Some),
            None => Ok(self.decimals.units()),
        }
    }
}

/// Logs in for live messages and learns the next order number of the channel.
fn connect(options: &ConnectOptions, extras: &Extras) -> Result<OrderSession, Failure> {
    let channel = extras.channel_elements()?;
    let mut session = OrderSession::connect(options)?;
    session.sync_with(&channel, PATIENCE, |_of_before| {})?;
    Ok(session)
}

/// Sends a request with an Account Query right behind it, so that its answer ends what the request
/// caused at once; returns when that was.
fn send<T>(
    session: &mut OrderSession,
    request: impl FnOnce(&mut OrderSession) -> Result<T, Error>,
) -> Result<(T, Instant), Failure> {
    session.orders().set_batching(true);
    let request = request(session)?;
    session.account_query()?;
    let sent = Instant::now();
    session.flush()?;
    Ok((request, sent))
}

/// Sends a request about one order and reads what came of it.
fn ask(
    session: &mut OrderSession,
    request: impl FnOnce(&mut OrderSession) -> Result<Request, Error>,
) -> Result<(Request, Answer, Duration), Failure> {
    let (request, sent) = send(session, request)?;
    let (answer, round_trip) = Answer::read(session, request, sent)?;
    answer.check(request)?;
    Ok((request, answer, round_trip))
}

/// Says goodbye; what was asked for is done, however that goes.
fn leave(session: OrderSession) {
    drop(session.logout());
}
