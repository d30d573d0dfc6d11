//! Self-trade prevention: what happens instead of a trade of a firm with itself.
//!
//! The arriving order says whether and how; it meets makers one by one in the order of the queue.

use crate::{
    engine::{Engine, Taker},
    event::{Event, Prevented, Sink},
    matching::Shown,
    types::{Prevention, Strategy},
};

/// Something taken from an order, and what its owner is told of the trade that did not happen.
#[derive(Clone, Copy, Debug)]
struct Loss {
    qty: u32,
    prevented: u32,
    px: u32,
    code: u8,
}

impl Engine {
    /// What keeps `taker` from trading with the order at `maker`; `None` when they may trade.
    #[inline]
    pub(crate) fn prevention(&self, taker: Taker, maker: u32) -> Option<Prevention> {
        let prevention = taker.prevention?;
        self.is_own(taker, maker).then_some(prevention)
    }

    /// Whether `maker` belongs to the firm of `taker`, and to its group if it names one. A port
    /// without a firm is a firm of its own.
    fn is_own(&self, taker: Taker, maker: u32) -> bool {
        let port = self.store.arena.unit(taker.slot).port();
        let other = self.store.arena.unit(maker).port();
        let firm = |port: u16| self.ports[usize::from(port)].firm;
        let has_firm = firm(port) != *b"    ";
        let same_firm = port == other || (has_firm && firm(port) == firm(other));
        same_firm && (taker.group == 0 || taker.group == self.store.arena.group(maker))
    }

    /// Does what the strategy says to a taker and the maker it would trade with.
    pub(crate) fn prevent(
        &mut self,
        prevention: Prevention,
        taker: u32,
        maker: u32,
        sink: &mut impl Sink,
    ) {
        let Prevention { strategy, code } = prevention;
        let taker_open = self.store.arena.unit(taker).open;
        let (maker_open, px) = {
            let unit = self.store.arena.unit(maker);
            (unit.open, unit.px)
        };
        let prevented = taker_open.min(maker_open);
        let loss = Loss { qty: prevented, prevented, px, code };
        match strategy {
            Strategy::CancelOldest => {
                self.lose(maker, false, Loss { qty: maker_open, ..loss }, sink);
            }
            Strategy::CancelNewest => {
                self.lose(taker, true, Loss { qty: taker_open, ..loss }, sink);
            }
            Strategy::Decrement => {
                self.lose(maker, false, loss, sink);
                self.lose(taker, true, loss, sink);
            }
            Strategy::DecrementQuietly => {
                let loss = Loss { prevented: 0, px: 0, ..loss };
                self.lose(maker, false, loss, sink);
                self.lose(taker, true, loss, sink);
            }
        }
    }

    /// Takes a loss from an order and reports it; a maker without anything left ends. What becomes
    /// of the taker is decided where it trades.
    fn lose(&mut self, slot: u32, is_taker: bool, loss: Loss, sink: &mut impl Sink) {
        self.store.arena.decrement(slot, loss.qty);
        let unit = self.store.arena.unit(slot);
        let (open, book) = (unit.open, usize::from(unit.book));
        let shown = if is_taker { Shown::No } else { self.shown(slot) };
        sink.write(Event::prevented(Prevented {
            head: self.head(slot),
            order_ref: self.order_ref(slot),
            instrument: self.books[book].instrument.id,
            qty: loss.qty,
            open,
            prevented: loss.prevented,
            px: loss.px,
            taker: u8::from(is_taker),
            strategy: loss.code,
            shown: shown as u8,
            channel: self.store.arena.channel(slot),
            pad: [0; 16],
        }));
        if open == 0 && !is_taker {
            self.unrest(slot);
            self.store.arena.free_order(slot);
        }
    }
}
