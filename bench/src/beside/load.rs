//! Brokers that order at a fixed rate, whatever the venue does, and the time to its answers.
//!
//! Orders are due in bursts, [`BURSTS_PER_S`] times a second, and each latency counts from when an
//! order was due. Between bursts the thread sleeps: on a machine of two processors it shares one
//! with the venue's helpers, whom a client that spins would starve. It runs whenever it wants to,
//! where the system lets it: brokers are on machines of their own, where nothing of a venue is in
//! their way.

use std::{
    num::NonZeroU64,
    os::fd::AsFd,
    time::{Duration, Instant},
};

use hdrhistogram::Histogram;
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    thread::set_current_timer_slack,
};
use thread_priority::{
    RealtimeThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy,
    set_thread_priority_and_policy, thread_native_id,
};
use uncross_client::{
    ConnectOptions, NewOrder, OrderSession, Side, Symbol, TimeInForce,
    wire::ouch::outbound::Outbound,
};

use super::BesideError;

/// Bursts a second.
pub(super) const BURSTS_PER_S: u64 = 4_000;
/// Orders of a broker for which there is room from the first one on.
const ORDERS_ROOM: usize = 1 << 20;
/// Longest wait for answers.
const PATIENCE: Duration = Duration::from_secs(10);
/// Longest latency that is told apart, in nanoseconds.
const LATENCY_MAX_NS: u64 = 60_000_000_000;

/// A broker: orders around a price that come, go and trade.
struct Broker {
    session: OrderSession,
    commands: u64,
    /// Standing orders, of which the oldest goes for each that comes.
    standing: u32,
    /// By the number of an order: when it was due, in nanoseconds since the beginning.
    due_ns: Vec<u64>,
}

impl Broker {
    /// In turn an order and the cancel of an older one; every tenth order takes.
    fn act(&mut self, symbol: Symbol, due_ns: u64) -> Result<bool, BesideError> {
        let turn = self.commands;
        self.commands += 1;
        let number = self.session.next_user_ref_num();
        let is_cancel = !turn.is_multiple_of(2);
        if let Some(old) = number.checked_sub(self.standing + 1).filter(|old| is_cancel && 0 < *old)
        {
            self.session.cancel(old, 0)?;
            return Ok(false);
        }
        let is_taker = number.is_multiple_of(10);
        // Bids below, asks above; who takes goes to the other side.
        let is_bid = (turn / 7).is_multiple_of(2);
        let away = turn % 61 * 100;
        let px = if is_bid == is_taker { 1_000_100 + away } else { 1_000_000 - away };
        let side = if is_bid { Side::Buy } else { Side::Sell };
        let mut order = NewOrder::limit(side, symbol, 100, px);
        if is_taker {
            order.time_in_force = TimeInForce::ImmediateOrCancel;
        }
        let number = self.session.enter(&order)?;
        self.due_ns.resize(number as usize + 1, 0);
        self.due_ns[number as usize] = due_ns;
        Ok(true)
    }
}

/// All brokers.
pub(super) struct Brokers {
    list: Vec<Broker>,
    are_first: bool,
    symbol: Symbol,
    start: Instant,
    turn: usize,
    /// Orders that are not answered yet.
    awaited: u64,
    latency: Histogram<u64>,
}

impl Brokers {
    /// Logs everybody in.
    pub(super) fn connect(
        logins: &[ConnectOptions],
        symbol: Symbol,
        standing: u32,
    ) -> Result<Self, BesideError> {
        // On Linux this is of the calling thread.
        let _is_exact = set_current_timer_slack(NonZeroU64::new(1));
        let policy = ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::Fifo);
        let are_first =
            set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Min, policy).is_ok();
        let connect = |options: &ConnectOptions| {
            let mut session = OrderSession::connect(options)?;
            session.orders().set_batching(true);
            session.reports().receiver().set_nonblocking(true)?;
            let due_ns = Vec::with_capacity(ORDERS_ROOM);
            Ok::<_, BesideError>(Broker { session, commands: 0, standing, due_ns })
        };
        Ok(Self {
            list: logins.iter().map(connect).collect::<Result<_, _>>()?,
            are_first,
            symbol,
            start: Instant::now(),
            turn: 0,
            awaited: 0,
            latency: histogram()?,
        })
    }

    /// Orders for so long at so many commands a second, and waits for the last answer. Returns the
    /// latencies of this stretch, in nanoseconds.
    pub(super) fn trade(
        &mut self,
        rate: u64,
        length: Duration,
    ) -> Result<Histogram<u64>, BesideError> {
        let begin_ns = self.now_ns() + 1_000_000;
        let bursts = length.as_secs() * BURSTS_PER_S
            + u64::from(length.subsec_millis()) * BURSTS_PER_S / 1_000;
        let mut sent = 0;
        for burst in 0..bursts {
            let due_ns = begin_ns + burst * 1_000_000_000 / BURSTS_PER_S;
            self.hear_until(due_ns)?;
            while sent < (burst + 1) * rate / BURSTS_PER_S {
                sent += 1;
                let turn = self.turn % self.list.len();
                self.turn += 1;
                let is_order = self.list[turn].act(self.symbol, due_ns)?;
                self.awaited += u64::from(is_order);
            }
            for broker in &mut self.list {
                broker.session.flush()?;
            }
        }
        let end = Instant::now();
        while 0 < self.awaited {
            if PATIENCE < end.elapsed() {
                return Err(BesideError::Unanswered { missing: self.awaited });
            }
            self.hear_until(self.now_ns() + 1_000_000)?;
        }
        Ok(std::mem::replace(&mut self.latency, histogram()?))
    }

    /// Whether this thread may run whenever it wants to.
    pub(super) const fn are_first(&self) -> bool {
        self.are_first
    }

    fn now_ns(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// Takes answers until `due_ns`, sleeping where there are none.
    fn hear_until(&mut self, due_ns: u64) -> Result<(), BesideError> {
        loop {
            // Once also when it is late already: answers that wait must not look later than they
            // came, and their senders must not be held up.
            let left_ns = due_ns.saturating_sub(self.now_ns());
            let sockets = self.list.iter_mut().map(|broker| broker.session.reports());
            let mut sockets: Vec<_> = sockets
                .map(|reports| {
                    PollFd::from_borrowed_fd(reports.receiver().stream().as_fd(), PollFlags::IN)
                })
                .collect();
            let timeout = Timespec {
                tv_sec: 0,
                tv_nsec: i64::try_from(left_ns.min(999_999_999)).unwrap_or(0),
            };
            let heard = poll(&mut sockets, Some(&timeout));
            let is_there: Vec<bool> =
                sockets.iter().map(|socket| !socket.revents().is_empty()).collect();
            match heard {
                Ok(0) | Err(rustix::io::Errno::INTR) => {}
                Ok(_) => self.hear(&is_there)?,
                Err(error) => return Err(BesideError::Poll(error.into())),
            }
            if left_ns == 0 {
                return Ok(());
            }
        }
    }

    /// One read of each socket on which something came.
    fn hear(&mut self, is_there: &[bool]) -> Result<(), BesideError> {
        let Self { list, start, awaited, latency, .. } = self;
        for (broker, _) in list.iter_mut().zip(is_there).filter(|(_, is_there)| **is_there) {
            broker.session.reports().receiver().fill()?;
            let now_ns = u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX);
            while let Some(report) = broker.session.reports().buffered_report()? {
                match report.message {
                    Outbound::Accepted(accepted, _) => {
                        let number = accepted.user_ref_num.get() as usize;
                        let due_ns = broker.due_ns.get(number).copied().unwrap_or(now_ns);
                        latency.saturating_record(now_ns.saturating_sub(due_ns));
                        *awaited -= 1;
                    }
                    Outbound::Rejected(rejected, _) => {
                        return Err(BesideError::Rejected { reason: rejected.reason.get() });
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }
}

pub(super) fn histogram() -> Result<Histogram<u64>, BesideError> {
    // Three digits.
    Ok(Histogram::new_with_bounds(1, LATENCY_MAX_NS, 3)?)
}
