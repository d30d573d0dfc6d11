//! The login exchange, with the habits of the clients in the wild.

use uncross_wire::soup::{
    FrameError, HEARTBEAT_TIMEOUT_DEFAULT_MS, LOGIN_REQUEST, LoginAccepted, LoginError,
    LoginRejectReason, LoginRejected, LoginRequest, next_frame,
};
use uncross_wire::text::ParseNumberError;
use uncross_wire::{FromBytes, soup};

const ALICE: LoginRequest<'_> = LoginRequest {
    username: b"ALICE",
    password: b"SECRET",
    session: b"0000000001",
    sequence: 17,
    heartbeat_timeout_ms: HEARTBEAT_TIMEOUT_DEFAULT_MS,
};

#[test]
fn right_justified_login_is_understood() {
    let payload = b"ALICE SECRET    0000000001                  17";
    assert_eq!(LoginRequest::decode(payload), Ok(ALICE));
}

#[test]
fn left_justified_login_is_understood() {
    let payload = b"ALICE SECRET    0000000001 17                 ";
    assert_eq!(LoginRequest::decode(payload), Ok(ALICE));
}

#[test]
fn login_padded_with_nuls_is_understood() {
    let payload = b"ALICE\0SECRET\0\0\0\x00000000000117\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    assert_eq!(payload.len(), 46);
    assert_eq!(LoginRequest::decode(payload), Ok(ALICE));
}

#[test]
fn login_of_version_4_brings_its_timeout() {
    let payload = b"ALICE SECRET    0000000001                  17 5000";
    let expected = LoginRequest { heartbeat_timeout_ms: 5_000, ..ALICE };
    assert_eq!(LoginRequest::decode(payload), Ok(expected));
    let blank = b"ALICE SECRET    0000000001                  17     ";
    assert_eq!(LoginRequest::decode(blank), Ok(ALICE));
}

#[test]
fn blank_session_and_number_mean_current_and_live_only() {
    let payload = [b' '; 46];
    let login = LoginRequest::decode(&payload).unwrap();
    assert_eq!((login.session, login.sequence), (&b""[..], 0));
    let login = LoginRequest::decode(&[0; 46]).unwrap();
    assert_eq!((login.username, login.password, login.sequence), (&b""[..], &b""[..], 0));
}

#[test]
fn login_with_a_broken_number_is_refused() {
    let payload = b"ALICE SECRET    0000000001                  -1";
    let error = ParseNumberError::NonDigit { offset: 0, found: b'-' };
    assert_eq!(LoginRequest::decode(payload), Err(LoginError::Sequence(error)));
    let payload = b"ALICE SECRET    000000000199999999999999999999";
    let error = LoginError::Sequence(ParseNumberError::Overflow);
    assert_eq!(LoginRequest::decode(payload), Err(error));
    let payload = b"ALICE SECRET    0000000001                  17 5.00";
    let error = ParseNumberError::NonDigit { offset: 1, found: b'.' };
    assert_eq!(LoginRequest::decode(payload), Err(LoginError::HeartbeatTimeout(error)));
}

#[test]
fn login_of_any_other_length_is_refused() {
    for len in (0..64).filter(|len| ![46, 51].contains(len)) {
        let payload = vec![b' '; len];
        let error = LoginError::WrongLength { found: len };
        assert_eq!(LoginRequest::decode(&payload), Err(error));
    }
}

#[test]
fn login_packet_of_each_version_reads_back() {
    let packet = ALICE.packet().unwrap();
    assert_eq!(&packet, b"\x00\x2FLALICE SECRET    0000000001                  17");
    let frame = next_frame(&packet, 46).unwrap().unwrap();
    assert_eq!((frame.kind, frame.len_bytes), (LOGIN_REQUEST, 49));
    assert_eq!(LoginRequest::decode(frame.payload), Ok(ALICE));
    let patient = LoginRequest { heartbeat_timeout_ms: 99_999, ..ALICE };
    let packet = patient.packet_v4().unwrap();
    assert_eq!(&packet[..3], b"\x00\x34L");
    assert_eq!(LoginRequest::decode(&packet[3..]), Ok(patient));
}

#[test]
fn login_that_does_not_fit_its_fields_is_not_written() {
    assert!(LoginRequest { username: b"SEVENTH", ..ALICE }.packet().is_none());
    assert!(LoginRequest { password: b"ELEVENBYTES", ..ALICE }.packet().is_none());
    assert!(LoginRequest { session: b"BAD\0", ..ALICE }.packet().is_none());
    assert!(LoginRequest { heartbeat_timeout_ms: 100_000, ..ALICE }.packet_v4().is_none());
}

#[test]
fn acceptance_is_right_justified_on_both_fields() {
    let accepted = LoginAccepted::new("DAY1", 123).unwrap();
    assert_eq!(&accepted.packet(), b"\x00\x1FA      DAY1                 123");
    assert_eq!(accepted.session(), b"DAY1");
    assert_eq!(accepted.next_sequence(), Ok(123));
    assert!(LoginAccepted::new("ELEVENBYTES", 1).is_none());
    let left = LoginAccepted::read_from_bytes(b"DAY1      123                 ").unwrap();
    assert_eq!((left.session(), left.next_sequence()), (&b"DAY1"[..], Ok(123)));
}

#[test]
fn refusal_names_its_reason() {
    let rejected = LoginRejected::new(LoginRejectReason::SessionUnavailable);
    assert_eq!(&rejected.packet(), b"\x00\x02JS");
    let reason = LoginRejectReason::from_wire(rejected.reason);
    assert_eq!(reason, Some(LoginRejectReason::SessionUnavailable));
    assert_eq!(LoginRejectReason::from_wire(b'X'), None);
}

#[test]
fn oversized_login_is_refused_by_its_length_alone() {
    let error = FrameError::Oversized { max: 51, found: 52 };
    assert_eq!(next_frame(&[0, 53], 51), Err(error));
}

#[test]
fn control_packets_are_three_bytes() {
    for (packet, kind) in [
        (soup::SERVER_HEARTBEAT_PACKET, b'H'),
        (soup::CLIENT_HEARTBEAT_PACKET, b'R'),
        (soup::END_OF_SESSION_PACKET, b'Z'),
        (soup::LOGOUT_REQUEST_PACKET, b'O'),
    ] {
        assert_eq!(packet, [0, 1, kind]);
    }
}
