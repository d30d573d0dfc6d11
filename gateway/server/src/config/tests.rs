use std::{fs, io, iter};

use tempfile::TempDir;
use uncross_engine::instrument::InstrumentError;

use super::*;

/// Loads a file with this text.
fn load(text: &str) -> Result<Config, ConfigError> {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("venue.toml");
    fs::write(&path, text).unwrap();
    Config::load(Some(&path), iter::empty(), &[])
}

fn pair(key: &str, value: &str) -> (String, String) {
    (key.to_owned(), value.to_owned())
}

fn with_variable(name: &str, value: &str) -> Result<Config, ConfigError> {
    Config::load(None, iter::once(pair(name, value)), &[])
}

fn with_override(key: &str, value: &str) -> Result<Config, ConfigError> {
    Config::load(None, iter::empty(), &[pair(key, value)])
}

fn default() -> Config {
    Config::load(None, iter::empty(), &[]).unwrap()
}

/// Line and key of the fault, and its text behind the place.
fn fault(result: Result<Config, ConfigError>) -> (Option<u32>, String, String) {
    let error = result.unwrap_err();
    let place = error.place().unwrap().clone();
    let text = error.to_string();
    let what = text.strip_prefix(&format!("{place}: ")).unwrap().to_owned();
    (place.line, place.key, what)
}

#[test]
fn default_file_gives_the_documented_values() {
    let config = default();
    assert_eq!(config.venue.name, "UNCROSS");
    assert_eq!((config.venue.utc_offset_s, config.venue.day_roll_s), (0, 0));
    assert_eq!(config.orders.listen.to_string(), "127.0.0.1:9001");
    assert_eq!(config.data.listen.to_string(), "127.0.0.1:9002");
    let session = Session {
        login_timeout: Duration::from_secs(2),
        heartbeat_interval: Duration::from_secs(1),
        client_timeout: Duration::from_secs(15),
        connections_max: 4_096,
        connections_per_address_max: 16,
        frame_len_max: 1_024,
        frames_per_turn: 8,
        lag_max: 4 << 20,
        lag_time_max: Duration::from_secs(1),
    };
    assert_eq!(config.session, session);
    let spin = Duration::from_micros(50);
    let core = Core { layout: Layout::Auto, pin: true, wait: Wait::Auto, spin };
    assert_eq!(config.core, core);
    let flush_interval = Duration::from_millis(5);
    let (level, segment) = (Level::Group, 64 << 20);
    let (snapshot_every, snapshot_rest) = (1_000_000, 99);
    let journal = Journal { level, flush_interval, segment, snapshot_every, snapshot_rest };
    assert_eq!(config.journal, journal);
    assert_eq!(config.capacity, Capacity::default());
    assert_eq!(config.queues, Queues { ring_slots: 16_384, outbound_events: 65_536 });
}

#[test]
fn default_instruments_have_different_scales() {
    let found: Vec<_> = default()
        .instruments
        .iter()
        .map(|each| (each.price_decimals, each.qty_decimals, each.tick, each.lot, each.qty_max))
        .collect();
    let expected = [
        (4, 0, 100, 1, 999_999),
        (4, 0, 1, 100, 900_000),
        (3, 0, 500, 1, 10_000),
        (2, 3, 1, 1, 10_000_000),
        (2, 0, 25, 1, 2_000),
    ];
    assert_eq!(found, expected);
}

#[test]
fn later_sources_win() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("venue.toml");
    fs::write(&path, "[session]\nlogin_timeout = \"3s\"\nclient_timeout = \"30s\"\n").unwrap();
    let variable = || iter::once(pair("UNCROSS__SESSION__LOGIN_TIMEOUT", "4s"));
    let load = |variables: &mut dyn Iterator<Item = _>, overrides: &[_]| {
        let session = Config::load(Some(&path), variables, overrides).unwrap().session;
        (session.login_timeout.as_secs(), session.client_timeout.as_secs())
    };
    assert_eq!(load(&mut iter::empty(), &[]), (3, 30));
    assert_eq!(load(&mut variable(), &[]), (4, 30));
    let overrides = [pair("session.login_timeout", "5s"), pair("session.login_timeout", "6s")];
    assert_eq!(load(&mut variable(), &overrides[..1]), (5, 30));
    assert_eq!(load(&mut variable(), &overrides), (6, 30));
}

#[test]
fn environment_sets_every_type_and_ignores_other_programs() {
    let variables = [
        pair("UNCROSS__CORE__PIN", "false"),
        pair("UNCROSS__SESSION__CONNECTIONS_MAX", "10k"),
        pair("UNCROSS__SESSION__LAG_MAX", "8MiB"),
        pair("UNCROSS_VENUE", "elsewhere"),
        pair("PATH", "/bin"),
    ];
    let config = Config::load(None, variables.into_iter(), &[]).unwrap();
    assert!(!config.core.pin);
    assert_eq!((config.session.connections_max, config.session.lag_max), (10_000, 8 << 20));
}

#[test]
fn listed_instruments_replace_the_default_list() {
    let config = load(
        "[[instrument]]\nid = 9\nsymbol = \"ABC\"\n\
         [[instrument]]\nid = 7\nsymbol = \"XYZ\"\ntick = \"0.5\"\n",
    )
    .unwrap();
    let ids: Vec<_> = config.instruments.iter().map(|each| each.id).collect();
    assert_eq!(ids, [9, 7]);
    let expected = Instrument {
        id: 9,
        symbol: *b"ABC     ",
        price_decimals: 4,
        qty_decimals: 0,
        tick: 100,
        lot: 1,
        qty_min: 1,
        qty_max: 999_999,
        collar_bp: 500,
        reference_px: 0,
    };
    assert_eq!(config.instruments[0], expected);
    assert_eq!(config.instruments[1].tick, 5_000);
}

#[test]
fn empty_file_and_empty_sections_change_nothing() {
    assert_eq!(load("").unwrap(), default());
    assert_eq!(load("[core]\n# pin = false\n[session]\n").unwrap(), default());
}

#[test]
fn default_text_as_a_file_changes_nothing() {
    assert_eq!(load(Config::default_text()).unwrap(), default());
}

#[test]
fn local_times_are_seconds() {
    let config = load("[venue]\nutc_offset = \"-03:30\"\nday_roll = \"17:05\"\n").unwrap();
    assert_eq!((config.venue.utc_offset_s, config.venue.day_roll_s), (-12_600, 61_500));
    assert_eq!(utc_offset_s("+14:00"), Some(50_400));
    for wrong in ["", "00:00", "+14:01", "+1:00", "+01:0x", "\u{e9}01:00", "+01:60"] {
        assert_eq!(utc_offset_s(wrong), None, "{wrong}");
    }
    for wrong in ["24:00", "12:60", "1:00", "12.30", "12:30:0", "-1:00"] {
        assert_eq!(time_of_day_s(wrong), None, "{wrong}");
    }
}

#[test]
fn unreadable_file_is_named() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("missing.toml");
    let error = Config::load(Some(&path), iter::empty(), &[]).unwrap_err();
    assert!(error.place().is_none());
    match error {
        ConfigError::Read { path: found, source } => {
            assert_eq!((found, source.kind()), (path, io::ErrorKind::NotFound));
        }
        other => panic!("{other}"),
    }
}

#[test]
fn text_that_is_no_toml_is_refused_with_its_line() {
    let error = load("[venue]\nname = \"A\"\nname =\n").unwrap_err();
    assert!(matches!(&error, ConfigError::Syntax { .. }), "{error}");
    assert_eq!(error.place().unwrap().line, Some(3));
    let error = load("[venue]\nname = \"A\"\nname = \"B\"\n").unwrap_err();
    assert!(matches!(error, ConfigError::Syntax { .. }), "a key given twice");
}

#[test]
fn unknown_names_are_refused_with_the_nearest_one() {
    for (text, line, key, expected) in [
        ("[sesion]\n", 1, "sesion", Some("session")),
        (
            "[session]\nlogin_timout = \"2s\"\n",
            2,
            "session.login_timout",
            Some("session.login_timeout"),
        ),
        ("[data]\nspin = \"x\"\n", 2, "data.spin", Some("core.spin")),
        ("\nspin = \"1s\"\n", 2, "spin", Some("core.spin")),
        ("[[instruments]]\nid = 1\n", 1, "instruments", Some("instrument")),
        ("[zzz]\nqqq = 1\n", 1, "zzz", None),
        ("[core]\nqqqq.zzzz = 1\n", 2, "core.qqqq", None),
        (
            "[[instrument]]\nid = 1\nsymbol = \"A\"\ntik = \"1\"\n",
            4,
            "instrument[0].tik",
            Some("tick"),
        ),
    ] {
        let error = load(text).unwrap_err();
        let ConfigError::Unknown { place, nearest } = error else {
            panic!("{text}: {error}");
        };
        let found = (place.line, place.key.as_str(), nearest.as_deref());
        assert_eq!(found, (Some(line), key, expected), "{text}");
    }
}

#[test]
fn unknown_variables_and_overrides_are_refused_too() {
    let error = with_variable("UNCROSS__CORE__SPINN", "1s").unwrap_err();
    assert_eq!(error.to_string(), "UNCROSS__CORE__SPINN: core.spinn: unknown setting");
    let error = with_override("jurnal.level", "async").unwrap_err();
    let ConfigError::Unknown { place, nearest } = error else {
        panic!("{error}");
    };
    assert_eq!((place.source, nearest.as_deref()), (Source::Override, Some("journal.level")));
}

#[test]
fn instruments_are_listed_in_files_only() {
    for result in [
        with_variable("UNCROSS__INSTRUMENT__ID", "1"),
        with_override("instrument.id", "1"),
        with_override("instrument", "1"),
    ] {
        let error = result.unwrap_err();
        assert!(matches!(error, ConfigError::FileOnly { .. }), "{error}");
    }
}

#[test]
fn wrong_types_are_refused_with_both_types() {
    for (text, line, key, what) in [
        (
            "[venue]\nname = 5\n",
            2,
            "venue.name",
            "expected 1 to 10 printable ASCII characters without spaces, found integer 5",
        ),
        (
            "[core]\npin = \"true\"\n",
            2,
            "core.pin",
            "expected true or false, found string \"true\"",
        ),
        (
            "[session]\nframes_per_turn = true\n",
            2,
            "session.frames_per_turn",
            "expected a count in 1..=1024, found boolean true",
        ),
        (
            "[session]\nlogin_timeout = 2\n",
            2,
            "session.login_timeout",
            "expected a duration in \"10ms\"..=\"1m\", found integer 2",
        ),
        (
            "[session]\n\nlag_max = 1.5\n",
            3,
            "session.lag_max",
            "expected a size in \"64KiB\"..=\"1GiB\", found float",
        ),
        (
            "[[instrument]]\nid = 1\nsymbol = \"A\"\ntick = 0.01\n",
            4,
            "instrument[0].tick",
            "expected a string such as \"0.01\", at most 4 decimals and 429496.7295, found float",
        ),
        (
            "instrument = 5\n",
            1,
            "instrument",
            "expected a list of tables: [[instrument]], found integer",
        ),
        (
            "instrument = [5]\n",
            1,
            "instrument[0]",
            "expected a table with id and symbol, found integer",
        ),
    ] {
        let result = load(text);
        assert!(matches!(result, Err(ConfigError::WrongType { .. })), "{text}: {result:?}");
        assert_eq!(fault(result), (Some(line), key.to_owned(), what.to_owned()), "{text}");
    }
}

#[test]
fn impossible_values_are_refused_with_the_possible_ones() {
    for (key, value, expected) in [
        ("venue.name", "", "1 to 10 printable ASCII characters without spaces"),
        ("venue.name", "ELEVENCHARS", "1 to 10 printable ASCII characters without spaces"),
        ("venue.name", "A B", "1 to 10 printable ASCII characters without spaces"),
        ("venue.utc_offset", "01:00", "a distance from UTC such as \"+01:00\", at most 14 hours"),
        ("venue.day_roll", "24:00", "a time of day such as \"17:30\" or \"17:30:15\""),
        ("orders.listen", "localhost", "an address and port such as \"127.0.0.1:9001\""),
        ("session.login_timeout", "0s", "a duration in \"10ms\"..=\"1m\""),
        ("session.login_timeout", "2", "a duration in \"10ms\"..=\"1m\""),
        ("session.connections_max", "0", "a count in 1..=524288"),
        ("session.connections_max", "-1", "a count in 1..=524288"),
        ("session.frame_len_max", "1025", "a count in 128..=1024"),
        ("session.lag_max", "1KiB", "a size in \"64KiB\"..=\"1GiB\""),
        ("core.pin", "yes", "true or false"),
        ("core.layout", "spread", "\"auto\", \"fused\" or \"split\""),
        ("core.wait", "nap", "\"auto\", \"spin-then-park\", \"yield-then-park\" or \"spin\""),
        ("session.lag_time_max", "1ms", "a duration in \"10ms\"..=\"10m\""),
        ("core.spin", "2s", "a duration in \"0s\"..=\"1s\""),
        ("journal.level", "safe", "\"async\", \"group\" or \"sync\""),
        ("journal.flush_interval", "2s", "a duration in \"1ms\"..=\"1s\""),
        ("journal.segment", "2GiB", "a size in \"64KiB\"..=\"1GiB\""),
        ("journal.segment", "65KiB", "a multiple of \"64KiB\""),
        ("journal.snapshot_every", "-1", "a count in 0..=1000000000"),
        ("journal.snapshot_rest", "1001", "a count in 0..=1000"),
        ("capacity.orders", "16777217", "a count in 1..=16777216"),
        ("capacity.levels", "0", "a count in 1..=16777216"),
        ("capacity.ladder_nodes", "5", "a count in 6..=4194304"),
        ("capacity.instruments", "65536", "a count in 1..=65535"),
        ("capacity.ports", "4097", "a count in 1..=4096"),
        ("capacity.user_ref_pages", "0", "a count in 1..=4194304"),
        ("capacity.port_orders", "0", "a count in 1..=16777216"),
        ("capacity.port_pages", "0", "a count in 1..=4194304"),
        ("capacity.ring_slots", "16k", "a power of two, 8192 or 16384"),
        ("capacity.outbound_events", "1023", "a count in 1024..=16777216"),
    ] {
        let error = with_override(key, value).unwrap_err();
        let ConfigError::Impossible { place, expected: found, .. } = error else {
            panic!("{key} = {value}: {error}");
        };
        assert_eq!((place.key.as_str(), found.as_str()), (key, expected), "{value:?}");
    }
    let (line, key, what) = fault(load("[session]\nconnections_max = -5\n"));
    assert_eq!((line, key.as_str()), (Some(2), "session.connections_max"));
    assert_eq!(what, "expected a count in 1..=524288, found -5");
}

#[test]
fn what_is_not_built_is_refused_with_what_exists() {
    let error = with_override("journal.level", "replicated").unwrap_err();
    assert!(matches!(error, ConfigError::NotBuilt { .. }), "{error}");
    let expected = "override: journal.level: \"replicated\" is not built into this version; \
                    these are: async, group, sync";
    assert_eq!(error.to_string(), expected);
}

#[test]
fn every_way_to_wait_is_known_by_its_name() {
    for wait in Wait::ALL {
        assert_eq!(with_override("core.wait", wait.name()).unwrap().core.wait, wait);
    }
}

#[test]
fn every_level_is_known_by_its_name() {
    for level in Level::ALL {
        let config = with_override("journal.level", level.name()).unwrap();
        assert_eq!(config.journal.level, level);
    }
}

#[test]
fn contradictions_name_both_settings() {
    for (text, key, what) in [
        (
            "[session]\nconnections_max = 8\n",
            "session.connections_per_address_max",
            "expected at most session.connections_max = 8, found 16",
        ),
        (
            "[capacity]\nuser_ref_pages = 255\n",
            "capacity.user_ref_pages",
            "expected at least one for each of capacity.ports = 256, found 255",
        ),
        (
            "[capacity]\ninstruments = 2\n",
            "instrument",
            "expected at most capacity.instruments = 2, found 5",
        ),
        (
            "[data]\nlisten = \"127.0.0.1:9001\"\n",
            "data.listen",
            "expected another address than orders.listen, found 127.0.0.1:9001",
        ),
    ] {
        let result = load(text);
        assert!(matches!(result, Err(ConfigError::Contradiction { .. })), "{result:?}");
        let (_, found_key, found) = fault(result);
        assert_eq!((found_key.as_str(), found.as_str()), (key, what));
    }
    let free = "[orders]\nlisten = \"127.0.0.1:0\"\n[data]\nlisten = \"127.0.0.1:0\"\n";
    assert!(load(free).is_ok(), "two free ports are two ports");
}

#[test]
fn id_and_symbol_have_no_default() {
    for (text, key) in [
        ("[[instrument]]\nsymbol = \"A\"\n", "instrument[0].id"),
        ("[[instrument]]\nid = 1\n", "instrument[0].symbol"),
    ] {
        let result = load(text);
        assert!(matches!(result, Err(ConfigError::Missing { .. })), "{result:?}");
        assert_eq!(fault(result), (Some(1), key.to_owned(), String::from("missing")));
    }
}

#[test]
fn duplicate_instruments_are_refused() {
    for (second, key, what) in [
        ("id = 1\nsymbol = \"B\"", "instrument[1].id", "1 is already the id of instrument[0]"),
        (
            "id = 2\nsymbol = \"A\"",
            "instrument[1].symbol",
            "A is already the symbol of instrument[0]",
        ),
    ] {
        let text = format!("[[instrument]]\nid = 1\nsymbol = \"A\"\n[[instrument]]\n{second}\n");
        let result = load(&text);
        assert!(matches!(result, Err(ConfigError::DuplicateInstrument { .. })), "{result:?}");
        let (line, found_key, found) = fault(result);
        assert_eq!((found_key.as_str(), found.as_str()), (key, what));
        assert!(matches!(line, Some(5 | 6)), "{line:?}");
    }
}

#[test]
fn instruments_that_cannot_be_listed_say_why() {
    for (settings, expected) in [
        ("id = 0\nsymbol = \"A\"", InstrumentError::Id(0)),
        ("id = 1\nsymbol = \"A B\"", InstrumentError::Symbol(*b"A B     ")),
        ("id = 1\nsymbol = \"A\"\ntick = \"0\"", InstrumentError::Tick(0)),
        ("id = 1\nsymbol = \"A\"\nlot = \"0\"", InstrumentError::Lot),
        (
            "id = 1\nsymbol = \"A\"\nlot = \"10\"",
            InstrumentError::Quantities { qty_min: 1, qty_max: 999_999, lot: 10 },
        ),
    ] {
        let error = load(&format!("[[instrument]]\n{settings}\n")).unwrap_err();
        let ConfigError::Instrument { place, source } = error else {
            panic!("{error}");
        };
        assert_eq!((place.key.as_str(), source), ("instrument[0]", expected));
    }
}

#[test]
fn decimals_bind_prices_and_quantities() {
    for (settings, key, found) in [
        ("tick = \"0.00001\"", "instrument[0].tick", "\"0.00001\""),
        ("lot = \"0.5\"", "instrument[0].lot", "\"0.5\""),
        ("qty_max = \"-1\"", "instrument[0].qty_max", "\"-1\""),
        ("price_decimals = 1", "instrument[0].tick", "\"0.01\", the value of a missing tick"),
        ("price_decimals = 10", "instrument[0].price_decimals", "10"),
        ("symbol = \"NINECHARS\"", "instrument[0].symbol", "\"NINECHARS\""),
    ] {
        let symbol = if settings.starts_with("symbol") { "" } else { "symbol = \"A\"\n" };
        let error = load(&format!("[[instrument]]\nid = 1\n{symbol}{settings}\n")).unwrap_err();
        let ConfigError::Impossible { place, found: value, .. } = error else {
            panic!("{error}");
        };
        assert_eq!((place.key.as_str(), value.as_str()), (key, found));
    }
    let error = load("instrument = []\n").unwrap_err();
    assert!(matches!(error, ConfigError::Impossible { .. }), "a venue trades something");
}

#[test]
fn the_door_of_operators_is_open_to_this_machine_alone_unless_it_is_said() {
    for address in ["0.0.0.0:9080", "192.0.2.1:9080", "[::]:9080"] {
        let text = format!("[admin]\nlisten = \"{address}\"\n");
        let error = load(&text).unwrap_err().to_string();
        assert!(error.contains("admin.listen: expected an address of this machine"), "{error}");
        assert!(error.contains("allow_remote = true: there is no TLS"), "{error}");
        assert!(error.ends_with(&format!("found {address}")), "{error}");
        let remote = load(&format!("{text}allow_remote = true\n")).unwrap();
        assert_eq!(remote.admin.listen.to_string(), address);
        load(&format!("{text}enabled = false\n")).unwrap();
    }
    for address in ["127.0.0.1:0", "127.9.9.9:9080", "[::1]:9080"] {
        load(&format!("[admin]\nlisten = \"{address}\"\n")).unwrap();
    }
}

#[test]
fn fingerprint_follows_the_values_and_not_their_writing() {
    let plain = default().fingerprint();
    let same = load("[session]\nlogin_timeout = \"2000ms\"\nconnections_max = \"4096\"\n").unwrap();
    assert_eq!(same.fingerprint(), plain);
    let settings = [
        ("venue.name", "OTHER"),
        ("venue.utc_offset", "+01:00"),
        ("orders.listen", "127.0.0.1:9003"),
        ("admin.listen", "127.0.0.1:9081"),
        ("admin.enabled", "false"),
        ("admin.allow_remote", "true"),
        ("session.frames_per_turn", "9"),
        ("core.pin", "false"),
        ("core.layout", "fused"),
        ("journal.flush_interval", "6ms"),
        ("journal.snapshot_every", "0"),
        ("journal.snapshot_rest", "0"),
        ("capacity.orders", "1k"),
        ("capacity.outbound_events", "1024"),
    ];
    let mut seen = vec![plain];
    for (key, value) in settings {
        let found = with_override(key, value).unwrap().fingerprint();
        assert!(!seen.contains(&found), "{key} does not count");
        seen.push(found);
    }
}

#[test]
fn venue_folder_has_its_files_in_fixed_places() {
    let folder = VenueDir::new("venue");
    assert_eq!(folder.root(), Path::new("venue"));
    assert_eq!(folder.config_file(), Path::new("venue/venue.toml"));
    assert_eq!(folder.users_file(), Path::new("venue/users.toml"));
    assert_eq!(folder.operators_file(), Path::new("venue/operators.toml"));
    assert_eq!(folder.token_file(), Path::new("venue/admin.token"));
    assert_eq!(folder.journal(), Path::new("venue/journal"));
    assert_eq!(folder.streams(), Path::new("venue/streams"));
}
