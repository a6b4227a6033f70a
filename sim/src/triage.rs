//! Groups of failures: which of them are likely one bug, how rare it is, and when it is gone.

use std::collections::BTreeSet;

use stormproof_workloads::plan::Action;

use crate::plan::Plan;

/// Returns the kinds of steps, faults and crashes that a shrunk plan still needs to fail, each once and in
/// order. Failures of one kind and one shape are likely one bug.
pub fn shape(plan: &Plan) -> String {
    let mut steps = BTreeSet::new();
    let clients = [&plan.workload.setup].into_iter().chain(&plan.workload.clients);
    for action in clients.flat_map(|client| &client.actions) {
        match action {
            Action::Transaction(transaction) => steps.extend(transaction.steps.iter().map(variant)),
            other => _ = steps.insert(variant(other)),
        }
    }
    let mut parts: Vec<String> = steps.into_iter().collect();
    let faults: BTreeSet<&str> = plan.disk.faults.exact.iter().map(|fault| fault.key.kind.name()).collect();
    parts.extend(faults.into_iter().map(str::to_owned));
    if plan.lives.iter().any(|life| life.crash.is_some()) {
        parts.push("crash".to_owned());
    }
    parts.join(" ")
}

/// Returns the name of a variant, as plans spell it.
fn variant(value: &impl serde::Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(name)) => name,
        Ok(serde_json::Value::Object(fields)) => {
            fields.into_iter().next().map(|(name, _)| name).unwrap_or_default()
        }
        _ => String::new(),
    }
}

/// A rate, and the interval in which it lies with 95 %.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// The number of seeds that were run.
    pub of: u64,
    /// How many of them failed.
    pub count: u64,
}

/// The quantile of the normal distribution for an interval of 95 %.
const Z: f64 = 1.959_964;

impl Rate {
    /// Returns the interval of Wilson (Journal of the American Statistical Association 22, 1927): unlike the
    /// usual one it stays within 0 and 1, and makes sense for counts of 1 or 2.
    #[expect(clippy::cast_precision_loss, reason = "a statistic")]
    pub fn interval(self) -> (f64, f64) {
        if self.of == 0 {
            return (0.0, 1.0);
        }
        let (n, p) = (self.of as f64, self.count as f64 / self.of as f64);
        let z2 = Z * Z;
        let middle = p + z2 / (2.0 * n);
        let half = Z * (p * (1.0 - p) / n + z2 / (4.0 * n * n)).sqrt();
        let scale = 1.0 + z2 / n;
        (((middle - half) / scale).max(0.0), ((middle + half) / scale).min(1.0))
    }

    /// Returns how many seeds must hold until a failure as rare as the low end of the interval would have
    /// shown with 99 %.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a positive figure that is rounded up"
    )]
    pub fn seeds_until_gone(self) -> Option<u64> {
        let (low, _) = self.interval();
        if self.count == 0 || low <= 0.0 {
            return None;
        }
        if low >= 1.0 {
            return Some(1);
        }
        Some((0.01_f64.ln() / (-low).ln_1p()).ceil() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::Rate;

    #[test]
    fn the_interval_of_a_rate_is_wilsons() {
        // From the tables of R: binom.confint(c(1, 30, 60), 60, methods = "wilson").
        for (count, low, high) in [(1, 0.002_946), (30, 0.377_283), (60, 0.939_832)]
            .iter()
            .zip([0.088_585, 0.622_717, 1.0])
            .map(|((count, low), high)| (*count, *low, high))
        {
            let interval = Rate { of: 60, count }.interval();
            assert!((interval.0 - low).abs() < 1e-4 && (interval.1 - high).abs() < 1e-4, "{interval:?}");
        }
    }

    #[test]
    fn a_rare_failure_needs_many_seeds_until_it_is_gone() {
        assert_eq!(Rate { of: 60, count: 0 }.seeds_until_gone(), None);
        let often = Rate { of: 100, count: 100 }.seeds_until_gone().expect("it came");
        let rarely = Rate { of: 100_000, count: 3 }.seeds_until_gone().expect("it came");
        assert!(often <= 2 && rarely > 150_000, "{often} {rarely}");
    }
}
