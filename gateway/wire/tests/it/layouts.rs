//! Every layout against a second statement of it, as `size@offset` taken from the public sources.

use std::collections::BTreeMap;
use uncross_wire::{Description, Layout, drop_copy, itch, ouch, soup};

/// Type, length and fields after the type byte (ITCH: after the common header).
type Expected = (&'static str, u8, usize, &'static str);

const SOUP: [Expected; 4] = [
    ("LoginRequestV3", b'L', 46, "6@0 10@6 10@16 20@26"),
    ("LoginRequestV4", b'L', 51, "46@0 5@46"),
    ("LoginAccepted", b'A', 30, "10@0 20@10"),
    ("LoginRejected", b'J', 1, "1@0"),
];

const OUCH_INBOUND: [Expected; 8] = [
    ("Enter", b'O', 47, "4@1 1@5 4@6 8@10 8@18 1@26 1@27 1@28 1@29 1@30 14@31 2@45"),
    ("Replace", b'U', 40, "4@1 4@5 4@9 8@13 1@21 1@22 1@23 14@24 2@38"),
    ("Cancel", b'X', 9, "4@1 4@5"),
    ("Modify", b'M', 10, "4@1 1@5 4@6"),
    ("AccountQuery", b'Q', 1, ""),
    ("MassCancel", b'C', 19, "4@1 4@5 8@9 2@17"),
    ("DisableEntry", b'D', 11, "4@1 4@5 2@9"),
    ("EnableEntry", b'E', 11, "4@1 4@5 2@9"),
];

const OUCH_OUTBOUND: [Expected; 18] = [
    ("SystemEvent", b'S', 10, "8@1 1@9"),
    (
        "Accepted",
        b'A',
        64,
        "8@1 4@9 1@13 4@14 8@18 8@26 1@34 1@35 8@36 1@44 1@45 1@46 1@47 14@48 2@62",
    ),
    (
        "Replaced",
        b'U',
        68,
        "8@1 4@9 4@13 1@17 4@18 8@22 8@30 1@38 1@39 8@40 1@48 1@49 1@50 1@51 14@52 2@66",
    ),
    ("Canceled", b'C', 18, "8@1 4@9 4@13 1@17"),
    ("AiqCanceled", b'D', 32, "8@1 4@9 4@13 1@17 4@18 8@22 1@30 1@31"),
    ("Executed", b'E', 36, "8@1 4@9 4@13 8@17 1@25 8@26 2@34"),
    ("BrokenTrade", b'B', 36, "8@1 4@9 8@13 1@21 14@22"),
    ("TradeCorrection", b'F', 49, "8@1 4@9 4@13 8@17 1@25 8@26 1@34 14@35"),
    ("Rejected", b'J', 29, "8@1 4@9 2@13 14@15"),
    ("CancelPending", b'P', 13, "8@1 4@9"),
    ("CancelReject", b'I', 13, "8@1 4@9"),
    ("PriorityUpdate", b'T', 30, "8@1 4@9 8@13 1@21 8@22"),
    ("Modified", b'M', 18, "8@1 4@9 1@13 4@14"),
    ("Restated", b'R', 16, "8@1 4@9 1@13 2@14"),
    ("AccountQueryResponse", b'Q', 13, "8@1 4@9"),
    ("MassCancelResponse", b'X', 27, "8@1 4@9 4@13 8@17 2@25"),
    ("DisableResponse", b'G', 19, "8@1 4@9 4@13 2@17"),
    ("EnableResponse", b'K', 19, "8@1 4@9 4@13 2@17"),
];

const DROP_COPY: [Expected; 1] = [("Envelope", b'd', 4, "2@1 1@3")];

const ITCH: [Expected; 23] = [
    ("SystemEvent", b'S', 12, "1@11"),
    (
        "StockDirectory",
        b'R',
        39,
        "8@11 1@19 1@20 4@21 1@25 1@26 2@27 1@29 1@30 1@31 1@32 1@33 4@34 1@38",
    ),
    ("TradingAction", b'H', 25, "8@11 1@19 1@20 4@21"),
    ("RegSho", b'Y', 20, "8@11 1@19"),
    ("ParticipantPosition", b'L', 26, "4@11 8@15 1@23 1@24 1@25"),
    ("MwcbDecline", b'V', 35, "8@11 8@19 8@27"),
    ("MwcbStatus", b'W', 12, "1@11"),
    ("IpoQuotingUpdate", b'K', 28, "8@11 4@19 1@23 4@24"),
    ("LuldCollar", b'J', 35, "8@11 4@19 4@23 4@27 4@31"),
    ("OperationalHalt", b'h', 21, "8@11 1@19 1@20"),
    ("AddOrder", b'A', 36, "8@11 1@19 4@20 8@24 4@32"),
    ("AddOrderMpid", b'F', 40, "8@11 1@19 4@20 8@24 4@32 4@36"),
    ("OrderExecuted", b'E', 31, "8@11 4@19 8@23"),
    ("OrderExecutedWithPrice", b'C', 36, "8@11 4@19 8@23 1@31 4@32"),
    ("OrderCancel", b'X', 23, "8@11 4@19"),
    ("OrderDelete", b'D', 19, "8@11"),
    ("OrderReplace", b'U', 35, "8@11 8@19 4@27 4@31"),
    ("Trade", b'P', 44, "8@11 1@19 4@20 8@24 4@32 8@36"),
    ("CrossTrade", b'Q', 40, "8@11 8@19 4@27 8@31 1@39"),
    ("BrokenTrade", b'B', 19, "8@11"),
    ("Noii", b'I', 50, "8@11 8@19 1@27 8@28 4@36 4@40 4@44 1@48 1@49"),
    ("RetailInterest", b'N', 20, "8@11 1@19"),
    ("DirectListing", b'O', 48, "8@11 1@19 4@20 4@24 4@28 8@32 4@40 4@44"),
];

/// Checks `layouts` against `expected`, skipping the `skipped` first fields of each layout.
fn check(layouts: &[Description], expected: &[Expected], skipped: usize) {
    assert_eq!(layouts.len(), expected.len());
    for (layout, &(name, kind, len, fields)) in layouts.iter().zip(expected) {
        assert_eq!((layout.name, layout.kind, layout.len_bytes), (name, kind, len));
        let found: Vec<_> = layout.fields[skipped..]
            .iter()
            .map(|field| format!("{}@{}", field.size_bytes, field.offset_bytes))
            .collect();
        assert_eq!(found.join(" "), fields, "{name}");
    }
}

#[test]
fn soup_payloads_have_the_published_layout() {
    check(soup::LAYOUTS, &SOUP, 0);
}

#[test]
fn ouch_messages_have_the_published_layout() {
    check(ouch::inbound::LAYOUTS, &OUCH_INBOUND, 1);
    check(ouch::outbound::LAYOUTS, &OUCH_OUTBOUND, 1);
}

#[test]
fn drop_copies_have_the_documented_layout() {
    check(drop_copy::LAYOUTS, &DROP_COPY, 1);
}

#[test]
fn itch_messages_have_the_published_layout() {
    check(itch::LAYOUTS, &ITCH, 2);
}

#[test]
fn itch_header_has_the_published_layout() {
    use core::mem::{offset_of, size_of};
    // One byte more in the message, for the type in front.
    assert_eq!(1 + offset_of!(itch::Header, stock_locate), 1);
    assert_eq!(1 + offset_of!(itch::Header, tracking_number), 3);
    assert_eq!(1 + offset_of!(itch::Header, timestamp), 5);
    assert_eq!(1 + size_of::<itch::Header>(), 11);
}

#[test]
fn fields_follow_one_another_without_gap() {
    for layout in all() {
        let mut end = 0;
        for field in layout.fields {
            assert_eq!(field.offset_bytes, end, "{}.{}", layout.name, field.name);
            end += field.size_bytes;
        }
        assert_eq!(end, layout.len_bytes, "{}", layout.name);
    }
}

#[test]
fn type_field_holds_the_type_byte_of_its_message() {
    for layout in messages() {
        let kind = format!("TypeByte<b'{}'>", char::from(layout.kind));
        assert_eq!(layout.fields[0].type_name, kind, "{}", layout.name);
    }
}

#[test]
fn type_bytes_are_unique_in_each_direction() {
    for layouts in [ouch::inbound::LAYOUTS, ouch::outbound::LAYOUTS, itch::LAYOUTS] {
        let by_kind: BTreeMap<_, _> = layouts.iter().map(|layout| (layout.kind, layout)).collect();
        assert_eq!(by_kind.len(), layouts.len());
    }
}

#[test]
fn length_constants_equal_the_layouts() {
    assert_eq!(ouch::inbound::Enter::LEN_BYTES, 47);
    assert_eq!(itch::order::AddOrder::LEN_BYTES, 36);
    assert_eq!(soup::LoginRequestV3::PACKET_LEN_BYTES, 2 + 47);
    assert_eq!(soup::LoginRequestV4::PACKET_LEN_BYTES, 2 + 52);
    assert_eq!(soup::LoginAccepted::PACKET_LEN_BYTES, 2 + 31);
    assert_eq!(soup::LoginRejected::PACKET_LEN_BYTES, 2 + 2);
}

/// Layouts that open with their type byte.
fn messages() -> impl Iterator<Item = &'static Description> {
    let ouch = ouch::inbound::LAYOUTS.iter().chain(ouch::outbound::LAYOUTS);
    ouch.chain(drop_copy::LAYOUTS).chain(itch::LAYOUTS)
}

fn all() -> impl Iterator<Item = &'static Description> {
    soup::LAYOUTS.iter().chain(messages())
}
