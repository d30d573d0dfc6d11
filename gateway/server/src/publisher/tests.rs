use std::{
    io::Read,
    net::{TcpListener, TcpStream},
    path::Path,
    sync::Arc,
    time::Duration,
};

use super::*;
use crate::{
    outbound::{Outbound, outbound},
    streams::MessageSink as _,
    talk::{ToPublisher, queues},
};

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
        let egress = Egress::new(dir.path(), 8);
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
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        client.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        self.clients.push(client);
        let socket = listener.accept().unwrap().0;
        socket.set_nonblocking(true).unwrap();
        let id = self.clients.len() - 1;
        let door = if entry == FEED { Door::Data } else { Door::Orders };
        self.gateway.ask(Ask::Open { id, socket: Arc::new(socket), door });
        let wish = Wish { sequence: 0, session: Vec::new() };
        let join = Join { id, entry, wish, client_timeout_ms: 1_000 };
        self.gateway.ask(Ask::Begin { join, session });
        assert!(self.publisher.hear(0));
        id
    }

    fn say(&mut self, entry: u16) {
        self.publisher.egress.streams.append(entry, b"message", &[]).unwrap();
    }

    fn queued(&self, door: Door) -> Vec<usize> {
        self.publisher.queues[door as usize].iter().copied().collect()
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
    assert_eq!(stage.queued(Door::Orders), [two, three, one]);
    assert_eq!(stage.queued(Door::Data), [subscriber]);
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
        let queued = stage.queued(Door::Data);
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
        stage.gateway.ask(Ask::Judge(Join { id, entry: 1, wish, client_timeout_ms: 1_000 }));
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
