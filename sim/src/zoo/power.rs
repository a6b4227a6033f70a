//! Which strategies find which mutants, and what follows for the weights with which seeds draw them.
//!
//! Seeds are independent, so a strategy finds a mutant in each of them with some chance: estimated as
//! detections over seeds run, searches that found nothing included. A mixture finds it with the mixture of
//! those chances. The weights are those that make the mean logarithm of these chances as large as can be: so
//! no mutant counts for more because it is easy, and one that only a single strategy finds counts as much.
//!
//! Source: the maximum of such a sum over mixtures is found by expectation and maximisation (Dempster, Laird
//! and Rubin, "Maximum Likelihood from Incomplete Data via the EM Algorithm", JRSS B 1977).

use serde::{Deserialize, Serialize};

use super::MutantReport;

/// What became of one mutant under each strategy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// The mutant.
    pub mutant: String,
    /// By strategy, in the order of [`Power::strategies`].
    pub by_strategy: Vec<MutantReport>,
}

/// Mutants by strategies.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Power {
    /// The strategies' names.
    pub strategies: Vec<String>,
    /// The mutants.
    pub rows: Vec<Row>,
}

impl Power {
    /// Returns the weights, which add up to 1, under which the mean logarithm of the chance of detection is
    /// largest. Mutants that were never found have no weight.
    pub fn weights(&self) -> Vec<f64> {
        let count = self.strategies.len();
        let mut weights = vec![1.0 / count.max(1) as f64; count];
        let chances: Vec<Vec<f64>> = self
            .rows
            .iter()
            .map(|row| row.by_strategy.iter().map(chance).collect::<Vec<f64>>())
            .filter(|chances| chances.iter().any(|chance| *chance > 0.0))
            .collect();
        for _ in 0..ROUNDS {
            let mut next = vec![0.0; count];
            for chances in &chances {
                let parts = weights.iter().zip(chances).map(|(weight, chance)| weight * chance);
                let parts: Vec<f64> = parts.collect();
                let whole: f64 = parts.iter().sum();
                next.iter_mut().zip(&parts).for_each(|(next, part)| *next += part / whole);
            }
            let sum: f64 = next.iter().sum();
            if sum <= 0.0 {
                break;
            }
            weights = next.into_iter().map(|weight| weight / sum).collect();
        }
        weights
    }
}

/// Enough for two digits.
const ROUNDS: usize = 2_000;

fn chance(report: &MutantReport) -> f64 {
    report.found_after.len() as f64 / report.seeds.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::{Power, Row};
    use crate::zoo::MutantReport;

    fn report(found: u64, seeds: u64) -> MutantReport {
        MutantReport {
            name: String::new(),
            breaks: String::new(),
            modelled_on: String::new(),
            contract: String::new(),
            trials: found.max(1),
            budget: seeds,
            found_after: vec![1; usize::try_from(found).unwrap()],
            missed_after: Vec::new(),
            found_seconds: Vec::new(),
            seeds,
            caught_as: Vec::new(),
            seed: None,
            shrunk: None,
        }
    }

    fn power(chances: &[[(u64, u64); 2]]) -> Power {
        let row = |chances: &[(u64, u64); 2]| Row {
            mutant: String::new(),
            by_strategy: chances.iter().map(|(found, seeds)| report(*found, *seeds)).collect(),
        };
        Power { strategies: vec!["a".into(), "b".into()], rows: chances.iter().map(row).collect() }
    }

    #[test]
    fn the_better_strategy_gets_the_weight_and_the_only_one_its_share() {
        let better = power(&[[(3, 10), (3, 100)], [(3, 20), (3, 90)]]).weights();
        assert!(better[0] > 0.95, "{better:?}");
        let each_alone = power(&[[(3, 10), (0, 100)], [(0, 100), (3, 100)]]).weights();
        assert!((each_alone[0] - 0.5).abs() < 0.01, "{each_alone:?}");
        let none = power(&[[(0, 10), (0, 100)]]).weights();
        assert_eq!(none, [0.5, 0.5]);
    }
}
