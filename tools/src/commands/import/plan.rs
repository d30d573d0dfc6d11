//! Turns the events of a LOBSTER file into order entry.
//!
//! A new order is a day order, a reduction a cancel that keeps priority, an execution an
//! immediate-or-cancel order on the other side at that price and size. Orders that are named
//! without having been entered rested before the file begins: they are entered in the order of
//! their ids, each just before the first larger id, with the sum of all that is later removed.
//!
//! All goes through one session, so that the order of things is fixed; orders are named by their
//! place among all that are entered, which the session adds to its first number.

use std::collections::{BTreeMap, HashMap};

use uncross_client::Side;

use super::lobster::{Event, Fault, Kind};

/// Place of an order among all that are entered, from 0.
pub(super) type Place = u32;

/// One message to the venue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Enter a day order, the next in place.
    Rest { side: Side, shares: u32, price: u32 },
    /// Reduce an order to `to` in total, executions included; 0 ends it.
    Reduce { order: Place, to: u32 },
    /// Enter an immediate-or-cancel order, the next in place.
    Take { side: Side, shares: u32, price: u32 },
}

/// An execution that the file tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Execution {
    /// Line in the file.
    pub(super) line: u32,
    /// The order that must be the maker.
    pub(super) maker: Place,
    /// The order that is entered to take it.
    pub(super) taker: Place,
    pub(super) shares: u32,
    pub(super) price: u32,
}

/// What is to be sent, and what must come of it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) steps: Vec<Step>,
    pub(super) executions: Vec<Execution>,
    /// The file's id of each order by place; `None` of those that take.
    pub(super) ids: Vec<Option<u64>>,
    /// Orders that rested before the file begins.
    pub(super) rested_before: u32,
    /// Reductions and deletions.
    pub(super) cancels: u32,
}

/// An order of the file.
#[derive(Clone, Copy)]
struct Known {
    place: Place,
    /// What was entered less what was taken off since; executions do not count.
    total: u32,
    /// What is left of it.
    open: u32,
}

/// An order that rested before the file begins.
#[derive(Clone, Copy)]
struct Before {
    /// Line that names it first.
    line: u32,
    side: Side,
    price: u32,
    /// All that is removed in the file.
    shares: u64,
}

impl Plan {
    /// Plans all events; a fault is an id that is entered twice, or an order of which
    /// more is removed than it has left.
    pub(super) fn new(events: &[Event]) -> Result<Self, Fault> {
        let mut before = rested_before(events)?;
        let mut plan = Self::default();
        let mut known = HashMap::new();
        for event in events {
            // In the order of their ids, and only those that came before this one.
            while let Some(entry) = before.first_entry()
                && *entry.key() <= event.id
            {
                let (id, Before { side, price, shares, .. }) = entry.remove_entry();
                let shares = u32::try_from(shares).unwrap_or(u32::MAX);
                known.insert(id, plan.rest(id, side, shares, price));
                plan.rested_before += 1;
            }
            plan.follow(event, &mut known)?;
        }
        Ok(plan)
    }

    fn rest(&mut self, id: u64, side: Side, shares: u32, price: u32) -> Known {
        self.steps.push(Step::Rest { side, shares, price });
        Known { place: self.name(Some(id)), total: shares, open: shares }
    }

    fn follow(&mut self, event: &Event, known: &mut HashMap<u64, Known>) -> Result<(), Fault> {
        let Event { line, kind, id, shares, price, side, .. } = *event;
        if kind == Kind::Enter {
            known.insert(id, self.rest(id, side, shares, price));
            return Ok(());
        }
        let Some(order) = known.get_mut(&id) else {
            debug_assert!(false, "an id that is not entered rested before");
            return Ok(());
        };
        let Some(open) = order.open.checked_sub(shares) else {
            return Err(Fault {
                line,
                column: event.shares_column,
                expected: format!("at most the {} that order {id} has left", order.open),
                found: shares.to_string(),
            });
        };
        order.open = if kind == Kind::Delete { 0 } else { open };
        match kind {
            Kind::Enter => {}
            Kind::Reduce | Kind::Delete => {
                let kept = order.total.saturating_sub(shares);
                order.total = if kind == Kind::Reduce { kept } else { 0 };
                self.steps.push(Step::Reduce { order: order.place, to: order.total });
                self.cancels += 1;
            }
            Kind::Execute => {
                let maker = order.place;
                let taker_side = if side == Side::Buy { Side::Sell } else { Side::Buy };
                self.steps.push(Step::Take { side: taker_side, shares, price });
                let taker = self.name(None);
                self.executions.push(Execution { line, maker, taker, shares, price });
            }
        }
        Ok(())
    }

    /// Gives the next order its place.
    fn name(&mut self, id: Option<u64>) -> Place {
        // A file of 2^32 lines would not have been read.
        let place = Place::try_from(self.ids.len()).unwrap_or(Place::MAX);
        self.ids.push(id);
        place
    }
}

/// Finds the orders that are named without having been entered before.
fn rested_before(events: &[Event]) -> Result<BTreeMap<u64, Before>, Fault> {
    let mut entered: HashMap<u64, u32> = HashMap::new();
    let mut before: BTreeMap<u64, Before> = BTreeMap::new();
    for event in events {
        let &Event { line, kind, id, shares, price, side, .. } = event;
        let first_line = match kind {
            Kind::Enter => entered.insert(id, line).or(before.get(&id).map(|order| order.line)),
            Kind::Reduce | Kind::Delete | Kind::Execute => None,
        };
        if let Some(first_line) = first_line {
            return Err(Fault {
                line,
                column: event.id_column,
                expected: "an order id that is new".to_owned(),
                found: format!("{id}, which line {first_line} names"),
            });
        }
        if !entered.contains_key(&id) {
            let order = before.entry(id).or_insert(Before { line, side, price, shares: 0 });
            order.shares += u64::from(shares);
        }
    }
    Ok(before)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(line: u32, kind: Kind, id: u64, shares: u32) -> Event {
        Event {
            line,
            kind,
            id,
            id_column: 9,
            shares,
            shares_column: 11,
            price: 100,
            side: Side::Buy,
        }
    }

    fn rest(shares: u32) -> Step {
        Step::Rest { side: Side::Buy, shares, price: 100 }
    }

    #[test]
    fn each_kind_becomes_its_message() {
        let plan = Plan::new(&[
            event(1, Kind::Enter, 7, 100),
            event(2, Kind::Reduce, 7, 30),
            event(3, Kind::Execute, 7, 20),
            event(4, Kind::Reduce, 7, 10),
            event(5, Kind::Delete, 7, 40),
        ]);
        let plan = plan.unwrap();
        let steps = [
            rest(100),
            Step::Reduce { order: 0, to: 70 },
            Step::Take { side: Side::Sell, shares: 20, price: 100 },
            // Executions count: 40 are open of 60.
            Step::Reduce { order: 0, to: 60 },
            Step::Reduce { order: 0, to: 0 },
        ];
        assert_eq!(plan.steps, steps);
        let execution = Execution { line: 3, maker: 0, taker: 1, shares: 20, price: 100 };
        assert_eq!(plan.executions, [execution]);
        assert_eq!((plan.ids.as_slice(), plan.cancels), (&[Some(7), None][..], 3));
    }

    #[test]
    fn orders_that_rested_before_come_in_just_before_the_first_larger_id() {
        let plan = Plan::new(&[
            event(1, Kind::Enter, 5, 1),
            event(2, Kind::Enter, 20, 2),
            event(3, Kind::Execute, 9, 3),
            event(4, Kind::Reduce, 9, 4),
            event(5, Kind::Delete, 3, 5),
            event(6, Kind::Execute, 30, 6),
        ]);
        let plan = plan.unwrap();
        assert_eq!(plan.ids, [Some(3), Some(5), Some(9), Some(20), None, Some(30), None]);
        let steps = [
            rest(5),
            rest(1),
            rest(7),
            rest(2),
            Step::Take { side: Side::Sell, shares: 3, price: 100 },
            Step::Reduce { order: 2, to: 3 },
            Step::Reduce { order: 0, to: 0 },
            rest(6),
            Step::Take { side: Side::Sell, shares: 6, price: 100 },
        ];
        assert_eq!((plan.steps.as_slice(), plan.rested_before), (&steps[..], 3));
    }

    #[test]
    fn no_more_is_removed_than_is_left() {
        for kind in [Kind::Reduce, Kind::Delete, Kind::Execute] {
            let events = [event(1, Kind::Enter, 7, 10), event(2, Kind::Execute, 7, 4)];
            let fault = Plan::new(&[events[0], events[1], event(3, kind, 7, 7)]).unwrap_err();
            let expected = "line 3, column 11: expected at most the 6 that order 7 has left, \
                            found 7";
            assert_eq!(fault.to_string(), expected);
        }
    }

    #[test]
    fn an_id_is_entered_once() {
        let twice = [event(1, Kind::Enter, 7, 1), event(4, Kind::Enter, 7, 1)];
        let late = [event(1, Kind::Delete, 7, 1), event(4, Kind::Enter, 7, 1)];
        for events in [twice, late] {
            let fault = Plan::new(&events).unwrap_err().to_string();
            let expected = "line 4, column 9: expected an order id that is new, \
                            found 7, which line 1 names";
            assert_eq!(fault, expected);
        }
    }
}
