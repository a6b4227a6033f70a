//! Other embedded databases as [`Store`]s: what workloads are run on beside Stormproof, to judge both alike.
//!
//! Job: open a database with a stated durability, translate calls, values and errors, and say what it
//! promises ([`Peer`]). Not its job: workloads, histories, measurements, or making up for what a database
//! does not do.
//!
//! Each database is one file behind one cargo feature. All but RocksDB are default features. What each store
//! is made of is public (`database()`, `TABLE` and the like), so that benchmarks can call it as its own users
//! would.
//!
//! * INV-PEER-1: a store claims no more than its database documents: an adapter adds no locks, no validation
//!   and no retries. The one exception is said where it is: sled has no interactive transactions.
//! * INV-PEER-2: an error of a commit that may have been applied is [`StoreError::Indeterminate`].
//!
//! [`Store`]: stormproof_workloads::store::Store
//! [`StoreError::Indeterminate`]: stormproof_workloads::store::StoreError::Indeterminate

mod peer;
mod txn;

#[cfg(feature = "canopydb")]
pub mod canopydb;
#[cfg(feature = "fjall")]
pub mod fjall;
#[cfg(feature = "lmdb")]
pub mod lmdb;
#[cfg(feature = "redb")]
pub mod redb;
#[cfg(feature = "rocksdb")]
pub mod rocksdb;
#[cfg(feature = "skipdb")]
pub mod skipdb;
#[cfg(feature = "sled")]
pub mod sled;
#[cfg(feature = "sqlite")]
pub mod sqlite;
#[cfg(feature = "surrealkv")]
pub mod surrealkv;

pub use peer::{Durability, Peer, Writers};
