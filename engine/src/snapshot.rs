//! The whole state of an engine as plain data, and an engine made of it again.
//!
//! What is kept is logical, not an image of memory: books order by order, numbers, ports, kills,
//! and of the memory only what decides the future, which are the slots of orders with their
//! generations and the order in which free ones are used again. Levels, ladders, the table of
//! numbers and the heap of timers follow from that.

mod restore;

use rkyv::{Archive, Deserialize, Serialize};

pub use self::restore::RestoreError;
use crate::{
    arena::restore::Free,
    book::Book,
    command::DayRoll,
    engine::{Engine, Work},
    instrument::Instrument,
    limits::Capacity,
    types::Side,
};

/// Everything that decides what an engine will say next, between two commands.
#[derive(Clone, Debug, PartialEq, Eq, Archive, Serialize, Deserialize)]
pub struct State {
    capacity: Capacity,
    seq: u64,
    now_ns: u64,
    match_count: u64,
    epoch: u32,
    day: Option<DayRoll>,
    locates: u16,
    /// By rising id.
    symbols: Vec<(u32, [u8; 8])>,
    /// By place.
    books: Vec<Listed>,
    /// By number; the first one is never used.
    ports: Vec<PortState>,
    /// Position of each channel of a port that has used a number, and the highest one.
    marks: Vec<(u32, u32)>,
    /// Pages of the table of numbers by port and age, and whether one is being filled.
    pages: Vec<(u64, bool)>,
    carried: Vec<u32>,
    carried_ends: Vec<u32>,
    disabled_firms: Vec<[u8; 4]>,
    is_venue_killed: bool,
    killed_firms: Vec<[u8; 4]>,
    killed_ports: Vec<u16>,
    copied_firms: Vec<([u8; 4], bool)>,
    /// When graces end, and of which ports, by time.
    disconnects: Vec<(u64, u16)>,
    /// Slots that are not in use, of displayed and then of hidden orders.
    free: [FreeSlots; 2],
    /// Slots that rest until the next day.
    retired: Vec<u32>,
}

/// A place for an instrument, and the orders in it.
#[derive(Clone, Debug, PartialEq, Eq, Archive, Serialize, Deserialize)]
struct Listed {
    instrument: Instrument,
    next: Option<Instrument>,
    listing: u8,
    locate: u16,
    last_px: u32,
    reference_px: u32,
    /// Bids and then asks, each in the order in which they trade.
    orders: Vec<OrderState>,
}

/// An order on a book.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Archive, Serialize, Deserialize)]
struct OrderState {
    entered_seq: u64,
    /// When it expires; 0 for never.
    due_ns: u64,
    slot: u32,
    generation: u32,
    px: u32,
    open: u32,
    executed: u32,
    user_ref_num: u32,
    decremented: u32,
    port: u16,
    group: u16,
    channel: u8,
    /// Codes of action, capacity, time in force and display.
    traits: [u8; 4],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Archive, Serialize, Deserialize)]
struct PortState {
    generation: u16,
    standing: u8,
    firm: [u8; 4],
    live_orders: u32,
    is_disabled: bool,
    is_killed: bool,
    grace_ms: Option<u32>,
}

#[derive(Clone, Debug, PartialEq, Eq, Archive, Serialize, Deserialize)]
struct FreeSlots {
    fresh: u32,
    slots: Vec<[u32; 2]>,
}

impl From<Free> for FreeSlots {
    fn from(free: Free) -> Self {
        let Free { fresh, slots } = free;
        Self { fresh, slots }
    }
}

impl State {
    /// What the engine holds; all of it is allocated when it is restored.
    #[must_use]
    pub const fn capacity(&self) -> Capacity {
        self.capacity
    }

    /// Sequence number of the last command.
    #[must_use]
    pub const fn seq(&self) -> u64 {
        self.seq
    }
}

impl Engine {
    /// The whole state, in memory of its own.
    ///
    /// # Panics
    ///
    /// When a command is not done: the caller's bug.
    #[must_use]
    pub fn capture(&self) -> State {
        assert!(matches!(self.work, Work::Idle), "a state was captured within a command");
        let marks = (0..).zip(&self.marks).filter(|(_, mark)| **mark != 0);
        let (is_venue_killed, killed_firms, killed_ports) = self.kills();
        let disconnects = self.disconnects.iter().map(|it| (it.due_ns, it.port));
        let arena = &self.store.arena;
        State {
            capacity: self.capacity,
            seq: self.seq,
            now_ns: self.now_ns,
            match_count: self.match_count,
            epoch: self.epoch,
            day: self.day,
            locates: self.locates,
            symbols: self.symbols().collect(),
            books: self.books.iter().map(|book| self.listed(book)).collect(),
            ports: self.ports.iter().map(PortState::of).collect(),
            marks: marks.map(|(lane, &mark)| (lane, mark)).collect(),
            pages: self.user_refs.pages().collect(),
            carried: self.carried.clone(),
            carried_ends: self.carried_ends.clone(),
            disabled_firms: self.disabled_firms.clone(),
            is_venue_killed,
            killed_firms: killed_firms.to_vec(),
            killed_ports: killed_ports.to_vec(),
            copied_firms: self.copied_firms.iter().map(|it| (it.firm, it.is_on)).collect(),
            disconnects: disconnects.collect(),
            free: [false, true].map(|is_hidden| arena.free(is_hidden).into()),
            retired: arena.retired(),
        }
    }

    fn listed(&self, book: &Book) -> Listed {
        let slots = [Side::Bid, Side::Ask].into_iter().flat_map(|side| {
            let levels = book.levels(&self.store, side);
            levels.flat_map(|level| self.store.arena.queue(level))
        });
        Listed {
            instrument: book.instrument,
            next: book.next,
            listing: book.listing as u8,
            locate: book.locate,
            last_px: book.last_px,
            reference_px: book.reference_px,
            orders: slots.map(|slot| self.order_state(slot)).collect(),
        }
    }

    fn order_state(&self, slot: u32) -> OrderState {
        let (arena, resting) = (&self.store.arena, self.resting_at(slot));
        let traits = [
            resting.action as u8,
            resting.capacity as u8,
            resting.time_in_force as u8,
            resting.display as u8,
        ];
        OrderState {
            entered_seq: resting.entered_seq,
            due_ns: resting.due_ns,
            slot,
            generation: arena.unit(slot).generation(),
            px: resting.px,
            open: resting.open,
            executed: resting.executed,
            user_ref_num: resting.user_ref_num,
            decremented: resting.decremented,
            port: resting.port,
            group: resting.group,
            channel: resting.channel,
            traits,
        }
    }
}
