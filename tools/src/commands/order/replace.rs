//! `uncross replace`: puts a new order in the place of one that is live.

use clap::Args;
use uncross_client::{Replacement, Symbol};

use super::{
    Extras, Place, Request, Way, Which, ask, connect, leave, tags,
    terms::{Read, Terms, price_text},
    told::{Terms as ToldTerms, tell},
};
use crate::output::{Outcome, Output};

/// Tag of the side, with which a replacement may change it among the sells.
const SIDE: u8 = uncross_client::wire::ouch::appendage::tag::SIDE;

const EXAMPLES: &str = "\
The new order has a number of its own and stands last in its queue. QTY counts what the order has
executed so far. With --venue the instrument of the order is looked up in the reports of the day,
and its decimals in venue.toml; without, --price-decimals and --qty-decimals say them.
A login takes over a session that the user has elsewhere.

Examples:
  uncross replace 1 9 @ 11 --venue ./venue --user ACME --password-file password.txt";

/// Put a new order in the place of one that is live
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
#[command(override_usage = "uncross replace [OPTIONS] --user <USER> <NUMBER> <QTY> [@] <PRICE>")]
pub(crate) struct Replace {
    /// Number of the order, as uncross order printed it
    #[arg(value_name = "NUMBER")]
    number: u32,
    #[command(flatten)]
    terms: Terms,
    /// Side of the new order (tag 27); as the old one's without it
    #[arg(long, value_enum, value_name = "SIDE")]
    side: Option<Way>,
    /// Refuse unless this is the instrument of the order
    #[arg(long, value_name = "SYMBOL")]
    symbol: Option<Symbol>,
    #[command(flatten)]
    extras: Extras,
    #[command(flatten)]
    place: Place,
}

impl Replace {
    pub(in crate::commands) fn run(&self, output: &mut Output) -> Outcome {
        let (old, config) = (self.number, self.place.config()?);
        if config.is_none() {
            self.terms.read(self.place.given_units()?)?;
        }
        let options = self.place.options(config.as_ref())?;
        let which = Which::number(old, self.extras.channel);
        let units = self.place.units_of(which, self.symbol, config.as_ref(), &options)?;
        let units = units.map_or_else(|| self.place.given_units(), Ok)?;
        let read = self.terms.read(units)?;
        let Read { quantity, price, mut elements, .. } = read;
        if let Some(side) = self.side {
            tags::put(&mut elements, SIDE, &[side.side().to_wire()])?;
        }
        self.extras.put(&mut elements)?;
        let replacement = Replacement {
            time_in_force: read.time_in_force,
            display: read.display,
            intermarket_sweep: read.intermarket_sweep,
            cl_ord_id: read.cl_ord_id,
            options: read.options,
            ..Replacement::new(old, quantity, price)
        };
        let mut session = connect(&options, &self.extras)?;
        let asked = ask(&mut session, |session| {
            let number = session.orders().replace_with(&replacement, &elements)?;
            Ok(Request::Replace { old, number })
        })?;
        let terms = ToldTerms {
            side: None,
            symbol: None,
            quantity: units.qty(quantity.into()),
            price: price_text(price, units),
        };
        leave(session);
        tell(&asked, Some(terms), Some(units), output)
    }
}
