//! Processor, clock, kernel, limits and memory, as the kernel tells them in its files.

use std::{fs, path::PathBuf};

use uncross_server::{affinity::SPLIT_CPUS_MIN, config::Config, limits::DESCRIPTORS_RESERVED};

use super::Finding;

/// First kernel that makes pages writable ahead of the writer (`MADV_POPULATE_WRITE`).
const KERNEL_MIN: (u32, u32) = (5, 14);

/// The files of a kernel.
#[derive(Debug)]
pub(super) struct Machine {
    root: PathBuf,
}

impl Machine {
    /// Of the machine whose files are below `root`.
    pub(super) fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Everything, for a process that may use `cpus`.
    pub(super) fn look(&self, config: &Config, cpus: &[usize]) -> Vec<Finding> {
        vec![
            self.kernel(),
            cpu_count(cpus),
            self.isolation(cpus),
            self.governor(cpus),
            self.clock(),
            self.tsc(),
            self.open_files(config),
            self.locked_memory(),
            self.huge_pages(),
        ]
    }

    fn read(&self, path: &str) -> Option<String> {
        let text = fs::read_to_string(self.root.join(path)).ok()?;
        Some(text.trim().to_owned())
    }

    fn kernel(&self) -> Finding {
        let name = "kernel";
        let Some(release) = self.read("proc/sys/kernel/osrelease") else {
            return Finding::warn(name, "unknown", "Linux 5.14 or newer", "run it on Linux");
        };
        let mut parts = release.split(|c: char| !c.is_ascii_digit());
        let mut part = || parts.next().and_then(|part| part.parse::<u32>().ok()).unwrap_or(0);
        if KERNEL_MIN <= (part(), part()) {
            return Finding::ok(name, release);
        }
        let expected = "5.14 or newer, which prepares journal pages ahead of the writer";
        Finding::warn(name, release, expected, "upgrade the kernel; else expect rare slow orders")
    }

    fn isolation(&self, cpus: &[usize]) -> Finding {
        let name = "isolation";
        let command_line = self.read("proc/cmdline").unwrap_or_default();
        let asked = |option: &str| {
            let words = command_line.split_whitespace();
            let value = words.filter_map(|word| word.strip_prefix(option)).next_back();
            value.map(str::to_owned).filter(|value| !value.is_empty())
        };
        let listed = |path: &str, option: &str| {
            self.read(path).filter(|list| !list.is_empty()).or_else(|| asked(option))
        };
        let isolated = listed("sys/devices/system/cpu/isolated", "isolcpus=");
        let tickless = listed("sys/devices/system/cpu/nohz_full", "nohz_full=")
            .filter(|list| list != "(null)");
        match (isolated, tickless) {
            (Some(isolated), Some(tickless)) => {
                Finding::ok(name, format!("isolcpus {isolated}, nohz_full {tickless}"))
            }
            (None, None) if cpus.len() < SPLIT_CPUS_MIN => {
                Finding::ok(name, format!("none, with {} CPUs there are none to spare", cpus.len()))
            }
            (isolated, tickless) => {
                let text = |list: Option<String>| list.unwrap_or_else(|| "none".to_owned());
                let found = format!("isolcpus {}, nohz_full {}", text(isolated), text(tickless));
                let hot: Vec<_> = cpus.iter().rev().take(3).rev().map(usize::to_string).collect();
                let hot = hot.join(",");
                let fix = format!("boot with isolcpus={hot} nohz_full={hot} rcu_nocbs={hot}");
                Finding::warn(name, found, "the CPUs of the hot threads set aside", fix)
            }
        }
    }

    fn governor(&self, cpus: &[usize]) -> Finding {
        let name = "frequency";
        let path = |cpu| format!("sys/devices/system/cpu/cpu{cpu}/cpufreq/scaling_governor");
        let mut governors: Vec<_> = cpus.iter().filter_map(|cpu| self.read(&path(*cpu))).collect();
        governors.dedup();
        if governors.is_empty() {
            return Finding::ok(name, "not scaled by this kernel, as in most virtual machines");
        }
        let found = format!("governor {}", governors.join(", "));
        if governors == ["performance"] {
            return Finding::ok(name, found);
        }
        let fix = "cpupower frequency-set -g performance";
        Finding::warn(name, found, "governor performance on all CPUs", fix)
    }

    fn clock(&self) -> Finding {
        let name = "clock";
        let folder = "sys/devices/system/clocksource/clocksource0";
        let Some(current) = self.read(&format!("{folder}/current_clocksource")) else {
            return Finding::warn(name, "unknown", "a clock source that is told", "mount /sys");
        };
        let is_fast = matches!(current.as_str(), "tsc" | "arch_sys_counter");
        if is_fast {
            return Finding::ok(name, current);
        }
        let available = self.read(&format!("{folder}/available_clocksource")).unwrap_or_default();
        let fix = if available.split_whitespace().any(|each| each == "tsc") {
            format!("echo tsc > /{folder}/current_clocksource")
        } else {
            "boot with tsc=reliable, if the hypervisor has an invariant TSC".to_owned()
        };
        Finding::warn(name, current, "tsc: others cost a system call or more per reading", fix)
    }

    fn tsc(&self) -> Finding {
        let name = "tsc";
        let info = self.read("proc/cpuinfo").unwrap_or_default();
        let Some(flags) = info.lines().find(|line| line.starts_with("flags")) else {
            return Finding::ok(name, "not an x86 processor: its counter has a fixed rate");
        };
        let missing: Vec<_> = ["constant_tsc", "nonstop_tsc"]
            .into_iter()
            .filter(|flag| !flags.split_whitespace().any(|each| each == *flag))
            .collect();
        if missing.is_empty() {
            return Finding::ok(name, "invariant");
        }
        let found = format!("no {}", missing.join(", no "));
        let fix = "use another processor, or let the hypervisor pass the flags on";
        Finding::warn(name, found, "constant_tsc and nonstop_tsc: a clock that never drifts", fix)
    }

    /// Soft and hard limit of the process in `/proc/self/limits`; `None` means no limit.
    fn limit(&self, row: &str) -> Option<[Option<u64>; 2]> {
        let limits = self.read("proc/self/limits")?;
        let rest = limits.lines().find_map(|line| line.strip_prefix(row))?;
        let mut words = rest.split_whitespace().map(|word| word.parse().ok());
        Some([words.next()?, words.next()?])
    }

    fn open_files(&self, config: &Config) -> Finding {
        let name = "open files";
        let connections = u64::from(config.session.connections_max);
        let wanted =
            connections + 2 * (u64::from(config.capacity.ports) + 1) + DESCRIPTORS_RESERVED;
        let Some([soft, hard]) = self.limit("Max open files") else {
            return Finding::warn(name, "unknown", format!("at least {wanted}"), "mount /proc");
        };
        let text = |limit: Option<u64>| {
            limit.map_or_else(|| "unlimited".to_owned(), |limit| limit.to_string())
        };
        let found = format!("{}, at most {}", text(soft), text(hard));
        // The venue raises its own limit up to the hard one.
        if hard.is_none_or(|hard| wanted <= hard) {
            return Finding::ok(name, found);
        }
        let expected = format!("at most {wanted} or more, for session.connections_max");
        let fix = format!("LimitNOFILE={wanted} in the unit, or ulimit -Hn {wanted}");
        Finding::warn(name, found, expected, fix)
    }

    fn locked_memory(&self) -> Finding {
        let name = "memory";
        let locked = match self.limit("Max locked memory") {
            Some([Some(soft), _]) => format!("{} KiB", soft / 1024),
            Some([None, _]) => "unlimited".to_owned(),
            None => "unknown".to_owned(),
        };
        let meminfo = self.read("proc/meminfo").unwrap_or_default();
        let swap = meminfo.lines().find_map(|line| line.strip_prefix("SwapTotal:"));
        let swap = swap.map_or("0 kB", str::trim);
        let found = format!("may lock {locked}, swap {swap}");
        // The venue locks nothing; without swap its memory stays where it is.
        if swap.starts_with("0 ") || locked == "unlimited" {
            return Finding::ok(name, found);
        }
        let fix = "swapoff -a, or vm.swappiness=0 in /etc/sysctl.d";
        Finding::warn(name, found, "no swap: an order never waits for a page", fix)
    }

    fn huge_pages(&self) -> Finding {
        let name = "huge pages";
        let path = "sys/kernel/mm/transparent_hugepage/enabled";
        let Some(text) = self.read(path) else {
            let fix = "use a kernel with transparent huge pages";
            return Finding::warn(name, "not offered", "madvise or always", fix);
        };
        let chosen = text.split_once('[').and_then(|(_, rest)| rest.split_once(']'));
        let chosen = chosen.map_or("unknown", |(chosen, _)| chosen);
        if matches!(chosen, "madvise" | "always") {
            return Finding::ok(name, chosen);
        }
        Finding::warn(name, chosen, "madvise or always", format!("echo madvise > /{path}"))
    }
}

fn cpu_count(cpus: &[usize]) -> Finding {
    let name = "cpus";
    let list: Vec<_> = cpus.iter().map(usize::to_string).collect();
    let found = format!("{} may be used: {}", cpus.len(), list.join(","));
    if 1 < cpus.len() {
        return Finding::ok(name, found);
    }
    let fix = "taskset, CPUAffinity= or the container's cpuset: allow more";
    Finding::warn(name, found, "2 or more: one for the core, one for all else", fix)
}

#[cfg(test)]
mod tests {
    use super::{super::Status, *};

    /// A machine with these files.
    fn machine(files: &[(&str, &str)]) -> (tempfile::TempDir, Machine) {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let machine = Machine::new(folder.path());
        (folder, machine)
    }

    fn config() -> Config {
        Config::load(None, std::iter::empty(), &[]).unwrap()
    }

    #[test]
    fn a_good_machine_is_ok_throughout() {
        let (_folder, machine) = machine(&[
            ("proc/sys/kernel/osrelease", "6.18.1-generic\n"),
            ("proc/cmdline", "quiet nohz_full=5-7"),
            ("sys/devices/system/cpu/isolated", "5-7\n"),
            ("sys/devices/system/cpu/cpu6/cpufreq/scaling_governor", "performance\n"),
            ("sys/devices/system/clocksource/clocksource0/current_clocksource", "tsc\n"),
            ("proc/cpuinfo", "flags\t\t: fpu constant_tsc nonstop_tsc\n"),
            ("proc/self/limits", "Max open files  1024  524288  files\n"),
            ("proc/meminfo", "SwapTotal:  0 kB\n"),
            ("sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never\n"),
        ]);
        for finding in machine.look(&config(), &[0, 1, 2, 3, 4, 5, 6, 7]) {
            assert_eq!(finding.status, Status::Ok, "{finding:?}");
        }
    }

    #[test]
    fn a_poor_machine_is_told_what_to_change() {
        let (_folder, machine) = machine(&[
            ("proc/sys/kernel/osrelease", "5.13.0"),
            ("proc/cmdline", "quiet"),
            ("sys/devices/system/cpu/isolated", "\n"),
            ("sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "powersave\n"),
            ("sys/devices/system/clocksource/clocksource0/current_clocksource", "hpet\n"),
            ("sys/devices/system/clocksource/clocksource0/available_clocksource", "tsc hpet\n"),
            ("proc/cpuinfo", "flags\t\t: fpu constant_tsc\n"),
            (
                "proc/self/limits",
                "Max locked memory  8388608  8388608  bytes\nMax open files  1024  4096  files\n",
            ),
            ("proc/meminfo", "SwapTotal:  1024 kB\n"),
            ("sys/kernel/mm/transparent_hugepage/enabled", "always madvise [never]\n"),
        ]);
        let found = machine.look(&config(), &[0, 1, 2, 3, 4, 5]);
        let not_ok = found.iter().filter(|finding| finding.status != Status::Ok);
        let names: Vec<_> = not_ok.map(|finding| finding.name).collect();
        let all = found.iter().map(|finding| finding.name).filter(|name| *name != "cpus");
        assert_eq!(names, all.collect::<Vec<_>>());
        let fixes: Vec<_> = found.iter().filter_map(|finding| finding.fix.as_deref()).collect();
        assert!(fixes.contains(&"boot with isolcpus=3,4,5 nohz_full=3,4,5 rcu_nocbs=3,4,5"));
        assert!(fixes.iter().any(|fix| fix.starts_with("echo tsc > /sys/")), "{fixes:?}");
        assert_eq!(cpu_count(&[3]).status, Status::Warn);
    }

    #[test]
    fn a_machine_without_files_is_no_panic() {
        let (_folder, machine) = machine(&[]);
        assert_eq!(machine.look(&config(), &[0, 1]).len(), 9);
    }
}
