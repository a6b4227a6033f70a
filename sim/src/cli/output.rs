//! Documents and texts that commands print.

use std::path::{Path, PathBuf};

use serde_json::json;
use stormproof_workloads::History;

use super::terminal::{Paint, Terminal, wrap};
use super::{Exit, Failure, JSON_FORMAT};
use crate::finding::Finding;
use crate::options::Options;
use crate::plan::Plan;
use crate::run::Run;
use crate::stats::Count;
use crate::summary;
use crate::trace::Trace;

/// Returns the command that repeats a seed.
pub(super) fn reproduce(seed: u64, options: &Options) -> String {
    format!("stormproof run --seed {seed}{}", options.to_flags())
}

/// Returns a run as a JSON document. `wall_seconds` is the only field that differs between two runs of the
/// same.
pub(super) fn run_document(
    plan: &Plan,
    run: &Run,
    reproduce: &str,
    trace_file: Option<&Path>,
    wall_seconds: f64,
) -> serde_json::Value {
    let lives: Vec<_> = run
        .lives
        .iter()
        .map(|life| {
            json!({
                "role": format!("{:?}", life.role).to_lowercase(),
                "strategy": life.strategy,
                "phase": life.now.phase.name(),
                "end": life.life.end.to_string(),
                "crashed_at": life.crashed_at,
                "steps": life.life.steps,
                "switches": life.life.switches,
                "preemptions": life.life.preemptions,
                "virtual_nanos": life.life.time.as_nanos(),
                "disk_operations": life.disk_operations,
                "open_error": life.now.open_error.as_ref().map(ToString::to_string),
                "close_error": life.now.close_error.as_ref().map(ToString::to_string),
            })
        })
        .collect();
    json!({
        "format": JSON_FORMAT,
        "kind": "run",
        "seed": plan.seed,
        "verdict": exit_of(run).word(),
        "digest": run.digest,
        "interleaving": run.interleaving,
        "plan": plan.digest(),
        "size": plan.size(),
        "workload": plan.workload.workload,
        "engine": plan.engine,
        "lives": lives,
        "findings": run.findings(),
        "sightings": run.verdict.sightings,
        "undecided": run.verdict.undecided,
        "faults": run.faults,
        "counts": summary::stats(plan, run),
        "reproduce": reproduce,
        "trace_file": trace_file,
        "wall_seconds": wall_seconds,
    })
}

/// Returns a run in words.
pub(super) fn run_text(plan: &Plan, run: &Run) -> String {
    let stats = summary::stats(plan, run);
    let mut text = format!(
        "seed {}: {}, {:?}, {}\n",
        plan.seed,
        plan.workload.workload,
        plan.engine.durability,
        plan.size()
    );
    for (number, life) in run.lives.iter().enumerate() {
        let place = life.crashed_at.as_ref().map(|place| format!(" {place}")).unwrap_or_default();
        text += &format!(
            "life {number} ({:?}, {}): {} in {}{place}, {} steps, {} preemptions, {} disk operations\n",
            life.role,
            life.strategy,
            first_line(&life.life.end.to_string()),
            life.now.phase.name(),
            life.life.steps,
            life.life.preemptions,
            life.disk_operations,
        );
        for error in life.now.open_error.iter().chain(&life.now.close_error) {
            text += &format!("    {error}\n");
        }
    }
    for fault in run.faults.iter().take(FAULTS_MAX) {
        text += &format!("fault {fault}\n");
    }
    let more = run.faults.len().saturating_sub(FAULTS_MAX);
    if more > 0 {
        text += &format!("… and {more} more faults\n");
    }
    text += &format!(
        "{} transactions: {} commits, {} aborts, {} unanswered; digest {}\n",
        stats.get(Count::Transactions),
        stats.get(Count::Commits),
        stats.get(Count::Aborts),
        stats.get(Count::Unanswered),
        run.digest
    );
    text
}

/// Faults that are printed.
const FAULTS_MAX: usize = 30;

/// Returns violations in words, with the transactions of the run that took part.
pub(super) fn violations(findings: &[Finding], run: Option<&Run>, terminal: &Terminal) -> String {
    violations_in(findings, run.map(|run| &run.history), terminal)
}

/// Returns violations in words, with the transactions of `history` that took part.
pub(super) fn violations_in(findings: &[Finding], history: Option<&History>, terminal: &Terminal) -> String {
    let line = |text: &str| {
        format!("  {}\n", wrap(text, terminal.width().saturating_sub(2), 2).replace('\n', "\n  "))
    };
    let mut text = String::new();
    for finding in findings.iter().take(FINDINGS_MAX) {
        let title = format!("VIOLATION of {} {} ({}):", finding.contract, finding.invariant, finding.class);
        text += &format!("{}\n", terminal.paint(Paint::Bad, &title));
        let lines = finding.message.lines();
        lines.clone().take(LINES_MAX).for_each(|said| text += &line(said));
        let more = lines.count().saturating_sub(LINES_MAX);
        if more > 0 {
            text += &line(&format!("… and {more} more lines: --report FILE has all of them"));
        }
        for &txn in finding.txns.iter().take(6) {
            if let Some(txn) = history.and_then(|history| history.txns.get(txn as usize)) {
                text += &line(&transaction(txn));
            }
        }
    }
    let more = findings.len().saturating_sub(FINDINGS_MAX);
    if more > 0 {
        text += &format!("… and {more} more violations: --json lists all of them\n");
    }
    text
}

/// Violations that are printed, and lines of each.
const FINDINGS_MAX: usize = 8;
const LINES_MAX: usize = 40;

/// Returns one transaction on one line.
fn transaction(txn: &stormproof_workloads::history::Txn) -> String {
    use stormproof_workloads::history::{Op, Outcome};
    let show = stormproof_reports::show_bytes;
    let ops: Vec<String> = txn
        .ops
        .iter()
        .take(12)
        .map(|op| match op {
            Op::Get { key, read } => {
                let value = read.value.as_ref().map_or("absent".into(), |value| short(&show(value)));
                format!("read {} = {value}{}", show(key), at(read.version))
            }
            Op::Scan { range, entries, .. } => {
                format!("scan from {}: {} keys", show(&range.start), entries.len())
            }
            Op::Put { key, value } => format!("put {} = {}", show(key), short(&show(value))),
            Op::PutExpiring { key, value, ttl_ms } => {
                format!("put {} = {} for {ttl_ms} ms", show(key), short(&show(value)))
            }
            Op::Delete { key } => format!("delete {}", show(key)),
            Op::DeleteIf { key, .. } => format!("delete {} on a condition", show(key)),
            Op::Cas { key, value, .. } => format!("cas {} = {}", show(key), short(&show(value))),
            Op::Append { key, element } => format!("append {} to {}", short(&show(element)), show(key)),
            Op::List { key, elements, .. } => format!("list {}: {} elements", show(key), elements.len()),
            Op::Failed { what, error } => format!("{what} failed: {error}"),
        })
        .collect();
    let outcome = match &txn.outcome {
        Outcome::Running => "cut off".to_owned(),
        Outcome::Unknown { .. } => "commit not answered".to_owned(),
        Outcome::Committed { version, durable, .. } => {
            let durable = if durable.is_some() { ", durable" } else { "" };
            format!("committed{}{durable}", at(*version))
        }
        Outcome::Aborted { .. } => "aborted".to_owned(),
    };
    let more = if txn.ops.len() > 12 { ", …" } else { "" };
    let start = txn
        .start_version
        .map(|version| format!(" at snapshot {}", stormproof_reports::version(version)))
        .unwrap_or_default();
    format!(
        "T{} (session {}, life {}){start}: {}{more}; {outcome}",
        txn.index,
        txn.session,
        txn.life,
        ops.join(", ")
    )
}

fn at(version: Option<u64>) -> String {
    version.map(|version| format!(" @{}", stormproof_reports::version(version))).unwrap_or_default()
}

fn short(text: &str) -> String {
    if text.chars().count() <= 24 { text.to_owned() } else { text.chars().take(23).chain(['…']).collect() }
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or(text)
}

/// Writes the trace of a failed run into `folder`, named after seed and invariant.
pub(super) fn write_trace(folder: &Path, plan: &Plan, run: &Run, command: &str) -> Result<PathBuf, Failure> {
    let invariant = run.findings().first().map_or("held", |finding| finding.invariant.as_str());
    let path = folder.join(format!("{}-{invariant}.trace", plan.seed));
    Trace::of(plan, run, command).write(&path)?;
    Ok(path)
}

/// Makes sure that files can be written into a folder, before there is something to write; leaves nothing in
/// it.
pub(super) fn check_folder(folder: &Path) -> Result<(), Failure> {
    let refused = |error: &dyn std::fmt::Display| {
        let folder = folder.display();
        Failure::usage(format!(
            "no traces can be written to {folder}: {error}: name another folder (--failures, or --out of shrink)"
        ))
    };
    let absolute = std::path::absolute(folder).map_err(|error| refused(&error))?;
    // The folder is created when it is needed: so what is tested is the closest existing one above it.
    let there = absolute.ancestors().find(|folder| folder.exists()).unwrap_or(&absolute);
    if !there.is_dir() {
        return Err(refused(&format!("{} is no folder", there.display())));
    }
    tempfile::tempfile_in(there).map(drop).map_err(|error| refused(&error))
}

/// Makes sure that a file can be written, before there is something to write; leaves it as it is.
pub(super) fn check_file(path: &Path) -> Result<(), Failure> {
    let is_new = !path.exists();
    let opened = std::fs::OpenOptions::new().append(true).create(true).open(path);
    opened.map_err(|error| unwritable(path, &error))?;
    if is_new {
        // It was created only to see whether that works.
        let _ = std::fs::remove_file(path);
    }
    Ok(())
}

fn unwritable(path: &Path, error: &std::io::Error) -> Failure {
    let path = path.display();
    Failure::usage(format!("{path} can't be written: {error}: name a file in a folder that is there"))
}

/// Writes a file that the user named.
pub(super) fn write_file(path: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(path, text).map_err(|error| unwritable(path, &error))
}

/// Returns the exit code that follows from a run.
pub(super) fn exit_of(run: &Run) -> Exit {
    if run.findings().is_empty() { Exit::Held } else { Exit::Violated }
}
