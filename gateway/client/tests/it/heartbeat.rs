//! Who proves to be alive, and who is given up.

use std::time::Duration;

use uncross_client::{ConnectOptions, Connection, Doing, Error, Event};
use uncross_wire::soup;

use crate::server::{LONG, SHORT, Server};

const HEARTBEAT: (u8, Vec<u8>) = (soup::CLIENT_HEARTBEAT, Vec::new());

fn with_interval(server: &Server, interval: Duration) -> ConnectOptions {
    let mut options = server.options();
    options.timing.heartbeat_interval = interval;
    options
}

/// A server that wants three heartbeats before it says anything.
fn patient() -> Server {
    Server::logged_in(1, |mut peer| {
        for _ in 0..3 {
            assert_eq!(peer.packet(), HEARTBEAT);
        }
        peer.sequenced(b"alive");
        peer.until_closed();
    })
}

#[test]
fn waiting_client_sends_heartbeats() {
    for nonblocking in [false, true] {
        let server = patient();
        let options = with_interval(&server, Duration::from_millis(5));
        let mut connection = Connection::connect(&options).unwrap();
        connection.set_nonblocking(nonblocking).unwrap();
        let event = Event::Sequenced { number: 1, payload: b"alive" };
        assert_eq!(connection.next_message(LONG).unwrap(), Some(event));
    }
}

#[test]
fn either_half_sends_heartbeats() {
    let server = patient();
    let options = with_interval(&server, Duration::from_millis(5));
    let (_sender, mut receiver) = Connection::connect(&options).unwrap().split();
    assert!(receiver.next_message(LONG).unwrap().is_some());

    let server = patient();
    let options = with_interval(&server, Duration::ZERO);
    let (mut sender, mut receiver) = Connection::connect(&options).unwrap().split();
    for _ in 0..3 {
        sender.keep_alive().unwrap();
    }
    while receiver.poll().unwrap().is_none() {}
}

#[test]
fn polling_client_sends_heartbeats() {
    let server = patient();
    let options = with_interval(&server, Duration::from_millis(1));
    let mut connection = Connection::connect(&options).unwrap();
    while connection.poll().unwrap().is_none() {}
}

#[test]
fn no_heartbeat_is_sent_before_it_is_due() {
    let server = Server::logged_in(1, |mut peer| {
        assert_eq!(peer.packet(), (soup::UNSEQUENCED_DATA, b"first".into()));
        peer.until_closed();
    });
    let mut connection = Connection::connect(&with_interval(&server, LONG)).unwrap();
    assert_eq!(connection.poll().unwrap(), None);
    assert_eq!(connection.next_message(Duration::from_millis(1)).unwrap(), None);
    connection.sender().keep_alive().unwrap();
    connection.send(b"first").unwrap();
}

#[test]
fn queued_message_leaves_in_place_of_a_heartbeat() {
    let server = Server::logged_in(1, |mut peer| {
        assert_eq!(peer.packet(), (soup::UNSEQUENCED_DATA, b"queued".into()));
        assert_eq!(peer.packet(), HEARTBEAT);
        peer.until_closed();
    });
    let mut connection = Connection::connect(&with_interval(&server, Duration::ZERO)).unwrap();
    connection.queue(b"queued").unwrap();
    connection.sender().keep_alive().unwrap();
    connection.sender().keep_alive().unwrap();
}

#[test]
fn silent_server_is_given_up() {
    for nonblocking in [false, true] {
        let server = Server::logged_in(1, |mut peer| drop(peer.until_closed()));
        let mut options = server.options();
        options.timing.silence_timeout = SHORT;
        let mut connection = Connection::connect(&options).unwrap();
        connection.set_nonblocking(nonblocking).unwrap();
        let error = connection.next_message(LONG).unwrap_err();
        let Error::Timeout { doing: Doing::HearServer, after } = error else { panic!("{error:?}") };
        assert_eq!(after, SHORT);
        let error = connection.poll().unwrap_err();
        assert!(matches!(error, Error::Timeout { doing: Doing::HearServer, .. }), "{error:?}");
    }
}

#[test]
fn server_heartbeats_keep_the_connection() {
    let server = Server::logged_in(1, |mut peer| {
        // Each answers one of the client, so together they outlast the silence allowed.
        for _ in 0..110 {
            assert_eq!(peer.packet(), HEARTBEAT);
            peer.raw(&soup::SERVER_HEARTBEAT_PACKET);
        }
        peer.sequenced(b"alive");
        peer.until_closed();
    });
    let mut options = with_interval(&server, Duration::from_millis(30));
    options.timing.silence_timeout = Duration::from_secs(3);
    let mut connection = Connection::connect(&options).unwrap();
    assert!(connection.next_message(LONG).unwrap().is_some());
}

#[test]
fn what_already_arrived_outweighs_a_long_pause_of_the_client() {
    for poll in [false, true] {
        let server = Server::logged_in(1, |mut peer| {
            assert_eq!(peer.message().1, b"ready");
            peer.sequenced(b"early");
            peer.until_closed();
        });
        let mut options = server.options();
        // Any pause is too long, yet a message that is there is not silence.
        options.timing.silence_timeout = Duration::ZERO;
        let mut connection = Connection::connect(&options).unwrap();
        connection.send(b"ready").unwrap();
        while connection.stream().peek(&mut [0]).is_err() {}
        let event = Event::Sequenced { number: 1, payload: b"early" };
        let found = if poll { connection.poll() } else { connection.next_message(LONG) };
        assert_eq!(found.unwrap(), Some(event));
    }
}
