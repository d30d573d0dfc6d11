//! The naive book as a contender, and as the judge.

use std::hint::black_box;

use uncross_engine::naive::plain::{Plain, Standing, Trade};

use super::{
    contest::Contender,
    plan::Plan,
    workload::{Op, Record, Tally},
};

/// Lets a book carry out a command.
pub(super) fn say(book: &mut Plain, record: &Record, trades: &mut impl FnMut(Trade)) {
    let Record { op, side, symbol, qty, px, id, .. } = *record;
    let order = Standing { symbol, side, px, open: qty };
    match op {
        Op::Limit => book.enter(id, order, true, trades),
        Op::Ioc => book.enter(id, order, false, trades),
        Op::Cancel => book.cancel(id),
        Op::Move => book.reprice(id, px, trades),
    }
}

/// Counts a trade.
pub(super) const fn tell(trade: Trade, tally: &mut Tally) {
    let Trade { maker, taker, px, qty, .. } = trade;
    tally.add(maker as u64, taker as u64, px as u64, qty as u64);
}

/// An ordered map of lists from the standard library, without sessions, limits and events.
#[derive(Debug)]
pub(super) struct Naive<'a> {
    records: &'a [Record],
    book: Plain,
    trades: u64,
}

impl<'a> Contender<'a> for Naive<'a> {
    fn new(plan: &'a Plan) -> Self {
        let workload = &plan.workload;
        let book = Plain::new(usize::from(workload.symbols), workload.highest_id as usize);
        Self { records: &workload.records, book, trades: 0 }
    }

    #[inline]
    fn apply(&mut self, at: usize) {
        let trades = &mut self.trades;
        say(&mut self.book, &self.records[at], &mut |trade| {
            black_box(trade);
            *trades += 1;
        });
    }

    fn tally(&mut self, at: usize, tally: &mut Tally) {
        let trades = &mut self.trades;
        say(&mut self.book, &self.records[at], &mut |trade| {
            *trades += 1;
            tell(trade, tally);
        });
    }

    fn outcomes(&self) -> u64 {
        self.trades
    }
}
