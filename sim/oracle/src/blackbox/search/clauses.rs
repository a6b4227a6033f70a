//! Clauses with two watched literals, an assignment with levels, and clause learning from conflicts.
//!
//! J. Marques-Silva and K. Sakallah, "GRASP", IEEE Trans. Computers 48(5), 1999, and N. Eén and N. Sörensson,
//! "An extensible SAT-solver", SAT 2003.

use super::literal::Literal;

/// No clause: a decision.
const DECIDED: u32 = u32::MAX;

/// An assignment of variables, and the clauses that it must satisfy.
#[derive(Debug, Default)]
pub(super) struct Clauses {
    /// By variable: its value, if it has one.
    values: Vec<Option<bool>>,
    levels: Vec<u32>,
    reasons: Vec<u32>,
    seen: Vec<bool>,
    clauses: Vec<Vec<Literal>>,
    /// By literal: the clauses that watch for it to become true, which falsifies what they watch.
    watches: Vec<Vec<u32>>,
    /// Assigned literals, in order.
    pub(super) trail: Vec<Literal>,
    /// Where each level begins in the trail.
    starts: Vec<usize>,
    propagated: usize,
    /// The number of literals in all clauses, which bounds memory.
    pub(super) size: usize,
}

impl Clauses {
    pub(super) fn variable(&mut self) -> u32 {
        self.values.push(None);
        self.levels.push(0);
        self.reasons.push(DECIDED);
        self.seen.push(false);
        self.watches.push(Vec::new());
        self.watches.push(Vec::new());
        u32::try_from(self.values.len() - 1).unwrap_or(u32::MAX)
    }

    pub(super) fn value(&self, literal: Literal) -> Option<bool> {
        self.values[literal.variable()].map(|value| value == literal.is_positive())
    }

    pub(super) fn level(&self) -> usize {
        self.starts.len()
    }

    /// Opens a level with a decision.
    pub(super) fn decide(&mut self, literal: Literal) {
        self.starts.push(self.trail.len());
        self.assign(literal, DECIDED);
    }

    fn assign(&mut self, literal: Literal, reason: u32) {
        let variable = literal.variable();
        self.values[variable] = Some(literal.is_positive());
        self.levels[variable] = u32::try_from(self.level()).unwrap_or(u32::MAX);
        self.reasons[variable] = reason;
        self.trail.push(literal);
    }

    /// Adds a clause of which at most the first literal is not false, and assigns that one.
    pub(super) fn imply(&mut self, clause: Vec<Literal>) {
        let first = clause[0];
        let reason = self.add(clause);
        self.assign(first, reason);
    }

    /// Adds a clause none of whose literals is false.
    pub(super) fn add(&mut self, mut clause: Vec<Literal>) -> u32 {
        let number = u32::try_from(self.clauses.len()).unwrap_or(u32::MAX);
        self.size += clause.len() + 8;
        if clause.len() > 1 {
            // Of what is false, the last assigned is watched: it is the first to be taken back.
            let latest = (1..clause.len()).max_by_key(|&at| self.levels[clause[at].variable()]).unwrap_or(1);
            clause.swap(1, latest);
            for watched in &clause[..2] {
                self.watches[watched.negated().index()].push(number);
            }
        }
        self.clauses.push(clause);
        number
    }

    /// Returns the next literal whose consequences have not been followed.
    pub(super) fn next(&mut self) -> Option<Literal> {
        let literal = self.trail.get(self.propagated).copied()?;
        self.propagated += 1;
        Some(literal)
    }

    /// Assigns what follows from a literal by clauses; returns a clause that is violated, if there is one.
    pub(super) fn follow(&mut self, literal: Literal) -> Option<Vec<Literal>> {
        let mut watching = std::mem::take(&mut self.watches[literal.index()]);
        let mut conflict = None;
        let mut at = 0;
        while at < watching.len() {
            let number = watching[at];
            match self.rewatch(number, literal.negated()) {
                Watch::Moved => {
                    watching.swap_remove(at);
                }
                Watch::Kept => at += 1,
                Watch::Unit(first) => {
                    self.assign(first, number);
                    at += 1;
                }
                Watch::Violated => {
                    conflict = Some(self.clauses[number as usize].clone());
                    break;
                }
            }
        }
        self.watches[literal.index()].append(&mut watching);
        conflict
    }

    fn rewatch(&mut self, number: u32, falsified: Literal) -> Watch {
        let clause = &mut self.clauses[number as usize];
        if clause[0] == falsified {
            clause.swap(0, 1);
        }
        let first = clause[0];
        let is = |literal: Literal, values: &[Option<bool>]| {
            values[literal.variable()].map(|value| value == literal.is_positive())
        };
        if is(first, &self.values) == Some(true) {
            return Watch::Kept;
        }
        let other = (2..clause.len()).find(|&at| is(clause[at], &self.values) != Some(false));
        if let Some(other) = other {
            clause.swap(1, other);
            self.watches[clause[1].negated().index()].push(number);
            return Watch::Moved;
        }
        match is(first, &self.values) {
            Some(false) => Watch::Violated,
            _ => Watch::Unit(first),
        }
    }

    /// Returns the highest level of a clause's literals, which are all false.
    pub(super) fn highest(&self, clause: &[Literal]) -> usize {
        clause.iter().map(|literal| self.levels[literal.variable()] as usize).max().unwrap_or(0)
    }

    /// Learns from a conflict at the current level: returns a clause with one literal of that level, which
    /// comes first, and the level at which that one follows.
    pub(super) fn learn(&mut self, conflict: &[Literal]) -> (Vec<Literal>, usize) {
        let current = self.level();
        let mut learned = Vec::new();
        let mut open = 0;
        let mut at = self.trail.len();
        let mut clause = conflict.to_vec();
        let asserted = loop {
            for literal in clause {
                let variable = literal.variable();
                let level = self.levels[variable] as usize;
                if self.seen[variable] || level == 0 {
                    continue;
                }
                self.seen[variable] = true;
                if level == current {
                    open += 1;
                } else {
                    learned.push(literal);
                }
            }
            loop {
                at -= 1;
                if self.seen[self.trail[at].variable()]
                    && self.levels[self.trail[at].variable()] as usize == current
                {
                    break;
                }
            }
            let literal = self.trail[at];
            self.seen[literal.variable()] = false;
            open -= 1;
            if open == 0 {
                break literal;
            }
            let reason = self.reasons[literal.variable()];
            clause =
                self.clauses[reason as usize].iter().copied().filter(|other| *other != literal).collect();
        };
        let needed: Vec<Literal> =
            learned.iter().copied().filter(|literal| !self.follows_of_seen(*literal)).collect();
        for literal in &learned {
            self.seen[literal.variable()] = false;
        }
        let mut learned = needed;
        let level = self.highest(&learned);
        learned.insert(0, asserted.negated());
        (learned, level)
    }

    /// Returns whether a false literal is a consequence of others that are seen, so that a clause with those
    /// says as much without it.
    fn follows_of_seen(&self, literal: Literal) -> bool {
        let reason = self.reasons[literal.variable()];
        let known = |other: &Literal| {
            other.variable() == literal.variable()
                || self.seen[other.variable()]
                || self.levels[other.variable()] == 0
        };
        reason != DECIDED && self.clauses[reason as usize].iter().all(known)
    }

    /// Takes back all levels above `level`; `undone` is called with each literal.
    pub(super) fn undo_to(&mut self, level: usize, mut undone: impl FnMut(Literal)) {
        if level >= self.level() {
            return;
        }
        let start = self.starts[level];
        for literal in self.trail.drain(start..) {
            self.values[literal.variable()] = None;
            undone(literal);
        }
        self.starts.truncate(level);
        self.propagated = self.propagated.min(start);
    }
}

enum Watch {
    /// Another literal is watched now.
    Moved,
    /// The clause is satisfied.
    Kept,
    /// This literal must become true.
    Unit(Literal),
    Violated,
}
