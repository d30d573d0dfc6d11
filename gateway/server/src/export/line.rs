//! Events as lines for people and programs that do not know the engine's slots.
//!
//! Names of fields and events are part of what users build upon: docs/protocol/export.md lists
//! them. Numbers of 64 bits are text, because JSON numbers do not hold them everywhere; prices and
//! quantities are text with the instrument's decimals.

use std::fmt::Write;

use serde::Serialize;
use uncross_engine::{
    event::{
        Canceled, Day, Directory, Echo, Entered, Event, Fill, Head, Modified, Notice, Prevented,
        Rejected, Response, Restated, Rested, View,
    },
    types::{Action, Price},
};
use uncross_wire::text::{format_price, trim};

use crate::{
    calendar::civil,
    terms::{capacity_byte, display_byte, side_byte, time_in_force_byte},
};

/// An event of a record.
#[derive(Clone, Debug, Serialize)]
pub struct Line {
    /// Sequence number of the record.
    pub seq: u64,
    /// Which of the record's events it is, from 0.
    pub index: u64,
    /// Time of the record, nanoseconds since the UNIX epoch.
    pub time_ns: String,
    /// What it says.
    #[serde(flatten)]
    pub said: Said,
}

/// Where an event stands in the journal.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) seq: u64,
    pub(super) index: u64,
    pub(super) time_ns: u64,
}

/// An order on its port.
#[derive(Clone, Debug, Serialize)]
pub struct Order {
    /// The port.
    pub port: u16,
    /// The client's number.
    pub user_ref_num: u32,
    /// `B`, `S`, `T` or `E`.
    pub side: char,
    /// The instrument.
    pub symbol: String,
    /// The public reference.
    pub order_reference: String,
}

/// An order and what it asks for.
#[derive(Clone, Debug, Serialize)]
pub struct Terms {
    /// Whose it is.
    #[serde(flatten)]
    pub order: Order,
    /// Limit, or `market`.
    pub price: String,
    /// Open quantity.
    pub quantity: String,
    /// OUCH code.
    pub time_in_force: char,
    /// OUCH code.
    pub display: char,
    /// OUCH code.
    pub capacity: char,
    /// `L` live, `D` dead.
    pub state: char,
    /// All of it went to the book at once, and the feed shows it.
    pub is_resting: bool,
    /// The client's text.
    pub client_order_id: String,
}

/// A reduction of an order.
#[derive(Clone, Debug, Serialize)]
pub struct Reduction {
    /// Whose it is.
    #[serde(flatten)]
    pub order: Order,
    /// Channel of the client's number.
    pub user_ref_index: u8,
    /// Quantity taken away.
    pub quantity: String,
    /// Quantity left.
    pub open: String,
}

/// What an event says. Codes are those of OUCH and ITCH.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[expect(missing_docs, reason = "docs/protocol/export.md says what each field is")]
pub enum Said {
    Accepted(Terms),
    Replaced {
        #[serde(flatten)]
        terms: Terms,
        orig_user_ref_num: u32,
        old_order_reference: String,
    },
    Rejected {
        port: u16,
        user_ref_num: u32,
        user_ref_index: u8,
        reason: u16,
        client_order_id: String,
    },
    Fill {
        symbol: String,
        price: String,
        quantity: String,
        match_number: String,
        maker_port: u16,
        maker_user_ref_num: u32,
        maker_user_ref_index: u8,
        maker_side: char,
        maker_order_reference: String,
        maker_open: String,
        maker_is_hidden: bool,
        taker_port: u16,
        taker_user_ref_num: u32,
        taker_user_ref_index: u8,
        taker_order_reference: String,
    },
    Canceled {
        #[serde(flatten)]
        reduction: Reduction,
        reason: char,
        was_shown: bool,
    },
    Modified(Reduction),
    Prevented {
        #[serde(flatten)]
        reduction: Reduction,
        prevented: String,
        price: String,
        strategy: char,
        was_arriving: bool,
        was_shown: bool,
    },
    Restated {
        #[serde(flatten)]
        order: Order,
        user_ref_index: u8,
        price: String,
        open: String,
    },
    Rested {
        #[serde(flatten)]
        order: Order,
        price: String,
        quantity: String,
        firm: String,
    },
    Echo {
        port: u16,
        user_ref_num: u32,
        bytes: String,
        is_last: bool,
    },
    Account {
        port: u16,
        user_ref_index: u8,
        next_user_ref_num: u32,
    },
    CancelRejected {
        port: u16,
        user_ref_num: u32,
        user_ref_index: u8,
        order_reference: String,
    },
    Response {
        port: u16,
        user_ref_num: u32,
        user_ref_index: u8,
        answer: char,
        symbol: String,
        firm: String,
    },
    System {
        port: u16,
        code: char,
    },
    Directory {
        instrument: u32,
        symbol: String,
        locate: u16,
        lot: String,
        price_decimals: u8,
        quantity_decimals: u8,
    },
    Trading {
        symbol: String,
        state: char,
    },
    Day {
        session: String,
        date: String,
        midnight_ns: String,
    },
    Administered {
        request: String,
        outcome: &'static str,
    },
    PortFirm {
        port: u16,
        firm: String,
    },
    Copying {
        firm: String,
        code: char,
    },
}

/// What lines say of an instrument.
#[derive(Clone, Debug, Default)]
struct Name {
    symbol: String,
    price_decimals: u8,
    qty_decimals: u8,
}

/// Knows the instruments that were listed.
#[derive(Debug, Default)]
pub(super) struct Describer {
    /// By instrument id.
    names: Vec<Name>,
}

impl Describer {
    /// Notes what later events need.
    pub(super) fn learn(&mut self, event: &Event) {
        let View::Directory(directory) = event.view() else { return };
        let id = directory.instrument as usize;
        if self.names.len() <= id {
            self.names.resize(id + 1, Name::default());
        }
        let Directory { symbol, price_decimals, qty_decimals, .. } = *directory;
        self.names[id] = Name { symbol: text(&symbol), price_decimals, qty_decimals };
    }

    /// The event as a line, of which `at` knows the place.
    pub(super) fn describe(&self, at: Place, event: &Event) -> Line {
        let Place { seq, index, time_ns } = at;
        Line { seq, index, time_ns: time_ns.to_string(), said: self.said(event.view()) }
    }

    fn said(&self, view: View<'_>) -> Said {
        match view {
            View::Accepted(entered) => Said::Accepted(self.terms(entered)),
            View::Replaced(entered) => self.replaced(entered),
            View::Rejected(rejected) => rejection(rejected),
            View::Fill(fill) => self.fill(fill),
            View::Canceled(canceled) => self.canceled(canceled),
            View::Modified(modified) => self.modified(modified),
            View::Rested(rested) => self.rested(rested),
            View::Echo(part) => echo(part),
            View::Prevented(prevented) => self.prevented(prevented),
            View::Restated(restated) => self.restated(restated),
            View::Account(notice) => account(notice),
            View::CancelRejected(notice) => cancel_rejection(notice),
            View::Response(answer) => response(answer),
            View::System(system) => {
                Said::System { port: system.head.port, code: system.code.into() }
            }
            View::Directory(directory) => self.directory(directory),
            View::Trading(trading) => Said::Trading {
                symbol: self.name(trading.instrument).symbol.clone(),
                state: trading.state.into(),
            },
            View::Day(day) => begin(day),
            View::Administered(it) => {
                Said::Administered { request: it.request.to_string(), outcome: it.outcome().name() }
            }
            View::PortFirm(it) => Said::PortFirm { port: it.head.port, firm: text(&it.firm) },
            View::Copying(it) => Said::Copying { firm: text(&it.firm), code: it.code.into() },
        }
    }

    fn name(&self, instrument: u32) -> &Name {
        &self.names[instrument as usize]
    }

    fn order(&self, head: &Head, instrument: u32, order_ref: u64) -> Order {
        Order {
            port: head.port,
            user_ref_num: head.user_ref_num,
            side: side(head.action()),
            symbol: self.name(instrument).symbol.clone(),
            order_reference: order_ref.to_string(),
        }
    }

    fn px(&self, instrument: u32, px: u32) -> String {
        if Price::RAW_MAX < px {
            return "market".to_owned();
        }
        format_price(px.into(), self.name(instrument).price_decimals).to_string()
    }

    fn qty(&self, instrument: u32, qty: u32) -> String {
        format_price(qty.into(), self.name(instrument).qty_decimals).to_string()
    }

    fn terms(&self, entered: &Entered) -> Terms {
        let Entered { head, instrument, px, qty, order_ref, marks, .. } = *entered;
        Terms {
            order: self.order(&head, instrument, order_ref),
            price: self.px(instrument, px),
            quantity: self.qty(instrument, qty),
            time_in_force: time_in_force_byte(marks.time_in_force()).into(),
            display: display_byte(marks.display()).into(),
            capacity: capacity_byte(marks.capacity()).into(),
            state: if marks.is_dead() { 'D' } else { 'L' },
            is_resting: marks.is_resting(),
            client_order_id: text(&entered.client_order_id),
        }
    }

    fn replaced(&self, entered: &Entered) -> Said {
        Said::Replaced {
            terms: self.terms(entered),
            orig_user_ref_num: entered.orig_user_ref_num,
            old_order_reference: entered.old_order_ref.to_string(),
        }
    }

    fn fill(&self, fill: &Fill) -> Said {
        Said::Fill {
            symbol: self.name(fill.instrument).symbol.clone(),
            price: self.px(fill.instrument, fill.px),
            quantity: self.qty(fill.instrument, fill.qty),
            match_number: fill.match_number.to_string(),
            maker_port: fill.head.port,
            maker_user_ref_num: fill.head.user_ref_num,
            maker_user_ref_index: fill.maker_channel,
            maker_side: side(fill.head.action()),
            maker_order_reference: fill.maker_ref.to_string(),
            maker_open: self.qty(fill.instrument, fill.maker_open),
            maker_is_hidden: fill.head.is_hidden(),
            taker_port: fill.taker_port,
            taker_user_ref_num: fill.taker_user_ref_num,
            taker_user_ref_index: fill.taker_channel,
            taker_order_reference: fill.taker_ref.to_string(),
        }
    }

    fn canceled(&self, canceled: &Canceled) -> Said {
        let Canceled { head, instrument, order_ref, qty, open, reason, shown, channel, .. } =
            *canceled;
        let order = self.order(&head, instrument, order_ref);
        Said::Canceled {
            reduction: self.reduction(order, channel, instrument, [qty, open]),
            reason: reason.into(),
            was_shown: shown != 0,
        }
    }

    fn modified(&self, modified: &Modified) -> Said {
        let Modified { head, instrument, order_ref, qty, open, channel, .. } = *modified;
        let order = self.order(&head, instrument, order_ref);
        Said::Modified(self.reduction(order, channel, instrument, [qty, open]))
    }

    fn prevented(&self, prevented: &Prevented) -> Said {
        let Prevented { head, instrument, order_ref, qty, open, px, channel, .. } = *prevented;
        let order = self.order(&head, instrument, order_ref);
        Said::Prevented {
            reduction: self.reduction(order, channel, instrument, [qty, open]),
            prevented: self.qty(instrument, prevented.prevented),
            price: self.px(instrument, px),
            strategy: prevented.strategy.into(),
            was_arriving: prevented.taker != 0,
            was_shown: prevented.shown != 0,
        }
    }

    fn restated(&self, restated: &Restated) -> Said {
        let Restated { head, order_ref, instrument, px, open, channel, .. } = *restated;
        Said::Restated {
            order: self.order(&head, instrument, order_ref),
            user_ref_index: channel,
            price: self.px(instrument, px),
            open: self.qty(instrument, open),
        }
    }

    fn reduction(&self, order: Order, channel: u8, id: u32, [qty, open]: [u32; 2]) -> Reduction {
        let (quantity, open) = (self.qty(id, qty), self.qty(id, open));
        Reduction { order, user_ref_index: channel, quantity, open }
    }

    fn rested(&self, rested: &Rested) -> Said {
        Said::Rested {
            order: self.order(&rested.head, rested.instrument, rested.order_ref),
            price: self.px(rested.instrument, rested.px),
            quantity: self.qty(rested.instrument, rested.qty),
            firm: text(&rested.firm),
        }
    }

    fn directory(&self, directory: &Directory) -> Said {
        let Directory { instrument, lot, locate, price_decimals, qty_decimals, .. } = *directory;
        Said::Directory {
            instrument,
            symbol: self.name(instrument).symbol.clone(),
            locate,
            lot: self.qty(instrument, lot),
            price_decimals,
            quantity_decimals: qty_decimals,
        }
    }
}

fn rejection(rejected: &Rejected) -> Said {
    Said::Rejected {
        port: rejected.head.port,
        user_ref_num: rejected.head.user_ref_num,
        user_ref_index: rejected.channel,
        reason: rejected.reason,
        client_order_id: text(&rejected.client_order_id),
    }
}

fn account(notice: &Notice) -> Said {
    let Notice { head, channel, .. } = *notice;
    Said::Account { port: head.port, user_ref_index: channel, next_user_ref_num: head.user_ref_num }
}

fn cancel_rejection(notice: &Notice) -> Said {
    let Notice { head, channel, order_ref, .. } = *notice;
    Said::CancelRejected {
        port: head.port,
        user_ref_num: head.user_ref_num,
        user_ref_index: channel,
        order_reference: order_ref.to_string(),
    }
}

fn echo(part: &Echo) -> Said {
    let bytes = &part.bytes[..usize::from(part.len)];
    Said::Echo {
        port: part.head.port,
        user_ref_num: part.head.user_ref_num,
        bytes: hex(bytes),
        is_last: part.more == 0,
    }
}

fn response(response: &Response) -> Said {
    Said::Response {
        port: response.head.port,
        user_ref_num: response.head.user_ref_num,
        user_ref_index: response.channel,
        answer: response.answer.into(),
        symbol: text(&response.symbol),
        firm: text(&response.firm),
    }
}

fn begin(day: &Day) -> Said {
    let (year, month, date) = civil(day.date);
    Said::Day {
        session: text(&day.session),
        date: format!("{year:04}-{month:02}-{date:02}"),
        midnight_ns: day.midnight_ns.to_string(),
    }
}

fn side(action: Action) -> char {
    side_byte(action).into()
}

/// A field of text as it is read; what is not ASCII is the client's own and shown as a sign.
fn text(field: &[u8]) -> String {
    String::from_utf8_lossy(trim(field)).into_owned()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
