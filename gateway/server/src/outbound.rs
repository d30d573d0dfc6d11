//! Events between the core and the publisher: a ring of slots, and beside it marks that say which
//! events the journal's durability lets go.
//!
//! When it has no room for a whole step, the core pauses. Events whose record is not durable yet
//! stay in it: its capacity bounds how far the core may run ahead of the device.

use std::sync::Arc;

use rtrb::RingBuffer;
use uncross_engine::{
    event::{Event, Sink},
    limits::STEP_EVENTS_MAX,
};
use uncross_journal::{AppendError, Watermark};

use crate::{core_loop::CoreError, events};

/// All events up to the `events`-th are those of records up to `seq`.
#[derive(Clone, Copy, Debug)]
struct Mark {
    seq: u64,
    events: u64,
}

/// The core's end. Invariant: at most one mark for each turn that brought events, so that marks
/// never want room before events do.
#[derive(Debug)]
pub(crate) struct Outbound {
    events: events::Producer,
    /// At levels that hold events back.
    marks: Option<rtrb::Producer<Mark>>,
    /// Events that are marked, and that [`Self::fresh`] has shown.
    marked: u64,
    shown: u64,
}

/// The publisher's end.
#[derive(Debug)]
pub(crate) struct Release {
    events: events::Consumer,
    marks: Option<rtrb::Consumer<Mark>>,
    watermark: Arc<Watermark>,
    /// Events taken so far, and how many may be.
    taken: u64,
    released: u64,
}

/// Makes both ends for `events` events. Those are held until they are durable when `is_held`.
pub(crate) fn outbound(
    events: usize,
    is_held: bool,
    watermark: Arc<Watermark>,
) -> (Outbound, Release) {
    let (producer, consumer) = events::ring(events.max(STEP_EVENTS_MAX));
    let len = producer.capacity();
    let (marks, seen) = is_held.then(|| RingBuffer::new(len)).unzip();
    let outbound = Outbound { events: producer, marks, marked: 0, shown: 0 };
    let release = Release { events: consumer, marks: seen, watermark, taken: 0, released: 0 };
    (outbound, release)
}

impl Outbound {
    /// Whether the next step fits, whatever it writes.
    #[inline]
    pub(crate) fn has_room(&mut self) -> bool {
        self.events.has_room(STEP_EVENTS_MAX)
    }

    /// Events pushed so far.
    pub(crate) const fn pushed(&self) -> u64 {
        self.events.written()
    }

    /// Shows the publisher what was pushed. Called after each step, so that what is not held need
    /// not wait for the end of the turn.
    #[inline]
    pub(crate) fn publish(&mut self) {
        self.events.publish();
    }

    /// The events pushed since the last call, where they lie; in two parts when they go over the
    /// end of the ring.
    #[inline]
    pub(crate) fn fresh(&mut self) -> (&[Event], &[Event]) {
        let from = self.shown;
        self.shown = self.pushed();
        self.events.since(from)
    }

    /// Publishes, and says that everything pushed so far is due to records up to `seq`. Called
    /// after each turn.
    pub(crate) fn mark(&mut self, seq: u64) {
        self.publish();
        let pushed = self.pushed();
        if let Some(marks) = &mut self.marks
            && self.marked != pushed
        {
            let sent = marks.push(Mark { seq, events: pushed });
            assert!(sent.is_ok(), "more marks than events");
            self.marked = pushed;
        }
    }
}

impl Sink for Outbound {
    #[inline]
    fn push(&mut self, event: Event) {
        self.events.push(event);
    }

    #[inline]
    fn write(&mut self, write: impl FnOnce(&mut Event)) {
        self.events.write(write);
    }
}

impl Release {
    /// How many events may leave now.
    fn ready(&mut self) -> usize {
        let Some(marks) = &mut self.marks else { return self.events.ready() };
        let durable_seq = self.watermark.durable_seq();
        while let Ok(&Mark { seq, events }) = marks.peek()
            && seq <= durable_seq
        {
            self.released = events;
            // It was there a moment ago, and nobody else takes.
            let _mark = marks.pop();
        }
        usize::try_from(self.released - self.taken).unwrap_or(usize::MAX)
    }

    /// Whether there is something to take now: an event that may leave, or the news that none may
    /// any more.
    pub(crate) fn has_some(&mut self) -> bool {
        0 < self.ready() || self.watermark.poisoned()
    }

    /// Makes sure that anything may leave at all.
    ///
    /// # Errors
    ///
    /// The journal is poisoned.
    pub(crate) fn check(&self) -> Result<(), CoreError> {
        if self.watermark.poisoned() {
            return Err(CoreError::Journal(AppendError::Poisoned));
        }
        Ok(())
    }

    /// Takes up to `max` of the events that may leave; returns how many there were.
    ///
    /// # Errors
    ///
    /// The journal is poisoned, so that nothing may leave any more, or `write` failed.
    pub(crate) fn take<E: From<CoreError>>(
        &mut self,
        max: usize,
        write: impl FnMut(&Event) -> Result<(), E>,
    ) -> Result<usize, E> {
        self.check()?;
        let count = self.ready().min(max);
        self.take_some(count, write)
    }

    /// Takes every event there is, durable or not: for the start, before anyone is connected.
    ///
    /// # Errors
    ///
    /// That of `write`.
    pub(crate) fn take_all<E>(
        &mut self,
        write: impl FnMut(&Event) -> Result<(), E>,
    ) -> Result<(), E> {
        let count = self.events.ready();
        self.take_some(count, write)?;
        while self.marks.as_mut().is_some_and(|marks| marks.pop().is_ok()) {}
        self.released = self.taken;
        Ok(())
    }

    fn take_some<E>(
        &mut self,
        count: usize,
        mut write: impl FnMut(&Event) -> Result<(), E>,
    ) -> Result<usize, E> {
        if count == 0 {
            return Ok(0);
        }
        let (front, back) = self.events.oldest(count);
        for event in front.iter().chain(back) {
            write(event)?;
        }
        self.events.release(count);
        self.taken += count as u64;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use uncross_journal::{Entry, Identity, Settings, Writer, kind};

    use super::*;

    fn writer(dir: &std::path::Path) -> Writer {
        let identity = Identity { behaviour_version: 1, config_hash: [0; 32], build_id: [0; 32] };
        let settings = Settings { segment_len_bytes: 1 << 20, ..Settings::default() };
        let mut recovery = uncross_journal::open(dir, &settings, &identity).unwrap();
        recovery.replay(|_| Ok::<(), ()>(())).unwrap();
        recovery.into_writer(1, 0).unwrap()
    }

    fn take(release: &mut Release, max: usize) -> usize {
        release.take(max, |_| Ok::<(), CoreError>(())).unwrap()
    }

    #[test]
    fn events_leave_when_the_record_of_their_mark_is_durable() {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = writer(dir.path());
        let watermark = writer.watermark();
        let (mut outbound, mut release) = outbound(1_024, true, Arc::clone(&watermark));
        for _ in 0..3 {
            outbound.push(Event::EMPTY);
        }
        outbound.mark(1);
        outbound.mark(1);
        outbound.push(Event::EMPTY);
        outbound.mark(2);
        outbound.push(Event::EMPTY);
        assert!(!release.has_some(), "nothing is durable");
        let (body, flags, time_ns) = (&[][..], 0, 1);
        for (seq, expected) in [(1, 3), (2, 1)] {
            writer.append(Entry { seq, time_ns, kind: kind::TICK, flags, body }, 0).unwrap();
            writer.ring();
            while watermark.durable_seq() < seq {
                std::thread::yield_now();
            }
            assert!(release.has_some());
            assert_eq!(take(&mut release, 100), expected, "record {seq}");
        }
        assert!(!release.has_some(), "the last one has no mark yet");
    }

    #[test]
    fn marks_never_want_room_before_events_do() {
        let dir = tempfile::tempdir().unwrap();
        // No power of two, as the ring of the events has.
        let (mut outbound, _release) = outbound(1_100, true, writer(dir.path()).watermark());
        for seq in 1.. {
            if !outbound.has_room() {
                break;
            }
            outbound.push(Event::EMPTY);
            outbound.mark(seq);
        }
        assert_eq!(outbound.pushed(), 2_048 - STEP_EVENTS_MAX as u64 + 1);
    }

    #[test]
    fn what_is_not_held_leaves_at_once_a_round_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let (mut outbound, mut release) = outbound(1_024, false, writer(dir.path()).watermark());
        let mut pushed = 0;
        while outbound.has_room() {
            for _ in 0..STEP_EVENTS_MAX {
                outbound.push(Event::EMPTY);
                pushed += 1;
            }
        }
        assert_eq!(pushed, 1_024, "four steps");
        assert!(!release.has_some(), "a step is shown when it is done");
        outbound.publish();
        assert_eq!(take(&mut release, 700), 700);
        assert!(outbound.has_room(), "what was taken is free again");
        assert_eq!(take(&mut release, 700), 324);
        assert!(!release.has_some());
    }
}
