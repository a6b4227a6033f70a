//! Reachability: which event leads to which.
//!
//! Knows all paths where their bit matrix fits in memory, and otherwise those between events that are near to
//! each other in an order by urgency and, where real time counts, from an ack to everything that began later.

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
    /// By event: its place in the order.
    place: Vec<u32>,
    known: Known,
}

enum Known {
    /// By place: one bit for each place, set if this one leads to it.
    All { words: usize, rows: Vec<u64> },
    /// By place: bit `n` says that the event `n + 1` places before leads to this one.
    Near(Vec<[u64; WORDS]>),
}

impl<'p, 'v, 'h> Paths<'p, 'v, 'h> {
    /// Finds the paths of a graph along a topological order of it, in half of the memory that there is.
    pub(super) fn new(
        graph: &Graph,
        order: &[u32],
        problem: &'p Problem<'v, 'h>,
        events: &'p Events,
        memory_max: u64,
    ) -> Self {
        let mut place = vec![0; order.len()];
        for (at, &node) in (0..).zip(order) {
            place[node as usize] = at;
        }
        let words = order.len().div_ceil(64);
        let fits = (words * order.len() * 8) as u64 <= memory_max / 2;
        let known = if fits { all(graph, order, &place, words) } else { near(graph, order, &place) };
        Self { problem, events, place, known }
    }

    pub(super) fn place(&self, event: u32) -> usize {
        self.place[event as usize] as usize
    }

    /// Returns how far apart two events may be for a path between them to be seen.
    pub(super) fn reach(&self) -> usize {
        match self.known {
            Known::All { .. } => self.place.len(),
            Known::Near(_) => WINDOW,
        }
    }

    pub(super) fn has(&self, from: u32, to: u32) -> bool {
        let (at, end) = (self.place(from), self.place(to));
        if at >= end {
            return at == end;
        }
        match &self.known {
            Known::All { words, rows } => rows[at * words + end / 64] >> (end % 64) & 1 == 1,
            Known::Near(before) => {
                let bit = end - at - 1;
                if bit < WINDOW {
                    return before[end][bit / 64] >> (bit % 64) & 1 == 1;
                }
                self.events.rule().time && self.in_time(from, to)
            }
        }
    }

    fn in_time(&self, from: u32, to: u32) -> bool {
        let passed =
            |(from, to): (TxnIndex, TxnIndex)| self.problem.acked(from) < self.problem.view.txn(to).begun;
        self.events.txn(from).zip(self.events.txn(to)).is_some_and(passed)
    }
}

fn all(graph: &Graph, order: &[u32], place: &[u32], words: usize) -> Known {
    let mut rows = vec![0_u64; words * order.len()];
    for (at, &node) in order.iter().enumerate().rev() {
        let (mine, later) = rows[at * words..].split_at_mut(words);
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
    Known::All { words, rows }
}

fn near(graph: &Graph, order: &[u32], place: &[u32]) -> Known {
    let mut before = vec![[0; WORDS]; order.len()];
    for (at, &node) in order.iter().enumerate() {
        let mine = before[at];
        for edge in graph.from(node) {
            let to = place[edge.to as usize] as usize;
            lead(&mut before[to], &mine, to - at);
        }
    }
    Known::Near(before)
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
