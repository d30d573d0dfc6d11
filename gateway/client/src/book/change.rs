//! What a message did to a book, or why it cannot be.

use crate::book::instrument::{Order, Trade};
use crate::text::Symbol;

/// What a message changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// A phase of the day began, see [`uncross_wire::itch::codes::system_event`].
    Day {
        /// The phase.
        event: u8,
    },
    /// An instrument was listed, or its properties were stated again.
    Listed {
        /// Its locate code.
        locate: u16,
    },
    /// An instrument was halted or trades, see [`uncross_wire::itch::codes::trading_state`].
    State {
        /// Its locate code.
        locate: u16,
        /// The state.
        state: u8,
    },
    /// An order was added, last in its queue.
    Added {
        /// Locate code of the instrument.
        locate: u16,
        /// The order.
        order: Order,
    },
    /// An order traded and keeps its priority.
    Executed {
        /// Locate code of the instrument.
        locate: u16,
        /// What is left of the order; with 0 shares it is gone.
        order: Order,
        /// The trade.
        trade: Trade,
    },
    /// An order was reduced and keeps its priority.
    Reduced {
        /// Locate code of the instrument.
        locate: u16,
        /// What is left of the order; with 0 shares it is gone.
        order: Order,
        /// Shares taken off.
        cancelled: u32,
    },
    /// An order was removed.
    Deleted {
        /// Locate code of the instrument.
        locate: u16,
        /// The order as it was.
        order: Order,
    },
    /// An order stands in place of another, last in its queue.
    Replaced {
        /// Locate code of the instrument.
        locate: u16,
        /// The order as it was.
        old: Order,
        /// The new order.
        new: Order,
    },
    /// A trade was printed that touches no displayed order.
    Printed {
        /// Locate code of the instrument.
        locate: u16,
        /// The trade.
        trade: Trade,
    },
    /// A trade was annulled; the book stands.
    Broken {
        /// Locate code of the instrument.
        locate: u16,
        /// Number of the trade.
        match_number: u64,
    },
    /// Nothing of a book was changed.
    Unaffected,
}

impl Change {
    /// Returns the locate code of the instrument concerned, `None` when there is none.
    #[must_use]
    pub const fn locate(&self) -> Option<u16> {
        match *self {
            Self::Listed { locate }
            | Self::State { locate, .. }
            | Self::Added { locate, .. }
            | Self::Executed { locate, .. }
            | Self::Reduced { locate, .. }
            | Self::Deleted { locate, .. }
            | Self::Replaced { locate, .. }
            | Self::Printed { locate, .. }
            | Self::Broken { locate, .. } => Some(locate),
            Self::Day { .. } | Self::Unaffected => None,
        }
    }
}

/// How a message contradicts the books.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BookError {
    /// No directory message gave this locate code.
    #[error("locate {locate} is not in the directory")]
    UnknownInstrument {
        /// The locate code read.
        locate: u16,
    },
    /// The locate code belongs to another symbol.
    #[error("locate {locate} is '{expected}', message says '{found}'")]
    OtherSymbol {
        /// The locate code read.
        locate: u16,
        /// Its symbol.
        expected: Symbol,
        /// The symbol read.
        found: Symbol,
    },
    /// The symbol already has another locate code.
    #[error("'{symbol}' has locate {expected}, directory says {found}")]
    SymbolTaken {
        /// The symbol read.
        symbol: Symbol,
        /// Its locate code.
        expected: u16,
        /// The locate code read.
        found: u16,
    },
    /// No live order has this reference.
    #[error("order {reference} is not in the book")]
    UnknownReference {
        /// The reference read.
        reference: u64,
    },
    /// A live order has this reference already.
    #[error("order {reference} is already in the book")]
    DuplicateReference {
        /// The reference read.
        reference: u64,
    },
    /// The order belongs to another instrument.
    #[error("order {reference} is of locate {expected}, message says {found}")]
    OtherInstrument {
        /// The reference read.
        reference: u64,
        /// Locate code of the order.
        expected: u16,
        /// Locate code read.
        found: u16,
    },
    /// More was executed than the order has.
    #[error("order {reference} has {open} shares, {executed} executed")]
    OverExecuted {
        /// The reference read.
        reference: u64,
        /// Shares of the order.
        open: u32,
        /// Shares executed.
        executed: u32,
    },
    /// More was cancelled than the order has.
    #[error("order {reference} has {open} shares, {cancelled} cancelled")]
    OverCancelled {
        /// The reference read.
        reference: u64,
        /// Shares of the order.
        open: u32,
        /// Shares cancelled.
        cancelled: u32,
    },
    /// An order, execution or cancel is of 0 shares.
    #[error("message about order {reference} has 0 shares, expected at least 1")]
    NoShares {
        /// The reference read.
        reference: u64,
    },
    /// The side is neither `B` nor `S`.
    #[error("order {reference} has side '{}', expected B or S", .found.escape_ascii())]
    BadSide {
        /// The reference read.
        reference: u64,
        /// The side read.
        found: u8,
    },
}
