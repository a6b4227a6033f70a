//! Stormproof: an embeddable, in-memory-first transactional store.

mod conflict;
mod error;
mod key;
mod run_id;
mod types;
mod value;

pub use conflict::{CasExpectation, ConflictInfo};
pub use error::{Error, Result};
pub use key::{IntoKey, Key, Namespace, TypeTag};
pub use run_id::RunId;
pub use types::{Isolation, Lsn, RunNumber, TxnId, Version};
pub use value::{VALUE_DEPTH_MAX, Value, ValueError};
