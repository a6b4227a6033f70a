//! Scanning a range through a transaction's own writes.

use std::ops::ControlFlow;

use super::transaction::Transaction;
use crate::commit::BufferedWrite;
use crate::error::Result;
use crate::key::Key;
use crate::range::KeyRange;
use crate::reentry;
use crate::types::Version;
use crate::value::Value;
use crate::value_ref::ValueRef;

/// A key that a scan found.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Entry {
    /// The key.
    pub key: Key,
    /// Its value.
    pub value: Value,
    /// The version of the value; `None` if the transaction itself wrote it.
    pub version: Option<Version>,
}

/// Which keys of a range a scan returns, and in which order.
///
/// ```
/// # let db = stormproof::Database::open_in_memory()?;
/// # let run = db.begin_run()?;
/// # (1..=3_i64).try_for_each(|number| db.put(run, format!("item/{number}"), number))?;
/// # let mut txn = db.begin_transaction(run)?;
/// use stormproof::{KeyRange, ScanOptions};
///
/// let last_two = txn.scan_with(KeyRange::prefix("item/"), ScanOptions::new().reverse().limit(2))?;
/// assert_eq!(last_two[0].value, 3_i64.into());
/// # Ok::<(), stormproof::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScanOptions {
    pub(crate) limit: Option<usize>,
    pub(crate) reverse: bool,
}

impl ScanOptions {
    /// All keys in order.
    pub const fn new() -> Self {
        Self { limit: None, reverse: false }
    }

    /// At most this many keys.
    #[must_use]
    pub const fn limit(mut self, limit: usize) -> Self {
        self.limit = Some(limit);
        self
    }

    /// From the last key to the first.
    #[must_use]
    pub const fn reverse(mut self) -> Self {
        self.reverse = true;
        self
    }
}

impl Transaction {
    /// The keys of a range with their values, in key order: what the snapshot has, and the transaction's own
    /// writes.
    ///
    /// ```
    /// # let db = stormproof::Database::open_in_memory()?;
    /// # let run = db.begin_run()?;
    /// # (1..=3_i64).try_for_each(|number| db.put(run, format!("item/{number}"), number))?;
    /// # let mut txn = db.begin_transaction(run)?;
    /// txn.put("item/4", 4_i64)?;
    /// assert_eq!(txn.scan("item/2"..="item/4")?.len(), 3);
    /// # Ok::<(), stormproof::Error>(())
    /// ```
    ///
    /// # Errors
    /// When the transaction has ended or is past its timeout.
    pub fn scan(&mut self, range: impl Into<KeyRange>) -> Result<Vec<Entry>> {
        self.scan_with(range, ScanOptions::new())
    }

    /// Like [`scan`](Self::scan), from the last key to the first.
    ///
    /// ```
    /// # let db = stormproof::Database::open_in_memory()?;
    /// # let run = db.begin_run()?;
    /// # (1..=3_i64).try_for_each(|number| db.put(run, format!("item/{number}"), number))?;
    /// # let mut txn = db.begin_transaction(run)?;
    /// assert_eq!(txn.scan_reverse("item/".."item/9")?[0].key.user_key(), b"item/3");
    /// # Ok::<(), stormproof::Error>(())
    /// ```
    ///
    /// # Errors
    /// When the transaction has ended or is past its timeout.
    pub fn scan_reverse(&mut self, range: impl Into<KeyRange>) -> Result<Vec<Entry>> {
        self.scan_with(range, ScanOptions::new().reverse())
    }

    /// The keys of the shared namespace that start with `prefix`, in key order.
    ///
    /// ```
    /// # let db = stormproof::Database::open_in_memory()?;
    /// # let run = db.begin_run()?;
    /// # (1..=3_i64).try_for_each(|number| db.put(run, format!("item/{number}"), number))?;
    /// # let mut txn = db.begin_transaction(run)?;
    /// txn.delete("item/1")?;
    /// assert_eq!(txn.scan_prefix("item/")?.len(), 2);
    /// # Ok::<(), stormproof::Error>(())
    /// ```
    ///
    /// # Errors
    /// When the transaction has ended or is past its timeout.
    pub fn scan_prefix(&mut self, prefix: impl AsRef<[u8]>) -> Result<Vec<Entry>> {
        self.scan(KeyRange::prefix(prefix))
    }

    /// Like [`scan`](Self::scan), with a limit or backwards. Only the part of the range that was walked can
    /// conflict.
    ///
    /// ```
    /// # let db = stormproof::Database::open_in_memory()?;
    /// # let run = db.begin_run()?;
    /// # (1..=3_i64).try_for_each(|number| db.put(run, format!("item/{number}"), number))?;
    /// # let mut txn = db.begin_transaction(run)?;
    /// use stormproof::ScanOptions;
    ///
    /// let first = txn.scan_with("item/".., ScanOptions::new().limit(1))?;
    /// assert_eq!(first[0].value, 1_i64.into());
    /// # Ok::<(), stormproof::Error>(())
    /// ```
    ///
    /// # Errors
    /// When the transaction has ended or is past its timeout.
    pub fn scan_with(&mut self, range: impl Into<KeyRange>, options: ScanOptions) -> Result<Vec<Entry>> {
        let mut found = Vec::new();
        self.visit(range, options, |key, value, version| {
            found.push(Entry { key: key.clone(), value: value.to_value(), version });
            ControlFlow::Continue(())
        })?;
        Ok(found)
    }

    /// The keys of the shared namespace that start with `prefix`, without their values.
    ///
    /// ```
    /// # let db = stormproof::Database::open_in_memory()?;
    /// # let run = db.begin_run()?;
    /// # (1..=3_i64).try_for_each(|number| db.put(run, format!("item/{number}"), number))?;
    /// # let mut txn = db.begin_transaction(run)?;
    /// assert_eq!(txn.list("item/")?.len(), 3);
    /// # Ok::<(), stormproof::Error>(())
    /// ```
    ///
    /// # Errors
    /// When the transaction has ended or is past its timeout.
    pub fn list(&mut self, prefix: impl AsRef<[u8]>) -> Result<Vec<Key>> {
        let mut found = Vec::new();
        self.visit(KeyRange::prefix(prefix), ScanOptions::new(), |key, _, _| {
            found.push(key.clone());
            ControlFlow::Continue(())
        })?;
        Ok(found)
    }

    /// How many keys a range has.
    ///
    /// ```
    /// # let db = stormproof::Database::open_in_memory()?;
    /// # let run = db.begin_run()?;
    /// # (1..=3_i64).try_for_each(|number| db.put(run, format!("item/{number}"), number))?;
    /// # let mut txn = db.begin_transaction(run)?;
    /// assert_eq!(txn.len("item/2"..)?, 2);
    /// # Ok::<(), stormproof::Error>(())
    /// ```
    ///
    /// # Errors
    /// When the transaction has ended or is past its timeout.
    pub fn len(&mut self, range: impl Into<KeyRange>) -> Result<usize> {
        let mut count = 0;
        self.visit(range, ScanOptions::new(), |_, _, _| {
            count += 1;
            ControlFlow::Continue(())
        })?;
        Ok(count)
    }

    /// Calls `visit` with key, value and version (`None` for own writes) of the keys of a range, in order,
    /// until it breaks or the limit is reached. Nothing is copied. `visit` should be short, as nothing that
    /// others overwrite meanwhile is freed, and must not use the database.
    ///
    /// ```
    /// # let db = stormproof::Database::open_in_memory()?;
    /// # let run = db.begin_run()?;
    /// # (1..=3_i64).try_for_each(|number| db.put(run, format!("item/{number}"), number))?;
    /// # let mut txn = db.begin_transaction(run)?;
    /// use std::ops::ControlFlow;
    /// use stormproof::{ScanOptions, ValueRef};
    ///
    /// let mut sum = 0;
    /// txn.visit("item/".., ScanOptions::new(), |_, value, _| {
    ///     if let ValueRef::I64(number) = value {
    ///         sum += number;
    ///     }
    ///     ControlFlow::Continue(())
    /// })?;
    /// assert_eq!(sum, 6);
    /// # Ok::<(), stormproof::Error>(())
    /// ```
    ///
    /// # Errors
    /// When the transaction has ended or is past its timeout.
    pub fn visit(
        &mut self,
        range: impl Into<KeyRange>,
        options: ScanOptions,
        mut visit: impl FnMut(&Key, ValueRef<'_>, Option<Version>) -> ControlFlow<()>,
    ) -> Result<()> {
        let range = range.into();
        self.context.check_active()?;
        let mut seen = self.coordinator.hooks.entries();
        let mut visit = |key: &Key, value: ValueRef<'_>, version| {
            seen.add(key, value, version);
            visit(key, value, version)
        };
        let walked = reentry::looking(|| self.walk(&range, options, &mut visit));
        self.coordinator.hooks.scanned(self, &walked, options.reverse, seen);
        self.track_range(walked);
        Ok(())
    }

    /// Returns the part of the range that was walked.
    fn walk(
        &self,
        range: &KeyRange,
        options: ScanOptions,
        visit: &mut impl FnMut(&Key, ValueRef<'_>, Option<Version>) -> ControlFlow<()>,
    ) -> KeyRange {
        let mut own = self.context.writes.in_range(range);
        if options.reverse {
            own.reverse();
        }
        let mut merge = Merge {
            own: own.into_iter().peekable(),
            left: options.limit.unwrap_or(usize::MAX),
            reverse: options.reverse,
            stopped_at: None,
            visit,
        };
        if merge.left == 0 {
            return KeyRange::between(range.start().clone(), range.start().clone());
        }
        let (at, now) = (self.context.start_version, self.context.now);
        self.coordinator.store.index.visit(range, options.reverse, at, now, |key, version, value| {
            merge.own_before(key)?;
            if merge.is_own(key) && !merge.shows_own_delete() {
                return merge.own_instead();
            }
            merge.give(key, value, Some(version))
        });
        while merge.stopped_at.is_none() && merge.own.peek().is_some() {
            let _ = merge.own_next();
        }
        if rt::mutant!(EmptyScanNotTracked) && merge.left == options.limit.unwrap_or(usize::MAX) {
            return KeyRange::between(range.start().clone(), range.start().clone());
        }
        merge.stopped_at.map_or_else(|| range.clone(), |last| range.cut_behind(&last, options.reverse))
    }
}

/// Merges the snapshot's keys with the transaction's own writes, both in scan order.
struct Merge<'a, I: Iterator<Item = (&'a Key, &'a BufferedWrite)>, V> {
    own: std::iter::Peekable<I>,
    left: usize,
    reverse: bool,
    /// The key behind which the scan stopped early.
    stopped_at: Option<Key>,
    visit: &'a mut V,
}

impl<'a, I, V> Merge<'a, I, V>
where
    I: Iterator<Item = (&'a Key, &'a BufferedWrite)>,
    V: FnMut(&Key, ValueRef<'_>, Option<Version>) -> ControlFlow<()>,
{
    /// Gives the own writes that come before `key`.
    fn own_before(&mut self, key: &Key) -> ControlFlow<()> {
        while let Some((own, _)) = self.own.peek()
            && (if self.reverse { *own > key } else { *own < key })
        {
            self.own_next()?;
        }
        ControlFlow::Continue(())
    }

    fn is_own(&mut self, key: &Key) -> bool {
        self.own.peek().is_some_and(|(own, _)| *own == key)
    }

    fn shows_own_delete(&mut self) -> bool {
        rt::mutant!(ScanIgnoresOwnDeletes) && self.own.peek().is_some_and(|(_, own)| own.value.is_none())
    }

    /// Gives the own write to a key that the snapshot has as well.
    fn own_instead(&mut self) -> ControlFlow<()> {
        let flow = self.own_next();
        if rt::mutant!(MergeSkipsOwnWrite) {
            self.own.next();
        }
        flow
    }

    fn own_next(&mut self) -> ControlFlow<()> {
        match self.own.next() {
            Some((key, BufferedWrite { value: Some(value), .. })) => self.give(key, value.into(), None),
            _ => ControlFlow::Continue(()),
        }
    }

    fn give(&mut self, key: &Key, value: ValueRef<'_>, version: Option<Version>) -> ControlFlow<()> {
        self.left -= 1;
        let flow = (self.visit)(key, value, version);
        if flow.is_break() || self.left == 0 {
            self.stopped_at = Some(key.clone());
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    }
}
