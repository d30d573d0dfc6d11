//! Synthetic brokers: sessions over TCP that do what [`flow`](super::flow) says, at a given rate.
//!
//! Latency counts from the moment at which an order was due, not from when it was sent, so that a
//! stall is seen by every order it delays.

use std::{
    collections::{HashMap, VecDeque},
    time::{Duration, Instant},
};

use hdrhistogram::Histogram;
use uncross_client::{
    ConnectOptions, Error, NewOrder, OrderSession, Replacement, Report, Side, Symbol, TimeInForce,
    wire::ouch::{codes, outbound::Outbound},
};

use super::flow::{Act, Market, Terms, Way};

/// Resting orders a taker keeps; beyond it the oldest is withdrawn.
const LEFT_MAX: usize = 200;
/// Messages sent between two looks at what came back.
const SENT_PER_LOOK: usize = 16;

/// What the brokers did and saw.
#[derive(Debug)]
pub(crate) struct Tally {
    pub(crate) orders: u64,
    pub(crate) accepted: u64,
    pub(crate) rejected: u64,
    pub(crate) replaced: u64,
    pub(crate) trades: u64,
    /// Nanoseconds from due to answered, of every order and replace.
    pub(crate) latency: Histogram<u64>,
}

impl Tally {
    fn new() -> Result<Self, hdrhistogram::CreationError> {
        // Three digits from a nanosecond up; a minute is the longest that is told apart.
        let latency = Histogram::new_with_bounds(1, 60_000_000_000, 3)?;
        Ok(Self { orders: 0, accepted: 0, rejected: 0, replaced: 0, trades: 0, latency })
    }
}

/// An order under way or alive.
#[derive(Clone, Copy, Debug)]
struct Live {
    market: usize,
    /// The maker's quote it stands for.
    quote: Option<usize>,
    due: Instant,
    open: u32,
    /// The order it is to replace.
    replaces: Option<u32>,
}

/// One of the maker's quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Quote {
    Absent,
    /// Sent, not answered.
    Pending,
    Standing(u32),
}

#[derive(Debug)]
struct Broker {
    session: OrderSession,
    books: Books,
    /// A taker's resting orders, oldest first.
    left: VecDeque<u32>,
}

/// What a broker knows of its orders.
#[derive(Debug, Default)]
struct Books {
    orders: HashMap<u32, Live>,
    quotes: HashMap<(usize, usize), Quote>,
    /// Orders and replaces that must still be answered.
    awaited: u64,
}

/// All brokers and the markets they trade in.
#[derive(Debug)]
pub(crate) struct Brokers {
    makers: Vec<Broker>,
    takers: Vec<Broker>,
    markets: Vec<(Symbol, Market)>,
    turn: usize,
    pub(crate) tally: Tally,
}

/// Why the brokers stopped.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BrokerError {
    #[error(transparent)]
    Client(#[from] Error),
    #[error("histogram: {0}")]
    Histogram(#[from] hdrhistogram::CreationError),
    #[error("{missing} orders were not answered within {after:?}")]
    Unanswered { missing: u64, after: Duration },
}

impl Brokers {
    /// Logs everybody in: makers share the markets among them, takers go everywhere.
    pub(crate) fn connect(
        makers: &[ConnectOptions],
        takers: &[ConnectOptions],
        markets: Vec<(Symbol, Market)>,
    ) -> Result<Self, BrokerError> {
        let connect = |options: &[ConnectOptions]| {
            options.iter().map(Broker::connect).collect::<Result<Vec<_>, _>>()
        };
        let (makers, takers) = (connect(makers)?, connect(takers)?);
        Ok(Self { makers, takers, markets, turn: 0, tally: Tally::new()? })
    }

    /// Does what is due: one act every `interval` since `due`, up to `now`. Returns the next due.
    pub(crate) fn act_until(
        &mut self,
        mut due: Instant,
        now: Instant,
        interval: Duration,
    ) -> Result<Instant, BrokerError> {
        let mut sent = 0;
        while due <= now && sent < SENT_PER_LOOK {
            self.act(due)?;
            due += interval;
            sent += 1;
        }
        for broker in self.makers.iter_mut().chain(&mut self.takers) {
            broker.session.flush()?;
        }
        self.look_for_answers()?;
        Ok(due)
    }

    fn act(&mut self, due: Instant) -> Result<(), BrokerError> {
        self.turn += 1;
        let at = self.turn % self.markets.len();
        let makers = self.makers.len();
        let taker = self.turn / self.markets.len() % self.takers.len();
        let (symbol, market) = &mut self.markets[at];
        let tally = &mut self.tally;
        match market.next() {
            Act::Quote { quote, terms } => {
                self.makers[at % makers].quote((at, quote), *symbol, terms, due, tally)?;
            }
            Act::Take(terms) => {
                let order = NewOrder {
                    time_in_force: TimeInForce::ImmediateOrCancel,
                    ..order(*symbol, terms)
                };
                self.takers[taker].enter(&order, at, None, due, tally)?;
            }
            Act::Leave(terms) => {
                let order = order(*symbol, terms);
                let broker = &mut self.takers[taker];
                let number = broker.enter(&order, at, None, due, tally)?;
                broker.left.push_back(number);
                if LEFT_MAX < broker.left.len() {
                    broker.withdraw()?;
                }
            }
            Act::Withdraw => self.takers[taker].withdraw()?,
        }
        Ok(())
    }

    /// Takes in every report that is there.
    pub(crate) fn look(&mut self) -> Result<(), BrokerError> {
        for broker in self.makers.iter_mut().chain(&mut self.takers) {
            broker.look(&mut self.tally)?;
        }
        Ok(())
    }

    /// Takes in the reports of brokers that await answers; `false` when none does.
    pub(crate) fn look_for_answers(&mut self) -> Result<bool, BrokerError> {
        let mut is_awaiting = false;
        for broker in self.makers.iter_mut().chain(&mut self.takers) {
            if 0 < broker.books.awaited {
                broker.look(&mut self.tally)?;
                is_awaiting |= 0 < broker.books.awaited;
            }
        }
        Ok(is_awaiting)
    }

    /// Waits until every order is answered, then logs everybody out.
    pub(crate) fn finish(mut self, patience: Duration) -> Result<Tally, BrokerError> {
        let start = Instant::now();
        loop {
            self.look()?;
            let answered = self.tally.accepted + self.tally.rejected;
            if answered == self.tally.orders {
                break;
            }
            if patience < start.elapsed() {
                let missing = self.tally.orders - answered;
                return Err(BrokerError::Unanswered { missing, after: patience });
            }
        }
        for broker in self.makers.into_iter().chain(self.takers) {
            broker.session.logout()?;
        }
        Ok(self.tally)
    }
}

fn order(symbol: Symbol, terms: Terms) -> NewOrder {
    let side = match terms.way {
        Way::Buy => Side::Buy,
        Way::Sell => Side::Sell,
    };
    NewOrder::limit(side, symbol, terms.quantity, terms.price)
}

impl Broker {
    fn connect(options: &ConnectOptions) -> Result<Self, Error> {
        let mut session = OrderSession::connect(options)?;
        session.orders().set_batching(true);
        Ok(Self { session, books: Books::default(), left: VecDeque::new() })
    }

    fn enter(
        &mut self,
        order: &NewOrder,
        market: usize,
        quote: Option<usize>,
        due: Instant,
        tally: &mut Tally,
    ) -> Result<u32, Error> {
        let number = self.session.enter(order)?;
        tally.orders += 1;
        self.books.awaited += 1;
        let open = order.quantity;
        self.books.orders.insert(number, Live { market, quote, due, open, replaces: None });
        Ok(number)
    }

    /// Renews a quote: enters it where there is none, replaces it where it stands, and leaves it
    /// alone while an answer is awaited.
    fn quote(
        &mut self,
        key: (usize, usize),
        symbol: Symbol,
        terms: Terms,
        due: Instant,
        tally: &mut Tally,
    ) -> Result<(), Error> {
        let (market, quote) = key;
        match self.books.quotes.get(&key).copied().unwrap_or(Quote::Absent) {
            Quote::Pending => return Ok(()),
            Quote::Absent => {
                self.enter(&order(symbol, terms), market, Some(quote), due, tally)?;
            }
            Quote::Standing(old) => {
                let replacement = Replacement::new(old, terms.quantity, terms.price);
                let number = self.session.replace(&replacement)?;
                self.books.awaited += 1;
                let (quote, replaces) = (Some(quote), Some(old));
                self.books.orders.insert(number, Live { market, quote, due, open: 0, replaces });
            }
        }
        self.books.quotes.insert(key, Quote::Pending);
        Ok(())
    }

    fn withdraw(&mut self) -> Result<(), Error> {
        while let Some(number) = self.left.pop_front() {
            if self.books.orders.contains_key(&number) {
                return self.session.cancel(number, 0);
            }
        }
        Ok(())
    }

    fn look(&mut self, tally: &mut Tally) -> Result<(), Error> {
        let mut now = None;
        while let Some(Report { message, .. }) = self.session.poll_report()? {
            let now = *now.get_or_insert_with(Instant::now);
            match message {
                Outbound::Accepted(it, _) => {
                    tally.accepted += 1;
                    let is_dead = it.state == codes::OrderState::Dead.to_wire();
                    let open = if is_dead { 0 } else { it.quantity.get() };
                    self.books.entered(it.user_ref_num.get(), open, now, tally);
                }
                Outbound::Replaced(it, _) => {
                    tally.replaced += 1;
                    self.books.orders.remove(&it.orig_user_ref_num.get());
                    self.books.entered(it.new_user_ref_num.get(), it.quantity.get(), now, tally);
                }
                Outbound::Rejected(it, _) => {
                    self.books.rejected(it.user_ref_num.get(), now, tally);
                }
                Outbound::Executed(it, _) => {
                    tally.trades += u64::from(it.liquidity == codes::liquidity::REMOVED);
                    self.books.reduced(it.user_ref_num.get(), it.quantity.get());
                }
                Outbound::Canceled(it, _) => {
                    self.books.reduced(it.user_ref_num.get(), it.quantity.get());
                }
                _ => {}
            }
        }
        Ok(())
    }
}

impl Books {
    /// An order was accepted, or stands in place of another.
    fn entered(&mut self, number: u32, open: u32, now: Instant, tally: &mut Tally) {
        let Some(live) = self.orders.get_mut(&number) else { return };
        (live.open, live.replaces) = (open, None);
        let live = *live;
        self.answered(&live, now, tally);
        self.settle(&live, Quote::Standing(number));
        if open == 0 {
            self.forget(number);
        }
    }

    fn rejected(&mut self, number: u32, now: Instant, tally: &mut Tally) {
        let Some(live) = self.orders.remove(&number) else { return };
        self.answered(&live, now, tally);
        tally.rejected += u64::from(live.replaces.is_none());
        self.settle(&live, live.replaces.map_or(Quote::Absent, Quote::Standing));
    }

    fn answered(&mut self, live: &Live, now: Instant, tally: &mut Tally) {
        self.awaited -= 1;
        let since = now.saturating_duration_since(live.due).as_nanos();
        tally.latency.saturating_record(u64::try_from(since).unwrap_or(u64::MAX));
    }

    fn settle(&mut self, live: &Live, state: Quote) {
        if let Some(quote) = live.quote {
            self.quotes.insert((live.market, quote), state);
        }
    }

    /// A quantity is off an order; it is forgotten when nothing is left.
    fn reduced(&mut self, number: u32, quantity: u32) {
        if let Some(live) = self.orders.get_mut(&number) {
            live.open = live.open.saturating_sub(quantity);
            if live.open == 0 {
                self.forget(number);
            }
        }
    }

    /// Forgets a dead order. A replace of it that is under way came too late and is never
    /// answered.
    fn forget(&mut self, number: u32) {
        let Some(live) = self.orders.remove(&number) else { return };
        self.settle(&live, Quote::Absent);
        if live.quote.is_some() {
            let before = self.orders.len();
            self.orders.retain(|_, other| other.replaces != Some(number));
            self.awaited -= (before - self.orders.len()) as u64;
        }
    }
}
