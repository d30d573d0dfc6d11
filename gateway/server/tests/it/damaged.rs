//! Folders of a journal that were damaged in any way: every reader answers with an error or with
//! what was written from the beginning on, and changes nothing.

use std::{collections::BTreeMap, fs, path::Path};

use uncross_server::{
    audit::{
        cat::{Filter, cat},
        diff::{Relation, Which, diff},
        history::{Wanted, history},
        moment::Moment,
        overview::inspect,
        streams::check_streams,
    },
    config::VenueDir,
    export::survey,
    journal::{Reader, examine},
    replay::{Discard, replay_until, resting_books},
};
use uncross_wire::IntoBytes;

use crate::harness::{TestVenue, enter};

/// Folders that are damaged; `UNCROSS_DAMAGE_ROUNDS` asks for another number.
fn rounds() -> u64 {
    std::env::var("UNCROSS_DAMAGE_ROUNDS").map_or(120, |text| text.parse().expect("a number"))
}

const ORDERS: u32 = 2_600;

/// Deterministic random numbers; the seed is part of every failure message.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() >> 16).unwrap() % bound.max(1)
    }

    fn byte(&mut self) -> u8 {
        self.next().to_be_bytes()[0]
    }
}

/// The files of a folder by their names; `None` is a folder in the place of a file.
type Files = BTreeMap<String, Option<Vec<u8>>>;

fn files(dir: &Path) -> Files {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let pairs = entries.map(|path| {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        (name, if path.is_dir() { None } else { Some(fs::read(path).unwrap()) })
    });
    pairs.collect()
}

/// A venue that traded over several segments.
fn traded() -> TestVenue {
    let mut venue = TestVenue::with(&[("journal.segment", "64KiB")]);
    let mut alice = venue.orders("ALICE", 1);
    let mut bob = venue.orders("BOB", 1);
    for number in 1..=ORDERS / 2 {
        let price = 1_000_000 + u64::from(number % 7) * 100;
        alice.ouch(enter(number, b'B', 100 + number % 5, price).as_bytes());
        bob.ouch(enter(number, b'S', 90 + number % 9, price + 100).as_bytes());
        if number.is_multiple_of(100) {
            alice.sync();
            bob.sync();
        }
    }
    alice.sync();
    bob.sync();
    venue.stop();
    venue
}

/// What the whole journal says.
struct Good<'a> {
    dir: VenueDir,
    files: Files,
    reader: &'a Reader,
    /// Every record as text, with its place.
    plain: Vec<String>,
    resolved: Vec<String>,
    last_seq: u64,
}

/// The records that pass, up to the first error.
fn told(reader: &Reader, filter: &Filter) -> Vec<String> {
    let mut told = Vec::new();
    let _end = cat(reader, filter, |line| {
        told.push(format!("{:?} {line}", line.location));
        Ok(())
    });
    told
}

impl Good<'_> {
    /// Asks everything of the journal in `dir`; how many of the questions were answered.
    fn ask(&self, dir: &Path, context: &str) -> usize {
        let mut answers = 0;
        if let Ok(report) = Reader::verify(dir, |_| {}) {
            assert!(report.last_seq <= self.last_seq, "{context}");
            answers += 1;
        }
        if let Ok(inspection) = inspect(dir, |_| {}) {
            assert!(inspection.last.is_none_or(|(seq, _)| seq <= self.last_seq), "{context}");
            answers += usize::from(inspection.files.damage.is_none());
        }
        answers += usize::from(examine(dir).is_ok());
        answers += usize::from(survey(dir).is_ok());
        let streams = check_streams(dir, &self.dir.streams());
        answers += usize::from(streams.is_ok_and(|report| {
            // The streams are whole: a prefix of the journal leads to a part of them.
            report.streams.iter().all(|stream| stream.fault.is_none())
        }));
        match Reader::open_whole(dir) {
            Ok(reader) => answers + self.read(&reader, context),
            Err(_) => answers,
        }
    }

    fn read(&self, reader: &Reader, context: &str) -> usize {
        let mut answers = 0;
        let resolved = Filter { is_resolved: true, ..Filter::default() };
        let of_order = Wanted::Number { port: 1, index: 0, number: 7 };
        for (filter, due) in [(Filter::default(), &self.plain), (resolved, &self.resolved)] {
            let told = told(reader, &filter);
            assert!(due.starts_with(&told), "{context}: {} of {}", told.len(), due.len());
            answers += usize::from(told.len() == due.len());
        }
        // What lies before a moment is not read: behind it nothing else may come.
        let from = self.last_seq / 2;
        let late = Filter { from: Some(Moment::Seq(from)), ..Filter::default() };
        let told = told(reader, &late);
        let due = self.plain.iter().position(|line| told.first() == Some(line));
        if let Some(at) = due {
            assert!(self.plain[at..].starts_with(&told), "{context}: from {from}");
        } else {
            assert!(told.is_empty(), "{context}: from {from}: {}", told[0]);
        }
        if let Ok(end) = replay_until(reader, None, &mut Discard) {
            assert!(end.last_seq <= self.last_seq, "{context}");
            let due = replay_until(self.reader, Some(end.last_seq), &mut Discard).unwrap();
            let [found, due] = [end.replica, due.replica].map(|replica| {
                replica.map(|replica| (replica.state_hash(), resting_books(&replica)))
            });
            assert!(end.last_seq == 0 || found == due, "{context}: up to {}", end.last_seq);
            answers += 1;
        }
        for wanted in [of_order, Wanted::Trade(1)] {
            answers += usize::from(history(reader, wanted, None).is_ok());
        }
        match diff(self.reader, reader) {
            Ok(Relation::Same { .. } | Relation::Prefix { longer: Which::A, .. }) => answers + 1,
            Ok(other) => panic!("{context}: {other:?}"),
            Err(_) => answers,
        }
    }
}

/// Damages something; says what.
fn damage(files: &mut Files, random: &mut Random) -> String {
    let names: Vec<String> =
        files.iter().filter(|(_, it)| it.is_some()).map(|(name, _)| name.clone()).collect();
    let name = names[random.below(names.len())].clone();
    let other = names[random.below(names.len())].clone();
    let kind = random.below(13);
    let what = format!("{kind} {name} {other}");
    let mut bytes = files[&name].clone().unwrap_or_default();
    // Most of an open segment and of a spare is empty: half of the places are in what is written.
    let written = bytes.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
    let reach = if random.below(2) == 0 { written } else { bytes.len() };
    let at = random.below(reach);
    let end = bytes.len().min(at + 1 + random.below(200));
    match kind {
        0 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
        1 => bytes[at.min(end)..end].fill_with(|| random.byte()),
        2 => bytes.truncate(at),
        3 => bytes.extend(vec![0xA5; 1 + random.below(5_000)]),
        4 => {
            let page = at / 4_096 * 4_096;
            let end = bytes.len().min(page + 4_096);
            bytes[page..end].fill(0);
        }
        // A record in the place of another.
        5 if 128 <= bytes.len() => {
            let slot = |random: &mut Random| random.below(reach.max(64)) / 64 * 64;
            let (from, to) = (slot(random), slot(random));
            let last = bytes.len() - 64;
            bytes.copy_within(from.min(last)..from.min(last) + 64, to.min(last));
        }
        // Two files change places, or one takes that of another.
        6 => {
            let swapped = files.insert(other, Some(bytes)).flatten();
            bytes = swapped.unwrap_or_default();
        }
        7 => _ = files.insert(other, Some(bytes.clone())),
        8 | 9 => {
            if kind == 8 {
                files.remove(&name);
            }
            files.insert(renamed(&name, random), Some(bytes));
            return what;
        }
        10 => {
            files.remove(&name);
            return what;
        }
        11 => {
            files.insert(name, None);
            return what;
        }
        _ => bytes.clear(),
    }
    files.insert(name, Some(bytes));
    what
}

/// Another name that a file of a journal may have.
fn renamed(name: &str, random: &mut Random) -> String {
    let number: u64 = name.split('.').next().and_then(|stem| stem.parse().ok()).unwrap_or(1);
    let shifts = [0, 0, 1, 2, u64::MAX, 1_000];
    let number = number.wrapping_add(shifts[random.below(shifts.len())]);
    match random.below(5) {
        0 => format!("{number:020}.seg"),
        1 => format!("{number:020}.open"),
        2 => format!("spare-{}.pre", random.below(4)),
        3 => format!("torn-{number}-1.bin"),
        _ => "durable".to_owned(),
    }
}

#[test]
fn any_damage_to_a_folder_is_an_error_or_a_true_prefix_to_every_reader_and_nothing_is_changed() {
    let venue = traded();
    let journal = venue.dir().journal();
    let reader = Reader::open_whole(&journal).unwrap();
    let resolved = Filter { is_resolved: true, ..Filter::default() };
    let good = Good {
        dir: venue.dir(),
        files: files(&journal),
        reader: &reader,
        plain: told(&reader, &Filter::default()),
        resolved: told(&reader, &resolved),
        last_seq: reader.last().unwrap().unwrap().0,
    };
    assert!(u64::from(ORDERS) < good.last_seq && 4 <= good.files.len(), "{:?}", good.files.keys());
    let all = good.ask(&journal, "whole");
    let (mut whole, mut silent) = (0, 0);
    let rounds = rounds();
    for seed in 1..=rounds {
        let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let mut changed = good.files.clone();
        let mut context = format!("seed {seed}:");
        for _ in 0..=random.below(3) {
            context = format!("{context} {}", damage(&mut changed, &mut random));
        }
        let dir = tempfile::tempdir().unwrap();
        for (name, content) in &changed {
            let path = dir.path().join(name);
            match content {
                Some(bytes) => fs::write(path, bytes).unwrap(),
                None => fs::create_dir(path).unwrap(),
            }
        }
        let answers = good.ask(dir.path(), &context);
        assert!(files(dir.path()) == changed, "{context}: something was changed");
        whole += usize::from(answers == all);
        silent += usize::from(answers == 0);
    }
    // The checks above look at something, on both sides.
    let rounds = usize::try_from(rounds).unwrap();
    assert!(0 < whole && 0 < silent && whole < rounds / 2, "{whole} and {silent} of {rounds}");
}
