//! What synthetic brokers do: seeded, plausible, and without any knowledge of sockets.
//!
//! Each instrument has a market maker who keeps a ladder of quotes around a wandering fair price
//! and requotes them one by one; takers hit the quotes, leave small orders near the touch and take
//! them away again.

/// Quotes of a maker on each side.
pub(crate) const QUOTES_PER_SIDE: usize = 8;
/// Ticks from the fair price to the first quote.
const HALF_SPREAD_TICKS: i64 = 2;
/// Fair prices stay this many ticks away from zero, so that every quote has a price.
const FLOOR_TICKS: i64 = 200;

/// A small reproducible source of numbers: xorshift64*.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) const fn new(seed: u64) -> Self {
        // Zero is the one state that xorshift never leaves.
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: u32) -> u32 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let mixed = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D);
        u32::try_from((mixed >> 32) * u64::from(bound) / (1 << 32)).unwrap_or(0)
    }
}

/// What an instrument is traded in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scale {
    /// Price units of a tick.
    pub(crate) tick: u32,
    /// Highest price in ticks.
    pub(crate) ticks_max: i64,
    /// Quantity units of a lot.
    pub(crate) lot: u32,
    /// Smallest quantity in lots.
    pub(crate) lots_min: u32,
}

/// A side, as the flow sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Buy,
    Sell,
}

/// Price and quantity on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Terms {
    pub(crate) way: Way,
    pub(crate) price: u64,
    pub(crate) quantity: u32,
}

/// What happens next in an instrument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// The maker renews one of its quotes.
    Quote { quote: usize, terms: Terms },
    /// A taker trades at once.
    Take(Terms),
    /// A taker leaves an order.
    Leave(Terms),
    /// A taker takes an order away.
    Withdraw,
}

/// The market of one instrument.
#[derive(Clone, Debug)]
pub(crate) struct Market {
    scale: Scale,
    random: Random,
    /// In ticks.
    fair: i64,
    /// Where the fair price is drawn to.
    anchor: i64,
}

impl Market {
    pub(crate) fn new(scale: Scale, seed: u64) -> Self {
        let mut random = Random::new(seed);
        let highest = u32::try_from(scale.ticks_max / 2).unwrap_or(u32::MAX).clamp(1_000, 40_000);
        let anchor = i64::from(highest / 2 + random.below(highest / 2)).max(FLOOR_TICKS);
        Self { scale, random, fair: anchor, anchor }
    }

    /// What happens next.
    pub(crate) fn next(&mut self) -> Act {
        self.wander();
        match self.random.below(100) {
            0..62 => self.quote(),
            62..80 => Act::Take(self.terms(HALF_SPREAD_TICKS + 3, 12)),
            80..92 => {
                let inside = i64::from(self.random.below(4)) - HALF_SPREAD_TICKS;
                Act::Leave(self.terms(inside, 4))
            }
            _ => Act::Withdraw,
        }
    }

    fn wander(&mut self) {
        if self.random.below(6) != 0 {
            return;
        }
        let pull = (self.anchor - self.fair).signum();
        let step = i64::from(self.random.below(3)) - 1;
        let step = if self.random.below(20) == 0 { step + pull } else { step };
        self.fair = (self.fair + step).clamp(FLOOR_TICKS, self.scale.ticks_max - FLOOR_TICKS);
    }

    fn quote(&mut self) -> Act {
        let quotes = u32::try_from(2 * QUOTES_PER_SIDE).unwrap_or(u32::MAX);
        let quote = self.random.below(quotes) as usize;
        let depth = i64::try_from(quote / 2).unwrap_or(0);
        let way = if quote.is_multiple_of(2) { Way::Buy } else { Way::Sell };
        let jitter = i64::from(self.random.below(2));
        let terms = self.terms_at(way, -(HALF_SPREAD_TICKS + depth + jitter), 10 + 10 * depth);
        Act::Quote { quote, terms }
    }

    /// An order of a random side, `reach` ticks beyond the fair price.
    fn terms(&mut self, reach: i64, lots: i64) -> Terms {
        let way = if self.random.below(2) == 0 { Way::Buy } else { Way::Sell };
        self.terms_at(way, reach, lots)
    }

    fn terms_at(&mut self, way: Way, reach: i64, lots: i64) -> Terms {
        let ticks = match way {
            Way::Buy => self.fair + reach,
            Way::Sell => self.fair - reach,
        };
        let price = u64::try_from(ticks).unwrap_or(1) * u64::from(self.scale.tick);
        let lots = self.random.below(u32::try_from(lots).unwrap_or(1));
        let quantity = (lots + self.scale.lots_min) * self.scale.lot;
        Terms { way, price, quantity }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCALE: Scale = Scale { tick: 100, ticks_max: 19_999_999, lot: 5, lots_min: 2 };

    #[test]
    fn the_same_seed_makes_the_same_market() {
        let acts = |seed| {
            let mut market = Market::new(SCALE, seed);
            (0..1_000).map(|_| market.next()).collect::<Vec<_>>()
        };
        assert_eq!(acts(7), acts(7));
        assert_ne!(acts(7), acts(8));
    }

    #[test]
    fn every_order_is_one_the_venue_takes() {
        let mut market = Market::new(SCALE, 1);
        for _ in 0..100_000 {
            let terms = match market.next() {
                Act::Quote { quote, terms } => {
                    assert!(quote < 2 * QUOTES_PER_SIDE);
                    terms
                }
                Act::Take(terms) | Act::Leave(terms) => terms,
                Act::Withdraw => continue,
            };
            assert!(0 < terms.price && terms.price <= 1_999_999_900);
            assert!(terms.price.is_multiple_of(100) && terms.quantity.is_multiple_of(5));
            assert!(10 <= terms.quantity);
        }
    }

    #[test]
    fn quotes_of_one_moment_leave_a_spread() {
        let mut market = Market::new(SCALE, 2);
        for _ in 0..10_000 {
            let fair = u64::try_from(market.fair).unwrap() * 100;
            if let Act::Quote { terms, .. } = market.clone().quote() {
                match terms.way {
                    Way::Buy => assert!(terms.price < fair),
                    Way::Sell => assert!(fair < terms.price),
                }
            }
            market.next();
        }
    }
}
