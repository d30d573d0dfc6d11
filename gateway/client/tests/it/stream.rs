//! Packets in and out of a connection that is logged in.

use std::thread;
use std::time::Duration;

use uncross_client::{ConnectOptions, Connection, Doing, Error, Event, ProtocolError};
use uncross_wire::soup::{self, FrameError};

use crate::server::{LONG, Peer, Server, packet};

const START: u64 = 9_999_999_998;

/// Three messages among packets that do not count, and their numbers from [`START`].
fn mixed() -> Vec<u8> {
    [
        packet(soup::SEQUENCED_DATA, b"one"),
        packet(soup::SERVER_HEARTBEAT, b""),
        packet(soup::SEQUENCED_DATA, b""),
        packet(soup::DEBUG, b"note"),
        packet(soup::SEQUENCED_DATA, b"three"),
    ]
    .concat()
}

const EVENTS: [Event<'static>; 4] = [
    Event::Sequenced { number: START, payload: b"one" },
    Event::Sequenced { number: START + 1, payload: b"" },
    Event::Debug { text: b"note" },
    Event::Sequenced { number: START + 2, payload: b"three" },
];

fn violation(bytes: Vec<u8>, change: impl FnOnce(&mut ConnectOptions)) -> ProtocolError {
    let server = Server::logged_in(1, move |mut peer| peer.raw(&bytes));
    let mut options = server.options();
    change(&mut options);
    match Connection::connect(&options).unwrap().next_message(LONG) {
        Err(Error::Protocol(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn packets_may_be_split_at_every_byte() {
    for split in 1..mixed().len() {
        let server = Server::logged_in(START, move |mut peer| {
            let bytes = mixed();
            assert_eq!(peer.message().1, b"ready");
            peer.raw(&bytes[..split]);
            // The client has taken what there was.
            assert_eq!(peer.message().1, b"more");
            peer.raw(&bytes[split..]);
            peer.until_closed();
        });
        let mut connection = server.connect();
        connection.send(b"ready").unwrap();
        let mut events = EVENTS.iter();
        let mut received = 0;
        while received < split {
            received += connection.receiver().fill().unwrap();
            while let Some(event) = connection.receiver().buffered().unwrap() {
                assert_eq!(Some(&event), events.next(), "split at {split}");
            }
        }
        connection.send(b"more").unwrap();
        for expected in events {
            assert_eq!(connection.next_message(LONG).unwrap(), Some(*expected), "split at {split}");
        }
        assert_eq!(connection.next_number(), START + 3);
    }
}

#[test]
fn one_read_brings_many_messages() {
    let server = Server::logged_in(1, |mut peer| {
        peer.raw(&packet(soup::SEQUENCED_DATA, &[7; 40]).repeat(20_000));
        peer.until_closed();
    });
    let mut connection = server.connect();
    connection.set_nonblocking(true).unwrap();
    let (mut reads, mut messages) = (0, 0);
    while messages < 20_000 {
        if connection.receiver().fill().unwrap() == 0 {
            thread::yield_now();
            continue;
        }
        reads += 1;
        while let Some(event) = connection.receiver().buffered().unwrap() {
            messages += 1;
            assert_eq!(event, Event::Sequenced { number: messages, payload: &[7; 40] });
        }
    }
    assert!(reads < 20_000, "{reads} reads");
}

#[test]
fn full_buffer_waits_to_be_taken() {
    let server = Server::logged_in(1, |mut peer| {
        assert_eq!(peer.message().1, b"ready");
        peer.raw(&packet(soup::SEQUENCED_DATA, &[7; 1_000]).repeat(200));
        peer.until_closed();
    });
    let mut connection = server.connect();
    connection.send(b"ready").unwrap();
    let mut received = 0;
    while received < 64 * 1024 {
        received += connection.receiver().fill().unwrap();
    }
    assert_eq!(connection.receiver().fill().unwrap(), 0);
    for number in 1..=200 {
        let event = Event::Sequenced { number, payload: &[7; 1_000] };
        assert_eq!(connection.next_message(LONG).unwrap(), Some(event));
    }
}

#[test]
fn poll_never_waits_in_either_mode() {
    for nonblocking in [false, true] {
        let server = Server::logged_in(5, |mut peer| {
            peer.message();
            peer.sequenced(b"x");
            peer.until_closed();
        });
        let mut connection = server.connect();
        connection.set_nonblocking(nonblocking).unwrap();
        assert_eq!(connection.poll().unwrap(), None);
        assert_eq!(connection.next_message(Duration::ZERO).unwrap(), None);
        assert_eq!(connection.next_message(Duration::from_millis(1)).unwrap(), None);
        connection.send(b"now").unwrap();
        let event = Event::Sequenced { number: 5, payload: b"x" };
        assert_eq!(connection.next_message(LONG).unwrap(), Some(event));
    }
}

#[test]
fn end_of_session_comes_once_and_then_as_an_error() {
    let server = Server::logged_in(3, |mut peer| {
        peer.sequenced(b"last");
        peer.raw(&soup::END_OF_SESSION_PACKET);
        peer.sequenced(b"beyond the end");
    });
    let mut connection = server.connect();
    assert!(connection.next_message(LONG).unwrap().is_some());
    assert_eq!(connection.next_message(LONG).unwrap(), Some(Event::EndOfSession));
    for _ in 0..2 {
        let error = connection.poll().unwrap_err();
        assert!(matches!(error, Error::EndOfSession { next: 4 }), "{error:?}");
    }
}

#[test]
fn longest_packet_fits_and_a_longer_one_is_refused() {
    let server = Server::logged_in(1, |mut peer| {
        for len in [ConnectOptions::PAYLOAD_LEN_BYTES_MAX, 10, 65_533] {
            peer.sequenced(&vec![1; len]);
        }
        peer.until_closed();
    });
    let mut connection = server.connect();
    for len in [65_533, 10, 65_533] {
        let Some(Event::Sequenced { payload, .. }) = connection.next_message(LONG).unwrap() else {
            panic!("no message");
        };
        assert_eq!(payload.len(), len);
    }
    let error = violation(packet(soup::SEQUENCED_DATA, &vec![1; 65_534]), |_| {});
    let oversized = FrameError::Oversized { max: 65_533, found: 65_534 };
    assert_eq!(error, ProtocolError::Frame(oversized));
    let error = violation(packet(soup::SEQUENCED_DATA, &[1; 31]), |options| {
        options.payload_len_bytes_max = 30;
    });
    assert_eq!(error, ProtocolError::Frame(FrameError::Oversized { max: 30, found: 31 }));
}

#[test]
fn numbers_at_their_very_end_do_not_wrap() {
    let server = Server::logged_in(u64::MAX, |mut peer| {
        peer.sequenced(b"last");
        peer.sequenced(b"beyond");
    });
    let mut connection = server.connect();
    for _ in 0..2 {
        let event = connection.next_message(LONG).unwrap();
        assert!(matches!(event, Some(Event::Sequenced { number: u64::MAX, .. })), "{event:?}");
    }
}

#[test]
fn foreign_packets_break_the_protocol() {
    let error = violation(vec![0, 0], |_| {});
    assert_eq!(error, ProtocolError::Frame(FrameError::Empty));
    for kind in *b"AJUL!" {
        let error = violation(packet(kind, b"x"), |_| {});
        assert_eq!(error, ProtocolError::UnexpectedPacket { found: kind, next: 1 });
    }
}

#[test]
fn close_inside_a_packet_is_a_close() {
    let server = Server::logged_in(1, |mut peer| peer.raw(&[0, 5, b'S', 1]));
    let error = server.connect().next_message(LONG).unwrap_err();
    assert!(matches!(error, Error::Closed { doing: Doing::Receive }), "{error:?}");
}

#[test]
fn queued_messages_leave_together_and_in_order() {
    let server = Server::logged_in(1, |mut peer| {
        for text in ["one", "two", "three"] {
            assert_eq!(peer.message(), (soup::UNSEQUENCED_DATA, text.into()));
        }
        let big = peer.message().1;
        assert_eq!(big.len(), 60_000);
        assert_eq!(peer.message().1, [9; 10_000]);
        peer.until_closed();
    });
    let mut connection = server.connect();
    for text in ["one", "two", "three"] {
        connection.queue(text.as_bytes()).unwrap();
    }
    assert_eq!(connection.sender().queued_len_bytes(), 3 * soup::HEADER_LEN_BYTES + 11);
    connection.flush().unwrap();
    assert_eq!(connection.sender().queued_len_bytes(), 0);
    let error = connection.queue(&vec![0; 65_535]).unwrap_err();
    assert!(matches!(error, Error::PayloadTooLong { max: 65_534, found: 65_535 }), "{error:?}");
    connection.queue(&vec![9; 60_000]).unwrap();
    // The queue is bounded: what does not fit beside the first message pushes that out.
    connection.queue(&[9; 10_000]).unwrap();
    assert_eq!(connection.sender().queued_len_bytes(), 10_003);
    while connection.sender().try_flush().unwrap() != 0 {}
}

#[test]
fn server_that_does_not_read_times_the_sender_out() {
    for nonblocking in [false, true] {
        let server = Server::logged_in(1, |mut peer| {
            peer.until_closed_without_reading();
        });
        let mut options = server.options();
        options.timing.send_timeout = Duration::from_millis(20);
        let mut connection = Connection::connect(&options).unwrap();
        connection.set_nonblocking(nonblocking).unwrap();
        let error = loop {
            if let Err(error) = connection.send(&vec![0; 60_000]) {
                break error;
            }
        };
        assert!(matches!(error, Error::Timeout { doing: Doing::Send, .. }), "{error:?}");
        assert_ne!(connection.sender().queued_len_bytes(), 0);
    }
}

#[test]
fn halves_serve_two_threads() {
    const COUNT: u64 = 10_000;
    for nonblocking in [false, true] {
        let server = Server::logged_in(1, |mut peer| {
            for _ in 0..COUNT {
                let (_, payload) = peer.message();
                peer.sequenced(&payload);
            }
            peer.until_closed();
        });
        let (mut sender, mut receiver) = server.connect().split();
        sender.set_nonblocking(nonblocking).unwrap();
        let writer = thread::spawn(move || {
            for number in 1..=COUNT {
                sender.queue(&number.to_be_bytes()).unwrap();
                if number % 7 == 0 {
                    sender.flush().unwrap();
                }
            }
            sender.flush().unwrap();
            sender
        });
        for number in 1..=COUNT {
            let payload = number.to_be_bytes();
            let event = Event::Sequenced { number, payload: &payload };
            assert_eq!(receiver.next_message(LONG).unwrap(), Some(event));
        }
        writer.join().unwrap();
    }
}

#[test]
fn logout_asks_and_waits_for_the_close() {
    let server = Server::logged_in(1, |mut peer| {
        assert_eq!(peer.message(), (soup::UNSEQUENCED_DATA, b"queued".into()));
        assert_eq!(peer.message(), (soup::LOGOUT_REQUEST, Vec::new()));
        peer.sequenced(b"still on its way");
    });
    let mut connection = server.connect();
    connection.queue(b"queued").unwrap();
    connection.logout().unwrap();

    let server = Server::logged_in(1, |mut peer| {
        assert_eq!(peer.until_closed(), [soup::LOGOUT_REQUEST]);
    });
    let mut options = server.options();
    options.timing.login_timeout = Duration::from_secs(2);
    options.timing.heartbeat_interval = LONG;
    let error = Connection::connect(&options).unwrap().logout().unwrap_err();
    assert!(matches!(error, Error::Timeout { doing: Doing::LogOut, .. }), "{error:?}");
}

#[test]
fn reconnect_goes_on_at_the_next_number() {
    let server = Server::start(|listener| {
        let mut peer = Peer::accept(&listener);
        peer.login(|login| assert_eq!((login.session, login.sequence), (&b""[..], 1)));
        peer.welcome("DAY1", 1);
        peer.sequenced(b"one");
        drop(peer);
        let mut peer = Peer::accept(&listener);
        peer.login(|login| assert_eq!((login.session, login.sequence), (&b"DAY1"[..], 2)));
        peer.welcome("DAY1", 2);
        peer.sequenced(b"two");
    });
    let options = server.options().from_number(1);
    let mut connection = Connection::connect(&options).unwrap();
    assert!(connection.next_message(LONG).unwrap().is_some());
    assert!(matches!(connection.next_message(LONG), Err(Error::Closed { .. })));
    connection.reconnect(&options).unwrap();
    let event = Event::Sequenced { number: 2, payload: b"two" };
    assert_eq!(connection.next_message(LONG).unwrap(), Some(event));
}
