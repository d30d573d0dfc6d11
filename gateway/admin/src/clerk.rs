//! Who carries acts out: the desk of a venue. Tests play desks that fail.

use std::{fmt::Debug, time::Duration};

use uncross_server::{
    desk::{Answer, Desk, DeskError, Vitals},
    engine::command::Act,
};

/// What the door needs of a venue.
pub(crate) trait Clerk: Debug + Send + Sync + 'static {
    /// Blocks until the act is durable or `patience` ends.
    fn order(&self, who: &str, act: Act, patience: Duration) -> Result<Answer, DeskError>;

    /// How the venue is.
    fn vitals(&self) -> Vitals;
}

impl Clerk for Desk {
    fn order(&self, who: &str, act: Act, patience: Duration) -> Result<Answer, DeskError> {
        self.order(who, act, patience)
    }

    fn vitals(&self) -> Vitals {
        self.vitals()
    }
}
