//! Answers by level, and what follows of each for the others.

use std::collections::BTreeMap;

use super::super::table::{Anomaly, Standing, Table};
use super::Answer;
use crate::level::Level;

/// Answers by level, and what follows of them: what holds, holds at weaker levels; what is violated, is at
/// stronger ones.
#[derive(Default)]
pub(super) struct Lattice {
    standings: BTreeMap<Level, Standing>,
    anomalies: BTreeMap<Level, Vec<Anomaly>>,
}

impl Lattice {
    pub(super) fn is_decided(&self, level: Level) -> bool {
        matches!(self.standings.get(&level), Some(Standing::Holds | Standing::Violated))
    }

    pub(super) fn add(&mut self, level: Level, answer: Answer) {
        let all = Level::ALL.into_iter();
        match answer {
            Answer::Holds => {
                let weaker = all.filter(|other| level.implies(*other));
                self.standings.extend(weaker.map(|other| (other, Standing::Holds)));
            }
            Answer::Violated(anomalies) => {
                let stronger = all.filter(|other| other.implies(level));
                self.standings.extend(stronger.map(|other| (other, Standing::Violated)));
                self.anomalies.insert(level, anomalies);
            }
            Answer::Unknown(why) => {
                self.standings.insert(level, Standing::Unknown(why));
            }
        }
    }

    /// The answers for the levels asked for, with the anomalies of those that no weaker one explains.
    pub(super) fn table(mut self, asked: &[Level]) -> Table {
        let mut table = Table::default();
        for &level in asked {
            let unknown = || Standing::Unknown("not decided".to_owned());
            table.levels.push((level, self.standings.remove(&level).unwrap_or_else(unknown)));
        }
        for level in table.minimal_violated() {
            table.anomalies.extend(self.anomalies.remove(&level).unwrap_or_default());
        }
        table
    }
}
