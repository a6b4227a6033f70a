//! What clients are going to do, as plain data.
//!
//! Job: a [`Plan`] can be printed, stored in a trace, compared and shrunk: it holds no code and no store.
//! Not its job: running anything (`client`, `interpret`), and deciding what to run (`workload`, `catalogue`).
//!
//! * INV-PLAN-1: every plan that is left when clients, actions or steps are taken away is a legal plan, and
//!   whatever a workload checks holds for it too. So whatever must not be torn apart (a transfer) is one
//!   [`Step`].
//! * INV-PLAN-2: a plan says everything: the same plan and the same schedule give the same history.

mod step;

use serde::{Deserialize, Serialize};

use crate::act::Act;
use crate::history::Session;
use crate::manner::Manner;
use crate::store::{Chore, Isolation};
pub use crate::store::{Pull, Retry};
pub use step::{Pages, Payload, Step};

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
    /// Does something by a single call to the store, outside of a transaction.
    Single {
        /// To which key.
        key: String,
        /// What.
        act: Act,
        /// In the run of this slot. Its own run tells the client which version is its own.
        run: u32,
    },
    /// Has the store do something beside transactions.
    Chore {
        /// What.
        chore: Chore,
    },
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
    /// Through which door, within which limits, and what becomes of its ticket.
    #[serde(skip_serializing_if = "Manner::is_usual")]
    pub manner: Manner,
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
            manner: Manner::default(),
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
