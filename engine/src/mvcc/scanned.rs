//! Leaves that scans come to again and again while they have a journal: worth packing once nothing is
//! written to them any more, as each scan sorts the journal anew and goes from the page to its records.

use rt::lockfree::settled;
use rt::sync::Mutex;
use rt::sync::atomic::{AtomicU32, Ordering};

/// How many scans of one state of a leaf ask for packing.
fn scans_worth_packing() -> u32 {
    if rt::probe::is_simulated() { 2 } else { 8 }
}

/// Most leaves that wait; more ask again.
const WAITING_MAX: usize = 1 << 12;

/// Counts the scans of one state of a leaf.
#[derive(Debug)]
pub(super) struct Scans(AtomicU32);

/// Numbers of the leaves that scans ask to pack.
#[derive(Debug)]
pub(super) struct Scanned(Mutex<Vec<u32>>);

impl Scans {
    pub(super) fn new() -> Self {
        Self(AtomicU32::new("leaf.scans", 0))
    }

    /// Counts a scan. Returns whether the leaf should be packed now: once.
    fn count(&self) -> bool {
        // Scans that count at once may lose each other's: it is an estimate, and costs them no wait. For the
        // same reason it is no step of its own in simulations.
        settled(|| {
            let scans = self.0.load(Ordering::Relaxed);
            if scans < scans_worth_packing() {
                self.0.store(scans + 1, Ordering::Relaxed);
            }
            scans + 1 == scans_worth_packing()
        })
    }

    fn reset(&self) {
        settled(|| self.0.store(0, Ordering::Relaxed));
    }
}

impl Scanned {
    pub(super) fn new() -> Self {
        Self(Mutex::new("index.scanned", Vec::new()))
    }

    /// Notes a scan of a leaf that has a journal.
    #[inline]
    pub(super) fn note(&self, number: u32, scans: &Scans) {
        if scans.count() {
            self.ask(number, scans);
        }
    }

    #[cold]
    fn ask(&self, number: u32, scans: &Scans) {
        let mut waiting = self.0.lock();
        if waiting.len() < WAITING_MAX {
            waiting.push(number);
        } else {
            scans.reset();
        }
    }

    /// Takes all that wait, but those that `is_put_off` to the next time, each once: a leaf that is written
    /// and scanned for ever asks in each of its states.
    pub(super) fn take(&self, mut is_put_off: impl FnMut(u32) -> bool) -> Vec<u32> {
        let mut waiting = self.0.lock();
        waiting.sort_unstable();
        waiting.dedup();
        let (put_off, taken) =
            std::mem::take(&mut *waiting).into_iter().partition(|number| is_put_off(*number));
        *waiting = put_off;
        taken
    }

    /// Returns how many wait.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.lock().len()
    }
}
