//! Runs: sessions of agents, by which versions say who wrote them.
//!
//! A run's record is data like any other, under a key of the system's namespace, so it commits, is logged and
//! recovers as everything else does. Beside it stands a table in memory, which follows every commit of such a
//! record: by it a transaction finds its run without a read, and the commit leader sees in commit order
//! whether a run has ended.

use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash, Hasher};

use env::UnixMillis;
use foldhash::fast::FixedState;
use rt::lockfree::Table;
use rt::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use rt::sync::{Arc, RwLock};

use crate::error::{Error, Result};
use crate::key::{Key, TypeTag};
use crate::run_id::RunId;
use crate::types::RunNumber;
use crate::value::Value;

/// Whether a run may write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RunStatus {
    /// May write.
    Active,
    /// May read only.
    Ended,
}

/// The record of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RunRecord {
    /// Its name.
    pub id: RunId,
    /// Its short name in this database.
    pub number: RunNumber,
    /// Whether it may write.
    pub status: RunStatus,
    /// The run that it was begun from, if any.
    pub parent: Option<RunId>,
    /// Labels that its owner gave it.
    pub tags: BTreeMap<String, String>,
    /// When it began.
    pub started: UnixMillis,
    /// When it ended.
    pub ended: Option<UnixMillis>,
}

/// Id, parent and tags of a run that is about to begin.
///
/// ```
/// # let db = stormproof::Database::open_in_memory()?;
/// # let run = db.begin_run()?;
/// use stormproof::{RunId, RunOptions};
///
/// let id = RunId::from_bytes([7; 16]);
/// let child = db.begin_run_with(RunOptions::new().id(id).parent(run).tag("task", "summary"))?;
/// assert_eq!(child, id);
/// assert_eq!(db.run(id)?.tags["task"], "summary");
/// # Ok::<(), stormproof::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunOptions {
    pub(crate) id: Option<RunId>,
    pub(crate) parent: Option<RunId>,
    pub(crate) tags: BTreeMap<String, String>,
}

impl RunOptions {
    /// Creates options for a run with a fresh id, no parent and no tags.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the id, instead of a fresh one.
    #[must_use]
    pub const fn id(mut self, id: RunId) -> Self {
        self.id = Some(id);
        self
    }

    /// Sets the run from which it is begun.
    #[must_use]
    pub const fn parent(mut self, parent: RunId) -> Self {
        self.parent = Some(parent);
        self
    }

    /// Adds a tag.
    #[must_use]
    pub fn tag(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.tags.insert(name.into(), value.into());
        self
    }
}

/// A run, as transactions name it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RunRef {
    pub(crate) id: RunId,
    pub(crate) number: RunNumber,
}

impl RunRef {
    /// The database itself, as whom run records are written and expired keys are swept.
    pub(crate) const SYSTEM: Self = Self { id: RunId::from_bytes([0; 16]), number: RunNumber::ZERO };

    /// Returns whether it is the database itself.
    #[inline]
    pub(crate) fn is_system(self) -> bool {
        self.number == RunNumber::ZERO
    }
}

/// A run, as the table keeps it.
#[derive(Debug)]
struct RunEntry {
    id: RunId,
    number: RunNumber,
    ended: AtomicBool,
}

/// A run, found by its id.
#[derive(Clone, Debug)]
struct ById(Arc<RunEntry>);

impl Borrow<RunId> for ById {
    fn borrow(&self) -> &RunId {
        &self.0.id
    }
}

impl PartialEq for ById {
    fn eq(&self, other: &Self) -> bool {
        self.0.id == other.0.id
    }
}

impl Eq for ById {}

impl Hash for ById {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.id.hash(state);
    }
}

/// All runs of a database, by id and by number. Only the commit leader changes it.
///
/// INV-RUN-1: a number that was given to a run is given to no other, even if the first is forgotten.
#[derive(Debug)]
pub(crate) struct RunTable {
    by_id: Table<ById, FixedState>,
    /// The highest number that was ever in use.
    last_number: AtomicU64,
    numbers: RwLock<Numbers>,
}

/// Runs by number, and those that have ended by the time of their end.
#[derive(Debug, Default)]
struct Numbers {
    runs: BTreeMap<RunNumber, (RunId, Option<UnixMillis>)>,
    ended: BTreeSet<(UnixMillis, RunNumber)>,
}

impl Numbers {
    fn set(&mut self, number: RunNumber, id: RunId, ended: Option<UnixMillis>) {
        self.remove(number);
        self.runs.insert(number, (id, ended));
        self.ended.extend(ended.map(|at| (at, number)));
    }

    fn remove(&mut self, number: RunNumber) {
        if let Some((_, Some(at))) = self.runs.remove(&number) {
            self.ended.remove(&(at, number));
        }
    }
}

impl RunTable {
    /// Creates an empty table. The seed is that of the database, so that no one can choose ids that collide.
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            by_id: Table::new("runs", FixedState::with_seed(seed), 0),
            last_number: AtomicU64::new("runs.last_number", 0),
            numbers: RwLock::new("runs.by_number", Numbers::default()),
        }
    }

    #[inline]
    pub(crate) fn find(&self, id: RunId) -> Result<RunRef> {
        let found = self.by_id.with(&id, |run| RunRef { id, number: run.0.number });
        found.ok_or(Error::RunNotFound(id))
    }

    /// Returns a run that may write.
    #[inline]
    pub(crate) fn find_active(&self, id: RunId) -> Result<RunRef> {
        let found = self.by_id.with(&id, |run| (RunRef { id, number: run.0.number }, run.0.has_ended()));
        match found {
            Some((run, false)) => Ok(run),
            Some((_, true)) => Err(Error::RunEnded(id)),
            None => Err(Error::RunNotFound(id)),
        }
    }

    /// Returns whether a run has ended, in commit order if the commit leader asks. One that is forgotten has,
    /// also if another was begun with its id.
    #[inline]
    pub(crate) fn has_ended(&self, run: RunRef) -> bool {
        let has_ended = |found: &ById| found.0.number != run.number || found.0.has_ended();
        !run.is_system() && self.by_id.with(&run.id, has_ended).unwrap_or(!rt::mutant!(ForgottenRunWrites))
    }

    pub(crate) fn id_of(&self, number: RunNumber) -> Option<RunId> {
        self.numbers.read().runs.get(&number).map(|(id, _)| *id)
    }

    /// Returns the highest number that was ever in use.
    pub(crate) fn last_number(&self) -> RunNumber {
        RunNumber::new(self.last_number.load(Ordering::SeqCst))
    }

    /// Returns runs that ended so long ago, or with this many others after them, that they are not kept: the
    /// first `limit`.
    pub(crate) fn superfluous(&self, kept_max: usize, until: Option<UnixMillis>, limit: usize) -> Vec<RunId> {
        let numbers = self.numbers.read();
        if rt::mutant!(LiveRunForgotten) {
            let many = numbers.runs.len().saturating_sub(kept_max.max(3));
            return numbers.runs.values().take(many.min(limit)).map(|(id, _)| *id).collect();
        }
        let many = numbers.ended.len().saturating_sub(kept_max);
        let ended = numbers.ended.iter().enumerate();
        let superfluous = ended
            .take_while(|(nth, (at, _))| *nth < many || until.is_some_and(|until| *at <= until))
            .filter_map(|(_, (_, number))| numbers.runs.get(number));
        superfluous.take(limit).map(|(id, _)| *id).collect()
    }

    /// Undoes what [`follow`](Self::follow) did for a write that failed; `before` is what the key holds
    /// again.
    pub(crate) fn roll_back(&self, key: &Key, before: Option<&Value>) {
        self.follow(key, before);
    }

    /// Follows a write to a key of the system that is about to be installed, or was recovered.
    pub(crate) fn follow(&self, key: &Key, value: Option<&Value>) {
        if let Some(number) = RunRecord::number_of(key) {
            self.last_number.fetch_max(number.get(), Ordering::SeqCst);
        }
        let (Some(TypeTag::Run), Ok(id)) = (key.tag(), <[u8; 16]>::try_from(key.user_key())) else { return };
        match value.and_then(|value| RunRecord::decode(key, value)) {
            Some(record) => self.set(&record),
            None => self.forget(RunId::from_bytes(id)),
        }
    }

    fn set(&self, record: &RunRecord) {
        self.last_number.fetch_max(record.number.get(), Ordering::SeqCst);
        self.numbers.write().set(record.number, record.id, record.ended);
        let has_ended = record.status == RunStatus::Ended;
        let known = self.by_id.with(&record.id, |run| {
            let is_same = run.0.number == record.number;
            if is_same {
                run.0.ended.store(has_ended, Ordering::SeqCst);
            }
            is_same
        });
        if known != Some(true) {
            self.by_id.remove(&record.id);
            let ended = AtomicBool::new("run.ended", has_ended && !rt::mutant!(EndedRunRevives));
            self.by_id.insert(ById(Arc::new(RunEntry { id: record.id, number: record.number, ended })));
        }
    }

    fn forget(&self, id: RunId) {
        if let Ok(run) = self.find(id) {
            self.by_id.remove(&id);
            self.numbers.write().remove(run.number);
        }
    }
}

impl RunEntry {
    fn has_ended(&self) -> bool {
        self.ended.load(Ordering::SeqCst)
    }
}

impl RunRecord {
    /// Returns the key under which a run's record is.
    pub(crate) fn key(id: RunId) -> Key {
        Key::system(TypeTag::Run, id.as_bytes())
    }

    /// Returns the key that reserves a run's number. That of the last run stays when the run is forgotten.
    pub(crate) fn number_key(number: RunNumber) -> Key {
        Key::system(TypeTag::State, &number.get().to_be_bytes())
    }

    /// Returns which number a key of the system reserves, if it does.
    fn number_of(key: &Key) -> Option<RunNumber> {
        let is_number = key.is_system() && key.tag() == Some(TypeTag::State);
        key.last_number().filter(|_| is_number).map(RunNumber::new)
    }

    pub(crate) fn encode(&self) -> Value {
        let number = |number: u64| Value::I64(i64::try_from(number).unwrap_or(i64::MAX));
        let mut fields = BTreeMap::from([
            ("number".to_owned(), number(self.number.get())),
            ("started".to_owned(), number(self.started.0)),
        ]);
        if let Some(ended) = self.ended {
            fields.insert("ended".to_owned(), number(ended.0));
        }
        if let Some(parent) = self.parent {
            fields.insert("parent".to_owned(), Value::from(parent.as_bytes()));
        }
        if !self.tags.is_empty() {
            let tags = self.tags.iter().map(|(name, value)| (name.clone(), Value::from(value))).collect();
            fields.insert("tags".to_owned(), Value::Map(tags));
        }
        Value::from(fields)
    }

    pub(crate) fn decode(key: &Key, value: &Value) -> Option<Self> {
        let Value::Map(fields) = value else { return None };
        let number = |name: &str| match fields.get(name) {
            Some(Value::I64(number)) => u64::try_from(*number).ok(),
            _ => None,
        };
        let parent = match fields.get("parent") {
            Some(Value::Bytes(bytes)) => <[u8; 16]>::try_from(bytes.as_ref()).ok().map(RunId::from_bytes),
            _ => None,
        };
        let mut tags = BTreeMap::new();
        if let Some(Value::Map(found)) = fields.get("tags") {
            for (name, value) in found {
                if let Value::String(text) = value {
                    tags.insert(name.clone(), text.clone());
                }
            }
        }
        let ended = number("ended").map(UnixMillis);
        Some(Self {
            id: RunId::from_bytes(<[u8; 16]>::try_from(key.user_key()).ok()?),
            number: RunNumber::new(number("number")?),
            status: if ended.is_some() { RunStatus::Ended } else { RunStatus::Active },
            parent,
            tags,
            started: UnixMillis(number("started")?),
            ended,
        })
    }
}
