//! Order sessions: requests, numbers, reports.

use uncross_client::wire::ouch::appendage::tag;
use uncross_client::{
    ClOrdId, Connection, Doing, Elements, Error, Firm, NewOrder, Options, OrderSession,
    ProtocolError, Replacement, Side, Symbol, TimeInForce,
};
use uncross_wire::ouch::inbound::{Cancel, Inbound, Modify};
use uncross_wire::ouch::outbound::{
    Accepted, AccountQueryResponse, Canceled, Outbound, Rejected, Replaced,
};
use uncross_wire::ouch::{codes, encode};
use uncross_wire::{DecodeError, FromBytes, IntoBytes, TypeByte, soup};

use crate::server::{LONG, Peer, SHORT, Server};

fn symbol() -> Symbol {
    Symbol::new("DEMO").unwrap()
}

fn limit() -> NewOrder {
    NewOrder::limit(Side::Buy, symbol(), 100, 100_500)
}

fn accepted(user_ref_num: u32) -> Vec<u8> {
    let mut bytes = [0; size_of::<Accepted>()];
    bytes[0] = b'A';
    let mut report = Accepted::read_from_bytes(&bytes).unwrap();
    report.user_ref_num = user_ref_num.into();
    report.as_bytes().to_vec()
}

fn replaced(orig_user_ref_num: u32, new_user_ref_num: u32) -> Vec<u8> {
    let mut bytes = [0; size_of::<Replaced>()];
    bytes[0] = b'U';
    let mut report = Replaced::read_from_bytes(&bytes).unwrap();
    report.orig_user_ref_num = orig_user_ref_num.into();
    report.new_user_ref_num = new_user_ref_num.into();
    report.as_bytes().to_vec()
}

fn rejected(user_ref_num: u32) -> Vec<u8> {
    let report = Rejected {
        kind: TypeByte::new(),
        timestamp_ns: 1.into(),
        user_ref_num: user_ref_num.into(),
        reason: codes::reject::BAD_PRICE.into(),
        cl_ord_id: [b' '; 14],
    };
    report.as_bytes().to_vec()
}

fn canceled(user_ref_num: u32) -> Vec<u8> {
    let report = Canceled {
        kind: TypeByte::new(),
        timestamp_ns: 1.into(),
        user_ref_num: user_ref_num.into(),
        quantity: 5.into(),
        reason: codes::cancel_reason::USER,
    };
    report.as_bytes().to_vec()
}

fn answer(next_user_ref_num: u32) -> Vec<u8> {
    let report = AccountQueryResponse {
        kind: TypeByte::new(),
        timestamp_ns: 1.into(),
        next_user_ref_num: next_user_ref_num.into(),
    };
    report.as_bytes().to_vec()
}

fn connect(server: &Server) -> OrderSession {
    OrderSession::connect(&server.options()).unwrap()
}

#[test]
fn new_order_has_the_usual_values_and_the_next_number() {
    let server = Server::logged_in(1, |mut peer| {
        let (kind, payload) = peer.message();
        assert_eq!(kind, soup::UNSEQUENCED_DATA);
        let expected = b"O\0\0\0\x01B\0\0\0\x64DEMO    \0\0\0\0\0\x01\x88\x94\
            0YANN              \0\0";
        assert_eq!(payload, expected);
        let payload = peer.message().1;
        let Ok(Inbound::Enter(enter, b"")) = Inbound::decode(&payload) else { panic!() };
        assert_eq!((enter.user_ref_num.get(), enter.side), (2, b'T'));
        assert_eq!(enter.time_in_force, TimeInForce::ImmediateOrCancel.to_wire());
        assert_eq!(enter.price.get(), codes::PRICE_MARKET);
        assert_eq!(enter.intermarket_sweep, codes::YES);
        assert_eq!(&enter.cl_ord_id, b"my order      ");
    });
    let mut session = connect(&server);
    assert_eq!(session.enter(&limit()).unwrap(), 1);
    let order = NewOrder {
        cl_ord_id: ClOrdId::new("my order").unwrap(),
        intermarket_sweep: true,
        ..NewOrder::market(Side::SellShort, symbol(), 5)
    };
    assert_eq!(session.enter(&order).unwrap(), 2);
    assert_eq!(session.next_user_ref_num(), 3);
}

#[test]
fn every_request_arrives_as_its_message() {
    let server = Server::logged_in(1, |mut peer| {
        let payload = peer.message().1;
        let inbound = Inbound::decode(&payload).unwrap();
        assert!(matches!(inbound, Inbound::Replace(r, _) if r.orig_user_ref_num.get() == 9
            && r.new_user_ref_num.get() == 1 && r.quantity.get() == 50 && r.price.get() == 7));
        assert_eq!(inbound.options().unwrap().min_qty, Some(3));
        assert_eq!(peer.message().1, b"X\0\0\0\x09\0\0\0\0");
        assert_eq!(peer.message().1, b"M\0\0\0\x09T\0\0\0\x01");
        assert_eq!(peer.message().1, b"Q");
        assert_eq!(peer.message().1, b"C\0\0\0\x02UBS DEMO    \0\x03\x02\x1bB");
        assert_eq!(peer.message().1, b"D\0\0\0\x03UBS \0\0");
        assert_eq!(peer.message().1, b"E\0\0\0\x04UBS \0\0");
        assert_eq!(peer.message().1, b"X\0\0\0\x09\0\0\0\x01\0\x03\x02\x1c\x05");
        assert_eq!(peer.message().1, b"anything");
    });
    let mut session = connect(&server);
    let firm = Firm::new("UBS").unwrap();
    let options = Options { min_qty: Some(3), ..Options::default() };
    let replacement = Replacement { options, ..Replacement::new(9, 50, 7) };
    assert_eq!(session.replace(&replacement).unwrap(), 1);
    session.cancel(9, 0).unwrap();
    session.modify(9, Side::SellShort, 1).unwrap();
    session.account_query().unwrap();
    let buys = Options { side: Some(b'B'), ..Options::default() };
    assert_eq!(session.mass_cancel(firm, symbol(), &buys).unwrap(), 2);
    assert_eq!(session.orders().disable_entry(firm).unwrap(), 3);
    assert_eq!(session.orders().enable_entry(firm).unwrap(), 4);
    let cancel = Cancel { kind: TypeByte::new(), user_ref_num: 9.into(), quantity: 1.into() };
    let channel = Options { user_ref_index: Some(5), ..Options::default() };
    session.submit(&cancel, &channel).unwrap();
    session.send(b"anything").unwrap();
}

#[test]
fn batched_requests_wait_for_the_flush() {
    let server = Server::logged_in(1, |mut peer| {
        for number in 1..=3 {
            let payload = peer.message().1;
            let Ok(Inbound::Enter(enter, _)) = Inbound::decode(&payload) else { panic!() };
            assert_eq!(enter.user_ref_num.get(), number);
        }
    });
    let mut session = connect(&server);
    session.orders().set_batching(true);
    for _ in 0..3 {
        session.enter(&limit()).unwrap();
    }
    assert_eq!(session.orders().sender().queued_len_bytes(), 3 * (soup::HEADER_LEN_BYTES + 47));
    session.flush().unwrap();
    assert_eq!(session.orders().sender().queued_len_bytes(), 0);
}

#[test]
fn sync_learns_the_next_number_and_passes_reports_on() {
    let server = Server::logged_in(10, |mut peer| {
        assert_eq!(peer.message().1, b"Q");
        peer.sequenced(&canceled(3));
        peer.sequenced(&answer(42));
        let payload = peer.message().1;
        let Ok(Inbound::Enter(enter, _)) = Inbound::decode(&payload) else { panic!() };
        assert_eq!(enter.user_ref_num.get(), 42);
        peer.until_closed();
    });
    let mut session = connect(&server);
    let mut numbers = Vec::new();
    let next = session.sync(LONG, |report| numbers.push(report.number)).unwrap();
    assert_eq!((next, numbers), (42, vec![10, 11]));
    assert_eq!(session.enter(&limit()).unwrap(), 42);
}

#[test]
fn sync_without_an_answer_ends() {
    let server = Server::logged_in(1, |mut peer| drop(peer.until_closed()));
    let error = connect(&server).sync(SHORT, |_| {}).unwrap_err();
    assert!(matches!(error, Error::Timeout { doing: Doing::Sync, after: SHORT }), "{error:?}");
}

#[test]
fn reports_teach_which_numbers_are_used() {
    let steps: [(Vec<u8>, u32); 8] = [
        (accepted(5), 6),
        (accepted(4), 6),
        (replaced(5, 8), 9),
        (canceled(100), 9),
        (rejected(9), 10),
        // So far above that it was refused without being used.
        (rejected(10 + (1 << 24)), 10),
        (answer(7), 10),
        (answer(20), 20),
    ];
    let messages = steps.clone().map(|(message, _)| message);
    let server = Server::logged_in(1, move |mut peer| {
        for message in messages {
            peer.sequenced(&message);
        }
        peer.until_closed();
    });
    let mut session = connect(&server);
    for (message, expected) in steps {
        let report = session.next_report(LONG).unwrap().unwrap();
        assert_eq!(report.message, Outbound::decode(&message).unwrap());
        assert_eq!(session.next_user_ref_num(), expected, "after {message:?}");
    }
    assert_eq!(session.next_number(), 9);
    assert_eq!(session.poll_report().unwrap(), None);
}

#[test]
fn numbers_end_before_they_wrap() {
    let server = Server::logged_in(1, |mut peer| drop(peer.until_closed()));
    let mut session = connect(&server);
    session.orders().set_next_user_ref_num(u32::MAX - 1);
    assert_eq!(session.enter(&limit()).unwrap(), u32::MAX - 1);
    assert!(matches!(session.enter(&limit()), Err(Error::UserRefNumsExhausted)));
    session.orders().set_next_user_ref_num(0);
    assert_eq!(session.next_user_ref_num(), 1);
}

#[test]
fn reconnect_keeps_both_kinds_of_numbers() {
    let server = Server::start(|listener| {
        let mut peer = Peer::accept(&listener);
        peer.packet();
        peer.welcome("DAY1", 1);
        let (kind, _) = peer.message();
        assert_eq!(kind, soup::UNSEQUENCED_DATA);
        peer.sequenced(&accepted(1));
        drop(peer);
        let mut peer = Peer::accept(&listener);
        peer.login(|login| assert_eq!((login.session, login.sequence), (&b"DAY1"[..], 2)));
        peer.welcome("DAY1", 2);
        peer.sequenced(&canceled(1));
        assert_eq!(peer.message().0, soup::LOGOUT_REQUEST);
    });
    let mut session = connect(&server);
    session.enter(&limit()).unwrap();
    assert_eq!(session.next_report(LONG).unwrap().unwrap().number, 1);
    assert!(matches!(session.next_report(LONG), Err(Error::Closed { .. })));
    session.reconnect(&server.options()).unwrap();
    assert_eq!(session.next_user_ref_num(), 2);
    assert_eq!(session.next_report(LONG).unwrap().unwrap().number, 2);
    session.logout().unwrap();
}

#[test]
fn halves_work_alone() {
    let server = Server::logged_in(1, |mut peer| {
        let payload = peer.message().1;
        let Ok(Inbound::Modify(modify, _)) = Inbound::decode(&payload) else { panic!() };
        let Modify { user_ref_num, .. } = modify;
        peer.sequenced(&canceled(user_ref_num.get()));
        peer.raw(&soup::END_OF_SESSION_PACKET);
    });
    let (mut orders, mut reports) = OrderSession::new(server.connect()).split();
    orders.modify(6, Side::Sell, 1).unwrap();
    let report = reports.next_report(LONG).unwrap().unwrap();
    let Outbound::Canceled(canceled, _) = report.message else { panic!("{report:?}") };
    assert_eq!(canceled.user_ref_num.get(), 6);
    let error = reports.next_report(LONG).unwrap_err();
    assert!(matches!(error, Error::EndOfSession { next: 2 }), "{error:?}");
}

#[test]
fn what_is_not_ouch_is_named_with_its_number() {
    let server = Server::logged_in(3, |mut peer| peer.sequenced(b"A?"));
    let error = connect(&server).next_report(LONG).unwrap_err();
    let Error::Protocol(error) = error else { panic!("{error:?}") };
    let length = DecodeError::WrongLength { kind: b'A', expected: 64, found: 2 };
    assert_eq!(error, ProtocolError::Message { number: 3, error: length });
}

#[test]
fn message_of_a_request_equals_what_the_codec_writes() {
    let mut out = [0; 64];
    let len = encode(&limit().message(1), &[], &mut out).unwrap();
    let bytes = out[..len].to_vec();
    let server = Server::logged_in(1, move |mut peer| assert_eq!(peer.message().1, bytes));
    let mut session = OrderSession::new(Connection::connect(&server.options()).unwrap());
    session.enter(&limit()).unwrap();
}

#[test]
fn elements_by_number_follow_the_options() {
    let server = Server::logged_in(1, |mut peer| {
        let expected = b"Q\0\x03\x02\x1c\x05";
        assert_eq!(peer.message(), (soup::UNSEQUENCED_DATA, expected.to_vec()));
        peer.sequenced(b"Q\0\0\0\0\0\0\0\0\0\0\0\x07");
        let (_, enter) = peer.message();
        assert_eq!(enter[1..5], [0, 0, 0, 7], "the channel's next number");
        assert_eq!(enter[45..], *b"\0\x09\x05\x02ACME\x02\x1c\x05");
        let (_, replace) = peer.message();
        assert_eq!(
            (&replace[5..9], &replace[38..]),
            (&[0, 0, 0, 8][..], &b"\0\x03\x02\x1c\x05"[..])
        );
        peer.until_closed();
    });
    let mut session = OrderSession::new(server.connect());
    let mut elements = Elements::new();
    elements.put(tag::USER_REF_INDEX, &[5]).unwrap();
    assert_eq!(session.sync_with(&elements, LONG, |_answer| {}).unwrap(), 7);
    let options = Options { firm: Some(*b"ACME"), ..Options::default() };
    let symbol = Symbol::new("DEMO").unwrap();
    let order = NewOrder { options, ..NewOrder::limit(Side::Buy, symbol, 1, 1) };
    assert_eq!(session.orders().enter_with(&order, &elements).unwrap(), 7);
    let replacement = Replacement::new(7, 1, 1);
    assert_eq!(session.orders().replace_with(&replacement, &elements).unwrap(), 8);
    let mut long = Elements::new();
    for _ in 0..257 {
        long.put(200, &[0; 254]).unwrap();
    }
    let error = session.orders().enter_with(&order, &long).unwrap_err();
    assert!(matches!(error, Error::PayloadTooLong { .. }), "{error}");
}
