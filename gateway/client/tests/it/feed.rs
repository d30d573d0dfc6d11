//! Reading the feed.

use uncross_client::{Books, Error, FeedReader, ProtocolError};
use uncross_wire::itch::Message;
use uncross_wire::{DecodeError, soup};

use crate::book::{add, delete, directory};
use crate::server::{LONG, Peer, Server};

#[test]
fn messages_come_numbered_and_build_a_book() {
    let server = Server::logged_in(1, |mut peer| {
        peer.sequenced(&directory(1, *b"DEMO    "));
        peer.sequenced(&add(1, 7, b'B', 100, 50));
        peer.sequenced(&delete(1, 7));
        peer.raw(&soup::END_OF_SESSION_PACKET);
    });
    let mut feed = FeedReader::connect(&server.options().from_number(1)).unwrap();
    let mut books = Books::new();
    let mut counts = Vec::new();
    let error = loop {
        match feed.next_message(LONG) {
            Ok(Some(item)) => {
                books.apply(&item.message).unwrap();
                counts.push((item.number, books.order_count()));
            }
            Ok(None) => panic!("no message"),
            Err(error) => break error,
        }
    };
    assert_eq!(counts, [(1, 0), (2, 1), (3, 0)]);
    assert!(matches!(error, Error::EndOfSession { next: 4 }), "{error:?}");
}

#[test]
fn feed_goes_on_where_it_stopped() {
    let server = Server::start(|listener| {
        let mut peer = Peer::accept(&listener);
        peer.packet();
        peer.welcome("DAY1", 1);
        peer.sequenced(&delete(1, 1));
        drop(peer);
        let mut peer = Peer::accept(&listener);
        peer.login(|login| assert_eq!((login.session, login.sequence), (&b"DAY1"[..], 2)));
        peer.welcome("DAY1", 2);
        peer.sequenced(&delete(1, 2));
        peer.message();
    });
    let options = server.options().from_number(1);
    let mut feed = FeedReader::connect(&options).unwrap();
    assert_eq!(feed.next_message(LONG).unwrap().unwrap().number, 1);
    assert!(matches!(feed.next_message(LONG), Err(Error::Closed { .. })));
    feed.reconnect(&options).unwrap();
    let item = feed.next_message(LONG).unwrap().unwrap();
    assert_eq!(item.number, 2);
    assert_eq!(item.message.bytes(), delete(1, 2));
    assert!(matches!(item.message, Message::OrderDelete(_)));
    assert_eq!(feed.next_number(), 3);
    feed.logout().unwrap();
}

#[test]
fn what_is_not_itch_is_named_with_its_number() {
    let server = Server::logged_in(8, |mut peer| peer.sequenced(b"z"));
    let mut feed = FeedReader::connect(&server.options()).unwrap();
    let error = feed.next_message(LONG).unwrap_err();
    let Error::Protocol(error) = error else { panic!("{error:?}") };
    let unknown = DecodeError::UnknownType { found: b'z' };
    assert_eq!(error, ProtocolError::Message { number: 8, error: unknown });
}
