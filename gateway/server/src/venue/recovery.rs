//! From a journal to a core that is ready: replay, judge what may be missing, say what must be said
//! before the doors open.

use std::time::Instant;

use uncross_engine::{
    Engine,
    admin::Definition,
    command::{DropCopy, Source},
    engine::DefineError,
    instrument::Instrument,
};
use uncross_journal::{
    Completeness, Identity, Level, OnDurable, Settings, Snapshots, Writer, bytes_of_a_change,
    open_behind,
};

use super::{
    Options, Recovered,
    beginning::{Beginning, Candidates},
    error::{StartError, io_error},
};
use crate::{
    affinity::Plan,
    build_id::BUILD_ID,
    calendar::Calendar,
    clock::{Clock, wall_ns},
    config::{self, Config, VenueDir},
    core_loop::Core,
    egress::Egress,
    follower::{Filed, Follower, Owners},
    outbound::{Outbound, Release},
    record::Draft,
    replica::Replica,
    room::RoomTeller,
    shadow,
    users::Users,
};

/// Furthest that the wall clock may stand behind the last record at start.
const CLOCK_BEHIND_NS_MAX: u64 = 1_000_000_000;

/// Makes sure that no port has changed hands: its session and orders belong to its user.
fn check_owners(users: &Users, owners: &Owners) -> Result<(), StartError> {
    for user in users.list() {
        let Some(port) = user.port() else { continue };
        let Some(owner) = owners.get(&port) else { continue };
        if *owner != user.name_padded() {
            let user = user.name().to_owned();
            let owner = String::from_utf8_lossy(owner).trim_end().to_owned();
            return Err(StartError::PortOwner { user, port, owner });
        }
    }
    Ok(())
}

fn journal_settings(
    config: &Config,
    options: &Options,
    plan: &Plan,
    on_durable: OnDurable,
) -> Settings {
    Settings {
        segment_len_bytes: config.journal.segment,
        level: match config.journal.level {
            config::Level::Async => Level::Async,
            config::Level::Group => Level::Group,
            config::Level::Sync => Level::Sync,
        },
        flush_interval: config.journal.flush_interval,
        boot_id: options.boot_id,
        on_durable: Some(on_durable),
        hot_cpus: plan.hot_cpus(),
        probe: options.probe.clone(),
        ..Settings::default()
    }
}

/// What is left of a journal when it was recovered.
#[derive(Debug)]
pub(super) struct Recovery {
    pub(super) replica: Replica,
    pub(super) journal: Writer,
    pub(super) filed: Filed,
    pub(super) egress: Egress,
    pub(super) recovered: Recovered,
    /// What a shadow begins with.
    pub(super) seed: shadow::Seed,
}

/// Brings replica and streams to the end of the journal: from the newest snapshot that can be used,
/// or from the first record on.
pub(super) fn recover(
    config: &Config,
    options: &Options,
    (plan, on_durable): (&Plan, OnDurable),
    users: &Users,
    dir: &VenueDir,
) -> Result<Recovery, StartError> {
    let settings = journal_settings(config, options, plan, on_durable);
    let identity = Identity {
        behaviour_version: uncross_engine::BEHAVIOUR_VERSION,
        config_hash: config.fingerprint(),
        build_id: BUILD_ID,
    };
    let start = Instant::now();
    let candidates = Candidates::list(Snapshots::on(&dir.journal(), &settings));
    let newest = candidates.newest();
    let recovery = open_behind(&dir.journal(), &settings, &identity, newest.as_ref())?;
    if let Some(last) = recovery.last_identity()
        && last.behaviour_version != identity.behaviour_version
    {
        let (expected, found) = (identity.behaviour_version, last.behaviour_version);
        return Err(StartError::Behaviour { expected, found });
    }
    let begun = dir.begun_file();
    if recovery.last_seq() == 0 && begun.exists() {
        return Err(StartError::JournalGone { path: begun });
    }
    let Beginning { mut follower, from, passed_over } =
        candidates.begin(&recovery, &dir.streams(), &config.capacity)?;
    let anchor = from.as_ref().map(|(_, anchor)| *anchor);
    recovery.replay_behind(anchor.as_ref(), |record| follower.apply(&record))?;
    let Follower { replica, mut egress, owners, filed, .. } = follower;
    check_owners(users, &owners)?;
    let replica = match replica {
        Some(replica) if replica.capacity() != config.capacity => {
            let (journal, configured) = (replica.capacity(), config.capacity);
            return Err(StartError::Capacity { journal, configured });
        }
        Some(replica) => replica,
        None => Replica::new(config.capacity),
    };
    // What was said and is not there must not be said again under the same numbers.
    let is_unproven = recovery.completeness() == Completeness::Unproven;
    let snapshot_seq = anchor.map(|anchor| anchor.seq);
    let recovered = Recovered {
        records: recovery.last_seq() - snapshot_seq.unwrap_or(0),
        snapshot_seq,
        passed_over,
        took: start.elapsed(),
        torn: recovery.torn().cloned(),
        opened_epoch: is_unproven.then(|| replica.engine().epoch() + 1),
        // Only a warning rests on it; whatever fails here fails again where it matters.
        bytes_of_a_change: bytes_of_a_change(&dir.journal()).ok().flatten(),
    };
    let mut journal = recovery.into_writer(wall_ns(), replica.output_hash())?;
    egress.streams.set_salt(journal.salt());
    egress.streams.note_written();
    journal.set_epoch(recovered.opened_epoch.unwrap_or(replica.engine().epoch()));
    let place = shadow::Place {
        journal: dir.journal(),
        streams: dir.streams(),
        settings,
        salt: journal.salt(),
        written: Some(egress.streams.written()),
    };
    let config::Journal { snapshot_every: every, snapshot_rest: rest, .. } = config.journal;
    let seed = shadow::Seed { place, every, rest, from };
    Ok(Recovery { replica, journal, filed, egress, recovered, seed })
}

/// What a start has found, and what its core goes on with.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) replica: Replica,
    pub(super) journal: Writer,
    pub(super) filed: Filed,
    /// The epoch to open, if one must be.
    pub(super) opened_epoch: Option<u32>,
    pub(super) room: RoomTeller,
}

/// Says what must be said before the doors open: capacity, sessions that are down, a new epoch,
/// drop copies, instruments, the day.
pub(super) fn open_day(
    config: &Config,
    users: &Users,
    found: Found,
    clock: &Clock,
    (outbound, release): (&mut Outbound, &mut Release),
    egress: &mut Egress,
) -> Result<Core, StartError> {
    let Found { replica, journal, filed, opened_epoch, room } = found;
    let now_ns = clock.now_ns();
    let behind_ns = replica.engine().now_ns().saturating_sub(now_ns);
    if CLOCK_BEHIND_NS_MAX < behind_ns {
        return Err(StartError::ClockBehind { behind_ns });
    }
    let calendar =
        Calendar { utc_offset_s: config.venue.utc_offset_s, roll_at_s: config.venue.day_roll_s };
    let epoch = opened_epoch.unwrap_or(replica.engine().epoch());
    let opening = Opening { is_new: journal.last_seq() == 0, opened_epoch, epoch };
    let copies = drop_copies(users, replica.engine())?;
    let drafts = first_words(config, &copies, (&replica, &filed), opening, calendar, now_ns)?;
    let mut core = Core::new(replica, journal, calendar, epoch, room);
    core.advance(now_ns);
    let mut failure = None;
    for draft in &drafts {
        core.insist(draft, outbound, || {
            if let Err(error) = release.take_all(|event| egress.write(event)) {
                failure.get_or_insert(error);
            }
        })?;
    }
    assert!(!egress.streams.is_over(), "a session goes on whose streams were not kept");
    egress.streams.note_written();
    // Nobody may read of it before it is durable.
    core.settle()?;
    // The first turn comes when somebody wakes the core or its sleep ends.
    core.pulse().beat(core.seq(), false);
    match failure {
        Some(error) => Err(io_error("writing a stream")(error)),
        None => Ok(core),
    }
}

/// How a venue finds its journal.
#[derive(Clone, Copy, Debug)]
struct Opening {
    is_new: bool,
    opened_epoch: Option<u32>,
    epoch: u32,
}

/// What must be said so that exactly the firms are copied that have a user for it.
fn drop_copies(users: &Users, engine: &Engine) -> Result<Vec<DropCopy>, StartError> {
    let wanted = users.copied_firms();
    engine.check_copies(&wanted).map_err(StartError::Copies)?;
    let copied: Vec<_> = engine.copied_firms().collect();
    let ends = copied.iter().filter(|firm| !wanted.contains(firm));
    let begins = wanted.iter().filter(|firm| !copied.contains(firm));
    let ends = ends.map(|&firm| DropCopy { firm, is_on: false });
    Ok(ends.chain(begins.map(|&firm| DropCopy { firm, is_on: true })).collect())
}

fn first_words(
    config: &Config,
    copies: &[DropCopy],
    (replica, filed): (&Replica, &Filed),
    opening: Opening,
    calendar: Calendar,
    now_ns: u64,
) -> Result<Vec<Draft>, StartError> {
    let mut drafts = Vec::new();
    let mut say = |set: &dyn Fn(&mut Draft)| {
        let mut draft = Draft::new();
        set(&mut draft);
        drafts.push(draft);
    };
    if opening.is_new {
        say(&|draft| draft.set_capacity(&config.capacity));
    }
    let engine = replica.engine();
    for port in 1..=config.capacity.ports {
        if let Some((generation, true)) = engine.session(port) {
            say(&|draft| draft.set_session_down(Source { port, generation, channel: 0 }, b'R'));
        }
    }
    if let Some(epoch) = opening.opened_epoch {
        let date = engine.day().map_or(0, |day| day.date);
        say(&|draft| draft.set_epoch(&Calendar::epoch(date, epoch)));
    }
    // Behind an epoch: in the session before it numbers may have been given that are not known.
    for &copy in copies {
        say(&|draft| draft.set_drop_copy(copy));
    }
    let date = calendar.date(now_ns);
    let is_roll_due = engine.day().is_none_or(|day| day.date < date);
    let (first, later) = instruments_to_state(config, (engine, filed), is_roll_due)?;
    for instrument in &first {
        say(&|draft| draft.set_instrument(instrument));
    }
    if is_roll_due {
        say(&|draft| draft.set_day_roll(&calendar.roll(now_ns, opening.epoch)));
    }
    for instrument in &later {
        say(&|draft| draft.set_instrument(instrument));
    }
    Ok(drafts)
}

/// What of the configuration's instruments the engine has to be told, before and after the day
/// roll of this start: a listing that has no room before it may have after.
///
/// What the file said before, operators may have changed since; what it says anew holds.
fn instruments_to_state(
    config: &Config,
    (engine, filed): (&Engine, &Filed),
    is_roll_due: bool,
) -> Result<(Vec<Instrument>, Vec<Instrument>), StartError> {
    let (mut first, mut later) = (Vec::new(), Vec::new());
    let mut left_now = engine.listings_left(false);
    // What is listed before the roll takes a place after it as well.
    let mut left = if is_roll_due { engine.listings_left(true) } else { left_now };
    for configured in &config.instruments {
        let id = configured.id;
        if filed.get(&id) == Some(configured) {
            continue;
        }
        match engine.check_define(configured) {
            Ok(Definition::Changes | Definition::Withdraws | Definition::Unchanged) => {
                first.push(*configured);
            }
            Ok(Definition::Lists) | Err(DefineError::Full { .. } | DefineError::NoLocate) => {
                if left == 0 {
                    let instruments_max = config.capacity.instruments;
                    let error = DefineError::Full { instruments_max };
                    return Err(StartError::Listing { id, error });
                }
                left -= 1;
                if left_now == 0 {
                    later.push(*configured);
                } else {
                    left_now -= 1;
                    first.push(*configured);
                }
            }
            Err(error) => return Err(StartError::Listing { id, error }),
        }
    }
    Ok((first, later))
}
