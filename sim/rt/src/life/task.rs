//! What the life knows about a task.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::op::{FNV_START, Op, OpId, OpKind, stable_hash};

/// A task of a life, numbered in the order in which they were started; 0 is the main task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TaskId(pub u16);

impl TaskId {
    /// The task that runs the body.
    pub const MAIN: Self = Self(0);

    /// As an index into a list of all tasks.
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    /// Returns what identifies the task as the object of an operation: too low for an address.
    pub(crate) const fn object(self) -> usize {
        self.0 as usize + 1
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Whether a task can run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Runnable,
    /// Waits for a lock to be released, or for a task to end.
    Blocked {
        object: usize,
    },
    /// Waits for a notification, or time.
    Waiting {
        object: usize,
        deadline: Option<u64>,
    },
    Ended,
}

#[derive(Debug)]
pub(crate) struct Task {
    /// Where it was started and its name: the same in all interleavings.
    pub(crate) path: &'static str,
    pub(crate) path_hash: u64,
    pub(crate) status: Status,
    /// What it will do when it runs next.
    pub(crate) pending: Op,
    pub(crate) pending_id: OpId,
    /// How often it has come to each operation, by [`OpId`].
    pub(crate) counts: Vec<u32>,
    /// How often it has found that it has to wait there, by [`OpId`].
    blocked_counts: Vec<u32>,
    /// How many scheduling points it has come to.
    pub(crate) steps: u64,
    /// Since which step of the life it has been waiting, and how many steps of its own it had then.
    pub(crate) waits_since: u64,
    pub(crate) waits_at: u64,
    /// Whether its last wait ended because the time was up.
    pub(crate) timed_out: bool,
    /// Whether it is being unwound because the life is over.
    pub(crate) dies: bool,
    /// The operations that took the locks that it holds.
    pub(crate) holds: Vec<Op>,
    /// Names of the tasks that it has started, with how many of each.
    children: Vec<(String, u32)>,
}

impl Task {
    pub(crate) fn new(path: &'static str, start: OpId) -> Self {
        let path_hash = stable_hash(FNV_START, path.as_bytes());
        Self {
            path,
            path_hash,
            status: Status::Runnable,
            pending: Op::new(OpKind::Start, "", 0),
            pending_id: start,
            counts: Vec::new(),
            blocked_counts: Vec::new(),
            steps: 0,
            waits_since: 0,
            waits_at: 0,
            timed_out: false,
            dies: false,
            holds: Vec::new(),
            children: Vec::new(),
        }
    }

    /// Counts an arrival at `op` and returns its number, from 1.
    #[inline]
    pub(crate) fn arrive(&mut self, op: Op, id: OpId) -> u32 {
        self.pending = op;
        self.pending_id = id;
        self.steps += 1;
        count(&mut self.counts, id)
    }

    /// Counts that the task has to wait at `op`, and returns the number of such waits so far.
    pub(crate) fn stop_at(&mut self, op: Op, id: OpId) -> u32 {
        self.pending = op;
        self.pending_id = id;
        count(&mut self.blocked_counts, id)
    }

    /// Returns how often the task has come to its pending operation, or has been `blocked` there.
    pub(crate) fn nth(&self, blocked: bool) -> u32 {
        let counts = if blocked { &self.blocked_counts } else { &self.counts };
        counts.get(usize::from(self.pending_id.0)).copied().unwrap_or(0)
    }

    pub(crate) fn deadline(&self) -> Option<u64> {
        match self.status {
            Status::Waiting { deadline, .. } => deadline,
            _ => None,
        }
    }

    /// Returns the path of a new child: its name, after the path of a parent that is not the main task, and
    /// numbered if there are several of that name.
    pub(crate) fn child_path(&mut self, name: &str, is_main: bool) -> String {
        let mut path = if is_main { name.to_owned() } else { format!("{}/{name}", self.path) };
        if let Some((_, count)) = self.children.iter_mut().find(|(known, _)| known == name) {
            *count += 1;
            path += &format!("#{count}");
        } else {
            self.children.push((name.to_owned(), 1));
        }
        path
    }
}

#[inline]
fn count(counts: &mut Vec<u32>, id: OpId) -> u32 {
    let index = usize::from(id.0);
    if index >= counts.len() {
        counts.resize(index + 16, 0);
    }
    counts[index] += 1;
    counts[index]
}
