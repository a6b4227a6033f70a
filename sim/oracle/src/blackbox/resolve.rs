//! Resolves each read to the transaction that wrote the value.
//!
//! Job: the writer of every value that was read, the order of list elements, and the anomalies that need no
//! graph: garbage, aborted and intermediate reads, duplicate elements, incompatible orders. Not its job:
//! cycles.
//!
//! List order from reads: K. Kingsbury and P. Alvaro, "Elle: inferring isolation anomalies from experimental
//! observations", VLDB 2020, section 4. An unanswered commit counts as
//! committed once a committed transaction read one of its writes.

use std::collections::BTreeMap;

use stormproof_workloads::history::{Op, Outcome, TxnIndex};
use stormproof_workloads::store::{Bytes, Version};

use super::table::Anomaly;
use crate::level::Level;
use crate::verdict::AnomalyClass;
use crate::view::{Content, KeyId, Map, Observed, Seen, View};

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

/// The elements of one list in their order.
#[derive(Clone, Debug, Default)]
struct ListOrder<'h> {
    longest: &'h [Bytes],
    reader: TxnIndex,
    /// The number of elements that a transaction read that certainly committed.
    certain: usize,
    /// By element: the transaction that appended it.
    owners: Vec<Source>,
    /// By element: whether it is the last that its owner appended.
    finals: Vec<bool>,
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

/// The writer of a list element.
#[derive(Clone, Copy, Debug)]
struct Element {
    /// Or [`NO_SOURCE`], if several transactions appended it.
    owner: Source,
    /// Its position among the elements that the owner appended to that list.
    at: u32,
    /// Whether it is the last of those.
    last: bool,
    /// How many times it was appended.
    times: u32,
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
        let (values, elements) = (Map::default(), Map::default());
        let (removers, lists) = (Map::default(), Map::default());
        let given_up = Map::default();
        let mut resolver = Self { view, values, elements, removers, lists, given_up, resolved };
        resolver.give_up_repeated(hints);
        for txn in txns {
            resolver.index(txn.index);
        }
        resolver
    }

    fn index(&mut self, txn: TxnIndex) {
        let view = self.view;
        for write in view.writes(txn) {
            if let Content::Value(value) | Content::Expiring(value) = write.content {
                self.values.entry((write.key, value)).or_default().push(txn);
            }
            if matches!(write.content, Content::Absent | Content::Expiring(_)) && self.may_count(txn) {
                self.removers.entry(write.key).or_default().push(txn);
            }
            let appended = view.appended(write.content);
            for (at, element) in (0_u32..).zip(appended) {
                let last = at as usize + 1 == appended.len();
                let place = (write.key, *element);
                let old = self.elements.get(&place).copied();
                if old.is_some() && !self.may_count(txn) {
                    continue;
                }
                let new = Element { owner: txn, at, last, times: 1 };
                let Some(old) = old.filter(|old| old.owner == NO_SOURCE || self.may_count(old.owner)) else {
                    self.elements.insert(place, new);
                    continue;
                };
                self.elements.insert(place, Element { owner: NO_SOURCE, times: old.times + 1, ..new });
                self.resolved.repeated.insert((txn, write.key), ());
                if old.owner != NO_SOURCE {
                    self.resolved.repeated.insert((old.owner, write.key), ());
                    let (name, element) = (view.key_name(write.key), view.show(element));
                    let why = format!("list {name} was appended {element} by T{} and by T{txn}", old.owner);
                    self.resolved.vague.get_or_insert(why);
                }
            }
        }
    }

    /// Assumes that an unanswered append had no effect if the same element was appended again: with both in
    /// effect the list would show the element twice. A history that holds under that assumption holds.
    fn give_up_repeated(&mut self, hints: &Map<TxnIndex, Version>) {
        let view = self.view;
        let unanswered = |txn: TxnIndex| !crate::view::is_committed(view.txn(txn)) && self.may_count(txn);
        let appends = |txn: TxnIndex| {
            view.writes(txn).iter().any(|write| matches!(write.content, Content::Appended { .. }))
        };
        let txns = || view.history.txns.iter().map(|txn| txn.index).filter(|txn| self.may_count(*txn));
        if !txns().any(|txn| unanswered(txn) && appends(txn)) {
            return;
        }
        let mut assumed: Option<Assumed> = None;
        let mut first: Map<(KeyId, &[u8]), TxnIndex> = Map::default();
        for txn in txns() {
            for write in view.writes(txn) {
                for &element in view.appended(write.content) {
                    let Some(other) = first.insert((write.key, element), txn) else { continue };
                    let uncertain = |txn: &TxnIndex| unanswered(*txn) && !hints.contains_key(txn);
                    let Some(dropped) = [other, txn].into_iter().find(uncertain) else { continue };
                    let assumed = assumed.get_or_insert_with(|| {
                        let (name, element) = (view.key_name(write.key), view.show(element));
                        let why = format!("list {name} was appended {element} by T{other} and by T{txn}");
                        Assumed { why, txns: Vec::new(), keys: Vec::new() }
                    });
                    assumed.txns.push(dropped);
                    assumed.keys.push(write.key);
                }
            }
        }
        self.given_up = assumed.iter().flat_map(|assumed| &assumed.txns).map(|txn| (*txn, ())).collect();
        self.resolved.assumed = assumed;
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

    /// The possible writers of a register value that was read.
    fn candidates(&self, reader: TxnIndex, read: &Observed<'h>) -> Vec<Source> {
        let none = Vec::new();
        let (first, writers) = match read.seen {
            Seen::Absent => (Some(INIT), self.removers.get(&read.key).unwrap_or(&none)),
            Seen::Value(value) => (None, self.values.get(&(read.key, value)).unwrap_or(&none)),
            Seen::List(_) => return none,
        };
        let others = writers.iter().copied().filter(|&txn| txn != reader && self.may_count(txn));
        let mut candidates: Vec<Source> = first.into_iter().chain(others).collect();
        candidates.sort_by_key(|&txn| txn < NO_SOURCE && !crate::view::is_committed(self.view.txn(txn)));
        candidates
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

    fn register_source(&mut self, reader: TxnIndex, place: usize, read: &Observed<'h>) -> Source {
        let counts = self.resolved.included[reader as usize];
        let candidates = self.candidates(reader, read);
        match candidates[..] {
            [only] => only,
            [] => {
                if counts {
                    self.orphan(reader, read);
                }
                NO_SOURCE
            }
            _ => {
                self.resolved.choices.push(Choice { place, reader, candidates });
                OPEN
            }
        }
    }

    /// Reports a value that no counted transaction left.
    fn orphan(&mut self, reader: TxnIndex, read: &Observed<'h>) {
        let Seen::Value(value) = read.seen else { return };
        let view = self.view;
        let mut overwritten = view
            .intermediate
            .iter()
            .filter(|one| one.key == read.key && one.value == value && one.txn != reader)
            .map(|one| one.txn)
            .collect::<Vec<_>>();
        overwritten.sort_by_key(|txn| !self.may_count(*txn));
        let passed = overwritten.first().copied().filter(|txn| self.may_count(*txn));
        let dead = self.values.get(&(read.key, value));
        let dead = dead.and_then(|writers| writers.iter().copied().find(|&txn| txn != reader));
        let dead = dead.or(overwritten.first().copied());
        let name = view.key_name(read.key);
        let writes = |op: &Op| match op {
            Op::Put { key, value: own }
            | Op::PutExpiring { key, value: own, .. }
            | Op::Cas { key, value: own, .. } => key == view.keys[read.key as usize] && own == value,
            _ => false,
        };
        let (class, other, why) = match (passed, dead) {
            (Some(passed), _) => {
                let why = format!("T{passed} overwrote it itself before it committed");
                (AnomalyClass::IntermediateRead, Some(passed), why)
            }
            (None, Some(dead)) => (
                AnomalyClass::AbortedRead,
                Some(dead),
                format!("it was written by T{dead}, which did not commit"),
            ),
            (None, None) if view.txn(reader).ops.iter().any(writes) => {
                (AnomalyClass::FutureRead, None, "it wrote that itself, later".to_owned())
            }
            (None, None) => (AnomalyClass::GarbageRead, None, "no transaction wrote that value".to_owned()),
        };
        let message = format!("T{reader} read {name} and saw {}: {why}", view.show_seen(read.seen));
        self.anomaly(class, [reader].into_iter().chain(other).collect(), read.key, message);
    }

    fn order_lists(&mut self) {
        let mut lists = std::mem::take(&mut self.lists);
        let mut keys: Vec<KeyId> = lists.keys().copied().collect();
        keys.sort_unstable();
        for key in keys {
            if let Some(list) = lists.get_mut(&key) {
                self.order_list(key, list);
            }
        }
        self.lists = lists;
    }

    fn order_list(&mut self, key: KeyId, list: &mut ListOrder<'h>) {
        let name = self.view.key_name(key);
        let mut seen: Map<&[u8], u32> = Map::default();
        let mut writers: Vec<TxnIndex> = Vec::new();
        let mut before: Option<Element> = None;
        let mut aborted: Option<TxnIndex> = None;
        for (at, element) in list.longest.iter().enumerate() {
            if at == list.certain {
                self.resolved.certain.insert(key, writers.len());
            }
            let text = self.view.show(element);
            let reader = list.reader;
            let found = self.elements.get(&(key, element.as_slice())).copied();
            let times = seen.entry(element).or_default();
            *times += 1;
            if *times == found.map_or(1, |found| found.times) + 1 {
                let message =
                    format!("T{reader} read list {name} and found {text} in it too often: {times} times");
                self.anomaly(AnomalyClass::DuplicateElement, vec![reader], key, message);
            }
            list.owners.push(found.map_or(NO_SOURCE, |found| found.owner));
            list.finals.push(found.is_none_or(|found| found.last));
            let counted = found.filter(|found| found.owner != NO_SOURCE && self.may_count(found.owner));
            self.contiguous(key, reader, &text, before, counted);
            match found {
                Some(found) if found.owner == NO_SOURCE => {}
                Some(Element { owner, .. }) if self.may_count(owner) => {
                    if let Some(dirty) = aborted.take() {
                        let message = format!(
                            "T{reader} read list {name} with {text} of T{owner} behind an element of T{dirty}, which did \
                             not commit: T{owner} updated what was never there"
                        );
                        self.anomaly(AnomalyClass::DirtyUpdate, vec![reader, dirty, owner], key, message);
                    }
                    if writers.last() != Some(&owner) {
                        writers.push(owner);
                    }
                }
                Some(Element { owner, .. }) => {
                    aborted = Some(owner);
                    let message = format!(
                        "T{reader} read list {name} and saw {text} of T{owner}, which did not commit"
                    );
                    self.anomaly(AnomalyClass::AbortedRead, vec![reader, owner], key, message);
                }
                None => {
                    let message =
                        format!("T{reader} read list {name} and saw {text}, which no transaction appended");
                    self.anomaly(AnomalyClass::GarbageRead, vec![reader], key, message);
                }
            }
            before = counted;
        }
        self.resolved.lists.insert(key, writers);
    }

    /// Reports elements of one transaction that do not stand side by side in the order in which it appended
    /// them.
    fn contiguous(
        &mut self,
        key: KeyId,
        reader: TxnIndex,
        text: &str,
        before: Option<Element>,
        found: Option<Element>,
    ) {
        let follows = match (before, found) {
            (Some(before), Some(found)) if !before.last => {
                before.owner == found.owner && found.at == before.at + 1
            }
            (_, Some(found)) => found.at == 0,
            (_, None) => true,
        };
        if follows {
            return;
        }
        // Behind an element whose writer is unknown anything may continue.
        if before.is_none() && self.resolved.vague.is_some() {
            return;
        }
        let name = self.view.key_name(key);
        let owners = before.into_iter().chain(found).map(|element| element.owner);
        let message = format!(
            "T{reader} read list {name} and saw {text} where one transaction's elements were cut apart or swapped"
        );
        let mut txns: Vec<TxnIndex> = [reader].into_iter().chain(owners).collect();
        txns.dedup();
        self.anomaly(AnomalyClass::IncompatibleOrder, txns, key, message);
    }

    fn list_source(&mut self, reader: TxnIndex, read: &Observed<'h>, elements: &'h [Bytes]) -> Source {
        let counts = self.resolved.included[reader as usize];
        let Some(last) = elements.len().checked_sub(1) else { return INIT };
        let Some(list) = self.lists.get(&read.key) else { return NO_SOURCE };
        let same = elements.len() <= list.longest.len()
            && (std::ptr::eq(elements, &raw const list.longest[..elements.len()])
                || elements == &list.longest[..elements.len()]);
        if !same {
            if counts {
                let (name, other) = (self.view.key_name(read.key), list.reader);
                let longest = self.view.show_seen(Seen::List(list.longest));
                let message = format!(
                    "T{reader} read list {name} as {} and T{other} as {longest}: no list has both as its beginning",
                    self.view.show_seen(read.seen)
                );
                let mut txns = vec![reader, other];
                txns.extend(self.uncertain(read.key, elements, list.longest));
                self.anomaly(AnomalyClass::IncompatibleOrder, txns, read.key, message);
            }
            return NO_SOURCE;
        }
        let (owner, complete) = (list.owners[last], list.finals[last]);
        let writes = self.view.writes(reader).iter().any(|write| write.key == read.key);
        if let Some(at) = list.owners[..elements.len()].iter().position(|owner| writes && *owner == reader) {
            if counts {
                self.own_element(reader, read, &elements[at]);
            }
            return NO_SOURCE;
        }
        if owner >= NO_SOURCE || !self.may_count(owner) {
            return NO_SOURCE;
        }
        if !complete && counts {
            let name = self.view.key_name(read.key);
            let message = format!(
                "T{reader} read list {name} as {}, which is in the middle of what T{owner} appended",
                self.view.show_seen(read.seen)
            );
            self.anomaly(AnomalyClass::IntermediateRead, vec![reader, owner], read.key, message);
        }
        owner
    }

    /// The writer of an element without which two lists would fit, if it may have been aborted.
    fn uncertain(&self, key: KeyId, one: &[Bytes], other: &[Bytes]) -> Option<TxnIndex> {
        let certain = |element: &&Bytes| match self.elements.get(&(key, element.as_slice())) {
            Some(found) if found.owner != NO_SOURCE => crate::view::is_committed(self.view.txn(found.owner)),
            _ => true,
        };
        let fit =
            one.iter().filter(certain).zip(other.iter().filter(certain)).all(|(one, other)| one == other);
        let dead = one.iter().chain(other).find(|element| !certain(element)).filter(|_| fit);
        dead.and_then(|element| self.elements.get(&(key, element.as_slice()))).map(|found| found.owner)
    }

    /// Reports an own element that a transaction read before it appended it, or once more than it appended
    /// it.
    fn own_element(&mut self, reader: TxnIndex, read: &Observed<'h>, element: &[u8]) {
        let view = self.view;
        let key = view.keys[read.key as usize];
        let ops = &view.txn(reader).ops;
        let appends =
            |op: &Op| matches!(op, Op::Append { key: other, element: own } if other == key && own == element);
        let reads = |op: &Op| matches!(op, Op::List { key: other, elements, .. } if other == key && elements.iter().any(|one| one == element));
        let later = ops.iter().position(reads) < ops.iter().position(appends);
        let (name, text, seen) = (view.key_name(read.key), view.show(element), view.show_seen(read.seen));
        let (class, message) = if later {
            let message = format!("T{reader} read list {name} as {seen}: it appended {text} itself, later");
            (AnomalyClass::FutureRead, message)
        } else {
            let message = format!(
                "T{reader} appended {text} to list {name} and then read it once more, among the elements of others {seen}"
            );
            (AnomalyClass::InternalInconsistency, message)
        };
        self.anomaly(class, vec![reader], read.key, message);
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
