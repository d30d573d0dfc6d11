//! A venue in a folder of its own, with brokers that order at a fixed rate.

use std::{iter, path::Path, thread};

use hdrhistogram::Histogram;
use uncross_client::{ConnectOptions, Symbol};
use uncross_server::{
    affinity::Cpus,
    config::{Config, VenueDir},
    notice::Notice,
    shadow::Shadowing,
    users::Users,
    venue,
};

use super::{BesideError, Extent, load::Brokers};

/// Brokers.
const BROKERS: u16 = 4;
/// Orders of a broker that stand while it trades.
const STANDING: u32 = 2_500;

/// What brokers do to a venue.
#[derive(Clone, Copy)]
pub(super) struct Load<'a> {
    /// Level of the journal.
    pub(super) level: &'a str,
    /// Commands a second.
    pub(super) rate: u64,
    /// How long the shadow rests after a snapshot, in times of what that took.
    pub(super) rest: u32,
    pub(super) extent: Extent,
}

/// How it went.
pub(super) struct Stretch {
    /// Nanoseconds from when an order was due to its answer.
    pub(super) latency: Histogram<u64>,
    /// Whether the brokers' thread may run whenever it wants to.
    pub(super) are_brokers_first: bool,
    /// Snapshots that were finished meanwhile.
    pub(super) snapshots: u64,
    /// Records that the shadow had yet to apply at the end.
    pub(super) behind: u64,
}

fn name(broker: u16) -> String {
    format!("BENCH{broker}")
}

/// Starts a venue in `dir`, orders, and ends it.
pub(super) fn run(dir: &Path, load: Load<'_>, has_shadow: bool) -> Result<Stretch, BesideError> {
    let place = VenueDir::new(dir);
    let mut users = Users::new(place.users_file());
    for broker in 0..BROKERS {
        users.add(&name(broker), "FIRM", &name(broker))?;
    }
    users.save()?;
    let config = config(load, has_shadow)?;
    let symbol = config.instruments.first().map_or([b' '; 8], |first| first.symbol);
    let venue = venue::start(&config, &place)?;
    let address = venue.orders_addr().to_string();
    let options = |broker| ConnectOptions::new(address.as_str(), name(broker), name(broker));
    let logins: Vec<_> = (0..BROKERS).map(options).collect();
    let desk = venue.desk();
    let brokers = move || {
        // The core has the last CPU where it has one of its own.
        let cpus = Cpus::read();
        if let Some(&first) = cpus.numbers().first().filter(|_| 1 < cpus.count()) {
            let _is_pinned = cpus.pin(first);
        }
        let mut brokers = Brokers::connect(&logins, Symbol::from_wire(symbol), STANDING)?;
        brokers.trade(load.rate, load.extent.warm_up)?;
        let before = desk.vitals();
        let latency = brokers.trade(load.rate, load.extent.stretch)?;
        Ok::<_, BesideError>((latency, brokers.are_first(), before, desk.vitals()))
    };
    let (latency, are_brokers_first, before, after) =
        thread::spawn(brokers).join().map_err(|_panic| BesideError::Panicked)??;
    let (seen, shadow) = (before.shadow.snapshot_seq, after.shadow);
    if has_shadow != (shadow.state == Shadowing::Following) {
        return Err(BesideError::Shadow { found: shadow.state.name() });
    }
    let is_new = |notice: &Notice| {
        matches!(notice, Notice::SnapshotWritten { seq, .. }
            if seen < *seq && *seq <= shadow.snapshot_seq)
    };
    let snapshots = venue.notices().try_iter().filter(is_new).count() as u64;
    venue.stop()?;
    let behind = after.seq.saturating_sub(shadow.seq);
    Ok(Stretch { latency, are_brokers_first, snapshots, behind })
}

fn config(load: Load<'_>, has_shadow: bool) -> Result<Config, BesideError> {
    let rest = load.rest.to_string();
    let overrides = [
        ("orders.listen", "127.0.0.1:0"),
        ("data.listen", "127.0.0.1:0"),
        ("admin.enabled", "false"),
        ("journal.level", load.level),
        // With one, a snapshot is due whenever everything is applied.
        ("journal.snapshot_every", if has_shadow { "1" } else { "0" }),
        ("journal.snapshot_rest", &rest),
    ];
    let overrides = overrides.map(|(key, value)| (key.to_owned(), value.to_owned()));
    Ok(Config::load(None, iter::empty(), &overrides)?)
}
