//! Appendages: what is read, what is refused, what is written.

use proptest::prelude::*;
use uncross_wire::ouch::appendage::{
    AppendageError as Error, AppendageWriter, ELEMENTS_LEN_BYTES_MAX, Options, TAGS, WriteError,
    describe, elements, parse, tag,
};
use uncross_wire::ouch::inbound::Inbound;
use uncross_wire::ouch::tag_set::TagSet;

#[test]
fn empty_appendage_has_no_values() {
    assert_eq!(parse(b"", TagSet::EMPTY), Ok(Options::default()));
    assert_eq!(elements(b"").count(), 0);
}

#[test]
fn values_are_big_endian() {
    let bytes = b"\x05\x03\0\0\0\x64\x05\x07\xFF\xFF\xFF\x9C\x03\x18\x01\x02\x02\x0CP";
    let options = parse(bytes, TagSet::ENTER).unwrap();
    let expected = Options {
        min_qty: Some(100),
        peg_offset: Some(-100),
        group_id: Some(0x0102),
        post_only: Some(b'P'),
        ..Options::default()
    };
    assert_eq!(options, expected);
}

#[test]
fn cut_off_element_is_refused_with_its_offset() {
    let error = Error::Truncated { offset: 3, expected: 5, found: 4 };
    assert_eq!(parse(b"\x02\x0CP\x05\x03\0\0\0", TagSet::ENTER), Err(error));
    let error = Error::Truncated { offset: 0, expected: 1, found: 0 };
    assert_eq!(parse(b"\x01", TagSet::ENTER), Err(error));
}

#[test]
fn element_without_a_tag_is_refused() {
    assert_eq!(parse(b"\x02\x0CP\0", TagSet::ENTER), Err(Error::NoTag { offset: 3 }));
}

#[test]
fn unknown_tags_are_refused_before_their_length_is_judged() {
    for unknown in [0, 8, 21, 31, 127, 130, 255] {
        let error = Error::UnknownTag { offset: 0, tag: unknown };
        assert_eq!(parse(&[2, unknown, 0], TagSet::ENTER), Err(error));
        assert_eq!(parse(&[1, unknown], TagSet::KNOWN), Err(error));
        assert_eq!(describe(unknown), None);
    }
}

#[test]
fn tag_of_another_message_is_refused() {
    let error = Error::NotAllowed { offset: 0, tag: tag::BBO_WEIGHT };
    assert_eq!(parse(b"\x02\x12S", TagSet::ENTER), Err(error));
    assert!(parse(b"\x02\x12S", TagSet::KNOWN).is_ok());
    let cancel = Inbound::decode(b"X\0\0\0\x01\0\0\0\0\0\x03\x02\x0CP").unwrap();
    let error = Error::NotAllowed { offset: 0, tag: tag::POST_ONLY };
    assert_eq!(cancel.options(), Err(error));
}

#[test]
fn repeated_tag_is_refused() {
    let error = Error::Duplicate { offset: 3, tag: tag::POST_ONLY };
    assert_eq!(parse(b"\x02\x0CP\x02\x0CP", TagSet::ENTER), Err(error));
}

#[test]
fn wrong_width_is_refused_for_every_tag() {
    for entry in TAGS {
        for found in (0..=16).filter(|found| *found != entry.len_bytes) {
            let mut buffer = [0; 32];
            let mut writer = AppendageWriter::new(&mut buffer);
            writer.put_bytes(entry.number, &vec![0; found]).unwrap();
            let (tag, expected) = (entry.number, entry.len_bytes);
            let error = Error::WrongLength { offset: 0, tag, expected, found };
            assert_eq!(parse(writer.elements(), TagSet::KNOWN), Err(error));
        }
    }
}

#[test]
fn walk_ends_after_an_error() {
    let found: Vec<_> = elements(b"\x02\x0CP\x00\x02\x0CP").collect();
    assert_eq!(found.len(), 2);
    assert_eq!(found[1], Err(Error::NoTag { offset: 3 }));
}

#[test]
fn writer_makes_length_tag_and_value() {
    let mut buffer = [0; 64];
    let mut writer = AppendageWriter::new(&mut buffer);
    writer.put_u8(tag::POST_ONLY, b'P').unwrap();
    writer.put_u16(tag::GROUP_ID, 0x0102).unwrap();
    writer.put_u32(tag::MIN_QTY, 100).unwrap();
    writer.put_i32(tag::PEG_OFFSET, -1).unwrap();
    writer.put_u64(tag::DISCRETION_PRICE, 7).unwrap();
    writer.put_bytes(tag::FIRM, b"UBS ").unwrap();
    assert_eq!(
        writer.elements(),
        b"\x02\x0CP\x03\x18\x01\x02\x05\x03\0\0\0\x64\x05\x07\xFF\xFF\xFF\xFF\
            \x09\x09\0\0\0\0\0\0\0\x07\x05\x02UBS "
    );
}

#[test]
fn full_writer_keeps_what_it_has() {
    let mut buffer = [0; 5];
    let mut writer = AppendageWriter::new(&mut buffer);
    writer.put_u8(tag::POST_ONLY, b'P').unwrap();
    let error = WriteError::Full { expected: 3, found: 2 };
    assert_eq!(writer.put_u8(tag::SIDE, b'S'), Err(error));
    assert_eq!(writer.elements(), b"\x02\x0CP");
    let error = WriteError::TooLong { max: 254, found: 255 };
    assert_eq!(writer.put_bytes(200, &[0; 255]), Err(error));
}

#[test]
fn all_tags_at_once_fill_the_stated_length() {
    let mut buffer = [0; ELEMENTS_LEN_BYTES_MAX];
    let mut writer = AppendageWriter::new(&mut buffer);
    for entry in TAGS {
        writer.put_bytes(entry.number, &vec![1; entry.len_bytes]).unwrap();
    }
    assert_eq!(writer.elements().len(), ELEMENTS_LEN_BYTES_MAX);
    assert!(parse(writer.elements(), TagSet::KNOWN).is_ok());
}

proptest! {
    #[test]
    fn options_survive_writing_and_reading(present in any::<u32>(), filler in any::<u8>()) {
        let mut first = [0; ELEMENTS_LEN_BYTES_MAX];
        let mut writer = AppendageWriter::new(&mut first);
        for (index, entry) in TAGS.iter().enumerate() {
            if present >> index & 1 == 1 {
                writer.put_bytes(entry.number, &vec![filler; entry.len_bytes]).unwrap();
            }
        }
        let options = parse(writer.elements(), TagSet::KNOWN).unwrap();
        let mut second = [0; ELEMENTS_LEN_BYTES_MAX];
        let mut copy = AppendageWriter::new(&mut second);
        options.write(&mut copy).unwrap();
        prop_assert_eq!(copy.elements(), writer.elements());
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let walked: usize = elements(&bytes).flatten().map(|element| 2 + element.value.len()).sum();
        prop_assert!(walked <= bytes.len());
        if parse(&bytes, TagSet::KNOWN).is_ok() {
            prop_assert_eq!(walked, bytes.len());
        }
    }
}
