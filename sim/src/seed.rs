//! The number that decides everything: [`Seed`], and the labelled streams of randomness that are drawn from
//! it.
//!
//! Job: each part of a run (engine options, workload, schedule, disk, crash, clock, entropy) draws from a
//! stream of its own, so that one more draw in one part leaves the others as they were. Every draw is mixed
//! into a digest and, if asked for, written down, so that two runs that differ can name the first draw at
//! which they do.
//!
//! INV-SEED-1: a stream depends on the seed and its label only, never on the other streams.
//!
//! Source: ChaCha (D. J. Bernstein, "ChaCha, a variant of Salsa20", 2008) with 8 rounds; the label picks the
//! 64-bit stream number, so streams of one seed never overlap.

use std::borrow::Cow;
use std::cell::RefCell;
use std::convert::Infallible;
use std::fmt;
use std::rc::Rc;
use std::str::FromStr;

use rand::rand_core::TryRng;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::digest::{Digest, DigestValue};

/// The number that decides everything about a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seed(pub u64);

impl Seed {
    /// Returns the streams of this seed.
    pub fn streams(self) -> Streams {
        Streams { seed: self, log: Rc::new(RefCell::new(DrawLog::default())) }
    }

    /// Returns a generator for a part whose draws are not recorded; it draws the same as the stream with this
    /// label.
    pub fn generator(self, label: &str) -> ChaCha8Rng {
        let mut rng = ChaCha8Rng::seed_from_u64(self.0);
        rng.set_stream(DigestValue::of_text(label).0);
        rng
    }
}

impl fmt::Display for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A seed is a number, or the hash of a git commit: continuous integration thus varies its seeds and can
/// repeat them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no seed: give a number from 0 to 18446744073709551615, or a git commit hash of 7 to 40 hex digits"
)]
pub struct SeedError(String);

impl FromStr for Seed {
    type Err = SeedError;

    fn from_str(text: &str) -> Result<Self, SeedError> {
        if let Ok(number) = text.parse() {
            return Ok(Self(number));
        }
        let is_hash = (7..=40).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if is_hash {
            Ok(Self(DigestValue::of_text(&text.to_ascii_lowercase()).0))
        } else {
            Err(SeedError(text.to_owned()))
        }
    }
}

/// One draw, as runs are compared by it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draw {
    /// The stream.
    pub stream: Cow<'static, str>,
    /// How many draws of this stream came before.
    pub nth: u64,
    /// What was drawn.
    pub value: u64,
}

#[derive(Debug, Default)]
struct DrawLog {
    digest: Digest,
    draws: Vec<Draw>,
}

/// The labelled streams of one seed, with the common record of all that was drawn from them.
#[derive(Clone, Debug)]
pub struct Streams {
    seed: Seed,
    log: Rc<RefCell<DrawLog>>,
}

impl Streams {
    /// Returns the stream with this label, from its start.
    pub fn stream(&self, label: &'static str) -> Stream {
        Stream { label, nth: 0, rng: self.seed.generator(label), log: Rc::clone(&self.log) }
    }

    /// Returns the digest of all draws so far.
    pub fn digest(&self) -> DigestValue {
        self.log.borrow().digest.value()
    }

    /// Returns all draws so far.
    pub fn draws(&self) -> Vec<Draw> {
        self.log.borrow().draws.clone()
    }
}

/// A labelled stream of randomness.
#[derive(Debug)]
pub struct Stream {
    label: &'static str,
    nth: u64,
    rng: ChaCha8Rng,
    log: Rc<RefCell<DrawLog>>,
}

impl Stream {
    /// Draws `true` in `percent` of 100 draws.
    pub fn chance(&mut self, percent: u32) -> bool {
        self.random_range(0..100) < percent
    }

    /// Draws one of `choices`, each as likely as its weight says.
    ///
    /// # Panics
    /// When all weights are zero.
    pub fn weighted<T: Copy>(&mut self, choices: &[(u32, T)]) -> T {
        let total: u32 = choices.iter().map(|(weight, _)| weight).sum();
        let mut left = self.random_range(0..total);
        for &(weight, choice) in choices {
            if left < weight {
                return choice;
            }
            left -= weight;
        }
        unreachable!("the weights add up to their sum")
    }

    /// Returns the generator itself, for parts that draw by themselves. Only that they begin is recorded, not
    /// what they draw.
    pub fn generator(&mut self) -> &mut ChaCha8Rng {
        let position = self.rng.get_word_pos();
        self.note(u64::try_from(position).unwrap_or(u64::MAX));
        &mut self.rng
    }

    fn note(&mut self, value: u64) -> u64 {
        let mut log = self.log.borrow_mut();
        log.digest.text(self.label);
        log.digest.number(value);
        log.draws.push(Draw { stream: Cow::Borrowed(self.label), nth: self.nth, value });
        self.nth += 1;
        value
    }
}

impl TryRng for Stream {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let value = self.rng.next_u32();
        self.note(u64::from(value));
        Ok(value)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let value = self.rng.next_u64();
        Ok(self.note(value))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.rng.fill_bytes(bytes);
        let mut digest = Digest::default();
        digest.bytes(bytes);
        self.note(digest.value().0);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use rand::Rng;

    use super::Seed;

    #[test]
    fn a_draw_more_in_one_stream_leaves_the_others_alone() {
        let streams = Seed(7).streams();
        let mut disk = streams.stream("disk");
        let first = disk.next_u64();

        let other = Seed(7).streams();
        let mut clock = other.stream("clock");
        clock.next_u64();
        assert_eq!(other.stream("disk").next_u64(), first);
        assert_ne!(other.stream("clock").next_u64(), first, "streams are not the same stream");
    }

    #[test]
    fn two_runs_that_differ_name_the_first_draw() {
        let streams = [Seed(7).streams(), Seed(7).streams()];
        for (index, streams) in streams.iter().enumerate() {
            let mut stream = streams.stream("crash");
            stream.chance(50);
            if index == 1 {
                stream.chance(50);
            }
            stream.chance(50);
        }
        assert_ne!(streams[0].digest(), streams[1].digest());
        let draws = [streams[0].draws(), streams[1].draws()];
        let first = (0..3).find(|&place| draws[0].get(place) != draws[1].get(place));
        assert_eq!(first, Some(2));
    }

    #[test]
    fn a_commit_hash_is_a_seed() {
        let hash = "1278b1c0a9d2f1b7c6d5e4f3a2b1c0d9e8f7a6b5";
        assert_eq!(hash.parse::<Seed>().unwrap(), hash.to_uppercase().parse().unwrap());
        assert_eq!("42".parse::<Seed>().unwrap(), Seed(42));
        assert!("seven".parse::<Seed>().is_err());
        assert!("-1".parse::<Seed>().is_err());
    }
}
