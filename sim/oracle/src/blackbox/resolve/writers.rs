//! The writers of each value and of each list element, before any read is looked at.

use stormproof_workloads::history::TxnIndex;
use stormproof_workloads::store::Version;

use super::{Assumed, NO_SOURCE, Resolver, Source};
use crate::view::{Content, KeyId, Map};

/// The writer of a list element.
#[derive(Clone, Copy, Debug)]
pub(super) struct Element {
    /// Or [`NO_SOURCE`], if several transactions appended it.
    pub(super) owner: Source,
    /// Its position among the elements that the owner appended to that list.
    pub(super) at: u32,
    /// Whether it is the last of those.
    pub(super) last: bool,
    /// How many times it was appended.
    pub(super) times: u32,
}

impl Resolver<'_, '_> {
    /// Indexes the writes of all transactions that may count.
    pub(super) fn index_all(&mut self) {
        self.values.clear();
        self.removers.clear();
        self.elements.clear();
        // Room at once: while a large map grows, it is there twice.
        self.elements.reserve(self.view.elements.len());
        self.resolved.repeated.clear();
        self.resolved.vague = None;
        for txn in &self.view.history.txns {
            self.index(txn.index);
        }
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
    pub(super) fn give_up_repeated(&mut self, hints: &Map<TxnIndex, Version>) {
        let view = self.view;
        let unanswered = |txn: TxnIndex| !crate::view::is_committed(view.txn(txn)) && self.may_count(txn);
        let mut assumed: Option<Assumed> = None;
        let mut first: Map<(KeyId, &[u8]), TxnIndex> = Map::default();
        let txns = view.history.txns.iter().map(|txn| txn.index).filter(|txn| self.may_count(*txn));
        for txn in txns {
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
}
