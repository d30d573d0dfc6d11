//! `uncross disable` and `uncross enable`: whether new orders are let in.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use uncross_client::{
    ConnectOptions, Elements, Firm, OrderSession,
    wire::{
        TypeByte,
        ouch::{inbound, outbound::Outbound},
    },
};

use super::{Extras, answer::rejection, connect, leave, send};
use crate::{
    commands::session::{Door, Login, PATIENCE, address, configuration, parse_address},
    errors::{self, Failure},
    output::{Outcome, Output},
};

const DISABLE_EXAMPLES: &str = "\
Orders that stand stay, and cancels pass. A new trading day, or uncross enable, ends it.
A login takes over a session that the user has elsewhere.

Examples:
  uncross disable --venue ./venue --user ACME --password-file password.txt";

const ENABLE_EXAMPLES: &str = "\
A login takes over a session that the user has elsewhere.

Examples:
  uncross enable --venue ./venue --user ACME --password-file password.txt";

/// Where to, and as whom, of requests without prices and quantities.
#[derive(Args, Debug)]
pub(super) struct Where {
    #[command(flatten)]
    login: Login,
    /// Take the address from the venue in this folder
    #[arg(long, value_name = "DIR")]
    venue: Option<PathBuf>,
    /// Connect here instead; 127.0.0.1:9001 when there is no --venue either
    #[arg(long, value_name = "ADDR", value_parser = parse_address)]
    orders: Option<String>,
}

impl Where {
    /// What the login needs.
    pub(super) fn options(&self) -> Result<ConnectOptions, Failure> {
        let config = configuration(self.venue.as_deref())?;
        let address = address(self.orders.as_deref(), config.as_ref(), Door::Orders)?;
        self.login.options(&address)
    }
}

/// What both take.
#[derive(Args, Debug)]
struct Switch {
    /// All ports of this firm, which must be the user's; without it this port alone
    #[arg(long, value_name = "FIRM")]
    firm: Option<Firm>,
    #[command(flatten)]
    extras: Extras,
    #[command(flatten)]
    place: Where,
}

/// Let no new orders in
#[derive(Args, Debug)]
#[command(after_help = DISABLE_EXAMPLES)]
pub(crate) struct Disable {
    #[command(flatten)]
    switch: Switch,
}

/// Let new orders in again
#[derive(Args, Debug)]
#[command(after_help = ENABLE_EXAMPLES)]
pub(crate) struct Enable {
    #[command(flatten)]
    switch: Switch,
}

#[derive(Serialize)]
struct Told {
    user_ref_num: u32,
    entry: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    firm: Option<String>,
}

impl Disable {
    pub(in crate::commands) fn run(&self, output: &mut Output) -> Outcome {
        self.switch.run(false, output)
    }
}

impl Enable {
    pub(in crate::commands) fn run(&self, output: &mut Output) -> Outcome {
        self.switch.run(true, output)
    }
}

impl Switch {
    fn run(&self, is_enabled: bool, output: &mut Output) -> Outcome {
        let mut elements = Elements::new();
        self.extras.put(&mut elements)?;
        let firm = self.firm.unwrap_or_default().to_wire();
        let mut session = connect(&self.place.options()?, &self.extras)?;
        let (number, _sent) = send(&mut session, |session| {
            let orders = session.orders();
            let number = orders.take_user_ref_num()?;
            let (user_ref_num, appendage_len_bytes) = (number.into(), 0.into());
            if is_enabled {
                let kind = TypeByte::new();
                let message =
                    inbound::EnableEntry { kind, user_ref_num, firm, appendage_len_bytes };
                orders.submit_with(&message, &elements)?;
            } else {
                let kind = TypeByte::new();
                let message =
                    inbound::DisableEntry { kind, user_ref_num, firm, appendage_len_bytes };
                orders.submit_with(&message, &elements)?;
            }
            Ok(number)
        })?;
        let is_answered = is_answered(&mut session, number)?;
        leave(session);
        if !is_answered {
            let message = format!("the request {number} was ignored");
            return Err(Failure::new(&errors::IGNORED, message).into());
        }
        let entry = if is_enabled { "enabled" } else { "disabled" };
        let firm = self.firm.map(|firm| firm.to_string());
        if output.is_json() {
            return output.json("uncross.entry/1", &Told { user_ref_num: number, entry, firm });
        }
        let whose = firm.map_or_else(|| "this port".to_owned(), |firm| format!("firm {firm}"));
        output.line(format_args!("order entry of {whose} is {entry}"))
    }
}

/// Reads reports until the Account Query behind the request is answered; whether it was too.
fn is_answered(session: &mut OrderSession, number: u32) -> Result<bool, Failure> {
    let mut is_answered = false;
    loop {
        let Some(report) = session.next_report(PATIENCE)? else {
            let message = format!("no answer to the request within {PATIENCE:?}");
            return Err(Failure::new(&errors::NO_ANSWER, message));
        };
        let answered = match report.message {
            Outbound::AccountQueryResponse(..) => return Ok(is_answered),
            Outbound::DisableResponse(response, _) => response.user_ref_num,
            Outbound::EnableResponse(response, _) => response.user_ref_num,
            Outbound::Rejected(rejected, _) if rejected.user_ref_num.get() == number => {
                return Err(rejection("request", number, rejected.reason.get()));
            }
            // All else is about other requests of the user, or the day.
            _ => continue,
        };
        is_answered |= answered.get() == number;
    }
}
