//! The packet splitter, fed in pieces.

use proptest::prelude::*;
use uncross_wire::soup::{self, next_frame};

/// Takes every whole packet off the front of `buffer`.
fn drain(buffer: &mut Vec<u8>, packets: &mut Vec<(u8, Vec<u8>)>) {
    while let Some(frame) = next_frame(buffer, 100).unwrap() {
        let len_bytes = frame.len_bytes;
        packets.push((frame.kind, frame.payload.to_vec()));
        buffer.drain(..len_bytes);
    }
}

fn stream(packets: &[(u8, Vec<u8>)]) -> Vec<u8> {
    let packet = |(kind, payload): &(u8, Vec<u8>)| {
        [&soup::header(*kind, payload.len())[..], payload].concat()
    };
    packets.iter().flat_map(packet).collect()
}

#[test]
fn packets_are_the_same_wherever_the_stream_is_cut() {
    let packets = vec![
        (soup::LOGIN_REQUEST, vec![b' '; 46]),
        (soup::CLIENT_HEARTBEAT, vec![]),
        (soup::UNSEQUENCED_DATA, b"X\0\0\0\x01\0\0\0\0".to_vec()),
        (soup::DEBUG, vec![0xFF; 100]),
        (soup::LOGOUT_REQUEST, vec![]),
    ];
    let stream = stream(&packets);
    for cut in 0..=stream.len() {
        let (mut buffer, mut found) = (vec![], vec![]);
        for piece in [&stream[..cut], &stream[cut..]] {
            buffer.extend(piece);
            drain(&mut buffer, &mut found);
        }
        assert_eq!(found, packets, "cut at {cut}");
        assert!(buffer.is_empty());
    }
}

#[test]
fn packets_are_the_same_byte_by_byte() {
    let packets = vec![(b'S', vec![1, 2, 3]), (b'H', vec![]), (b'S', vec![4; 99])];
    let (mut buffer, mut found) = (vec![], vec![]);
    for byte in stream(&packets) {
        buffer.push(byte);
        drain(&mut buffer, &mut found);
    }
    assert_eq!(found, packets);
}

fn packet() -> impl Strategy<Value = (u8, Vec<u8>)> {
    (any::<u8>(), prop::collection::vec(any::<u8>(), 0..=100))
}

proptest! {
    #[test]
    fn any_packets_survive_any_cuts(
        packets in prop::collection::vec(packet(), 0..8),
        piece_len in 1_usize..50,
    ) {
        let (mut buffer, mut found) = (vec![], vec![]);
        for piece in stream(&packets).chunks(piece_len) {
            buffer.extend(piece);
            drain(&mut buffer, &mut found);
        }
        prop_assert_eq!(found, packets);
    }
}
