//! What a sweep prints at its end, and the exit code that follows from it.

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
use crate::session::Session;
use crate::sweep::Found;
use crate::tally::Hits;

/// Prints what was found, and decides how it ends.
pub(super) fn conclude(
    arguments: &Arguments,
    session: &Session,
    found: &Found,
    examples: &[Example],
) -> Done {
    let example = |identity: &Identity| examples.iter().find(|example| example.identity == *identity);
    let files = examples.iter().map(|example| (example.seed, example.trace.clone())).collect();
    let shown = campaign(found, &session.options().to_flags(), &files).into();
    arguments.rendering.write(&shown, arguments.rendering.format()?)?;
    let hollow = hollow(found, session.options());
    let never_fired = never_fired(found, session.options());
    if arguments.json {
        let groups: Vec<_> = found
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
                    "reproduce": reproduce(seed, session.options()),
                    "trace_file": example.map(|example| &example.trace),
                    "shrunk_file": shrunk.map(|(path, _)| path),
                    "shrunk": shrunk.map(|(_, size)| size),
                })
            })
            .collect();
        document(&json!({
            "verdict": if found.failing > 0 { "violated" } else { "held" },
            "seeds": found.seeds,
            "failing_seeds": found.failing,
            "failures": groups,
            "failed_runs": found.failed,
            "failed_runs_count": found.failed_count,
            "interleavings": found.interleavings(),
            "tally": found.tally,
            "marks_never_reached": unseen(found),
            "faults_never_fired": never_fired,
            "hollow": hollow,
            "end": found.end,
        }))?;
    } else {
        print!("{}", text(found, &never_fired));
        for (identity, group) in &found.groups {
            let seed = group.seeds.first().copied().unwrap_or_default();
            println!("\n{} of {} seeds: {identity}", group.count, found.seeds);
            print!("{}", violations(std::slice::from_ref(&group.example), None));
            println!("reproduce: {}", reproduce(seed, session.options()));
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
        for failed in found.failed.iter().take(5) {
            println!("\nseed {}: no verdict: {}", failed.seed, failed.why);
            println!("reproduce: {} --twice", reproduce(failed.seed, session.options()));
        }
        if let Some(why) = &hollow {
            println!("\nthis campaign proves nothing: {why}");
        }
    }
    Ok(if found.failed_count > 0 || hollow.is_some() {
        Exit::Failed
    } else if found.failing > 0 {
        Exit::Violated
    } else {
        Exit::Held
    })
}

/// Why a campaign proves nothing, if it does not: too little happened in it.
fn hollow(found: &Found, options: &Options) -> Option<String> {
    let tally = &found.tally;
    if found.seeds == 0 {
        return Some("no seed was run".into());
    }
    if tally.get("commits") == 0 {
        return Some("not one transaction committed".into());
    }
    // Too few seeds to expect anything rare of them.
    if found.seeds < 50 {
        return None;
    }
    if options.faults != Faults::None && tally.get("recoveries") == 0 {
        return Some("nothing ever crashed and recovered".into());
    }
    if found.interleavings() < found.seeds / 10 {
        return Some(format!(
            "only {} of {} interleavings were distinct",
            found.interleavings(),
            found.seeds
        ));
    }
    None
}

/// The kinds of faults that could have happened, and never did.
fn never_fired(found: &Found, options: &Options) -> Vec<&'static str> {
    if options.faults != Faults::All {
        return Vec::new();
    }
    let names = fault_kinds().map(FaultKind::name);
    names.filter(|name| !found.tally.faults.contains_key(*name)).collect()
}

fn text(found: &Found, never_fired: &[&str]) -> String {
    let tally = &found.tally;
    let (seconds, jobs, rss) =
        found.end.as_ref().map_or((0.0, 1, 0), |end| (end.seconds, end.jobs, end.rss_kib_max));
    let rate = |count: u64| if seconds > 0.0 { rounded(count, seconds) } else { 0 };
    let mut text = String::new();
    let mut line = |name: &str, value: String| text += &format!("{name:<22} {value}\n");
    let verdict = if found.failing == 0 { "held".to_owned() } else { format!("{} VIOLATED", found.failing) };
    line("seeds", format!("{} in {seconds:.1} s on {jobs} workers: {verdict}", found.seeds));
    line(
        "speed",
        format!("{} seeds/s, {} transactions/s", rate(found.seeds), rate(tally.get("transactions"))),
    );
    line(
        "transactions",
        format!(
            "{}: {} commits, {} aborts, {} unanswered, {} cut off",
            tally.get("transactions"),
            tally.get("commits"),
            tally.get("aborts"),
            tally.get("unanswered"),
            tally.get("cut off")
        ),
    );
    line("conflicts", join(tally.conflicts.iter().map(|(kind, count)| format!("{kind} {count}"))));
    line("crashes", format!("{} ({})", tally.get("crashes"), hits(&tally.crashes)));
    line("recoveries", tally.get("recoveries").to_string());
    line("interleavings", format!("{} distinct, {} steps", found.interleavings(), tally.get("steps")));
    line("faults", hits(&tally.faults));
    if !never_fired.is_empty() {
        line("faults never fired", never_fired.join(", "));
    }
    line("workloads", join(tally.workloads.iter().map(|(name, share)| format!("{name} {}", share.seeds))));
    line("marks", hits(&tally.marks));
    let unseen = unseen(found);
    line("marks never reached", if unseen.is_empty() { "none".into() } else { unseen.join(", ") });
    if !tally.sightings.is_empty() {
        line("allowed and seen", hits(&tally.sightings));
    }
    line("run twice", format!("{} seeds, {} without a verdict", tally.get("compared"), found.failed_count));
    line("memory", format!("{} MiB in the largest worker", rss >> 10));
    if found.end.as_ref().is_some_and(|end| end.interrupted) {
        line("interrupted", "this is what was found until then".into());
    }
    text
}

pub(super) fn unseen(found: &Found) -> Vec<&'static str> {
    marks::ALL.iter().copied().filter(|name| !found.tally.marks.contains_key(*name)).collect()
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
