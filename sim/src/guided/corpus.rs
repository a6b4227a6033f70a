//! Plans that showed new behaviour, and how much each is worth trying again.
//!
//! * INV-CORPUS-1: what is kept, and in which order, follows from what was added in which order.
//! * INV-CORPUS-2: there are at most [`PLANS_MAX`] plans.

use std::fs;
use std::io;
use std::path::Path;

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::coverage::Feature;
use crate::plan::Plan;

/// The most plans that are kept.
pub const PLANS_MAX: usize = 512;

/// What a search has learnt.
#[derive(Debug, Default)]
pub struct Corpus {
    entries: Vec<Entry>,
    /// In how many runs each feature came up.
    seen: HashMap<Feature, u32, FixedState>,
    /// The number of the next entry.
    next: u64,
}

/// A plan, and why it is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Entry {
    #[serde(default)]
    number: u64,
    plan: Plan,
    /// The features that it was the first to show.
    news: Vec<Feature>,
    /// Mutations of it that were run, and showed nothing new since the last that did.
    #[serde(default)]
    fruitless: u32,
}

impl Corpus {
    /// Whether nothing is kept.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How many plans are kept.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// How many features were ever seen.
    pub fn features(&self) -> usize {
        self.seen.len()
    }

    /// Learns from a run of `plan`, which came from the entry of the number `parent`. Returns how many
    /// features were new; the plan is kept if there were any.
    pub fn add(&mut self, plan: &Plan, features: Vec<Feature>, parent: Option<u64>) -> usize {
        let mut news = Vec::new();
        for feature in features {
            let seen = self.seen.entry(feature).or_default();
            *seen = seen.saturating_add(1);
            if *seen == 1 {
                news.push(feature);
            }
        }
        if let Some(parent) = parent.and_then(|number| self.entry(number)) {
            parent.fruitless = if news.is_empty() { parent.fruitless.saturating_add(1) } else { 0 };
        }
        let count = news.len();
        if count > 0 {
            self.keep(plan.clone(), news);
        }
        count
    }

    /// Draws a plan, those with more energy more often.
    ///
    /// # Panics
    /// When there is none.
    pub fn choose(&self, rng: &mut ChaCha8Rng) -> (u64, Plan) {
        let energies: Vec<f64> = self.entries.iter().map(|entry| self.energy(entry)).collect();
        let total: f64 = energies.iter().sum();
        let mut left = rng.random_range(0.0..1.0) * total;
        let place = energies.iter().position(|energy| {
            left -= energy;
            left < 0.0
        });
        let entry = &self.entries[place.unwrap_or(self.entries.len() - 1)];
        (entry.number, entry.plan.clone())
    }

    /// The rarer what a plan shows, the more; the longer it has borne nothing, the less.
    fn energy(&self, entry: &Entry) -> f64 {
        let rare = |feature: &Feature| 1.0 / f64::from(self.seen.get(feature).copied().unwrap_or(1).max(1));
        let rarity: f64 = entry.news.iter().map(rare).fold(0.0, f64::max);
        (rarity + 0.01) / f64::from(1 + entry.fruitless / 8)
    }

    fn entry(&mut self, number: u64) -> Option<&mut Entry> {
        self.entries.iter_mut().find(|entry| entry.number == number)
    }

    fn keep(&mut self, plan: Plan, news: Vec<Feature>) {
        if self.entries.len() >= PLANS_MAX {
            // The one with the least energy goes; of several, the oldest.
            let energies = self.entries.iter().map(|entry| self.energy(entry));
            let least = energies.enumerate().min_by(|(_, a), (_, b)| a.total_cmp(b));
            if let Some((place, _)) = least {
                self.entries.remove(place);
            }
        }
        self.entries.push(Entry { number: self.next, plan, news, fruitless: 0 });
        self.next += 1;
    }

    /// Reads a corpus, or an empty one if there is no such file. Corpora of several shards are one after the
    /// other in one file.
    ///
    /// # Errors
    /// When the file can't be read, or is none.
    pub fn read(path: &Path) -> io::Result<Self> {
        let text = match fs::read_to_string(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            read => read?,
        };
        let mut corpus = Self::default();
        for line in text.lines() {
            let entry: Entry = serde_json::from_str(line)?;
            // What another shard has found too is no news.
            corpus.add(&entry.plan, entry.news, None);
        }
        Ok(corpus)
    }

    /// Writes it, a line for each plan.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        let mut text = String::new();
        for entry in &self.entries {
            text += &serde_json::to_string(entry)?;
            text.push('\n');
        }
        fs::write(path, text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::Options;
    use crate::registry::Registry;
    use crate::runner::SeedRunner;
    use crate::seed::Seed;

    fn plan(seed: u64) -> Plan {
        let runner =
            SeedRunner::new(Registry::default(), Options::default()).expect("options that are right");
        runner.plan(Seed(seed)).0
    }

    #[test]
    fn plans_are_kept_for_what_none_before_them_showed() {
        let mut corpus = Corpus::default();
        assert_eq!(corpus.add(&plan(1), vec![1, 2], None), 2);
        assert_eq!(corpus.add(&plan(2), vec![2, 1], None), 0);
        assert_eq!(corpus.add(&plan(3), vec![2, 3], Some(0)), 1);
        assert_eq!((corpus.len(), corpus.features()), (2, 3));
    }

    #[test]
    fn what_is_rare_and_bears_is_tried_more_often() {
        let mut corpus = Corpus::default();
        corpus.add(&plan(1), vec![1], None);
        corpus.add(&plan(2), vec![2], None);
        for _ in 0..50 {
            corpus.add(&plan(3), vec![1], Some(0));
        }
        let mut rng = Seed(1).generator("test");
        let chosen = (0..200).filter(|_| corpus.choose(&mut rng).0 == 1).count();
        assert!(chosen > 150, "{chosen}");
    }

    #[test]
    fn corpora_of_shards_merge_and_come_back_from_a_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("corpus.jsonl");
        let (mut one, mut two) = (Corpus::default(), Corpus::default());
        one.add(&plan(1), vec![1, 2], None);
        two.add(&plan(2), vec![2], None);
        two.add(&plan(3), vec![3], None);
        let other = folder.path().join("other.jsonl");
        one.write(&path).expect("written");
        two.write(&other).expect("written");
        let both = fs::read_to_string(&path).expect("text") + &fs::read_to_string(&other).expect("text");
        fs::write(&path, both).expect("written");
        let merged = Corpus::read(&path).expect("a corpus");
        assert_eq!((merged.len(), merged.features()), (2, 3));
        assert!(Corpus::read(&folder.path().join("none")).expect("none").is_empty());
    }
}
