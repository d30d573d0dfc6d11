//! `uncross man`: the manual pages.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use clap::{Args, CommandFactory};
use serde::Serialize;

use super::venue::unwritable;
use crate::{
    cli::Cli,
    errors::{self, Failure},
    output::{Outcome, Output},
};

const EXAMPLES: &str = "\
The pages are in roff. man reads them from a folder man1 of its path, for example
~/.local/share/man/man1; a single one can be read with man -l FILE.

Examples:
  uncross man --out ./man1
  uncross man book
  uncross man journal verify > uncross-journal-verify.1";

/// What the pages say they are of.
const SOURCE: &str = concat!("uncross ", env!("CARGO_PKG_VERSION"));

/// Print or write the manual pages
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Man {
    /// Command whose page is printed; without it the program's own
    #[arg(value_name = "COMMAND", conflicts_with = "out")]
    command: Vec<String>,
    /// Write the pages of all commands to this folder, which is made if need be
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

#[derive(Serialize)]
struct Page {
    name: String,
    roff: String,
}

#[derive(Serialize)]
struct Written {
    folder: String,
    pages: Vec<String>,
}

impl Man {
    pub(super) fn run(&self, output: &mut Output) -> Outcome {
        let mut program = Cli::command();
        program.build();
        match &self.out {
            Some(folder) => write_all(&program, folder, output),
            None => self.print(&program, output),
        }
    }

    fn print(&self, program: &clap::Command, output: &mut Output) -> Outcome {
        let mut command = program;
        let mut name = String::from("uncross");
        for word in &self.command {
            command = command.find_subcommand(word).ok_or_else(|| {
                let message = format!("{name} has no command {word:?}");
                Failure::new(&errors::USAGE, message).fix("uncross --help lists the commands")
            })?;
            name = format!("{name}-{word}");
        }
        let roff = page(command, &name)?;
        if output.is_json() {
            return output.json("uncross.man-page/1", &Page { name: format!("{name}.1"), roff });
        }
        output.text(&roff)
    }
}

/// The page of one command, called `name`.
fn page(command: &clap::Command, name: &str) -> Result<String, Failure> {
    let mut bytes = Vec::new();
    // The page of a command is found by the words that call it, joined.
    let man = clap_mangen::Man::new(command.clone()).title(name).source(SOURCE);
    man.render(&mut bytes).map_err(|error: io::Error| {
        Failure::new(&errors::OUTPUT, format!("the page of {name} cannot be made: {error}"))
    })?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Every command below `command`, itself first, each with the name of its page.
fn pages(command: &clap::Command, name: &str) -> Result<Vec<Page>, Failure> {
    let mut all = vec![Page { name: format!("{name}.1"), roff: page(command, name)? }];
    for child in command.get_subcommands() {
        all.extend(pages(child, &format!("{name}-{}", child.get_name()))?);
    }
    Ok(all)
}

fn write_all(program: &clap::Command, folder: &Path, output: &mut Output) -> Outcome {
    fs::create_dir_all(folder).map_err(|error| unwritable(folder, &error))?;
    let pages = pages(program, "uncross")?;
    for Page { name, roff } in &pages {
        let path = folder.join(name);
        let written = fs::File::create(&path).and_then(|mut file| file.write_all(roff.as_bytes()));
        written.map_err(|error| unwritable(&path, &error))?;
    }
    let pages: Vec<_> = pages.into_iter().map(|page| page.name).collect();
    let folder = folder.display().to_string();
    if output.is_json() {
        return output.json("uncross.man/1", &Written { folder, pages });
    }
    output.line(format_args!("{} pages are in {folder}", pages.len()))
}
