//! Writes the journal of a venue that traded for long: `long_journal FOLDER MEBIBYTES`.
//!
//! Orders rest, are replaced, cancelled and traded with, all of it applied as it is written: the
//! checkpoints are those of a run. Prints, as JSON, the last sequence number, the bytes of all
//! records, the hash of the state, and port and number of the order that was replaced last. For
//! those who must show that the memory of a tool does not grow with the journal.

use std::{
    collections::VecDeque,
    error::Error,
    fmt::Write as _,
    io::{self, Write as _},
    path::Path,
    time::Duration,
};

use uncross_engine::{BEHAVIOUR_VERSION, Progress, limits::Capacity};
use uncross_server::{
    config::VenueDir,
    journal::{AppendError, Entry, Identity, Level, Settings, Writer, body, format, kind, open},
    limits::RECORDS_PER_CHECKPOINT,
    replay::Discard,
    replica::Replica,
};
use zerocopy::{Immutable, IntoBytes};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Any time will do: nothing expires.
const TIME_NS: u64 = 1_700_000_000_000_000_000;
const SESSION: [u8; 10] = *b"LONG000001";
const NO_TEXT: [u8; 14] = *b"              ";
const PORTS: u16 = 8;
const SYMBOLS: [[u8; 8]; 4] = [*b"LONGA   ", *b"LONGB   ", *b"LONGC   ", *b"LONGD   "];
/// Orders that are not cancelled yet.
const STANDING_MAX: usize = 20_000;
/// Price around which all instruments are traded.
const MIDDLE_PX: u32 = 1_000_000;
/// Longest wait for a prepared segment.
const PATIENCE: Duration = Duration::from_mins(1);

fn main() -> Outcome<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [dir, mebibytes] = &words[..] else {
        return Err("name a folder that does not exist yet, and mebibytes".into());
    };
    let venue = VenueDir::new(Path::new(dir));
    std::fs::create_dir(venue.root())?;
    let mut flow = Flow::new(Run::open(&venue.journal())?);
    let wanted = mebibytes.parse::<u64>()? << 20;
    while flow.run.bytes < wanted {
        flow.step()?;
    }
    let Standing { port, number } = flow.replaced.ok_or("nothing was replaced")?;
    let run = flow.run;
    let (last_seq, bytes) = (run.seq, run.bytes);
    let mut state = String::new();
    for byte in run.close()? {
        write!(state, "{byte:02x}")?;
    }
    writeln!(
        io::stdout(),
        "{{\"last_seq\":{last_seq},\"bytes\":{bytes},\"state_hash\":\"{state}\",\
         \"port\":{port},\"number\":{number}}}"
    )?;
    Ok(())
}

/// An order that may still stand.
#[derive(Clone, Copy, Debug)]
struct Standing {
    port: u16,
    number: u32,
}

/// Writes records and applies them.
struct Run {
    writer: Writer,
    replica: Option<Replica>,
    seq: u64,
    bytes: u64,
}

impl Run {
    /// Begins a journal with capacity, instruments, day and sessions.
    fn open(dir: &Path) -> Outcome<Self> {
        let identity = Identity {
            behaviour_version: BEHAVIOUR_VERSION,
            config_hash: [0; 32],
            build_id: [0; 32],
        };
        let settings = Settings { level: Level::Async, ..Settings::default() };
        let writer = open(dir, &settings, &identity)?.into_writer(TIME_NS, 0)?;
        let mut run = Self { writer, replica: None, seq: 0, bytes: 0 };
        run.state_capacity(&Capacity::default())?;
        for (id, symbol) in (1..).zip(SYMBOLS) {
            run.list(id, symbol)?;
        }
        let (date, utc_offset_s) = (20_000.into(), 0.into());
        let roll = body::DayRoll { date, utc_offset_s, session: SESSION, reserved: [0; 6] };
        run.say(kind::DAY_ROLL, &roll)?;
        for port in 1..=PORTS {
            let up = body::SessionUp {
                port: port.into(),
                generation: 1.into(),
                firm: *b"FIRM",
                user: *b"LONG  ",
                session: SESSION,
                grace_ms: u32::MAX.into(),
            };
            run.say(kind::SESSION_UP, &up)?;
        }
        Ok(run)
    }

    fn state_capacity(&mut self, capacity: &Capacity) -> Outcome<()> {
        let stated = body::Capacity {
            subject: b'C',
            reserved: [0; 3],
            orders: capacity.orders.into(),
            levels: capacity.levels.into(),
            nodes: capacity.nodes.into(),
            port_orders: capacity.port_orders.into(),
            port_pages: capacity.port_pages.into(),
            user_ref_pages: capacity.user_ref_pages.into(),
            instruments: capacity.instruments.into(),
            ports: capacity.ports.into(),
            hidden_orders: capacity.hidden_orders.into(),
        };
        self.say(kind::CONFIGURATION, &stated)
    }

    fn list(&mut self, id: u32, symbol: [u8; 8]) -> Outcome<()> {
        let instrument = body::Configuration {
            subject: b'I',
            price_decimals: 4,
            qty_decimals: 0,
            reserved: 0,
            id: id.into(),
            symbol,
            tick: 1.into(),
            lot: 1.into(),
            qty_min: 1.into(),
            qty_max: 10_000.into(),
            collar_bp: 0.into(),
            reference_px: 0.into(),
        };
        self.say(kind::CONFIGURATION, &instrument)
    }

    /// Appends a record and applies it.
    fn say(&mut self, kind: u8, body: &(impl IntoBytes + Immutable)) -> Outcome<()> {
        self.seq += 1;
        let (seq, time_ns, body) = (self.seq, TIME_NS + self.seq, body.as_bytes());
        let entry = Entry { seq, time_ns, kind, flags: 0, body };
        let output_hash = self.replica.as_ref().map_or(0, Replica::output_hash);
        while let Err(error) = self.writer.append(entry, output_hash) {
            let is_waited_for = matches!(error, AppendError::NotReady)
                && self.writer.watermark().wait_prepared(1, PATIENCE);
            if !is_waited_for {
                return Err(error.into());
            }
        }
        self.bytes += format::record_len_bytes(body.len() as u64);
        let Some(replica) = &mut self.replica else {
            self.replica = Some(Replica::found(&entry)?);
            return Ok(());
        };
        let mut progress = replica.begin(seq, time_ns, kind, body, &mut Discard)?;
        while progress == Progress::More {
            progress = replica.resume(&mut Discard);
        }
        if seq.is_multiple_of(RECORDS_PER_CHECKPOINT) {
            self.writer.checkpoint(replica.output_hash(), time_ns)?;
        }
        Ok(())
    }

    /// Closes the journal; returns the hash of the state.
    fn close(mut self) -> Outcome<[u8; 32]> {
        let replica = self.replica.ok_or("nothing was written")?;
        self.writer.checkpoint(replica.output_hash(), TIME_NS + self.seq)?;
        self.writer.close()?;
        Ok(replica.state_hash())
    }
}

/// What brokers do.
struct Flow {
    run: Run,
    /// By port: the number last used.
    numbers: [u32; PORTS as usize + 1],
    standing: VecDeque<Standing>,
    replaced: Option<Standing>,
    random: u64,
}

impl Flow {
    const fn new(run: Run) -> Self {
        let numbers = [0; PORTS as usize + 1];
        Self { run, numbers, standing: VecDeque::new(), replaced: None, random: 1 }
    }

    /// A number below `end`, from a generator with a fixed seed (xorshift64).
    fn below(&mut self, end: u32) -> u32 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        u32::try_from(self.random >> 32).unwrap_or(0) % end
    }

    fn next_number(&mut self, port: u16) -> u32 {
        let number = &mut self.numbers[usize::from(port)];
        *number += 1;
        *number
    }

    /// One more message of a broker.
    fn step(&mut self) -> Outcome<()> {
        let choice = self.below(100);
        match self.standing.pop_front() {
            Some(oldest) if STANDING_MAX <= self.standing.len() || choice < 35 => {
                self.cancel(oldest)
            }
            Some(oldest) if choice < 45 => self.replace(oldest),
            other => {
                if let Some(oldest) = other {
                    self.standing.push_front(oldest);
                }
                self.enter(choice < 60)
            }
        }
    }

    fn cancel(&mut self, order: Standing) -> Outcome<()> {
        let Standing { port, number } = order;
        let (port, generation) = (port.into(), 1.into());
        let cancel = body::Cancel { port, generation, user_ref_num: number.into(), qty: 0.into() };
        self.run.say(kind::CANCEL, &cancel)
    }

    fn replace(&mut self, order: Standing) -> Outcome<()> {
        let Standing { port, number } = order;
        let next = self.next_number(port);
        let replace = body::Replace {
            port: port.into(),
            generation: 1.into(),
            orig_user_ref_num: number.into(),
            user_ref_num: next.into(),
            qty: (1 + self.below(500)).into(),
            px: (MIDDLE_PX - 100 - self.below(2_000)).into(),
            time_in_force: b'0',
            display: b'Y',
            intermarket_sweep: b'N',
            reserved: [0; 3],
            client_order_id: NO_TEXT,
        };
        self.run.say(kind::REPLACE, &replace)?;
        self.standing.push_back(Standing { port, number: next });
        self.replaced = Some(order);
        Ok(())
    }

    /// Enters an order that rests, or one that takes from those.
    fn enter(&mut self, is_taker: bool) -> Outcome<()> {
        let port = 1 + u16::try_from(self.below(PORTS.into()))?;
        let number = self.next_number(port);
        let is_buy = self.below(2) == 0;
        let distance = self.below(2_000);
        // A buyer who rests bids below the middle, one who takes above it.
        let px = if is_buy == is_taker { MIDDLE_PX + distance } else { MIDDLE_PX - distance };
        let enter = body::Enter {
            port: port.into(),
            generation: 1.into(),
            user_ref_num: number.into(),
            instrument: (1 + self.below(u32::try_from(SYMBOLS.len())?)).into(),
            qty: (1 + self.below(500)).into(),
            px: px.into(),
            side: if is_buy { b'B' } else { b'S' },
            time_in_force: if is_taker { b'3' } else { b'0' },
            display: b'Y',
            capacity: b'P',
            intermarket_sweep: b'N',
            cross_type: b'N',
            client_order_id: NO_TEXT,
        };
        self.run.say(kind::ENTER, &enter)?;
        if !is_taker {
            self.standing.push_back(Standing { port, number });
        }
        Ok(())
    }
}
