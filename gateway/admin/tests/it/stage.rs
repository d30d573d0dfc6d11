//! A venue with its door, an operator, a broker and a subscriber.

use std::{net::SocketAddr, time::Duration};

use tempfile::TempDir;
use uncross_admin::{
    Admin, Bound, Settings,
    operators::{Operators, Role},
};
use uncross_client::{
    ConnectOptions, FeedReader, NewOrder, OrderSession, Side, Symbol,
    wire::ouch::outbound::Outbound,
};
use uncross_server::{
    config::{Config, VenueDir},
    users::Users,
    venue::{self, Venue},
};

use crate::http::{Reply, ask};

/// Longest that a test waits for a message that must come.
const PATIENCE: Duration = Duration::from_secs(20);
/// The broker.
const USER: &str = "ACME";

/// All of it.
pub(crate) struct Stage {
    dir: TempDir,
    pub(crate) config: Config,
    token: String,
    running: Option<(Venue, Admin)>,
}

impl Stage {
    pub(crate) fn new(settings: &[(&str, &str)]) -> Self {
        let dir = TempDir::new().unwrap();
        let folder = VenueDir::new(dir.path());
        let mut users = Users::new(folder.users_file());
        users.add(USER, USER, USER).unwrap();
        users.save().unwrap();
        let mut operators = Operators::new(folder.operators_file());
        let token = operators.add("night-shift", Role::Operator).unwrap().text().to_owned();
        operators.save().unwrap();
        let fixed = [
            ("orders.listen", "127.0.0.1:0"),
            ("data.listen", "127.0.0.1:0"),
            ("admin.listen", "127.0.0.1:0"),
            ("core.pin", "false"),
            ("session.login_timeout", "15s"),
            ("journal.segment", "1MiB"),
        ];
        let pairs = fixed.iter().chain(settings);
        let pairs: Vec<_> =
            pairs.map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let config = Config::load(None, std::iter::empty(), &pairs).unwrap();
        let mut stage = Self { dir, config, token, running: None };
        stage.restart();
        stage
    }

    /// Ends door and venue, if they run, and starts both.
    pub(crate) fn restart(&mut self) {
        self.stop();
        let dir = VenueDir::new(self.dir.path());
        let bound = Bound::take(self.config.admin.listen).unwrap();
        let venue = venue::start(&self.config, &dir).unwrap();
        let settings = Settings {
            bound,
            venue: self.config.venue.name.clone(),
            operators_file: dir.operators_file(),
            users: Users::load(&dir.users_file()).unwrap(),
            symbols: venue.symbols().to_vec(),
            flush_interval: self.config.journal.flush_interval,
        };
        let admin = uncross_admin::start(venue.desk(), settings).unwrap();
        self.running = Some((venue, admin));
    }

    fn stop(&mut self) {
        if let Some((venue, admin)) = self.running.take() {
            admin.stop();
            venue.stop().unwrap();
        }
    }

    /// Ends the venue and leaves its door open.
    pub(crate) fn stop_venue_alone(&mut self) -> Admin {
        let (venue, admin) = self.running.take().unwrap();
        venue.stop().unwrap();
        admin
    }

    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    fn venue(&self) -> &(Venue, Admin) {
        self.running.as_ref().unwrap()
    }

    /// Asks the door, as the operator.
    pub(crate) fn ask(&self, method: &str, path: &str, body: &str) -> Reply {
        ask(self.venue().1.addr(), method, path, &self.token, body)
    }

    /// Orders an act that is done; the outcome.
    pub(crate) fn act(&self, method: &str, path: &str, body: &str) -> String {
        let reply = self.ask(method, path, body);
        assert_eq!(reply.status, 200, "{reply:?}");
        assert_eq!(reply.body["who"], "night-shift");
        reply.body["outcome"].as_str().unwrap().to_owned()
    }

    pub(crate) fn broker(&self) -> Broker {
        let options = login(self.venue().0.orders_addr());
        let mut session = OrderSession::connect(&options).unwrap();
        session.sync(PATIENCE, |_missed| {}).unwrap();
        Broker { session }
    }

    /// A subscriber of what comes from now on.
    pub(crate) fn feed(&self) -> Feed {
        let options = login(self.venue().0.data_addr());
        Feed { reader: FeedReader::connect(&options).unwrap() }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if let Some((venue, admin)) = self.running.take() {
            admin.stop();
            drop(venue.stop());
        }
    }
}

fn login(addr: SocketAddr) -> ConnectOptions {
    let mut options = ConnectOptions::new(addr.to_string(), USER, USER);
    options.timing.login_timeout = PATIENCE;
    options
}

/// A broker.
pub(crate) struct Broker {
    session: OrderSession,
}

impl Broker {
    /// Enters a buy order; what is said of it: `A`, or its reject code as 0x.. .
    pub(crate) fn buy(&mut self, symbol: &str, price: u64) -> String {
        let order = NewOrder::limit(Side::Buy, Symbol::new(symbol).unwrap(), 100, price);
        self.session.enter(&order).unwrap();
        self.report()
    }

    /// Cancels an order; the reason that is told.
    pub(crate) fn cancel(&mut self, user_ref_num: u32) -> String {
        self.session.cancel(user_ref_num, 0).unwrap();
        self.report()
    }

    /// The next report, in few characters.
    pub(crate) fn report(&mut self) -> String {
        self.session.flush().unwrap();
        let report = self.session.next_report(PATIENCE).unwrap().expect("a report in time");
        match report.message {
            Outbound::Accepted(..) => "A".to_owned(),
            Outbound::Rejected(rejected, _) => format!("0x{:02X}", rejected.reason.get()),
            Outbound::Canceled(canceled, _) => {
                format!("C{} {}", canceled.user_ref_num, char::from(canceled.reason))
            }
            other => panic!("expected an answer, found {other:?}"),
        }
    }
}

/// A subscriber.
pub(crate) struct Feed {
    reader: FeedReader,
}

impl Feed {
    /// The next message.
    pub(crate) fn next(&mut self) -> Vec<u8> {
        let message = self.reader.next_message(PATIENCE).unwrap().expect("a message in time");
        message.message.bytes().to_vec()
    }
}
