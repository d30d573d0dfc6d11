//! `uncross kill`, `uncross revive` and `uncross kills`: whose orders are refused.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use serde_json::json;
use uncross_server::{
    config::VenueDir,
    users::{User, Users},
};

use super::{
    admin::{DoorArguments, segment},
    replay::replayed,
};
use crate::{
    output::{Outcome, Output},
    venue::torn_text,
};

const KILL_EXAMPLES: &str = "\
TARGET is venue, firm:ABCD, user:NAME or port:N. New orders and replacements of the target are
rejected with 0x0C until it is revived, also after a restart and on later days; cancels pass. What
stands is canceled with reason S. A kill that stands already is ordered again without harm.

Examples:
  uncross kill venue --venue ./venue
  uncross kill user:ACME --keep-orders --venue ./venue
  uncross kill port:1 --admin 127.0.0.1:9080 --token-file ./venue/admin.token --json";

const REVIVE_EXAMPLES: &str = "\
TARGET is written as it was killed: to revive the venue does not revive a firm that was killed too.

Examples:
  uncross revive venue --venue ./venue
  uncross revive user:ACME --venue ./venue --json";

const KILLS_EXAMPLES: &str = "\
All of it comes from the journal, so it can be asked beside a running venue or after its end.

Examples:
  uncross kills ./venue
  uncross kills ./venue --json";

/// Refuse all new orders of a target, and cancel what it has
#[derive(Args, Debug)]
#[command(after_help = KILL_EXAMPLES)]
pub(crate) struct Kill {
    /// Whose orders
    #[arg(value_name = "TARGET")]
    target: String,
    /// Leave the orders that stand
    #[arg(long)]
    keep_orders: bool,
    #[command(flatten)]
    door: DoorArguments,
}

/// End a kill
#[derive(Args, Debug)]
#[command(after_help = REVIVE_EXAMPLES)]
pub(crate) struct Revive {
    /// Who was killed
    #[arg(value_name = "TARGET")]
    target: String,
    #[command(flatten)]
    door: DoorArguments,
}

/// Show whose orders are refused
#[derive(Args, Debug)]
#[command(after_help = KILLS_EXAMPLES)]
pub(crate) struct Kills {
    /// Folder of the venue
    #[arg(value_name = "DIR")]
    dir: PathBuf,
}

#[derive(Serialize)]
struct Told {
    venue: String,
    last_seq: u64,
    /// Everybody is killed.
    is_venue_killed: bool,
    firms: Vec<String>,
    ports: Vec<Port>,
    torn: Option<String>,
}

#[derive(Serialize)]
struct Port {
    port: u16,
    /// As users.toml says now.
    user: Option<String>,
}

impl Kill {
    pub(super) fn run(&self, output: &mut Output) -> Outcome {
        let body = json!({ "target": self.target, "cancel": !self.keep_orders });
        let way = ("POST", "/v1/kills");
        self.door.open()?.act(("kill", &self.target), way, Some(&body), output)
    }
}

impl Revive {
    pub(super) fn run(&self, output: &mut Output) -> Outcome {
        let path = format!("/v1/kills/{}", segment(&self.target));
        self.door.open()?.act(("revive", &self.target), ("DELETE", &path), None, output)
    }
}

impl Kills {
    pub(super) fn run(&self, output: &mut Output) -> Outcome {
        let found = replayed(&self.dir)?;
        let users = Users::load(&VenueDir::new(&self.dir).users_file());
        let name = |port: u16| {
            let users = users.as_ref().ok()?.list();
            users
                .iter()
                .find(|user| user.port() == Some(port))
                .map(|user: &User| user.name().to_owned())
        };
        let (is_venue_killed, firms, ports) = found.replica.engine().kills();
        let text = |firm: &[u8; 4]| firm.trim_ascii_end().escape_ascii().to_string();
        let told = Told {
            venue: self.dir.display().to_string(),
            last_seq: found.last_seq,
            is_venue_killed,
            firms: firms.iter().map(text).collect(),
            ports: ports.iter().map(|&port| Port { port, user: name(port) }).collect(),
            torn: found.torn.as_ref().map(torn_text),
        };
        if output.is_json() { output.json("uncross.kills/1", &told) } else { told.print(output) }
    }
}

impl Told {
    fn print(&self, output: &mut Output) -> Outcome {
        let Self { last_seq, is_venue_killed, firms, ports, torn, .. } = self;
        output.line(format_args!("journal  to record {last_seq}"))?;
        if let Some(torn) = torn {
            output.line(format_args!("behind   {torn}"))?;
        }
        let mut rows: Vec<Vec<String>> = Vec::new();
        if *is_venue_killed {
            rows.push(vec!["venue".to_owned(), String::new()]);
        }
        rows.extend(firms.iter().map(|firm| vec![format!("firm:{firm}"), String::new()]));
        rows.extend(ports.iter().map(|Port { port, user }| {
            vec![format!("port:{port}"), user.clone().unwrap_or_default()]
        }));
        if rows.is_empty() {
            return output.line("nobody is killed");
        }
        output.line("")?;
        output.table(&["KILLED", "USER"], &rows)
    }
}
