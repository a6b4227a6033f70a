//! The zoo's deliberate bugs of the commit protocol that take more than a condition. In production each
//! function here is empty: `rt::mutant!` is the constant `false`.

use rt::sync::Mutex;

use super::request::{Member, Request};
use super::validate::validate;
use super::write_set::WriteSet;
use crate::conflict::ConflictInfo;
use crate::key::{Key, TypeTag};
use crate::mvcc::Index;
use crate::store::Store;
use crate::types::Version;

/// Drops the conflicts that a validation with a gap would not find.
#[inline]
pub(super) fn suppress(conflicts: &mut Vec<ConflictInfo>, request: &Request) {
    if rt::mutant!(TransitionWithoutCompare) {
        conflicts.retain(|conflict| !concerns(conflict, TypeTag::State));
    }
    if rt::mutant!(EventSequenceAtAppend) {
        conflicts.retain(|conflict| !concerns(conflict, TypeTag::Event));
    }
    if rt::mutant!(SkipCasValidation) {
        conflicts.retain(|conflict| !matches!(conflict, ConflictInfo::CasConflict { .. }));
    }
    if rt::mutant!(SkipWriteValidation) {
        conflicts.retain(|conflict| !matches!(conflict, ConflictInfo::WriteConflict { .. }));
    }
    if rt::mutant!(DeleteNotValidated) {
        let deletes = |key: &Key| request.writes.get(key).is_some_and(|write| write.value.is_none());
        conflicts
            .retain(|conflict| !matches!(conflict, ConflictInfo::WriteConflict { key, .. } if deletes(key)));
    }
    if rt::mutant!(SkipReadValidation) {
        conflicts.retain(|conflict| !matches!(conflict, ConflictInfo::ReadConflict { .. }));
    }
    if rt::mutant!(SkipRangeValidation) {
        conflicts.retain(|conflict| !matches!(conflict, ConflictInfo::RangeConflict { .. }));
    }
    if rt::mutant!(ExpiryNotValidated) {
        conflicts.retain(|conflict| !matches!(conflict, ConflictInfo::Expired { .. }));
    }
}

/// Returns whether it is a conflict about one key of that kind.
fn concerns(conflict: &ConflictInfo, kind: TypeTag) -> bool {
    !matches!(conflict, ConflictInfo::RangeConflict { .. }) && conflict.key().tag() == Some(kind)
}

/// Validates outside of the lead.
#[inline]
pub(super) fn validate_before_lead(request: &mut Request, index: &Index) {
    if rt::mutant!(ValidateBeforeLead) {
        validate_early(request, index);
        rt::probe::at("commit.validate→lead");
    }
}

/// Validates all members before any of them is installed.
#[inline]
pub(super) fn validate_at_once(group: &mut [Member], index: &Index) {
    if rt::mutant!(GroupValidatedAtOnce) {
        group.iter_mut().for_each(|member| validate_early(&mut member.request, index));
    }
}

/// A request that is free of conflicts now will be found free of them later, whatever is committed meanwhile.
fn validate_early(request: &mut Request, index: &Index) {
    let mut conflicts = validate(request, index);
    suppress(&mut conflicts, request);
    if conflicts.is_empty() {
        request.start = Version::MAX;
    }
}

/// Takes a lock that guards nothing: an innocent change of the code, which traces have to survive.
#[inline]
pub(super) fn one_more_lock() {
    if rt::mutant!(OneMoreLock) {
        drop(Mutex::new("commit.one-more", ()).lock());
    }
}

/// Publishes a version before its writes are installed.
#[inline]
pub(super) fn publish_before_install(store: &Store, version: Version) {
    if rt::mutant!(PublishBeforeInstall) {
        store.publish(version);
    }
}

/// Publishes the first version of a group after the last.
#[inline]
pub(super) fn publish_out_of_order(store: &Store, first: Version) {
    if rt::mutant!(PublishOutOfOrder) {
        rt::probe::at("commit.publish→publish");
        store.publish(first);
    }
}

/// Installs the events of a commit and publishes it, before its other writes are installed.
#[inline]
pub(super) fn publish_after_events(
    store: &Store,
    writes: &mut WriteSet,
    version: Version,
    install: impl FnOnce(&mut WriteSet),
) {
    if !rt::mutant!(EventsPublishedFirst) {
        return;
    }
    let (mut events, mut rest) = (WriteSet::default(), WriteSet::default());
    for (key, write) in std::mem::take(writes).into_iter() {
        let part = if key.tag() == Some(TypeTag::Event) { &mut events } else { &mut rest };
        part.insert(key, write);
    }
    if events.is_empty() || rest.is_empty() {
        *writes = if events.is_empty() { rest } else { events };
        return;
    }
    install(&mut events);
    store.publish(version);
    rt::probe::at("commit.publish→install");
    *writes = rest;
}

/// Returns the last version, as of which a collection forgets tombstones; by the bug, that of when the
/// collection began.
#[inline]
pub(super) fn next_version(last: Version, first: Version) -> Version {
    if rt::mutant!(CollectionForgetsByItsBeginning) { first } else { last }
}

/// Returns whether no snapshot was registered when a leaf's turn came: asked once, and not for each
/// tombstone.
#[inline]
pub(super) fn was_idle(store: &Store) -> bool {
    rt::mutant!(TombstoneGoesUnseen) && store.snapshots.is_idle()
}
