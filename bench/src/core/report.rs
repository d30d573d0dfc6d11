//! What is told of a run, as text and as JSON.

use std::{fmt::Write, path::Path};

use serde_json::{Map, Value, json};

use super::{
    CoreError,
    workload::{Tally, Workload},
};
use crate::{machine::Machine, told::Told};

/// How each contender was fitted to the commands. Told of those that ran.
const EMULATED: [(&str, &str); 3] = [
    (
        "naive",
        "naive: price-time priority on the standard library's ordered map and lists; no sessions, \
         checks or events. It is the judge.",
    ),
    (
        "matchcore",
        "matchcore 0.4.0: one book per symbol; its own order numbers, worked out beforehand; \
         moves are its amendments. An order that crosses the best price trades past its own limit \
         there (its issue 167), so that its sums differ wherever an order does not end at its \
         limit.",
    ),
    (
        "orderbook_rs",
        "orderbook-rs 0.15: one book per symbol; fills heard by its trade listener; moves are its \
         UpdatePrice, which cancels and adds.",
    ),
];

/// Times of single commands, in nanoseconds, the clock's own cost included.
#[derive(Clone, Copy, Debug)]
pub(super) struct Percentiles {
    /// p50, p90, p99, p99.9, p99.99 and the highest.
    values: [u32; 6],
}

impl Percentiles {
    const NAMES: [&'static str; 6] = ["p50", "p90", "p99", "p99_9", "p99_99", "max"];

    /// Of sorted times.
    pub(super) fn of(sorted: &[u32]) -> Self {
        let rank = |parts: usize| {
            let at = (sorted.len() * parts).div_ceil(10_000).saturating_sub(1);
            sorted.get(at).copied().unwrap_or(0)
        };
        Self { values: [5_000, 9_000, 9_900, 9_990, 9_999, 10_000].map(rank) }
    }

    fn json(self) -> Value {
        let pairs = Self::NAMES.iter().zip(self.values);
        pairs.map(|(name, value)| ((*name).to_owned(), json!(value))).collect()
    }
}

/// One contender on one workload.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) name: &'static str,
    pub(super) tally: Tally,
    /// Nanoseconds per command, by run.
    pub(super) runs: Vec<f64>,
    /// `None` for one that is too slow to be run once more.
    pub(super) latency: Option<Percentiles>,
}

impl Line {
    fn sorted(&self) -> Vec<f64> {
        let mut runs = self.runs.clone();
        runs.sort_by(f64::total_cmp);
        runs
    }

    fn median(&self) -> f64 {
        let runs = self.sorted();
        runs.get(runs.len() / 2).copied().unwrap_or(f64::NAN)
    }

    fn spread(&self) -> (f64, f64) {
        let runs = self.sorted();
        let ends = runs.first().copied().zip(runs.last().copied());
        ends.unwrap_or((f64::NAN, f64::NAN))
    }
}

/// All contenders on one workload.
#[derive(Clone, Debug)]
pub(super) struct Table {
    pub(super) workload: String,
    pub(super) commands: usize,
    pub(super) untimed: usize,
    pub(super) resting_max: u32,
    /// The sums that came with the workload.
    pub(super) expected: Tally,
    /// The naive book's sums.
    pub(super) naive: Tally,
    /// The naive book's, if limits were taken as matchcore takes them.
    pub(super) swept: Option<Tally>,
    /// Rounds in which other processes took more than a little of the machine.
    pub(super) noisy_rounds: u32,
    /// The engine first, the naive book second.
    pub(super) lines: Vec<Line>,
}

/// What was emulated, of the contenders in any of the tables.
fn emulated(tables: &[Table]) -> Vec<&'static str> {
    let ran = |name: &str| tables.iter().any(|table| table.median(name).is_some());
    EMULATED.iter().filter(|(name, _)| ran(name)).map(|(_, text)| *text).collect()
}

fn round(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

impl Table {
    fn median(&self, name: &str) -> Option<f64> {
        self.lines.iter().find(|line| line.name == name).map(Line::median)
    }

    /// Whether a contender came to the naive book's sums.
    fn agrees(&self, name: &str) -> Option<bool> {
        let line = self.lines.iter().find(|line| line.name == name)?;
        // Agreement is mutual: of the naive book it is the engine's that is meant.
        let line = if name == "naive" { self.lines.first()? } else { line };
        Some(line.tally == self.naive)
    }

    fn ratio(&self, name: &str) -> Option<f64> {
        Some(self.median(name)? / self.median("uncross")?)
    }

    fn json(&self) -> Value {
        let mut body = Map::new();
        body.insert("commands".into(), json!(self.commands));
        body.insert("untimed_commands".into(), json!(self.untimed));
        body.insert("resting_orders_max".into(), json!(self.resting_max));
        body.insert("noisy_rounds".into(), json!(self.noisy_rounds));
        let uncross = self.lines.first().map(|line| line.tally).unwrap_or_default();
        body.insert("trades".into(), json!(uncross.trades.to_string()));
        body.insert("quantity".into(), json!(uncross.quantity.to_string()));
        body.insert("checksum".into(), json!(uncross.checksum.to_string()));
        for name in ["uncross", "naive", "matchcore", "orderbook_rs"] {
            body.insert(format!("{name}_ns"), json!(self.median(name).map(round)));
            if name != "uncross" {
                body.insert(format!("ratio_{name}"), json!(self.ratio(name).map(round)));
                body.insert(format!("agree_{name}"), json!(self.agrees(name)));
            }
        }
        if let Some(line) = self.lines.iter().find(|line| line.name == "matchcore") {
            body.insert("trades_matchcore".into(), json!(line.tally.trades.to_string()));
            body.insert("quantity_matchcore".into(), json!(line.tally.quantity.to_string()));
            body.insert("checksum_matchcore".into(), json!(line.tally.checksum.to_string()));
            let is_explained = self.swept.map(|swept| swept == line.tally);
            body.insert("matchcore_explained".into(), json!(is_explained));
        }
        let by_name = |tell: &dyn Fn(&Line) -> Value| -> Value {
            self.lines.iter().map(|line| (line.name.to_owned(), tell(line))).collect()
        };
        let spread = by_name(&|line| {
            let (min, max) = line.spread();
            json!({"min": round(min), "max": round(max), "runs": line.runs.len()})
        });
        body.insert("spread".into(), spread);
        let latency = by_name(&|line| json!(line.latency.map(Percentiles::json)));
        body.insert("latency_ns".into(), latency);
        Value::Object(body)
    }

    fn text(&self, out: &mut String) {
        let Self { workload, commands, untimed, resting_max, .. } = self;
        let mut line = |text: String| out.push_str(&(text + "\n"));
        line(format!(
            "{workload}: {commands} commands after {untimed}, at most {resting_max} orders \
             resting, {} noisy rounds",
            self.noisy_rounds
        ));
        line(format!(
            "  {:<13}{:>9}{:>20}{:>8}{:>8}{:>8}{:>8}{:>9}{:>10}  sums",
            "", "ns", "spread (runs)", "ratio", "p50", "p90", "p99", "p99.9", "p99.99"
        ));
        for each in &self.lines {
            let (min, max) = each.spread();
            let spread = format!("{min:.1}-{max:.1} ({})", each.runs.len());
            let ratio = self.ratio(each.name).unwrap_or(f64::NAN);
            let mut latency = String::new();
            let values = each.latency.map_or([None; 6], |latency| latency.values.map(Some));
            for (value, width) in values.into_iter().zip([8, 8, 8, 9, 10]) {
                let value = value.map_or_else(|| String::from("-"), |value| value.to_string());
                // Writing to a string cannot fail.
                let _infallible = write!(latency, "{value:>width$}");
            }
            let sums = if each.tally == self.naive { "agree" } else { "differ" };
            line(format!(
                "  {:<13}{:>9.1}{spread:>20}{ratio:>8.2}{latency}  {sums}",
                each.name,
                each.median()
            ));
        }
        line(format!("  naive: {}", said(&self.naive)));
        for each in self.lines.iter().filter(|each| each.tally != self.naive) {
            line(format!("  {}: {}", each.name, said(&each.tally)));
            if each.name == "matchcore" && self.swept == Some(each.tally) {
                line(String::from(
                    "  matchcore's are those of the naive book if crossing orders have no limit",
                ));
            }
        }
    }

    fn verdict(&self) -> Result<(), CoreError> {
        let uncross = self.lines.first().map(|line| line.tally).unwrap_or_default();
        for (who, found) in [("uncross", uncross), ("sums of the file", self.expected)] {
            if found != self.naive {
                let workload = self.workload.clone();
                let (expected, found) = (said(&self.naive), said(&found));
                return Err(CoreError::Disagreement { workload, who, expected, found });
            }
        }
        Ok(())
    }
}

fn said(tally: &Tally) -> String {
    let Tally { trades, quantity, checksum, trading } = tally;
    format!("{trades} trades of {quantity} by {trading} commands, checksum {checksum}")
}

/// Memory of the engine.
#[derive(Clone, Copy, Debug)]
pub(super) struct Footprint {
    /// Allocated for everything at start.
    pub(super) table_bytes: u64,
    /// What the process grew by until the books were built.
    pub(super) resident_bytes: u64,
    /// Orders that the tables were made for.
    pub(super) orders: u32,
}

impl Footprint {
    #[expect(clippy::cast_precision_loss, reason = "some hundred megabytes")]
    fn per_order(self, bytes: u64) -> f64 {
        round(bytes as f64 / f64::from(self.orders.max(1)))
    }
}

/// A run of generated workloads.
#[derive(Clone, Debug, Default)]
pub(super) struct Report {
    pub(super) tables: Vec<Table>,
    /// Of c, or of the only workload.
    pub(super) footprint: Option<Footprint>,
    pub(super) clock_ns: u32,
}

/// What is to be told, and whether all is well.
#[derive(Debug)]
pub struct Judged {
    /// What is to be told.
    pub told: Told,
    /// Whether the engine came to the naive book's sums, and the file too; if not, who did not,
    /// with both sums.
    pub verdict: Result<(), CoreError>,
}

impl Judged {
    pub(super) fn written(path: &Path, workload: &Workload) -> Self {
        let Workload { untimed, expected, .. } = workload;
        let timed = workload.timed();
        let body = json!({
            "file": path.display().to_string(),
            "untimed_commands": untimed,
            "commands": timed,
            "trades": expected.trades.to_string(),
            "quantity": expected.quantity.to_string(),
            "checksum": expected.checksum.to_string(),
        });
        let (path, sums) = (path.display(), said(expected));
        let text = format!("{path}: {timed} commands after {untimed}; {sums}");
        Self { told: Told::new("uncross.bench.written/1", body, text), verdict: Ok(()) }
    }

    pub(super) fn file(table: &Table, machine: &Machine) -> Self {
        let emulated = emulated(std::slice::from_ref(table));
        let mut body = table.json();
        if let Value::Object(fields) = &mut body {
            fields.insert("ns".into(), json!(table.median("uncross").map(round)));
            fields.insert("agree_file".into(), json!(table.expected == table.naive));
            fields.insert("file".into(), json!(table.workload));
            fields.insert("machine".into(), json!(machine));
            fields.insert("emulated".into(), json!(emulated));
        }
        let mut text = String::new();
        table.text(&mut text);
        close(&mut text, machine, &emulated);
        Self { told: Told::new("uncross.bench.commands/1", body, text), verdict: table.verdict() }
    }

    pub(super) fn whole(report: &Report, machine: &Machine) -> Self {
        let emulated = emulated(&report.tables);
        let tables = report.tables.iter();
        let workloads: Value =
            tables.clone().map(|table| (table.workload.clone(), table.json())).collect();
        let per_order = |bytes: fn(&Footprint) -> u64| {
            report.footprint.as_ref().map(|it| it.per_order(bytes(it)))
        };
        let (table, resident) = (per_order(|it| it.table_bytes), per_order(|it| it.resident_bytes));
        let body = json!({
            "workloads": workloads,
            "bytes_per_resting_order": table,
            "resident_bytes_per_resting_order": resident,
            "clock_ns": report.clock_ns,
            "machine": machine,
            "emulated": emulated,
        });
        let mut text = String::new();
        tables.for_each(|table| table.text(&mut text));
        if let (Some(table), Some(resident)) = (table, resident) {
            let line =
                format!("memory: {table} bytes per resting order in tables, {resident} resident\n");
            text.push_str(&line);
        }
        let clock = format!("latencies contain {} ns of the clock's own\n", report.clock_ns);
        text.push_str(&clock);
        close(&mut text, machine, &emulated);
        let verdict = report.tables.iter().try_for_each(Table::verdict);
        Self { told: Told::new("uncross.bench.core/1", body, text), verdict }
    }
}

/// Notes the machine and what was emulated.
fn close(text: &mut String, machine: &Machine, emulated: &[&str]) {
    let Machine { cpu, cpus, kernel, steal_percent, others_percent, involuntary_switches } =
        machine;
    let line = format!(
        "machine: {cpu}, {cpus} CPUs, Linux {kernel}; steal {steal_percent:.1} %, other processes \
         {others_percent:.1} %, {involuntary_switches} involuntary switches"
    );
    for line in std::iter::once(line.as_str()).chain(emulated.iter().copied()) {
        // Writing to a string cannot fail.
        let _infallible = writeln!(text, "{line}");
    }
}
