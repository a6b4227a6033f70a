//! Resolves each read to the transaction that wrote the value.
//!
//! Job: the writer of every value that was read, the order of list elements, and the anomalies that need no
//! graph: garbage, aborted and intermediate reads, duplicate elements, incompatible orders. Not its job:
//! cycles.
//!
//! List order from reads: K. Kingsbury and P. Alvaro, "Elle: inferring isolation anomalies from experimental
//! observations", VLDB 2020, section 4. An unanswered commit counts as
//! committed once a committed transaction read one of its writes.

mod lists;
mod registers;
mod writers;

use std::collections::BTreeMap;

use stormproof_workloads::history::{Outcome, TxnIndex};
use stormproof_workloads::store::Version;

use super::table::Anomaly;
use crate::level::Level;
use crate::verdict::AnomalyClass;
use crate::view::{KeyId, Map, Seen, View};
use lists::ListOrder;
use writers::Element;

/// The writer of a value that was read: the index of a transaction, or one of the constants below.
pub(super) type Source = u32;

/// The state before all transactions.
pub(super) const INIT: Source = u32::MAX;
/// Several writers are possible; [`Resolved::choices`] lists them.
pub(super) const OPEN: Source = u32::MAX - 1;
/// No transaction wrote the value: the read is an anomaly by itself.
pub(super) const NO_SOURCE: Source = u32::MAX - 2;

/// A read that several writers could explain.
#[derive(Clone, Debug)]
pub(super) struct Choice {
    /// Where the read is among all reads.
    pub(super) place: usize,
    pub(super) reader: TxnIndex,
    /// The possible writers, unanswered commits last.
    pub(super) candidates: Vec<Source>,
}

/// The reads-from relation, as far as it is known.
#[derive(Debug)]
pub(super) struct Resolved {
    /// By place of the read.
    pub(super) sources: Vec<Source>,
    pub(super) choices: Vec<Choice>,
    /// Whether a transaction counts as committed.
    pub(super) included: Vec<bool>,
    /// By key, for lists: the writers of the elements that were read, in list order.
    pub(super) lists: Map<KeyId, Vec<TxnIndex>>,
    /// By key, for lists whose last elements only unanswered commits read: the number of writers before
    /// those.
    pub(super) certain: Map<KeyId, usize>,
    /// Writers whose place in a list is unknown, because another one appended the same element.
    pub(super) repeated: Map<(TxnIndex, KeyId), ()>,
    pub(super) anomalies: Vec<Anomaly>,
    /// By kind: the number of anomalies, described or not.
    pub(super) counts: BTreeMap<AnomalyClass, u64>,
    /// Why no level can be decided, whatever the search finds.
    pub(super) vague: Option<String>,
    /// The assumption made, in words: a history that holds under it holds; one that does not stays undecided.
    pub(super) assumed: Option<Assumed>,
}

/// An assumption about unanswered commits.
#[derive(Clone, Debug)]
pub(super) struct Assumed {
    /// In words.
    pub(super) why: String,
    /// The transactions that are assumed to have had no effect.
    pub(super) txns: Vec<TxnIndex>,
    /// The lists that show the same element for two of their writers.
    pub(super) keys: Vec<KeyId>,
}

/// Maximum number of anomalies of this kind that are described.
const ANOMALIES_MAX: usize = 64;

pub(super) fn resolve(view: &View<'_>, hints: &Map<TxnIndex, Version>) -> Resolved {
    let mut resolver = Resolver::new(view, hints);
    resolver.include();
    resolver.sources();
    resolver.finish()
}

struct Resolver<'v, 'h> {
    view: &'v View<'h>,
    /// Writers of a value; more than one if it is not unique.
    values: Map<(KeyId, &'h [u8]), Vec<TxnIndex>>,
    elements: Map<(KeyId, &'h [u8]), Element>,
    /// The transactions that may have made a key absent.
    removers: Map<KeyId, Vec<TxnIndex>>,
    lists: Map<KeyId, ListOrder<'h>>,
    /// Unanswered commits that are assumed to have had no effect, because the same append was retried.
    given_up: Map<TxnIndex, ()>,
    resolved: Resolved,
}

impl<'v, 'h> Resolver<'v, 'h> {
    fn new(view: &'v View<'h>, hints: &Map<TxnIndex, Version>) -> Self {
        let txns = &view.history.txns;
        let resolved = Resolved {
            sources: vec![NO_SOURCE; view.read_count()],
            choices: Vec::new(),
            included: txns.iter().map(crate::view::is_committed).collect(),
            lists: Map::default(),
            certain: Map::default(),
            repeated: Map::default(),
            anomalies: Vec::new(),
            counts: BTreeMap::new(),
            vague: None,
            assumed: None,
        };
        let (values, elements, removers) = (Map::default(), Map::default(), Map::default());
        let (lists, given_up) = (Map::default(), Map::default());
        let mut resolver = Self { view, values, elements, removers, lists, given_up, resolved };
        resolver.index_all();
        if !resolver.resolved.repeated.is_empty() {
            resolver.give_up_repeated(hints);
            resolver.index_all();
        }
        resolver
    }

    /// Whether the transaction committed or may have committed.
    fn may_count(&self, txn: TxnIndex) -> bool {
        matches!(self.view.txn(txn).outcome, Outcome::Committed { .. } | Outcome::Unknown { .. })
            && !self.given_up.contains_key(&txn)
    }

    /// Includes unanswered commits whose writes a counted transaction read.
    fn include(&mut self) {
        let mut queue: Vec<TxnIndex> = (0..self.resolved.included.len())
            .filter(|&txn| self.resolved.included[txn])
            .filter_map(|txn| u32::try_from(txn).ok())
            .rev()
            .collect();
        let view = self.view;
        while let Some(reader) = queue.pop() {
            for read in view.reads(reader) {
                match read.seen {
                    Seen::Value(_) | Seen::Absent => {
                        if let [only] = self.candidates(reader, read)[..] {
                            self.count_in(only, &mut queue);
                        }
                    }
                    Seen::List(elements) => {
                        let list = self.lists.entry(read.key).or_default();
                        let known = list.longest.len();
                        if crate::view::is_committed(view.txn(reader)) {
                            list.certain = list.certain.max(elements.len());
                        }
                        if elements.len() > known {
                            (list.longest, list.reader) = (elements, reader);
                            for element in &elements[known..] {
                                if let Some(found) = self.elements.get(&(read.key, element.as_slice())) {
                                    self.count_in(found.owner, &mut queue);
                                }
                            }
                        }
                    }
                }
            }
        }
    }

    fn count_in(&mut self, txn: Source, queue: &mut Vec<TxnIndex>) {
        if txn < NO_SOURCE && !self.resolved.included[txn as usize] && self.may_count(txn) {
            self.resolved.included[txn as usize] = true;
            queue.push(txn);
        }
    }

    fn sources(&mut self) {
        self.order_lists();
        let view = self.view;
        for txn in 0..view.history.txns.len() {
            let reader = u32::try_from(txn).unwrap_or(NO_SOURCE);
            if !self.resolved.included[txn] {
                // An unanswered commit may count later: an open read may turn out to be of its write.
                if !matches!(view.txn(reader).outcome, Outcome::Unknown { .. }) {
                    continue;
                }
            }
            for (place, read) in view.read_places(reader).zip(view.reads(reader)) {
                self.resolved.sources[place] = match read.seen {
                    Seen::List(elements) => self.list_source(reader, read, elements),
                    _ => self.register_source(reader, place, read),
                };
            }
        }
    }

    fn anomaly(&mut self, class: AnomalyClass, txns: Vec<TxnIndex>, key: KeyId, message: String) {
        *self.resolved.counts.entry(class).or_default() += 1;
        if self.resolved.anomalies.len() >= ANOMALIES_MAX {
            return;
        }
        let keys = vec![self.view.keys[key as usize].to_vec()];
        let level = self.level(class, &txns);
        self.resolved.anomalies.push(Anomaly::direct(class, level, txns, keys, message));
    }

    /// The weakest level that forbids an anomaly: an unanswered commit may have been aborted, and what it saw
    /// and wrote counts only where reads must be of committed transactions.
    fn level(&self, class: AnomalyClass, txns: &[TxnIndex]) -> Level {
        let certain = |txn: &TxnIndex| crate::view::is_committed(self.view.txn(*txn));
        match class.weakest_level() {
            Level::ReadUncommitted if !txns.iter().all(certain) => Level::ReadCommitted,
            level => level,
        }
    }

    fn finish(mut self) -> Resolved {
        for violation in self.view.internal() {
            if self.resolved.included[violation.txns[0] as usize] {
                *self.resolved.counts.entry(violation.class).or_default() += 1;
                let level = self.level(violation.class, &violation.txns);
                self.resolved.anomalies.push(Anomaly::direct(
                    violation.class,
                    level,
                    violation.txns.clone(),
                    violation.keys.clone(),
                    violation.message.clone(),
                ));
            }
        }
        self.resolved
    }
}
