//! Histories that are too long for a search, and have to be decided nevertheless.

#[path = "support/clients.rs"]
mod clients;
#[path = "../examples/corpus/polygraphs.rs"]
#[expect(dead_code, reason = "nothing is written to files, and of hot keys only")]
mod polygraphs;
#[path = "support/versioned.rs"]
mod versioned;

use clients::{Kind, Shape, generate};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use stormproof_oracle::formats::{Format, read};
use stormproof_oracle::{CheckOptions, Conclusion, Level, Standing, check_input, levels};
use stormproof_workloads::history::{Event, Op, Outcome, fold};
use stormproof_workloads::store::Isolation;
use versioned::Load;

fn edn(kind: Kind, seed: u64, clients: usize) -> String {
    let mut text = String::new();
    let shape =
        Shape { kind, seed, txns: 5_000, clients, keys: 8, writes_per_key: 32, refused: 3, unanswered: 1 };
    generate(shape, &mut |line| line.edn(&mut text));
    text
}

/// A list is retired with unread appends at its end: their order is open, for hundreds of lists at once.
#[test]
fn unread_appends_leave_no_long_history_undecided() {
    for seed in 0..4 {
        let text = edn(Kind::Lists, seed, 32);
        let input = read(text.as_bytes(), Format::Edn).expect("well formed");
        let report = check_input(&input, &CheckOptions::default());
        for (level, standing) in &report.table.levels {
            assert_eq!(*standing, Standing::Holds, "seed {seed}, {level}");
        }
    }
}

/// Half of all writes are blind, of 32 concurrent clients: forced orders are inferred, the rest is scheduled.
#[test]
fn blind_writes_leave_no_long_history_undecided() {
    for seed in 0..4 {
        let text = edn(Kind::Registers, seed, 32);
        let input = read(text.as_bytes(), Format::Edn).expect("well formed");
        let report = check_input(&input, &CheckOptions::default());
        for (level, standing) in &report.table.levels {
            assert_eq!(*standing, Standing::Holds, "seed {seed}, {level}");
        }
    }
}

/// A serial store's history in PolySI's format: 25 sessions, eight operations each, of which three in ten
/// read one of 10,000 registers.
fn mostly_blind(seed: u64, txns: u64) -> String {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let (mut text, mut store, mut values) = (String::new(), vec![0_u64; 10_000], 0);
    for txn in 1..=txns {
        let session = rng.next_u64() % 25;
        let mut used = Vec::new();
        while used.len() < 8 {
            let key = usize::try_from(rng.next_u64() % 10_000).expect("small");
            if used.contains(&key) {
                continue;
            }
            used.push(key);
            if rng.next_u64() % 10 < 3 {
                text.push_str(&format!("r({key},{},{session},{txn})\n", store[key]));
            } else {
                values += 1;
                store[key] = values;
                text.push_str(&format!("w({key},{values},{session},{txn})\n"));
            }
        }
    }
    text
}

/// Four fifths of all pairs of writers are left open by what reads prove, and no session tells when it began.
#[test]
fn few_reads_and_many_blind_writes_leave_no_long_history_undecided() {
    let text = mostly_blind(1, 10_000);
    let input = read(text.as_bytes(), Format::Text).expect("well formed");
    for level in [Level::Serializable, Level::SnapshotIsolation] {
        let options = CheckOptions { search_steps_max: 10_000_000, ..CheckOptions::at(level) };
        assert_eq!(check_input(&input, &options).conclusion(), Conclusion::Holds, "{level}");
    }
}

/// What a snapshot store left, with the versions that it reported taken out.
fn snapshots(seed: u64) -> stormproof_workloads::History {
    let mut events = Vec::new();
    let load = Load { seed, txns: 5_000, clients: 32, keys: 200, isolation: Isolation::Snapshot };
    versioned::generate(load, &mut |mut event| {
        match &mut event {
            Event::Begin { start_version, .. } => *start_version = None,
            Event::Op { op: Op::Get { read, .. }, .. } => read.version = None,
            Event::Op { op: Op::Scan { entries, .. }, .. } => {
                entries.iter_mut().for_each(|entry| entry.version = None);
            }
            Event::Outcome { outcome: Outcome::Committed { version, .. }, .. } => *version = None,
            _ => {}
        }
        events.push(event);
    });
    fold(events).expect("adds up")
}

#[test]
fn long_histories_of_a_snapshot_store_are_told_from_serializable_ones_by_values_alone() {
    for seed in 0..4 {
        let table = levels(&snapshots(seed), None, 1_000_000);
        for (level, standing) in &table.levels {
            // Serializable in another order than in real time some of them are.
            let holds = Level::StrictSnapshotIsolation.implies(*level);
            let open = Level::StrongSessionSerializable.implies(*level);
            let expected = if holds { Standing::Holds } else { Standing::Violated };
            assert!(
                *standing == expected || open && *standing == Standing::Holds,
                "seed {seed}, {level}: {standing:?}"
            );
        }
    }
}

/// And with one register read made as old as its key such a history is convicted.
#[test]
fn one_stale_register_read_in_a_long_history_is_found() {
    let text = edn(Kind::Registers, 7, 32);
    let answers = text.lines().rev().filter(|line| line.starts_with("{:type :ok"));
    let answer = answers.into_iter().find(|line| reads_last(line) > 20).expect("somebody reads a late value");
    let at = answer.rfind("[:r ").expect("it reads");
    let end = at + answer[at..].find(']').expect("a read ends");
    let key = answer[at + 4..end].split(' ').next().expect("it has a key");
    let stale = format!("{}[:r {key} 1{}", &answer[..at], &answer[end..]);
    let falsified = text.replacen(answer, &stale, 1);
    let input = read(falsified.as_bytes(), Format::Edn).expect("well formed");
    let report = check_input(&input, &CheckOptions::at(Level::StrictSerializable));
    assert_eq!(report.conclusion(), Conclusion::Violated, "{answer} -> {stale}");
}

/// And with one long read cut down to its first element such a history is convicted.
#[test]
fn one_stale_read_in_a_long_history_is_found() {
    let text = edn(Kind::Lists, 7, 32);
    let end = text.rfind(" 20 21 22]]").expect("some list has as many elements");
    let start = text[..end].rfind(" [").expect("a list has a beginning");
    let first = text[start + 2..].split(' ').next().expect("it has a first element");
    let falsified = format!("{} [{first}]]{}", &text[..start], &text[end + " 20 21 22]]".len()..]);
    let input = read(falsified.as_bytes(), Format::Edn).expect("well formed");
    let report = check_input(&input, &CheckOptions::at(Level::StrictSerializable));
    assert_eq!(report.conclusion(), Conclusion::Violated);
    let mut lengths = report.table.anomalies.iter().map(|anomaly| anomaly.cycle.len());
    assert!(lengths.any(|length| (2..=4).contains(&length)), "{:#?}", report.table.anomalies);
}

/// The value of the last read of a line of registers; 0 if it has none.
fn reads_last(line: &str) -> u32 {
    let read = line.rsplit_once("[:r ").and_then(|(_, rest)| rest.split_once(']'));
    let value = read.and_then(|(read, _)| read.split(' ').nth(1)).and_then(|value| value.parse().ok());
    value.unwrap_or(0)
}

type Failure = Box<dyn std::error::Error>;

/// Returns a text history with the transactions of one session after those of the other.
fn by_session(text: &str) -> String {
    let mut lines: Vec<&str> = text.lines().collect();
    let session = |line: &str| line.rsplit(',').nth(1).and_then(|session| session.parse::<u32>().ok());
    lines.sort_by_key(|line| session(line));
    lines.join("\n")
}

/// The order of a file's lines tells when transactions ran only by chance: a history of hot keys was decided
/// at once if its file was ordered by time, and not at all if it was ordered by session.
#[test]
fn hot_keys_are_decided_whatever_the_order_of_their_file() {
    let cases = [(100, true, Standing::Holds), (32, false, Standing::Violated), (8, true, Standing::Holds)];
    for (seed, (sessions, serializable, standing)) in (1..).zip(cases) {
        let text = polygraphs::history(seed, polygraphs::Kind::Hot, 100, serializable, 1_000, sessions);
        for (order, text) in [("time", text.clone()), ("session", by_session(&text))] {
            let input = read(text.as_bytes(), Format::Text).expect("well formed");
            let expected = [(Level::Serializable, &standing), (Level::SnapshotIsolation, &Standing::Holds)];
            for (level, expected) in expected {
                let table = check_input(&input, &CheckOptions::at(level)).table;
                assert_eq!(table.standing(level), Some(expected), "{sessions} sessions, by {order}: {level}");
                let steps = table.steps;
                assert!(steps < 30_000_000, "{sessions} sessions, by {order}: {level} took {steps} steps");
            }
        }
    }
}
