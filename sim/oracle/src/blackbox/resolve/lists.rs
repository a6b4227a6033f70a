//! Lists: the order of their elements, as the longest read shows it, and the source of each read.

use stormproof_workloads::history::{Op, TxnIndex};
use stormproof_workloads::store::Bytes;

use super::writers::Element;
use super::{INIT, NO_SOURCE, Resolver, Source};
use crate::verdict::AnomalyClass;
use crate::view::{KeyId, Map, Observed, Seen};

/// The elements of one list in their order.
#[derive(Clone, Debug, Default)]
pub(super) struct ListOrder<'h> {
    pub(super) longest: &'h [Bytes],
    pub(super) reader: TxnIndex,
    /// The number of elements that a transaction read that certainly committed.
    pub(super) certain: usize,
    /// By element: the transaction that appended it.
    pub(super) owners: Vec<Source>,
    /// By element: whether it is the last that its owner appended.
    pub(super) finals: Vec<bool>,
}

impl<'h> Resolver<'_, 'h> {
    pub(super) fn order_lists(&mut self) {
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

    pub(super) fn list_source(
        &mut self,
        reader: TxnIndex,
        read: &Observed<'h>,
        elements: &'h [Bytes],
    ) -> Source {
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
}
