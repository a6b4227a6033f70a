//! The same seeds on a release with the bugs, on the one that fixed them, and on the newest.

use known_bugs::redb_crashes::{Aim, Found, play};

/// Where power cuts come anywhere. One of 2,000 finds a file that does not open: too few to be counted on.
const SEEDS: std::ops::Range<u64> = 0..1_500;
/// With files among them that do not open, three of a hundred: power cuts come when the file has grown.
const GROWTH_SEEDS: std::ops::Range<u64> = 0..400;
/// With lost acks among them, where power cuts tear the header and then the recovery.
const HEADER_SEEDS: std::ops::Range<u64> = 0..5_000;

fn found(seeds: std::ops::Range<u64>, aim: Aim) -> Vec<(u64, Found)> {
    std::panic::set_hook(Box::new(|_| {}));
    seeds.map(|seed| (seed, play(seed, aim))).filter(|(_, found)| *found != Found::Held).collect()
}

fn has_the_bugs() -> bool {
    env!("CARGO_PKG_NAME").ends_with("-before")
}

#[test]
fn a_file_does_not_open_in_the_release_that_has_the_bug_and_in_no_other() {
    let found = found(GROWTH_SEEDS, Aim::Growth);
    if has_the_bugs() {
        let unopened = |(_, found): &&(u64, Found)| matches!(found, Found::Panicked(words) if words.contains("raw_file_len"));
        assert!(found.iter().filter(unopened).count() > 0, "{found:?}");
    } else {
        assert!(found.is_empty(), "{found:?}");
    }
}

#[test]
fn power_cuts_anywhere_find_nothing_in_the_releases_without_the_bugs() {
    if !has_the_bugs() {
        let found = found(SEEDS, Aim::Anywhere);
        assert!(found.is_empty(), "{found:?}");
    }
}

#[test]
fn an_acked_commit_is_lost_in_the_release_that_has_the_bug_and_in_no_other() {
    let found = found(HEADER_SEEDS, Aim::Header);
    if has_the_bugs() {
        let lost = |(_, found): &&(u64, Found)| matches!(found, Found::LostAck { .. });
        assert!(found.iter().filter(lost).count() > 0, "{found:?}");
    } else {
        assert!(found.is_empty(), "{found:?}");
    }
}

#[test]
fn a_seed_finds_the_same_again() {
    for seed in 0..20 {
        assert_eq!(play(seed, Aim::Anywhere), play(seed, Aim::Anywhere), "seed {seed}");
    }
}
