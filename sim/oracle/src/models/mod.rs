//! Checkers for workloads that are no transactions: banks, sets, counters, registers, locks, queues.
//!
//! Job: a history of Jepsen's operations, judged by what its workload promises, in the workload's own words.
//! Not its job: isolation levels of transactions ([`crate::check_input`]).

mod bank;
mod calls;
mod counter;
mod forks;
mod linear;
mod objects;
mod queue;
mod reverse;
mod sets;

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::formats::{Format, FormatError, content};
use crate::report::Conclusion;
use calls::Calls;

/// What a workload promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Model {
    /// `:transfer` between accounts and `:read` of all balances: the total never changes, and no balance is
    /// negative.
    Bank,
    /// `:add` of elements and a final `:read`: every acknowledged element is there, and nothing else.
    Set,
    /// `:add` and many `:read`: an element that was acknowledged or read is in every read that begins later.
    SetFull,
    /// `:add` of numbers and `:read` of their sum: each read lies within what may have been added.
    Counter,
    /// Transactions that write one key or read several: no two readers see two writes in opposite orders.
    LongFork,
    /// `:write` of values and `:read` of all: who sees a write sees those that were acknowledged before it
    /// began.
    CausalReverse,
    /// `:write` of subkeys in order and `:read` in reverse: who misses a subkey misses all later ones.
    Sequential,
    /// `:read`, `:write` and `:cas` of registers: linearizable, key by key.
    CasRegister,
    /// `:acquire` and `:release` of a lock: linearizable.
    Mutex,
    /// `:enqueue` and `:dequeue`, at last all: what was enqueued is dequeued, once.
    Queue,
    /// `:enqueue` and `:dequeue`: linearizable, first in, first out.
    FifoQueue,
}

impl Model {
    /// All models, as named on the command line.
    pub const NAMES: [(&'static str, Self); 11] = [
        ("bank", Self::Bank),
        ("set", Self::Set),
        ("set-full", Self::SetFull),
        ("counter", Self::Counter),
        ("long-fork", Self::LongFork),
        ("causal-reverse", Self::CausalReverse),
        ("sequential", Self::Sequential),
        ("cas-register", Self::CasRegister),
        ("mutex", Self::Mutex),
        ("queue", Self::Queue),
        ("fifo-queue", Self::FifoQueue),
    ];

    /// Returns the name, as on the command line.
    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, model)| *model == self).map_or("", |(name, _)| name)
    }
}

impl fmt::Display for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// An unknown name of a model.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no model \"{0}\"; the models are {names}", names = Model::NAMES.map(|(name, _)| name).join(", "))]
pub struct UnknownModel(pub String);

impl FromStr for Model {
    type Err = UnknownModel;

    fn from_str(name: &str) -> Result<Self, UnknownModel> {
        let found = Self::NAMES.iter().find(|(other, _)| *other == name);
        found.map(|(_, model)| *model).ok_or_else(|| UnknownModel(name.to_owned()))
    }
}

/// A violation of a model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// Its kind, in one or two words.
    pub kind: String,
    /// What happened, with the place of each operation.
    pub message: String,
}

impl Problem {
    fn new(kind: &str, message: String) -> Self {
        Self { kind: kind.to_owned(), message }
    }
}

/// The verdict of a model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelReport {
    /// The model.
    pub model: Model,
    /// The number of operations that were judged.
    pub judged: u64,
    /// The number of operations that were left out, because the model does not have them.
    pub left_out: u64,
    /// What is wrong; the first of many.
    pub problems: Vec<Problem>,
    /// The number of problems in all.
    pub count: u64,
    /// What could not be decided, if anything.
    pub undecided: Option<String>,
}

/// Maximum number of problems that are described.
const PROBLEMS_MAX: usize = 32;

/// Checks a file against a model, with at most `steps_max` steps of search for each object.
///
/// # Errors
/// When it can't be read, is no history of Jepsen, or has a value that the model cannot have: with line and
/// column.
pub fn check_model(
    path: &Path,
    format: Option<Format>,
    model: Model,
    steps_max: u64,
) -> Result<ModelReport, FormatError> {
    let (bytes, format) = content(path, format)?;
    check_model_bytes(&bytes, format, model, steps_max)
}

/// Checks the bytes of a history against a model.
///
/// # Errors
/// As [`check_model`].
pub fn check_model_bytes(
    bytes: &[u8],
    format: Format,
    model: Model,
    steps_max: u64,
) -> Result<ModelReport, FormatError> {
    if !matches!(format, Format::Edn | Format::Json) {
        let message = "a model is checked on a history of Jepsen, in EDN or JSON".to_owned();
        return Err(FormatError { line: 0, column: 0, message });
    }
    let calls = Calls::read(bytes, format == Format::Json)?;
    let mut report = ModelReport {
        model,
        judged: 0,
        left_out: calls.left_out,
        problems: Vec::new(),
        count: 0,
        undecided: None,
    };
    match model {
        Model::Bank => bank::check(&calls, &mut report)?,
        Model::Set => sets::check(&calls, &mut report)?,
        Model::SetFull => sets::check_full(&calls, &mut report)?,
        Model::Counter => counter::check(&calls, &mut report)?,
        Model::LongFork => forks::check(&calls, &mut report)?,
        Model::CausalReverse => reverse::check(&calls, &mut report)?,
        Model::Sequential => reverse::check_sequential(&calls, &mut report)?,
        Model::Queue => queue::check(&calls, &mut report)?,
        Model::CasRegister => objects::registers(&calls, steps_max, &mut report)?,
        Model::Mutex => objects::mutex(&calls, steps_max, &mut report)?,
        Model::FifoQueue => objects::fifo(&calls, steps_max, &mut report)?,
    }
    Ok(report)
}

impl ModelReport {
    fn problem(&mut self, problem: impl FnOnce() -> Problem) {
        self.count += 1;
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push(problem());
        }
    }

    /// Returns what follows from the report.
    pub fn conclusion(&self) -> Conclusion {
        match &self.undecided {
            _ if self.judged == 0 => {
                let why =
                    format!("the file has no operation of a {}, but {} others", self.model, self.left_out);
                Conclusion::NothingJudged(why)
            }
            _ if self.count > 0 => Conclusion::Violated,
            Some(why) => Conclusion::Undecided(why.clone()),
            None => Conclusion::Holds,
        }
    }

    /// Returns the report as text.
    pub fn text(&self) -> String {
        let mut text =
            format!("{}: {} operations judged, {} left out\n", self.model, self.judged, self.left_out);
        for problem in &self.problems {
            text.push_str(&format!("{}: {}\n", problem.kind, problem.message));
        }
        if self.count > self.problems.len() as u64 {
            text.push_str(&format!("and {} more\n", self.count - self.problems.len() as u64));
        }
        match self.conclusion() {
            Conclusion::Holds => text.push_str("holds\n"),
            Conclusion::Violated => text.push_str("VIOLATED\n"),
            Conclusion::Undecided(why) => text.push_str(&format!("undecided: {why}\n")),
            Conclusion::NothingJudged(why) => text.push_str(&format!("nothing was judged: {why}\n")),
        }
        text
    }
}
