//! All versions of all keys.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::store::{Bytes, Key, Range, Version};

/// What one version of a key is: a value that may expire, or a tombstone.
#[derive(Clone, Debug)]
pub(super) struct Value {
    pub(super) bytes: Option<Bytes>,
    pub(super) expires: Option<Duration>,
}

impl Value {
    /// Returns the bytes, unless they are deleted or have expired.
    pub(super) fn at(&self, now: Duration) -> Option<&Bytes> {
        self.bytes.as_ref().filter(|_| self.expires.is_none_or(|expires| now < expires))
    }
}

/// Keys with their versions, oldest first.
#[derive(Debug, Default)]
pub(super) struct Table {
    keys: BTreeMap<Key, Vec<(Version, Value)>>,
}

impl Table {
    pub(super) fn install(&mut self, key: Key, version: Version, value: Value) {
        let versions = self.keys.entry(key).or_default();
        let at = versions.partition_point(|(other, _)| *other <= version);
        versions.insert(at, (version, value));
    }

    /// Returns the newest version of a key up to `bound`.
    pub(super) fn get(&self, key: &[u8], bound: Version) -> Option<&(Version, Value)> {
        self.keys.get(key)?.iter().rfind(|(version, _)| *version <= bound)
    }

    /// Returns the version of a key up to `bound`, 0 if it never existed.
    pub(super) fn version(&self, key: &[u8], bound: Version) -> Version {
        self.get(key, bound).map_or(0, |(version, _)| *version)
    }

    /// Returns all versions of the keys in `range`, tombstones included, key by key.
    pub(super) fn versions(&self, range: &Range) -> impl Iterator<Item = (&Key, Version, &Value)> {
        let keys = self.keys.range(range.start.clone()..).take_while(|(key, _)| range.contains(key));
        keys.flat_map(|(key, versions)| versions.iter().map(move |(version, value)| (key, *version, value)))
    }

    /// Returns the newest versions of the keys in `range` up to `bound`, tombstones included.
    pub(super) fn range(
        &self,
        range: &Range,
        bound: Version,
    ) -> impl Iterator<Item = (&Key, &(Version, Value))> {
        let keys = self.keys.range(range.start.clone()..).take_while(|(key, _)| range.contains(key));
        keys.filter_map(move |(key, versions)| {
            Some((key, versions.iter().rfind(|(version, _)| *version <= bound)?))
        })
    }
}
