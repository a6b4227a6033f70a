//! A snapshot that is registered for as long as it exists.

use env::UnixMillis;
use rt::sync::Arc;

use super::{Registered, Store};
use crate::striped::Stripe;
use crate::types::Version;

/// A registered snapshot, and the wall time by which it judges expiry.
#[derive(Debug)]
pub(crate) struct OpenSnapshot {
    pub(crate) store: Arc<Stripe<Store>>,
    registered: Registered,
    pub(crate) now: UnixMillis,
}

impl OpenSnapshot {
    #[inline]
    pub(crate) fn new(store: Arc<Stripe<Store>>) -> Self {
        let registered = store.snapshots.register();
        // After the snapshot was registered: see `Store::wall_time`.
        let now = store.wall_time();
        Self { store, registered, now }
    }

    #[inline]
    pub(crate) const fn version(&self) -> Version {
        self.registered.version
    }
}

impl Drop for OpenSnapshot {
    #[inline]
    fn drop(&mut self) {
        if rt::mutant!(ViewKeepsSnapshot) {
            return;
        }
        self.store.snapshots.release(&self.registered);
    }
}
