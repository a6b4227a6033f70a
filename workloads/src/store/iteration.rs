//! Iterating over a range: what a client asks of an iterator, and what it was given.

use serde::{Deserialize, Serialize};

use super::{Entry, Result};

/// Entries that are asked for at one end of a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pull {
    /// From the last key downwards.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub back: bool,
    /// How many.
    pub count: u32,
}

/// What an iterator gave before it was dropped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Iterated {
    /// From the front, in key order.
    pub front: Vec<Entry>,
    /// From the back, in falling order.
    pub back: Vec<Entry>,
    /// Whether it had no more to give when it was asked for another one.
    pub finished: bool,
}

impl Iterated {
    /// Pulls as asked, until there is no more. `next` gives the next entry, from the back if its argument is
    /// true.
    ///
    /// # Errors
    /// Those of `next`.
    pub fn pull(pulls: &[Pull], mut next: impl FnMut(bool) -> Option<Result<Entry>>) -> Result<Self> {
        let mut given = Self::default();
        for pull in pulls {
            for _ in 0..pull.count {
                let Some(entry) = next(pull.back).transpose()? else {
                    given.finished = true;
                    return Ok(given);
                };
                if pull.back { given.back.push(entry) } else { given.front.push(entry) }
            }
        }
        Ok(given)
    }

    /// Returns all entries, in key order.
    pub fn into_entries(mut self) -> Vec<Entry> {
        self.front.extend(self.back.into_iter().rev());
        self.front
    }
}
