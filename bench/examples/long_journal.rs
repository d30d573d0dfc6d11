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
};

use uncross_bench::{
    core::engine::instrument,
    run::{Draft, Run, preamble},
};
use uncross_engine::{instrument::Instrument, limits::Capacity};
use uncross_server::{
    config::VenueDir,
    journal::{body, kind},
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

fn main() -> Outcome<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [dir, mebibytes] = &words[..] else {
        return Err("name a folder that does not exist yet, and mebibytes".into());
    };
    let venue = VenueDir::new(Path::new(dir));
    std::fs::create_dir(venue.root())?;
    let mut run = Run::create(&venue.journal(), TIME_NS)?;
    let listed = (1..).zip(SYMBOLS).map(|(id, symbol)| Instrument { symbol, ..instrument(id) });
    for draft in &preamble(&Capacity::default(), listed, SESSION, PORTS) {
        run.say(draft)?;
    }
    let mut flow = Flow::new(run);
    let wanted = mebibytes.parse::<u64>()? << 20;
    while flow.run.bytes() < wanted {
        flow.step()?;
    }
    let Standing { port, number } = flow.replaced.ok_or("nothing was replaced")?;
    let run = flow.run;
    let (last_seq, bytes) = (run.last_seq(), run.bytes());
    let mut state = String::new();
    for byte in run.close()?.state_hash() {
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

    fn say(&mut self, kind: u8, body: &(impl IntoBytes + Immutable)) -> Outcome<()> {
        Ok(self.run.say(&Draft::of(kind, body))?)
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
        self.say(kind::CANCEL, &cancel)
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
        self.say(kind::REPLACE, &replace)?;
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
        self.say(kind::ENTER, &enter)?;
        if !is_taker {
            self.standing.push_back(Standing { port, number });
        }
        Ok(())
    }
}
