//! Everything a command can fail with: stable codes, what they mean and what to do.
//!
//! A code is never given another meaning. Its letter is its area: U usage, C configuration,
//! F files, A accounts, J journal, K backups, V venue, N connections, O orders, I imports,
//! B benchmarks.

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
    /// The venue cannot be reached, or does not answer in time.
    Connection = 4,
    /// The venue does not accept user and password.
    Authentication = 5,
    /// What is there is not what must be there.
    Integrity = 6,
    /// Another process has the venue's folder open.
    Busy = 7,
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
        "there is no such code"
        "the code is misspelt or belongs to another version"
        "write it as it is printed, for example UX-C003, 0x2C or cancel-K";
    DECIMAL "UX-U005" Usage
        "a price or quantity is malformed"
        "it is a decimal number, exact to the decimals of the instrument"
        "write 10.05 or 100; with --venue the instrument's own decimals count";
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
    PORT_IN_USE "UX-C014" Configuration
        "a port is already in use"
        "another program listens there, perhaps another venue"
        "end the other program, or listen elsewhere: --orders, --data, --admin; port 0 for any";
    LISTEN "UX-C015" Configuration
        "an address cannot be listened on"
        "it is not of this machine, or needs more rights"
        "choose an address of this machine and a port above 1023";
    CAPACITY_CHANGED "UX-C016" Configuration
        "the capacity differs from the journal's"
        "what was refused for want of room depends on it, so it is fixed for the life of a journal"
        "restore the values under [capacity], or begin a new venue";
    INSTRUMENT_REFUSED "UX-C017" Configuration
        "an instrument contradicts the journal"
        "an id keeps its symbol for ever, a symbol its id, and the table of instruments ends"
        "give the instrument an id and a symbol of its own, or remove others first";
    PORTS_SHORT "UX-C018" Configuration
        "a user has a port beyond the capacity"
        "capacity.ports is smaller than the number of users there have ever been"
        "raise capacity.ports before the venue is first started; later a new venue is needed";
    DESCRIPTORS "UX-C019" Configuration
        "the process may not have enough files and sockets open"
        "connections, streams and the journal each need one, and the system sets a limit"
        "raise the limit (ulimit -n, LimitNOFILE=) or lower session.connections_max";
    PORT_OWNER "UX-C020" Configuration
        "a user's port belongs to another user"
        "users.toml was restored from an old copy or edited: reports and orders would change hands"
        "restore the newest users.toml; its next_port must be above every port ever given out";
    CPUS_SHORT "UX-C021" Configuration
        "threads that never sleep need more CPUs"
        "with core.wait = \"spin\" each hot thread takes a CPU whole, and the others need one too"
        "use core.wait = \"auto\", or let the process use more CPUs (taskset, CPUAffinity=)";
    COPIES_FULL "UX-C022" Configuration
        "drop copies of too many firms are asked for"
        "each firm has a stream, and one that is copied no more keeps its place until the day ends"
        "start without the firm that is new, let the day roll, then start with it";
    NO_JOURNAL "UX-J001" Configuration
        "there is no journal"
        "the folder is no venue, or the venue was never started"
        "check the path; uncross start begins a journal";
    JOURNAL_GONE "UX-J007" Integrity
        "the venue's journal is gone"
        "its folder was emptied, or its disk is not mounted"
        "mount or restore it; to begin anew for good, remove journal.begun";
    JOURNAL_BEHAVIOUR "UX-J020" Configuration
        "the journal is of another version of the engine"
        "the same records would lead to another state under other rules; nothing is damaged"
        "run the version that wrote it, or begin a new venue";
    FOLDER_BUSY "UX-J002" Busy
        "the venue's folder is in use"
        "two processes never write one journal"
        "end the other process, whose number is in the message, and start again";
    JOURNAL_DAMAGED "UX-J003" Integrity
        "the journal is damaged"
        "what was on the device is not what was written there"
        "keep the folder as it is and restore a copy; nothing was changed";
    JOURNAL_DISK "UX-J004" Failure
        "the journal cannot be read or written"
        "the disk, the file system or the permissions do not allow it"
        "look at the cause; nothing that was acknowledged is lost";
    REPLAY "UX-J005" Integrity
        "the journal does not lead where it led before"
        "it was written by another version, or is not a venue's journal"
        "use the version that wrote it: its name is in the segment headers";
    HASH_MISMATCH "UX-J006" Integrity
        "a replay of the journal came to another state than the venue"
        "the engine or the journal has a fault"
        "keep the folder and report it";
    NO_SESSION "UX-J008" Failure
        "the journal has no such session"
        "a session is a trading day, and its name is the one that logins are answered with"
        "uncross journal export DIR --sessions lists the sessions";
    NO_LOGIN "UX-J009" Failure
        "the journal knows no reports to the user"
        "the name is misspelt, or the user has never logged in for orders"
        "check the name; uncross user list shows the users";
    NO_COPIES "UX-J010" Failure
        "the journal knows no drop copies of the firm"
        "the name is misspelt, or the firm never had a user for drop copies"
        "check the name; uncross user list shows the firms and the users for drop copies";
    MOMENT_OUTSIDE "UX-J011" Failure
        "the moment lies outside of the journal"
        "it is before the first record or behind the last one"
        "give a sequence number or a time within; uncross journal inspect DIR shows both";
    NO_ORDER "UX-J012" Failure
        "the journal knows no such order or trade"
        "the number is misspelt, of another session, or its request was passed over by the engine"
        "look for the request with uncross journal cat DIR --port P --number N";
    FORMAT_VERSION "UX-J022" Configuration
        "a file is of a format that this program does not read"
        "another version of the program wrote it; its checksum holds, so nothing is damaged"
        "use the version that wrote it, or a newer one; nothing was changed";
    STREAM_DAMAGED "UX-J021" Integrity
        "a file of a stream does not hold what the journal leads to"
        "it was changed, or it is another venue's; the journal itself is whole"
        "restart the venue: it makes its streams again from the journal";
    JOURNALS_DIFFER "UX-J013" Integrity
        "two journals differ"
        "they are of different venues or days, or one of them was changed"
        "look at the first record that differs and at what each journal makes of it";
    NO_INSTRUMENT "UX-J014" Failure
        "the journal lists no such instrument"
        "its symbol is misspelt, it was listed later, or it was removed before"
        "uncross journal inspect DIR shows the instruments";
    EVENTS_FILE "UX-J015" Failure
        "a file is no export of events"
        "it was made otherwise, or is cut off; tables of CSV or Parquet are not compared"
        "write one with uncross journal export DIR --events FILE --format jsonl";
    BACKUP_DAMAGED "UX-K001" Integrity
        "a backup is damaged"
        "a file differs from what the manifest says, or leads to another state"
        "use another generation, and look after the disk; nothing was changed";
    NO_BACKUP "UX-K002" Configuration
        "the folder holds no backup"
        "a backup is a folder with manifest.json, and backups are kept in one folder"
        "check the path; uncross backup create makes one";
    BACKUP_EMPTY "UX-K003" Failure
        "there is nothing to back up"
        "no record of the journal is known to be on the device yet"
        "back up again when the venue has run";
    SEVERAL_VENUES "UX-K004" Failure
        "the folder holds backups of several venues"
        "a venue is restored from its own newest backup, and there is one of each"
        "name the backup to restore, or keep the backups of each venue in a folder of their own";
    WITHIN_BACKUP "UX-K005" Usage
        "the folder lies in a venue or in a backup"
        "what is written there would come between the files of a venue, or damage the backup"
        "name a folder outside of it; nothing was written";
    CLOCK_BEHIND "UX-V001" Failure
        "the clock is behind the journal"
        "time on the wire never falls, and the clock was set back"
        "wait, or correct the clock";
    VENUE_FAILED "UX-V002" Failure
        "the venue failed"
        "its journal, a file or a socket was refused by the system"
        "look at the log; a restart recovers all that was acknowledged";
    UNFIT "UX-V003" Failure
        "the machine or the folder is not fit for a venue"
        "at least one finding of uncross doctor failed"
        "do what the failed findings say, then run uncross doctor again";
    NOT_READY "UX-V004" Failure
        "the venue is not ready"
        "at least one of the things that it needs is missing"
        "look at what is missing and at the venue's log";
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
    FILE_EXISTS "UX-F006" Failure
        "a file exists"
        "nothing is overwritten unasked"
        "choose another name, or give --force to replace the file";
    BENCH_FILE "UX-B001" Integrity
        "a command file is malformed"
        "it is of another kind, cut off, or a record in it cannot be carried out"
        "write one with uncross bench core --write, or as docs/bench-method.md says";
    BENCH_SUMS "UX-B002" Integrity
        "a benchmark came to sums that cannot be right"
        "the engine, the naive book and the file must agree on what trades"
        "compare the sums; with a file of your own, correct those in its header";
    BENCH_VENUE "UX-B003" Failure
        "the venue of a benchmark did not do what it was asked for"
        "it is too slow for so many commands a second, or the machine has no room for it"
        "ask for fewer commands a second, or measure when the machine has no other work";
    USER_EXISTS "UX-A001" Failure
        "the user exists"
        "names are unique, in any case"
        "choose another name; uncross user list shows those that are taken";
    USER_UNKNOWN "UX-A010" Failure
        "the user does not exist"
        "no user of the venue has this name"
        "uncross user list shows the names";
    GRACE "UX-A011" Usage
        "the time until orders are cancelled is impossible"
        "it is whole milliseconds and at most 24h, counted from the end of a connection"
        "give a duration such as 5s or 0ms, or never";
    NO_ORDERS "UX-A012" Usage
        "the user has no orders"
        "a user for drop copies only listens"
        "name a user with a port; uncross user list shows the ports";
    PORTS_FULL "UX-A002" Failure
        "no port is left for another user"
        "every user has a port for good, and the venue is configured for so many"
        "raise capacity.ports and user_ref_pages in venue.toml; 4096 ports is the end";
    LOGIN_REFUSED "UX-A003" Authentication
        "the login was refused"
        "user name or password is wrong, or too many wrong ones came before"
        "check both; uncross user list shows the names";
    NO_TOKEN "UX-A020" Authentication
        "a token is missing"
        "whoever looks at figures or acts shows who they are by a token"
        "send Authorization: Bearer TOKEN once; commands take --token-file";
    WRONG_TOKEN "UX-A021" Authentication
        "nobody has the token"
        "it is of another venue, or its operator was removed"
        "uncross operator list shows who has one; uncross operator add makes a new one";
    TOKEN_ROLE "UX-A022" Authentication
        "a viewer may look and not act"
        "the token's owner was added with the role viewer"
        "use an operator's token, or add one: uncross operator add NAME --role operator";
    ADMIN_PATH "UX-A023" Failure
        "the door of operators has no such path"
        "it is misspelt, or of another version"
        "docs/operations.md lists the paths";
    ADMIN_METHOD "UX-A024" Failure
        "the path is not for this method"
        "acts are POST or DELETE, looks are GET"
        "use a method of the header Allow";
    ADMIN_SYNTAX "UX-A025" Failure
        "the body of a request is no JSON object"
        "a brace or a quote is missing, or a field is there twice"
        "look at the place that is named; docs/operations.md has examples";
    ADMIN_TOO_LARGE "UX-A026" Failure
        "the body of a request is too large"
        "the largest that makes sense is far smaller"
        "send one act at a time";
    ADMIN_TOO_SLOW "UX-A027" Connection
        "the body of a request did not come in time"
        "the sender stopped in the middle, or said a length that it does not send"
        "send the body at once";
    ADMIN_FIELD "UX-A028" Failure
        "a request has an unknown field"
        "unknown fields are refused, because a misspelt one would have no effect"
        "use the name that is expected; docs/operations.md lists the fields";
    ADMIN_VALUE "UX-A029" Failure
        "a value in a request makes no sense"
        "it is missing, of the wrong type, or impossible for an instrument or a target"
        "use what is expected; decimals are strings, as in venue.toml";
    UNKNOWN_TARGET "UX-A030" Failure
        "there is nobody to kill by that name"
        "no such user, firm or port was known when the venue started"
        "check the name: uncross user list; port:N needs no name";
    UNKNOWN_INSTRUMENT "UX-A031" Failure
        "no such instrument is listed"
        "the symbol is misspelt, or the instrument was removed"
        "uncross instrument list VENUE shows those that are";
    INSTRUMENT_TAKEN "UX-A032" Failure
        "id or symbol belong to another instrument"
        "an id keeps its symbol for ever and a symbol its id: no client takes one for another"
        "use a new pair, or the pair as it was";
    ADMIN_FULL "UX-A033" Failure
        "the venue has no room for another one"
        "capacity.instruments are listed, or the day or the table of kills has no more"
        "remove what is not needed; what was removed gives its room back at the next day";
    VENUE_CLOSED "UX-A034" Connection
        "the venue has stopped"
        "it failed or is being stopped, and its door is still open"
        "look at the venue's log, and start it again";
    DESK_BUSY "UX-A035" Connection
        "too many acts wait"
        "the venue takes them one after the other, each as soon as the one before is durable"
        "try again: nothing was done";
    ACT_TIMED_OUT "UX-A036" Connection
        "an act was not answered in time"
        "the device is slow or the venue is stopped: it may or may not have happened"
        "order it again, which changes nothing if it has happened";
    OPERATORS_FILE "UX-A037" Configuration
        "the operators file is damaged or cannot be read"
        "it was edited by hand, or belongs to somebody else; nobody is let in meanwhile"
        "restore operators.toml from a copy; only uncross operator should write it";
    OPERATOR_NAME "UX-A038" Usage
        "an operator's name is malformed"
        "it stands in the journal beside each act, in a field of 16 bytes"
        "use 1 to 16 letters, digits, '-', '_' and '.'";
    OPERATOR_EXISTS "UX-A039" Failure
        "the operator exists"
        "a token is shown once and cannot be shown again"
        "choose another name, or remove the operator and add it again for a new token";
    OPERATOR_UNKNOWN "UX-A040" Failure
        "no operator of the venue has this name"
        "the name is misspelt, or it was removed before"
        "uncross operator list shows the names";
    OPERATORS_FULL "UX-A041" Failure
        "a venue has no room for another operator"
        "there are 1024 of them already"
        "remove those who are not needed: uncross operator remove NAME";
    CONNECT "UX-N001" Connection
        "the venue cannot be reached"
        "nobody listens at the address, or something on the way refuses"
        "start the venue, or name its address with --orders, --data or --admin";
    NO_ANSWER "UX-N002" Connection
        "the venue did not answer in time"
        "it is overloaded, stopped, or something else listens at the address"
        "check the address and the venue's log, then try again";
    CONNECTION_LOST "UX-N003" Connection
        "the connection broke"
        "the venue ended it, perhaps since the same user logged in elsewhere"
        "look at the venue's log, then try again";
    SESSION_OVER "UX-N004" Connection
        "the session is over"
        "each trading day has a session of its own, and a new day began"
        "run the command again: it joins the session of the new day";
    NO_NUMBER "UX-N007" Failure
        "there is no such number yet"
        "numbers begin at 1 each session and have not come so far"
        "begin at a lower one; 0 shows only what comes from now on";
    PROTOCOL "UX-N005" Failure
        "the other side does not keep to the protocol"
        "it is no venue, its other door was meant, or it is of another version"
        "check the address: orders and market data have one each";
    NO_ADDRESS "UX-N006" Configuration
        "the address is not fixed"
        "the configuration says port 0, so that the venue picks a free one at its start"
        "name the address that uncross start printed with --orders, --data or --admin";
    REJECTED "UX-O001" Failure
        "the venue rejected the request"
        "a value is not allowed for the instrument or the user"
        "correct what the reason names; docs/matching.md lists all reasons";
    IGNORED "UX-O002" Failure
        "the venue ignored the request"
        "the order is filled, canceled or unknown, or the request would change nothing"
        "only live orders of the same user and day can be changed";
    REPLACE_FAILED "UX-O003" Failure
        "the replacement was refused and the old order is canceled"
        "quantity or price is not allowed for the instrument; OUCH then ends the old order too"
        "enter a new order with correct values";
    CHANGE_REFUSED "UX-O004" Failure
        "the venue refused to change the order"
        "the order is live, but such a change is not allowed"
        "cancel the order and enter a new one";
    UNKNOWN_SYMBOL "UX-O005" Failure
        "the venue does not list the instrument"
        "its symbol is misspelt, or it is another venue's"
        "look at the [[instrument]] list in venue.toml";
    LOBSTER_SYNTAX "UX-I001" Failure
        "the file is no LOBSTER message file"
        "each line is time,type,order id,size,price,direction, all numbers"
        "check the place that is named, or fetch the file again";
    NOT_REPRODUCED "UX-I002" Integrity
        "executions of the file were not reproduced"
        "the file is incomplete, orders of others came between, or it had orders out of turn"
        "look at the executions that are listed, with the lines they stand in";
    LOBSTER_EMPTY "UX-I003" Failure
        "the file has nothing to play"
        "it is empty, or all its events are of types that concern no visible order"
        "fetch the file again";
    IMPORT_REJECTED "UX-I004" Integrity
        "orders of the file were rejected"
        "a price or size does not fit the instrument, or the venue is full"
        "play into an instrument with a finer tick and lot, or a venue with more room";
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
    /// Where damage is, for machines: people read it in the message.
    pub(crate) place: Option<Box<Place>>,
}

/// The place of damage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Place {
    pub(crate) file: String,
    /// `None`: the file as a whole.
    pub(crate) offset: Option<u64>,
    pub(crate) expected: Option<String>,
    pub(crate) found: Option<String>,
}

impl Failure {
    /// A failure with the cause and fix of its code.
    pub(crate) fn new(code: &'static Code, message: impl Into<String>) -> Self {
        let (cause, fix) = (code.cause.to_owned(), code.fix.to_owned());
        Self { code, message: message.into(), cause, fix, place: None }
    }

    /// A file of version `found` where this program reads up to `newest`.
    pub(crate) fn of_version(message: impl Into<String>, found: u32, newest: u32) -> Self {
        let failure = Self::new(&FORMAT_VERSION, message);
        if newest < found {
            return failure
                .cause("a newer version of the program wrote it; nothing is damaged")
                .fix("use that version or a later one; nothing was changed");
        }
        failure
            .cause("a version of the program wrote it that is too old by now; nothing is damaged")
            .fix("go on with it by a version in between, which still reads it")
    }

    /// Whether something is not what it must be.
    pub(crate) fn is_damage(&self) -> bool {
        self.code.exit == Exit::Integrity
    }

    /// With the place of the damage.
    pub(crate) fn place(self, place: Option<Place>) -> Self {
        Self { place: place.map(Box::new), ..self }
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
        let Self { code, message, cause, fix, place } = self;
        let exit_code = code.exit as u8;
        let (schema, code, place) = ("uncross.error/1", code.id, place.as_deref());
        FailureJson { schema, code, message, cause, fix, exit_code, place }
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
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<&'a Place>,
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
