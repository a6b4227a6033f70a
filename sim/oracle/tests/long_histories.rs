//! Histories that are too long for a search, and have to be decided all the same.

#[expect(dead_code, reason = "registers are for other tests")]
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
