//! Reports in words and as JSON, with the instrument of an order where the day told it.

use std::collections::HashMap;

use serde::Serialize;
use uncross_client::{
    CopiedReport, Side, Symbol,
    wire::{
        ouch::{
            codes,
            outbound::{Outbound, SystemEvent},
        },
        text::trim,
    },
};
use uncross_server::config::Config;

use crate::{
    commands::{
        feed::{clock, units_or_usual},
        order::side_word,
        session::Units,
    },
    output::{Outcome, Output},
};

/// A report as it is shown; what it does not say is left out.
#[derive(Debug, Default, Serialize)]
pub(super) struct Told {
    /// Number of the drop copy.
    pub(super) number: u64,
    timestamp_ns: u64,
    time: String,
    /// 0: about the stream itself.
    port: u16,
    user_ref_index: u8,
    report: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_ref_num: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    orig_user_ref_num: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    side: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    quantity: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    symbol: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    price: Option<String>,
    /// As text, like the match number: JSON numbers do not hold 64 bits everywhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    order_reference: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    match_number: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    liquidity: Option<&'static str>,
    /// `live` or `dead`, of an order accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<&'static str>,
    /// In words.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_order_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    firm: Option<String>,
}

impl Told {
    /// Writes it as a line or object.
    pub(super) fn show(&self, output: &mut Output) -> Outcome {
        if output.is_json() {
            return output.json("uncross.drop-copy/1", self);
        }
        output.line(self.line())
    }

    fn line(&self) -> String {
        let Self { time, port, user_ref_index, report, .. } = self;
        let whose = match (self.user_ref_num, user_ref_index) {
            (None, _) => String::new(),
            (Some(number), 0) => number.to_string(),
            (Some(number), channel) => format!("{number}/{channel}"),
        };
        let old = self.orig_user_ref_num.map(|old| format!("for {old}"));
        let price = self.price.as_ref().map(|price| format!("@ {price}"));
        let number = self.match_number.as_ref().map(|number| format!("match {number}"));
        let reference = self.order_reference.as_ref().filter(|_| self.match_number.is_none());
        let reference = reference.map(|reference| format!("reference {reference}"));
        let firm = self.firm.as_ref().filter(|firm| !firm.is_empty());
        let firm = firm.map(|firm| format!("firm {firm}"));
        let words = [
            old.as_deref(),
            self.side,
            self.quantity.as_deref(),
            self.symbol.as_deref(),
            price.as_deref(),
            number.as_deref(),
            self.liquidity,
            reference.as_deref(),
            firm.as_deref(),
            self.state.filter(|state| *state == "dead"),
            self.reason,
        ];
        let words: Vec<&str> = words.into_iter().flatten().collect();
        let text = format!("{time}  port {port:<4}  {whose:>6}  {report:<15}  {}", words.join(" "));
        text.trim_end().to_owned()
    }
}

/// An order by port, channel and number.
type Key = (u16, u8, u32);

/// The live orders of the day, for what later reports about them leave out.
#[derive(Debug)]
pub(super) struct Orders<'a> {
    config: Option<&'a Config>,
    /// Instrument and open quantity.
    live: HashMap<Key, (Symbol, u32)>,
}

impl<'a> Orders<'a> {
    pub(super) fn new(config: Option<&'a Config>) -> Self {
        Self { config, live: HashMap::new() }
    }

    /// Says what a report says, and remembers it.
    pub(super) fn tell(&mut self, copied: &CopiedReport<'_>) -> Told {
        let envelope = copied.copy.envelope;
        let (port, user_ref_index) = (envelope.source_port.get(), envelope.user_ref_index);
        let named = copied.copy.report.options().ok().and_then(|it| it.secondary_order_reference);
        let told = Told {
            number: copied.number,
            port,
            user_ref_index,
            order_reference: named.map(|reference| reference.to_string()),
            ..Told::default()
        };
        let told = self.said(told, copied);
        let timestamp_ns = stamp(&copied.copy.report);
        Told { timestamp_ns, time: clock(timestamp_ns), ..told }
    }

    fn said(&mut self, told: Told, copied: &CopiedReport<'_>) -> Told {
        let key = |number: u32| (told.port, told.user_ref_index, number);
        match copied.copy.report {
            Outbound::Accepted(it, _) => {
                let number = it.user_ref_num.get();
                let symbol = Symbol::from_wire(it.symbol);
                self.enter(key(number), symbol, it.state, it.quantity.get());
                let terms = (it.side, it.quantity.get(), it.price.get());
                let entered = Told { report: "accepted", ..told };
                self.entered(entered, number, symbol, terms).with(
                    it.order_reference.get(),
                    it.state,
                    &it.cl_ord_id,
                )
            }
            Outbound::Replaced(it, _) => {
                let (old, number) = (it.orig_user_ref_num.get(), it.new_user_ref_num.get());
                let symbol = Symbol::from_wire(it.symbol);
                self.live.remove(&key(old));
                self.enter(key(number), symbol, it.state, it.quantity.get());
                let terms = (it.side, it.quantity.get(), it.price.get());
                let entered = Told { report: "replaced", orig_user_ref_num: Some(old), ..told };
                self.entered(entered, number, symbol, terms).with(
                    it.order_reference.get(),
                    it.state,
                    &it.cl_ord_id,
                )
            }
            Outbound::Executed(it, _) => {
                let known = self.reduce(key(it.user_ref_num.get()), it.quantity.get());
                let match_number = Some(it.match_number.get().to_string());
                let liquidity = Some(codes::liquidity::text(it.liquidity));
                let told = Told { report: "executed", match_number, liquidity, ..told };
                let price = Some(it.price.get());
                self.about(told, it.user_ref_num.get(), known, it.quantity.get(), price)
            }
            Outbound::Canceled(it, _) => {
                let known = self.reduce(key(it.user_ref_num.get()), it.quantity.get());
                let reason = Some(codes::cancel_reason::text(it.reason));
                let told = Told { report: "canceled", reason, ..told };
                self.about(told, it.user_ref_num.get(), known, it.quantity.get(), None)
            }
            Outbound::AiqCanceled(it, _) => {
                let known = self.reduce(key(it.user_ref_num.get()), it.decrement.get());
                let reason = Some(codes::cancel_reason::text(it.reason));
                let told = Told { report: "canceled", reason, ..told };
                self.about(told, it.user_ref_num.get(), known, it.decrement.get(), None)
            }
            Outbound::Modified(it, _) => {
                let (number, open) = (it.user_ref_num.get(), it.quantity.get());
                let before = self.live.get(&key(number)).map_or(open, |(_, open)| *open);
                let known = self.reduce(key(number), before.saturating_sub(open));
                let told = Told { report: "modified", side: side(it.side), ..told };
                self.about(told, number, known, open, None)
            }
            _ => rest(told, copied),
        }
    }

    fn enter(&mut self, key: Key, symbol: Symbol, state: u8, open: u32) {
        if state == codes::OrderState::Live.to_wire() {
            self.live.insert(key, (symbol, open));
        }
    }

    /// Takes from an order, forgets it when nothing is left, and gives its instrument.
    fn reduce(&mut self, key: Key, quantity: u32) -> Option<Symbol> {
        let (symbol, open) = self.live.get_mut(&key)?;
        let symbol = *symbol;
        *open = open.saturating_sub(quantity);
        if *open == 0 {
            self.live.remove(&key);
        }
        Some(symbol)
    }

    fn entered(
        &self,
        told: Told,
        number: u32,
        symbol: Symbol,
        (action, quantity, price): (u8, u32, u64),
    ) -> Told {
        let told = Told { side: side(action), ..told };
        self.about(told, number, Some(symbol), quantity, Some(price))
    }

    fn about(
        &self,
        told: Told,
        number: u32,
        symbol: Option<Symbol>,
        quantity: u32,
        price: Option<u64>,
    ) -> Told {
        let units = symbol.map_or_else(Units::default, |it| units_or_usual(self.config, it));
        Told {
            user_ref_num: Some(number),
            symbol: symbol.map(|symbol| symbol.to_string()),
            quantity: Some(units.qty(quantity.into())),
            price: price.map(|price| price_text(units, price)),
            ..told
        }
    }
}

impl Told {
    fn with(self, reference: u64, state: u8, client_order_id: &[u8]) -> Self {
        let is_live = state == codes::OrderState::Live.to_wire();
        Self {
            order_reference: Some(reference.to_string()),
            state: Some(if is_live { "live" } else { "dead" }),
            client_order_id: Some(text(client_order_id)),
            ..self
        }
    }
}

/// Reports that are about no order of the day, or say nothing of its quantity.
fn rest(told: Told, copied: &CopiedReport<'_>) -> Told {
    match copied.copy.report {
        Outbound::SystemEvent(SystemEvent { event, .. }, _) => {
            Told { report: "system", reason: Some(codes::system_event::text(*event)), ..told }
        }
        Outbound::Rejected(it, _) => Told {
            report: "rejected",
            user_ref_num: Some(it.user_ref_num.get()),
            reason: Some(codes::reject_text(it.reason.get())),
            client_order_id: Some(text(&it.cl_ord_id)),
            ..told
        },
        Outbound::CancelReject(it, _) => {
            let user_ref_num = Some(it.user_ref_num.get());
            Told { report: "cancel-rejected", user_ref_num, ..told }
        }
        Outbound::Restated(it, _) => {
            let options = copied.copy.report.options().unwrap_or_default();
            let usual = Units::default();
            Told {
                report: "restated",
                user_ref_num: Some(it.user_ref_num.get()),
                quantity: options.display_quantity.map(|open| usual.qty(open.into())),
                price: options.display_price.map(|price| usual.price(price)),
                ..told
            }
        }
        Outbound::AccountQueryResponse(it, _) => {
            let user_ref_num = Some(it.next_user_ref_num.get());
            Told { report: "next-number", user_ref_num, ..told }
        }
        Outbound::MassCancelResponse(it, _) => {
            let user_ref_num = Some(it.user_ref_num.get());
            let (firm, symbol) = (Some(text(&it.firm)), Some(text(&it.symbol)));
            Told { report: "mass-cancel", user_ref_num, firm, symbol, ..told }
        }
        Outbound::DisableResponse(it, _) => {
            let (user_ref_num, firm) = (Some(it.user_ref_num.get()), Some(text(&it.firm)));
            Told { report: "entry-disabled", user_ref_num, firm, ..told }
        }
        Outbound::EnableResponse(it, _) => {
            let (user_ref_num, firm) = (Some(it.user_ref_num.get()), Some(text(&it.firm)));
            Told { report: "entry-enabled", user_ref_num, firm, ..told }
        }
        Outbound::BrokenTrade(it, _) => Told {
            report: "broken",
            user_ref_num: Some(it.user_ref_num.get()),
            match_number: Some(it.match_number.get().to_string()),
            reason: Some(codes::broken_reason::text(it.reason)),
            ..told
        },
        // No version of the venue sends what is left.
        _ => Told { report: "other", ..told },
    }
}

/// The time of a report; every one begins with type and time.
fn stamp(report: &Outbound<'_>) -> u64 {
    match report {
        Outbound::SystemEvent(it, _) => it.timestamp_ns.get(),
        Outbound::Accepted(it, _) => it.timestamp_ns.get(),
        Outbound::Replaced(it, _) => it.timestamp_ns.get(),
        Outbound::Canceled(it, _) => it.timestamp_ns.get(),
        Outbound::AiqCanceled(it, _) => it.timestamp_ns.get(),
        Outbound::Executed(it, _) => it.timestamp_ns.get(),
        Outbound::BrokenTrade(it, _) => it.timestamp_ns.get(),
        Outbound::TradeCorrection(it, _) => it.timestamp_ns.get(),
        Outbound::Rejected(it, _) => it.timestamp_ns.get(),
        Outbound::CancelPending(it, _) => it.timestamp_ns.get(),
        Outbound::CancelReject(it, _) => it.timestamp_ns.get(),
        Outbound::PriorityUpdate(it, _) => it.timestamp_ns.get(),
        Outbound::Modified(it, _) => it.timestamp_ns.get(),
        Outbound::Restated(it, _) => it.timestamp_ns.get(),
        Outbound::AccountQueryResponse(it, _) => it.timestamp_ns.get(),
        Outbound::MassCancelResponse(it, _) => it.timestamp_ns.get(),
        Outbound::DisableResponse(it, _) => it.timestamp_ns.get(),
        Outbound::EnableResponse(it, _) => it.timestamp_ns.get(),
    }
}

fn side(code: u8) -> Option<&'static str> {
    Side::from_wire(code).map(side_word)
}

fn price_text(units: Units, price: u64) -> String {
    if codes::is_market_price(price) { "market".to_owned() } else { units.price(price) }
}

fn text(field: &[u8]) -> String {
    String::from_utf8_lossy(trim(field)).into_owned()
}
