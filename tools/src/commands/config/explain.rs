//! `uncross config explain` and `uncross config diff`: what is set, by whom, and to what.

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;
use uncross_server::config::{
    Config, VenueDir,
    error::{Place, Source},
    explain::Explained,
};

use crate::{
    commands::venue::{Overrides, environment},
    errors::{self, Failure},
    output::{Outcome, Output},
};

const EXPLAIN_EXAMPLES: &str = "\
KEY is a setting (core.spin), a section (core), or an instrument (instrument.DEMO). A flag wins over
the environment, the environment over the file, the file over the default.

Examples:
  uncross config explain
  uncross config explain core.spin
  uncross config explain session --venue ./venue
  uncross config explain core.spin --set core.spin=1ms --json";

const DIFF_EXAMPLES: &str = "\
A and B are configuration files, folders of venues, or the word default. Files are compared as they
are, without the environment. Values that mean the same, as 1s and 1000ms do, are no difference.

Examples:
  uncross config diff default ./venue
  uncross config diff ./venue other.toml --json";

/// Word for the built-in configuration.
const DEFAULT: &str = "default";

/// Explain settings: value, where it came from, bounds and meaning
#[derive(Args, Debug)]
#[command(after_help = EXPLAIN_EXAMPLES)]
pub(crate) struct Explain {
    /// Setting, section or instrument; all without it
    #[arg(value_name = "KEY")]
    key: Option<String>,
    /// Folder of the venue, or its configuration file; without it the defaults
    #[arg(long, value_name = "DIR")]
    venue: Option<PathBuf>,
    #[command(flatten)]
    overrides: Overrides,
}

/// Show the settings in which two configurations differ
#[derive(Args, Debug)]
#[command(after_help = DIFF_EXAMPLES)]
pub(crate) struct Diff {
    /// Configuration file, folder of a venue, or default
    #[arg(value_name = "A")]
    left: PathBuf,
    /// The same, to compare with
    #[arg(value_name = "B")]
    right: PathBuf,
}

#[derive(Serialize)]
struct Setting {
    key: String,
    value: String,
    /// Who set it: default, file, environment or flag.
    source: &'static str,
    /// The line of a file, the name of a variable.
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<String>,
    default: String,
    bounds: String,
    meaning: String,
}

#[derive(Serialize)]
struct Settings {
    settings: Vec<Setting>,
}

#[derive(Serialize)]
struct Difference {
    key: String,
    /// Absent where the key is, as of an instrument that only one lists.
    a: Option<String>,
    b: Option<String>,
}

#[derive(Serialize)]
struct Differences {
    differences: Vec<Difference>,
}

impl From<Explained> for Setting {
    fn from(explained: Explained) -> Self {
        let Explained { key, value, default, place, bounds, meaning } = explained;
        let (source, place) = origin(&place);
        Self { key, value, source, place, default, bounds, meaning }
    }
}

/// Who set something, and where exactly.
fn origin(place: &Place) -> (&'static str, Option<String>) {
    match &place.source {
        Source::Default => ("default", None),
        Source::File(path) => {
            let line = place.line.map_or_else(String::new, |line| format!(":{line}"));
            ("file", Some(format!("{}{line}", path.display())))
        }
        Source::Environment(name) => ("environment", Some(name.clone())),
        Source::Override => ("flag", None),
        // No file and no flag of a configuration comes from there.
        Source::Request => ("request", None),
    }
}

/// The configuration file that a path means.
pub(super) fn file_of(path: &Path) -> PathBuf {
    if path.is_dir() { VenueDir::new(path).config_file() } else { path.to_owned() }
}

impl Explain {
    pub(super) fn run(&self, output: &mut Output) -> Outcome {
        let file = self.venue.as_deref().map(file_of);
        let explained = Config::explain(file.as_deref(), environment(), &self.overrides.pairs);
        let (_, all) = explained.map_err(Failure::from)?;
        let key = self.key.as_deref().unwrap_or_default();
        let settings: Vec<Setting> =
            all.into_iter().filter(|each| is_meant(&each.key, key)).map(Setting::from).collect();
        if settings.is_empty() {
            let failure = Failure::new(&errors::CONFIG_UNKNOWN, format!("there is no {key:?}"));
            return Err(failure.into());
        }
        if output.is_json() {
            return output.json("uncross.config-explain/1", &Settings { settings });
        }
        if self.key.is_some() {
            return settings.iter().try_for_each(|setting| setting.show(output));
        }
        let rows: Vec<_> = settings
            .into_iter()
            .map(|setting| {
                let place = setting.whence();
                vec![setting.key, setting.value, place]
            })
            .collect();
        output.table(&["SETTING", "VALUE", "FROM"], &rows)
    }
}

/// Whether `key` is `wanted` or below it; all are below nothing.
fn is_meant(key: &str, wanted: &str) -> bool {
    let rest = key.strip_prefix(wanted);
    rest.is_some_and(|rest| wanted.is_empty() || rest.is_empty() || rest.starts_with('.'))
}

impl Setting {
    fn whence(&self) -> String {
        match (&self.place, self.source) {
            (Some(place), _) => place.clone(),
            (None, "flag") => "--set".to_owned(),
            (None, source) => source.to_owned(),
        }
    }

    fn show(&self, output: &mut Output) -> Outcome {
        let Self { key, value, default, bounds, meaning, .. } = self;
        output.line(format_args!("{key} = {value}"))?;
        output.line(format_args!("  from     {}", self.whence()))?;
        if !default.is_empty() {
            output.line(format_args!("  default  {default}"))?;
        }
        output.line(format_args!("  bounds   {bounds}"))?;
        output.line(format_args!("  meaning  {meaning}"))
    }
}

impl Diff {
    pub(super) fn run(&self, output: &mut Output) -> Outcome {
        let (left, right) = (settings_of(&self.left)?, settings_of(&self.right)?);
        let value = |all: &[Explained], key: &str| {
            all.iter().find(|each| each.key == key).map(|each| each.value.clone())
        };
        let mut keys: Vec<&str> = left.iter().map(|each| each.key.as_str()).collect();
        keys.extend(right.iter().map(|each| each.key.as_str()));
        let mut differences: Vec<Difference> = Vec::new();
        for key in keys {
            let (a, b) = (value(&left, key), value(&right, key));
            if a != b && differences.iter().all(|known| known.key != key) {
                differences.push(Difference { key: key.to_owned(), a, b });
            }
        }
        if output.is_json() {
            return output.json("uncross.config-diff/1", &Differences { differences });
        }
        if differences.is_empty() {
            return output.line("no setting differs");
        }
        let text = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
        let rows: Vec<_> = differences
            .into_iter()
            .map(|Difference { key, a, b }| vec![key, text(a), text(b)])
            .collect();
        output.table(&["SETTING", "A", "B"], &rows)
    }
}

/// The settings that a path, or the word for the defaults, leads to.
fn settings_of(path: &Path) -> Result<Vec<Explained>, Failure> {
    let is_default = path.as_os_str() == DEFAULT && !path.exists();
    let file = (!is_default).then(|| file_of(path));
    let (_, all) = Config::explain(file.as_deref(), std::iter::empty(), &[])?;
    Ok(all)
}
