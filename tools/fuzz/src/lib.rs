//! What the targets change: the golden journal as a folder, and a venue that goes on with it.

use std::{fs, iter, path::Path};

use tempfile::TempDir;
use uncross_server::{
    config::{Config, VenueDir},
    users::Users,
    venue,
};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Files by name, and their bytes.
pub type Files = Vec<(String, Vec<u8>)>;

/// Of the venue of today, packed: of each file its name, its length, and the lines that are not
/// zeros.
const PACKED: &[u8] =
    include_bytes!("../../../gateway/server/tests/golden/behaviour-4-format-2.bin");
const LINE: usize = 64;

/// Its files by name.
pub fn files() -> Files {
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

/// An empty folder, in memory where there is such a place.
pub fn folder() -> TempDir {
    let memory = Path::new("/dev/shm");
    let made = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    made.expect("a folder")
}

/// The folder of a venue that has gone on with the golden journal, and has ended: with a snapshot
/// and the streams of its last session.
pub fn venue() -> TempDir {
    let home = folder();
    let dir = VenueDir::new(home.path());
    fs::create_dir(dir.journal()).expect("a new folder");
    write(&files(), &dir.journal());
    Users::new(dir.users_file()).save().expect("no users");
    fs::write(dir.config_file(), CONFIGURATION).expect("room for a small file");
    let config = Config::load(Some(&dir.config_file()), iter::empty(), &[]);
    let config = config.expect("a configuration");
    let venue = venue::start(&config, &dir).expect("a venue that starts");
    venue.stop().expect("a venue that ends");
    home
}

/// Of the venue of the golden journal: its capacity and instruments; a snapshot at every end.
const CONFIGURATION: &str = r#"
[orders]
listen = "127.0.0.1:0"
[data]
listen = "127.0.0.1:0"
[admin]
enabled = false
[core]
pin = false
[journal]
segment = "64KiB"
snapshot_every = 1
[capacity]
orders = 100
hidden_orders = 20
levels = 60
ladder_nodes = 200
instruments = 3
ports = 3
port_orders = 50
port_pages = 20
user_ref_pages = 60
[[instrument]]
id = 1
symbol = "AAPL"
tick = "0.01"
qty_max = "10000"
reference_price = "100"
[[instrument]]
id = 2
symbol = "BTCUSD"
tick = "0.01"
qty_max = "10000"
reference_price = "100"
"#;

/// The files of the snapshots and streams of the venue in `home`, named from there.
pub fn derived(home: &Path) -> Files {
    let dir = VenueDir::new(home);
    let mut files = Files::new();
    let mut folders = vec![dir.journal().join("snapshots"), dir.streams()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.strip_prefix(home).expect("within").to_str().expect("a plain name");
            files.push((name.to_owned(), fs::read(&path).expect("a file")));
        }
    }
    files.sort();
    files
}

/// Makes the checksum of a `T` at `at` right.
pub fn seal<T: FromBytes + IntoBytes + KnownLayout + Immutable>(
    bytes: &mut [u8],
    at: usize,
    seal: impl FnOnce(&mut T),
) {
    let place = bytes.get_mut(at..).and_then(|rest| rest.get_mut(..size_of::<T>()));
    if let Some(Ok(held)) = place.map(T::mut_from_bytes) {
        seal(held);
    }
}

/// Changes the files as the input says, one change behind the other: the file, whether `repair`
/// makes its checksums right again, the offset in 16 bytes, the length, and the bytes that are put
/// there. Whether no checksum can hide that.
pub fn change(files: &mut Files, mut input: &[u8], repair: impl Fn(&str, &mut [u8])) -> bool {
    let (mut is_plain, mut changes) = (true, 0);
    while let [file, low, high, len, behind @ ..] = input {
        let (put, behind) = behind.split_at(behind.len().min(usize::from(*len)));
        input = behind;
        let which = usize::from(*file & 0x7F) % files.len();
        changes += 1;
        is_plain &= changes == 1 && put.len() <= 4;
        let (name, bytes) = &mut files[which];
        let at = usize::from(u16::from_le_bytes([*low, *high])) * 16;
        let Some(place) = bytes.get_mut(at..) else { continue };
        let len = place.len().min(put.len());
        place[..len].copy_from_slice(&put[..len]);
        if *file & 0x80 != 0 {
            repair(name, bytes);
            is_plain = false;
        }
    }
    is_plain
}
