//! A counter that threads raise, on a release that loses increments, on the one that fixed it, and on the
//! newest.

use known_bugs::surrealkv_threads::{Played, play};

const SEEDS: std::ops::Range<u64> = 0..12;
const CLIENTS: u32 = 8;
const INCREMENTS: u32 = 300;

fn played(seed: u64) -> Played {
    let folder = tempfile::tempdir().expect("there is room");
    play(folder.path(), seed, CLIENTS, INCREMENTS).expect("it opens, and adds up")
}

#[test]
fn increments_are_lost_in_the_release_that_has_the_bug_and_in_no_other() {
    let all: Vec<_> = SEEDS.map(played).collect();
    assert!(all.iter().all(|played| played.acked > 0), "{all:?}");
    let lost = |played: &&Played| played.violations.iter().any(|what| what.contains("one increment is lost"));
    if env!("CARGO_PKG_NAME").ends_with("-before") {
        assert!(all.iter().any(|played| lost(&played)), "{all:?}");
    } else {
        let broken: Vec<_> = all.iter().filter(|played| !played.violations.is_empty()).collect();
        assert!(broken.is_empty(), "{broken:?}");
    }
}
