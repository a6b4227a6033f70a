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
use crate::store::{Bytes, RunHandle, StreamEvent, Version, WatchedCommit};

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
    /// Events that clients truncated, as they had read them: by stream, and by where the stream begins then.
    truncated: BTreeMap<(String, u64), Vec<Bytes>>,
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
    /// Creates an empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// Continues where clients were in another process, and writes each [`Page`] to `sink` as a JSON line as
    /// well, at once: what was written down outlives the process.
    pub fn resumed(progress: BTreeMap<Session, Progress>, sink: Box<dyn Write + Send>) -> Self {
        let pages = Pages { progress, sink: Some(sink), ..Pages::default() };
        Self { pages: Arc::new(Mutex::new(pages)) }
    }

    /// Returns all notes so far.
    pub fn notes(&self) -> Vec<Note> {
        self.pages().notes.clone()
    }

    /// Takes the notes, leaving none.
    pub fn take_notes(&self) -> Vec<Note> {
        std::mem::take(&mut self.pages().notes)
    }

    /// Returns how far a client has come, in this life or an earlier one.
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

    /// Remembers the events of a stream that a client is about to truncate.
    pub(crate) fn set_truncated(&self, stream: &str, events: Vec<Bytes>) {
        let before = events.len() as u64;
        self.pages().truncated.insert((stream.to_owned(), before), events);
    }

    /// Returns whether a client ever was about to truncate a stream.
    pub(crate) fn is_truncated(&self, stream: &str) -> bool {
        let from = (stream.to_owned(), 0);
        let next = self.pages().truncated.range(from..).next().map(|((known, _), _)| known == stream);
        next.unwrap_or(false)
    }

    /// Returns a whole stream of which the first events may have been truncated: histories have streams from
    /// their beginning. `None` if it begins where no client has truncated it.
    pub fn whole_stream(&self, stream: &str, events: &[StreamEvent]) -> Option<Vec<Bytes>> {
        let kept = events.iter().map(|event| event.payload.clone());
        let first = events.first().map_or(0, |event| event.sequence);
        if first == 0 {
            return Some(kept.collect());
        }
        let truncated = self.pages().truncated.get(&(stream.to_owned(), first)).cloned()?;
        Some(truncated.into_iter().chain(kept).collect())
    }

    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pages {
    /// Writes a page to the sink. A sink that fails must end the process itself, as no caller could react.
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
    /// The last version that a watch delivered to it.
    #[serde(default)]
    pub watched: Version,
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
    /// In which life it was acked that it is forgotten: for the rest of that life it must not be found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forgotten: Option<Life>,
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
    /// The store said that it takes no writes any more.
    Closed {
        /// Why.
        why: String,
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
    /// The times between which the store's clock stood when a transaction began that touches keys that
    /// expire.
    Begun {
        /// The earliest time that the store may have assumed, and the latest that it ever may have.
        wall: [u64; 2],
    },
    /// The latest that the store's clock can have shown when the commit of such a transaction was acked.
    Acked {
        /// The clock.
        wall: u64,
    },
    /// A stream was to be truncated before this number.
    Truncated {
        /// Which stream.
        stream: String,
        /// Before which event.
        before: u64,
    },
    /// Where a stream began that was or had been truncated.
    Begins {
        /// Which stream.
        stream: String,
        /// With which event.
        first: u64,
    },
    /// A watch begins, or goes on after it was behind.
    WatchBegins {
        /// Of keys that start with this.
        prefix: String,
        /// Whether only of what is durable.
        durable: bool,
        /// After this version.
        after: Version,
        /// Whether it has room for all that is new, and needs nothing else.
        keeps_up: bool,
    },
    /// A watch delivered a commit.
    Watched {
        /// The commit.
        commit: WatchedCommit,
    },
    /// A watch had nothing to deliver.
    WatchQuiet {
        /// When it was asked.
        called: Time,
    },
    /// A watch was behind.
    WatchBehind {
        /// The version at which to read anew.
        read_at: Version,
        /// The version of a snapshot that was taken then.
        shown: Version,
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
