//! Observation of a running life, without influence on it.
//!
//! INV-WATCH-1: a watched life is the same life: a watcher is notified of what happens, and decides nothing.
//! So digests agree with and without one, and a report may be made of a run that was not watched before.

use std::fmt;
use std::sync::Arc;

use super::TaskId;
use crate::op::OpKind;

/// Told of everything that happens in a life, in order, on the thread that runs it.
///
/// Its methods are called in the middle of scheduling: they must not call anything of this crate, and must
/// not wait.
pub trait Watcher: Send + Sync {
    /// A task came to a scheduling point, or found there that it has to wait.
    fn step(&self, step: &Step);

    /// An atomic integer was read or written; it is now `value`.
    fn value(&self, label: &'static str, value: u64);
}

/// One scheduling point, as a [`Watcher`] sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Who.
    pub task: TaskId,
    /// The path of the task.
    pub path: &'static str,
    /// What it is about to do …
    pub kind: OpKind,
    /// … and on what.
    pub label: &'static str,
    /// Whether this is the task's first step after it was switched to although the one before could have gone
    /// on.
    pub preempted: bool,
}

/// A watcher in [`super::Settings::watch`].
#[derive(Clone)]
pub struct Watch(pub Arc<dyn Watcher>);

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Watch")
    }
}
