//! The fast checkers and the one that tries every order must agree on every small history.
//!
//! Bounded here; `cargo run --release -p stormproof-oracle --example agree -- 100000` does more.

mod support;

use stormproof_oracle::{Level, Standing, levels};

const HISTORIES: u64 = 100_000;

#[test]
fn fast_and_brute_force_verdicts_differ_on_no_small_history() {
    let mut tally = [[0_u32; 2]; Level::ALL.len()];
    for seed in 0..HISTORIES {
        let history = support::generate::history(seed, 6);
        let table = levels(&history, None, 1_000_000);
        for (at, (level, standing)) in table.levels.iter().enumerate() {
            let truth = support::brute::holds(&history, *level);
            let said = match standing {
                Standing::Holds => true,
                Standing::Violated => false,
                Standing::Unknown(why) => panic!("seed {seed}, {level}: undecided: {why}"),
            };
            assert_eq!(
                said,
                truth,
                "seed {seed}, {level}: fast says holds = {said}; {:#?}\n{}",
                table.anomalies,
                support::show(&history)
            );
            tally[at][usize::from(truth)] += 1;
        }
    }
    for (level, [violated, holds]) in Level::ALL.iter().zip(tally) {
        assert!(violated > 500 && holds > 500, "{level}: {violated} violated, {holds} hold: a vacuous mix");
    }
}
