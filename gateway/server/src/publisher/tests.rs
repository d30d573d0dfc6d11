use std::{
    io::Read,
    net::{TcpListener, TcpStream},
    path::Path,
    sync::Arc,
    time::Duration,
};

use uncross_engine::{
    Engine, Progress,
    command::{Command, DayRoll, DropCopy},
    limits::Capacity,
};

use super::*;
use crate::{
    connection::Door,
    outbound::{Outbound, outbound},
    streams::{MessageSink as _, Streams, copies},
    talk::{ToPublisher, queues},
};

/// Firms; the reports of the last one are not copied.
const FIRMS: [[u8; 4]; 3] = [*b"ONE ", *b"TWO ", *b"MORE"];

/// A publisher without a core and a gateway that the test plays, and the clients' ends.
struct Stage {
    publisher: Publisher,
    gateway: ToPublisher,
    clients: Vec<TcpStream>,
    _outbound: Outbound,
    dir: tempfile::TempDir,
}

impl Stage {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let journal = tempfile::tempdir().unwrap();
        let (gateway, to_gateway) = queues(16);
        let (outbound, release) = outbound(1_024, false, watermark(journal.path()));
        let patience = Patience { lag_max: 1 << 20, lag_time_max_ms: 1_000 };
        let rules = Rules { heartbeat_ms: 1_000, patience };
        let egress = Egress::over(Streams::new(dir.path(), 0));
        let publisher = Publisher::new(egress, release, to_gateway, None, rules, 8);
        Self { publisher, gateway, clients: Vec::new(), _outbound: outbound, dir }
    }

    /// Connects a client and lets it in, to a port or to the feed.
    fn join(&mut self, entry: u16) -> usize {
        let session = self.publisher.egress.streams.session();
        self.join_in(entry, session)
    }

    /// The same with a login that was granted in `session`.
    fn join_in(&mut self, entry: u16, session: [u8; 10]) -> usize {
        let (door, of) = match (entry, copies_slot(entry)) {
            (_, Some(slot)) => (Door::Orders, Of::Firm(FIRMS[usize::from(slot)])),
            (FEED, None) => (Door::Data, Of::Feed),
            (port, None) => (Door::Orders, Of::Port(port)),
        };
        let id = self.open(door);
        self.begin(id, of, session);
        id
    }

    fn open(&mut self, door: Door) -> usize {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        client.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        self.clients.push(client);
        let socket = listener.accept().unwrap().0;
        socket.set_nonblocking(true).unwrap();
        let id = self.clients.len() - 1;
        self.gateway.ask(Ask::Open { id, socket: Arc::new(socket), door });
        id
    }

    fn begin(&mut self, id: usize, of: Of, session: [u8; 10]) {
        let wish = Wish { sequence: 0, session: Vec::new() };
        let join = Join { id, of, wish, client_timeout_ms: 1_000 };
        self.gateway.ask(Ask::Begin { join, session });
        assert!(self.publisher.hear(0));
    }

    /// Opens a day in which the reports of some firms are copied.
    fn copying() -> Self {
        let mut stage = Self::new();
        let mut engine = Engine::new(Capacity { orders: 1, levels: 1, ..Capacity::default() });
        let session = *b" SESSION01";
        let roll = Command::DayRoll(DayRoll { date: 0, utc_offset_s: 0, session });
        let copies = FIRMS[..2].iter().map(|&firm| DropCopy { firm, is_on: true });
        let commands = core::iter::once(roll).chain(copies.map(Command::DropCopy));
        let mut events = Vec::new();
        for (seq, command) in (1..).zip(commands) {
            let mut progress = engine.begin(seq, seq, &command, &mut events);
            while progress == Progress::More {
                progress = engine.resume(&mut events);
            }
        }
        for event in &events {
            stage.publisher.egress.write(event).unwrap();
        }
        stage
    }

    fn say(&mut self, entry: u16) {
        self.publisher.egress.streams.append(entry, &[b"message"]).unwrap();
    }

    fn queued(&self, turn: Turn) -> Vec<usize> {
        self.publisher.queues[turn as usize].iter().copied().collect()
    }
}

fn watermark(dir: &Path) -> Arc<uncross_journal::Watermark> {
    let identity =
        uncross_journal::Identity { behaviour_version: 1, config_hash: [0; 32], build_id: [0; 32] };
    let settings = uncross_journal::Settings::default();
    let settings = uncross_journal::Settings { segment_len_bytes: 1 << 20, ..settings };
    let mut recovery = uncross_journal::open(dir, &settings, &identity).unwrap();
    recovery.replay(|_| Ok::<(), ()>(())).unwrap();
    recovery.into_writer(1, 0).unwrap().watermark()
}

#[test]
fn reports_go_in_the_order_of_their_causes_and_before_the_feed() {
    let mut stage = Stage::new();
    let (one, two, three) = (stage.join(1), stage.join(2), stage.join(3));
    let subscriber = stage.join(FEED);
    stage.publisher.send(&Clock::new(), 0);
    for entry in [2, 3, FEED, 1, 2, FEED] {
        stage.say(entry);
    }
    assert!(stage.publisher.line_up(), "there are reports and market data");
    assert_eq!(stage.queued(Turn::Reports), [two, three, one]);
    assert_eq!(stage.queued(Turn::Feed), [subscriber]);
    stage.publisher.send(&Clock::new(), 0);
    let accepted = soup::LoginAccepted::PACKET_LEN_BYTES;
    for (id, expected) in [(one, 1), (two, 2), (three, 1), (subscriber, 2)] {
        let mut bytes = vec![0; accepted + expected * 10];
        stage.clients[id].read_exact(&mut bytes).unwrap();
        assert!(bytes.ends_with(b"message"), "{}", bytes.escape_ascii());
    }
    assert!(stage.dir.path().exists());
}

#[test]
fn drop_copies_go_behind_all_reports_and_before_the_feed() {
    let mut stage = Stage::copying();
    let (one, two) = (stage.join(1), stage.join(2));
    let subscriber = stage.join(FEED);
    let followers = [stage.join(copies(0)), stage.join(copies(0))];
    let other = stage.join(copies(1));
    stage.publisher.send(&Clock::new(), 0);
    let mut firsts = Vec::new();
    for _ in 0..4 {
        for entry in [1, copies(0), FEED, 2, copies(1)] {
            stage.say(entry);
        }
        assert!(stage.publisher.line_up());
        assert_eq!(stage.queued(Turn::Reports), [one, two]);
        let mut queued = stage.queued(Turn::Copies);
        firsts.push(queued[0]);
        assert_eq!(queued.pop(), Some(other));
        queued.sort_unstable();
        assert_eq!(queued, followers);
        assert_eq!(stage.queued(Turn::Feed), [subscriber]);
        stage.publisher.send(&Clock::new(), 0);
    }
    assert_eq!(firsts[..2], firsts[2..], "they take turns");
    assert_ne!(firsts[0], firsts[1], "they take turns");
}

#[test]
fn who_begins_to_follow_drop_copies_is_queued_among_them() {
    let mut stage = Stage::copying();
    let port = stage.join(1);
    let session = stage.publisher.egress.streams.session();
    let id = stage.open(Door::Orders);
    assert!(stage.publisher.hear(0));
    // Its socket is ready before it has said what it wants.
    stage.publisher.note_writable(id);
    assert_eq!(stage.queued(Turn::Reports), [port, id]);
    stage.begin(id, Of::Firm(FIRMS[0]), session);
    assert_eq!(stage.queued(Turn::Reports), [port]);
    assert_eq!(stage.queued(Turn::Copies), [id]);
    let (reason, rejection) = (Closed::Logout, None);
    stage.gateway.ask(Ask::Close { id, reason, rejection });
    assert!(stage.publisher.hear(0));
    assert!(stage.queued(Turn::Copies).is_empty());
    assert!(stage.publisher.copied[0].is_empty());
}

#[test]
fn nobody_follows_the_copies_of_a_firm_that_is_not_copied() {
    let mut stage = Stage::copying();
    let id = stage.join(copies(2));
    match stage.gateway.told() {
        Some(Tell::Refused { id: found, why }) => {
            assert_eq!((found, why.as_str()), (id, "the reports of firm MORE are not copied"));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_login_granted_in_a_session_that_ended_meanwhile_is_not_accepted_in_the_next() {
    let mut stage = Stage::new();
    let old = *b" SESSION01";
    stage.publisher.egress.streams.begin(old);
    stage.publisher.egress.streams.begin(*b" SESSION02");
    // It asked for any session: the core knows it in the old one, where nobody listens any more.
    let id = stage.join_in(1, old);
    let told = stage.gateway.told();
    assert!(matches!(told, Some(Tell::Refused { id: it, .. }) if it == id), "{told:?}");
    stage.publisher.send(&Clock::new(), 0);
    stage.clients[id].set_nonblocking(true).unwrap();
    let error = stage.clients[id].read(&mut [0; 64]).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock, "nothing was said");
}

#[test]
fn another_subscriber_is_first_each_time() {
    let mut stage = Stage::new();
    let ids = [stage.join(FEED), stage.join(FEED), stage.join(FEED)];
    stage.publisher.send(&Clock::new(), 0);
    let mut firsts = Vec::new();
    for _ in 0..6 {
        stage.say(FEED);
        assert!(!stage.publisher.line_up(), "market data alone is behind nothing");
        let queued = stage.queued(Turn::Feed);
        assert_eq!(queued.len(), ids.len());
        firsts.push(queued[0]);
        stage.publisher.send(&Clock::new(), 0);
    }
    assert_eq!(firsts[..3], firsts[3..]);
    firsts.truncate(3);
    firsts.sort_unstable();
    assert_eq!(firsts, ids);
}

#[test]
fn who_does_not_take_for_too_long_is_slow_and_who_lags_by_us_is_not() {
    let mut stage = Stage::new();
    let id = stage.join(FEED);
    stage.publisher.send(&Clock::new(), 0);
    let over = |stage: &mut Stage, now_ms| {
        stage.publisher.keep_house(now_ms);
        matches!(stage.gateway.told(), Some(Tell::Over { reason: Closed::Slow, .. }))
    };
    stage.say(FEED);
    stage.publisher.line_up();
    assert!(!over(&mut stage, 100), "it begins to wait");
    assert!(!over(&mut stage, 5_000), "but for us: it may be written to");
    let outlet = stage.publisher.outlets[id].as_deref_mut().unwrap();
    outlet.output.is_ready = false;
    assert!(over(&mut stage, 5_001), "now for the peer");
}

#[test]
fn a_login_is_judged_by_what_there_is_and_told_so() {
    let mut stage = Stage::new();
    let id = stage.join(FEED);
    for (sequence, session, is_there) in
        [(0, &b""[..], true), (1, b"", true), (2, b"", false), (1, b"OTHER", false)]
    {
        let wish = Wish { sequence, session: session.to_vec() };
        stage.gateway.ask(Ask::Judge(Join { id, of: Of::Port(1), wish, client_timeout_ms: 1_000 }));
        stage.publisher.hear(0);
        let is_granted = match stage.gateway.told() {
            Some(Tell::Granted { id: found, .. }) => found == id,
            Some(Tell::Refused { why, .. }) => {
                assert!(why.contains("was asked for"), "{why}");
                false
            }
            other => panic!("{other:?}"),
        };
        assert_eq!(is_granted, is_there, "{sequence} of {}", session.escape_ascii());
    }
}
