//! How a transaction runs, beyond its isolation: through which door, within which limits, and how it waits.

use serde::{Deserialize, Serialize};

/// How a transaction runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Manner {
    /// Through a view of the whole store in the place of a transaction: reads only, and never a conflict.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub view: Option<ViewBy>,
    /// The loop of the store that runs it, if one does.
    #[serde(skip_serializing_if = "LoopBy::is_usual")]
    pub loop_by: LoopBy,
    /// After which time it must not commit any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_micros: Option<u64>,
    /// How many keys it may write.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub writes_max: Option<usize>,
    /// How many bytes it may write.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes_max: Option<usize>,
    /// What it does with its ticket; `None` leaves that to the store's own settings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ticket: Option<TicketBy>,
    /// Whether the store's own policy decides how often it runs again, and when.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub retries_as_usual: bool,
}

/// How the whole store is viewed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ViewBy {
    /// A snapshot that is held until the end.
    Snapshot,
    /// A backup, which is written at the begin, loses what was not synced, and is opened in its own right.
    Backup,
}

/// The loop that runs a transaction again after a conflict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LoopBy {
    /// With errors of its own, and the commit.
    #[default]
    TryWithCommit,
    /// With errors of its own.
    Try,
    /// With options and the commit.
    WithCommit,
    /// With options.
    With,
    /// Without anything.
    Plain,
}

impl LoopBy {
    fn is_usual(&self) -> bool {
        *self == Self::default()
    }
}

/// What is done with the ticket of a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TicketBy {
    /// It is dropped.
    Drop,
    /// It is waited for.
    Wait,
    /// It is waited for, but not for ever.
    WaitTimeout {
        /// How long.
        micros: u64,
    },
    /// It is polled as a future, until it is ready.
    Poll,
    /// It is polled once, and dropped.
    PollOnce,
    /// The store is asked to wait for the version.
    WaitForVersion,
}

impl Manner {
    /// Whether it is the usual one.
    pub fn is_usual(&self) -> bool {
        *self == Self::default()
    }
}
