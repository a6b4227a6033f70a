//! Examples: one seed of each kind of failure is run again, written as a trace, and shrunk.

use std::path::{Path, PathBuf};
use std::time::Duration;

use stormproof_rt::time;

use super::Arguments;
use crate::cli::Failure;
use crate::cli::output::{reproduce, write_trace};
use crate::cli::rendering::page_beside;
use crate::cli::signals::Signals;
use crate::cli::terminal::Terminal;
use crate::finding::Identity;
use crate::plan::{Plan, PlanSize};
use crate::report::{Origin, report};
use crate::run::Run;
use crate::runner::SeedRunner;
use crate::seed::Seed;
use crate::shrink::{Budget, shrink};
use crate::sweep::message::{ExampleLine, Message};
use crate::sweep::{CampaignResult, ResultsWriter};
use crate::trace::Trace;
use crate::triage::shape;

/// Kinds of failure that get a trace.
const TRACES_MAX: usize = 10;

/// What shrinking may cost: runs and time per example, time for all.
const SHRINK_RUNS: u64 = 600;
const SHRINK_EACH: Duration = Duration::from_secs(5);
const SHRINK_ALL: Duration = Duration::from_secs(20);

/// After a signal, traces are begun for this long only: its sender often kills the process a little later.
const INTERRUPT_GRACE: Duration = Duration::from_secs(3);

/// Runs an example of each kind of failure again, writes its trace, and shrinks it. Returns what could not be
/// written, in words, and no error: violations must be reported all the same.
pub(super) fn write_examples(
    arguments: &Arguments,
    folder: &Path,
    runner: &SeedRunner,
    result: &mut CampaignResult,
    out: &ResultsWriter,
    signals: &Signals,
    terminal: &Terminal,
) -> Vec<String> {
    let begun = time::now();
    let kinds: Vec<(Identity, u64)> = result
        .groups
        .iter()
        .filter_map(|(identity, group)| Some((identity.clone(), group.first()?.seed)))
        .take(TRACES_MAX)
        .collect();
    let mut unwritten = Vec::new();
    for (identity, seed) in kinds {
        let spent = time::now().saturating_since(begun);
        if signals.is_raised() && spent >= INTERRUPT_GRACE {
            break;
        }
        terminal.note(&format!("writing the trace of seed {seed}: {identity}"));
        let left = SHRINK_ALL.saturating_sub(spent).min(SHRINK_EACH);
        let shrinks = !arguments.no_shrink && !signals.is_raised();
        let example = Example { seed, identity, folder, runner, known: &result.examples };
        match example.write(shrinks.then_some(left), signals) {
            Ok(Some(example)) => {
                out.write(&Message::Example(recorded(&example, arguments.out.as_deref())));
                result.add(Message::Example(example));
            }
            Ok(None) => {}
            Err(failure) => unwritten.push(failure.message),
        }
    }
    unwritten
}

/// An example that is to be written.
struct Example<'a> {
    seed: u64,
    identity: Identity,
    folder: &'a Path,
    runner: &'a SeedRunner,
    /// Examples that were written before.
    known: &'a [ExampleLine],
}

impl Example<'_> {
    /// Writes it, shrunk in at most `time` as well. Returns `None` if the seed does not fail so when it is
    /// run again.
    fn write(&self, time: Option<Duration>, signals: &Signals) -> Result<Option<ExampleLine>, Failure> {
        let (plan, _) = self.runner.plan(Seed(self.seed));
        let command = reproduce(self.seed, self.runner.options());
        // A seed that failed in a worker and holds here has no trace; `compare` reports the nondeterminism.
        let Ok((mut run, watched)) = self.runner.run_watched(&plan) else { return Ok(None) };
        if !run.findings().iter().any(|finding| finding.identity() == self.identity) {
            return Ok(None);
        }
        run.verdict.findings.sort_by_key(|finding| finding.identity() != self.identity);
        let trace = write_trace(self.folder, &plan, &run, &command)?;
        let origin = Origin { reproduce: &command, trace_file: Some(&trace) };
        page_beside(&trace, &report(&plan, &run, &watched, origin).into())?;
        let mut line = ExampleLine {
            seed: self.seed,
            identity: self.identity.clone(),
            trace,
            shrunk: None,
            shape: String::new(),
            operations: None,
        };
        if let Some(time) = time {
            self.shrink(&plan, &run, time, signals, &mut line)?;
        }
        Ok(Some(line))
    }

    fn shrink(
        &self,
        plan: &Plan,
        run: &Run,
        time: Duration,
        signals: &Signals,
        line: &mut ExampleLine,
    ) -> Result<(), Failure> {
        let started = time::now();
        let mut go_on =
            |_: &PlanSize, _: u64| !signals.is_raised() && time::now().saturating_since(started) < time;
        let cancel = signals.cancel_after(time);
        let budget = Budget { runs: SHRINK_RUNS, cancel: Some(cancel), ..Budget::default() };
        let Some(shrunk) = shrink(plan, run, self.runner.registry(), budget, &mut go_on) else {
            return Ok(());
        };
        let path = self.shrunk_path(&line.trace);
        let command = reproduce(self.seed, self.runner.options());
        Trace::shrunk(&shrunk.plan, &shrunk.run, &shrunk.finding, &command).write(&path)?;
        line.shrunk = Some(path);
        line.shape = shape(&shrunk.plan);
        line.operations = Some(shrunk.after.operations as u64);
        Ok(())
    }

    /// Returns the file of a shrunk trace. One run can fail in several ways, and each of them is shrunk to a
    /// file of its own.
    fn shrunk_path(&self, trace: &Path) -> PathBuf {
        let path = trace.with_extension("min.trace");
        if !self.known.iter().any(|example| example.shrunk.as_ref() == Some(&path)) {
            return path;
        }
        let letter = |letter: char| if letter.is_alphanumeric() { letter } else { '-' };
        let class: String = self.identity.class.chars().map(letter).collect();
        trace.with_extension(format!("{class}.min.trace"))
    }
}

/// Returns an example with its files as a file of results names them: relative to its own folder, if they lie
/// in there, so that both can be moved together.
fn recorded(example: &ExampleLine, out: Option<&Path>) -> ExampleLine {
    let Some(out) = out else { return example.clone() };
    let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let folder = absolute(out).parent().map(Path::to_owned).unwrap_or_default();
    let relative = |path: &Path| {
        let path = absolute(path);
        path.strip_prefix(&folder).map(Path::to_owned).unwrap_or(path)
    };
    ExampleLine {
        trace: relative(&example.trace),
        shrunk: example.shrunk.as_deref().map(relative),
        ..example.clone()
    }
}
