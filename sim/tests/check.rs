//! `stormproof check` in each format: files that hold, are violated, stay undecided, or are damaged.

mod support;

use std::fs;
use std::path::Path;

use serde_json::Value;

use support::{json, stormproof};

/// One format: its name, and files that hold, that are violated, whose verdict is open, and that are damaged.
struct Format {
    name: &'static str,
    /// At every level, or at every level that does not need real time if the format has none.
    good: Vec<u8>,
    timed: bool,
    /// The weakest level that it violates, and how.
    violated: (Vec<u8>, &'static str, &'static str),
    undecided: Vec<u8>,
    /// Damaged, and where.
    bad: (Vec<u8>, &'static str),
}

/// Reads or writes a key, and with which value; 0 is none.
type Operation = (char, u64, u64);

/// What transactions do, in no format yet: by session, one after the other, all at the same time if there are
/// times.
type Sessions<'s> = &'s [&'s [&'s [Operation]]];

/// Two sessions, one reading what the other has written.
const GOOD: Sessions<'_> = &[&[&[('w', 1, 1), ('w', 2, 1)]], &[&[('r', 1, 1), ('r', 2, 1), ('w', 1, 2)]]];
/// Both see neither of two writes that the other makes: write skew.
const SKEW: Sessions<'_> =
    &[&[&[('r', 1, 0), ('r', 2, 0), ('w', 1, 1)]], &[&[('r', 1, 0), ('r', 2, 0), ('w', 2, 2)]]];

/// A fractured read with two possible writers, among more ambiguous reads than there are steps to explain
/// them.
fn puzzle() -> Vec<Vec<Vec<Operation>>> {
    let mut sessions = vec![
        vec![vec![('w', 1, 5), ('w', 2, 1)]],
        vec![vec![('w', 1, 5), ('w', 2, 2)]],
        vec![vec![('r', 1, 5), ('r', 2, 0)]],
    ];
    for key in 10..22 {
        sessions.extend([vec![vec![('w', key, 5)]], vec![vec![('w', key, 5)]], vec![vec![('r', key, 5)]]]);
    }
    sessions
}

fn borrowed(sessions: &[Vec<Vec<Operation>>]) -> Vec<Vec<&[Operation]>> {
    sessions.iter().map(|session| session.iter().map(Vec::as_slice).collect()).collect()
}

fn edn(sessions: Sessions<'_>) -> Vec<u8> {
    let mut text =
        String::from("; as Jepsen writes it\n{:type :info, :process :nemesis, :f :kill, :value nil}\n");
    for kind in ["invoke", "ok"] {
        for (process, session) in sessions.iter().enumerate() {
            let [ops] = session else { panic!("one transaction a session") };
            let ops: Vec<String> = ops
                .iter()
                .map(|(op, key, value)| match (op, kind, value) {
                    ('r', "invoke", _) | ('r', _, 0) => format!("[:r {key} nil]"),
                    _ => format!("[:{op} {key} {value}]"),
                })
                .collect();
            text += &format!("{{:type :{kind}, :process {process}, :f :txn, :value [{}]}}\n", ops.join(" "));
        }
    }
    text.into_bytes()
}

fn dbcop(sessions: Sessions<'_>) -> Vec<u8> {
    let mut bytes: Vec<u8> = Vec::new();
    let number = |bytes: &mut Vec<u8>, number: u64| bytes.extend(number.to_le_bytes());
    for parameter in [0, 0, 0, 0, 0, 0, 0, 0, sessions.len() as u64] {
        number(&mut bytes, parameter);
    }
    for session in sessions {
        number(&mut bytes, session.len() as u64);
        for ops in *session {
            number(&mut bytes, ops.len() as u64);
            for (op, key, value) in *ops {
                bytes.push(u8::from(*op == 'w'));
                number(&mut bytes, *key);
                number(&mut bytes, *value);
                bytes.push(1);
            }
            bytes.push(1);
        }
    }
    bytes
}

fn text(sessions: Sessions<'_>) -> Vec<u8> {
    let mut text = String::new();
    for (number, session) in sessions.iter().enumerate() {
        for (txn, ops) in session.iter().enumerate() {
            for (op, key, value) in *ops {
                text += &format!("{op}({key},{value},{number},{txn})\n");
            }
        }
    }
    text.into_bytes()
}

fn jsonl(sessions: Sessions<'_>) -> Vec<u8> {
    let bytes = |number: u64| format!("{:?}", number.to_string().as_bytes());
    let mut lines = vec![r#"{"event":"opened","life":0,"at":0}"#.to_owned()];
    for (txn, session) in sessions.iter().enumerate() {
        lines.push(format!(
            r#"{{"event":"begin","txn":{txn},"session":{txn},"life":0,"at":1,"start_version":null,"isolation":"serializable"}}"#
        ));
        let [ops] = session else { panic!("one transaction a session") };
        for (op, key, value) in *ops {
            let key = bytes(*key);
            let op = match (op, value) {
                ('w', value) => format!(r#"{{"put":{{"key":{key},"value":{}}}}}"#, bytes(*value)),
                (_, 0) => format!(r#"{{"get":{{"key":{key},"read":{{"value":null,"version":null}}}}}}"#),
                (_, value) => {
                    let value = bytes(*value);
                    format!(r#"{{"get":{{"key":{key},"read":{{"value":{value},"version":null}}}}}}"#)
                }
            };
            lines.push(format!(r#"{{"event":"op","txn":{txn},"at":2,"op":{op}}}"#));
        }
        lines.push(format!(
            r#"{{"event":"outcome","txn":{txn},"outcome":{{"committed":{{"invoked":3,"acked":4,"version":null,"durable":null}}}}}}"#
        ));
    }
    (lines.join("\n") + "\n").into_bytes()
}

/// Of lists: good, and with an order in which no list has both as its beginning.
fn lists(second: &str) -> Vec<u8> {
    format!(
        "{{:type :invoke, :process 0, :value [[:append 1 1] [:append 1 2]]}}\n\
         {{:type :invoke, :process 1, :value [[:r 1 nil]]}}\n\
         {{:type :ok, :process 1, :value [[:r 1 [1 2]]]}}\n\
         {{:type :ok, :process 0, :value [[:append 1 1] [:append 1 2]]}}\n\
         {{:type :invoke, :process 2, :value [[:append 1 3] [:r 1 nil]]}}\n\
         {{:type :ok, :process 2, :value [[:append 1 3] [:r 1 [{second} 3]]]}}\n"
    )
    .into_bytes()
}

/// The same element is appended twice, so the writer of the element that was read is unknown.
const LISTS_UNDECIDED: &str = "{:type :ok, :process 0, :value [[:append 1 1]]}\n\
     {:type :ok, :process 1, :value [[:append 1 1]]}\n\
     {:type :ok, :process 2, :value [[:r 1 [1]]]}\n";

fn formats() -> Vec<Format> {
    let owned = puzzle();
    let sessions = borrowed(&owned);
    let puzzle: Vec<&[&[Operation]]> = sessions.iter().map(Vec::as_slice).collect();
    let format = |name, write: fn(Sessions<'_>) -> Vec<u8>, timed, bad| Format {
        name,
        good: write(GOOD),
        timed,
        violated: (write(SKEW), "repeatable-read", "write-skew"),
        undecided: write(&puzzle),
        bad,
    };
    let cut = |mut bytes: Vec<u8>, left: usize| {
        bytes.truncate(left);
        bytes
    };
    vec![
        Format {
            name: "edn",
            good: lists("1 2"),
            timed: true,
            violated: (lists("2 1"), "read-uncommitted", "incompatible-order"),
            undecided: LISTS_UNDECIDED.as_bytes().to_vec(),
            bad: (
                b"{:type :ok, :process 0, :value [[:append 1 1]]}\n {:process 1}\n".to_vec(),
                "line 2, column 2",
            ),
        },
        format("edn", edn, true, (b"{:type :ok, :f\n".to_vec(), "line 2, column 1")),
        format(
            "jsonl",
            jsonl,
            true,
            (b"{\"event\":\"opened\",\"life\":0,\"at\":}\n".to_vec(), "line 1, column 33"),
        ),
        format("dbcop", dbcop, false, (cut(dbcop(GOOD), 100), "byte 89")),
        format("text", text, false, (b"w(1,1,0,0)\nr(1,1)\n".to_vec(), "line 2, column 3")),
    ]
}

/// The levels of a report with their standings, as printed.
fn standings(document: &Value) -> Vec<(String, String)> {
    let levels = document["report"]["table"]["levels"].as_array().cloned().unwrap_or_default();
    let word = |standing: &Value| {
        let object = standing.as_object().and_then(|object| object.keys().next().cloned());
        standing.as_str().map(str::to_owned).or(object).unwrap_or_default()
    };
    levels.iter().map(|pair| (word(&pair[0]), word(&pair[1]))).collect()
}

fn check(folder: &Path, format: &str, bytes: &[u8], more: &[&str]) -> std::process::Output {
    fs::write(folder.join("history"), bytes).unwrap();
    stormproof(folder, &[&["check", "history", "--format", format], more].concat())
}

const LEVELS: [&str; 20] = [
    "read-uncommitted",
    "strong-session-read-uncommitted",
    "strong-read-uncommitted",
    "read-committed",
    "strong-session-read-committed",
    "strong-read-committed",
    "cursor-stability",
    "repeatable-read",
    "read-atomic",
    "causal",
    "consistent-view",
    "parallel-snapshot-isolation",
    "prefix-consistency",
    "strong-session-prefix-consistency",
    "snapshot-isolation",
    "strong-session-snapshot-isolation",
    "strict-snapshot-isolation",
    "serializable",
    "strong-session-serializable",
    "strict-serializable",
];

/// The levels that keep real time.
const TIMED: [&str; 4] =
    ["strong-read-uncommitted", "strong-read-committed", "strict-snapshot-isolation", "strict-serializable"];

#[test]
fn a_good_file_holds_at_each_level_in_every_format() {
    let folder = tempfile::tempdir().unwrap();
    for format in formats() {
        for level in LEVELS {
            let output = check(folder.path(), format.name, &format.good, &["--level", level]);
            let open = !format.timed && TIMED.contains(&level);
            let expected = if open { 4 } else { 0 };
            let text = String::from_utf8_lossy(&output.stdout);
            assert_eq!(output.status.code(), Some(expected), "{} {level}: {text}", format.name);
            assert!(text.contains(level), "{text}");
        }
        let all = json(&check(folder.path(), format.name, &format.good, &["--json"]));
        assert_eq!(standings(&all).len(), 20, "{all:#}");
        assert_eq!(all["verdict"], "holds", "{}: without times the other levels decide", format.name);
    }
}

#[test]
fn a_violated_file_names_level_cycle_operations_and_values_in_every_format() {
    let folder = tempfile::tempdir().unwrap();
    for format in formats() {
        let (bytes, level, class) = &format.violated;
        let stronger = check(folder.path(), format.name, bytes, &["--level", level]);
        assert_eq!(stronger.status.code(), Some(1), "{}", format.name);
        let all = check(
            folder.path(),
            format.name,
            bytes,
            &["--dot", "a.dot", "--svg", "a.svg", "--html", "a.html"],
        );
        assert_eq!(all.status.code(), Some(1));
        let text = String::from_utf8_lossy(&all.stdout).into_owned();
        assert!(text.contains(&format!("weakest level violated: {level}")), "{}: {text}", format.name);
        assert!(text.contains(&format!("{class} (forbidden from {level} on)")), "{}: {text}", format.name);
        if *class == "write-skew" {
            let value = if format.name == "edn" { "2" } else { "\"2\"" };
            let edge = format!("T0 -rw-> T1: T0 read 2 as nothing, before T1 wrote {value} to it");
            assert!(text.contains(&edge), "{}: {text}", format.name);
            let weaker = check(folder.path(), format.name, bytes, &["--level", "snapshot-isolation"]);
            assert_eq!(weaker.status.code(), Some(0), "{}", format.name);
            let dot = fs::read_to_string(folder.path().join("a.dot")).unwrap();
            assert!(dot.contains("c0_0 -> c0_1 [label=\"rw 2\"]"), "{dot}");
            let page = fs::read_to_string(folder.path().join("a.html")).unwrap();
            assert!(page.contains("<svg") && page.contains("write-skew: G2-item"), "{page}");
            let svg = fs::read_to_string(folder.path().join("a.svg")).unwrap();
            assert!(svg.contains("rw 2") && svg.contains("marker-end") && svg.ends_with("</svg>\n"), "{svg}");
        }
    }
}

#[test]
fn the_shortest_cycle_comes_first_and_the_strongest_level_that_holds_is_named() {
    let folder = tempfile::tempdir().unwrap();
    // A cycle of three anti-dependencies, and one of two, of other keys and transactions.
    let ring: Sessions<'_> = &[
        &[&[('r', 1, 0), ('w', 2, 1)]],
        &[&[('r', 2, 0), ('w', 3, 1)]],
        &[&[('r', 3, 0), ('w', 1, 1)]],
        &[&[('r', 4, 0), ('w', 5, 1)]],
        &[&[('r', 5, 0), ('w', 4, 1)]],
    ];
    for format in formats().iter().skip(1) {
        let write = match format.name {
            "edn" => edn,
            "jsonl" => jsonl,
            "dbcop" => dbcop,
            _ => text,
        };
        let document = json(&check(folder.path(), format.name, &write(ring), &["--json"]));
        let anomalies = document["report"]["table"]["anomalies"].as_array().cloned().unwrap_or_default();
        let lengths: Vec<_> =
            anomalies.iter().map(|one| one["cycle"].as_array().map_or(0, Vec::len)).collect();
        assert_eq!(lengths, [2, 3], "{}: {document:#}", format.name);
        let text = check(folder.path(), format.name, &write(ring), &[]).stdout;
        let strongest =
            if format.timed { "strict-snapshot-isolation" } else { "strong-session-snapshot-isolation" };
        let expected = format!("weakest level violated: repeatable-read; strongest satisfied: {strongest}");
        let text = String::from_utf8_lossy(&text);
        assert!(text.contains(&expected), "{}: {text}", format.name);
    }
}

#[test]
fn what_cannot_be_decided_is_said_so_in_every_format() {
    let folder = tempfile::tempdir().unwrap();
    for format in formats() {
        let more = ["--level", "serializable", "--steps", "0", "--json"];
        let output = check(folder.path(), format.name, &format.undecided, &more);
        let document = json(&output);
        assert_eq!(output.status.code(), Some(4), "{}: {document:#}", format.name);
        assert_eq!(document["verdict"], "unknown");
    }
}

#[test]
fn a_bad_file_is_refused_with_its_place_in_every_format() {
    let folder = tempfile::tempdir().unwrap();
    for format in formats() {
        let (bytes, place) = &format.bad;
        let output = check(folder.path(), format.name, bytes, &["--json"]);
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{}: {error}", format.name);
        assert!(error.contains(place), "{}: {error}", format.name);
        let empty = check(folder.path(), format.name, b"\xff\xfe{[", &[]);
        assert_eq!(empty.status.code(), Some(2), "{}", format.name);
        assert!(!String::from_utf8_lossy(&empty.stderr).contains("panicked"));
    }
}

#[test]
fn a_file_that_judges_nothing_is_no_success() {
    let folder = tempfile::tempdir().unwrap();
    let bank = b"{:type :ok, :process 0, :f :transfer, :value {:from 1, :to 2, :amount 5}}\n";
    for (format, bytes) in
        [("edn", &bank[..]), ("edn", b"; nothing\n"), ("jsonl", b"\n"), ("script", b"# nothing\n")]
    {
        let output = check(folder.path(), format, bytes, &["--json"]);
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{format}: {error}");
        assert!(error.contains("nothing was judged"), "{format}: {error}");
        assert_eq!(json(&output)["verdict"], "error");
    }
}

#[test]
fn a_bad_file_prints_an_error_document_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let output = check(folder.path(), "edn", b"[{:type :ok, :process 0, :value []}\n", &["--json"]);
    assert_eq!(output.status.code(), Some(2));
    let document = json(&output);
    assert_eq!(
        (&document["error"]["line"], &document["error"]["column"]),
        (&1.into(), &1.into()),
        "{document:#}"
    );
}

#[test]
fn only_the_anomalies_that_were_asked_for_count() {
    let folder = tempfile::tempdir().unwrap();
    let skew = edn(SKEW);
    for (names, code) in [("G2-item", 1), ("G-single,G1a", 0), ("G2", 0)] {
        let output = check(folder.path(), "edn", &skew, &["--anomalies", names]);
        assert_eq!(output.status.code(), Some(code), "{names}");
    }
    assert_eq!(check(folder.path(), "edn", &skew, &["--anomalies", "G7"]).status.code(), Some(2));
}

#[test]
fn a_model_is_judged_in_its_own_words_with_every_exit_code() {
    let folder = tempfile::tempdir().unwrap();
    let read = |balance: i64| format!("{{:type :ok, :process 0, :f :read, :value {{0 5, 1 {balance}}}}}\n");
    let cases = [
        (read(5) + &read(5), 0, "holds"),
        (read(5) + &read(6), 1, "wrong total: 11"),
        ("{:type :ok, :process 0, :f :txn, :value [[:r 1 nil]]}\n".to_owned(), 2, "no operation of a bank"),
        (
            "{:type :ok, :process 0, :f :transfer, :value {:from 0, :to 1, :amount 1}}\n".to_owned(),
            4,
            "no read ended well",
        ),
        ("{:type :ok, :process 0, :f :read, :value 7}\n".to_owned(), 2, "expected a map of balances"),
    ];
    for (text, code, said) in cases {
        let output = check(folder.path(), "edn", text.as_bytes(), &["--model", "bank"]);
        let all = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert_eq!(output.status.code(), Some(code), "{all}");
        assert!(all.contains(said), "{said}: {all}");
    }
}
