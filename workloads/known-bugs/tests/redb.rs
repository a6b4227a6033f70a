//! The same seeds on a release with the bug, on the one that fixed it, and on the newest.

use known_bugs::redb_crashes::{Found, play};

/// Around the one that is known to show it.
const SEEDS: std::ops::Range<u64> = 700..820;
const GUILTY: u64 = 799;

#[test]
fn the_bug_shows_in_the_release_that_has_it_and_in_no_other() {
    std::panic::set_hook(Box::new(|_| {}));
    let found: Vec<(u64, Found)> =
        SEEDS.map(|seed| (seed, play(seed))).filter(|(_, found)| *found != Found::Held).collect();
    if env!("CARGO_PKG_NAME").ends_with("-before") {
        let [(GUILTY, Found::Panicked(words))] = &found[..] else { panic!("{found:?}") };
        assert!(words.contains("raw_file_len"), "{words}");
    } else {
        assert!(found.is_empty(), "{found:?}");
    }
}

#[test]
fn a_seed_finds_the_same_again() {
    std::panic::set_hook(Box::new(|_| {}));
    for seed in GUILTY - 20..=GUILTY {
        assert_eq!(play(seed), play(seed), "seed {seed}");
    }
}
