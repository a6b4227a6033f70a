//! `stormproof replay`: repeats a seed or a trace file.

use std::path::PathBuf;

use serde_json::json;

use super::output::{exit_of, run_document, run_text, violations};
use super::rendering::Rendering;
use super::terminal::{Terminal, out, outln};
use super::{Done, Failure, JSON_FORMAT};
use crate::options::Options;
use crate::registry::Registry;
use crate::report::{Origin, report};
use crate::runner::SeedRunner;
use crate::seed::Seed;
use crate::trace::Trace;

#[derive(clap::Args, Debug)]
pub(super) struct Arguments {
    /// A seed, or a trace file
    #[arg(value_name = "SEED | FILE")]
    what: String,
    #[command(flatten)]
    options: Options,
    /// Print one JSON document on standard output and nothing else
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    rendering: Rendering,
}

pub(super) fn execute(arguments: Arguments, registry: Registry, terminal: &Terminal) -> Done {
    let path = PathBuf::from(&arguments.what);
    if !path.exists() {
        let seed: Seed = arguments.what.parse().map_err(|error| {
            Failure::usage(format!("there is no file {}, and as a seed: {error}", path.display()))
        })?;
        return replay_seed(seed, arguments, registry, terminal);
    }
    let format = arguments.rendering.check()?;
    let trace = Trace::read(&path)?;
    let command = format!("stormproof replay {}", path.display());
    let replayed = if arguments.rendering.is_wanted() {
        let (replayed, watched) = trace.replay_watched(&registry)?;
        let origin = Origin { reproduce: &command, trace_file: Some(&path) };
        arguments.rendering.write(&report(&trace.plan, &replayed.run, &watched, origin).into(), format)?;
        replayed
    } else {
        trace.replay(&registry)?
    };
    let run = &replayed.run;
    if arguments.json {
        terminal.document(&json!({
            "format": JSON_FORMAT,
            "kind": "replay",
            "exact": replayed.exact,
            "same_failure": replayed.same_failure,
            "divergences": replayed.divergences,
            "run": run_document(&trace.plan, run, &command, Some(&path), 0.0),
        }))?;
        return Ok(exit_of(run));
    }
    out!(terminal, "{}", run_text(&trace.plan, run));
    if replayed.exact {
        outln!(terminal, "replayed to the last bit");
    } else {
        outln!(terminal, "not the same to the last bit: the code has changed since the trace was written");
        for divergence in &replayed.divergences {
            outln!(terminal, "  diverged: {divergence}");
        }
    }
    out!(terminal, "{}", violations(run.findings(), Some(run), terminal));
    match (replayed.same_failure, trace.findings.first()) {
        (true, Some(finding)) => outln!(terminal, "the same failure: {}", finding.identity()),
        (false, Some(finding)) => {
            outln!(terminal, "the failure of the trace did not come back: {}", finding.identity())
        }
        (_, None) => outln!(terminal, "the trace holds no failure"),
    }
    Ok(exit_of(run))
}

fn replay_seed(seed: Seed, arguments: Arguments, registry: Registry, terminal: &Terminal) -> Done {
    let runner = SeedRunner::new(registry, arguments.options)?;
    let format = arguments.rendering.check()?;
    let (plan, _) = runner.plan(seed);
    let (run, watched) = runner.run_watched(&plan)?;
    let command = super::output::reproduce(seed.0, runner.options());
    if arguments.rendering.is_wanted() {
        let origin = Origin { reproduce: &command, trace_file: None };
        arguments.rendering.write(&report(&plan, &run, &watched, origin).into(), format)?;
    }
    if arguments.json {
        terminal.document(&run_document(&plan, &run, &command, None, 0.0))?;
    } else {
        out!(terminal, "{}{}", run_text(&plan, &run), violations(run.findings(), Some(&run), terminal));
    }
    Ok(exit_of(&run))
}
