//! `uncross explain`: what an error code means.

use clap::Args;
use serde::Serialize;

use crate::{
    errors::{self, Code, Failure},
    output::{Outcome, Output},
};

const EXAMPLES: &str = "\
Examples:
  uncross explain UX-C003
  uncross explain";

/// Explain an error code, or list them all
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Explain {
    /// The code as in the error, for example UX-C003
    #[arg(value_name = "CODE")]
    code: Option<String>,
}

#[derive(Serialize)]
struct Explanation {
    code: &'static str,
    title: &'static str,
    cause: &'static str,
    fix: &'static str,
    exit_code: u8,
}

#[derive(Serialize)]
struct List {
    codes: Vec<Explanation>,
}

impl From<&Code> for Explanation {
    fn from(code: &Code) -> Self {
        let Code { id, exit, title, cause, fix } = *code;
        Self { code: id, title, cause, fix, exit_code: exit as u8 }
    }
}

impl Explain {
    pub(super) fn run(&self, output: &mut Output) -> Outcome {
        match &self.code {
            Some(id) => {
                let code = Code::find(id).ok_or_else(|| {
                    Failure::new(&errors::UNKNOWN_CODE, format!("there is no code {id:?}"))
                })?;
                explain(code, output)
            }
            None => list(output),
        }
    }
}

fn explain(code: &Code, output: &mut Output) -> Outcome {
    if output.is_json() {
        return output.json("uncross.explain/1", &Explanation::from(code));
    }
    let Code { id, exit, title, cause, fix } = code;
    output.line(format_args!("{id}: {title}"))?;
    output.line(format_args!("cause: {cause}"))?;
    output.line(format_args!("fix: {fix}"))?;
    output.line(format_args!("exit code: {}", *exit as u8))
}

fn list(output: &mut Output) -> Outcome {
    if output.is_json() {
        let codes = errors::ALL.iter().map(|code| Explanation::from(*code)).collect();
        return output.json("uncross.explain-all/1", &List { codes });
    }
    let rows: Vec<_> = errors::ALL
        .iter()
        .map(|code| vec![code.id.to_owned(), (code.exit as u8).to_string(), code.title.to_owned()])
        .collect();
    output.table(&["CODE", "EXIT", "MEANING"], &rows)
}
