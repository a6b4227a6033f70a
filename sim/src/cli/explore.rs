//! `stormproof explore`: all interleavings of a tiny plan, up to a number of preemptions.

use std::path::{Path, PathBuf};
use std::time::Duration;

use indicatif::ProgressBar;
use serde_json::json;
use stormproof_rt::time;

use super::output::{check_folder, reproduce, violations, write_trace};
use super::signals::Signals;
use super::terminal::{Terminal, out, outln};
use super::{Done, Exit, Failure, JSON_FORMAT};
use crate::explore::{Bounds, Covered, explore};
use crate::options::Options;
use crate::plan::Plan;
use crate::registry::Registry;
use crate::runner::SeedRunner;
use crate::seed::Seed;
use crate::trace::Trace;

#[derive(clap::Args, Debug)]
pub(super) struct Arguments {
    /// A plan, as `run --plan` prints it, or a trace file
    #[arg(long, value_name = "FILE", required_unless_present = "seed")]
    plan: Option<PathBuf>,
    /// The plan of a seed, instead of a file; make it tiny, as with --clients 2 --transactions 1 --faults
    /// none
    #[arg(long, value_name = "SEED", conflicts_with = "plan")]
    seed: Option<Seed>,
    #[command(flatten)]
    options: Options,
    /// The largest number of preemptions
    #[arg(long, value_name = "K", default_value_t = 2)]
    preemptions: u32,
    /// Which life of the plan, from 0
    #[arg(long, value_name = "N", default_value_t = 0)]
    life: usize,
    /// The largest number of runs
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    runs: u64,
    /// Time limit, as in 30s or 5m
    #[arg(long = "for", value_name = "TIME", value_parser = super::duration::duration)]
    time_limit: Option<Duration>,
    /// Where the trace file of a failure goes
    #[arg(long, value_name = "FOLDER", default_value = "failures")]
    failures: PathBuf,
    /// Print one JSON document on standard output and nothing else
    #[arg(long)]
    json: bool,
}

pub(super) fn execute(arguments: Arguments, registry: Registry, terminal: &Terminal) -> Done {
    let (plan, command) = what(&arguments, registry.clone())?;
    if arguments.life >= plan.lives.len() {
        let message = format!("the plan has {} lives: give --life a number below that", plan.lives.len());
        return Err(Failure::usage(message));
    }
    let bounds = Bounds { life: arguments.life, preemptions: arguments.preemptions, runs: arguments.runs };
    check_folder(&arguments.failures)?;
    let signals = Signals::listen();
    let bar = if terminal.has_bar() { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
    let begun = time::now();
    let go_on = |covered: &Covered| {
        if covered.runs.is_multiple_of(64) {
            bar.set_message(format!(
                "{} runs, {} preemptions at most",
                covered.runs,
                covered.interleavings.len()
            ));
            bar.tick();
        }
        !signals.is_raised()
            && arguments.time_limit.is_none_or(|limit| time::now().saturating_since(begun) < limit)
    };
    let explored = explore(&plan, bounds, &registry, go_on).map_err(Failure::own)?;
    bar.finish_and_clear();
    let covered = &explored.covered;
    let trace = match &explored.failed {
        None => None,
        Some(run) => match write_trace(&arguments.failures, &explored.plan, run, &command) {
            Ok(path) => Some(path),
            Err(failure) => {
                terminal.warn(&format!("error: {}", failure.message));
                None
            }
        },
    };
    let (exit, verdict) = match (&explored.failed, covered.complete) {
        (Some(_), _) => (Exit::Violated, "violated"),
        (None, true) => (Exit::Held, "held"),
        (None, false) if covered.diverged.is_some() => (Exit::Failed, "not deterministic"),
        (None, false) => (Exit::Unknown, "not decided"),
    };
    if arguments.json {
        terminal.document(&json!({
            "format": JSON_FORMAT,
            "kind": "exploration",
            "verdict": verdict,
            "size": explored.plan.size(),
            "workload": explored.plan.workload.workload,
            "life": arguments.life,
            "preemptions_max": arguments.preemptions,
            "covered": covered,
            "findings": explored.failed.as_ref().map(|run| run.findings()).unwrap_or_default(),
            "trace_file": trace,
            "wall_seconds": time::now().saturating_since(begun).as_secs_f64(),
        }))?;
        return Ok(signals.exit(exit));
    }
    out!(terminal, "{}", text(&explored.plan, arguments.life, covered));
    match &explored.failed {
        Some(run) => terminal.print(&violations(run.findings(), Some(run), terminal)),
        None => outln!(terminal, "{}", conclusion(verdict, covered, arguments.preemptions)),
    }
    if let Some(path) = &trace {
        outln!(terminal, "trace:     {} (stormproof replay, stormproof shrink)", path.display());
    }
    Ok(signals.exit(exit))
}

/// Returns the plan, and the command that explores it.
fn what(arguments: &Arguments, registry: Registry) -> Result<(Plan, String), Failure> {
    if let Some(path) = &arguments.plan {
        return Ok((read(path)?, format!("stormproof explore --plan {}", path.display())));
    }
    let seed = arguments.seed.ok_or_else(|| Failure::usage("give --plan or --seed"))?;
    let runner = SeedRunner::new(registry, arguments.options.clone()).map_err(Failure::usage)?;
    let (plan, _) = runner.plan(seed);
    let command = reproduce(seed.0, runner.options()).replacen("run", "explore", 1);
    Ok((plan, command))
}

fn read(path: &Path) -> Result<Plan, Failure> {
    let wrong = |error: &dyn std::fmt::Display| {
        let help = "give a file that `stormproof run --plan` printed, or a trace file";
        Failure::usage(format!("{} holds no plan: {error}: {help}", path.display()))
    };
    let text = std::fs::read_to_string(path).map_err(|error| wrong(&error))?;
    let value: serde_json::Value = serde_json::from_str(&text).map_err(|error| wrong(&error))?;
    if value.get("stormproof_trace").is_some() {
        return Trace::read(path).map(|trace| trace.plan).map_err(Failure::usage);
    }
    serde_json::from_value(value).map_err(|error| wrong(&error))
}

fn text(plan: &Plan, life: usize, covered: &Covered) -> String {
    let mut text = format!("{}, life {life}: {}\n", plan.workload.workload, plan.size());
    for (preemptions, count) in covered.interleavings.iter().enumerate() {
        text += &format!("at most {preemptions} preemptions: all {count} interleavings\n");
    }
    text += &format!(
        "{} runs, {} different interleavings, {} scheduling points in the longest\n",
        covered.runs, covered.distinct, covered.steps_max
    );
    text
}

fn conclusion(verdict: &str, covered: &Covered, preemptions: u32) -> String {
    match &covered.diverged {
        Some(why) => format!("{verdict}: {why}"),
        None if covered.complete => {
            format!("{verdict}: no interleaving up to {preemptions} preemptions fails")
        }
        None => format!("{verdict}: stopped early; give more --runs or a smaller plan"),
    }
}
