//! The same tests in the other layout, and what each layout says of itself.

use std::{process::Command, time::Duration};

use uncross_server::{
    affinity::{Cpus, PlanError, Wiring},
    config::{Layout, Wait},
    venue::{Options, error::StartError},
};
use uncross_wire::{IntoBytes, soup};

use crate::harness::{LAYOUT, TestVenue, enter};

#[test]
fn every_test_passes_in_the_split_layout() {
    if std::env::var_os(LAYOUT).is_some() {
        return;
    }
    let this = std::env::current_exe().unwrap();
    let output = Command::new(this).env(LAYOUT, "split").output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "in the split layout:\n{text}");
    assert!(text.contains("test result: ok"), "{text}");
}

#[test]
fn a_venue_runs_as_it_was_told_and_says_so() {
    for (layout, wiring, threads) in [("fused", Wiring::Fused, 1), ("split", Wiring::Split, 3)] {
        let venue = TestVenue::with(&[("core.layout", layout)]);
        let plan = venue.venue().plan();
        assert_eq!((plan.wiring, plan.reason.as_str()), (wiring, "as configured"));
        assert_eq!(plan.threads.len(), threads);
        venue.orders("ALICE", 1).sync();
    }
}

#[test]
fn threads_that_never_sleep_are_refused_without_cpus_for_them() {
    let mut venue = TestVenue::start();
    venue.stop();
    venue.config.core.layout = Layout::Split;
    venue.config.core.wait = Wait::Spin;
    let is_enough = 3 < Cpus::read().count();
    match venue.restart() {
        Ok(()) => assert!(is_enough, "three threads spin without a CPU left"),
        Err(StartError::Plan(PlanError::TooFewCpus { hot: 3, .. })) => assert!(!is_enough),
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn no_thread_waits_for_housekeeping_to_be_woken() {
    let options = Options { sleep_max: Some(Duration::from_hours(1)), ..Options::default() };
    for layout in ["fused", "split"] {
        for level in ["async", "group", "sync"] {
            let settings = [
                ("core.layout", layout),
                ("core.spin", "0us"),
                ("journal.level", level),
                ("capacity.outbound_events", "1024"),
            ];
            let venue = TestVenue::with_options(&settings, options.clone());
            let mut feed = venue.data(1);
            feed.messages(13);
            for number in 1..=20 {
                // A sleep that nobody ended would outlast the patience of the client.
                let mut bob = venue.orders("BOB", 0);
                bob.ouch(enter(number, b'B', 10, 1_000_000).as_bytes());
                bob.until(b'A');
                assert_eq!(feed.message()[0], b'A', "{layout}, {level}");
                bob.send(&soup::LOGOUT_REQUEST_PACKET);
                while bob.packet().is_some() {}
            }
            // One command that says more than fits outbound goes on whenever there is room.
            let mut alice = venue.orders("ALICE", 0);
            for number in 1..=3_000 {
                alice.ouch(enter(number, b'B', 10, 900_000).as_bytes());
            }
            alice.ouch(b"C\0\0\x0f\xa0            \0\0");
            alice.until(b'X');
            assert!(alice.messages(3_000).iter().all(|message| message[0] == b'C'));
            feed.messages(6_000);
        }
    }
}
