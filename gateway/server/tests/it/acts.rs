//! Administrative acts by the side door, as brokers, subscribers and auditors see them.

use std::{
    thread,
    time::{Duration, Instant},
};

use uncross_engine::{
    admin::ActOutcome,
    command::{Act, Target},
    engine::DefineError,
    instrument::Instrument,
};
use uncross_server::{
    desk::{Answer, DeskError, State},
    journal::Reader,
    record,
    replay::{Discard, replay},
    venue::error::StartError,
};
use uncross_wire::{IntoBytes, TypeByte, ouch::inbound};

use crate::{
    days::{before_a_roll, today},
    gate::{Disk, Gate},
    harness::{Raw, TestVenue, enter, orders_packet, reject_code},
};

const PATIENCE: Duration = Duration::from_secs(20);

fn act(venue: &TestVenue, act: Act) -> Answer {
    venue.venue().desk().order("ops", act, PATIENCE).unwrap()
}

fn cancel(user_ref_num: u32) -> Vec<u8> {
    let (user_ref_num, quantity) = (user_ref_num.into(), 0.into());
    inbound::Cancel { kind: TypeByte::new(), user_ref_num, quantity }.as_bytes().to_vec()
}

fn other(venue: &TestVenue) -> Instrument {
    Instrument { id: 77, symbol: *b"NEWCO   ", ..venue.config.instruments[0] }
}

/// An order of the instrument that is not in the configuration.
fn order_for_other(number: u32) -> inbound::Enter {
    inbound::Enter { symbol: *b"NEWCO   ", ..enter(number, b'B', 100, 1_000_000) }
}

#[test]
fn a_killed_firm_is_refused_over_restarts_and_cancels_pass() {
    let mut venue = TestVenue::start();
    let mut alice = venue.orders("ALICE", 1);
    alice.ouch(enter(1, b'B', 100, 1_000_000).as_bytes());
    alice.messages(2);
    let kill = Act::Kill { target: Target::Firm(*b"FIRM"), cancels: false };
    assert_eq!(act(&venue, kill).outcome, ActOutcome::Done);
    alice.ouch(enter(2, b'B', 100, 1_000_000).as_bytes());
    assert_eq!(reject_code(&alice.message(), 2), 0x0C);
    venue.restart().unwrap();
    let mut alice = venue.orders("ALICE", 4);
    alice.ouch(enter(3, b'B', 100, 1_000_000).as_bytes());
    assert_eq!(reject_code(&alice.message(), 3), 0x0C);
    alice.ouch(&cancel(1));
    assert_eq!(alice.message()[0], b'C');
    assert_eq!(act(&venue, Act::Revive(Target::Firm(*b"FIRM"))).outcome, ActOutcome::Done);
    alice.ouch(enter(4, b'B', 100, 1_000_000).as_bytes());
    assert_eq!(alice.message()[0], b'A');
}

#[test]
fn an_instrument_added_during_the_day_is_announced_before_its_orders() {
    let mut venue = TestVenue::start();
    let mut alice = venue.orders("ALICE", 1);
    let mut feed = venue.data(0);
    alice.ouch(order_for_other(1).as_bytes());
    alice.messages(1);
    assert_eq!(reject_code(&alice.message(), 1), 0x17);
    let listed = other(&venue);
    assert_eq!(act(&venue, Act::List(listed)).outcome, ActOutcome::Done);
    alice.ouch(order_for_other(2).as_bytes());
    assert_eq!(alice.message()[0], b'A');
    let told = [feed.message(), feed.message(), feed.message()];
    assert_eq!(told.each_ref().map(|message| message[0]), *b"RHA");
    assert!(told.iter().all(|message| message[1..3] == told[0][1..3]), "one locate code");
    // The symbol is known after a restart too, though no configuration has it.
    venue.restart().unwrap();
    let mut alice = venue.orders("ALICE", 0);
    alice.ouch(order_for_other(3).as_bytes());
    assert_eq!(alice.message()[0], b'A');
    assert_eq!(act(&venue, Act::Remove(77)).outcome, ActOutcome::Done);
    assert_eq!([alice.message()[17], alice.message()[17]], *b"SS", "both orders end");
    alice.ouch(order_for_other(4).as_bytes());
    assert_eq!(reject_code(&alice.message(), 4), 0x17);
}

#[test]
fn a_refused_listing_does_not_lend_its_symbol_to_another_instrument() {
    let venue = TestVenue::start();
    let mut alice = venue.orders("ALICE", 1);
    alice.message();
    let wrong = Instrument { id: 1, ..other(&venue) };
    assert_eq!(act(&venue, Act::List(wrong)).outcome, ActOutcome::IdTaken);
    alice.ouch(order_for_other(1).as_bytes());
    assert_eq!(reject_code(&alice.message(), 1), 0x17);
}

#[test]
fn a_halted_instrument_refuses_orders_until_it_is_resumed() {
    let venue = TestVenue::start();
    let mut alice = venue.orders("ALICE", 1);
    let mut feed = venue.data(0);
    alice.message();
    act(&venue, Act::Halt(1));
    assert_eq!(
        (feed.message()[19], act(&venue, Act::Halt(1)).outcome),
        (b'H', ActOutcome::Unchanged)
    );
    alice.ouch(enter(1, b'B', 100, 1_000_000).as_bytes());
    assert_eq!(reject_code(&alice.message(), 1), 0x07);
    act(&venue, Act::Resume(1));
    assert_eq!(feed.message()[19], b'T');
    alice.ouch(enter(2, b'B', 100, 1_000_000).as_bytes());
    assert_eq!(alice.message()[0], b'A');
}

#[test]
fn the_journal_holds_who_ordered_what() {
    let mut venue = TestVenue::start();
    let desk = venue.venue().desk();
    let answer = desk.order("night-shift", Act::Halt(1), PATIENCE).unwrap();
    venue.stop();
    let mut found = Vec::new();
    let reader = Reader::open(&venue.dir().journal()).unwrap();
    let read = reader.for_each(|record| {
        let who = record::operator(record.kind, record.body);
        found.extend(who.map(|who| (record.seq, record.time_ns, who)));
        Ok::<(), ()>(())
    });
    read.unwrap();
    assert_eq!(found, [(answer.seq, answer.time_ns, *b"night-shift     ")]);
}

#[test]
fn an_operator_without_a_name_that_fits_is_refused() {
    let venue = TestVenue::start();
    let desk = venue.venue().desk();
    for who in ["", "two words", "seventeen-letters", "\u{fc}"] {
        let error = desk.order(who, Act::Halt(1), PATIENCE).unwrap_err();
        assert_eq!(error, DeskError::Who { found: who.to_owned() });
    }
}

#[test]
fn an_act_goes_before_what_a_flood_has_sent() {
    // Each order waits for the disk, and most of them outside of a small ring.
    const FLOOD: u32 = 5_000;
    let venue = TestVenue::with(&[("capacity.ring_slots", "256"), ("journal.level", "sync")]);
    let mut alice = venue.orders("ALICE", 1);
    alice.message();
    let mut socket = alice.socket.try_clone().unwrap();
    let sender = thread::spawn(move || {
        std::io::Write::write_all(&mut socket, &orders_packet(1, FLOOD)).unwrap();
    });
    alice.message();
    // A listing takes more slots of the ring than the orders that wait for one.
    act(&venue, Act::List(other(&venue)));
    let answer = act(&venue, Act::Kill { target: Target::Venue, cancels: false });
    sender.join().unwrap();
    let mut refused = 0;
    for _ in 1..FLOOD {
        refused += u32::from(alice.message()[0] == b'J');
    }
    assert!(0 < refused, "the act at {} came behind the whole flood", answer.seq);
}

#[test]
fn what_the_configuration_changes_waits_for_the_next_day() {
    let (venue, mut alice) = today(|venue| {
        let mut alice = venue.orders("ALICE", 1);
        alice.ouch(enter(1, b'B', 100, 1_000_100).as_bytes());
        alice.messages(2);
        venue.config.instruments[0].tick = 1_000;
        venue.restart().unwrap();
        let mut alice = venue.orders("ALICE", 3);
        alice.ouch(enter(2, b'B', 100, 1_000_100).as_bytes());
        assert_eq!(alice.message()[0], b'A', "today the tick is the old one");
        alice
    });
    while alice.packet().is_some() {}
    let mut alice = venue.orders("ALICE", 1);
    alice.message();
    alice.ouch(enter(1, b'B', 100, 1_000_100).as_bytes());
    assert_eq!(reject_code(&alice.message(), 1), 0x1D);
}

#[test]
fn what_an_operator_changed_is_not_taken_back_by_a_start() {
    let mut venue = TestVenue::start();
    act(&venue, Act::Remove(1));
    venue.restart().unwrap();
    let mut alice = venue.orders("ALICE", 1);
    alice.message();
    alice.ouch(enter(1, b'B', 100, 1_000_000).as_bytes());
    assert_eq!(reject_code(&alice.message(), 1), 0x17);
}

/// An instrument like the first one, under another id and symbol.
fn another(venue: &TestVenue, id: u32) -> Instrument {
    let mut symbol = *b"MORE    ";
    symbol[4] = b'A' + u8::try_from(id % 26).unwrap();
    Instrument { id, symbol, ..venue.config.instruments[0] }
}

fn symbols_listed(venue: &TestVenue) -> Vec<u32> {
    let replayed = replay(&venue.dir().journal(), &mut Discard).unwrap();
    replayed.replica.unwrap().engine().instruments().map(|it| it.id).collect()
}

#[test]
fn instruments_of_the_configuration_that_do_not_all_fit_are_refused_and_heard_later() {
    let mut venue = TestVenue::with(&[("capacity.instruments", "6")]);
    let configured = venue.config.instruments.len();
    act(&venue, Act::List(another(&venue, 70)));
    let room = 6 - configured - 1;
    for id in (80..).take(room + 1) {
        let instrument = another(&venue, id);
        venue.config.instruments.push(instrument);
    }
    let error = venue.restart().unwrap_err();
    let is_full = matches!(error, StartError::Listing { error: DefineError::Full { .. }, .. });
    assert!(is_full, "{error}");
    let last = venue.config.instruments.pop().unwrap();
    venue.restart().unwrap();
    act(&venue, Act::Remove(70));
    venue.stop();
    assert!(!symbols_listed(&venue).contains(&last.id));
}

#[test]
fn a_listing_that_has_room_only_after_the_day_roll_of_a_start_is_stated_after_it() {
    let make =
        |roll: &str| TestVenue::with(&[("capacity.instruments", "5"), ("venue.day_roll", roll)]);
    let (mut venue, ()) = before_a_roll(make, |venue| {
        let wanted = another(venue, 81);
        let missing = 5 - venue.config.instruments.len();
        for id in (70..).take(missing) {
            assert_eq!(act(venue, Act::List(another(venue, id))).outcome, ActOutcome::Done);
        }
        act(venue, Act::Remove(venue.config.instruments[0].id));
        venue.stop();
        venue.config.instruments.push(wanted);
        let error = venue.restart().unwrap_err();
        let full = matches!(error, StartError::Listing { id: 81, error: DefineError::Full { .. } });
        assert!(full, "{error}");
    });
    let roll = Instant::now() + Duration::from_mins(1);
    while venue.restart().is_err() {
        assert!(Instant::now() < roll, "the day that begins makes no room");
        thread::yield_now();
    }
    venue.stop();
    assert!(symbols_listed(&venue).contains(&81));
}

#[test]
fn nobody_waits_for_the_answer_to_anothers_act() {
    let gate = Gate::new();
    let venue = TestVenue::with_options(&[], gate.options());
    gate.set(Disk::Hangs);
    let desk = venue.venue().desk();
    let slow = thread::spawn({
        let desk = desk.clone();
        move || desk.order("ops", Act::Halt(1), PATIENCE)
    });
    let patience = Duration::from_millis(50);
    let (start, act) = (Instant::now(), Act::Kill { target: Target::Venue, cancels: false });
    assert_eq!(desk.order("ops", act, patience), Err(DeskError::TimedOut { patience }));
    assert!(start.elapsed() < PATIENCE / 4, "{:?}", start.elapsed());
    gate.set(Disk::Works);
    assert_eq!(slow.join().unwrap().unwrap().outcome, ActOutcome::Done);
    let again = desk.order("ops", act, PATIENCE).unwrap();
    assert_eq!(again.outcome, ActOutcome::Unchanged, "it was done though nobody waited");
}

#[test]
fn a_venue_is_alive_from_its_first_moment_on() {
    let venue = TestVenue::start();
    let vitals = venue.venue().desk().vitals();
    assert!(vitals.core_beat_age < PATIENCE && 0 < vitals.seq, "{vitals:?}");
}

#[test]
fn vitals_say_how_the_venue_is() {
    let mut venue = TestVenue::start();
    let mut alice = venue.orders("ALICE", 1);
    alice.sync();
    let desk = venue.venue().desk();
    let vitals = desk.vitals();
    assert!(0 < vitals.seq && 0 < vitals.durable_seq, "{vitals:?}");
    assert!(vitals.core_beat_age < PATIENCE, "{vitals:?}");
    assert_eq!((vitals.state, vitals.is_short_of_space), (State::Running, false));
    venue.stop();
    assert_eq!(desk.vitals().state, State::Stopped);
    let error = desk.order("ops", Act::Halt(1), PATIENCE).unwrap_err();
    assert_eq!(error, DeskError::Stopped);
}

/// A client that stays connected while acts come and go.
#[test]
fn a_listener_is_told_of_a_kill_that_cancels() {
    let venue = TestVenue::start();
    let mut alice: Raw = venue.orders("ALICE", 1);
    alice.ouch(enter(1, b'B', 100, 1_000_000).as_bytes());
    alice.messages(2);
    let mut feed = venue.data(0);
    act(&venue, Act::Kill { target: Target::Port(1), cancels: true });
    let told = alice.message();
    assert_eq!((told[0], told[17]), (b'C', b'S'));
    assert_eq!(feed.message()[0], b'D');
}
