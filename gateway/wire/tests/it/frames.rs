//! Hand-made frames, byte by byte, against the codecs in both directions.

use uncross_wire::itch::order::{AddOrder, OrderExecuted, Trade};
use uncross_wire::itch::stock::StockDirectory;
use uncross_wire::itch::{self, Header, Timestamp};
use uncross_wire::ouch::inbound::{Cancel, Enter, Inbound, MassCancel, Modify, Replace};
use uncross_wire::ouch::outbound::{
    Accepted, AiqCanceled, Canceled, Executed, Outbound, Rejected, Replaced,
};
use uncross_wire::ouch::{self, codes};
use uncross_wire::{DecodeError, IntoBytes, Layout, TypeByte, soup};

const ENTER: &[u8] = b"O\
    \x00\x00\x00\x2A\
    B\
    \x00\x00\x01\xF4\
    AAPL    \
    \x00\x00\x00\x00\x00\x1C\x9C\x38\
    0YPNN\
    client-order-1\
    \x00\x06\
    \x05\x02UBS ";

#[test]
fn enter_order_with_a_firm_is_read_and_written() {
    let enter = Enter {
        kind: TypeByte::new(),
        user_ref_num: 42.into(),
        side: codes::Side::Buy.to_wire(),
        quantity: 500.into(),
        symbol: *b"AAPL    ",
        price: 1_875_000.into(),
        time_in_force: codes::TimeInForce::Day.to_wire(),
        display: codes::Display::Visible.to_wire(),
        capacity: codes::Capacity::Principal.to_wire(),
        intermarket_sweep: codes::NO,
        cross_type: codes::CrossType::Continuous.to_wire(),
        cl_ord_id: *b"client-order-1",
        appendage_len_bytes: 6.into(),
    };
    let inbound = Inbound::decode(ENTER).unwrap();
    assert_eq!(inbound, Inbound::Enter(&enter, b"\x05\x02UBS "));
    assert_eq!(inbound.options().unwrap().firm, Some(*b"UBS "));
    let mut out = [0; 64];
    // The writer sets the length, whatever the struct says.
    let unset = Enter { appendage_len_bytes: 0.into(), ..enter };
    let len = ouch::encode(&unset, b"\x05\x02UBS ", &mut out).unwrap();
    assert_eq!(&out[..len], ENTER);
}

#[test]
fn short_buffer_is_refused_at_every_length() {
    let Ok(Inbound::Enter(enter, elements)) = Inbound::decode(ENTER) else {
        panic!("not an Enter Order");
    };
    let mut out = [0; 64];
    for len in 0..ENTER.len() {
        assert_eq!(ouch::encode(enter, elements, &mut out[..len]), None, "{len} bytes");
    }
    assert_eq!(ouch::encode(enter, elements, &mut out[..ENTER.len()]), Some(ENTER.len()));
    let huge = vec![0; 65_536];
    let mut out = vec![0; 70_000];
    assert_eq!(ouch::encode(enter, &huge, &mut out), None);
}

#[test]
fn replace_is_read() {
    let bytes = b"U\
        \x00\x00\x00\x01\x00\x00\x00\x02\x00\x00\x00\x64\
        \x00\x00\x00\x00\x77\x35\x93\x9C\
        3NN\
        ABCDEFGHIJKLMN\
        \x00\x00";
    let replace = Replace {
        kind: TypeByte::new(),
        orig_user_ref_num: 1.into(),
        new_user_ref_num: 2.into(),
        quantity: 100.into(),
        price: codes::PRICE_MAX.into(),
        time_in_force: b'3',
        display: b'N',
        intermarket_sweep: b'N',
        cl_ord_id: *b"ABCDEFGHIJKLMN",
        appendage_len_bytes: 0.into(),
    };
    assert_eq!(Inbound::decode(bytes), Ok(Inbound::Replace(&replace, b"")));
    assert_eq!(replace.as_bytes(), bytes);
}

#[test]
fn messages_without_a_length_field_are_written_bare_and_with_elements() {
    let modify =
        Modify { kind: TypeByte::new(), user_ref_num: 3.into(), side: b'T', quantity: 9.into() };
    let mut out = [0; 32];
    assert_eq!(ouch::encode(&modify, b"", &mut out), Some(10));
    assert_eq!(&out[..10], b"M\0\0\0\x03T\0\0\0\x09");
    assert_eq!(ouch::encode(&modify, b"\x02\x19Y", &mut out), Some(15));
    assert_eq!(&out[..15], b"M\0\0\0\x03T\0\0\0\x09\0\x03\x02\x19Y");
    assert_eq!(Inbound::decode(&out[..15]), Ok(Inbound::Modify(&modify, b"\x02\x19Y")));
    let query = Inbound::decode(b"Q\0\0").unwrap();
    assert!(matches!(query, Inbound::AccountQuery(_, b"")));
    assert!(matches!(Inbound::decode(b"Q"), Ok(Inbound::AccountQuery(_, b""))));
}

#[test]
fn mass_cancel_and_entry_switches_are_told_apart() {
    let bytes = b"C\0\0\0\x05FIRMMSFT    \0\0";
    let mass_cancel = MassCancel {
        kind: TypeByte::new(),
        user_ref_num: 5.into(),
        firm: *b"FIRM",
        symbol: *b"MSFT    ",
        appendage_len_bytes: 0.into(),
    };
    assert_eq!(Inbound::decode(bytes), Ok(Inbound::MassCancel(&mass_cancel, b"")));
    let disable = Inbound::decode(b"D\0\0\0\x06FIRM\0\0");
    assert!(matches!(disable, Ok(Inbound::DisableEntry(body, _)) if body.user_ref_num == 6));
    let enable = Inbound::decode(b"E\0\0\0\x07FIRM\0\0");
    assert!(matches!(enable, Ok(Inbound::EnableEntry(body, _)) if body.user_ref_num == 7));
}

#[test]
fn elements_count_as_many_bytes_as_announced() {
    for (announced, elements) in [(6, &b"\x05\x02UB"[..]), (0, b"\x02\x1C\x01"), (3, b"")] {
        let mut bytes = ENTER[..45].to_vec();
        bytes.extend([0, announced]);
        bytes.extend(elements);
        let expected = usize::from(announced);
        let error = DecodeError::AppendageLength { kind: b'O', expected, found: elements.len() };
        assert_eq!(Inbound::decode(&bytes), Err(error));
    }
}

#[test]
fn accepted_is_read_and_written() {
    let bytes = b"A\
        \x00\x00\x1F\x1A\xCE\xDD\x50\x00\
        \x00\x00\x00\x2A\
        S\
        \x00\x00\x01\xF4\
        AAPL    \
        \x00\x00\x00\x00\x00\x1C\x9C\x38\
        0Y\
        \x01\x00\x00\x00\x00\x00\x00\x09\
        PNNL\
        client-order-1\
        \x00\x00";
    let accepted = Accepted {
        kind: TypeByte::new(),
        timestamp_ns: 0x1F1A_CEDD_5000.into(),
        user_ref_num: 42.into(),
        side: b'S',
        quantity: 500.into(),
        symbol: *b"AAPL    ",
        price: 1_875_000.into(),
        time_in_force: b'0',
        display: b'Y',
        order_reference: 0x0100_0000_0000_0009.into(),
        capacity: b'P',
        intermarket_sweep: b'N',
        cross_type: b'N',
        state: codes::OrderState::Live.to_wire(),
        cl_ord_id: *b"client-order-1",
        appendage_len_bytes: 0.into(),
    };
    assert_eq!(accepted.as_bytes(), bytes);
    assert_eq!(Outbound::decode(bytes), Ok(Outbound::Accepted(&accepted, b"")));
    assert_eq!(soup::header(soup::SEQUENCED_DATA, bytes.len()), [0, 65, b'S']);
}

#[test]
fn replaced_keeps_both_numbers() {
    let mut bytes = [0; 68];
    bytes[0] = b'U';
    bytes[12] = 1;
    bytes[16] = 2;
    let decoded = Outbound::decode(&bytes).unwrap();
    let Outbound::Replaced(Replaced { orig_user_ref_num, new_user_ref_num, .. }, b"") = decoded
    else {
        panic!("not Replaced: {decoded:?}");
    };
    assert_eq!((orig_user_ref_num.get(), new_user_ref_num.get()), (1, 2));
}

#[test]
fn executed_is_read_and_written() {
    let bytes = b"E\
        \0\0\0\0\0\0\0\x01\0\0\0\x02\0\0\0\x03\
        \0\0\0\0\0\0\0\x04\
        A\
        \0\0\0\0\0\0\0\x05\
        \0\x0D\
        \x09\x13\0\0\0\0\0\0\0\x06\x02\x14N";
    let executed = Executed {
        kind: TypeByte::new(),
        timestamp_ns: 1.into(),
        user_ref_num: 2.into(),
        quantity: 3.into(),
        price: 4.into(),
        liquidity: codes::liquidity::ADDED,
        match_number: 5.into(),
        appendage_len_bytes: 13.into(),
    };
    let decoded = Outbound::decode(bytes).unwrap();
    assert_eq!(decoded, Outbound::Executed(&executed, &bytes[36..]));
    let mut out = [0; 64];
    let len = ouch::encode(&executed, &bytes[36..], &mut out).unwrap();
    assert_eq!(&out[..len], bytes);
    let options = decoded.options().unwrap();
    assert_eq!((options.reference_price, options.reference_price_type), (Some(6), Some(b'N')));
}

#[test]
fn canceled_tolerates_a_trailing_appendage() {
    let bare = b"C\0\0\0\0\0\0\0\x01\0\0\0\x02\0\0\0\x03U";
    let canceled = Canceled {
        kind: TypeByte::new(),
        timestamp_ns: 1.into(),
        user_ref_num: 2.into(),
        quantity: 3.into(),
        reason: codes::cancel_reason::USER,
    };
    assert_eq!(canceled.as_bytes(), bare);
    assert_eq!(Outbound::decode(bare), Ok(Outbound::Canceled(&canceled, b"")));
    let long = [&bare[..], b"\0\x03\x02\x1C\x01"].concat();
    assert_eq!(Outbound::decode(&long), Ok(Outbound::Canceled(&canceled, b"\x02\x1C\x01")));
}

#[test]
fn aiq_canceled_is_read_with_and_without_its_strategy() {
    let bytes = b"D\0\0\0\0\0\0\0\x01\0\0\0\x02\0\0\0\x03Q\0\0\0\x04\0\0\0\0\0\0\0\x05RD";
    let canceled = AiqCanceled {
        kind: TypeByte::new(),
        timestamp_ns: 1.into(),
        user_ref_num: 2.into(),
        decrement: 3.into(),
        reason: codes::cancel_reason::SELF_MATCH_PREVENTION,
        quantity_prevented: 4.into(),
        execution_price: 5.into(),
        liquidity: codes::liquidity::REMOVED,
        strategy: codes::aiq_strategy::DECREMENT,
    };
    assert_eq!(canceled.as_bytes(), bytes);
    assert_eq!(Outbound::decode(bytes), Ok(Outbound::AiqCanceled(canceled, b"")));
    let old = AiqCanceled { strategy: 0, ..canceled };
    assert_eq!(
        Outbound::decode(&bytes[..AiqCanceled::OLD_LEN_BYTES]),
        Ok(Outbound::AiqCanceled(old, b""))
    );
    let error = DecodeError::WrongLength { kind: b'D', expected: 32, found: 30 };
    assert_eq!(Outbound::decode(&bytes[..30]), Err(error));
}

#[test]
fn rejected_carries_its_reason_in_two_bytes() {
    let bytes = b"J\0\0\0\0\0\0\0\x01\0\0\0\x02\0\x2CABCDEFGHIJKLMN";
    let rejected = Rejected {
        kind: TypeByte::new(),
        timestamp_ns: 1.into(),
        user_ref_num: 2.into(),
        reason: codes::reject::RISK_MARKET_ORDER.into(),
        cl_ord_id: *b"ABCDEFGHIJKLMN",
    };
    assert_eq!(rejected.as_bytes(), bytes);
    assert_eq!(Outbound::decode(bytes), Ok(Outbound::Rejected(&rejected, b"")));
}

#[test]
fn cancel_of_a_client_without_appendage_is_nine_bytes() {
    let cancel = Cancel { kind: TypeByte::new(), user_ref_num: 1.into(), quantity: 2.into() };
    let mut out = [0; 9];
    assert_eq!(ouch::encode(&cancel, b"", &mut out), Some(9));
    assert_eq!(&out, b"X\0\0\0\x01\0\0\0\x02");
}

#[test]
fn add_order_is_read_and_written() {
    let bytes = b"A\x00\x07\x00\x00\x1F\x1A\xCE\xDD\x50\x00\
        \0\0\0\0\0\0\0\x09B\0\0\x01\xF4AAPL    \0\x1C\x9C\x38";
    let add = AddOrder {
        kind: TypeByte::new(),
        header: Header::new(7, Timestamp::from_ns(0x1F1A_CEDD_5000).unwrap()),
        order_reference: 9.into(),
        side: itch::codes::side::BUY,
        shares: 500.into(),
        stock: *b"AAPL    ",
        price: 1_875_000.into(),
    };
    assert_eq!(add.as_bytes(), bytes);
    assert_eq!(itch::Message::decode(bytes), Ok(itch::Message::AddOrder(&add)));
}

#[test]
fn execution_and_hidden_trade_are_written() {
    let header = Header::new(1, Timestamp::from_ns(2).unwrap());
    let executed = OrderExecuted {
        kind: TypeByte::new(),
        header,
        order_reference: 3.into(),
        executed_shares: 4.into(),
        match_number: 5.into(),
    };
    assert_eq!(
        executed.as_bytes(),
        b"E\0\x01\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0\x03\0\0\0\x04\0\0\0\0\0\0\0\x05"
    );
    let trade = Trade {
        kind: TypeByte::new(),
        header,
        order_reference: 0.into(),
        side: b'B',
        shares: 4.into(),
        stock: *b"MSFT    ",
        price: 6.into(),
        match_number: 5.into(),
    };
    assert_eq!(
        trade.as_bytes(),
        b"P\0\x01\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0\0B\0\0\0\x04MSFT    \0\0\0\x06\0\0\0\0\0\0\0\x05"
    );
}

#[test]
fn stock_directory_is_read() {
    let bytes = b"R\0\x01\0\0\0\0\0\0\0\x02AAPL    QN\0\0\0\x64NCZ P N1N\0\0\0\0N";
    let Ok(itch::Message::StockDirectory(directory)) = itch::Message::decode(bytes) else {
        panic!("not a directory entry");
    };
    assert_eq!(directory.round_lot_size.get(), 100);
    assert_eq!(&directory.issue_subtype, b"Z ");
    assert_eq!(directory.authenticity, itch::codes::authenticity::LIVE);
    assert_eq!(directory.luld_tier, b'1');
    assert_eq!(directory.header.stock_locate.get(), 1);
    assert_eq!(bytes.len(), StockDirectory::LEN_BYTES);
}
