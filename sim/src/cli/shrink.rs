//! `stormproof shrink`: makes a failure small.

use std::path::PathBuf;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use stormproof_rt::time;

use super::output::{document, reproduce, run_text, violations};
use super::{Done, Exit, Failure};
use crate::options::Options;
use crate::plan::Plan;
use crate::registry::Registry;
use crate::run::{Run, run};
use crate::seed::Seed;
use crate::session::Session;
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
    /// At most so many runs
    #[arg(long, value_name = "N", default_value_t = Budget::default().runs)]
    runs: u64,
    /// At most so long, as in 30s or 5m
    #[arg(long = "for", value_name = "TIME", value_parser = super::sweep::duration, default_value = "60s")]
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

pub(super) fn execute(arguments: Arguments, registry: Registry) -> Done {
    let (plan, failed, out, command) = start(&arguments, registry.clone())?;
    let Some(finding) = failed.findings().first() else {
        return Err(Failure::usage("this run holds everything: there is nothing to shrink"));
    };
    eprintln!("shrinking {}: {}", finding.identity(), plan.size());
    let bar = ProgressBar::new(arguments.runs);
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} runs  {msg}").map_err(Failure::own)?;
    bar.set_style(style);
    let begun = time::now();
    let mut go_on = |size: &crate::plan::PlanSize, runs: u64| {
        bar.set_position(runs);
        bar.set_message(size.to_string());
        time::now().saturating_since(begun) < arguments.time_limit
    };
    let budget = Budget { runs: arguments.runs, ..Budget::default() };
    let shrunk = shrink(&plan, &failed, &registry, budget, &mut go_on);
    bar.finish_and_clear();
    let Some(shrunk) = shrunk else {
        return Err(Failure::own("the failure did not come back when it was run again"));
    };
    let mut trace = Trace::of(&shrunk.plan, &shrunk.run, &command);
    trace.decisions.clear();
    trace.findings.sort_by_key(|finding| finding.identity() != shrunk.finding.identity());
    trace.write(&out).map_err(Failure::own)?;
    if arguments.json {
        document(&json!({
            "before": shrunk.before,
            "after": shrunk.after,
            "runs": shrunk.runs,
            "finding": shrunk.finding,
            "trace_file": out,
            "trace": trace,
        }))?;
        return Ok(Exit::Violated);
    }
    print!("{}", run_text(&shrunk.plan, &shrunk.run));
    print!("{}", violations(std::slice::from_ref(&shrunk.finding), Some(&shrunk.run)));
    print!("{}", schedule(&shrunk.plan));
    println!("before: {}", shrunk.before);
    println!("after:  {} ({} runs)", shrunk.after, shrunk.runs);
    println!("trace:  {} (stormproof replay {})", out.display(), out.display());
    if arguments.emit_test {
        println!("{}", emit_test(&out, &shrunk.finding.invariant));
    }
    Ok(Exit::Violated)
}

fn start(arguments: &Arguments, registry: Registry) -> Result<(Plan, Run, PathBuf, String), Failure> {
    if let Some(path) = &arguments.trace {
        let trace = Trace::read(path).map_err(Failure::usage)?;
        let failed = run(&trace.plan, &registry).map_err(Failure::own)?;
        let out = arguments.out.clone().unwrap_or_else(|| path.with_extension("min.trace"));
        return Ok((trace.plan, failed, out, trace.command));
    }
    let seed = arguments.seed.ok_or_else(|| Failure::usage("give a trace file or --seed"))?;
    let session = Session::new(registry, arguments.options.clone()).map_err(Failure::usage)?;
    let (plan, _) = session.plan(seed);
    let failed = session.run(&plan).map_err(Failure::own)?;
    let out = PathBuf::from(format!("failures/{seed}.min.trace"));
    let out = arguments.out.clone().unwrap_or(out);
    Ok((plan, failed, out, reproduce(seed.0, session.options())))
}

/// What remains, for a person to read.
fn schedule(plan: &Plan) -> String {
    use crate::plan::StrategyPlan;
    let mut text = String::new();
    for client in [&plan.workload.setup].into_iter().chain(&plan.workload.clients) {
        for action in &client.actions {
            let shown = serde_json::to_string(action).unwrap_or_default();
            text += &format!("client {}: {shown}\n", client.session);
        }
    }
    for (number, life) in plan.lives.iter().enumerate() {
        if let Some(crash) = &life.crash {
            text += &format!("life {number}: power cut at {crash:?}\n");
        }
        if let StrategyPlan::Directed { forces } = &life.strategy {
            for force in forces {
                text += &format!("life {number}: {force}\n");
            }
        }
    }
    text
}

/// A test for `tests/regressions`.
fn emit_test(path: &std::path::Path, invariant: &str) -> String {
    let name = invariant.replace('-', "_");
    let file = path.file_name().unwrap_or_default().to_string_lossy();
    format!(
        "\n#[test]\nfn {name}_holds() {{\n    let path = concat!(env!(\"CARGO_MANIFEST_DIR\"), \"/regressions/{file}\");\n    \
         let trace = stormproof_sim::trace::Trace::read(path.as_ref()).unwrap();\n    \
         let replayed = trace.replay(&stormproof_sim::registry::Registry::default()).unwrap();\n    \
         assert!(replayed.run.findings().is_empty(), \"{{:#?}}\", replayed.run.findings());\n}}"
    )
}
