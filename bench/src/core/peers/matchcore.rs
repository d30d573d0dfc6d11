//! The crate `matchcore`: one book per symbol, commands in, outcomes out.
//!
//! It names orders by the number of the command that entered them, which is counted per book; these
//! numbers are worked out beforehand.

use std::hint::black_box;

use matchcore::{
    AmendCmd, AmendPatch, CancelCmd, Command, CommandKind, CommandMeta, CommandOutcome,
    CommandReport, LimitOrder, LimitOrderPatch, NewOrder, OrderBook, OrderFlags, OrderId,
    OrderKind, OrderOutcome, Price, Quantity, QuantityPolicy, SequenceNumber, Side, SubmitCmd,
    TimeInForce, Timestamp,
};
use uncross_engine::{
    naive::plain::{Plain, Standing},
    types,
};

use crate::core::{
    contest::Contender,
    plain::{say, tell},
    plan::Plan,
    workload::{Op, Record, Tally},
};

/// A command as its book is told it.
#[derive(Debug)]
struct Placed {
    symbol: u16,
    command: Command,
}

/// One book per symbol.
#[derive(Debug)]
pub(in crate::core) struct Matchcore<'a> {
    records: &'a [Record],
    books: Vec<OrderBook>,
    placed: Vec<Placed>,
    /// By symbol and the book's own number of an order: the id in the workload.
    ids: Vec<Vec<u32>>,
    trades: u64,
}

/// The command that the book counts as number `seq`, about its order number `order`.
fn command(record: &Record, seq: u32, order: u32) -> Command {
    let (seq, order_id) = (u64::from(seq), OrderId(u64::from(order)));
    let price = Price(u64::from(record.px));
    let kind = match record.op {
        Op::Limit | Op::Ioc => {
            let side = match record.side {
                types::Side::Bid => Side::Buy,
                types::Side::Ask => Side::Sell,
            };
            let time_in_force =
                if record.op == Op::Ioc { TimeInForce::Ioc } else { TimeInForce::Gtc };
            let quantity = Quantity(u64::from(record.qty));
            let flags = OrderFlags::new(side, false, time_in_force);
            let policy = QuantityPolicy::Standard { quantity };
            let order = NewOrder::Limit(LimitOrder::new(price, policy, flags));
            CommandKind::Submit(SubmitCmd { order })
        }
        Op::Cancel => CommandKind::Cancel(CancelCmd { order_id, order_kind: OrderKind::Limit }),
        Op::Move => {
            let patch = AmendPatch::Limit(LimitOrderPatch::new().with_price(price));
            CommandKind::Amend(AmendCmd { order_id, patch })
        }
    };
    let meta = CommandMeta { sequence_number: SequenceNumber(seq), timestamp: Timestamp(seq) };
    Command { meta, kind }
}

/// The order that came, if the command let it trade.
fn target(outcome: &CommandOutcome) -> Option<&OrderOutcome> {
    match outcome {
        CommandOutcome::Applied(CommandReport::Submit(effects) | CommandReport::Amend(effects)) => {
            Some(effects.target_order())
        }
        CommandOutcome::Applied(_) | CommandOutcome::Rejected(_) => None,
    }
}

impl<'a> Contender<'a> for Matchcore<'a> {
    fn new(plan: &'a Plan) -> Self {
        let symbols = usize::from(plan.workload.symbols);
        let mut ids: Vec<Vec<u32>> = vec![Vec::new(); symbols];
        let mut orders = vec![0; plan.workload.highest_id as usize + 1];
        let placed = plan.workload.records.iter().map(|record| {
            let of_book = &mut ids[usize::from(record.symbol)];
            let seq = u32::try_from(of_book.len()).unwrap_or(u32::MAX);
            of_book.push(record.id);
            let order = &mut orders[record.id as usize];
            if matches!(record.op, Op::Limit | Op::Ioc) {
                *order = seq;
            }
            Placed { symbol: record.symbol, command: command(record, seq, *order) }
        });
        let placed = placed.collect();
        let books = (0..symbols).map(|symbol| OrderBook::new(&format!("S{symbol}"))).collect();
        Self { records: &plan.workload.records, books, placed, ids, trades: 0 }
    }

    #[inline]
    fn apply(&mut self, at: usize) {
        let Placed { symbol, command } = &self.placed[at];
        let book = &mut self.books[usize::from(*symbol)];
        let outcome = black_box(book.execute(command));
        if let Some(result) = target(&outcome).and_then(OrderOutcome::match_result) {
            self.trades += result.trades().len() as u64;
        }
    }

    fn tally(&mut self, at: usize, tally: &mut Tally) {
        let Placed { symbol, command } = &self.placed[at];
        let symbol = usize::from(*symbol);
        let outcome = self.books[symbol].execute(command);
        let Some(result) = target(&outcome).and_then(OrderOutcome::match_result) else { return };
        for trade in result.trades() {
            let maker = usize::try_from(trade.maker_order_id().0).unwrap_or(usize::MAX);
            let maker = u64::from(self.ids[symbol][maker]);
            let (px, qty) = (trade.price().0, trade.quantity().0);
            tally.add(maker, u64::from(self.records[at].id), px, qty);
            self.trades += 1;
        }
    }

    fn outcomes(&self) -> u64 {
        self.trades
    }
}

/// What the naive book comes to when an order that crosses the best price trades at any price, as
/// this book lets it (its issue 167): whether that alone explains different sums.
pub(in crate::core) fn swept(plan: &Plan) -> Tally {
    let workload = &plan.workload;
    let mut book = Plain::new(usize::from(workload.symbols), workload.highest_id as usize);
    let mut tally = Tally::default();
    for (at, record) in workload.records.iter().enumerate() {
        if at == workload.untimed {
            tally = Tally::default();
        }
        let before = tally.trades;
        sweep(&mut book, record, &mut tally);
        tally.trading += u64::from(before < tally.trades);
    }
    tally
}

fn sweep(book: &mut Plain, record: &Record, tally: &mut Tally) {
    let Record { op, side, symbol, px, id, .. } = *record;
    let open = match op {
        Op::Limit | Op::Ioc => record.qty,
        Op::Move => book.standing(id).open,
        Op::Cancel => 0,
    };
    let best = book.best(symbol, side.opposite());
    let is_crossing = best.is_some_and(|best| types::crosses(side, px, best));
    if !is_crossing || open == 0 {
        return say(book, record, &mut |trade| tell(trade, tally));
    }
    book.cancel(id);
    let any_px = match side {
        types::Side::Bid => u32::MAX,
        types::Side::Ask => 0,
    };
    let mut left = open;
    let order = Standing { symbol, side, px: any_px, open };
    book.enter(id, order, false, &mut |trade| {
        left -= trade.qty;
        tell(trade, tally);
    });
    if op != Op::Ioc && 0 < left {
        book.enter(id, Standing { px, open: left, ..order }, true, &mut |_| ());
    }
}
