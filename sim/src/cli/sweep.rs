//! `stormproof sweep`: many seeds on all cores.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use stormproof_env::{Entropy, OsEntropy};
use stormproof_faults::FaultKind;
use stormproof_rt::sync::Arc;
use stormproof_rt::sync::atomic::{AtomicBool, Ordering};
use stormproof_rt::time;

use super::output::{document, reproduce, violations, write_trace};
use super::rendering::{Rendering, page_beside};
use super::{Done, Exit, Failure};
use crate::finding::Identity;
use crate::marks;
use crate::options::{Faults, Options};
use crate::plan::{PlanSize, fault_kinds};
use crate::registry::Registry;
use crate::report::{Origin, campaign, report};
use crate::seed::Seed;
use crate::session::Session;
use crate::shrink::{Budget, shrink};
use crate::sweep::{Expected, Found, SeedRange, SeedSource, Shard, Sweep, sweep, worker};
use crate::tally::Hits;
use crate::trace::Trace;

#[derive(clap::Args, Debug, Default)]
pub(super) struct Arguments {
    /// These seeds, the last one excluded, as in 0..10000 [default: fresh ones]
    #[arg(long, value_name = "A..B")]
    seeds: Option<SeedRange>,
    /// For so long, as in 30s or 5m [default: 10s if no seeds are given]
    #[arg(long = "for", value_name = "TIME", value_parser = duration)]
    time_limit: Option<Duration>,
    /// Worker processes at a time [default: one per core]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    jobs: Option<usize>,
    /// Only part I of N parts of the seeds, I from 0
    #[arg(long, value_name = "I/N")]
    shard: Option<Shard>,
    #[command(flatten)]
    options: Options,
    /// Stop at the first violation
    #[arg(long)]
    fail_fast: bool,
    /// Run every seed twice and compare, instead of one in a hundred
    #[arg(long)]
    twice: bool,
    /// Compare with what an earlier sweep wrote with --out: the same seeds must have the same digests
    #[arg(long, value_name = "FILE")]
    against: Option<PathBuf>,
    /// Leave failures as large as they are
    #[arg(long)]
    no_shrink: bool,
    /// Write results as JSON lines, which `stormproof report` merges
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    rendering: Rendering,
    /// Where trace files of failures go, each with a page that shows it
    #[arg(long, value_name = "FOLDER", default_value = "failures")]
    failures: Option<PathBuf>,
    /// Print one JSON document on standard output and nothing else
    #[arg(long)]
    json: bool,
    /// Renew a worker after so many seeds
    #[arg(long, value_name = "N", default_value_t = RENEW_AFTER, hide = true)]
    renew_after: u64,
}

#[derive(clap::Args, Debug)]
pub(super) struct WorkerArguments {
    /// The options, as JSON
    options: String,
    /// Run every seed twice
    #[arg(long)]
    twice: bool,
}

const RENEW_AFTER: u64 = 20_000;

/// A worker that takes more is renewed.
const RSS_KIB_MAX: u64 = 512 << 10;

/// A seed that takes longer is stuck.
const PATIENCE: Duration = Duration::from_secs(120);

/// One trace per kind of failure, for so many kinds.
const TRACES_MAX: usize = 10;

/// What shrinking one of them may cost, and all of them together.
const SHRINK_RUNS: u64 = 600;
const SHRINK_EACH: Duration = Duration::from_secs(5);
const SHRINK_ALL: Duration = Duration::from_secs(20);

/// Serves as a worker.
pub(super) fn work(arguments: WorkerArguments, registry: Registry) -> Done {
    let options: Options = serde_json::from_str(&arguments.options).map_err(Failure::usage)?;
    let session = Session::new(registry, options)?;
    worker::serve(io::stdin().lock(), io::stdout().lock(), |seed| {
        session.seed_line(Seed(seed), arguments.twice)
    })
    .map_err(Failure::own)?;
    Ok(Exit::Held)
}

pub(super) fn execute(arguments: Arguments, registry: Registry) -> Done {
    let session = Session::new(registry, arguments.options.clone())?;
    // A wrong name is told now, and not when the sweep is over.
    arguments.rendering.format()?;
    let shard = arguments.shard.unwrap_or(Shard::WHOLE);
    let seeds = match arguments.seeds {
        Some(range) => SeedSource::range(range, shard),
        None => SeedSource::from(OsEntropy.next_u64() >> 24, shard),
    };
    let time_limit = match (arguments.time_limit, arguments.seeds) {
        (None, None) => Some(Duration::from_secs(10)),
        (limit, _) => limit,
    };
    let total = seeds.total();
    let out = match &arguments.out {
        None => None,
        Some(path) => {
            let file = File::create(path).map_err(|error| {
                Failure::usage(format!(
                    "{} can't be written: {error}: name a file in a folder that is there",
                    path.display()
                ))
            })?;
            Some(Box::new(BufWriter::new(file)) as Box<dyn Write + Send>)
        }
    };
    let against = match &arguments.against {
        None => Expected::default(),
        Some(path) => {
            File::open(path).and_then(|file| Expected::read(BufReader::new(file))).map_err(|error| {
                Failure::usage(format!("{}: {error}: give a file of `sweep --out`", path.display()))
            })?
        }
    };
    let stop = Arc::new(AtomicBool::new("sweep.stop", false));
    let interrupted = Arc::new(AtomicBool::new("sweep.interrupted", false));
    let on_interrupt = [Arc::clone(&stop), Arc::clone(&interrupted)];
    // Where signals can't be caught, Ctrl-C ends the process the hard way.
    let _ = ctrlc::set_handler(move || {
        on_interrupt.iter().for_each(|flag| flag.store(true, Ordering::SeqCst));
    });
    let jobs = arguments.jobs.unwrap_or_else(cores);
    let plan = Sweep {
        worker: worker_command(session.options(), arguments.twice)?,
        seeds,
        time_limit,
        jobs,
        fail_fast: arguments.fail_fast,
        renew_after: if arguments.renew_after == 0 { RENEW_AFTER } else { arguments.renew_after },
        rss_kib_max: RSS_KIB_MAX,
        patience: PATIENCE,
        stop,
        against,
        command: std::env::args().collect::<Vec<_>>().join(" "),
        shard: if shard == Shard::WHOLE { String::new() } else { shard.to_string() },
    };
    let bar = progress_bar(total, time_limit)?;
    let found =
        sweep(plan, out, |found, elapsed| watch(&bar, found, elapsed, total.is_some())).map_err(|error| {
            Failure::own(format!(
                "the sweep could not go on: {error}: check that worker processes can be started"
            ))
        })?;
    bar.finish_and_clear();
    let failures = examples(&arguments, &session, &found, &interrupted)?;
    conclude(&arguments, &session, &found, &failures)
}

/// The example of one kind of failure.
struct Example {
    seed: u64,
    identity: Identity,
    trace: PathBuf,
    shrunk: Option<(PathBuf, PlanSize)>,
}

/// Runs an example of each kind of failure again, writes its trace, and shrinks it.
fn examples(
    arguments: &Arguments,
    session: &Session,
    found: &Found,
    interrupted: &AtomicBool,
) -> Result<Vec<Example>, Failure> {
    let folder = arguments.failures.clone().unwrap_or_else(|| PathBuf::from("failures"));
    let begun = time::now();
    let mut examples: Vec<Example> = Vec::new();
    for (identity, group) in found.groups.iter().take(TRACES_MAX) {
        let Some(&seed) = group.seeds.first() else { continue };
        let (plan, _) = session.plan(Seed(seed));
        let command = reproduce(seed, session.options());
        // Where it failed in a worker and holds here, there is no trace; that seeds differ is said elsewhere.
        let Ok((mut run, watched)) = session.run_watched(&plan) else { continue };
        if !run.findings().iter().any(|finding| finding.identity() == *identity) {
            continue;
        }
        run.verdict.findings.sort_by_key(|finding| finding.identity() != *identity);
        let trace = write_trace(&folder, &plan, &run, &command)?;
        let origin = Origin { reproduce: &command, trace_file: Some(&trace) };
        page_beside(&trace, &report(&plan, &run, &watched, origin).into())?;
        let started = time::now();
        let left = SHRINK_ALL.saturating_sub(started.saturating_since(begun)).min(SHRINK_EACH);
        let mut go_on = |_: &PlanSize, _: u64| {
            !interrupted.load(Ordering::SeqCst) && time::now().saturating_since(started) < left
        };
        let budget = Budget { runs: SHRINK_RUNS, ..Budget::default() };
        let shrunk = if arguments.no_shrink {
            None
        } else {
            shrink(&plan, &run, session.registry(), budget, &mut go_on)
        };
        let shrunk = match shrunk {
            None => None,
            Some(shrunk) => {
                let path = shrunk_path(&trace, identity, &examples);
                Trace::shrunk(&shrunk.plan, &shrunk.run, &shrunk.finding, &command)
                    .write(&path)
                    .map_err(Failure::own)?;
                Some((path, shrunk.after))
            }
        };
        examples.push(Example { seed, identity: identity.clone(), trace, shrunk });
    }
    Ok(examples)
}

/// Where the shrunk trace of a kind goes: one run can fail in several ways, and each becomes small in its own.
fn shrunk_path(trace: &Path, identity: &Identity, examples: &[Example]) -> PathBuf {
    let path = trace.with_extension("min.trace");
    let taken = |example: &Example| example.shrunk.as_ref().is_some_and(|(other, _)| *other == path);
    if !examples.iter().any(taken) {
        return path;
    }
    let class: String =
        identity.class.chars().map(|letter| if letter.is_alphanumeric() { letter } else { '-' }).collect();
    trace.with_extension(format!("{class}.min.trace"))
}

/// Prints what was found, and decides how it ends.
fn conclude(arguments: &Arguments, session: &Session, found: &Found, examples: &[Example]) -> Done {
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

fn unseen(found: &Found) -> Vec<&'static str> {
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
fn rounded(count: u64, seconds: f64) -> u64 {
    (count as f64 / seconds).round() as u64
}

fn progress_bar(total: Option<u64>, time_limit: Option<Duration>) -> Result<ProgressBar, Failure> {
    if !io::stderr().is_terminal() {
        return Ok(ProgressBar::hidden());
    }
    let length = total.or(time_limit.map(|limit| u64::try_from(limit.as_millis()).unwrap_or(u64::MAX)));
    let bar = length.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
    let style = ProgressStyle::with_template("{bar:30} {percent:>3} %  {msg}").map_err(Failure::own)?;
    bar.set_style(style);
    Ok(bar)
}

fn watch(bar: &ProgressBar, found: &Found, elapsed: Duration, by_seeds: bool) {
    let millis = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
    bar.set_position(if by_seeds { found.seeds } else { millis });
    let rate = rounded(found.seeds, elapsed.as_secs_f64().max(0.001));
    bar.set_message(format!(
        "{} seeds, {rate}/s, {} violations, {} marks unseen",
        found.seeds,
        found.failing,
        unseen(found).len()
    ));
}

fn worker_command(options: &Options, twice: bool) -> Result<Vec<String>, Failure> {
    let binary = std::env::current_exe()
        .map_err(|error| Failure::own(format!("this binary can't find itself to start workers: {error}")))?;
    let options = serde_json::to_string(options).map_err(Failure::own)?;
    let mut command = vec![binary.to_string_lossy().into_owned(), "__worker".into(), options];
    command.extend(twice.then(|| "--twice".to_owned()));
    Ok(command)
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get)
}

/// A number of workers.
fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err(format!("`{text}` is no number of workers: write 1 or more")),
    }
}

/// A time as users write it: a number with `ms`, `s`, `m` or `h` behind it.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is no time: write a number and ms, s, m or h, as in 30s or 5m");
    let split = text.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(wrong)?;
    let (number, unit) = text.split_at(split);
    let number: f64 = number.parse().map_err(|_| wrong())?;
    let seconds = match unit {
        "ms" => number / 1000.0,
        "s" => number,
        "m" => number * 60.0,
        "h" => number * 3600.0,
        _ => return Err(wrong()),
    };
    Duration::try_from_secs_f64(seconds).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::duration;

    #[test]
    fn times_are_read_as_people_write_them() {
        assert_eq!(duration("30s"), Ok(Duration::from_secs(30)));
        assert_eq!(duration("1.5m"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        for wrong in ["30", "s", "-5s", "5 days", ""] {
            assert!(duration(wrong).unwrap_err().contains("30s"), "{wrong}");
        }
    }
}
