//! `stormproof enumerate`: every crash of a short plan.

use std::fs;
use std::path::{Path, PathBuf};

use indicatif::ProgressBar;
use serde_json::{Value, json};

use super::output::{exit_of, run_text, violations};
use super::signals::Signals;
use super::terminal::{Terminal, out};
use super::{Done, Exit, Failure, JSON_FORMAT};
use crate::enumerate::{Broken, Coverage, Crash, Enumerated, Limits, enumerate, prepare, repeat};
use crate::options::Options;
use crate::plan::Plan;
use crate::registry::Registry;
use crate::runner::SeedRunner;
use crate::seed::Seed;
use crate::trace::Trace;

#[derive(clap::Args, Debug)]
#[command(
    after_help = "Every boundary between two disk operations × every state that a power cut may leave there, as far \
                        as the reduction that is printed goes. Plans are made short unless --clients and --transactions \
                        say otherwise."
)]
pub(super) struct Arguments {
    /// A plan, as `run --plan` prints it, or a trace file
    #[arg(long, value_name = "FILE", conflicts_with = "seed", required_unless_present = "seed")]
    plan: Option<PathBuf>,
    /// The plan of this seed, without its faults
    #[arg(long, value_name = "SEED")]
    seed: Option<Seed>,
    #[command(flatten)]
    options: Options,
    /// Try every subset of up to N pieces of unsynced data; of more pieces, families of subsets that stand
    /// for the rest
    #[arg(long, value_name = "N", default_value_t = 4)]
    subsets: u32,
    /// Combine files and names in full at boundaries of up to N states; at others, vary one at a time
    #[arg(long, value_name = "N", default_value_t = 64)]
    states: usize,
    /// Cut recovery too, after every N-th new state; 0 for never
    #[arg(long, value_name = "N", default_value_t = 16)]
    nested: usize,
    /// Stop after N crashes that were not survived
    #[arg(long, value_name = "N", default_value_t = 1)]
    violations: usize,
    /// Run only this crash: `life:boundary:state`, as a violation names it
    #[arg(long, value_name = "CRASH")]
    at: Option<Crash>,
    /// Print one JSON document on standard output and nothing else
    #[arg(long)]
    json: bool,
}

pub(super) fn execute(arguments: Arguments, registry: Registry, terminal: &Terminal) -> Done {
    let limits = Limits {
        states: stormproof_faults::EnumerationLimits {
            subset_max: arguments.subsets.min(16),
            states_max: arguments.states,
        },
        nested_every: arguments.nested,
        violations_max: arguments.violations.max(1),
    };
    let (plan, registry) = plan(&arguments, registry)?;
    let plan = prepare(plan).map_err(Failure::usage)?;
    if let Some(crash) = &arguments.at {
        return one(&plan, &limits, &registry, crash, terminal);
    }
    let signals = Signals::listen();
    let bar = if terminal.has_bar() { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
    let mut progress = |coverage: &Coverage| {
        bar.set_message(format!(
            "boundary {} of {}, {} runs",
            coverage.boundaries, coverage.boundaries_total, coverage.runs
        ));
        bar.tick();
        !signals.is_raised()
    };
    let seen = enumerate(&plan, &limits, &registry, &mut progress).map_err(Failure::own)?;
    bar.finish_and_clear();
    let command = reproduce(&arguments);
    if arguments.json {
        terminal.document(&enumeration_document(&plan, &seen, &command))?;
    } else {
        out!(terminal, "{}", words(&plan, &seen, &command, terminal));
    }
    Ok(signals.exit(if seen.coverage.runs == 0 {
        Exit::Failed
    } else if seen.broken.is_empty() {
        Exit::Held
    } else {
        Exit::Violated
    }))
}

/// Reads or draws the plan. A drawn plan is short unless options say otherwise.
fn plan(arguments: &Arguments, registry: Registry) -> Result<(Plan, Registry), Failure> {
    let Some(seed) = arguments.seed else {
        let path = arguments.plan.as_deref().ok_or_else(|| Failure::usage("name a plan or a seed"))?;
        return Ok((read(path)?, registry));
    };
    let options = Options {
        clients: arguments.options.clients.or(Some(2)),
        transactions: arguments.options.transactions.or(Some(3)),
        ..arguments.options.clone()
    };
    let runner = SeedRunner::new(registry, options).map_err(Failure::usage)?;
    let plan = runner.plan(seed).0;
    Ok((plan, runner.registry().clone()))
}

fn read(path: &Path) -> Result<Plan, Failure> {
    if let Ok(trace) = Trace::read(path) {
        return Ok(trace.plan);
    }
    let why = |error: &dyn std::fmt::Display| {
        Failure::usage(format!(
            "{} is no plan: {error}: print one with `stormproof run --plan`",
            path.display()
        ))
    };
    let text = fs::read_to_string(path).map_err(|error| why(&error))?;
    serde_json::from_str(&text).map_err(|error| why(&error))
}

fn one(plan: &Plan, limits: &Limits, registry: &Registry, crash: &Crash, terminal: &Terminal) -> Done {
    let run = repeat(plan, limits, registry, crash).map_err(Failure::own)?;
    let run = run.ok_or_else(|| Failure::usage(format!("the enumeration has no crash {crash}")))?;
    out!(terminal, "{}{}", run_text(plan, &run), violations(run.findings(), Some(&run), terminal));
    Ok(exit_of(&run))
}

fn reproduce(arguments: &Arguments) -> String {
    let what = match (&arguments.seed, &arguments.plan) {
        (Some(seed), _) => format!("--seed {seed}"),
        (None, Some(path)) => format!("--plan {}", path.display()),
        (None, None) => String::new(),
    };
    let Arguments { subsets, states, options, .. } = arguments;
    format!("stormproof enumerate {what}{} --subsets {subsets} --states {states}", options.to_flags())
}

fn words(plan: &Plan, seen: &Enumerated, command: &str, terminal: &Terminal) -> String {
    let mut text = format!(
        "plan of seed {}: {}, {:?}, {}\n{}",
        plan.seed,
        plan.workload.workload,
        plan.engine.durability,
        plan.size(),
        seen.coverage
    );
    for Broken { crash, findings, run } in &seen.broken {
        text += &format!("a crash of life {} {}:\n", crash.life, crash.what);
        text += &violations(findings, Some(run), terminal);
        text += &format!("reproduce: {command} --at {crash}\n");
    }
    if seen.broken.is_empty() {
        text += &format!("held: {} runs\n", seen.coverage.runs);
    }
    text
}

fn enumeration_document(plan: &Plan, seen: &Enumerated, command: &str) -> Value {
    let broken: Vec<_> = seen
        .broken
        .iter()
        .map(|Broken { crash, findings, .. }| {
            json!({
                "crash": crash.to_string(),
                "life": crash.life,
                "boundary": crash.boundary,
                "state": crash.state,
                "what": crash.what,
                "findings": findings,
                "reproduce": format!("{command} --at {crash}"),
            })
        })
        .collect();
    json!({
        "format": JSON_FORMAT,
        "kind": "enumeration",
        "seed": plan.seed,
        "plan": plan.digest(),
        "workload": plan.workload.workload,
        "verdict": if seen.broken.is_empty() { "held" } else { "violated" },
        "coverage": seen.coverage,
        "broken": broken,
        "reproduce": command,
    })
}
