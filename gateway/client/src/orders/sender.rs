//! The sending half of an order session: numbers requests, writes them, batches them when asked.

use uncross_wire::TypeByte;
use uncross_wire::ouch::appendage::{AppendageWriter, ELEMENTS_LEN_BYTES_MAX, Options};
use uncross_wire::ouch::codes::Side;
use uncross_wire::ouch::inbound::{
    AccountQuery, Cancel, DisableEntry, EnableEntry, MassCancel, Modify,
};
use uncross_wire::ouch::outbound::Outbound;
use uncross_wire::ouch::{self, encode};

use crate::error::Error;
use crate::orders::elements::Elements;
use crate::orders::request::{NewOrder, Replacement};
use crate::soup::Sender;
use crate::text::{Firm, Symbol};

/// Bytes that every request fits with all its optional fields: the longest layout has 47, its
/// appendage two for the length at most.
const MESSAGE_LEN_BYTES_MAX: usize = 64 + ELEMENTS_LEN_BYTES_MAX;
/// A number further than this above the highest used is refused without being used.
const STEP_MAX: u32 = 1 << 24;

/// The sending half of an order session.
///
/// Each request leaves at once, or with [`Self::flush`] when batching.
#[derive(Debug)]
pub struct OrderSender {
    sender: Sender,
    /// Next number to hand out; at least 1.
    next_user_ref_num: u32,
    batching: bool,
}

impl OrderSender {
    pub(super) const fn new(sender: Sender) -> Self {
        Self { sender, next_user_ref_num: 1, batching: false }
    }

    /// Returns the order number that the next request will get.
    #[must_use]
    pub const fn next_user_ref_num(&self) -> u32 {
        self.next_user_ref_num
    }

    /// Goes on at `next`, for numbers kept elsewhere; 0 is taken as 1.
    ///
    /// The venue ignores numbers that are not above the highest one used on the day.
    pub fn set_next_user_ref_num(&mut self, next: u32) {
        self.next_user_ref_num = next.max(1);
    }

    /// Chooses whether requests wait for [`Self::flush`], to leave with one system call.
    pub const fn set_batching(&mut self, batching: bool) {
        self.batching = batching;
    }

    /// Asks for a new order and returns its number.
    ///
    /// # Errors
    ///
    /// As [`Self::submit`], or the numbers are used up. A number is used up by a failed call too.
    pub fn enter(&mut self, order: &NewOrder) -> Result<u32, Error> {
        let user_ref_num = self.take_user_ref_num()?;
        self.submit(&order.message(user_ref_num), &order.options)?;
        Ok(user_ref_num)
    }

    /// Asks for a new order with further elements behind its options, and returns its number.
    ///
    /// # Errors
    ///
    /// As [`Self::enter`].
    pub fn enter_with(&mut self, order: &NewOrder, elements: &Elements) -> Result<u32, Error> {
        let user_ref_num = self.take_user_ref_num()?;
        let mut all = Elements::of(&order.options)?;
        all.extend(elements);
        self.submit_with(&order.message(user_ref_num), &all)?;
        Ok(user_ref_num)
    }

    /// Asks for a new order in place of a live one and returns the number of the new one.
    ///
    /// # Errors
    ///
    /// As [`Self::enter`].
    pub fn replace(&mut self, replacement: &Replacement) -> Result<u32, Error> {
        let user_ref_num = self.take_user_ref_num()?;
        self.submit(&replacement.message(user_ref_num), &replacement.options)?;
        Ok(user_ref_num)
    }

    /// Asks for a replacement with further elements behind its options, and returns its number.
    ///
    /// # Errors
    ///
    /// As [`Self::enter`].
    pub fn replace_with(
        &mut self,
        replacement: &Replacement,
        elements: &Elements,
    ) -> Result<u32, Error> {
        let user_ref_num = self.take_user_ref_num()?;
        let mut all = Elements::of(&replacement.options)?;
        all.extend(elements);
        self.submit_with(&replacement.message(user_ref_num), &all)?;
        Ok(user_ref_num)
    }

    /// Reduces order `user_ref_num` to `quantity` in total, executions included; 0 ends it.
    ///
    /// # Errors
    ///
    /// As [`Self::submit`].
    pub fn cancel(&mut self, user_ref_num: u32, quantity: u32) -> Result<(), Error> {
        let message = Cancel {
            kind: TypeByte::new(),
            user_ref_num: user_ref_num.into(),
            quantity: quantity.into(),
        };
        self.submit(&message, &Options::default())
    }

    /// Reduces order `user_ref_num` to `quantity` in total or changes its side among the sells.
    ///
    /// # Errors
    ///
    /// As [`Self::submit`].
    pub fn modify(&mut self, user_ref_num: u32, side: Side, quantity: u32) -> Result<(), Error> {
        let message = Modify {
            kind: TypeByte::new(),
            user_ref_num: user_ref_num.into(),
            side: side.to_wire(),
            quantity: quantity.into(),
        };
        self.submit(&message, &Options::default())
    }

    /// Asks for the next usable order number.
    ///
    /// # Errors
    ///
    /// As [`Self::submit`].
    pub fn account_query(&mut self) -> Result<(), Error> {
        self.submit(&AccountQuery { kind: TypeByte::new() }, &Options::default())
    }

    /// Ends the orders of `firm` in `symbol`, blank for any, that fit `options` (side, group).
    ///
    /// Returns the number of the request.
    ///
    /// # Errors
    ///
    /// As [`Self::enter`].
    pub fn mass_cancel(
        &mut self,
        firm: Firm,
        symbol: Symbol,
        options: &Options,
    ) -> Result<u32, Error> {
        let user_ref_num = self.take_user_ref_num()?;
        let message = MassCancel {
            kind: TypeByte::new(),
            user_ref_num: user_ref_num.into(),
            firm: firm.to_wire(),
            symbol: symbol.to_wire(),
            appendage_len_bytes: 0.into(),
        };
        self.submit(&message, options)?;
        Ok(user_ref_num)
    }

    /// Lets no further order of `firm` in; returns the number of the request.
    ///
    /// # Errors
    ///
    /// As [`Self::enter`].
    pub fn disable_entry(&mut self, firm: Firm) -> Result<u32, Error> {
        let user_ref_num = self.take_user_ref_num()?;
        let message = DisableEntry {
            kind: TypeByte::new(),
            user_ref_num: user_ref_num.into(),
            firm: firm.to_wire(),
            appendage_len_bytes: 0.into(),
        };
        self.submit(&message, &Options::default())?;
        Ok(user_ref_num)
    }

    /// Lets orders of `firm` in again; returns the number of the request.
    ///
    /// # Errors
    ///
    /// As [`Self::enter`].
    pub fn enable_entry(&mut self, firm: Firm) -> Result<u32, Error> {
        let user_ref_num = self.take_user_ref_num()?;
        let message = EnableEntry {
            kind: TypeByte::new(),
            user_ref_num: user_ref_num.into(),
            firm: firm.to_wire(),
            appendage_len_bytes: 0.into(),
        };
        self.submit(&message, &Options::default())?;
        Ok(user_ref_num)
    }

    /// Sends any request with its optional fields; the appendage length is set here.
    ///
    /// The number in `message` is the caller's affair.
    ///
    /// # Errors
    ///
    /// The message does not fit, or as [`Sender::send`].
    pub fn submit<T: ouch::Message>(
        &mut self,
        message: &T,
        options: &Options,
    ) -> Result<(), Error> {
        let mut elements = [0; ELEMENTS_LEN_BYTES_MAX];
        let mut writer = AppendageWriter::new(&mut elements);
        options.write(&mut writer)?;
        let elements = writer.elements();
        let mut out = [0; MESSAGE_LEN_BYTES_MAX];
        let too_long =
            Error::PayloadTooLong { max: out.len(), found: T::LEN_BYTES + elements.len() };
        let len_bytes = encode(message, elements, &mut out).ok_or(too_long)?;
        self.send(&out[..len_bytes])
    }

    /// Sends any request with elements as they stand; the appendage length is set here.
    ///
    /// The number in `message` is the caller's affair, see [`Self::take_user_ref_num`].
    ///
    /// # Errors
    ///
    /// The message does not fit a packet, or as [`Sender::send`].
    pub fn submit_with<T: ouch::Message>(
        &mut self,
        message: &T,
        elements: &Elements,
    ) -> Result<(), Error> {
        // Room for the length too, which some layouts do not hold.
        let mut out = vec![0; T::LEN_BYTES + size_of::<u16>() + elements.as_bytes().len()];
        let too_long = Error::PayloadTooLong { max: usize::from(u16::MAX) - 1, found: out.len() };
        let len_bytes = encode(message, elements.as_bytes(), &mut out).ok_or(too_long)?;
        self.send(&out[..len_bytes])
    }

    /// Sends `message`, any bytes, as one unsequenced message.
    ///
    /// # Errors
    ///
    /// As [`Sender::send`], or [`Sender::queue`] when batching.
    pub fn send(&mut self, message: &[u8]) -> Result<(), Error> {
        if self.batching { self.sender.queue(message) } else { self.sender.send(message) }
    }

    /// Writes everything queued.
    ///
    /// # Errors
    ///
    /// As [`Sender::flush`].
    pub fn flush(&mut self) -> Result<(), Error> {
        self.sender.flush()
    }

    /// Returns the sending half of the connection.
    pub const fn sender(&mut self) -> &mut Sender {
        &mut self.sender
    }

    /// Goes on where `old` stopped.
    pub(super) const fn take_over(&mut self, old: &Self) {
        self.next_user_ref_num = old.next_user_ref_num;
        self.batching = old.batching;
    }

    /// Steps over the number that `message` shows to be used.
    pub(super) fn learn(&mut self, message: &Outbound<'_>) {
        let next = self.next_user_ref_num;
        let used = match message {
            Outbound::AccountQueryResponse(answer, _) => {
                self.next_user_ref_num = next.max(answer.next_user_ref_num.get());
                return;
            }
            Outbound::Accepted(report, _) => report.user_ref_num,
            Outbound::Replaced(report, _) => report.new_user_ref_num,
            Outbound::Rejected(report, _) => report.user_ref_num,
            Outbound::MassCancelResponse(report, _) => report.user_ref_num,
            Outbound::DisableResponse(report, _) => report.user_ref_num,
            Outbound::EnableResponse(report, _) => report.user_ref_num,
            Outbound::SystemEvent(..)
            | Outbound::Canceled(..)
            | Outbound::AiqCanceled(..)
            | Outbound::Executed(..)
            | Outbound::BrokenTrade(..)
            | Outbound::TradeCorrection(..)
            | Outbound::CancelPending(..)
            | Outbound::CancelReject(..)
            | Outbound::PriorityUpdate(..)
            | Outbound::Modified(..)
            | Outbound::Restated(..) => return,
        };
        let used = used.get();
        // What lies too far above was refused and not used.
        if next <= used && used - next < STEP_MAX {
            self.next_user_ref_num = used.saturating_add(1);
        }
    }

    /// Hands out the next order number, for a request that is made by hand.
    ///
    /// # Errors
    ///
    /// The numbers are used up.
    pub fn take_user_ref_num(&mut self) -> Result<u32, Error> {
        let taken = self.next_user_ref_num;
        self.next_user_ref_num = taken.checked_add(1).ok_or(Error::UserRefNumsExhausted)?;
        Ok(taken)
    }
}
