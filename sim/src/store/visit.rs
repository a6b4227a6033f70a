//! Looking at entries where they are stored, by each of the functions that do.

use std::ops::ControlFlow;

use stormproof_workloads::store::{Entry, Result};

use super::adapter::bytes;
use super::engine::{self, EntryRef, Version};

/// The function by which [`visited`] looks.
pub(super) fn visits_by(most: usize, reverse: bool) -> &'static str {
    match (reverse, is_at_once(most)) {
        (true, _) => "Range::next_back_ref",
        (false, true) => "Range::for_each_ref",
        (false, false) => "Range::next_ref",
    }
}

const fn is_at_once(most: usize) -> bool {
    most > 0 && most.is_multiple_of(2)
}

/// Returns at most this number of entries of a range, the first ones, or from the last one on.
pub(super) fn visited(mut walked: engine::Range<'_>, most: usize, reverse: bool) -> Result<Vec<Entry>> {
    let mut found = Vec::new();
    if !reverse && is_at_once(most) {
        walked.for_each_ref(|entry| {
            found.push(looked_at(entry));
            if found.len() < most { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
    } else {
        while found.len() < most
            && let Some(next) = if reverse { walked.next_back_ref() } else { walked.next_ref() }
        {
            found.push(looked_at(next));
        }
    }
    found.into_iter().collect()
}

fn looked_at(found: EntryRef<'_>) -> Result<Entry> {
    let value = bytes(&found.value().to_value())?;
    Ok(Entry { key: found.user_key().to_vec(), value, version: found.version().map(Version::get) })
}
