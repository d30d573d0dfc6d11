//! Writes inputs to begin with: `seeds FOLDER` makes a folder there for each of the others.

use std::{convert::Infallible, fs, io, path::Path};

// The hooks that counted code calls are there.
use libfuzzer_sys as _;
use uncross_journal::Reader;
use uncross_wire::{itch, ouch};

/// Records of one input.
const RECORDS: usize = 48;

fn main() -> io::Result<()> {
    let Some(folder) = std::env::args().nth(1) else {
        return Err(io::Error::other("name a folder"));
    };
    let folder = Path::new(&folder);
    let derived = uncross_fuzz::derived(uncross_fuzz::venue().path()).len();
    for (name, seeds) in [
        ("wire", wire()),
        ("records", records()),
        ("journal", changes(uncross_fuzz::files().len())),
        ("derived", changes(derived)),
    ] {
        let folder = folder.join(name);
        fs::create_dir_all(&folder)?;
        for (number, seed) in (1..).zip(seeds) {
            fs::write(folder.join(format!("seed-{number}")), seed)?;
        }
    }
    Ok(())
}

/// A message of each type, alone and in a packet.
fn wire() -> Vec<Vec<u8>> {
    let of = |reader: u8, layout: &uncross_wire::Description| {
        let mut message = vec![b' '; layout.len_bytes];
        message[0] = layout.kind;
        [&[reader][..], &message].concat()
    };
    let inbound = ouch::inbound::LAYOUTS.iter().map(|layout| of(2, layout));
    let outbound = ouch::outbound::LAYOUTS.iter().map(|layout| of(3, layout));
    let feed = itch::LAYOUTS.iter().map(|layout| of(4, layout));
    let framed = inbound.clone().map(|bytes| {
        let len = u16::try_from(bytes.len()).expect("a short message").to_be_bytes();
        [&[0][..], &len, b"U", &bytes[1..]].concat()
    });
    let texts = [&b"\x05\x0412.3400"[..], b"\x05               42"].map(<[u8]>::to_vec);
    inbound.clone().chain(outbound).chain(feed).chain(framed).chain(texts).collect()
}

/// The records of the golden journal, in pieces; the first ones are in front of each.
fn records() -> Vec<Vec<u8>> {
    let dir = tempfile::tempdir().expect("a folder");
    uncross_fuzz::write(&uncross_fuzz::files(), dir.path());
    let reader = Reader::open_whole(dir.path()).expect("a whole journal");
    let mut all = Vec::new();
    let read = reader.for_each(|record| {
        let len = u8::try_from(record.body.len()).unwrap_or(u8::MAX);
        let body = &record.body[..usize::from(len)];
        all.push([&[record.kind, 0, len][..], body].concat());
        Ok::<_, Infallible>(())
    });
    read.expect("a whole journal");
    let (opening, flow) = all.split_at(RECORDS.min(all.len()));
    let pieces = flow.chunks(RECORDS).map(|piece| [opening, piece].concat().concat());
    pieces.collect()
}

/// A change of each file, at its beginning and behind its first page, with checksums and without.
fn changes(files: usize) -> Vec<Vec<u8>> {
    let files = u8::try_from(files).expect("a few files");
    let numbers = (0..files).flat_map(|file| [file, file | 0x80]);
    numbers.flat_map(|file| [vec![file, 1, 0, 2, 7, 7], vec![file, 1, 1, 2, 7, 7]]).collect()
}
