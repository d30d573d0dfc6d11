//! The rules of the book builder, one ITCH message at a time.

use uncross_client::book::{Depth, Ladder, Order, Trade};
use uncross_client::{Book, BookError, BookSide, Books, Change, Firm, Symbol};
use uncross_wire::itch::codes::system_event;
use uncross_wire::itch::order::{
    AddOrder, AddOrderMpid, BrokenTrade, CrossTrade, OrderCancel, OrderDelete, OrderExecuted,
    OrderExecutedWithPrice, OrderReplace, Trade as TradeMessage,
};
use uncross_wire::itch::stock::{RegSho, StockDirectory, SystemEvent, TradingAction};
use uncross_wire::itch::{Header, Message, Timestamp};
use uncross_wire::{FromBytes, IntoBytes, Layout, TypeByte};

const DEMO: [u8; 8] = *b"DEMO    ";
const NOW_NS: u64 = 34_200_000_000_000;

fn header(locate: u16) -> Header {
    Header::new(locate, Timestamp::from_ns(NOW_NS).unwrap())
}

pub(crate) fn directory(locate: u16, stock: [u8; 8]) -> Vec<u8> {
    let mut bytes = [b' '; StockDirectory::LEN_BYTES];
    bytes[0] = StockDirectory::KIND;
    let mut message = StockDirectory::read_from_bytes(&bytes).unwrap();
    (message.header, message.stock) = (header(locate), stock);
    message.round_lot_size = 100.into();
    message.as_bytes().to_vec()
}

pub(crate) fn add(locate: u16, reference: u64, side: u8, shares: u32, price: u32) -> Vec<u8> {
    add_to(locate, DEMO, reference, side, shares, price)
}

fn add_to(
    locate: u16,
    stock: [u8; 8],
    reference: u64,
    side: u8,
    shares: u32,
    price: u32,
) -> Vec<u8> {
    let message = AddOrder {
        kind: TypeByte::new(),
        header: header(locate),
        order_reference: reference.into(),
        side,
        shares: shares.into(),
        stock,
        price: price.into(),
    };
    message.as_bytes().to_vec()
}

fn add_mpid(reference: u64, side: u8, shares: u32, price: u32) -> Vec<u8> {
    let message = AddOrderMpid {
        kind: TypeByte::new(),
        header: header(1),
        order_reference: reference.into(),
        side,
        shares: shares.into(),
        stock: DEMO,
        price: price.into(),
        attribution: *b"UBS ",
    };
    message.as_bytes().to_vec()
}

fn executed(locate: u16, reference: u64, shares: u32, match_number: u64) -> Vec<u8> {
    let message = OrderExecuted {
        kind: TypeByte::new(),
        header: header(locate),
        order_reference: reference.into(),
        executed_shares: shares.into(),
        match_number: match_number.into(),
    };
    message.as_bytes().to_vec()
}

fn executed_at(reference: u64, shares: u32, price: u32, printable: u8) -> Vec<u8> {
    let message = OrderExecutedWithPrice {
        kind: TypeByte::new(),
        header: header(1),
        order_reference: reference.into(),
        executed_shares: shares.into(),
        match_number: 900.into(),
        printable,
        execution_price: price.into(),
    };
    message.as_bytes().to_vec()
}

fn cancel(reference: u64, shares: u32) -> Vec<u8> {
    let message = OrderCancel {
        kind: TypeByte::new(),
        header: header(1),
        order_reference: reference.into(),
        cancelled_shares: shares.into(),
    };
    message.as_bytes().to_vec()
}

pub(crate) fn delete(locate: u16, reference: u64) -> Vec<u8> {
    let message = OrderDelete {
        kind: TypeByte::new(),
        header: header(locate),
        order_reference: reference.into(),
    };
    message.as_bytes().to_vec()
}

fn replace(original: u64, new: u64, shares: u32, price: u32) -> Vec<u8> {
    let message = OrderReplace {
        kind: TypeByte::new(),
        header: header(1),
        original_reference: original.into(),
        new_reference: new.into(),
        shares: shares.into(),
        price: price.into(),
    };
    message.as_bytes().to_vec()
}

fn hidden_trade(shares: u32, price: u32) -> Vec<u8> {
    let message = TradeMessage {
        kind: TypeByte::new(),
        header: header(1),
        order_reference: 0.into(),
        side: b'B',
        shares: shares.into(),
        stock: DEMO,
        price: price.into(),
        match_number: 901.into(),
    };
    message.as_bytes().to_vec()
}

fn cross(shares: u64, price: u32) -> Vec<u8> {
    let message = CrossTrade {
        kind: TypeByte::new(),
        header: header(1),
        shares: shares.into(),
        stock: DEMO,
        cross_price: price.into(),
        match_number: 902.into(),
        cross_type: b'O',
    };
    message.as_bytes().to_vec()
}

fn broken(match_number: u64) -> Vec<u8> {
    let message =
        BrokenTrade { kind: TypeByte::new(), header: header(1), match_number: match_number.into() };
    message.as_bytes().to_vec()
}

fn action(locate: u16, stock: [u8; 8], trading_state: u8) -> Vec<u8> {
    let message = TradingAction {
        kind: TypeByte::new(),
        header: header(locate),
        stock,
        trading_state,
        reserved: b' ',
        reason: [b' '; 4],
    };
    message.as_bytes().to_vec()
}

fn event(event: u8) -> Vec<u8> {
    let message = SystemEvent { kind: TypeByte::new(), header: header(0), event };
    message.as_bytes().to_vec()
}

fn apply(books: &mut Books, message: &[u8]) -> Result<Change, BookError> {
    books.apply(&Message::decode(message).unwrap())
}

/// Bids 11 and 12 at 100, 13 at 99; asks 21 at 101 and 22 at 102.
fn demo() -> Books {
    let mut books = Books::new();
    for message in [
        directory(1, DEMO),
        add(1, 11, b'B', 10, 100),
        add(1, 13, b'B', 30, 99),
        add(1, 12, b'B', 20, 100),
        add(1, 22, b'S', 50, 102),
        add_mpid(21, b'S', 40, 101),
    ] {
        apply(&mut books, &message).unwrap();
    }
    books
}

fn book(books: &Books) -> &Book {
    books.by_symbol(Symbol::from_wire(DEMO)).unwrap()
}

/// Reference and open shares of each order, by priority.
fn queue(books: &Books, side: BookSide) -> Vec<(u64, u32)> {
    book(books).orders(side).map(|order| (order.reference, order.shares)).collect()
}

#[test]
fn orders_stand_by_price_and_then_by_time() {
    let books = demo();
    assert_eq!(queue(&books, BookSide::Bid), [(11, 10), (12, 20), (13, 30)]);
    assert_eq!(queue(&books, BookSide::Ask), [(21, 40), (22, 50)]);
    let book = book(&books);
    assert_eq!(book.best(BookSide::Bid), Some(Depth { price: 100, shares: 30, orders: 2 }));
    assert_eq!(book.best(BookSide::Ask), Some(Depth { price: 101, shares: 40, orders: 1 }));
    let ladder = Ladder {
        bids: vec![Depth { price: 100, shares: 30, orders: 2 }],
        asks: vec![Depth { price: 101, shares: 40, orders: 1 }],
    };
    assert_eq!(book.depth(1), ladder);
    assert_eq!(book.depth(9).bids.len(), 2);
    assert_eq!((book.order_count(), books.order_count()), (5, 5));
    assert_eq!(book.total_shares(BookSide::Bid), 60);
    assert_eq!(book.level_count(BookSide::Ask), 2);
    assert_eq!(book.directory().round_lot_size.get(), 100);
    assert_eq!(books.by_locate(1).unwrap().symbol().to_string(), "DEMO");
    assert_eq!(books.order(21).unwrap().firm, Some(Firm::new("UBS").unwrap()));
    assert_eq!(books.timestamp_ns(), NOW_NS);
}

#[test]
fn each_message_has_its_effect_on_the_queue() {
    let bids = [(11, 10), (12, 20), (13, 30)];
    for (message, expected) in [
        (executed(1, 11, 4, 1), vec![(11, 6), (12, 20), (13, 30)]),
        (executed(1, 11, 10, 1), vec![(12, 20), (13, 30)]),
        (executed_at(12, 5, 101, b'Y'), vec![(11, 10), (12, 15), (13, 30)]),
        (cancel(11, 9), vec![(11, 1), (12, 20), (13, 30)]),
        (cancel(13, 30), vec![(11, 10), (12, 20)]),
        (delete(1, 12), vec![(11, 10), (13, 30)]),
        // A replace loses priority, even at the same price and size.
        (replace(11, 14, 10, 100), vec![(12, 20), (14, 10), (13, 30)]),
        (replace(11, 14, 5, 99), vec![(12, 20), (13, 30), (14, 5)]),
        (replace(13, 14, 5, 101), vec![(14, 5), (11, 10), (12, 20)]),
        (hidden_trade(7, 100), bids.to_vec()),
        (cross(1_000, 100), bids.to_vec()),
        (broken(5), bids.to_vec()),
        (action(1, DEMO, b'H'), bids.to_vec()),
        (directory(1, DEMO), bids.to_vec()),
        (event(system_event::END_OF_MARKET_HOURS), bids.to_vec()),
    ] {
        let mut books = demo();
        apply(&mut books, &message).unwrap();
        assert_eq!(queue(&books, BookSide::Bid), expected, "{}", message.escape_ascii());
        assert_eq!(queue(&books, BookSide::Ask), [(21, 40), (22, 50)]);
    }
}

#[test]
fn change_says_what_happened() {
    let mut books = demo();
    let locate = 1;
    let old = *books.order(11).unwrap();
    assert_eq!(
        old,
        Order { reference: 11, side: BookSide::Bid, price: 100, shares: 10, firm: None }
    );
    let left = |shares| Order { shares, ..old };
    let trade =
        Trade { match_number: 77, price: 100, shares: 4, timestamp_ns: NOW_NS, printable: true };
    let change = apply(&mut books, &executed(1, 11, 4, 77)).unwrap();
    assert_eq!(change, Change::Executed { locate, order: left(6), trade });
    let change = apply(&mut books, &cancel(11, 1)).unwrap();
    assert_eq!(change, Change::Reduced { locate, order: left(5), cancelled: 1 });
    let new = Order { reference: 14, price: 98, shares: 8, ..old };
    let change = apply(&mut books, &replace(11, 14, 8, 98)).unwrap();
    assert_eq!(change, Change::Replaced { locate, old: left(5), new });
    let change = apply(&mut books, &delete(1, 14)).unwrap();
    assert_eq!(change, Change::Deleted { locate, order: new });
    let change = apply(&mut books, &add(1, 15, b'B', 8, 98)).unwrap();
    assert_eq!(change, Change::Added { locate, order: Order { reference: 15, ..new } });
    let change = apply(&mut books, &action(1, DEMO, b'T')).unwrap();
    assert_eq!(change, Change::State { locate, state: b'T' });
    assert_eq!(book(&books).trading_state(), Some(b'T'));
    let change = apply(&mut books, &broken(77)).unwrap();
    assert_eq!(change, Change::Broken { locate, match_number: 77 });
    let change = apply(&mut books, &directory(2, *b"OTHER   ")).unwrap();
    assert_eq!((change, change.locate()), (Change::Listed { locate: 2 }, Some(2)));
    let message = RegSho { kind: TypeByte::new(), header: header(9), stock: DEMO, action: b'1' };
    assert_eq!(apply(&mut books, message.as_bytes()), Ok(Change::Unaffected));
}

#[test]
fn firm_carries_over_a_replace() {
    let mut books = demo();
    apply(&mut books, &replace(21, 23, 5, 103)).unwrap();
    let order = books.order(23).unwrap();
    assert_eq!((order.side, order.firm), (BookSide::Ask, Some(Firm::new("UBS").unwrap())));
    assert!(books.order(21).is_none());
}

#[test]
fn volume_counts_what_is_printable() {
    for (message, volume, last_price) in [
        (executed(1, 21, 4, 1), 4, Some(101)),
        (executed_at(21, 4, 100, b'Y'), 4, Some(100)),
        (executed_at(21, 4, 100, b'N'), 0, None),
        (hidden_trade(7, 99), 7, Some(99)),
        (cross(1 << 40, 98), 1 << 40, Some(98)),
        (cross(0, 98), 0, None),
    ] {
        let mut books = demo();
        apply(&mut books, &message).unwrap();
        let book = book(&books);
        assert_eq!(book.volume(), volume, "{}", message.escape_ascii());
        assert_eq!(book.last_trade().map(|trade| trade.price), last_price);
        assert_eq!(book.trade_count(), u64::from(last_price.is_some()));
    }
}

#[test]
fn annulled_trade_is_no_longer_the_last() {
    let mut books = demo();
    apply(&mut books, &executed(1, 21, 4, 50)).unwrap();
    apply(&mut books, &broken(49)).unwrap();
    assert!(book(&books).last_trade().is_some());
    apply(&mut books, &broken(50)).unwrap();
    let book = book(&books);
    assert_eq!((book.last_trade(), book.volume(), book.broken_count()), (None, 4, 2));
}

#[test]
fn contradiction_is_named_and_changes_nothing() {
    let (demo_symbol, other) = (Symbol::from_wire(DEMO), Symbol::new("OTHER").unwrap());
    for (message, expected) in [
        (executed(1, 99, 1, 1), BookError::UnknownReference { reference: 99 }),
        (executed_at(99, 1, 1, b'Y'), BookError::UnknownReference { reference: 99 }),
        (cancel(99, 1), BookError::UnknownReference { reference: 99 }),
        (delete(1, 99), BookError::UnknownReference { reference: 99 }),
        (replace(99, 100, 1, 1), BookError::UnknownReference { reference: 99 }),
        (executed(1, 11, 11, 1), BookError::OverExecuted { reference: 11, open: 10, executed: 11 }),
        (
            executed_at(11, 12, 1, b'N'),
            BookError::OverExecuted { reference: 11, open: 10, executed: 12 },
        ),
        (cancel(11, 11), BookError::OverCancelled { reference: 11, open: 10, cancelled: 11 }),
        (executed(1, 11, 0, 1), BookError::NoShares { reference: 11 }),
        (cancel(11, 0), BookError::NoShares { reference: 11 }),
        (add(1, 15, b'B', 0, 1), BookError::NoShares { reference: 15 }),
        (replace(11, 15, 0, 1), BookError::NoShares { reference: 15 }),
        (add(1, 21, b'B', 1, 1), BookError::DuplicateReference { reference: 21 }),
        (replace(11, 21, 1, 1), BookError::DuplicateReference { reference: 21 }),
        (replace(11, 11, 1, 1), BookError::DuplicateReference { reference: 11 }),
        (add(1, 15, b'T', 1, 1), BookError::BadSide { reference: 15, found: b'T' }),
        (delete(2, 11), BookError::OtherInstrument { reference: 11, expected: 1, found: 2 }),
        (add(2, 15, b'B', 1, 1), BookError::UnknownInstrument { locate: 2 }),
        (
            add_to(1, *b"OTHER   ", 15, b'B', 1, 1),
            BookError::OtherSymbol { locate: 1, expected: demo_symbol, found: other },
        ),
        (action(3, DEMO, b'H'), BookError::UnknownInstrument { locate: 3 }),
        (
            action(1, *b"OTHER   ", b'H'),
            BookError::OtherSymbol { locate: 1, expected: demo_symbol, found: other },
        ),
        (
            directory(1, *b"OTHER   "),
            BookError::OtherSymbol { locate: 1, expected: demo_symbol, found: other },
        ),
        (directory(2, DEMO), BookError::SymbolTaken { symbol: demo_symbol, expected: 1, found: 2 }),
    ] {
        let mut books = demo();
        let found = apply(&mut books, &message);
        assert_eq!(found, Err(expected), "{}", message.escape_ascii());
        assert_eq!(books.checksum(), demo().checksum());
        assert_eq!((books.order_count(), book(&books).order_count()), (5, 5));
        assert_eq!((book(&books).volume(), book(&books).trading_state()), (0, None));
    }
    let error = BookError::OverExecuted { reference: 11, open: 10, executed: 12 };
    assert_eq!(error.to_string(), "order 11 has 10 shares, 12 executed");
}

#[test]
fn start_of_messages_begins_an_empty_day() {
    let mut books = demo();
    let change = apply(&mut books, &event(system_event::START_OF_MESSAGES)).unwrap();
    assert_eq!(change, Change::Day { event: b'O' });
    assert_eq!((books.order_count(), books.iter().count()), (0, 0));
    apply(&mut books, &directory(5, DEMO)).unwrap();
    apply(&mut books, &add(5, 11, b'S', 1, 1)).unwrap();
    assert_eq!(book(&books).locate(), 5);
}

#[test]
fn checksum_depends_on_the_live_orders_alone() {
    // The same orders by another way: another locate, an order gone, a level refilled.
    let mut books = Books::new();
    for message in [
        directory(9, *b"EMPTY   "),
        directory(4, DEMO),
        add(4, 22, b'S', 50, 102),
        add(4, 21, b'S', 40, 101),
        add(4, 99, b'S', 1, 101),
        add(4, 11, b'B', 15, 100),
        executed(4, 11, 5, 1),
        add(4, 12, b'B', 20, 100),
        add(4, 13, b'B', 30, 99),
        delete(4, 99),
    ] {
        apply(&mut books, &message).unwrap();
    }
    assert_eq!(books.checksum(), demo().checksum());
    assert_eq!(book(&books).checksum(), books.checksum());
    assert_ne!(books.checksum(), Books::new().checksum());
    for message in [cancel(11, 1), replace(11, 14, 10, 100), delete(1, 22)] {
        let mut books = demo();
        apply(&mut books, &message).unwrap();
        assert_ne!(books.checksum(), demo().checksum(), "{}", message.escape_ascii());
    }
}

#[test]
fn checksum_is_fnv_over_the_documented_bytes() {
    let mut books = Books::new();
    apply(&mut books, &directory(1, DEMO)).unwrap();
    apply(&mut books, &add(1, 0x0102, b'S', 3, 0x0405)).unwrap();
    let bytes = b"DEMO    S\0\0\x04\x05\0\0\0\0\0\0\x01\x02\0\0\0\x03";
    let expected = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |sum, byte| {
        (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    assert_eq!(books.checksum(), expected);
}

#[test]
fn checksum_orders_instruments_by_symbol_not_by_locate() {
    let build = |first: u16, second: u16| {
        let mut books = Books::new();
        for message in [
            directory(first, *b"AAA     "),
            directory(second, *b"BBB     "),
            add_to(first, *b"AAA     ", 1, b'B', 1, 1),
            add_to(second, *b"BBB     ", 2, b'B', 1, 1),
        ] {
            apply(&mut books, &message).unwrap();
        }
        books.checksum()
    };
    assert_eq!(build(1, 2), build(2, 1));
}
