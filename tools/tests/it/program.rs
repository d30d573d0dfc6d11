//! Runs the program in a folder of its own.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use tempfile::TempDir;

use crate::json::Json;

/// A folder in which the program is run.
pub(crate) struct Place {
    folder: TempDir,
}

/// What a run left.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Place {
    /// An empty folder.
    pub(crate) fn empty() -> Self {
        Self { folder: TempDir::new().unwrap() }
    }

    /// A folder with a fresh venue in `venue`.
    pub(crate) fn with_venue() -> Self {
        let place = Self::empty();
        place.run("init venue").expect_success();
        place
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// Runs the program with these arguments, separated by spaces.
    pub(crate) fn run(&self, arguments: &str) -> Run {
        self.run_with(arguments, &[], "")
    }

    /// The same with variables and standard input.
    pub(crate) fn run_with(&self, arguments: &str, variables: &[(&str, &str)], stdin: &str) -> Run {
        let mut command = program(self.folder.path());
        command.args(arguments.split_whitespace()).envs(variables.iter().copied());
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A command that reads no input may be gone before it is written.
        drop(child.stdin.take().unwrap().write_all(stdin.as_bytes()));
        let output = child.wait_with_output().unwrap();
        Run {
            code: output.status.code().unwrap(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// The program, in `folder` and without the settings of whoever runs the tests.
pub(crate) fn program(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_uncross"));
    command.current_dir(folder).env_remove("NO_COLOR");
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("UNCROSS") {
            command.env_remove(name);
        }
    }
    command
}

impl Run {
    /// The standard output of a run that did what it should.
    pub(crate) fn expect_success(self) -> String {
        assert_eq!((self.code, self.stderr.as_str()), (0, ""), "{self:?}");
        self.stdout
    }

    /// The same as JSON of this form.
    pub(crate) fn expect_json(self, schema: &str) -> Json {
        let json = Json::parse(&self.expect_success());
        assert_eq!(json.text("schema"), schema);
        json
    }

    /// The message of a run that failed with this code and said so in three lines.
    pub(crate) fn expect_failure(self, exit: i32, code: &str) -> String {
        assert_eq!((self.code, self.stdout.as_str()), (exit, ""), "{self:?}");
        let lines: Vec<_> = self.stderr.lines().collect();
        let [message, cause, fix] = lines[..] else {
            panic!("three lines are due: {}", self.stderr);
        };
        assert!(cause.starts_with("cause: ") && fix.starts_with("fix: "), "{}", self.stderr);
        let message = message.strip_prefix(&format!("error[{code}]: "));
        message.unwrap_or_else(|| panic!("{code} is due: {}", self.stderr)).to_owned()
    }
}
