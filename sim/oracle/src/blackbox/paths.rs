//! Reachability: which event leads to which.
//!
//! Knows all paths where their bit matrix fits in memory, and otherwise those between events that are near to
//! each other in an order by urgency and, where real time counts, from an ack to everything that began later.

use std::cmp::Ordering;
use std::ops::Range;

use stormproof_workloads::history::TxnIndex;

use super::events::Events;
use super::problem::Problem;
use crate::graph::Graph;

/// Maximum distance of two events for a path between them to be seen, where not all paths fit in memory.
const WINDOW: usize = 512;
const WORDS: usize = WINDOW / 64;

/// Reachability between events.
pub(super) struct Paths<'p, 'v, 'h> {
    problem: &'p Problem<'v, 'h>,
    events: &'p Events,
    /// Along the order: the events.
    order: Vec<u32>,
    /// By event: its place in the order.
    place: Vec<u32>,
    known: Known,
}

enum Known {
    All(Matrix),
    /// By place: bit `n` says that the event `n + 1` places before leads to this one.
    Near(Vec<[u64; WORDS]>),
}

/// By place: one bit for each other place, set if there is a path between the two. Which of them leads to
/// the other one is told by their places.
struct Matrix {
    words: usize,
    rows: Vec<u64>,
}

/// Transactions as places of their commits in an order.
pub(super) struct Members {
    /// Sorted by place.
    places: Vec<u32>,
    /// The same, as words of a row of the matrix: number and bits of those that are not zero.
    words: Vec<(u32, u64)>,
}

/// Returns whether the bit matrix of all paths between `nodes` events fits in half of the memory that there
/// is.
pub(super) fn all_paths_fit(nodes: usize, memory_max: u64) -> bool {
    (nodes.div_ceil(64) * nodes * 8) as u64 <= memory_max / 2
}

impl<'p, 'v, 'h> Paths<'p, 'v, 'h> {
    /// Knows no paths yet.
    pub(super) fn new(problem: &'p Problem<'v, 'h>, events: &'p Events, memory_max: u64) -> Self {
        let known = match all_paths_fit(events.graph.nodes(), memory_max) {
            true => Known::All(Matrix { words: 0, rows: Vec::new() }),
            false => Known::Near(Vec::new()),
        };
        Self { problem, events, order: Vec::new(), place: Vec::new(), known }
    }

    /// Finds the paths of a graph along a topological order of it.
    pub(super) fn follow(&mut self, graph: &Graph, order: Vec<u32>) {
        self.place.resize(order.len(), 0);
        for (at, &node) in (0..).zip(&order) {
            self.place[node as usize] = at;
        }
        self.order = order;
        match &mut self.known {
            Known::All(matrix) => matrix.fill(graph, &self.order, &self.place),
            Known::Near(before) => fill_near(before, graph, &self.order, &self.place),
        }
    }

    fn place(&self, event: u32) -> usize {
        self.place[event as usize] as usize
    }

    /// Returns these transactions as places in the order.
    pub(super) fn members(&self, txns: &[TxnIndex]) -> Members {
        let mut places: Vec<u32> =
            txns.iter().map(|&txn| self.place[self.events.commit(txn) as usize]).collect();
        places.sort_unstable();
        let bits = |part: &[u32]| part.iter().fold(0, |bits, place| bits | 1 << (place % 64));
        let words = places.chunk_by(|one, other| one / 64 == other / 64);
        let words = words.map(|part| (part[0] / 64, bits(part))).collect();
        Members { places, words }
    }

    /// Calls `found` with the members to whose commit `from` leads and `not` does not.
    pub(super) fn after(&self, members: &Members, from: u32, not: u32, found: impl FnMut(TxnIndex)) {
        let (from_place, not_place) = (self.place(from), self.place(not));
        match &self.known {
            Known::All(matrix) => {
                let first = members.words.partition_point(|(word, _)| (*word as usize) < from_place / 64);
                let words = members.words[first..].iter().map(|&(word, bits)| {
                    let bits = bits & matrix.after(from_place, word) & !matrix.after(not_place, word);
                    (word, bits)
                });
                self.each(words, found);
            }
            Known::Near(near) => {
                let has = |from, to| self.has(near, from, to);
                let is = |third| has(from_place, third) && !has(not_place, third);
                let end = from_place.max(not_place) + WINDOW;
                self.each_near(members, from_place + 1..end + 1, is, found);
            }
        }
    }

    /// Calls `found` with the members whose commit leads to `to` and not to `not`, and is not led to by
    /// `nor`.
    pub(super) fn before(&self, members: &Members, to: u32, not: u32, nor: u32, found: impl FnMut(TxnIndex)) {
        let (to_place, not_place, nor_place) = (self.place(to), self.place(not), self.place(nor));
        match &self.known {
            Known::All(matrix) => {
                let end = members.words.partition_point(|(word, _)| *word as usize <= to_place / 64);
                let words = members.words[..end].iter().map(|&(word, bits)| {
                    let others = matrix.before(not_place, word) | matrix.after(nor_place, word);
                    (word, bits & matrix.before(to_place, word) & !others)
                });
                self.each(words, found);
            }
            Known::Near(near) => {
                let has = |from, to| self.has(near, from, to);
                let is = |third| has(third, to_place) && !has(third, not_place) && !has(nor_place, third);
                let begin = to_place.min(not_place).saturating_sub(WINDOW);
                self.each_near(members, begin..to_place, is, found);
            }
        }
    }

    /// Calls `found` with the members to whose commit `from` leads, and whose commit leads to `to`.
    pub(super) fn between(&self, members: &Members, from: u32, to: u32, found: impl FnMut(TxnIndex)) {
        let (from_place, to_place) = (self.place(from), self.place(to));
        match &self.known {
            Known::All(matrix) => {
                let words = members.words.iter().map(|&(word, bits)| {
                    (word, bits & matrix.after(from_place, word) & matrix.before(to_place, word))
                });
                self.each(words, found);
            }
            Known::Near(near) => {
                let has = |from, to| self.has(near, from, to);
                let is = |third| has(from_place, third) && has(third, to_place);
                self.each_near(members, from_place + 1..to_place, is, found);
            }
        }
    }

    fn each(&self, words: impl Iterator<Item = (u32, u64)>, mut found: impl FnMut(TxnIndex)) {
        for (word, mut bits) in words {
            while bits != 0 {
                let place = word * 64 + bits.trailing_zeros();
                bits &= bits - 1;
                self.events.txn(self.order[place as usize]).into_iter().for_each(&mut found);
            }
        }
    }

    /// Calls `found` with the members in this range of places of which this is true.
    fn each_near(
        &self,
        members: &Members,
        range: Range<usize>,
        is: impl Fn(usize) -> bool,
        mut found: impl FnMut(TxnIndex),
    ) {
        let first = members.places.partition_point(|&place| (place as usize) < range.start);
        let within = members.places[first..].iter().map(|&place| place as usize);
        for place in within.take_while(|place| *place < range.end).filter(|place| is(*place)) {
            self.events.txn(self.order[place]).into_iter().for_each(&mut found);
        }
    }

    fn has(&self, near: &[[u64; WORDS]], at: usize, end: usize) -> bool {
        if at >= end {
            return at == end;
        }
        let bit = end - at - 1;
        if bit < WINDOW {
            return near[end][bit / 64] >> (bit % 64) & 1 == 1;
        }
        self.events.rule().time && self.in_time(self.order[at], self.order[end])
    }

    fn in_time(&self, from: u32, to: u32) -> bool {
        let passed =
            |(from, to): (TxnIndex, TxnIndex)| self.problem.acked(from) < self.problem.view.txn(to).begun;
        self.events.txn(from).zip(self.events.txn(to)).is_some_and(passed)
    }
}

impl Matrix {
    /// Returns the bits of a word that stand for events to which the one at `place` leads.
    fn after(&self, place: usize, word: u32) -> u64 {
        let bits = self.rows[place * self.words + word as usize];
        match (word as usize).cmp(&(place / 64)) {
            Ordering::Less => 0,
            Ordering::Equal => bits & (u64::MAX << (place % 64)) & !(1 << (place % 64)),
            Ordering::Greater => bits,
        }
    }

    /// Returns the bits of a word that stand for events that lead to the one at `place`.
    fn before(&self, place: usize, word: u32) -> u64 {
        let bits = self.rows[place * self.words + word as usize];
        match (word as usize).cmp(&(place / 64)) {
            Ordering::Less => bits,
            Ordering::Equal => bits & !(u64::MAX << (place % 64)),
            Ordering::Greater => 0,
        }
    }

    fn fill(&mut self, graph: &Graph, order: &[u32], place: &[u32]) {
        let words = order.len().div_ceil(64);
        self.words = words;
        self.rows.clear();
        self.rows.resize(words * order.len(), 0);
        for (at, &node) in order.iter().enumerate().rev() {
            let (mine, later) = self.rows[at * words..].split_at_mut(words);
            for edge in graph.from(node) {
                let to = place[edge.to as usize] as usize;
                // Already reached, so its successors are too.
                if mine[to / 64] >> (to % 64) & 1 == 1 {
                    continue;
                }
                mine[to / 64] |= 1 << (to % 64);
                let row = &later[(to - at - 1) * words..][..words];
                for (word, more) in mine[to / 64..].iter_mut().zip(&row[to / 64..]) {
                    *word |= more;
                }
            }
        }
        self.mirror();
    }

    /// Adds to each row, which has what its event leads to, what leads to its event.
    fn mirror(&mut self) {
        let (words, mut block) = (self.words, [0; 64]);
        for column in 0..words {
            for row in 0..=column {
                for (bit, word) in block.iter_mut().enumerate() {
                    *word = self.rows.get((row * 64 + bit) * words + column).copied().unwrap_or(0);
                }
                transpose(&mut block);
                for (bit, word) in block.iter().enumerate() {
                    if let Some(mirrored) = self.rows.get_mut((column * 64 + bit) * words + row) {
                        *mirrored |= word;
                    }
                }
            }
        }
    }
}

/// Makes bit `m` of word `n` bit `n` of word `m` (H. Warren, "Hacker's Delight", 2nd edition, 7-3).
fn transpose(block: &mut [u64; 64]) {
    let (mut width, mut mask) = (32, u64::MAX >> 32);
    while width > 0 {
        let mut at = 0;
        while at < 64 {
            let moved = (block[at] >> width ^ block[at + width]) & mask;
            block[at] ^= moved << width;
            block[at + width] ^= moved;
            at = (at + width + 1) & !width;
        }
        width >>= 1;
        mask ^= mask << width;
    }
}

fn fill_near(before: &mut Vec<[u64; WORDS]>, graph: &Graph, order: &[u32], place: &[u32]) {
    before.clear();
    before.resize(order.len(), [0; WORDS]);
    for (at, &node) in order.iter().enumerate() {
        let mine = before[at];
        for edge in graph.from(node) {
            let to = place[edge.to as usize] as usize;
            lead(&mut before[to], &mine, to - at);
        }
    }
}

/// Adds an event and its predecessors to the predecessors of an event `distance` places later.
fn lead(later: &mut [u64; WORDS], earlier: &[u64; WORDS], distance: usize) {
    if distance > WINDOW {
        return;
    }
    later[(distance - 1) / 64] |= 1 << ((distance - 1) % 64);
    let (words, bits) = (distance / 64, distance % 64);
    for at in words..WORDS {
        let mut moved = earlier[at - words] << bits;
        if bits > 0 && at > words {
            moved |= earlier[at - words - 1] >> (64 - bits);
        }
        later[at] |= moved;
    }
}

#[cfg(test)]
mod tests {
    use super::{Matrix, transpose};
    use crate::graph::{Edge, Graph, Kind};

    #[test]
    fn a_block_is_transposed() {
        let mut block = [0_u64; 64];
        (block[3], block[40]) = (1 << 50 | 1, 1 << 3);
        transpose(&mut block);
        let is = |row: usize, bit: usize| block[row] >> bit & 1 == 1;
        assert!(is(50, 3) && is(0, 3) && is(3, 40));
        assert_eq!(block.iter().map(|word| word.count_ones()).sum::<u32>(), 3);
    }

    /// A line of 130 events, over the limits of words: each leads to all that come later.
    #[test]
    fn a_row_of_all_paths_tells_what_comes_before_and_what_after() {
        let nodes = 130_u32;
        let edges: Vec<(u32, Edge)> =
            (1..nodes).map(|to| (to - 1, Edge { to, key: 0, kind: Kind::Ww })).collect();
        let order: Vec<u32> = (0..nodes).collect();
        let mut matrix = Matrix { words: 0, rows: Vec::new() };
        matrix.fill(&Graph::new(nodes as usize, &edges), &order, &order);
        for place in 0..nodes as usize {
            let count = |bits: &dyn Fn(u32) -> u64| (0..3).map(|word| bits(word).count_ones()).sum::<u32>();
            assert_eq!(count(&|word| matrix.before(place, word)) as usize, place);
            assert_eq!(count(&|word| matrix.after(place, word)) as usize, nodes as usize - 1 - place);
        }
    }
}
