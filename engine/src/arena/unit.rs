//! What an order and a level are in memory.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::NONE;
use crate::{
    limits::{GENERATION_MAX, GENERATION_MIN},
    types::{Action, Capacity, Display, TimeInForce},
};

/// A level, or the first half of an order.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C, align(16))]
pub(crate) struct Cell {
    /// Of a level the place of its first order; otherwise as in [`Unit`].
    pub(crate) next: u32,
    /// Of a level the place of its last order; otherwise as in [`Unit`].
    pub(crate) prev: u32,
    /// Price.
    pub(crate) px: u32,
    /// Of a level the leaf of the ladder that names it; of an order what is open.
    pub(crate) leaf: u32,
}

/// An order.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C, align(16))]
pub(crate) struct Unit {
    /// Place of the next in the queue; of a free unit the slot of the next free one.
    pub(crate) next: u32,
    /// Place of the previous one in the queue.
    pub(crate) prev: u32,
    /// Price.
    pub(crate) px: u32,
    /// Quantity still open; 0 in a free unit.
    pub(crate) open: u32,
    /// Executed so far by the whole chain of replaces.
    pub(crate) executed: u32,
    /// The client's number.
    pub(crate) user_ref_num: u32,
    /// Lives of this slot today; the upper byte holds [`Unit::traits`].
    pub(crate) generation: u32,
    /// The owner's port, and [`Unit::CHANNELED`].
    pub(crate) owner: u16,
    /// Position of the instrument in the engine's table.
    pub(crate) book: u16,
}

const _: () = assert!(size_of::<Unit>() == 2 * size_of::<Cell>());

impl Unit {
    pub(crate) const FREE: Self = Self {
        next: NONE,
        prev: NONE,
        px: 0,
        open: 0,
        executed: 0,
        user_ref_num: 0,
        generation: GENERATION_MIN,
        owner: 0,
        book: 0,
    };
    /// The order is of another channel of its port than 0; which one, the arena knows.
    pub(super) const CHANNELED: u16 = 1 << 15;
    /// Action and capacity, which a replacement inherits.
    pub(super) const KEPT_TRAITS: u32 = 0xF;

    /// The order stands for the day, in sight, under a number of channel 0.
    #[inline]
    pub(crate) const fn is_plain(&self) -> bool {
        const PLAIN: u32 = ((TimeInForce::Day as u32) << 4 | (Display::Visible as u32) << 6) << 24;
        let mask = !(Self::KEPT_TRAITS << 24 | GENERATION_MAX);
        self.generation & mask == PLAIN && self.owner & Self::CHANNELED == 0
    }

    /// The owner's port.
    pub(crate) const fn port(&self) -> u16 {
        self.owner & !Self::CHANNELED
    }

    pub(crate) const fn generation(&self) -> u32 {
        self.generation & GENERATION_MAX
    }

    pub(super) const fn traits(&self) -> u8 {
        self.generation.to_le_bytes()[3]
    }

    pub(crate) const fn action(&self) -> Action {
        Action::from_code(self.traits())
    }

    pub(crate) const fn capacity(&self) -> Capacity {
        Capacity::from_code(self.traits() >> 2)
    }

    pub(crate) const fn time_in_force(&self) -> TimeInForce {
        TimeInForce::from_code(self.traits() >> 4)
    }

    pub(crate) const fn display(&self) -> Display {
        Display::from_code(self.traits() >> 6)
    }

    pub(crate) const fn set_traits(&mut self, traits: Traits) {
        let Traits { action, capacity, time_in_force, display } = traits;
        let low = action as u32 | (capacity as u32) << 2;
        let high = (time_in_force as u32) << 4 | (display as u32) << 6;
        self.generation = self.generation & GENERATION_MAX | (low | high) << 24;
    }

    pub(crate) const fn set_action(&mut self, action: Action) {
        let (capacity, time_in_force) = (self.capacity(), self.time_in_force());
        self.set_traits(Traits { action, capacity, time_in_force, display: self.display() });
    }
}

/// Small values of an order that never change but for the side among sells.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Traits {
    pub(crate) action: Action,
    pub(crate) capacity: Capacity,
    pub(crate) time_in_force: TimeInForce,
    pub(crate) display: Display,
}

/// What a replacement changes of an order.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Renewed {
    pub(crate) px: u32,
    pub(crate) open: u32,
    pub(crate) user_ref_num: u32,
    pub(crate) time_in_force: TimeInForce,
    pub(crate) display: Display,
}

/// Who an order is, beside its unit: what trading seldom asks for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Identity {
    pub(crate) port: u16,
    pub(crate) channel: u8,
    /// Self-trade group; 0 for none.
    pub(crate) group: u16,
    /// Sequence number of the command that gave the order its place.
    pub(crate) seq: u64,
}
