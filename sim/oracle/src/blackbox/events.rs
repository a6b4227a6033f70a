//! The graph whose cycles decide a level.
//!
//! For snapshot isolation every transaction is two events, its start and its commit. A dependency runs from a
//! commit to a start, an anti-dependency from a start to a commit; so a path can't take two anti-dependencies
//! in a row, and a cycle is exactly one without adjacent anti-dependencies: A. Cerone and A. Gotsman,
//! "Analysing snapshot isolation", JACM 65(2), 2018, theorem 9. For serializability both events are one: A.
//! Adya, "Weak consistency", PhD thesis, MIT 1999.
//!
//! Invariant INV-EVT-1: the number of edges is linear in the number of operations. Where many readers meet
//! many next writers, and in real time, edges run through hubs.

use stormproof_workloads::history::{Outcome, TxnIndex};

use super::orders::Orders;
use super::problem::{Assigned, ByKey, KeyRead, Problem};
use super::resolve::{INIT, Source};
use super::rule::Rule;
use crate::graph::{Edge, Graph, Kind};
use crate::view::{KeyId, is_committed};

/// An anti-dependency that stands apart from the graph.
#[derive(Clone, Copy, Debug)]
pub(super) struct AntiEdge {
    pub(super) reader: TxnIndex,
    pub(super) writer: TxnIndex,
    pub(super) key: KeyId,
}

/// A graph over events; an event's number determines its transaction.
#[derive(Debug)]
pub(super) struct Events {
    pub(super) graph: Graph,
    /// The anti-dependencies, where a cycle may have several of them: they are not in the graph.
    antis: Vec<AntiEdge>,
    txns: u32,
    rule: Rule,
}

impl Events {
    pub(super) fn build(
        problem: &Problem<'_, '_>,
        assigned: &Assigned,
        by_key: &ByKey,
        orders: Orders<'_>,
        rule: Rule,
        extra: &[(u32, Edge)],
    ) -> Self {
        let txns = u32::try_from(assigned.included.len()).unwrap_or(u32::MAX);
        let mut builder = Builder {
            problem,
            assigned,
            rule,
            txns,
            hubs: if rule.split { txns * 2 } else { txns },
            edges: Vec::with_capacity(expected_edges(problem, rule)),
            antis: Vec::new(),
            place: vec![u32::MAX; txns as usize],
        };
        builder.within();
        for key in 0..u32::try_from(problem.view.keys.len()).unwrap_or(u32::MAX) {
            builder.key(key, by_key, orders);
        }
        if rule.session {
            builder.sessions();
        }
        if rule.time {
            builder.time();
        }
        builder.edges.extend_from_slice(extra);
        let graph = Graph::new(builder.hubs as usize, &builder.edges);
        Self { graph, antis: builder.antis, txns, rule }
    }

    pub(super) fn rule(&self) -> Rule {
        self.rule
    }

    pub(super) fn antis(&self) -> &[AntiEdge] {
        &self.antis
    }

    /// Returns the graph with the anti-dependencies that stand apart.
    pub(super) fn complete(&self) -> Graph {
        let antis = self.antis.iter();
        let antis: Vec<(u32, Edge)> = antis
            .map(|anti| (anti.reader, Edge { to: anti.writer, key: anti.key, kind: Kind::Rw }))
            .collect();
        self.graph.with(&antis)
    }

    /// Returns the event at which what a transaction wrote is there.
    pub(super) fn commit(&self, txn: TxnIndex) -> u32 {
        if self.rule.split { txn * 2 + 1 } else { txn }
    }

    /// Returns the event at which a transaction reads.
    pub(super) fn start(&self, txn: TxnIndex) -> u32 {
        if self.rule.split { txn * 2 } else { txn }
    }

    /// Returns whether start and commit are apart.
    pub(super) fn split(&self) -> bool {
        self.rule.split
    }

    /// Returns the transaction of an event; none for a hub.
    pub(super) fn txn(&self, event: u32) -> Option<TxnIndex> {
        let txn = if self.rule.split { event / 2 } else { event };
        (txn < self.txns).then_some(txn)
    }
}

/// Returns about how many edges there will be: while a long vector grows, it is there twice.
fn expected_edges(problem: &Problem<'_, '_>, rule: Rule) -> usize {
    let per_txn = usize::from(rule.split) + usize::from(rule.session) + 3 * usize::from(rule.time);
    problem.view.read_count() * 2 + problem.view.write_count() + problem.included.len() * per_txn
}

struct Builder<'p, 'v, 'h> {
    problem: &'p Problem<'v, 'h>,
    assigned: &'p Assigned,
    rule: Rule,
    txns: u32,
    /// How many nodes there are so far: the next hub's number.
    hubs: u32,
    edges: Vec<(u32, Edge)>,
    antis: Vec<AntiEdge>,
    /// By transaction: its place in the order of the key at hand.
    place: Vec<u32>,
}

impl Builder<'_, '_, '_> {
    fn start(&self, txn: TxnIndex) -> u32 {
        if self.rule.split { txn * 2 } else { txn }
    }

    fn commit(&self, txn: TxnIndex) -> u32 {
        if self.rule.split { txn * 2 + 1 } else { txn }
    }

    fn hub(&mut self) -> u32 {
        self.hubs += 1;
        self.hubs - 1
    }

    fn edge(&mut self, from: u32, to: u32, key: KeyId, kind: Kind) {
        self.edges.push((from, Edge { to, key, kind }));
    }

    fn within(&mut self) {
        if self.rule.split {
            for txn in 0..self.txns {
                self.edge(self.start(txn), self.commit(txn), u32::MAX, Kind::Within);
            }
        }
    }

    /// Adds an edge: `first` took effect before `second` began.
    fn depends(&mut self, first: TxnIndex, second: TxnIndex, key: KeyId, kind: Kind) {
        if first != second {
            self.edge(self.commit(first), self.start(second), key, kind);
        }
    }

    /// Adds an edge: `second` overwrote `first`, so `first` took effect before `second` began (appends:
    /// before it took effect).
    fn overwrites(&mut self, first: TxnIndex, second: TxnIndex, key: KeyId) {
        if first != second && self.problem.commutes(self.rule, key) {
            self.edge(self.commit(first), self.commit(second), key, Kind::Ww);
        } else {
            self.depends(first, second, key, Kind::Ww);
        }
    }

    /// Adds an edge: `reader` did not see the write of `writer`.
    fn anti(&mut self, reader: TxnIndex, writer: TxnIndex, key: KeyId) {
        if reader == writer || !self.problem.anti_counts(self.rule, reader, key) {
            return;
        }
        self.missed(reader, writer, key);
    }

    fn missed(&mut self, reader: TxnIndex, writer: TxnIndex, key: KeyId) {
        if self.rule.single {
            self.antis.push(AntiEdge { reader, writer, key });
        } else {
            self.edge(self.start(reader), self.commit(writer), key, Kind::Rw);
        }
    }

    fn key(&mut self, key: KeyId, by_key: &ByKey, orders: Orders<'_>) {
        let (writers, reads) = (by_key.writers(key), by_key.reads(key));
        if writers.is_empty() {
            return;
        }
        for read in reads {
            if read.source != INIT && self.rule.reads {
                self.depends(read.source, read.reader, key, Kind::Wr);
            }
        }
        let items: Vec<KeyRead>;
        let reads = if self.rule.anti.only_items() {
            items = reads.iter().copied().filter(|read| !read.missed).collect();
            items.as_slice()
        } else {
            reads
        };
        match orders {
            Orders::Total(orders) => self.chain(key, &orders[key as usize], writers, reads),
            Orders::Known => match self.problem.lists.get(&key) {
                // Without read dependencies a transaction that may have been aborted proves no order.
                Some(_) if !self.rule.reads => {
                    self.chain(key, self.problem.certain_order(key), writers, reads);
                }
                Some(shown) => self.chain(key, shown, writers, reads),
                None if self.rule.orders_writes() => self.forest(key, writers, reads),
                None => {}
            },
        }
    }

    /// Adds the writers of a key in a known order; writers that are not in it come last, unordered.
    fn chain(&mut self, key: KeyId, order: &[TxnIndex], writers: &[TxnIndex], reads: &[KeyRead]) {
        // One that may have been aborted is in no order of writes, where that is all that counts.
        let certain: Vec<TxnIndex> =
            order.iter().copied().filter(|txn| self.assigned.included[*txn as usize]).collect();
        let order = certain.as_slice();
        for &writer in writers {
            self.place[writer as usize] = u32::MAX;
        }
        for pair in order.windows(2) {
            self.overwrites(pair[0], pair[1], key);
        }
        for (at, &writer) in (0_u32..).zip(order) {
            self.place[writer as usize] = at;
        }
        let tail: Vec<TxnIndex> =
            writers.iter().copied().filter(|&writer| self.place[writer as usize] == u32::MAX).collect();
        // One whose element others appended too may be anywhere.
        let tail: Vec<TxnIndex> =
            tail.into_iter().filter(|&writer| !self.problem.is_repeated(writer, key)).collect();
        let mut of_last = Vec::new();
        for read in reads {
            let next = if read.source == INIT { 0 } else { self.place[read.source as usize].wrapping_add(1) };
            match order.get(next as usize) {
                Some(&next) => self.anti(read.reader, next, key),
                None => of_last.push(read.reader),
            }
        }
        if !tail.is_empty() {
            self.successors(key, order.last().copied().unwrap_or(INIT), &of_last, &tail);
        }
    }

    /// Adds the writers of a register, ordered by the writers that read it before they wrote.
    fn forest(&mut self, key: KeyId, writers: &[TxnIndex], reads: &[KeyRead]) {
        // 1: writes the key; 2: has also read it.
        for &writer in writers {
            self.place[writer as usize] = 1;
        }
        let mut sorted = reads.to_vec();
        sorted.sort_by_key(|read| (read.source, read.reader));
        sorted.dedup_by_key(|read| (read.source, read.reader));
        for read in &sorted {
            if self.place[read.reader as usize] == 1 {
                self.place[read.reader as usize] = 2;
            }
        }
        let blind: Vec<TxnIndex> =
            writers.iter().copied().filter(|&writer| self.place[writer as usize] == 1).collect();
        for group in sorted.chunk_by(|one, other| one.source == other.source) {
            let source = group[0].source;
            let readers: Vec<TxnIndex> = group.iter().map(|read| read.reader).collect();
            let mut next: Vec<TxnIndex> =
                readers.iter().copied().filter(|&reader| self.place[reader as usize] == 2).collect();
            if source == INIT {
                next.extend(&blind);
            }
            self.successors(key, source, &readers, &next);
        }
        for &writer in writers {
            self.place[writer as usize] = u32::MAX;
        }
        for read in reads {
            self.place[read.reader as usize] = u32::MAX;
        }
    }

    /// Orders the writers that follow `source`, whose version `readers` read: one that read that version
    /// itself is the direct successor, because the first committer wins. Two such writers are a lost update.
    fn successors(&mut self, key: KeyId, source: Source, readers: &[TxnIndex], next: &[TxnIndex]) {
        if !self.rule.orders_writes() {
            for &writer in next {
                self.after(source, writer, key);
            }
            return;
        }
        if self.rule.split && self.problem.commutes(self.rule, key) {
            // Appends do not have to see each other.
            self.fan(key, source, readers, next);
            return;
        }
        for &reader in readers {
            self.place[reader as usize] = u32::MAX - 1;
        }
        let updates = |writer: TxnIndex| {
            // What a weaker transaction reads may be overwritten, but its update is not lost either.
            let counts =
                self.problem.weak[writer as usize] || self.problem.anti_counts(self.rule, writer, key);
            self.place[writer as usize] == u32::MAX - 1 && counts
        };
        let mut updaters = next.iter().copied().filter(|&writer| updates(writer));
        let (first, second) = (updaters.next(), updaters.next());
        match (first, second) {
            (Some(first), Some(second)) => {
                // Either order closes a cycle, because neither saw the other; report the likelier one.
                let (first, second) = match self.problem.likely(first) <= self.problem.likely(second) {
                    true => (first, second),
                    false => (second, first),
                };
                self.after(source, first, key);
                self.depends(first, second, key, Kind::Ww);
                self.missed(second, first, key);
            }
            (Some(first), None) => {
                self.after(source, first, key);
                for &reader in readers {
                    self.anti(reader, first, key);
                }
                for &writer in next {
                    self.depends(first, writer, key, Kind::Ww);
                }
            }
            (None, _) => self.fan(key, source, readers, next),
        }
        for &reader in readers {
            self.place[reader as usize] = u32::MAX;
        }
    }

    fn after(&mut self, source: Source, writer: TxnIndex, key: KeyId) {
        if source != INIT {
            self.overwrites(source, writer, key);
        }
    }

    /// Adds edges from all readers to all writers. A transaction is in both lists only where start and commit
    /// are two events.
    fn fan(&mut self, key: KeyId, source: Source, readers: &[TxnIndex], next: &[TxnIndex]) {
        for &writer in next {
            self.after(source, writer, key);
        }
        // Hubs join readers and writers in the graph, where anti-dependencies that stand apart are not.
        if self.rule.single || readers.len() * next.len() <= readers.len() + next.len() {
            for &reader in readers {
                for &writer in next {
                    self.anti(reader, writer, key);
                }
            }
            return;
        }
        let hub = self.hub();
        for &reader in readers {
            if self.problem.anti_counts(self.rule, reader, key) {
                self.edge(self.start(reader), hub, key, Kind::Rw);
            }
        }
        for &writer in next {
            self.edge(hub, self.commit(writer), key, Kind::Pass);
        }
    }

    fn sessions(&mut self) {
        let mut last: std::collections::BTreeMap<u32, TxnIndex> = std::collections::BTreeMap::new();
        for txn in &self.problem.view.history.txns {
            if !self.assigned.included[txn.index as usize] {
                continue;
            }
            if let Some(before) = last.get(&txn.session) {
                self.depends(*before, txn.index, u32::MAX, Kind::Session);
            }
            // An unanswered commit may take effect after the next transaction of its session, so it orders
            // nothing.
            if is_committed(txn) {
                last.insert(txn.session, txn.index);
            }
        }
    }

    /// Adds real time as a line of hubs: an ack leads to the next hub, and the last hub before a begin leads
    /// to it.
    fn time(&mut self) {
        let mut moments: Vec<(u64, bool, TxnIndex)> = Vec::new();
        for txn in &self.problem.view.history.txns {
            if self.assigned.included[txn.index as usize] {
                moments.push((txn.begun, false, txn.index));
                if let Outcome::Committed { acked, .. } = txn.outcome {
                    moments.push((acked, true, txn.index));
                }
            }
        }
        moments.sort_unstable();
        let mut hub: Option<u32> = None;
        let mut acks: Vec<TxnIndex> = Vec::new();
        for (_, is_ack, txn) in moments {
            if is_ack {
                acks.push(txn);
                continue;
            }
            if !acks.is_empty() {
                let next = self.hub();
                if let Some(hub) = hub {
                    self.edge(hub, next, u32::MAX, Kind::Pass);
                }
                for acked in acks.drain(..) {
                    self.edge(self.commit(acked), next, u32::MAX, Kind::Time);
                }
                hub = Some(next);
            }
            if let Some(hub) = hub {
                self.edge(hub, self.start(txn), u32::MAX, Kind::Pass);
            }
        }
    }
}
