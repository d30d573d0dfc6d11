//! Reads LOBSTER message files: one event of an instrument per line.
//!
//! Columns: seconds after midnight, type, order id, size, price in dollars x 10,000, direction (1
//! buy, -1 sell; of an execution that of the resting order). Source: lobsterdata.com, "Data
//! Structure".

use std::{
    fmt,
    io::{self, BufRead, Read},
};

use uncross_client::{Side, wire::text::parse_price};

/// Longest line; six numbers of 20 digits fit with room to spare.
const LINE_LEN_MAX: u64 = 256;
/// Some programs begin every text with it.
const BYTE_ORDER_MARK: char = '\u{FEFF}';
/// Digits after the point of a time that are read; files have nine.
const TIME_DECIMALS: u8 = 12;

/// What happened to an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Type 1: it was entered.
    Enter,
    /// Type 2: it was reduced.
    Reduce,
    /// Type 3: it was deleted.
    Delete,
    /// Type 4: it was executed, whole or in part.
    Execute,
}

/// An event of the visible book.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Event {
    /// Line in the file, from 1.
    pub(super) line: u32,
    pub(super) kind: Kind,
    /// At least 1.
    pub(super) id: u64,
    /// Where the id stands in its line, from 1.
    pub(super) id_column: usize,
    /// At least 1.
    pub(super) shares: u32,
    /// Where the size stands in its line, from 1.
    pub(super) shares_column: usize,
    /// Dollars x 10,000.
    pub(super) price: u32,
    /// Side of the order.
    pub(super) side: Side,
}

/// A message file.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Messages {
    /// In the order of the file.
    pub(super) events: Vec<Event>,
    /// Events of types 5, 6 and 7, which concern no visible order.
    pub(super) dropped: u32,
}

/// Where a file is not what it should be.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// From 1.
    pub(super) line: u32,
    /// Character of the line, from 1.
    pub(super) column: usize,
    pub(super) expected: String,
    pub(super) found: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, column, expected, found } = self;
        write!(f, "line {line}, column {column}: expected {expected}, found {found}")
    }
}

/// Why a file could not be read.
#[derive(Debug)]
pub(super) enum ReadError {
    /// A line is malformed.
    Fault(Fault),
    /// The system failed the read, or the file is no text.
    Io(io::Error),
}

/// Reads a whole file.
pub(super) fn read(mut source: impl BufRead) -> Result<Messages, ReadError> {
    let mut messages = Messages::default();
    let mut text = String::new();
    for line in 1.. {
        text.clear();
        let len = source.by_ref().take(LINE_LEN_MAX).read_line(&mut text).map_err(ReadError::Io)?;
        if len == 0 {
            break;
        }
        let mut content = text.trim_end_matches(['\r', '\n']);
        if line == 1 {
            content = content.strip_prefix(BYTE_ORDER_MARK).unwrap_or(content);
        }
        // An empty line is taken for the end of the file only where it is the end.
        if content.is_empty() && source.fill_buf().map_err(ReadError::Io)?.is_empty() {
            break;
        }
        match parse(line, content).map_err(ReadError::Fault)? {
            Some(event) => messages.events.push(event),
            None => messages.dropped += 1,
        }
    }
    Ok(messages)
}

/// One field of a line.
#[derive(Clone, Copy)]
struct Field<'a> {
    line: u32,
    column: usize,
    text: &'a str,
}

impl Field<'_> {
    fn fault(self, expected: &str) -> Fault {
        let Field { line, column, text } = self;
        Fault { line, column, expected: expected.to_owned(), found: format!("{text:?}") }
    }

    fn number<T: std::str::FromStr + PartialOrd + From<u8>>(
        self,
        expected: &str,
    ) -> Result<T, Fault> {
        match self.text.parse() {
            Ok(value) if T::from(1) <= value && !self.text.starts_with('+') => Ok(value),
            Ok(_) | Err(_) => Err(self.fault(expected)),
        }
    }
}

/// Reads one line; `None` is an event that concerns no visible order.
fn parse(line: u32, text: &str) -> Result<Option<Event>, Fault> {
    let mut column = 1;
    let fields = text.split(',').map(|part| {
        let field = Field { line, column, text: part };
        column += part.chars().count() + 1;
        field
    });
    let fields: Vec<Field<'_>> = fields.collect();
    let &[time, kind, id, shares, price, direction] = fields.as_slice() else {
        return Err(Fault {
            line,
            column: 1,
            expected: "six fields: time,type,order id,size,price,direction".to_owned(),
            found: format!("{} in {text:?}", fields.len()),
        });
    };
    if parse_price(time.text, TIME_DECIMALS).is_err() {
        return Err(time.fault("seconds after midnight"));
    }
    let kind = match kind.text {
        "1" => Kind::Enter,
        "2" => Kind::Reduce,
        "3" => Kind::Delete,
        "4" => Kind::Execute,
        "5" | "6" | "7" => return Ok(None),
        _ => return Err(kind.fault("a type from 1 to 7")),
    };
    let side = match direction.text {
        "1" => Side::Buy,
        "-1" => Side::Sell,
        _ => return Err(direction.fault("a direction, 1 or -1")),
    };
    Ok(Some(Event {
        line,
        kind,
        id: id.number("an order id from 1")?,
        id_column: id.column,
        shares: shares.number("a size from 1")?,
        shares_column: shares.column,
        price: price.number("a price from 1, in dollars x 10,000")?,
        side,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str) -> Fault {
        match read(text.as_bytes()).unwrap_err() {
            ReadError::Fault(fault) => fault,
            ReadError::Io(error) => panic!("{error}"),
        }
    }

    #[test]
    fn every_type_is_read_or_dropped() {
        let text = "34200.004241176,1,16113575,18,5853300,1\n34200.1,2,16113575,8,5853300,1\r\n\
                    34201,3,16113575,5,5853300,1\n34202.5,5,0,100,5853350,-1\n\
                    34203,4,7,5,5853400,-1\n34204,7,0,0,-1,-1";
        let messages = read(text.as_bytes()).unwrap();
        let kinds: Vec<_> = messages.events.iter().map(|event| (event.line, event.kind)).collect();
        let expected = [(1, Kind::Enter), (2, Kind::Reduce), (3, Kind::Delete), (5, Kind::Execute)];
        assert_eq!((kinds.as_slice(), messages.dropped), (&expected[..], 2));
        let first = Event {
            line: 1,
            kind: Kind::Enter,
            id: 16_113_575,
            id_column: 19,
            shares: 18,
            shares_column: 28,
            price: 5_853_300,
            side: Side::Buy,
        };
        assert_eq!(messages.events[0], first);
        assert_eq!(messages.events[3].side, Side::Sell);
    }

    #[test]
    fn faults_say_where_and_what() {
        for (text, line, column, expected, found) in [
            (
                "1,2,3",
                1,
                1,
                "six fields: time,type,order id,size,price,direction",
                "3 in \"1,2,3\"",
            ),
            ("34200,1,7,18,5853300,1\n\n\n", 2, 1, "six fields", "1 in \"\""),
            ("noon,1,7,18,5853300,1", 1, 1, "seconds after midnight", "\"noon\""),
            ("34200,8,7,18,5853300,1", 1, 7, "a type from 1 to 7", "\"8\""),
            ("34200,1,0,18,5853300,1", 1, 9, "an order id from 1", "\"0\""),
            ("34200,1,+7,18,5853300,1", 1, 9, "an order id from 1", "\"+7\""),
            ("34200,1,7,-18,5853300,1", 1, 11, "a size from 1", "\"-18\""),
            ("34200,4,7,18,5853300.5,1", 1, 14, "a price from 1", "\"5853300.5\""),
            ("34200,4,7,18,5853300,0", 1, 22, "a direction, 1 or -1", "\"0\""),
        ] {
            let fault = fault(text);
            assert_eq!((fault.line, fault.column), (line, column), "{text}");
            assert!(fault.expected.starts_with(expected), "{text}: {fault}");
            assert_eq!(fault.found, found, "{text}");
        }
        let shown = fault("noon,1,7,18,5853300,1").to_string();
        assert_eq!(shown, "line 1, column 1: expected seconds after midnight, found \"noon\"");
    }

    #[test]
    fn mark_at_the_start_and_empty_line_at_the_end_are_nothing() {
        let line = "34200,1,7,18,5853300,1\n";
        let plain = read(line.as_bytes()).unwrap();
        assert_eq!(read(format!("\u{FEFF}{line}\r\n").as_bytes()).unwrap(), plain);
    }

    #[test]
    fn endless_line_is_a_fault_and_no_text_an_error() {
        assert_eq!(fault(&"1".repeat(10_000)).column, 1);
        assert!(matches!(read(&b"\xFF\n"[..]), Err(ReadError::Io(_))));
    }
}
