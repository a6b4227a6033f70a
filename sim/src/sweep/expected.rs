//! Digests of an earlier sweep, seed by seed: the same seeds must have the same digests in every process and
//! on every machine.

use std::io::{self, BufRead};

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use serde::Deserialize;

use super::message::SeedLine;
use crate::determinism::NotDeterministic;
use crate::digest::DigestValue;

/// A line of results, of any format.
#[derive(Deserialize)]
struct AnyLine {
    seed: Option<SeedDigest>,
}

#[derive(Deserialize)]
struct SeedDigest {
    seed: u64,
    digest: DigestValue,
}

/// Digests by seed.
#[derive(Clone, Debug, Default)]
pub struct Expected(HashMap<u64, DigestValue, FixedState>);

impl Expected {
    /// Reads the digests from what `sweep --out` wrote.
    ///
    /// # Errors
    /// When a line can't be read, or was not written by a sweep.
    pub fn read(input: impl BufRead) -> io::Result<Self> {
        let mut digests = HashMap::default();
        for line in input.lines() {
            // Only seeds matter, so results of other builds and formats will do.
            let line: AnyLine = serde_json::from_str(&line?)?;
            if let Some(seed) = line.seed {
                digests.insert(seed.seed, seed.digest);
            }
        }
        Ok(Self(digests))
    }

    /// Returns how many seeds it knows.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns whether it knows none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Marks the line as failed if its digest has changed.
    pub(super) fn judge(&self, line: &mut SeedLine) {
        if let Some(then) = self.0.get(&line.seed)
            && *then != line.digest
        {
            let why = format!("the digest is {}, and was {then} in the earlier sweep", line.digest);
            line.failed.get_or_insert_with(|| NotDeterministic(why).to_string());
        }
    }
}
