//! Documents and texts that commands print.

use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::json;
use stormproof_workloads::History;

use super::{Exit, Failure};
use crate::finding::Finding;
use crate::options::Options;
use crate::plan::Plan;
use crate::run::Run;
use crate::stats::Count;
use crate::summary;
use crate::trace::Trace;

/// Prints one JSON document.
pub(super) fn document(value: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value).map_err(Failure::own)?;
    println!("{text}");
    Ok(())
}

/// The command that repeats a seed.
pub(super) fn reproduce(seed: u64, options: &Options) -> String {
    format!("stormproof run --seed {seed}{}", options.to_flags())
}

/// A run as a JSON document. `wall_seconds` is the only field that differs between two runs of the same.
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
        "seed": plan.seed,
        "verdict": if run.findings().is_empty() { "held" } else { "violated" },
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

/// A run in words.
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
    for fault in &run.faults {
        text += &format!("fault {fault}\n");
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

/// Violations in words, with what reproduces them.
pub(super) fn violations(findings: &[Finding], run: Option<&Run>) -> String {
    violations_in(findings, run.map(|run| &run.history))
}

/// Violations in words, with the transactions of `history` that took part.
pub(super) fn violations_in(findings: &[Finding], history: Option<&History>) -> String {
    let mut text = String::new();
    for finding in findings {
        text += &format!("VIOLATION of {} {} ({}):\n", finding.contract, finding.invariant, finding.class);
        text += &format!("  {}\n", finding.message.replace('\n', "\n  "));
        for &txn in finding.txns.iter().take(6) {
            if let Some(txn) = history.and_then(|history| history.txns.get(txn as usize)) {
                text += &format!("  {}\n", transaction(txn));
            }
        }
    }
    text
}

/// One transaction on one line.
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
    let start = txn.start_version.map(|version| format!(" at snapshot {version}")).unwrap_or_default();
    format!(
        "T{} (session {}, life {}){start}: {}{more}; {outcome}",
        txn.index,
        txn.session,
        txn.life,
        ops.join(", ")
    )
}

fn at(version: Option<u64>) -> String {
    version.map(|version| format!(" @{version}")).unwrap_or_default()
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

/// Writes a file that the user named.
pub(super) fn write_file(path: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(path, text).map_err(|error| {
        Failure::usage(format!(
            "{} can't be written: {error}: name a file in a folder that is there",
            path.display()
        ))
    })
}

/// The exit code that follows from a run.
pub(super) fn exit_of(run: &Run) -> Exit {
    if run.findings().is_empty() { Exit::Held } else { Exit::Violated }
}
