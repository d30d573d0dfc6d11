//! A venue in this process, for commands that talk to one.

use uncross_server::{
    config::{Config, VenueDir},
    users::Users,
    venue::{self, Venue},
};

use crate::program::{Place, Run};

/// Users of the venue; RISK listens to the drop copies of ACME.
pub(crate) const USERS: [&str; 2] = ["ACME", "BETA"];
const PASSWORD: &str = "secret";

/// A folder with a venue in `venue`, which runs until this is dropped; `password.txt` beside it
/// holds everybody's password.
pub(crate) struct Running {
    pub(crate) place: Place,
    pub(crate) orders: String,
    pub(crate) data: String,
    venue: Option<Venue>,
}

impl Running {
    /// Starts it on free ports, which its configuration then names.
    pub(crate) fn start() -> Self {
        let place = Place::with_venue();
        place.write("password.txt", &format!("{PASSWORD}\n"));
        let dir = VenueDir::new(place.path("venue"));
        let mut users = Users::load(&dir.users_file()).unwrap();
        for user in USERS {
            users.add(user, user, PASSWORD).unwrap();
        }
        users.add_drop_copy("RISK", "ACME", PASSWORD).unwrap();
        users.save().unwrap();
        let overrides = [
            ("orders.listen", "127.0.0.1:0"),
            ("data.listen", "127.0.0.1:0"),
            ("core.pin", "false"),
        ];
        let overrides = overrides.map(|(key, value)| (key.to_owned(), value.to_owned()));
        let file = dir.config_file();
        let config = Config::load(Some(&file), std::iter::empty(), &overrides).unwrap();
        let venue = venue::start(&config, &dir).unwrap();
        let (orders, data) = (venue.orders_addr().to_string(), venue.data_addr().to_string());
        let text = place.read("venue/venue.toml");
        let text = text.replace("127.0.0.1:9001", &orders).replace("127.0.0.1:9002", &data);
        place.write("venue/venue.toml", &text);
        Self { place, orders, data, venue: Some(venue) }
    }

    /// Runs a command as `user`.
    pub(crate) fn run_as(&self, user: &str, arguments: &str) -> Run {
        let login = "--venue venue --password-file password.txt --user";
        self.place.run(&format!("{arguments} {login} {user}"))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(venue) = self.venue.take() {
            drop(venue.stop());
        }
    }
}
