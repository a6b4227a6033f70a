//! Atomic integers and flags. Sequentially consistent, whatever ordering is asked for.

pub use std::sync::atomic::Ordering;

use super::identity;
use crate::life;
use crate::op::{Op, OpKind};

macro_rules! atomic_integer {
    ($name:ident, $integer:ty) => {
        /// An atomic integer.
        #[derive(Debug, Default)]
        pub struct $name {
            label: &'static str,
            value: std::sync::atomic::$name,
        }

        impl $name {
            /// Creates it; `label` names it in simulations.
            #[inline]
            pub const fn new(label: &'static str, value: $integer) -> Self {
                Self { label, value: std::sync::atomic::$name::new(value) }
            }

            /// Reads.
            #[inline]
            pub fn load(&self, order: Ordering) -> $integer {
                self.point(OpKind::Load);
                self.seen(self.value.load(order))
            }

            /// Writes.
            #[inline]
            pub fn store(&self, value: $integer, order: Ordering) {
                self.point(OpKind::Store);
                self.value.store(value, order);
                self.shown();
            }

            /// Writes, and returns the previous value.
            #[inline]
            pub fn swap(&self, value: $integer, order: Ordering) -> $integer {
                self.point(OpKind::Update);
                self.seen(self.value.swap(value, order))
            }

            /// Adds, wrapping around, and returns the previous value.
            #[inline]
            pub fn fetch_add(&self, value: $integer, order: Ordering) -> $integer {
                self.point(OpKind::Update);
                self.seen(self.value.fetch_add(value, order))
            }

            /// Subtracts, wrapping around, and returns the previous value.
            #[inline]
            pub fn fetch_sub(&self, value: $integer, order: Ordering) -> $integer {
                self.point(OpKind::Update);
                self.seen(self.value.fetch_sub(value, order))
            }

            /// Writes the larger of the two, and returns the previous value.
            #[inline]
            pub fn fetch_max(&self, value: $integer, order: Ordering) -> $integer {
                self.point(OpKind::Update);
                self.seen(self.value.fetch_max(value, order))
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
                self.point(OpKind::Update);
                self.seen(self.value.compare_exchange(current, new, success, failure))
            }

            /// Shows the new value to the watcher; returns `answer`.
            #[inline]
            fn seen<T>(&self, answer: T) -> T {
                self.shown();
                answer
            }

            #[inline]
            fn shown(&self) {
                life::saw(self.label, || self.value.load(Ordering::SeqCst) as u64);
            }

            #[inline]
            fn point(&self, kind: OpKind) {
                life::point(Op::new(kind, self.label, identity(self)));
            }
        }
    };
}

atomic_integer!(AtomicU32, u32);
atomic_integer!(AtomicU64, u64);
atomic_integer!(AtomicUsize, usize);

/// An atomic flag.
#[derive(Debug, Default)]
pub struct AtomicBool {
    label: &'static str,
    value: std::sync::atomic::AtomicBool,
}

impl AtomicBool {
    /// Creates it; `label` names it in simulations.
    #[inline]
    pub const fn new(label: &'static str, value: bool) -> Self {
        Self { label, value: std::sync::atomic::AtomicBool::new(value) }
    }

    /// Reads.
    #[inline]
    pub fn load(&self, order: Ordering) -> bool {
        self.point(OpKind::Load);
        self.value.load(order)
    }

    /// Writes.
    #[inline]
    pub fn store(&self, value: bool, order: Ordering) {
        self.point(OpKind::Store);
        self.value.store(value, order);
    }

    /// Writes, and returns the previous value.
    #[inline]
    pub fn swap(&self, value: bool, order: Ordering) -> bool {
        self.point(OpKind::Update);
        self.value.swap(value, order)
    }

    #[inline]
    fn point(&self, kind: OpKind) {
        life::point(Op::new(kind, self.label, identity(self)));
    }
}
