//! Commits after a failed write, on a release that acks and loses them, and on one that refuses them.

use known_bugs::fjall_failed_write::{Found, play, work};

const SEEDS: std::ops::Range<u64> = 0..8;

/// The process in which writes fail; nothing if `cargo test` runs it.
#[test]
fn worker() {
    work().expect("it works");
}

fn played(seed: u64) -> Found {
    let folder = tempfile::tempdir().expect("there is room");
    let own = std::env::current_exe().expect("it runs");
    let own = own.to_str().expect("its path is text");
    let worker = [own, "--exact", "worker", "--nocapture", "--test-threads", "1"];
    play(folder.path(), seed, &worker).expect("it works")
}

#[test]
fn acked_commits_behind_a_failed_write_are_lost_in_the_release_that_has_the_bug_and_in_no_other() {
    let all: Vec<_> = SEEDS.map(played).collect();
    assert!(all.iter().all(|found| found.failed.is_some()), "the disk was never full: {all:?}");
    let lossy = |found: &&Found| !found.lost.is_empty();
    if env!("CARGO_PKG_NAME").ends_with("-before") {
        assert!(all.iter().any(|found| lossy(&found)), "{all:?}");
    } else {
        let broken: Vec<_> = all.iter().filter(|found| lossy(found) || found.open_error.is_some()).collect();
        assert!(broken.is_empty(), "{broken:?}");
        assert!(all.iter().any(|found| !found.refused_behind.is_empty()), "nothing was refused: {all:?}");
    }
}
