//! `uncross completions`: what a shell needs to complete the command line.

use clap::{Args, CommandFactory};
use clap_complete::Shell;
use serde::Serialize;

use crate::{
    cli::Cli,
    output::{Outcome, Output},
};

const EXAMPLES: &str = "\
bash reads ~/.local/share/bash-completion/completions/uncross, zsh a file _uncross in a folder of
$fpath, fish ~/.config/fish/completions/uncross.fish.

Examples:
  uncross completions bash > uncross.bash
  uncross completions zsh
  uncross completions fish --json";

/// Print what a shell needs to complete commands and flags
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Completions {
    /// Shell
    #[arg(value_name = "SHELL", value_enum)]
    shell: Shell,
}

#[derive(Serialize)]
struct Script {
    shell: String,
    script: String,
}

impl Completions {
    pub(super) fn run(&self, output: &mut Output) -> Outcome {
        let mut command = Cli::command();
        let mut bytes = Vec::new();
        clap_complete::generate(self.shell, &mut command, "uncross", &mut bytes);
        // What is generated is made of this program's own texts.
        let script = String::from_utf8_lossy(&bytes).into_owned();
        if output.is_json() {
            let shell = self.shell.to_string();
            return output.json("uncross.completions/1", &Script { shell, script });
        }
        output.text(&script)
    }
}
