//! `uncross sessions`: who is connected, since when, and where each stands.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use uncross_server::{
    export::ExportError,
    journal::ReplayError,
    sessions::{CopySession, PortSession, Sessions as Found, sessions, utc},
};

use super::journal::journal_of;
use crate::{
    errors::{self, Failure},
    output::{Outcome, Output},
    venue::torn_text,
};

const EXAMPLES: &str = "\
All of it comes from the journal, so it can be asked beside a running venue or after its end. What a
venue that was killed could not write down any more is not there: its sessions are up until it is
started again. Times are UTC; next is the order number that the port uses next; messages are those
of the day in its stream. Copies are the drop copies of a firm; who listens to them is not in the
journal.

Examples:
  uncross sessions ./venue
  uncross sessions ./venue --json";

/// Show who is connected to order entry, since when, and where each stands
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Sessions {
    /// Folder of the venue
    #[arg(value_name = "DIR")]
    dir: PathBuf,
}

#[derive(Serialize)]
struct Told {
    venue: String,
    session: Option<String>,
    date: Option<String>,
    last_seq: u64,
    last_time: String,
    feed_messages: u64,
    ports: Vec<Row>,
    drop_copies: Vec<CopyRow>,
    torn: Option<String>,
}

#[derive(Serialize)]
struct Row {
    port: u16,
    user: String,
    firm: String,
    state: &'static str,
    since: String,
    /// Of a connection that is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    generation: u16,
    next_user_ref_num: u32,
    live_orders: u64,
    messages: u64,
}

/// A firm whose reports are copied.
#[derive(Serialize)]
struct CopyRow {
    firm: String,
    messages: u64,
}

impl From<CopySession> for CopyRow {
    fn from(CopySession { firm, messages }: CopySession) -> Self {
        Self { firm, messages }
    }
}

impl From<PortSession> for Row {
    fn from(port: PortSession) -> Self {
        Self {
            port: port.port,
            user: port.user,
            firm: port.firm,
            state: if port.is_up { "up" } else { "down" },
            since: utc(port.since_ns),
            reason: port.down_reason.map(reason),
            generation: port.generation,
            next_user_ref_num: port.next_user_ref_num,
            live_orders: port.live_orders,
            messages: port.messages,
        }
    }
}

/// Why a connection is gone, in a word.
const fn reason(code: u8) -> &'static str {
    match code {
        b'O' => "logout",
        b'L' => "lost",
        b'T' => "taken over",
        b'R' => "restart",
        _ => "unknown",
    }
}

impl From<Found> for Told {
    fn from(found: Found) -> Self {
        let (session, date) = found.day.unzip();
        let date = date.map(|(year, month, day)| format!("{year:04}-{month:02}-{day:02}"));
        Self {
            venue: String::new(),
            session,
            date,
            last_seq: found.last_seq,
            last_time: utc(found.last_time_ns),
            feed_messages: found.feed_messages,
            ports: found.ports.into_iter().map(Row::from).collect(),
            drop_copies: found.copies.into_iter().map(CopyRow::from).collect(),
            torn: found.torn.as_ref().map(torn_text),
        }
    }
}

impl Sessions {
    pub(super) fn run(&self, output: &mut Output) -> Outcome {
        let journal = journal_of(&self.dir)?;
        let found = sessions(&journal).map_err(failure)?;
        let told = Told { venue: self.dir.display().to_string(), ..Told::from(found) };
        if output.is_json() { output.json("uncross.sessions/1", &told) } else { told.print(output) }
    }
}

fn failure(error: ReplayError<ExportError>) -> Failure {
    match error {
        ReplayError::Read(error) => error.into(),
        ReplayError::Apply(ExportError::Apply(error)) => error.into(),
        ReplayError::Apply(ExportError::Output(error)) => {
            Failure::new(&errors::SYSTEM, error.to_string())
        }
    }
}

impl Told {
    fn print(&self, output: &mut Output) -> Outcome {
        let Self { session, date, last_seq, last_time, feed_messages, ports, torn, .. } = self;
        if let (Some(session), Some(date)) = (session, date) {
            output.line(format_args!("session  {session} of {date}"))?;
        }
        output.line(format_args!("journal  to record {last_seq} at {last_time}"))?;
        output.line(format_args!("feed     {feed_messages} messages"))?;
        for CopyRow { firm, messages } in &self.drop_copies {
            output.line(format_args!("copies   {messages} messages of firm {firm}"))?;
        }
        if let Some(torn) = torn {
            output.line(format_args!("behind   {torn}"))?;
        }
        output.line("")?;
        let rows: Vec<_> = ports
            .iter()
            .map(|port| {
                let state = port.reason.map_or_else(
                    || port.state.to_owned(),
                    |reason| format!("{}, {reason}", port.state),
                );
                vec![
                    port.port.to_string(),
                    port.user.clone(),
                    port.firm.clone(),
                    state,
                    port.since.clone(),
                    port.generation.to_string(),
                    port.next_user_ref_num.to_string(),
                    port.live_orders.to_string(),
                    port.messages.to_string(),
                ]
            })
            .collect();
        let headings =
            ["PORT", "USER", "FIRM", "STATE", "SINCE", "CONNECTION", "NEXT", "LIVE", "MESSAGES"];
        output.table(&headings, &rows)
    }
}
