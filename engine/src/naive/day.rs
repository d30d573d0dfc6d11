//! Days and epochs.

use super::{Naive, admin::State, key_of};
use crate::{
    command::{DayRoll, Epoch},
    engine::Resting,
    event::{Day, Directory, Event, Restated, Sink},
    instrument::Instrument,
    types::{Action, Origin, TimeInForce},
};

impl Naive {
    pub(super) fn roll(&mut self, roll: DayRoll, sink: &mut impl Sink) {
        if self.day.is_some() {
            for order in self.orders() {
                let key = key_of(&order);
                let Resting { px, open, time_in_force, .. } = order.resting;
                let book = self.books.iter().find(|book| book.is(order.instrument));
                let next = book.and_then(|book| Some((book.next?, book.instrument)));
                if time_in_force != TimeInForce::GoodTillCancel {
                    self.take(key, open, b'E', sink);
                } else if next.is_some_and(|(next, old)| !next.admits(&old, px, open)) {
                    self.take(key, open, b'S', sink);
                } else if let Some(order) = self.find(key) {
                    order.resting.user_ref_num = 0;
                }
            }
            self.change();
            let ports: Vec<u16> = self.ports.keys().copied().collect();
            for number in ports {
                let port = self.ports[&number];
                if port.is_up {
                    self.lose(number);
                }
                if port.has_begun {
                    self.system(number, b'E', sink);
                }
            }
            self.tell_copies(b'E', sink);
            b"MEC".iter().for_each(|&code| self.system(0, code, sink));
        }
        self.ports.values_mut().for_each(|port| port.has_begun = false);
        self.marks.clear();
        self.disabled.clear();
        self.disabled_firms.clear();
        self.match_count = 0;
        self.locates = 0;
        for book in &mut self.books {
            book.reference_px = book.reference();
            book.last_px = 0;
            if book.is(book.instrument.id) {
                self.locates += 1;
                book.locate = self.locates;
            } else {
                book.state = State::Gone;
            }
        }
        self.open(roll, sink);
    }

    pub(super) fn begin_epoch(&mut self, epoch: Epoch, sink: &mut impl Sink) {
        self.origin = Origin::new(0, epoch.epoch);
        let references: Vec<_> =
            self.orders().iter().map(|it| (key_of(it), self.order_ref(it.slot))).collect();
        for (key, order_ref) in references {
            if let Some(order) = self.find(key) {
                order.resting.order_ref = order_ref;
            }
        }
        if let Some(day) = self.day {
            self.ports.values_mut().for_each(|port| {
                port.is_up = false;
                port.has_begun = false;
            });
            self.open(DayRoll { session: epoch.session, ..day }, sink);
        }
    }

    /// Opens the streams of a day and says what stands.
    fn open(&mut self, day: DayRoll, sink: &mut impl Sink) {
        self.day = Some(day);
        sink.write(Event::day(Day {
            head: self.head(0, 0, Action::Buy),
            midnight_ns: day.midnight_ns(),
            date: day.date,
            session: day.session,
            pad: [0; 26],
        }));
        self.copied.retain(|(_, is_on)| *is_on);
        self.tell_copies(b'S', sink);
        self.system(0, b'O', sink);
        for position in 0..self.books.len() {
            if self.books[position].is(self.books[position].instrument.id) {
                self.list(position, sink);
            }
        }
        for order in self.orders() {
            let Resting { port, order_ref, px, open, channel, .. } = order.resting;
            if let Some(it) = self.ports.get_mut(&port)
                && !it.has_begun
            {
                it.has_begun = true;
                self.system(port, b'S', sink);
            }
            let (head, instrument) = (self.head_of(&order.resting), order.instrument);
            let pad = [0; 27];
            let restated = Restated { head, order_ref, instrument, px, open, channel, pad };
            sink.write(Event::restated(restated));
            self.tell_rested(&order, sink);
        }
        b"SQ".iter().for_each(|&code| self.system(0, code, sink));
    }

    pub(super) fn list(&self, position: usize, sink: &mut impl Sink) {
        let head = self.head(0, 0, Action::Buy);
        let (instrument, locate) = (self.books[position].instrument, self.books[position].locate);
        let Instrument { id, symbol, price_decimals, qty_decimals, lot, .. } = instrument;
        sink.write(Event::directory(Directory {
            head,
            symbol,
            instrument: id,
            lot,
            locate,
            price_decimals,
            qty_decimals,
            pad: [0; 28],
        }));
        self.tell_trading(position, sink);
    }
}
