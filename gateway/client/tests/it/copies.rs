//! Reading drop copies.

use uncross_client::{DropCopyReader, Error, ProtocolError};
use uncross_wire::{DecodeError, ouch::outbound::Outbound, soup};

use crate::server::{LONG, Peer, Server};

/// An answer to an account query in its envelope.
fn copy(port: u16, channel: u8, next: u8) -> Vec<u8> {
    let [high, low] = port.to_be_bytes();
    [&[b'd', high, low, channel, b'Q'][..], &[0; 11], &[next]].concat()
}

#[test]
fn drop_copies_come_numbered_and_say_whose_they_are() {
    let server = Server::logged_in(1, |mut peer| {
        peer.sequenced(&copy(1, 0, 5));
        peer.sequenced(&copy(300, 7, 6));
        peer.raw(&soup::END_OF_SESSION_PACKET);
    });
    let mut copies = DropCopyReader::connect(&server.options().from_number(1)).unwrap();
    for (number, port, channel, next) in [(1, 1, 0, 5), (2, 300, 7, 6)] {
        let item = copies.next_message(LONG).unwrap().unwrap();
        let envelope = item.copy.envelope;
        let found = (item.number, envelope.source_port.get(), envelope.user_ref_index);
        assert_eq!(found, (number, port, channel));
        let Outbound::AccountQueryResponse(report, _) = item.copy.report else {
            panic!("{item:?}")
        };
        assert_eq!(report.next_user_ref_num.get(), next);
    }
    let error = copies.next_message(LONG).unwrap_err();
    assert!(matches!(error, Error::EndOfSession { next: 3 }), "{error:?}");
}

#[test]
fn drop_copies_go_on_where_they_stopped() {
    let server = Server::start(|listener| {
        let mut peer = Peer::accept(&listener);
        peer.packet();
        peer.welcome("DAY1", 1);
        peer.sequenced(&copy(1, 0, 1));
        drop(peer);
        let mut peer = Peer::accept(&listener);
        peer.login(|login| assert_eq!((login.session, login.sequence), (&b"DAY1"[..], 2)));
        peer.welcome("DAY1", 2);
        peer.sequenced(&copy(1, 0, 2));
        peer.message();
    });
    let options = server.options().from_number(1);
    let mut copies = DropCopyReader::connect(&options).unwrap();
    assert_eq!(copies.next_message(LONG).unwrap().unwrap().number, 1);
    assert!(matches!(copies.next_message(LONG), Err(Error::Closed { .. })));
    copies.reconnect(&options).unwrap();
    let item = copies.next_message(LONG).unwrap().unwrap();
    assert_eq!((item.number, item.copy.bytes), (2, &copy(1, 0, 2)[4..]));
    assert_eq!(copies.next_number(), 3);
    copies.logout().unwrap();
}

#[test]
fn what_is_no_drop_copy_is_named_with_its_number() {
    let server = Server::logged_in(8, |mut peer| peer.sequenced(b"Q"));
    let mut copies = DropCopyReader::connect(&server.options()).unwrap();
    let error = copies.next_message(LONG).unwrap_err();
    let Error::Protocol(error) = error else { panic!("{error:?}") };
    let unknown = DecodeError::UnknownType { found: b'Q' };
    assert_eq!(error, ProtocolError::Message { number: 8, error: unknown });
}
