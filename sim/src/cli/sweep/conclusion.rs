//! The end of a sweep: its summary and its exit code.

use serde_json::json;
use stormproof_faults::FaultKind;

use super::Arguments;
use super::examples::Example;
use crate::cli::output::{document, reproduce, violations};
use crate::cli::{Done, Exit};
use crate::finding::Identity;
use crate::marks;
use crate::options::{Faults, Options};
use crate::plan::fault_kinds;
use crate::report::campaign;
use crate::runner::SeedRunner;
use crate::stats::{Count, Hits};
use crate::sweep::CampaignResult;

/// Prints the result of a campaign and decides how the process ends.
pub(super) fn conclude(
    arguments: &Arguments,
    runner: &SeedRunner,
    result: &CampaignResult,
    examples: &[Example],
) -> Done {
    let example = |identity: &Identity| examples.iter().find(|example| example.identity == *identity);
    let files = examples.iter().map(|example| (example.seed, example.trace.clone())).collect();
    let shown = campaign(result, &runner.options().to_flags(), &files).into();
    arguments.rendering.write(&shown, arguments.rendering.format()?)?;
    let hollow = hollow(result, runner.options());
    let never_fired = never_fired(result, runner.options());
    if arguments.json {
        let groups: Vec<_> = result
            .groups
            .iter()
            .map(|(identity, group)| {
                let seed = group.seeds.first().copied().unwrap_or_default();
                let example = example(identity);
                let shrunk = example.and_then(|example| example.shrunk.as_ref());
                json!({
                    "invariant": identity.invariant,
                    "class": identity.class,
                    "contract": group.example.contract,
                    "count": group.count,
                    "seeds": group.seeds,
                    "example": group.example,
                    "workload": group.workload,
                    "reproduce": reproduce(seed, runner.options()),
                    "trace_file": example.map(|example| &example.trace),
                    "shrunk_file": shrunk.map(|(path, _)| path),
                    "shrunk": shrunk.map(|(_, size)| size),
                })
            })
            .collect();
        document(&json!({
            "verdict": if result.failing > 0 { "violated" } else { "held" },
            "seeds": result.seeds,
            "failing_seeds": result.failing,
            "failures": groups,
            "failed_runs": result.failed,
            "failed_runs_count": result.failed_count,
            "interleavings": result.interleavings(),
            "tally": result.stats,
            "marks_never_reached": unseen(result),
            "faults_never_fired": never_fired,
            "hollow": hollow,
            "end": result.end,
        }))?;
    } else {
        print!("{}", text(result, &never_fired));
        for (identity, group) in &result.groups {
            let seed = group.seeds.first().copied().unwrap_or_default();
            println!("\n{} of {} seeds: {identity}", group.count, result.seeds);
            print!("{}", violations(std::slice::from_ref(&group.example), None));
            println!("reproduce: {}", reproduce(seed, runner.options()));
            if let Some(example) = example(identity) {
                let path = example.trace.display();
                println!("trace:     {path} (stormproof shrink {path})");
                println!(
                    "page:      {} (open it in a browser)",
                    example.trace.with_extension("html").display()
                );
                if let Some((path, size)) = &example.shrunk {
                    println!("shrunk:    {} ({size})", path.display());
                }
            }
        }
        for failed in result.failed.iter().take(5) {
            println!("\nseed {}: no verdict: {}", failed.seed, failed.why);
            println!("reproduce: {} --twice", reproduce(failed.seed, runner.options()));
        }
        if let Some(why) = &hollow {
            println!("\nthis campaign proves nothing: {why}");
        }
    }
    Ok(if result.failed_count > 0 || hollow.is_some() {
        Exit::Failed
    } else if result.failing > 0 {
        Exit::Violated
    } else {
        Exit::Held
    })
}

/// Why a campaign proves nothing, if too little happened in it.
fn hollow(result: &CampaignResult, options: &Options) -> Option<String> {
    let stats = &result.stats;
    if result.seeds == 0 {
        return Some("no seed was run".into());
    }
    if stats.get(Count::Commits) == 0 {
        return Some("not one transaction committed".into());
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

/// The kinds of faults that could have happened, and never did.
fn never_fired(result: &CampaignResult, options: &Options) -> Vec<&'static str> {
    if options.faults != Faults::All {
        return Vec::new();
    }
    let names = fault_kinds().map(FaultKind::name);
    names.filter(|name| !result.stats.faults.contains_key(*name)).collect()
}

fn text(result: &CampaignResult, never_fired: &[&str]) -> String {
    let stats = &result.stats;
    let (seconds, jobs, rss) =
        result.end.as_ref().map_or((0.0, 1, 0), |end| (end.seconds, end.jobs, end.rss_kib_max));
    let rate = |count: u64| if seconds > 0.0 { rounded(count, seconds) } else { 0 };
    let mut text = String::new();
    let mut line = |name: &str, value: String| text += &format!("{name:<22} {value}\n");
    let verdict =
        if result.failing == 0 { "held".to_owned() } else { format!("{} VIOLATED", result.failing) };
    line("seeds", format!("{} in {seconds:.1} s on {jobs} workers: {verdict}", result.seeds));
    line(
        "speed",
        format!("{} seeds/s, {} transactions/s", rate(result.seeds), rate(stats.get(Count::Transactions))),
    );
    line(
        "transactions",
        format!(
            "{}: {} commits, {} aborts, {} unanswered, {} cut off",
            stats.get(Count::Transactions),
            stats.get(Count::Commits),
            stats.get(Count::Aborts),
            stats.get(Count::Unanswered),
            stats.get(Count::CutOff)
        ),
    );
    line("conflicts", join(stats.conflicts.iter().map(|(kind, count)| format!("{kind} {count}"))));
    line("crashes", format!("{} ({})", stats.get(Count::Crashes), hits(&stats.crashes)));
    line("recoveries", stats.get(Count::Recoveries).to_string());
    line("interleavings", format!("{} distinct, {} steps", result.interleavings(), stats.get(Count::Steps)));
    line("faults", hits(&stats.faults));
    if !never_fired.is_empty() {
        line("faults never fired", never_fired.join(", "));
    }
    line("workloads", join(stats.workloads.iter().map(|(name, share)| format!("{name} {}", share.seeds))));
    line("marks", hits(&stats.marks));
    let unseen = unseen(result);
    line("marks never reached", if unseen.is_empty() { "none".into() } else { unseen.join(", ") });
    if !stats.sightings.is_empty() {
        line("allowed and seen", hits(&stats.sightings));
    }
    line(
        "run twice",
        format!("{} seeds, {} without a verdict", stats.get(Count::Compared), result.failed_count),
    );
    line("memory", format!("{} MiB in the largest worker", rss >> 10));
    if result.end.as_ref().is_some_and(|end| end.interrupted) {
        line("interrupted", "this is what was found until then".into());
    }
    text
}

pub(super) fn unseen(result: &CampaignResult) -> Vec<&'static str> {
    marks::ALL.iter().copied().filter(|name| !result.stats.marks.contains_key(*name)).collect()
}

fn hits(hits: &std::collections::BTreeMap<String, Hits>) -> String {
    join(hits.iter().map(|(name, hits)| format!("{name} {}", hits.hits)))
}

fn join(parts: impl Iterator<Item = String>) -> String {
    let all: Vec<String> = parts.collect();
    if all.is_empty() { "none".into() } else { all.join(", ") }
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
