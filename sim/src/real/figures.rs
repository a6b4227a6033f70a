//! Figures of real rounds: work, retries and times of clients.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;
use stormproof_workloads::history::{History, Outcome};
use stormproof_workloads::notebook::{Ending, Note, NoteKind};

use super::round::Played;
use crate::report;

/// Figures of one round, or of many of them together. Times hold what recording costs, and lives that were
/// killed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Figures {
    /// Rounds.
    pub rounds: u64,
    /// Lives, those that only inspect included.
    pub lives: u64,
    /// Processes that were killed.
    pub kills: u64,
    /// Transactions that began.
    pub transactions: u64,
    /// Transactions that committed.
    pub commits: u64,
    /// Transactions that aborted, for whatever reason.
    pub aborts: u64,
    /// Transactions whose commit was never answered.
    pub unanswered: u64,
    /// Transactions that aborted for conflicts with others.
    pub conflicted: u64,
    /// Conflicts by kind.
    pub conflicts: BTreeMap<String, u64>,
    /// Attempts beyond the first.
    pub retries: u64,
    /// Actions that were given up after their last attempt.
    pub given_up: u64,
    /// The longest that a client worked on one action, waits included.
    pub worst_micros: u64,
    /// How long rounds took.
    pub millis: u64,
}

impl Figures {
    /// Counts a round.
    pub fn of(history: &History, played: &Played) -> Self {
        let mut figures = Self {
            rounds: 1,
            lives: history.lives.len() as u64,
            kills: played.kills,
            transactions: history.txns.len() as u64,
            millis: u64::try_from(played.took.as_millis()).unwrap_or(u64::MAX),
            ..Self::default()
        };
        for txn in &history.txns {
            figures.count(&txn.outcome);
        }
        for note in &played.notes {
            figures.note(note);
        }
        // Other databases name no conflicts: each retry counts as one.
        figures.conflicted = figures.conflicted.max(figures.retries);
        figures
    }

    /// Adds those of other rounds.
    pub fn add(&mut self, other: &Self) {
        for (sum, more) in [
            (&mut self.rounds, other.rounds),
            (&mut self.lives, other.lives),
            (&mut self.kills, other.kills),
            (&mut self.transactions, other.transactions),
            (&mut self.commits, other.commits),
            (&mut self.aborts, other.aborts),
            (&mut self.unanswered, other.unanswered),
            (&mut self.conflicted, other.conflicted),
            (&mut self.retries, other.retries),
            (&mut self.given_up, other.given_up),
            (&mut self.millis, other.millis),
        ] {
            *sum += more;
        }
        for (kind, times) in &other.conflicts {
            *self.conflicts.entry(kind.clone()).or_default() += times;
        }
        self.worst_micros = self.worst_micros.max(other.worst_micros);
    }

    /// Returns how many of 1,000 attempts to commit met a conflict.
    pub fn conflicts_per_mille(&self) -> u64 {
        (self.conflicted * 1_000).checked_div(self.commits + self.conflicted).unwrap_or(0)
    }

    /// Returns the number of commits per second.
    pub fn throughput(&self) -> u64 {
        (self.commits * 1_000).checked_div(self.millis).unwrap_or(0)
    }

    /// Returns the figures in words.
    pub fn words(&self) -> String {
        let killed = if self.kills > 0 { format!(", {} kills", self.kills) } else { String::new() };
        format!(
            "{} commits ({}/s), {} aborts ({} ‰ conflicts), {} unanswered, {} retries, worst {:?}{killed}",
            self.commits,
            self.throughput(),
            self.aborts,
            self.conflicts_per_mille(),
            self.unanswered,
            self.retries,
            Duration::from_micros(self.worst_micros),
        )
    }

    fn count(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::Committed { .. } => self.commits += 1,
            Outcome::Unknown { .. } => self.unanswered += 1,
            Outcome::Running => {}
            Outcome::Aborted { conflicts, .. } => {
                self.aborts += 1;
                self.conflicted += u64::from(!conflicts.is_empty());
                for conflict in conflicts {
                    let kind = report::conflict_kind(conflict.kind).word();
                    *self.conflicts.entry(kind.to_owned()).or_default() += 1;
                }
            }
        }
    }

    fn note(&mut self, note: &Note) {
        let NoteKind::Finished { attempts, micros, ending, .. } = note.what else { return };
        self.retries += u64::from(attempts.saturating_sub(1));
        self.given_up += u64::from(ending == Ending::GaveUp);
        self.worst_micros = self.worst_micros.max(micros);
    }
}

#[cfg(test)]
mod tests {
    use super::Figures;

    #[test]
    fn rates_are_of_what_was_tried_and_nothing_is_divided_by_zero() {
        let mut sum = Figures::default();
        assert_eq!((sum.conflicts_per_mille(), sum.throughput()), (0, 0));
        sum.add(&Figures { commits: 95, conflicted: 5, millis: 500, worst_micros: 9, ..Figures::default() });
        sum.add(&Figures { commits: 100, millis: 500, worst_micros: 7, ..Figures::default() });
        assert_eq!((sum.conflicts_per_mille(), sum.throughput(), sum.worst_micros), (25, 195, 9));
    }
}
