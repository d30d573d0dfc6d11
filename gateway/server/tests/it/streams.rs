//! The files of the streams: what happens to them between two runs changes no byte that is sent.

use std::{
    fs::{self, OpenOptions},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use uncross_server::{
    audit::streams::{StreamsReport, check_streams},
    reactor::ReactorError,
    streams::StreamError,
    venue::error::StopError,
};
use uncross_wire::{IntoBytes, soup};

use crate::{
    days::today,
    harness::{Raw, TestVenue, enter},
};

/// Orders of a test venue: as many as bring several entries of an index.
const ORDERS: u32 = 300;

/// The only folder in the folder of streams.
fn session_folder(venue: &TestVenue) -> PathBuf {
    let folders: Vec<_> = fs::read_dir(venue.dir().streams()).unwrap().collect();
    let [folder] = &folders[..] else { panic!("one session, one folder: {folders:?}") };
    folder.as_ref().unwrap().path()
}

/// A venue in which two traded; what they and the public were told.
fn traded() -> (TestVenue, [Vec<Vec<u8>>; 3]) {
    let venue = TestVenue::start();
    let (mut alice, mut bob) = (venue.orders("ALICE", 1), venue.orders("BOB", 1));
    for number in 1..=ORDERS {
        alice.ouch(enter(number, b'B', 10, 1_000_000).as_bytes());
    }
    let mut to_alice = alice.sync();
    for number in 1..=ORDERS / 2 {
        bob.ouch(enter(number, b'S', 10, 1_000_000).as_bytes());
    }
    let to_bob = bob.sync();
    to_alice.extend(alice.messages(ORDERS as usize / 2));
    // What a day begins with, the orders of Alice, their executions.
    let mut feed = venue.data(1);
    let public = feed.messages(13 + ORDERS as usize * 3 / 2);
    (venue, [to_alice, to_bob, public])
}

/// Restarts the venue and compares all that it sends, from every number of some.
fn compare(venue: &mut TestVenue, told: &[Vec<Vec<u8>>; 3], what: &str) {
    venue.restart().unwrap();
    let join = |whose: usize, number: u64| -> Raw {
        match whose {
            0 => venue.orders("ALICE", number),
            1 => venue.orders("BOB", number),
            _ => venue.data(number),
        }
    };
    for (whose, told) in told.iter().enumerate() {
        for number in [1, 2, 64, 65, 129, told.len()] {
            let mut raw = join(whose, number as u64);
            let count = told.len() + 1 - number;
            assert!(
                raw.messages(count) == told[number - 1..],
                "stream {whose} from {number}: {what}"
            );
        }
    }
}

#[test]
fn streams_lie_in_files_named_by_session_and_port() {
    let (mut venue, told) = traded();
    let folder = session_folder(&venue);
    let session = Raw::connect(venue.venue().orders_addr()).log_in("CAROL", "CAROL", "", 0);
    assert_eq!(folder.file_name().unwrap().to_str().unwrap(), session);
    for (name, told) in ["port-1.stream", "port-2.stream", "feed.stream"].iter().zip(&told) {
        let bytes = fs::read(folder.join(name)).unwrap();
        assert_eq!(&bytes[..8], b"UNCRSTRM");
        let mut rest = &bytes[4_096..];
        for message in told {
            assert_eq!(rest[2], b'S');
            let (len, _) = rest.split_first_chunk().unwrap();
            let (packet, behind) = rest[2..].split_at(usize::from(u16::from_be_bytes(*len)));
            assert!(packet[1..] == message[..], "{name}");
            rest = behind;
        }
        assert!(folder.join(name).with_extension("index").exists());
    }
    compare(&mut venue, &told, "nothing was done");
}

/// What is done to the folder of a session, and what that is.
type Damage<'a> = (&'a str, &'a dyn Fn(&Path));

#[test]
fn whatever_happens_to_the_files_between_two_runs_the_same_bytes_are_sent() {
    let (mut venue, told) = traded();
    let (mut other, _) = traded();
    other.stop();
    let foreign = session_folder(&other);
    let damages: [Damage<'_>; 8] = [
        ("all is deleted", &|folder| fs::remove_dir_all(folder.parent().unwrap()).unwrap()),
        ("a session is deleted", &|folder| fs::remove_dir_all(folder).unwrap()),
        ("a stream is deleted", &|folder| fs::remove_file(folder.join("feed.stream")).unwrap()),
        ("an index is deleted", &|folder| fs::remove_file(folder.join("port-1.index")).unwrap()),
        ("files are cut off", &|folder| {
            for name in ["feed.stream", "feed.index", "port-1.stream", "port-2.index"] {
                let file = OpenOptions::new().write(true).open(folder.join(name)).unwrap();
                file.set_len(5_000).unwrap();
            }
        }),
        ("bits are flipped", &|folder| {
            for (name, offset) in
                [("feed.stream", 17), ("port-1.stream", 4_099), ("port-2.stream", 9_000)]
            {
                let file = OpenOptions::new().read(true).write(true).open(folder.join(name));
                let file = file.unwrap();
                let mut byte = [0];
                file.read_exact_at(&mut byte, offset).unwrap();
                file.write_all_at(&[byte[0] ^ 0x10], offset).unwrap();
            }
            fs::write(folder.join("port-2.index"), vec![0xFF; 1 << 16]).unwrap();
        }),
        ("they are those of another venue", &|folder| {
            for entry in fs::read_dir(&foreign).unwrap() {
                let path = entry.unwrap().path();
                fs::copy(&path, folder.join(path.file_name().unwrap())).unwrap();
            }
        }),
        ("another session is there", &|folder| {
            fs::rename(folder, folder.with_file_name("0001010000")).unwrap();
        }),
    ];
    for (what, damage) in damages {
        venue.stop();
        damage(&session_folder(&venue));
        compare(&mut venue, &told, what);
        session_folder(&venue);
    }
}

#[test]
fn a_running_venue_serves_streams_whose_files_are_taken_away() {
    let (mut venue, mut told) = traded();
    fs::remove_dir_all(venue.dir().streams()).unwrap();
    let mut alice = venue.orders("ALICE", 0);
    for number in 1..=20_000 {
        // Each is answered by a rejection of 31 bytes: more than the first piece of a stream holds.
        alice.ouch(enter(ORDERS + number, b'B', 0, 1_000_000).as_bytes());
    }
    told[0].extend(alice.sync());
    assert_eq!(venue.orders("CAROL", 1).sync().len(), 2, "a stream that begins now");
    for (user, told) in [("ALICE", &told[0]), ("BOB", &told[1])] {
        assert!(venue.orders(user, 1).messages(told.len()) == told[..], "{user}");
    }
    compare(&mut venue, &told, "they were deleted beneath a run");
}

#[test]
fn a_stream_that_nothing_can_keep_ends_the_venue_and_the_next_one_says_the_same_bytes() {
    let (mut venue, told) = traded();
    let folder = session_folder(&venue);
    fs::remove_dir_all(&folder).unwrap();
    fs::write(&folder, b"in the way").unwrap();
    // Her stream would begin now. It is no shortage for which memory could stand in. Whether the
    // login is answered before depends on who runs first.
    let mut carol = Raw::connect(venue.venue().orders_addr());
    carol.send_login("CAROL", "CAROL", "", 1);
    let said = std::iter::from_fn(|| carol.packet()).map(|(kind, _)| kind).collect::<Vec<_>>();
    let is_login = said.is_empty() || said == [soup::LOGIN_ACCEPTED];
    assert!(is_login, "something was said that is kept nowhere: {said:?}");
    let error = venue.stop_failed();
    let StopError::Failed(ReactorError::Io(error)) = error else { panic!("{error}") };
    assert!(error.to_string().contains("/port-"), "it names the file: {error}");
    fs::remove_file(&folder).unwrap();
    compare(&mut venue, &told, "a stream could not be kept");
}

#[test]
fn a_session_takes_its_files_along_when_it_ends() {
    let (venue, (before, mut alice)) = today(|venue| {
        let mut alice = venue.orders("ALICE", 1);
        alice.message();
        (session_folder(venue), alice)
    });
    while alice.packet().is_some() {}
    let mut alice = venue.orders("ALICE", 1);
    alice.sync();
    let after = session_folder(&venue);
    assert_ne!(before, after);
    assert!(after.join("feed.stream").exists());
}

/// What a check of the files finds.
fn checked(venue: &TestVenue) -> StreamsReport {
    check_streams(&venue.dir().journal(), &venue.dir().streams()).unwrap()
}

/// Of the only stream that is not whole: name, messages, messages in the file, fault.
fn unlike(report: StreamsReport) -> (String, u64, u64, Option<StreamError>) {
    let whole = |it: &uncross_server::audit::streams::StreamReport| {
        it.fault.is_none() && it.held == it.messages
    };
    let mut others: Vec<_> = report.streams.into_iter().filter(|it| !whole(it)).collect();
    assert_eq!(others.len(), 1, "{others:?}");
    let it = others.remove(0);
    (it.name, it.messages, it.held, it.fault)
}

#[test]
fn a_check_finds_the_files_whole_beside_a_run_and_behind_it() {
    let (mut venue, told) = traded();
    for is_running in [true, false] {
        if !is_running {
            venue.stop();
        }
        let report = checked(&venue);
        let names: Vec<_> = report.streams.iter().map(|it| it.name.as_str()).collect();
        assert_eq!(names, ["feed", "port-1", "port-2"]);
        for (report, told) in report.streams.iter().zip([&told[2], &told[0], &told[1]]) {
            let messages = told.len() as u64;
            // Whoever left is told so on no stream; the end of a session comes with another one.
            assert_eq!((report.messages, report.held), (messages, messages), "{report:?}");
            assert!(report.fault.is_none(), "{report:?}");
        }
        assert_eq!(
            report.session.trim_ascii(),
            session_folder(&venue).file_name().unwrap().as_encoded_bytes()
        );
    }
}

#[test]
fn a_check_names_the_place_of_any_byte_that_is_another_one() {
    let (mut venue, told) = traded();
    venue.stop();
    let folder = session_folder(&venue);
    let flip = |name: &str, offset: u64| {
        let file = OpenOptions::new().read(true).write(true).open(folder.join(name)).unwrap();
        let mut byte = [0];
        file.read_exact_at(&mut byte, offset).unwrap();
        file.write_all_at(&[byte[0] ^ 1], offset).unwrap();
    };
    let len: usize = told[0].iter().map(|message| 3 + message.len()).sum();
    for offset in (4_096..4_096 + len as u64).step_by(997) {
        flip("port-1.stream", offset);
        let (name, messages, held, fault) = unlike(checked(&venue));
        assert_eq!((name.as_str(), messages), ("port-1", told[0].len() as u64));
        match fault {
            Some(StreamError::Message { offset: found, number, .. }) => {
                assert_eq!((found, number), (offset, held + 1));
            }
            other => panic!("byte {offset}: {other:?}"),
        }
        flip("port-1.stream", offset);
    }
    flip("feed.index", 8);
    match unlike(checked(&venue)) {
        (name, _, 64, Some(StreamError::Index { offset: 8, .. })) => assert_eq!(name, "feed"),
        other => panic!("{other:?}"),
    }
    flip("feed.index", 8);
    flip("feed.stream", 24);
    let (_, _, held, fault) = unlike(checked(&venue));
    assert!(held == 0 && matches!(fault, Some(StreamError::Header { .. })), "{fault:?}");
    flip("feed.stream", 24);
    fs::copy(folder.join("port-1.stream"), folder.join("port-2.stream")).unwrap();
    let (_, _, _, fault) = unlike(checked(&venue));
    assert!(matches!(fault, Some(StreamError::Foreign { what: "stream", .. })), "{fault:?}");
}

#[test]
fn a_check_tells_what_no_file_holds() {
    let (mut venue, told) = traded();
    venue.stop();
    let folder = session_folder(&venue);
    let file = OpenOptions::new().write(true).open(folder.join("port-2.stream")).unwrap();
    // Cut within the fourth message.
    let cut: usize = told[1][..3].iter().map(|message| 3 + message.len()).sum();
    file.set_len(4_096 + cut as u64 + 10).unwrap();
    let all = told[1].len() as u64;
    for len in [cut as u64 + 10, 1 << 20] {
        file.set_len(4_096 + cut as u64).unwrap();
        file.set_len(4_096 + len).unwrap();
        assert!(matches!(unlike(checked(&venue)), (_, messages, 3, None) if messages == all));
    }
    fs::remove_file(folder.join("port-2.stream")).unwrap();
    assert!(matches!(unlike(checked(&venue)), (_, messages, 0, None) if messages == all));
    let index = OpenOptions::new().write(true).open(folder.join("port-1.index")).unwrap();
    fs::remove_file(folder.join("feed.index")).unwrap();
    index.set_len(12).unwrap();
    let held: Vec<_> =
        checked(&venue).streams.iter().map(|it| (it.held, it.fault.is_none())).collect();
    assert_eq!(held, [(0, true), (64, true), (0, true)], "what no index leads to is not found");
    fs::remove_dir_all(venue.dir().streams()).unwrap();
    assert!(checked(&venue).streams.iter().all(|it| it.held == 0 && it.fault.is_none()));
}
