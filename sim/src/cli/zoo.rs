//! `stormproof zoo`: are deliberate bugs found?

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use stormproof_rt::time;
use stormproof_rt_shuttle::mutants::Mutant;

use super::guided;
use super::rendering::Rendering;
use super::signals::Signals;
use super::terminal::{Terminal, out, outln};
use super::{Done, Exit, Failure, JSON_FORMAT};
use crate::options::Options;
use crate::plan::{PlanSize, StrategyPlan};
use crate::registry::Registry;
use crate::report;
use crate::run::Keep;
use crate::runner::SeedRunner;
use crate::seed::Seed;
use crate::shrink::{Budget, Shrunk};
use crate::trace::Trace;
use crate::zoo::power::{Power, Row};
use crate::zoo::{MutantReport, Search, median_size, search_for};

/// Three times what the rarest bug has taken, in the median.
const BUDGET: u64 = 60_000;

#[derive(clap::Args, Debug)]
pub(super) struct Arguments {
    /// Only these mutants, and what else may be drawn
    #[command(flatten)]
    options: Options,
    /// Searches per mutant, each from another first seed
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..))]
    trials: u64,
    /// Seeds per search; it ends with the first that fails, and the rarest bugs have taken 17,000
    #[arg(long, value_name = "N", default_value_t = BUDGET, value_parser = clap::value_parser!(u64).range(1..))]
    budget: u64,
    /// Time limit per search, and per shrinking, as in 30s or 5m
    #[arg(long = "for", value_name = "TIME", value_parser = super::duration::duration)]
    time_limit: Option<Duration>,
    /// The first seed
    #[arg(long, value_name = "SEED", default_value = "1")]
    first: Seed,
    /// Seeds that the engine without mutants must hold [default: --budget, at most 1,000]
    #[arg(long, value_name = "N")]
    healthy: Option<u64>,
    /// Do not shrink the first failure of each mutant
    #[arg(long)]
    no_shrink: bool,
    /// Write the shrunk trace of each mutant into this folder
    #[arg(long, value_name = "DIR", conflicts_with = "no_shrink")]
    traces: Option<PathBuf>,
    /// Append each mutant's result to this file as a JSON line, and skip mutants that it has: a zoo can be
    /// stopped and continued, or be run mutant by mutant
    #[arg(long, value_name = "FILE", conflicts_with = "by_strategy")]
    out: Option<PathBuf>,
    /// Search each mutant with each strategy alone, and say which weights of strategies find all of them
    /// soonest
    #[arg(long)]
    by_strategy: bool,
    /// Search each mutant blind and guided, from the same starts, and compare the processor time
    #[arg(long, conflicts_with_all = ["by_strategy", "traces", "out"])]
    compare_guided: bool,
    /// Print one JSON document on standard output and nothing else
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    rendering: Rendering,
}

pub(super) fn execute(arguments: Arguments, registry: Registry, terminal: &Terminal) -> Done {
    let wanted = |mutant: &&Mutant| {
        let names = &arguments.options.mutant;
        mutant.is_bug() && (names.is_empty() || names.iter().any(|name| name == mutant.name()))
    };
    let mutants: Vec<Mutant> = Mutant::ALL.iter().filter(wanted).copied().collect();
    // Checks all names; the search itself takes the mutants out of the options.
    SeedRunner::new(registry.clone(), arguments.options.clone())?;
    let plan = Search {
        options: Options { mutant: Vec::new(), ..arguments.options.clone() },
        trials: arguments.trials,
        budget: arguments.budget,
        time_limit: arguments.time_limit,
        first: arguments.first.0,
        shrink: (!arguments.no_shrink && !arguments.by_strategy).then(Budget::default),
        stop: None,
    };
    if arguments.compare_guided {
        guided::compare(&mutants, &plan, arguments.json, &registry, terminal)
    } else if arguments.by_strategy {
        compare_strategies(&arguments, &mutants, &plan, &registry, terminal)
    } else {
        run_zoo(&arguments, &mutants, &plan, &registry, terminal)
    }
}

/// Searches for every mutant, then runs the engine without any.
fn run_zoo(
    arguments: &Arguments,
    mutants: &[Mutant],
    plan: &Search,
    registry: &Registry,
    terminal: &Terminal,
) -> Done {
    let format = arguments.rendering.check_campaign()?;
    let begun = time::now();
    let signals = Signals::listen();
    let plan = Search { stop: Some(signals.flag()), ..plan.clone() };
    let bar = bar(terminal, mutants.len() as u64 + 1)?;
    let known = arguments.out.as_deref().map_or_else(|| Ok(Vec::new()), |path| known(path, &plan))?;
    let mut reports = Vec::new();
    for &mutant in mutants {
        if signals.is_raised() {
            break;
        }
        bar.set_message(mutant.name());
        let report = match known.iter().find(|report| report.name == mutant.name()) {
            Some(report) => report.clone(),
            None => {
                let (report, shrunk) = search_for(mutant, &plan, registry)?;
                if let (Some(folder), Some(shrunk)) = (&arguments.traces, &shrunk) {
                    write_trace(folder, &report, shrunk)?;
                }
                bar.suspend(|| terminal.note(&line(&report)));
                if let Some(path) = &arguments.out {
                    keep(path, &report)?;
                }
                report
            }
        };
        reports.push(report);
        bar.inc(1);
    }
    bar.set_message("the engine without mutants");
    let healthy = arguments.healthy.unwrap_or(plan.budget.min(1_000));
    let runner = SeedRunner::new(registry.clone(), plan.options.clone())?;
    let failure = first_failure(&runner, plan.first, healthy, &signals);
    bar.finish_and_clear();
    let missed = reports.iter().filter(|report| !report.is_found()).count();
    let median = median_size(&reports);
    let seconds = time::now().saturating_since(begun).as_secs_f64();
    let command = terminal.command().to_owned();
    arguments.rendering.write(&report::zoo(&reports, &command, seconds).into(), format)?;
    if arguments.json {
        terminal.document(&json!({
            "format": JSON_FORMAT,
            "kind": "zoo",
            "mutants": reports,
            "missed": missed,
            "shrunk_median": median,
            "engine_fails_at": failure,
        }))?;
    } else {
        out!(terminal, "{}", table(&reports));
        outln!(terminal, "{} of {} found in every search", reports.len() - missed, reports.len());
        if let Some(median) = median {
            outln!(terminal, "shrunk, in the median: {}", size(&median));
        }
        if let Some((seed, what)) = &failure {
            outln!(terminal, "the engine without mutants fails at seed {seed}: {what}");
        }
    }
    if signals.is_raised() {
        terminal.note("interrupted: this is what was found until then");
        return Ok(signals.interrupted());
    }
    let sound = missed == 0 && failure.is_none();
    Ok(if sound { Exit::Held } else { Exit::Violated })
}

/// Reads the reports that an earlier zoo with the same trials and budget has kept.
fn known(path: &Path, plan: &Search) -> Result<Vec<MutantReport>, Failure> {
    let text = match std::fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        read => read.map_err(|error| unusable(path, &error))?,
    };
    let lines = text.lines().map(serde_json::from_str);
    let reports: Vec<MutantReport> =
        lines.collect::<Result<_, _>>().map_err(|error| unusable(path, &error))?;
    match reports.iter().find(|report| (report.trials, report.budget) != (plan.trials, plan.budget)) {
        None => Ok(reports),
        Some(other) => {
            let (trials, budget) = (other.trials, other.budget);
            Err(unusable(path, &format!("it has {} with --trials {trials} --budget {budget}", other.name)))
        }
    }
}

fn keep(path: &Path, report: &MutantReport) -> Result<(), Failure> {
    let mut line = serde_json::to_vec(report).map_err(Failure::own)?;
    line.push(b'\n');
    let file = OpenOptions::new().create(true).append(true).open(path);
    file.and_then(|mut file| file.write_all(&line)).map_err(|error| unusable(path, &error))
}

fn unusable(path: &Path, why: &dyn std::fmt::Display) -> Failure {
    let path = path.display();
    Failure::usage(format!(
        "{path}: {why}: name a file of a zoo with the same --trials and --budget, or a new one"
    ))
}

/// Searches for every mutant with every strategy alone.
fn compare_strategies(
    arguments: &Arguments,
    mutants: &[Mutant],
    plan: &Search,
    registry: &Registry,
    terminal: &Terminal,
) -> Done {
    let all: Vec<String> = StrategyPlan::weights().into_iter().map(|(_, name)| name.to_owned()).collect();
    let only = &arguments.options.strategy;
    let strategies: Vec<String> =
        all.into_iter().filter(|name| only.is_empty() || only.contains(name)).collect();
    let bar = bar(terminal, (mutants.len() * strategies.len()) as u64)?;
    let mut power = Power { strategies, rows: Vec::new() };
    for &mutant in mutants {
        let mut row = Row { mutant: mutant.name().to_owned(), by_strategy: Vec::new() };
        for strategy in &power.strategies {
            bar.set_message(format!("{mutant} with {strategy}"));
            let options = Options { strategy: vec![strategy.clone()], ..plan.options.clone() };
            let (report, _) = search_for(mutant, &Search { options, ..plan.clone() }, registry)?;
            row.by_strategy.push(report);
            bar.inc(1);
        }
        power.rows.push(row);
    }
    bar.finish_and_clear();
    let weights: Vec<(String, f64)> = power.strategies.iter().cloned().zip(power.weights()).collect();
    if arguments.json {
        terminal.document(
            &json!({ "format": JSON_FORMAT, "kind": "strategies", "power": power, "weights": weights }),
        )?;
        return Ok(Exit::Held);
    }
    outln!(terminal, "{}", power_table(&power));
    outln!(terminal, "weights that find all of them soonest:");
    for (strategy, weight) in weights {
        outln!(terminal, "  {strategy:15} {:3.0} %", weight * 100.0);
    }
    Ok(Exit::Held)
}

fn bar(terminal: &Terminal, length: u64) -> Result<ProgressBar, Failure> {
    let bar = if terminal.has_bar() { ProgressBar::new(length) } else { ProgressBar::hidden() };
    let style = ProgressStyle::with_template("{bar:20} {pos}/{len} {wide_msg}").map_err(Failure::own)?;
    bar.set_style(style);
    Ok(bar)
}

fn write_trace(folder: &Path, report: &MutantReport, shrunk: &Shrunk) -> Result<(), Failure> {
    let seed = report.seed.unwrap_or_default();
    let command = format!("stormproof run --seed {seed} --mutant {}", report.name);
    let trace = Trace::shrunk(&shrunk.plan, &shrunk.run, &shrunk.finding, &command);
    trace.write(&folder.join(format!("{}.trace", report.name))).map_err(Failure::own)
}

/// Returns the first seed at which the engine without mutants fails.
fn first_failure(runner: &SeedRunner, first: u64, seeds: u64, signals: &Signals) -> Option<(u64, String)> {
    (0..seeds).take_while(|_| !signals.is_raised()).find_map(|tried| {
        let seed = Seed(first.wrapping_add(tried));
        let (plan, _) = runner.plan(seed);
        match runner.run_keeping(&plan, Keep::Verdict) {
            Ok(run) => Some((seed.0, run.findings().first()?.identity().to_string())),
            Err(error) => Some((seed.0, error.to_string())),
        }
    })
}

fn size(size: &PlanSize) -> String {
    format!(
        "{} clients, {} operations, {} preemptions, {} faults, {} crashes",
        size.clients, size.operations, size.preemptions, size.faults, size.crashes
    )
}

/// Returns a mutant's report on one line, printed as soon as its searches are over.
fn line(report: &MutantReport) -> String {
    let seeds = seeds(report);
    let shrunk = report.shrunk.map_or(String::new(), |shrunk| format!("; shrunk to {}", size(&shrunk)));
    let caught: Vec<String> = report.caught_as.iter().map(ToString::to_string).collect();
    format!(
        "{}: {}/{} searches, {seeds} seeds, {}{shrunk}",
        report.name,
        report.found_after.len(),
        report.trials,
        caught.join("; ")
    )
}

/// Returns the median of seeds to detection, or its lower bound.
fn seeds(report: &MutantReport) -> String {
    report.median_seeds().map_or_else(|| format!("> {}", report.median_searched()), |seeds| seeds.to_string())
}

fn table(reports: &[MutantReport]) -> String {
    let mut table = comfy_table::Table::new();
    table.load_preset(comfy_table::presets::ASCII_MARKDOWN);
    table.set_header(["Mutant", "Breaks", "Found", "Seeds", "Seconds", "Caught as", "Shrunk to"]);
    for report in reports {
        let caught: Vec<String> = report.caught_as.iter().map(ToString::to_string).collect();
        table.add_row([
            format!("`{}`", report.name),
            report.contract.clone(),
            format!("{}/{}", report.found_after.len(), report.trials),
            seeds(report),
            report.median_seconds().map_or("–".into(), |seconds| format!("{seconds:.1}")),
            caught.join(", "),
            report.shrunk.as_ref().map_or("–".into(), figures),
        ]);
    }
    format!(
        "{table}\nSeeds and seconds are medians. Shrunk to: clients / operations / preemptions / faults / crashes.\n"
    )
}

fn figures(size: &PlanSize) -> String {
    let PlanSize { clients, operations, preemptions, faults, crashes, .. } = size;
    format!("{clients} / {operations} / {preemptions} / {faults} / {crashes}")
}

/// Returns a table of the median of seeds to detection, mutants by strategies.
fn power_table(power: &Power) -> String {
    let mut table = comfy_table::Table::new();
    table.load_preset(comfy_table::presets::ASCII_MARKDOWN);
    table.set_header(["Mutant"].into_iter().chain(power.strategies.iter().map(String::as_str)));
    for row in &power.rows {
        let cells = row.by_strategy.iter().map(seeds);
        table.add_row([row.mutant.clone()].into_iter().chain(cells));
    }
    table.to_string()
}
