//! A venue that only takes notes: what the program sends, byte by byte.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    thread::{self, JoinHandle},
};

use uncross_client::wire::soup::{self, LoginAccepted, LoginRequest};

use crate::program::{Place, Run};

/// Number that the venue says comes next.
pub(crate) const NEXT: u32 = 7;

/// Runs a command against a venue that agrees to everything; gives what it was sent.
pub(crate) fn run(arguments: &str) -> (Run, Vec<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let venue: JoinHandle<Vec<Vec<u8>>> = thread::spawn(move || {
        let (mut peer, _) = listener.accept().unwrap();
        attend(&mut peer)
    });
    let place = Place::empty();
    place.write("password.txt", "secret");
    let login = format!("--orders {address} --user ACME --password-file password.txt");
    let run = place.run(&format!("{arguments} {login}"));
    (run, venue.join().unwrap())
}

fn packet(peer: &mut TcpStream) -> Option<(u8, Vec<u8>)> {
    let mut head = [0; 2];
    peer.read_exact(&mut head).ok()?;
    let mut body = vec![0; usize::from(u16::from_be_bytes(head))];
    peer.read_exact(&mut body).ok()?;
    let payload = body.split_off(1);
    Some((body[0], payload))
}

/// Serves one connection until it logs out.
fn attend(peer: &mut TcpStream) -> Vec<Vec<u8>> {
    let mut noted = Vec::new();
    while let Some((kind, payload)) = packet(peer) {
        match kind {
            soup::LOGIN_REQUEST => {
                peer.write_all(&LoginAccepted::new("DAY1", 1).unwrap().packet()).unwrap();
            }
            soup::UNSEQUENCED_DATA => {
                let answer = answer(&payload);
                let header = soup::header(soup::SEQUENCED_DATA, answer.len());
                peer.write_all(&[&header[..], &answer].concat()).unwrap();
                noted.push(payload);
            }
            soup::LOGOUT_REQUEST => break,
            _ => {}
        }
    }
    noted
}

/// What a venue that agrees says to a request.
fn answer(request: &[u8]) -> Vec<u8> {
    let time = [0; 8];
    let number = |at: usize| request[at..at + 4].to_vec();
    let parts: Vec<Vec<u8>> = match request[0] {
        b'Q' => vec![NEXT.to_be_bytes().to_vec()],
        // Number to time in force and display; reference; capacity to cross; state; text; no tags.
        b'O' => vec![
            request[1..28].to_vec(),
            vec![0, 0, 0, 0, 0, 0, 0, 9],
            request[28..31].to_vec(),
            b"L".to_vec(),
            request[31..45].to_vec(),
            vec![0, 0],
        ],
        b'U' => vec![
            request[1..9].to_vec(),
            b"B".to_vec(),
            request[9..13].to_vec(),
            b"DEMO    ".to_vec(),
            request[13..23].to_vec(),
            vec![0, 0, 0, 0, 0, 0, 0, 9],
            b"ANNL".to_vec(),
            request[24..38].to_vec(),
            vec![0, 0],
        ],
        b'X' => vec![number(1), vec![0, 0, 0, 5], b"U".to_vec()],
        b'M' => vec![request[1..10].to_vec()],
        b'C' => vec![request[1..17].to_vec(), vec![0, 0]],
        b'D' | b'E' => vec![request[1..9].to_vec(), vec![0, 0]],
        other => panic!("a request of type {other}"),
    };
    let kind = match request[0] {
        b'O' => b'A',
        b'X' => b'C',
        b'C' => b'X',
        b'D' => b'G',
        b'E' => b'K',
        same => same,
    };
    [&[kind][..], &time, &parts.concat()].concat()
}

/// Serves a day's feed to any login until the last logs out, in a thread of its own; gives its
/// address.
pub(crate) fn feed(messages: Vec<Vec<u8>>, logins: usize) -> (String, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let venue = thread::spawn(move || {
        for _ in 0..logins {
            let (mut peer, _) = listener.accept().unwrap();
            let (_, login) = packet(&mut peer).unwrap();
            let wanted = LoginRequest::decode(&login).unwrap().sequence;
            let next = u64::try_from(messages.len()).unwrap() + 1;
            let first = if wanted == 0 { next } else { wanted };
            peer.write_all(&LoginAccepted::new("DAY1", first).unwrap().packet()).unwrap();
            for message in &messages[usize::try_from(first - 1).unwrap()..] {
                let header = soup::header(soup::SEQUENCED_DATA, message.len());
                peer.write_all(&[&header[..], message].concat()).unwrap();
            }
            while packet(&mut peer).is_some_and(|(kind, _)| kind != soup::LOGOUT_REQUEST) {}
        }
    });
    (address, venue)
}
