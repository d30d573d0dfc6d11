//! Any bytes: decoders answer, never panic, and lose nothing.

use proptest::prelude::*;
use uncross_wire::drop_copy::DropCopy;
use uncross_wire::ouch::inbound::{
    AccountQuery, Cancel, DisableEntry, EnableEntry, Enter, Inbound, MassCancel, Modify, Replace,
};
use uncross_wire::ouch::outbound::{
    Accepted, AccountQueryResponse, AiqCanceled, BrokenTrade, CancelPending, CancelReject,
    Canceled, DisableResponse, EnableResponse, Executed, MassCancelResponse, Modified, Outbound,
    PriorityUpdate, Rejected, Replaced, Restated, SystemEvent, TradeCorrection,
};
use uncross_wire::ouch::{self, Message};
use uncross_wire::soup::{LoginRequest, next_frame};
use uncross_wire::{DecodeError, itch, text};

/// Writes a `T` of `noise` with `elements` behind it.
fn message<T: Message>(noise: &[u8; 80], elements: &[u8]) -> Vec<u8> {
    let mut bytes = *noise;
    bytes[0] = T::KIND;
    let (message, _) = T::ref_from_prefix(&bytes).unwrap();
    let mut out = vec![0; 200];
    let len = ouch::encode(message, elements, &mut out).unwrap();
    out.truncate(len);
    out
}

/// Writes a message of the client with each type.
fn inbound_messages(noise: &[u8; 80], elements: &[u8]) -> [Vec<u8>; 8] {
    [
        message::<Enter>(noise, elements),
        message::<Replace>(noise, elements),
        message::<Cancel>(noise, elements),
        message::<Modify>(noise, elements),
        message::<AccountQuery>(noise, elements),
        message::<MassCancel>(noise, elements),
        message::<DisableEntry>(noise, elements),
        message::<EnableEntry>(noise, elements),
    ]
}

/// Writes a message of the server with each type.
fn outbound_messages(noise: &[u8; 80], elements: &[u8]) -> [Vec<u8>; 18] {
    [
        message::<SystemEvent>(noise, elements),
        message::<Accepted>(noise, elements),
        message::<Replaced>(noise, elements),
        message::<Canceled>(noise, elements),
        message::<AiqCanceled>(noise, elements),
        message::<Executed>(noise, elements),
        message::<BrokenTrade>(noise, elements),
        message::<TradeCorrection>(noise, elements),
        message::<Rejected>(noise, elements),
        message::<CancelPending>(noise, elements),
        message::<CancelReject>(noise, elements),
        message::<PriorityUpdate>(noise, elements),
        message::<Modified>(noise, elements),
        message::<Restated>(noise, elements),
        message::<AccountQueryResponse>(noise, elements),
        message::<MassCancelResponse>(noise, elements),
        message::<DisableResponse>(noise, elements),
        message::<EnableResponse>(noise, elements),
    ]
}

/// Writes a decoded message of the client again.
fn rewrite_inbound(inbound: Inbound<'_>, out: &mut [u8]) -> Option<usize> {
    match inbound {
        Inbound::Enter(body, rest) => ouch::encode(body, rest, out),
        Inbound::Replace(body, rest) => ouch::encode(body, rest, out),
        Inbound::Cancel(body, rest) => ouch::encode(body, rest, out),
        Inbound::Modify(body, rest) => ouch::encode(body, rest, out),
        Inbound::AccountQuery(body, rest) => ouch::encode(body, rest, out),
        Inbound::MassCancel(body, rest) => ouch::encode(body, rest, out),
        Inbound::DisableEntry(body, rest) => ouch::encode(body, rest, out),
        Inbound::EnableEntry(body, rest) => ouch::encode(body, rest, out),
    }
}

/// Writes a decoded message of the server again.
fn rewrite_outbound(outbound: Outbound<'_>, out: &mut [u8]) -> Option<usize> {
    match outbound {
        Outbound::SystemEvent(body, rest) => ouch::encode(body, rest, out),
        Outbound::Accepted(body, rest) => ouch::encode(body, rest, out),
        Outbound::Replaced(body, rest) => ouch::encode(body, rest, out),
        Outbound::Canceled(body, rest) => ouch::encode(body, rest, out),
        Outbound::AiqCanceled(body, rest) => ouch::encode(&body, rest, out),
        Outbound::Executed(body, rest) => ouch::encode(body, rest, out),
        Outbound::BrokenTrade(body, rest) => ouch::encode(body, rest, out),
        Outbound::TradeCorrection(body, rest) => ouch::encode(body, rest, out),
        Outbound::Rejected(body, rest) => ouch::encode(body, rest, out),
        Outbound::CancelPending(body, rest) => ouch::encode(body, rest, out),
        Outbound::CancelReject(body, rest) => ouch::encode(body, rest, out),
        Outbound::PriorityUpdate(body, rest) => ouch::encode(body, rest, out),
        Outbound::Modified(body, rest) => ouch::encode(body, rest, out),
        Outbound::Restated(body, rest) => ouch::encode(body, rest, out),
        Outbound::AccountQueryResponse(body, rest) => ouch::encode(body, rest, out),
        Outbound::MassCancelResponse(body, rest) => ouch::encode(body, rest, out),
        Outbound::DisableResponse(body, rest) => ouch::encode(body, rest, out),
        Outbound::EnableResponse(body, rest) => ouch::encode(body, rest, out),
    }
}

fn noise() -> impl Strategy<Value = [u8; 80]> {
    prop::array::uniform(any::<u8>())
}

fn bytes(max: usize) -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..max)
}

/// Bytes that often open with a known type and then run near its length.
fn plausible(layouts: &'static [uncross_wire::Description]) -> impl Strategy<Value = Vec<u8>> {
    (prop::sample::select(layouts), noise(), 0_usize..6).prop_map(|(layout, noise, extra)| {
        let len = (layout.len_bytes + extra).saturating_sub(3);
        let mut bytes = noise[..len].to_vec();
        if let Some(first) = bytes.first_mut() {
            *first = layout.kind;
        }
        bytes
    })
}

proptest! {
    #[test]
    fn client_messages_survive_decoding(noise in noise(), elements in bytes(100)) {
        for bytes in inbound_messages(&noise, &elements) {
            let decoded = Inbound::decode(&bytes).unwrap();
            prop_assert_eq!(decoded.appendage(), &elements[..]);
            let mut out = [0; 200];
            let len = rewrite_inbound(decoded, &mut out).unwrap();
            prop_assert_eq!(&out[..len], &bytes[..]);
        }
    }

    #[test]
    fn server_messages_survive_decoding(noise in noise(), elements in bytes(100)) {
        for bytes in outbound_messages(&noise, &elements) {
            let decoded = Outbound::decode(&bytes).unwrap();
            prop_assert_eq!(decoded.appendage(), &elements[..]);
            let mut out = [0; 200];
            let len = rewrite_outbound(decoded, &mut out).unwrap();
            prop_assert_eq!(&out[..len], &bytes[..]);
        }
    }

    #[test]
    fn feed_messages_survive_decoding_and_no_truncation_passes(noise in noise()) {
        for layout in itch::LAYOUTS {
            let mut bytes = noise[..layout.len_bytes].to_vec();
            bytes[0] = layout.kind;
            let decoded = itch::Message::decode(&bytes).unwrap();
            prop_assert_eq!(decoded.bytes(), &bytes[..]);
            prop_assert_eq!(
                u64::from(decoded.header().stock_locate.get()),
                u64::from(u16::from_be_bytes([bytes[1], bytes[2]]))
            );
            for found in 1..layout.len_bytes {
                let (kind, expected) = (layout.kind, layout.len_bytes);
                let error = DecodeError::WrongLength { kind, expected, found };
                prop_assert_eq!(itch::Message::decode(&bytes[..found]), Err(error));
            }
        }
    }

    #[test]
    fn truncated_appendage_never_passes(noise in noise(), elements in bytes(20)) {
        for bytes in inbound_messages(&noise, &elements) {
            for len in bytes.len() - elements.len()..bytes.len() {
                prop_assert!(Inbound::decode(&bytes[..len]).is_err());
            }
        }
    }

    #[test]
    fn every_truncation_is_answered(noise in noise(), elements in bytes(20)) {
        for bytes in inbound_messages(&noise, &elements) {
            for len in 0..bytes.len() {
                let _answer = Inbound::decode(&bytes[..len]).map(|decoded| decoded.options());
            }
        }
        for bytes in outbound_messages(&noise, &elements) {
            for len in 0..bytes.len() {
                let _answer = Outbound::decode(&bytes[..len]).map(|decoded| decoded.options());
            }
            let copied = [&b"d\0\x01\0"[..], &bytes].concat();
            prop_assert_eq!(DropCopy::decode(&copied).map(|it| it.bytes), Ok(&bytes[..]));
        }
    }

    #[test]
    fn near_misses_are_answered(
        inbound in plausible(ouch::inbound::LAYOUTS),
        outbound in plausible(ouch::outbound::LAYOUTS),
        feed in plausible(itch::LAYOUTS),
    ) {
        let _answer = Inbound::decode(&inbound).map(|decoded| decoded.options());
        let _answer = Outbound::decode(&outbound).map(|decoded| decoded.options());
        let _answer = itch::Message::decode(&feed);
    }

    #[test]
    fn any_bytes_are_answered(bytes in bytes(120), payload_max in 0_usize..200) {
        let _answer = Inbound::decode(&bytes).map(|decoded| decoded.options());
        let _answer = Outbound::decode(&bytes).map(|decoded| decoded.options());
        let _answer = itch::Message::decode(&bytes);
        let _answer = DropCopy::decode(&bytes);
        let _answer = LoginRequest::decode(&bytes);
        let _answer = text::parse_number(&bytes);
        if let Ok(Some(frame)) = next_frame(&bytes, payload_max) {
            prop_assert_eq!(frame.len_bytes, 3 + frame.payload.len());
            prop_assert!(frame.payload.len() <= payload_max);
            prop_assert!(frame.len_bytes <= bytes.len());
        }
    }

    #[test]
    fn logins_are_answered_at_both_lengths(bytes in prop::array::uniform::<_, 51>(any::<u8>())) {
        let _answer = LoginRequest::decode(&bytes);
        let _answer = LoginRequest::decode(&bytes[..46]);
    }

    #[test]
    fn price_text_reads_back(raw in any::<u64>(), decimals in any::<u8>()) {
        let text = text::format_price(raw, decimals).to_string();
        prop_assert_eq!(text::parse_price(&text, decimals), Ok(raw));
    }

    #[test]
    fn any_price_text_is_answered(text in ".{0,30}", decimals in 0_u8..30) {
        if let Ok(raw) = text::parse_price(&text, decimals) {
            let canonical = text::format_price(raw, decimals).to_string();
            prop_assert_eq!(text::parse_price(&canonical, decimals), Ok(raw));
        }
    }

    #[test]
    fn numbers_read_back(value in any::<u64>()) {
        prop_assert_eq!(text::parse_number(&text::ascii20(value)), Ok(value));
        prop_assert_eq!(text::number::<20>(value), Some(text::ascii20(value)));
    }
}
