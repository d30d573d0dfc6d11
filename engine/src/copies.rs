//! Drop copies: the firms whose reports are written a second time, and which ports are theirs.
//!
//! The engine writes no copy itself. It says when the stream of a firm begins and ends and whose a
//! port is, so that egress copies the same reports in every replay.

use crate::{
    command::DropCopy,
    engine::Engine,
    event::{Copying, Event, Head, PortFirm, Sink},
    limits::COPIED_FIRMS_MAX,
    types::Action,
};

/// A firm that has, or had in this session, a stream of drop copies.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CopiedFirm {
    pub(crate) firm: [u8; 4],
    pub(crate) is_on: bool,
}

/// Why a firm's reports cannot be copied: so many firms may have streams in one session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CopiesFull {
    /// The table's size.
    pub firms_max: usize,
}

impl core::fmt::Display for CopiesFull {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "the reports of at most {} firms are copied in one session", self.firms_max)
    }
}

impl core::error::Error for CopiesFull {}

impl Engine {
    /// The firms whose reports are copied now, in the order in which they began to be.
    pub fn copied_firms(&self) -> impl Iterator<Item = [u8; 4]> + '_ {
        self.copied_firms.iter().filter(|copied| copied.is_on).map(|copied| copied.firm)
    }

    /// Whether all of these firms, each named once, can be copied. A firm that is copied no more
    /// keeps its place until the session ends, because its stream stands under that place.
    ///
    /// # Errors
    ///
    /// There are not enough places.
    pub fn check_copies(&self, firms: &[[u8; 4]]) -> Result<(), CopiesFull> {
        let is_new = |firm: &&[u8; 4]| self.copied_firms.iter().all(|other| other.firm != **firm);
        let new = firms.iter().filter(is_new).count();
        if COPIED_FIRMS_MAX < self.copied_firms.len() + new {
            return Err(CopiesFull { firms_max: COPIED_FIRMS_MAX });
        }
        Ok(())
    }

    pub(crate) fn set_copy(&mut self, copy: DropCopy, sink: &mut impl Sink) {
        let DropCopy { firm, is_on } = copy;
        let found = self.copied_firms.iter().position(|copied| copied.firm == firm);
        let slot = match found {
            Some(slot) if self.copied_firms[slot].is_on == is_on => return,
            None if !is_on || self.check_copies(&[firm]).is_err() => return,
            Some(slot) => {
                self.copied_firms[slot].is_on = is_on;
                slot
            }
            None => {
                self.copied_firms.push(CopiedFirm { firm, is_on });
                self.copied_firms.len() - 1
            }
        };
        // Before the first day there is no session that a stream could belong to.
        if self.day.is_some() {
            self.tell_copying(slot, if is_on { b'S' } else { b'E' }, sink);
        }
    }

    /// A session begins: so do the streams of the firms that are copied.
    pub(crate) fn begin_copies(&mut self, sink: &mut impl Sink) {
        self.copied_firms.retain(|copied| copied.is_on);
        for slot in 0..self.copied_firms.len() {
            self.tell_copying(slot, b'S', sink);
        }
    }

    /// A day ends, and the streams with it.
    pub(crate) fn end_copies(&self, sink: &mut impl Sink) {
        for slot in (0..self.copied_firms.len()).filter(|&slot| self.copied_firms[slot].is_on) {
            self.tell_copying(slot, b'E', sink);
        }
    }

    fn tell_copying(&self, slot: usize, code: u8, sink: &mut impl Sink) {
        let (head, firm) =
            (Head::new(0, 0, Action::Buy, self.now_ns), self.copied_firms[slot].firm);
        let slot = u16::try_from(slot).unwrap_or(u16::MAX);
        sink.write(Event::copying(Copying { head, firm, slot, code, pad: [0; 41] }));
    }

    /// Says whose a port is from now on.
    pub(crate) fn tell_firm(&self, port: u16, firm: [u8; 4], sink: &mut impl Sink) {
        let head = Head::new(port, 0, Action::Buy, self.now_ns);
        sink.write(Event::port_firm(PortFirm { head, firm, pad: [0; 44] }));
    }
}
