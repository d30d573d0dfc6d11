//! From a state back to an engine. Nothing in the state is taken for granted: what the tables rely
//! on is checked before it is written into them.

use core::fmt;

use super::{Listed, OrderState, PortState, State};
use crate::{
    admin::NO_SYMBOL,
    arena::{Identity, NONE, Traits, Unit, restore::Free},
    book::{Book, Listing},
    copies::CopiedFirm,
    day::SHARD,
    due::Disconnect,
    engine::{Engine, Port, Standing},
    instrument::{Instrument, InstrumentError},
    limits::{
        CHANNELS, COPIED_FIRMS_MAX, Capacity, GENERATION_MAX, GENERATION_MIN, INSTRUMENTS_MAX,
        KILLED_FIRMS_MAX, LEVELS_MAX, ORDERS_MAX, PORTS_MAX,
    },
    types::{self, Action, Display, Origin, Price, TimeInForce},
    user_refs::Key,
};

/// Why a state is none that an engine can have had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestoreError {
    /// A value is too low or too high.
    Range {
        /// Of what.
        what: &'static str,
        /// The least it may be.
        least: u64,
        /// The most it may be.
        most: u64,
        /// What it is.
        found: u64,
    },
    /// What there is once at most is named a second time.
    Twice {
        /// What.
        what: &'static str,
        /// Which one.
        found: u64,
    },
    /// What is counted in two ways differs.
    Sum {
        /// What.
        what: &'static str,
        /// What it should be by what was restored.
        expected: u64,
        /// What the state says.
        found: u64,
    },
    /// An instrument is wrong in itself.
    Instrument(InstrumentError),
}

impl fmt::Display for RestoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Range { what, least, most, found } => {
                write!(f, "{what}: expected {least} to {most}, found {found}")
            }
            Self::Twice { what, found } => write!(f, "{what} {found} is named twice"),
            Self::Sum { what, expected, found } => {
                write!(f, "{what}: expected {expected}, found {found}")
            }
            Self::Instrument(error) => write!(f, "instrument: {error}"),
        }
    }
}

impl core::error::Error for RestoreError {}

type Checked = Result<(), RestoreError>;

fn within(
    what: &'static str,
    range: core::ops::RangeInclusive<u64>,
    found: impl Into<u64>,
) -> Checked {
    let (found, least, most) = (found.into(), *range.start(), *range.end());
    if range.contains(&found) {
        return Ok(());
    }
    Err(RestoreError::Range { what, least, most, found })
}

fn at_most(what: &'static str, most: usize, found: usize) -> Checked {
    within(what, 0..=most as u64, found as u64)
}

/// The slot is one that was used before.
fn used(what: &'static str, slots: core::ops::Range<u32>, slot: u32) -> Checked {
    if slots.contains(&slot) {
        return Ok(());
    }
    let (least, most) = (slots.start.into(), u64::from(slots.end).saturating_sub(1));
    Err(RestoreError::Range { what, least, most, found: slot.into() })
}

fn equal(what: &'static str, expected: usize, found: usize) -> Checked {
    if expected == found {
        return Ok(());
    }
    Err(RestoreError::Sum { what, expected: expected as u64, found: found as u64 })
}

const fn twice(what: &'static str, found: u64) -> RestoreError {
    RestoreError::Twice { what, found }
}

/// Which slots were named so far.
struct Seen(Vec<bool>);

impl Seen {
    fn note(&mut self, slot: u32) -> Checked {
        let is_new =
            self.0.get_mut(slot as usize).is_some_and(|seen| !core::mem::replace(seen, true));
        if is_new { Ok(()) } else { Err(twice("slot", slot.into())) }
    }
}

impl PortState {
    pub(super) const fn of(port: &Port) -> Self {
        let Port { generation, standing, firm, live_orders, is_disabled, is_killed, grace_ms } =
            *port;
        let standing = standing as u8;
        Self { generation, standing, firm, live_orders, is_disabled, is_killed, grace_ms }
    }

    /// The port, as yet without its orders.
    fn port(&self) -> Result<Port, RestoreError> {
        let standing = match self.standing {
            0 => Standing::Absent,
            1 => Standing::Down,
            found => {
                within("standing of a port", 0..=2, found)?;
                Standing::Up
            }
        };
        Ok(Port {
            generation: self.generation,
            standing,
            firm: self.firm,
            live_orders: 0,
            is_disabled: self.is_disabled,
            is_killed: self.is_killed,
            grace_ms: self.grace_ms,
        })
    }
}

impl Listed {
    fn listing(&self) -> Result<Listing, RestoreError> {
        Ok(match self.listing {
            0 => Listing::Trading,
            1 => Listing::Halted,
            2 => Listing::Removed,
            found => {
                within("listing", 0..=3, found)?;
                Listing::Gone
            }
        })
    }
}

impl OrderState {
    fn traits(&self) -> Traits {
        let [action, capacity, time_in_force, display] = self.traits;
        Traits {
            action: Action::from_code(action),
            capacity: types::Capacity::from_code(capacity),
            time_in_force: TimeInForce::from_code(time_in_force),
            display: Display::from_code(display),
        }
    }
}

fn check_capacity(capacity: &Capacity) -> Checked {
    let orders = u64::from(capacity.orders) + u64::from(capacity.hidden_orders);
    within("capacity of orders", 1..=ORDERS_MAX.into(), orders)?;
    within("capacity of levels", 1..=LEVELS_MAX.into(), capacity.levels)?;
    within("capacity of instruments", 1..=INSTRUMENTS_MAX.into(), capacity.instruments)?;
    within("capacity of ports", 1..=PORTS_MAX.into(), capacity.ports)
}

impl Engine {
    /// An engine in this state: it will say what the one that was captured would have said.
    ///
    /// Allocates what the state's capacity asks for, which the caller has compared with what it
    /// expects.
    ///
    /// # Errors
    ///
    /// The first thing that no engine's state can say.
    pub fn restore(state: &State) -> Result<Self, RestoreError> {
        check_capacity(&state.capacity)?;
        let mut engine = Self::new(state.capacity);
        engine.now_ns = state.now_ns;
        engine.seq = state.seq;
        engine.match_count = state.match_count;
        engine.epoch = state.epoch;
        engine.origin = Origin::new(SHARD, state.epoch);
        engine.day = state.day;
        engine.locates = state.locates;
        engine.restore_ports(state)?;
        engine.restore_firms(state)?;
        engine.restore_numbers(state)?;
        let mut seen = Seen(vec![false; engine.orders_max()]);
        engine.restore_slots(state, &mut seen)?;
        for &(id, symbol) in &state.symbols {
            within("id of a symbol", 1..=INSTRUMENTS_MAX.into(), id)?;
            if core::mem::replace(&mut engine.symbols[id as usize], symbol) != NO_SYMBOL {
                return Err(twice("symbol of instrument", id.into()));
            }
        }
        at_most("books", state.capacity.instruments.into(), state.books.len())?;
        for listed in &state.books {
            engine.restore_book(listed, &mut seen)?;
        }
        engine.check_restored(state)?;
        Ok(engine)
    }

    fn orders_max(&self) -> usize {
        self.capacity.orders as usize + self.capacity.hidden_orders as usize
    }

    fn restore_ports(&mut self, state: &State) -> Checked {
        equal("ports", self.ports.len(), state.ports.len())?;
        for (port, state) in self.ports.iter_mut().zip(&state.ports) {
            *port = state.port()?;
        }
        at_most("graces", self.capacity.ports.into(), state.disconnects.len())?;
        for &(due_ns, port) in &state.disconnects {
            within("port of a grace", 1..=self.capacity.ports.into(), port)?;
            if self.disconnects.iter().any(|other| other.port == port) {
                return Err(twice("grace of port", port.into()));
            }
            self.disconnects.push(Disconnect { due_ns, port });
        }
        self.disconnects.sort_unstable();
        Ok(())
    }

    fn restore_firms(&mut self, state: &State) -> Checked {
        at_most("disabled firms", self.ports.len(), state.disabled_firms.len())?;
        self.disabled_firms.extend_from_slice(&state.disabled_firms);
        at_most("killed firms", KILLED_FIRMS_MAX, state.killed_firms.len())?;
        at_most("killed ports", self.ports.len(), state.killed_ports.len())?;
        self.kills.is_venue = state.is_venue_killed;
        self.kills.firms.extend_from_slice(&state.killed_firms);
        self.kills.ports.extend_from_slice(&state.killed_ports);
        at_most("copied firms", COPIED_FIRMS_MAX, state.copied_firms.len())?;
        let copied = state.copied_firms.iter();
        self.copied_firms.extend(copied.map(|&(firm, is_on)| CopiedFirm { firm, is_on }));
        Ok(())
    }

    /// The numbers used, the pages of the table, and the orders of earlier days.
    fn restore_numbers(&mut self, state: &State) -> Checked {
        let lanes = self.marks.len() as u64;
        for &(lane, mark) in &state.marks {
            within("channel of a port", CHANNELS as u64..=lanes - 1, lane)?;
            self.marks[lane as usize] = mark;
        }
        for &(key, is_newest) in &state.pages {
            if !self.user_refs.restore_page(key, is_newest) {
                return Err(twice("page of numbers", key));
            }
        }
        at_most("carried orders", self.orders_max(), state.carried.len())?;
        for &slot in &state.carried {
            at_most("slot of a carried order", self.orders_max() - 1, slot as usize)?;
        }
        equal("ends of carried orders", self.carried_ends.len(), state.carried_ends.len())?;
        let mut least = 0;
        for &end in &state.carried_ends {
            within("end of carried orders", least..=state.carried.len() as u64, end)?;
            least = end.into();
        }
        self.carried.extend_from_slice(&state.carried);
        self.carried_ends.copy_from_slice(&state.carried_ends);
        Ok(())
    }

    /// The slots that are not in use.
    fn restore_slots(&mut self, state: &State, seen: &mut Seen) -> Checked {
        let generations = u64::from(GENERATION_MIN)..=u64::from(GENERATION_MAX);
        for (is_hidden, free) in [false, true].into_iter().zip(&state.free) {
            let slots = self.store.arena.slots(is_hidden);
            within("first unused slot", slots.start.into()..=slots.end.into(), free.fresh)?;
            let retired: Vec<u32> =
                state.retired.iter().copied().filter(|slot| slots.contains(slot)).collect();
            for (slot, generation) in free
                .slots
                .iter()
                .map(|&[slot, generation]| (slot, generation))
                .chain(retired.iter().map(|&slot| (slot, GENERATION_MAX)))
            {
                used("free slot", slots.start..free.fresh, slot)?;
                within("generation", generations.clone(), generation)?;
                seen.note(slot)?;
            }
            let free = Free { fresh: free.fresh, slots: free.slots.clone() };
            self.store.arena.restore_free(is_hidden, &free, &retired);
        }
        let orders_max = self.orders_max() as u64;
        let outside = state.retired.iter().find(|slot| orders_max <= u64::from(**slot));
        outside.map_or(Ok(()), |&slot| within("retired slot", 0..=orders_max - 1, slot))
    }

    fn restore_book(&mut self, listed: &Listed, seen: &mut Seen) -> Checked {
        let Listed { instrument, next, .. } = *listed;
        for instrument in [Some(instrument), next].into_iter().flatten() {
            instrument.check().map_err(RestoreError::Instrument)?;
        }
        let listing = listed.listing()?;
        let (position, id) = (self.books.len(), instrument.id as usize);
        let mut book = Book::new(instrument);
        book.listing = listing;
        book.locate = listed.locate;
        book.last_px = listed.last_px;
        book.reference_px = listed.reference_px;
        book.next = next;
        self.books.push(book);
        if listing.is_listed() {
            if self.positions[id] != u16::MAX || self.symbols[id] != instrument.symbol {
                return Err(twice("instrument", instrument.id.into()));
            }
            self.positions[id] = u16::try_from(position).unwrap_or(u16::MAX);
        }
        for order in &listed.orders {
            self.check_order(&instrument, order)?;
            seen.note(order.slot)?;
            self.restore_order(position, order)?;
        }
        Ok(())
    }

    fn check_order(&self, instrument: &Instrument, order: &OrderState) -> Checked {
        let display = order.traits().display;
        let slots = self.store.arena.slots(display.is_hidden());
        let fresh = self.store.arena.free_from(display.is_hidden());
        used("slot of an order", slots.start..fresh, order.slot)?;
        let generations = u64::from(GENERATION_MIN)..=u64::from(GENERATION_MAX);
        within("generation", generations, order.generation)?;
        within("price", 1..=Price::RAW_MAX.into(), order.px)?;
        within("price beyond a tick", 0..=0, order.px % instrument.tick)?;
        within("open quantity", 1..=u32::MAX.into(), order.open)?;
        within("port of an order", 1..=self.capacity.ports.into(), order.port)?;
        within("place of an order", 0..=self.seq, order.entered_seq)
    }

    fn restore_order(&mut self, position: usize, order: &OrderState) -> Checked {
        let OrderState { slot, port, channel, user_ref_num, px, .. } = *order;
        let mut unit = Unit {
            px,
            open: order.open,
            executed: order.executed,
            user_ref_num,
            generation: order.generation,
            book: u16::try_from(position).unwrap_or(u16::MAX),
            ..Unit::FREE
        };
        unit.set_traits(order.traits());
        let identity = Identity { port, channel, group: order.group, seq: order.entered_seq };
        self.store.arena.restore_order(slot, identity, order.decremented, unit);
        if user_ref_num != 0 {
            let key = Key { port, channel, user_ref_num };
            let entry = self.user_refs.find(key).filter(|_| self.user_refs.get(key).is_none());
            let Some(entry) = entry else { return Err(twice("number", user_ref_num.into())) };
            self.user_refs.set(entry, slot);
        }
        self.ports[usize::from(port)].live_orders += 1;
        let side = unit.action().side();
        if !self.books[position].can_rest(&self.store, side, slot) {
            let (what, most) = ("levels", u64::from(self.capacity.levels));
            return Err(RestoreError::Range { what, least: 0, most, found: most + 1 });
        }
        self.books[position].rest(&mut self.store, side, slot, px);
        if order.due_ns != 0 {
            self.timers.set(slot, order.due_ns);
            let arena = &self.store.arena;
            self.timers.start(slot, |slot| arena.entered_seq(slot));
        }
        Ok(())
    }

    /// What only all of it together shows.
    fn check_restored(&self, state: &State) -> Checked {
        for (port, state) in self.ports.iter().zip(&state.ports) {
            equal("orders of a port", port.live_orders as usize, state.live_orders as usize)?;
        }
        if !self.user_refs.are_pages_used() {
            return Err(twice("page without orders of channel", NONE.into()));
        }
        let orders: usize = state.books.iter().map(|listed| listed.orders.len()).sum();
        let used = |is_hidden: bool| {
            let slots = self.store.arena.slots(is_hidden);
            self.store.arena.free_from(is_hidden) - slots.start
        };
        let used = (used(false) + used(true)) as usize;
        let idle = state.free.iter().map(|free| free.slots.len()).sum::<usize>();
        equal("slots in use", used, orders + idle + state.retired.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        command::{Cancel, Command, DayRoll, Enter, SessionUp, Source, Terms},
        event::Event,
    };

    const SESSION: [u8; 10] = *b"SESSION001";
    const SHARE: Instrument = Instrument {
        id: 1,
        symbol: *b"DEMO    ",
        price_decimals: 4,
        qty_decimals: 0,
        tick: 5,
        lot: 1,
        qty_min: 1,
        qty_max: 1_000,
        collar_bp: 0,
        reference_px: 0,
    };

    /// Two bids and an ask of port 1, after a trade that left a slot free.
    fn state() -> State {
        let capacity = Capacity {
            orders: 8,
            hidden_orders: 4,
            levels: 4,
            nodes: 64,
            instruments: 2,
            ports: 2,
            port_orders: 8,
            port_pages: 4,
            user_ref_pages: 8,
        };
        let source = Source { port: 1, generation: 1, channel: 0 };
        let order = |user_ref_num: u32, action: Action, px: u32| {
            Command::Enter(Enter {
                source,
                user_ref_num,
                instrument: 1,
                qty: 10,
                px,
                terms: Ok(Terms::plain(
                    action,
                    TimeInForce::Day,
                    types::Capacity::Agency,
                    Display::Visible,
                )),
                client_order_id: &[b' '; 14],
                echo: b"",
            })
        };
        let up = SessionUp { source, firm: *b"FIRM", session: SESSION, grace_ms: Some(5) };
        let mut engine = Engine::new(capacity);
        for (seq, command) in (1..).zip([
            Command::Define(SHARE),
            Command::DayRoll(DayRoll { date: 1, utc_offset_s: 0, session: SESSION }),
            Command::SessionUp(up),
            order(1, Action::Sell, 100),
            order(2, Action::Buy, 100),
            order(3, Action::Buy, 100),
            order(4, Action::Buy, 95),
            order(5, Action::Sell, 105),
            order(6, Action::Buy, 95),
            Command::Cancel(Cancel { source, user_ref_num: 6, order_ref: None, qty: Some(0) }),
            Command::SessionDown(source),
        ]) {
            let mut events: Vec<Event> = Vec::new();
            let mut progress = engine.begin(seq, seq, &command, &mut events);
            while progress == crate::Progress::More {
                progress = engine.resume(&mut events);
            }
        }
        engine.capture()
    }

    #[test]
    fn a_state_comes_back_as_it_was() {
        let state = state();
        assert_eq!(state.books[0].orders.len(), 3);
        assert!(!state.free[0].slots.is_empty());
        assert_eq!(Engine::restore(&state).map(|engine| engine.capture()), Ok(state));
    }

    /// What is wrong, what is said of it, and how it gets there.
    type Lie = (&'static str, fn(&mut State));

    const LIES: &[Lie] = &[
        ("capacity of orders", |it| it.capacity.orders = ORDERS_MAX + 1),
        ("capacity of ports: expected 1 to", |it| it.capacity.ports = 0),
        ("ports: expected 3, found 2", |it| _ = it.ports.pop()),
        ("standing of a port", |it| it.ports[1].standing = 3),
        ("orders of a port: expected 3, found 4", |it| it.ports[1].live_orders = 4),
        ("port of a grace", |it| it.disconnects[0].1 = 3),
        ("graces: expected 0 to 2, found 3", |it| it.disconnects = vec![it.disconnects[0]; 3]),
        ("grace of port 1 is named twice", |it| it.disconnects.push(it.disconnects[0])),
        ("channel of a port", |it| it.marks[0].0 = 3 * 256),
        ("page of numbers", |it| it.pages.push(it.pages[0])),
        ("page of numbers", |it| it.pages[0].0 |= 7 << 40),
        ("number 3 is named twice", |it| it.pages.clear()),
        ("page without orders", |it| it.pages.insert(0, (1 << 40 | 9, false))),
        ("carried order", |it| it.carried.push(12)),
        ("end of carried orders", |it| it.carried_ends[0] = 1),
        ("first unused slot", |it| it.free[0].fresh = 9),
        ("slots in use", |it| it.free[0].fresh += 1),
        ("free slot: expected 0 to", |it| it.free[0].slots[0][0] = it.free[0].fresh),
        ("generation", |it| it.free[0].slots[0][1] = GENERATION_MAX + 1),
        ("is named twice", |it| it.free[0].slots.push(it.free[0].slots[0])),
        ("slots in use: expected", |it| _ = it.free[0].slots.pop()),
        ("retired slot", |it| it.retired.push(12)),
        ("is named twice", |it| it.retired.push(it.free[0].slots[0][0])),
        ("id of a symbol", |it| it.symbols[0].0 = 0),
        ("symbol of instrument 1 is named twice", |it| it.symbols.push(it.symbols[0])),
        ("instrument 1 is named twice", |it| it.books.push(it.books[0].clone())),
        ("instrument 1 is named twice", |it| it.symbols.clear()),
        ("books: expected 0 to 2", |it| it.books = vec![it.books[0].clone(); 3]),
        ("instrument: tick", |it| it.books[0].instrument.tick = 0),
        ("listing", |it| it.books[0].listing = 4),
        ("slot of an order", |it| it.books[0].orders[0].slot = it.free[0].fresh),
        ("slot of an order", |it| it.books[0].orders[0].traits[3] = 1),
        ("is named twice", |it| it.books[0].orders[1].slot = it.books[0].orders[0].slot),
        ("generation", |it| it.books[0].orders[0].generation = 0),
        ("price: expected", |it| it.books[0].orders[0].px = 0),
        ("price beyond a tick", |it| it.books[0].orders[0].px = 101),
        ("open quantity", |it| it.books[0].orders[0].open = 0),
        ("port of an order", |it| it.books[0].orders[0].port = 3),
        ("place of an order", |it| it.books[0].orders[0].entered_seq = it.seq + 1),
        ("number 3 is named twice", |it| it.books[0].orders[1].user_ref_num = 3),
        ("levels", |it| it.capacity.levels = 2),
    ];

    #[test]
    fn a_state_that_no_engine_had_is_refused_with_what_is_wrong() {
        for (position, (expected, lie)) in LIES.iter().enumerate() {
            let mut state = state();
            lie(&mut state);
            let found = Engine::restore(&state).map(|_| ()).map_err(|error| error.to_string());
            let found = found.expect_err(expected);
            assert!(found.contains(expected), "{position}: expected {expected:?}, found {found:?}");
        }
    }
}
