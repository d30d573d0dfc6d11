//! What is told of a run, as text and as JSON.

use std::{fmt::Write, path::Path};

use serde_json::{Value, json};

use super::median;
use crate::{
    machine::{Machine, NOISE_PERCENT, Times},
    told::Told,
};

/// Figures and floors that took turns.
#[derive(Clone, Debug, Default)]
pub(super) struct Pairs {
    figures: Vec<f64>,
    floors: Vec<f64>,
    ratios: Vec<f64>,
    /// Pairs in which others took more of the machine than leaves figures alone.
    noisy: usize,
    /// The same ratios of time on a processor, where that is told.
    cpu: Vec<f64>,
}

impl Pairs {
    /// A pair that began at `start`.
    pub(super) fn push(&mut self, start: &Times, figure: f64, floor: f64, ratio: f64) {
        let others = Times::read().minus(start).others_percent();
        self.noisy += usize::from(NOISE_PERCENT < others);
        self.figures.push(figure);
        self.floors.push(floor);
        self.ratios.push(ratio);
    }

    pub(super) fn push_cpu(&mut self, ratio: f64) {
        self.cpu.push(ratio);
    }

    fn ratio(&self) -> f64 {
        median(self.ratios.clone())
    }

    fn figure(&self) -> f64 {
        median(self.figures.clone())
    }

    fn floor(&self) -> f64 {
        median(self.floors.clone())
    }

    fn spread(&self) -> Value {
        let mut told = spread(&self.ratios, "pairs");
        told["noisy"] = json!(self.noisy);
        told
    }
}

fn spread(values: &[f64], counted: &str) -> Value {
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let most = values.iter().copied().fold(0.0, f64::max);
    json!({ "min": round(least), "max": round(most), counted: values.len() })
}

/// What was written at a fixed rate, per byte of the records; a value for each stretch.
#[derive(Clone, Debug, Default)]
pub(super) struct Amplified {
    /// By this process, the zeros of the segments included.
    pub(super) process: Vec<f64>,
    /// To the device, by everybody.
    pub(super) device: Vec<f64>,
    /// Median time to the acknowledgement, from when the record was due.
    pub(super) acknowledged_us: Vec<f64>,
}

impl Amplified {
    fn json(&self, rate: u64) -> Value {
        let device = (!self.device.is_empty()).then(|| round(median(self.device.clone())));
        json!({
            "records_per_s": rate,
            "write_amplification": round(median(self.process.clone())),
            "spread": spread(&self.process, "stretches"),
            "device_bytes_per_record_byte": device,
            "acknowledged_p50_us": round(median(self.acknowledged_us.clone())),
        })
    }
}

/// All that was measured.
#[derive(Clone, Debug)]
pub(super) struct Report {
    pub(super) append: Pairs,
    pub(super) durable: Pairs,
    pub(super) group: Pairs,
    pub(super) replay: Pairs,
    pub(super) busy: Amplified,
    pub(super) quiet: Amplified,
}

/// The goals: name, value, and whether it must be at least or at most that.
const GOALS: [(&str, f64, bool); 5] = [
    ("append_ratio", 0.8, true),
    ("durable_ratio", 1.6, false),
    ("group_bytes_ratio", 0.7, true),
    ("replay_ratio", 0.5, true),
    ("write_amplification", 4.0, false),
];

impl Report {
    fn values(&self) -> [f64; 5] {
        let amplification = median(self.busy.process.clone());
        let Self { append, durable, group, replay, .. } = self;
        [append.ratio(), durable.ratio(), group.ratio(), replay.ratio(), amplification]
    }

    pub(super) fn told(&self, dir: &Path, machine: &Machine) -> Told {
        let Self { append, durable, group, replay, busy, quiet } = self;
        let mut body = json!({
            "dir": dir.display().to_string(),
            "write_amplification_100": round(median(quiet.process.clone())),
            "spread": {
                "append_ratio": append.spread(),
                "durable_ratio": durable.spread(),
                "group_bytes_ratio": group.spread(),
                "replay_ratio": replay.spread(),
            },
            "replay_cpu_ratio": round(median(replay.cpu.clone())),
            "append_ns": round(append.figure()),
            "append_floor_ns": round(append.floor()),
            "acknowledged_p50_us": round(durable.figure()),
            "write_64k_p50_us": round(durable.floor()),
            "group_mb_per_s": round(group.figure() / 1e6),
            "write_1m_mb_per_s": round(group.floor() / 1e6),
            "replay_commands_per_s": replay.figure().round(),
            "engine_commands_per_s": replay.floor().round(),
            "at_rates": [busy.json(100_000), quiet.json(100)],
            "machine": machine,
        });
        let mut met = serde_json::Map::new();
        for ((name, goal, is_least), value) in GOALS.into_iter().zip(self.values()) {
            body[name] = json!(round(value));
            let is_met = if is_least { goal <= value } else { value <= goal };
            met.insert(name.to_owned(), json!({ "goal": goal, "is_met": is_met }));
        }
        body["goals"] = Value::Object(met);
        let text = self.text(dir, machine);
        Told::new("uncross.bench.journal/1", body, text)
    }

    fn text(&self, dir: &Path, machine: &Machine) -> String {
        let Self { append, durable, group, replay, busy, quiet } = self;
        let mut text = String::new();
        let mut line = |told: std::fmt::Arguments<'_>| {
            // A string takes everything.
            _ = writeln!(text, "{told}");
        };
        line(format_args!("journal on {}", dir.display()));
        let figures = [
            format!("{:.1} ns, anonymous memory {:.1} ns", append.figure(), append.floor()),
            format!("{:.0} us, write of 64 KiB {:.0} us", durable.figure(), durable.floor()),
            format!(
                "{:.0} MB/s, writes of 1 MiB {:.0} MB/s",
                group.figure() / 1e6,
                group.floor() / 1e6
            ),
            format!(
                "{:.0}/s, engine {:.0}/s; {:.2} in time on a processor",
                replay.figure(),
                replay.floor(),
                median(replay.cpu.clone())
            ),
            format!(
                "at 100,000/s; {:.0} at 100/s; acknowledged after {:.0} us and {:.0} us",
                median(quiet.process.clone()),
                median(busy.acknowledged_us.clone()),
                median(quiet.acknowledged_us.clone())
            ),
        ];
        for (((name, goal, is_least), value), figures) in
            GOALS.into_iter().zip(self.values()).zip(figures)
        {
            let sign = if is_least { ">=" } else { "<=" };
            line(format_args!("{name:20}{value:>7.2}  goal {sign} {goal:<4} {figures}"));
        }
        let Machine { cpu, cpus, kernel, steal_percent, others_percent, .. } = machine;
        line(format_args!("{cpu}, {cpus} CPUs, Linux {kernel}"));
        line(format_args!("steal {steal_percent:.1} %, other processes {others_percent:.1} %"));
        text
    }
}

fn round(value: f64) -> f64 {
    (value * 1_000.0).round() / 1_000.0
}
