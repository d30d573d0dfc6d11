//! Client side of Uncross: order sessions, the market data feed and the books built from it.
//!
//! Small and blocking: the standard library's sockets, no runtime, no threads of its own.
//! [`soup`] keeps one connection alive and counts its messages; [`orders`] speaks OUCH 5.0 over it,
//! [`feed`] reads ITCH 5.0, and [`book`] builds order books from that. [`copies`] reads what the
//! ports of a firm are told. Every wire byte comes from
//! `uncross-wire`. Prices and quantities are the integers of the wire, in the instrument's units.
//!
//! Heartbeats are sent from inside the calls, so an idle owner must call something at least once
//! per heartbeat interval; [`Connection::next_message`] waits and keeps the connection alive.
//!
//! ```no_run
//! use std::time::Duration;
//! use uncross_client::{ConnectOptions, NewOrder, OrderSession, Side, Symbol};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let options = ConnectOptions::new("127.0.0.1:9001", "DEMO01", "SECRET");
//! let mut session = OrderSession::connect(&options)?;
//! session.sync(Duration::from_secs(5), |_missed| {})?;
//! // 10.05 with four decimals.
//! let order = NewOrder::limit(Side::Buy, Symbol::new("DEMO")?, 100, 100_500);
//! let user_ref_num = session.enter(&order)?;
//! while let Some(report) = session.next_report(Duration::from_secs(1))? {
//!     assert!(0 < report.number && 0 < user_ref_num);
//! }
//! session.logout()?;
//! # Ok(())
//! # }
//! ```

pub mod book;
pub mod copies;
pub mod error;
pub mod feed;
pub mod options;
pub mod orders;
pub mod soup;
pub mod text;

pub use book::{Book, BookError, BookSide, Books, Change};
pub use copies::{CopiedReport, DropCopyReader};
pub use error::{Doing, Error, ProtocolError};
pub use feed::{FeedMessage, FeedReader};
pub use options::{ConnectOptions, Timing};
pub use orders::{
    Elements, NewOrder, OrderReceiver, OrderSender, OrderSession, Replacement, Report,
};
pub use soup::{Connection, Event, LoginAccepted, Receiver, Sender};
pub use text::{ClOrdId, Firm, Symbol, Text, TextError};
pub use uncross_wire as wire;
pub use uncross_wire::ouch::appendage::Options;
pub use uncross_wire::ouch::codes::{Capacity, CrossType, Display, Side, TimeInForce};
