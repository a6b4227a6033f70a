//! The runtime on loom, which explores all interleavings that the memory model allows: as much of it as the
//! engine's lock-free modules need, and no more. The third beside `engine/rt` and `sim/rt`.
//!
//! What it cannot find: loom takes sequentially consistent accesses for acquire and release only. Here each
//! of them has a sequentially consistent fence on either side, which loom does honour. Where all accesses to
//! some variables are sequentially consistent, as in the engine, that orders them as the language does.

/// Locks and atomics.
pub mod sync {
    pub use std::sync::Arc;

    /// Mutual exclusion.
    #[derive(Debug)]
    pub struct Mutex<T>(loom::sync::Mutex<T>);

    impl<T> Mutex<T> {
        /// Creates an unlocked mutex; the label is for simulations.
        pub fn new(_label: &'static str, value: T) -> Self {
            Self(loom::sync::Mutex::new(value))
        }

        /// Locks, waiting for as long as it takes.
        pub fn lock(&self) -> loom::sync::MutexGuard<'_, T> {
            self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
        }
    }

    /// Atomic integers.
    pub mod atomic {
        pub use loom::sync::atomic::Ordering;

        /// An atomic integer.
        #[derive(Debug)]
        pub struct AtomicU64(loom::sync::atomic::AtomicU64);

        impl AtomicU64 {
            /// Creates it; the label is for simulations.
            pub fn new(_label: &'static str, value: u64) -> Self {
                Self(loom::sync::atomic::AtomicU64::new(value))
            }

            /// Reads.
            pub fn load(&self, order: Ordering) -> u64 {
                fenced(order, || self.0.load(order))
            }

            /// Writes.
            pub fn store(&self, value: u64, order: Ordering) {
                fenced(order, || self.0.store(value, order));
            }

            /// Adds, and returns the previous value.
            pub fn fetch_add(&self, value: u64, order: Ordering) -> u64 {
                fenced(order, || self.0.fetch_add(value, order))
            }

            /// Subtracts, and returns the previous value.
            pub fn fetch_sub(&self, value: u64, order: Ordering) -> u64 {
                fenced(order, || self.0.fetch_sub(value, order))
            }
        }

        fn fenced<T>(order: Ordering, access: impl FnOnce() -> T) -> T {
            if order != Ordering::SeqCst {
                return access();
            }
            loom::sync::atomic::fence(Ordering::SeqCst);
            let result = access();
            loom::sync::atomic::fence(Ordering::SeqCst);
            result
        }
    }
}

/// Threads.
pub mod thread {
    use std::io;

    /// Waits for a thread to end.
    #[derive(Debug)]
    pub struct JoinHandle<T>(loom::thread::JoinHandle<T>);

    impl<T> JoinHandle<T> {
        /// Waits for the thread to end.
        ///
        /// # Errors
        /// When it panicked.
        pub fn join(self) -> std::thread::Result<T> {
            self.0.join()
        }
    }

    /// Starts a thread.
    ///
    /// # Errors
    /// Never.
    pub fn spawn<T: 'static>(_name: &str, body: impl FnOnce() -> T + 'static) -> io::Result<JoinHandle<T>> {
        Ok(JoinHandle(loom::thread::spawn(body)))
    }

    /// Lets other threads run.
    pub fn yield_now() {
        loom::thread::yield_now();
    }

    /// Into how many parts counters are split: two, as a model must be small.
    pub const STRIPES: usize = 2;

    /// The part of such a counter that this thread changes: the first one started by the main thread changes
    /// another than the main thread, the second the same.
    pub fn stripe() -> usize {
        let name = format!("{:?}", loom::thread::current().id());
        name.bytes().rfind(u8::is_ascii_digit).map_or(0, usize::from) % STRIPES
    }
}

/// Probes, which do nothing.
pub mod probe {
    /// A place between two steps of a protocol.
    pub fn at(_label: &'static str) {}
}

/// Whether the named deliberate bug is switched on: never.
#[macro_export]
macro_rules! mutant {
    ($name:ident) => {
        false
    };
}

/// Runs a concurrent test under every interleaving with at most two preemptions: three take more than a
/// minute.
pub fn check(test: impl Fn() + Send + Sync + 'static) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(2);
    model.check(test);
}
