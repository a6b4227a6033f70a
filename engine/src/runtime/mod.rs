//! Threads, locks and time for the application's own concurrency.
//!
//! In production these are standard threads, `parking_lot` locks and the monotonic clock. In a test under
//! simulation (feature `simulation`, crate `stormproof-test`) they are simulated with the store, so that a
//! seed decides every interleaving of the application too. Threads and locks of `std` are not: a simulation
//! that waits for one stops. Every lock and thread has a label, by which traces name it.
//!
//! ```
//! use stormproof::runtime::{sync::Mutex, thread};
//!
//! let total = Mutex::new("total", 0);
//! thread::scope(|scope| {
//!     for worker in 0..3 {
//!         scope.spawn(&format!("worker-{worker}"), || *total.lock() += 1)?;
//!     }
//!     Ok::<_, std::io::Error>(())
//! })?;
//! assert_eq!(total.into_inner(), 3);
//! # Ok::<(), std::io::Error>(())
//! ```

mod block_on;
mod channel;
mod local_set;
mod timer;

pub use block_on::block_on;
pub(crate) use block_on::block_on_until;
pub use local_set::{LocalHandle, LocalSet};

/// Threads.
pub mod thread {
    pub use rt::thread::{JoinHandle, Scope, ScopedJoinHandle, scope, spawn, yield_now};
}

/// Locks, condition variables, atomics and channels.
pub mod sync {
    pub use rt::sync::{Arc, Condvar, Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard, atomic};

    /// Channels with any number of senders and one receiver.
    pub mod mpsc {
        pub use crate::runtime::channel::{Receive, Receiver, SendError, Sender, channel};
    }
}

/// Monotonic time.
pub mod time {
    pub use crate::runtime::timer::{Timer, timer};
    pub use rt::time::{Instant, now, sleep};
}
