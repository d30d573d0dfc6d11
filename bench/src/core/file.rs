//! Workloads as files, so that anyone can bring one or run ours elsewhere.
//!
//! The layout is in `docs/bench-method.md`: a header of 120 bytes and records of 24.

use std::{
    fmt::{self, Display},
    fs::File,
    io::{self, BufWriter, Read, Write},
    path::{Path, PathBuf},
};

use uncross_engine::{
    limits::INSTRUMENTS_MAX,
    types::{Price, Side},
};

use super::workload::{COMMANDS_MAX, ID_MAX, Op, Record, Tally, Workload};

const MAGIC: [u8; 8] = *b"WLPEER01";
const HEADER_LEN: usize = 120;
const RECORD_LEN: usize = 24;

/// Why a file is no workload.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It cannot be read or written.
    #[error("{}: {error}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// Something in it is not what it must be.
    #[error("{}: {place}: expected {expected}, found {found}", path.display())]
    Wrong {
        /// The file.
        path: PathBuf,
        /// Where in the file.
        place: String,
        /// What must be there.
        expected: String,
        /// What is.
        found: String,
    },
}

/// Place, expectation and finding; the path is added where it is known.
type Fault = (String, String, String);

fn fault(place: impl Display, expected: impl Display, found: impl Display) -> Fault {
    (place.to_string(), expected.to_string(), found.to_string())
}

/// Writes a workload.
///
/// # Errors
///
/// When the file cannot be written.
pub fn write(path: &Path, workload: &Workload) -> Result<(), FileError> {
    let written = File::create(path).and_then(|file| {
        let mut out = BufWriter::new(file);
        out.write_all(&header(workload))?;
        workload.records.iter().try_for_each(|record| out.write_all(&bytes(record)))?;
        out.flush()
    });
    written.map_err(|error| FileError::Io { path: path.to_owned(), error })
}

/// Reads a workload and checks all of it.
///
/// # Errors
///
/// When the file cannot be read, or the first thing in it that is wrong.
pub fn read(path: &Path) -> Result<Workload, FileError> {
    let mut content = Vec::new();
    File::open(path)
        .and_then(|mut file| file.read_to_end(&mut content))
        .map_err(|error| FileError::Io { path: path.to_owned(), error })?;
    parse(&content).map_err(|(place, expected, found)| {
        let path = path.to_owned();
        FileError::Wrong { path, place, expected, found }
    })
}

fn header(workload: &Workload) -> Vec<u8> {
    let Tally { trades, quantity, checksum, trading } = workload.expected;
    let (untimed, timed) = (workload.untimed as u64, workload.timed() as u64);
    let mut header = MAGIC.to_vec();
    for word in [u32::from(workload.symbols), workload.lowest_px, workload.highest_px, 0] {
        header.extend(word.to_le_bytes());
    }
    let highest_id = u64::from(workload.highest_id);
    for word in [untimed, timed, highest_id, trades, quantity, checksum, trading] {
        header.extend(word.to_le_bytes());
    }
    header.resize(HEADER_LEN, 0);
    header
}

fn bytes(record: &Record) -> [u8; RECORD_LEN] {
    let mut bytes = [0; RECORD_LEN];
    bytes[0] = record.op as u8;
    bytes[1] = u8::from(record.side == Side::Ask);
    bytes[2..4].copy_from_slice(&record.symbol.to_le_bytes());
    bytes[4..8].copy_from_slice(&record.qty.to_le_bytes());
    bytes[8..12].copy_from_slice(&record.px.to_le_bytes());
    bytes[12..16].copy_from_slice(&record.old_px.to_le_bytes());
    bytes[16..24].copy_from_slice(&u64::from(record.id).to_le_bytes());
    bytes
}

/// The little-endian integer of `LEN` bytes at `at`, which must be inside.
fn number<const LEN: usize>(bytes: &[u8], at: usize) -> u64 {
    let part = bytes[at..at + LEN].iter().rev();
    part.fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// A field that must be in a range.
fn within(place: impl Display, found: u64, least: u64, most: u64) -> Result<u64, Fault> {
    if least <= found && found <= most {
        return Ok(found);
    }
    Err(fault(place, format_args!("{least}..={most}"), found))
}

fn parse(content: &[u8]) -> Result<Workload, Fault> {
    if content.len() < HEADER_LEN {
        let expected = format_args!("a header of {HEADER_LEN} bytes");
        return Err(fault("length", expected, format_args!("{} bytes", content.len())));
    }
    let (header, body) = content.split_at(HEADER_LEN);
    if header[..8] != MAGIC {
        return Err(fault("magic", MAGIC.escape_ascii(), header[..8].escape_ascii()));
    }
    let symbols = within("symbols", number::<4>(header, 8), 1, u64::from(INSTRUMENTS_MAX))?;
    let price_max = u64::from(Price::RAW_MAX);
    let lowest = within("lowest price", number::<4>(header, 12), 1, price_max)?;
    let highest = within("highest price", number::<4>(header, 16), lowest, price_max)?;
    within("bytes 20 to 23", number::<4>(header, 20), 0, 0)?;
    let untimed = within("untimed commands", number::<8>(header, 24), 0, COMMANDS_MAX)?;
    let timed = within("timed commands", number::<8>(header, 32), 1, COMMANDS_MAX - untimed)?;
    let highest_id = within("highest id", number::<8>(header, 40), 1, ID_MAX)?;
    let [trades, quantity, checksum, trading] = [48, 56, 64, 72].map(|at| number::<8>(header, at));
    if header[80..].iter().any(|byte| *byte != 0) {
        return Err(fault("bytes 80 to 119", "zeros", header[80..].escape_ascii()));
    }
    let records_len = (untimed + timed) * RECORD_LEN as u64;
    if body.len() as u64 != records_len {
        let expected = format_args!("{records_len} bytes of records");
        return Err(fault("length", expected, format_args!("{} bytes", body.len())));
    }
    let mut checker = Checker {
        symbols,
        prices: (lowest, highest),
        orders: vec![None; small(highest_id) as usize + 1],
    };
    let records = (0..).zip(body.chunks_exact(RECORD_LEN));
    let records: Result<_, Fault> =
        records.map(|(at, bytes)| checker.check(&Place(at), bytes)).collect();
    Ok(Workload {
        symbols: u16::try_from(symbols).unwrap_or(u16::MAX),
        lowest_px: small(lowest),
        highest_px: small(highest),
        untimed: usize::try_from(untimed).unwrap_or(usize::MAX),
        highest_id: small(highest_id),
        records: records?,
        expected: Tally { trades, quantity, checksum, trading },
    })
}

/// A number that a check has found to fit.
fn small(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// Number of a record, from 0.
struct Place(u64);

impl Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "record {} (from 0)", self.0)
    }
}

impl Place {
    fn of(&self, field: &str) -> String {
        format!("{self}, {field}")
    }
}

struct Checker {
    symbols: u64,
    prices: (u64, u64),
    /// Symbol and side by id, of the orders entered so far.
    orders: Vec<Option<(u16, Side)>>,
}

impl Checker {
    fn check(&mut self, place: &Place, bytes: &[u8]) -> Result<Record, Fault> {
        let op = match bytes[0] {
            0 => Op::Limit,
            1 => Op::Ioc,
            2 => Op::Cancel,
            3 => Op::Move,
            found => return Err(fault(place.of("op"), "0..=3", found)),
        };
        let side = match bytes[1] {
            0 => Side::Bid,
            1 => Side::Ask,
            found => return Err(fault(place.of("side"), "0 or 1", found)),
        };
        let symbol = number::<2>(bytes, 2);
        if self.symbols <= symbol {
            return Err(fault(
                place.of("symbol"),
                format_args!("0..={}", self.symbols - 1),
                symbol,
            ));
        }
        let symbol = u16::try_from(symbol).unwrap_or(u16::MAX);
        let [qty, px, old_px] = [4, 8, 12].map(|at| number::<4>(bytes, at));
        let ids = self.orders.len() as u64 - 1;
        let id = within(place.of("id"), number::<8>(bytes, 16), 1, ids)?;
        if op != Op::Cancel {
            within(place.of("price"), px, self.prices.0, self.prices.1)?;
        }
        let known = &mut self.orders[small(id) as usize];
        match (op, *known) {
            (Op::Limit | Op::Ioc, None) => {
                within(place.of("quantity"), qty, 1, u64::from(u32::MAX))?;
                *known = Some((symbol, side));
            }
            (Op::Limit | Op::Ioc, Some(_)) => {
                return Err(fault(place.of("id"), "one that was not used", id));
            }
            (Op::Cancel | Op::Move, None) => {
                return Err(fault(place.of("id"), "one that was entered before", id));
            }
            (Op::Cancel | Op::Move, Some(entered)) if entered != (symbol, side) => {
                let found = format_args!("symbol {symbol}, {side:?}");
                let (symbol, side) = entered;
                let expected = format!("symbol {symbol}, {side:?}, as order {id} was entered");
                return Err(fault(place, expected, found));
            }
            (Op::Cancel | Op::Move, Some(_)) => {}
        }
        let [qty, px, old_px] = [qty, px, old_px].map(small);
        Ok(Record { op, side, symbol, qty, px, old_px, id: small(id) })
    }
}
