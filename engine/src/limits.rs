//! Every bound of the engine, each with its reason.

use rkyv::{Archive, Deserialize, Serialize};

use crate::types::Price;

/// Events one step may write. A mass cancel of a million orders is thus delivered in pieces that
/// always fit the outbound buffer.
pub const STEP_EVENTS_MAX: usize = 256;

/// Bits of an order reference that name the slot.
pub const SLOT_BITS: u32 = 24;
/// Bits of an order reference that count the lives of a slot within a day.
pub const GENERATION_BITS: u32 = 24;
/// Bits of references and match numbers that name the epoch.
pub const EPOCH_BITS: u32 = 10;
/// Bits of references and match numbers that name the shard.
pub const SHARD_BITS: u32 = 6;

/// First generation of a slot: no reference is 0, which on the feed means "none".
pub const GENERATION_MIN: u32 = 1;
/// Last generation a slot may have in a day; then it rests until the next day roll.
pub const GENERATION_MAX: u32 = (1 << GENERATION_BITS) - 1;
/// Epochs a reference can tell apart. A day cannot see a thousand unprovable losses.
pub const EPOCHS_MAX: u32 = 1 << EPOCH_BITS;
/// Resting orders any configuration may ask for, displayed and hidden ones together.
pub const ORDERS_MAX: u32 = 1 << SLOT_BITS;
/// Price levels any configuration may ask for.
pub const LEVELS_MAX: u32 = 1 << SLOT_BITS;
/// Instruments: a locate code on the feed is a u16, and 0 means "none".
pub const INSTRUMENTS_MAX: u16 = u16::MAX;
/// Ports: a port is a u16 in every record, and 0 means "none".
pub const PORTS_MAX: u16 = 4_096;

/// Firms that can be killed at once: as many as there can be ports.
pub const KILLED_FIRMS_MAX: usize = PORTS_MAX as usize;

/// Firms whose reports may be copied in one session. A firm that takes drop copies is a clearing
/// member with a risk desk of its own, of which a venue has tens; each has a stream, which is two
/// mapped files, and the streams of all begin and end within one step.
pub const COPIED_FIRMS_MAX: usize = 64;

/// Makers that are looked at to see whether a minimum quantity can be met: so many are counted in
/// a fraction of a millisecond, and an answer of "no" costs the client nothing.
pub const MIN_QTY_MAKERS_MAX: usize = 4_096;

/// Series of numbers a port has: a `UserRefIdx` is a u8 on the wire.
pub const CHANNELS: usize = 1 << 8;

/// Largest quantity of one order, in quantity units.
pub const QTY_MAX: u32 = u32::MAX;
/// Largest forward jump of a `UserRefNum`. Beyond it the number is taken for garbage and refused,
/// so that one corrupt message cannot burn the numbers of a day.
pub const USER_REF_JUMP_MAX: u32 = 1 << 24;
/// `UserRefNum`s one page of the reference table covers: four cache lines of slots.
pub const USER_REF_PAGE_LEN: u32 = 64;

/// Appendage bytes a command may carry: what a 1 KiB frame leaves beside its fixed part.
pub const ECHO_LEN_MAX: usize = 960;
/// Appendage bytes one [`Echo`](crate::event::Echo) event carries.
pub const ECHO_PART_LEN: usize = 46;
/// Echo events the longest appendage needs.
pub const ECHO_PARTS_MAX: usize = ECHO_LEN_MAX.div_ceil(ECHO_PART_LEN);

// A reference is one u64.
const _: () = assert!(SLOT_BITS + GENERATION_BITS + EPOCH_BITS + SHARD_BITS == 64);
// Orders, twice, and levels share one space of places of u32, and u32::MAX means "none".
const _: () = assert!(2 * (ORDERS_MAX as u64) + (LEVELS_MAX as u64) < u32::MAX as u64);
// The answer to an order (acceptance, its echo, one more) fits a step.
const _: () = assert!(ECHO_PARTS_MAX + 2 <= STEP_EVENTS_MAX);
// Every stream of drop copies ends and begins beside the feed's within the step of a day roll, and
// begins in that of an epoch before the listings take half a step.
const _: () = assert!(2 * COPIED_FIRMS_MAX + 5 <= STEP_EVENTS_MAX);
const _: () = assert!(COPIED_FIRMS_MAX + 2 <= STEP_EVENTS_MAX / 2);
// The value of a fill cannot overflow u64.
const _: () = assert!((Price::RAW_MAX as u128) * (QTY_MAX as u128) <= u64::MAX as u128);

/// How much one engine holds. All of it is allocated at start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Archive, Serialize, Deserialize)]
pub struct Capacity {
    /// Live orders that are not hidden, `1..=ORDERS_MAX`. 76 bytes each.
    pub orders: u32,
    /// Live hidden orders, with `orders` at most [`ORDERS_MAX`]. 76 bytes each. They have slots of
    /// their own, so that references of displayed orders tell nothing about them.
    pub hidden_orders: u32,
    /// Price levels with at least one order, over all instruments, `1..=LEVELS_MAX`. 16 bytes each.
    pub levels: u32,
    /// Nodes of the price ladders. 272 bytes each; a node covers 64 neighbouring ticks, or as many
    /// nodes. Counted is what a tree takes that skips no step, so that a price far from all others
    /// counts for up to six; one that skips steps never takes more.
    pub nodes: u32,
    /// Instruments, `1..=INSTRUMENTS_MAX`.
    pub instruments: u16,
    /// Ports, `1..=PORTS_MAX`.
    pub ports: u16,
    /// Resting orders of one port, so that none takes the room of all.
    pub port_orders: u32,
    /// Pages of the `UserRefNum` table that one port may hold.
    pub port_pages: u32,
    /// Pages of the `UserRefNum` table. 312 bytes each, [`USER_REF_PAGE_LEN`] numbers a page.
    pub user_ref_pages: u32,
}

impl Default for Capacity {
    fn default() -> Self {
        Self {
            orders: 1 << 18,
            hidden_orders: 1 << 15,
            levels: 1 << 16,
            nodes: 1 << 15,
            instruments: 1_024,
            ports: 256,
            port_orders: 1 << 16,
            port_pages: 1 << 12,
            user_ref_pages: 1 << 14,
        }
    }
}
