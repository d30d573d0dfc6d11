//! `uncross explain`: what the codes of errors, and the reasons of refusals and cancels, mean.

use clap::Args;
use serde::Serialize;

use crate::{
    errors::{self, Code, Failure},
    output::{Outcome, Output},
    reasons::{self, Meaning, Reason},
};

const EXAMPLES: &str = "\
Codes are written as the program prints them: UX-C003 for its own errors, 0x2C for the reason with
which the venue rejects a request, cancel-K for the reason with which it reduces or ends an order.
The letter of a cancel keeps its case: cancel-E and cancel-e differ.

Examples:
  uncross explain UX-C003
  uncross explain 0x2C
  uncross explain cancel-K
  uncross explain";

/// Explain an error code or a reason of the venue, or list them all
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Explain {
    /// The code as it is printed, for example UX-C003, 0x2C or cancel-K
    #[arg(value_name = "CODE")]
    code: Option<String>,
}

#[derive(Serialize)]
struct Explanation {
    code: String,
    /// Who gives it.
    kind: &'static str,
    title: &'static str,
    cause: &'static str,
    fix: &'static str,
    /// Of the program's own errors.
    #[serde(skip_serializing_if = "Option::is_none")]
    exit_code: Option<u8>,
}

#[derive(Serialize)]
struct List {
    codes: Vec<Explanation>,
}

impl From<&Code> for Explanation {
    fn from(code: &Code) -> Self {
        let Code { id, exit, title, cause, fix } = *code;
        let (code, exit_code) = (id.to_owned(), Some(exit as u8));
        Self { code, kind: "error", title, cause, fix, exit_code }
    }
}

impl From<Reason> for Explanation {
    fn from(reason: Reason) -> Self {
        let Meaning { text, cause, fix } = reason.meaning();
        let kind = match reason {
            Reason::Reject(_) => "reject",
            Reason::Cancel(_) => "cancel",
        };
        Self { code: reason.name(), kind, title: text, cause, fix, exit_code: None }
    }
}

impl Explain {
    pub(super) fn run(&self, output: &mut Output) -> Outcome {
        match &self.code {
            Some(text) => find(text)?.show(output),
            None => list(output),
        }
    }
}

fn find(text: &str) -> Result<Explanation, Failure> {
    let code = Code::find(text).map(Explanation::from);
    code.or_else(|| Reason::find(text).map(Explanation::from))
        .ok_or_else(|| Failure::new(&errors::UNKNOWN_CODE, format!("there is no code {text:?}")))
}

impl Explanation {
    fn show(&self, output: &mut Output) -> Outcome {
        if output.is_json() {
            return output.json("uncross.explain/1", self);
        }
        let Self { code, kind, title, cause, fix, exit_code } = self;
        output.line(format_args!("{code}: {title}"))?;
        output.line(format_args!("cause: {cause}"))?;
        output.line(format_args!("fix: {fix}"))?;
        match exit_code {
            Some(exit_code) => output.line(format_args!("exit code: {exit_code}")),
            None => output.line(format_args!("kind: {kind} reason of the venue")),
        }
    }
}

fn list(output: &mut Output) -> Outcome {
    let codes = errors::ALL.iter().map(|code| Explanation::from(*code));
    let codes: Vec<_> = codes.chain(reasons::all().map(Explanation::from)).collect();
    if output.is_json() {
        return output.json("uncross.explain-all/1", &List { codes });
    }
    let rows: Vec<_> = codes
        .iter()
        .map(|each| {
            let exit_code = each.exit_code.map_or_else(String::new, |code| code.to_string());
            vec![each.code.clone(), exit_code, each.title.to_owned()]
        })
        .collect();
    output.table(&["CODE", "EXIT", "MEANING"], &rows)
}
