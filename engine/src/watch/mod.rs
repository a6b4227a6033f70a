//! Watching: every commit that touched a range, in commit order, whole, and without a hole.
//!
//! Job: copy what a commit wrote to watched ranges ([`Watchers`], which the commit leader owns), keep it for
//! each reader within bounds ([`WatchQueue`]), read what has not been kept from the log ([`LogCursor`]), and
//! hand it out ([`Watch`]). Not its job: deciding what is committed, published or durable.
//!
//! ```text
//! commit leader ── stage, and deliver after the publish ──► queue of each watch ──► reader
//!                                          log, since the last checkpoint ──► reader that asks for more
//! ```
//! * INV-WATCHING-1: nothing is delivered that is not published; a group that failed leaves nothing (N2).
//! * INV-WATCHING-2: a queue holds commits in commit order, each with all that it wrote to the range (N1).
//! * INV-WATCHING-3: what a queue has no room for is remembered as missed: a reader gets it from the log, or
//!   gets an error at a gap, and nothing after it before it has acknowledged the gap (N3).
//! * INV-WATCHING-4: without a watch a commit pays for reading one field of the leader, and nothing else
//!   (N4).

mod commit;
mod options;
mod queue;
mod watchers;
mod cursor;
mod reader;
#[cfg(feature = "futures")]
mod stream;

#[cfg(test)]
mod tests;

pub use commit::{WatchedCommit, WatchedWrite};
pub use options::WatchOptions;
pub(crate) use queue::WatchQueue;
pub use reader::Watch;
#[cfg(feature = "futures")]
pub use stream::WatchStream;
pub(crate) use watchers::Watchers;
