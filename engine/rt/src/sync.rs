//! Locks, condition variables and atomics.
#![expect(clippy::disallowed_types, reason = "this is the door through which locks and atomics come in")]

pub use std::sync::Arc;

mod lock {
    use std::time::Duration;

    use crate::time::Instant;

    pub use parking_lot::{MutexGuard, RwLockReadGuard, RwLockWriteGuard};

    /// How often [`Mutex::lock_soon`] tries before it sleeps, and how many pauses of the processor, of about
    /// 15 ns, lie between two tries.
    const TRIES: usize = 40;
    const PAUSES: usize = 8;

    /// Mutual exclusion. Not fair, not reentrant, never poisoned.
    #[derive(Debug, Default)]
    pub struct Mutex<T: ?Sized>(parking_lot::Mutex<T>);

    impl<T> Mutex<T> {
        /// Creates an unlocked mutex; `label` names it in simulations.
        #[inline]
        pub const fn new(_label: &'static str, value: T) -> Self {
            Self(parking_lot::Mutex::new(value))
        }

        /// Takes the value out.
        #[inline]
        pub fn into_inner(self) -> T {
            self.0.into_inner()
        }
    }

    impl<T: ?Sized> Mutex<T> {
        /// Locks, waiting for as long as it takes.
        #[inline]
        pub fn lock(&self) -> MutexGuard<'_, T> {
            self.0.lock()
        }

        /// Locks a mutex that others hold for a microsecond or so: spins for about as long before it sleeps,
        /// as falling asleep and being woken takes many times longer.
        #[inline]
        pub fn lock_soon(&self) -> MutexGuard<'_, T> {
            self.0.try_lock().unwrap_or_else(|| self.spin_and_lock())
        }

        #[cold]
        fn spin_and_lock(&self) -> MutexGuard<'_, T> {
            for _ in 0..TRIES {
                for _ in 0..PAUSES {
                    std::hint::spin_loop();
                }
                if let Some(guard) = self.0.try_lock() {
                    return guard;
                }
            }
            self.0.lock()
        }

        /// Locks if the lock is free.
        #[inline]
        pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
            self.0.try_lock()
        }

        /// Returns the value, without locking: the exclusive borrow proves that it is free.
        #[inline]
        pub fn get_mut(&mut self) -> &mut T {
            self.0.get_mut()
        }
    }

    /// Many readers or one writer. Not reentrant, never poisoned.
    #[derive(Debug, Default)]
    pub struct RwLock<T: ?Sized>(parking_lot::RwLock<T>);

    impl<T> RwLock<T> {
        /// Creates an unlocked lock; `label` names it in simulations.
        #[inline]
        pub const fn new(_label: &'static str, value: T) -> Self {
            Self(parking_lot::RwLock::new(value))
        }

        /// Takes the value out.
        #[inline]
        pub fn into_inner(self) -> T {
            self.0.into_inner()
        }
    }

    impl<T: ?Sized> RwLock<T> {
        /// Locks for reading.
        #[inline]
        pub fn read(&self) -> RwLockReadGuard<'_, T> {
            self.0.read()
        }

        /// Locks for writing.
        #[inline]
        pub fn write(&self) -> RwLockWriteGuard<'_, T> {
            self.0.write()
        }

        /// Returns the value, without locking: the exclusive borrow proves that it is free.
        #[inline]
        pub fn get_mut(&mut self) -> &mut T {
            self.0.get_mut()
        }
    }

    /// A condition variable. Wake-ups may be spurious: always wait in a loop that checks the condition.
    #[derive(Debug, Default)]
    pub struct Condvar(parking_lot::Condvar);

    impl Condvar {
        /// Creates a condition variable; `label` names it in simulations.
        #[inline]
        pub const fn new(_label: &'static str) -> Self {
            Self(parking_lot::Condvar::new())
        }

        /// Unlocks, waits for a notification, locks again.
        #[inline]
        pub fn wait<T>(&self, guard: &mut MutexGuard<'_, T>) {
            self.0.wait(guard);
        }

        /// Unlocks, waits for a notification or until `timeout` has passed, locks again. Returns whether the
        /// time was up.
        #[inline]
        pub fn wait_for<T>(&self, guard: &mut MutexGuard<'_, T>, timeout: Duration) -> bool {
            self.0.wait_for(guard, timeout).timed_out()
        }

        /// Unlocks, waits for a notification or until `deadline`, locks again. Returns whether the time was
        /// up.
        #[inline]
        pub fn wait_until<T>(&self, guard: &mut MutexGuard<'_, T>, deadline: Instant) -> bool {
            self.wait_for(guard, deadline.saturating_since(crate::time::now()))
        }

        /// Wakes one waiting thread.
        #[inline]
        pub fn notify_one(&self) {
            self.0.notify_one();
        }

        /// Wakes all waiting threads.
        #[inline]
        pub fn notify_all(&self) {
            self.0.notify_all();
        }
    }
}

pub use lock::{Condvar, Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Atomic integers and flags.
pub mod atomic {
    pub use std::sync::atomic::Ordering;

    macro_rules! atomic_integer {
        ($name:ident, $integer:ty) => {
            /// An atomic integer.
            #[derive(Debug, Default)]
            pub struct $name(std::sync::atomic::$name);

            impl $name {
                /// Creates it; `label` names it in simulations.
                #[inline]
                pub const fn new(_label: &'static str, value: $integer) -> Self {
                    Self(std::sync::atomic::$name::new(value))
                }

                /// Reads.
                #[inline]
                pub fn load(&self, order: Ordering) -> $integer {
                    self.0.load(order)
                }

                /// Writes.
                #[inline]
                pub fn store(&self, value: $integer, order: Ordering) {
                    self.0.store(value, order);
                }

                /// Writes, and returns the previous value.
                #[inline]
                pub fn swap(&self, value: $integer, order: Ordering) -> $integer {
                    self.0.swap(value, order)
                }

                /// Adds, wrapping around, and returns the previous value.
                #[inline]
                pub fn fetch_add(&self, value: $integer, order: Ordering) -> $integer {
                    self.0.fetch_add(value, order)
                }

                /// Subtracts, wrapping around, and returns the previous value.
                #[inline]
                pub fn fetch_sub(&self, value: $integer, order: Ordering) -> $integer {
                    self.0.fetch_sub(value, order)
                }

                /// Writes the larger of the two, and returns the previous value.
                #[inline]
                pub fn fetch_max(&self, value: $integer, order: Ordering) -> $integer {
                    self.0.fetch_max(value, order)
                }

                /// Writes `new` if the value is `current`; returns the previous value, as an error if it was
                /// another.
                ///
                /// # Errors
                /// The actual value, when it was not `current`.
                #[inline]
                pub fn compare_exchange(
                    &self,
                    current: $integer,
                    new: $integer,
                    success: Ordering,
                    failure: Ordering,
                ) -> Result<$integer, $integer> {
                    self.0.compare_exchange(current, new, success, failure)
                }
            }
        };
    }

    atomic_integer!(AtomicU32, u32);
    atomic_integer!(AtomicU64, u64);
    atomic_integer!(AtomicUsize, usize);

    /// An atomic flag.
    #[derive(Debug, Default)]
    pub struct AtomicBool(std::sync::atomic::AtomicBool);

    impl AtomicBool {
        /// Creates it; `label` names it in simulations.
        #[inline]
        pub const fn new(_label: &'static str, value: bool) -> Self {
            Self(std::sync::atomic::AtomicBool::new(value))
        }

        /// Reads.
        #[inline]
        pub fn load(&self, order: Ordering) -> bool {
            self.0.load(order)
        }

        /// Writes.
        #[inline]
        pub fn store(&self, value: bool, order: Ordering) {
            self.0.store(value, order);
        }

        /// Writes, and returns the previous value.
        #[inline]
        pub fn swap(&self, value: bool, order: Ordering) -> bool {
            self.0.swap(value, order)
        }
    }
}
