//! Who waits for what, when nobody or too many can go on.

use std::fmt;

/// One task that had not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Its path.
    pub task: String,
    /// What it is about to do, or waits to do.
    pub op: String,
    /// Whether it could run.
    pub runnable: bool,
    /// Whom it waits for: those that hold the lock, or the task that it joins. Empty for a condition variable, which
    /// anybody could notify.
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
    /// Tasks that wait for each other in a circle, each for the next one; empty if there is none.
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
