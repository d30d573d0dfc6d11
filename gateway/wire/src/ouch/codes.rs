//! Values of the one-byte fields of OUCH, its reasons and its special prices.
//!
//! A closed set is an enum; a set that grows with the protocol is a module of constants with a text
//! for each. The texts are for logs and consoles; they are not on the wire.

/// Highest limit price, in price units: 199,999.9900 with four decimals.
pub const PRICE_MAX: u64 = 1_999_999_900;
/// Price of a market order: 200,000.0000 with four decimals.
pub const PRICE_MARKET: u64 = 2_000_000_000;
/// The other price of a market order: the highest signed 32-bit number.
pub const PRICE_MARKET_SIGNED_MAX: u64 = 0x7FFF_FFFF;

/// Returns whether `price` asks for a market order.
#[must_use]
pub const fn is_market_price(price: u64) -> bool {
    matches!(price, PRICE_MARKET | PRICE_MARKET_SIGNED_MAX)
}

/// `Y` in the flags that say yes or no.
pub const YES: u8 = b'Y';
/// `N` in the flags that say yes or no.
pub const NO: u8 = b'N';

closed_set! {
    /// Side of an order.
    pub enum Side {
        /// Buys.
        Buy = b'B',
        /// Sells.
        Sell = b'S',
        /// Sells short.
        SellShort = b'T',
        /// Sells short, exempt from the short-sale price test.
        SellShortExempt = b'E',
    }

    /// How long an order lives.
    pub enum TimeInForce {
        /// Until the market closes.
        Day = b'0',
        /// Trades at once; the remainder is cancelled.
        ImmediateOrCancel = b'3',
        /// Through the extended hours.
        Extended = b'5',
        /// Until the time of tag 15.
        UntilTime = b'6',
        /// After the market's hours.
        AfterHours = b'E',
    }

    /// What the public sees of an order.
    pub enum Display {
        /// Price and quantity.
        Visible = b'Y',
        /// Nothing.
        Hidden = b'N',
        /// Price, quantity and firm.
        Attributable = b'A',
        /// As its price conforms; occurs only in answers.
        Conformant = b'Z',
    }

    /// In which capacity the firm acts.
    pub enum Capacity {
        /// For a customer.
        Agency = b'A',
        /// For itself.
        Principal = b'P',
        /// For itself, to fill a customer's order.
        RisklessPrincipal = b'R',
        /// None of these.
        Other = b'O',
    }

    /// Cross that an order wants to take part in.
    pub enum CrossType {
        /// None: continuous trading.
        Continuous = b'N',
        /// The opening cross.
        Opening = b'O',
        /// The closing cross.
        Closing = b'C',
        /// The cross after a halt or for a new listing.
        Halt = b'H',
        /// Supplemental.
        Supplemental = b'S',
        /// Retail.
        Retail = b'R',
        /// Extended life.
        ExtendedLife = b'E',
        /// The close after hours.
        AfterHoursClose = b'A',
    }

    /// Whether an order still stands when its acceptance is sent.
    pub enum OrderState {
        /// It may still trade.
        Live = b'L',
        /// It is finished; nothing follows.
        Dead = b'D',
    }
}

codes! {
    /// Whether a day order stands over any number of days, tag 129.
    pub mod good_till_cancel: u8 {
        GOOD_TILL_CANCEL = b'Y', "good till cancel";
        DAY = b'N', "for the day";
    }

    /// Kind of customer, tag 4.
    pub mod customer_type: u8 {
        RETAIL = b'R', "retail";
        NOT_RETAIL = b'N', "not retail";
    }

    /// How a price follows the market, tags 6 and 10.
    pub mod price_type: u8 {
        LIMIT = b'L', "limit";
        MARKET_PEG = b'P', "market peg";
        MIDPOINT_PEG = b'M', "midpoint peg";
        PRIMARY_PEG = b'R', "primary peg";
        MARKET_MAKER_PEG = b'Q', "market-maker peg";
        MIDPOINT = b'm', "midpoint";
    }

    /// Whether an order may only rest, tag 12.
    pub mod post_only: u8 {
        POST_ONLY = b'P', "post only";
        MAY_TRADE = b'N', "may trade at once";
    }

    /// Events of the trading day.
    pub mod system_event: u8 {
        START_OF_DAY = b'S', "start of day";
        END_OF_DAY = b'E', "end of day";
    }

    /// Why an order was reduced or ended.
    pub mod cancel_reason: u8 {
        USER = b'U', "user request";
        IMMEDIATE_OR_CANCEL = b'I', "remainder of an immediate order";
        TIMEOUT = b'T', "expired";
        SUPERVISORY = b'S', "supervisory";
        REGULATORY = b'D', "regulatory";
        SELF_MATCH_PREVENTION = b'Q', "self-match prevention";
        SYSTEM = b'Z', "system";
        CROSS_CANCELED = b'C', "cross canceled";
        COLLAR = b'K', "market collar";
        HALTED = b'H', "halted";
        OPEN_PROTECTION = b'X', "open protection";
        CLOSED = b'E', "closed";
        POST_ONLY_NMS = b'F', "post-only would lock an away market";
        POST_ONLY = b'G', "post-only would take liquidity";
        SHARES_EXCEEDED = b'e', "exceeds allowable shares";
    }

    /// Why a trade was annulled.
    pub mod broken_reason: u8 {
        ERRONEOUS = b'E', "erroneous";
        CONSENT = b'C', "consent";
        SUPERVISORY = b'S', "supervisory";
        EXTERNAL = b'X', "external";
    }

    /// Why a trade was corrected.
    pub mod correction_reason: u8 {
        ADJUSTED_TO_NAV = b'N', "adjusted to net asset value";
    }

    /// Why the venue changed an order.
    pub mod restate_reason: u8 {
        DISPLAY_REFRESH = b'R', "refresh of display";
        DISPLAYED_PRICE = b'P', "update of displayed price";
        CARRIED_OVER = b'C', "carried over into this session";
    }

    /// How an execution came about.
    pub mod liquidity: u8 {
        ADDED = b'A', "added";
        REMOVED = b'R', "removed";
        HIDDEN_ADDED = b'J', "hidden, added";
        RESERVE_HIDDEN_ADDED = b'u', "hidden reserve, added";
        OPENING_CROSS = b'O', "opening cross";
        OPENING_CROSS_IMBALANCE = b'M', "opening cross, imbalance-only order";
        CLOSING_CROSS = b'C', "closing cross";
        CLOSING_CROSS_IMBALANCE = b'L', "closing cross, imbalance-only order";
        HALT_CROSS = b'H', "halt cross";
        HALT_CROSS_OTHER = b'K', "halt cross, other order";
        MIDPOINT_ADDED = b'k', "midpoint, added";
        MIDPOINT_REMOVED = b'm', "midpoint, removed";
        SUPPLEMENTAL = b'0', "supplemental";
        NBBO_IMPROVING = b'7', "added, improves the national best";
        QBBO_IMPROVING = b'8', "added, improves the venue's best";
    }

    /// What to do instead of a trade with oneself; upper case by firm, lower case by organisation.
    pub mod aiq_strategy: u8 {
        CANCEL_OLDEST = b'O', "cancel oldest";
        CANCEL_NEWEST = b'W', "cancel newest";
        DECREMENT = b'D', "decrement both";
        DECREMENT_NO_DETAILS = b'Y', "decrement both without details";
        CANCEL_OLDEST_BY_ORG = b'o', "cancel oldest, by organisation";
        CANCEL_NEWEST_BY_ORG = b'w', "cancel newest, by organisation";
        DECREMENT_BY_ORG = b'd', "decrement both, by organisation";
        DECREMENT_NO_DETAILS_BY_ORG = b'y', "decrement both without details, by organisation";
    }

    /// Why a request was refused.
    pub mod reject: u16 {
        QUOTE_UNAVAILABLE = 0x01, "quote unavailable";
        DESTINATION_CLOSED = 0x02, "destination closed";
        BAD_DISPLAY = 0x03, "bad display";
        BAD_MAX_FLOOR = 0x04, "bad maximum floor";
        BAD_PEG_TYPE = 0x05, "bad peg type";
        FAT_FINGER = 0x06, "fat finger";
        HALTED = 0x07, "halted";
        ISO_NOT_ALLOWED = 0x08, "intermarket sweep not allowed";
        BAD_SIDE = 0x09, "bad side";
        PROCESSING_ERROR = 0x0A, "processing error";
        CANCEL_PENDING = 0x0B, "cancel pending";
        FIRM_NOT_AUTHORISED = 0x0C, "firm not authorised";
        BAD_MIN_QTY = 0x0D, "bad minimum quantity";
        NO_CLOSING_REFERENCE = 0x0E, "no closing reference price";
        OTHER = 0x0F, "other";
        CANCEL_NOT_ALLOWED = 0x10, "cancel not allowed";
        PEG_NOT_ALLOWED = 0x11, "peg not allowed";
        CROSSED_MARKET = 0x12, "crossed market";
        BAD_QUANTITY = 0x13, "bad quantity";
        BAD_CROSS_ORDER = 0x14, "bad cross order";
        REPLACE_NOT_ALLOWED = 0x15, "replace not allowed";
        ROUTING_NOT_ALLOWED = 0x16, "routing not allowed";
        BAD_SYMBOL = 0x17, "bad symbol";
        TEST = 0x18, "test";
        LATE_LOC_TOO_AGGRESSIVE = 0x19, "late limit-on-close too aggressive";
        RETAIL_NOT_ALLOWED = 0x1A, "retail not allowed";
        BAD_MIDPOINT_POST_ONLY_PRICE = 0x1B, "bad price of a midpoint post-only order";
        BAD_DESTINATION = 0x1C, "bad destination";
        BAD_PRICE = 0x1D, "bad price";
        SHARES_OVER_THRESHOLD = 0x1E, "shares over threshold";
        NOTIONAL_OVER_MAX = 0x1F, "notional over maximum";
        RISK_AGGREGATE_EXPOSURE = 0x20, "risk: aggregate exposure";
        RISK_MARKET_IMPACT = 0x21, "risk: market impact";
        RISK_RESTRICTED_STOCK = 0x22, "risk: restricted stock";
        RISK_SHORT_SELL_RESTRICTED = 0x23, "risk: short sell restricted";
        RISK_ISO = 0x24, "risk: intermarket sweep";
        RISK_DAILY_VOLUME = 0x25, "risk: average daily volume";
        RISK_FAT_FINGER = 0x26, "risk: fat finger";
        RISK_LOCATE_REQUIRED = 0x27, "risk: locate required";
        RISK_SYMBOL_RATE = 0x28, "risk: message rate of the symbol";
        RISK_PORT_RATE = 0x29, "risk: message rate of the port";
        RISK_DUPLICATE_RATE = 0x2A, "risk: rate of duplicates";
        RISK_SHORT_NOT_ALLOWED = 0x2B, "risk: short sell not allowed";
        RISK_MARKET_ORDER = 0x2C, "risk: market order not allowed";
        RISK_PRE_MARKET = 0x2D, "risk: pre-market not allowed";
        RISK_POST_MARKET = 0x2E, "risk: post-market not allowed";
        RISK_SHORT_EXEMPT = 0x2F, "risk: short exempt not allowed";
        RISK_ORDER_NOTIONAL = 0x30, "risk: notional of the order";
        RISK_QUANTITY_MAX = 0x31, "risk: maximum quantity";
        RISK_SHO_UNAVAILABLE = 0x32, "risk: short-sale state not available";
        RISK_IPO_MARKET_BUY = 0x33, "risk: market buy in a new listing";
    }
}

/// Returns the text of a reason of Rejected, `"unknown"` for others.
#[must_use]
pub const fn reject_text(code: u16) -> &'static str {
    reject::text(code)
}

/// Returns the text of a reason of Canceled, `"unknown"` for others.
#[must_use]
pub const fn cancel_text(code: u8) -> &'static str {
    cancel_reason::text(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closed_sets_take_their_own_codes_and_no_others() {
        for code in 0..=u8::MAX {
            assert_eq!(Side::from_wire(code).is_some(), b"BSTE".contains(&code));
            assert_eq!(TimeInForce::from_wire(code).is_some(), b"0356E".contains(&code));
            assert_eq!(Display::from_wire(code).is_some(), b"YNAZ".contains(&code));
            assert_eq!(Capacity::from_wire(code).is_some(), b"APRO".contains(&code));
            assert_eq!(CrossType::from_wire(code).is_some(), b"NOCHSREA".contains(&code));
            assert_eq!(OrderState::from_wire(code).is_some(), b"LD".contains(&code));
            assert!(Side::from_wire(code).is_none_or(|side| side.to_wire() == code));
        }
    }

    #[test]
    fn reject_codes_run_without_gap_from_1_to_33_hex() {
        let codes = reject::ALL.iter().map(|(code, _)| *code);
        assert!(codes.eq(0x01..=0x33));
        assert_eq!(reject_text(0x2C), "risk: market order not allowed");
        assert_eq!(reject_text(0x34), "unknown");
        assert_eq!(cancel_text(b'I'), "remainder of an immediate order");
    }

    #[test]
    fn market_prices_lie_above_the_highest_limit() {
        const { assert!(PRICE_MAX < PRICE_MARKET) };
        assert!(is_market_price(PRICE_MARKET));
        assert!(is_market_price(PRICE_MARKET_SIGNED_MAX));
        assert!(!is_market_price(PRICE_MAX));
        assert!(!is_market_price(0));
    }
}
