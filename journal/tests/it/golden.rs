//! A journal built byte by byte from the tables of `docs/journal-format.md`, not by the writer.
//!
//! It pins format version 1: whatever changes in the code, these bytes must read as they do here.

use std::fs;
use std::path::Path;

use uncross_journal::{Completeness, Identity, Reader, kind};

use crate::support::{BOOT_A, Kept, files, open_dir, settings, verify};

const LEN: usize = 64 << 10;
/// 64 KiB less 128 + 24 + 32, rounded up to a page.
const DATA_END: usize = LEN - 4096;
const SALTS: [u64; 2] = [0x1122_3344_5566_7788, 0x99AA_BBCC_DDEE_FF00];

/// CRC32C bit by bit, from a register.
fn crc(register: u32, bytes: &[u8]) -> u32 {
    let mut register = register;
    for byte in bytes {
        register ^= u32::from(*byte);
        for _ in 0..8 {
            register = register >> 1 ^ if register & 1 == 1 { 0x82F6_3B78 } else { 0 };
        }
    }
    !register
}

fn plain(bytes: &[u8]) -> [u8; 4] {
    crc(u32::MAX, bytes).to_le_bytes()
}

/// A file of zeros that is filled in place by place.
struct Bytes(Vec<u8>);

impl Bytes {
    fn put(&mut self, offset: usize, bytes: &[u8]) {
        self.0[offset..offset + bytes.len()].copy_from_slice(bytes);
    }

    fn put_u32(&mut self, offset: usize, value: u32) {
        self.put(offset, &value.to_le_bytes());
    }

    fn put_u64(&mut self, offset: usize, value: u64) {
        self.put(offset, &value.to_le_bytes());
    }
}

/// A segment under construction.
struct Builder {
    file: Bytes,
    at: usize,
    last_crc: u32,
    salt: u64,
    records: u64,
}

impl Builder {
    fn new(number: u64, first_seq: u64, prev_crc: u32, output_hash: u64) -> Self {
        let mut file = Bytes(vec![0; LEN]);
        let salt = SALTS[usize::try_from(number).unwrap() - 1];
        file.put(0, b"UNCRSJNL");
        file.put_u32(8, 1);
        file.put_u32(12, 1);
        file.put_u32(16, 7);
        file.put_u32(20, 3);
        file.put_u64(24, number);
        file.put_u64(32, first_seq);
        file.put_u64(40, 1_700_000_000_000_000_000);
        file.put_u64(48, salt);
        file.put_u64(56, LEN as u64);
        file.put_u64(64, output_hash);
        file.put_u32(72, prev_crc);
        file.put(80, &[0xC0; 32]);
        file.put(112, &[0xB1; 32]);
        let sum = plain(&file.0[..4028]);
        file.put(4028, &sum);
        Self { file, at: 4096, last_crc: prev_crc, salt, records: 0 }
    }

    fn record(&mut self, seq: u64, time_ns: u64, (kind, flags): (u8, u8), body: &[u8]) {
        let len = (24 + body.len()).div_ceil(64) * 64;
        let mut record = Bytes(vec![0; len]);
        record.put(4, &u16::try_from(body.len()).unwrap().to_le_bytes());
        record.put(6, &[kind, flags]);
        record.put_u64(8, seq);
        record.put_u64(16, time_ns);
        record.put(24, body);
        let halves = self.salt.to_le_bytes();
        let low = u32::from_le_bytes(halves[..4].try_into().unwrap());
        let high = u32::from_le_bytes(halves[4..].try_into().unwrap());
        let sum = crc(self.last_crc ^ low ^ high, &record.0[4..]);
        record.put_u32(0, sum);
        self.file.put(self.at, &record.0);
        self.at += len;
        self.last_crc = sum;
        self.records += 1;
    }

    fn own(&mut self, kind: u8, last_seq: u64, output_hash: u64) {
        let mut body = output_hash.to_le_bytes().to_vec();
        body.extend(last_seq.to_le_bytes());
        self.record(last_seq, 99, (kind, 0), &body);
    }

    /// Footer, one index entry, hash; returns the file and its hash.
    fn seal(mut self, last_seq: u64, output_hash: u64) -> (Vec<u8>, u32, [u8; 32]) {
        let seal_offset = self.at as u64;
        self.own(0x23, last_seq, output_hash);
        let file = &mut self.file;
        file.put(DATA_END, b"UNCRSEAL");
        file.put_u32(DATA_END + 8, 1);
        file.put_u32(DATA_END + 12, 1);
        file.put_u64(DATA_END + 16, 1);
        file.put_u64(DATA_END + 24, 1);
        file.put_u64(DATA_END + 32, last_seq);
        file.put_u64(DATA_END + 40, 10);
        file.put_u64(DATA_END + 48, 99);
        file.put_u64(DATA_END + 56, self.records);
        file.put_u64(DATA_END + 64, seal_offset);
        file.put_u64(DATA_END + 72, output_hash);
        file.put_u32(DATA_END + 80, self.last_crc);
        file.put_u64(DATA_END + 128, 1);
        file.put_u64(DATA_END + 136, 10);
        file.put_u64(DATA_END + 144, 4096);
        let sum = plain(&file.0[DATA_END + 128..DATA_END + 152]);
        file.put(DATA_END + 84, &sum);
        let sum = plain(&file.0[DATA_END..DATA_END + 124]);
        file.put(DATA_END + 124, &sum);
        let hash = *blake3::hash(&file.0[..LEN - 32]).as_bytes();
        file.put(LEN - 32, &hash);
        (self.file.0, self.last_crc, hash)
    }
}

fn sidecar(seq: u64, number: u64, offset: u64) -> Vec<u8> {
    let mut file = Bytes(vec![0; 640]);
    for (slot, generation) in [(0, 6), (512, 5)] {
        file.put(slot, b"UNCRDURA");
        file.put_u32(slot + 8, 1);
        file.put_u32(slot + 12, 1);
        file.put_u64(slot + 16, generation);
        file.put_u64(slot + 24, seq);
        file.put_u64(slot + 32, number);
        file.put_u64(slot + 40, offset);
        file.put(slot + 48, &BOOT_A);
        let sum = plain(&file.0[slot..slot + 124]);
        file.put(slot + 124, &sum);
    }
    file.0
}

/// What the golden journal holds.
fn records() -> Vec<Kept> {
    let kept = |seq, kind, flags, len: u8| Kept {
        seq,
        time_ns: seq * 10,
        kind,
        flags,
        body: (0..len).map(|i| i.wrapping_mul(7)).collect(),
    };
    vec![
        kept(1, kind::DAY_ROLL, 0, 33),
        kept(2, kind::SESSION_UP, 1, 0),
        kept(3, kind::ENTER, 2, 40),
        kept(4, kind::REPLACE, 0, 41),
        kept(5, kind::REFUSE, 0xFF, 200),
        kept(6, kind::CANCEL, 0, 12),
    ]
}

/// Writes the golden journal into `dir`; returns a hash over its files.
fn build(dir: &Path) -> blake3::Hash {
    let kept = records();
    let mut first = Builder::new(1, 1, 0, 0);
    for kept in &kept[..4] {
        first.record(kept.seq, kept.time_ns, (kept.kind, kept.flags), &kept.body);
    }
    first.own(0x20, 4, 0xAAAA);
    first.record(4, 50, (0x22, 0), &[0; 1000]);
    let (first, seal_crc, hash) = first.seal(4, 0xAAAA);
    let mut second = Builder::new(2, 5, seal_crc, 0xAAAA);
    for kept in &kept[4..] {
        second.record(kept.seq, kept.time_ns, (kept.kind, kept.flags), &kept.body);
    }
    second.own(0x20, 6, 0xBBBB);
    let end = second.at as u64;
    let mut second = second.file;
    second.put(4032, &hash);
    let sum = plain(&second.0[4032..4092]);
    second.put(4092, &sum);
    let sidecar = sidecar(6, 2, end);
    let mut hasher = blake3::Hasher::new();
    for (name, bytes) in [
        ("00000000000000000001.seg", &first),
        ("00000000000000000005.open", &second.0),
        ("durable", &sidecar),
    ] {
        fs::write(dir.join(name), bytes).unwrap();
        hasher.update(bytes);
    }
    hasher.finalize()
}

#[test]
fn a_journal_of_version_1_reads_as_it_was_written() {
    let dir = tempfile::tempdir().unwrap();
    let pinned = "520246ee7394d24dffd7857619b80f98bfe338f923a8184e0ef93dc523367669";
    assert_eq!(build(dir.path()).to_hex().as_str(), pinned, "the golden bytes themselves changed");

    let report = verify(dir.path());
    assert_eq!((report.segments, report.sealed_segments), (2, 1));
    assert_eq!((report.records, report.checkpoints), (6, 2));
    assert_eq!((report.first_seq, report.last_seq, report.durable_seq), (1, 6, 6));
    assert_eq!(report.output_hash, Some((6, 0xBBBB)));
    assert_eq!(report.torn, None);
    let identity = Identity { behaviour_version: 7, config_hash: [0xC0; 32], build_id: [0xB1; 32] };
    assert_eq!(report.identity, Some(identity));

    let mut read = Vec::new();
    let mut hashes = Vec::new();
    Reader::open(dir.path())
        .unwrap()
        .for_each(|record| {
            match record.output_hash() {
                Some(hash) => hashes.push((record.seq, hash)),
                None => read.push(Kept {
                    seq: record.seq,
                    time_ns: record.time_ns,
                    kind: record.kind,
                    flags: record.flags,
                    body: record.body.to_vec(),
                }),
            }
            Ok::<_, std::convert::Infallible>(())
        })
        .unwrap();
    assert_eq!(read, records());
    assert_eq!(hashes, [(4, 0xAAAA), (6, 0xBBBB)]);
}

#[test]
fn a_journal_of_version_1_is_continued_behind_an_upgrade() {
    let dir = tempfile::tempdir().unwrap();
    build(dir.path());
    let recovery = open_dir(dir.path(), &settings()).unwrap();
    assert_eq!((recovery.last_seq(), recovery.last_time_ns(), recovery.epoch()), (6, 99, 3));
    assert_eq!(recovery.completeness(), Completeness::Proven);
    let mut writer = recovery.into_writer(100, 0xBBBB).unwrap();
    writer.append(Kept::of(7).entry(), 0xBBBB).unwrap();
    writer.close().unwrap();
    assert_eq!(verify(dir.path()).last_seq, 7);
    assert_eq!(files(dir.path(), "seg").len(), 2, "the same identity, and another format");
    let upgraded = fs::read(dir.path().join("00000000000000000007.open")).unwrap();
    assert_eq!(upgraded[8..16], [2, 0, 0, 0, 2, 0, 0, 0], "the version, and of readers");
    let record = &upgraded[4096..4160];
    assert_eq!(
        (&record[4..8], &record[8..16]),
        (&[16, 0, 0x21, 0][..], &[6, 0, 0, 0, 0, 0, 0, 0][..])
    );
    let body = [1_u32, 7, 2, 7].map(u32::to_le_bytes).concat();
    assert_eq!((&record[24..40], &record[40..]), (&body[..], &[0; 24][..]));
}

#[test]
fn a_newer_format_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    build(dir.path());
    let path = dir.path().join("00000000000000000005.open");
    let mut file = Bytes(fs::read(&path).unwrap());
    file.put_u32(8, 4);
    file.put_u32(12, 3);
    let sum = plain(&file.0[..4028]);
    file.put(4028, &sum);
    fs::write(&path, &file.0).unwrap();
    let error = Reader::verify(dir.path(), |_| {}).unwrap_err();
    assert!(
        error.to_string().ends_with("of format version 4, this program reads up to 2"),
        "{error}"
    );
}
