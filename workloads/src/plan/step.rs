//! Steps of transactions, as plain data.

use serde::{Deserialize, Serialize};

use crate::act::Act;

use super::Pull;

/// The smallest part of a transaction that can be taken away.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Waits.
    Think {
        /// For how long.
        micros: u64,
    },
    /// Reads a key.
    Get {
        /// Which.
        key: String,
    },
    /// Reads a range.
    Scan {
        /// From this key …
        start: String,
        /// … up to and without this one, or to the end.
        end: Option<String>,
        /// The most entries.
        limit: Option<usize>,
        /// From the end.
        reverse: bool,
    },
    /// Iterates over the keys with a prefix from both ends as asked, and drops the iterator.
    Iterate {
        /// Before each key.
        prefix: String,
        /// What it is asked for.
        pulls: Vec<Pull>,
    },
    /// Moves the first key with a prefix, or the last, to those that were taken: below `taken/`.
    Pop {
        /// Before each key.
        prefix: String,
        /// Whether the last is meant.
        back: bool,
    },
    /// Reads the keys with a prefix page by page.
    ReadPages(Pages),
    /// Writes blindly.
    Put {
        /// Where.
        key: String,
        /// What.
        value: Payload,
    },
    /// Writes many keys at once, each with the transaction's own mark: `prefix` and a number of four digits.
    PutMany {
        /// Before the number.
        prefix: String,
        /// How many.
        count: u32,
        /// Bytes of each value, at least.
        len: usize,
    },
    /// Deletes what [`Step::PutMany`] writes.
    DeleteMany {
        /// Before the number.
        prefix: String,
        /// How many.
        count: u32,
    },
    /// Deletes.
    Delete {
        /// Which.
        key: String,
    },
    /// Writes if the key is absent.
    Insert {
        /// Where.
        key: String,
        /// What.
        value: Payload,
    },
    /// Reads the key's version (its value, where the store has no versions), and writes if that has not
    /// changed.
    Swap {
        /// Where.
        key: String,
        /// What.
        value: Payload,
    },
    /// Adds to a number: reads it (0 if absent), and writes the sum.
    Add {
        /// Where.
        key: String,
        /// How much.
        amount: i64,
    },
    /// Moves money between two numbers, if there is enough.
    Transfer {
        /// From here.
        from: String,
        /// To here.
        to: String,
        /// How much.
        amount: i64,
    },
    /// Takes money from one of several numbers, if all of them together have enough: the number itself may
    /// fall below zero.
    Withdraw {
        /// All of them.
        accounts: Vec<String>,
        /// The one that pays.
        from: String,
        /// How much.
        amount: i64,
    },
    /// Puts a new number into a range, if the sum over the range stays within a limit.
    Book {
        /// All keys that start with this.
        prefix: String,
        /// The new key.
        key: String,
        /// Its number.
        amount: i64,
        /// The limit.
        total_max: i64,
    },
    /// Appends an element to a list that no other append writes.
    Append {
        /// Which list.
        list: String,
    },
    /// Reads a list.
    ReadList {
        /// Which.
        list: String,
    },
    /// Appends an event to an event stream that no other append writes.
    AppendEvent {
        /// Which stream.
        stream: String,
        /// Bytes of payload, at least.
        len: usize,
    },
    /// Reads a whole event stream.
    ReadEvents {
        /// Which.
        stream: String,
        /// Whether the store has to prove it, too.
        verify: bool,
    },
    /// Deletes the first events of a stream, so that the last ones are left, and appends one. Only appends
    /// where the store truncates no streams.
    TruncateEvents {
        /// Which.
        stream: String,
        /// How many are left, at most, before the one that is appended.
        keep: u64,
    },
    /// Reads a whole event stream, and parts of it, which must agree.
    ReadParts {
        /// Which.
        stream: String,
        /// The first event of a part.
        from: u64,
    },
    /// Reads the state of a machine by two functions, which must agree.
    ReadMachineTwice {
        /// Which.
        machine: String,
    },
    /// Creates a state machine without reading it first: refused where there is one.
    CreateMachineUnseen {
        /// Which.
        machine: String,
        /// Its first state.
        state: String,
    },
    /// Takes a machine from one state to another without reading it first: refused in any other state.
    TransitionUnseen {
        /// Which.
        machine: String,
        /// The state that it must be in.
        from: String,
        /// The next one.
        to: String,
    },
    /// Creates a state machine unless it is there.
    CreateMachine {
        /// Which.
        machine: String,
        /// Its first state.
        state: String,
    },
    /// Reads the state of a machine.
    ReadMachine {
        /// Which.
        machine: String,
    },
    /// Takes a state machine one transition further, along its table.
    Advance {
        /// Which.
        machine: String,
        /// All transitions there are: from, to.
        table: Vec<(String, String)>,
        /// Picks among those that are possible.
        choice: u64,
    },
    /// One step of an agent: its machine goes from step to step + 1, an event is appended, the result is
    /// kept. Nothing happens if the step was done before.
    ToolCall {
        /// Whose.
        agent: String,
        /// Which step.
        step: u64,
    },
    /// Puts a job into a queue, unless it has ever been in it.
    Enqueue {
        /// Which queue.
        queue: String,
        /// Which job.
        job: String,
    },
    /// Takes a job that waits, or whose lease is over.
    Lease {
        /// From which queue.
        queue: String,
        /// For how long.
        micros: u64,
    },
    /// Marks the oldest job that this client holds a valid lease of as done.
    Complete {
        /// In which queue.
        queue: String,
    },
    /// Writes a key that expires.
    PutTtl {
        /// Where.
        key: String,
        /// This many milliseconds later.
        ttl_ms: u64,
    },
    /// Reads a key that may expire, twice, with a wait between.
    GetTtl {
        /// Which.
        key: String,
        /// How long the wait is.
        wait_micros: u64,
    },
    /// Does something to a key, by a certain function.
    Act {
        /// To which.
        key: String,
        /// What, and how.
        act: Act,
    },
    /// Does something by a single call to the store, in the middle of the transaction and beside it.
    Nested {
        /// To which key.
        key: String,
        /// What.
        act: Act,
    },
    /// Gives up: the body ends with an error of its own, and nothing of the transaction may be seen.
    GiveUp,
    /// Panics, where the store's own loop runs the transaction; gives up elsewhere.
    Panic,
    /// Runs [`Workload::call`](crate::Workload::call): a step of a user's own workload.
    Call {
        /// Tells steps apart; means what the workload wants it to mean.
        name: String,
        /// Of all random decisions in it.
        seed: u64,
    },
}

impl Step {
    /// Returns whether a store may refuse it, as what it expects need not be so.
    pub(crate) const fn may_be_refused(&self) -> bool {
        matches!(self, Self::TransitionUnseen { .. })
    }

    /// Returns whether it is one that a read-only transaction must refuse.
    pub(crate) fn may_write(&self) -> bool {
        match self {
            Self::Act { act, .. } => act.writes(),
            Self::Think { .. }
            | Self::Get { .. }
            | Self::Scan { .. }
            | Self::ReadList { .. }
            | Self::ReadEvents { .. }
            | Self::ReadMachine { .. }
            | Self::ReadParts { .. }
            | Self::ReadMachineTwice { .. }
            | Self::GetTtl { .. }
            | Self::Nested { .. }
            | Self::GiveUp
            | Self::Panic => false,
            _ => true,
        }
    }
}

/// How a range is read page by page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pages {
    /// Before each key.
    pub prefix: String,
    /// Entries of a page.
    pub size: u32,
    /// The most pages.
    pub pages_max: u32,
    /// From the last key to the first.
    pub reverse: bool,
    /// Whether the pages are compared with a count and a scan, once they come to an end.
    pub check: bool,
}

/// What a step writes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Payload {
    /// This text.
    Text(String),
    /// Bytes that no other step of the history writes (another attempt of the same step included), at least
    /// this many.
    Unique {
        /// Bytes.
        len: usize,
    },
}
