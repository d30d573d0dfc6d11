//! The golden journal, as a folder.

use std::{fs, path::Path};

/// Of the venue of today, packed: of each file its name, its length, and the lines that are not
/// zeros.
const PACKED: &[u8] =
    include_bytes!("../../../gateway/server/tests/golden/behaviour-4-format-2.bin");
const LINE: usize = 64;

/// Its files by name.
pub fn files() -> Vec<(String, Vec<u8>)> {
    let mut packed = PACKED;
    let mut files = Vec::new();
    while !packed.is_empty() {
        let name_len = number(&mut packed);
        let name = str::from_utf8(take(&mut packed, name_len)).expect("a name").to_owned();
        let len = number(&mut packed);
        let mut bytes = vec![0; len.next_multiple_of(LINE)];
        for _ in 0..number(&mut packed) {
            let start = number(&mut packed) * LINE;
            bytes[start..start + LINE].copy_from_slice(take(&mut packed, LINE));
        }
        bytes.truncate(len);
        files.push((name, bytes));
    }
    files
}

/// Writes files into a folder.
pub fn write(files: &[(String, Vec<u8>)], dir: &Path) {
    for (name, bytes) in files {
        fs::write(dir.join(name), bytes).expect("room for a small journal");
    }
}

fn take<'a>(packed: &mut &'a [u8], len: usize) -> &'a [u8] {
    let (taken, rest) = packed.split_at(len);
    *packed = rest;
    taken
}

fn number(packed: &mut &[u8]) -> usize {
    let (bytes, rest) = packed.split_first_chunk().expect("a number");
    *packed = rest;
    u32::from_le_bytes(*bytes) as usize
}
