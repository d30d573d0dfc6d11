//! `uncross mass-cancel`: ends many orders at once.

use std::time::{Duration, Instant};

use clap::Args;
use serde::Serialize;
use uncross_client::{
    Elements, Firm, OrderSession, Symbol,
    wire::{
        TypeByte,
        ouch::{appendage::tag, codes::cancel_reason, inbound, outbound::Outbound},
    },
};

use super::{Extras, Way, answer::rejection, connect, entry::Where, leave, send, tags};
use crate::{
    commands::session::PATIENCE,
    errors::{self, Failure},
    output::{Outcome, Output},
};

const EXAMPLES: &str = "\
What is not named is not asked for: without --symbol orders of all instruments end, without --side
of both sides, without --firm those of this port alone. With --firm orders of the firm's other ports
end too, of which those ports are told.
A login takes over a session that the user has elsewhere.

Examples:
  uncross mass-cancel --venue ./venue --user ACME --password-file password.txt
  uncross mass-cancel --symbol DEMO --venue ./venue --user ACME --password-file password.txt";

/// End all orders, or those of an instrument, a side, a firm or a group
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct MassCancel {
    /// Only orders of this instrument
    #[arg(long, value_name = "SYMBOL")]
    symbol: Option<Symbol>,
    /// Only orders of this side (tag 27)
    #[arg(long, value_enum, value_name = "SIDE")]
    side: Option<Way>,
    /// Orders of all ports of this firm, which must be the user's
    #[arg(long, value_name = "FIRM")]
    firm: Option<Firm>,
    /// Only orders of this group (tag 24)
    #[arg(long, value_name = "NUMBER")]
    group: Option<u16>,
    #[command(flatten)]
    extras: Extras,
    #[command(flatten)]
    place: Where,
}

/// What came of it.
#[derive(Debug, Default, Serialize)]
struct Told {
    user_ref_num: u32,
    /// Orders of this port that ended.
    canceled: usize,
    user_ref_nums: Vec<u32>,
    round_trip_us: u64,
}

impl MassCancel {
    pub(in crate::commands) fn run(&self, output: &mut Output) -> Outcome {
        let mut elements = Elements::new();
        if let Some(group) = self.group {
            tags::put(&mut elements, tag::GROUP_ID, &group.to_be_bytes())?;
        }
        if let Some(side) = self.side {
            tags::put(&mut elements, tag::SIDE, &[side.side().to_wire()])?;
        }
        self.extras.put(&mut elements)?;
        let mut session = connect(&self.place.options()?, &self.extras)?;
        let (number, sent) = send(&mut session, |session| {
            let number = session.orders().take_user_ref_num()?;
            let message = inbound::MassCancel {
                kind: TypeByte::new(),
                user_ref_num: number.into(),
                firm: self.firm.unwrap_or_default().to_wire(),
                symbol: self.symbol.unwrap_or_default().to_wire(),
                appendage_len_bytes: 0.into(),
            };
            session.orders().submit_with(&message, &elements).map(|()| number)
        })?;
        let told = Told::read(&mut session, number, sent)?;
        leave(session);
        if output.is_json() {
            return output.json("uncross.mass-cancel/1", &told);
        }
        let Told { user_ref_num, canceled, user_ref_nums, round_trip_us } = told;
        output.line(format_args!("{canceled} canceled"))?;
        output.line(format_args!("  number      {user_ref_num}"))?;
        for number in user_ref_nums {
            output.line(format_args!("  order       {number}"))?;
        }
        output.line(format_args!("  round trip  {round_trip_us} us"))
    }
}

impl Told {
    /// Reads reports until the Account Query behind the request is answered.
    fn read(session: &mut OrderSession, number: u32, sent: Instant) -> Result<Self, Failure> {
        let mut told = Self { user_ref_num: number, ..Self::default() };
        let mut answered = None;
        loop {
            let Some(report) = session.next_report(PATIENCE)? else {
                let message = format!("no answer to the request within {PATIENCE:?}");
                return Err(Failure::new(&errors::NO_ANSWER, message));
            };
            match report.message {
                Outbound::AccountQueryResponse(..) => break,
                Outbound::MassCancelResponse(response, _)
                    if response.user_ref_num.get() == number =>
                {
                    answered = Some(sent.elapsed());
                }
                Outbound::Canceled(canceled, _)
                    if answered.is_some() && canceled.reason == cancel_reason::USER =>
                {
                    told.user_ref_nums.push(canceled.user_ref_num.get());
                }
                Outbound::Rejected(rejected, _) if rejected.user_ref_num.get() == number => {
                    return Err(rejection("request", number, rejected.reason.get()));
                }
                // All else is about other requests of the user, or the day.
                _ => {}
            }
        }
        let Some(round_trip) = answered else {
            let message = format!("the request {number} was ignored");
            return Err(Failure::new(&errors::IGNORED, message));
        };
        told.canceled = told.user_ref_nums.len();
        told.round_trip_us = micros(round_trip);
        Ok(told)
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
