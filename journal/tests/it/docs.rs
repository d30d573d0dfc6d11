//! The tables of `docs/journal-format.md` equal the types and constants of the code.

use std::collections::BTreeMap;
use std::mem::{offset_of, size_of};

use uncross_journal::format::{
    CheckpointBody, FOOTER_MAGIC, FORMAT_VERSION, Footer, IndexEntry, Link, RecordHeader,
    SEGMENT_MAGIC, SIDECAR_MAGIC, SIDECAR_SLOT_STRIDE_BYTES, SNAPSHOT_MAGIC, SNAPSHOT_VERSION,
    STREAM_MAGIC, STREAM_VERSION, SegmentHeader, SidecarSlot, SnapshotHeader, StreamHeader,
    UpgradeBody, data_end,
};
use uncross_journal::{kind, limits};

const PAGE: &str = include_str!("../../../docs/journal-format.md");

/// Offset, size and name of every field.
type Fields = Vec<(usize, usize, String)>;

macro_rules! fields {
    ($type:ident: $($field:ident),*) => {{
        let value: $type = zerocopy::FromZeros::new_zeroed();
        let fields: Fields = vec![
            $((
                offset_of!($type, $field),
                size_of_val(&value.$field),
                stringify!($field).to_owned(),
            )),*
        ];
        let covered: usize = fields.iter().map(|(_, size, _)| size).sum();
        assert_eq!(covered, size_of::<$type>(), "fields of {} are missing here", stringify!($type));
        (stringify!($type).to_owned(), fields)
    }};
}

/// The rows of the table under each heading, cells trimmed of blanks and code marks.
fn tables() -> BTreeMap<String, Vec<Vec<String>>> {
    let mut tables = BTreeMap::new();
    let mut heading = String::new();
    for line in PAGE.lines() {
        if let Some(title) = line.strip_prefix('#') {
            title.trim_start_matches('#').trim().clone_into(&mut heading);
        } else if let Some(row) = line.strip_prefix('|') {
            let cells: Vec<String> = row
                .trim_end_matches('|')
                .split('|')
                .map(|cell| cell.trim().trim_matches('`').to_owned())
                .collect();
            tables.entry(heading.clone()).or_insert_with(Vec::new).push(cells);
        }
    }
    tables
}

#[test]
fn every_layout_in_the_page_is_the_layout_of_the_code() {
    let types = [
        fields!(RecordHeader: crc, body_len, kind, flags, seq, time_ns),
        fields!(CheckpointBody: output_hash, last_seq),
        fields!(UpgradeBody: from_format, from_behaviour, to_format, to_behaviour),
        fields!(
            SegmentHeader: magic, format_version, oldest_reader_version, behaviour_version, epoch,
            segment_number, first_seq, created_ns, salt, segment_len_bytes, output_hash, prev_crc,
            reserved_a, config_hash, build_id, reserved_b, crc, link
        ),
        fields!(Link: prev_hash, reserved, crc),
        fields!(
            Footer: magic, format_version, entry_count, segment_number, first_seq, last_seq,
            first_time_ns, last_time_ns, record_count, seal_offset, output_hash, seal_crc,
            entries_crc, reserved, crc
        ),
        fields!(IndexEntry: seq, time_ns, offset),
        fields!(
            SidecarSlot: magic, format_version, flags, generation, durable_seq, segment_number,
            offset, boot_id, reserved, crc
        ),
        fields!(StreamHeader: magic, format_version, entry, session, salt, reserved, crc),
        fields!(
            SnapshotHeader: magic, format_version, behaviour_version, body_version, record_crc, seq,
            time_ns, segment_number, offset, salt, output_hash, body_len_bytes, state_hash,
            capacity_hash, body_hash, reserved, crc
        ),
    ];
    let tables = tables();
    for (name, fields) in types {
        let rows: Fields = tables[&name]
            .iter()
            .skip(2)
            .map(|row| (row[0].parse().unwrap(), row[1].parse().unwrap(), row[2].clone()))
            .collect();
        assert_eq!(rows, fields, "{name}");
    }
}

#[test]
fn every_kind_in_the_page_is_a_kind_of_the_code() {
    let constants = [
        ("ENTER", kind::ENTER),
        ("REPLACE", kind::REPLACE),
        ("CANCEL", kind::CANCEL),
        ("MODIFY", kind::MODIFY),
        ("ACCOUNT_QUERY", kind::ACCOUNT_QUERY),
        ("MASS_CANCEL", kind::MASS_CANCEL),
        ("DISABLE_ENTRY", kind::DISABLE_ENTRY),
        ("ENABLE_ENTRY", kind::ENABLE_ENTRY),
        ("REFUSE", kind::REFUSE),
        ("TICK", kind::TICK),
        ("SESSION_UP", kind::SESSION_UP),
        ("SESSION_DOWN", kind::SESSION_DOWN),
        ("ADMIN", kind::ADMIN),
        ("CONFIGURATION", kind::CONFIGURATION),
        ("DAY_ROLL", kind::DAY_ROLL),
        ("EPOCH", kind::EPOCH),
        ("CHECKPOINT", kind::CHECKPOINT),
        ("UPGRADE", kind::UPGRADE),
        ("PAD", kind::PAD),
        ("SEAL", kind::SEAL),
    ];
    let tables = tables();
    let rows = &tables["Kinds"][2..];
    let named: Vec<_> = rows.iter().filter(|row| !row[1].is_empty()).collect();
    assert_eq!(named.len(), constants.len());
    for (row, (name, value)) in named.iter().zip(constants) {
        assert_eq!((row[0].as_str(), row[1].as_str()), (format!("{value:#04x}").as_str(), name));
        assert_eq!(row[2] == "caller", kind::is_callers(value), "{name}");
    }
}

#[test]
fn numbers_in_the_page_are_constants_of_the_code() {
    for magic in [SEGMENT_MAGIC, FOOTER_MAGIC, SIDECAR_MAGIC, SNAPSHOT_MAGIC, STREAM_MAGIC] {
        let text = String::from_utf8(magic.to_vec()).unwrap();
        assert!(PAGE.contains(&format!("| `{text}` |")), "{text}");
    }
    assert!(PAGE.contains(&format!("complete format, version {FORMAT_VERSION}.")));
    assert_eq!(STREAM_VERSION, 1);
    assert_eq!((SNAPSHOT_VERSION, limits::SNAPSHOTS_KEPT), (1, 2));
    assert_eq!(limits::SNAPSHOT_PIECE_BYTES, 1 << 20);
    assert_eq!(limits::SEGMENT_LEN_DEFAULT_BYTES, 64 << 20);
    assert_eq!(limits::SEGMENT_LEN_MIN_BYTES, 64 << 10);
    assert_eq!(limits::SEGMENT_LEN_MAX_BYTES, 1 << 30);
    assert_eq!((limits::SLOT_BYTES, limits::BODY_BYTES_MAX), (64, 4000));
    assert_eq!(limits::WHOLE_PAGES_MIN, 16);
    assert_eq!(SIDECAR_SLOT_STRIDE_BYTES, 512);
    for len in [64 << 10, 1 << 20, 64 << 20, 1 << 30_u64] {
        let tail = (128 + 24 * (len / 65536) + 32_u64).next_multiple_of(4096);
        assert_eq!(data_end(len), len - tail, "{len}");
    }
}
