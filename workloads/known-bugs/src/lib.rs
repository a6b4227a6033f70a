//! Drives other databases until a publicly known bug of theirs shows: to see that these checks find real
//! bugs, and that the fixed releases are clean under the same seeds.
//!
//! One source, compiled against the releases before and after the fix: a package each, in workspaces of their
//! own, because no workspace can hold two patch releases of one crate. See the README beside it.

#![forbid(unsafe_code)]

#[cfg(feature = "fjall")]
pub mod fjall_failed_write;
#[cfg(feature = "redb")]
pub mod redb_crashes;
#[cfg(feature = "surrealkv")]
pub mod surrealkv_threads;
