//! What the core and everything behind it may read of the helpers' work at any time.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::error::{DiskError, ReadError};
use crate::settings::OnDurable;

/// Durable sequence number, health and prepared room of a running journal.
///
/// The numbers and flags are single atomic loads, fit for the core; errors are behind a lock, for
/// the operator.
#[derive(Debug)]
pub struct Watermark {
    durable_seq: AtomicU64,
    poisoned: AtomicBool,
    /// The last preparation failed.
    short_of_space: AtomicBool,
    /// Room of all segments prepared since the start.
    announced_bytes: AtomicU64,
    /// Room of all of those that were entered.
    entered_bytes: AtomicU64,
    reports: Mutex<Reports>,
    changed: Condvar,
    on_durable: Option<OnDurable>,
}

#[derive(Debug, Default)]
struct Reports {
    poison: Option<ReadError>,
    preparation: Option<DiskError>,
    preparations_failed: u64,
}

impl Watermark {
    pub(crate) fn new(durable_seq: u64, on_durable: Option<OnDurable>) -> Self {
        Self {
            durable_seq: AtomicU64::new(durable_seq),
            poisoned: AtomicBool::new(false),
            short_of_space: AtomicBool::new(false),
            announced_bytes: AtomicU64::new(0),
            entered_bytes: AtomicU64::new(0),
            reports: Mutex::default(),
            changed: Condvar::new(),
            on_durable,
        }
    }

    /// Every record up to this sequence number is on the device. Never falls.
    #[must_use]
    pub fn durable_seq(&self) -> u64 {
        // Acquire: pairs with the Release in `publish`.
        self.durable_seq.load(Ordering::Acquire)
    }

    /// Whether a sync has failed: from then on nothing may be acknowledged. Never reset.
    #[must_use]
    pub fn poisoned(&self) -> bool {
        // Acquire: pairs with the Release in `poison`.
        self.poisoned.load(Ordering::Acquire)
    }

    /// Whether the last preparation failed, for instance on a full disk: time to make room, while
    /// what is prepared still lasts. [`Self::preparation_error`] says why.
    #[must_use]
    pub fn short_of_space(&self) -> bool {
        // Acquire: pairs with the Release in `prepared`; the reason is there to be read.
        self.short_of_space.load(Ordering::Acquire)
    }

    /// Room for records in the prepared segments, in bytes.
    #[must_use]
    pub fn prepared_bytes(&self) -> u64 {
        // Relaxed: only the writer moves it, which at worst is seen late.
        let entered = self.entered_bytes.load(Ordering::Relaxed);
        // Acquire: pairs with the Release in `prepared`; the segment went into the channel before,
        // so what is promised here can be entered.
        self.announced_bytes.load(Ordering::Acquire).saturating_sub(entered)
    }

    /// What poisoned the journal.
    #[must_use]
    pub fn poison_error(&self) -> Option<ReadError> {
        self.lock().poison.clone()
    }

    /// Why the last preparation failed, for instance a full disk; `None` after one succeeded.
    #[must_use]
    pub fn preparation_error(&self) -> Option<DiskError> {
        self.lock().preparation.clone()
    }

    /// How many preparations have failed since the start.
    #[must_use]
    pub fn preparations_failed(&self) -> u64 {
        self.lock().preparations_failed
    }

    /// Waits until `seq` is durable; false when the journal is poisoned or `timeout` passes first.
    #[must_use]
    pub fn wait_durable(&self, seq: u64, timeout: Duration) -> bool {
        self.wait(timeout, |mark| seq <= mark.durable_seq() || mark.poisoned())
            && seq <= self.durable_seq()
    }

    /// Waits until at least `bytes` are prepared; false when `timeout` passes first.
    #[must_use]
    pub fn wait_prepared(&self, bytes: u64, timeout: Duration) -> bool {
        self.wait(timeout, |mark| bytes <= mark.prepared_bytes())
    }

    /// Waits until the journal is poisoned; false when `timeout` passes first.
    #[must_use]
    pub fn wait_poisoned(&self, timeout: Duration) -> bool {
        self.wait(timeout, Self::poisoned)
    }

    fn wait(&self, timeout: Duration, until: impl Fn(&Self) -> bool) -> bool {
        let deadline = Instant::now() + timeout;
        let mut reports = self.lock();
        while !until(self) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            let waited = self.changed.wait_timeout(reports, left);
            reports = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    /// A sync that covers `seq` succeeded. `false`, and nothing published, when another thread has
    /// poisoned the journal meanwhile.
    pub(crate) fn publish(&self, seq: u64) -> bool {
        debug_assert!(self.durable_seq() <= seq, "the watermark would fall");
        let reports = self.lock();
        if reports.poison.is_some() {
            return false;
        }
        // Release: pairs with the Acquire in `durable_seq`; what was synced happened before.
        self.durable_seq.store(seq, Ordering::Release);
        self.announce(reports);
        self.tell();
        true
    }

    /// Keeps the first error for the operator and stops everything.
    pub(crate) fn poison(&self, error: ReadError) {
        let mut reports = self.lock();
        reports.poison.get_or_insert(error);
        // Release: pairs with the Acquire in `poisoned`.
        self.poisoned.store(true, Ordering::Release);
        self.announce(reports);
        self.tell();
    }

    /// A preparation ended; with a segment with so many bytes of room, or with an error.
    pub(crate) fn prepared(&self, outcome: Result<u64, DiskError>) {
        let mut reports = self.lock();
        let failed = outcome.is_err();
        match outcome {
            Ok(bytes) => {
                reports.preparation = None;
                // Release: pairs with the Acquire in `prepared_bytes`.
                self.announced_bytes.fetch_add(bytes, Ordering::Release);
            }
            Err(error) => {
                reports.preparation = Some(error);
                reports.preparations_failed += 1;
            }
        }
        // Release: pairs with the Acquire in `short_of_space`.
        self.short_of_space.store(failed, Ordering::Release);
        self.announce(reports);
    }

    /// The writer entered a prepared segment with `bytes` of room.
    pub(crate) fn entered(&self, bytes: u64) {
        self.entered_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, Reports> {
        // A panic of another holder leaves whole values behind.
        self.reports.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self) {
        if let Some(OnDurable(tell)) = &self.on_durable {
            tell();
        }
    }

    /// Wakes the waiters. Taking the lock before makes sure that none of them is between its look
    /// and its sleep.
    fn announce(&self, reports: MutexGuard<'_, Reports>) {
        drop(reports);
        self.changed.notify_all();
    }
}
