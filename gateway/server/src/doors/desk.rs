//! Administrative acts: into the ring before anything else, and back to who ordered them.

use uncross_engine::{admin::ActOutcome, command::Act};

use super::Doors;
use crate::{desk::Reply, ring};

/// A symbol that an act is about to list.
#[derive(Clone, Copy, Debug)]
pub(super) struct Listing {
    request: u64,
    symbol: [u8; 8],
    id: u32,
}

impl Doors {
    /// Pushes the acts that wait; `false` when the ring has no room for one of them.
    pub(super) fn administer(&mut self) -> bool {
        while let Some(order) = self.desk.peek() {
            self.draft.set_admin(&order);
            if !ring::push(&mut self.producer, &self.draft) {
                self.is_starving = true;
                return false;
            }
            self.desk.take();
            self.has_pushed = true;
            if let Act::List(instrument) = order.act {
                let (symbol, id) = (instrument.symbol, instrument.id);
                self.listing.push_back(Listing { request: order.request, symbol, id });
            }
        }
        true
    }

    /// Answers an act. The symbol of an instrument that is listed now is known from here on: its
    /// listing is on the feed, so orders for it may come.
    pub(super) fn administered(&mut self, reply: Reply) {
        if self.listing.front().is_some_and(|listing| listing.request == reply.request)
            && let Some(Listing { symbol, id, .. }) = self.listing.pop_front()
            && reply.answer.outcome == ActOutcome::Done
        {
            self.symbols.insert(symbol, id);
        }
        self.desk.answer(reply);
    }
}
