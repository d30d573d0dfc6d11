//! `uncross init`: the folder of a new venue.

use std::{
    fs::{self, DirBuilder, File},
    io::{self, Write},
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use clap::Args;
use serde::Serialize;
use uncross_admin::operators::{Operators, Role};
use uncross_server::{
    config::{Config, VenueDir},
    users::Users,
};

use super::{
    operator::write_token,
    venue::{load, unreadable, unwritable},
};
use crate::{
    errors::{self, Failure},
    output::{Outcome, Output},
};

const EXAMPLES: &str = "\
Examples:
  uncross init ./venue
  uncross init ./venue --from other.toml";

/// Make the folder of a new venue
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Init {
    /// Folder to make; may exist if it is empty
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// Copy this configuration instead of the default
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
}

#[derive(Serialize)]
struct Made<'a> {
    venue: &'a Path,
    config: PathBuf,
    users: PathBuf,
    operators: PathBuf,
    token: PathBuf,
}

/// The operator that every venue begins with.
const OPERATOR: &str = "admin";

impl Init {
    pub(super) fn run(&self, output: &mut Output) -> Outcome {
        let text = self.config_text()?;
        make_folder(&self.dir)?;
        let dir = VenueDir::new(&self.dir);
        let config_file = dir.config_file();
        write_new(&config_file, &text).map_err(|error| unwritable(&config_file, &error))?;
        Users::new(dir.users_file()).save().map_err(Failure::from)?;
        let (operators, token) = (dir.operators_file(), dir.token_file());
        make_operator(&dir)?;
        if output.is_json() {
            let (venue, users) = (dir.root(), dir.users_file());
            let made = Made { venue, config: config_file, users, operators, token };
            return output.json("uncross.init/1", &made);
        }
        let venue = self.dir.display();
        output.line(format_args!("made {venue}"))?;
        output.line("  venue.toml      the configuration, every setting explained")?;
        output.line("  users.toml      who may log in: nobody yet")?;
        output.line("  operators.toml  who may act on the venue: admin")?;
        output.line("  admin.token     the token of admin; keep it to yourself")?;
        output.line("")?;
        output.line("next:")?;
        output.line(format_args!("  uncross user add BROK01 --venue {venue}"))?;
        output.line(format_args!("  uncross config check {}", config_file.display()))?;
        output.line(format_args!("  uncross start {venue}"))
    }

    /// The configuration to write, known to be good.
    fn config_text(&self) -> Result<String, Failure> {
        let Some(path) = &self.from else {
            return Ok(Config::default_text().to_owned());
        };
        load(Some(path), &[])?;
        fs::read_to_string(path).map_err(|error| unreadable(&errors::CONFIG_READ, path, &error))
    }
}

/// Makes the operator that a venue begins with, and writes its token.
pub(super) fn make_operator(dir: &VenueDir) -> Result<(), Failure> {
    let mut operators = Operators::new(dir.operators_file());
    let token = operators.add(OPERATOR, Role::Operator)?;
    let path = dir.token_file();
    write_token(&path, &token).map_err(|error| unwritable(&path, &error))?;
    Ok(operators.save()?)
}

/// Makes the folder, or makes sure that it is empty.
pub(super) fn make_folder(dir: &Path) -> Result<(), Failure> {
    // Nobody else is to read who trades what.
    let made = DirBuilder::new().recursive(true).mode(0o700).create(dir);
    made.map_err(|error| unwritable(dir, &error))?;
    let mut entries = fs::read_dir(dir).map_err(|error| unwritable(dir, &error))?;
    if entries.next().is_some() {
        let message = format!("{} is not empty", dir.display());
        return Err(Failure::new(&errors::FOLDER_TAKEN, message));
    }
    Ok(())
}

pub(super) fn write_new(path: &Path, text: &str) -> io::Result<()> {
    let mut file = File::create_new(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}
