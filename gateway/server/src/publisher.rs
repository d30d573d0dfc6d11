//! The publisher: events that may leave into streams, streams into sockets.
//!
//! One round takes at most [`EVENTS_PER_ROUND`] events, writes the reports they bring, then the
//! drop copies, then the market data, and only then goes on: nobody is served more than one round
//! ahead of the feed.

mod delay;

use std::{collections::VecDeque, os::fd::AsRawFd};

use mio::{Interest, Registry, Token, unix::SourceFd};
use uncross_engine::{event::Administered, limits::COPIED_FIRMS_MAX};
use uncross_wire::{IntoBytes, soup, text};

pub use self::delay::Delay;
use self::delay::Delays;
use crate::{
    clock::Clock,
    connection::Wish,
    desk::{Answer, Reply},
    egress::Egress,
    limits::EVENTS_PER_ROUND,
    notice::Closed,
    outbound::Release,
    outlet::{Outlet, Patience, Turn, Written},
    reactor::{FIRST_CONNECTION, ReactorError},
    streams::{FEED, StreamId, copies_slot},
    talk::{Ask, Join, Of, Tell, ToGateway},
};

/// What the operator may set about sending.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    pub(crate) heartbeat_ms: u64,
    pub(crate) patience: Patience,
}

/// Where in which stream a connection begins.
#[derive(Clone, Copy, Debug)]
struct Granted {
    entry: u16,
    stream: StreamId,
    position: usize,
    number: u64,
}

/// Everything behind the core.
#[derive(Debug)]
pub(crate) struct Publisher {
    egress: Egress,
    release: Release,
    gateway: ToGateway,
    /// Where the sockets are watched, when nobody else does for this half.
    registry: Option<Registry>,
    outlets: Vec<Option<Box<Outlet>>>,
    /// By port: the outlet that follows its stream.
    holders: Vec<Option<usize>>,
    /// Outlets that follow the feed.
    subscribers: Vec<usize>,
    /// By place of a firm: outlets that follow its drop copies.
    copied: Vec<Vec<usize>>,
    /// Where among those who share a stream the next round starts.
    first: usize,
    /// By [`Turn`]: outlets with something to send.
    queues: [VecDeque<usize>; Turn::ALL.len()],
    rules: Rules,
    delays: Delays,
}

impl Publisher {
    pub(crate) fn new(
        egress: Egress,
        release: Release,
        gateway: ToGateway,
        registry: Option<Registry>,
        rules: Rules,
        ports_max: u16,
    ) -> Self {
        Self {
            egress,
            release,
            gateway,
            registry,
            outlets: Vec::new(),
            holders: vec![None; usize::from(ports_max) + 1],
            subscribers: Vec::new(),
            copied: vec![Vec::new(); COPIED_FIRMS_MAX],
            first: 0,
            queues: Turn::ALL.map(|_| VecDeque::new()),
            rules,
            delays: Delays::new(),
        }
    }

    /// How long market data came behind the reports of the same rounds.
    pub(crate) fn delay(&self) -> Delay {
        self.delays.summary()
    }

    /// Whether there is something to do now.
    pub(crate) fn has_work(&mut self) -> bool {
        self.gateway.has_some()
            || self.queues.iter().any(|queue| !queue.is_empty())
            || self.release.has_some()
    }

    /// Notes that a socket became writable.
    pub(crate) fn note_writable(&mut self, id: usize) {
        if let Some(outlet) = self.get(id) {
            outlet.output.is_ready = true;
            self.queue(id);
        }
    }

    fn get(&mut self, id: usize) -> Option<&mut Outlet> {
        self.outlets.get_mut(id)?.as_deref_mut()
    }

    fn queue(&mut self, id: usize) {
        if let Some(outlet) = self.outlets.get_mut(id).and_then(Option::as_deref_mut)
            && !outlet.output.is_queued
            && outlet.output.is_ready
        {
            outlet.output.is_queued = true;
            self.queues[outlet.turn() as usize].push_back(id);
        }
    }

    /// One round: hears the gateway, takes events that may leave, sends. `true` when there was
    /// anything to do.
    ///
    /// # Errors
    ///
    /// The journal is poisoned, or a stream's file cannot grow: nothing more may leave.
    pub(crate) fn round(&mut self, clock: &Clock, now_ms: u64) -> Result<bool, ReactorError> {
        self.release.check()?;
        let was_asked = self.hear(now_ms);
        let (egress, gateway) = (&mut self.egress, &mut self.gateway);
        let taken = self.release.take(EVENTS_PER_ROUND, |event| {
            if let Some(administered) = event.as_administered() {
                gateway.tell(Tell::Administered(reply(administered)));
            }
            egress.write(event).map_err(ReactorError::from)
        })?;
        if 0 < taken {
            self.egress.streams.note_written();
        }
        let sent = self.send(clock, now_ms);
        Ok(was_asked || 0 < taken || sent)
    }

    fn hear(&mut self, now_ms: u64) -> bool {
        let mut was_asked = false;
        while let Some(ask) = self.gateway.asked() {
            was_asked = true;
            match ask {
                Ask::Open { id, socket, door } => self.open(id, Outlet::new(socket, door, now_ms)),
                Ask::Judge(Join { id, of, wish, .. }) => {
                    let session = self.egress.streams.session();
                    let judged = self.judge(of, &wish);
                    self.gateway.tell(match judged {
                        Ok(_) => Tell::Granted { id, session },
                        Err(why) => Tell::Refused { id, why },
                    });
                }
                Ask::Begin { join, session } => self.begin(join, session),
                Ask::Close { id, reason, rejection } => {
                    if let Some(rejection) = rejection
                        && let Some(outlet) = self.get(id)
                    {
                        outlet.say(soup::LOGIN_REJECTED, &[rejection.to_wire()]);
                    }
                    self.close(id, &reason, now_ms);
                }
            }
        }
        was_asked
    }

    fn open(&mut self, id: usize, outlet: Outlet) {
        let watched = self.registry.as_ref().map_or(Ok(()), |registry| {
            let fd = outlet.socket.as_raw_fd();
            let token = Token(FIRST_CONNECTION + id);
            registry.register(&mut SourceFd(&fd), token, Interest::WRITABLE)
        });
        while self.outlets.len() <= id {
            self.outlets.push(None);
        }
        // Every list gets room for all, so that none grows while they are served.
        let all = self.outlets.len();
        for queue in &mut self.queues {
            queue.reserve(all.saturating_sub(queue.len()));
        }
        self.subscribers.reserve(all.saturating_sub(self.subscribers.len()));
        self.outlets[id] = Some(Box::new(outlet));
        if watched.is_err() {
            self.over(id, Closed::Lost);
        }
    }

    /// What a wish would be granted.
    fn judge(&mut self, of: Of, wish: &Wish) -> Result<Granted, String> {
        let entry = match of {
            Of::Feed => FEED,
            Of::Port(port) => port,
            Of::Firm(firm) => self.egress.copies_of(firm).ok_or_else(|| {
                format!("the reports of firm {} are not copied", text::trim(&firm).escape_ascii())
            })?,
        };
        let streams = &mut self.egress.streams;
        let current = streams.session();
        let id = streams.current(entry);
        let stream = streams.stream(id);
        let Wish { sequence, session } = wish;
        let number = if *sequence == 0 { stream.next() } else { *sequence };
        let is_current = session.is_empty() || session.as_slice() == text::trim(&current);
        match stream.position(number).filter(|_| is_current) {
            Some(position) => Ok(Granted { entry, stream: id, position, number }),
            None => Err(format!(
                "session {} from {sequence} was asked for, {} up to {} is there",
                session.escape_ascii(),
                current.escape_ascii(),
                stream.next()
            )),
        }
    }

    /// Accepts a login and serves its stream, of which only what is durable is there yet.
    fn begin(&mut self, join: Join, granted: [u8; 10]) {
        let Join { id, of, wish, client_timeout_ms } = join;
        let session = self.egress.streams.session();
        if session != granted {
            let [old, new] = [granted, session].map(|name| name.escape_ascii().to_string());
            let why = format!("session {old} ended while it was granted, {new} is there");
            return self.gateway.tell(Tell::Refused { id, why });
        }
        let granted = match self.judge(of, &wish) {
            Ok(granted) => granted,
            Err(why) => return self.gateway.tell(Tell::Refused { id, why }),
        };
        let Granted { entry, stream, position, number } = granted;
        // What it follows decides whose turn it has.
        self.unqueue(id);
        let Some(outlet) = self.get(id) else { return };
        if let Some(accepted) = soup::LoginAccepted::new(text::trim(&session), number) {
            outlet.say(soup::LOGIN_ACCEPTED, accepted.as_bytes());
        }
        outlet.follow(entry, stream, position, client_timeout_ms);
        match copies_slot(entry) {
            Some(slot) => self.copied[usize::from(slot)].push(id),
            None if entry == FEED => self.subscribers.push(id),
            None => self.holders[usize::from(entry)] = Some(id),
        }
        self.egress.streams.follow(stream);
        self.queue(id);
    }

    /// Takes an outlet out of the queue it is in.
    fn unqueue(&mut self, id: usize) {
        let Some(outlet) = self.get(id) else { return };
        if core::mem::take(&mut outlet.output.is_queued) {
            let turn = outlet.turn();
            self.queues[turn as usize].retain(|&other| other != id);
        }
    }

    /// Tells the gateway, once, that a connection must end.
    fn over(&mut self, id: usize, reason: Closed) {
        let Some(outlet) = self.outlets.get_mut(id).and_then(Option::as_deref_mut) else { return };
        if !outlet.is_over {
            outlet.is_over = true;
            self.gateway.tell(Tell::Over { id, reason });
        }
    }

    /// Says the last words of a connection and forgets it.
    fn close(&mut self, id: usize, reason: &Closed, now_ms: u64) {
        self.unqueue(id);
        let outlet = self.outlets.get_mut(id).and_then(Option::take);
        let Some(mut outlet) = outlet else {
            return self.gateway.tell(Tell::Ended { id, is_broken: true });
        };
        let streams = &mut self.egress.streams;
        if outlet.is_level_with(streams) {
            match reason {
                Closed::SessionEnded => outlet.say(soup::END_OF_SESSION, &[]),
                Closed::Protocol(why) => outlet.say(soup::DEBUG, why.as_bytes()),
                _ => {}
            }
        }
        let is_broken = outlet.write(streams, now_ms) == Written::Gone || !outlet.shut();
        if let Some(stream) = outlet.stream_id() {
            streams.unfollow(stream);
            match copies_slot(outlet.entry) {
                Some(slot) => self.copied[usize::from(slot)].retain(|&other| other != id),
                None if outlet.entry == FEED => self.subscribers.retain(|&other| other != id),
                None => {
                    let holder = &mut self.holders[usize::from(outlet.entry)];
                    *holder = holder.filter(|&holder| holder != id);
                }
            }
        }
        if let Some(registry) = &self.registry {
            // The gateway still has it open, so it would stay watched. A failure means it is not.
            drop(registry.deregister(&mut SourceFd(&outlet.socket.as_raw_fd())));
        }
        drop(outlet);
        self.gateway.tell(Tell::Ended { id, is_broken });
    }

    /// Sends what the streams brought, each outlet a turn's worth.
    fn send(&mut self, clock: &Clock, now_ms: u64) -> bool {
        let is_measured = self.line_up();
        if self.queues.iter().all(VecDeque::is_empty) {
            return false;
        }
        let start_ns = if is_measured { clock.now_ns() } else { 0 };
        for turn in Turn::ALL {
            for _ in 0..self.queues[turn as usize].len() {
                let Some(id) = self.queues[turn as usize].pop_front() else { break };
                self.send_to(id, now_ms);
            }
        }
        if is_measured {
            self.delays.note(clock.now_ns().saturating_sub(start_ns));
        }
        true
    }

    /// Queues those whose streams grew: reports in the order in which they were caused, so that a
    /// maker is before its taker; of those who share a stream another one is first each time.
    /// `true` when there are both reports and market data.
    fn line_up(&mut self) -> bool {
        let mut has_reports = false;
        let mut has_feed = false;
        let mut has_shared = false;
        while let Some(entry) = self.egress.streams.take_grown() {
            if entry == FEED || copies_slot(entry).is_some() {
                self.first = self.first.wrapping_add(usize::from(!has_shared));
                has_shared = true;
            }
            if entry == FEED {
                has_feed = true;
                self.queue_sharers(|publisher| &publisher.subscribers);
            } else if let Some(slot) = copies_slot(entry) {
                self.queue_sharers(|publisher| &publisher.copied[usize::from(slot)]);
            } else if let Some(id) = self.holders[usize::from(entry)] {
                has_reports = true;
                self.queue(id);
            }
        }
        has_reports && has_feed && !self.queues[Turn::Feed as usize].is_empty()
    }

    fn queue_sharers(&mut self, sharers: impl Fn(&Self) -> &Vec<usize>) {
        let count = sharers(self).len();
        for position in 0..count {
            let at = (position + self.first % count) % count;
            self.queue(sharers(self)[at]);
        }
    }

    fn send_to(&mut self, id: usize, now_ms: u64) {
        let Some(outlet) = self.outlets.get_mut(id).and_then(Option::as_deref_mut) else { return };
        outlet.output.is_queued = false;
        let streams = &self.egress.streams;
        match outlet.write(streams, now_ms) {
            Written::All if outlet.is_at_end(streams) => self.over(id, Closed::SessionEnded),
            Written::All | Written::Blocked => {}
            Written::Some => self.queue(id),
            Written::Gone => self.over(id, Closed::Lost),
        }
    }

    /// Heartbeats, and subscribers that do not keep up.
    pub(crate) fn keep_house(&mut self, now_ms: u64) {
        let rules = self.rules;
        for id in 0..self.outlets.len() {
            let streams = &self.egress.streams;
            let Some(outlet) = self.outlets[id].as_deref_mut() else { continue };
            outlet.note_lag(streams, now_ms);
            if outlet.is_slow(streams, rules.patience, now_ms) {
                self.over(id, Closed::Slow);
            } else if outlet.is_silent(streams, rules.heartbeat_ms, now_ms) && !outlet.is_over {
                outlet.say(soup::SERVER_HEARTBEAT, &[]);
                self.queue(id);
            }
        }
    }
}

fn reply(administered: &Administered) -> Reply {
    let Administered { head, request, seq, .. } = *administered;
    let outcome = administered.outcome();
    Reply { request, answer: Answer { seq, time_ns: head.time_ns, outcome } }
}

#[cfg(test)]
mod tests;
