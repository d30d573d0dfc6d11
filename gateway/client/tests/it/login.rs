//! Logging in: what is asked, and what each answer means.

use std::net::TcpListener;

use uncross_client::{ConnectOptions, Connection, Doing, Error, ProtocolError, Text, TextError};
use uncross_wire::soup::{self, LoginRejectReason};

use crate::server::{LONG, Peer, SHORT, Server, packet};

/// Connects to a server that answers the login with `answer` and then closes.
fn answered(answer: Vec<u8>, change: impl FnOnce(&mut ConnectOptions)) -> Result<(), Error> {
    let server = Server::start(move |listener| {
        let mut peer = Peer::accept(&listener);
        peer.packet();
        peer.raw(&answer);
    });
    let mut options = server.options();
    change(&mut options);
    Connection::connect(&options).map(drop)
}

fn violation(answer: Vec<u8>, change: impl FnOnce(&mut ConnectOptions)) -> ProtocolError {
    match answered(answer, change) {
        Err(Error::Protocol(error)) => error,
        other => panic!("{other:?}"),
    }
}

fn welcome(session: &str, next: u64) -> Vec<u8> {
    soup::LoginAccepted::new(session, next).unwrap().packet().to_vec()
}

#[test]
fn login_asks_for_user_session_and_number() {
    let server = Server::start(|listener| {
        let mut peer = Peer::accept(&listener);
        peer.login(|login| {
            assert_eq!(login.username, b"ALICE");
            assert_eq!(login.password, b"SECRET");
            assert_eq!((login.session, login.sequence), (&b"DAY1"[..], 17));
            assert_eq!(login.heartbeat_timeout_ms, soup::HEARTBEAT_TIMEOUT_DEFAULT_MS);
        });
        peer.welcome("DAY1", 17);
    });
    let connection = Connection::connect(&server.options().resuming("DAY1", 17)).unwrap();
    assert_eq!(connection.session(), "DAY1");
    assert_eq!((connection.login().next, connection.next_number()), (17, 17));
}

#[test]
fn login_is_of_version_4_when_it_states_a_heartbeat_timeout() {
    for (timeout_ms, len_bytes) in [(None, 46), (Some(30_000), 51)] {
        let server = Server::start(move |listener| {
            let mut peer = Peer::accept(&listener);
            let (_, payload) = peer.packet();
            assert_eq!(payload.len(), len_bytes);
            assert!(timeout_ms.is_none() || payload.ends_with(b"30000"));
            peer.welcome("DAY1", 1);
        });
        let options = ConnectOptions { heartbeat_timeout_ms: timeout_ms, ..server.options() };
        Connection::connect(&options).unwrap();
    }
}

#[test]
fn refusal_names_its_reason() {
    for reason in LoginRejectReason::ALL {
        let answer = soup::LoginRejected::new(*reason).packet().to_vec();
        let Err(Error::LoginRejected { reason: found }) = answered(answer, |_| {}) else {
            panic!("not rejected");
        };
        assert_eq!(found, *reason);
    }
    let answer = packet(soup::LOGIN_REJECTED, b"?");
    assert_eq!(violation(answer, |_| {}), ProtocolError::RejectReason { found: b'?' });
}

#[test]
fn server_must_start_where_it_was_asked_to() {
    let error = violation(welcome("DAY1", 7), |options| options.sequence = 5);
    assert_eq!(error, ProtocolError::OtherNumber { expected: 5, found: 7 });
    let error = violation(welcome("DAY2", 1), |options| options.session = "DAY1".into());
    let expected = Text::new("DAY1").unwrap();
    let ProtocolError::OtherSession { expected: asked, found } = error else { panic!("{error}") };
    assert_eq!((asked, found.to_string().as_str()), (expected, "DAY2"));
    answered(welcome("DAY2", 7), |_| {}).unwrap();
}

#[test]
fn first_answer_must_be_one_to_the_login() {
    let error = violation(packet(soup::SEQUENCED_DATA, b"x"), |_| {});
    assert_eq!(error, ProtocolError::UnexpectedPacket { found: b'S', next: 0 });
    let error = violation(packet(soup::LOGIN_ACCEPTED, b"short"), |_| {});
    assert_eq!(error, ProtocolError::LoginAnswerLength { expected: 30, found: 5 });
    let error = violation(packet(soup::LOGIN_REJECTED, b""), |_| {});
    assert_eq!(error, ProtocolError::LoginAnswerLength { expected: 1, found: 0 });
    let error = violation(packet(soup::LOGIN_ACCEPTED, &[b' '; 30]), |_| {});
    assert!(matches!(error, ProtocolError::LoginNumber(_)), "{error}");
    let noise = [packet(soup::DEBUG, b"hello"), packet(soup::SERVER_HEARTBEAT, b"")].concat();
    answered([noise, welcome("DAY1", 1)].concat(), |_| {}).unwrap();
}

#[test]
fn login_without_an_answer_ends() {
    let error = answered(Vec::new(), |_| {}).unwrap_err();
    assert!(matches!(error, Error::Closed { doing: Doing::LogIn }), "{error:?}");
    let server = Server::start(|listener| {
        let mut peer = Peer::accept(&listener);
        assert_eq!(peer.until_closed(), [soup::LOGIN_REQUEST]);
    });
    let mut options = server.options();
    options.timing.login_timeout = SHORT;
    let error = Connection::connect(&options).unwrap_err();
    let Error::Timeout { doing: Doing::LogIn, after } = error else { panic!("{error:?}") };
    assert_eq!(after, SHORT);
}

#[test]
fn address_without_a_server_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let error = Connection::connect(&ConnectOptions::new(&address, "A", "B")).unwrap_err();
    assert_eq!(error.to_string(), format!("cannot connect to {address}"));
    assert!(std::error::Error::source(&error).is_some());
}

#[test]
fn texts_are_judged_before_anybody_is_called() {
    let fine = ConnectOptions::new("no such address", "A", "B");
    for (options, expected) in [
        (ConnectOptions { user: "SEVENCH".into(), ..fine.clone() }, ("user name", 6, 7)),
        (ConnectOptions { password: "elevenchars".into(), ..fine.clone() }, ("password", 10, 11)),
        (ConnectOptions { session: "\u{e9}".into(), ..fine.clone() }, ("session", 10, 2)),
        (
            ConnectOptions { heartbeat_timeout_ms: Some(100_000), ..fine.clone() },
            ("heartbeat timeout", 5, 6),
        ),
    ] {
        let (field, max, found) = expected;
        let error = Connection::connect(&options).unwrap_err();
        let Error::Text(error) = error else { panic!("{error:?}") };
        assert_eq!(error, TextError { field, max, found });
    }
    let error = Connection::connect(&fine).unwrap_err();
    assert!(matches!(error, Error::Connect { .. }), "{error:?}");
}

#[test]
fn login_works_over_a_socket_of_the_caller() {
    let server = Server::logged_in(1, |mut peer| peer.sequenced(b"hello"));
    let options = server.options();
    let stream = std::net::TcpStream::connect(&options.address).unwrap();
    let mut connection = Connection::log_in(stream, &options).unwrap();
    assert!(connection.next_message(LONG).unwrap().is_some());
}
