//! `uncross demo`: a venue, synthetic brokers, and proof that the journal tells it all again.

use std::{
    io::{IsTerminal, Write},
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use clap::Args;
use serde::Serialize;
use tempfile::TempDir;
use uncross_admin::Admin;
use uncross_client::{ConnectOptions, Symbol};
use uncross_server::{
    affinity::{Cpus, Plan},
    config::{
        Config, VenueDir,
        units::{parse_count, parse_duration},
    },
    replay::{Discard, replay},
    users::{Users, random_password},
    venue::{self, Summary, Venue},
};

use super::{
    init::{make_folder, make_operator, write_new},
    venue::{load, unwritable},
};
use crate::{
    demo::{
        brokers::{BrokerError, Brokers, Tally},
        flow::{Market, Scale},
        subscribers::read_along,
    },
    errors::{self, Failure},
    output::{Outcome, Output},
    venue::{LayoutReport, Stop, hex, open_admin, take_admin, tell_layout},
};

const EXAMPLES: &str = "\
Examples:
  uncross demo --for 1s --port 0
  uncross demo --for 2s --port 0 --rate 10k --json
  uncross demo --for 1s --port 0 --keep ./demo-venue";

/// Market makers of the demonstration; they share the instruments.
const MAKERS: usize = 4;
/// Takers of the demonstration; they trade everywhere.
const TAKERS: usize = 4;
/// Longest wait for the last answers.
const PATIENCE: Duration = Duration::from_secs(10);
/// How much later than asked for a sleeper may wake, on a system with default timer slack.
const OVERSLEEP: Duration = Duration::from_micros(80);
/// Longest sleep between two looks at signals and reports.
const NAP_MAX: Duration = Duration::from_millis(10);
/// Between two summary lines.
const LINE_INTERVAL: Duration = Duration::from_secs(1);
/// From the port for orders to that for operators, so that those of the demonstration are the
/// default ones: 9001 and 9080.
const ADMIN_DISTANCE: u16 = 79;
/// Highest rate that is worth asking for.
const RATE_MAX: u64 = 1_000_000;

/// Run a temporary venue with synthetic brokers
///
/// Market makers quote and requote, takers trade against them, all over TCP. At the end the
/// journal is replayed and the state compared.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Demo {
    /// End by itself after this long, for example 10s
    #[arg(long = "for", value_name = "DURATION", value_parser = parse_duration)]
    duration: Option<Duration>,
    /// Messages sent to the venue per second, for example 10k
    #[arg(long, default_value = "2k", value_parser = parse_rate)]
    rate: u64,
    /// Port for orders, the next one for market data, the 79th after it for operators; 0 picks
    /// free ones
    #[arg(long, default_value_t = 9001)]
    #[arg(value_parser = clap::value_parser!(u16).range(0..=65_456))]
    port: u16,
    /// Keep the venue in this folder instead of a temporary one
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    /// Subscribers of the market data that read along
    #[arg(long, default_value_t = 1, value_name = "N")]
    #[arg(value_parser = clap::value_parser!(u32).range(0..=100))]
    subscribers: u32,
    /// Start of the brokers' random numbers
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

fn parse_rate(text: &str) -> Result<u64, String> {
    match parse_count(text) {
        Ok(rate) if 1 <= rate && rate <= RATE_MAX => Ok(rate),
        Ok(rate) => Err(format!("expected 1 to 1000k, found {rate}")),
        Err(error) => Err(error.to_string()),
    }
}

#[derive(Serialize)]
struct Latency {
    p50: f64,
    p99: f64,
    p99_9: f64,
    max: f64,
}

/// How long market data came behind the reports of the same commands.
#[derive(Serialize)]
struct FeedDelay {
    rounds: u64,
    p50: f64,
    p99: f64,
    max: f64,
}

#[derive(Serialize)]
struct Position {
    last_seq: u64,
    durable_seq: u64,
}

#[derive(Serialize)]
struct Report {
    venue: String,
    layout: LayoutReport,
    orders: u64,
    accepted: u64,
    rejected: u64,
    replaced: u64,
    trades: u64,
    latency_us: Latency,
    feed_delay_us: FeedDelay,
    journal: Position,
    state_hash: String,
    replay_state_hash: String,
}

/// A folder that lasts as long as it must.
enum Folder {
    Temporary(TempDir),
    Kept(PathBuf),
}

impl Folder {
    fn path(&self) -> &Path {
        match self {
            Self::Temporary(dir) => dir.path(),
            Self::Kept(path) => path,
        }
    }
}

/// Names and passwords of the demonstration's users.
struct Accounts {
    names: Vec<String>,
    password: String,
}

impl Demo {
    pub(super) fn run(&self, output: &mut Output) -> Outcome {
        let stop = Stop::on_signals()?;
        let folder = self.folder()?;
        let dir = VenueDir::new(folder.path());
        let accounts = make_venue(&dir)?;
        let config = load(Some(&dir.config_file()), &self.overrides())?;
        let bound = take_admin(&config).map_err(start_failure)?;
        let running = venue::start(&config, &dir).map_err(start_failure)?;
        let (running, admin) = open_admin(bound, running, &config, &dir)?;
        if !output.is_json() {
            let addr = admin.as_ref().map(Admin::addr);
            self.announce(&folder, (&running, addr), &accounts, output)?;
        }
        let traded = self.trade(&config, &running, &accounts, &stop, !output.is_json());
        let layout = LayoutReport::new(running.plan());
        if let Some(admin) = admin {
            admin.stop();
        }
        let summary = running.stop().map_err(Failure::from)?;
        let tally = traded?;
        let report = report(&folder, layout, &tally, summary)?;
        tell(&report, output)?;
        output.flush()?;
        if report.state_hash != report.replay_state_hash {
            let message = format!(
                "the venue ended as {}, the replay as {}",
                report.state_hash, report.replay_state_hash
            );
            return Err(Failure::new(&errors::HASH_MISMATCH, message).into());
        }
        Ok(())
    }

    fn folder(&self) -> Result<Folder, Failure> {
        match &self.keep {
            Some(path) => {
                make_folder(path)?;
                Ok(Folder::Kept(path.clone()))
            }
            None => tempfile::Builder::new()
                .prefix("uncross-demo-")
                .tempdir()
                .map(Folder::Temporary)
                .map_err(|error| unwritable(&std::env::temp_dir(), &error)),
        }
    }

    fn overrides(&self) -> Vec<(String, String)> {
        let local = |port: u16| SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port).to_string();
        let behind = |distance| if self.port == 0 { 0 } else { self.port + distance };
        vec![
            ("orders.listen".to_owned(), local(self.port)),
            ("data.listen".to_owned(), local(behind(1))),
            ("admin.listen".to_owned(), local(behind(ADMIN_DISTANCE))),
            ("session.connections_per_address_max".to_owned(), "256".to_owned()),
        ]
    }

    fn announce(
        &self,
        folder: &Folder,
        (running, admin): (&Venue, Option<SocketAddr>),
        accounts: &Accounts,
        output: &mut Output,
    ) -> Outcome {
        let path = folder.path().display();
        let fate = match folder {
            Folder::Temporary(_) => "(removed on exit; --keep DIR keeps it there)",
            Folder::Kept(_) => "(kept)",
        };
        let (orders, data) = (running.orders_addr(), running.data_addr());
        let user = format!("user {} / {}", accounts.names[0], accounts.password);
        output.line(format_args!("journal  {path}  {fate}"))?;
        output.line(format_args!("orders   {orders}  SoupBinTCP/OUCH 5.0   {user}"))?;
        output.line(format_args!("data     {data}  SoupBinTCP/ITCH 5.0   {user}"))?;
        if let Some(admin) = admin {
            output.line(format_args!("admin    http://{admin}  token in {path}/admin.token"))?;
        }
        let end = self.duration.map_or_else(
            || "Ctrl-C stops it".to_owned(),
            |duration| format!("ends after {duration:?}, Ctrl-C stops it before"),
        );
        tell_layout(running.plan(), output)?;
        output.line(format_args!("rate     {} messages a second; {end}", self.rate))?;
        output.flush()
    }

    /// Lets the brokers trade on a thread of their own until the time is up.
    fn trade(
        &self,
        config: &Config,
        running: &Venue,
        accounts: &Accounts,
        stop: &Stop,
        is_told: bool,
    ) -> Result<Tally, Failure> {
        let login = |name: &String| {
            let address = running.orders_addr().to_string();
            ConnectOptions::new(address, name.clone(), accounts.password.clone())
        };
        let logins: Vec<ConnectOptions> = accounts.names[1..].iter().map(login).collect();
        let (makers, takers) = logins.split_at(MAKERS);
        let markets = markets(config, self.seed)?;
        let reader = {
            let address = running.data_addr().to_string();
            ConnectOptions::new(address, accounts.names[0].clone(), accounts.password.clone())
        };
        let is_over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let reading = scope.spawn(|| read_along(&reader, self.subscribers, &is_over));
            let trading = scope.spawn(|| {
                let cpus = Cpus::read();
                if let Some(cpu) = spare_cpu(&cpus, running.plan()) {
                    let _is_pinned = cpus.pin(cpu);
                }
                let mut brokers = Brokers::connect(makers, takers, markets)?;
                self.drive(&mut brokers, running, stop, is_told)?;
                brokers.finish(PATIENCE)
            });
            let traded = trading.join();
            // Relaxed: the flag carries no data.
            is_over.store(true, Ordering::Relaxed);
            let read = reading.join();
            traded.and_then(|tally| Ok((tally, read?)))
        })
        .map(|(tally, read)| tally.and_then(|tally| Ok(read.map(|()| tally)?)))
        .map_err(|_panic| Failure::new(&errors::VENUE_FAILED, "a thread of the brokers panicked"))?
        .map_err(|error| {
            let message = format!("the brokers failed: {error}");
            Failure::new(&errors::VENUE_FAILED, message)
        })
    }

    fn drive(
        &self,
        brokers: &mut Brokers,
        running: &Venue,
        stop: &Stop,
        is_told: bool,
    ) -> Result<(), BrokerError> {
        let interval = Duration::from_nanos(1_000_000_000 / self.rate);
        let start = Instant::now();
        let end = self.duration.map(|duration| start + duration);
        let mut due = start;
        let mut line = Line::new(start);
        while !stop.is_asked() && running.is_running() {
            let now = Instant::now();
            if end.is_some_and(|end| end <= now) {
                break;
            }
            if now < due {
                // While answers are awaited their arrival is what is measured; otherwise the
                // processor is left alone.
                let left = due - now;
                if !brokers.look_for_answers()? && OVERSLEEP < left {
                    brokers.look()?;
                    std::thread::sleep(left.saturating_sub(OVERSLEEP).min(NAP_MAX));
                }
                continue;
            }
            due = brokers.act_until(due, now, interval)?;
            if is_told && line.is_due(now) {
                line.print(now, &brokers.tally);
            }
        }
        if is_told {
            line.end();
        }
        Ok(())
    }
}

/// A CPU that no thread of the venue has to itself; `None` where nobody is pinned.
fn spare_cpu(cpus: &Cpus, plan: &Plan) -> Option<usize> {
    let taken: Vec<usize> = plan.threads.iter().filter_map(|thread| thread.cpu).collect();
    let spare = cpus.numbers().into_iter().find(|cpu| !taken.contains(cpu));
    spare.filter(|_| !taken.is_empty())
}

/// The addresses of the demonstration come from one flag, which alone can help.
fn start_failure(error: impl Into<Failure>) -> Failure {
    let failure: Failure = error.into();
    let is_of_port = [errors::PORT_IN_USE.id, errors::LISTEN.id].contains(&failure.code.id);
    if is_of_port { failure.fix("use --port N, or --port 0 for any") } else { failure }
}

/// The live summary: one line that is written over on a terminal, one a second elsewhere.
struct Line {
    is_terminal: bool,
    last: Instant,
    orders: u64,
    trades: u64,
}

impl Line {
    fn new(start: Instant) -> Self {
        let is_terminal = std::io::stdout().is_terminal();
        Self { is_terminal, last: start, orders: 0, trades: 0 }
    }

    fn is_due(&self, now: Instant) -> bool {
        self.last + LINE_INTERVAL <= now
    }

    fn print(&mut self, now: Instant, tally: &Tally) {
        let elapsed_ms = (now - self.last).as_millis().max(1);
        let rate = |count: u64| u128::from(count) * 1_000 / elapsed_ms;
        let orders = rate(tally.orders + tally.replaced - self.orders);
        let trades = rate(tally.trades - self.trades);
        let quantile = |q| micros(tally.latency.value_at_quantile(q));
        let (open, close) = if self.is_terminal { ("\r", "\x1b[K") } else { ("", "\n") };
        // Nobody may be reading; the venue goes on.
        drop(write!(
            std::io::stdout(),
            "{open}{orders} orders/s  {trades} trades/s  p50 {:.1} us  p99 {:.1} us  \
             {} orders in all{close}",
            quantile(0.5),
            quantile(0.99),
            tally.orders + tally.replaced,
        ));
        (self.last, self.orders, self.trades) = (now, tally.orders + tally.replaced, tally.trades);
    }

    fn end(&self) {
        if self.is_terminal {
            drop(writeln!(std::io::stdout()));
        }
    }
}

/// Makes the configuration and the users of the demonstration.
fn make_venue(dir: &VenueDir) -> Result<Accounts, Failure> {
    let file = dir.config_file();
    write_new(&file, Config::default_text()).map_err(|error| unwritable(&file, &error))?;
    let password = random_password()?;
    let mut users = Users::new(dir.users_file());
    let mut names = vec!["DEMO01".to_owned()];
    names.extend((1..=MAKERS).map(|number| format!("MAKE{number:02}")));
    names.extend((1..=TAKERS).map(|number| format!("TAKE{number:02}")));
    for name in &names {
        users.add(name, "DEMO", &password)?;
    }
    users.save()?;
    make_operator(dir)?;
    Ok(Accounts { names, password })
}

fn markets(config: &Config, seed: u64) -> Result<Vec<(Symbol, Market)>, Failure> {
    let mut markets = Vec::with_capacity(config.instruments.len());
    for (number, instrument) in (0..).zip(&config.instruments) {
        let symbol = String::from_utf8_lossy(&instrument.symbol);
        let symbol = Symbol::new(symbol.trim_end());
        let symbol = symbol.map_err(|error| {
            let message = format!("instrument {}: {error}", instrument.id);
            Failure::new(&errors::CONFIG_INSTRUMENT, message)
        })?;
        let scale = Scale {
            tick: instrument.tick,
            ticks_max: i64::from(1_999_999_900 / instrument.tick),
            lot: instrument.lot,
            lots_min: instrument.qty_min / instrument.lot,
        };
        markets.push((symbol, Market::new(scale, seed.wrapping_add(number))));
    }
    Ok(markets)
}

fn report(
    folder: &Folder,
    layout: LayoutReport,
    tally: &Tally,
    summary: Summary,
) -> Result<Report, Failure> {
    let journal = VenueDir::new(folder.path()).journal();
    let replayed = replay(&journal, &mut Discard)?;
    let replay_state_hash =
        replayed.replica.map_or_else(String::new, |replica| hex(&replica.state_hash()));
    let quantile = |q| micros(tally.latency.value_at_quantile(q));
    let delay = summary.feed_delay;
    Ok(Report {
        venue: folder.path().display().to_string(),
        layout,
        orders: tally.orders,
        accepted: tally.accepted,
        rejected: tally.rejected,
        replaced: tally.replaced,
        trades: tally.trades,
        latency_us: Latency {
            p50: quantile(0.5),
            p99: quantile(0.99),
            p99_9: quantile(0.999),
            max: micros(tally.latency.max()),
        },
        feed_delay_us: FeedDelay {
            rounds: delay.count,
            p50: micros(delay.p50_ns),
            p99: micros(delay.p99_ns),
            max: micros(delay.max_ns),
        },
        journal: Position { last_seq: summary.last_seq, durable_seq: summary.durable_seq },
        state_hash: hex(&summary.state_hash),
        replay_state_hash,
    })
}

/// Nanoseconds as microseconds with one decimal.
fn micros(ns: u64) -> f64 {
    // Less than a minute, so exact.
    f64::from(u32::try_from(ns / 100).unwrap_or(u32::MAX)) / 10.0
}

fn tell(report: &Report, output: &mut Output) -> Outcome {
    if output.is_json() {
        return output.json("uncross.demo/1", report);
    }
    let Report { orders, accepted, rejected, replaced, trades, latency_us, journal, .. } = report;
    output.line(format_args!("orders   {orders}: {accepted} accepted, {rejected} rejected"))?;
    output.line(format_args!("         {replaced} replaced, {trades} trades"))?;
    let Latency { p50, p99, p99_9, max } = latency_us;
    output.line(format_args!(
        "latency  p50 {p50} us, p99 {p99} us, p99.9 {p99_9} us, max {max} us"
    ))?;
    let FeedDelay { rounds, p50, p99, max } = &report.feed_delay_us;
    if 0 < *rounds {
        output.line(format_args!(
            "feed     behind the reports: p50 {p50} us, p99 {p99} us, max {max} us"
        ))?;
    }
    let Position { last_seq, durable_seq } = journal;
    output.line(format_args!("journal  {last_seq} records, durable up to {durable_seq}"))?;
    output.line(format_args!("state    {}", report.state_hash))?;
    output.line(format_args!("replay   {}", report.replay_state_hash))
}
