//! `stormproof shrink`: reduces a failure to the smallest plan that still shows it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use stormproof_rt::time;
use stormproof_rt_shuttle::life::Cancel;
use stormproof_workloads::plan::{Action, End};
use stormproof_workloads::store::Isolation;

use super::output::{check_folder, reproduce, run_text, violations};
use super::rendering::page_beside;
use super::signals::Signals;
use super::terminal::{Terminal, out, outln};
use super::{Done, Exit, Failure, JSON_FORMAT};
use crate::options::Options;
use crate::plan::Plan;
use crate::registry::Registry;
use crate::report::{Origin, report};
use crate::run::{Run, run_watched, run_while};
use crate::runner::SeedRunner;
use crate::seed::Seed;
use crate::shrink::{Budget, shrink};
use crate::trace::Trace;

#[derive(clap::Args, Debug)]
pub(super) struct Arguments {
    /// A trace file
    #[arg(value_name = "FILE", required_unless_present = "seed")]
    trace: Option<PathBuf>,
    /// A seed, instead of a trace file
    #[arg(long, value_name = "SEED", conflicts_with = "trace")]
    seed: Option<Seed>,
    #[command(flatten)]
    options: Options,
    /// The largest number of runs
    #[arg(long, value_name = "N", default_value_t = Budget::default().runs)]
    runs: u64,
    /// Time limit, as in 30s or 5m
    #[arg(long = "for", value_name = "TIME", value_parser = super::duration::duration, default_value = "60s")]
    time_limit: Duration,
    /// Where the shrunk trace goes [default: the trace file with .min before its ending]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Print the shrunk trace as a Rust test
    #[arg(long)]
    emit_test: bool,
    /// Print one JSON document on standard output and nothing else
    #[arg(long)]
    json: bool,
}

pub(super) fn execute(arguments: Arguments, registry: Registry, terminal: &Terminal) -> Done {
    let begun = time::now();
    let signals = Signals::listen();
    let cancel = signals.cancel_after(arguments.time_limit);
    let started = start(&arguments, registry.clone(), &cancel);
    let (plan, failed, out, command) = match started {
        Err(failure) if signals.is_raised() => {
            terminal.note(&failure.message);
            return Ok(signals.interrupted());
        }
        started => started?,
    };
    check_folder(out.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")))?;
    let Some(finding) = failed.findings().first() else {
        return Err(Failure::usage(
            "nothing to shrink: this run holds everything: give a seed or a trace that fails",
        ));
    };
    terminal.note(&format!("shrinking {}: {}", finding.identity(), plan.size()));
    let bar = if terminal.has_bar() { ProgressBar::new(arguments.runs) } else { ProgressBar::hidden() };
    let style = ProgressStyle::with_template("{bar:20} {pos}/{len} runs {wide_msg}").map_err(Failure::own)?;
    bar.set_style(style);
    let mut go_on = |size: &crate::plan::PlanSize, runs: u64| {
        bar.set_position(runs);
        bar.set_message(size.to_string());
        time::now().saturating_since(begun) < arguments.time_limit && !signals.is_raised()
    };
    let budget = Budget { runs: arguments.runs, cancel: Some(cancel), ..Budget::default() };
    let shrunk = shrink(&plan, &failed, &registry, budget, &mut go_on);
    bar.finish_and_clear();
    let Some(shrunk) = shrunk else {
        if signals.is_raised() {
            terminal.note("interrupted before anything was shrunk");
            return Ok(signals.interrupted());
        }
        if time::now().saturating_since(begun) >= arguments.time_limit {
            return Err(Failure::own(
                "nothing was shrunk in this time: one run takes longer: give a longer --for",
            ));
        }
        return Err(Failure::own(
            "nothing was shrunk: the failure did not come back when it was run again: please report it with the trace",
        ));
    };
    let trace = Trace::shrunk(&shrunk.plan, &shrunk.run, &shrunk.finding, &command);
    // A file that can't be written must not hide what was found, so the error is returned in the end.
    let written = write_files(&trace, &out, &registry);
    let exit = if signals.is_raised() { signals.interrupted() } else { Exit::Violated };
    let page = written.as_ref().ok();
    if arguments.json {
        terminal.document(&json!({
            "format": JSON_FORMAT,
            "kind": "shrunk",
            "before": shrunk.before,
            "after": shrunk.after,
            "runs": shrunk.runs,
            "finding": shrunk.finding,
            "trace_file": out,
            "page": page,
            "trace": trace,
        }))?;
        return written.map(|_| exit);
    }
    out!(terminal, "{}", run_text(&shrunk.plan, &shrunk.run));
    out!(terminal, "{}", violations(std::slice::from_ref(&shrunk.finding), Some(&shrunk.run), terminal));
    out!(terminal, "{}", shown_schedule(&shrunk.plan));
    outln!(terminal, "before: {}", shrunk.before);
    outln!(terminal, "after:  {} ({} runs)", shrunk.after, shrunk.runs);
    if let Some(page) = page {
        outln!(terminal, "trace:  {} (stormproof replay {})", out.display(), out.display());
        outln!(terminal, "page:   {} (open it in a browser)", page.display());
    }
    if arguments.emit_test {
        outln!(terminal, "\n{}", emit_test(&out, &trace));
    }
    written.map(|_| exit)
}

/// Writes a shrunk trace and its page. Returns the page's file.
fn write_files(trace: &Trace, out: &Path, registry: &Registry) -> Result<PathBuf, Failure> {
    trace.write(out)?;
    let (run, watched) = run_watched(&trace.plan, registry)?;
    let reproduce = format!("stormproof replay {}", out.display());
    let origin = Origin { reproduce: &reproduce, trace_file: Some(out) };
    page_beside(out, &report(&trace.plan, &run, &watched, origin).into())
}

fn start(
    arguments: &Arguments,
    registry: Registry,
    cancel: &Cancel,
) -> Result<(Plan, Run, PathBuf, String), Failure> {
    if let Some(path) = &arguments.trace {
        let trace = Trace::read(path)?;
        let failed = run_while(&trace.plan, &registry, Some(cancel.clone()))?;
        let out = arguments.out.clone().unwrap_or_else(|| path.with_extension("min.trace"));
        return Ok((trace.plan, failed, out, trace.command));
    }
    let seed = arguments.seed.ok_or_else(|| Failure::usage("give a trace file or --seed"))?;
    let runner = SeedRunner::new(registry, arguments.options.clone())?;
    let (plan, _) = runner.plan(seed);
    let failed = run_while(&plan, runner.registry(), Some(cancel.clone()))?;
    let out = PathBuf::from(format!("failures/{seed}.min.trace"));
    let out = arguments.out.clone().unwrap_or(out);
    Ok((plan, failed, out, reproduce(seed.0, runner.options())))
}

/// Lines of the shrunk plan that are printed.
const LINES_MAX: usize = 200;

/// Returns the shrunk plan in words, as far as it can be read.
fn shown_schedule(plan: &Plan) -> String {
    let text = schedule(plan);
    let more = text.lines().count().saturating_sub(LINES_MAX);
    if more == 0 {
        return text;
    }
    let mut shown: String = text.lines().take(LINES_MAX).map(|line| format!("{line}\n")).collect();
    shown += &format!("… and {more} more lines: the trace has all of them\n");
    shown
}

/// Returns the shrunk plan in words: actions, power cuts and switches.
fn schedule(plan: &Plan) -> String {
    use crate::plan::StrategyPlan;
    let mut text = String::new();
    for client in [&plan.workload.setup].into_iter().chain(&plan.workload.clients) {
        for action in &client.actions {
            text += &format!("client {}: {}\n", client.session, action_text(action));
        }
    }
    for (number, life) in plan.lives.iter().enumerate() {
        if let Some(crash) = &life.crash {
            text += &format!("life {number}: power cut at {crash:?}\n");
        }
        if let StrategyPlan::Directed { forced_switches } = &life.strategy {
            for force in forced_switches {
                text += &format!("life {number}: {force}\n");
            }
        }
    }
    text
}

/// Returns an action on one line: `get key=a, put key=b value=…`.
fn action_text(action: &Action) -> String {
    let Action::Transaction(transaction) = action else {
        return serde_json::to_value(action).map(|value| named(&value)).unwrap_or_default();
    };
    let steps: Vec<String> = transaction
        .steps
        .iter()
        .filter_map(|step| serde_json::to_value(step).ok())
        .map(|step| named(&step))
        .collect();
    let mut text = steps.join(", ");
    if transaction.isolation != Isolation::Serializable {
        text += &format!(" ({})", named(&serde_json::to_value(transaction.isolation).unwrap_or_default()));
    }
    if let Some(run) = transaction.run {
        let ended = if transaction.ends_run { ", which is ended before the commit" } else { "" };
        text += &format!(" (in run {run}{ended})");
    }
    if transaction.end != End::Commit {
        text += " (aborts)";
    }
    text
}

/// Returns a variant and its fields, as plans spell them.
fn named(value: &serde_json::Value) -> String {
    use serde_json::Value;
    let plain = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let Value::Object(variants) = value else { return plain(value) };
    let one = |(name, fields): (&String, &Value)| match fields {
        Value::Object(fields) => {
            let fields = fields.iter().filter(|(_, value)| !value.is_null());
            let fields = fields.map(|(name, value)| format!(" {name}={}", plain(value)));
            format!("{name}{}", fields.collect::<String>())
        }
        other => format!("{name} {}", plain(other)),
    };
    variants.iter().map(one).collect::<Vec<_>>().join(" ")
}

/// Returns a test for the folder `tests/tests`, beside `tests/regressions` with the trace: it fails as long
/// as the bug is there.
fn emit_test(path: &Path, trace: &Trace) -> String {
    let identity = trace.findings.first().map(|finding| finding.identity().to_string()).unwrap_or_default();
    let words: Vec<&str> =
        identity.split(|c: char| !c.is_ascii_alphanumeric()).filter(|w| !w.is_empty()).collect();
    let name = words.join("_").to_lowercase();
    let file = path.file_name().unwrap_or_default().to_string_lossy();
    let (binding, healthy) = if trace.plan.mutants.is_empty() {
        ("let trace", "")
    } else {
        (
            "let mut trace",
            "    // Found with a deliberate bug of the engine. Without this line the test has to fail.\n    \
             trace.plan.mutants.clear();\n",
        )
    };
    format!(
        "#[test]\nfn no_{name}() {{\n    \
         let path = concat!(env!(\"CARGO_MANIFEST_DIR\"), \"/regressions/{file}\");\n    \
         {binding} = stormproof_sim::trace::Trace::read(path.as_ref()).unwrap();\n\
         {healthy}    \
         let replayed = trace.replay(&stormproof_sim::registry::Registry::default()).unwrap();\n    \
         assert!(!replayed.same_failure, \"{{:#?}}\", replayed.run.findings());\n}}"
    )
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::emit_test;
    use crate::trace::Trace;

    #[test]
    fn an_emitted_test_is_the_one_that_is_compiled_and_run_with_the_tests() {
        let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests");
        let path = tests.join("regressions/SkipReadValidation.trace");
        let trace = Trace::read(&path).unwrap();
        let compiled = std::fs::read_to_string(tests.join("tests/emitted.rs")).unwrap();
        let emitted = emit_test(&path, &trace);
        assert!(compiled.contains(&emitted), "this is not in tests/emitted.rs:\n{emitted}");
    }
}
