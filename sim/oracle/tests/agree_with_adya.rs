//! Verdicts beside those of the crate `adya`, a young reimplementation of Elle, on list-append and register
//! histories.
//!
//! Where the two differ, brute force decides (on histories that it can try), and [`OF_LISTS`] says why it may
//! be so. What `adya` 0.1 calls violated is never called anything else here. `cargo test -p stormproof-oracle
//! --test agree_with_adya -- --nocapture` prints how often each was the case.

#[path = "support/clients.rs"]
mod clients;
#[expect(dead_code, reason = "the generator of small histories is for other tests")]
mod support;

use std::collections::BTreeMap;

use adya::{Opts, Valid, Workload};
use clients::{Kind, Line, Moment, Operation, Shape, generate};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use stormproof_oracle::formats::{Format, read};
use stormproof_oracle::{AnomalyClass, CheckOptions, Level, Standing, check_input};

const HISTORIES: u64 = 800;
/// Maximum number of transactions for which brute force has the last word.
const BRUTE_MAX: usize = 7;

/// Levels that both know, with their names over there.
const LEVELS: [(Level, &str); 6] = [
    (Level::ReadCommitted, "read-committed"),
    (Level::SnapshotIsolation, "snapshot-isolation"),
    (Level::StrongSessionSnapshotIsolation, "strong-session-snapshot-isolation"),
    (Level::StrictSnapshotIsolation, "strong-snapshot-isolation"),
    (Level::Serializable, "serializable"),
    (Level::StrictSerializable, "strict-serializable"),
];

/// What is done to a valid history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Origin {
    Valid,
    /// One read is falsified.
    Mutated,
    /// Half of the reads see some earlier state.
    Stale,
}

fn history(kind: Kind, origin: Origin, seed: u64) -> String {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let txns = if seed.is_multiple_of(2) { 3 + rng.next_u64() % 4 } else { 8 + rng.next_u64() % 40 };
    let shape = Shape {
        kind,
        seed,
        txns,
        clients: 2 + usize::try_from(seed % 5).unwrap_or(0),
        keys: 3,
        writes_per_key: 8,
        refused: 8,
        unanswered: 6,
    };
    let mut lines: Vec<Line> = Vec::new();
    generate(shape, &mut |line| lines.push(line.clone()));
    match origin {
        Origin::Valid => {}
        Origin::Mutated => {
            let mut reads: Vec<&mut Operation> = answered(&mut lines).collect();
            let count = reads.len().max(1) as u64;
            let at = usize::try_from(rng.next_u64() % count).unwrap_or(0);
            if let Some(read) = reads.get_mut(at) {
                falsify(read, &mut rng);
            }
        }
        Origin::Stale => {
            for read in answered(&mut lines) {
                if rng.next_u64().is_multiple_of(2) {
                    grow_old(read, &mut rng);
                }
            }
        }
    }
    let mut text = String::new();
    for line in &lines {
        line.edn(&mut text);
    }
    text
}

fn answered(lines: &mut [Line]) -> impl Iterator<Item = &mut Operation> {
    let answered = lines.iter_mut().filter(|line| line.moment == Moment::Ok);
    answered
        .flat_map(|line| &mut line.operations)
        .filter(|one| matches!(one, Operation::List { .. } | Operation::Read { .. }))
}

fn falsify(read: &mut Operation, rng: &mut ChaCha8Rng) {
    match read {
        Operation::List { elements, .. } if elements.len() > 1 && rng.next_u64().is_multiple_of(3) => {
            elements.swap(0, 1);
        }
        Operation::List { elements, .. } => drop(elements.pop()),
        Operation::Read { value, .. } => *value = Some(1 + rng.next_u64() % 8),
        Operation::Append { .. } | Operation::Write { .. } => {}
    }
}

/// Of values of one key the least was written first, more or less.
fn grow_old(read: &mut Operation, rng: &mut ChaCha8Rng) {
    match read {
        Operation::List { elements, .. } => {
            let keep = rng.next_u64() % (elements.len() as u64 + 1);
            elements.truncate(usize::try_from(keep).unwrap_or(0));
        }
        Operation::Read { value, .. } => {
            let older = rng.next_u64() % (value.unwrap_or(0) + 1);
            *value = (older > 0).then_some(older);
        }
        Operation::Append { .. } | Operation::Write { .. } => {}
    }
}

/// Here some order of them has to be right.
const UNSEEN: &str = "appends that were never read are in no order, over there";

/// Classes of lists that are called violated here and valid over there, and why.
const OF_LISTS: [(AnomalyClass, &str); 8] = [
    (
        AnomalyClass::InternalInconsistency,
        "read committed lets a transaction miss its own writes, over there",
    ),
    (AnomalyClass::IncompatibleOrder, "elements of one transaction may stand in any order, over there"),
    (AnomalyClass::G0, UNSEEN),
    (AnomalyClass::G1c, UNSEEN),
    (AnomalyClass::FracturedRead, UNSEEN),
    (AnomalyClass::CausalViolation, UNSEEN),
    (AnomalyClass::GSingle, UNSEEN),
    (AnomalyClass::GNonadjacent, UNSEEN),
];

/// Of registers any class may be: the order of their writes follows there from fewer facts (that nothing
/// comes before the first write, and little else), and values that no transaction wrote are not looked for.
fn is_explained(kind: Kind, class: AnomalyClass) -> bool {
    kind == Kind::Registers || OF_LISTS.iter().any(|(other, _)| *other == class)
}

#[derive(Debug, Default)]
struct Tally {
    both_hold: u32,
    both_violated: u32,
    /// Without a dependency `adya` has nothing to check.
    empty: u32,
    /// By class: what only is violated here.
    ours: BTreeMap<String, u32>,
    /// Of those, how many brute force confirmed.
    confirmed: u32,
}

fn compare(kind: Kind, origin: Origin) -> Tally {
    let workload = match kind {
        Kind::Lists => Workload::ListAppend,
        Kind::Registers => Workload::RwRegister,
    };
    let mut tally = Tally::default();
    for seed in 0..HISTORIES {
        let text = history(kind, origin, seed);
        let input = read(text.as_bytes(), Format::Edn).expect("well formed");
        let ours = check_input(&input, &CheckOptions::default()).table;
        let theirs = adya::History::from_edn(&text).expect("well formed");
        for (level, model) in LEVELS {
            let opts = Opts { models: vec![model.to_owned()], ..Opts::default() };
            let report = adya::check(&theirs, workload, &opts);
            match (ours.standing(level), report.valid) {
                (Some(Standing::Holds), Valid::True) => tally.both_hold += 1,
                (Some(Standing::Violated), Valid::False) => tally.both_violated += 1,
                (_, Valid::Unknown) => tally.empty += 1,
                (Some(Standing::Violated), Valid::True) => {
                    let mut explains = ours.anomalies.iter().filter(|one| level.implies(one.level));
                    let class = explains.next().expect("a violation has one").class;
                    let explained = is_explained(kind, class);
                    assert!(explained, "{kind:?} {origin:?} {seed}, {level}: only here: {class}\n{text}");
                    *tally.ours.entry(class.to_string()).or_default() += 1;
                    if input.history.txns.len() <= BRUTE_MAX {
                        let truth = support::brute::holds(&input.history, level);
                        assert!(!truth, "{kind:?} {origin:?} {seed}, {level}: {class} is wrong\n{text}");
                        tally.confirmed += 1;
                    }
                }
                (ours, theirs) => panic!(
                    "{kind:?} {origin:?} {seed}, {level}: {ours:?} here, {theirs:?} there, for {:?}\n{text}",
                    report.anomaly_types
                ),
            }
        }
    }
    println!("{kind:?} {origin:?}: {tally:?}");
    tally
}

#[test]
fn valid_histories_hold_for_both() {
    for kind in [Kind::Lists, Kind::Registers] {
        let tally = compare(kind, Origin::Valid);
        assert_eq!(tally.both_violated, 0);
        assert!(tally.ours.is_empty(), "{tally:?}");
    }
}

#[test]
fn nothing_that_adya_finds_in_falsified_histories_is_missed() {
    for kind in [Kind::Lists, Kind::Registers] {
        for origin in [Origin::Mutated, Origin::Stale] {
            let tally = compare(kind, origin);
            assert!(tally.both_violated > 1_000 && tally.both_hold > 100, "{tally:?}: a vacuous mix");
            assert!(tally.confirmed > 20, "{tally:?}: brute force decided too few");
        }
    }
}
