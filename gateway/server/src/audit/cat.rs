//! The records of a journal, those that somebody asks for.

use std::{
    collections::{BTreeSet, HashMap},
    convert::Infallible,
    io,
    ops::ControlFlow,
};

use foldhash::fast::RandomState;
use uncross_engine::event::{Event, View};
use uncross_journal::{Identity, Location, ReadError, Reader, Record, ReplayError, Start, kind};

use super::{
    history::{Wanted, history},
    moment::{Moment, Outside, never, resolve},
    run::{Watch, run},
    told::{Names, RecordLine, Subject, instrument_of, line, order_instrument, subject_of},
};
use crate::{
    export::line::text,
    replay::check_behaviour,
    replica::{ApplyError, Replica},
};

/// Which records are wanted: those that meet all that is given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// The first moment; of a time its first record.
    pub from: Option<Moment>,
    /// The last moment.
    pub to: Option<Moment>,
    /// Records about this instrument: that name it, or an order of it that is alive or was among
    /// the first [`SEEN_MAX`] of the day, or affect one.
    pub symbol: Option<String>,
    /// Records of this port.
    pub port: Option<u16>,
    /// Records that name this number of a client.
    pub number: Option<u32>,
    /// Records whose number is of this channel.
    pub index: Option<u8>,
    /// Records that did something to this order or named it, through all of its replacements, in
    /// the session with this name or the last that knows it.
    pub order: Option<(Wanted, Option<String>)>,
    /// Records of these kinds; of all when there are none.
    pub kinds: Vec<u8>,
    /// Apply the journal from its beginning, so that the instrument of every order is known.
    pub is_resolved: bool,
}

/// Why no more records come.
#[derive(Debug, thiserror::Error)]
pub enum CatError {
    /// The journal cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A record cannot be applied.
    #[error(transparent)]
    Apply(#[from] ApplyError),
    /// A moment lies outside of the journal.
    #[error("{0}")]
    Outside(Outside),
    /// No record lists the instrument; these are listed.
    #[error("no instrument {0}")]
    Symbol(String, Vec<String>),
    /// No record is about the order.
    #[error("no such order")]
    Order,
    /// The taker failed.
    #[error(transparent)]
    Taker(#[from] io::Error),
}

impl<E: Into<Self>> From<ReplayError<E>> for CatError {
    fn from(error: ReplayError<E>) -> Self {
        match error {
            ReplayError::Read(error) => Self::Read(error),
            ReplayError::Apply(error) => error.into(),
        }
    }
}

impl From<Infallible> for CatError {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

/// Hands the records that `filter` lets pass to `take`, in their order.
///
/// From a moment on the journal is not read from its beginning, and one of another engine is not
/// applied unasked. A cancel or a replacement names its
/// order and not the instrument, so where instruments have different decimals its quantity and
/// price are then told in units, unless the order was entered in between; and who asks for an
/// instrument, or wants all resolved, has the journal applied from its beginning.
///
/// # Errors
///
/// The journal is damaged, the range is outside of it, or `take` fails.
pub fn cat(
    reader: &Reader,
    filter: &Filter,
    take: impl FnMut(&RecordLine) -> io::Result<()>,
) -> Result<(), CatError> {
    let to = match filter.to {
        Some(moment) => Some(resolve(reader, moment)?.map_err(CatError::Outside)?),
        None => None,
    };
    if let Some(from) = filter.from {
        resolve(reader, from)?.map_err(CatError::Outside)?;
    }
    let names = listed(reader)?;
    let about = match &filter.order {
        Some((wanted, session)) => Some(causes(reader, *wanted, session.as_deref())?),
        None => None,
    };
    // Behind the last record about the order nothing is looked for.
    let last = about.as_ref().and_then(|about| about.last().copied());
    let to = to.into_iter().chain(last).min();
    let mut sifting = Sifting { filter, about, take };
    let is_asked = filter.order.is_some() || filter.symbol.is_some() || filter.is_resolved;
    let is_of_use = filter.from.is_none() && !names.are_uniform();
    if is_asked || is_of_use && can_be_applied(reader)? {
        let mut applied = Applied::new(&mut sifting);
        run(reader, to, &mut applied)?;
        return match &filter.symbol {
            Some(symbol) if applied.names.find(symbol).is_none() => {
                Err(CatError::Symbol(symbol.clone(), applied.names.symbols()))
            }
            _ => Ok(()),
        };
    }
    read(reader, to, names, &mut sifting)
}

/// Whether all of the journal is of this engine; records under other rules are told all the same.
fn can_be_applied(reader: &Reader) -> Result<bool, ReadError> {
    match check_behaviour::<ApplyError>(reader) {
        Ok(()) => Ok(true),
        Err(ReplayError::Apply(_)) => Ok(false),
        Err(ReplayError::Read(error)) => Err(error),
    }
}

/// The numbers of the records about an order.
fn causes(
    reader: &Reader,
    wanted: Wanted,
    session: Option<&str>,
) -> Result<BTreeSet<u64>, CatError> {
    let found = history(reader, wanted, session)?.ok_or(CatError::Order)?;
    let steps = found.orders.iter().flat_map(|order| &order.steps);
    Ok(steps.map(|step| step.cause.seq).collect())
}

/// Reads from the first record wanted on, without applying any.
fn read<T: FnMut(&RecordLine) -> io::Result<()>>(
    reader: &Reader,
    to: Option<u64>,
    mut names: Names,
    sifting: &mut Sifting<'_, T>,
) -> Result<(), CatError> {
    let start = match sifting.filter.from {
        None => Start::First,
        Some(Moment::Seq(seq)) => Start::Seq(seq),
        Some(Moment::Time(time_ns)) => Start::Time(time_ns),
        Some(Moment::Elsewhen(instant)) => Start::Time(instant.nearest_ns()),
    };
    let mut seen = Seen::default();
    let mut has_applied = false;
    reader.read_from(start, |record, location| {
        if to.is_some_and(|to| to < record.seq) {
            return Ok::<_, CatError>(ControlFlow::Break(()));
        }
        names.learn(record.kind, record.body);
        let id = instrument_of(record.kind, record.body);
        if id.is_some_and(|id| id != 0 && names.get(id).is_none()) && !has_applied {
            has_applied = true;
            match applied_names(reader, record.seq) {
                Ok(applied) => names = applied,
                // Records that cannot be applied are told all the same, in units.
                Err(ReplayError::Apply(_)) => {}
                Err(ReplayError::Read(error)) => return Err(error.into()),
            }
        }
        let instrument = seen.take(&record);
        if sifting.passes(&record) {
            sifting.give(&line(&record, location, &names, instrument))?;
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(())
}

/// Orders that are remembered; requests for others that are over are told in units.
pub const SEEN_MAX: usize = 1 << 20;

/// The instruments of the orders entered since a reading began.
#[derive(Default)]
struct Seen {
    /// By port, channel and number.
    instruments: HashMap<(u16, u8, u32), u32, RandomState>,
}

impl Seen {
    /// The instrument of the order that the record is about, where that is known.
    fn take(&mut self, record: &Record<'_>) -> Option<u32> {
        if record.kind == kind::DAY_ROLL {
            // Numbers begin anew.
            self.instruments.clear();
        }
        let Subject { port, index, numbers, .. } = subject_of(record.kind, record.body);
        let key = |number: u32| Some((port?, index, number));
        let [first, second] = numbers.map(|number| key(number?));
        let named = instrument_of(record.kind, record.body);
        let known = named.or_else(|| self.instruments.get(&first?).copied());
        let new = if record.kind == kind::ENTER { first } else { second };
        if let (Some(new), Some(known)) = (new, known)
            && self.instruments.len() < SEEN_MAX
        {
            self.instruments.insert(new, known);
        }
        known
    }
}

/// The instruments that were listed when the runs of the journal began, which is where the
/// configuration lists them; what an operator listed or changed since is not among them. A run with
/// another configuration begins a segment, so that the rest need not be read.
pub(super) fn listed(reader: &Reader) -> Result<Names, ReadError> {
    let mut names = Names::default();
    let mut before: Option<Identity> = None;
    for (first_seq, identity) in reader.heads()? {
        if before.replace(identity) == Some(identity) {
            continue;
        }
        never(reader.read_from(Start::Seq(first_seq), |record, _| {
            names.learn(record.kind, record.body);
            let is_opening = opens_run(record.kind);
            Ok(if is_opening { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
        }))?;
    }
    Ok(names)
}

/// Whether a record of this kind may stand before the listing of an instrument at a start.
fn opens_run(record_kind: u8) -> bool {
    matches!(
        record_kind,
        kind::CONFIGURATION
            | kind::SESSION_DOWN
            | kind::EPOCH
            | kind::DAY_ROLL
            | kind::TICK
            | kind::CHECKPOINT
    )
}

/// All instruments that were ever listed up to a record: an operator listed some of them.
fn applied_names(reader: &Reader, until: u64) -> Result<Names, ReplayError<ApplyError>> {
    struct Listing(Names);

    impl Watch for Listing {
        type Error = ApplyError;

        fn begin(
            &mut self,
            _: &Record<'_>,
            _: Location,
            _: Option<&Replica>,
        ) -> Result<(), ApplyError> {
            Ok(())
        }

        fn event(&mut self, _: &Event, _: u64) -> Result<(), ApplyError> {
            Ok(())
        }

        fn done(
            &mut self,
            record: &Record<'_>,
            replica: &Replica,
        ) -> Result<ControlFlow<()>, ApplyError> {
            self.0.refresh(record.kind, replica);
            Ok(ControlFlow::Continue(()))
        }
    }

    let mut listing = Listing(Names::default());
    run(reader, Some(until), &mut listing)?;
    Ok(listing.0)
}

/// Lets pass what is wanted.
struct Sifting<'a, T> {
    filter: &'a Filter,
    /// The only records that count, of the caller; `None`: all.
    about: Option<BTreeSet<u64>>,
    take: T,
}

impl<T: FnMut(&RecordLine) -> io::Result<()>> Sifting<'_, T> {
    fn give(&mut self, line: &RecordLine) -> Result<(), CatError> {
        Ok((self.take)(line)?)
    }

    /// Whether the record meets all but the instrument.
    fn passes(&self, record: &Record<'_>) -> bool {
        let Filter { from, port, number, index, kinds, .. } = self.filter;
        let is_about =
            |about: &BTreeSet<u64>| kind::is_callers(record.kind) && about.contains(&record.seq);
        if !self.about.as_ref().is_none_or(is_about) {
            return false;
        }
        let is_late = match *from {
            None => true,
            Some(Moment::Seq(seq)) => seq <= record.seq,
            Some(Moment::Time(time_ns)) => time_ns <= record.time_ns,
            Some(Moment::Elsewhen(instant)) => instant.nearest_ns() <= record.time_ns,
        };
        if !is_late || !kinds.is_empty() && !kinds.contains(&record.kind) {
            return false;
        }
        if port.is_none() && number.is_none() && index.is_none() {
            return true;
        }
        let subject = subject_of(record.kind, record.body);
        let Subject { numbers, .. } = subject;
        port.is_none_or(|port| subject.port == Some(port))
            && number.is_none_or(|number| numbers.contains(&Some(number)))
            && index.is_none_or(|index| subject.index == index && numbers != [None; 2])
    }
}

/// The instrument that an event is about.
fn affected(event: &Event) -> Option<u32> {
    match event.view() {
        View::Accepted(it) | View::Replaced(it) => Some(it.instrument),
        View::Fill(it) => Some(it.instrument),
        View::Canceled(it) => Some(it.instrument),
        View::Modified(it) => Some(it.instrument),
        View::Prevented(it) => Some(it.instrument),
        View::Restated(it) => Some(it.instrument),
        View::Rested(it) => Some(it.instrument),
        View::Directory(it) => Some(it.instrument),
        View::Trading(it) => Some(it.instrument),
        View::Rejected(_)
        | View::Echo(_)
        | View::Account(_)
        | View::CancelRejected(_)
        | View::Response(_)
        | View::System(_)
        | View::Administered(_)
        | View::PortFirm(_)
        | View::Copying(_)
        | View::Day(_) => None,
    }
}

/// Reads by applying, so that each record's instrument is known.
struct Applied<'s, 'a, T> {
    sifting: &'s mut Sifting<'a, T>,
    names: Names,
    seen: Seen,
    location: Location,
    /// Instrument that the record names, or whose order it names.
    named: Option<u32>,
    /// The instrument asked for is among those affected.
    is_affected: bool,
}

impl<'s, 'a, T> Applied<'s, 'a, T> {
    fn new(sifting: &'s mut Sifting<'a, T>) -> Self {
        Self {
            sifting,
            names: Names::default(),
            seen: Seen::default(),
            location: Location::default(),
            named: None,
            is_affected: false,
        }
    }

    fn wanted(&self) -> Option<u32> {
        Some(self.names.find(self.sifting.filter.symbol.as_deref()?)?.id)
    }
}

impl<T: FnMut(&RecordLine) -> io::Result<()>> Watch for Applied<'_, '_, T> {
    type Error = CatError;

    fn begin(
        &mut self,
        record: &Record<'_>,
        location: Location,
        replica: Option<&Replica>,
    ) -> Result<(), CatError> {
        self.location = location;
        let seen = self.seen.take(record);
        let named = instrument_of(record.kind, record.body);
        self.named = named.or_else(|| order_instrument(record, replica)).or(seen);
        self.is_affected = false;
        Ok(())
    }

    fn event(&mut self, event: &Event, _index: u64) -> Result<(), CatError> {
        let affected = affected(event);
        // The listing itself makes the symbol known.
        let is_wanted = match event.view() {
            View::Directory(it) => {
                self.sifting.filter.symbol.as_deref() == Some(text(&it.symbol).as_str())
            }
            _ => affected.is_some() && affected == self.wanted(),
        };
        self.is_affected |= is_wanted;
        // A cancel by reference names neither number nor instrument.
        if self.named.is_none() && self.sifting.filter.symbol.is_none() {
            self.named = affected;
        }
        Ok(())
    }

    fn done(
        &mut self,
        record: &Record<'_>,
        replica: &Replica,
    ) -> Result<ControlFlow<()>, CatError> {
        self.names.refresh(record.kind, replica);
        let wanted = self.wanted();
        let is_about = self.is_affected || wanted.is_some() && self.named == wanted;
        if (is_about || self.sifting.filter.symbol.is_none()) && self.sifting.passes(record) {
            let instrument = self.named.or(wanted.filter(|_| self.is_affected));
            self.sifting.give(&line(record, self.location, &self.names, instrument))?;
        }
        Ok(ControlFlow::Continue(()))
    }
}
