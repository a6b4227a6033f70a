//! The buffered writes of a transaction to the keys of a range, from both ends.

use std::cmp::Ordering;

use crate::commit::{BufferedWrite, WriteSet, WritesInRange};
use crate::key::Key;
use crate::range::KeyRange;

/// Writes in key order, each to be taken once. No more are visited than are asked for: a transaction that
/// looks at the first of its many writes again and again would go over all of them each time.
#[derive(Debug, Default)]
pub(super) struct OwnWrites<'a>(Option<Ends<'a>>);

#[derive(Debug)]
struct Ends<'a> {
    writes: &'a WriteSet,
    /// `None` once all are taken.
    front: Option<Write<'a>>,
    between: WritesInRange<'a>,
    /// The last one, once it was asked for.
    back: Option<Write<'a>>,
}

type Write<'a> = (&'a Key, &'a BufferedWrite);

impl<'a> OwnWrites<'a> {
    pub(super) fn new(writes: &'a WriteSet, range: &KeyRange) -> Self {
        if writes.is_empty() {
            return Self::default();
        }
        let mut between = writes.in_range(range);
        Self(Some(Ends { writes, front: between.next(), between, back: None }))
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.0.as_ref().is_none_or(|ends| ends.front.is_none())
    }

    /// Returns how the next write, seen from an end, compares with a key: `Less` comes before it from there.
    /// `None` if there is no write left.
    pub(super) fn order<const BACK: bool>(&mut self, key: &[u8]) -> Option<Ordering> {
        let (own, _) = self.next::<BACK>()?;
        let order = own.as_bytes().cmp(key);
        Some(if BACK { order.reverse() } else { order })
    }

    /// Returns whether the next write, seen from an end, is a delete.
    pub(super) fn is_delete<const BACK: bool>(&mut self) -> bool {
        self.next::<BACK>().is_some_and(|(_, write)| write.value.is_none())
    }

    fn next<const BACK: bool>(&mut self) -> Option<Write<'a>> {
        let ends = self.0.as_mut()?;
        if !BACK {
            return ends.front;
        }
        if ends.back.is_none() {
            ends.back = ends.between.next_back();
        }
        ends.back.or(ends.front)
    }

    /// Takes the next write, seen from an end.
    pub(super) fn take<const BACK: bool>(&mut self) -> Option<Write<'a>> {
        let next = self.next::<BACK>();
        let ends = self.0.as_mut()?;
        if !BACK || ends.back.take().is_none() {
            ends.front = ends.between.next().or_else(|| ends.back.take());
        }
        next
    }

    /// Leaves only the writes to keys of a range, which none of those that were taken are in.
    pub(super) fn narrow(&mut self, range: &KeyRange) {
        if let Some(ends) = &self.0 {
            *self = Self::new(ends.writes, range);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::OwnWrites;
    use crate::commit::{BufferedWrite, WriteSet};
    use crate::key::{Key, TypeTag};
    use crate::range::KeyRange;

    proptest! {
        #[test]
        fn writes_are_taken_once_each_from_either_end(
            numbers in prop::collection::btree_set(any::<u8>(), 0..60),
            ends in prop::collection::vec(any::<(bool, bool)>(), 80),
        ) {
            let key = |number: u8| Key::shared(TypeTag::Kv, &[number]);
            let mut writes = WriteSet::default();
            numbers.iter().for_each(|number| writes.insert(key(*number), BufferedWrite::new(None)));
            let range = KeyRange::between(key(20), key(220));
            let mut expected: VecDeque<Key> =
                numbers.into_iter().map(key).filter(|key| range.contains(key)).collect();
            let mut own = OwnWrites::new(&writes, &range);
            for (from_back, looks_first) in ends {
                prop_assert_eq!(own.is_empty(), expected.is_empty());
                if looks_first {
                    let order = own.order::<true>(key(100).as_bytes());
                    prop_assert_eq!(order, expected.back().map(|last| key(100).cmp(last)));
                }
                let (taken, next) = if from_back {
                    (own.take::<true>(), expected.pop_back())
                } else {
                    (own.take::<false>(), expected.pop_front())
                };
                prop_assert_eq!(taken.map(|(key, _)| key), next.as_ref());
            }
        }
    }
}
