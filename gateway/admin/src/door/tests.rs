use std::{
    fs,
    io::{Read, Write},
    sync::PoisonError,
};

use tempfile::TempDir;
use uncross_server::{
    desk::{Answer, DeskError, State, Vitals},
    engine::{
        admin::ActOutcome,
        command::{Act, Target},
    },
    shadow::{Shadowed, Shadowing},
};

use super::*;
use crate::{
    clerk::Clerk,
    limits::{BODY_LEN_MAX, DURABLE_PATIENCE},
    operators::{Operators, Role},
    problem::ALL,
};

#[path = "../../tests/it/http.rs"]
mod http;

use http::{Reply, ask, exchange, reply};

const GOOD: Vitals = Vitals {
    seq: 9,
    durable_seq: 9,
    core_beat_age: Duration::from_millis(1),
    state: State::Running,
    is_short_of_space: false,
    shadow: Shadowed { state: Shadowing::Following, seq: 9, snapshot_seq: 4 },
};

type Outcome = fn() -> Result<ActOutcome, DeskError>;

/// A desk that answers what it is told to.
#[derive(Debug)]
struct Played {
    ordered: Mutex<Vec<(String, Act)>>,
    outcome: Mutex<Outcome>,
    vitals: Mutex<Vitals>,
}

impl Clerk for Played {
    fn order(&self, who: &str, act: Act, _patience: Duration) -> Result<Answer, DeskError> {
        let mut ordered = self.ordered.lock().unwrap();
        ordered.push((who.to_owned(), act));
        let seq = ordered.len() as u64;
        let outcome = self.outcome.lock().unwrap();
        outcome().map(|outcome| Answer { seq, time_ns: 1_000_000_000, outcome })
    }

    fn vitals(&self) -> Vitals {
        *self.vitals.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A door before a desk that is played, with an operator and a viewer.
struct Stage {
    folder: TempDir,
    desk: Arc<Played>,
    admin: Admin,
    operator: String,
    viewer: String,
}

impl Stage {
    fn new() -> Self {
        Self::with_timeout(HEAD_TIMEOUT)
    }

    fn with_timeout(head_timeout: Duration) -> Self {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("operators.toml");
        let mut operators = Operators::new(&path);
        let mut token = |name, role| operators.add(name, role).unwrap().text().to_owned();
        let (operator, viewer) = (token("alice", Role::Operator), token("bob", Role::Viewer));
        operators.save().unwrap();
        let mut users = Users::new(folder.path().join("users.toml"));
        users.add("ALPHA1", "ABCD", "secret").unwrap();
        let desk = Arc::new(Played {
            ordered: Mutex::default(),
            outcome: Mutex::new(|| Ok(ActOutcome::Done)),
            vitals: Mutex::new(GOOD),
        });
        let clerk: Arc<dyn Clerk> = Arc::<Played>::clone(&desk);
        let api = Api {
            venue: "TEST".to_owned(),
            clerk,
            registry: Registry::new(path),
            targets: Targets::new(users),
            symbols: Arc::new(Mutex::new(Symbols::new(&[(1, *b"DEMO    "), (2, *b"A/B%    ")]))),
            workers: Workers::start().unwrap(),
            body_timeout: Duration::from_millis(300),
            durable_patience: DURABLE_PATIENCE,
            since: Instant::now(),
        };
        let bound = Bound::take("127.0.0.1:0".parse().unwrap()).unwrap();
        let admin = open(bound, router(Arc::new(api)), head_timeout).unwrap();
        Self { folder, desk, admin, operator, viewer }
    }

    fn act(&self, method: &str, path: &str, body: &str) -> Reply {
        ask(self.admin.addr(), method, path, &self.operator, body)
    }

    fn ordered(&self) -> Vec<(String, Act)> {
        std::mem::take(&mut *self.desk.ordered.lock().unwrap())
    }
}

#[test]
fn every_act_reaches_the_desk_with_the_name_of_who_ordered_it() {
    let stage = Stage::new();
    for (method, path, body, expected) in [
        (
            "POST",
            "/v1/kills",
            r#"{"target":"venue"}"#,
            Act::Kill { target: Target::Venue, cancels: true },
        ),
        (
            "POST",
            "/v1/kills",
            r#"{"cancel":false,"target":"user:alpha1"}"#,
            Act::Kill { target: Target::Port(1), cancels: false },
        ),
        ("DELETE", "/v1/kills/firm:ABCD", "", Act::Revive(Target::Firm(*b"ABCD"))),
        ("DELETE", "/v1/kills/port%3A7", "", Act::Revive(Target::Port(7))),
        ("DELETE", "/v1/instruments/DEMO", "", Act::Remove(1)),
        ("DELETE", "/v1/instruments/id:5", "", Act::Remove(5)),
        ("POST", "/v1/instruments/A%2FB%25/halt", "", Act::Halt(2)),
        ("POST", "/v1/instruments/id:1/resume", "", Act::Resume(1)),
    ] {
        let reply = stage.act(method, path, body);
        assert_eq!(reply.status, 200, "{path}: {reply:?}");
        assert_eq!(reply.body["schema"], "uncross.admin.act/1");
        assert_eq!((&reply.body["seq"], &reply.body["outcome"]), (&1.into(), &"done".into()));
        assert_eq!(reply.body["who"], "alice");
        assert_eq!(reply.body["time"], "1970-01-01T00:00:01.000000000Z");
        assert_eq!(stage.ordered(), [("alice".to_owned(), expected)]);
    }
}

#[test]
fn an_instrument_is_listed_from_the_fields_of_the_configuration_and_known_by_its_symbol_then() {
    let stage = Stage::new();
    let body = r#"{"id":7,"symbol":"NEW","tick":"0.05","collar":"none","qty_max":"500"}"#;
    assert_eq!(stage.act("POST", "/v1/instruments/NEW/halt", "").code(), "UX-A031");
    assert_eq!(stage.act("POST", "/v1/instruments", body).status, 200);
    let ordered = stage.ordered();
    let [(_, Act::List(listed))] = ordered[..] else { panic!("{ordered:?}") };
    assert_eq!((listed.id, &listed.symbol, listed.tick), (7, b"NEW     ", 500));
    assert_eq!((listed.lot, listed.qty_max, listed.collar_bp), (1, 500, 0));
    assert_eq!(stage.act("POST", "/v1/instruments/NEW/halt", "").status, 200);
    assert_eq!(stage.ordered(), [("alice".to_owned(), Act::Halt(7))]);
}

#[test]
fn a_request_without_a_token_or_with_a_wrong_one_is_refused() {
    let stage = Stage::new();
    let addr = stage.admin.addr();
    let cut = &stage.operator[..stage.operator.len() - 1];
    for (method, path) in [
        ("GET", "/health"),
        ("POST", "/v1/kills"),
        ("DELETE", "/v1/kills/venue"),
        ("POST", "/v1/instruments"),
        ("DELETE", "/v1/instruments/DEMO"),
        ("POST", "/v1/instruments/DEMO/halt"),
        ("POST", "/v1/instruments/DEMO/resume"),
    ] {
        let none = ask(addr, method, path, "", "garbage");
        assert_eq!((none.status, none.code()), (401, "UX-A020"), "{path}");
        assert!(none.head.contains("www-authenticate: bearer"), "{none:?}");
        for wrong in ["uxa_", cut, "alice", &stage.operator.to_uppercase()] {
            let wrong = ask(addr, method, path, wrong, "garbage");
            assert_eq!((wrong.status, wrong.code()), (401, "UX-A021"), "{path}");
        }
    }
    let twice = format!(
        "GET /health HTTP/1.1\r\nHost: v\r\nConnection: close\r\nAuthorization: Bearer {0}\r\n\
         Authorization: Bearer {0}\r\n\r\n",
        stage.operator
    );
    assert_eq!(exchange(addr, twice.as_bytes()).code(), "UX-A020");
    assert!(stage.ordered().is_empty());
}

#[test]
fn a_viewer_may_look_and_not_act() {
    let stage = Stage::new();
    let ask = |method, path, body| ask(stage.admin.addr(), method, path, &stage.viewer, body);
    let seen = ask("GET", "/health", "");
    assert_eq!((seen.status, &seen.body["who"]), (200, &"bob".into()));
    for (method, path) in [
        ("POST", "/v1/kills"),
        ("DELETE", "/v1/kills/venue"),
        ("POST", "/v1/instruments"),
        ("DELETE", "/v1/instruments/DEMO"),
        ("POST", "/v1/instruments/DEMO/halt"),
        ("POST", "/v1/instruments/DEMO/resume"),
    ] {
        let refused = ask(method, path, r#"{"target":"venue"}"#);
        assert_eq!((refused.status, refused.code()), (403, "UX-A022"), "{path}");
        assert_eq!(refused.error("expected"), "the role operator");
        assert_eq!(refused.error("found"), "the role viewer");
    }
    assert!(stage.ordered().is_empty());
}

#[test]
fn bodies_that_are_no_json_object_are_refused_with_the_place() {
    let stage = Stage::new();
    for path in ["/v1/kills", "/v1/instruments"] {
        for body in ["", "{", "[]", "null", "target=venue", r#"{"target":"venue"} x"#, "\u{0}"] {
            let refused = stage.act("POST", path, body);
            assert_eq!((refused.status, refused.code()), (400, "UX-A025"), "{body}");
            assert!(refused.error("found").contains("line 1 column"), "{refused:?}");
        }
    }
    let twice = stage.act("POST", "/v1/kills", r#"{"target":"venue","target":"port:1"}"#);
    assert_eq!(twice.code(), "UX-A025");
    assert!(twice.error("found").contains("\"target\" is there twice"), "{twice:?}");
    assert!(stage.ordered().is_empty());
}

#[test]
fn unknown_fields_are_refused_with_the_nearest_name() {
    let stage = Stage::new();
    for (path, body, nearest) in [
        ("/v1/kills", r#"{"target":"venue","cancels":true}"#, "cancel"),
        ("/v1/kills", r#"{"traget":"venue"}"#, "target"),
        ("/v1/kills", r#"{"target":"venue","why":"x"}"#, ""),
        ("/v1/instruments", r#"{"id":7,"symbol":"NEW","tik":"0.01"}"#, "tick"),
        ("/v1/instruments", r#"{"id":7,"symbol":"NEW","reference":"1"}"#, "reference_price"),
    ] {
        let refused = stage.act("POST", path, body);
        assert_eq!((refused.status, refused.code()), (422, "UX-A028"), "{body}");
        assert_eq!(refused.error("expected"), nearest, "{body}");
    }
    assert!(stage.ordered().is_empty());
}

#[test]
fn values_that_make_no_sense_are_refused_with_those_that_do() {
    let stage = Stage::new();
    for (path, body, expected, found) in [
        ("/v1/kills", "{}", "a text such as", "nothing"),
        ("/v1/kills", r#"{"target":7}"#, "a text such as", "integer 7"),
        ("/v1/kills", r#"{"target":"everybody"}"#, "venue, firm:ABCD,", "\"everybody\""),
        ("/v1/kills", r#"{"target":"port:65536"}"#, "venue, firm:ABCD,", "\"port:65536\""),
        ("/v1/kills", r#"{"target":"venue","cancel":"no"}"#, "true or false", "string \"no\""),
        ("/v1/instruments", r#"{"symbol":"NEW"}"#, "id", "nothing"),
        ("/v1/instruments", r#"{"id":7}"#, "symbol", "nothing"),
        ("/v1/instruments", r#"{"id":7,"symbol":"NEW","tick":0.01}"#, "a string such as", "a num"),
        ("/v1/instruments", r#"{"id":7,"symbol":"NEW","tick":null}"#, "a string such as", "null"),
        ("/v1/instruments", r#"{"id":7,"symbol":"A B"}"#, "", ""),
        ("/v1/instruments", r#"{"id":0,"symbol":"NEW"}"#, "", ""),
        ("/v1/instruments", r#"{"id":7,"symbol":"NEW","lot":"0"}"#, "", ""),
        ("/v1/instruments", r#"{"id":7,"symbol":"NEW","collar":"101%"}"#, "a percentage", "\"101"),
    ] {
        let refused = stage.act("POST", path, body);
        assert_eq!((refused.status, refused.code()), (422, "UX-A029"), "{body}");
        assert!(refused.error("expected").starts_with(expected), "{body}: {refused:?}");
        assert!(refused.error("found").starts_with(found), "{body}: {refused:?}");
        assert!(!refused.error("message").is_empty());
    }
    assert!(stage.ordered().is_empty());
}

#[test]
fn unknown_targets_and_instruments_are_refused_with_the_nearest_name() {
    let stage = Stage::new();
    for (target, nearest) in [
        ("user:ALPHA2", "user:ALPHA1, perhaps"),
        ("firm:ABCE", "firm:ABCD, perhaps"),
        ("user:Z", "a user of users.toml as it was at the venue's start"),
    ] {
        let body = format!("{{\"target\":\"{target}\"}}");
        let refused = stage.act("POST", "/v1/kills", &body);
        assert_eq!((refused.status, refused.code()), (404, "UX-A030"), "{target}");
        assert_eq!(refused.error("expected"), nearest);
    }
    let refused = stage.act("DELETE", "/v1/instruments/DEMI", "");
    assert_eq!((refused.status, refused.code()), (404, "UX-A031"));
    assert_eq!(refused.error("expected"), "DEMO, perhaps");
    assert!(stage.ordered().is_empty());
}

#[test]
fn a_body_that_is_too_large_is_refused_whether_its_length_is_said_or_not() {
    let stage = Stage::new();
    let body = format!("{{\"target\":\"{}\"}}", "x".repeat(BODY_LEN_MAX));
    let said = stage.act("POST", "/v1/kills", &body);
    assert_eq!((said.status, said.code()), (413, "UX-A026"));
    assert_eq!(said.error("expected"), format!("at most {BODY_LEN_MAX} bytes"));
    let unsaid = format!(
        "POST /v1/kills HTTP/1.1\r\nHost: v\r\nConnection: close\r\nAuthorization: Bearer {}\r\n\
         Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n",
        stage.operator,
        body.len()
    );
    let unsaid = exchange(stage.admin.addr(), unsaid.as_bytes());
    assert_eq!((unsaid.status, unsaid.code()), (413, "UX-A026"));
    assert!(stage.ordered().is_empty());
}

#[test]
fn a_body_that_does_not_come_is_not_waited_for() {
    let stage = Stage::new();
    for framing in ["Content-Length: 100", "Transfer-Encoding: chunked"] {
        let request = format!(
            "POST /v1/kills HTTP/1.1\r\nHost: v\r\nConnection: close\r\n{framing}\r\n\
             Authorization: Bearer {}\r\n\r\n",
            stage.operator
        );
        let reply = exchange(stage.admin.addr(), request.as_bytes());
        assert_eq!((reply.status, reply.code()), (408, "UX-A027"), "{framing}");
    }
    assert!(stage.ordered().is_empty());
}

#[test]
fn paths_and_methods_that_are_none_are_refused_in_json() {
    let stage = Stage::new();
    for path in ["/", "/v1", "/v1/kills/venue/now", "/health/", "/metrics", "/v1/instruments/%FF"] {
        let refused = stage.act("DELETE", path, "");
        assert_eq!((refused.status, refused.code()), (404, "UX-A023"), "{path}");
    }
    for (method, path, allowed) in [
        ("GET", "/v1/kills", "post"),
        ("POST", "/v1/kills/venue", "delete"),
        ("PUT", "/v1/instruments", "post"),
        ("POST", "/health/live", "get,head"),
        ("OPTIONS", "/v1/kills", "post"),
    ] {
        let refused = stage.act(method, path, "{}");
        assert_eq!((refused.status, refused.code()), (405, "UX-A024"), "{method} {path}");
        assert!(refused.head.contains(&format!("allow: {allowed}")), "{refused:?}");
    }
    assert!(stage.ordered().is_empty());
}

#[test]
fn no_answer_may_be_kept_or_read_by_a_page_of_another_origin() {
    let stage = Stage::new();
    for path in ["/health/live", "/health", "/nowhere"] {
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: v\r\nOrigin: http://other\r\nConnection: close\r\n\r\n"
        );
        let answer = exchange(stage.admin.addr(), request.as_bytes());
        for header in [
            "cache-control: no-store",
            "content-security-policy: default-src 'none'",
            "x-content-type-options: nosniff",
            "x-frame-options: deny",
            "content-type: application/json",
        ] {
            assert!(answer.head.contains(header), "{path}: {header}: {answer:?}");
        }
        assert!(!answer.head.contains("access-control"), "{answer:?}");
    }
}

#[test]
fn a_desk_that_does_not_do_it_is_told_with_the_right_status() {
    let stage = Stage::new();
    let cases: [(Outcome, u16, &str); 10] = [
        (|| Ok(ActOutcome::UnknownInstrument), 404, "UX-A031"),
        (|| Ok(ActOutcome::InvalidInstrument), 422, "UX-A029"),
        (|| Ok(ActOutcome::IdTaken), 409, "UX-A032"),
        (|| Ok(ActOutcome::SymbolTaken), 409, "UX-A032"),
        (|| Ok(ActOutcome::Full), 409, "UX-A033"),
        (|| Ok(ActOutcome::UnknownTarget), 404, "UX-A030"),
        (|| Err(DeskError::Stopped), 503, "UX-A034"),
        (|| Err(DeskError::Busy), 503, "UX-A035"),
        (|| Err(DeskError::TimedOut { patience: Duration::ZERO }), 504, "UX-A036"),
        (|| Ok(ActOutcome::Done), 200, ""),
    ];
    for (outcome, status, code) in cases {
        *stage.desk.outcome.lock().unwrap() = outcome;
        stage.ordered();
        let answer = stage.act("DELETE", "/v1/instruments/DEMO", "");
        assert_eq!(answer.status, status, "{answer:?}");
        if !code.is_empty() {
            assert_eq!(answer.code(), code);
            let is_journalled = outcome().is_ok();
            assert_eq!(answer.body["error"]["seq"].as_u64(), is_journalled.then_some(1));
            assert_eq!(answer.head.contains("retry-after"), status == 503, "{answer:?}");
        }
    }
    let words: [(Outcome, &str); 2] =
        [(|| Ok(ActOutcome::Unchanged), "unchanged"), (|| Ok(ActOutcome::Scheduled), "scheduled")];
    for (outcome, word) in words {
        *stage.desk.outcome.lock().unwrap() = outcome;
        let answer = stage.act("DELETE", "/v1/kills/venue", "");
        assert_eq!((answer.status, &answer.body["outcome"]), (200, &word.into()));
    }
}

#[test]
fn readiness_says_what_is_missing_and_liveness_asks_nobody() {
    let stage = Stage::new();
    let get = |path| ask(stage.admin.addr(), "GET", path, &stage.viewer, "");
    let good = get("/health/ready");
    assert_eq!((good.status, &good.body["ready"]), (200, &true.into()));
    let stalled = Duration::from_mins(1);
    *stage.desk.vitals.lock().unwrap() =
        Vitals { seq: 12, core_beat_age: stalled, is_short_of_space: true, ..GOOD };
    for path in ["/health/ready", "/health"] {
        let bad = get(path);
        assert_eq!((bad.status, &bad.body["ready"]), (503, &false.into()));
        let missing = bad.body["missing"].as_array().unwrap();
        let what: Vec<_> = missing.iter().map(|each| each["what"].as_str().unwrap()).collect();
        assert_eq!(what, ["core", "durable", "disk"]);
        assert_eq!(missing[1]["found"], "3 records behind");
    }
    assert_eq!(
        (get("/health/live").status, get("/health").body["venue"].as_str()),
        (200, Some("TEST"))
    );
}

#[test]
fn the_operators_file_is_followed_and_a_damaged_one_lets_nobody_in() {
    let stage = Stage::new();
    let path = stage.folder.path().join("operators.toml");
    let code = |token: &str| {
        let answer = ask(stage.admin.addr(), "GET", "/health", token, "");
        if answer.status == 200 { "in".to_owned() } else { answer.code().to_owned() }
    };
    assert_eq!(code(&stage.operator), "in");
    let mut operators = Operators::load(&path).unwrap();
    operators.remove("alice").unwrap();
    let carol = operators.add("carol", Role::Viewer).unwrap();
    operators.save().unwrap();
    assert_eq!((code(&stage.operator).as_str(), code(carol.text()).as_str()), ("UX-A021", "in"));
    fs::write(&path, "garbage").unwrap();
    assert_eq!(code(carol.text()), "UX-A037");
    operators.save().unwrap();
    assert_eq!(code(carol.text()), "in");
    fs::remove_file(&path).unwrap();
    assert_eq!(code(carol.text()), "UX-A021", "no file is nobody");
}

#[test]
fn heads_that_are_no_http_or_too_large_end_their_connection_alone() {
    let stage = Stage::new();
    let huge = format!("GET /health/live HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(2 * HEAD_LEN_MAX));
    for bytes in [&b"\0\0\0\x01R"[..], b"GET\r\n\r\n", b"\xff\xff\xff\xff\r\n\r\n", huge.as_bytes()]
    {
        let mut stream = std::net::TcpStream::connect(stage.admin.addr()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        drop(stream.write_all(bytes));
        drop(stream.shutdown(std::net::Shutdown::Write));
        let mut answer = Vec::new();
        drop(stream.read_to_end(&mut answer));
        let answer = String::from_utf8_lossy(&answer).into_owned();
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
    }
    let request = b"GET /health/live HTTP/1.0\r\n\r\n";
    assert_eq!(exchange(stage.admin.addr(), request).status, 200);
}

#[test]
fn connections_that_say_nothing_are_cut_and_make_room() {
    let stage = Stage::with_timeout(Duration::from_millis(300));
    let connect = || std::net::TcpStream::connect(stage.admin.addr()).unwrap();
    let mut silent: Vec<_> = (0..CONNECTIONS_MAX).map(|_| connect()).collect();
    // Half a head and half a keep-alive are no more than nothing.
    silent[0].write_all(b"GET /health/live HT").unwrap();
    let request = b"GET /health/live HTTP/1.1\r\nHost: v\r\nConnection: close\r\n\r\n";
    let mut next = connect();
    next.write_all(request).unwrap();
    next.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    assert_eq!(reply(&mut next).status, 200, "the one behind all of them is served");
    for stream in &mut silent {
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).unwrap();
    }
}

#[test]
fn an_idle_connection_is_cut_after_its_answer() {
    let stage = Stage::with_timeout(Duration::from_secs(2));
    let mut stream = std::net::TcpStream::connect(stage.admin.addr()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.write_all(b"GET /health/live HTTP/1.1\r\nHost: v\r\n\r\n").unwrap();
    assert_eq!(reply(&mut stream).status, 200, "read to the end of the connection");
}

#[test]
fn a_door_that_is_closed_ends_its_connections_and_gives_its_address_back() {
    let stage = Stage::new();
    let addr = stage.admin.addr();
    let twice = Bound::take(addr).and_then(|bound| open(bound, Router::new(), HEAD_TIMEOUT));
    let Err(AdminError::Listen { error, .. }) = twice else { panic!("{twice:?}") };
    assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    let idle = std::net::TcpStream::connect(addr).unwrap();
    assert_eq!(ask(addr, "GET", "/health/live", "", "").status, 200);
    stage.admin.stop();
    drop(idle);
    let bound = Bound::take(addr).unwrap();
    open(bound, Router::new(), HEAD_TIMEOUT).unwrap().stop();
}

#[test]
fn codes_are_unique() {
    for (index, code) in ALL.iter().enumerate() {
        assert!(ALL[..index].iter().all(|other| other.id != code.id), "{}", code.id);
    }
}
