//! `uncross query`: asks the venue for the next order number.

use std::time::Instant;

use clap::Args;
use serde::Serialize;
use uncross_client::{Elements, OrderSession};

use super::{Extras, entry::Where, leave};
use crate::{
    commands::session::PATIENCE,
    errors::Failure,
    output::{Outcome, Output},
};

const EXAMPLES: &str = "\
The number is one above the highest that the port, or its channel, has used today. Also told are the
session of the day and the number of its next report, from which a client resumes.
A login takes over a session that the user has elsewhere.

Examples:
  uncross query --venue ./venue --user ACME --password-file password.txt
  uncross query --json --venue ./venue --user ACME --password-file password.txt";

/// Ask for the next order number
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Query {
    #[command(flatten)]
    extras: Extras,
    #[command(flatten)]
    place: Where,
}

#[derive(Serialize)]
struct Told {
    session: String,
    next_report: u64,
    next_user_ref_num: u32,
    round_trip_us: u64,
}

impl Query {
    pub(in crate::commands) fn run(&self, output: &mut Output) -> Outcome {
        let mut elements = Elements::new();
        self.extras.put(&mut elements)?;
        let mut session = OrderSession::connect(&self.place.options()?).map_err(Failure::from)?;
        let sent = Instant::now();
        let asked = session.sync_with(&elements, PATIENCE, |_of_before| {});
        let next_user_ref_num = asked.map_err(Failure::from)?;
        let round_trip_us = u64::try_from(sent.elapsed().as_micros()).unwrap_or(u64::MAX);
        let (name, next_report) = (session.session().to_owned(), session.next_number());
        leave(session);
        let told = Told { session: name, next_report, next_user_ref_num, round_trip_us };
        if output.is_json() {
            return output.json("uncross.query/1", &told);
        }
        let Told { session, .. } = told;
        output.line(format_args!("next number  {next_user_ref_num}"))?;
        output.line(format_args!("session      {session}"))?;
        output.line(format_args!("next report  {next_report}"))?;
        output.line(format_args!("round trip   {round_trip_us} us"))
    }
}
