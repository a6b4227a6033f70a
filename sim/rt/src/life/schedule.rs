//! What was decided: raw, for exact replay on the same code, and by name, for replay after the code has
//! changed.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::injected_event::RawInjectedEvent;
use super::{InjectedEvent, TaskId};
use crate::op::{OpId, OpKind, OpName, write_op};

/// A scheduling point by names, which stay when code elsewhere changes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PointKey {
    /// The path of the task: its name, after the paths of those that started it (`client-1`,
    /// `committer/helper#2`).
    pub task: String,
    /// The operation that the task is about to do (`lock commit.queue`); with `blocked` before it, the moment
    /// at which it found that it has to wait.
    pub op: String,
    /// How often this task had come to this operation, or had had to wait there, this time included.
    pub nth: u32,
}

impl fmt::Display for PointKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} before {:?} no. {}", self.task, self.op, self.nth)
    }
}

/// A decision that the default (go on with the same task; if it can't, with the next one in order) would not
/// have taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForcedSwitch {
    /// When this task comes to this point …
    pub at: PointKey,
    /// … the task of this path runs next.
    pub to: String,
}

impl fmt::Display for ForcedSwitch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} → {}", self.at, self.to)
    }
}

/// One raw decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// How many scheduling points after the decision before it.
    pub after: u64,
    /// Who runs next.
    pub to: TaskId,
}

/// Raw decisions in order, as text `after:task after:task …`. At all other points the task that ran goes on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Decisions(pub Vec<Decision>);

impl fmt::Display for Decisions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, decision) in self.0.iter().enumerate() {
            let space = if index == 0 { "" } else { " " };
            write!(f, "{space}{}:{}", decision.after, decision.to)?;
        }
        Ok(())
    }
}

/// Text that is not a list of decisions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadDecision(String);

impl fmt::Display for BadDecision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is not a decision: write steps:task, as in 12:3", self.0)
    }
}

impl std::error::Error for BadDecision {}

impl FromStr for Decisions {
    type Err = BadDecision;

    fn from_str(text: &str) -> Result<Self, BadDecision> {
        let decision = |word: &str| {
            let (after, to) = word.split_once(':')?;
            Some(Decision { after: after.parse().ok()?, to: TaskId(to.parse().ok()?) })
        };
        let decisions =
            text.split_whitespace().map(|word| decision(word).ok_or(BadDecision(word.to_owned())));
        decisions.collect::<Result<_, _>>().map(Self)
    }
}

impl TryFrom<String> for Decisions {
    type Error = BadDecision;

    fn try_from(text: String) -> Result<Self, BadDecision> {
        text.parse()
    }
}

impl From<Decisions> for String {
    fn from(decisions: Decisions) -> Self {
        decisions.to_string()
    }
}

/// All that was decided in a life.
#[derive(Clone, Debug, Default)]
pub struct Schedule {
    /// Raw.
    pub decisions: Decisions,
    pub(crate) forced_switches: Vec<RawForcedSwitch>,
    pub(crate) injected_events: Vec<RawInjectedEvent>,
    pub(crate) tasks: Vec<&'static str>,
    pub(crate) ops: Arc<[OpName]>,
}

impl Schedule {
    /// Returns the decisions that differ from the default, by name. With the injected events and the same
    /// settings, whatever their seed, they determine the life.
    pub fn forced_switches(&self) -> Vec<ForcedSwitch> {
        self.forced_switches.iter().map(|raw| self.force(raw)).collect()
    }

    /// Returns how many decisions differ from the default.
    pub fn forced_switches_len(&self) -> usize {
        self.forced_switches.len()
    }

    /// Returns the paths of all tasks, in the order in which they were started.
    pub fn tasks(&self) -> &[&'static str] {
        &self.tasks
    }

    /// Returns what happened by chance, by name.
    pub fn injected_events(&self) -> Vec<InjectedEvent> {
        let named = |raw: &RawInjectedEvent| {
            raw.what.named(self.key(raw.task, raw.op, raw.nth, raw.blocked), |task| self.path(task))
        };
        self.injected_events.iter().map(named).collect()
    }

    fn force(&self, raw: &RawForcedSwitch) -> ForcedSwitch {
        ForcedSwitch { at: self.key(raw.task, raw.op, raw.nth, raw.blocked), to: self.path(raw.to) }
    }

    pub(super) fn key(&self, task: TaskId, op: OpId, nth: u32, blocked: bool) -> PointKey {
        let name = &self.ops[usize::from(op.0)];
        PointKey { task: self.path(task), op: op_text(name.kind, name.label, blocked), nth }
    }

    pub(super) fn path(&self, task: TaskId) -> String {
        self.tasks[task.index()].to_string()
    }
}

/// A [`ForcedSwitch`] in numbers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RawForcedSwitch {
    pub(crate) task: TaskId,
    pub(crate) op: OpId,
    pub(crate) nth: u32,
    pub(crate) blocked: bool,
    pub(crate) to: TaskId,
}

/// Returns an operation as in [`PointKey::op`].
pub(crate) fn op_text(kind: OpKind, label: &str, blocked: bool) -> String {
    let mut text = String::from(if blocked { "blocked " } else { "" });
    write_op(&mut text, kind, label).expect("writing to a string does not fail");
    text
}
