//! Searches for an order of blind writes that no read reveals.
//!
//! Every two writers of a key must be in some order, and each of the two orders adds edges; the history is
//! fine if some choice for all pairs leaves the graph without a cycle (a polygraph: C. Papadimitriou, "The
//! serializability of concurrent database updates", JACM 26(4), 1979). Pairs of which one order would close a
//! cycle are decided at once, as in C. Tan et al., "Cobra: making transactional key-value stores verifiably
//! serializable", OSDI 2020; the rest is tried. Exact, exponential at worst, and bounded: past the bound the
//! answer is that it is not known.

use stormproof_workloads::history::TxnIndex;

use super::events::Events;
use super::problem::{ByKey, Problem};
use crate::view::KeyId;

/// Nodes up to which reachability is kept as a matrix.
const NODES_MAX: usize = 6_000;
/// Pairs that are tried at all.
const PAIRS_MAX: usize = 20_000;

/// What the search found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// There is an order.
    Order,
    /// There is none; these two writers of this key contradict, if one pair alone shows it.
    None(Option<(TxnIndex, TxnIndex, KeyId)>),
    /// The bound was hit.
    OutOfSteps,
}

/// Two writers of a key.
#[derive(Clone, Copy, Debug)]
struct Pair {
    first: TxnIndex,
    second: TxnIndex,
    key: KeyId,
}

/// Looks for an order of the writers of `keys`; the graph given has all edges that are known.
pub(super) fn search(
    problem: &Problem<'_, '_>,
    events: &Events,
    by_key: &ByKey,
    keys: &[KeyId],
    steps: &mut u64,
) -> Found {
    let mut pairs = Vec::new();
    for &key in keys {
        let writers = by_key.writers(key);
        for (at, &first) in writers.iter().enumerate() {
            pairs.extend(writers[at + 1..].iter().map(|&second| Pair { first, second, key }));
            if pairs.len() > PAIRS_MAX {
                return Found::OutOfSteps;
            }
        }
    }
    let nodes = events.graph.nodes();
    if nodes > NODES_MAX {
        return Found::OutOfSteps;
    }
    let mut reach = Reach::new(nodes);
    for node in 0..u32::try_from(nodes).unwrap_or(0) {
        for edge in events.graph.from(node) {
            if !reach.add(node, edge.to, steps) {
                return if *steps == 0 { Found::OutOfSteps } else { Found::None(None) };
            }
        }
    }
    let solver = Solver { problem, events, by_key };
    solver.solve(reach, pairs, steps, true)
}

struct Solver<'s, 'v, 'h> {
    problem: &'s Problem<'v, 'h>,
    events: &'s Events,
    by_key: &'s ByKey,
}

impl Solver<'_, '_, '_> {
    fn solve(&self, mut reach: Reach, mut pairs: Vec<Pair>, steps: &mut u64, top: bool) -> Found {
        loop {
            let mut left = Vec::with_capacity(pairs.len());
            let before = pairs.len();
            for pair in pairs {
                let swapped = Pair { first: pair.second, second: pair.first, ..pair };
                let chosen = match (self.possible(&reach, pair), self.possible(&reach, swapped)) {
                    (false, false) => {
                        return Found::None(top.then_some((pair.first, pair.second, pair.key)));
                    }
                    (true, true) => {
                        left.push(pair);
                        continue;
                    }
                    (true, false) => pair,
                    (false, true) => swapped,
                };
                if !self.decide(&mut reach, chosen, steps) {
                    if *steps == 0 {
                        return Found::OutOfSteps;
                    }
                    return Found::None(top.then_some((pair.first, pair.second, pair.key)));
                }
            }
            pairs = left;
            if pairs.len() == before || pairs.is_empty() {
                break;
            }
        }
        let Some(pair) = pairs.pop() else { return Found::Order };
        for chosen in [pair, Pair { first: pair.second, second: pair.first, ..pair }] {
            // Copies are paid for, so the bound on steps bounds memory too.
            *steps = steps.saturating_sub(reach.rows.len() as u64 / 64);
            if *steps == 0 {
                return Found::OutOfSteps;
            }
            let mut reach = reach.clone();
            if self.decide(&mut reach, chosen, steps) {
                match self.solve(reach, pairs.clone(), steps, false) {
                    Found::None(_) => {}
                    found => return found,
                }
            }
            if *steps == 0 {
                return Found::OutOfSteps;
            }
        }
        Found::None(None)
    }

    /// Whether this order closes no cycle by any one of its edges.
    fn possible(&self, reach: &Reach, pair: Pair) -> bool {
        self.edges(pair).all(|(from, to)| !reach.has(to, from))
    }

    fn decide(&self, reach: &mut Reach, pair: Pair, steps: &mut u64) -> bool {
        self.edges(pair).all(|(from, to)| reach.add(from, to, steps))
    }

    /// What it means that the first came first: the second depends on it, and those who read it did not see
    /// the second.
    fn edges(&self, pair: Pair) -> impl Iterator<Item = (u32, u32)> {
        let events = self.events;
        let commit = events.commit(pair.second);
        let start = if self.problem.commutes(pair.key) { commit } else { events.start(pair.second) };
        let reads = self.by_key.reads(pair.key).iter();
        let readers = reads
            .filter(move |read| read.source == pair.first && read.reader != pair.second)
            .filter(|read| !self.problem.weak[read.reader as usize])
            .map(move |read| (events.start(read.reader), commit));
        std::iter::once((events.commit(pair.first), start)).chain(readers)
    }
}

/// Which node reaches which, as a matrix of bits that is closed at every step.
#[derive(Clone, Debug)]
struct Reach {
    words: usize,
    rows: Vec<u64>,
}

impl Reach {
    fn new(nodes: usize) -> Self {
        let words = nodes.div_ceil(64);
        Self { words, rows: vec![0; nodes * words] }
    }

    fn has(&self, from: u32, to: u32) -> bool {
        from == to || self.rows[from as usize * self.words + to as usize / 64] >> (to % 64) & 1 == 1
    }

    /// Adds an edge; false if it closes a cycle, or if `steps` ran out (they are 0 then).
    fn add(&mut self, from: u32, to: u32, steps: &mut u64) -> bool {
        if self.has(to, from) {
            return false;
        }
        if self.has(from, to) {
            return true;
        }
        let target: Vec<u64> = {
            let row = to as usize * self.words;
            let mut words = self.rows[row..row + self.words].to_vec();
            words[to as usize / 64] |= 1 << (to % 64);
            words
        };
        let nodes = self.rows.len() / self.words;
        *steps = steps.saturating_sub(1 + nodes as u64 / 16);
        if *steps == 0 {
            return false;
        }
        for node in 0..nodes {
            let node_id = u32::try_from(node).unwrap_or(0);
            if node_id == from || self.has(node_id, from) {
                let row = &mut self.rows[node * self.words..(node + 1) * self.words];
                for (word, more) in row.iter_mut().zip(&target) {
                    *word |= more;
                }
            }
        }
        true
    }
}
