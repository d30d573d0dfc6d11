//! What came of a request about one order, as it is told to people and machines.

use std::time::Duration;

use serde::Serialize;
use uncross_client::wire::ouch::codes;

use super::{Answer, Request, Units, Way};
use crate::output::{Outcome, Output};

/// What came of it, for people and machines.
#[derive(Serialize)]
struct Told {
    request: &'static str,
    /// Says so when quantities and prices are told as on the wire.
    #[serde(skip_serializing_if = "Option::is_none")]
    units: Option<&'static str>,
    /// Absent of an order that is named by its reference.
    #[serde(skip_serializing_if = "Option::is_none")]
    user_ref_num: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    replaced_user_ref_num: Option<u32>,
    #[serde(flatten)]
    terms: Option<Terms>,
    state: &'static str,
    /// Of a modified order.
    #[serde(rename = "side_now", skip_serializing_if = "Option::is_none")]
    side: Option<&'static str>,
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

/// What was asked for.
#[derive(Serialize)]
pub(super) struct Terms {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) side: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) symbol: Option<String>,
    pub(super) quantity: String,
    pub(super) price: String,
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

/// Prints it.
pub(super) fn tell(
    (request, answer, round_trip): &(Request, Answer, Duration),
    terms: Option<Terms>,
    known: Option<Units>,
    output: &mut Output,
) -> Outcome {
    let units = known.unwrap_or(Units::RAW);
    let (name, number, replaced) = match *request {
        Request::Enter { number } => ("order", Some(number), None),
        Request::Cancel { number } => ("cancel", Some(number), None),
        Request::CancelReference { .. } => ("cancel", None, None),
        Request::Modify { number } => ("modify", Some(number), None),
        Request::Replace { old, number } => ("replace", Some(number), Some(old)),
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
    let named = match *request {
        Request::CancelReference { reference } => Some(reference),
        _ => answer.reference,
    };
    let told = Told {
        request: name,
        units: known.is_none().then_some("raw"),
        user_ref_num: number,
        replaced_user_ref_num: replaced,
        terms,
        state: answer.state(),
        side: answer.side.map(Way::word),
        order_reference: named.map(|reference| reference.to_string()),
        executed: units.qty(answer.executed()),
        open: answer.open.map(|open| units.qty(open.into())),
        canceled,
        executions: executions.collect(),
        round_trip_us: u64::try_from(round_trip.as_micros()).unwrap_or(u64::MAX),
    };
    if output.is_json() { output.json("uncross.order/1", &told) } else { told.print(output) }
}

impl Told {
    fn print(&self, output: &mut Output) -> Outcome {
        output.line(format_args!("{}", self.state))?;
        if let Some(Terms { side, symbol, quantity, price }) = &self.terms {
            let words = [*side, symbol.as_deref()];
            let words: String = words.into_iter().flatten().flat_map(|word| [word, " "]).collect();
            output.line(format_args!("  order       {words}{quantity} @ {price}"))?;
        }
        if let Some(number) = self.user_ref_num {
            output.line(format_args!("  number      {number}"))?;
        }
        if let Some(units) = self.units {
            output.line(format_args!("  units       {units}, as on the wire"))?;
        }
        if let Some(old) = self.replaced_user_ref_num {
            output.line(format_args!("  instead of  {old}"))?;
        }
        if let Some(reference) = &self.order_reference {
            output.line(format_args!("  reference   {reference}"))?;
        }
        if let Some(side) = self.side {
            output.line(format_args!("  side        {side}"))?;
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
