//! `dump` and `load` through the binary: what goes out comes back, and what is not whole is refused.

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::Value as Json;
use stormproof::{Database, EventLog, Namespace, RunId, RunOptions, StateMachine, Value};

use support::{json, stormproof};

fn machine() -> StateMachine<String> {
    StateMachine::builder("job")
        .initial("new".to_owned())
        .transition("new".to_owned(), "done".to_owned())
        .build()
        .unwrap()
}

/// A database with everything that there is.
fn database(dir: &Path) -> RunId {
    let db = Database::open(dir).unwrap();
    let run = db.begin_run_with(RunOptions::new().tag("task", "dump")).unwrap();
    let map = BTreeMap::from([("a".to_owned(), Value::F64(0.1)), ("b".to_owned(), Value::Null)]);
    let values = [
        Value::Null,
        Value::Bool(false),
        Value::I64(-7),
        Value::F64(f64::NEG_INFINITY),
        Value::from("text"),
        Value::from(&[0_u8, 255][..]),
        Value::from(map),
        Value::from(vec![Value::I64(1), Value::F64(1.0)]),
    ];
    for (number, value) in values.into_iter().enumerate() {
        db.put(run, format!("value/{number}"), value).unwrap();
    }
    db.put(run, Namespace::of_run(run).key("own"), 1_i64).unwrap();
    db.put_with_ttl(run, "cache", 1_i64, Duration::from_secs(100_000)).unwrap();
    db.transaction(run, |txn| {
        EventLog::new("log").append(txn, "first")?;
        EventLog::new("log").append(txn, "second")?;
        machine().create(txn, "one")
    })
    .unwrap();
    let child = db.begin_run_with(RunOptions::new().parent(run)).unwrap();
    db.end_run(child).unwrap();
    db.close().unwrap();
    run
}

fn succeeds(dir: &Path, arguments: &[&str]) -> String {
    let output = stormproof(dir, arguments);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn what_is_dumped_and_loaded_is_the_same_database() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    let run = database(&dir.join("data"));
    let first = succeeds(dir, &["dump", "data"]);
    fs::write(dir.join("data.jsonl"), &first).unwrap();
    let told = succeeds(dir, &["load", "copy", "data.jsonl"]);
    assert!(told.starts_with("loaded ") && told.contains("into copy"), "{told}");
    assert_eq!(succeeds(dir, &["dump", "copy"]), first, "to the last byte");

    assert_eq!(json(&stormproof(dir, &["verify", "copy", "--json"]))["verdict"], "whole");
    let (db, copy) = (Database::open(dir.join("data")).unwrap(), Database::open(dir.join("copy")).unwrap());
    assert_eq!(copy.provenance("cache"), db.provenance("cache"));
    assert_eq!(copy.runs(), db.runs());
    copy.transaction(run, |txn| {
        EventLog::new("log").append(txn, "third")?;
        assert_eq!(EventLog::new("log").verify(txn)?, 3);
        machine().transition(txn, "one", &"new".to_owned(), &"done".to_owned())
    })
    .unwrap();
    assert!(copy.version() > db.version(), "versions go on");
}

#[test]
fn a_plain_dump_leaves_out_who_wrote_what() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    database(&dir.join("data"));
    succeeds(dir, &["dump", "data", "--plain", "--out", "plain.jsonl"]);
    let text = fs::read_to_string(dir.join("plain.jsonl")).unwrap();
    let lines: Vec<Json> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines[1..].iter().all(|line| line.get("version").is_none() && line.get("txn").is_none()));
    succeeds(dir, &["load", "copy", "plain.jsonl"]);
    let copy = Database::open(dir.join("copy")).unwrap();
    assert_eq!(copy.version().get(), 1);
    assert_eq!(copy.get("value/4").unwrap(), Some("text".to_owned()));
}

#[test]
fn lines_of_ones_own_can_be_loaded_and_wrong_ones_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    fs::write(dir.join("own"), "{\"key\":\"b\",\"value\":2}\n\n{\"key\":\"a\",\"value\":{\"f64\":\"1\"}}\n")
        .unwrap();
    succeeds(dir, &["load", "own.db", "own"]);
    let db = Database::open(dir.join("own.db")).unwrap();
    assert_eq!((db.get("a").unwrap(), db.get("b").unwrap()), (Some(1.0), Some(2_i64)));

    database(&dir.join("data"));
    let whole = succeeds(dir, &["dump", "data"]);
    let lines: Vec<&str> = whole.lines().collect();
    let wrong = [
        (lines[..lines.len() - 1].join("\n"), "cut off"),
        ([&lines[..3], &lines[lines.len() - 1..]].concat().join("\n"), "were dumped"),
        (whole.replace("\"stormproof_dump\":1", "\"stormproof_dump\":2"), "format 2"),
        ("{\"key\":\"a\",\"value\":1}\n{\"key\":\"a\",\"value\":1}\n".to_owned(), "comes twice"),
        ("{\"key\":\"a\"}\n".to_owned(), "line 1"),
        ("{\"key_hex\":\"ff\",\"value\":1}\n".to_owned(), "is no key"),
        ("{\"key\":\"a\",\"value\":{\"bytes\":\"0\"}}\n".to_owned(), "hexadecimal"),
    ];
    for (text, word) in wrong {
        fs::write(dir.join("wrong"), text).unwrap();
        let output = stormproof(dir, &["load", "never", "wrong"]);
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert!(error.contains(word), "no {word:?} in: {error}");
        assert!(!dir.join("never").exists(), "nothing was created");
    }
    let output = stormproof(dir, &["load", "data", "own"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("not empty"));
}
