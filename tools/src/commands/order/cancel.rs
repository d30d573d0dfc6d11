//! `uncross cancel`: reduces an order or ends it.

use clap::Args;
use uncross_client::{
    Elements, Symbol,
    wire::ouch::appendage::tag,
    wire::{TypeByte, ouch::inbound},
};

use super::{Extras, Place, Request, Units, Which, ask, connect, leave, tags, told::tell};
use crate::output::{Outcome, Output};

const EXAMPLES: &str = "\
With --venue the instrument of the order is looked up in the reports of the day, and its decimals in
venue.toml. Without, --to needs --price-decimals and --qty-decimals; an order is ended without them,
but then quantities are told raw, as on the wire. An order that was carried over from an earlier day
has no number any more: --reference names it by the reference that the venue gave it.
A login takes over a session that the user has elsewhere.

Examples:
  uncross cancel 1 --venue ./venue --user ACME --password-file password.txt
  uncross cancel 1 --to 40 --symbol DEMO --venue ./venue --user ACME --password-file password.txt";

/// Reduce an order or end it; what stays keeps its place in the queue
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Cancel {
    /// Number of the order, as uncross order printed it
    #[arg(value_name = "NUMBER", required_unless_present = "reference")]
    number: Option<u32>,
    /// Name the order by the venue's reference instead (number 0 with tag 128)
    #[arg(long, value_name = "REF", conflicts_with_all = ["number", "channel"])]
    reference: Option<u64>,
    /// Quantity to keep, what the order has executed so far included
    #[arg(long, value_name = "QTY", default_value = "0")]
    to: String,
    /// Refuse unless this is the instrument of the order
    #[arg(long, value_name = "SYMBOL")]
    symbol: Option<Symbol>,
    #[command(flatten)]
    extras: Extras,
    #[command(flatten)]
    place: Place,
}

impl Cancel {
    pub(in crate::commands) fn run(&self, output: &mut Output) -> Outcome {
        let config = self.place.config()?;
        // Nothing is nothing in any unit.
        let is_end = Units::RAW.read_qty(&self.to).is_ok_and(|keep| keep == 0);
        if config.is_none() && !is_end {
            self.place.given_units()?.read_qty(&self.to)?;
        }
        let number = self.number.unwrap_or(0);
        let (which, request) = match self.reference {
            Some(reference) => {
                (Which::Reference(reference), Request::CancelReference { reference })
            }
            None => (Which::number(number, self.extras.channel), Request::Cancel { number }),
        };
        let options = self.place.options(config.as_ref())?;
        let units = self.place.units_of(which, self.symbol, config.as_ref(), &options)?;
        let keep = match units {
            _ if is_end => 0,
            Some(units) => units.read_qty(&self.to)?,
            None => self.place.given_units()?.read_qty(&self.to)?,
        };
        let mut elements = Elements::new();
        if let Some(reference) = self.reference {
            tags::put(&mut elements, tag::ORDER_REFERENCE, &reference.to_be_bytes())?;
        }
        self.extras.put(&mut elements)?;
        let message = inbound::Cancel {
            kind: TypeByte::new(),
            user_ref_num: number.into(),
            quantity: keep.into(),
        };
        let mut session = connect(&options, &self.extras)?;
        let (request, mut answer, round_trip) = ask(&mut session, |session| {
            session.orders().submit_with(&message, &elements).map(|()| request)
        })?;
        if keep == 0 {
            answer.open = Some(0);
        }
        leave(session);
        tell(&(request, answer, round_trip), None, units, output)
    }
}
