//! A server that plays a script: one thread, ordinary blocking reads and writes.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use uncross_client::{ConnectOptions, Connection};
use uncross_wire::soup::{self, LoginAccepted, LoginRequest};

/// Longer than any test may take; only a broken one waits for it.
pub(crate) const LONG: Duration = Duration::from_secs(20);
/// Short enough to wait for.
pub(crate) const SHORT: Duration = Duration::from_millis(30);

/// Joins the script when dropped, so that its failure fails the test.
pub(crate) struct Server {
    address: String,
    script: Option<JoinHandle<()>>,
}

impl Server {
    /// Starts `script` with a socket that listens.
    pub(crate) fn start(script: impl FnOnce(TcpListener) + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        Self { address, script: Some(thread::spawn(move || script(listener))) }
    }

    /// Starts `script` with one client that is logged in to `DAY1` at `next`.
    pub(crate) fn logged_in(next: u64, script: impl FnOnce(Peer) + Send + 'static) -> Self {
        Self::start(move |listener| {
            let mut peer = Peer::accept(&listener);
            peer.packet();
            peer.welcome("DAY1", next);
            script(peer);
        })
    }

    /// Options that lead here.
    pub(crate) fn options(&self) -> ConnectOptions {
        ConnectOptions::new(&self.address, "ALICE", "SECRET")
    }

    /// Logs in with the usual options.
    pub(crate) fn connect(&self) -> Connection {
        Connection::connect(&self.options()).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let result = self.script.take().unwrap().join();
        if !thread::panicking() {
            result.unwrap();
        }
    }
}

/// The server's end of one connection.
pub(crate) struct Peer {
    stream: TcpStream,
}

impl Peer {
    pub(crate) fn accept(listener: &TcpListener) -> Self {
        let (stream, _) = listener.accept().unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(LONG)).unwrap();
        Self { stream }
    }

    /// Reads one packet, type and payload.
    pub(crate) fn packet(&mut self) -> (u8, Vec<u8>) {
        self.try_packet().expect("client closed")
    }

    /// Reads one packet; `None` when the client closed.
    pub(crate) fn try_packet(&mut self) -> Option<(u8, Vec<u8>)> {
        let mut head = [0; 2];
        match self.stream.read_exact(&mut head) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return None,
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return None,
            Err(error) => panic!("{error}"),
        }
        let mut body = vec![0; usize::from(u16::from_be_bytes(head))];
        self.stream.read_exact(&mut body).unwrap();
        let payload = body.split_off(1);
        Some((body[0], payload))
    }

    /// Reads the next packet that is no heartbeat.
    pub(crate) fn message(&mut self) -> (u8, Vec<u8>) {
        loop {
            let packet = self.packet();
            if packet.0 != soup::CLIENT_HEARTBEAT {
                return packet;
            }
        }
    }

    /// Reads the login and hands it to `judge`.
    pub(crate) fn login(&mut self, judge: impl FnOnce(&LoginRequest<'_>)) {
        let (kind, payload) = self.packet();
        assert_eq!(kind, soup::LOGIN_REQUEST);
        judge(&LoginRequest::decode(&payload).unwrap());
    }

    pub(crate) fn welcome(&mut self, session: &str, next: u64) {
        self.raw(&LoginAccepted::new(session, next).unwrap().packet());
    }

    pub(crate) fn sequenced(&mut self, payload: &[u8]) {
        self.raw(&packet(soup::SEQUENCED_DATA, payload));
    }

    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    /// Reads nothing until the client is gone, which a write then meets.
    pub(crate) fn until_closed_without_reading(&mut self) {
        while self.stream.write_all(&soup::SERVER_HEARTBEAT_PACKET).is_ok() {
            thread::yield_now();
        }
    }

    /// Reads until the client closes; returns the types of what came.
    pub(crate) fn until_closed(&mut self) -> Vec<u8> {
        std::iter::from_fn(|| self.try_packet()).map(|(kind, _)| kind).collect()
    }
}

/// A whole packet.
pub(crate) fn packet(kind: u8, payload: &[u8]) -> Vec<u8> {
    [&soup::header(kind, payload.len())[..], payload].concat()
}
