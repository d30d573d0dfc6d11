//! Order books built from the feed, order by order.
//!
//! [`Books::apply`] takes every ITCH message in feed order. A message that contradicts the book is
//! an error and changes nothing. Each order costs some 150 bytes; the venue bounds their number.
//! This is the readable builder, the model for faster ones: trees and hash maps, no tricks.

use std::collections::{BTreeMap, HashMap};

use uncross_wire::itch::codes::{printable, system_event};
use uncross_wire::itch::order::{
    AddOrder, AddOrderMpid, BrokenTrade, CrossTrade, OrderCancel, OrderDelete, OrderExecuted,
    OrderExecutedWithPrice, OrderReplace, Trade as TradeMessage,
};
use uncross_wire::itch::stock::{StockDirectory, TradingAction};
use uncross_wire::itch::{Header, Message};
use uncross_wire::{TypeByte, U64};

use crate::text::{Firm, Symbol};

mod change;
mod checksum;
mod instrument;

pub use change::{BookError, Change};
pub use instrument::{Book, BookSide, Depth, Ladder, Order, Trade};

use checksum::Fnv;
use instrument::Place;

/// The books of all instruments of a day.
#[derive(Clone, Debug, Default)]
pub struct Books {
    instruments: BTreeMap<u16, Book>,
    locates: HashMap<Symbol, u16>,
    /// Where each live order stands, by reference.
    places: HashMap<u64, Place>,
    /// Orders added so far; an order's number is its place in the queue of its level.
    arrivals: u64,
    timestamp_ns: u64,
}

impl Books {
    /// Starts without instruments.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Applies one message and says what it changed.
    ///
    /// The event "start of messages" begins a day and forgets everything before it.
    ///
    /// # Errors
    ///
    /// The message contradicts the book, which then stands as it was.
    pub fn apply(&mut self, message: &Message<'_>) -> Result<Change, BookError> {
        let change = match message {
            Message::SystemEvent(event) => self.day(event.event),
            Message::StockDirectory(directory) => self.list(directory)?,
            Message::TradingAction(action) => self.state(action)?,
            Message::AddOrder(add) => self.add(add, None)?,
            Message::AddOrderMpid(add) => {
                let firm = Some(Firm::from_wire(add.attribution));
                self.add(&without_mpid(add), firm)?
            }
            Message::OrderExecuted(execution) => self.execute(execution)?,
            Message::OrderExecutedWithPrice(execution) => self.execute_at(execution)?,
            Message::OrderCancel(cancel) => self.cancel(cancel)?,
            Message::OrderDelete(delete) => self.delete(delete)?,
            Message::OrderReplace(replace) => self.replace(replace)?,
            Message::Trade(trade) => self.trade(trade)?,
            Message::CrossTrade(cross) => self.cross(cross)?,
            Message::BrokenTrade(broken) => self.annul(broken)?,
            Message::RegSho(_)
            | Message::ParticipantPosition(_)
            | Message::MwcbDecline(_)
            | Message::MwcbStatus(_)
            | Message::IpoQuotingUpdate(_)
            | Message::LuldCollar(_)
            | Message::OperationalHalt(_)
            | Message::Noii(_)
            | Message::RetailInterest(_)
            | Message::DirectListing(_) => Change::Unaffected,
        };
        self.timestamp_ns = message.header().timestamp.ns();
        Ok(change)
    }

    /// Returns the book with this locate code.
    #[must_use]
    pub fn by_locate(&self, locate: u16) -> Option<&Book> {
        self.instruments.get(&locate)
    }

    /// Returns the book of this instrument.
    #[must_use]
    pub fn by_symbol(&self, symbol: Symbol) -> Option<&Book> {
        self.by_locate(*self.locates.get(&symbol)?)
    }

    /// Returns all books by rising locate code.
    pub fn iter(&self) -> impl Iterator<Item = &Book> {
        self.instruments.values()
    }

    /// Returns the live order with this reference.
    #[must_use]
    pub fn order(&self, reference: u64) -> Option<&Order> {
        let place = self.places.get(&reference)?;
        self.by_locate(place.locate)?.order(place)
    }

    /// Returns the number of live orders.
    #[must_use]
    pub fn order_count(&self) -> usize {
        self.places.len()
    }

    /// Returns the time of the last message applied, in nanoseconds since midnight.
    #[must_use]
    pub const fn timestamp_ns(&self) -> u64 {
        self.timestamp_ns
    }

    /// Returns a checksum over every live order, to compare books that came different ways.
    ///
    /// 64-bit FNV-1a (offset basis 0xcbf29ce484222325, prime 0x100000001b3) over, for each order,
    /// 25 bytes: symbol (8, padded), side (`B` or `S`), price (4), reference (8) and open shares
    /// (4), numbers big-endian. Instruments go by symbol, bids before asks, best price first, and
    /// orders of a level by priority. Locate codes and times do not enter, nor do empty books.
    #[must_use]
    pub fn checksum(&self) -> u64 {
        let mut books: Vec<&Book> = self.iter().collect();
        books.sort_unstable_by_key(|book| book.symbol());
        let mut sum = Fnv::new();
        for book in books {
            book.feed(&mut sum);
        }
        sum.value()
    }

    fn day(&mut self, event: u8) -> Change {
        if event == system_event::START_OF_MESSAGES {
            *self = Self::new();
        }
        Change::Day { event }
    }

    fn list(&mut self, directory: &StockDirectory) -> Result<Change, BookError> {
        let locate = directory.header.stock_locate.get();
        let symbol = Symbol::from_wire(directory.stock);
        if let Some(&expected) = self.locates.get(&symbol)
            && expected != locate
        {
            return Err(BookError::SymbolTaken { symbol, expected, found: locate });
        }
        if let Some(book) = self.instruments.get_mut(&locate) {
            book.check_symbol(directory.stock)?;
            book.set_directory(directory);
        } else {
            self.instruments.insert(locate, Book::new(directory));
            self.locates.insert(symbol, locate);
        }
        Ok(Change::Listed { locate })
    }

    fn state(&mut self, action: &TradingAction) -> Result<Change, BookError> {
        let state = action.trading_state;
        let book = self.book(&action.header)?;
        book.check_symbol(action.stock)?;
        book.set_trading_state(state);
        Ok(Change::State { locate: book.locate(), state })
    }

    fn add(&mut self, add: &AddOrder, firm: Option<Firm>) -> Result<Change, BookError> {
        let reference = add.order_reference.get();
        let side = BookSide::from_wire(add.side)
            .ok_or(BookError::BadSide { reference, found: add.side })?;
        let (price, shares) = (add.price.get(), add.shares.get());
        let order = Order { reference, side, price, shares, firm };
        self.check_new(&order)?;
        let book = self.book(&add.header)?;
        book.check_symbol(add.stock)?;
        let locate = book.locate();
        self.insert(locate, order);
        Ok(Change::Added { locate, order })
    }

    fn execute(&mut self, execution: &OrderExecuted) -> Result<Change, BookError> {
        let header = &execution.header;
        let executed = execution.executed_shares.get();
        let (place, order) = self.find(header, execution.order_reference)?;
        let trade = Trade {
            match_number: execution.match_number.get(),
            price: order.price,
            shares: u64::from(executed),
            timestamp_ns: header.timestamp.ns(),
            printable: true,
        };
        self.fill(&place, &order, executed, trade)
    }

    fn execute_at(&mut self, execution: &OrderExecutedWithPrice) -> Result<Change, BookError> {
        let header = &execution.header;
        let executed = execution.executed_shares.get();
        let (place, order) = self.find(header, execution.order_reference)?;
        let trade = Trade {
            match_number: execution.match_number.get(),
            price: execution.execution_price.get(),
            shares: u64::from(executed),
            timestamp_ns: header.timestamp.ns(),
            printable: execution.printable == printable::YES,
        };
        self.fill(&place, &order, executed, trade)
    }

    fn fill(
        &mut self,
        place: &Place,
        order: &Order,
        executed: u32,
        trade: Trade,
    ) -> Result<Change, BookError> {
        let Order { reference, shares: open, .. } = *order;
        if executed == 0 {
            return Err(BookError::NoShares { reference });
        }
        if open < executed {
            return Err(BookError::OverExecuted { reference, open, executed });
        }
        let order = self.reduce(place, reference, executed)?;
        if let Some(book) = self.instruments.get_mut(&place.locate) {
            book.record(trade);
        }
        Ok(Change::Executed { locate: place.locate, order, trade })
    }

    fn cancel(&mut self, cancel: &OrderCancel) -> Result<Change, BookError> {
        let cancelled = cancel.cancelled_shares.get();
        let (place, order) = self.find(&cancel.header, cancel.order_reference)?;
        let Order { reference, shares: open, .. } = order;
        if cancelled == 0 {
            return Err(BookError::NoShares { reference });
        }
        if open < cancelled {
            return Err(BookError::OverCancelled { reference, open, cancelled });
        }
        let order = self.reduce(&place, reference, cancelled)?;
        Ok(Change::Reduced { locate: place.locate, order, cancelled })
    }

    fn delete(&mut self, delete: &OrderDelete) -> Result<Change, BookError> {
        let (place, order) = self.find(&delete.header, delete.order_reference)?;
        self.reduce(&place, order.reference, order.shares)?;
        Ok(Change::Deleted { locate: place.locate, order })
    }

    fn replace(&mut self, replace: &OrderReplace) -> Result<Change, BookError> {
        let (place, old) = self.find(&replace.header, replace.original_reference)?;
        let reference = replace.new_reference.get();
        let (price, shares) = (replace.price.get(), replace.shares.get());
        let new = Order { reference, price, shares, ..old };
        self.check_new(&new)?;
        self.reduce(&place, old.reference, old.shares)?;
        self.insert(place.locate, new);
        Ok(Change::Replaced { locate: place.locate, old, new })
    }

    fn trade(&mut self, message: &TradeMessage) -> Result<Change, BookError> {
        let trade = Trade {
            match_number: message.match_number.get(),
            price: message.price.get(),
            shares: u64::from(message.shares.get()),
            timestamp_ns: message.header.timestamp.ns(),
            printable: true,
        };
        self.print(&message.header, message.stock, trade)
    }

    fn cross(&mut self, message: &CrossTrade) -> Result<Change, BookError> {
        let trade = Trade {
            match_number: message.match_number.get(),
            price: message.cross_price.get(),
            shares: message.shares.get(),
            timestamp_ns: message.header.timestamp.ns(),
            printable: true,
        };
        self.print(&message.header, message.stock, trade)
    }

    fn print(
        &mut self,
        header: &Header,
        stock: [u8; 8],
        trade: Trade,
    ) -> Result<Change, BookError> {
        let book = self.book(header)?;
        book.check_symbol(stock)?;
        book.record(trade);
        Ok(Change::Printed { locate: book.locate(), trade })
    }

    fn annul(&mut self, broken: &BrokenTrade) -> Result<Change, BookError> {
        let match_number = broken.match_number.get();
        let book = self.book(&broken.header)?;
        book.annul(match_number);
        Ok(Change::Broken { locate: book.locate(), match_number })
    }

    fn book(&mut self, header: &Header) -> Result<&mut Book, BookError> {
        let locate = header.stock_locate.get();
        self.instruments.get_mut(&locate).ok_or(BookError::UnknownInstrument { locate })
    }

    /// Finds a live order, which must belong to the instrument of `header`.
    fn find(&self, header: &Header, reference: U64) -> Result<(Place, Order), BookError> {
        let (reference, found) = (reference.get(), header.stock_locate.get());
        let place = self.places.get(&reference);
        let order = self.order(reference);
        let (Some(&place), Some(&order)) = (place, order) else {
            return Err(BookError::UnknownReference { reference });
        };
        let expected = place.locate;
        if expected == found {
            Ok((place, order))
        } else {
            Err(BookError::OtherInstrument { reference, expected, found })
        }
    }

    fn check_new(&self, order: &Order) -> Result<(), BookError> {
        let reference = order.reference;
        if order.shares == 0 {
            Err(BookError::NoShares { reference })
        } else if self.places.contains_key(&reference) {
            Err(BookError::DuplicateReference { reference })
        } else {
            Ok(())
        }
    }

    /// Puts `order` last in the queue of its level.
    fn insert(&mut self, locate: u16, order: Order) {
        let Order { reference, side, price, .. } = order;
        let place = Place { locate, side, price, arrival: self.arrivals };
        self.arrivals += 1;
        self.places.insert(reference, place);
        if let Some(book) = self.instruments.get_mut(&locate) {
            book.insert(&place, order);
        }
    }

    /// Takes `by` shares off an order and returns what is left of it; at zero it is gone.
    fn reduce(&mut self, place: &Place, reference: u64, by: u32) -> Result<Order, BookError> {
        let book = self.instruments.get_mut(&place.locate);
        let order = book.and_then(|book| book.reduce(place, by));
        let order = order.ok_or(BookError::UnknownReference { reference })?;
        if order.shares == 0 {
            self.places.remove(&reference);
        }
        Ok(order)
    }
}

/// Returns the same order without the name of its firm.
const fn without_mpid(add: &AddOrderMpid) -> AddOrder {
    AddOrder {
        kind: TypeByte::new(),
        header: add.header,
        order_reference: add.order_reference,
        side: add.side,
        shares: add.shares,
        stock: add.stock,
        price: add.price,
    }
}
