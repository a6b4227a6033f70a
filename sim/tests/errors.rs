//! What the binary says when a command can't be done: what happened, why, and what to do, in one form; exit
//! code 2, and nothing on standard output.

mod support;

use std::fs;

use support::{json, stormproof};

/// Arguments, and words that the error must have.
type Wrong<'a> = (&'a [&'a str], &'a [&'a str]);

const WRONG: &[Wrong<'_>] = &[
    (&["nonsense"], &["unrecognized subcommand", "--help"]),
    (&["run"], &["--seed", "--help"]),
    (&["run", "--seed", "seven"], &["seven", "is no seed", "give a number"]),
    (&["run", "--seed", "-1"], &["-1"]),
    (&["run", "--seed", "1", "--workload", "nonsense"], &["nonsense", "use one of", "bank"]),
    (&["run", "--seed", "1", "--mutant", "Nonsense"], &["Nonsense", "use one of", "AckBeforeSync"]),
    (&["run", "--seed", "1", "--strategy", "nonsense"], &["nonsense", "use one of", "pct"]),
    (&["run", "--seed", "1", "--faults", "some"], &["some", "possible values"]),
    (&["run", "--seed", "1", "--clients", "many"], &["many"]),
    (&["run", "--seed", "1", "--clients", "0"], &["nothing be proven", "write 1 or more"]),
    (&["run", "--seed", "1", "--workload", "bnak"], &["did you mean `bank`?"]),
    (&["run", "--seed", "1", "--mutant", "skipreadvalidation"], &["did you mean `SkipReadValidation`?"]),
    (&["run", "--seed", "1", "--strategy", "stiky"], &["did you mean `sticky`?"]),
    (&["run", "--seed", "1", "--report", "a.pdf"], &["a.pdf", "end it in", ".html"]),
    (&["run", "--seed", "1", "--report", "a.html", "--format", "pdf"], &["pdf", "use text"]),
    (&["run", "--seed", "1", "--format", "html"], &["--report"]),
    (&["run", "--seed", "1", "--report", "no/such/folder.html"], &["can't be written", "name a file"]),
    (&["sweep", "--seeds", "9..3"], &["9..3", "0..=9999"]),
    (&["sweep", "--seeds", "1,,3"], &["names no seeds", "0..10000"]),
    (&["sweep", "--seeds", "0..3", "--canary", "Nonsense"], &["Nonsense", "use one of"]),
    (&["sweep", "--seeds", "0..3", "--for", "0s"], &["nothing would be proven"]),
    (&["sweep", "--seeds", "0..3", "--for", "soon"], &["is no time", "write a number"]),
    (&["sweep", "--seeds", "0..3", "--jobs", "0"], &["no number of workers", "write 1 or more"]),
    (&["sweep", "--seeds", "0..3", "--shard", "3/3"], &["3/3"]),
    (&["sweep", "--seeds", "0..3", "--shard", "one"], &["one"]),
    (&["sweep", "--seeds", "0..3", "--out", "no/such/file"], &["can't be written", "name a file"]),
    (&["sweep", "--seeds", "0..3", "--report", "a.dot"], &["no dot of a campaign", "render a run"]),
    (&["replay", "no-such.trace"], &["no file no-such.trace", "give a number"]),
    (&["replay", "text"], &["is not a trace", "give a file"]),
    (&["replay", "old.trace"], &["trace format 99", "replay it with the binary that wrote it"]),
    (&["replay", "foreign.trace"], &["is not a trace"]),
    (&["shrink"], &["--help"]),
    (&["shrink", "no-such.trace"], &["can't be read", "name a file"]),
    (&["shrink", "--seed", "1", "--faults", "none", "--clients", "1"], &["nothing to shrink", "that fails"]),
    (&["shrink", "--seed", "1", "--for", "long"], &["is no time"]),
    (&["report"], &["--help"]),
    (&["report", "no-such-file"], &["nothing to report on", "give a number"]),
    (&["report", "text"], &["no results of a sweep", "line 1", "give a seed"]),
    (&["report", "text", "binary"], &["text", "give a seed"]),
    (&["report", "1", "--out", "a.pdf"], &["a.pdf", "end it in"]),
    (&["report", "1", "--format", "pdf"], &["pdf", "use text"]),
    (&["check", "no-such-file"], &["no history in", "give a file"]),
    (&["check", "text"], &["no history in", "--format"]),
    (&["inspect", "no-such-folder"], &["no database in", "give the directory of one"]),
    (&["inspect", "."], &["no database in", "give the directory of one"]),
    (&["dump", "no-such-folder"], &["no database in", "give the directory of one"]),
    (&["dump", "."], &["can't be dumped", "holds no database"]),
    (&["load", "new", "no-such-file"], &["no dump in", "give a file"]),
    (&["load", "new", "text"], &["nothing was loaded into new", "line 1", "give what"]),
    (&["verify", "."], &["no database in", "give the directory of one"]),
    (&["zoo", "--mutant", "Nonsense"], &["Nonsense", "use one of"]),
    (&["completions", "tcsh"], &["tcsh", "possible values"]),
    (&["man", "text/below"], &["can't be written to", "name a folder"]),
];

#[test]
fn every_error_says_what_happened_why_and_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("text"), "this is no JSON\n").unwrap();
    fs::write(folder.path().join("binary"), [0xff, 0xfe, 0]).unwrap();
    fs::write(folder.path().join("old.trace"), "{\"stormproof_trace\": 99}\n").unwrap();
    fs::write(folder.path().join("foreign.trace"), "{\"stormproof_trace\": 1}\n").unwrap();
    let mut wrong = Vec::new();
    for (arguments, words) in WRONG {
        let output = stormproof(folder.path(), arguments);
        let error = String::from_utf8_lossy(&output.stderr);
        let is_parsing = error.contains("For more information") || error.contains("Usage:");
        // What, why, what to do: two colons at least after the one of `error:`.
        let parts = error.trim_start_matches("error: ").split(": ").count();
        let has_form = error.starts_with("error: ") && (is_parsing || parts >= 3);
        let missing: Vec<_> = words.iter().filter(|word| !error.contains(**word)).collect();
        let (code, is_silent) = (output.status.code(), output.stdout.is_empty());
        if code != Some(2) || !is_silent || !has_form || !missing.is_empty() {
            wrong.push(format!("{arguments:?} exits with {code:?}, lacks {missing:?}: {error}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // And a right one is none of this.
    assert!(json(&stormproof(folder.path(), &["list", "--json"])).is_object());
}
