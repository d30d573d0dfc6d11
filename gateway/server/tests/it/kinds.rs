//! Kinds of orders as brokers and subscribers see them, byte by byte where it matters.

use uncross_server::{
    journal::format::{SIDECAR_CLOSED, SIDECAR_SLOT_STRIDE_BYTES, SidecarSlot},
    users::Users,
};
use uncross_wire::{
    FromBytes, IntoBytes,
    itch::order::{AddOrderMpid, Trade},
    ouch::outbound::{Accepted, AiqCanceled, Executed, Restated},
    soup,
};

use crate::{
    days::today,
    harness::{Raw, TestVenue, enter, with_appendage},
};

const PX: u64 = 1_000_000;

/// Alice, Bob and the feed, each behind its opening.
fn trio(venue: &TestVenue) -> (Raw, Raw, Raw) {
    let mut feed = venue.data(1);
    feed.messages(13);
    let [mut alice, mut bob] = ["ALICE", "BOB"].map(|user| venue.orders(user, 1));
    alice.message();
    bob.message();
    (alice, bob, feed)
}

#[test]
fn a_hidden_order_is_traded_and_told_to_the_feed_only_by_its_trades() {
    let venue = TestVenue::start();
    let (mut alice, mut bob, mut feed) = trio(&venue);
    let mut hidden = enter(1, b'S', 100, PX);
    hidden.display = b'N';
    alice.ouch(hidden.as_bytes());
    let message = alice.message();
    let (accepted, _) = Accepted::ref_from_prefix(&message).unwrap();
    assert_eq!((accepted.display, accepted.state), (b'N', b'L'));
    alice.ouch(b"X\0\0\0\x01\0\0\0\x50");
    assert_eq!(alice.message()[13..18], [0, 0, 0, 20, b'U']);
    bob.ouch(enter(1, b'B', 30, PX).as_bytes());
    bob.messages(2);
    let message = alice.message();
    let (executed, _) = Executed::ref_from_prefix(&message).unwrap();
    assert_eq!((executed.liquidity, executed.quantity.get()), (b'J', 30));
    let told = feed.message();
    let trade = Trade::ref_from_bytes(&told).unwrap();
    assert_eq!((trade.order_reference.get(), trade.side, trade.shares.get()), (0, b'B', 30));
    assert_eq!((trade.stock, trade.price.get()), (*b"DEMO    ", 1_000_000));
    assert_eq!(trade.match_number, executed.match_number);
    // Its end is nobody's business: the next message is about another order.
    alice.ouch(b"X\0\0\0\x01\0\0\0\0");
    assert_eq!(alice.message()[13..18], [0, 0, 0, 50, b'U']);
    bob.ouch(enter(2, b'B', 1, PX).as_bytes());
    assert_eq!(feed.message()[0], b'A');
}

#[test]
fn an_attributable_order_is_shown_with_the_firm_of_its_port() {
    let venue = TestVenue::start();
    let (mut alice, _, mut feed) = trio(&venue);
    let mut order = enter(1, b'S', 100, PX);
    order.display = b'A';
    alice.ouch(order.as_bytes());
    assert_eq!(alice.message()[35], b'A');
    let told = feed.message();
    let add = AddOrderMpid::ref_from_bytes(&told).unwrap();
    assert_eq!((add.attribution, add.shares.get()), (*b"FIRM", 100));
}

#[test]
fn a_market_order_trades_within_the_collar_and_says_why_it_ends() {
    // 5 % of the reference price 10.00 is 0.50.
    let venue = TestVenue::start();
    let (mut alice, mut bob, _) = trio(&venue);
    for (number, price) in [(1, 105_000), (2, 105_100)] {
        alice.ouch(enter(number, b'S', 10, price).as_bytes());
        assert_eq!(alice.message()[0], b'A');
    }
    let mut market = enter(1, b'B', 25, 0x7FFF_FFFF);
    market.time_in_force = b'3';
    bob.ouch(market.as_bytes());
    let messages = bob.messages(3);
    assert_eq!(messages.iter().map(|it| it[0]).collect::<Vec<_>>(), b"AEC");
    assert_eq!(messages[0][26..34], 0x7FFF_FFFF_u64.to_be_bytes(), "the price as it was asked");
    assert_eq!(messages[2][13..18], [0, 0, 0, 15, b'K']);
}

#[test]
fn a_firm_does_not_trade_with_itself_where_an_order_forbids_it() {
    let venue = TestVenue::start();
    let (mut alice, mut bob, mut feed) = trio(&venue);
    alice.ouch(enter(1, b'S', 100, PX).as_bytes());
    feed.message();
    alice.message();
    bob.ouch(&with_appendage(enter(1, b'B', 30, PX), b"\x02\x1dD"));
    let told = alice.message();
    let maker = AiqCanceled::ref_from_bytes(&told).unwrap();
    assert_eq!((maker.decrement.get(), maker.quantity_prevented.get()), (30, 30));
    assert_eq!((maker.execution_price.get(), maker.reason), (PX, b'Q'));
    assert_eq!((maker.liquidity, maker.strategy), (b'A', b'D'));
    assert_eq!(bob.message()[0], b'A');
    let told = bob.message();
    let taker = AiqCanceled::ref_from_bytes(&told).unwrap();
    assert_eq!((taker.decrement.get(), taker.liquidity), (30, b'R'));
    let told = feed.message();
    assert_eq!((told[0], &told[19..]), (b'X', &30_u32.to_be_bytes()[..]), "never an execution");
}

#[test]
fn orders_of_a_lost_connection_are_cancelled_after_its_grace_and_saved_by_a_login() {
    let mut venue = TestVenue::start();
    venue.stop();
    let path = venue.dir().users_file();
    let mut users = Users::load(&path).unwrap();
    let grace = std::time::Duration::from_millis(300);
    users.set_cancel_on_disconnect("ALICE", Some(grace)).unwrap();
    users.save().unwrap();
    venue.restart().unwrap();
    let (mut alice, bob, mut feed) = trio(&venue);
    alice.ouch(enter(1, b'S', 10, PX).as_bytes());
    alice.message();
    let next = alice.next;
    drop((alice, bob));
    let told = feed.until(b'D');
    assert_eq!(told.iter().map(|it| it[0]).collect::<Vec<_>>(), b"AD");
    // The venue that starts again ends what it left open.
    let mut alice = venue.orders("ALICE", next);
    assert_eq!(alice.message()[17], b'Z');
    alice.ouch(enter(2, b'S', 10, PX).as_bytes());
    alice.message();
    let next = alice.next;
    venue.restart().unwrap();
    let mut alice = venue.orders("ALICE", next);
    // The login may come within the grace or after it, as fast as this machine is: both are right.
    let kinds: Vec<u8> = alice.sync().iter().map(|it| it[0]).collect();
    assert!(kinds == b"Q" || kinds == b"CQ", "{kinds:?}");
}

#[test]
fn a_good_till_cancel_order_is_carried_over_and_cancelled_by_its_reference() {
    let (mut venue, (_alice, mut feed, message)) = today(|venue| {
        let (mut alice, _, feed) = trio(venue);
        alice.ouch(&with_appendage(enter(1, b'S', 10, PX), b"\x02\x81Y"));
        let message = alice.message();
        (alice, feed, message)
    });
    let (accepted, echo) = Accepted::ref_from_prefix(&message).unwrap();
    assert_eq!((accepted.time_in_force, echo), (b'0', &b"\x02\x81Y"[..]));
    let reference = accepted.order_reference.get();
    while feed.packet().is_some_and(|(kind, _)| kind != soup::END_OF_SESSION) {}

    let check = |venue: &TestVenue| {
        let mut alice = venue.orders("ALICE", 1);
        let messages = alice.messages(2);
        assert_eq!(messages[0][0], b'S');
        let (restated, elements) = Restated::ref_from_prefix(&messages[1]).unwrap();
        assert_eq!((restated.user_ref_num.get(), restated.reason), (0, b'C'));
        let expected = [
            b"\x09\x01",
            &reference.to_be_bytes()[..],
            b"\x05\x16\0\0\0\x0a",
            b"\x09\x17\0\0\0\0\0\x0f\x42\x40",
        ];
        assert_eq!(elements, expected.concat());
        let mut feed = venue.data(1);
        let opening: Vec<u8> = feed.messages(14).iter().map(|it| it[0]).collect();
        assert_eq!(opening, b"SRHRHRHRHRHASS");
        (alice, feed)
    };
    check(&venue);
    venue.restart().unwrap();
    let (mut alice, mut feed) = check(&venue);
    let by_reference = [&b"X\0\0\0\0\0\0\0\0\0\x0a\x09\x80"[..], &reference.to_be_bytes()].concat();
    alice.ouch(&by_reference);
    let canceled = alice.message();
    assert_eq!(canceled[9..18], [0, 0, 0, 0, 0, 0, 0, 10, b'U']);
    let tail = [&b"\0\x0a\x09\x01"[..], &reference.to_be_bytes()].concat();
    assert_eq!(canceled[18..], tail);
    assert_eq!(feed.message()[0], b'D');
}

/// Makes the journal of a stopped venue look like one whose machine went down while it ran.
pub(crate) fn forget_the_end(venue: &TestVenue) {
    let path = venue.dir().journal().join("durable");
    let mut bytes = std::fs::read(&path).unwrap();
    let stride = usize::try_from(SIDECAR_SLOT_STRIDE_BYTES).unwrap();
    for at in [0, stride] {
        let (slot, _) = SidecarSlot::mut_from_prefix(&mut bytes[at..]).unwrap();
        let flags = slot.flags.get() & !SIDECAR_CLOSED;
        slot.flags.set(flags);
        slot.boot_id = [7; 16];
        let crc = slot.checksum();
        slot.crc.set(crc);
    }
    std::fs::write(&path, bytes).unwrap();
}

#[test]
fn after_a_loss_that_cannot_be_excluded_numbers_begin_anew_and_old_logins_are_told() {
    let mut venue = TestVenue::with(&[("journal.level", "async")]);
    let mut alice = Raw::connect(venue.venue().orders_addr());
    let old_session = alice.log_in("ALICE", "ALICE", "", 1);
    alice.ouch(enter(1, b'S', 10, PX).as_bytes());
    let messages = alice.messages(2);
    let (before, _) = Accepted::ref_from_prefix(&messages[1]).unwrap();
    let next = alice.next;
    venue.stop();
    forget_the_end(&venue);
    venue.restart().unwrap();
    assert_eq!(venue.venue().recovered().opened_epoch, Some(1));

    let mut late = Raw::connect(venue.venue().orders_addr());
    late.send_login("ALICE", "ALICE", &old_session, next);
    assert_eq!(late.packet().unwrap(), (soup::LOGIN_REJECTED, b"S".to_vec()));
    let check = |venue: &TestVenue| {
        let mut alice = Raw::connect(venue.venue().orders_addr());
        let session = alice.log_in("ALICE", "ALICE", "", 1);
        assert_eq!((&session[..6], &session[6..]), (&old_session[..6], "0001"));
        let messages = alice.messages(2);
        let (restated, elements) = Restated::ref_from_prefix(&messages[1]).unwrap();
        assert_eq!((restated.user_ref_num.get(), restated.reason), (1, b'C'));
        let reference = before.order_reference.get() | 1 << 48;
        assert_eq!(elements[2..10], reference.to_be_bytes());
        let mut feed = venue.data(1);
        let opening = feed.messages(14);
        assert_eq!(opening[11][..1], *b"A");
        assert_eq!(opening[11][11..19], reference.to_be_bytes());
        alice
    };
    check(&venue);
    // A clean stop loses nothing: the epoch stays.
    venue.restart().unwrap();
    assert_eq!(venue.venue().recovered().opened_epoch, None);
    let mut alice = check(&venue);
    alice.ouch(enter(1, b'S', 10, PX).as_bytes());
    alice.ouch(enter(2, b'B', 10, PX).as_bytes());
    let messages = alice.messages(3);
    let (executed, _) = Executed::ref_from_prefix(&messages[1]).unwrap();
    assert_eq!(executed.match_number.get(), 1 << 48 | 1);
}
