//! `stormproof run`: one seed; or rounds on the real world, which are [`real`]'s.

use std::path::{Path, PathBuf};

use stormproof_reports::Format;
use stormproof_rt::time;

use super::output::{check_folder, exit_of, reproduce, run_document, run_text, violations, write_trace};
use super::rendering::{Rendering, page_beside};
use super::terminal::{Paint, Terminal, outln};
use super::{Done, Exit, Failure, real};
use crate::determinism::compare;
use crate::options::Options;
use crate::plan::Plan;
use crate::registry::Registry;
use crate::report::{Origin, report};
use crate::run::Run;
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

pub(super) fn execute(arguments: Arguments, registry: Registry, terminal: &Terminal) -> Done {
    if arguments.real.is_real() {
        let Arguments { seed, options, failures, json, rendering, real: wishes, .. } = arguments;
        let common = real::Common { seed, options, failures, json, rendering };
        return real::execute(wishes, common, &registry, terminal);
    }
    let seed = arguments.seed.ok_or_else(|| Failure::usage("name a --seed"))?;
    let start = time::now();
    let runner = SeedRunner::new(registry, arguments.options)?;
    let format = arguments.rendering.check()?;
    let (plan, draws) = runner.plan(seed);
    if arguments.plan {
        terminal.document(&plan)?;
        return Ok(Exit::Held);
    }
    check_folder(&arguments.failures)?;
    let run = runner.run(&plan)?;
    if arguments.twice {
        compare(&runner, seed, &plan, &draws, &run).map_err(Failure::own)?;
    }
    let command = reproduce(seed.0, runner.options());
    let failed = !run.findings().is_empty();
    if !arguments.json {
        terminal.tell(&run_text(&plan, &run));
        if arguments.twice {
            terminal.tell("run twice: no difference\n");
        }
        // Before any file is written: one that can't be written must not hide a violation.
        terminal.print(&violations(run.findings(), Some(&run), terminal));
        if !failed {
            let held = terminal.paint(Paint::Good, "held");
            terminal.tell(&format!("{held}: {} invariants\n", run.verdict.evaluated.len()));
        }
    }
    if let Some(first) = run.findings().first() {
        let message = format!("{}\nreproduce: {command}", first.message);
        terminal.annotate(&format!("stormproof: seed {seed}: {}", first.identity()), &message);
    }
    let written = if failed || arguments.rendering.is_wanted() {
        let folder = failed.then_some(arguments.failures.as_path());
        write_files(&runner, &plan, &run, &command, folder, &arguments.rendering, format)
    } else {
        Ok(Files::default())
    };
    let files = match &written {
        Ok(files) => files,
        Err(failure) => {
            terminal.warn(&format!("error: {}", failure.message));
            &Files::default()
        }
    };
    let exit = match (&written, exit_of(&run)) {
        (Err(failure), Exit::Held) => failure.exit,
        (_, exit) => exit,
    };
    if arguments.json {
        let seconds = time::now().saturating_since(start).as_secs_f64();
        terminal.document(&run_document(&plan, &run, &command, files.trace.as_deref(), seconds))?;
        return Ok(exit);
    }
    if failed {
        outln!(terminal, "reproduce: {command}");
    }
    if let Some(path) = &files.trace {
        outln!(terminal, "trace:     {} (stormproof replay, stormproof shrink)", path.display());
    }
    if let Some(page) = &files.page {
        outln!(terminal, "page:      {} (open it in a browser)", page.display());
    }
    Ok(exit)
}

/// Files that were written of a run.
#[derive(Default)]
struct Files {
    trace: Option<PathBuf>,
    page: Option<PathBuf>,
}

/// Writes the report that was asked for, and trace and page of a failure into `folder`.
fn write_files(
    runner: &SeedRunner,
    plan: &Plan,
    run: &Run,
    command: &str,
    folder: Option<&Path>,
    rendering: &Rendering,
    format: Option<Format>,
) -> Result<Files, Failure> {
    let trace = folder.map(|folder| write_trace(folder, plan, run, command)).transpose()?;
    let (again, watched) = runner.run_watched(plan)?;
    if again.digest != run.digest {
        return Err(Failure::own(
            "a watched run differs from the run itself: please report it with the plan",
        ));
    }
    let origin = Origin { reproduce: command, trace_file: trace.as_deref() };
    let document = report(plan, run, &watched, origin).into();
    rendering.write(&document, format)?;
    let page = trace.as_deref().map(|trace| page_beside(trace, &document)).transpose()?;
    Ok(Files { trace, page })
}
