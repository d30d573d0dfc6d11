//! The hot threads of a venue: what they share, how they are wired, how they end.

use std::{
    io,
    sync::{Arc, atomic::AtomicBool},
    thread::{self, JoinHandle},
    time::Duration,
};

use mio::{Interest, Poll, Registry, Token, Waker};
use rtrb::Consumer;
use uncross_journal::OnDurable;

use crate::{
    affinity::{Cpus, Plan, ThreadPlan, Wiring},
    clock::Clock,
    core_loop::Core,
    doors::Doors,
    notice::Notices,
    outbound::Outbound,
    publisher::{Delay, Publisher},
    reactor::{Common, CoreLoop, GatewayLoop, Left, PublisherLoop, Reactor, ReactorError, WAKER},
    ring::Slot,
    waiting::{Alarm, Waiter},
};

/// Where a hot thread polls and how it is woken; made before anybody could ring.
#[derive(Debug)]
struct Station {
    plan: ThreadPlan,
    poll: Poll,
    alarm: Arc<Alarm>,
}

impl Station {
    fn new(plan: ThreadPlan) -> io::Result<Self> {
        let poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), Token(WAKER))?;
        Ok(Self { plan, poll, alarm: Arc::new(Alarm::new(waker)) })
    }
}

/// The stations of one layout.
#[derive(Debug)]
enum Stations {
    Fused(Station),
    Split { core: Station, gateway: Station, publisher: Station },
}

/// Everything that is needed to wire the threads before they start.
#[derive(Debug)]
pub(super) struct Wires {
    stations: Stations,
    cpus: Cpus,
    spin: Duration,
    sleep_max: Duration,
}

/// The parts that the threads run.
#[derive(Debug)]
pub(super) struct Halves {
    pub(super) doors: Doors,
    pub(super) core: Core,
    pub(super) consumer: Consumer<Slot>,
    pub(super) outbound: Outbound,
    pub(super) publisher: Publisher,
    pub(super) clock: Clock,
    pub(super) notices: Notices,
}

type Handle = JoinHandle<(Left, Result<(), ReactorError>)>;

/// The running threads.
#[derive(Debug)]
pub(super) struct Threads {
    handles: Vec<Handle>,
    common: Common,
}

/// Why the threads have not ended well.
#[derive(Debug)]
pub(super) enum Failed {
    /// One of them said so.
    Reactor(ReactorError),
    /// One of them panicked.
    Panicked,
}

impl Wires {
    /// Makes the stations that `plan` asks for.
    ///
    /// # Errors
    ///
    /// The system has no more polls or event descriptors.
    pub(super) fn new(
        plan: &Plan,
        cpus: Cpus,
        spin: Duration,
        sleep_max: Duration,
    ) -> io::Result<Self> {
        let mut threads = plan.threads.iter().cloned();
        let mut next = || {
            let thread = threads.next().ok_or_else(|| io::Error::other("a thread has no plan"))?;
            Station::new(thread)
        };
        let stations = match plan.wiring {
            Wiring::Fused => Stations::Fused(next()?),
            Wiring::Split => {
                Stations::Split { core: next()?, gateway: next()?, publisher: next()? }
            }
        };
        Ok(Self { stations, cpus, spin, sleep_max })
    }

    fn alarms(&self) -> Vec<Arc<Alarm>> {
        match &self.stations {
            Stations::Fused(one) => vec![Arc::clone(&one.alarm)],
            Stations::Split { core, gateway, publisher } => {
                [core, gateway, publisher].map(|station| Arc::clone(&station.alarm)).to_vec()
            }
        }
    }

    /// Wakes those who wait for the journal: who sends, and at level `sync` who matches.
    pub(super) fn on_durable(&self) -> OnDurable {
        let alarms = match &self.stations {
            Stations::Fused(one) => vec![Arc::clone(&one.alarm)],
            Stations::Split { core, publisher, .. } => {
                vec![Arc::clone(&publisher.alarm), Arc::clone(&core.alarm)]
            }
        };
        OnDurable(Arc::new(move || alarms.iter().for_each(|alarm| alarm.ring())))
    }

    fn gateway(&self) -> &Station {
        match &self.stations {
            Stations::Fused(one) => one,
            Stations::Split { gateway, .. } => gateway,
        }
    }

    /// Wakes the gateway.
    pub(super) fn gateway_alarm(&self) -> Arc<Alarm> {
        Arc::clone(&self.gateway().alarm)
    }

    /// Where the gateway polls.
    pub(super) fn gateway_registry(&self) -> &Registry {
        self.gateway().poll.registry()
    }

    /// What of a socket is watched where the gateway polls.
    pub(super) fn gateway_interest(&self) -> Interest {
        match self.stations {
            Stations::Fused(_) => Interest::READABLE | Interest::WRITABLE,
            Stations::Split { .. } => Interest::READABLE,
        }
    }

    /// Where the publisher watches sockets, if the gateway does not do it for both.
    ///
    /// # Errors
    ///
    /// The system has no descriptor for it.
    pub(super) fn publisher_registry(&self) -> io::Result<Option<Registry>> {
        match &self.stations {
            Stations::Fused(_) => Ok(None),
            Stations::Split { publisher, .. } => publisher.poll.registry().try_clone().map(Some),
        }
    }

    /// Starts the threads.
    ///
    /// # Errors
    ///
    /// A thread could not be started; those that were end again.
    pub(super) fn start(self, halves: Halves) -> io::Result<Threads> {
        let alarms = self.alarms();
        let Self { stations, cpus, spin, sleep_max } = self;
        let Halves { doors, core, consumer, outbound, publisher, clock, notices } = halves;
        let should_stop = Arc::new(AtomicBool::new(false));
        let common = Common { should_stop, alarms, notices, pulse: core.pulse() };
        let mut threads = Threads { handles: Vec::new(), common: common.clone() };
        let waiter = |plan: &ThreadPlan| Waiter::new(plan.wait, spin, sleep_max);
        match stations {
            Stations::Fused(Station { plan, poll, alarm }) => {
                let waiter = waiter(&plan);
                let reactor = Reactor {
                    poll,
                    alarm,
                    doors,
                    core,
                    consumer,
                    outbound,
                    publisher,
                    clock,
                    waiter,
                    common,
                };
                threads.spawn(&plan, &cpus, || reactor.run())?;
            }
            Stations::Split { core: middle, gateway: front, publisher: back } => {
                let alarms = [&middle, &front, &back].map(|station| Arc::clone(&station.alarm));
                let [core_alarm, gateway_alarm, publisher_alarm] = alarms;
                let last = PublisherLoop {
                    poll: back.poll,
                    alarm: back.alarm,
                    publisher,
                    gateway: Arc::clone(&gateway_alarm),
                    core: Arc::clone(&core_alarm),
                    clock: Clock::new(),
                    waiter: waiter(&back.plan),
                    common: common.clone(),
                };
                threads.spawn(&back.plan, &cpus, || last.run())?;
                let middle_loop = CoreLoop {
                    poll: middle.poll,
                    alarm: middle.alarm,
                    core,
                    consumer,
                    outbound,
                    gateway: gateway_alarm,
                    publisher: Arc::clone(&publisher_alarm),
                    clock,
                    waiter: waiter(&middle.plan),
                    common: common.clone(),
                };
                threads.spawn(&middle.plan, &cpus, || middle_loop.run())?;
                let first = GatewayLoop {
                    poll: front.poll,
                    alarm: front.alarm,
                    doors,
                    core: core_alarm,
                    publisher: publisher_alarm,
                    clock: Clock::new(),
                    waiter: waiter(&front.plan),
                    common,
                };
                threads.spawn(&front.plan, &cpus, || first.run())?;
            }
        }
        Ok(threads)
    }
}

/// Ends all threads when one of them ends, also by a panic.
struct EndsAll(Common);

impl Drop for EndsAll {
    fn drop(&mut self) {
        self.0.stop();
    }
}

impl Threads {
    fn spawn(
        &mut self,
        plan: &ThreadPlan,
        cpus: &Cpus,
        run: impl FnOnce() -> (Left, Result<(), ReactorError>) + Send + 'static,
    ) -> io::Result<()> {
        let (cpu, cpus, ends_all) = (plan.cpu, cpus.clone(), EndsAll(self.common.clone()));
        let body = move || {
            let _ends_all = ends_all;
            if let Some(cpu) = cpu {
                // Unpinned it runs all the same; the plan is told to the operator as the intent.
                let _is_pinned = cpus.pin(cpu);
            }
            run()
        };
        match thread::Builder::new().name(plan.name.to_owned()).spawn(body) {
            Ok(handle) => {
                self.handles.push(handle);
                Ok(())
            }
            Err(error) => {
                self.common.stop();
                Err(error)
            }
        }
    }

    pub(super) fn are_running(&self) -> bool {
        !self.handles.iter().any(JoinHandle::is_finished)
    }

    /// Ends the threads and gives the core back, and how late market data was.
    pub(super) fn stop(self) -> Result<(Core, Delay), Failed> {
        self.common.stop();
        let (mut core, mut delay, mut result) = (None, None, Ok(()));
        for handle in self.handles {
            match handle.join() {
                Ok((left, ended)) => {
                    core = core.or(left.core);
                    delay = delay.or(left.delay);
                    result = result.and(ended.map_err(Failed::Reactor));
                }
                Err(_panic) => result = Err(Failed::Panicked),
            }
        }
        result?;
        core.zip(delay).ok_or(Failed::Panicked)
    }
}
