//! The record of what an iterator has given, where there is no simulation to report to: empty.

use super::entry::Entry;
use super::tracking::Walked;
use crate::range::KeyRange;

/// Nothing: see the feature `simulation`.
#[derive(Debug, Default)]
pub(crate) struct Seen<'a>(std::marker::PhantomData<&'a ()>);

#[expect(clippy::unused_self, reason = "with the feature `simulation` they do something")]
impl Seen<'_> {
    #[inline]
    pub(super) const fn is_on(&self) -> bool {
        false
    }

    #[inline]
    pub(super) fn add(&mut self, _from_back: bool, _: impl FnOnce() -> Entry) {}

    #[inline]
    pub(super) fn walked(&mut self, _: &KeyRange, _: &Walked) {}
}
