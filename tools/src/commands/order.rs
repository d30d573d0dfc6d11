//! `uncross order`, `uncross cancel`, `uncross replace`: one request over a session of its own.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use clap::{Args, ValueEnum};
use serde::Serialize;
use uncross_client::{
    ClOrdId, ConnectOptions, Error, Firm, NewOrder, Options, OrderSession, Replacement, Side,
    Symbol, TimeInForce, wire::ouch::codes,
};
use uncross_server::config::Config;

use super::session::{
    Decimals, Door, Login, PATIENCE, Units, address, configuration, parse_address, symbol_of,
};
use crate::{
    errors::{self, Failure},
    output::{Outcome, Output},
};

mod answer;

use answer::{Answer, Request};

const ORDER_EXAMPLES: &str = "\
The wire does not say how many decimals prices and quantities have: they are those of venue.toml, or
without --venue of --price-decimals and --qty-decimals.
A login takes over a session that the user has elsewhere.

Examples:
  uncross order buy DEMO 100 @ 10.05 --venue ./venue --user ACME --password-file password.txt
  uncross order sell DEMO 100 10.05 --ioc --venue ./venue --user ACME --password-file password.txt
  cat password.txt | uncross order short COIN 0.5 @ 9 --venue ./venue --user ACME --password-stdin";

const CANCEL_EXAMPLES: &str = "\
With --venue the instrument of the order is looked up in the reports of the day, and its decimals in
venue.toml. Without, --to needs --price-decimals and --qty-decimals; an order is ended without them,
but then quantities are told raw, as on the wire.
A login takes over a session that the user has elsewhere.

Examples:
  uncross cancel 1 --venue ./venue --user ACME --password-file password.txt
  uncross cancel 1 --to 40 --symbol DEMO --venue ./venue --user ACME --password-file password.txt";

const REPLACE_EXAMPLES: &str = "\
The new order has a number of its own and stands last in its queue. QTY counts what the order has
executed so far. With --venue the instrument of the order is looked up in the reports of the day,
and its decimals in venue.toml; without, --price-decimals and --qty-decimals say them.
A login takes over a session that the user has elsewhere.

Examples:
  uncross replace 1 9 @ 11 --venue ./venue --user ACME --password-file password.txt";

/// Enter an order and tell what came of it at once
#[derive(Args, Debug)]
#[command(after_help = ORDER_EXAMPLES)]
#[command(
    override_usage = "uncross order [OPTIONS] --user <USER> <SIDE> <SYMBOL> <QTY> [@] <PRICE>"
)]
pub(crate) struct Order {
    /// What to do
    #[arg(value_name = "SIDE")]
    side: Way,
    /// Instrument
    #[arg(value_name = "SYMBOL")]
    symbol: Symbol,
    #[command(flatten)]
    terms: Terms,
    /// Name of your own for the order, at most 14 characters
    #[arg(long, value_name = "TEXT")]
    id: Option<ClOrdId>,
    /// Firm, at most 4 characters; must be the user's
    #[arg(long, value_name = "FIRM")]
    firm: Option<Firm>,
    #[command(flatten)]
    place: Place,
}

/// Reduce an order or end it; what stays keeps its place in the queue
#[derive(Args, Debug)]
#[command(after_help = CANCEL_EXAMPLES)]
pub(crate) struct Cancel {
    /// Number of the order, as uncross order printed it
    #[arg(value_name = "NUMBER")]
    number: u32,
    /// Quantity to keep, what the order has executed so far included
    #[arg(long, value_name = "QTY", default_value = "0")]
    to: String,
    /// Refuse unless this is the instrument of the order
    #[arg(long, value_name = "SYMBOL")]
    symbol: Option<Symbol>,
    #[command(flatten)]
    place: Place,
}

/// Put a new order in the place of one that is live
#[derive(Args, Debug)]
#[command(after_help = REPLACE_EXAMPLES)]
#[command(override_usage = "uncross replace [OPTIONS] --user <USER> <NUMBER> <QTY> [@] <PRICE>")]
pub(crate) struct Replace {
    /// Number of the order, as uncross order printed it
    #[arg(value_name = "NUMBER")]
    number: u32,
    #[command(flatten)]
    terms: Terms,
    /// Name of your own for the new order, at most 14 characters
    #[arg(long, value_name = "TEXT")]
    id: Option<ClOrdId>,
    /// Refuse unless this is the instrument of the order
    #[arg(long, value_name = "SYMBOL")]
    symbol: Option<Symbol>,
    #[command(flatten)]
    place: Place,
}

/// The sides. Without comments on the variants, which would make every help longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "lower")]
enum Way {
    Buy,
    Sell,
    Short,
    Exempt,
}

/// How much, at what limit, for how long.
#[derive(Args, Debug)]
struct Terms {
    /// Quantity
    #[arg(value_name = "QTY")]
    quantity: String,
    /// Limit; the @ before it may be left out
    #[arg(value_name = "@ PRICE", required = true, num_args = 1..=2)]
    price: Vec<String>,
    /// Trade at once what can be traded, and cancel the rest
    #[arg(long)]
    ioc: bool,
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

/// What came of it, for people and machines.
#[derive(Serialize)]
struct Told<'a> {
    request: &'static str,
    /// Says so when quantities and prices are told as on the wire.
    #[serde(skip_serializing_if = "Option::is_none")]
    units: Option<&'static str>,
    user_ref_num: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    replaced_user_ref_num: Option<u32>,
    #[serde(flatten)]
    terms: Option<ToldTerms<'a>>,
    state: &'static str,
    /// As text: JSON numbers do not hold 64 bits everywhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    order_reference: Option<String>,
    executed: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    open: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    canceled: Option<Taken>,
    executions: Vec<ToldExecution>,
    round_trip_us: u64,
}

#[derive(Serialize)]
struct ToldTerms<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    side: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    symbol: Option<String>,
    quantity: String,
    price: String,
}

#[derive(Serialize)]
struct Taken {
    quantity: String,
    reason: &'static str,
}

#[derive(Serialize)]
struct ToldExecution {
    quantity: String,
    price: String,
    match_number: String,
    liquidity: &'static str,
}

impl Way {
    const fn side(self) -> Side {
        match self {
            Self::Buy => Side::Buy,
            Self::Sell => Side::Sell,
            Self::Short => Side::SellShort,
            Self::Exempt => Side::SellShortExempt,
        }
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Buy => "buy",
            Self::Sell => "sell",
            Self::Short => "short",
            Self::Exempt => "exempt",
        }
    }
}

impl Terms {
    /// Quantity and price.
    fn read(&self, units: Units) -> Result<(u32, u64), Failure> {
        let price = match self.price.as_slice() {
            [price] => price,
            [at, price] if at == "@" => price,
            words => {
                let message = format!("expected @ PRICE, found {:?}", words.join(" "));
                return Err(Failure::new(&errors::USAGE, message));
            }
        };
        Ok((units.read_qty(&self.quantity)?, units.read_price(price)?))
    }

    const fn time_in_force(&self) -> TimeInForce {
        if self.ioc { TimeInForce::ImmediateOrCancel } else { TimeInForce::Day }
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
        order: u32,
        symbol: Option<Symbol>,
        config: Option<&Config>,
        options: &ConnectOptions,
    ) -> Result<Option<Units>, Failure> {
        if config.is_none() && symbol.is_none() {
            return Ok(self.decimals.units());
        }
        let Some(found) = symbol_of(options, order)? else {
            let message = format!("order {order} is unknown: nothing was sent");
            return Err(Failure::new(&errors::IGNORED, message));
        };
        if let Some(symbol) = symbol.filter(|symbol| *symbol != found) {
            let message = format!("order {order} is of {found}, not of {symbol}");
            let failure = Failure::new(&errors::USAGE, message);
            return Err(failure.fix("check the number of the order, or leave --symbol out"));
        }
        match config {
            Some(config) => Units::find(config, found).map(Some),
            None => Ok(self.decimals.units()),
        }
    }
}

/// Logs in for live messages and learns the next order number.
fn connect(options: &ConnectOptions) -> Result<OrderSession, Failure> {
    let mut session = OrderSession::connect(options)?;
    session.sync(PATIENCE, |_of_before| {})?;
    Ok(session)
}

/// Sends a request with an Account Query right behind it, and reads what came of it.
fn ask(
    session: &mut OrderSession,
    request: impl FnOnce(&mut OrderSession) -> Result<Request, Error>,
) -> Result<(Request, Answer, Duration), Failure> {
    session.orders().set_batching(true);
    let request = request(session)?;
    session.account_query()?;
    let sent = Instant::now();
    session.flush()?;
    let (answer, round_trip) = Answer::read(session, request, sent)?;
    answer.check(request)?;
    Ok((request, answer, round_trip))
}

impl Order {
    pub(super) fn run(&self, output: &mut Output) -> Outcome {
        let config = self.place.config()?;
        let units = match &config {
            Some(config) => Units::find(config, self.symbol)?,
            None => self.place.given_units()?,
        };
        let (quantity, price) = self.terms.read(units)?;
        let order = NewOrder {
            time_in_force: self.terms.time_in_force(),
            cl_ord_id: self.id.unwrap_or_default(),
            options: Options { firm: self.firm.map(Firm::to_wire), ..Options::default() },
            ..NewOrder::limit(self.side.side(), self.symbol, quantity, price)
        };
        let mut session = connect(&self.place.options(config.as_ref())?)?;
        let asked = ask(&mut session, |session| {
            session.enter(&order).map(|number| Request::Enter { number })
        })?;
        let terms = ToldTerms {
            side: Some(self.side.word()),
            symbol: Some(self.symbol.to_string()),
            quantity: units.qty(quantity.into()),
            price: units.price(price),
        };
        leave(session);
        tell(&asked, Some(terms), Some(units), output)
    }
}

impl Cancel {
    pub(super) fn run(&self, output: &mut Output) -> Outcome {
        let (number, config) = (self.number, self.place.config()?);
        // Nothing is nothing in any unit.
        let is_end = Units::RAW.read_qty(&self.to).is_ok_and(|keep| keep == 0);
        if config.is_none() && !is_end {
            self.place.given_units()?.read_qty(&self.to)?;
        }
        let options = self.place.options(config.as_ref())?;
        let units = self.place.units_of(number, self.symbol, config.as_ref(), &options)?;
        let keep = if is_end { 0 } else { units.unwrap_or(Units::RAW).read_qty(&self.to)? };
        let mut session = connect(&options)?;
        let (request, mut answer, round_trip) = ask(&mut session, |session| {
            session.cancel(number, keep).map(|()| Request::Cancel { number })
        })?;
        if keep == 0 {
            answer.open = Some(0);
        }
        leave(session);
        tell(&(request, answer, round_trip), None, units, output)
    }
}

impl Replace {
    pub(super) fn run(&self, output: &mut Output) -> Outcome {
        let (old, config) = (self.number, self.place.config()?);
        if config.is_none() {
            self.terms.read(self.place.given_units()?)?;
        }
        let options = self.place.options(config.as_ref())?;
        let units = self.place.units_of(old, self.symbol, config.as_ref(), &options)?;
        let units = units.map_or_else(|| self.place.given_units(), Ok)?;
        let (quantity, price) = self.terms.read(units)?;
        let replacement = Replacement {
            time_in_force: self.terms.time_in_force(),
            cl_ord_id: self.id.unwrap_or_default(),
            ..Replacement::new(old, quantity, price)
        };
        let mut session = connect(&options)?;
        let asked = ask(&mut session, |session| {
            session.replace(&replacement).map(|number| Request::Replace { old, number })
        })?;
        let terms = ToldTerms {
            side: None,
            symbol: None,
            quantity: units.qty(quantity.into()),
            price: units.price(price),
        };
        leave(session);
        tell(&asked, Some(terms), Some(units), output)
    }
}

/// Says goodbye; what was asked for is done, however that goes.
fn leave(session: OrderSession) {
    drop(session.logout());
}

fn tell(
    (request, answer, round_trip): &(Request, Answer, Duration),
    terms: Option<ToldTerms<'_>>,
    known: Option<Units>,
    output: &mut Output,
) -> Outcome {
    let units = known.unwrap_or(Units::RAW);
    let (name, number, replaced) = match *request {
        Request::Enter { number } => ("order", number, None),
        Request::Cancel { number } => ("cancel", number, None),
        Request::Replace { old, number } => ("replace", number, Some(old)),
    };
    let executions = answer.executions.iter().map(|execution| ToldExecution {
        quantity: units.qty(execution.qty.into()),
        price: units.price(execution.price),
        match_number: execution.match_number.to_string(),
        liquidity: codes::liquidity::text(execution.liquidity),
    });
    let canceled = answer.canceled.map(|(qty, reason)| Taken {
        quantity: units.qty(qty.into()),
        reason: codes::cancel_text(reason),
    });
    let told = Told {
        request: name,
        units: known.is_none().then_some("raw"),
        user_ref_num: number,
        replaced_user_ref_num: replaced,
        terms,
        state: answer.state(),
        order_reference: answer.reference.map(|reference| reference.to_string()),
        executed: units.qty(answer.executed()),
        open: answer.open.map(|open| units.qty(open.into())),
        canceled,
        executions: executions.collect(),
        round_trip_us: u64::try_from(round_trip.as_micros()).unwrap_or(u64::MAX),
    };
    if output.is_json() { output.json("uncross.order/1", &told) } else { told.print(output) }
}

impl Told<'_> {
    fn print(&self, output: &mut Output) -> Outcome {
        output.line(format_args!("{}", self.state))?;
        if let Some(ToldTerms { side, symbol, quantity, price }) = &self.terms {
            let words = [*side, symbol.as_deref()];
            let words: String = words.into_iter().flatten().flat_map(|word| [word, " "]).collect();
            output.line(format_args!("  order       {words}{quantity} @ {price}"))?;
        }
        output.line(format_args!("  number      {}", self.user_ref_num))?;
        if let Some(units) = self.units {
            output.line(format_args!("  units       {units}, as on the wire"))?;
        }
        if let Some(old) = self.replaced_user_ref_num {
            output.line(format_args!("  instead of  {old}"))?;
        }
        if let Some(reference) = &self.order_reference {
            output.line(format_args!("  reference   {reference}"))?;
        }
        for ToldExecution { quantity, price, match_number, liquidity } in &self.executions {
            let text = format!("{quantity} @ {price}, match {match_number}, liquidity {liquidity}");
            output.line(format_args!("  trade       {text}"))?;
        }
        if let Some(Taken { quantity, reason }) = &self.canceled {
            output.line(format_args!("  canceled    {quantity} ({reason})"))?;
        }
        output.line(format_args!("  executed    {}", self.executed))?;
        if let Some(open) = &self.open {
            output.line(format_args!("  open        {open}"))?;
        }
        output.line(format_args!("  round trip  {} us", self.round_trip_us))
    }
}
