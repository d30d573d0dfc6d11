//! Plays a plan through an order session and compares what comes of it.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use indicatif::ProgressBar;
use uncross_client::{
    Error, NewOrder, OrderSession, Side, Symbol, TimeInForce, wire::ouch::outbound::Outbound,
};

use super::plan::{Execution, Place, Plan, Step};
use crate::{
    commands::session::PATIENCE,
    errors::{self, Failure},
};

/// Messages sent before their answers are read: enough to keep the venue busy, and so few that
/// the answers fit any buffer on the way.
const WINDOW: usize = 256;

/// A fill of an order that was entered to take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fill {
    /// The order on the other side; `None` if it is another user's.
    pub(super) maker: Option<Place>,
    pub(super) shares: u32,
    pub(super) price: u64,
}

/// What came of a plan.
#[derive(Debug, Default)]
pub(super) struct Played {
    /// The fills of each execution of the plan, in its order.
    pub(super) fills: Vec<Vec<Fill>>,
    /// Orders that the venue refused.
    pub(super) rejected: u32,
    /// Trades of orders that should only have rested when they came in.
    pub(super) unexpected: u32,
    pub(super) elapsed: Duration,
}

/// Whether the fills are the execution: one, with the maker named, at that price and size.
pub(super) fn is_reproduced(execution: &Execution, fills: &[Fill]) -> bool {
    let Execution { maker, shares, price, .. } = *execution;
    fills == [Fill { maker: Some(maker), shares, price: price.into() }]
}

/// Plays a whole plan.
///
/// Everything goes through one session. After each window an Account Query is answered behind all
/// that the window caused, so the outcome depends on nothing but the plan and the venue's book.
pub(super) fn play(
    session: &mut OrderSession,
    symbol: Symbol,
    plan: &Plan,
) -> Result<Played, Failure> {
    session.sync(PATIENCE, |_of_before| {})?;
    session.orders().set_batching(true);
    let mut player = Player::new(session.next_user_ref_num(), symbol, plan);
    // Draws on a terminal only.
    let progress = ProgressBar::new(plan.steps.len() as u64);
    let start = Instant::now();
    for steps in plan.steps.chunks(WINDOW) {
        for step in steps {
            player.send(session, step)?;
        }
        session.account_query()?;
        session.flush()?;
        player.read_window(session)?;
        progress.inc(steps.len() as u64);
    }
    player.played.elapsed = start.elapsed();
    progress.finish_and_clear();
    Ok(player.played)
}

struct Player<'a> {
    /// Number of the order in place 0.
    base: u32,
    symbol: Symbol,
    ids: &'a [Option<u64>],
    /// Which execution each taker is for.
    takers: HashMap<Place, usize>,
    played: Played,
}

/// The two sides of the trades of a window, by match number.
#[derive(Default)]
struct Window {
    /// In the order of the reports.
    takers: Vec<(u64, usize, Fill)>,
    makers: HashMap<u64, Place>,
}

impl<'a> Player<'a> {
    fn new(base: u32, symbol: Symbol, plan: &'a Plan) -> Self {
        let takers = plan.executions.iter().enumerate();
        let takers = takers.map(|(index, execution)| (execution.taker, index)).collect();
        let fills = vec![Vec::new(); plan.executions.len()];
        Self { base, symbol, ids: &plan.ids, takers, played: Played { fills, ..Played::default() } }
    }

    fn send(&self, session: &mut OrderSession, step: &Step) -> Result<(), Error> {
        match *step {
            Step::Rest { side, shares, price } => {
                session.enter(&self.order(side, shares, price)).map(drop)
            }
            Step::Take { side, shares, price } => {
                let order = self.order(side, shares, price);
                let time_in_force = TimeInForce::ImmediateOrCancel;
                session.enter(&NewOrder { time_in_force, ..order }).map(drop)
            }
            Step::Reduce { order, to } => session.cancel(self.base.saturating_add(order), to),
        }
    }

    fn order(&self, side: Side, shares: u32, price: u32) -> NewOrder {
        NewOrder::limit(side, self.symbol, shares, price.into())
    }

    /// The place of an order of the plan; `None` for what the user entered elsewhere before.
    fn place(&self, user_ref_num: u32) -> Option<Place> {
        let place = user_ref_num.checked_sub(self.base)?;
        ((place as usize) < self.ids.len()).then_some(place)
    }

    /// Reads reports up to the answer of the Account Query, then puts the trades together.
    fn read_window(&mut self, session: &mut OrderSession) -> Result<(), Failure> {
        let mut window = Window::default();
        loop {
            let Some(report) = session.next_report(PATIENCE)? else {
                let message = format!("nothing came for {PATIENCE:?} while answers were due");
                return Err(Failure::new(&errors::NO_ANSWER, message));
            };
            match report.message {
                Outbound::AccountQueryResponse(..) => break,
                Outbound::Rejected(..) => self.played.rejected += 1,
                Outbound::Executed(executed, _) => {
                    let number = executed.match_number.get();
                    let Some(place) = self.place(executed.user_ref_num.get()) else { continue };
                    let Some(&execution) = self.takers.get(&place) else {
                        window.makers.insert(number, place);
                        continue;
                    };
                    let (shares, price) = (executed.quantity.get(), executed.price.get());
                    let fill = Fill { maker: None, shares, price };
                    window.takers.push((number, execution, fill));
                }
                // Acceptances and cancels follow from the plan.
                _ => {}
            }
        }
        for (number, execution, fill) in window.takers {
            let maker = window.makers.remove(&number);
            self.played.fills[execution].push(Fill { maker, ..fill });
        }
        let left = u32::try_from(window.makers.len()).unwrap_or(u32::MAX);
        self.played.unexpected = self.played.unexpected.saturating_add(left);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_execution_is_reproduced_by_exactly_its_maker_price_and_size() {
        let execution = Execution { line: 1, maker: 3, taker: 9, shares: 100, price: 50 };
        let fill = Fill { maker: Some(3), shares: 100, price: 50 };
        assert!(is_reproduced(&execution, &[fill]));
        for fills in [
            vec![],
            vec![Fill { maker: Some(4), ..fill }],
            vec![Fill { maker: None, ..fill }],
            vec![Fill { shares: 99, ..fill }],
            vec![Fill { price: 51, ..fill }],
            vec![Fill { shares: 60, ..fill }, Fill { shares: 40, ..fill }],
        ] {
            assert!(!is_reproduced(&execution, &fills), "{fills:?}");
        }
    }
}
