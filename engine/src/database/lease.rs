//! What transactions and views hold the database by.

use std::ops::Deref;

use rt::sync::Arc;

use super::inner::Inner;

/// A share in the database. Transactions and views count on the lease of their thread's stripe, so that threads do not
/// wait for each other's cache lines; the leases count on the database.
#[derive(Debug)]
#[repr(align(64))]
pub(crate) struct Lease(Arc<Inner>);

impl Lease {
    pub(crate) fn new(inner: &Arc<Inner>) -> Arc<Self> {
        Arc::new(Self(Arc::clone(inner)))
    }
}

impl Deref for Lease {
    type Target = Inner;

    #[inline]
    fn deref(&self) -> &Inner {
        &self.0
    }
}

/// A lease for each stripe.
#[derive(Debug)]
pub(super) struct Leases([Arc<Lease>; rt::thread::STRIPES]);

impl Leases {
    pub(super) fn new(inner: &Arc<Inner>) -> Self {
        Self(std::array::from_fn(|_| Lease::new(inner)))
    }

    /// That of this thread.
    #[inline]
    pub(super) fn own(&self) -> &Arc<Lease> {
        &self.0[rt::thread::stripe()]
    }
}
