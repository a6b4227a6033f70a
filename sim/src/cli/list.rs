//! `stormproof list`: workloads, invariants, strategies and mutants.

use serde_json::json;
use stormproof_rt_shuttle::mutants::Mutant;

use super::output::document;
use super::{Done, Exit};
use crate::plan::StrategyPlan;
use crate::registry::Registry;
use crate::{invariants, marks};

#[derive(clap::Args, Debug)]
pub(super) struct Arguments {
    /// Print one JSON document on standard output and nothing else
    #[arg(long)]
    json: bool,
}

pub(super) fn execute(arguments: Arguments, registry: &Registry) -> Done {
    let workloads = registry.all();
    if arguments.json {
        let workloads: Vec<_> = workloads
            .iter()
            .map(|workload| {
                json!({
                    "name": workload.name(),
                    "about": workload.about(),
                    "parameters": workload.parameters(),
                })
            })
            .collect();
        let invariants: Vec<_> = invariants::all()
            .iter()
            .map(|about| json!({ "name": about.name, "contract": about.contract, "says": about.says }))
            .collect();
        let mutants: Vec<_> = Mutant::ALL
            .iter()
            .map(|mutant| {
                json!({
                    "name": mutant.name(),
                    "breaks": mutant.breaks(),
                    "modelled_on": mutant.modelled_on(),
                    "contract": mutant.contract(),
                })
            })
            .collect();
        let strategies: Vec<_> = StrategyPlan::weights().into_iter().map(|(_, name)| name).collect();
        document(&json!({
            "workloads": workloads,
            "invariants": invariants,
            "mutants": mutants,
            "strategies": strategies,
            "marks": marks::ALL,
        }))?;
        return Ok(Exit::Held);
    }
    println!("Workloads (--workload)");
    for workload in &workloads {
        let about = workload.about();
        println!("  {:<16} {}; {}", workload.name(), about.stresses, about.invariant);
    }
    println!("\nInvariants, with the rows of the contract (engine/CONTRACT.md)");
    for about in invariants::all() {
        println!("  {:<3} {:<20} {}", about.contract, about.name, about.says);
    }
    println!("\nStrategies (--strategy)");
    for (weight, name) in StrategyPlan::weights() {
        println!("  {name:<16} drawn with weight {weight}");
    }
    println!("\nMutants (--mutant), with the rows that they break");
    for mutant in Mutant::ALL {
        println!("  {:<28} {:<4} {}", mutant.name(), mutant.contract(), mutant.breaks());
    }
    Ok(Exit::Held)
}
