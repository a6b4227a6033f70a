//! The fast checkers and the one that tries every order must agree on every small history.
//!
//! 100,000 histories of two to six transactions, each judged at all twenty levels: `cargo test -p
//! stormproof-oracle --test agree_with_brute_force -- --nocapture` prints how many of each origin hold and
//! are violated at each level.

mod support;

use stormproof_oracle::{Level, Standing, Table, levels};
use support::generate::Origin;

const HISTORIES: u64 = 100_000;

#[test]
fn fast_and_brute_force_verdicts_differ_on_no_small_history() {
    let mut tally = [[[0_u32; 2]; Level::ALL.len()]; Origin::ALL.len()];
    for seed in 0..HISTORIES {
        let (origin, history) = support::generate::history(seed, 6);
        let table = levels(&history, None, 1_000_000);
        is_lattice(&table);
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
                "seed {seed}, {level}: fast says holds = {said}; {:?}\n{}",
                table.anomalies.iter().map(|one| &one.message).collect::<Vec<_>>(),
                support::show(&history)
            );
            tally[origin as usize][at][usize::from(truth)] += 1;
        }
    }
    println!("{:<34} {:>8} {:>8}   of histories that are {:?}", "level", "hold", "violated", Origin::ALL);
    for (at, level) in Level::ALL.iter().enumerate() {
        let counts = tally.map(|of_origin| of_origin[at]);
        let [violated, holds] = [0, 1].map(|truth| counts.iter().map(|count| count[truth]).sum::<u32>());
        let each = counts.map(|[violated, holds]| format!("{holds} + {violated}")).join(", ");
        println!("{:<34} {holds:>8} {violated:>8}   {each}", level.name());
        assert!(violated > 500 && holds > 500, "{level}: {violated} violated, {holds} hold: a vacuous mix");
        assert_eq!(holds + violated, u32::try_from(HISTORIES).expect("few"));
    }
    for (origin, of_origin) in Origin::ALL.iter().zip(tally) {
        let [violated, holds] = of_origin[Level::ALL.len() - 1];
        assert!(violated + holds > 10_000, "{origin:?}: too few");
    }
}

/// "Holds" flows down, "violated" flows up.
fn is_lattice(table: &Table) {
    for (level, standing) in &table.levels {
        for (weaker, other) in table.levels.iter().filter(|(weaker, _)| level.implies(*weaker)) {
            assert!(
                *standing != Standing::Holds || *other == Standing::Holds,
                "{level} holds, {weaker}: {other:?}"
            );
            assert!(
                *other != Standing::Violated || *standing == Standing::Violated,
                "{weaker} violated, {level}: {standing:?}"
            );
        }
    }
}
