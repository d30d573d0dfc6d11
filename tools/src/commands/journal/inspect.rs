//! `uncross journal inspect`: what is there, since when, how much and how well.

use clap::Args;
use serde::Serialize;
use uncross_client::wire::text::{format_price, trim};
use uncross_server::{
    audit::{
        overview::{Inspection, SnapshotSeen, inspect},
        told::kind_name,
    },
    config::units::format_size,
    journal::{ReadError, Run, SegmentForm, SegmentView},
    sessions::utc,
};

use super::{Asked, journal_of};
use crate::{
    errors::{self, Failure, Place},
    output::{Outcome, Output},
    progress,
    venue::{hex, torn_text},
};

const EXAMPLES: &str = "\
Every record is read and its checksum compared; footers, indexes and hashes of sealed segments are
checked by uncross journal verify. Damage is shown with what is whole before it, and ends in exit
code 6. Times are UTC.

Examples:
  uncross journal inspect ./venue
  uncross journal inspect ./venue --json";

/// Show what a venue's journal holds: segments, days, records, configuration, health
///
/// Changes nothing and may run beside the venue.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Inspect {
    #[command(flatten)]
    asked: Asked,
}

#[derive(Serialize)]
struct Inspected {
    venue: String,
    first_seq: Option<u64>,
    first_time: Option<String>,
    last_seq: Option<u64>,
    last_time: Option<String>,
    epoch: u32,
    file_bytes: u64,
    record_bytes: u64,
    segments: Vec<SegmentRow>,
    prepared_segments: u64,
    snapshots: Vec<SnapshotRow>,
    records: Vec<KindRow>,
    sessions: Vec<SessionRow>,
    durable: Option<Durable>,
    health: Health,
    capacity: Option<CapacityRow>,
    instruments: Vec<InstrumentRow>,
}

#[derive(Serialize)]
struct SegmentRow {
    number: u64,
    file: String,
    state: &'static str,
    format_version: u32,
    behaviour_version: u32,
    epoch: u32,
    first_seq: u64,
    first_time: Option<String>,
    last_seq: Option<u64>,
    last_time: Option<String>,
    file_bytes: u64,
    record_bytes: u64,
    records: u64,
    build: String,
    /// What its first record says that it upgrades from.
    upgrade: Option<UpgradeRow>,
    configuration_hash: String,
}

#[derive(Serialize)]
struct UpgradeRow {
    format_version: u32,
    behaviour_version: u32,
    /// Of the segment before, where that is there.
    build: Option<String>,
}

#[derive(Serialize)]
struct SnapshotRow {
    file: String,
    last_seq: u64,
    file_bytes: Option<u64>,
    last_time: Option<String>,
    /// What is wrong with it.
    fault: Option<String>,
}

impl SnapshotRow {
    fn new(seen: &SnapshotSeen) -> Self {
        let SnapshotSeen { path, seq, content } = seen;
        let (file_bytes, time_ns) = content.as_ref().ok().copied().unzip();
        Self {
            file: file_name(path),
            last_seq: *seq,
            file_bytes,
            last_time: time_ns.map(utc),
            fault: content.as_ref().err().cloned(),
        }
    }

    fn show(&self, output: &mut Output) -> Outcome {
        let Self { last_seq, file_bytes, last_time, fault, .. } = self;
        let text = match (file_bytes, last_time, fault) {
            (Some(bytes), Some(time), None) => format!("{bytes} bytes, {time}"),
            (_, _, fault) => fault.clone().unwrap_or_default(),
        };
        output.line(format_args!("snapshot     at {last_seq}: {text}"))
    }
}

#[derive(Serialize)]
struct KindRow {
    kind: &'static str,
    count: u64,
}

#[derive(Serialize)]
struct SessionRow {
    session: String,
    date: String,
    first_seq: u64,
    last_seq: u64,
}

/// What the last run said of itself.
#[derive(Serialize)]
struct Durable {
    seq: u64,
    segment: u64,
    offset: u64,
    /// `closed`, `open` or `poisoned`.
    run: &'static str,
    holds_back: bool,
    needs_epoch: bool,
}

#[derive(Serialize)]
struct Health {
    is_whole: bool,
    torn: Option<String>,
    damage: Option<String>,
    place: Option<Place>,
    foreign: Option<String>,
    set_aside: Vec<SetAside>,
}

#[derive(Serialize)]
struct SetAside {
    file: String,
    bytes: u64,
}

#[derive(Serialize)]
struct CapacityRow {
    orders: u32,
    hidden_orders: u32,
    levels: u32,
    nodes: u32,
    port_orders: u32,
    port_pages: u32,
    user_ref_pages: u32,
    instruments: u16,
    ports: u16,
}

#[derive(Serialize)]
struct InstrumentRow {
    id: u32,
    symbol: String,
    price_decimals: u8,
    quantity_decimals: u8,
    tick: String,
    lot: String,
    quantity_min: String,
    quantity_max: String,
    collar_bp: u32,
}

impl Inspect {
    pub(super) fn run(&self, output: &mut Output) -> Outcome {
        let journal = journal_of(&self.asked.dir)?;
        let progress = progress::bar(output, "{spinner} {msg}");
        let inspection = inspect(&journal, |bytes| {
            progress.set_message(format_size(bytes));
            progress.tick();
        });
        progress.finish_and_clear();
        let inspection = inspection.map_err(Failure::from)?;
        let inspected = Inspected::new(self.asked.dir.display().to_string(), &inspection);
        if output.is_json() {
            output.json("uncross.journal.inspect/1", &inspected)?;
        } else {
            inspected.show(output)?;
        }
        if let Some(error) = inspection.files.damage {
            return Err(Failure::from(error).into());
        }
        if let Some(foreign) = inspected.health.foreign {
            return Err(Failure::new(&errors::REPLAY, foreign).into());
        }
        Ok(())
    }
}

fn file_name(path: &std::path::Path) -> String {
    path.file_name().unwrap_or_default().display().to_string()
}

/// The text that names a build.
fn build_of(view: &SegmentView) -> String {
    let build = view.identity.build_id.split(|byte| *byte == 0).next().unwrap_or_default();
    build.escape_ascii().to_string()
}

impl SegmentRow {
    /// The row of a segment; `before` is the one before it.
    fn new(view: &SegmentView, before: Option<&SegmentView>) -> Self {
        let upgrade = view.upgraded_from.map(|from| UpgradeRow {
            format_version: from.format,
            behaviour_version: from.behaviour,
            build: before.filter(|it| it.number + 1 == view.number).map(build_of),
        });
        Self {
            number: view.number,
            file: file_name(&view.path),
            state: match view.form {
                SegmentForm::Sealed => "sealed",
                SegmentForm::Open => "open",
                SegmentForm::Entered => "entered",
            },
            format_version: view.format_version,
            behaviour_version: view.identity.behaviour_version,
            epoch: view.epoch,
            first_seq: view.first_seq,
            first_time: view.first.map(|(_, time_ns)| utc(time_ns)),
            last_seq: view.last.map(|(seq, _)| seq),
            last_time: view.last.map(|(_, time_ns)| utc(time_ns)),
            file_bytes: view.len_bytes,
            record_bytes: view.record_bytes,
            records: view.kinds.values().sum(),
            build: build_of(view),
            upgrade,
            configuration_hash: hex(&view.identity.config_hash),
        }
    }
}

impl Durable {
    fn new(run: &Run) -> Self {
        Self {
            seq: run.durable_seq,
            segment: run.durable_to.0,
            offset: run.durable_to.1,
            run: match (run.is_poisoned, run.is_closed) {
                (true, _) => "poisoned",
                (false, true) => "closed",
                (false, false) => "open",
            },
            holds_back: run.is_held,
            needs_epoch: run.is_unproven,
        }
    }
}

impl Health {
    fn new(inspection: &Inspection) -> Self {
        let files = &inspection.files;
        let set_aside = files.set_aside.iter();
        let foreign =
            inspection.foreign.as_ref().map(|(seq, text)| format!("record {seq}: {text}"));
        Self {
            is_whole: files.damage.is_none() && foreign.is_none(),
            torn: files.torn.as_ref().map(torn_text),
            damage: files.damage.as_ref().map(ToString::to_string),
            place: files.damage.as_ref().and_then(ReadError::finding).map(Place::from),
            foreign,
            set_aside: set_aside
                .map(|(path, bytes)| SetAside { file: file_name(path), bytes: *bytes })
                .collect(),
        }
    }
}

impl Inspected {
    fn new(venue: String, inspection: &Inspection) -> Self {
        let files = &inspection.files;
        let sessions = inspection.sessions.iter().map(|session| {
            let (year, month, day) = session.date;
            SessionRow {
                session: String::from_utf8_lossy(trim(&session.name)).into_owned(),
                date: format!("{year:04}-{month:02}-{day:02}"),
                first_seq: session.first_seq,
                last_seq: session.last_seq,
            }
        });
        let records = inspection.kinds.iter();
        let before = std::iter::once(None).chain(files.segments.iter().map(Some));
        let rows = files.segments.iter().zip(before);
        let rows = rows.map(|(view, before)| SegmentRow::new(view, before)).collect();
        Self {
            venue,
            first_seq: inspection.first.map(|(seq, _)| seq),
            first_time: inspection.first.map(|(_, time_ns)| utc(time_ns)),
            last_seq: inspection.last.map(|(seq, _)| seq),
            last_time: inspection.last.map(|(_, time_ns)| utc(time_ns)),
            epoch: inspection.epoch,
            file_bytes: files.segments.iter().map(|view| view.len_bytes).sum(),
            record_bytes: files.segments.iter().map(|view| view.record_bytes).sum(),
            segments: rows,
            prepared_segments: files.spares,
            snapshots: inspection.snapshots.iter().map(SnapshotRow::new).collect(),
            records: records
                .map(|(&kind, &count)| KindRow { kind: kind_name(kind), count })
                .collect(),
            sessions: sessions.collect(),
            durable: files.run.as_ref().map(Durable::new),
            health: Health::new(inspection),
            capacity: capacity(inspection),
            instruments: instruments(inspection),
        }
    }

    fn show(&self, output: &mut Output) -> Outcome {
        let Self { first_seq, last_seq, first_time, last_time, .. } = self;
        let or_none = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
        match first_seq.zip(*last_seq) {
            Some((first, last)) => {
                output.line(format_args!("records      {first} to {last}"))?;
                let (from, to) = (or_none(first_time), or_none(last_time));
                output.line(format_args!("time         {from} to {to}"))?;
            }
            None => output.line("records      none")?,
        }
        let Self { epoch, file_bytes, record_bytes, .. } = self;
        output.line(format_args!("epoch        {epoch}"))?;
        output.line(format_args!(
            "bytes        {record_bytes} of records in {file_bytes} of files"
        ))?;
        output.line(format_args!("prepared     {} segments for later", self.prepared_segments))?;
        self.snapshots.iter().try_for_each(|row| row.show(output))?;
        self.show_health(output)?;
        self.show_segments(output)?;
        self.show_versions(output)?;
        output.line("")?;
        let kinds = self.records.iter().map(|row| vec![row.kind.to_owned(), row.count.to_string()]);
        output.table(&["kind", "records"], &kinds.collect::<Vec<_>>())?;
        output.line("")?;
        let sessions = self.sessions.iter().map(|row| {
            let SessionRow { session, date, first_seq, last_seq } = row;
            vec![session.clone(), date.clone(), first_seq.to_string(), last_seq.to_string()]
        });
        let headings = ["session", "date", "first record", "last record"];
        output.table(&headings, &sessions.collect::<Vec<_>>())?;
        self.show_configuration(output)
    }

    fn show_health(&self, output: &mut Output) -> Outcome {
        match &self.durable {
            Some(Durable { seq, segment, offset, run, needs_epoch, .. }) => {
                let place = format!("segment {segment}, offset {offset}");
                output.line(format_args!("durable to   {seq}, {place}"))?;
                let epoch = if *needs_epoch { "; its next start opens an epoch" } else { "" };
                output.line(format_args!("last run     {run}{epoch}"))?;
            }
            None => output.line("durable to   unknown: the mark is missing or damaged")?,
        }
        let Health { is_whole, torn, damage, foreign, set_aside, .. } = &self.health;
        let problem = damage.as_ref().or(foreign.as_ref());
        let health = problem.map_or("whole", |text| text.as_str());
        output.line(format_args!("health       {health}"))?;
        debug_assert_eq!(*is_whole, problem.is_none(), "health in two ways");
        if let Some(torn) = torn {
            output.line(format_args!("behind it    {torn}"))?;
        }
        for SetAside { file, bytes } in set_aside {
            output.line(format_args!("moved aside  {file}, {bytes} bytes"))?;
        }
        Ok(())
    }

    fn show_segments(&self, output: &mut Output) -> Outcome {
        let rows = self.segments.iter().map(|row| {
            let last = row.last_seq.map_or_else(|| "-".to_owned(), |seq| seq.to_string());
            let time = |time: &Option<String>| time.clone().unwrap_or_else(|| "-".to_owned());
            vec![
                row.number.to_string(),
                row.state.to_owned(),
                row.epoch.to_string(),
                row.first_seq.to_string(),
                last,
                time(&row.first_time),
                time(&row.last_time),
                row.records.to_string(),
                row.record_bytes.to_string(),
                row.file_bytes.to_string(),
            ]
        });
        let headings = [
            "segment",
            "state",
            "epoch",
            "first",
            "last",
            "first time",
            "last time",
            "records",
            "bytes",
            "file bytes",
        ];
        output.line("")?;
        output.table(&headings, &rows.collect::<Vec<_>>())
    }

    /// Who wrote what: a row for each run of segments of the same versions and build.
    fn show_versions(&self, output: &mut Output) -> Outcome {
        let versions = |row: &SegmentRow| (row.format_version, row.behaviour_version);
        let goes_on = |a: &SegmentRow, b: &SegmentRow| {
            (versions(a), &a.build) == (versions(b), &b.build) && b.upgrade.is_none()
        };
        let runs = self.segments.chunk_by(goes_on).filter_map(|run| run.first().zip(run.last()));
        let rows = runs.map(|(first, last)| {
            let upgrade = first.upgrade.as_ref().map_or_else(
                || "-".to_owned(),
                |UpgradeRow { format_version, behaviour_version, build }| {
                    let build = build.as_deref().unwrap_or("?");
                    format!("format {format_version}, behaviour {behaviour_version}, {build}")
                },
            );
            vec![
                first.number.to_string(),
                last.number.to_string(),
                first.first_seq.to_string(),
                first.format_version.to_string(),
                first.behaviour_version.to_string(),
                first.build.clone(),
                upgrade,
            ]
        });
        let headings =
            ["segment", "to", "since record", "format", "behaviour", "build", "upgraded from"];
        output.line("")?;
        output.table(&headings, &rows.collect::<Vec<_>>())
    }

    fn show_configuration(&self, output: &mut Output) -> Outcome {
        output.line("")?;
        if let Some(capacity) = &self.capacity {
            let CapacityRow { orders, hidden_orders, levels, instruments, ports, .. } = capacity;
            output.line(format_args!(
                "capacity     {orders} orders and {hidden_orders} hidden ones, {levels} levels, \
                 {instruments} instruments, {ports} ports"
            ))?;
        }
        let rows = self.instruments.iter().map(|row| {
            vec![
                row.id.to_string(),
                row.symbol.clone(),
                row.tick.clone(),
                row.lot.clone(),
                row.quantity_min.clone(),
                row.quantity_max.clone(),
            ]
        });
        let headings = ["id", "instrument", "tick", "lot", "least", "most"];
        output.table(&headings, &rows.collect::<Vec<_>>())
    }
}

fn capacity(inspection: &Inspection) -> Option<CapacityRow> {
    inspection.capacity.map(|capacity| CapacityRow {
        orders: capacity.orders,
        hidden_orders: capacity.hidden_orders,
        levels: capacity.levels,
        nodes: capacity.nodes,
        port_orders: capacity.port_orders,
        port_pages: capacity.port_pages,
        user_ref_pages: capacity.user_ref_pages,
        instruments: capacity.instruments,
        ports: capacity.ports,
    })
}

fn instruments(inspection: &Inspection) -> Vec<InstrumentRow> {
    let rows = inspection.instruments.iter().map(|instrument| {
        let px = |raw: u32| format_price(raw.into(), instrument.price_decimals).to_string();
        let qty = |raw: u32| format_price(raw.into(), instrument.qty_decimals).to_string();
        InstrumentRow {
            id: instrument.id,
            symbol: String::from_utf8_lossy(trim(&instrument.symbol)).into_owned(),
            price_decimals: instrument.price_decimals,
            quantity_decimals: instrument.qty_decimals,
            tick: px(instrument.tick),
            lot: qty(instrument.lot),
            quantity_min: qty(instrument.qty_min),
            quantity_max: qty(instrument.qty_max),
            collar_bp: instrument.collar_bp,
        }
    });
    rows.collect()
}
