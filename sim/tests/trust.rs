//! Green and red mean what they say: shards, signals, pipes, files that can't be written, and campaigns that
//! prove nothing.

mod support;

use std::fs;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use serde_json::Value;

use support::{json, stormproof};

const BUG: [&str; 4] = ["--workload", "write-skew", "--mutant", "SkipReadValidation"];

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Runs the shards of a campaign that finds a bug, each with its own results, `0.jsonl` and so on.
fn shards(folder: &Path, count: u64) {
    for index in 0..count {
        let shard = format!("{index}/{count}");
        let (out, failures) = (format!("{index}.jsonl"), format!("failures-{index}"));
        let start = ["sweep", "--seeds", "0..60", "--shard", &shard, "--out", &out, "--failures", &failures];
        let output = stormproof(folder, &[&start[..], &BUG, &["--no-shrink", "--jobs", "1"]].concat());
        assert!(output.status.code().is_some_and(|code| code < 2), "{}", text(&output.stderr));
    }
}

/// Runs the shards of a campaign that holds.
fn healthy_shards(folder: &Path, count: u64) {
    for index in 0..count {
        let shard = format!("{index}/{count}");
        let start = ["sweep", "--seeds", "0..60", "--shard", &shard, "--out", &format!("{index}.jsonl")];
        let output = stormproof(folder, &[&start[..], &["--workload", "bank", "--jobs", "1"]].concat());
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    }
}

#[test]
fn reproduce_lines_of_merged_shards_do_reproduce() {
    let folder = tempfile::tempdir().unwrap();
    shards(folder.path(), 3);
    let files = ["0.jsonl", "1.jsonl", "2.jsonl"];
    let merged = stormproof(folder.path(), &[&["report", "--format", "json"][..], &files].concat());
    assert_eq!(merged.status.code(), Some(1), "{}", text(&merged.stderr));
    let merged = json(&merged);
    let failures = merged["failures"].as_array().expect("failures");
    assert!(failures.len() > 5, "{merged:#}");
    let command = failures[0]["reproduce"].as_str().expect("a command");
    let arguments: Vec<&str> = command.split(' ').skip(1).collect();
    assert_eq!(stormproof(folder.path(), &arguments).status.code(), Some(1), "{command}");
    for format in ["text", "junit", "markdown", "html"] {
        let shown = stormproof(folder.path(), &[&["report", "--format", format][..], &files].concat());
        assert!(text(&shown.stdout).contains("--mutant SkipReadValidation"), "{format}");
    }
    let traces: Vec<&str> = failures.iter().filter_map(|failure| failure["trace_file"].as_str()).collect();
    assert!(!traces.is_empty(), "{merged:#}");
    for trace in traces {
        assert!(folder.path().join(trace).is_file(), "{trace} is where the report says");
    }
}

#[test]
fn traces_are_named_where_they_lie_when_results_have_moved() {
    let folder = tempfile::tempdir().unwrap();
    shards(folder.path(), 1);
    let (from, to) = (folder.path(), folder.path().join("moved"));
    fs::create_dir(&to).unwrap();
    for name in ["0.jsonl", "failures-0"] {
        fs::rename(from.join(name), to.join(name)).unwrap();
    }
    let merged = json(&stormproof(folder.path(), &["report", "--format", "json", "moved/0.jsonl"]));
    let trace =
        merged["failures"].as_array().unwrap().iter().find_map(|failure| failure["trace_file"].as_str());
    assert!(folder.path().join(trace.expect("a trace")).is_file(), "{trace:?}");
}

#[test]
fn seeds_are_counted_once_and_each_shows_its_own_message() {
    let folder = tempfile::tempdir().unwrap();
    shards(folder.path(), 1);
    let merged = json(&stormproof(folder.path(), &["report", "--format", "json", "0.jsonl"]));
    let failures = merged["failures"].as_array().expect("failures");
    let mut seeds: Vec<u64> = failures.iter().filter_map(|failure| failure["seed"].as_u64()).collect();
    seeds.dedup();
    assert!(seeds.len() < failures.len(), "a seed shows two kinds of failure, or this test proves nothing");
    assert_eq!(merged["failing_seeds"], seeds.len(), "{merged:#}");
    let shown = stormproof(folder.path(), &["report", "0.jsonl"]);
    assert!(text(&shown.stdout).contains(&format!("{} seeds violated something", seeds.len())));
    let mut messages: Vec<&str> = failures.iter().filter_map(|failure| failure["message"].as_str()).collect();
    messages.sort_unstable();
    messages.dedup();
    assert!(messages.len() * 2 > failures.len(), "{messages:#?}");
    let strategies = merged["strategies"].as_array().expect("strategies");
    assert!(strategies.iter().all(|strategy| strategy["interleavings"].as_u64() > Some(0)), "{merged:#}");
}

/// Merges results, which must not be green, and returns what is said of them.
fn doubts(folder: &Path, files: &[&str]) -> String {
    let merged = stormproof(folder, &[&["report", "--format", "json"], files].concat());
    assert_eq!(merged.status.code(), Some(3), "{files:?}: {}", text(&merged.stdout));
    let document = json(&merged);
    for format in ["text", "junit", "markdown", "html"] {
        let shown = stormproof(folder, &[&["report", "--format", format], files].concat());
        assert_eq!(shown.status.code(), Some(3), "{format}");
        assert!(!text(&shown.stdout).contains('✓') && !text(&shown.stdout).contains('✅'), "{format}");
    }
    document["doubts"].to_string()
}

#[test]
fn a_campaign_with_a_missing_doubled_empty_or_foreign_shard_is_not_green() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    healthy_shards(path, 3);
    let all = ["0.jsonl", "1.jsonl", "2.jsonl"];
    let whole = stormproof(path, &[&["report"][..], &all].concat());
    assert_eq!(whole.status.code(), Some(0), "{}", text(&whole.stdout));

    let missing = doubts(path, &["0.jsonl", "2.jsonl"]);
    assert!(missing.contains("missing: 1 of 3 shards: 1/3"), "{missing}");

    fs::copy(path.join("1.jsonl"), path.join("again.jsonl")).unwrap();
    let doubled = doubts(path, &["0.jsonl", "1.jsonl", "2.jsonl", "again.jsonl"]);
    assert!(doubled.contains("again.jsonl is shard 1/3 for the second time"), "{doubled}");
    let counted = json(&stormproof(path, &["report", "--format", "json", "0.jsonl", "0.jsonl"]));
    assert_eq!(counted["seeds"], 20, "a shard that is there twice counts once");

    fs::write(path.join("empty.jsonl"), "").unwrap();
    let empty = doubts(path, &["0.jsonl", "1.jsonl", "2.jsonl", "empty.jsonl"]);
    assert!(empty.contains("empty.jsonl is empty"), "{empty}");
    assert!(doubts(path, &["empty.jsonl"]).contains("empty.jsonl is empty"));

    let lines = fs::read_to_string(path.join("1.jsonl")).unwrap();
    let source = json(&stormproof(path, &["sweep", "--seeds", "0..2", "--json"]));
    let source = source["start"]["build"]["source"].as_str().expect("a digest of sources").to_owned();
    fs::write(path.join("other.jsonl"), lines.replace(&source, "0123456789abcdef")).unwrap();
    let other = doubts(path, &["0.jsonl", "other.jsonl", "2.jsonl"]);
    assert!(other.contains("other.jsonl is of another campaign") && other.contains("build"), "{other}");

    let mixed =
        ["sweep", "--seeds", "0..60", "--shard", "1/3", "--workload", "hotspot", "--out", "mixed.jsonl"];
    assert_eq!(stormproof(path, &mixed).status.code(), Some(0));
    let mixed = doubts(path, &["0.jsonl", "mixed.jsonl", "2.jsonl"]);
    assert!(mixed.contains("options") && mixed.contains("hotspot"), "{mixed}");

    let torn: Vec<&str> = lines.lines().collect();
    fs::write(path.join("no-end.jsonl"), torn[..torn.len() - 1].join("\n") + "\n").unwrap();
    let no_end = doubts(path, &["0.jsonl", "no-end.jsonl", "2.jsonl"]);
    assert!(no_end.contains("no-end.jsonl is cut off after 20 of 20 seeds"), "{no_end}");
    // Within a line, wherever lines end.
    let within = lines[..lines.len() * 2 / 3].rfind('\n').expect("several lines") + 10;
    fs::write(path.join("torn.jsonl"), &lines[..within]).unwrap();
    let torn = doubts(path, &["0.jsonl", "torn.jsonl", "2.jsonl"]);
    assert!(torn.contains("cut off within a line"), "{torn}");
}

#[test]
fn results_of_another_format_are_refused_with_a_word() {
    let folder = tempfile::tempdir().unwrap();
    let old = "{\"seed\":{\"seed\":1,\"digest\":\"00\",\"interleaving\":\"00\"}}\n";
    fs::write(folder.path().join("old.jsonl"), old).unwrap();
    fs::write(folder.path().join("new.jsonl"), "{\"start\":{\"format\":99}}\n").unwrap();
    for (file, format) in [("old.jsonl", "format 1"), ("new.jsonl", "format 99")] {
        let output = stormproof(folder.path(), &["report", file]);
        assert_eq!(output.status.code(), Some(2), "{file}");
        assert!(text(&output.stderr).contains(format), "{}", text(&output.stderr));
    }
}

#[test]
fn a_sweep_that_proves_nothing_says_so() {
    let folder = tempfile::tempdir().unwrap();
    for refused in [["--clients", "0"], ["--transactions", "0"], ["--for", "0s"]] {
        let output = stormproof(folder.path(), &[&["sweep", "--seeds", "0..20"][..], &refused].concat());
        assert_eq!(output.status.code(), Some(2), "{refused:?}");
        assert!(text(&output.stderr).contains("be proven"), "{}", text(&output.stderr));
    }
    let empty = stormproof(folder.path(), &["sweep", "--seeds", "0..1", "--shard", "1/2"]);
    assert_eq!(empty.status.code(), Some(3));
    let said = text(&empty.stdout);
    assert!(said.contains("PROVES NOTHING") && said.contains("no seed was run"), "{said}");
    assert!(!said.contains("held"), "{said}");
    // Clients that only have the store collect.
    let idle = ["--workload", "retry-storm", "--set", "collect_percent=100"];
    for command in [&["sweep", "--seeds", "0..3"][..], &["sweep", "--guided", "--plans", "3"]] {
        let output = stormproof(folder.path(), &[command, &idle].concat());
        let said = text(&output.stdout);
        assert_eq!(output.status.code(), Some(3), "{said}");
        assert!(said.contains("PROVES NOTHING") && said.contains("no client committed"), "{said}");
    }
}

#[test]
fn a_campaign_that_misses_its_canary_counts_as_broken() {
    let folder = tempfile::tempdir().unwrap();
    let start = ["sweep", "--seeds", "0..20", "--workload", "bank", "--out", "0.jsonl"];
    let found = stormproof(folder.path(), &[&start[..], &["--json"]].concat());
    assert_eq!(found.status.code(), Some(0), "{}", text(&found.stdout));
    assert_eq!(json(&found)["canary"]["found"], true);
    // This one takes thousands of seeds.
    let missed = stormproof(folder.path(), &[&start[..], &["--canary", "FlushSkipsInFlight"]].concat());
    assert_eq!(missed.status.code(), Some(3), "{}", text(&missed.stdout));
    assert!(text(&missed.stdout).contains("canary"), "{}", text(&missed.stdout));
    assert!(doubts(folder.path(), &["0.jsonl"]).contains("canary"));
}

#[test]
fn a_folder_that_can_not_be_written_is_told_before_the_first_seed() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("file"), "").unwrap();
    for failures in ["/dev/null/x", "file/below", "file"] {
        for command in [&["run", "--seed", "8"][..], &["sweep", "--seeds", "0..60"]] {
            let output = stormproof(folder.path(), &[command, &BUG, &["--failures", failures]].concat());
            assert_eq!(output.status.code(), Some(2), "{failures}: {}", text(&output.stdout));
            assert!(output.stdout.is_empty());
            assert!(
                text(&output.stderr).contains("name another folder (--failures"),
                "{}",
                text(&output.stderr)
            );
        }
    }
}

/// A folder in which nothing can be written any more once the sweep has begun: only its traces will notice.
#[cfg(unix)]
#[test]
fn a_violation_is_told_when_its_trace_can_not_be_written() {
    let folder = tempfile::tempdir().unwrap();
    // A folder that has the name of the page that is to be written.
    fs::create_dir_all(folder.path().join("failures/8-serializable.html")).unwrap();
    for command in [&["run", "--seed", "8"][..], &["sweep", "--seeds", "8", "--no-shrink"]] {
        let output = stormproof(folder.path(), &[command, &BUG].concat());
        assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
        assert!(text(&output.stdout).contains("VIOLATION of"), "{}", text(&output.stdout));
        assert!(text(&output.stderr).contains("can't be written"), "{}", text(&output.stderr));
    }
}

/// Starts the binary, with its output kept.
fn start(folder: &Path, arguments: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_stormproof"))
        .args(arguments)
        .current_dir(folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts")
}

#[cfg(unix)]
fn signal(child: &Child, name: &str) {
    let id = child.id().to_string();
    assert!(Command::new("kill").args([name, &id]).status().expect("kill is there").success());
}

fn wait_for(what: impl Fn() -> bool) {
    for _ in 0..3_000 {
        if what() {
            return;
        }
        stormproof_rt::time::sleep(Duration::from_millis(20));
    }
    panic!("it did not come");
}

fn size(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |file| file.len())
}

#[cfg(unix)]
#[test]
fn a_signal_ends_a_sweep_in_order_with_what_it_has() {
    for (name, code) in [("-INT", 130), ("-TERM", 143)] {
        let folder = tempfile::tempdir().unwrap();
        let sweep = ["sweep", "--seeds", "0..10000000", "--jobs", "1", "--json", "--workload", "bank"];
        let child = start(folder.path(), &[&sweep[..], &["--out", "lines"]].concat());
        // Its beginning and its canary are some 800 bytes.
        wait_for(|| size(&folder.path().join("lines")) > 2_000);
        signal(&child, name);
        let output = child.wait_with_output().expect("it ends");
        let document = json(&output);
        assert_eq!(output.status.code(), Some(code), "{name}");
        assert_eq!(document["end"]["ended"], "interrupted", "{document:#}");
        assert!(document["seeds"].as_u64() > Some(0));
        assert_eq!(document["failed_runs_count"], 0, "{document:#}");
        let lines = fs::read_to_string(folder.path().join("lines")).unwrap();
        assert!(lines.lines().last().is_some_and(|line| line.starts_with("{\"end\"")), "the file is whole");
        let said = doubts(folder.path(), &["lines"]);
        assert!(said.contains("was interrupted after") && said.contains("of 10000000 seeds"), "{said}");
    }
}

#[cfg(unix)]
#[test]
fn a_violation_that_was_found_before_a_signal_stays_found() {
    let folder = tempfile::tempdir().unwrap();
    let sweep = ["sweep", "--seeds", "0..10000000", "--jobs", "1", "--out", "lines"];
    let child = start(folder.path(), &[&sweep[..], &BUG].concat());
    let lines = folder.path().join("lines");
    wait_for(|| fs::read_to_string(&lines).is_ok_and(|text| text.contains("\"findings\"")));
    signal(&child, "-TERM");
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stdout));
    let said = text(&output.stdout);
    assert!(
        said.contains("interrupted") && said.contains("VIOLATION of") && said.contains("reproduce:"),
        "{said}"
    );
    let traces = fs::read_dir(folder.path().join("failures")).expect("traces were written").count();
    assert!(traces >= 2, "{said}");
}

/// Slurm sends its signals to every process of a step.
#[cfg(unix)]
#[test]
fn a_signal_to_the_workers_is_left_to_the_coordinator() {
    let folder = tempfile::tempdir().unwrap();
    let sweep = ["sweep", "--seeds", "0..10000000", "--jobs", "1", "--json", "--workload", "bank"];
    let child = start(folder.path(), &[&sweep[..], &["--out", "lines"]].concat());
    wait_for(|| size(&folder.path().join("lines")) > 2_000);
    let parent = child.id().to_string();
    let workers = Command::new("pgrep").args(["-P", &parent]).output().expect("pgrep is there");
    let workers = text(&workers.stdout);
    assert!(!workers.trim().is_empty(), "there is a worker");
    for worker in workers.split_whitespace() {
        assert!(Command::new("kill").args(["-TERM", worker]).status().unwrap().success());
    }
    signal(&child, "-TERM");
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(143));
    assert_eq!(json(&output)["failed_runs_count"], 0);
}

/// Starts a shell pipeline and returns what came of its first command, and its standard error.
#[cfg(unix)]
fn piped(folder: &Path, line: &str) -> (String, String) {
    let binary = env!("CARGO_BIN_EXE_stormproof");
    let script = line.replace("stormproof", &format!("'{binary}'")) + "; echo \"${PIPESTATUS[0]}\" > status";
    let output =
        Command::new("bash").args(["-c", &script]).current_dir(folder).output().expect("bash is there");
    (fs::read_to_string(folder.join("status")).unwrap_or_default().trim().to_owned(), text(&output.stderr))
}

#[cfg(unix)]
#[test]
fn a_closed_pipe_is_no_error() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("history.script"), "# T1: w(x,1) commit\n").unwrap();
    for (line, code) in [
        ("stormproof run --seed 1 --workload bank | true", "0"),
        ("stormproof run --seed 8 --workload write-skew --mutant SkipReadValidation | true", "1"),
        ("stormproof list | head -1", "0"),
        ("stormproof list --json | head -1", "0"),
        ("stormproof completions bash | head -1", "0"),
        ("stormproof sweep --seeds 0..40 --workload bank | true", "0"),
        ("stormproof report 1 --format json | head -1", "0"),
        ("stormproof --help | true", "0"),
        ("stormproof replay 1 | true", "0"),
    ] {
        let (status, stderr) = piped(folder.path(), line);
        assert_eq!(status, code, "{line}: {stderr}");
        assert!(!stderr.contains("panicked") && !stderr.contains("error"), "{line}: {stderr}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_below_standard_output_is_told() {
    let folder = tempfile::tempdir().unwrap();
    for (line, code) in [
        ("stormproof list > /dev/full", "3"),
        ("stormproof run --seed 1 --workload bank > /dev/full", "3"),
        ("stormproof run --seed 8 --workload write-skew --mutant SkipReadValidation > /dev/full", "1"),
        ("stormproof completions bash > /dev/full", "3"),
    ] {
        let (status, stderr) = piped(folder.path(), line);
        assert_eq!(status, code, "{line}: {stderr}");
        assert!(stderr.contains("standard output can't be written"), "{line}: {stderr}");
        assert!(!stderr.contains("panicked"), "{line}: {stderr}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn results_that_can_not_be_written_end_the_sweep_and_keep_its_findings() {
    let folder = tempfile::tempdir().unwrap();
    let sweep = ["sweep", "--seeds", "0..60", "--no-shrink", "--out", "/dev/full"];
    let output = stormproof(folder.path(), &[&sweep[..], &BUG].concat());
    let said = text(&output.stdout);
    assert!(said.contains("the results could not be written"), "{said}");
    assert_ne!(output.status.code(), Some(0));
    assert!(output.status.code().is_some_and(|code| code == 1 || code == 3), "{}", text(&output.stderr));
}

#[test]
fn annotations_are_written_where_they_are_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let start = ["sweep", "--seeds", "0..20", "--no-shrink"];
    let plain = stormproof(folder.path(), &[&start[..], &BUG].concat());
    assert!(!text(&plain.stdout).contains("::"), "{}", text(&plain.stdout));
    let output = stormproof(folder.path(), &[&start[..], &BUG, &["--github"]].concat());
    let said = text(&output.stdout);
    assert!(said.contains("::group::") && said.contains("::endgroup::"), "{said}");
    let error = said.lines().find(|line| line.starts_with("::error title=")).expect("an annotation");
    assert!(error.contains("%0Areproduce: stormproof run --seed "), "{error}");
}

#[test]
fn quiet_prints_violations_only_and_verbose_prints_all() {
    let folder = tempfile::tempdir().unwrap();
    let held = ["sweep", "--seeds", "0..20", "--workload", "bank"];
    let quiet = stormproof(folder.path(), &[&held[..], &["--quiet"]].concat());
    assert_eq!((text(&quiet.stdout), text(&quiet.stderr)), (String::new(), String::new()));
    let violated = ["sweep", "--seeds", "0..20", "--no-shrink", "--quiet"];
    let violated = stormproof(folder.path(), &[&violated[..], &BUG].concat());
    assert!(text(&violated.stdout).contains("VIOLATION of"), "{}", text(&violated.stdout));
    let usual = text(&stormproof(folder.path(), &held).stdout);
    let verbose = text(&stormproof(folder.path(), &[&held[..], &["--verbose"]].concat()).stdout);
    assert!(verbose.len() > usual.len() && verbose.contains("strategies"), "{verbose}");
}

/// What a terminal of a given width shows.
#[cfg(unix)]
fn on_a_terminal(folder: &Path, columns: usize, line: &str) -> (String, ExitStatus) {
    let binary = env!("CARGO_BIN_EXE_stormproof");
    let line = line.replace("stormproof", &format!("'{binary}'"));
    let output = Command::new("script")
        .args(["-qec", &format!("stty cols {columns} rows 40; {line}"), "/dev/null"])
        .current_dir(folder)
        .env_remove("COLUMNS")
        .env("TERM", "xterm-256color")
        .stdin(Stdio::null())
        .output()
        .expect("script is there");
    (text(&output.stdout), output.status)
}

/// The columns that a line takes.
fn columns(line: &str) -> usize {
    console::measure_text_width(line.trim_end())
}

#[cfg(target_os = "linux")]
#[test]
fn summaries_fit_a_terminal_of_80_columns() {
    let folder = tempfile::tempdir().unwrap();
    for (line, exceptions) in [
        ("stormproof list", &[][..]),
        ("stormproof sweep --seeds 0..30", &[]),
        ("stormproof sweep --seeds 0..30 --verbose", &[]),
        // Commands and files are to be copied, and stay whole.
        (
            "stormproof sweep --seeds 0..20 --no-shrink --workload write-skew --mutant SkipReadValidation",
            &["reproduce:", "trace:", "page:"],
        ),
    ] {
        let (shown, status) = on_a_terminal(folder.path(), 80, line);
        assert!(status.code().is_some_and(|code| code < 2), "{line}: {shown}");
        let drawn = shown.replace('\n', "\r");
        for shown in drawn.split('\r') {
            let is_exception = exceptions.iter().any(|word| shown.contains(word));
            assert!(columns(shown) <= 80 || is_exception, "{line}: {} columns: {shown}", columns(shown));
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn colours_follow_the_usual_rules() {
    let folder = tempfile::tempdir().unwrap();
    let colored = |line: &str| on_a_terminal(folder.path(), 100, line).0.contains("\u{1b}[1m");
    assert!(colored("stormproof list"));
    assert!(!colored("NO_COLOR=1 stormproof list"));
    assert!(!colored("stormproof list --color never"));
    let piped = |line: &str| {
        let _ = piped(folder.path(), &format!("{line} > shown"));
        fs::read_to_string(folder.path().join("shown")).unwrap().contains("\u{1b}[")
    };
    assert!(!piped("stormproof list"));
    assert!(piped("CLICOLOR_FORCE=1 stormproof list"));
    assert!(piped("stormproof list --color always"));
}

#[test]
fn a_log_hears_of_progress_now_and_then() {
    let folder = tempfile::tempdir().unwrap();
    let output = stormproof(folder.path(), &["sweep", "--for", "7s", "--workload", "bank", "--jobs", "1"]);
    let said = text(&output.stderr);
    let line = said.lines().find(|line| line.contains(" seeds, ")).expect("a line of progress");
    assert!(line.trim_start().starts_with("5 s of 7 s: "), "{said}");
}

#[test]
fn every_json_document_says_its_format_and_kind() {
    let folder = tempfile::tempdir().unwrap();
    let commands: [(&[&str], &str); 5] = [
        (&["run", "--seed", "1", "--workload", "bank", "--json"], "run"),
        (&["sweep", "--seeds", "0..3", "--json"], "sweep"),
        (&["list", "--json"], "list"),
        (&["replay", "1", "--json"], "run"),
        (
            &[
                "zoo",
                "--mutant",
                "SkipWriteValidation",
                "--trials",
                "1",
                "--healthy",
                "1",
                "--no-shrink",
                "--json",
            ],
            "zoo",
        ),
    ];
    for (arguments, kind) in commands {
        let document = json(&stormproof(folder.path(), arguments));
        assert_eq!(document["format"], 2, "{arguments:?}");
        assert_eq!(document["kind"], Value::from(kind), "{arguments:?}");
    }
}

/// A failure whose every run takes long.
const LARGE: [&str; 6] = ["--clients", "16", "--transactions", "2000", "--faults", "none"];

#[test]
fn shrinking_keeps_its_time_and_its_files_are_of_a_size() {
    let folder = tempfile::tempdir().unwrap();
    let begun = stormproof_rt::time::now();
    let shrink = [&["shrink", "--seed", "8", "--for", "20s"][..], &BUG, &LARGE].concat();
    let output = stormproof(folder.path(), &shrink);
    let took = stormproof_rt::time::now().saturating_since(begun);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    // It was deaf for more than two minutes, on a quiet machine.
    assert!(took < Duration::from_secs(60), "{took:?}");
    assert!(output.stdout.len() < 100_000, "{} bytes of text", output.stdout.len());
    let said = text(&output.stdout);
    let after = said.lines().find(|line| line.starts_with("after:")).expect("its size");
    let transactions = after.split(", ").find(|part| part.ends_with("transactions")).expect("transactions");
    let transactions: u64 = transactions.split(' ').next().unwrap().parse().expect("a number");
    assert!(transactions < 100, "large cuts come first: {after}");
}

#[cfg(unix)]
#[test]
fn a_signal_ends_a_run_under_way() {
    let folder = tempfile::tempdir().unwrap();
    let child = start(folder.path(), &[&["shrink", "--seed", "8"][..], &BUG, &LARGE].concat());
    stormproof_rt::time::sleep(Duration::from_millis(700));
    let begun = stormproof_rt::time::now();
    signal(&child, "-INT");
    let output = child.wait_with_output().expect("it ends");
    let took = stormproof_rt::time::now().saturating_since(begun);
    assert_eq!(output.status.code(), Some(130), "{}", text(&output.stderr));
    assert!(took < Duration::from_secs(10), "{took:?}");
}

#[test]
fn files_of_a_long_run_are_of_a_size_and_say_what_they_leave_out() {
    let folder = tempfile::tempdir().unwrap();
    let size = ["--clients", "16", "--transactions", "500", "--faults", "none"];
    let run = stormproof(folder.path(), &[&["run", "--seed", "8"][..], &BUG, &size].concat());
    assert_eq!(run.status.code(), Some(1), "{}", text(&run.stderr));
    assert!(run.stdout.len() < 100_000, "{} bytes of text", run.stdout.len());
    let files: Vec<_> =
        fs::read_dir(folder.path().join("failures")).unwrap().map(|file| file.unwrap()).collect();
    let of = |ending: &str| {
        let file =
            files.iter().find(|file| file.file_name().to_string_lossy().ends_with(ending)).expect(ending);
        (file.path(), file.metadata().unwrap().len())
    };
    let (trace, bytes) = of(".trace");
    assert!(bytes < 5_000_000, "a trace of {bytes} bytes");
    let (page, bytes) = of(".html");
    assert!(bytes < 8_000_000, "a page of {bytes} bytes");
    let page = fs::read_to_string(page).unwrap();
    assert!(
        page.contains("Left out: ") && page.contains(" transactions, far from the failure"),
        "it says so"
    );
    let replayed = stormproof(folder.path(), &["replay", &trace.display().to_string(), "--json"]);
    let replayed = json(&replayed);
    assert_eq!(replayed["exact"], true, "{:#}", replayed["divergences"]);
}
