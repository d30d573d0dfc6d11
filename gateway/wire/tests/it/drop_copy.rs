//! Envelopes around reports.

use uncross_wire::{
    DecodeError, IntoBytes, TypeByte,
    drop_copy::{DropCopy, Envelope, LAYOUTS},
    ouch::{self, outbound::Outbound},
};

const REPORT: &[u8] = b"C\0\0\0\0\0\0\0\x09\0\0\0\x07\0\0\0\x05U";

fn envelope(source_port: u16, user_ref_index: u8) -> Envelope {
    Envelope { kind: TypeByte::new(), source_port: source_port.into(), user_ref_index }
}

#[test]
fn a_report_comes_out_of_its_envelope_as_it_went_in() {
    let bytes = [envelope(0x0102, 3).as_bytes(), REPORT].concat();
    assert_eq!(bytes[..4], [b'd', 1, 2, 3]);
    let copy = DropCopy::decode(&bytes).unwrap();
    assert_eq!(*copy.envelope, envelope(0x0102, 3));
    assert_eq!(copy.bytes, REPORT);
    assert_eq!(copy.report, Outbound::decode(REPORT).unwrap());
}

#[test]
fn what_is_no_drop_copy_is_an_error_that_says_why() {
    assert_eq!(DropCopy::decode(b""), Err(DecodeError::Empty));
    assert_eq!(DropCopy::decode(REPORT), Err(DecodeError::UnknownType { found: b'C' }));
    for found in 1..4 {
        let cut = &b"d\0\x01\0"[..found];
        let error = DecodeError::WrongLength { kind: b'd', expected: 4, found };
        assert_eq!(DropCopy::decode(cut), Err(error));
    }
    assert_eq!(DropCopy::decode(b"d\0\x01\0"), Err(DecodeError::Empty), "nothing in it");
    let nested = [&b"d\0\x01\0"[..], b"d\0\x01\0", REPORT].concat();
    assert_eq!(DropCopy::decode(&nested), Err(DecodeError::UnknownType { found: b'd' }));
    let bytes = [envelope(1, 0).as_bytes(), &REPORT[..17]].concat();
    let error = DecodeError::WrongLength { kind: b'C', expected: 18, found: 17 };
    assert_eq!(DropCopy::decode(&bytes), Err(error));
}

#[test]
fn no_ouch_message_is_taken_for_an_envelope() {
    let ouch = ouch::inbound::LAYOUTS.iter().chain(ouch::outbound::LAYOUTS);
    for layout in ouch {
        assert!(LAYOUTS.iter().all(|envelope| envelope.kind != layout.kind), "{}", layout.name);
    }
}
