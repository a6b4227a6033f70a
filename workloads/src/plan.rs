//! What clients are going to do, as plain data.
//!
//! Job: a [`Plan`] can be printed, stored in a trace, compared and shrunk: it holds no code and no store.
//! Not its job: running anything (`client`, `interpret`), and deciding what to run (`workload`, `catalogue`).
//!
//! * INV-PLAN-1: every plan that is left when clients, actions or steps are taken away is a legal plan, and
//!   whatever a workload checks holds for it too. So whatever must not be torn apart (a transfer) is one
//!   [`Step`].
//! * INV-PLAN-2: a plan says everything: the same plan and the same schedule give the same history.

use serde::{Deserialize, Serialize};

use crate::history::Session;
use crate::store::Isolation;
pub use crate::store::{Pull, Retry};

/// What a workload does, client by client.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// [`Workload::name`](crate::Workload::name).
    pub workload: String,
    /// [`Workload::parameters`](crate::Workload::parameters).
    pub parameters: serde_json::Value,
    /// Runs first, alone, until its end (also in the next life, if a crash cuts it).
    pub setup: Client,
    /// Run at the same time.
    pub clients: Vec<Client>,
    /// Runs last, alone, after the last recovery: what it reads is the final state.
    pub audit: Client,
}

/// The session of [`Plan::setup`].
pub const SETUP: Session = 0;

/// The session of [`Plan::audit`].
pub const AUDIT: Session = 1;

/// The session of the first of [`Plan::clients`].
pub const FIRST_CLIENT: Session = 2;

/// One client: actions, one after the other.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Client {
    /// Its session in the history. It stays when other clients are taken away.
    pub session: Session,
    /// Of its own random decisions: the jitter of its backoff.
    pub seed: u64,
    /// What it does.
    pub actions: Vec<Action>,
}

/// What a client does next.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Runs a transaction.
    Transaction(Transaction),
    /// Waits.
    Pause {
        /// For how long.
        micros: u64,
    },
    /// Flushes the store.
    Flush,
    /// Begins a run and remembers it.
    BeginRun {
        /// Under this number, which [`Transaction::run`] refers to.
        slot: u32,
        /// The parent, if it is known.
        parent: Option<u32>,
    },
    /// Ends a run. From now on its writes must be refused.
    EndRun {
        /// Which, as [`Action::BeginRun`] remembered it; nothing happens if it is not known.
        slot: u32,
    },
    /// Forgets a run that it has ended. From now on it must not be found.
    ForgetRun {
        /// Which, as [`Action::BeginRun`] remembered it; nothing happens if it is not known, or has not
        /// ended.
        slot: u32,
    },
    /// One item of what the client of an application has to do, in the application's own code. A client of a
    /// workload does nothing here.
    Item {
        /// Which, from 0.
        number: u32,
    },
    /// Watches a part of the store for a while.
    Watch(Watching),
    /// Opens a small database beside the store, adds 1 to its counter, and closes it again.
    Sibling {
        /// Which one.
        name: String,
    },
}

/// What a client watches, and for how long.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watching {
    /// Keys that start with this.
    pub prefix: String,
    /// From where on.
    pub from: WatchingFrom,
    /// Only what is durable.
    pub durable: bool,
    /// As tasks do, by polling.
    pub polled: bool,
    /// Bytes of commits that may wait for the client.
    pub bytes_max: usize,
    /// Ends after this many commits …
    pub commits: u32,
    /// … or when none has come for this long.
    pub micros: u64,
    /// Waits this long after each commit.
    pub pause_micros: u64,
}

/// From where on a client watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WatchingFrom {
    /// From the newest version.
    Now,
    /// From the last version that it has seen, in this life or an earlier one.
    Seen,
    /// From the beginning.
    Start,
}

/// One transaction, and how to run it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Transaction {
    /// The isolation asked for.
    pub isolation: Isolation,
    /// Whether it promises to write nothing.
    pub read_only: bool,
    /// The run that writes, by its slot; the store's default if the slot is empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<u32>,
    /// Whether that run is ended when all steps are done, before the commit, which must then be refused if it
    /// writes.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub ends_run: bool,
    /// Whether that run is forgotten then, too, before the commit.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub forgets_run: bool,
    /// What it does.
    pub steps: Vec<Step>,
    /// Whether it commits.
    pub end: End,
    /// When it is given up.
    pub retry: Retry,
    /// Whether the store's own loop runs it again, where it has one
    /// ([`Store::transaction`](crate::store::Store::transaction)).
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub by_store: bool,
    /// What happens when its commit is never answered.
    pub unanswered: Unanswered,
}

impl Default for Transaction {
    fn default() -> Self {
        Self {
            isolation: Isolation::Serializable,
            read_only: false,
            run: None,
            ends_run: false,
            forgets_run: false,
            steps: Vec::new(),
            end: End::Commit,
            retry: Retry::default(),
            by_store: false,
            unanswered: Unanswered::Skip,
        }
    }
}

/// How a transaction ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// By a commit.
    Commit,
    /// By an abort: nothing of it may be seen, ever.
    Abort,
    /// It is dropped, which is an abort too.
    Drop,
}

/// What a client does about a commit that was never answered (a crash, a failed sync).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unanswered {
    /// Goes on: the transaction happened, or did not.
    Skip,
    /// Runs it again: it finds out by itself whether it has happened.
    Repeat,
}

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
    /// Runs [`Workload::call`](crate::Workload::call): a step of a user's own workload.
    Call {
        /// Tells steps apart; means what the workload wants it to mean.
        name: String,
        /// Of all random decisions in it.
        seed: u64,
    },
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

impl Plan {
    /// Creates an empty plan for `workload`.
    pub fn new(workload: &str, parameters: serde_json::Value) -> Self {
        let alone = |session| Client { session, seed: 0, actions: Vec::new() };
        Self {
            workload: workload.into(),
            parameters,
            setup: alone(SETUP),
            clients: Vec::new(),
            audit: alone(AUDIT),
        }
    }

    /// Returns how many transactions there are, setup and audit included.
    pub fn transactions(&self) -> usize {
        let count = |client: &Client| {
            client.actions.iter().filter(|action| matches!(action, Action::Transaction(_))).count()
        };
        count(&self.setup) + self.clients.iter().map(count).sum::<usize>() + count(&self.audit)
    }

    /// Asks every transaction of the clients for this isolation.
    pub fn set_isolation(&mut self, isolation: Isolation) {
        for action in self.clients.iter_mut().flat_map(|client| &mut client.actions) {
            if let Action::Transaction(transaction) = action {
                transaction.isolation = isolation;
            }
        }
    }
}

impl Transaction {
    /// Creates a serializable transaction of these steps.
    pub fn of(steps: impl IntoIterator<Item = Step>) -> Self {
        Self { steps: steps.into_iter().collect(), ..Self::default() }
    }

    /// Creates a transaction that only reads.
    pub fn reading(steps: impl IntoIterator<Item = Step>) -> Self {
        Self { read_only: true, ..Self::of(steps) }
    }
}

impl From<Transaction> for Action {
    fn from(transaction: Transaction) -> Self {
        Self::Transaction(transaction)
    }
}
