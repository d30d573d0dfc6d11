//! Values of the one-byte fields of ITCH that Uncross writes or its readers judge by.

codes! {
    /// Phases of the day.
    pub mod system_event: u8 {
        START_OF_MESSAGES = b'O', "start of messages";
        START_OF_SYSTEM_HOURS = b'S', "start of system hours";
        START_OF_MARKET_HOURS = b'Q', "start of market hours";
        END_OF_MARKET_HOURS = b'M', "end of market hours";
        END_OF_SYSTEM_HOURS = b'E', "end of system hours";
        END_OF_MESSAGES = b'C', "end of messages";
    }

    /// Whether an instrument trades.
    pub mod trading_state: u8 {
        HALTED = b'H', "halted";
        PAUSED = b'P', "paused";
        QUOTATION_ONLY = b'Q', "quotation only";
        TRADING = b'T', "trading";
    }

    /// Whether an instrument is real.
    pub mod authenticity: u8 {
        LIVE = b'P', "live";
        TEST = b'T', "test";
    }

    /// Side of an order.
    pub mod side: u8 {
        BUY = b'B', "buy";
        SELL = b'S', "sell";
    }

    /// Whether a trade counts as volume.
    pub mod printable: u8 {
        YES = b'Y', "counts as volume";
        NO = b'N', "does not count as volume";
    }

    /// Kind of a cross.
    pub mod cross_type: u8 {
        OPENING = b'O', "opening";
        CLOSING = b'C', "closing";
        HALT = b'H', "after a halt or for a new listing";
        INTRADAY = b'I', "intraday";
        AFTER_HOURS_CLOSE = b'A', "close after hours";
    }

    /// Side that exceeds the other before a cross.
    pub mod imbalance_direction: u8 {
        BUY = b'B', "buy";
        SELL = b'S', "sell";
        NONE = b'N', "no imbalance";
        INSUFFICIENT = b'O', "too few orders";
        PAUSED = b'P', "paused";
    }
}
