//! The commands that read existing files: `check`, `inspect` and `verify`, through the binary, on
//! good and on bad input.

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use stormproof::Database;

use support::{json, stormproof};

/// Two doctors see each other on call, and both go home.
const WRITE_SKEW: &str = "\
T0 begin @0
T0 put alice on
T0 put bob on
T0 commit @1
T1 begin @1
T2 begin @1
T1 get bob -> on @1
T2 get alice -> on @1
T1 put alice off
T2 put bob off
T1 commit @2
T2 commit @3
";

/// One session after the other, without times.
const UNTIMED: &str = "w(1,1,0,0)\nr(1,1,1,1)\nw(1,2,1,1)\n";

fn text_of(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Refused, with nothing on standard output and all of `words` in the error.
fn assert_refused(output: &Output, words: &[&str]) {
    let error = text_of(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert!(output.stdout.is_empty(), "{}", text_of(&output.stdout));
    for word in words {
        assert!(error.contains(word), "no {word:?} in: {error}");
    }
}

#[test]
fn check_tells_the_level_that_holds_from_the_one_that_does_not() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("skew.script"), WRITE_SKEW).unwrap();
    let check = |more: &[&str]| stormproof(folder.path(), &[&["check", "skew.script"], more].concat());

    let holds = check(&["--level", "snapshot-isolation", "--json"]);
    assert_eq!(holds.status.code(), Some(0), "{}", text_of(&holds.stderr));
    assert_eq!(json(&holds)["verdict"], "holds");

    let violated = check(&["--level", "serializable", "--json", "--dot", "a.dot", "--svg", "a.svg"]);
    assert_eq!(violated.status.code(), Some(1), "{}", text_of(&violated.stderr));
    let document = json(&violated);
    assert_eq!(document["verdict"], "violated");
    assert_eq!(document["report"]["txns"], 3);
    assert!(
        document["report"]["table"]["anomalies"][0]["cycle"].as_array().is_some_and(|all| all.len() == 2)
    );
    let dot = fs::read_to_string(folder.path().join("a.dot")).unwrap();
    assert!(dot.starts_with("digraph") && dot.contains("T1") && dot.contains("T2"), "{dot}");
    let svg = fs::read_to_string(folder.path().join("a.svg")).unwrap();
    assert!(svg.starts_with("<svg") && svg.contains(">T1<"), "{svg}");

    let all = check(&[]);
    assert_eq!(all.status.code(), Some(1));
    let text = text_of(&all.stdout);
    assert!(text.contains("weakest level violated: repeatable-read"), "{text}");
    assert!(text.contains("write-skew"), "{text}");
}

#[test]
fn check_says_that_it_does_not_know_real_time_when_a_file_has_none() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("untimed.txt"), UNTIMED).unwrap();
    let level = |level: &str| {
        stormproof(folder.path(), &["check", "untimed.txt", "--format", "text", "--level", level, "--json"])
    };
    assert_eq!(level("serializable").status.code(), Some(0));
    let strict = level("strict-serializable");
    assert_eq!(strict.status.code(), Some(4), "{}", text_of(&strict.stderr));
    assert_eq!(json(&strict)["verdict"], "unknown");
}

#[test]
fn check_names_line_and_column_of_what_it_cannot_read() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("short.txt", "w(1,1,0,0)\n  r(1,1,1)\n");
    write("bad.edn", "{:type :ok, :f :txn, :value [[:r 1 nil]], :process 0}\n{:type :ok, :f\n");
    write("bad.jsonl", "{\"event\":\"opened\",\"life\":0,\"at\":1}\n{\"event\":\"no such\"}\n");
    write("bad.script", "T0 begin @0\nT1 put x 1\n");
    write("good.script", WRITE_SKEW);
    let check = |arguments: &[&str]| stormproof(folder.path(), &[&["check"], arguments].concat());

    assert_refused(
        &check(&["short.txt", "--format", "text"]),
        &["short.txt", "line 2, column 5", "--format"],
    );
    let machine = check(&["short.txt", "--format", "text", "--json"]);
    assert_eq!(machine.status.code(), Some(2));
    assert_eq!(
        (json(&machine)["error"]["line"].as_u64(), json(&machine)["error"]["column"].as_u64()),
        (Some(2), Some(5))
    );
    assert_refused(&check(&["bad.edn"]), &["bad.edn", "line 3, column 1"]);
    assert_refused(&check(&["bad.jsonl"]), &["bad.jsonl", "line 2"]);
    assert_refused(&check(&["bad.script"]), &["line 2, column 1", "T1 has not begun"]);
    assert_refused(&check(&["absent.edn"]), &["absent.edn", "can't be read", "give a file"]);
    assert_refused(&check(&["good.script", "--level", "perfect"]), &["perfect", "strict-serializable"]);
    assert_refused(&check(&["good.script", "--format", "xml"]), &["xml", "dbcop"]);
    assert_refused(
        &check(&["good.script", "--svg", "no/such/folder.svg"]),
        &["folder.svg", "can't be written"],
    );
}

/// A database with a checkpoint and commits after it, closed; and its one segment that holds commits.
fn database(dir: &Path) -> PathBuf {
    let db = Database::open(dir).unwrap();
    let run = db.begin_run().unwrap();
    for number in 0..20_u64 {
        db.put(run, format!("before/{number}"), number).unwrap();
    }
    db.checkpoint().unwrap();
    for number in 0..20_u64 {
        db.put(run, format!("after/{number}"), number).unwrap();
    }
    db.close().unwrap();
    drop(db);
    let document = json(&stormproof(dir, &["inspect", ".", "--json"]));
    let segments = document["segments"].as_array().unwrap();
    let last = segments.iter().rfind(|segment| segment["commits"].as_u64() > Some(0)).unwrap();
    dir.join(last["file"].as_str().unwrap())
}

fn files(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let names = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = names.map(|path| (path.clone(), fs::read(path).unwrap())).collect();
    files.sort();
    files
}

#[test]
fn inspect_and_verify_describe_a_whole_database_and_change_nothing() {
    let folder = tempfile::tempdir().unwrap();
    database(folder.path());
    let before = files(folder.path());

    let inspected = stormproof(folder.path(), &["inspect", ".", "--json"]);
    assert_eq!(inspected.status.code(), Some(0), "{}", text_of(&inspected.stderr));
    let document = json(&inspected);
    assert!(document["database"].as_str().is_some_and(|id| id.len() == 32), "{document:#}");
    assert_eq!(document["checkpoints"].as_array().map(Vec::len), Some(1), "{document:#}");
    assert_eq!(document["problems"].as_array().map(Vec::len), Some(0), "{document:#}");
    let text = text_of(&stormproof(folder.path(), &["inspect", "."]).stdout);
    assert!(text.contains("checkpoint  ") && text.contains("segment     "), "{text}");

    let verified = stormproof(folder.path(), &["verify", ".", "--json"]);
    assert_eq!(verified.status.code(), Some(0), "{}", text_of(&verified.stderr));
    let document = json(&verified);
    assert_eq!(document["verdict"], "whole");
    assert!(document["recovery"]["commits"].as_u64() >= Some(20), "{document:#}");
    let text = text_of(&stormproof(folder.path(), &["verify", "."]).stdout);
    assert!(text.starts_with("whole: "), "{text}");

    assert_eq!(files(folder.path()), before);
}

#[test]
fn verify_says_where_a_database_is_damaged() {
    let folder = tempfile::tempdir().unwrap();
    let segment = database(folder.path());
    let mut bytes = fs::read(&segment).unwrap();
    let name = segment.file_name().unwrap().to_str().unwrap();
    let of_segment = |document: &serde_json::Value| {
        let all = document["segments"].as_array().unwrap();
        all.iter().find(|segment| segment["file"] == name).unwrap().clone()
    };
    // Behind the checkpoint, and before records that are whole: so it can't be a torn tail.
    let key = b"after/5";
    let place = bytes.windows(key.len()).position(|window| window == key).expect("the key is in the log");
    bytes[place] ^= 0xff;
    fs::write(&segment, bytes).unwrap();

    let verified = stormproof(folder.path(), &["verify", ".", "--json"]);
    assert_eq!(verified.status.code(), Some(1), "{}", text_of(&verified.stdout));
    let document = json(&verified);
    assert_eq!(document["verdict"], "damaged");
    assert_eq!(document["damage"]["file"], name);
    assert!(document["damage"]["offset"].as_u64() > Some(0), "{document:#}");
    let text = text_of(&stormproof(folder.path(), &["verify", "."]).stdout);
    assert!(text.starts_with("DAMAGED: ") && text.contains("restore"), "{text}");
    let inspected = json(&stormproof(folder.path(), &["inspect", ".", "--json"]));
    assert_eq!(of_segment(&inspected)["end"]["kind"], "damaged", "{inspected:#}");
}

#[test]
fn verify_misses_the_manifest_of_a_database() {
    let folder = tempfile::tempdir().unwrap();
    database(folder.path());
    let whole = files(folder.path());
    let manifest = whole.iter().find(|(path, _)| path.to_string_lossy().to_lowercase().contains("manifest"));
    fs::remove_file(&manifest.expect("there is one").0).unwrap();
    let verified = stormproof(folder.path(), &["verify", "."]);
    assert_eq!(verified.status.code(), Some(1), "{}", text_of(&verified.stderr));
    assert!(text_of(&verified.stdout).contains("missing"), "{}", text_of(&verified.stdout));
}

#[test]
fn what_is_no_database_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("empty")).unwrap();
    fs::create_dir(folder.path().join("foreign")).unwrap();
    fs::write(folder.path().join("foreign/letter.txt"), "Dear reader").unwrap();
    for command in ["inspect", "verify"] {
        for dir in ["empty", "foreign", "absent", "foreign/letter.txt"] {
            let output = stormproof(folder.path(), &[command, dir, "--json"]);
            assert_refused(&output, &["no database in", dir, "give the directory"]);
        }
    }
}
