//! `stormproof run`: one seed; or rounds on the real world, which are [`real`]'s.

use std::path::PathBuf;

use stormproof_rt::time;

use super::output::{document, exit_of, reproduce, run_document, run_text, violations, write_trace};
use super::rendering::{Rendering, page_beside};
use super::{Done, Exit, Failure, real};
use crate::determinism::compare;
use crate::options::Options;
use crate::registry::Registry;
use crate::report::{Origin, report};
use crate::runner::SeedRunner;
use crate::seed::Seed;

#[derive(clap::Args, Debug)]
pub(super) struct Arguments {
    /// The seed: a number, or the hash of a git commit [default of real runs: 0]
    #[arg(long, value_name = "SEED", required_unless_present_any = ["real", "store", "kill"])]
    seed: Option<Seed>,
    #[command(flatten)]
    options: Options,
    /// Run twice, and name the first difference
    #[arg(long, conflicts_with_all = ["real", "store", "kill"])]
    twice: bool,
    /// Print the plan and do nothing else
    #[arg(long, conflicts_with_all = ["real", "store", "kill"])]
    plan: bool,
    /// Print one JSON document on standard output and nothing else
    #[arg(long)]
    json: bool,
    /// Where trace files of failures go, of real runs their histories
    #[arg(long, value_name = "FOLDER", default_value = "failures")]
    failures: PathBuf,
    #[command(flatten)]
    rendering: Rendering,
    #[command(flatten)]
    real: real::Arguments,
}

pub(super) fn execute(arguments: Arguments, registry: Registry) -> Done {
    if arguments.real.is_real() {
        let Arguments { seed, options, failures, json, rendering, real: wishes, .. } = arguments;
        return real::execute(wishes, real::Common { seed, options, failures, json, rendering }, &registry);
    }
    let seed = arguments.seed.ok_or_else(|| Failure::usage("name a --seed"))?;
    let start = time::now();
    let runner = SeedRunner::new(registry, arguments.options)?;
    let format = arguments.rendering.format()?;
    let (plan, draws) = runner.plan(seed);
    if arguments.plan {
        document(&plan)?;
        return Ok(Exit::Held);
    }
    let run = runner.run(&plan)?;
    if arguments.twice {
        compare(&runner, seed, &plan, &draws, &run).map_err(Failure::own)?;
    }
    let command = reproduce(seed.0, runner.options());
    let failed = !run.findings().is_empty();
    let trace_file = failed.then(|| write_trace(&arguments.failures, &plan, &run, &command)).transpose()?;
    let mut page = None;
    if failed || arguments.rendering.is_wanted() {
        let (again, watched) = runner.run_watched(&plan)?;
        if again.digest != run.digest {
            return Err(Failure::own(
                "a watched run differs from the run itself: please report it with the plan",
            ));
        }
        let origin = Origin { reproduce: &command, trace_file: trace_file.as_deref() };
        let document = report(&plan, &run, &watched, origin).into();
        arguments.rendering.write(&document, format)?;
        page = trace_file.as_deref().map(|trace| page_beside(trace, &document)).transpose()?;
    }
    let seconds = time::now().saturating_since(start).as_secs_f64();
    if arguments.json {
        document(&run_document(&plan, &run, &command, trace_file.as_deref(), seconds))?;
        return Ok(exit_of(&run));
    }
    print!("{}", run_text(&plan, &run));
    if arguments.twice {
        println!("run twice: no difference");
    }
    match trace_file {
        None => println!("held: {} invariants", run.verdict.evaluated.len()),
        Some(path) => {
            print!("{}", violations(run.findings(), Some(&run)));
            println!("reproduce: {command}");
            println!("trace:     {} (stormproof replay, stormproof shrink)", path.display());
            if let Some(page) = page {
                println!("page:      {} (open it in a browser)", page.display());
            }
        }
    }
    Ok(exit_of(&run))
}
