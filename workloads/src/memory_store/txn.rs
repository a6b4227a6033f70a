//! A transaction of the store in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::table::Value;
use super::{Data, Flaw, MemoryStore};
use crate::store::{
    Bytes, Committed, Conflict, ConflictKind, Entry, Expected, Isolation, Key, Range, Read, Result,
    StoreError, StoreTxn, StreamEvent, TxnOptions, Version, stream_key,
};

pub(super) struct MemoryTxn<'a> {
    store: &'a MemoryStore,
    options: TxnOptions,
    start: Version,
    now: Duration,
    reads: BTreeSet<Key>,
    ranges: Vec<Range>,
    conditions: Vec<(Key, Expected)>,
    writes: BTreeMap<Key, Value>,
    over: bool,
}

impl<'a> MemoryTxn<'a> {
    pub(super) fn new(store: &'a MemoryStore, options: TxnOptions, start: Version, now: Duration) -> Self {
        Self {
            store,
            options,
            start,
            now,
            reads: BTreeSet::new(),
            ranges: Vec::new(),
            conditions: Vec::new(),
            writes: BTreeMap::new(),
            over: false,
        }
    }

    pub(super) fn has(&self, flaw: Flaw) -> bool {
        self.store.has(flaw)
    }

    fn bound(&self) -> Version {
        if self.store.has(Flaw::MovingSnapshot) { Version::MAX } else { self.start }
    }

    /// Returns the time by which keys expire.
    fn time(&self) -> Duration {
        if self.store.has(Flaw::RestlessExpiry) { self.store.now() } else { self.now }
    }

    fn write(&mut self, key: &[u8], value: Value) -> Result<()> {
        self.writable()?;
        self.writes.insert(key.to_vec(), value);
        Ok(())
    }

    fn writable(&self) -> Result<()> {
        if self.options.read_only {
            return Err(StoreError::Refused("the transaction is read-only".into()));
        }
        let state = self.store.state();
        let ended = self.options.run.as_ref().and_then(|run| state.runs.get(run)).is_some_and(|ended| *ended);
        if ended && !self.store.has(Flaw::ZombieRun) {
            return Err(StoreError::Refused("the run has ended".into()));
        }
        Ok(())
    }

    /// Returns every conflict with the newest committed state.
    fn validate(&self, state: &Data) -> Vec<Conflict> {
        let mut conflicts = Vec::new();
        let table = &state.table;
        let newer =
            |key: &[u8]| Some(table.version(key, Version::MAX)).filter(|version| *version > self.start);
        let mut conflict = |kind, key: &Key, winner| {
            conflicts.push(Conflict::new(kind, key.clone(), winner));
        };
        if self.store.has(Flaw::NoValidation) {
            return conflicts;
        }
        let lax = self.store.has(Flaw::NoCasValidation);
        for (key, expected) in self.conditions.iter().filter(|_| !lax) {
            let newest = table.get(key, Version::MAX);
            if !holds(expected, newest, self.now) {
                conflict(ConflictKind::Cas, key, newest.map(|(version, _)| *version));
            }
        }
        for key in self.writes.keys() {
            let conditional = self.conditions.iter().any(|(other, _)| other == key);
            if let Some(winner) = newer(key)
                && !(lax && conditional)
            {
                conflict(ConflictKind::Write, key, Some(winner));
            }
        }
        if self.options.isolation < Isolation::Serializable {
            return conflicts;
        }
        let unread = self.store.has(Flaw::NoReadValidation);
        for key in self.reads.iter().filter(|_| !unread) {
            let conditional = lax && self.conditions.iter().any(|(other, _)| other == key);
            if let Some(winner) = newer(key)
                && !conditional
            {
                conflict(ConflictKind::Read, key, Some(winner));
            }
        }
        let unscanned = self.store.has(Flaw::NoRangeValidation);
        for range in self.ranges.iter().filter(|_| !unscanned) {
            let newest = table.range(range, Version::MAX).max_by_key(|(_, (version, _))| *version);
            if let Some((key, (winner, _))) = newest
                && *winner > self.start
            {
                let of_key = Conflict::new(ConflictKind::Range, key.clone(), Some(*winner));
                conflicts.push(Conflict { range: Some(range.clone()), ..of_key });
            }
        }
        conflicts
    }

    fn install(&mut self, state: &mut Data) -> Version {
        state.version += 1;
        let version = state.version;
        let seventh = state.commits.is_multiple_of(7);
        let half = self.writes.len() / 2;
        let writes = std::mem::take(&mut self.writes);
        for (number, (key, value)) in writes.into_iter().enumerate() {
            if seventh
                && (self.store.has(Flaw::LostCommit) || (self.store.has(Flaw::HalfCommit) && number < half))
            {
                continue;
            }
            if self.store.has(Flaw::NoDelete) && value.bytes.is_none() {
                continue;
            }
            if self.store.has(Flaw::TornInstall) && number < half {
                state.late.push((state.begins + 2, version, key, value));
                continue;
            }
            state.table.install(key, version, value);
        }
        version
    }

    fn own(&self, key: &[u8]) -> Option<Read> {
        let value = self.writes.get(key)?;
        Some(Read { value: value.at(self.now).cloned(), version: None })
    }
}

impl StoreTxn for MemoryTxn<'_> {
    fn start_version(&self) -> Option<Version> {
        Some(self.start)
    }

    fn get(&mut self, key: &[u8]) -> Result<Read> {
        if let Some(own) = self.own(key) {
            return Ok(own);
        }
        self.reads.insert(key.to_vec());
        let time = self.time();
        let state = self.store.state();
        Ok(match state.table.get(key, self.bound()) {
            Some((version, value)) => Read { value: value.at(time).cloned(), version: Some(*version) },
            None => Read { value: None, version: Some(0) },
        })
    }

    fn scan(&mut self, range: &Range, limit: Option<usize>, reverse: bool) -> Result<Vec<Entry>> {
        let time = self.time();
        let state = self.store.state();
        let mut seen: BTreeMap<&Key, (Option<&Bytes>, Option<Version>)> = BTreeMap::new();
        for (key, (version, value)) in state.table.range(range, self.bound()) {
            seen.insert(key, (value.at(time), Some(*version)));
        }
        for (key, value) in self.writes.iter().filter(|(key, _)| range.contains(key)) {
            seen.insert(key, (value.at(self.now), None));
        }
        let live = seen.into_iter().filter_map(|(key, (value, version))| {
            Some(Entry { key: key.clone(), value: value?.clone(), version })
        });
        let mut entries: Vec<_> = live.collect();
        drop(state);
        if reverse {
            entries.reverse();
        }
        // Only what was read can change what was answered.
        let mut looked = range.clone();
        if let Some(limit) = limit
            && entries.len() > limit
        {
            entries.truncate(limit);
            match entries.last() {
                None => looked.end = Some(looked.start.clone()),
                Some(last) if reverse => looked.start = last.key.clone(),
                Some(last) => looked.end = Some([last.key.as_slice(), &[0]].concat()),
            }
        }
        self.ranges.push(looked);
        Ok(entries)
    }

    fn put(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        self.write(key, Value { bytes: Some(value.to_vec()), expires: None })
    }

    fn delete(&mut self, key: &[u8]) -> Result<()> {
        self.write(key, Value { bytes: None, expires: None })
    }

    fn cas(&mut self, key: &[u8], expected: &Expected, value: &[u8]) -> Result<()> {
        let own = self.writes.get(key).map(|value| (0, value.clone()));
        let early = {
            let state = self.store.state();
            holds(expected, own.as_ref().or_else(|| state.table.get(key, self.bound())), self.now)
        };
        if !early {
            let conflict = Conflict::new(ConflictKind::Cas, key.to_vec(), None);
            return Err(StoreError::Conflict(vec![conflict]));
        }
        if own.is_none() {
            self.conditions.push((key.to_vec(), expected.clone()));
        }
        self.put(key, value)
    }

    fn put_with_ttl(&mut self, key: &[u8], value: &[u8], ttl: Duration) -> Result<()> {
        let expires = if self.store.has(Flaw::NoExpiry) {
            None
        } else if self.store.has(Flaw::EarlyExpiry) {
            Some(self.now + ttl / 2)
        } else {
            Some(self.now + ttl)
        };
        self.write(key, Value { bytes: Some(value.to_vec()), expires })
    }

    fn append(&mut self, key: &[u8], element: &[u8]) -> Result<()> {
        let list = self.get(key)?.value.unwrap_or_default();
        let list = self.appended(list, element)?;
        self.put(key, &list)
    }

    fn events(&mut self, stream: &str) -> Result<Vec<StreamEvent>> {
        let (elements, _) = self.list(&stream_key(stream))?;
        Ok(self.numbered(elements))
    }

    fn verify_events(&mut self, stream: &str) -> Result<u64> {
        let (elements, _) = self.list(&stream_key(stream))?;
        Ok(self.proven(elements.len()))
    }

    fn transition(&mut self, machine: &str, from: &str, to: &str) -> Result<()> {
        self.taken(machine, from, to)
    }

    fn commit(mut self: Box<Self>) -> Result<Committed> {
        self.over = true;
        if self.writes.is_empty() {
            return Ok(Committed { version: None, durable: true });
        }
        self.writable()?;
        let store = self.store;
        let mut state = store.state();
        state.commits += 1;
        let mut conflicts = self.validate(&state);
        if self.store.has(Flaw::SpuriousConflict) && state.commits.is_multiple_of(3) {
            let key = self.writes.keys().next().cloned().unwrap_or_default();
            conflicts.push(Conflict::new(ConflictKind::Write, key, Some(state.version)));
        }
        if !conflicts.is_empty() {
            return Err(StoreError::Conflict(conflicts));
        }
        let version = self.install(&mut state);
        Ok(Committed { version: Some(version), durable: true })
    }

    fn abort(self: Box<Self>) {}
}

impl Drop for MemoryTxn<'_> {
    fn drop(&mut self) {
        if !self.over
            && self.store.has(Flaw::LeakyAbort)
            && let Some((key, value)) = self.writes.pop_first()
        {
            let mut state = self.store.state();
            state.version += 1;
            let version = state.version;
            state.table.install(key, version, value);
        }
    }
}

fn holds(expected: &Expected, current: Option<&(Version, Value)>, now: Duration) -> bool {
    let live = current.and_then(|(_, value)| value.at(now));
    match expected {
        Expected::Version(version) => current.map_or(0, |(version, _)| *version) == *version,
        Expected::Value(value) => live == Some(value),
        Expected::Absent => live.is_none(),
    }
}
