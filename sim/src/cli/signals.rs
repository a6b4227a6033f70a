//! Ctrl-C and SIGTERM: the command ends in order with what it has, and says by its exit code which signal it
//! was.
//!
//! The second signal ends the process at once.

use std::time::Duration;

use stormproof_rt::sync::Arc;
use stormproof_rt::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use stormproof_rt::time;
use stormproof_rt_shuttle::life::Cancel;

use super::Exit;

/// Whether a signal has asked the command to end, and which one.
#[derive(Clone, Debug)]
pub(super) struct Signals {
    is_raised: Arc<AtomicBool>,
    number: Arc<AtomicU64>,
}

impl Signals {
    /// Catches signals from now on. Where they can't be caught, they kill the process at once.
    pub(super) fn listen() -> Self {
        let signals = Self {
            is_raised: Arc::new(AtomicBool::new("cli.signal", false)),
            number: Arc::new(AtomicU64::new("cli.signal-number", 0)),
        };
        system::listen(signals.clone());
        signals
    }

    /// Ignores signals: they are for the coordinator, which ends its workers itself.
    pub(super) fn ignore() {
        system::ignore();
    }

    /// Returns the flag that a signal sets, for long work to poll.
    pub(super) fn flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.is_raised)
    }

    /// Returns whether a signal has come.
    pub(super) fn is_raised(&self) -> bool {
        self.is_raised.load(Ordering::SeqCst)
    }

    /// Returns the exit of a command that would have ended with `exit` without the signal: a violation that
    /// was found takes precedence.
    pub(super) fn exit(&self, exit: Exit) -> Exit {
        if self.is_raised() && exit != Exit::Violated { self.interrupted() } else { exit }
    }

    /// Returns the exit of a command that a signal has ended.
    pub(super) fn interrupted(&self) -> Exit {
        Exit::Interrupted(u8::try_from(self.number.load(Ordering::SeqCst)).unwrap_or(0))
    }

    /// Gives a run up when a signal has come, or after this time from now.
    pub(super) fn cancel_after(&self, limit: Duration) -> Cancel {
        let (begun, signals) = (time::now(), self.clone());
        Cancel(Arc::new(move || signals.is_raised() || time::now().saturating_since(begun) >= limit))
    }

    fn raise(&self, number: u64) {
        if self.is_raised.load(Ordering::SeqCst) {
            std::process::exit(128 + i32::try_from(number).unwrap_or(0));
        }
        self.number.store(number, Ordering::SeqCst);
        self.is_raised.store(true, Ordering::SeqCst);
    }
}

#[cfg(unix)]
mod system {
    use signal_hook::consts::{SIGINT, SIGTERM};
    use signal_hook::iterator;

    use super::Signals;

    pub(super) fn listen(signals: Signals) {
        let Ok(mut caught) = iterator::Signals::new([SIGINT, SIGTERM]) else { return };
        let _ = stormproof_rt::thread::spawn("signals", move || {
            for number in caught.forever() {
                signals.raise(u64::try_from(number).unwrap_or(0));
            }
        });
    }

    pub(super) fn ignore() {
        let Ok(mut caught) = iterator::Signals::new([SIGINT, SIGTERM]) else { return };
        let _ = stormproof_rt::thread::spawn("signals", move || caught.forever().for_each(drop));
    }
}

#[cfg(not(unix))]
mod system {
    use super::Signals;

    /// The number that Unix has for Ctrl-C.
    const INTERRUPT: u64 = 2;

    pub(super) fn listen(signals: Signals) {
        let _ = ctrlc::set_handler(move || signals.raise(INTERRUPT));
    }

    pub(super) fn ignore() {
        let _ = ctrlc::set_handler(|| {});
    }
}
