//! What clients write down that is not part of the history, but that workloads and hosts need.
//!
//! Job: keep [`Note`]s for the workload's own checks, and [`Progress`] so that the next life goes on where
//! the last one was cut.

#![expect(
    clippy::disallowed_types,
    reason = "bookkeeping outside of the simulated world: held for a push only, so no interleaving depends on it"
)]

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use crate::history::{Life, Session, Time, TxnIndex};
use crate::store::RunHandle;

/// Shared by all clients, over all lives; clones write into the same one. Its lock is never held while a
/// store is called.
#[derive(Clone, Debug, Default)]
pub struct Notebook {
    pages: Arc<Mutex<Pages>>,
}

#[derive(Default)]
struct Pages {
    notes: Vec<Note>,
    progress: BTreeMap<Session, Progress>,
    sink: Option<Box<dyn Write + Send>>,
}

impl std::fmt::Debug for Pages {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pages").field("notes", &self.notes).field("progress", &self.progress).finish()
    }
}

/// Something that was written into a notebook, as a sink gets it: one JSON line each.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "page", rename_all = "snake_case")]
pub enum Page {
    /// A note.
    Note {
        /// What it says.
        note: Note,
    },
    /// How far a client is now.
    Progress {
        /// Which client.
        session: Session,
        /// How far.
        progress: Progress,
    },
}

impl Notebook {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// Goes on where clients were in another process, and writes each [`Page`] to `sink` as a JSON line as
    /// well, at once: what was written down outlives the process.
    pub fn resumed(progress: BTreeMap<Session, Progress>, sink: Box<dyn Write + Send>) -> Self {
        let pages = Pages { notes: Vec::new(), progress, sink: Some(sink) };
        Self { pages: Arc::new(Mutex::new(pages)) }
    }

    /// All notes so far.
    pub fn notes(&self) -> Vec<Note> {
        self.pages().notes.clone()
    }

    /// Takes the notes, leaving none.
    pub fn take_notes(&self) -> Vec<Note> {
        std::mem::take(&mut self.pages().notes)
    }

    /// How far a client has come, in this life or an earlier one.
    pub fn progress(&self, session: Session) -> Progress {
        self.pages().progress.get(&session).cloned().unwrap_or_default()
    }

    pub(crate) fn note(&self, note: Note) {
        let mut pages = self.pages();
        pages.write(|| Page::Note { note: note.clone() });
        pages.notes.push(note);
    }

    pub(crate) fn set_progress(&self, session: Session, progress: &Progress) {
        let mut pages = self.pages();
        pages.write(|| Page::Progress { session, progress: progress.clone() });
        pages.progress.insert(session, progress.clone());
    }

    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pages {
    /// A sink that fails has to end the process by itself: no caller is left to tell.
    fn write(&mut self, page: impl FnOnce() -> Page) {
        if let Some(sink) = &mut self.sink {
            let done: io::Result<()> = serde_json::to_writer(&mut *sink, &page())
                .map_err(io::Error::from)
                .and_then(|()| sink.write_all(b"\n"));
            let _ = done;
        }
    }
}

/// How far a client is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Index of the action that is next, or under way.
    pub next: usize,
    /// Attempts of it that were made.
    pub attempts: u32,
    /// Whether its commit was called and not answered.
    pub committing: bool,
    /// The runs that it began, by slot.
    pub runs: Vec<HeldRun>,
}

/// A run that a client began.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldRun {
    /// Which slot it is in.
    pub slot: u32,
    /// Its name.
    pub run: RunHandle,
    /// Whether its end was asked for: from then on its writes may be refused.
    pub ending: bool,
    /// In which life its end was acked: for the rest of that life its writes must be refused.
    pub ended: Option<Life>,
}

/// Something that is not part of the history, but that a workload's own checks need.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// Whose.
    pub session: Session,
    /// In which transaction.
    pub txn: Option<TxnIndex>,
    /// When, in the order of events.
    pub at: Time,
    /// What.
    pub what: NoteKind,
}

/// What a [`Note`] says. Times are in microseconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoteKind {
    /// A client saw by itself that a promise was broken.
    Broken {
        /// Which promise.
        rule: String,
        /// What it saw.
        message: String,
    },
    /// The store refused an operation.
    Refused {
        /// Index of the action.
        action: usize,
        /// Why.
        error: String,
        /// Whether it had to.
        expected: bool,
    },
    /// An action is over.
    Finished {
        /// Index of the action.
        action: usize,
        /// Attempts it took.
        attempts: u32,
        /// Time it took, waits included.
        micros: u64,
        /// How it ended.
        ending: Ending,
    },
    /// Between which times the store's clock stood when a transaction began that touches keys that expire.
    Begun {
        /// The clock.
        wall: [u64; 2],
    },
    /// The latest that the store's clock can have shown when the commit of such a transaction was acked.
    Acked {
        /// The clock.
        wall: u64,
    },
    /// A sibling database was opened, its counter raised, and closed.
    Sibling {
        /// Which one.
        name: String,
        /// What the counter was, unless opening or reading failed.
        found: Option<i64>,
        /// Whether the commit was called.
        invoked: bool,
        /// Whether commit and close were acked.
        acked: bool,
        /// The first error.
        error: Option<String>,
    },
}

/// How an action ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// Acked, or done.
    Done,
    /// Aborted because the client wished it.
    Aborted,
    /// Given up after the last attempt.
    GaveUp,
    /// Never answered.
    Unanswered,
    /// Refused.
    Refused,
}
