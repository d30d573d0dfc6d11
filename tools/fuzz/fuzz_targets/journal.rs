//! The folder of a journal, changed in places, put to every reader.
//!
//! Where no checksum was made right, what the reader delivers was written, from the first record
//! on. That holds for a single change of four bytes, which no checksum of 32 bits misses; more of
//! them may hold a right one.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use uncross_fuzz::{Files, change, seal};
use uncross_journal::{
    Reader, crc32c, examine,
    format::{
        Footer, IndexEntry, RecordHeader, SIDECAR_SLOT_STRIDE_BYTES, SegmentHeader, SidecarSlot,
        data_end,
    },
};
use uncross_server::{
    audit::overview::inspect,
    replay::{Discard, replay_until},
};
use zerocopy::FromBytes;

const PAGE: usize = 4_096;
const SLOT: usize = 64;
const HASH: usize = 32;

/// A record that was delivered.
type Told = (u64, u64, u8, Vec<u8>);

/// The journal as it was written, and what it says.
static GOOD: LazyLock<(Files, Vec<Told>)> = LazyLock::new(|| {
    let files = uncross_fuzz::files();
    let dir = folder(&files);
    let told = told(&Reader::open_whole(dir.path()).expect("a whole journal"));
    (files, told)
});

fn folder(files: &Files) -> tempfile::TempDir {
    let dir = uncross_fuzz::folder();
    uncross_fuzz::write(files, dir.path());
    dir
}

fn told(reader: &Reader) -> Vec<Told> {
    let mut told = Vec::new();
    let _end = reader.for_each(|record| {
        told.push((record.seq, record.time_ns, record.kind, record.body.to_vec()));
        Ok::<_, std::convert::Infallible>(())
    });
    told
}

/// Makes the checksums of a footer and of its index right, and the hash over all of it.
fn close(bytes: &mut [u8]) {
    let Some(len) = bytes.len().checked_sub(HASH) else { return };
    let at = usize::try_from(data_end(bytes.len() as u64)).expect("a small file");
    let entries = bytes.get(at + size_of::<Footer>()..len).map_or(0, |entries| {
        let footer = Footer::ref_from_prefix(&bytes[at..]);
        let count = footer.map_or(0, |(footer, _)| footer.entry_count.get()) as usize;
        crc32c(0, &entries[..entries.len().min(count.saturating_mul(size_of::<IndexEntry>()))])
    });
    seal::<Footer>(bytes, at, |footer| {
        footer.entries_crc.set(entries);
        footer.crc.set(footer.checksum());
    });
    let hash = blake3::hash(&bytes[..len]);
    bytes[len..].copy_from_slice(hash.as_bytes());
}

/// Chains the records of a segment anew, as far as their lengths lead.
fn chain(bytes: &mut [u8]) {
    let Ok((header, _)) = SegmentHeader::ref_from_prefix(bytes) else { return };
    let salt = header.salt.get();
    let (low, high) = (salt & u64::from(u32::MAX), salt >> 32);
    let mix = u32::try_from(low ^ high).expect("two halves");
    let (mut crc, mut at) = (header.prev_crc.get(), PAGE);
    while let Some(rest) = bytes.get_mut(at..) {
        let Ok((record, _)) = RecordHeader::mut_from_prefix(rest) else { return };
        let len = size_of::<RecordHeader>() + usize::from(record.body_len.get());
        let len = len.next_multiple_of(SLOT);
        if record.kind == 0 || rest.len() < len {
            return;
        }
        // The register begins with what is mixed, which is the complement of what is said so far.
        crc = crc32c(!(crc ^ mix), &rest[size_of::<u32>()..len]);
        rest[..size_of::<u32>()].copy_from_slice(&crc.to_le_bytes());
        at += len;
    }
}

fn repair(name: &str, bytes: &mut [u8]) {
    if name == "durable" {
        for at in [0, usize::try_from(SIDECAR_SLOT_STRIDE_BYTES).expect("a small number")] {
            seal::<SidecarSlot>(bytes, at, |slot| slot.crc.set(slot.checksum()));
        }
        return;
    }
    chain(bytes);
    if name.ends_with(".seg") {
        close(bytes);
    }
    seal::<SegmentHeader>(bytes, 0, |header| {
        header.crc.set(header.checksum());
        if header.link.prev_hash != [0; 32] {
            header.link.crc.set(header.link.checksum());
        }
    });
}

fuzz_target!(|input: &[u8]| {
    let (good, due) = &*GOOD;
    let mut files = good.clone();
    let is_plain = change(&mut files, input, repair);
    let dir = folder(&files);
    let _report = Reader::verify(dir.path(), |_| {});
    let _findings = examine(dir.path());
    let _seen = inspect(dir.path(), |_| {});
    if let Ok(reader) = Reader::open_whole(dir.path()) {
        let told = told(&reader);
        assert!(!is_plain || due.starts_with(&told), "{} of {}", told.len(), due.len());
        // The first record says how much memory an engine takes: up to all there is.
        if told.first() == due.first() {
            let _replayed = replay_until(&reader, None, &mut Discard);
        }
    }
    for (name, bytes) in &files {
        let after = std::fs::read(dir.path().join(name)).expect("a file that was there");
        assert!(after == *bytes, "{name} was changed");
    }
});
