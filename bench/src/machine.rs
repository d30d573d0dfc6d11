//! The machine a figure was measured on, and what else it did meanwhile. Linux only.

use std::fs;

use serde::Serialize;

/// Above this share of the machine's time, what others did may have moved the figures.
pub const NOISE_PERCENT: f64 = 2.0;

/// The machine, and the time of one run.
#[derive(Clone, Debug, Serialize)]
pub struct Machine {
    /// Processor model.
    pub cpu: String,
    /// Processors that there are.
    pub cpus: usize,
    /// Kernel release.
    pub kernel: String,
    /// Share of the processors' time that the hypervisor gave to others, in percent.
    pub steal_percent: f64,
    /// Share of it that other processes took, in percent.
    pub others_percent: f64,
    /// How often the measuring thread was taken off its processor.
    pub involuntary_switches: u64,
}

impl Machine {
    /// The machine, and how it spent the time since `start`.
    #[must_use]
    pub fn since(start: &Times) -> Self {
        let used = Times::read().minus(start);
        let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = info.lines().find_map(|line| line.strip_prefix("model name"));
        let model = model.map_or("unknown", |rest| rest.trim_start_matches([' ', '\t', ':']));
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        Self {
            cpu: model.to_owned(),
            cpus: info.lines().filter(|line| line.starts_with("processor")).count(),
            kernel: kernel.trim().to_owned(),
            steal_percent: used.percent(used.steal),
            others_percent: used.others_percent(),
            involuntary_switches: used.switches,
        }
    }
}

/// Counters of the kernel, in its ticks, or what they grew by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Times {
    total: u64,
    idle: u64,
    steal: u64,
    own: u64,
    switches: u64,
}

impl Times {
    /// As they stand now; zeros where the kernel does not tell.
    #[must_use]
    pub fn read() -> Self {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        let status = read("/proc/thread-self/status");
        let switches = field(&status, "nonvoluntary_ctxt_switches:").unwrap_or(0);
        Self { switches, ..Self::parse(&read("/proc/stat"), &read("/proc/self/stat")) }
    }

    /// Of the machine's and the process's file.
    fn parse(machine: &str, process: &str) -> Self {
        let line = machine.lines().next().unwrap_or_default();
        // User, nice, system, idle, I/O wait, interrupts, soft interrupts, steal.
        let times: Vec<u64> =
            line.split_whitespace().skip(1).take(8).filter_map(|word| word.parse().ok()).collect();
        let time = |at: usize| times.get(at).copied().unwrap_or(0);
        // The name in parentheses may hold spaces; user and system time are 12th and 13th after it.
        let after = process.rsplit_once(')').map_or("", |(_, after)| after);
        let own = after.split_whitespace().skip(11).take(2).filter_map(|it| it.parse::<u64>().ok());
        Self {
            total: times.iter().sum(),
            idle: time(3) + time(4),
            steal: time(7),
            own: own.sum(),
            switches: 0,
        }
    }

    /// What they grew by since `start`.
    #[must_use]
    pub const fn minus(self, start: &Self) -> Self {
        Self {
            total: self.total.saturating_sub(start.total),
            idle: self.idle.saturating_sub(start.idle),
            steal: self.steal.saturating_sub(start.steal),
            own: self.own.saturating_sub(start.own),
            switches: self.switches.saturating_sub(start.switches),
        }
    }

    /// Share of the time that other processes took, in percent.
    #[must_use]
    pub fn others_percent(&self) -> f64 {
        let busy = self.total.saturating_sub(self.idle).saturating_sub(self.steal);
        self.percent(busy.saturating_sub(self.own))
    }

    #[expect(clippy::cast_precision_loss, reason = "ticks of one run")]
    fn percent(&self, part: u64) -> f64 {
        if self.total == 0 { 0.0 } else { 100.0 * part as f64 / self.total as f64 }
    }
}

/// Nanoseconds that this thread has been on a processor, to the last tick; 0 where the kernel does
/// not tell.
#[must_use]
pub fn on_processor_ns() -> u64 {
    let stat = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    stat.split_whitespace().next().and_then(|word| word.parse().ok()).unwrap_or(0)
}

/// Memory of the process in bytes: private and writable, and resident.
#[must_use]
pub fn memory() -> (u64, u64) {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let bytes = |name| field(&status, name).unwrap_or(0) * 1_024;
    (bytes("VmData:"), bytes("VmRSS:"))
}

fn field(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_of_all_time() {
        let machine = "cpu  100 0 50 800 10 0 0 40 7 7\ncpu0 1 2 3\n";
        let process = "77 (a b) c) R 1 2 3 4 5 6 7 8 9 10 60 20 0 0";
        let times = Times::parse(machine, process);
        assert_eq!((times.total, times.idle, times.steal, times.own), (1_000, 810, 40, 80));
        assert!((times.percent(times.steal) - 4.0).abs() < 1e-9);
        assert!((times.others_percent() - 7.0).abs() < 1e-9);
        assert_eq!(times.minus(&times), Times::default());
    }

    #[test]
    fn memory_of_this_process_is_known() {
        let (data, resident) = memory();
        assert!(0 < data && 0 < resident);
    }
}
