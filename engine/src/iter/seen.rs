//! The record of what an iterator has given, for a simulation that observes it.

use std::fmt;

use super::entry::Entry;
use super::tracking::Walked;
use crate::range::KeyRange;

/// Takes a part of a range, whether it was walked backwards, and the entries in it, in that order.
type Tell<'a> = Box<dyn FnMut(&KeyRange, bool, Vec<Entry>) + Send + 'a>;

/// What was given since the last report, if a simulation observes.
#[derive(Default)]
pub(crate) struct Seen<'a>(Option<Box<Parts<'a>>>);

struct Parts<'a> {
    front: Vec<Entry>,
    back: Vec<Entry>,
    tell: Tell<'a>,
}

impl<'a> Seen<'a> {
    pub(crate) fn told_to(tell: impl FnMut(&KeyRange, bool, Vec<Entry>) + Send + 'a) -> Self {
        Self(Some(Box::new(Parts { front: Vec::new(), back: Vec::new(), tell: Box::new(tell) })))
    }

    pub(super) const fn is_on(&self) -> bool {
        self.0.is_some()
    }

    pub(super) fn add(&mut self, from_back: bool, entry: impl FnOnce() -> Entry) {
        if let Some(parts) = &mut self.0 {
            if from_back { parts.back.push(entry()) } else { parts.front.push(entry()) }
        }
    }

    pub(super) fn walked(&mut self, bounds: &KeyRange, walked: &Walked) {
        let Some(parts) = &mut self.0 else { return };
        let Parts { front, back, tell } = &mut **parts;
        let (mut front, back) = (std::mem::take(front), std::mem::take(back));
        match walked {
            Walked::All => {
                front.extend(back.into_iter().rev());
                tell(bounds, false, front);
            }
            Walked::Ends(first, last) => {
                if let Some(last) = first {
                    tell(&bounds.up_to(last), false, front);
                }
                if let Some(last) = last {
                    tell(&bounds.from(last), true, back);
                }
            }
        }
    }
}

impl fmt::Debug for Seen<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seen").field("is_on", &self.is_on()).finish_non_exhaustive()
    }
}
