//! Checks a history that was made in code: `cargo run -p stormproof-oracle --example in_code`.
//!
//! Two clients increment a counter from the same value, and one increment is lost.

use stormproof_oracle::{CheckOptions, HistoryBuilder, check_input};

fn main() {
    let mut history = HistoryBuilder::new();
    let setup = history.begin("setup");
    history.write(setup, "counter", 1).commit(setup);
    let (alice, bob) = (history.begin("alice"), history.begin("bob"));
    history.read(alice, "counter", Some(1)).write(alice, "counter", 2).commit(alice);
    history.read(bob, "counter", Some(1)).write(bob, "counter", 20).commit(bob);
    let report = check_input(&history.build(), &CheckOptions::default());
    print!("{}", report.text());
    // Evidence is data too: who, why, and on which key.
    for edge in report.table.anomalies.iter().flat_map(|anomaly| &anomaly.cycle) {
        println!("{} before {}: {}", edge.from, edge.to, edge.why.short());
    }
}
