//! Bars over long work: at a terminal and nowhere else.

use std::{fs::File, io::Read, process::Stdio, sync::mpsc::channel, thread, time::Duration};

use rustix::{
    fs::{Mode, OFlags, open},
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{Winsize, tcsetwinsize},
};

use crate::{
    journals::traded,
    program::{Place, program},
};

/// Longer than any terminal needs to give what was written to it.
const PATIENCE: Duration = Duration::from_secs(30);

/// Runs a command whose standard error is a terminal; what stands there behind it.
fn at_a_terminal(place: &Place, arguments: &str) -> String {
    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&terminal).unwrap();
    unlockpt(&terminal).unwrap();
    let size = Winsize { ws_row: 24, ws_col: 100, ws_xpixel: 0, ws_ypixel: 0 };
    let name = ptsname(&terminal, Vec::new()).unwrap();
    let terminal_end = open(&name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap();
    tcsetwinsize(&terminal_end, size).unwrap();
    let mut command = program(&place.path(""));
    command.args(arguments.split(' ')).env("TERM", "xterm").stdin(Stdio::null());
    command.stdout(Stdio::null()).stderr(terminal_end);
    let mut child = command.spawn().unwrap();
    // The command holds the other side too, which ends the reading only when it is closed.
    drop(command);
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let mut text = Vec::new();
        // A terminal whose other side is gone ends in an error.
        drop(File::from(terminal).read_to_end(&mut text));
        drop(sender.send(text));
    });
    assert!(child.wait().unwrap().success(), "{arguments}");
    String::from_utf8(receiver.recv_timeout(PATIENCE).unwrap()).unwrap()
}

#[test]
fn long_work_shows_how_far_it_is_at_a_terminal_and_not_where_json_is_due() {
    let place = traded();
    for (command, unit) in [
        ("journal verify venue", "segment 1"),
        ("replay venue", " records, "),
        ("replay venue --compare venue", " records, "),
        ("journal book venue DEMO", " records, "),
        ("journal query venue --trade 1", " records, "),
        ("journal diff venue venue", " records, "),
        ("journal cat venue --order 2:1", " records, "),
        ("journal verify venue --streams", " records, "),
        ("backup create venue backups", " records, "),
        ("backup verify backups", " records, "),
        ("backup restore backups NEW", " records, "),
    ] {
        // A venue is restored to a folder that is not there.
        let third = command.replace("NEW", "third");
        let second = command.replace("NEW", "second");
        let shown = at_a_terminal(&place, &command.replace("NEW", "first"));
        assert!(shown.contains(unit), "{command}: {shown:?}");
        let shown = at_a_terminal(&place, &format!("{second} --json"));
        assert_eq!(shown, "", "{command} --json");
        // Where standard error is no terminal nothing stands there.
        place.run(&third).expect_success();
    }
    assert_eq!(at_a_terminal(&place, "journal inspect venue --json"), "");
}
