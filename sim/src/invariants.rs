//! The invariants of a run, by name, with their rows of the contract (`engine/CONTRACT.md`): those of the
//! oracle, and those that only the simulated world can judge.

use stormproof_oracle::Invariant;

use crate::finding::Finding;

/// The engine never panics.
pub const NO_PANIC: &str = "no-panic";
/// No client waits forever.
pub const LIVENESS: &str = "liveness";
/// The store opens after whatever happened.
pub const RECOVERS: &str = "recovers";
/// The store closes.
pub const CLOSES: &str = "closes";
/// Opening twice gives the same state.
pub const IDEMPOTENT: &str = "recovery-idempotent";
/// A clean close loses nothing.
pub const CLEAN_CLOSE: &str = "clean-close";
/// Others at the path of the store neither get in nor are hurt.
pub const PATH: &str = "path";
/// A store without clients comes to rest, and its figures agree with what they saw.
pub const REST: &str = "rest";
/// Records of runs are as an earlier life left them.
pub const RUNS: &str = "runs-survive";
/// The workload's own invariant holds.
pub const WORKLOAD: &str = "workload";

/// The application's own invariant holds.
pub const APPLICATION: &str = "application";

/// One invariant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct About {
    /// Its name.
    pub name: &'static str,
    /// The row of the contract.
    pub contract: &'static str,
    /// What it demands, in a sentence.
    pub says: &'static str,
}

const OF_THE_WORLD: &[About] = &[
    About { name: NO_PANIC, contract: "§3", says: "misuse, faults and crashes are errors, never a panic" },
    About {
        name: LIVENESS,
        contract: "V6",
        says: "no client waits forever: no deadlock, no livelock, and after the storm every client finishes",
    },
    About {
        name: RECOVERS,
        contract: "§4",
        says: "after any crash the store opens, unless the disk fails while it does",
    },
    About { name: CLOSES, contract: "§4", says: "a store on a working disk closes in order" },
    About {
        name: IDEMPOTENT,
        contract: "§4",
        says: "opening, crashing and opening again gives the same state, version by version",
    },
    About { name: CLEAN_CLOSE, contract: "§4", says: "a clean close loses nothing, power cut or not" },
    About {
        name: PATH,
        contract: "A2",
        says: "no second opener gets in while the store is open, and files of others at its path stay as they are",
    },
    About {
        name: REST,
        contract: "§3",
        says: "without clients the store comes to rest: no snapshot, no waiter, no place in a queue, no old version \
               and nothing pending is left, and its metrics agree with what clients saw",
    },
    About {
        name: RUNS,
        contract: "R1",
        says: "records of runs are read back after every recovery as they were: number, parent, tags and times, and \
               what has ended stays so",
    },
    About {
        name: WORKLOAD,
        contract: "§3",
        says: "the workload's own invariant holds, from the first to the last read",
    },
    About {
        name: APPLICATION,
        contract: "§3",
        says: "the application's own code neither fails nor panics in a simulation (only runs of an application)",
    },
];

/// Returns whether a finding is the application's own fault: it broke what it promises, or waits for ever.
pub fn is_of_the_application(finding: &Finding) -> bool {
    [APPLICATION, LIVENESS].contains(&&*finding.invariant)
}

/// Returns all of them: the oracle's first, in the order of the contract.
pub fn all() -> Vec<About> {
    let judged = Invariant::ALL.map(|invariant| About {
        name: invariant.name(),
        contract: invariant.row(),
        says: invariant.sentence(),
    });
    judged.into_iter().chain(OF_THE_WORLD.iter().copied()).collect()
}

/// Returns the row of the contract that an invariant checks; empty if there is no such invariant.
pub fn row(name: &str) -> &'static str {
    all().into_iter().find(|about| about.name == name).map_or("", |about| about.contract)
}
