//! Events as rows of a table: JSON lines, CSV or Parquet.
//!
//! The columns are the fields of the JSON lines, each with one type in all events.

use std::{ffi::OsStr, io, mem, path::Path, sync::Arc};

use clap::ValueEnum;
use parquet::{
    basic::{Compression, LogicalType, Repetition, TimeUnit, Type as Physical},
    data_type::{BoolType, ByteArray, ByteArrayType, FixedLenByteArrayType, Int64Type},
    errors::ParquetError,
    file::{
        properties::WriterProperties,
        writer::{SerializedColumnWriter, SerializedFileWriter},
    },
    schema::types::Type,
};
use serde_json::{Map, Value};
use uncross_server::export::line::Line;

use super::target::Target;

/// How a table is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// JSON objects, one in a line
    Jsonl,
    /// Comma-separated values under a line of names
    Csv,
    /// Apache Parquet, compressed with Snappy
    Parquet,
}

impl Format {
    /// The format that the name of a file asks for.
    pub(super) fn of(path: &Path) -> Self {
        let extension = path.extension().map(OsStr::to_ascii_lowercase);
        match extension.as_deref().and_then(|it| it.to_str()) {
            Some("csv") => Self::Csv,
            Some("parquet") => Self::Parquet,
            Some(_) | None => Self::Jsonl,
        }
    }
}

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// An unsigned integer of up to 64 bits.
    Count,
    /// A price or a quantity.
    Decimal,
    /// Nanoseconds since the UNIX epoch.
    Time,
    Flag,
    Text,
}

/// Decimals of every [`Kind::Decimal`]: as many as an instrument may have.
const SCALE: u32 = 9;
/// Digits of every [`Kind::Decimal`]: as many as its 16 bytes hold.
const PRECISION: i32 = 38;
const DECIMAL_LEN: i32 = 16;

/// Name and type, in the order in which they are written.
type Column = (&'static str, Kind);

/// The columns at the front that every row has.
const ALWAYS: usize = 4;

/// Of all events.
const EVENTS: &[Column] = &[
    ("seq", Kind::Count),
    ("index", Kind::Count),
    ("time_ns", Kind::Time),
    ("event", Kind::Text),
    ("port", Kind::Count),
    ("user_ref_num", Kind::Count),
    ("user_ref_index", Kind::Count),
    ("side", Kind::Text),
    ("symbol", Kind::Text),
    ("order_reference", Kind::Count),
    ("price", Kind::Decimal),
    ("quantity", Kind::Decimal),
    ("open", Kind::Decimal),
    ("time_in_force", Kind::Text),
    ("display", Kind::Text),
    ("capacity", Kind::Text),
    ("state", Kind::Text),
    ("is_resting", Kind::Flag),
    ("client_order_id", Kind::Text),
    ("orig_user_ref_num", Kind::Count),
    ("old_order_reference", Kind::Count),
    ("reason", Kind::Text),
    ("match_number", Kind::Count),
    ("maker_port", Kind::Count),
    ("maker_user_ref_num", Kind::Count),
    ("maker_user_ref_index", Kind::Count),
    ("maker_side", Kind::Text),
    ("maker_order_reference", Kind::Count),
    ("maker_open", Kind::Decimal),
    ("maker_is_hidden", Kind::Flag),
    ("taker_port", Kind::Count),
    ("taker_user_ref_num", Kind::Count),
    ("taker_user_ref_index", Kind::Count),
    ("taker_order_reference", Kind::Count),
    ("was_shown", Kind::Flag),
    ("prevented", Kind::Decimal),
    ("strategy", Kind::Text),
    ("was_arriving", Kind::Flag),
    ("firm", Kind::Text),
    ("bytes", Kind::Text),
    ("is_last", Kind::Flag),
    ("next_user_ref_num", Kind::Count),
    ("answer", Kind::Text),
    ("code", Kind::Text),
    ("instrument", Kind::Count),
    ("locate", Kind::Count),
    ("lot", Kind::Decimal),
    ("price_decimals", Kind::Count),
    ("quantity_decimals", Kind::Count),
    ("session", Kind::Text),
    ("date", Kind::Text),
    ("midnight_ns", Kind::Time),
    ("request", Kind::Count),
    ("outcome", Kind::Text),
];

/// Those of them that a trade has.
const TRADES: [&str; 19] = [
    "seq",
    "index",
    "time_ns",
    "event",
    "symbol",
    "price",
    "quantity",
    "match_number",
    "maker_port",
    "maker_user_ref_num",
    "maker_user_ref_index",
    "maker_side",
    "maker_order_reference",
    "maker_open",
    "maker_is_hidden",
    "taker_port",
    "taker_user_ref_num",
    "taker_user_ref_index",
    "taker_order_reference",
];

/// Rows of CSV that are written at once.
const ROWS_PER_WRITE: usize = 4_096;

/// A table being written.
pub(super) struct Table<'a> {
    target: Target<'a>,
    columns: Vec<Column>,
    encoder: Encoder,
    /// A line of JSON being made.
    line: Vec<u8>,
    /// Of CSV.
    rows: usize,
}

enum Encoder {
    Lines,
    Csv(Box<csv::Writer<Vec<u8>>>),
    Parquet(Box<Parquet>),
}

impl<'a> Table<'a> {
    /// Begins a table of all events.
    pub(super) fn of_events(target: Target<'a>, format: Format) -> io::Result<Self> {
        Self::new(target, format, EVENTS.to_vec())
    }

    /// Begins a table of trades.
    pub(super) fn of_trades(target: Target<'a>, format: Format) -> io::Result<Self> {
        let columns = EVENTS.iter().filter(|(name, _)| TRADES.contains(name));
        Self::new(target, format, columns.copied().collect())
    }

    fn new(target: Target<'a>, format: Format, columns: Vec<Column>) -> io::Result<Self> {
        let encoder = match format {
            Format::Jsonl => Encoder::Lines,
            Format::Csv => {
                let mut writer = csv::Writer::from_writer(Vec::new());
                writer.write_record(columns.iter().map(|(name, _)| name))?;
                Encoder::Csv(Box::new(writer))
            }
            Format::Parquet => Encoder::Parquet(Box::new(Parquet::new(&columns)?)),
        };
        Ok(Self { target, columns, encoder, line: Vec::new(), rows: 0 })
    }

    /// Writes the next row.
    pub(super) fn put(&mut self, line: &Line) -> io::Result<()> {
        self.target.count();
        match &mut self.encoder {
            Encoder::Lines => {
                self.line.clear();
                serde_json::to_writer(&mut self.line, line)?;
                self.line.push(b'\n');
                self.target.write(&self.line)
            }
            Encoder::Csv(writer) => {
                let row = row(line, &self.columns)?;
                let cells = self.columns.iter().map(|(name, _)| match row.get(*name) {
                    Some(Value::String(text)) => text.clone(),
                    Some(other) => other.to_string(),
                    None => String::new(),
                });
                writer.write_record(cells)?;
                self.rows += 1;
                if self.rows.is_multiple_of(ROWS_PER_WRITE) {
                    send(writer, &mut self.target)?;
                }
                Ok(())
            }
            Encoder::Parquet(parquet) => {
                parquet.add(&row(line, &self.columns)?)?;
                if ROWS_PER_GROUP <= parquet.rows {
                    parquet.end_group()?;
                    self.target.write(&parquet.take()?)?;
                }
                Ok(())
            }
        }
    }

    /// Writes what must stand at the end; the target is then to be finished.
    pub(super) fn end(mut self) -> io::Result<Target<'a>> {
        match self.encoder {
            Encoder::Lines => {}
            Encoder::Csv(mut writer) => send(&mut writer, &mut self.target)?,
            Encoder::Parquet(parquet) => self.target.write(&parquet.end()?)?,
        }
        Ok(self.target)
    }
}

/// Passes on what a CSV writer has gathered.
fn send(writer: &mut csv::Writer<Vec<u8>>, target: &mut Target<'_>) -> io::Result<()> {
    writer.flush()?;
    // The writer keeps nothing of its own after a flush, so what is behind it may be another one.
    let done = mem::replace(writer, csv::Writer::from_writer(Vec::new()));
    target.write(&done.into_inner().map_err(|error| io::Error::other(error.to_string()))?)
}

/// The fields of a line, every one of which has a column.
fn row(line: &Line, columns: &[Column]) -> io::Result<Map<String, Value>> {
    let Value::Object(row) = serde_json::to_value(line)? else {
        return Err(io::Error::other("an event is no object"));
    };
    let placed = columns.iter().filter(|(name, _)| row.contains_key(*name)).count();
    assert_eq!(placed, row.len(), "a field without a column in {row:?}");
    Ok(row)
}

/// Rows that are compressed together, and kept in memory until then.
const ROWS_PER_GROUP: usize = 1 << 16;

/// The values of a column in the rows gathered.
#[derive(Debug)]
enum Gathered {
    Counts(Vec<i64>),
    Decimals(Vec<ByteArray>),
    Flags(Vec<bool>),
    Texts(Vec<ByteArray>),
}

/// A column of the rows gathered.
#[derive(Debug)]
struct Part {
    name: &'static str,
    kind: Kind,
    values: Gathered,
    /// By row: 1 where there is a value.
    levels: Vec<i16>,
}

struct Parquet {
    writer: SerializedFileWriter<Vec<u8>>,
    parts: Vec<Part>,
    rows: usize,
}

impl Parquet {
    fn new(columns: &[Column]) -> io::Result<Self> {
        let fields: Result<Vec<_>, ParquetError> =
            columns.iter().enumerate().map(|(at, column)| field(at, *column)).collect();
        let schema = Type::group_type_builder("events").with_fields(fields?).build()?;
        let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
        let writer = SerializedFileWriter::new(Vec::new(), Arc::new(schema), Arc::new(properties))?;
        let parts = columns.iter().map(|&(name, kind)| {
            let values = match kind {
                Kind::Count | Kind::Time => Gathered::Counts(Vec::new()),
                Kind::Decimal => Gathered::Decimals(Vec::new()),
                Kind::Flag => Gathered::Flags(Vec::new()),
                Kind::Text => Gathered::Texts(Vec::new()),
            };
            Part { name, kind, values, levels: Vec::new() }
        });
        Ok(Self { writer, parts: parts.collect(), rows: 0 })
    }

    fn add(&mut self, row: &Map<String, Value>) -> io::Result<()> {
        for part in &mut self.parts {
            let is_there = match row.get(part.name) {
                Some(value) => part.add(value)?,
                None => false,
            };
            part.levels.push(i16::from(is_there));
        }
        self.rows += 1;
        Ok(())
    }

    fn end_group(&mut self) -> io::Result<()> {
        let mut group = self.writer.next_row_group()?;
        for (at, part) in self.parts.iter_mut().enumerate() {
            let Some(mut column) = group.next_column()? else { break };
            // A column that every row has is written without levels.
            let levels = (ALWAYS <= at).then_some(&part.levels[..]);
            part.write(&mut column, levels)?;
            column.close()?;
            part.clear();
        }
        group.close()?;
        self.rows = 0;
        Ok(())
    }

    /// What is ready to be written out.
    fn take(&mut self) -> io::Result<Vec<u8>> {
        self.writer.flush()?;
        Ok(mem::take(self.writer.inner_mut()))
    }

    /// The rest of the file.
    fn end(mut self) -> io::Result<Vec<u8>> {
        if 0 < self.rows {
            self.end_group()?;
        }
        Ok(self.writer.into_inner()?)
    }
}

/// How a column is described in the file.
fn field(at: usize, (name, kind): (&str, Kind)) -> Result<Arc<Type>, ParquetError> {
    let (physical, logical) = match kind {
        Kind::Count => (Physical::INT64, Some(LogicalType::integer(64, false))),
        Kind::Time => (Physical::INT64, Some(LogicalType::timestamp(true, TimeUnit::NANOS))),
        Kind::Decimal => {
            let scale = i32::try_from(SCALE).unwrap_or(0);
            (Physical::FIXED_LEN_BYTE_ARRAY, Some(LogicalType::decimal(scale, PRECISION)))
        }
        Kind::Flag => (Physical::BOOLEAN, None),
        Kind::Text => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
    };
    let is_always = at < ALWAYS;
    let repetition = if is_always { Repetition::REQUIRED } else { Repetition::OPTIONAL };
    let builder = Type::primitive_type_builder(name, physical)
        .with_repetition(repetition)
        .with_logical_type(logical);
    let builder = if kind == Kind::Decimal {
        let scale = i32::try_from(SCALE).unwrap_or(0);
        builder.with_length(DECIMAL_LEN).with_precision(PRECISION).with_scale(scale)
    } else {
        builder
    };
    Ok(Arc::new(builder.build()?))
}

impl Part {
    /// Adds a value; `false` where it stands for none.
    fn add(&mut self, value: &Value) -> io::Result<bool> {
        let text = value.as_str();
        let parsed = match &mut self.values {
            Gathered::Counts(counts) => {
                let count = value.as_u64().or_else(|| text?.parse().ok());
                // The same bits; the schema says that they are unsigned.
                count.map(|count| counts.push(count.cast_signed()))
            }
            // The price of a market order is none.
            Gathered::Decimals(_) if text == Some("market") => return Ok(false),
            Gathered::Decimals(decimals) => text.and_then(scaled).map(|scaled| {
                decimals.push(ByteArray::from(scaled.to_be_bytes().to_vec()));
            }),
            Gathered::Flags(flags) => value.as_bool().map(|flag| flags.push(flag)),
            Gathered::Texts(texts) => {
                let owned = text.map_or_else(|| value.to_string(), str::to_owned);
                texts.push(ByteArray::from(owned.into_bytes()));
                Some(())
            }
        };
        let Self { name, kind, .. } = self;
        parsed
            .map(|()| true)
            .ok_or_else(|| io::Error::other(format!("{name}: expected {kind:?}, found {value}")))
    }

    fn write(
        &self,
        column: &mut SerializedColumnWriter<'_>,
        levels: Option<&[i16]>,
    ) -> Result<(), ParquetError> {
        match &self.values {
            Gathered::Counts(counts) => {
                column.typed::<Int64Type>().write_batch(counts, levels, None)?;
            }
            Gathered::Decimals(decimals) => {
                let decimals: Vec<_> = decimals.iter().cloned().map(Into::into).collect();
                column.typed::<FixedLenByteArrayType>().write_batch(&decimals, levels, None)?;
            }
            Gathered::Flags(flags) => {
                column.typed::<BoolType>().write_batch(flags, levels, None)?;
            }
            Gathered::Texts(texts) => {
                column.typed::<ByteArrayType>().write_batch(texts, levels, None)?;
            }
        }
        Ok(())
    }

    fn clear(&mut self) {
        self.levels.clear();
        match &mut self.values {
            Gathered::Counts(counts) => counts.clear(),
            Gathered::Decimals(bytes) | Gathered::Texts(bytes) => bytes.clear(),
            Gathered::Flags(flags) => flags.clear(),
        }
    }
}

/// A decimal in units of 10^-[`SCALE`].
fn scaled(text: &str) -> Option<i128> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let missing = SCALE.checked_sub(u32::try_from(fraction.len()).ok()?)?;
    let digits: i128 = format!("{whole}{fraction}").parse().ok()?;
    digits.checked_mul(10_i128.pow(missing))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_become_integers_of_one_scale() {
        assert_eq!(scaled("0.0001"), Some(100_000));
        assert_eq!(scaled("12"), Some(12_000_000_000));
        assert_eq!(scaled("4294967295"), Some(4_294_967_295_000_000_000));
        assert_eq!(scaled("1.000000001"), Some(1_000_000_001));
        assert_eq!(scaled("1.0000000001"), None, "more decimals than there are");
        assert_eq!(scaled("market"), None);
    }

    #[test]
    fn the_name_of_a_file_asks_for_its_format() {
        for (name, format) in [
            ("a.csv", Format::Csv),
            ("a.PARQUET", Format::Parquet),
            ("a.jsonl", Format::Jsonl),
            ("-", Format::Jsonl),
        ] {
            assert_eq!(Format::of(Path::new(name)), format, "{name}");
        }
    }

    #[test]
    fn the_columns_of_trades_are_columns_of_events() {
        let names: Vec<_> = EVENTS.iter().map(|(name, _)| *name).collect();
        assert!(TRADES.iter().all(|name| names.contains(name)));
        assert_eq!(TRADES[..ALWAYS], names[..ALWAYS]);
    }
}
