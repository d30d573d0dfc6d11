//! How much, at what limit, for how long, and how: the options of an order and a replacement.

use std::time::Duration;

use clap::{Args, ValueEnum};
use uncross_client::{
    ClOrdId, Display, Elements, Firm, Options, TimeInForce,
    wire::ouch::appendage::tag,
    wire::ouch::codes::{self, aiq_strategy, customer_type, post_only},
};
use uncross_server::config::units::parse_duration;

use super::{Units, tags};
use crate::errors::{self, Failure};

/// Longest life of an order that stands until a time, in seconds: less than a day.
const EXPIRE_MAX_S: u64 = 86_399;
/// Word for the price of a market order.
const MARKET: &str = "market";

/// How long an order lives. Without comments on the variants, as everywhere here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "lower")]
enum Life {
    Day,
    Ioc,
    Fok,
    Gtt,
    Gtc,
    Extended,
    After,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "lower")]
enum Shown {
    Visible,
    Hidden,
    Attributable,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Customer {
    Retail,
    NotRetail,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "lower")]
enum YesNo {
    Yes,
    No,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Strategy {
    Oldest,
    Newest,
    Decrement,
    DecrementQuietly,
    OrgOldest,
    OrgNewest,
    OrgDecrement,
    OrgDecrementQuietly,
}

/// How much, at what limit, for how long.
#[derive(Args, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(super) struct Terms {
    /// Quantity
    #[arg(value_name = "QTY")]
    quantity: String,
    /// Limit, or the word market; the @ before it may be left out
    #[arg(value_name = "@ PRICE", required = true, num_args = 1..=2)]
    price: Vec<String>,
    /// Life: day, ioc, fok, gtt, gtc, extended or after; ioc for market orders, else day
    #[arg(long, value_name = "LIFE", value_enum, conflicts_with = "ioc")]
    #[arg(hide_possible_values = true)]
    tif: Option<Life>,
    /// The same as --tif ioc: trade at once what can be traded, and cancel the rest
    #[arg(long)]
    ioc: bool,
    /// With --tif gtt, which it implies: stand for so long, in whole seconds
    #[arg(long = "for", value_name = "DURATION", value_parser = parse_duration)]
    duration: Option<Duration>,
    /// Trade at least so much at once, or nothing; with --tif ioc (tag 3)
    #[arg(long, value_name = "QTY")]
    min_qty: Option<String>,
    /// Only rest, and be canceled rather than trade at once (tag 12)
    #[arg(long)]
    post_only: bool,
    /// What the public sees
    #[arg(long, value_enum, default_value_t = Shown::Visible, value_name = "WHAT")]
    display: Shown,
    /// Displayed part of a reserve order (tag 5)
    #[arg(long, value_name = "QTY")]
    max_floor: Option<String>,
    /// Intermarket sweep
    #[arg(long)]
    sweep: bool,
    /// Name of your own for the order, at most 14 characters
    #[arg(long, visible_alias = "cl-ord-id", value_name = "TEXT")]
    id: Option<ClOrdId>,
    #[command(flatten)]
    carried: Carried,
}

/// Optional fields that are carried, and those of self-trade prevention.
#[derive(Args, Debug)]
struct Carried {
    /// Kind of customer (tag 4)
    #[arg(long, value_enum, value_name = "KIND")]
    customer_type: Option<Customer>,
    /// Trade with an order that locks the price (tag 16)
    #[arg(long, value_enum, value_name = "YES|NO", hide_possible_values = true)]
    trade_now: Option<YesNo>,
    /// Handling instruction, one letter (tag 17)
    #[arg(long, value_name = "LETTER", value_parser = letter)]
    handle_inst: Option<u8>,
    /// Group for mass cancels (tag 24)
    #[arg(long, value_name = "NUMBER")]
    group: Option<u16>,
    /// Whether the shares of a short sale were located (tag 25)
    #[arg(long, value_enum, value_name = "YES|NO", hide_possible_values = true)]
    shares_located: Option<YesNo>,
    /// Broker that located them, at most 4 characters (tag 26)
    #[arg(long, value_name = "BROKER")]
    locate_broker: Option<Firm>,
    /// What to do instead of a trade with oneself (tag 29); org- within the organisation
    #[arg(long, value_enum, value_name = "STRATEGY")]
    stp: Option<Strategy>,
    /// Group within which trades with oneself are prevented (tag 30)
    #[arg(long, value_name = "NUMBER")]
    stp_group: Option<u16>,
}

/// What the terms mean on the wire.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) quantity: u32,
    pub(super) price: u64,
    pub(super) time_in_force: TimeInForce,
    pub(super) display: Display,
    pub(super) intermarket_sweep: bool,
    pub(super) cl_ord_id: ClOrdId,
    pub(super) options: Options,
    /// What the options do not name.
    pub(super) elements: Elements,
}

/// One printable ASCII character.
fn letter(text: &str) -> Result<u8, String> {
    match text.as_bytes() {
        [letter] if letter.is_ascii_graphic() || *letter == b' ' => Ok(*letter),
        _ => Err("expected one letter".to_owned()),
    }
}

/// The price as people write it.
pub(super) fn price_text(price: u64, units: Units) -> String {
    if codes::is_market_price(price) { MARKET.to_owned() } else { units.price(price) }
}

impl Terms {
    /// What is to be sent.
    pub(super) fn read(&self, units: Units) -> Result<Read, Failure> {
        let price = match self.price.as_slice() {
            [price] => price,
            [at, price] if at == "@" => price,
            words => {
                let message = format!("expected @ PRICE, found {:?}", words.join(" "));
                return Err(Failure::new(&errors::USAGE, message));
            }
        };
        let is_market = price.eq_ignore_ascii_case(MARKET);
        let price = if is_market { codes::PRICE_MARKET } else { units.read_price(price)? };
        let quantity = units.read_qty(&self.quantity)?;
        let life = self.life(is_market);
        let mut options = self.options(units)?;
        if life == Life::Fok {
            if options.min_qty.is_some() {
                let message = "--min-qty and --tif fok contradict each other";
                let failure = Failure::new(&errors::USAGE, message);
                return Err(failure.cause("fill or kill is a minimum quantity of all of it"));
            }
            options.min_qty = Some(quantity);
        }
        options.expire_time_s = self.expire_time_s(life)?;
        let mut elements = self.carried.elements()?;
        if life == Life::Gtc {
            tags::put(&mut elements, tag::GOOD_TILL_CANCEL, &[codes::YES])?;
        }
        Ok(Read {
            quantity,
            price,
            time_in_force: life.time_in_force(),
            display: self.display.display(),
            intermarket_sweep: self.sweep,
            cl_ord_id: self.id.unwrap_or_default(),
            options,
            elements,
        })
    }

    fn life(&self, is_market: bool) -> Life {
        let implied = match self.duration {
            Some(_) if !self.ioc => Life::Gtt,
            None if !self.ioc && !is_market => Life::Day,
            _ => Life::Ioc,
        };
        self.tif.unwrap_or(implied)
    }

    fn expire_time_s(&self, life: Life) -> Result<Option<u32>, Failure> {
        let wrong = |message: &str| {
            let fix = "write --tif gtt --for 30s: 1s to 86399s, in whole seconds";
            Err(Failure::new(&errors::USAGE, message).fix(fix))
        };
        match (life, self.duration) {
            (Life::Gtt, Some(duration)) => {
                let is_whole = duration.subsec_nanos() == 0;
                let seconds = u32::try_from(duration.as_secs()).ok();
                let is_possible = (1..=EXPIRE_MAX_S).contains(&duration.as_secs());
                match seconds.filter(|_| is_whole && is_possible) {
                    Some(seconds) => Ok(Some(seconds)),
                    None => wrong("an order cannot stand for such a time"),
                }
            }
            (Life::Gtt, None) => wrong("--tif gtt needs --for"),
            (_, Some(_)) => wrong("--for is for --tif gtt only"),
            (_, None) => Ok(None),
        }
    }

    fn options(&self, units: Units) -> Result<Options, Failure> {
        let Carried {
            customer_type,
            trade_now,
            handle_inst,
            group,
            shares_located,
            locate_broker,
            ..
        } = &self.carried;
        let qty = |text: &Option<String>| text.as_deref().map(|text| units.read_qty(text));
        Ok(Options {
            min_qty: qty(&self.min_qty).transpose()?,
            customer_type: customer_type.map(Customer::code),
            max_floor: qty(&self.max_floor).transpose()?,
            post_only: self.post_only.then_some(post_only::POST_ONLY),
            trade_now: trade_now.map(YesNo::code),
            handle_inst: *handle_inst,
            group_id: *group,
            shares_located: shares_located.map(YesNo::code),
            locate_broker: locate_broker.map(Firm::to_wire),
            ..Options::default()
        })
    }
}

impl Carried {
    fn elements(&self) -> Result<Elements, Failure> {
        let mut elements = Elements::new();
        if let Some(strategy) = self.stp {
            tags::put(&mut elements, tag::AIQ_STRATEGY, &[strategy.code()])?;
        }
        if let Some(group) = self.stp_group {
            tags::put(&mut elements, tag::AIQ_GROUP, &group.to_be_bytes())?;
        }
        Ok(elements)
    }
}

impl Life {
    const fn time_in_force(self) -> TimeInForce {
        match self {
            Self::Day | Self::Gtc => TimeInForce::Day,
            Self::Ioc | Self::Fok => TimeInForce::ImmediateOrCancel,
            Self::Gtt => TimeInForce::UntilTime,
            Self::Extended => TimeInForce::Extended,
            Self::After => TimeInForce::AfterHours,
        }
    }
}

impl Shown {
    const fn display(self) -> Display {
        match self {
            Self::Visible => Display::Visible,
            Self::Hidden => Display::Hidden,
            Self::Attributable => Display::Attributable,
        }
    }
}

impl Customer {
    const fn code(self) -> u8 {
        match self {
            Self::Retail => customer_type::RETAIL,
            Self::NotRetail => customer_type::NOT_RETAIL,
        }
    }
}

impl YesNo {
    const fn code(self) -> u8 {
        match self {
            Self::Yes => codes::YES,
            Self::No => codes::NO,
        }
    }
}

impl Strategy {
    const fn code(self) -> u8 {
        match self {
            Self::Oldest => aiq_strategy::CANCEL_OLDEST,
            Self::Newest => aiq_strategy::CANCEL_NEWEST,
            Self::Decrement => aiq_strategy::DECREMENT,
            Self::DecrementQuietly => aiq_strategy::DECREMENT_NO_DETAILS,
            Self::OrgOldest => aiq_strategy::CANCEL_OLDEST_BY_ORG,
            Self::OrgNewest => aiq_strategy::CANCEL_NEWEST_BY_ORG,
            Self::OrgDecrement => aiq_strategy::DECREMENT_BY_ORG,
            Self::OrgDecrementQuietly => aiq_strategy::DECREMENT_NO_DETAILS_BY_ORG,
        }
    }
}
