//! `stormproof zoo`: are deliberate bugs found?

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use stormproof_rt_shuttle::mutants::Mutant;

use super::output::document;
use super::{Done, Exit, Failure};
use crate::options::Options;
use crate::registry::Registry;
use crate::seed::Seed;
use crate::session::Session;
use crate::zoo::{Animal, Hunt, hunt};

#[derive(clap::Args, Debug)]
pub(super) struct Arguments {
    /// Only these mutants, and what else may be drawn
    #[command(flatten)]
    options: Options,
    /// Searches per mutant, each from another first seed
    #[arg(long, value_name = "N", default_value_t = 3)]
    trials: u64,
    /// Seeds per search
    #[arg(long, value_name = "N", default_value_t = 5_000)]
    budget: u64,
    /// The first seed
    #[arg(long, value_name = "SEED", default_value = "1")]
    first: Seed,
    /// Shrink the first failure of each
    #[arg(long)]
    shrink: bool,
    /// Print one JSON document on standard output and nothing else
    #[arg(long)]
    json: bool,
}

pub(super) fn execute(arguments: Arguments, registry: Registry) -> Done {
    let wanted = |mutant: &&Mutant| {
        let names = &arguments.options.mutant;
        names.is_empty() || names.iter().any(|name| name == mutant.name())
    };
    let mutants: Vec<Mutant> = Mutant::ALL.iter().filter(wanted).copied().collect();
    let clean = Options { mutant: Vec::new(), ..arguments.options.clone() };
    let plan = Hunt {
        options: clean.clone(),
        trials: arguments.trials,
        budget: arguments.budget,
        first: arguments.first.0,
        shrink: arguments.shrink,
    };
    // Names are checked with the mutants still in.
    Session::new(registry.clone(), arguments.options.clone()).map_err(Failure::usage)?;
    let bar = ProgressBar::new(mutants.len() as u64 + 1);
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len}  {msg}").map_err(Failure::own)?;
    bar.set_style(style);
    let mut animals = Vec::new();
    for mutant in mutants {
        bar.set_message(mutant.name());
        animals.push(hunt(mutant, &plan, &registry).map_err(Failure::usage)?);
        bar.inc(1);
    }
    bar.set_message("the engine without mutants");
    let healthy = first_failure(&Session::new(registry, clean).map_err(Failure::usage)?, &plan);
    bar.finish_and_clear();
    let missed = animals.iter().filter(|animal| !animal.is_found()).count();
    if arguments.json {
        document(&json!({ "mutants": animals, "missed": missed, "engine_fails_at": healthy }))?;
    } else {
        print!("{}", table(&animals));
        println!("{} of {} found in every search", animals.len() - missed, animals.len());
        if let Some((seed, what)) = &healthy {
            println!("the engine without mutants fails at seed {seed}: {what}");
        }
    }
    let sound = missed == 0 && healthy.is_none();
    Ok(if sound { Exit::Held } else { Exit::Violated })
}

/// The first seed at which the engine without mutants fails, among as many as a search may spend.
fn first_failure(session: &Session, plan: &Hunt) -> Option<(u64, String)> {
    (0..plan.budget.min(1_000)).find_map(|tried| {
        let seed = Seed(plan.first.wrapping_add(tried));
        let (plan, _) = session.plan(seed);
        match session.run(&plan) {
            Ok(run) => Some((seed.0, run.findings().first()?.identity().to_string())),
            Err(error) => Some((seed.0, error.to_string())),
        }
    })
}

fn table(animals: &[Animal]) -> String {
    let mut table = comfy_table::Table::new();
    table.load_preset(comfy_table::presets::UTF8_HORIZONTAL_ONLY);
    table.set_header([
        "mutant",
        "breaks",
        "found",
        "seeds (median)",
        "seconds (median)",
        "caught as",
        "shrunk to",
    ]);
    for animal in animals {
        let mut seconds = animal.found_seconds.clone();
        seconds.sort_by(f64::total_cmp);
        let middle = seconds.get(seconds.len() / 2).map_or("–".into(), |seconds| format!("{seconds:.2}"));
        let caught: Vec<String> = animal.caught_as.iter().map(ToString::to_string).collect();
        let shrunk = animal.shrunk.map_or("–".into(), |size| {
            format!(
                "{} clients, {} operations, {} preemptions, {} faults, {} crashes",
                size.clients, size.operations, size.preemptions, size.faults, size.crashes
            )
        });
        table.add_row([
            animal.name.clone(),
            animal.contract.clone(),
            format!("{}/{}", animal.found_after.len(), animal.trials),
            animal.median_seeds().map_or(format!("> {}", animal.budget), |seeds| seeds.to_string()),
            middle,
            caught.join("; "),
            shrunk,
        ]);
    }
    format!("{table}\n")
}
