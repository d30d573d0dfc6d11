//! The core: takes records off the ring, numbers and stamps them, journals, applies.
//!
//! One thread runs it. It logs nothing and locks nothing; what it cannot do it leaves in the ring.

use std::{sync::Arc, thread, time::Instant};

use rtrb::Consumer;
use uncross_engine::Progress;
use uncross_journal::{AppendError, Class, DiskError, Entry, Level, Watermark, Writer, kind};
use zerocopy::IntoBytes;

use crate::{
    ahead::Ahead,
    calendar::Calendar,
    desk::Pulse,
    limits::{BODY_LEN_MAX, RECORDS_PER_CHECKPOINT, RECORDS_PER_TURN, START_PATIENCE_S},
    outbound::Outbound,
    record,
    record::{Draft, RecordError},
    replay::Discard,
    replica::Replica,
    ring::{self, Popped, Scratch, Slot},
    room::RoomTeller,
};

/// Why the core cannot go on. The venue stops; the journal is the recovery path.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CoreError {
    /// A record was not appended, and never will be.
    #[error("journal: {0}")]
    Journal(AppendError),
    /// A record was made that the decoder refuses.
    #[error("record: {0}")]
    Record(RecordError),
}

/// What a turn left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Nothing: the ring is empty.
    Idle,
    /// Perhaps more in the ring.
    More,
    /// Events for which the outbound ring has no room before others leave.
    Full,
    /// A command that must be durable before the next one is begun.
    Held,
    /// A record for which the journal has no room now.
    Blocked,
}

/// Numbers, stamps, journals and applies one record after another.
#[derive(Debug)]
struct Sequencer {
    replica: Replica,
    journal: Writer,
    progress: Progress,
    seq: u64,
    now_ns: u64,
    room: RoomTeller,
}

/// The core's state.
#[derive(Debug)]
pub(crate) struct Core {
    sequencer: Sequencer,
    watermark: Arc<Watermark>,
    pulse: Arc<Pulse>,
    /// Each command is durable before the next one is begun.
    is_synced: bool,
    calendar: Calendar,
    epoch: u32,
    /// When the open day ends; 0 while none is open.
    roll_at_ns: u64,
    /// Last record covered by a checkpoint.
    checkpoint_seq: u64,
    /// For the core's own records.
    draft: Draft,
    scratch: Scratch,
    ahead: Ahead,
}

impl Core {
    /// Goes on where the replayed `replica` stands.
    pub(crate) fn new(
        replica: Replica,
        journal: Writer,
        calendar: Calendar,
        epoch: u32,
        room: RoomTeller,
    ) -> Self {
        let now_ns = replica.engine().now_ns();
        let roll_at_ns = replica.engine().day().map_or(0, |day| calendar.end_ns(day.date));
        let (seq, progress) = (journal.last_seq(), Progress::Done);
        let watermark = journal.watermark();
        let is_synced = journal.level() == Level::Sync;
        Self {
            watermark,
            pulse: Arc::default(),
            is_synced,
            sequencer: Sequencer { replica, journal, progress, seq, now_ns, room },
            calendar,
            epoch,
            roll_at_ns,
            checkpoint_seq: seq,
            draft: Draft::new(),
            scratch: Scratch::new(),
            ahead: Ahead::default(),
        }
    }

    pub(crate) fn watermark(&self) -> Arc<Watermark> {
        Arc::clone(&self.watermark)
    }

    /// What it says of itself to others.
    pub(crate) fn pulse(&self) -> Arc<Pulse> {
        Arc::clone(&self.pulse)
    }

    pub(crate) const fn replica(&self) -> &Replica {
        &self.sequencer.replica
    }

    /// When the core has something to do by itself, nanoseconds since the UNIX epoch.
    pub(crate) fn due_ns(&self) -> u64 {
        let due_ns = self.sequencer.replica.engine().due_ns().unwrap_or(u64::MAX);
        due_ns.min(self.roll_at_ns)
    }

    pub(crate) const fn seq(&self) -> u64 {
        self.sequencer.seq
    }

    /// Room for refusals that the doors were told of last.
    pub(crate) const fn room_told(&self) -> u64 {
        self.sequencer.room.said()
    }

    /// Ends the core: brings its command to an end, records the output hash a last time.
    pub(crate) fn into_parts(mut self) -> (Replica, Writer) {
        let sequencer = &mut self.sequencer;
        while sequencer.progress == Progress::More {
            sequencer.progress = sequencer.replica.resume(&mut Discard);
        }
        // Without room or with a poisoned journal the next start does without it.
        drop(sequencer.checkpoint());
        (self.sequencer.replica, self.sequencer.journal)
    }

    /// Takes what waits in the ring, up to [`RECORDS_PER_TURN`] records, under one time stamp.
    ///
    /// # Errors
    ///
    /// The journal is poisoned or a record is undecodable: nothing more may be answered.
    pub(crate) fn turn(
        &mut self,
        now_ns: u64,
        ring: &mut Consumer<Slot>,
        outbound: &mut Outbound,
    ) -> Result<Turn, CoreError> {
        self.sequencer.now_ns = self.sequencer.now_ns.max(now_ns);
        let before = self.sequencer.seq;
        let mut turn = Turn::More;
        for _ in 0..RECORDS_PER_TURN {
            turn = self.step(ring, outbound)?;
            if turn != Turn::More {
                break;
            }
        }
        self.checkpoint_if_due(outbound)?;
        self.sequencer.hash(outbound);
        self.pulse.beat(self.sequencer.seq, turn == Turn::More);
        outbound.mark(self.sequencer.seq);
        if before != self.sequencer.seq {
            self.sequencer.journal.ring();
        }
        // While nothing is appended nobody else tells that there is room again.
        self.sequencer.room.tell(&self.sequencer.journal);
        Ok(turn)
    }

    /// Whether a turn would find something to do, apart from what only the clock brings.
    pub(crate) fn has_work(&self, ring: &Consumer<Slot>, outbound: &mut Outbound) -> bool {
        let has_some = self.sequencer.progress == Progress::More || !ring.is_empty();
        has_some && outbound.has_room() && !self.is_held()
    }

    /// Whether the last command must be durable before the next one is begun, and is not.
    fn is_held(&self) -> bool {
        self.is_synced && self.watermark.durable_seq() < self.sequencer.seq
    }

    /// Goes on with the command in hand, or rolls the day, or lets time pass where something is
    /// due, or takes one record off the ring.
    fn step(
        &mut self,
        ring: &mut Consumer<Slot>,
        outbound: &mut Outbound,
    ) -> Result<Turn, CoreError> {
        if !self.sequencer.finish(outbound) {
            return Ok(Turn::Full);
        }
        if self.is_held() {
            return Ok(Turn::Held);
        }
        // What is due comes before any other command, a new day included.
        let sequencer = &mut self.sequencer;
        if sequencer.is_due() {
            let done = sequencer.sequence(kind::TICK, &[], outbound)?;
            return Ok(if done { Turn::More } else { Turn::Blocked });
        }
        if self.roll_at_ns <= self.sequencer.now_ns {
            return self.roll(outbound);
        }
        let sequencer = &mut self.sequencer;
        self.ahead.look(sequencer.replica.engine(), ring);
        let taken = ring::pop(ring, &mut self.scratch, |kind, body| {
            match sequencer.sequence(kind, body, outbound) {
                Ok(true) => Some(Ok(())),
                Ok(false) => None,
                Err(error) => Some(Err(error)),
            }
        });
        match taken {
            Popped::Nothing => Ok(Turn::Idle),
            Popped::Refused => Ok(Turn::Blocked),
            Popped::Taken(result) => {
                self.ahead.taken();
                result.map(|()| Turn::More)
            }
        }
    }

    /// Opens the day of this instant.
    fn roll(&mut self, outbound: &mut Outbound) -> Result<Turn, CoreError> {
        let roll = self.calendar.roll(self.sequencer.now_ns, self.epoch);
        self.draft.set_day_roll(&roll);
        let draft = &self.draft;
        if !self.sequencer.sequence(draft.kind(), draft.body(), outbound)? {
            return Ok(Turn::Blocked);
        }
        self.roll_at_ns = self.calendar.end_ns(roll.date);
        Ok(Turn::More)
    }

    /// Records the output hash now and then, so that every replay can be compared with this run.
    fn checkpoint_if_due(&mut self, outbound: &mut Outbound) -> Result<(), CoreError> {
        let is_due = self.checkpoint_seq + RECORDS_PER_CHECKPOINT <= self.sequencer.seq;
        // A checkpoint must not take the room of a cancel.
        let is_due = is_due && self.takes_orders();
        if is_due && self.sequencer.finish(outbound) && self.sequencer.checkpoint()? {
            self.checkpoint_seq = self.sequencer.seq;
        }
        Ok(())
    }

    /// Whether new orders are journalled as such; otherwise each is refused, see
    /// [`Sequencer::sequence`].
    pub(crate) fn takes_orders(&self) -> bool {
        self.sequencer.journal.accepts(Class::Ordinary, BODY_LEN_MAX)
    }

    /// Whether the journal could not prepare its next segment: the disk is full, or failing.
    pub(crate) fn is_short_of_space(&self) -> bool {
        self.watermark.short_of_space()
    }

    /// Why it could not.
    pub(crate) fn space_error(&self) -> Option<DiskError> {
        self.watermark.preparation_error()
    }

    /// Notices a journal that has failed although nothing is being written.
    ///
    /// # Errors
    ///
    /// It has: nothing may be answered any more.
    pub(crate) fn check(&self) -> Result<(), CoreError> {
        if self.watermark.poisoned() {
            return Err(CoreError::Journal(AppendError::Poisoned));
        }
        Ok(())
    }

    /// Sequences a record of the venue's own, behind what is due, while nobody else does; for use
    /// before the doors open. `drain` is called whenever events must make room.
    ///
    /// # Errors
    ///
    /// The journal does not take it.
    pub(crate) fn insist(
        &mut self,
        draft: &Draft,
        outbound: &mut Outbound,
        mut drain: impl FnMut(),
    ) -> Result<(), CoreError> {
        let start = Instant::now();
        loop {
            let is_ready = self.sequencer.finish(outbound);
            let is_due = self.sequencer.is_due();
            let (kind, body) =
                if is_due { (kind::TICK, &[][..]) } else { (draft.kind(), draft.body()) };
            let is_done = is_ready && self.sequencer.sequence(kind, body, outbound)?;
            let done = is_done && !is_due;
            self.sequencer.journal.ring();
            drain();
            if done {
                break;
            }
            if START_PATIENCE_S < start.elapsed().as_secs() {
                return Err(CoreError::Journal(AppendError::NotReady));
            }
            thread::yield_now();
        }
        while !self.sequencer.finish(outbound) {
            drain();
        }
        drain();
        let day = self.sequencer.replica.engine().day();
        self.roll_at_ns = day.map_or(0, |day| self.calendar.end_ns(day.date));
        Ok(())
    }

    /// Waits until everything sequenced is durable, at every level: an epoch that a power cut takes
    /// back would be opened a second time under the same number. For use before the doors open.
    ///
    /// # Errors
    ///
    /// The journal is poisoned.
    pub(crate) fn settle(&self) -> Result<(), CoreError> {
        while self.watermark.durable_seq() < self.sequencer.seq {
            self.check()?;
            thread::yield_now();
        }
        Ok(())
    }

    /// Lets time pass up to `now_ns`, for the records that follow.
    pub(crate) fn advance(&mut self, now_ns: u64) {
        self.sequencer.now_ns = self.sequencer.now_ns.max(now_ns);
        self.pulse.beat(self.sequencer.seq, false);
    }
}

impl Sequencer {
    /// Brings the command in hand to its end, its events hashed; `false` when the outbound queue is
    /// full before.
    fn finish(&mut self, outbound: &mut Outbound) -> bool {
        loop {
            if !outbound.has_room() {
                return false;
            }
            // Before the next step, which may write over what was released meanwhile.
            self.hash(outbound);
            match self.progress {
                Progress::Done => return true,
                Progress::More => self.progress = self.replica.resume_unhashed(outbound),
            }
            outbound.publish();
        }
    }

    /// Hashes what was said since the last call, where it lies: a step later, because to read at
    /// once what was just written field by field would wait for the stores.
    #[inline]
    fn hash(&mut self, outbound: &mut Outbound) {
        let (front, back) = outbound.fresh();
        self.replica.hash(front);
        self.replica.hash(back);
    }

    /// Whether something expires now, or a grace ends.
    fn is_due(&self) -> bool {
        let due_ns = self.replica.engine().due_ns();
        due_ns.is_some_and(|due_ns| due_ns <= self.now_ns)
    }

    /// Records the output hash, of which nothing is missing between two turns and when the command
    /// in hand was finished; `false` when the journal has no room now.
    fn checkpoint(&mut self) -> Result<bool, CoreError> {
        match self.journal.checkpoint(self.replica.output_hash(), self.now_ns) {
            Ok(()) => Ok(true),
            Err(AppendError::NotReady) => Ok(false),
            Err(error) => Err(CoreError::Journal(error)),
        }
    }

    /// Sequences one record, or in its place the refusal of an order for which the journal keeps
    /// no room. `false` when the journal has no room at all.
    ///
    /// The caller has finished the command before, so that a step fits outbound.
    fn sequence(
        &mut self,
        kind: u8,
        body: &[u8],
        outbound: &mut Outbound,
    ) -> Result<bool, CoreError> {
        if record::is_order(kind) && !self.journal.accepts(Class::Ordinary, body.len()) {
            // The doors have seen to it that refusals fit, so they may go to the very end.
            let refusal = record::refusal(kind, body).map_err(CoreError::Record)?;
            return self.put(kind::REFUSE, refusal.as_bytes(), outbound);
        }
        self.put(kind, body, outbound)
    }

    /// Numbers, stamps and journals one record, then begins it. `false` when the journal has no
    /// room now.
    fn put(&mut self, kind: u8, body: &[u8], outbound: &mut Outbound) -> Result<bool, CoreError> {
        let (seq, time_ns) = (self.seq + 1, self.now_ns);
        let entry = Entry { seq, time_ns, kind, flags: 0, body };
        match self.journal.append(entry, self.replica.output_hash()) {
            Ok(()) => {}
            Err(AppendError::NotReady) => return Ok(false),
            Err(error) => return Err(CoreError::Journal(error)),
        }
        self.seq = seq;
        self.room.tell(&self.journal);
        let begun = self.replica.begin_unhashed(seq, time_ns, kind, body, outbound);
        self.progress = begun.map_err(CoreError::Record)?;
        outbound.publish();
        Ok(true)
    }
}
