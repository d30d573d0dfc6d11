//! The common commands, done straight: a plain order that rests at once, its cancel, its move to
//! a place where it rests again, and a plain order that takes.
//!
//! Nearly every command is one of these. Each function here looks whether it is, and if so does
//! exactly what `matching` and `change` would do, with all that cannot matter left out. If not it
//! says so before anything is changed, and they do it. The differential test holds both ways
//! against the naive book.

use crate::{
    arena::Unit,
    book::{DISPLAYED, Listing},
    command::{Cancel, Enter, Replace, Source, Terms},
    engine::{Engine, Port, Progress, Standing, Taker, Work},
    event::{Canceled, Entered, Event, Head, Marks, Sink},
    instrument::Instrument,
    limits::{GENERATION_MAX, STEP_EVENTS_MAX, USER_REF_JUMP_MAX},
    matching::Meeting,
    reject::CancelReason,
    types::{Display, Price, TimeInForce},
    user_refs::{Key, lane},
};

impl Terms {
    /// The order stands for so long, in sight, and asks for nothing else.
    #[expect(clippy::inline_always, reason = "counted: calls cost what they do")]
    #[inline(always)]
    fn are_plain(&self, time_in_force: TimeInForce) -> bool {
        self.time_in_force == time_in_force
            && matches!(self.display, Display::Visible)
            && !self.post_only
            && self.min_qty == 0
            && self.group == 0
            && self.firm.is_none()
            && self.prevention.is_none()
    }
}

impl Port {
    /// Orders of its connection `generation` are let in.
    #[expect(clippy::inline_always, reason = "counted: calls cost what they do")]
    #[inline(always)]
    const fn is_open(&self, generation: u16) -> bool {
        matches!(self.standing, Standing::Up)
            && self.generation == generation
            && !self.is_disabled
            && !self.is_killed
    }
}

impl Instrument {
    /// A limit order of this quantity and price is valid.
    #[expect(clippy::inline_always, reason = "counted: calls cost what they do")]
    #[inline(always)]
    const fn is_valid(&self, qty: u32, px: u32) -> bool {
        self.qty_min <= qty
            && qty <= self.qty_max
            && px.wrapping_sub(1) < Price::RAW_MAX
            && (self.lot == 1 || qty.is_multiple_of(self.lot))
            && (self.tick == 1 || px.is_multiple_of(self.tick))
    }
}

/// Whether a number comes after `mark`, and not too far.
#[inline]
const fn is_fresh(mark: u32, user_ref_num: u32) -> bool {
    (user_ref_num as u64).wrapping_sub(mark as u64 + 1) < USER_REF_JUMP_MAX as u64
}

impl Engine {
    /// Whether the order was a plain one that rests, and was entered.
    #[expect(clippy::inline_always, reason = "counted: calls cost what they do")]
    #[inline(always)]
    pub(crate) fn enter_common(&mut self, enter: &Enter<'_>, sink: &mut impl Sink) -> bool {
        let Enter { source, user_ref_num, instrument, qty, px, .. } = *enter;
        let Source { port, generation, channel } = source;
        let Ok(terms) = &enter.terms else { return false };
        let Some(position) = self.book_of(instrument) else { return false };
        let Some(owner) = self.ports.get_mut(usize::from(port)) else { return false };
        let (mark, book) = (&mut self.marks[lane(port, 0)], &mut self.books[usize::from(position)]);
        let side = terms.action.side();
        let is_common = terms.are_plain(TimeInForce::Day)
            && enter.echo.is_empty()
            && channel == 0
            && owner.is_open(generation)
            && owner.live_orders < self.capacity.port_orders
            && is_fresh(*mark, user_ref_num)
            && book.listing == Listing::Trading
            && book.instrument.is_valid(qty, px);
        if !is_common || book.is_crossed(side, px) || !self.store.has_room() {
            return false;
        }
        let Some((slot, lives)) = self.store.arena.peek_displayed() else { return false };
        let key = Key { port, channel, user_ref_num };
        let Some(entry) = self.user_refs.reserve(key) else { return false };
        *mark = user_ref_num;
        owner.live_orders += 1;
        self.store.arena.take_displayed(slot);
        sink.write(Event::accepted(Entered {
            head: Head::new(port, user_ref_num, terms.action, self.now_ns),
            order_ref: self.origin.order_ref(lives, slot).raw(),
            old_order_ref: 0,
            instrument,
            px,
            qty,
            orig_user_ref_num: 0,
            client_order_id: *enter.client_order_id,
            marks: Marks::new(TimeInForce::Day, terms.capacity, Display::Visible).rests(),
        }));
        self.user_refs.set(entry, slot);
        let traits = terms.action as u32 | (terms.capacity as u32) << 2;
        let level = book.level_for(&mut self.store, side, DISPLAYED, px);
        self.store.arena.link_plain(
            level,
            slot,
            self.seq,
            Unit {
                px,
                open: qty,
                user_ref_num,
                generation: lives | traits << 24,
                owner: port,
                book: position,
                ..Unit::FREE
            },
        );
        true
    }

    /// What came of the order, if it was a plain one that is immediate or cancelled.
    #[inline(never)]
    pub(crate) fn take_common(
        &mut self,
        enter: &Enter<'_>,
        sink: &mut impl Sink,
    ) -> Option<Progress> {
        let Enter { source, user_ref_num, instrument, qty, px, .. } = *enter;
        let Source { port, generation, channel } = source;
        let terms = enter.terms.as_ref().ok()?;
        let position = self.book_of(instrument)?;
        let owner = self.ports.get(usize::from(port))?;
        let (mark, book) = (&mut self.marks[lane(port, 0)], &self.books[usize::from(position)]);
        let (slot, lives) = self.store.arena.peek_displayed()?;
        let is_common = terms.are_plain(TimeInForce::ImmediateOrCancel)
            && enter.echo.is_empty()
            && channel == 0
            && lives < GENERATION_MAX
            && owner.is_open(generation)
            && is_fresh(*mark, user_ref_num)
            && book.listing == Listing::Trading
            && book.instrument.is_valid(qty, px);
        if !is_common {
            return None;
        }
        *mark = user_ref_num;
        self.store.arena.take_displayed(slot);
        let side = terms.action.side();
        let is_crossed = book.is_crossed(side, px);
        let head = Head::new(port, user_ref_num, terms.action, self.now_ns);
        let order_ref = self.origin.order_ref(lives, slot).raw();
        let marks = Marks::new(terms.time_in_force, terms.capacity, Display::Visible);
        sink.write(Event::accepted(Entered {
            head,
            order_ref,
            old_order_ref: 0,
            instrument,
            px,
            qty,
            orig_user_ref_num: 0,
            client_order_id: *enter.client_order_id,
            marks: if is_crossed { marks } else { marks.dead() },
        }));
        let mut meeting = Meeting {
            book: usize::from(position),
            side,
            instrument,
            taker_ref: order_ref,
            taker_channel: 0,
            taker_port: port,
            taker_user_ref_num: user_ref_num,
            open: qty,
        };
        if is_crossed {
            if !self.cross(&mut meeting, px, STEP_EVENTS_MAX / 2, sink) {
                return Some(self.take_on(enter, terms, (slot, lives), meeting));
            }
            if meeting.open != 0 {
                sink.write(Event::canceled(Canceled {
                    head,
                    order_ref,
                    instrument,
                    qty: meeting.open,
                    open: 0,
                    reason: CancelReason::Immediate as u8,
                    shown: 0,
                    channel: 0,
                    pad: [0; 25],
                }));
            }
        }
        self.store.arena.free_displayed(slot);
        Some(Progress::Done)
    }

    /// Writes a taker that needs another step where that step will find it. It never rests, so what
    /// it has executed is asked of nobody.
    #[cold]
    fn take_on(
        &mut self,
        enter: &Enter<'_>,
        terms: &Terms,
        (slot, lives): (u32, u32),
        meeting: Meeting,
    ) -> Progress {
        let Meeting { taker_port, taker_user_ref_num, open, .. } = meeting;
        let Terms { action, capacity, time_in_force, .. } = *terms;
        let traits = action as u32 | (capacity as u32) << 2 | (time_in_force as u32) << 4;
        let unit = Unit {
            px: enter.px,
            open,
            user_ref_num: taker_user_ref_num,
            generation: lives | traits << 24,
            owner: taker_port,
            book: u16::try_from(meeting.book).unwrap_or(u16::MAX),
            ..Unit::FREE
        };
        self.store.arena.write_plain(slot, self.seq, unit);
        self.work = Work::Sweep(Taker::new(slot, terms, false));
        Progress::More
    }

    /// Whether the request was to end a live order by its number, and did.
    #[expect(clippy::inline_always, reason = "counted: calls cost what they do")]
    #[inline(always)]
    pub(crate) fn cancel_common(&mut self, cancel: &Cancel, sink: &mut impl Sink) -> bool {
        let Cancel { source: Source { port, generation, channel }, user_ref_num, .. } = *cancel;
        let (None, Some(qty)) = (cancel.order_ref, cancel.qty) else { return false };
        let Some(owner) = self.ports.get_mut(usize::from(port)) else { return false };
        if owner.standing != Standing::Up || owner.generation != generation || channel != 0 {
            return false;
        }
        let key = Key { port, channel, user_ref_num };
        let Some((slot, entry)) = self.user_refs.get(key) else { return false };
        let unit = *self.store.arena.unit(slot);
        let is_whole = qty <= unit.executed;
        let lives = unit.generation();
        if !is_whole || !unit.is_plain() || lives == GENERATION_MAX {
            return false;
        }
        let book = &mut self.books[usize::from(unit.book)];
        owner.live_orders -= 1;
        sink.write(Event::canceled(Canceled {
            head: Head::new(port, user_ref_num, unit.action(), self.now_ns),
            order_ref: self.origin.order_ref(lives, slot).raw(),
            instrument: book.instrument.id,
            qty: unit.open,
            open: 0,
            reason: CancelReason::User as u8,
            shown: 1,
            channel: 0,
            pad: [0; 25],
        }));
        self.user_refs.clear_at(entry);
        book.remove_at(&mut self.store, unit.action().side(), DISPLAYED, slot);
        self.store.arena.free_displayed(slot);
        true
    }

    /// Whether the request was to move a plain order to where it rests again, and did.
    #[expect(clippy::inline_always, reason = "counted: calls cost what they do")]
    #[inline(always)]
    pub(crate) fn replace_common(&mut self, replace: &Replace<'_>, sink: &mut impl Sink) -> bool {
        let Replace { source, orig_user_ref_num, user_ref_num, qty, px, .. } = *replace;
        let Source { port, generation, channel } = source;
        let Ok(terms) = &replace.terms else { return false };
        let Some(owner) = self.ports.get_mut(usize::from(port)) else { return false };
        let mark = &mut self.marks[lane(port, 0)];
        let is_common = terms.are_plain(TimeInForce::Day)
            && replace.echo.is_empty()
            && channel == 0
            && owner.is_open(generation)
            && is_fresh(*mark, user_ref_num);
        if !is_common || !self.store.has_room() {
            return false;
        }
        let key = |user_ref_num| Key { port, channel, user_ref_num };
        let Some((slot, old_entry)) = self.user_refs.get(key(orig_user_ref_num)) else {
            return false;
        };
        let old = *self.store.arena.unit(slot);
        let book = &mut self.books[usize::from(old.book)];
        let (side, lives) = (old.action().side(), old.generation());
        let used = old.executed.saturating_add(self.store.arena.decremented(slot));
        let is_common = old.is_plain()
            && lives < GENERATION_MAX
            && used < qty
            && book.listing == Listing::Trading
            && book.instrument.is_valid(qty, px);
        if !is_common {
            return false;
        }
        // Own orders are on the other side of what is looked at: the old one does not count.
        if book.is_crossed(side, px) {
            return false;
        }
        let Some(entry) = self.user_refs.reserve(key(user_ref_num)) else { return false };
        *mark = user_ref_num;
        let open = qty - used;
        sink.write(Event::replaced(Entered {
            head: Head::new(port, user_ref_num, old.action(), self.now_ns),
            order_ref: self.origin.order_ref(lives + 1, slot).raw(),
            old_order_ref: self.origin.order_ref(lives, slot).raw(),
            instrument: book.instrument.id,
            px,
            qty: open,
            orig_user_ref_num,
            client_order_id: *replace.client_order_id,
            marks: Marks::new(TimeInForce::Day, old.capacity(), Display::Visible)
                .with_old_shown(true)
                .rests(),
        }));
        self.user_refs.clear_at(old_entry);
        self.user_refs.set(entry, slot);
        book.remove_at(&mut self.store, side, DISPLAYED, slot);
        let level = book.level_for(&mut self.store, side, DISPLAYED, px);
        self.store.arena.link_again(
            level,
            slot,
            self.seq,
            Unit { px, open, user_ref_num, generation: old.generation + 1, ..old },
        );
        true
    }
}
