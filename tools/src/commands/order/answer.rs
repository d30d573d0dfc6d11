//! What the reports that follow a request say about its order.

use std::{
    fmt,
    time::{Duration, Instant},
};

use uncross_client::{
    OrderSession, Side,
    wire::ouch::{
        appendage::{elements, tag},
        codes,
        outbound::{Canceled, Outbound},
    },
};

use crate::{
    commands::session::PATIENCE,
    errors::{self, Failure},
    reasons::{Meaning, Reason},
};

/// A request about one order, under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Request {
    /// Enter the order.
    Enter { number: u32 },
    /// Reduce or end the order.
    Cancel { number: u32 },
    /// The same with the order named by the venue's reference.
    CancelReference { reference: u64 },
    /// Reduce the order or change its side.
    Modify { number: u32 },
    /// Put the order `number` in place of `old`.
    Replace { old: u32, number: u32 },
}

impl Request {
    /// The number that the reports about it carry.
    const fn number(self) -> u32 {
        match self {
            Self::Enter { number }
            | Self::Cancel { number }
            | Self::Modify { number }
            | Self::Replace { number, .. } => number,
            // The order may have no number any more.
            Self::CancelReference { .. } => 0,
        }
    }

    const fn old(self) -> Option<u32> {
        match self {
            Self::Replace { old, .. } => Some(old),
            Self::Enter { .. }
            | Self::Cancel { .. }
            | Self::CancelReference { .. }
            | Self::Modify { .. } => None,
        }
    }

    /// Whether a Canceled is about its order.
    fn cancels(self, report: &Canceled, echo: &[u8]) -> bool {
        match self {
            Self::CancelReference { reference } => named(echo).map_or_else(
                || report.reason == codes::cancel_reason::USER,
                |named| named == reference,
            ),
            Self::Enter { .. }
            | Self::Cancel { .. }
            | Self::Modify { .. }
            | Self::Replace { .. } => report.user_ref_num.get() == self.number(),
        }
    }
}

impl fmt::Display for Request {
    /// The order that it is about.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CancelReference { reference } => write!(f, "order with reference {reference}"),
            Self::Replace { old, .. } => write!(f, "order {old}"),
            Self::Enter { .. } | Self::Cancel { .. } | Self::Modify { .. } => {
                write!(f, "order {}", self.number())
            }
        }
    }
}

/// The reference that a report names beside its number.
fn named(echo: &[u8]) -> Option<u64> {
    let found = elements(echo)
        .filter_map(Result::ok)
        .find(|element| element.tag == tag::SECONDARY_ORDER_REFERENCE)?;
    found.value.try_into().ok().map(u64::from_be_bytes)
}

/// The failure of a request that was refused with `reason`.
pub(super) fn rejection(what: &str, number: u32, reason: u16) -> Failure {
    let text = codes::reject_text(reason);
    let message = format!("{what} {number} was rejected: {text} (0x{reason:02X})");
    let known = Reason::find(&format!("0x{reason:02X}"));
    known.map_or_else(
        || Failure::new(&errors::REJECTED, message.clone()),
        |known| {
            let Meaning { cause, fix, .. } = known.meaning();
            Failure::new(&errors::REJECTED, message.clone()).cause(cause).fix(fix)
        },
    )
}

/// One execution of the order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Execution {
    pub(super) qty: u32,
    pub(super) price: u64,
    pub(super) match_number: u64,
    pub(super) liquidity: u8,
}

/// What came of a request.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Answer {
    /// The venue's reference, of an order that was accepted.
    pub(super) reference: Option<u64>,
    /// Open quantity, where the reports tell it.
    pub(super) open: Option<u32>,
    pub(super) executions: Vec<Execution>,
    /// Quantity taken off, and the reason of the last time.
    pub(super) canceled: Option<(u32, u8)>,
    /// Side that a modified order has.
    pub(super) side: Option<Side>,
    rejected: Option<u16>,
    is_change_refused: bool,
    is_old_canceled: bool,
}

impl Answer {
    /// Reads reports until an Account Query that was sent behind the request is answered: all that
    /// the request caused at once came before. Also measures the time to the first report.
    pub(super) fn read(
        session: &mut OrderSession,
        request: Request,
        sent: Instant,
    ) -> Result<(Self, Duration), Failure> {
        let mut answer = Self::default();
        let mut first = None;
        loop {
            let left = PATIENCE.saturating_sub(sent.elapsed());
            let Some(report) = session.next_report(left)? else {
                let message = format!("no answer to the request within {PATIENCE:?}");
                return Err(Failure::new(&errors::NO_ANSWER, message));
            };
            if matches!(report.message, Outbound::AccountQueryResponse(..)) {
                return Ok((answer, first.unwrap_or_else(|| sent.elapsed())));
            }
            if answer.note(request, &report.message) {
                first.get_or_insert_with(|| sent.elapsed());
            }
        }
    }

    /// Takes in one report; `false` when it is about another order.
    fn note(&mut self, request: Request, message: &Outbound<'_>) -> bool {
        let (number, old) = (request.number(), request.old());
        match message {
            Outbound::Accepted(report, _) if report.user_ref_num.get() == number => {
                self.acknowledge(report.order_reference.get(), report.state, report.quantity.get());
            }
            Outbound::Replaced(report, _) if report.new_user_ref_num.get() == number => {
                self.acknowledge(report.order_reference.get(), report.state, report.quantity.get());
            }
            Outbound::Executed(report, _) if report.user_ref_num.get() == number => {
                let qty = report.quantity.get();
                self.reduce(qty);
                self.executions.push(Execution {
                    qty,
                    price: report.price.get(),
                    match_number: report.match_number.get(),
                    liquidity: report.liquidity,
                });
            }
            Outbound::Canceled(report, echo) if request.cancels(report, echo) => {
                self.take_off(report.quantity.get(), report.reason);
            }
            Outbound::AiqCanceled(report, _) if report.user_ref_num.get() == number => {
                self.take_off(report.decrement.get(), report.reason);
            }
            Outbound::Modified(report, _) if report.user_ref_num.get() == number => {
                self.open = Some(report.quantity.get());
                self.side = Side::from_wire(report.side);
            }
            Outbound::Canceled(report, _) if Some(report.user_ref_num.get()) == old => {
                self.is_old_canceled = true;
            }
            Outbound::Rejected(report, _) if report.user_ref_num.get() == number => {
                self.rejected = Some(report.reason.get());
            }
            Outbound::CancelReject(report, _) if report.user_ref_num.get() == number => {
                self.is_change_refused = true;
            }
            // All else is about other orders of the user, or the day.
            _ => return false,
        }
        true
    }

    fn acknowledge(&mut self, reference: u64, state: u8, qty: u32) {
        let is_live = state == codes::OrderState::Live.to_wire();
        self.reference = Some(reference);
        self.open = Some(if is_live { qty } else { 0 });
    }

    fn take_off(&mut self, qty: u32, reason: u8) {
        self.reduce(qty);
        let before = self.canceled.map_or(0, |(qty, _)| qty);
        self.canceled = Some((before.saturating_add(qty), reason));
    }

    fn reduce(&mut self, qty: u32) {
        self.open = self.open.map(|open| open.saturating_sub(qty));
    }

    /// Quantity executed meanwhile.
    pub(super) fn executed(&self) -> u64 {
        self.executions.iter().map(|execution| u64::from(execution.qty)).sum()
    }

    /// What the order is now, in a word.
    pub(super) const fn state(&self) -> &'static str {
        match (self.open, self.canceled) {
            (None, _) => "reduced",
            (Some(0), Some(_)) => "canceled",
            (Some(0), None) if self.executions.is_empty() => "dead",
            (Some(0), None) => "filled",
            (Some(_), _) => "live",
        }
    }

    /// The failure, if the request did not do what was asked.
    pub(super) fn check(&self, request: Request) -> Result<(), Failure> {
        if let Some(reason) = self.rejected {
            return Err(rejection("order", request.number(), reason));
        }
        let is_done = match request {
            Request::Cancel { .. } | Request::CancelReference { .. } | Request::Modify { .. }
                if self.is_change_refused =>
            {
                let message = format!("{request} stands as it was: the change was refused");
                return Err(Failure::new(&errors::CHANGE_REFUSED, message));
            }
            Request::Cancel { .. } | Request::CancelReference { .. } => self.canceled.is_some(),
            Request::Modify { .. } => self.side.is_some(),
            Request::Replace { .. } if self.is_old_canceled && self.reference.is_none() => {
                let message = format!("{request} is canceled and nothing stands in its place");
                return Err(Failure::new(&errors::REPLACE_FAILED, message));
            }
            Request::Enter { .. } | Request::Replace { .. } => self.reference.is_some(),
        };
        if is_done {
            return Ok(());
        }
        let message = format!("the request about {request} was ignored");
        Err(Failure::new(&errors::IGNORED, message))
    }
}

#[cfg(test)]
mod tests {
    use uncross_client::wire::{IntoBytes, TypeByte, ouch::outbound};

    use super::*;

    fn executed(number: u32, qty: u32) -> outbound::Executed {
        outbound::Executed {
            kind: TypeByte::new(),
            timestamp_ns: 0.into(),
            user_ref_num: number.into(),
            quantity: qty.into(),
            price: 100.into(),
            liquidity: b'R',
            match_number: 9.into(),
            appendage_len_bytes: 0.into(),
        }
    }

    fn canceled(number: u32, qty: u32, reason: u8) -> Canceled {
        Canceled {
            kind: TypeByte::new(),
            timestamp_ns: 0.into(),
            user_ref_num: number.into(),
            quantity: qty.into(),
            reason,
        }
    }

    fn note(answer: &mut Answer, request: Request, message: &[u8]) -> bool {
        answer.note(request, &Outbound::decode(message).unwrap())
    }

    #[test]
    fn states_follow_from_what_is_open_executed_and_canceled() {
        let request = Request::Enter { number: 7 };
        let mut answer = Answer::default();
        answer.acknowledge(1, b'L', 100);
        assert_eq!(answer.state(), "live");
        assert!(note(&mut answer, request, executed(7, 60).as_bytes()));
        assert!(!note(&mut answer, request, executed(8, 40).as_bytes()), "another order");
        assert_eq!((answer.state(), answer.open, answer.executed()), ("live", Some(40), 60));
        let mut ioc = Answer { executions: answer.executions.clone(), ..Answer::default() };
        ioc.open = Some(40);
        assert!(note(&mut ioc, request, canceled(7, 40, b'I').as_bytes()));
        assert_eq!((ioc.state(), ioc.canceled), ("canceled", Some((40, b'I'))));
        assert!(note(&mut answer, request, executed(7, 40).as_bytes()));
        assert_eq!((answer.state(), answer.check(request).is_ok()), ("filled", true));
        let mut dead = Answer::default();
        dead.acknowledge(1, b'D', 100);
        assert_eq!((dead.state(), dead.open), ("dead", Some(0)));
    }

    #[test]
    fn silence_and_refusals_are_failures() {
        let id = |answer: &Answer, request| answer.check(request).unwrap_err().code.id;
        let replace = Request::Replace { old: 3, number: 4 };
        for request in [Request::Enter { number: 4 }, Request::Cancel { number: 4 }, replace] {
            assert_eq!(id(&Answer::default(), request), errors::IGNORED.id);
        }
        let mut answer = Answer::default();
        assert!(note(&mut answer, replace, canceled(3, 10, b'Z').as_bytes()));
        assert_eq!(id(&answer, replace), errors::REPLACE_FAILED.id);
        let refused = Answer { is_change_refused: true, ..Answer::default() };
        assert_eq!(id(&refused, Request::Cancel { number: 4 }), errors::CHANGE_REFUSED.id);
        let rejected = Answer { rejected: Some(0x1D), ..Answer::default() };
        let failure = rejected.check(replace).unwrap_err();
        assert_eq!(failure.message, "order 4 was rejected: bad price (0x1D)");
    }
}
