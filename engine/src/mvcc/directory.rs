//! Finds the leaf of a key: a root of chunks of leaves.
//!
//! ```text
//! root ──► chunk ──► leaf        root and chunks: separators and numbers, replaced as wholes
//! ```
//! A reader follows root, chunk and leaf, and then checks that root and chunk are still what they were. If
//! not, it tries again. So numbers of chunks and leaves may be used again at once, and a reader never has to
//! check a leaf's bounds.
//!
//! A split writes the right part, then the directory, then the left part; a merge writes the merged one,
//! then the directory, then removes the right one.
//!
//! Invariants:
//! * INV-DIRECTORY-1: a leaf that was found was the key's at the moment when it was loaded, so finding is
//!   one step.
//! * INV-DIRECTORY-2: in every state, each key is in the leaf that the directory names for it.

use rt::lockfree::{AtomicRef, Loaded, Pin, Published, pin, read_step, settled};
use rt::sync::atomic::{AtomicU32, Ordering};
use smallvec::SmallVec;

use super::leaf::Leaf;
use super::node::Node;
use super::table::Table;

/// Most children of a chunk. Few in simulations, so that they see chunks split.
fn children_max() -> usize {
    if rt::probe::is_simulated() { 6 } else { 128 }
}

/// The way from keys to leaves. Any number of threads read, one at a time writes.
#[derive(Debug)]
pub(crate) struct Directory {
    root: AtomicRef<Node>,
    chunks: Table<Node>,
    leaves: Table<Leaf>,
    /// How often leaves have got or lost keys.
    shape: AtomicU32,
}

/// A leaf, and its number.
pub(crate) struct FoundLeaf<'pin> {
    pub(crate) number: u32,
    pub(crate) leaf: Loaded<'pin, Leaf>,
}

/// The key or bound whose leaf is sought.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Sought<'a> {
    /// That of this key.
    Key(&'a [u8]),
    /// That of the keys right below this bound; the last one without a bound.
    Below(Option<&'a [u8]>),
}

impl Sought<'_> {
    #[inline]
    fn position(&self, node: &Node) -> usize {
        match self {
            Self::Key(key) => node.position(key),
            Self::Below(bound) => node.position_below(*bound),
        }
    }
}

/// Numbers of the leaves beside one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Neighbours {
    pub(crate) left: Option<u32>,
    pub(crate) right: Option<u32>,
}

/// Leaves that were replaced.
pub(crate) type Replaced = SmallVec<[Published<Leaf>; 2]>;

/// Numbers that are free, of chunks and leaves. Belongs to the writer.
#[derive(Debug)]
pub(crate) struct Numbers {
    chunks: FreeNumbers,
    leaves: FreeNumbers,
}

#[derive(Debug)]
struct FreeNumbers {
    free: Vec<u32>,
    next: u32,
}

impl FreeNumbers {
    fn take(&mut self) -> u32 {
        self.free.pop().unwrap_or_else(|| {
            self.next += 1;
            self.next - 1
        })
    }
}

impl Directory {
    /// Creates one with an empty leaf.
    pub(crate) fn new() -> (Self, Numbers) {
        let directory = Self {
            root: AtomicRef::new("index.root", Node::new(&[], &[0])),
            chunks: Table::new("index.chunk"),
            leaves: Table::new("index.leaf"),
            shape: AtomicU32::new("index.shape", 0),
        };
        directory.chunks.set(0, Some(Node::new(&[], &[0])));
        directory.leaves.set(0, Some(Leaf::empty()));
        let numbers = || FreeNumbers { free: Vec::new(), next: 1 };
        (directory, Numbers { chunks: numbers(), leaves: numbers() })
    }

    /// Creates one of these leaves, in the order of their keys.
    pub(crate) fn of(leaves: Vec<Leaf>) -> (Self, Numbers) {
        let (directory, mut numbers) = Self::new();
        let lowers: Vec<Box<[u8]>> = leaves.iter().map(|leaf| leaf.fence.lower.clone()).collect();
        let children: Vec<u32> = (0..).take(leaves.len()).collect();
        let mut chunks = Vec::new();
        // With room for a few more.
        let loaded = children_max() * 3 / 4;
        for (chunk, lowers) in children.chunks(loaded).zip(lowers.chunks(loaded)) {
            let separators: Vec<&[u8]> = lowers[1..].iter().map(|lower| &**lower).collect();
            chunks.push((&*lowers[0], Node::new(&separators, chunk)));
        }
        let separators: Vec<&[u8]> = chunks[1..].iter().map(|(lower, _)| *lower).collect();
        let chunk_numbers: Vec<u32> = (0..).take(chunks.len()).collect();
        directory.root.swap(Some(Published::new(Node::new(&separators, &chunk_numbers))));
        numbers.chunks.next = chunk_numbers.len() as u32;
        numbers.leaves.next = children.len() as u32;
        for (number, (_, chunk)) in chunk_numbers.into_iter().zip(chunks) {
            directory.chunks.set(number, Some(chunk));
        }
        for (number, leaf) in children.into_iter().zip(leaves) {
            directory.leaves.set(number, Some(leaf));
        }
        (directory, numbers)
    }

    /// Changes whenever a leaf got or lost keys, right afterwards: a leaf that is found after this was read
    /// has its keys for as long as this stays the same.
    #[inline]
    pub(crate) fn shape(&self) -> u32 {
        settled(|| self.shape.load(Ordering::Acquire))
    }

    /// To be called once all is in its place: who finds a leaf by the old state must have the old number.
    fn change_shape(&self) {
        settled(|| self.shape.fetch_add(1, Ordering::Release));
    }

    /// Finds a leaf: one step.
    #[inline]
    pub(crate) fn find<'pin>(&self, sought: Sought<'_>, pin: &'pin Pin) -> FoundLeaf<'pin> {
        if rt::mutant!(DirectoryReadOnce) {
            return self.find_once(sought, pin);
        }
        read_step("index.find", self, || {
            loop {
                if let Some(found) = self.try_find(sought, pin) {
                    return found;
                }
            }
        })
    }

    #[inline]
    fn try_find<'pin>(&self, sought: Sought<'_>, pin: &'pin Pin) -> Option<FoundLeaf<'pin>> {
        let root = self.root.load(pin)?;
        let chunk_number = root.child(sought.position(&root));
        let chunk = self.chunks.load(chunk_number, pin)?;
        let number = chunk.child(sought.position(&chunk));
        let leaf = self.leaves.load(number, pin)?;
        let is_current =
            self.chunks.load(chunk_number, pin)?.is_same(&chunk) && self.root.load(pin)?.is_same(&root);
        is_current.then_some(FoundLeaf { number, leaf })
    }

    /// A deliberate bug: finds a leaf without checking again.
    #[cold]
    fn find_once<'pin>(&self, sought: Sought<'_>, pin: &'pin Pin) -> FoundLeaf<'pin> {
        loop {
            let number = read_step("index.find", self, || {
                let root = self.root.load(pin)?;
                let chunk = self.chunks.load(root.child(sought.position(&root)), pin)?;
                Some(chunk.child(sought.position(&chunk)))
            });
            rt::probe::at("directory→leaf");
            let leaf = read_step("index.leaf", self, || self.leaves.load(number?, pin));
            if let (Some(number), Some(leaf)) = (number, leaf) {
                return FoundLeaf { number, leaf };
            }
        }
    }

    /// Returns the leaf of that number, if there is one. For the writer.
    #[inline]
    pub(crate) fn leaf<'pin>(&self, number: u32, pin: &'pin Pin) -> Option<Loaded<'pin, Leaf>> {
        read_step("index.leaf", self, || self.leaves.load(number, pin))
    }

    /// Replaces a leaf by another state of it, and returns the one before. Only the writer does.
    pub(crate) fn replace(&self, number: u32, leaf: Leaf) -> Replaced {
        self.leaves.set(number, Some(leaf)).into_iter().collect()
    }

    /// Replaces a leaf by two, the second of which holds the keys from `separator` on. Only the writer
    /// does. Returns the number of the right one, and the leaf before.
    pub(crate) fn split(
        &self,
        numbers: &mut Numbers,
        number: u32,
        left: Leaf,
        right: Leaf,
    ) -> (u32, Replaced) {
        let separator = right.fence.lower.clone();
        let new = numbers.leaves.take();
        let pin = pin();
        let (chunk_number, chunk, position) = self.path(&left.fence.lower, &pin);
        debug_assert_eq!(chunk.child(position), number, "a leaf is where its lower bound is");
        let split = chunk.with_split(position, &separator, new);
        let before = if rt::mutant!(SplitLeftFirst) {
            let before = self.replace(number, left);
            self.leaves.set(new, Some(right));
            self.chunks.set(chunk_number, Some(split));
            before
        } else {
            self.leaves.set(new, Some(right));
            self.chunks.set(chunk_number, Some(split));
            self.replace(number, left)
        };
        self.change_shape();
        rt::reached!("leaf split");
        self.split_chunk(numbers, chunk_number, &separator);
        (new, before)
    }

    /// Splits a chunk that has too many children.
    fn split_chunk(&self, numbers: &mut Numbers, number: u32, key: &[u8]) {
        let pin = pin();
        let Some(chunk) = self.chunks.load(number, &pin) else { return };
        if chunk.children().len() <= children_max() {
            return;
        }
        let Some(root) = self.root.load(&pin) else { return };
        let (left, separator, right) = chunk.halves();
        let new = numbers.chunks.take();
        let root = root.with_split(root.position(key), &separator, new);
        self.chunks.set(new, Some(right));
        self.root.swap(Some(Published::new(root)));
        self.chunks.set(number, Some(left));
        rt::reached!("chunk of the directory split");
    }

    /// The leaves beside one in its chunk: they may be merged.
    pub(crate) fn neighbours(&self, lower: &[u8]) -> Neighbours {
        let pin = pin();
        let (_, chunk, position) = self.path(lower, &pin);
        let child = |position: usize| chunk.children().get(position).copied();
        Neighbours { left: position.checked_sub(1).and_then(child), right: child(position + 1) }
    }

    /// Replaces a leaf and the one after it in its chunk by one, and returns both. Only the writer does.
    pub(crate) fn merge(&self, numbers: &mut Numbers, number: u32, merged: Leaf) -> Replaced {
        let lower = merged.fence.lower.clone();
        let pin = pin();
        let (chunk_number, chunk, position) = self.path(&lower, &pin);
        let right = chunk.child(position + 1);
        let left_before = self.leaves.set(number, Some(merged));
        self.chunks.set(chunk_number, Some(chunk.without_right_of(position)));
        let right_before = self.leaves.set(right, None);
        self.change_shape();
        numbers.leaves.free.push(right);
        rt::reached!("leaves merged");
        self.merge_chunk(numbers, &lower);
        left_before.into_iter().chain(right_before).collect()
    }

    /// Merges the chunk of a key with the one behind it or before it, if both have few children.
    fn merge_chunk(&self, numbers: &mut Numbers, key: &[u8]) {
        let position = {
            let pin = pin();
            let Some(root) = self.root.load(&pin) else { return };
            root.position(key)
        };
        for left in [Some(position), position.checked_sub(1)].into_iter().flatten() {
            if self.merge_chunks(numbers, left) {
                return;
            }
        }
    }

    /// Merges the chunk at a position with the one behind it, if there is one and both have few children. As
    /// leaves are: the merged one, then the root, then nothing in the place of the right one.
    fn merge_chunks(&self, numbers: &mut Numbers, position: usize) -> bool {
        let pin = pin();
        let Some(root) = self.root.load(&pin) else { return false };
        if position + 1 >= root.children().len() {
            return false;
        }
        let (left_number, right_number) = (root.child(position), root.child(position + 1));
        let pair = self.chunks.load(left_number, &pin).zip(self.chunks.load(right_number, &pin));
        let Some((left, right)) = pair else { return false };
        if left.children().len() + right.children().len() > children_max() / 2 {
            return false;
        }
        let merged = left.joined(root.separator(position), &right);
        let root = Published::new(root.without_right_of(position));
        self.chunks.set(left_number, Some(merged));
        self.root.swap(Some(root));
        self.chunks.set(right_number, None);
        numbers.chunks.free.push(right_number);
        rt::reached!("chunks of the directory merged");
        true
    }

    /// How many chunks and leaves there are.
    #[cfg(test)]
    pub(crate) fn counts(&self) -> (usize, usize) {
        let pin = pin();
        let root = self.root.load(&pin).unwrap();
        let leaves =
            root.children().iter().map(|number| self.chunks.load(*number, &pin).unwrap().children().len());
        (root.children().len(), leaves.sum())
    }

    /// Returns the chunk of a key, its number, and the position in it. For the writer.
    fn path<'pin>(&self, key: &[u8], pin: &'pin Pin) -> (u32, Loaded<'pin, Node>, usize) {
        read_step("index.path", self, || {
            let root = self.root.load(pin).expect("there always is a root");
            let number = root.child(root.position(key));
            let chunk = self.chunks.load(number, pin).expect("the root names chunks that are there");
            let position = chunk.position(key);
            (number, chunk, position)
        })
    }
}
