//! Every public function of the engine is called by clients of simulations, or is excused here with a reason.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use stormproof_sim::options::Options;
use stormproof_sim::registry::Registry;
use stormproof_sim::runner::SeedRunner;
use stormproof_sim::seed::Seed;
use stormproof_sim::stats::Stats;
use stormproof_sim::{summary, surface};

/// Functions that no client calls by a step of its own, or whole types (`Type::*`), each with the reason.
const EXCUSED: &[(&str, &str)] = &[
    ("BigInt::*", "plain data"),
    ("Compaction::*", "plain data"),
    ("Database::backup_to", "`Database::backup_to_disk` on the real disk"),
    ("Database::compact", "not drawn yet: a checkpoint and what it frees"),
    ("Database::disk_size", "plain data"),
    ("Database::dump", "not drawn yet: tests load what it wrote"),
    ("Database::get_as", "a typed form of `Database::get`"),
    ("Database::load", "not drawn yet: tests load what was dumped"),
    ("Database::put_as", "a typed form of `Database::put`"),
    ("Database::table", "a constructor"),
    ("Database::watch", "a short form of `Database::watch_with`"),
    ("DatabaseTable::*", "typed keys over functions that are called; has no state of its own"),
    ("DiskSize::*", "plain data"),
    ("DumpEntry::*", "plain data"),
    ("EventLog::first", "not drawn yet: the head of a stream, which reads begin at"),
    ("KeyReader::*", "plain data"),
    ("KeyWriter::*", "plain data"),
    ("Snapshot::get_as", "a typed form of `Snapshot::get`"),
    ("Snapshot::table", "a constructor"),
    ("SnapshotTable::*", "typed keys over functions that are called; has no state of its own"),
    ("Table::*", "a constructor of typed keys"),
    ("TableEntries::*", "typed keys over `Range`; has no state of its own"),
    ("Transaction::get_as", "a typed form of `Transaction::get`"),
    ("Transaction::put_as", "a typed form of `Transaction::put`"),
    ("Transaction::table", "a constructor"),
    ("TransactionTable::*", "typed keys over functions that are called; has no state of its own"),
    ("Watch::*", "called by the watching clients of `watch`, which judge what it tells"),
    ("WatchOptions::*", "options: plans draw them"),
    ("WatchStream::*", "a stream over `Watch::poll_next`"),
    ("ArrayRef::*", "a value in place: `get_with` and `visit` hand it out, and it has no state of its own"),
    ("ConflictInfo::*", "plain data: the adapter reads every conflict"),
    ("Database::begin_run", "called by every life before its clients, as `begin_run_with` without options"),
    ("Database::builder", "called to open every life"),
    ("Database::open", "a short form of the builder for a directory of the real disk"),
    ("Database::open_in_memory", "a short form of the builder"),
    ("DatabaseBuilder::*", "settings: plans draw them; the rest needs a real disk"),
    ("Durability::*", "plain data"),
    ("ClonedSnapshotView::*", "for tests of the engine only"),
    ("Entry::*", "plain data: every entry of every range is read"),
    ("EntryRef::*", "plain data in place: entries that are looked at are read"),
    ("Error::*", "plain data"),
    ("EventLog::in_namespace", "a constructor"),
    ("EventLog::new", "a constructor"),
    ("Key::*", "plain data, with tests of its properties"),
    ("KeyRange::*", "plain data: ranges of all forms are read"),
    ("KvStore::key", "plain data"),
    ("KvStore::new", "a constructor"),
    ("MapRef::*", "a value in place: `get_with` and `visit` hand it out, and it has no state of its own"),
    ("Metrics::*", "plain data"),
    ("Namespace::*", "plain data, with tests of its properties"),
    ("LocalSet::*", "runs futures of applications that simulate themselves: `sim/test` does"),
    ("Range::before", "called by pages that are read backwards, as `Range::after`"),
    ("Receiver::*", "a channel for applications that simulate themselves: `sim/test` sends and receives"),
    ("Recording::*", "writes beside the database, to what the application gives it"),
    ("RetryPolicy::*", "options: plans draw them"),
    ("RunId::*", "plain data"),
    ("RunOptions::*", "options"),
    ("Sender::*", "a channel for applications that simulate themselves: `sim/test` sends and receives"),
    ("StateMachine::allowed", "plain data"),
    ("StateMachine::builder", "a constructor"),
    ("StateMachineBuilder::*", "a constructor: transitions build a machine each"),
    ("Ticket::version", "plain data"),
    ("Transaction::context", "called at every begin and commit, which check what it tells"),
    ("Transaction::run", "called at every begin, which checks what it tells"),
    ("TransactionContext::id", "called by loops that do not tell the commit"),
    ("TransactionContext::is_read_only", "called at every begin, which checks what it tells"),
    ("TransactionContext::isolation", "called at every begin, which checks what it tells"),
    ("TransactionContext::range_set_len", "called at every begin, which checks what it tells"),
    ("TransactionContext::read_set_len", "called at every begin, which checks what it tells"),
    ("TransactionContext::run", "called at every begin, which checks what it tells"),
    ("TransactionContext::start_version", "called at every begin, which checks what it tells"),
    ("TransactionContext::status", "called at every commit, which checks what it tells"),
    ("TransactionContext::write_bytes", "called at every begin, which checks what it tells"),
    ("TransactionOptions::*", "options: plans draw them"),
    ("Commit::ticket", "called for every commit"),
    ("Commit::version", "called for every commit"),
    ("Value::*", "plain data, with tests of its properties"),
    ("ValueRef::*", "a value in place, with tests of its properties"),
    ("$name::*", "numbers with types of their own"),
    ("inspect::inspect", "reads files of a database that is not open"),
    ("inspect::verify", "reads files of a database that is not open"),
    ("runtime::timer", "a timer for applications that simulate themselves: `sim/test` waits for it"),
    (
        "runtime::channel",
        "a channel for applications that simulate themselves: `sim/test` sends and receives",
    ),
];

/// The public functions of a file, by type: those of `impl` blocks and traits, and of the module.
fn functions(text: &str, module: &str) -> Vec<String> {
    let mut owner = module.to_owned();
    let mut found = Vec::new();
    for line in text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default().lines() {
        let declared = line.trim_start();
        let is_trait = declared.starts_with("pub trait ");
        if declared.starts_with("impl") || is_trait {
            owner = named(declared);
        } else if line == "}" {
            owner = module.to_owned();
        }
        let public = ["pub fn ", "pub const fn "].into_iter().find_map(|start| declared.strip_prefix(start));
        let of_trait = declared.strip_prefix("fn ").filter(|_| PUBLIC_TRAITS.contains(&owner.as_str()));
        if let Some(rest) = public.or(of_trait) {
            let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            found.push(format!("{owner}::{name}"));
        }
    }
    found
}

/// Traits whose methods applications call.
const PUBLIC_TRAITS: &[&str] = &[];

/// The type of an `impl` or a trait, without its parameters.
fn named(line: &str) -> String {
    let line = line.trim_start_matches("pub trait ").trim_start_matches("impl");
    // Parameters of the block itself.
    let line = match line.strip_prefix('<') {
        Some(rest) => {
            let mut depth = 1;
            let end = rest.char_indices().find_map(|(at, c)| {
                depth += i32::from(c == '<') - i32::from(c == '>');
                (depth == 0).then_some(at)
            });
            &rest[end.map_or(0, |end| end + 1)..]
        }
        None => line,
    };
    let of = line.split(" for ").last().unwrap_or(line).trim();
    of.chars().take_while(|c| c.is_alphanumeric() || *c == '_' || *c == '$').collect()
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("the folder is there") {
        let path = entry.expect("it can be listed").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn public_functions() -> BTreeSet<String> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("../engine/src");
    let mut paths = Vec::new();
    sources(&src, &mut paths);
    let mut all = BTreeSet::new();
    for path in paths {
        let relative = path.strip_prefix(&src).expect("it is in the folder");
        let module = relative.iter().next().and_then(|first| Path::new(first).file_stem());
        let module = module.map(|module| module.to_string_lossy().into_owned()).unwrap_or_default();
        all.extend(functions(&fs::read_to_string(&path).expect("a source is text"), &module));
    }
    all
}

fn is_excused(function: &str) -> bool {
    let of_type = format!("{}::*", function.split("::").next().unwrap_or_default());
    EXCUSED.iter().any(|(excused, _)| *excused == function || *excused == of_type)
}

#[test]
fn every_public_function_is_called_by_a_step_or_excused_with_a_reason() {
    let public = public_functions();
    assert!(public.len() > 150, "only {} public functions were found", public.len());
    let called: BTreeSet<&str> = surface::FUNCTIONS.iter().map(|(function, _)| *function).collect();
    let unmet: Vec<_> =
        public.iter().filter(|name| !called.contains(name.as_str()) && !is_excused(name)).collect();
    assert!(unmet.is_empty(), "no step calls these; add an act, or a reason to EXCUSED: {unmet:#?}");
    let gone: Vec<_> = called.iter().filter(|name| !public.contains(**name)).collect();
    assert!(gone.is_empty(), "the engine has no such functions any more: {gone:#?}");
    let of_type = |excused: &str| excused.strip_suffix('*').map(str::to_owned);
    let idle = |excused: &&str| match of_type(excused) {
        Some(start) => !public.iter().any(|name| name.starts_with(&start)),
        None => !public.contains(*excused) || called.contains(*excused),
    };
    let idle: Vec<_> = EXCUSED.iter().map(|(excused, _)| excused).filter(|excused| idle(excused)).collect();
    assert!(idle.is_empty(), "these need no excuse: {idle:#?}");
}

fn stats(options: Options, seeds: std::ops::Range<u64>) -> Stats {
    let runner = SeedRunner::new(Registry::default(), options).expect("options that are right");
    let mut sum = Stats::default();
    for seed in seeds {
        let (plan, _) = runner.plan(Seed(seed));
        let run = runner.run(&plan).expect("a verdict");
        assert!(run.findings().is_empty(), "seed {seed}: {:#?}", run.findings());
        sum.merge(summary::stats(&plan, &run));
    }
    sum
}

fn only(workloads: &[&str]) -> Options {
    Options { workload: workloads.iter().map(|name| (*name).to_owned()).collect(), ..Options::default() }
}

/// Outcomes need more seeds: campaigns count them (`sweep --all-called`).
#[test]
fn few_seeds_call_every_function() {
    let mut sum = stats(only(&["step-mix"]), 0..150);
    sum.merge(stats(only(&["run-lifecycle", "deque", "register-mix", "event-log", "watch"]), 0..80));
    let missing: Vec<_> =
        surface::FUNCTIONS.iter().filter(|(name, _)| !sum.calls.contains_key(*name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// In 10,000 seeds of all workloads all of them come: `sweep` counts them.
#[test]
fn most_pairs_of_acts_on_one_key_come_up_in_few_seeds() {
    let sum = stats(only(&["step-mix"]), 100..160);
    let (reached, all) = surface::pairs(&sum.pairs);
    assert!(reached * 10 > all * 8, "{reached} of {all}; missing: {:?}", surface::never_paired(&sum.pairs));
}

#[test]
fn calls_of_a_run_are_told_by_function_and_outcome() {
    let sum = stats(only(&["hotspot"]), 0..3);
    let commits: &BTreeMap<String, u64> = &sum.calls["Transaction::commit"];
    assert!(commits["ok"] > 10 && commits.contains_key("Conflict"), "{commits:?}");
}
