//! Wait-for graph of a life that ended in a deadlock, a livelock or starvation.

use std::fmt;

use super::core::Core;
use super::task::{Status, Task};
use crate::op::{Op, OpId};

/// One task that had not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Its path.
    pub task: String,
    /// What it is about to do, or waits to do.
    pub op: String,
    /// Whether it could run.
    pub runnable: bool,
    /// The tasks that it waits for: those that hold the lock, or the one that it joins. Empty for a condition
    /// variable, which any task could notify.
    pub on: Vec<String>,
    /// The locks that it holds.
    pub holds: Vec<String>,
    /// The operation that it did most often, and how often.
    pub most_often: (String, u32),
}

/// All tasks that had not ended, and what they wait for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WaitGraph {
    /// In the order in which they were started.
    pub tasks: Vec<Waiting>,
}

impl WaitGraph {
    /// Returns tasks that wait for each other in a cycle, each for the next one; empty if there is none.
    pub fn cycle(&self) -> Vec<&Waiting> {
        self.tasks
            .iter()
            .map(|start| self.cycle_from(start))
            .find(|cycle| !cycle.is_empty())
            .unwrap_or_default()
    }

    fn cycle_from<'a>(&'a self, start: &'a Waiting) -> Vec<&'a Waiting> {
        let mut path = vec![start];
        loop {
            let Some(next) = path.last().and_then(|last| self.next(last)) else { return Vec::new() };
            if next.task == start.task {
                return path;
            }
            if path.iter().any(|seen| seen.task == next.task) {
                return Vec::new();
            }
            path.push(next);
        }
    }

    fn next(&self, waiting: &Waiting) -> Option<&Waiting> {
        let on = waiting.on.first()?;
        self.tasks.iter().find(|task| task.task == *on)
    }
}

impl fmt::Display for WaitGraph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, waiting) in self.tasks.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            let verb = if waiting.runnable { "is about to" } else { "waits to" };
            write!(f, "{} {verb} {}", waiting.task, waiting.op)?;
            if !waiting.on.is_empty() {
                write!(f, ", held by {}", waiting.on.join(" and "))?;
            }
            if !waiting.holds.is_empty() {
                write!(f, ", and holds {}", waiting.holds.join(" and "))?;
            }
        }
        Ok(())
    }
}

impl Core {
    pub(super) fn wait_graph(&self) -> WaitGraph {
        let unfinished = self.tasks.iter().filter(|task| task.status != Status::Ended);
        WaitGraph { tasks: unfinished.map(|task| self.waiting(task)).collect() }
    }

    fn waiting(&self, task: &Task) -> Waiting {
        let op_text = |id: &OpId| {
            let name = self.ops.name(*id);
            Op::new(name.kind, name.label, 0).to_string()
        };
        let holds = |other: &&Task, object: usize| other.holds.iter().any(|held| held.object == object);
        let on = match task.status {
            Status::Blocked { object } if object <= self.tasks.len() => {
                vec![self.tasks[object - 1].path.to_string()]
            }
            Status::Blocked { object } => {
                let holders = self.tasks.iter().filter(|other| holds(other, object));
                holders.map(|other| other.path.to_string()).collect()
            }
            _ => Vec::new(),
        };
        let often = task.counts.iter().enumerate().max_by_key(|(_, count)| **count);
        let most_often = often.map(|(index, count)| (op_text(&OpId(index as u16)), *count));
        Waiting {
            task: task.path.to_string(),
            op: task.pending.to_string(),
            runnable: task.status == Status::Runnable,
            on,
            holds: task.holds.iter().map(Op::to_string).collect(),
            most_often: most_often.unwrap_or_default(),
        }
    }
}
