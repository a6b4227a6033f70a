//! Makes the documents that `reports/examples` shows: a deliberate bug, found, shrunk and explained; and a
//! campaign of the engine as it is, with how fast some deliberate bugs are found.
//!
//! `cargo examples-make` runs it, and renders what it writes. The campaign's seconds are those of the machine
//! that it ran on.

use std::error::Error;
use std::path::Path;

use stormproof_reports::Document;
use stormproof_rt::time;
use stormproof_rt_shuttle::mutants::Mutant;
use stormproof_sim::build_id::BuildId;
use stormproof_sim::options::Options;
use stormproof_sim::registry::Registry;
use stormproof_sim::report::{Origin, campaign, report, zoo};
use stormproof_sim::run::run_watched;
use stormproof_sim::runner::SeedRunner;
use stormproof_sim::seed::Seed;
use stormproof_sim::shrink::{Budget, shrink};
use stormproof_sim::sweep::message::{BatchLine, EndLine, Ended, FORMAT, Message, Seeds, StartLine};
use stormproof_sim::sweep::worker::seed_line;
use stormproof_sim::sweep::{CampaignResult, Shard};
use stormproof_sim::zoo::{Search, search_for};

const MUTANT: &str = "SkipReadValidation";
const WORKLOAD: &str = "write-skew";
const SEEDS: u64 = 400;
const MUTANTS: [&str; 8] = [
    "PublishBeforeInstall",
    "AckBeforeSync",
    "SkipReadValidation",
    "SkipWriteValidation",
    "DeleteNotValidated",
    "ScanNotTracked",
    "CollectNewestBelowOldest",
    "VersionsReusedAfterRestart",
];

fn main() -> Result<(), Box<dyn Error>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../reports/examples");
    write(&folder.join("run.json"), &failing_run()?)?;
    write(&folder.join("campaign.json"), &whole_campaign()?)
}

fn write(path: &Path, document: &Document) -> Result<(), Box<dyn Error>> {
    let mut text = serde_json::to_string(document)?;
    text.push('\n');
    std::fs::write(path, text)?;
    Ok(())
}

/// The first seed at which the bug shows, made small.
fn failing_run() -> Result<Document, Box<dyn Error>> {
    let registry = Registry::default();
    let options =
        Options { workload: vec![WORKLOAD.into()], mutant: vec![MUTANT.into()], ..Options::default() };
    let runner = SeedRunner::new(registry.clone(), options)?;
    for seed in 0..SEEDS {
        let (plan, _) = runner.plan(Seed(seed));
        let failed = runner.run(&plan)?;
        if failed.findings().is_empty() {
            continue;
        }
        let shrunk = shrink(&plan, &failed, &registry, Budget::default(), &mut |_, _| true)
            .ok_or("the failure did not come back")?;
        let (run, watched) = run_watched(&shrunk.plan, &registry)?;
        let reproduce = format!("stormproof shrink --seed {seed} --workload {WORKLOAD} --mutant {MUTANT}");
        let origin = Origin { reproduce: &reproduce, trace_file: None };
        return Ok(report(&shrunk.plan, &run, &watched, origin).into());
    }
    Err(format!("{MUTANT} was not found in {SEEDS} seeds").into())
}

fn whole_campaign() -> Result<Document, Box<dyn Error>> {
    let begun = time::now();
    let seconds = || time::now().saturating_since(begun).as_secs_f64();
    let runner = SeedRunner::new(Registry::default(), Options::default())?;
    let mut result = CampaignResult::default();
    result.add(Message::Start(Box::new(StartLine {
        format: FORMAT,
        build: BuildId::this(),
        seeds: Seeds::Set(format!("0..{SEEDS}").parse()?),
        shard: Shard::WHOLE,
        planned: Some(SEEDS),
        options: Options::default(),
        command: format!("stormproof sweep --seeds 0..{SEEDS} --jobs 1"),
        unix_seconds: 0,
    })));
    let mut progress = Vec::new();
    for seed in 0..SEEDS {
        let (line, stats) = seed_line(&runner, Seed(seed), false);
        result.add(Message::Seed(line));
        result.add(Message::Batch(BatchLine { stats, rss_kib: 0 }));
        if seed % 20 == 0 || seed + 1 == SEEDS {
            let point = stormproof_reports::SpeedPoint {
                second: seconds(),
                seeds: result.seeds,
                interleavings: result.interleavings(),
            };
            progress.push(point);
        }
    }
    result.add(Message::End(EndLine {
        seconds: seconds(),
        jobs: 1,
        seeds: SEEDS,
        rss_kib_max: 0,
        ended: Ended::Done,
        progress,
    }));
    let plan = Search {
        options: Options::default(),
        trials: 5,
        budget: 300,
        time_limit: None,
        first: 1,
        shrink: None,
        stop: None,
    };
    let mut reports = Vec::new();
    for name in MUTANTS {
        let mutant = name.parse::<Mutant>().map_err(|_| format!("no mutant {name}"))?;
        reports.push(search_for(mutant, &plan, runner.registry())?.0);
    }
    let mut told = campaign(&result, &[]);
    told.title = format!("sweep of {SEEDS} seeds, and a zoo of {} deliberate bugs", reports.len());
    told.zoo = zoo(&reports, "", 0.0).zoo;
    Ok(told.into())
}
