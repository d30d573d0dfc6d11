//! From the names that people use to what the engine knows: targets of kills, and instruments.

use std::collections::BTreeMap;

use uncross_server::{
    config::similar::nearest,
    engine::{command::Target, instrument::Instrument},
    users::{FIRM_LEN_MAX, NAME_LEN_MAX, User, Users},
};

use crate::problem::{self, Problem};

/// How a target is written.
const TARGETS: &str = "venue, firm:ABCD, user:NAME or port:N";

/// The venue's users, as at its start: it learns of others when it starts again.
#[derive(Debug)]
pub(crate) struct Targets {
    users: Users,
}

impl Targets {
    pub(crate) const fn new(users: Users) -> Self {
        Self { users }
    }

    /// The target written `text`, users and firms in any case. To kill, a firm must be somebody's:
    /// a slip of the pen in an emergency must not look like a success. A kill that stands can be
    /// ended whoever it was about.
    pub(crate) fn find(&self, text: &str, is_kill: bool) -> Result<Target, Problem> {
        let malformed = || {
            Problem::new(&problem::VALUE, "the target makes no sense")
                .expected(TARGETS)
                .found(format!("{text:?}"))
        };
        if text == "venue" {
            return Ok(Target::Venue);
        }
        let (kind, name) = text.split_once(':').ok_or_else(malformed)?;
        let is_word = |len_max: usize| {
            let is_plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric());
            is_plain && !name.is_empty() && name.len() <= len_max
        };
        match kind {
            "firm" if is_word(FIRM_LEN_MAX) => self.firm(&name.to_ascii_uppercase(), is_kill),
            "user" if is_word(NAME_LEN_MAX) => self.user(name),
            "port" => name.parse().map(Target::Port).map_err(|_error| malformed()),
            _ => Err(malformed()),
        }
    }

    fn user(&self, name: &str) -> Result<Target, Problem> {
        let known = self.users.list();
        let user = self.users.find(name);
        let user = user.ok_or_else(|| unknown("user", name, known.iter().map(User::name)))?;
        user.port().map(Target::Port).ok_or_else(|| {
            let message = format!("user {} enters no orders", user.name());
            Problem::new(&problem::UNKNOWN_TARGET, message)
                .expected("a user with a port")
                .found("a user for drop copies")
        })
    }

    fn firm(&self, name: &str, is_kill: bool) -> Result<Target, Problem> {
        let mut firms = self.users.list().iter().map(User::firm_text);
        if is_kill && !firms.any(|firm| firm == name) {
            return Err(unknown("firm", name, self.users.list().iter().map(User::firm_text)));
        }
        let mut firm = [b' '; FIRM_LEN_MAX];
        firm[..name.len()].copy_from_slice(name.as_bytes());
        Ok(Target::Firm(firm))
    }
}

fn unknown<'a>(kind: &str, name: &str, known: impl Iterator<Item = &'a str>) -> Problem {
    let problem = Problem::new(&problem::UNKNOWN_TARGET, format!("there is no {kind} {name}"));
    let expected = match nearest(&name.to_ascii_uppercase(), known) {
        Some(nearest) => format!("{kind}:{nearest}, perhaps"),
        None => format!("a {kind} of users.toml as it was at the venue's start"),
    };
    problem.expected(expected).found(format!("{kind}:{name}"))
}

/// The symbols that belong to ids, for ever: those of the journal and those listed since. What the
/// engine makes of an id is its own affair.
#[derive(Debug)]
pub(crate) struct Symbols {
    ids: BTreeMap<String, u32>,
}

impl Symbols {
    pub(crate) fn new(known: &[(u32, [u8; 8])]) -> Self {
        let ids = known.iter().map(|(id, symbol)| (text(*symbol), *id));
        Self { ids: ids.collect() }
    }

    /// Notes an instrument that was listed.
    pub(crate) fn learn(&mut self, instrument: &Instrument) {
        self.ids.insert(text(instrument.symbol), instrument.id);
    }

    /// The id that `name` means: a symbol or `id:N`. A number alone is a symbol or nothing, so that
    /// no slip reaches another instrument.
    pub(crate) fn find(&self, name: &str) -> Result<u32, Problem> {
        let number = |text: &str| {
            let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
            is_number.then(|| text.parse().ok()).flatten()
        };
        if let Some(id) = name.strip_prefix("id:").and_then(number) {
            return Ok(id);
        }
        if let Some(id) = self.ids.get(name) {
            return Ok(*id);
        }
        let nearest = nearest(name, self.ids.keys().map(String::as_str));
        Err(unknown_instrument(name, nearest))
    }
}

pub(crate) fn unknown_instrument(name: &str, nearest: Option<String>) -> Problem {
    let expected = nearest.map_or_else(
        || String::from("a symbol that is listed, or id:N"),
        |nearest| format!("{nearest}, perhaps"),
    );
    Problem::new(&problem::UNKNOWN_INSTRUMENT, format!("no instrument {name} is listed"))
        .expected(expected)
        .found(format!("{name:?}"))
}

/// A symbol without its padding.
fn text(symbol: [u8; 8]) -> String {
    symbol.trim_ascii_end().escape_ascii().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn targets() -> Targets {
        let mut users = Users::new("users.toml");
        users.add("ALPHA1", "ABCD", "secret").unwrap();
        users.add("BETA", "XY", "secret").unwrap();
        users.add_drop_copy("COPY", "XY", "secret").unwrap();
        Targets::new(users)
    }

    #[test]
    fn targets_are_found_in_any_case() {
        let targets = targets();
        for (text, expected) in [
            ("venue", Target::Venue),
            ("firm:ABCD", Target::Firm(*b"ABCD")),
            ("firm:xy", Target::Firm(*b"XY  ")),
            ("user:alpha1", Target::Port(1)),
            ("user:BETA", Target::Port(2)),
            ("port:65535", Target::Port(65_535)),
        ] {
            assert_eq!(targets.find(text, true).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn targets_of_nobody_are_refused_with_the_nearest_name() {
        let targets = targets();
        let said = |text: &str, is_kill: bool| {
            serde_json::to_string(&targets.find(text, is_kill).unwrap_err()).unwrap()
        };
        assert!(said("firm:ABCE", true).contains("firm:ABCD, perhaps"));
        assert!(said("user:ALPHA2", true).contains("user:ALPHA1, perhaps"));
        assert!(said("user:COPY", true).contains("user COPY enters no orders"));
        assert!(said("user:ALPHA2", false).contains("UX-A030"));
        assert_eq!(targets.find("firm:GONE", false).unwrap(), Target::Firm(*b"GONE"));
        for text in [
            "",
            "Venue",
            "venue:",
            "firm:",
            "firm:ABCDE",
            "firm:A B",
            "user:",
            "port:",
            "port:-1",
            "port:65536",
            "port:1x",
            "nobody:1",
            "firm",
        ] {
            for is_kill in [true, false] {
                assert!(said(text, is_kill).contains("UX-A029"), "{text}");
            }
        }
    }

    #[test]
    fn digits_alone_are_a_symbol_and_never_an_id() {
        let symbols = Symbols::new(&[(1, *b"DEMO    "), (2, *b"700     ")]);
        for (name, id) in [("DEMO", 1), ("700", 2), ("id:700", 700), ("id:2", 2)] {
            assert_eq!(symbols.find(name).unwrap(), id, "{name}");
        }
        for name in ["", "demo", "701", "1", "id:", "id:x", "-1", "+1", "99999999999"] {
            assert!(symbols.find(name).is_err(), "{name:?}");
        }
    }
}
