//! Price-time priority alone, on an ordered map of lists: the book that any standard library gives.
//!
//! [`Naive`](super::Naive) states every rule and searches from the front, which ends at some
//! thousand orders. This one has limit orders only, under ids of the caller's, and finds an order
//! in a table; it judges and paces books of a million orders.

use std::collections::BTreeMap;

use crate::types::{Side, crosses};

/// No order.
const NONE: u32 = u32::MAX;

/// A trade at the maker's price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trade {
    /// Id of the order that stood.
    pub maker: u32,
    /// Id of the order that came.
    pub taker: u32,
    /// The maker's price.
    pub px: u32,
    /// Quantity.
    pub qty: u32,
    /// What the maker has left.
    pub maker_open: u32,
}

/// An order as it stands; `open` is 0 of one that does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The book it is in, from 0.
    pub symbol: u16,
    /// Its side.
    pub side: Side,
    /// Its price.
    pub px: u32,
    /// Open quantity.
    pub open: u32,
}

/// An order and its neighbours in the queue of its price.
#[derive(Clone, Copy, Debug)]
struct Node {
    standing: Standing,
    next: u32,
    prev: u32,
}

/// First and last order of a price.
#[derive(Clone, Copy, Debug)]
struct Queue {
    first: u32,
    last: u32,
}

#[derive(Clone, Debug, Default)]
struct Sides {
    bids: BTreeMap<u32, Queue>,
    asks: BTreeMap<u32, Queue>,
}

impl Sides {
    const fn levels(&mut self, side: Side) -> &mut BTreeMap<u32, Queue> {
        match side {
            Side::Bid => &mut self.bids,
            Side::Ask => &mut self.asks,
        }
    }

    fn best(&self, side: Side) -> Option<(u32, Queue)> {
        let best = match side {
            Side::Bid => self.bids.last_key_value(),
            Side::Ask => self.asks.first_key_value(),
        };
        best.map(|(px, queue)| (*px, *queue))
    }
}

/// Books without any cleverness.
#[derive(Clone, Debug)]
pub struct Plain {
    books: Vec<Sides>,
    /// By id.
    nodes: Vec<Node>,
}

impl Plain {
    /// Empty books for the symbols below `symbols` and the ids up to `highest_id`.
    #[must_use]
    pub fn new(symbols: usize, highest_id: usize) -> Self {
        let standing = Standing { symbol: 0, side: Side::Bid, px: 0, open: 0 };
        let node = Node { standing, next: NONE, prev: NONE };
        Self { books: vec![Sides::default(); symbols], nodes: vec![node; highest_id + 1] }
    }

    /// An order comes: trades, and rests with what is left if it `may_rest`. Its id is new.
    pub fn enter(
        &mut self,
        id: u32,
        order: Standing,
        may_rest: bool,
        trades: &mut impl FnMut(Trade),
    ) {
        let mut order = order;
        self.take(id, &mut order, trades);
        if may_rest && 0 < order.open {
            self.rest(id, order);
        }
    }

    /// Takes an order off the book, if it stands.
    pub fn cancel(&mut self, id: u32) {
        if 0 < self.standing(id).open {
            self.unlink(id);
        }
    }

    /// Gives an order that stands another price; it goes to the end of the queue, or trades.
    pub fn reprice(&mut self, id: u32, px: u32, trades: &mut impl FnMut(Trade)) {
        let standing = self.standing(id);
        if 0 < standing.open {
            self.unlink(id);
            self.enter(id, Standing { px, ..standing }, true, trades);
        }
    }

    /// The order, or what was last known of it.
    #[must_use]
    pub fn standing(&self, id: u32) -> Standing {
        self.nodes[id as usize].standing
    }

    /// The best price of a side.
    #[must_use]
    pub fn best(&self, symbol: u16, side: Side) -> Option<u32> {
        self.books[usize::from(symbol)].best(side).map(|(px, _)| px)
    }

    /// Prices at which something stands, of one symbol.
    #[must_use]
    pub fn levels_count(&self, symbol: u16) -> usize {
        let sides = &self.books[usize::from(symbol)];
        sides.bids.len() + sides.asks.len()
    }

    fn take(&mut self, id: u32, order: &mut Standing, trades: &mut impl FnMut(Trade)) {
        while 0 < order.open {
            let best = self.books[usize::from(order.symbol)].best(order.side.opposite());
            let Some((px, Queue { first: maker, .. })) = best else { return };
            if !crosses(order.side, order.px, px) {
                return;
            }
            let standing = &mut self.nodes[maker as usize].standing;
            let qty = order.open.min(standing.open);
            let maker_open = standing.open - qty;
            order.open -= qty;
            if maker_open == 0 {
                self.unlink(maker);
            } else {
                standing.open = maker_open;
            }
            trades(Trade { maker, taker: id, px, qty, maker_open });
        }
    }

    fn rest(&mut self, id: u32, standing: Standing) {
        let levels = self.books[usize::from(standing.symbol)].levels(standing.side);
        let queue = levels.entry(standing.px).or_insert(Queue { first: id, last: NONE });
        let prev = queue.last;
        queue.last = id;
        self.nodes[id as usize] = Node { standing, next: NONE, prev };
        if prev != NONE {
            self.nodes[prev as usize].next = id;
        }
    }

    fn unlink(&mut self, id: u32) {
        let node = &mut self.nodes[id as usize];
        let Node { standing, next, prev } = *node;
        node.standing.open = 0;
        if prev != NONE {
            self.nodes[prev as usize].next = next;
        }
        if next != NONE {
            self.nodes[next as usize].prev = prev;
        }
        let levels = self.books[usize::from(standing.symbol)].levels(standing.side);
        if prev == NONE && next == NONE {
            levels.remove(&standing.px);
        } else if let Some(queue) = levels.get_mut(&standing.px) {
            if prev == NONE {
                queue.first = next;
            }
            if next == NONE {
                queue.last = prev;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn order(side: Side, open: u32, px: u32) -> Standing {
        Standing { symbol: 0, side, px, open }
    }

    fn say(run: impl FnOnce(&mut dyn FnMut(Trade))) -> Vec<(u32, u32, u32)> {
        let mut said = Vec::new();
        run(&mut |trade| said.push((trade.maker, trade.px, trade.qty)));
        said
    }

    #[test]
    fn queue_is_first_in_first_out_over_cancel_and_reprice() {
        let mut book = Plain::new(1, 9);
        for id in 1..=4 {
            book.enter(id, order(Side::Ask, 10, 100), true, &mut |_| ());
        }
        book.cancel(2);
        book.reprice(1, 100, &mut |_| ());
        let bid = order(Side::Bid, 25, 100);
        let said = say(|mut trades| book.enter(5, bid, true, &mut trades));
        assert_eq!(said, [(3, 100, 10), (4, 100, 10), (1, 100, 5)]);
        assert_eq!(book.standing(1).open, 5);
        assert_eq!(book.levels_count(0), 1);
    }

    #[test]
    fn sweep_stops_at_the_limit_and_rests_only_if_it_may() {
        let mut book = Plain::new(1, 9);
        for (id, px) in [(1, 100), (2, 101), (3, 102)] {
            book.enter(id, order(Side::Bid, 10, px), true, &mut |_| ());
        }
        let ask = order(Side::Ask, 30, 101);
        let said = say(|mut trades| book.enter(4, ask, false, &mut trades));
        assert_eq!(said, [(3, 102, 10), (2, 101, 10)]);
        assert_eq!((book.best(0, Side::Bid), book.best(0, Side::Ask)), (Some(100), None));
        let said = say(|mut trades| book.reprice(4, 1, &mut trades));
        assert_eq!(said, [], "an order that does not stand is not moved");
    }
}
