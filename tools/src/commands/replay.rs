//! `uncross replay`: applies a journal again and tells what it leads to.

use std::{
    cmp::Ordering,
    fs::File,
    io::Read,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use clap::Args;
use serde::{Deserialize, Serialize};
use uncross_client::wire::text::{format_price, trim};
use uncross_server::{
    audit::moment::Moment,
    journal::{Reader, TornTail},
    replay::{Discard, Replayed as End, RestingBook, RestingOrder, replay_until, resting_books},
    replica::Replica,
    sessions::utc,
};

use super::journal::{empty, reader_of, seq_at};
use crate::{
    errors::{self, Failure},
    output::{Outcome, Output},
    progress,
    venue::{hex, torn_text},
};

const EXAMPLES: &str = "\
A moment is a sequence number (the replay ends behind that record) or a time in UTC such as
2026-11-25T09:30:00Z (behind all records up to it). What --compare names is the folder of another
venue or a backup, or a file with the output of uncross replay --hash --json. Both are taken at one
record: that of --until or of the file, otherwise the last one that both journals had when it began,
and it is said which one goes on. Different states are exit code 6.

Examples:
  uncross replay ./venue
  uncross replay ./venue --hash
  uncross replay ./venue --book
  uncross replay ./venue --until 100 --hash
  uncross replay ./venue --speed
  uncross replay ./venue --hash --json > hashes.json && uncross replay ./venue --compare hashes.json
  uncross replay ./venue --hash --json";

const BOOK_HEADINGS: [&str; 8] =
    ["symbol", "side", "price", "quantity", "order reference", "port", "number", "display"];

/// Apply a venue's journal again, comparing every checkpoint
///
/// Changes nothing and may run beside the venue.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
#[expect(clippy::struct_excessive_bools, reason = "one for each flag of the command line")]
pub(crate) struct Replay {
    /// Folder of the venue
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// Also compute the hash of the final state
    #[arg(long)]
    hash: bool,
    /// Also show every order that rests at the end, the next to trade first
    #[arg(long)]
    book: bool,
    /// Stop behind a sequence number or a time
    #[arg(long, value_name = "MOMENT")]
    until: Option<Moment>,
    /// Compare the state with that of another journal, or with the hashes in a file
    #[arg(long, value_name = "OTHER")]
    compare: Option<PathBuf>,
    /// Also tell how fast the records were applied
    #[arg(long)]
    speed: bool,
}

#[derive(Serialize)]
struct Replayed {
    venue: String,
    last_seq: u64,
    output_hash: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    state_hash: Option<String>,
    last_time: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    books: Option<Vec<BookRows>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    speed: Option<Speed>,
    #[serde(skip_serializing_if = "Option::is_none")]
    compared: Option<Compared>,
    torn: Option<String>,
}

#[derive(Serialize)]
struct Speed {
    commands: u64,
    elapsed_ms: u64,
    commands_per_s: u64,
}

/// What another journal, or a file, says.
#[derive(Serialize)]
struct Compared {
    with: String,
    is_same: bool,
    last_seq: u64,
    output_hash: String,
    /// `None`: a file does not tell it, and only the hashes of the output were compared.
    state_hash: Option<String>,
    /// Of two journals the one that goes on behind the record at which they were compared.
    #[serde(skip_serializing_if = "Option::is_none")]
    longer: Option<Longer>,
}

#[derive(Clone, Serialize)]
struct Longer {
    venue: String,
    last_seq: u64,
}

/// What a replay is compared with, before anything is applied.
enum Other {
    Kept(Kept),
    Journal(Reader, Option<Longer>),
}

/// The output of an earlier replay.
#[derive(Deserialize)]
struct Kept {
    schema: String,
    last_seq: u64,
    output_hash: String,
    state_hash: Option<String>,
}

/// The orders of an instrument.
#[derive(Serialize)]
struct BookRows {
    symbol: String,
    bids: Vec<OrderRow>,
    asks: Vec<OrderRow>,
}

#[derive(Serialize)]
struct OrderRow {
    price: String,
    quantity: String,
    /// As text: JSON numbers do not hold 64 bits everywhere.
    order_reference: String,
    port: u16,
    user_ref_num: u32,
    /// `Y`, `N` or `A`, as OUCH says it.
    display: char,
}

impl BookRows {
    fn new(book: &RestingBook) -> Self {
        let rows = |orders: &[RestingOrder]| {
            let rows = orders.iter().map(|order| OrderRow {
                price: format_price(order.px.into(), book.price_decimals).to_string(),
                quantity: format_price(order.open.into(), book.qty_decimals).to_string(),
                order_reference: order.order_ref.to_string(),
                port: order.port,
                user_ref_num: order.user_ref_num,
                display: order.display.into(),
            });
            rows.collect()
        };
        let symbol = String::from_utf8_lossy(trim(&book.symbol)).into_owned();
        Self { symbol, bids: rows(&book.bids), asks: rows(&book.asks) }
    }

    /// A row of text for each order.
    fn cells(&self) -> impl Iterator<Item = Vec<String>> {
        let bids = self.bids.iter().map(|order| ("bid", order));
        let asks = self.asks.iter().map(|order| ("ask", order));
        bids.chain(asks).map(|(side, order)| {
            let (symbol, side) = (self.symbol.clone(), side.to_owned());
            let OrderRow { price, quantity, order_reference, port, user_ref_num, display } = order;
            let texts = [price, quantity, order_reference].map(Clone::clone);
            let numbers = [port.to_string(), user_ref_num.to_string(), display.to_string()];
            [symbol, side].into_iter().chain(texts).chain(numbers).collect()
        })
    }
}

/// What the journal of a venue leads to.
pub(super) struct Found {
    pub(super) replica: Replica,
    pub(super) last_seq: u64,
    /// What lies behind the last record and is none.
    pub(super) torn: Option<TornTail>,
}

/// Replays the journal of the venue in `dir` to its end.
pub(super) fn replayed(dir: &Path) -> Result<Found, Failure> {
    let End { replica, last_seq, torn, .. } = replay_until(&reader_of(dir)?, None, &mut Discard)?;
    let replica = replica.ok_or_else(|| empty(dir))?;
    Ok(Found { replica, last_seq, torn })
}

impl Replay {
    pub(super) fn run(&self, output: &mut Output) -> Outcome {
        let reader = reader_of(&self.dir)?;
        let until = self.until.map(|moment| seq_at(&reader, moment)).transpose()?;
        let other = self.compare.as_deref().map(|path| self.other(path, &reader, until));
        let (other, until) = match other.transpose()? {
            Some((other, until)) => (Some(other), Some(until)),
            None => (None, until),
        };
        let begun = Instant::now();
        let replay = || replay_until(&reader, until, &mut Discard);
        let end = progress::beside(output, &reader, until, replay).map_err(Failure::from)?;
        let elapsed = begun.elapsed();
        let Some(replica) = &end.replica else { return Err(empty(&self.dir).into()) };
        let needs_hash = self.hash || self.compare.is_some();
        let mut replayed = Replayed {
            venue: self.dir.display().to_string(),
            last_seq: end.last_seq,
            output_hash: format!("{:016x}", replica.output_hash()),
            state_hash: needs_hash.then(|| hex(&replica.state_hash())),
            last_time: utc(end.last_time_ns),
            books: self.book.then(|| {
                let books = resting_books(replica);
                books.iter().map(BookRows::new).collect()
            }),
            speed: self.speed.then(|| Speed::new(end.last_seq, elapsed)),
            compared: None,
            torn: end.torn.as_ref().map(torn_text),
        };
        // The engine of one journal is gone before that of another is built.
        drop(end);
        if let Some((path, other)) = self.compare.as_deref().zip(other) {
            replayed.compared = Some(match other {
                Other::Kept(kept) => Compared::kept(path, kept, &replayed),
                Other::Journal(reader, longer) => {
                    Compared::replayed(path, &reader, longer, &replayed, output)?
                }
            });
        }
        replayed.tell(output)
    }

    /// What `path` holds to compare with, and the record at which both are taken.
    fn other(
        &self,
        path: &Path,
        ours: &Reader,
        until: Option<u64>,
    ) -> Result<(Other, u64), Failure> {
        let found = path.metadata().map_err(|error| {
            let message = format!("{} cannot be compared with", path.display());
            Failure::new(&errors::FILE_READ, message).cause(error.to_string())
        })?;
        if !found.is_dir() {
            let kept = kept(path)?;
            let seq = kept.last_seq;
            if let Some(until) = until.filter(|until| *until != seq) {
                let path = path.display();
                let message = format!("{path} is of record {seq}, --until of record {until}");
                return Err(Failure::new(&errors::USAGE, message)
                    .cause("a journal leads to another state at each record")
                    .fix("leave --until out: the replay ends where the file does"));
            }
            let until = seq_at(ours, Moment::Seq(seq))?;
            return Ok((Other::Kept(kept), until));
        }
        let theirs = reader_of(path)?;
        if let Some(until) = until {
            let until = seq_at(&theirs, Moment::Seq(until));
            let until = until.map_err(|it| it.cause(format!("it is of {}", path.display())))?;
            return Ok((Other::Journal(theirs, None), until));
        }
        // Each is looked at once: whatever a running venue writes behind that counts for nothing.
        let (our_seq, their_seq) = (last_seq(&self.dir, ours)?, last_seq(path, &theirs)?);
        let longer = |dir: &Path, last_seq| Longer { venue: dir.display().to_string(), last_seq };
        let longer = match our_seq.cmp(&their_seq) {
            Ordering::Less => Some(longer(path, their_seq)),
            Ordering::Equal => None,
            Ordering::Greater => Some(longer(&self.dir, our_seq)),
        };
        Ok((Other::Journal(theirs, longer), our_seq.min(their_seq)))
    }
}

/// The last record of the journal of the venue in `dir`.
fn last_seq(dir: &Path, reader: &Reader) -> Result<u64, Failure> {
    reader.last()?.map(|(seq, _)| seq).ok_or_else(|| empty(dir))
}

/// No output of a replay without --book is near as long, and a pipe need not end.
const KEPT_LEN_MAX: u64 = 256 << 20;

/// The hashes in a file.
fn kept(path: &Path) -> Result<Kept, Failure> {
    let unreadable = |why: String| {
        let message = format!("{} holds no hashes of a replay", path.display());
        Failure::new(&errors::FILE_READ, message)
            .cause(why)
            .fix("write such a file with uncross replay DIR --hash --json")
    };
    let mut text = String::new();
    File::open(path)
        .and_then(|file| file.take(KEPT_LEN_MAX).read_to_string(&mut text))
        .map_err(|error| unreadable(error.to_string()))?;
    let kept: Kept = serde_json::from_str(&text).map_err(|error| unreadable(error.to_string()))?;
    match kept.schema.as_str() {
        SCHEMA => Ok(kept),
        other => Err(unreadable(format!("its schema is {other:?}, expected {SCHEMA:?}"))),
    }
}

const SCHEMA: &str = "uncross.replay/1";

impl Speed {
    fn new(commands: u64, elapsed: Duration) -> Self {
        let ns = elapsed.as_nanos().max(1);
        let per_s = u128::from(commands) * 1_000_000_000 / ns;
        Self {
            commands,
            elapsed_ms: u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
            commands_per_s: u64::try_from(per_s).unwrap_or(u64::MAX),
        }
    }
}

impl Compared {
    fn kept(path: &Path, kept: Kept, ours: &Replayed) -> Self {
        let Kept { last_seq, output_hash, state_hash, .. } = kept;
        let is_same_state = state_hash.is_none() || state_hash == ours.state_hash;
        let is_same = is_same_state && output_hash == ours.output_hash && last_seq == ours.last_seq;
        let with = path.display().to_string();
        Self { with, is_same, last_seq, output_hash, state_hash, longer: None }
    }

    /// Another journal, replayed up to the same record.
    fn replayed(
        path: &Path,
        reader: &Reader,
        longer: Option<Longer>,
        ours: &Replayed,
        output: &Output,
    ) -> Result<Self, Failure> {
        let until = Some(ours.last_seq);
        let replay = || replay_until(reader, until, &mut Discard);
        let End { replica, last_seq, .. } = progress::beside(output, reader, until, replay)?;
        let replica = replica.ok_or_else(|| empty(path))?;
        let output_hash = format!("{:016x}", replica.output_hash());
        let state_hash = Some(hex(&replica.state_hash()));
        let is_same = last_seq == ours.last_seq
            && output_hash == ours.output_hash
            && state_hash == ours.state_hash;
        let with = path.display().to_string();
        Ok(Self { with, is_same, last_seq, output_hash, state_hash, longer })
    }

    fn show(&self, output: &mut Output) -> Outcome {
        let Self { with, is_same, last_seq, output_hash, state_hash, longer } = self;
        let verdict = match (is_same, state_hash) {
            (true, Some(_)) => format!("the same state as {with}"),
            (true, None) => format!("the same output as {with}, which tells no state"),
            (false, _) => format!("another state than {with}"),
        };
        output.line(format_args!("compared     {verdict}"))?;
        output.line(format_args!("  at         record {last_seq}"))?;
        if !is_same {
            let state = state_hash.as_deref().unwrap_or("not told");
            output.line(format_args!("  output     {output_hash}"))?;
            output.line(format_args!("  state      {state}"))?;
        }
        if let Some(Longer { venue, last_seq }) = longer {
            output.line(format_args!("  goes on    {venue}, to record {last_seq}"))?;
        }
        Ok(())
    }
}

impl Replayed {
    fn tell(&self, output: &mut Output) -> Outcome {
        if output.is_json() {
            output.json(SCHEMA, self)?;
        } else {
            self.show(output)?;
        }
        match &self.compared {
            Some(Compared { with, is_same: false, .. }) => {
                let message = format!("{} and {with} lead to different states", self.venue);
                Err(Failure::new(&errors::HASH_MISMATCH, message)
                    .cause("their records differ, or one was replayed by another version")
                    .fix("uncross journal diff finds the first record that differs")
                    .into())
            }
            _ => Ok(()),
        }
    }

    fn show(&self, output: &mut Output) -> Outcome {
        output.line(format_args!("records      {}", self.last_seq))?;
        output.line(format_args!("output hash  {}", self.output_hash))?;
        if let Some(hash) = &self.state_hash {
            output.line(format_args!("state hash   {hash}"))?;
        }
        if let Some(Speed { commands, elapsed_ms, commands_per_s }) = &self.speed {
            let rate = format!("{commands} records in {elapsed_ms} ms");
            output.line(format_args!("speed        {commands_per_s} commands/s, {rate}"))?;
        }
        if let Some(compared) = &self.compared {
            compared.show(output)?;
        }
        if let Some(torn) = &self.torn {
            output.line(format_args!("behind it    {torn}"))?;
        }
        if let Some(books) = &self.books {
            let rows: Vec<_> = books.iter().flat_map(BookRows::cells).collect();
            output.line("")?;
            output.table(&BOOK_HEADINGS, &rows)?;
        }
        Ok(())
    }
}
