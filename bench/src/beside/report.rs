//! What is told of a run, as text and as JSON.

use std::fmt::Write;

use hdrhistogram::Histogram;
use serde_json::{Value, json};

use super::Beside;
use crate::{
    journal::{float, median},
    machine::{Machine, NOISE_PERCENT, Times},
    told::Told,
};

/// The percentiles that are told, and their names.
const PERCENTILES: [(&str, f64); 5] =
    [("p50", 0.5), ("p99", 0.99), ("p99_9", 0.999), ("p99_99", 0.9999), ("max", 1.0)];

type Row = [f64; PERCENTILES.len()];

/// Stretches without and with something beside them, which took turns.
#[derive(Clone, Debug, Default)]
pub(super) struct Pairs {
    /// In microseconds.
    alone: Vec<Row>,
    beside: Vec<Row>,
    /// Of a stretch.
    count: u64,
    /// Pairs in which others took more of the machine than leaves figures alone.
    noisy: usize,
    /// What was done beside them, all pairs together.
    pub(super) done: u64,
    /// Records that the shadow had yet to apply at the end of a stretch, at most.
    pub(super) behind_max: u64,
}

impl Pairs {
    /// A pair that began at `start`.
    pub(super) fn push(&mut self, start: &Times, alone: &Histogram<u64>, beside: &Histogram<u64>) {
        let others = Times::read().minus(start).others_percent();
        self.noisy += usize::from(NOISE_PERCENT < others);
        self.alone.push(row(alone));
        self.beside.push(row(beside));
        self.count = beside.len();
    }

    fn ratios(&self, at: usize) -> Vec<f64> {
        self.alone.iter().zip(&self.beside).map(|(alone, beside)| beside[at] / alone[at]).collect()
    }

    /// The pairs in one object; `done` is the name of what was done.
    fn json(&self, done: &str) -> Value {
        let mut told = json!({
            "pairs": self.alone.len(),
            "noisy": self.noisy,
            "count": self.count,
            done: self.done,
        });
        for (at, (name, _)) in PERCENTILES.into_iter().enumerate() {
            let column = |rows: &[Row]| rows.iter().map(|row| row[at]).collect::<Vec<_>>();
            told[name] = json!({
                "alone_us": spread(column(&self.alone)),
                "beside_us": spread(column(&self.beside)),
                "ratio": spread(self.ratios(at)),
            });
        }
        told
    }

    /// A table, without the last newline.
    fn text(&self) -> String {
        let mut text = String::new();
        for (at, (name, _)) in PERCENTILES.into_iter().enumerate() {
            let column = |rows: &[Row]| median(rows.iter().map(|row| row[at]).collect());
            let (alone, beside) = (column(&self.alone), column(&self.beside));
            let ratios = self.ratios(at);
            let [least, most] = ends(&ratios);
            let name = name.replace('_', ".");
            // A string takes everything.
            _ = write!(
                text,
                "\n{name:8}{alone:>10.1} us {beside:>10.1} us   ratio {:.2} ({least:.2} to \
                 {most:.2})",
                median(ratios)
            );
        }
        text
    }
}

fn row(latency: &Histogram<u64>) -> Row {
    PERCENTILES.map(|(_, quantile)| float(latency.value_at_quantile(quantile)) / 1e3)
}

fn ends(values: &[f64]) -> [f64; 2] {
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    [least, values.iter().copied().fold(0.0, f64::max)]
}

fn spread(values: Vec<f64>) -> Value {
    let [least, most] = ends(&values);
    json!({ "median": round(median(values)), "min": round(least), "max": round(most) })
}

fn round(value: f64) -> f64 {
    (value * 1_000.0).round() / 1_000.0
}

/// All that was measured.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) shadow: Pairs,
    pub(super) prepared: Pairs,
    pub(super) are_brokers_first: bool,
}

impl Report {
    pub(super) fn told(&self, asked: &Beside, dir: &str, machine: &Machine) -> Told {
        let Self { shadow, prepared, are_brokers_first } = self;
        let mut acknowledged = shadow.json("snapshots");
        acknowledged["behind_max"] = json!(shadow.behind_max);
        let body = json!({
            "dir": dir,
            "level": asked.level,
            "commands_per_s": asked.rate,
            "rest": asked.rest,
            "are_brokers_first": are_brokers_first,
            "acknowledged": acknowledged,
            "appends_per_s": super::prepare::RATE,
            "appended": prepared.json("segments"),
            "machine": machine,
        });
        let Machine { cpu, cpus, kernel, steal_percent, others_percent, .. } = machine;
        let note = if *are_brokers_first {
            ""
        } else {
            "\nbrokers have no priority here: what takes their processor counts as the venue's"
        };
        let text = format!(
            "acknowledgements at level {}, {} commands a second, {} pairs: without a shadow, with \
             one ({} snapshots, at most {} records behind){}{note}\n\
             appends at level group, {} a second: alone, while segments are prepared ({}){}\n\
             {cpu}, {cpus} CPUs, Linux {kernel}\n\
             steal {steal_percent:.1} %, other processes {others_percent:.1} %, noisy pairs {}",
            asked.level,
            asked.rate,
            shadow.alone.len(),
            shadow.done,
            shadow.behind_max,
            shadow.text(),
            super::prepare::RATE,
            prepared.done,
            prepared.text(),
            shadow.noisy + prepared.noisy,
        );
        Told::new("uncross.bench.beside/1", body, text)
    }
}
