//! The end of a sweep: its summary and its exit code.

use serde_json::json;
use stormproof_faults::FaultKind;

use super::Arguments;
use super::summary::{Lists, summary, verdict};
use crate::cli::output::{reproduce, violations};
use crate::cli::signals::Signals;
use crate::cli::terminal::{Paint, Terminal, wrap};
use crate::cli::{Done, Exit, Failure, JSON_FORMAT};
use crate::finding::Identity;
use crate::marks;
use crate::options::{Faults, Options};
use crate::plan::fault_kinds;
use crate::report::campaign;
use crate::runner::SeedRunner;
use crate::stats::Count;
use crate::surface;
use crate::sweep::message::Ended;
use crate::sweep::{CampaignResult, FailureGroup};

/// Kinds of failure that are printed in full, and runs without a verdict.
const KINDS_MAX: usize = 10;
const FAILED_MAX: usize = 5;

/// Prints the result of a campaign and decides how the process ends. `unwritten` are traces that could not be
/// written, `lost` is why results could not.
pub(super) fn conclude(
    arguments: &Arguments,
    runner: &SeedRunner,
    result: &CampaignResult,
    unwritten: Vec<String>,
    lost: Option<String>,
    signals: &Signals,
    terminal: &Terminal,
) -> Done {
    let mut doubts = doubts(result, runner.options());
    doubts.extend(lost.map(|why| format!("the results could not be written: {why}")));
    let lists = Lists {
        never_fired: never_fired(result, runner.options()),
        unseen: unseen(result),
        never_called: surface::never_called(&result.stats.calls),
    };
    if arguments.all_called {
        doubts.extend(not_all_called(&lists));
    }
    let exit = exit_of(result, &doubts);
    if arguments.json {
        terminal.document(&document(result, runner.options(), exit, &doubts, &lists))?;
    } else {
        let words = verdict(exit == Exit::Held, &verdict_words(result, exit), terminal);
        if terminal.is_quiet() {
            if exit != Exit::Held {
                terminal.print(&format!("{} seeds: {words}\n", result.seeds));
            }
        } else {
            terminal.begin_group("stormproof sweep");
            terminal.print(&summary(result, &lists, &words, terminal));
            terminal.end_group();
        }
        print_failures(result, runner.options(), terminal);
        for doubt in &doubts {
            let text =
                format!("{} {doubt}", terminal.paint(Paint::Doubtful, "this campaign proves nothing:"));
            terminal.print(&format!("\n{}\n", wrap(&text, terminal.width(), 2)));
        }
    }
    // After the findings: a file that can't be written must not hide a violation.
    for why in &unwritten {
        terminal.warn(&format!("error: {why}"));
    }
    let shown = campaign(result, &doubts).into();
    let written =
        arguments.rendering.check_campaign().and_then(|format| arguments.rendering.write(&shown, format));
    if let Err(Failure { message, exit: failed }) = written {
        terminal.warn(&format!("error: {message}"));
        return Ok(signals.exit(if exit == Exit::Held { failed } else { exit }));
    }
    Ok(signals.exit(exit))
}

/// Returns the exit of a campaign: a violation takes precedence over everything else.
fn exit_of(result: &CampaignResult, doubts: &[String]) -> Exit {
    match () {
        () if result.failing > 0 => Exit::Violated,
        () if result.failed_count > 0 || !doubts.is_empty() => Exit::Failed,
        () => Exit::Held,
    }
}

fn verdict_words(result: &CampaignResult, exit: Exit) -> String {
    match exit {
        Exit::Violated => format!("{} VIOLATED", result.failing),
        Exit::Held => "held".to_owned(),
        _ if result.failed_count > 0 => format!("{} WITHOUT A VERDICT", result.failed_count),
        _ => "PROVES NOTHING".to_owned(),
    }
}

fn print_failures(result: &CampaignResult, options: &Options, terminal: &Terminal) {
    for (identity, group) in result.groups.iter().take(KINDS_MAX) {
        print_kind(result, identity, group, options, terminal);
    }
    let more = result.groups.len().saturating_sub(KINDS_MAX);
    if more > 0 {
        terminal.print(&format!("\n{more} more kinds of failure: --json lists all of them\n"));
    }
    for failed in result.failed.iter().take(FAILED_MAX) {
        let title = format!("seed {}: no verdict: ", failed.seed);
        terminal.print(&format!("\n{}\n", wrap(&format!("{title}{}", failed.why), terminal.width(), 2)));
        terminal.print(&format!("reproduce: {} --twice\n", reproduce(failed.seed, options)));
        terminal.annotate("stormproof: no verdict", &format!("seed {}: {}", failed.seed, failed.why));
    }
    let more = result.failed_count.saturating_sub(FAILED_MAX as u64);
    if more > 0 {
        terminal.print(&format!("\n{more} more runs without a verdict: --json lists some of them\n"));
    }
}

fn print_kind(
    result: &CampaignResult,
    identity: &Identity,
    group: &FailureGroup,
    options: &Options,
    terminal: &Terminal,
) {
    let Some(first) = group.first() else { return };
    let command = reproduce(first.seed, options);
    let title = format!("{} of {} seeds: {identity}", group.count, result.seeds);
    terminal.print(&format!("\n{}\n", terminal.paint(Paint::Bad, &title)));
    terminal.print(&violations(std::slice::from_ref(&first.finding), None, terminal));
    terminal.print(&format!("reproduce: {command}\n"));
    if let Some(example) = result.example(identity) {
        let path = example.trace.display();
        terminal.print(&format!("trace:     {path} (stormproof shrink {path})\n"));
        let page = example.trace.with_extension("html");
        terminal.print(&format!("page:      {} (open it in a browser)\n", page.display()));
        if let (Some(path), Some(operations)) = (&example.shrunk, example.operations) {
            let plural = if operations == 1 { "operation" } else { "operations" };
            terminal.print(&format!("shrunk:    {} ({operations} {plural})\n", path.display()));
        }
    }
    let message = format!("seed {}: {}\nreproduce: {command}", first.seed, first.finding.message);
    terminal.annotate(&format!("stormproof: {identity}"), &message);
}

fn document(
    result: &CampaignResult,
    options: &Options,
    exit: Exit,
    doubts: &[String],
    lists: &Lists,
) -> serde_json::Value {
    let groups: Vec<_> = result
        .groups
        .iter()
        .filter_map(|(identity, group)| {
            let first = group.first()?;
            let example = result.example(identity);
            let seeds: Vec<u64> = group.examples.iter().map(|failed| failed.seed).collect();
            Some(json!({
                "invariant": identity.invariant,
                "class": identity.class,
                "contract": first.finding.contract,
                "count": group.count,
                "seeds": seeds,
                "example": first.finding,
                "workload": first.workload,
                "reproduce": reproduce(first.seed, options),
                "trace_file": example.map(|example| &example.trace),
                "shrunk_file": example.and_then(|example| example.shrunk.as_ref()),
                "shrunk_operations": example.and_then(|example| example.operations),
                "shape": example.map(|example| &example.shape),
            }))
        })
        .collect();
    json!({
        "format": JSON_FORMAT,
        "kind": "sweep",
        "verdict": exit.word(),
        "seeds": result.seeds,
        "failing_seeds": result.failing,
        "failures": groups,
        "failed_runs": result.failed,
        "failed_runs_count": result.failed_count,
        "interleavings": result.interleavings(),
        "stats": result.stats,
        "marks_never_reached": lists.unseen,
        "faults_never_fired": lists.never_fired,
        "never_called": lists.never_called,
        "never_paired": surface::never_paired(&result.stats.pairs),
        "proves_nothing": doubts,
        "canary": result.canary,
        "start": result.start,
        "end": result.end,
    })
}

/// Returns why a campaign proves nothing, if too little happened in it, or too little of it is there.
pub(in crate::cli) fn doubts(result: &CampaignResult, options: &Options) -> Vec<String> {
    let mut doubts = Vec::new();
    if let Some(canary) = result.canary.as_ref().filter(|canary| !canary.found) {
        doubts.push(format!(
            "its canary, the deliberate bug {}, was not found in {} seeds: nothing else would be either",
            canary.mutant, canary.seeds
        ));
    }
    doubts.extend(hollow(result, options));
    doubts
}

/// Returns why too little happened.
fn hollow(result: &CampaignResult, options: &Options) -> Option<String> {
    let stats = &result.stats;
    let was_interrupted = result.end.as_ref().is_some_and(|end| end.ended == Ended::Interrupted);
    if was_interrupted {
        return None;
    }
    if result.seeds == 0 {
        return Some("no seed was run".into());
    }
    if stats.get(Count::ClientCommits) == 0 {
        return Some("no client committed a single transaction".into());
    }
    // Fewer seeds than this may lack crashes by chance.
    if result.seeds < 50 {
        return None;
    }
    if options.faults != Faults::None && stats.get(Count::Recoveries) == 0 {
        return Some("nothing ever crashed and recovered".into());
    }
    if result.interleavings() < result.seeds / 10 {
        return Some(format!(
            "only {} of {} interleavings were distinct",
            result.interleavings(),
            result.seeds
        ));
    }
    None
}

/// Why a campaign that was to call everything proves nothing.
fn not_all_called(lists: &Lists) -> Option<String> {
    let never = &lists.never_called;
    let first: Vec<&str> = never.iter().take(12).map(String::as_str).collect();
    let more = never.len().saturating_sub(first.len());
    let more = if more > 0 { format!(", and {more} more") } else { String::new() };
    (!never.is_empty())
        .then(|| format!("these public functions or outcomes never came: {}{more}", first.join(", ")))
}

/// Returns the kinds of faults that could have happened, and never did.
fn never_fired(result: &CampaignResult, options: &Options) -> Vec<&'static str> {
    if options.faults != Faults::All {
        return Vec::new();
    }
    let names = fault_kinds().map(FaultKind::name);
    names.filter(|name| !result.stats.faults.contains_key(*name)).collect()
}

/// Returns the marks that were never reached.
pub(super) fn unseen(result: &CampaignResult) -> Vec<&'static str> {
    marks::ALL.iter().copied().filter(|name| !result.stats.marks.contains_key(*name)).collect()
}
