//! Drop copies.

use super::Naive;
use crate::{
    command::DropCopy,
    event::{Copying, Event, PortFirm, Sink},
    limits::COPIED_FIRMS_MAX,
    types::Action,
};

impl Naive {
    pub(super) fn set_copy(&mut self, copy: DropCopy, sink: &mut impl Sink) {
        let was_on = self.copied.contains(&(copy.firm, true));
        if was_on == copy.is_on {
            return;
        }
        if let Some(known) = self.copied.iter_mut().find(|(firm, _)| *firm == copy.firm) {
            known.1 = copy.is_on;
        } else if self.copied.len() < COPIED_FIRMS_MAX {
            self.copied.push((copy.firm, true));
        } else {
            return;
        }
        if self.day.is_some() {
            self.tell_copy(copy.firm, if copy.is_on { b'S' } else { b'E' }, sink);
        }
    }

    /// Tells the streams of all firms that are copied that they begin or end.
    pub(super) fn tell_copies(&self, code: u8, sink: &mut impl Sink) {
        for (firm, is_on) in &self.copied {
            if *is_on {
                self.tell_copy(*firm, code, sink);
            }
        }
    }

    fn tell_copy(&self, firm: [u8; 4], code: u8, sink: &mut impl Sink) {
        let place = self.copied.iter().take_while(|(other, _)| *other != firm).count();
        let (head, slot) = (self.head(0, 0, Action::Buy), u16::try_from(place).unwrap_or(0));
        sink.write(Event::copying(Copying { head, firm, slot, code, pad: [0; 41] }));
    }

    pub(super) fn tell_firm(&self, port: u16, firm: [u8; 4], sink: &mut impl Sink) {
        let head = self.head(port, 0, Action::Buy);
        sink.write(Event::port_firm(PortFirm { head, firm, pad: [0; 44] }));
    }
}
