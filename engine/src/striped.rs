//! Reference counts in stripes.

use std::ops::Deref;

use rt::sync::Arc;
use rt::thread::STRIPES;

/// A striped reference count: a thread that takes a reference counts on the stripe of its own, so that
/// threads do not wait for each other's cache lines.
#[derive(Debug)]
pub(crate) struct StripedArc<T>([Arc<Stripe<T>>; STRIPES]);

/// A stripe of the count, which itself holds one reference. Open transactions and snapshots hold an `Arc` of
/// it.
#[derive(Debug)]
#[repr(align(64))]
pub(crate) struct Stripe<T>(Arc<T>);

impl<T> StripedArc<T> {
    pub(crate) fn new(shared: &Arc<T>) -> Self {
        Self(std::array::from_fn(|_| Stripe::new(shared)))
    }

    /// Returns the stripe of this thread.
    #[inline]
    pub(crate) fn own(&self) -> &Arc<Stripe<T>> {
        &self.0[rt::thread::stripe()]
    }
}

impl<T> Stripe<T> {
    /// Creates a stripe apart, for a thread of the engine's own.
    pub(crate) fn new(shared: &Arc<T>) -> Arc<Self> {
        Arc::new(Self(Arc::clone(shared)))
    }
}

impl<T> Deref for Stripe<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.0
    }
}
