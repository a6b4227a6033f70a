//! Failures of many campaigns: grouped, with a rate, and with the build that introduced them.

mod support;

use std::fs;
use std::path::Path;
use std::process::Command;

use support::{json, stormproof};

const BUG: [&str; 2] = ["--mutant", "SkipReadValidation"];

/// Runs a campaign and moves it to a day, and to a build, of its own.
fn campaign(folder: &Path, day: u64, more: &[&str]) -> String {
    let (out, failures) = (format!("{day}.jsonl"), format!("failures-{day}"));
    let start =
        ["sweep", "--seeds", "0..40", "--workload", "write-skew", "--out", &out, "--failures", &failures];
    let output = stormproof(folder, &[&start[..], more].concat());
    assert!(output.status.code().is_some_and(|code| code < 2), "{}", String::from_utf8_lossy(&output.stderr));
    let text = fs::read_to_string(folder.join(&out)).unwrap();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let mut first: serde_json::Value = serde_json::from_str(&lines[0]).unwrap();
    first["start"]["unix_seconds"] = (1_796_000_000 + day * 86_400).into();
    first["start"]["build"]["source"] = format!("{day:016x}").into();
    lines[0] = first.to_string();
    fs::write(folder.join(&out), lines.join("\n") + "\n").unwrap();
    out
}

#[test]
fn a_trend_groups_failures_and_names_the_build_that_brought_them_in() {
    let folder = tempfile::tempdir().unwrap();
    let days =
        [campaign(folder.path(), 1, &[]), campaign(folder.path(), 2, &BUG), campaign(folder.path(), 3, &BUG)];
    let files: Vec<&str> = days.iter().map(String::as_str).collect();
    let output =
        stormproof(folder.path(), &[&["report", "--trend", "--format", "json"][..], &files].concat());
    assert_eq!(output.status.code(), Some(1), "the newest is violated");
    let trend = json(&output);
    let verdicts: Vec<_> =
        trend["campaigns"].as_array().unwrap().iter().map(|one| one["verdict"].clone()).collect();
    assert_eq!(verdicts, ["held", "violated", "violated"]);
    let groups = trend["groups"].as_array().expect("groups");
    let skew = groups.iter().find(|group| group["class"] == "write-skew").expect("write skew");
    assert!(skew["first_build"].as_str().unwrap().contains("0000000000000002"), "{skew:#}");
    assert!(
        skew["low"].as_f64() < skew["high"].as_f64() && skew["seeds_until_gone"].as_u64() > Some(0),
        "{skew:#}"
    );
    assert!(!skew["shape"].as_str().unwrap().is_empty(), "{skew:#}");
    let trace = skew["trace_file"].as_str().expect("the smallest trace");
    assert!(folder.path().join(trace).is_file(), "{trace}");
    for (format, word) in [("text", "gone with 99 % after"), ("markdown", "gone with 99 %"), ("html", "<svg")]
    {
        let shown =
            stormproof(folder.path(), &[&["report", "--trend", "--format", format][..], &files].concat());
        assert!(String::from_utf8_lossy(&shown.stdout).contains(word), "{format}");
    }
    // Of the healthy one alone, green.
    assert_eq!(stormproof(folder.path(), &["report", "--trend", &days[0]]).status.code(), Some(0));
}

/// A history of six commits, the fourth of which brings a bug in: found by `git bisect run` and a trace, as
/// the guide says.
#[cfg(unix)]
#[test]
fn git_bisect_finds_the_commit_by_a_trace() {
    let folder = tempfile::tempdir().unwrap();
    let sweep = ["sweep", "--seeds", "0..40", "--workload", "write-skew", "--json"];
    let found = json(&stormproof(folder.path(), &[&sweep[..], &BUG].concat()));
    let trace = found["failures"][0]["shrunk_file"].as_str().expect("a shrunk trace").to_owned();
    let text = fs::read_to_string(folder.path().join(trace)).unwrap();
    let mut healthy: serde_json::Value = serde_json::from_str(&text).unwrap();
    healthy["plan"]["mutants"] = serde_json::json!([]);
    fs::write(folder.path().join("bug.trace"), text).unwrap();
    fs::write(folder.path().join("healthy.trace"), healthy.to_string()).unwrap();
    let git = |arguments: &[&str]| {
        let output = Command::new("git")
            .args(["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "init.defaultBranch=main"])
            .args(arguments)
            .current_dir(folder.path())
            .output()
            .expect("git is there");
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    git(&["init", "-q"]);
    for number in 1..=6 {
        // The state of the code stands for what is built from it: one of the commits does not build.
        let state = match number {
            2 => "broken",
            1 | 3 => "healthy",
            _ => "bug",
        };
        fs::write(folder.path().join("state"), state).unwrap();
        fs::write(folder.path().join("number"), number.to_string()).unwrap();
        git(&["add", "state", "number"]);
        git(&["commit", "-q", "-m", &format!("commit {number}")]);
    }
    let guide =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("guides/debugging-a-failing-seed.md"))
            .unwrap();
    let script = guide
        .split("```bash\n")
        .nth(1)
        .and_then(|rest| rest.split("```").next())
        .expect("the script of the guide");
    let binary = env!("CARGO_BIN_EXE_stormproof");
    let script = script
        .replace("cargo build --release --bin stormproof", "! grep -q broken state")
        .replace("target/release/stormproof", &format!("'{binary}'"))
        .replace("\"$1\"", "\"$(cat state).trace\"");
    fs::write(folder.path().join("bisect.sh"), script).unwrap();
    git(&["bisect", "start", "HEAD", "HEAD~5"]);
    let said = git(&["bisect", "run", "bash", "bisect.sh", "bug.trace"]);
    assert!(said.contains("commit 4"), "{said}");
}
