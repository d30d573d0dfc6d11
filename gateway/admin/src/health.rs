//! Whether the venue is alive and ready.

use std::time::Duration;

use serde::Serialize;
use uncross_server::{
    desk::{State, Vitals},
    shadow::Shadowing,
};

use crate::{
    clerk::Clerk,
    limits::{BEAT_AGE_MAX, DURABLE_POLL},
};

/// One thing that is not as it must be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Missing {
    what: &'static str,
    expected: String,
    found: String,
}

/// Whether the venue is ready, and if not, why.
#[derive(Debug, Serialize)]
pub(crate) struct Readiness {
    pub(crate) ready: bool,
    pub(crate) missing: Vec<Missing>,
}

/// The same with figures.
#[derive(Debug, Serialize)]
pub(crate) struct Detail<'a> {
    pub(crate) venue: &'a str,
    pub(crate) version: &'static str,
    #[serde(flatten)]
    pub(crate) readiness: Readiness,
    /// Sequence number of the last record.
    pub(crate) seq: u64,
    /// Up to which one everything is on the device.
    pub(crate) durable_seq: u64,
    /// `off`, `following`, `differs` or `failed`: the second engine beside the venue.
    pub(crate) shadow: &'static str,
    /// Last record that it has applied.
    pub(crate) shadow_seq: u64,
    /// Last record that a snapshot covers; 0: none does.
    pub(crate) snapshot_seq: u64,
    pub(crate) core_beat_age_ms: u64,
    pub(crate) open_s: u64,
    /// Of the token that asked.
    pub(crate) who: &'a str,
    pub(crate) role: &'static str,
}

/// Looks at the venue; what was in the journal at the first look has `patience` to become durable.
pub(crate) async fn look(clerk: &dyn Clerk, patience: Duration) -> (Readiness, Vitals) {
    let first = clerk.vitals();
    let mut last = first;
    let mut waited = Duration::ZERO;
    while last.durable_seq < first.seq && waited < patience && last.state == State::Running {
        tokio::time::sleep(DURABLE_POLL).await;
        waited += DURABLE_POLL;
        last = clerk.vitals();
    }
    (judge(&last, first.seq, patience), last)
}

/// What is missing, when everything up to `due_seq` should be durable after `patience`.
fn judge(vitals: &Vitals, due_seq: u64, patience: Duration) -> Readiness {
    let checks = [
        (
            vitals.state != State::Stopped,
            "running",
            String::from("the venue runs"),
            String::from("it has stopped"),
        ),
        (
            vitals.state != State::Poisoned,
            "journal",
            String::from("every sync succeeds"),
            String::from("one failed; nothing leaves any more"),
        ),
        (
            vitals.core_beat_age <= BEAT_AGE_MAX,
            "core",
            format!("a sign of life within {} ms", BEAT_AGE_MAX.as_millis()),
            format!("{} ms without one", vitals.core_beat_age.as_millis()),
        ),
        (
            due_seq <= vitals.durable_seq,
            "durable",
            format!("record {due_seq} on the device within {} ms", patience.as_millis()),
            format!("{} records behind", due_seq.saturating_sub(vitals.durable_seq)),
        ),
        (
            !vitals.is_short_of_space,
            "disk",
            String::from("room for the journal"),
            String::from("none: orders are refused"),
        ),
        (
            vitals.shadow.state != Shadowing::Differs,
            "shadow",
            String::from("the journal leads to what the venue has said"),
            String::from("it leads elsewhere: the next start would stop there"),
        ),
    ];
    let missing = checks.into_iter().filter(|(is_good, ..)| !is_good);
    let missing: Vec<_> =
        missing.map(|(_, what, expected, found)| Missing { what, expected, found }).collect();
    Readiness { ready: missing.is_empty(), missing }
}

#[cfg(test)]
mod tests {
    use uncross_server::shadow::Shadowed;

    use super::*;

    const GOOD: Vitals = Vitals {
        seq: 9,
        durable_seq: 7,
        core_beat_age: Duration::from_secs(2),
        state: State::Running,
        is_short_of_space: false,
        shadow: Shadowed { state: Shadowing::Following, seq: 7, snapshot_seq: 3 },
    };

    #[test]
    fn each_fault_is_missed_by_its_name() {
        let missing = |vitals: Vitals, due_seq| {
            let Readiness { ready, missing } = judge(&vitals, due_seq, Duration::ZERO);
            assert_eq!(ready, missing.is_empty());
            missing.iter().map(|each| each.what).collect::<Vec<_>>()
        };
        assert_eq!(missing(GOOD, 7), [""; 0]);
        assert_eq!(missing(GOOD, 8), ["durable"]);
        assert_eq!(missing(Vitals { state: State::Poisoned, ..GOOD }, 7), ["journal"]);
        assert_eq!(missing(Vitals { state: State::Stopped, ..GOOD }, 7), ["running"]);
        assert_eq!(missing(Vitals { is_short_of_space: true, ..GOOD }, 7), ["disk"]);
        let with = |state| Vitals { shadow: Shadowed { state, ..GOOD.shadow }, ..GOOD };
        assert_eq!(missing(with(Shadowing::Differs), 7), ["shadow"]);
        for state in [Shadowing::Off, Shadowing::Failed] {
            assert_eq!(missing(with(state), 7), [""; 0], "no promise is broken");
        }
        let late = Vitals { core_beat_age: Duration::from_millis(2_001), ..GOOD };
        assert_eq!(missing(late, 7), ["core"]);
    }
}
