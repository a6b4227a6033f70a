//! The share of attempts to commit that meet a conflict under normal work of agents: in simulations, whose
//! schedules are far less kind than any machine. Counts, so the same everywhere.

mod support;

use support::{json, stormproof};

/// Conflicting attempts of 1,000, over a sweep of this number of clients without faults.
fn per_mille(workload: &str, more: &[&str]) -> u64 {
    let folder = tempfile::tempdir().unwrap();
    let sweep = ["sweep", "--seeds", "0..40", "--faults", "none", "--isolation", "serializable"];
    let scale = ["--clients", "8", "--transactions", "25", "--json", "--workload", workload];
    let document = json(&stormproof(folder.path(), &[&sweep[..], &scale, more].concat()));
    let count = |name: &str| document["stats"]["counts"][name].as_u64().unwrap_or(0);
    assert!(count("commits") > 1_000, "{document:#}");
    count("aborts") * 1_000 / (count("commits") + count("aborts"))
}

#[test]
fn agents_on_keys_of_their_own_conflict_in_fewer_than_five_of_a_hundred_attempts() {
    let agents = per_mille("agent-mix", &[]);
    assert!(agents < 50, "{agents} of 1,000");
}

/// The figure says something only if it can be another one.
#[test]
fn agents_that_share_everything_conflict_in_more() {
    let agents = per_mille("agent-mix", &["--set", "shared_percent=100"]);
    assert!(agents >= 50, "{agents} of 1,000");
}
