//! Histories that are too long for a search, and have to be decided all the same.

#[path = "support/clients.rs"]
mod clients;

use clients::{Kind, Shape, generate};
use stormproof_oracle::formats::{Format, read};
use stormproof_oracle::{Level, Standing, check_input};

fn edn(kind: Kind, seed: u64, clients: usize) -> String {
    let mut text = String::new();
    let shape =
        Shape { kind, seed, txns: 5_000, clients, keys: 8, writes_per_key: 32, refused: 3, unanswered: 1 };
    generate(shape, &mut |line| line.edn(&mut text));
    text
}

/// A list is retired with appends at its end that nobody read: their order is open, for hundreds of lists at once.
#[test]
fn appends_that_nobody_saw_leave_no_long_history_open() {
    for seed in 0..4 {
        let text = edn(Kind::Lists, seed, 32);
        let input = read(text.as_bytes(), Format::Edn).expect("well formed");
        let report = check_input(&input, None, 1_000_000);
        for (level, standing) in &report.table.levels {
            assert_eq!(*standing, Standing::Holds, "seed {seed}, {level}");
        }
    }
}

/// Half of all writes are blind, of 32 clients at once: what must come before what is worked out, the rest is played.
#[test]
fn blind_writes_leave_no_long_history_open() {
    for seed in 0..4 {
        let text = edn(Kind::Registers, seed, 32);
        let input = read(text.as_bytes(), Format::Edn).expect("well formed");
        let report = check_input(&input, None, 1_000_000);
        for (level, standing) in &report.table.levels {
            assert_eq!(*standing, Standing::Holds, "seed {seed}, {level}");
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
    let report = check_input(&input, Some(Level::StrictSerializable), 1_000_000);
    assert_eq!(report.standing(), Standing::Violated, "{answer} -> {stale}");
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
    let report = check_input(&input, Some(Level::StrictSerializable), 1_000_000);
    assert_eq!(report.standing(), Standing::Violated);
    let first = &report.table.anomalies[0];
    assert!((2..=4).contains(&first.cycle.len()), "{first:#?}");
}

/// The value of the last read of a line of registers; 0 if it has none.
fn reads_last(line: &str) -> u32 {
    let read = line.rsplit_once("[:r ").and_then(|(_, rest)| rest.split_once(']'));
    let value = read.and_then(|(read, _)| read.split(' ').nth(1)).and_then(|value| value.parse().ok());
    value.unwrap_or(0)
}
