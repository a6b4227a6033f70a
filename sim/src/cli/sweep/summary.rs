//! The figures of a sweep as text, fitted to the terminal.

use std::collections::BTreeMap;

use crate::cli::terminal::{Paint, Terminal, row};
use crate::stats::{Count, Hits};
use crate::surface::{self, FUNCTIONS};
use crate::sweep::CampaignResult;
use crate::sweep::message::Ended;

/// Columns of the names of figures.
const NAMES: usize = 14;

/// Returns the figures that fit on one screen; all of them with `--verbose`.
pub(super) fn summary(result: &CampaignResult, lists: &Lists, verdict: &str, terminal: &Terminal) -> String {
    let mut text = headline(result, verdict, terminal);
    let mut line = |name: &str, value: &str| text += &row(name, value, NAMES, terminal.width());
    let stats = &result.stats;
    let get = |count| number(stats.get(count));
    line(
        "transactions",
        &format!(
            "{}: {} commits, {} aborts, {} unanswered, {} cut off",
            get(Count::Transactions),
            get(Count::Commits),
            get(Count::Aborts),
            get(Count::Unanswered),
            get(Count::CutOff)
        ),
    );
    let conflicts: Vec<String> =
        stats.conflicts.iter().map(|(kind, count)| format!("{kind} {}", number(*count))).collect();
    line("conflicts", &join(&conflicts));
    line(
        "crashes",
        &format!(
            "{} ({}), {} recoveries",
            get(Count::Crashes),
            join(&hits(&stats.crashes)),
            get(Count::Recoveries)
        ),
    );
    line(
        "interleavings",
        &format!("{} distinct, {} steps", number(result.interleavings()), get(Count::Steps)),
    );
    line("faults", &join(&hits(&stats.faults)));
    if !lists.never_fired.is_empty() {
        line("never fired", &lists.never_fired.join(", "));
    }
    let workloads: Vec<String> =
        stats.workloads.iter().map(|(name, share)| format!("{name} {}", share.seeds)).collect();
    line("workloads", &join(&workloads));
    if terminal.is_verbose() {
        let strategies: Vec<String> =
            stats.strategies.iter().map(|(name, share)| format!("{name} {}", share.seeds)).collect();
        line("strategies", &join(&strategies));
        line("marks", &join(&hits(&stats.marks)));
    } else {
        let reached = stats.marks.len();
        let all = reached + lists.unseen.len();
        line("marks", &format!("{reached} of {all} reached (--verbose names them)"));
    }
    if !lists.unseen.is_empty() {
        let most = if terminal.is_verbose() { lists.unseen.len() } else { UNSEEN_MAX };
        let more = lists.unseen.len().saturating_sub(most);
        let mut unseen: Vec<String> = lists.unseen.iter().take(most).map(|name| (*name).to_owned()).collect();
        unseen.extend((more > 0).then(|| format!("and {more} more")));
        line("never reached", &join(&unseen));
    }
    let called = FUNCTIONS.iter().filter(|(function, _)| stats.calls.contains_key(*function)).count();
    line("functions", &format!("{called} of {} of the engine's were called", FUNCTIONS.len()));
    let (reached, pairs) = surface::pairs(&stats.pairs);
    line("pairs", &format!("{reached} of {pairs} pairs of acts on one key in one transaction"));
    if terminal.is_verbose() {
        // Not kept together, as the others are: with many outcomes one is wider than a line.
        line("calls", &calls(&stats.calls).join(", "));
        line("never called", &join(&lists.never_called));
        line("never paired", &join(&surface::never_paired(&stats.pairs)));
    }
    if !stats.sightings.is_empty() {
        line("allowed, seen", &join(&hits(&stats.sightings)));
    }
    line("run twice", &format!("{} seeds, {} without a verdict", get(Count::Compared), result.failed_count));
    if let Some(canary) = result.canary.as_ref().filter(|canary| canary.found) {
        line("canary", &format!("{} was found in {} seeds", canary.mutant, canary.seeds));
    }
    if let Some(end) = &result.end {
        line("memory", &format!("{} MiB in the largest worker", end.rss_kib_max >> 10));
    }
    text
}

/// How many of the marks that were never reached are named without `--verbose`.
const UNSEEN_MAX: usize = 8;

/// What a sweep should have met, and did not.
pub(super) struct Lists {
    /// Kinds of faults.
    pub(super) never_fired: Vec<&'static str>,
    /// Marks.
    pub(super) unseen: Vec<&'static str>,
    /// Public functions of the engine, and outcomes of calls.
    pub(super) never_called: Vec<String>,
}

/// Each function with its outcomes.
fn calls(calls: &BTreeMap<String, BTreeMap<String, u64>>) -> Vec<String> {
    let told = |(function, outcomes): (&String, &BTreeMap<String, u64>)| {
        let outcomes: Vec<String> =
            outcomes.iter().map(|(outcome, count)| format!("{outcome} {}", number(*count))).collect();
        format!("{function} ({})", outcomes.join(" "))
    };
    calls.iter().map(told).collect()
}

/// Returns the first lines: how many seeds, how fast, how it ended.
fn headline(result: &CampaignResult, verdict: &str, terminal: &Terminal) -> String {
    let (seconds, jobs) = result.end.as_ref().map_or((0.0, 1), |end| (end.seconds, end.jobs));
    let rate = |count: u64| if seconds > 0.0 { rounded(count, seconds) } else { 0 };
    let planned = result.start.as_ref().and_then(|start| start.planned);
    let ended = result.end.as_ref().map(|end| end.ended);
    let of = match (planned, ended) {
        (Some(planned), Some(ended)) if ended != Ended::Done => {
            format!(" of {} ({})", number(planned), ended.words())
        }
        (None, Some(Ended::Interrupted)) => " (interrupted)".to_owned(),
        _ => String::new(),
    };
    let plural = if jobs == 1 { "worker" } else { "workers" };
    let seeds = number(result.seeds);
    let speed = format!(
        "{} seeds/s, {} transactions/s",
        number(rate(result.seeds)),
        number(rate(result.stats.get(Count::Transactions)))
    );
    let width = terminal.width();
    let text =
        row("seeds", &format!("{seeds}{of} in {seconds:.1} s on {jobs} {plural}: {verdict}"), NAMES, width);
    text + &row("speed", &speed, NAMES, width)
}

impl Ended {
    /// Returns why it ended, in words.
    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::Done => "all were run",
            Self::TimeLimit => "the time was up",
            Self::FirstViolation => "stopped at the first violation",
            Self::Interrupted => "interrupted",
        }
    }
}

/// Returns a verdict in its colour.
pub(super) fn verdict(exit_is_good: bool, words: &str, terminal: &Terminal) -> String {
    terminal.paint(if exit_is_good { Paint::Good } else { Paint::Bad }, words)
}

fn hits(hits: &BTreeMap<String, Hits>) -> Vec<String> {
    hits.iter().map(|(name, hits)| format!("{name} {}", number(hits.hits))).collect()
}

/// Joins names and figures so that lines never break between a name and its figure.
fn join(parts: &[String]) -> String {
    if parts.is_empty() {
        "none".into()
    } else {
        parts.join(",\n").replace(' ', STICKY_TEXT).replace('\n', " ")
    }
}

const STICKY_TEXT: &str = "\u{a0}";

/// Returns a figure with a comma between thousands.
pub(super) fn number(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a rate for people"
)]
pub(super) fn rounded(count: u64, seconds: f64) -> u64 {
    (count as f64 / seconds).round() as u64
}
