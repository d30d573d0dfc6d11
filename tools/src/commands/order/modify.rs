//! `uncross modify`: reduces an order or changes its side among the sells.

use clap::Args;
use uncross_client::{
    Elements, Firm, Symbol,
    wire::{
        TypeByte,
        ouch::{appendage::tag, inbound},
    },
};

use super::{Extras, Place, Request, Way, Which, ask, connect, leave, tags, told::tell};
use crate::output::{Outcome, Output};

const EXAMPLES: &str = "\
SIDE is the side the order has, or among the sells the one it shall have. QTY is its size in total,
what it has executed so far included; it can only shrink. The order keeps its place in the queue.
With --venue the instrument of the order is looked up in the reports of the day, and its decimals in
venue.toml; without, --price-decimals and --qty-decimals say them.
A login takes over a session that the user has elsewhere.

Examples:
  uncross modify 1 buy 40 --venue ./venue --user ACME --password-file password.txt";

/// Reduce an order or change its side among the sells
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Modify {
    /// Number of the order, as uncross order printed it
    #[arg(value_name = "NUMBER")]
    number: u32,
    /// Side that it has, or shall have
    #[arg(value_name = "SIDE")]
    side: Way,
    /// Quantity in total
    #[arg(value_name = "QTY")]
    quantity: String,
    /// Whether the shares of a short sale were located (tag 25)
    #[arg(long, value_name = "YES|NO", value_parser = yes_no)]
    shares_located: Option<u8>,
    /// Broker that located them, at most 4 characters (tag 26)
    #[arg(long, value_name = "BROKER")]
    locate_broker: Option<Firm>,
    /// Refuse unless this is the instrument of the order
    #[arg(long, value_name = "SYMBOL")]
    symbol: Option<Symbol>,
    #[command(flatten)]
    extras: Extras,
    #[command(flatten)]
    place: Place,
}

fn yes_no(text: &str) -> Result<u8, String> {
    match text {
        "yes" => Ok(b'Y'),
        "no" => Ok(b'N'),
        _ => Err("expected yes or no".to_owned()),
    }
}

impl Modify {
    pub(in crate::commands) fn run(&self, output: &mut Output) -> Outcome {
        let (number, config) = (self.number, self.place.config()?);
        if config.is_none() {
            self.place.given_units()?.read_qty(&self.quantity)?;
        }
        let options = self.place.options(config.as_ref())?;
        let which = Which::number(number, self.extras.channel);
        let units = self.place.units_of(which, self.symbol, config.as_ref(), &options)?;
        let units = units.map_or_else(|| self.place.given_units(), Ok)?;
        let message = inbound::Modify {
            kind: TypeByte::new(),
            user_ref_num: number.into(),
            side: self.side.side().to_wire(),
            quantity: units.read_qty(&self.quantity)?.into(),
        };
        let mut elements = Elements::new();
        if let Some(located) = self.shares_located {
            tags::put(&mut elements, tag::SHARES_LOCATED, &[located])?;
        }
        if let Some(broker) = self.locate_broker {
            tags::put(&mut elements, tag::LOCATE_BROKER, &broker.to_wire())?;
        }
        self.extras.put(&mut elements)?;
        let mut session = connect(&options, &self.extras)?;
        let asked = ask(&mut session, |session| {
            let sent = session.orders().submit_with(&message, &elements);
            sent.map(|()| Request::Modify { number })
        })?;
        leave(session);
        tell(&asked, None, Some(units), output)
    }
}
