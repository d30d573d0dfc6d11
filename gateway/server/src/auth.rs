//! Passwords are checked on a thread of their own: argon2 takes milliseconds by design.
//!
//! A user who fails repeatedly from one address waits longer each time.

use std::{
    collections::{HashMap, VecDeque},
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use crossbeam::channel::{Receiver, Sender, bounded};

use crate::{
    limits::{
        LOGIN_BACK_OFF_MAX_S, LOGIN_FAILURES_FREE, LOGIN_FAILURES_TRACKED, LOGINS_CHECKED_MAX,
    },
    users::Users,
    waiting::Alarm,
};

/// A login to check.
pub(crate) struct Request {
    /// The connection that asks, given back.
    pub(crate) connection: usize,
    pub(crate) peer: SocketAddr,
    pub(crate) user: String,
    pub(crate) password: String,
}

impl core::fmt::Debug for Request {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Request").field("user", &self.user).finish_non_exhaustive()
    }
}

/// Who a user is.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    /// `None`: it only listens to the drop copies of its firm.
    pub(crate) port: Option<u16>,
    pub(crate) firm: [u8; 4],
    pub(crate) user: [u8; 6],
    /// Milliseconds its orders outlive its connection; `None`: they stay.
    pub(crate) grace_ms: Option<u32>,
}

/// What came of a login.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) connection: usize,
    pub(crate) peer: SocketAddr,
    pub(crate) identity: Result<Identity, Refusal>,
}

/// Why a login is refused. The client is told nothing of it but "not authorised".
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("user or password is wrong")]
    Credentials,
    #[error("too many failed logins, waiting {seconds} s more")]
    BackedOff { seconds: u64 },
}

/// The way to the thread.
#[derive(Debug)]
pub(crate) struct Auth {
    requests: Option<Sender<Request>>,
    answers: Receiver<Answer>,
    thread: Option<JoinHandle<()>>,
}

impl Auth {
    /// Starts the thread; it rings `gateway` after every answer.
    ///
    /// # Errors
    ///
    /// The thread could not be started.
    pub(crate) fn start(users: Users, gateway: Arc<Alarm>) -> io::Result<Self> {
        let (requests, inbox) = bounded::<Request>(LOGINS_CHECKED_MAX);
        let (outbox, answers) = bounded(LOGINS_CHECKED_MAX);
        let run = move || {
            let mut failures = Failures::default();
            for request in inbox {
                let answer = check(&users, &mut failures, &request, Instant::now());
                if outbox.send(answer).is_err() {
                    return;
                }
                gateway.wake();
            }
        };
        let thread = thread::Builder::new().name("uncross-auth".to_owned()).spawn(run)?;
        Ok(Self { requests: Some(requests), answers, thread: Some(thread) })
    }

    /// Hands a login over. The caller keeps to [`LOGINS_CHECKED_MAX`] unanswered ones.
    pub(crate) fn ask(&self, request: Request) {
        if let Some(requests) = &self.requests {
            let sent = requests.try_send(request);
            debug_assert!(sent.is_ok(), "more logins under way than allowed");
        }
    }

    /// An answer, if one is there.
    pub(crate) fn answer(&self) -> Option<Answer> {
        self.answers.try_recv().ok()
    }
}

impl Drop for Auth {
    fn drop(&mut self) {
        self.requests = None;
        if let Some(thread) = self.thread.take() {
            while self.answers.recv().is_ok() {}
            drop(thread.join());
        }
    }
}

fn check(users: &Users, failures: &mut Failures, request: &Request, now: Instant) -> Answer {
    let key = (request.peer.ip(), request.user.clone());
    let identity = match failures.wait(&key, now) {
        Some(seconds) => Err(Refusal::BackedOff { seconds }),
        None => {
            if let Some(user) = users.verify(&request.user, &request.password) {
                failures.forgive(&key);
                let grace = user.cancel_on_disconnect();
                Ok(Identity {
                    port: user.port(),
                    firm: user.firm(),
                    user: user.name_padded(),
                    grace_ms: grace.and_then(|grace| u32::try_from(grace.as_millis()).ok()),
                })
            } else {
                failures.count(key, now);
                Err(Refusal::Credentials)
            }
        }
    };
    Answer { connection: request.connection, peer: request.peer, identity }
}

type Key = (IpAddr, String);

/// Failed logins in a row, by address and user: an attacker elsewhere cannot lock a user out.
#[derive(Debug, Default)]
struct Failures {
    entries: HashMap<Key, (u32, Instant), foldhash::fast::RandomState>,
    /// The one that failed longest ago first, so that the table stays bounded.
    order: VecDeque<Key>,
}

impl Failures {
    /// Seconds still to wait.
    fn wait(&self, key: &Key, now: Instant) -> Option<u64> {
        let &(count, last) = self.entries.get(key)?;
        let excess = count.checked_sub(LOGIN_FAILURES_FREE)?;
        let back_off_s = 1_u64.checked_shl(excess).unwrap_or(u64::MAX).min(LOGIN_BACK_OFF_MAX_S);
        let until = last + Duration::from_secs(back_off_s);
        let left = until.checked_duration_since(now).filter(|left| !left.is_zero())?;
        Some(left.as_secs() + 1)
    }

    fn count(&mut self, key: Key, now: Instant) {
        if let Some((count, last)) = self.entries.get_mut(&key) {
            (*count, *last) = (count.saturating_add(1), now);
            self.order.retain(|other| *other != key);
            self.order.push_back(key);
            return;
        }
        if LOGIN_FAILURES_TRACKED <= self.order.len()
            && let Some(oldest) = self.order.pop_front()
        {
            self.entries.remove(&oldest);
        }
        self.order.push_back(key.clone());
        self.entries.insert(key, (1, now));
    }

    fn forgive(&mut self, key: &Key) {
        if self.entries.remove(key).is_some() {
            self.order.retain(|other| other != key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(user: &str) -> Key {
        (IpAddr::from([127, 0, 0, 1]), user.to_owned())
    }

    #[test]
    fn repeated_failures_wait_longer_each_time_and_success_forgives() {
        let mut failures = Failures::default();
        let now = Instant::now();
        for _ in 0..LOGIN_FAILURES_FREE - 1 {
            failures.count(key("A"), now);
            assert_eq!(failures.wait(&key("A"), now), None);
        }
        failures.count(key("A"), now);
        assert_eq!(failures.wait(&key("A"), now), Some(2));
        failures.count(key("A"), now);
        assert_eq!(failures.wait(&key("A"), now), Some(3));
        assert_eq!(failures.wait(&key("A"), now + Duration::from_secs(2)), None);
        assert_eq!(failures.wait(&key("B"), now), None, "another user is not concerned");
        failures.forgive(&key("A"));
        assert_eq!(failures.wait(&key("A"), now), None);
    }

    #[test]
    fn the_table_of_failures_is_bounded() {
        let mut failures = Failures::default();
        let now = Instant::now();
        for number in 0..LOGIN_FAILURES_TRACKED + 10 {
            failures.count(key(&number.to_string()), now);
        }
        assert_eq!(failures.entries.len(), LOGIN_FAILURES_TRACKED);
    }
}
