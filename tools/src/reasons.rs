//! The reasons that the venue gives on the wire: what each means and what to do about it.
//!
//! OUCH has a number for every refusal and a letter for every cancel. Their texts are the codec's;
//! here is what a person needs beyond the text. Reasons that belong to features of other venues
//! are explained too: a client written for several of them knows all of them.

use uncross_client::wire::ouch::codes::{cancel_reason, reject};

/// A reason of Rejected or Canceled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// Why a request was refused.
    Reject(u16),
    /// Why an order was reduced or ended.
    Cancel(u8),
}

/// What is to be said about a reason.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Meaning {
    pub(crate) text: &'static str,
    pub(crate) cause: &'static str,
    pub(crate) fix: &'static str,
}

/// Every reason, refusals first.
pub(crate) fn all() -> impl Iterator<Item = Reason> {
    let rejects = reject::ALL.iter().map(|(code, _)| Reason::Reject(*code));
    rejects.chain(cancel_reason::ALL.iter().map(|(code, _)| Reason::Cancel(*code)))
}

impl Reason {
    /// Reads a reason as it is written: `0x2C` for a refusal, `cancel-K` for a cancel.
    ///
    /// The letter of a cancel keeps its case, because `E` and `e` differ. `None` when there is no
    /// such reason.
    pub(crate) fn find(text: &str) -> Option<Self> {
        let split = |prefix: &str| {
            let (head, rest) = text.split_at_checked(prefix.len())?;
            head.eq_ignore_ascii_case(prefix).then_some(rest)
        };
        let reason = match (split("0x"), split("cancel-")) {
            (Some(digits), _) if digits.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
                Self::Reject(u16::from_str_radix(digits, 16).ok()?)
            }
            (None, Some(letter)) => match letter.as_bytes() {
                [letter] => Self::Cancel(*letter),
                _ => return None,
            },
            _ => return None,
        };
        all().any(|known| known == reason).then_some(reason)
    }

    /// The reason as it is written.
    pub(crate) fn name(self) -> String {
        match self {
            Self::Reject(code) => format!("0x{code:02X}"),
            Self::Cancel(letter) => format!("cancel-{}", char::from(letter)),
        }
    }

    /// What it means.
    pub(crate) fn meaning(self) -> Meaning {
        let (text, (cause, fix)) = match self {
            Self::Reject(code) => (reject::text(code), reject_meaning(code)),
            Self::Cancel(letter) => (cancel_reason::text(letter), cancel_meaning(letter)),
        };
        Meaning { text, cause, fix }
    }
}

type CauseAndFix = (&'static str, &'static str);

/// Of a reason that the protocol has and this venue does not give.
const ELSEWHERE: CauseAndFix = (
    "the protocol has this reason for a feature or a check of other venues",
    "another program answers if it comes: check the address",
);

fn reject_meaning(code: u16) -> CauseAndFix {
    match code {
        reject::BAD_DISPLAY => (
            "the display field has a value that the venue does not offer",
            "use --display visible, hidden or attributable",
        ),
        reject::BAD_MAX_FLOOR => (
            "reserve orders (tag 5) are not offered",
            "leave the maximum floor out and send the order in parts",
        ),
        reject::BAD_PEG_TYPE | reject::PEG_NOT_ALLOWED => (
            "prices that follow the market (tags 6 and 7) are not offered",
            "send a limit, and replace the order when the market moves",
        ),
        reject::HALTED => (
            "the instrument is not trading at the moment",
            "wait until uncross book shows it as trading",
        ),
        reject::ISO_NOT_ALLOWED | reject::RISK_ISO => (
            "there are no other markets that an intermarket sweep could sweep",
            "send N in the intermarket sweep field",
        ),
        reject::BAD_SIDE => {
            ("the side is none of B, S, T and E", "use buy, sell, sell-short or sell-exempt")
        }
        reject::FIRM_NOT_AUTHORISED => (
            "the order names a firm that is not the port's, or order entry is disabled",
            "leave the firm out, or allow orders again with uncross enable",
        ),
        reject::BAD_MIN_QTY => (
            "a minimum quantity is above the quantity, is 0, or the order may rest",
            "use it with --tif ioc only, with at least 1 and at most the quantity",
        ),
        reject::OTHER => (
            "a tag, a time in force, a capacity or a number is not allowed, or a table is full",
            "compare the message with docs/matching.md, which has a row for every value",
        ),
        reject::BAD_QUANTITY | reject::RISK_QUANTITY_MAX => (
            "the quantity is outside the instrument's bounds or no multiple of its lot",
            "look at lot, qty_min and qty_max of the instrument in venue.toml",
        ),
        reject::BAD_CROSS_ORDER => {
            ("orders for an auction are not offered", "send N in the cross type field")
        }
        reject::ROUTING_NOT_ALLOWED | reject::BAD_DESTINATION => {
            ("orders are not routed to other venues", "leave the route (tag 14) out")
        }
        reject::BAD_SYMBOL => (
            "the venue does not list the instrument",
            "check the symbol; the stock directory of the feed lists all",
        ),
        reject::BAD_PRICE => (
            "the price is 0, above 199,999.99 in wire units, or no multiple of the tick",
            "look at tick and price_decimals of the instrument in venue.toml",
        ),
        reject::RISK_MARKET_ORDER => (
            "a market order that cannot be bounded: not immediate, no reference price or no collar",
            "use --tif ioc, or send a limit until the instrument has traded",
        ),
        _ => reject_meaning_of_state(code),
    }
}

/// Of the reasons that come from the moment, not from the request.
fn reject_meaning_of_state(code: u16) -> CauseAndFix {
    match code {
        reject::DESTINATION_CLOSED => (
            "the journal has no room for orders: its disk is full",
            "cancels still pass; the operator must free space on the journal's disk",
        ),
        reject::RISK_PORT_RATE | reject::RISK_SYMBOL_RATE | reject::RISK_DUPLICATE_RATE => (
            "more messages came within a short time than the port may send",
            "send more slowly, or ask the operator for a higher rate",
        ),
        reject::PROCESSING_ERROR => (
            "the venue could not process the request",
            "look at the venue's log, then send it again under a new number",
        ),
        reject::CANCEL_PENDING | reject::CANCEL_NOT_ALLOWED | reject::REPLACE_NOT_ALLOWED => (
            "the order cannot be changed in its present state",
            "wait for the next report about it, then decide again",
        ),
        _ => ELSEWHERE,
    }
}

fn cancel_meaning(letter: u8) -> CauseAndFix {
    match letter {
        cancel_reason::USER => (
            "its owner asked: a cancel, a mass cancel or a smaller quantity",
            "nothing is to be done",
        ),
        cancel_reason::IMMEDIATE_OR_CANCEL => (
            "an immediate-or-cancel order does not rest, and no more was to be had at its limit",
            "use --tif day to let the rest stand",
        ),
        cancel_reason::TIMEOUT => (
            "the order stood until the time that its owner gave",
            "enter it again, or use --tif day or a longer --for",
        ),
        cancel_reason::SUPERVISORY => (
            "the operator of the venue ended it",
            "ask the operator; kills and removed instruments do this",
        ),
        cancel_reason::SELF_MATCH_PREVENTION => (
            "it would have traded with an order of its own firm or group",
            "check the strategy and group (tags 29 and 30) if that was meant",
        ),
        cancel_reason::SYSTEM => (
            "a replace had values that are not allowed, or its connection was lost for too long",
            "enter a new order with correct values",
        ),
        cancel_reason::COLLAR => (
            "a market order met only prices too far from the reference price",
            "send a limit if such a price is acceptable",
        ),
        cancel_reason::HALTED => {
            ("trading in the instrument was halted", "wait until it trades again, then enter anew")
        }
        cancel_reason::CLOSED => (
            "the trading day ended",
            "enter it again, or use --tif gtc where the venue carries orders over",
        ),
        cancel_reason::POST_ONLY => (
            "a post-only order would have traded at once",
            "use a less aggressive price, or leave --post-only out",
        ),
        _ => ELSEWHERE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_is_found_by_its_own_name() {
        for reason in all() {
            assert_eq!(Reason::find(&reason.name()), Some(reason));
        }
        assert_eq!(Reason::find("0X2c"), Some(Reason::Reject(0x2C)));
        assert_eq!(Reason::find("CANCEL-e"), Some(Reason::Cancel(b'e')));
        for text in ["", "0x", "0x99", "0x+1", "2C", "cancel-", "cancel-?", "cancel-EE", "K"] {
            assert_eq!(Reason::find(text), None, "{text}");
        }
    }

    #[test]
    fn texts_begin_small_and_end_without_a_point() {
        for reason in all() {
            let Meaning { text, cause, fix } = reason.meaning();
            for text in [text, cause, fix] {
                let first = text.chars().next().unwrap();
                assert!(!first.is_uppercase() && !text.ends_with('.'), "{reason:?}: {text}");
            }
        }
    }
}
