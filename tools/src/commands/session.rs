//! What the commands share that log in to a venue: as whom, where, and in which units.

use std::{
    error::Error as _,
    fmt,
    fs::File,
    io::{self, Read},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

use clap::Args;
use uncross_client::{
    BookError, ConnectOptions, Error, OrderSession, Symbol,
    wire::{
        ouch::{
            appendage::{elements, tag},
            outbound::Outbound,
        },
        soup::LoginRejectReason,
        text::{format_price, parse_price},
    },
};
use uncross_server::config::Config;

use super::venue::{open, unreadable};
use crate::errors::{self, Failure};

/// Most decimals of a price or quantity, as venue.toml allows them.
const DECIMALS_MAX: i64 = 9;
/// Bytes read in search of a password; a longer text cannot be one.
const PASSWORD_TEXT_LEN_MAX: u64 = 1_024;
/// Longest wait for an answer that the venue owes.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);
/// Address of a venue as it is configured by default.
const ORDERS_DEFAULT: &str = "127.0.0.1:9001";
/// The same for market data.
const DATA_DEFAULT: &str = "127.0.0.1:9002";
/// The same for operators.
const ADMIN_DEFAULT: &str = "127.0.0.1:9080";

/// As whom to log in.
#[derive(Args, Debug)]
pub(super) struct Login {
    /// Log in as this user
    #[arg(long, value_name = "USER")]
    user: String,
    #[command(flatten)]
    password: Password,
}

/// Where the password is; never on the command line, which others can read.
#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
struct Password {
    /// Read the password from this file
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// Read the password from standard input
    #[arg(long)]
    password_stdin: bool,
}

impl Login {
    /// What a login at `address` needs, for live messages only.
    pub(super) fn options(&self, address: &str) -> Result<ConnectOptions, Failure> {
        let Password { password_file, password_stdin: _ } = &self.password;
        let password = match password_file {
            Some(path) => password_in(path)?,
            None => password_on_stdin()?,
        };
        Ok(ConnectOptions::new(address, self.user.clone(), password))
    }
}

/// The password in a file, without the spaces and line ends around it.
pub(super) fn password_in(path: &Path) -> Result<String, Failure> {
    let file = File::open(path).map_err(|error| unreadable(&errors::FILE_READ, path, &error))?;
    read_password(path, file)
}

/// The password on standard input, without the spaces and line ends around it.
pub(super) fn password_on_stdin() -> Result<String, Failure> {
    read_password(Path::new("standard input"), io::stdin().lock())
}

fn read_password(name: &Path, source: impl Read) -> Result<String, Failure> {
    let mut text = String::new();
    let read = source.take(PASSWORD_TEXT_LEN_MAX).read_to_string(&mut text);
    read.map_err(|error| unreadable(&errors::FILE_READ, name, &error))?;
    Ok(text.trim().to_owned())
}

/// One of the ports of a venue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Door {
    /// Order entry.
    Orders,
    /// Market data.
    Data,
    /// Operators.
    Admin,
}

/// The configuration of the venue in `folder`, if one was named.
pub(super) fn configuration(folder: Option<&Path>) -> Result<Option<Config>, Failure> {
    folder.map(|folder| open(folder, &[]).map(|(_dir, config)| config)).transpose()
}

/// Reads an address as it is written on the command line.
///
/// # Errors
///
/// It is not a host, in brackets if it has colons, and a port other than 0.
pub(super) fn parse_address(text: &str) -> Result<String, String> {
    let is_host = |host: &str| {
        let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let is_plain = !host.contains([':', '[', ']']);
        let is_filled = !host.is_empty() && !host.contains(char::is_whitespace);
        is_filled && (is_plain || bare.is_some_and(|ip| ip.parse::<Ipv6Addr>().is_ok()))
    };
    let is_port = |port: &str| {
        port.bytes().all(|byte| byte.is_ascii_digit())
            && port.parse::<u16>().is_ok_and(|it| it != 0)
    };
    match text.rsplit_once(':') {
        Some((host, port)) if is_host(host) && is_port(port) => Ok(text.to_owned()),
        Some(_) | None => Err("expected host:port, for example 127.0.0.1:9001".to_owned()),
    }
}

/// Where to connect: `given`, else as configured, else as by default.
pub(super) fn address(
    given: Option<&str>,
    config: Option<&Config>,
    door: Door,
) -> Result<String, Failure> {
    if let Some(given) = given {
        return Ok(given.to_owned());
    }
    let (listen, default, flag) = match door {
        Door::Orders => (config.map(|it| it.orders.listen), ORDERS_DEFAULT, "--orders"),
        Door::Data => (config.map(|it| it.data.listen), DATA_DEFAULT, "--data"),
        Door::Admin => (config.map(|it| it.admin.listen), ADMIN_DEFAULT, "--admin"),
    };
    let Some(listen) = listen else {
        return Ok(default.to_owned());
    };
    if listen.port() == 0 {
        let message = format!("the venue picks a free port: name its address with {flag}");
        return Err(Failure::new(&errors::NO_ADDRESS, message));
    }
    // A venue that listens on all addresses also listens on this machine's own.
    let ip = match listen.ip() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    Ok(SocketAddr::new(ip, listen.port()).to_string())
}

/// How many decimals prices and quantities have; the wire does not say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Units {
    price_decimals: u8,
    qty_decimals: u8,
}

/// Decimals for a venue whose folder is not at hand.
#[derive(Args, Debug)]
pub(super) struct Decimals {
    /// Without --venue, decimals of the instrument's prices
    #[arg(long, value_name = "COUNT", requires = "qty_decimals", conflicts_with = "venue")]
    #[arg(value_parser = clap::value_parser!(u8).range(0..=DECIMALS_MAX))]
    price_decimals: Option<u8>,
    /// Without --venue, decimals of the instrument's quantities
    #[arg(long, value_name = "COUNT", requires = "price_decimals", conflicts_with = "venue")]
    #[arg(value_parser = clap::value_parser!(u8).range(0..=DECIMALS_MAX))]
    qty_decimals: Option<u8>,
}

impl Decimals {
    /// The units that were given, if any.
    pub(super) fn units(&self) -> Option<Units> {
        let (price_decimals, qty_decimals) = self.price_decimals.zip(self.qty_decimals)?;
        Some(Units { price_decimals, qty_decimals })
    }
}

impl Default for Units {
    /// As OUCH and ITCH have it.
    fn default() -> Self {
        Self { price_decimals: 4, qty_decimals: 0 }
    }
}

impl Units {
    /// As on the wire: whole numbers of the smallest unit.
    pub(super) const RAW: Self = Self { price_decimals: 0, qty_decimals: 0 };

    /// Those of `symbol`, as configured.
    pub(super) fn find(config: &Config, symbol: Symbol) -> Result<Self, Failure> {
        let found = config.instruments.iter().find(|listed| listed.symbol == symbol.to_wire());
        found.map_or_else(
            || Err(unknown_symbol(symbol)),
            |listed| {
                let (price_decimals, qty_decimals) = (listed.price_decimals, listed.qty_decimals);
                Ok(Self { price_decimals, qty_decimals })
            },
        )
    }

    /// Reads a price, in price units.
    pub(super) fn read_price(self, text: &str) -> Result<u64, Failure> {
        decimal("price", text, self.price_decimals)
    }

    /// Reads a quantity, in quantity units.
    pub(super) fn read_qty(self, text: &str) -> Result<u32, Failure> {
        let qty = decimal("quantity", text, self.qty_decimals)?;
        let Ok(qty) = u32::try_from(qty) else {
            let max = self.qty(u64::from(u32::MAX));
            let message = format!("{text:?} is no quantity: expected at most {max}");
            return Err(Failure::new(&errors::DECIMAL, message));
        };
        Ok(qty)
    }

    /// A price as people write it.
    pub(super) fn price(self, raw: u64) -> String {
        format_price(raw, self.price_decimals).to_string()
    }

    /// A quantity as people write it.
    pub(super) fn qty(self, raw: u64) -> String {
        format_price(raw, self.qty_decimals).to_string()
    }
}

fn decimal(what: &str, text: &str, decimals: u8) -> Result<u64, Failure> {
    parse_price(text, decimals).map_err(|error| {
        // The codec calls every decimal a price.
        let cause = error.to_string().replace("price", what);
        Failure::new(&errors::DECIMAL, format!("{text:?} is no {what}: {cause}"))
    })
}

pub(super) fn unknown_symbol(symbol: Symbol) -> Failure {
    Failure::new(&errors::UNKNOWN_SYMBOL, format!("the venue does not list {symbol}"))
}

/// How an order is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    /// By the user's number within a channel.
    Number { number: u32, channel: u8 },
    /// By the venue's reference.
    Reference(u64),
}

impl Which {
    /// An order of a channel; without one, of channel 0.
    pub(super) const fn number(number: u32, channel: Option<u8>) -> Self {
        match channel {
            Some(channel) => Self::Number { number, channel },
            None => Self::Number { number, channel: 0 },
        }
    }

    /// Whether a report of an order's beginning is about this one.
    fn is_it(self, user_ref_num: u32, order_reference: u64, echo: &[u8]) -> bool {
        match self {
            Self::Number { number, channel } => {
                user_ref_num == number && channel_of(echo) == channel
            }
            Self::Reference(reference) => order_reference == reference,
        }
    }
}

impl fmt::Display for Which {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number { number, channel: 0 } => write!(f, "order {number}"),
            Self::Number { number, channel } => write!(f, "order {number} of channel {channel}"),
            Self::Reference(reference) => write!(f, "order with reference {reference}"),
        }
    }
}

/// The channel that a report names, 0 when it names none.
fn channel_of(echo: &[u8]) -> u8 {
    let mut all = elements(echo).filter_map(Result::ok);
    let found = all.find(|element| element.tag == tag::USER_REF_INDEX);
    found.and_then(|element| element.value.first().copied()).unwrap_or(0)
}

/// Learns the instrument of an order from the reports of the user's day.
///
/// It is exact for whatever was accepted before the call: a login for live messages tells the
/// number of the next report, and all before it are read. `None` when no order is named so.
pub(super) fn symbol_of(options: &ConnectOptions, which: Which) -> Result<Option<Symbol>, Failure> {
    let live = OrderSession::connect(&options.clone().from_number(0))?;
    let (name, next) = (live.session().to_owned(), live.next_number());
    drop(live.logout());
    let mut session = OrderSession::connect(&options.clone().resuming(name, 1))?;
    let mut found = None;
    while found.is_none() && session.next_number() < next {
        let due = session.next_number();
        let Some(report) = session.next_report(PATIENCE)? else {
            let message = format!("report {due} of the day did not come");
            return Err(Failure::new(&errors::NO_ANSWER, message));
        };
        // No other report gives an order its number.
        let (number, reference, symbol, echo) = match report.message {
            Outbound::Accepted(it, echo) => (it.user_ref_num, it.order_reference, it.symbol, echo),
            Outbound::Replaced(it, echo) => {
                (it.new_user_ref_num, it.order_reference, it.symbol, echo)
            }
            _ => continue,
        };
        let is_it = which.is_it(number.get(), reference.get(), echo);
        found = is_it.then_some(Symbol::from_wire(symbol));
    }
    drop(session.logout());
    Ok(found)
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let code = match &error {
            Error::Connect { .. } => &errors::CONNECT,
            Error::Timeout { .. } => &errors::NO_ANSWER,
            Error::LoginRejected { reason: LoginRejectReason::NotAuthorised } => {
                &errors::LOGIN_REFUSED
            }
            Error::LoginRejected { reason: LoginRejectReason::SessionUnavailable }
            | Error::EndOfSession { .. } => &errors::SESSION_OVER,
            Error::Closed { .. } | Error::Io { .. } => &errors::CONNECTION_LOST,
            Error::Text(text) if text.field == "password" => &errors::PASSWORD,
            Error::Text(_) => &errors::USER_WORD,
            Error::Protocol(_) | Error::PayloadTooLong { .. } | Error::Options(_) => {
                &errors::PROTOCOL
            }
            Error::UserRefNumsExhausted => &errors::REJECTED,
        };
        let failure = Self::new(code, error.to_string());
        match error.source() {
            Some(source) => failure.cause(source.to_string()),
            None => failure,
        }
    }
}

impl From<BookError> for Failure {
    fn from(error: BookError) -> Self {
        Self::new(&errors::PROTOCOL, format!("the feed contradicts itself: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loaded(pairs: &[(&str, &str)]) -> Config {
        let pairs: Vec<_> =
            pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        Config::load(None, std::iter::empty(), &pairs).unwrap()
    }

    fn symbol(text: &str) -> Symbol {
        Symbol::new(text).unwrap()
    }

    #[test]
    fn flag_wins_over_the_configuration_and_that_over_the_default() {
        let config = loaded(&[("orders.listen", "0.0.0.0:7001"), ("data.listen", "[::]:7002")]);
        let config = Some(&config);
        let at = |given, config, door| address(given, config, door).unwrap();
        assert_eq!(at(Some("host:1"), config, Door::Orders), "host:1");
        assert_eq!(at(None, config, Door::Orders), "127.0.0.1:7001");
        assert_eq!(at(None, config, Door::Data), "[::1]:7002");
        assert_eq!(at(None, None, Door::Data), DATA_DEFAULT);
        let free = loaded(&[("orders.listen", "127.0.0.1:0")]);
        assert!(address(None, Some(&free), Door::Orders).is_err());
    }

    #[test]
    fn addresses_are_a_host_and_a_port() {
        for text in ["127.0.0.1:9001", "venue.example:1", "[::1]:7002"] {
            assert_eq!(parse_address(text).as_deref(), Ok(text));
        }
        for text in [
            "",
            "nonsense",
            ":1",
            "host:",
            "host:0",
            "host:+1",
            "host:65536",
            "a b:1",
            "::1:9001",
            "[x]:1",
            "http://host:1",
        ] {
            assert!(parse_address(text).is_err(), "{text}");
        }
    }

    #[test]
    fn passwords_are_read_without_what_surrounds_them() {
        let password = read_password(Path::new("file"), &b" se cret \r\n"[..]).unwrap();
        assert_eq!(password, "se cret");
    }

    #[test]
    fn default_addresses_are_those_of_the_default_configuration() {
        let config = loaded(&[]);
        for (door, default) in [
            (Door::Orders, ORDERS_DEFAULT),
            (Door::Data, DATA_DEFAULT),
            (Door::Admin, ADMIN_DEFAULT),
        ] {
            assert_eq!(address(None, Some(&config), door).unwrap(), default);
        }
    }

    #[test]
    fn units_are_those_of_the_instrument() {
        let config = loaded(&[]);
        let coin = Units::find(&config, symbol("COIN")).unwrap();
        assert_eq!(
            (coin.read_price("10.05").unwrap(), coin.read_qty("1.5").unwrap()),
            (1005, 1500)
        );
        assert_eq!((coin.price(1005).as_str(), coin.qty(1500).as_str()), ("10.05", "1.500"));
        assert!(Units::find(&config, symbol("NOPE")).is_err());
    }

    #[test]
    fn malformed_numbers_say_what_they_are() {
        let units = Units::default();
        let message = |failure: Failure| failure.message;
        assert_eq!(
            message(units.read_qty("1.5").unwrap_err()),
            "\"1.5\" is no quantity: quantity has 1 decimals, at most 0 allowed"
        );
        assert_eq!(
            message(units.read_price("x").unwrap_err()),
            "\"x\" is no price: 'x' at offset 0 is no digit"
        );
        assert!(message(units.read_qty("4294967296").unwrap_err()).contains("4294967295"));
    }
}
