//! The databases, one file each.

#[cfg(feature = "canopydb")]
pub(crate) mod canopydb;
#[cfg(feature = "fjall")]
pub(crate) mod fjall;
#[cfg(feature = "lmdb")]
pub(crate) mod lmdb;
#[cfg(feature = "redb")]
pub(crate) mod redb;
#[cfg(feature = "rocksdb")]
pub(crate) mod rocksdb;
#[cfg(feature = "skipdb")]
pub(crate) mod skipdb;
#[cfg(feature = "sled")]
pub(crate) mod sled;
#[cfg(feature = "sqlite")]
pub(crate) mod sqlite;
pub(crate) mod stormproof;
#[cfg(feature = "surrealkv")]
pub(crate) mod surrealkv;

use crate::engine::Setting;

/// The setting in the words of the peers' crate.
#[cfg_attr(not(feature = "redb"), expect(dead_code, reason = "only peers are opened by it"))]
pub(crate) fn peer_durability(setting: Setting) -> stormproof_peers::Durability {
    match setting {
        Setting::Durable => stormproof_peers::Durability::PerCommit,
        Setting::Later | Setting::LogOnly => stormproof_peers::Durability::Later,
    }
}
