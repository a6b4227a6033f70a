//! A node of the directory: separators, and the numbers of what lies between them.

use super::page::{compare, is_same};
use super::record::padded;

/// Children between separators: child `i` holds the keys from separator `i - 1` up to, but not including,
/// separator `i`. Never changes.
///
/// Searching reads the heads only: the eight bytes after the prefix that the separators in the middle
/// share. Where heads are equal, whole keys decide.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    heads: Box<[u64]>,
    children: Box<[u32]>,
    prefix: Box<[u8]>,
    /// Where the separators end in `keys`.
    ends: Box<[u32]>,
    keys: Box<[u8]>,
}

impl Node {
    /// Creates a node with one more child than separators.
    pub(crate) fn new(separators: &[&[u8]], children: &[u32]) -> Self {
        assert_eq!(separators.len() + 1, children.len(), "separators lie between children");
        debug_assert!(separators.windows(2).all(|pair| pair[0] < pair[1]), "separators rise");
        let prefix = shared_prefix(separators);
        let heads = separators.iter().map(|separator| head(separator, prefix)).collect();
        let mut ends = Vec::with_capacity(separators.len());
        let mut keys = Vec::with_capacity(separators.iter().map(|separator| separator.len()).sum());
        for separator in separators {
            keys.extend_from_slice(separator);
            ends.push(u32::try_from(keys.len()).expect("separators take less than 4 GiB"));
        }
        Self { heads, children: children.into(), prefix: prefix.into(), ends: ends.into(), keys: keys.into() }
    }

    pub(crate) fn separator(&self, number: usize) -> &[u8] {
        let start = number.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.keys[start as usize..self.ends[number] as usize]
    }

    pub(crate) fn separators(&self) -> Vec<&[u8]> {
        (0..self.heads.len()).map(|number| self.separator(number)).collect()
    }

    pub(crate) const fn children(&self) -> &[u32] {
        &self.children
    }

    pub(crate) fn child(&self, position: usize) -> u32 {
        self.children[position]
    }

    /// Returns the position of the child that holds a key.
    #[inline]
    pub(crate) fn position(&self, key: &[u8]) -> usize {
        self.count(key, true)
    }

    /// Returns the position of the child that holds the keys right below a bound; the last one without a
    /// bound.
    pub(crate) fn position_below(&self, bound: Option<&[u8]>) -> usize {
        bound.map_or(self.heads.len(), |bound| self.count(bound, false))
    }

    /// Returns how many separators are below a key, or equal to it if `or_equal`.
    #[inline]
    fn count(&self, key: &[u8], or_equal: bool) -> usize {
        let is_below = |number: usize| {
            let order = compare(self.separator(number), key);
            order.is_lt() || or_equal && order.is_eq()
        };
        let Some(rest) = self.after_prefix(key) else {
            return partition(0, self.heads.len(), is_below);
        };
        let head = head_of(rest, key);
        let low = self.heads.partition_point(|other| *other < head);
        if self.heads.get(low).is_none_or(|other| *other != head) {
            return low;
        }
        let high = low + self.heads[low..].partition_point(|other| *other == head);
        partition(low, high, is_below)
    }

    /// Returns what comes after the prefix in a key that begins with it.
    #[inline]
    fn after_prefix<'k>(&self, key: &'k [u8]) -> Option<&'k [u8]> {
        let (prefix, rest) = key.split_at_checked(self.prefix.len())?;
        is_same(prefix, &self.prefix).then_some(rest)
    }

    /// Returns this node with one more child after the one at `position`.
    pub(crate) fn with_split(&self, position: usize, separator: &[u8], right: u32) -> Self {
        let (mut separators, mut children) = (self.separators(), self.children.to_vec());
        separators.insert(position, separator);
        children.insert(position + 1, right);
        Self::new(&separators, &children)
    }

    /// Returns this node without the child after the one at `position`, which takes its keys.
    pub(crate) fn without_right_of(&self, position: usize) -> Self {
        let (mut separators, mut children) = (self.separators(), self.children.to_vec());
        separators.remove(position);
        children.remove(position + 1);
        Self::new(&separators, &children)
    }

    /// The children of this node and of the one behind it, with the separator between both.
    pub(crate) fn joined(&self, separator: &[u8], right: &Self) -> Self {
        let separators = [self.separators(), vec![separator], right.separators()].concat();
        Self::new(&separators, &[&*self.children, &*right.children].concat())
    }

    /// Returns the left half, the separator between both, the right half.
    pub(crate) fn halves(&self) -> (Self, Box<[u8]>, Self) {
        let separators = self.separators();
        let middle = self.children.len() / 2;
        let left = Self::new(&separators[..middle - 1], &self.children[..middle]);
        let right = Self::new(&separators[middle..], &self.children[middle..]);
        (left, separators[middle - 1].into(), right)
    }
}

/// Returns the bytes that the separators in the middle half begin with.
fn shared_prefix<'a>(separators: &[&'a [u8]]) -> &'a [u8] {
    let quarter = separators.len() / 4;
    let middle = &separators[quarter..separators.len() - quarter];
    let (Some(first), Some(last)) = (middle.first(), middle.last()) else { return &[] };
    // They are in order: what the first and the last share, all share.
    let shared = first.iter().zip(last.iter()).take_while(|(a, b)| a == b).count();
    // One separator alone would be its own prefix.
    &first[..if middle.len() == 1 { 0 } else { shared }]
}

/// Orders separators as they are ordered, or leaves them equal.
fn head(separator: &[u8], prefix: &[u8]) -> u64 {
    match separator.strip_prefix(prefix) {
        Some(rest) => head_of(rest, separator),
        None if compare(separator, prefix).is_lt() => 0,
        None => u64::MAX,
    }
}

/// Returns the first eight bytes of the rest of a key, with zeros behind a shorter one.
#[inline]
fn head_of(rest: &[u8], key: &[u8]) -> u64 {
    if let Some(head) = rest.first_chunk::<8>() {
        return u64::from_be_bytes(*head);
    }
    match key.last_chunk::<8>() {
        // What comes before the rest is shifted out: a copy of a few bytes is a call.
        Some(last) if !rest.is_empty() => u64::from_be_bytes(*last) << (64 - 8 * rest.len()),
        _ => u64::from_be_bytes(padded(rest)),
    }
}

#[inline]
fn partition(mut low: usize, mut high: usize, is_below: impl Fn(usize) -> bool) -> usize {
    while low < high {
        let middle = usize::midpoint(low, high);
        if is_below(middle) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Node;

    fn keys() -> impl Strategy<Value = Vec<u8>> {
        let byte = prop_oneof![Just(0_u8), Just(1), Just(254), Just(255), any::<u8>()];
        (
            prop::sample::select(vec![&b""[..], b"user/", b"user/0", b"\xff\xff"]),
            prop::collection::vec(byte, 0..12),
        )
            .prop_map(|(prefix, rest)| [prefix, &rest].concat())
    }

    proptest! {
        #[test]
        fn a_child_is_found_as_the_order_of_keys_says(
            separators in prop::collection::btree_set(keys(), 0..40),
            sought in prop::collection::vec(keys(), 1..40),
        ) {
            let separators: Vec<&[u8]> = separators.iter().map(Vec::as_slice).collect();
            let children: Vec<u32> = (0..=separators.len() as u32).collect();
            let node = Node::new(&separators, &children);
            for key in sought.iter().map(Vec::as_slice).chain(separators.iter().copied()) {
                let at_or_below = separators.iter().filter(|separator| **separator <= key).count();
                let below = separators.iter().filter(|separator| **separator < key).count();
                prop_assert_eq!(node.position(key), at_or_below);
                prop_assert_eq!(node.position_below(Some(key)), below);
            }
            prop_assert_eq!(node.position_below(None), separators.len());
            prop_assert_eq!(node.separators(), separators);
        }
    }
}
