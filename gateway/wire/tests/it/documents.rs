//! The tables of `docs/protocol` against the code, in both directions.
//!
//! A section is a heading and the rows of the table under it. Each test takes the sections that it
//! knows out of a document; what is left over at the end is a table that nothing checks.

use std::fmt::Debug;
use std::{fs, path::Path};
use uncross_wire::ouch::appendage::TAGS;
use uncross_wire::ouch::tag_set::TagSet;
use uncross_wire::ouch::{codes, inbound, outbound};
use uncross_wire::{Description, drop_copy, itch, soup};

/// A document as its sections with tables, in order.
struct Document {
    sections: Vec<Section>,
}

struct Section {
    title: String,
    /// Cells without their backticks, header row left out.
    rows: Vec<Vec<String>>,
}

impl Document {
    fn read(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/protocol");
        let text = fs::read_to_string(folder.join(name)).unwrap();
        let mut sections = vec![];
        for line in text.lines() {
            if let Some(title) = line.strip_prefix('#') {
                let title = title.trim_start_matches('#').trim().replace('`', "");
                sections.push(Section { title, rows: vec![] });
            } else if line.starts_with("|---") {
                let rows = &mut sections.last_mut().unwrap().rows;
                assert_eq!(rows.len(), 1, "one table a section, with one header row");
                rows.clear();
            } else if let Some(row) = line.strip_prefix('|') {
                let row = row.strip_suffix('|').unwrap();
                let cells = row.split('|').map(|cell| cell.trim().replace('`', "")).collect();
                sections.last_mut().unwrap().rows.push(cells);
            }
        }
        sections.retain(|section| !section.rows.is_empty());
        Self { sections }
    }

    /// Removes the table under `title`.
    fn take(&mut self, title: &str) -> Vec<Vec<String>> {
        let index = self.sections.iter().position(|section| section.title == title);
        self.sections.remove(index.unwrap_or_else(|| panic!("no table {title}"))).rows
    }

    /// Removes the table of each layout and compares name, type byte, length and all fields.
    fn check_layouts(&mut self, layouts: &[Description]) {
        for layout in layouts {
            let Description { name, len_bytes, .. } = layout;
            let plural = if *len_bytes == 1 { "" } else { "s" };
            let kind = char::from(layout.kind);
            let rows = self.take(&format!("{name} ({kind}, {len_bytes} byte{plural})"));
            assert_eq!(rows.len(), layout.fields.len(), "{name}");
            for (row, field) in rows.iter().zip(layout.fields) {
                let kind = match field.type_name {
                    "U16" | "U32" | "U64" => field.type_name.to_lowercase(),
                    "u8" => "byte".into(),
                    "Header" => "header".into(),
                    text if text.starts_with("[u8;") => "text".into(),
                    first if first.starts_with("TypeByte") => "type".into(),
                    _ => "layout".into(),
                };
                let (offset, size) = (field.offset_bytes.to_string(), field.size_bytes.to_string());
                assert_eq!(row[..4], [field.name, &offset, &size, &kind], "{name}");
            }
        }
    }

    /// Removes the table of a closed set and compares codes and names.
    fn check_set<T: Copy + Debug>(&mut self, title: &str, all: &[T], code: fn(T) -> u8) {
        let expected: Vec<_> = all
            .iter()
            .map(|value| vec![char::from(code(*value)).to_string(), format!("{value:?}")])
            .collect();
        let found: Vec<_> = self.take(title).into_iter().map(|row| row[..2].to_vec()).collect();
        assert_eq!(found, expected, "{title}");
    }

    /// Removes the table of one-letter codes and compares codes and texts.
    fn check_codes(&mut self, title: &str, all: &[(u8, &str)]) {
        let expected: Vec<_> = all
            .iter()
            .map(|&(code, text)| vec![char::from(code).to_string(), text.to_owned()])
            .collect();
        assert_eq!(self.take(title), expected, "{title}");
    }

    /// Fails when a table is left that no check has taken.
    fn finish(self) {
        let left: Vec<_> = self.sections.into_iter().map(|section| section.title).collect();
        assert!(left.is_empty(), "tables without a check: {left:?}");
    }
}

#[test]
fn document_of_soup_states_what_the_code_does() {
    let mut document = Document::read("soupbintcp.md");
    let parts = document.take("Packets");
    let header_len: usize = parts[..2].iter().map(|row| row[1].parse::<usize>().unwrap()).sum();
    assert_eq!(header_len, soup::HEADER_LEN_BYTES);
    let types = document.take("Packet types");
    let types: Vec<_> = types.iter().map(|row| (row[0].as_str(), row[1].as_str())).collect();
    let expected = [
        (soup::LOGIN_ACCEPTED, "LOGIN_ACCEPTED"),
        (soup::LOGIN_REJECTED, "LOGIN_REJECTED"),
        (soup::SEQUENCED_DATA, "SEQUENCED_DATA"),
        (soup::SERVER_HEARTBEAT, "SERVER_HEARTBEAT"),
        (soup::END_OF_SESSION, "END_OF_SESSION"),
        (soup::LOGIN_REQUEST, "LOGIN_REQUEST"),
        (soup::UNSEQUENCED_DATA, "UNSEQUENCED_DATA"),
        (soup::CLIENT_HEARTBEAT, "CLIENT_HEARTBEAT"),
        (soup::LOGOUT_REQUEST, "LOGOUT_REQUEST"),
        (soup::DEBUG, "DEBUG"),
    ];
    let expected = expected.map(|(code, name)| (char::from(code).to_string(), name));
    let expected: Vec<_> = expected.iter().map(|(code, name)| (code.as_str(), *name)).collect();
    assert_eq!(types, expected);
    document.check_layouts(soup::LAYOUTS);
    let reasons = soup::LoginRejectReason::ALL;
    document.check_set("LoginRejectReason", reasons, soup::LoginRejectReason::to_wire);
    document.finish();
}

#[test]
fn document_of_ouch_states_what_the_code_does() {
    let mut document = Document::read("ouch.md");
    document.check_layouts(inbound::LAYOUTS);
    document.check_layouts(outbound::LAYOUTS);
    check_appendage(&mut document);
    document.check_set("Side", codes::Side::ALL, codes::Side::to_wire);
    document.check_set("TimeInForce", codes::TimeInForce::ALL, codes::TimeInForce::to_wire);
    document.check_set("Display", codes::Display::ALL, codes::Display::to_wire);
    document.check_set("Capacity", codes::Capacity::ALL, codes::Capacity::to_wire);
    document.check_set("CrossType", codes::CrossType::ALL, codes::CrossType::to_wire);
    document.check_set("OrderState", codes::OrderState::ALL, codes::OrderState::to_wire);
    document.check_codes("customer_type", codes::customer_type::ALL);
    document.check_codes("price_type", codes::price_type::ALL);
    document.check_codes("post_only", codes::post_only::ALL);
    document.check_codes("system_event", codes::system_event::ALL);
    document.check_codes("cancel_reason", codes::cancel_reason::ALL);
    document.check_codes("broken_reason", codes::broken_reason::ALL);
    document.check_codes("correction_reason", codes::correction_reason::ALL);
    document.check_codes("good_till_cancel", codes::good_till_cancel::ALL);
    document.check_codes("restate_reason", codes::restate_reason::ALL);
    document.check_codes("liquidity", codes::liquidity::ALL);
    document.check_codes("aiq_strategy", codes::aiq_strategy::ALL);
    let rejects: Vec<_> = codes::reject::ALL
        .iter()
        .map(|(code, text)| vec![format!("0x{code:02X}"), (*text).to_owned()])
        .collect();
    assert_eq!(document.take("reject"), rejects);
    let prices = [codes::PRICE_MAX, codes::PRICE_MARKET, codes::PRICE_MARKET_SIGNED_MAX];
    let found = document.take("Prices").into_iter().map(|row| row[0].parse::<u64>().unwrap());
    assert!(found.eq(prices));
    document.finish();
}

#[test]
fn document_of_drop_copies_states_what_the_code_does() {
    let mut document = Document::read("drop-copy.md");
    document.check_layouts(drop_copy::LAYOUTS);
    document.finish();
}

#[test]
fn document_of_itch_states_what_the_code_does() {
    use core::mem::offset_of;
    use itch::Header;

    let mut document = Document::read("itch.md");
    let header = [
        ("stock_locate", 1 + offset_of!(Header, stock_locate), 2, "u16"),
        ("tracking_number", 1 + offset_of!(Header, tracking_number), 2, "u16"),
        ("timestamp", 1 + offset_of!(Header, timestamp), size_of::<itch::Timestamp>(), "u48"),
    ];
    let rows = document.take(&format!("Header ({} bytes)", size_of::<Header>()));
    assert_eq!(rows.len(), header.len());
    for (row, (name, offset, size, kind)) in rows.iter().zip(header) {
        assert_eq!(row[..4], [name, &offset.to_string(), &size.to_string(), kind]);
    }
    document.check_layouts(itch::LAYOUTS);
    document.check_codes("system_event", itch::codes::system_event::ALL);
    document.check_codes("trading_state", itch::codes::trading_state::ALL);
    document.check_codes("authenticity", itch::codes::authenticity::ALL);
    document.check_codes("side", itch::codes::side::ALL);
    document.check_codes("printable", itch::codes::printable::ALL);
    document.check_codes("cross_type", itch::codes::cross_type::ALL);
    document.check_codes("imbalance_direction", itch::codes::imbalance_direction::ALL);
    document.finish();
}

/// Compares the list of tags, and which of them may follow which message.
fn check_appendage(document: &mut Document) {
    let tags = document.take("Tags");
    assert_eq!(tags.len(), TAGS.len());
    for (row, tag) in tags.iter().zip(TAGS) {
        assert_eq!(row[..3], [&tag.number.to_string(), tag.name, &tag.len_bytes.to_string()]);
    }
    let expected = [
        ("Enter", TagSet::ENTER),
        ("Replace", TagSet::REPLACE),
        ("Cancel", TagSet::CANCEL),
        ("Modify", TagSet::MODIFY),
        ("AccountQuery", TagSet::ACCOUNT_QUERY),
        ("MassCancel", TagSet::MASS_CANCEL),
        ("DisableEntry", TagSet::ENTRY_SWITCH),
        ("EnableEntry", TagSet::ENTRY_SWITCH),
    ];
    let rows = document.take("Tags by message");
    assert_eq!(rows.len(), expected.len());
    for (row, (message, set)) in rows.iter().zip(expected) {
        let tags: Vec<_> = row[1].split(' ').map(|tag| tag.parse::<u8>().unwrap()).collect();
        let allowed: Vec<_> = (0..=u8::MAX).filter(|tag| set.contains(*tag)).collect();
        assert_eq!((row[0].as_str(), tags), (message, allowed));
    }
}
