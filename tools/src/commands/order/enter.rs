//! `uncross order`: enters an order.

use clap::{Args, ValueEnum};
use uncross_client::{Capacity, CrossType, Firm, NewOrder, Options, Symbol};

use super::{
    Extras, Place, Request, Units, Way, ask, connect, leave,
    terms::{Read, Terms, price_text},
    told::{Terms as ToldTerms, tell},
};
use crate::output::{Outcome, Output};

const EXAMPLES: &str = "\
The wire does not say how many decimals prices and quantities have: they are those of venue.toml, or
without --venue of --price-decimals and --qty-decimals. Raw fields (--tag) are sent behind all
others and as they stand: --tag 6=L, --tag 3=0x0000000A. Integers are big-endian.
A login takes over a session that the user has elsewhere.

Examples:
  uncross order buy DEMO 100 @ 10.05 --venue ./venue --user ACME --password-file password.txt
  uncross order sell DEMO 9 12 --post-only --venue ./venue --user ACME --password-file password.txt
  uncross order buy DEMO 9 @ 9 --for 30s --venue ./venue --user ACME --password-file password.txt
  cat password.txt | uncross order short COIN 0.5 @ 9 --venue ./venue --user ACME --password-stdin";

/// Enter an order and tell what came of it at once
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
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
    /// In which capacity the firm acts
    #[arg(long, value_enum, value_name = "ROLE", default_value_t = Role::Agency)]
    capacity: Role,
    /// Cross to take part in, by its letter on the wire; N is continuous trading
    #[arg(long, value_name = "LETTER", value_parser = cross)]
    cross: Option<CrossType>,
    /// Firm, at most 4 characters; must be the user's (tag 2)
    #[arg(long, value_name = "FIRM")]
    firm: Option<Firm>,
    #[command(flatten)]
    extras: Extras,
    #[command(flatten)]
    place: Place,
}

/// Capacities. Without comments on the variants, which would make every help longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "lower")]
enum Role {
    Agency,
    Principal,
    Riskless,
    Other,
}

impl Role {
    const fn capacity(self) -> Capacity {
        match self {
            Self::Agency => Capacity::Agency,
            Self::Principal => Capacity::Principal,
            Self::Riskless => Capacity::RisklessPrincipal,
            Self::Other => Capacity::Other,
        }
    }
}

fn cross(text: &str) -> Result<CrossType, String> {
    let code = match text.as_bytes() {
        [letter] => CrossType::from_wire(*letter),
        _ => None,
    };
    code.ok_or_else(|| "expected one of N, O, C, H, S, R, E, A".to_owned())
}

impl Order {
    pub(in crate::commands) fn run(&self, output: &mut Output) -> Outcome {
        let config = self.place.config()?;
        let units = match &config {
            Some(config) => Units::find(config, self.symbol)?,
            None => self.place.given_units()?,
        };
        let read = self.terms.read(units)?;
        let Read { quantity, price, mut elements, .. } = read;
        self.extras.put(&mut elements)?;
        let order = NewOrder {
            time_in_force: read.time_in_force,
            display: read.display,
            capacity: self.capacity.capacity(),
            intermarket_sweep: read.intermarket_sweep,
            cross_type: self.cross.unwrap_or(CrossType::Continuous),
            cl_ord_id: read.cl_ord_id,
            options: Options { firm: self.firm.map(Firm::to_wire), ..read.options },
            ..NewOrder::limit(self.side.side(), self.symbol, quantity, price)
        };
        let mut session = connect(&self.place.options(config.as_ref())?, &self.extras)?;
        let asked = ask(&mut session, |session| {
            let number = session.orders().enter_with(&order, &elements)?;
            Ok(Request::Enter { number })
        })?;
        let terms = ToldTerms {
            side: Some(Way::word(self.side.side())),
            symbol: Some(self.symbol.to_string()),
            quantity: units.qty(quantity.into()),
            price: price_text(price, units),
        };
        leave(session);
        tell(&asked, Some(terms), Some(units), output)
    }
}
