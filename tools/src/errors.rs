//! Everything a command can fail with: stable codes, what they mean and what to do.
//!
//! A code is never given another meaning. Its letter is its area: U usage, C configuration,
//! F files, A accounts.

use std::process::ExitCode;

use serde::Serialize;

/// The exit codes of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Exit {
    /// The command could not do what it was asked.
    Failure = 1,
    /// The arguments make no sense.
    Usage = 2,
    /// The configuration or the venue's folder is wrong.
    Configuration = 3,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// A row of the table.
#[derive(Debug)]
pub(crate) struct Code {
    pub(crate) id: &'static str,
    pub(crate) exit: Exit,
    /// What it means, in general.
    pub(crate) title: &'static str,
    /// Why it happens, unless the command knows better.
    pub(crate) cause: &'static str,
    /// What to do, unless the command knows better.
    pub(crate) fix: &'static str,
}

macro_rules! codes {
    ($($name:ident $id:literal $exit:ident $title:literal $cause:literal $fix:literal;)*) => {
        $(pub(crate) const $name: Code = Code {
            id: $id, exit: Exit::$exit, title: $title, cause: $cause, fix: $fix,
        };)*
        /// All codes, in the order of the table.
        pub(crate) const ALL: &[&Code] = &[$(&$name),*];
    };
}

codes! {
    USAGE "UX-U001" Usage
        "the command line makes no sense"
        "a word, a flag or a value is unknown or missing"
        "run the command with --help: it ends in examples";
    USER_WORD "UX-U002" Usage
        "a user name or firm is malformed"
        "both are fields of fixed width in the login and order messages"
        "use letters and digits: at most 6 for a name, at most 4 for a firm";
    PASSWORD "UX-U003" Usage
        "a password is malformed"
        "it must fit the ten bytes of the login message, and its case does not count"
        "use 1 to 10 printable ASCII characters without spaces, or let one be generated";
    UNKNOWN_CODE "UX-U004" Usage
        "there is no such error code"
        "the code is misspelt or belongs to another version"
        "write it as in the error, for example UX-C003";
    CONFIG_READ "UX-C001" Configuration
        "the configuration file cannot be read"
        "it does not exist, is no text, or belongs to somebody else"
        "check the path; uncross init writes a new one";
    CONFIG_SYNTAX "UX-C002" Configuration
        "the configuration file is no TOML"
        "a quote, bracket or equals sign is missing, or a name occurs twice"
        "look at the line; uncross config print-default shows how it is done";
    CONFIG_UNKNOWN "UX-C003" Configuration
        "there is no such setting"
        "unknown settings are refused, because a misspelt one would have no effect"
        "uncross config print-default lists all settings";
    CONFIG_FILE_ONLY "UX-C004" Configuration
        "instruments cannot be set one by one"
        "they are a list, which flags and variables cannot express"
        "list them as [[instrument]] in the configuration file";
    CONFIG_TYPE "UX-C005" Configuration
        "a setting has the wrong type"
        "durations, sizes and decimals are quoted; counts, true and false are not"
        "write the value as uncross config print-default does";
    CONFIG_VALUE "UX-C006" Configuration
        "a setting has an impossible value"
        "no venue can run with it"
        "choose a value in the stated range";
    CONFIG_NOT_BUILT "UX-C007" Configuration
        "a setting asks for what this version cannot do"
        "the value is planned, and the program does not pretend"
        "choose one of those that exist";
    CONFIG_CONTRADICTION "UX-C008" Configuration
        "two settings contradict each other"
        "each is possible alone, but not together with the other"
        "change one of the two";
    CONFIG_MISSING "UX-C009" Configuration
        "a setting without a default is missing"
        "an instrument needs an id and a symbol of its own"
        "add the setting";
    CONFIG_DUPLICATE "UX-C010" Configuration
        "two instruments have the same id or symbol"
        "clients could not tell them apart"
        "give each its own; ids are permanent and never used again";
    CONFIG_INSTRUMENT "UX-C011" Configuration
        "an instrument cannot be listed"
        "its values do not fit together"
        "correct the instrument";
    USERS_FILE "UX-C012" Configuration
        "the users file is damaged or cannot be read"
        "it was edited by hand, or belongs to somebody else"
        "restore users.toml from a copy; only uncross user should write it";
    NO_VENUE "UX-C013" Configuration
        "the folder holds no venue"
        "a venue is a folder with venue.toml and users.toml"
        "check the path, or make a venue with uncross init";
    FOLDER_TAKEN "UX-F001" Failure
        "the folder is not empty"
        "a venue begins in a folder of its own, and nothing is overwritten"
        "choose a folder that does not exist yet";
    FILE_READ "UX-F002" Failure
        "a file cannot be read"
        "it does not exist, is no text, or belongs to somebody else"
        "check the path and its permissions";
    FILE_WRITE "UX-F003" Failure
        "a file cannot be written"
        "the folder is missing, full or belongs to somebody else"
        "check the path, its permissions and the space left";
    OUTPUT "UX-F004" Failure
        "the output cannot be written"
        "standard output goes to a device that is full or broken"
        "send the output somewhere else";
    SYSTEM "UX-F005" Failure
        "the operating system refused a basic service"
        "it gave no random numbers or no memory"
        "try again; if it persists, look at the system log";
    USER_EXISTS "UX-A001" Failure
        "the user exists"
        "names are unique, in any case"
        "choose another name; uncross user list shows those that are taken";
    PORTS_FULL "UX-A002" Failure
        "no port is left for another user"
        "every user has a port for good, and the venue is configured for so many"
        "raise capacity.ports and user_ref_pages in venue.toml; 4096 ports is the end";
}

impl Code {
    /// The code written `id`, in any case.
    pub(crate) fn find(id: &str) -> Option<&'static Self> {
        ALL.iter().copied().find(|code| code.id.eq_ignore_ascii_case(id))
    }
}

/// Why a command failed, ready to be told.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) code: &'static Code,
    pub(crate) message: String,
    pub(crate) cause: String,
    pub(crate) fix: String,
}

impl Failure {
    /// A failure with the cause and fix of its code.
    pub(crate) fn new(code: &'static Code, message: impl Into<String>) -> Self {
        let (cause, fix) = (code.cause.to_owned(), code.fix.to_owned());
        Self { code, message: message.into(), cause, fix }
    }

    /// With what is known to be the cause.
    pub(crate) fn cause(self, cause: impl Into<String>) -> Self {
        Self { cause: cause.into(), ..self }
    }

    /// With what is known to help.
    pub(crate) fn fix(self, fix: impl Into<String>) -> Self {
        Self { fix: fix.into(), ..self }
    }

    /// For machines.
    pub(crate) fn as_json(&self) -> FailureJson<'_> {
        let Self { code, message, cause, fix } = self;
        let exit_code = code.exit as u8;
        FailureJson { schema: "uncross.error.v1", code: code.id, message, cause, fix, exit_code }
    }
}

/// A failure as one JSON object.
#[derive(Debug, Serialize)]
pub(crate) struct FailureJson<'a> {
    schema: &'static str,
    code: &'static str,
    message: &'a str,
    cause: &'a str,
    fix: &'a str,
    exit_code: u8,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_well_formed() {
        for (index, code) in ALL.iter().enumerate() {
            let digits = code.id.strip_prefix("UX-").and_then(|rest| rest.get(1..)).unwrap();
            assert!(digits.len() == 3 && digits.bytes().all(|b| b.is_ascii_digit()), "{}", code.id);
            assert!(ALL[..index].iter().all(|other| other.id != code.id), "{} twice", code.id);
            assert!(Code::find(&code.id.to_lowercase()).is_some());
        }
        assert!(Code::find("UX-C999").is_none());
    }

    #[test]
    fn texts_begin_small_and_end_without_a_point() {
        for code in ALL {
            for text in [code.title, code.cause, code.fix] {
                let first = text.chars().next().unwrap();
                assert!(!first.is_uppercase() && !text.ends_with('.'), "{}: {text}", code.id);
            }
        }
    }
}
