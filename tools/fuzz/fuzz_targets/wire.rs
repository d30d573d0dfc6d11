//! Any bytes from a socket or a file of a feed, put to every decoder of the wire.
//!
//! The first byte says who reads the rest.
#![no_main]

use libfuzzer_sys::fuzz_target;
use uncross_engine::command::Source;
use uncross_server::record::{Draft, decode};
use uncross_wire::{
    drop_copy::DropCopy,
    itch,
    ouch::{inbound::Inbound, outbound::Outbound},
    soup::{LoginRequest, PAYLOAD_LEN_BYTES_MAX, next_frame},
    text,
};

/// What a broker is allowed.
const ORDER_PAYLOAD_MAX: usize = 1_024;
const SOURCE: Source = Source { port: 1, generation: 1, channel: 0 };

fuzz_target!(|input: &[u8]| {
    let Some((&reader, bytes)) = input.split_first() else { return };
    match reader % 6 {
        0 => frames(bytes, ORDER_PAYLOAD_MAX),
        1 => frames(bytes, PAYLOAD_LEN_BYTES_MAX),
        2 => inbound(bytes),
        3 => {
            if let Ok(message) = Outbound::decode(bytes) {
                let _read = message.options();
                assert!(bytes.ends_with(message.appendage()));
            }
            if let Ok(copy) = DropCopy::decode(bytes) {
                assert!(bytes.ends_with(copy.bytes));
            }
        }
        4 => {
            if let Ok(message) = itch::Message::decode(bytes) {
                assert_eq!(message.bytes(), bytes);
            }
        }
        _ => texts(bytes),
    }
});

/// What is found in a stream is found there however it is cut into pieces.
fn frames(mut bytes: &[u8], payload_max: usize) {
    while let Ok(Some(frame)) = next_frame(bytes, payload_max) {
        let (packet, behind) = bytes.split_at(frame.len_bytes);
        assert_eq!(next_frame(packet, payload_max), Ok(Some(frame)));
        for len in [0, 1, 2, packet.len() / 2, packet.len() - 1] {
            assert_eq!(next_frame(&packet[..len.min(packet.len() - 1)], payload_max), Ok(None));
        }
        if let Ok(login) = LoginRequest::decode(frame.payload) {
            assert!(login.username.len() <= 6 && login.password.len() <= 10);
        }
        inbound(frame.payload);
        bytes = behind;
    }
}

/// A message that is understood makes a record that is understood.
fn inbound(bytes: &[u8]) {
    let Ok(message) = Inbound::decode(bytes) else { return };
    let _read = message.options();
    assert!(bytes.ends_with(message.appendage()));
    let mut draft = Draft::new();
    draft.set_inbound(SOURCE, &message, |_symbol| 1);
    decode(draft.kind(), draft.body()).expect("a record of a message");
}

fn texts(bytes: &[u8]) {
    let trimmed = text::trim(bytes);
    assert_eq!(text::trim(trimmed), trimmed);
    if let Ok(number) = text::parse_number(bytes) {
        assert_eq!(text::parse_number(&text::ascii20(number)), Ok(number));
    }
    let Some((&decimals, rest)) = bytes.split_first() else { return };
    let Ok(rest) = str::from_utf8(rest) else { return };
    let decimals = decimals % 9;
    if let Ok(price) = text::parse_price(rest, decimals) {
        let again = text::format_price(price, decimals);
        assert_eq!(text::parse_price(&again.to_string(), decimals), Ok(price));
    }
}
