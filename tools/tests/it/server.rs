//! A venue in a process of its own.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, ChildStdout, Stdio},
};

use crate::{
    json::Json,
    program::{Place, program},
};

/// A running `uncross start`; killed when dropped.
pub(crate) struct Server {
    child: Child,
    stdout: BufReader<ChildStdout>,
    pub(crate) orders: String,
    pub(crate) data: String,
    pub(crate) admin: String,
    /// Records replayed at start.
    pub(crate) records: u64,
    /// All that it said at start.
    pub(crate) started: Json,
}

impl Server {
    /// Starts the venue in `venue` on free ports and waits until its doors are open.
    pub(crate) fn start(place: &Place, arguments: &str) -> Self {
        Self::start_in(&place.path(""), arguments)
    }

    /// The same of the venue in `venue` of any folder.
    pub(crate) fn start_in(folder: &Path, arguments: &str) -> Self {
        let mut child = program(folder)
            .args("start venue --json --orders 127.0.0.1:0 --data 127.0.0.1:0".split(' '))
            .args("--admin 127.0.0.1:0".split(' '))
            .args(arguments.split_whitespace())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let json = Json::parse(&line);
        assert_eq!(json.text("schema"), "uncross.start/1");
        let orders = json.text("orders").to_owned();
        let data = json.text("data").to_owned();
        let admin = json.text("admin").to_owned();
        let records = json.number("records");
        Self { child, stdout, orders, data, admin, records, started: json }
    }

    /// Ends it as `kill -9` does.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to end and waits until it has.
    pub(crate) fn stop(mut self) {
        let kill = format!("kill -TERM {}", self.child.id());
        let status = std::process::Command::new("sh").args(["-c", &kill]).status().unwrap();
        assert!(status.success());
        assert!(self.child.wait().unwrap().success());
        let mut rest = String::new();
        self.stdout.read_line(&mut rest).unwrap();
        assert_eq!(rest, "", "one JSON object is all");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
