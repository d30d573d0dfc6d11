//! Events in words.

use std::fmt::Write;

use uncross_server::{
    audit::{history::Position, told::RecordLine},
    export::line::{Order, Reduction, Said, Terms},
    sessions::utc,
};

use crate::reasons::Reason;

/// What an event says, in words.
pub(super) fn sentence(said: &Said) -> String {
    match said {
        Said::Accepted(terms) => format!("accepted: {}", terms_text(terms)),
        Said::Replaced { terms, orig_user_ref_num, old_order_reference } => format!(
            "replaced: number {orig_user_ref_num}, reference {old_order_reference}, is now {}",
            terms_text(terms)
        ),
        Said::Rejected { user_ref_num, reason, .. } => {
            let meaning = Reason::Reject(*reason).meaning().text;
            format!("rejected: number {user_ref_num}, 0x{reason:02X}, {meaning}")
        }
        Said::Fill { .. } => fill(said),
        Said::Canceled { reduction, reason, .. } => {
            let letter = u8::try_from(*reason).unwrap_or(b'?');
            let meaning = Reason::Cancel(letter).meaning().text;
            format!("canceled: {}, {reason}, {meaning}", reduction_text(reduction))
        }
        Said::Modified(reduction) => {
            format!("modified: {}, side {}", reduction_text(reduction), reduction.order.side)
        }
        Said::Prevented { reduction, was_arriving, .. } => {
            let part = if *was_arriving { "it arrived" } else { "it stood" };
            let reduced = reduction_text(reduction);
            format!("kept from trading with its own firm: {reduced}, {part}")
        }
        Said::Restated { order, price, open, .. } => format!(
            "carried into the session: {open} @ {price}, number {}, reference {}",
            order.user_ref_num, order.order_reference
        ),
        Said::Rested { price, quantity, .. } => {
            format!("shown on the feed: {quantity} @ {price}")
        }
        Said::CancelRejected { user_ref_num, .. } => {
            format!("the change of number {user_ref_num} is refused, the order stays")
        }
        other => plain(other),
    }
}

/// The record that caused something, in words.
pub(super) fn cause(cause: &RecordLine) -> String {
    let RecordLine { seq, kind, fields, .. } = cause;
    let about = ["port", "orig_user_ref_num", "user_ref_num", "user_ref_index", "order_reference"];
    let named = fields.iter().filter(|(name, _)| about.contains(name));
    let mut text = format!("record {seq}, {kind}");
    for (name, value) in named {
        // Writing to a string cannot fail.
        let _ = write!(text, " {name}={value}");
    }
    text
}

/// Where an order stands, in words.
pub(super) fn position(position: &Position) -> String {
    let Position { open, orders_ahead, quantity_ahead, orders_better, quantity_better } = position;
    let better = match orders_better {
        0 => String::from("none at a better price"),
        orders => format!("{orders} ({quantity_better}) at better prices"),
    };
    let ahead = match orders_ahead {
        0 => String::from("first at its price"),
        orders => format!("behind {orders} orders ({quantity_ahead}) at its price"),
    };
    format!("stands with {open}, {ahead}, {better}")
}

/// A time as people read it in a list.
pub(super) fn time(time_ns: u64) -> String {
    utc(time_ns)
}

fn order_text(order: &Order) -> String {
    let Order { port, user_ref_num, order_reference, .. } = order;
    format!("number {user_ref_num} of port {port}, reference {order_reference}")
}

fn terms_text(terms: &Terms) -> String {
    let Terms { order, price, quantity, state, is_resting, .. } = terms;
    let side = match order.side {
        'B' => "buy",
        'S' => "sell",
        'T' => "sell short",
        _ => "sell short exempt",
    };
    let state = match (state, is_resting) {
        ('D', _) => "and it is over",
        (_, true) => "and it rests",
        _ => "and it goes on",
    };
    format!("{side} {quantity} {} @ {price}, {}, {state}", order.symbol, order_text(order))
}

fn reduction_text(reduction: &Reduction) -> String {
    let Reduction { quantity, open, .. } = reduction;
    if open.bytes().all(|byte| byte == b'0' || byte == b'.') {
        format!("{quantity} taken away, nothing left")
    } else {
        format!("{quantity} taken away, {open} left")
    }
}

fn fill(said: &Said) -> String {
    let Said::Fill {
        price,
        quantity,
        match_number,
        maker_port,
        maker_user_ref_num,
        maker_open,
        taker_port,
        taker_user_ref_num,
        ..
    } = said
    else {
        return plain(said);
    };
    format!(
        "traded {quantity} @ {price}, match {match_number}: maker {maker_user_ref_num} of port \
         {maker_port} with {maker_open} left, taker {taker_user_ref_num} of port {taker_port}"
    )
}

/// The fields of an event as they are.
fn plain(said: &Said) -> String {
    serde_json::to_string(said).unwrap_or_default()
}
