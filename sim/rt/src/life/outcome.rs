//! How a life went.

use std::fmt;

use super::trail::Draw;
use super::{Schedule, WaitGraph};
use crate::strategy::{Report, Strategy};
use crate::time::Instant;

/// A panic that came out of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Panic {
    /// Its message.
    pub message: String,
    /// The path of the task.
    pub task: String,
    /// File, line and column; empty if a payload was thrown without a message.
    pub place: String,
}

impl fmt::Display for Panic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} panicked at {}: {}", self.task, self.place, self.message)
    }
}

/// A life that did not come to an end by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepLimit {
    /// How many scheduling points there were.
    pub steps: u64,
    /// For how many of them nothing had come of it, if that is why it was ended.
    pub idle: Option<u64>,
    /// What each task was doing then. If some of them can run, this is a livelock, or work that takes longer.
    pub tasks: WaitGraph,
}

/// A task that waited while others ran, and was not woken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Starved {
    /// Its path.
    pub task: String,
    /// For how many scheduling points.
    pub points: u64,
    /// What each task was doing then.
    pub tasks: WaitGraph,
}

/// How a life ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LifeEnd {
    /// The body returned. Tasks that had not ended by then were cut off, as when a process exits.
    Completed,
    /// It was killed: by [`crate::probe::crash`], or by [`super::Settings::kill`].
    Killed,
    /// No task can run, and no timeout will change that.
    Deadlock(WaitGraph),
    /// It came to [`super::Settings::steps_max`], or got nowhere for longer than
    /// [`super::Settings::progress`] allows.
    StepLimit(StepLimit),
    /// A task waited for longer than [`super::Settings::starvation`] allows.
    Starved(Starved),
    /// A task panicked (see [`super::Settings::panic_ends_life`]).
    Panicked(Panic),
    /// It was given up ([`super::Settings::cancel`]): what it had come to by then means nothing.
    Cancelled,
}

impl fmt::Display for LifeEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Completed => f.write_str("completed"),
            Self::Killed => f.write_str("killed"),
            Self::Cancelled => f.write_str("given up"),
            Self::Deadlock(graph) => write!(f, "deadlock:\n{graph}"),
            Self::StepLimit(limit) => {
                match limit.idle {
                    Some(idle) => {
                        write!(f, "nothing came of {idle} steps, with tasks taking turns in the end:")?
                    }
                    None => write!(f, "no end after {} steps:", limit.steps)?,
                }
                write!(f, "\n{}", limit.tasks)?;
                for task in &limit.tasks.tasks {
                    let (op, count) = &task.most_often;
                    write!(f, "\n{} did {op} {count} times", task.task)?;
                }
                Ok(())
            }
            Self::Starved(starved) => write!(
                f,
                "{} was not woken for {} steps, while others went on:\n{}",
                starved.task, starved.points, starved.tasks
            ),
            Self::Panicked(panic) => panic.fmt(f),
        }
    }
}

/// How a life went.
#[derive(Debug)]
pub struct LifeOutcome {
    /// How it ended.
    pub end: LifeEnd,
    /// A hash over every scheduling point (task, operation, occurrence) and every decision, in order: two
    /// lives with the same digest did the same. The same in every process and on every machine.
    pub digest: u64,
    /// A hash over the switches only: lives that differ in it interleaved differently.
    pub interleaving: u64,
    /// Scheduling points.
    pub steps: u64,
    /// How often another task went on than the one before.
    pub switches: u64,
    /// How many of those were forced on a task that could have gone on.
    pub preemptions: u64,
    /// Virtual time at the end.
    pub time: Instant,
    /// The marks of [`crate::reached!`] that were passed, with how often, sorted.
    pub reached: Vec<(&'static str, u64)>,
    /// All panics that came out of tasks, whether or not they ended the life.
    pub panics: Vec<Panic>,
    /// How many tasks had not ended.
    pub unfinished: usize,
    /// All that was decided.
    pub schedule: Schedule,
    /// See [`LifeOutcome::trail`].
    pub(crate) trail: Vec<Draw>,
    /// What the strategy has to say.
    pub report: Report,
    /// The strategy, for the next life.
    pub strategy: Box<dyn Strategy>,
}
