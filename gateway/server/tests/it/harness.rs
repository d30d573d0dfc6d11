//! A venue in a temporary folder, and a client that sends bytes as they are.

use std::{
    io::{ErrorKind, Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use tempfile::TempDir;
use uncross_server::{
    config::{Config, VenueDir},
    users::Users,
    venue::{
        self, Options, Summary, Venue,
        error::{StartError, StopError},
    },
};
use uncross_wire::{
    FromBytes, IntoBytes, TypeByte,
    ouch::{codes, inbound, outbound::Outbound},
    soup::{self, LoginRequest},
};

/// Longest that a test waits for bytes that must come.
const PATIENCE: Duration = Duration::from_secs(20);

/// Longest that it waits for a packet while heartbeats come.
const PACKET_PATIENCE: Duration = Duration::from_mins(1);

/// Variable that says in which layout test venues run; fused without it.
pub(crate) const LAYOUT: &str = "UNCROSS_TEST_LAYOUT";

/// Users of every test venue; the password is the name.
pub(crate) const USERS: [&str; 3] = ["ALICE", "BOB", "CAROL"];

/// The time of day at the venue half a day from now: a day does not end beneath a test that did
/// not ask for it, whenever it runs.
fn half_a_day_from_now(utc_offset_s: i32) -> u32 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let at = now.cast_signed() + i64::from(utc_offset_s) + 43_200;
    u32::try_from(at.rem_euclid(86_400)).unwrap()
}

/// A running venue, stopped when dropped.
pub(crate) struct TestVenue {
    pub(crate) dir: TempDir,
    pub(crate) config: Config,
    pub(crate) options: Options,
    venue: Option<Venue>,
}

impl TestVenue {
    pub(crate) fn start() -> Self {
        Self::with(&[])
    }

    /// A venue whose configuration differs from the default.
    pub(crate) fn with(settings: &[(&str, &str)]) -> Self {
        Self::with_options(settings, Options::default())
    }

    /// The same, with a disk or a boot of the test's own.
    pub(crate) fn with_options(settings: &[(&str, &str)], options: Options) -> Self {
        Self::with_users(settings, options, &USERS.map(|user| (user, "FIRM")))
    }

    /// The same, with users of its own, each with its firm.
    pub(crate) fn with_users(
        settings: &[(&str, &str)],
        options: Options,
        names: &[(&str, &str)],
    ) -> Self {
        Self::with_copies(settings, options, names, &[])
    }

    /// The same, with users that listen to the drop copies of a firm.
    pub(crate) fn with_copies(
        settings: &[(&str, &str)],
        options: Options,
        names: &[(&str, &str)],
        listeners: &[(&str, &str)],
    ) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut users = Users::new(dir.path().join("users.toml"));
        for (user, firm) in names {
            users.add(user, firm, user).unwrap();
        }
        for (user, firm) in listeners {
            users.add_drop_copy(user, firm, user).unwrap();
        }
        users.save().unwrap();
        let mut overrides: Vec<(String, String)> = [
            ("orders.listen", "127.0.0.1:0"),
            ("data.listen", "127.0.0.1:0"),
            ("core.pin", "false"),
            // Passwords are checked slowly where many tests run at once.
            ("session.login_timeout", "15s"),
            // These clients send no heartbeats, however long a test lets them stand.
            ("session.client_timeout", "600s"),
            ("journal.segment", "1MiB"),
            ("capacity.orders", "10000"),
            ("capacity.user_ref_pages", "4000"),
        ]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .to_vec();
        // The whole suite runs in either layout.
        let layout = std::env::var(LAYOUT).unwrap_or_else(|_| "fused".to_owned());
        overrides.push(("core.layout".to_owned(), layout));
        overrides.extend(settings.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())));
        let mut config = Config::load(None, std::iter::empty(), &overrides).unwrap();
        if overrides.iter().all(|(key, _)| key != "venue.day_roll") {
            config.venue.day_roll_s = half_a_day_from_now(config.venue.utc_offset_s);
        }
        let mut venue = Self { dir, config, options, venue: None };
        venue.restart().unwrap();
        venue
    }

    /// The venue of a copy of its folder, running.
    pub(crate) fn image(&self, dir: TempDir) -> Self {
        let (config, options) = (self.config.clone(), self.options.clone());
        let mut venue = Self { dir, config, options, venue: None };
        venue.restart().unwrap();
        venue
    }

    pub(crate) fn dir(&self) -> VenueDir {
        VenueDir::new(self.dir.path())
    }

    pub(crate) fn venue(&self) -> &Venue {
        self.venue.as_ref().unwrap()
    }

    pub(crate) fn stop(&mut self) -> Summary {
        self.venue.take().unwrap().stop().unwrap()
    }

    /// Stops a venue that has failed.
    pub(crate) fn stop_failed(&mut self) -> StopError {
        self.venue.take().unwrap().stop().unwrap_err()
    }

    pub(crate) fn restart(&mut self) -> Result<(), StartError> {
        if self.venue.is_some() {
            self.stop();
        }
        self.venue = Some(venue::start_with(&self.config, &self.dir(), &self.options)?);
        Ok(())
    }

    pub(crate) fn orders(&self, user: &str, sequence: u64) -> Raw {
        let mut raw = Raw::connect(self.venue().orders_addr());
        raw.log_in(user, user, "", sequence);
        raw
    }

    pub(crate) fn data(&self, sequence: u64) -> Raw {
        let mut raw = Raw::connect(self.venue().data_addr());
        raw.log_in("BOB", "BOB", "", sequence);
        raw
    }
}

impl Drop for TestVenue {
    fn drop(&mut self) {
        if let Some(venue) = self.venue.take() {
            drop(venue.stop());
        }
    }
}

/// A client of bytes.
pub(crate) struct Raw {
    pub(crate) socket: TcpStream,
    received: Vec<u8>,
    /// Number of the next sequenced message.
    pub(crate) next: u64,
    /// The server may close within a packet.
    pub(crate) may_be_cut: bool,
}

impl Raw {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let socket = TcpStream::connect(address).unwrap();
        socket.set_nodelay(true).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { socket, received: Vec::new(), next: 0, may_be_cut: false }
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.socket.write_all(bytes).unwrap();
    }

    pub(crate) fn send_login(&mut self, user: &str, password: &str, session: &str, sequence: u64) {
        let request = LoginRequest {
            username: user.as_bytes(),
            password: password.as_bytes(),
            session: session.as_bytes(),
            sequence,
            heartbeat_timeout_ms: 15_000,
        };
        self.send(&request.packet().unwrap());
    }

    /// Logs in and expects to be accepted; returns the session's name.
    pub(crate) fn log_in(
        &mut self,
        user: &str,
        password: &str,
        session: &str,
        sequence: u64,
    ) -> String {
        self.send_login(user, password, session, sequence);
        let (kind, payload) = self.packet().expect("an answer to the login");
        assert_eq!(kind, soup::LOGIN_ACCEPTED, "{:?}", payload.escape_ascii().to_string());
        let accepted = soup::LoginAccepted::ref_from_bytes(&payload).unwrap();
        self.next = accepted.next_sequence().unwrap();
        String::from_utf8(accepted.session().to_vec()).unwrap()
    }

    /// The next packet that is no heartbeat; `None` when the server closed.
    pub(crate) fn packet(&mut self) -> Option<(u8, Vec<u8>)> {
        let start = Instant::now();
        loop {
            assert!(start.elapsed() < PACKET_PATIENCE, "nothing comes but heartbeats");
            match self.any_packet() {
                Some((soup::SERVER_HEARTBEAT, _)) => {}
                other => return other,
            }
        }
    }

    /// The next packet, heartbeats too; `None` when the server closed.
    pub(crate) fn any_packet(&mut self) -> Option<(u8, Vec<u8>)> {
        loop {
            if let Some(frame) = soup::next_frame(&self.received, 65_000).unwrap() {
                let (kind, payload) = (frame.kind, frame.payload.to_vec());
                let len = frame.len_bytes;
                self.received.drain(..len);
                return Some((kind, payload));
            }
            let mut buffer = [0; 16_384];
            let count = self.socket.read(&mut buffer).expect("bytes in time");
            if count == 0 {
                assert!(self.may_be_cut || self.received.is_empty(), "closed within a packet");
                return None;
            }
            self.received.extend_from_slice(&buffer[..count]);
        }
    }

    /// Takes the heartbeats that have arrived, and nothing else may have.
    pub(crate) fn take_arrived(&mut self) {
        self.socket.set_nonblocking(true).unwrap();
        let mut buffer = [0; 16_384];
        loop {
            match self.socket.read(&mut buffer) {
                Ok(count) => {
                    assert_ne!(count, 0, "the server closed");
                    self.received.extend_from_slice(&buffer[..count]);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => panic!("{error}"),
            }
        }
        self.socket.set_nonblocking(false).unwrap();
        while let Some(frame) = soup::next_frame(&self.received, 65_000).unwrap() {
            assert_eq!(frame.kind, soup::SERVER_HEARTBEAT, "{}", frame.payload.escape_ascii());
            let len = frame.len_bytes;
            self.received.drain(..len);
        }
    }

    /// The next sequenced message.
    pub(crate) fn message(&mut self) -> Vec<u8> {
        let (kind, payload) = self.packet().expect("a message");
        assert_eq!(kind, soup::SEQUENCED_DATA, "{:?}", payload.escape_ascii().to_string());
        self.next += 1;
        payload
    }

    pub(crate) fn messages(&mut self, count: usize) -> Vec<Vec<u8>> {
        (0..count).map(|_| self.message()).collect()
    }

    /// Everything up to the first message of type `kind`, that one included.
    pub(crate) fn until(&mut self, kind: u8) -> Vec<Vec<u8>> {
        let mut messages = Vec::new();
        loop {
            let message = self.message();
            let is_last = message[0] == kind;
            messages.push(message);
            if is_last {
                return messages;
            }
        }
    }

    pub(crate) fn ouch(&mut self, message: &[u8]) {
        let mut bytes = soup::header(soup::UNSEQUENCED_DATA, message.len()).to_vec();
        bytes.extend_from_slice(message);
        self.send(&bytes);
    }

    /// Asks for the next number, and thereby waits until all before was handled.
    pub(crate) fn sync(&mut self) -> Vec<Vec<u8>> {
        self.ouch(b"Q");
        self.until(b'Q')
    }

    pub(crate) fn half_close(&self) {
        self.socket.shutdown(Shutdown::Write).unwrap();
    }
}

/// Packets of `count` orders that rest, numbered from `first`.
pub(crate) fn orders_packet(first: u32, count: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    for number in first..first + count {
        let order = enter(number, b'B', 1, 1_000_000);
        bytes.extend_from_slice(&soup::header(soup::UNSEQUENCED_DATA, order.as_bytes().len()));
        bytes.extend_from_slice(order.as_bytes());
    }
    bytes
}

/// A valid day order, to be changed by tests.
pub(crate) fn enter(user_ref_num: u32, side: u8, quantity: u32, price: u64) -> inbound::Enter {
    inbound::Enter {
        kind: TypeByte::new(),
        user_ref_num: user_ref_num.into(),
        side,
        quantity: quantity.into(),
        symbol: *b"DEMO    ",
        price: price.into(),
        time_in_force: codes::TimeInForce::Day.to_wire(),
        display: codes::Display::Visible.to_wire(),
        capacity: codes::Capacity::Agency.to_wire(),
        intermarket_sweep: codes::NO,
        cross_type: codes::CrossType::Continuous.to_wire(),
        cl_ord_id: *b"TEST          ",
        appendage_len_bytes: 0.into(),
    }
}

/// Bytes of an order with appendage elements.
pub(crate) fn with_appendage(mut enter: inbound::Enter, elements: &[u8]) -> Vec<u8> {
    enter.appendage_len_bytes = u16::try_from(elements.len()).unwrap().into();
    [enter.as_bytes(), elements].concat()
}

/// The reject code of a message that must be a rejection of `user_ref_num`.
pub(crate) fn reject_code(message: &[u8], user_ref_num: u32) -> u16 {
    match Outbound::decode(message).unwrap() {
        Outbound::Rejected(rejected, _) => {
            assert_eq!(rejected.user_ref_num.get(), user_ref_num);
            rejected.reason.get()
        }
        other => panic!("expected a rejection, found {other:?}"),
    }
}
