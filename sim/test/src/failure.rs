//! A failure: shrunk, kept as a trace, and reported.
#![expect(
    clippy::disallowed_methods,
    reason = "outside of the simulated world: real threads watch and run it, in real time"
)]

use std::fmt::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use stormproof_reports::{Document, Format};
use stormproof_sim::finding::Finding;
use stormproof_sim::invariants;
use stormproof_sim::plan::{Plan, ProgramSize};
use stormproof_sim::registry::Registry;
use stormproof_sim::report::{Origin, crash_words, report};
use stormproof_sim::run::{Run, run_watched};
use stormproof_sim::shrink::{Budget, Shrunk, shrink};
use stormproof_sim::trace::Trace;

use crate::options::Options;
use crate::regressions::Regressions;
use crate::watchdog::Pulse;

/// For how long a failure is shrunk, at most, if the environment does not say it.
pub(crate) const SHRINK_TIME: Duration = Duration::from_secs(20);

/// In how many runs.
const SHRINK_RUNS: u64 = 4_000;

/// How many other schedules are tried for a plan that holds.
const SHRINK_SCHEDULES: u64 = 16;

/// A run that failed.
pub(crate) struct Failure<'a> {
    pub(crate) options: &'a Options,
    pub(crate) registry: &'a Registry,
    pub(crate) regressions: &'a Regressions,
    pub(crate) pulse: &'a Pulse,
    /// For how long it is shrunk, at most.
    pub(crate) shrink_time: Duration,
    /// The file that held it, if it was kept before.
    pub(crate) kept: Option<&'a Path>,
}

impl Failure<'_> {
    /// Shrinks a failure, keeps it and writes its page; returns the message.
    pub(crate) fn report(&self, plan: &Plan, run: &Run) -> String {
        let command = self.command(plan.seed.0);
        let shrunk = self.kept.is_none().then(|| self.shrink(plan, run)).flatten();
        let (plan_shown, trace) = match &shrunk {
            Some(shrunk) => {
                (&shrunk.plan, Trace::shrunk(&shrunk.plan, &shrunk.run, &shrunk.finding, &command))
            }
            None => (plan, Trace::of(plan, run, &command)),
        };
        let file = match self.kept {
            Some(path) => Some(path.to_owned()),
            None => self.regressions.keep(&trace),
        };
        let page = self.page(plan_shown, &command, file.as_deref());
        let run_shown = shrunk.as_ref().map_or(run, |shrunk| &shrunk.run);
        let mut text = String::new();
        let _ = writeln!(text, "{} fails with seed {}:", self.options.short_name(), plan.seed);
        for finding in run_shown.findings() {
            let _ = writeln!(text, "  {}", finding.message.replace('\n', "\n  "));
        }
        let _ = writeln!(text, "{}", whose(run_shown.findings()));
        let _ = writeln!(text, "repeat: {command}");
        if let Some(file) = &file {
            let _ = writeln!(text, "kept:   {} (runs first from now on: commit it)", file.display());
        }
        if let Some(page) = page {
            let _ = writeln!(text, "page:   {page} (open it in a browser)");
        }
        if let Some(shrunk) = &shrunk {
            let size = |plan, run: &Run| ProgramSize::of(plan, run.clients.as_deref().unwrap_or_default());
            let before = size(plan, run);
            let after = size(&shrunk.plan, &shrunk.run).left_of(before);
            let _ = writeln!(text, "shrunk: {after} ({} runs)", shrunk.runs);
            let _ = writeln!(text, "before: {before}");
        }
        for (number, life) in plan_shown.lives.iter().enumerate() {
            if let Some(crash) = &life.crash {
                let _ = writeln!(text, "life {number}: {}", crash_words(crash));
            }
            for switch in life.strategy.forced_switches().iter().take(SWITCHES_SHOWN) {
                let _ = writeln!(text, "life {number}: {switch}");
            }
            for event in life.injected_events.list().iter().take(SWITCHES_SHOWN) {
                let _ = writeln!(text, "life {number}: {event}");
            }
        }
        text
    }

    fn command(&self, seed: u64) -> String {
        format!("STORMPROOF_SEED={seed} cargo test {}", self.options.short_name())
    }

    fn shrink(&self, plan: &Plan, run: &Run) -> Option<Shrunk> {
        let begun = Instant::now();
        let go_on = &mut |_: &_, _| {
            self.pulse.beat();
            begun.elapsed() < self.shrink_time
        };
        let budget = Budget { runs: SHRINK_RUNS, schedules: SHRINK_SCHEDULES, ..Budget::default() };
        shrink(plan, run, self.registry, budget, go_on)
    }

    fn page(&self, plan: &Plan, command: &str, trace_file: Option<&Path>) -> Option<String> {
        let (run, watched) = run_watched(plan, self.registry).ok()?;
        // What is left is writing, which has no simulated steps.
        self.pulse.set_active(false);
        let origin = Origin { reproduce: command, trace_file };
        let document = Document::Run(Box::new(report(plan, &run, &watched, origin)));
        let html = document.render(Format::Html).ok()?;
        let path = self.regressions.page(plan.seed.0);
        std::fs::create_dir_all(path.parent()?).ok()?;
        std::fs::write(&path, html).ok()?;
        Some(path.display().to_string())
    }
}

/// How many forced switches of a life are printed, and how many forced wake-ups and timeouts.
const SWITCHES_SHOWN: usize = 8;

/// Returns whether the application or the store is to blame.
fn whose(findings: &[Finding]) -> &'static str {
    if findings.iter().all(invariants::is_of_the_application) {
        "the store kept its contract: this is the application's"
    } else {
        "the store broke its contract: please report it, with the trace"
    }
}
