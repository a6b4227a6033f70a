//! `stormproof list`: workloads, invariants, strategies and mutants.

use serde_json::json;
use stormproof_rt_shuttle::mutants::Mutant;

use super::terminal::{Paint, Terminal, row};
use super::{Done, Exit, JSON_FORMAT};
use crate::plan::StrategyPlan;
use crate::registry::Registry;
use crate::{invariants, marks};

#[derive(clap::Args, Debug)]
pub(super) struct Arguments {
    /// Print one JSON document on standard output and nothing else
    #[arg(long)]
    json: bool,
}

pub(super) fn execute(arguments: &Arguments, registry: &Registry, terminal: &Terminal) -> Done {
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
        terminal.document(&json!({
            "format": JSON_FORMAT,
            "kind": "list",
            "workloads": workloads,
            "invariants": invariants,
            "mutants": mutants,
            "strategies": strategies,
            "marks": marks::ALL,
        }))?;
        return Ok(Exit::Held);
    }
    terminal.print(&text(registry, terminal));
    Ok(Exit::Held)
}

fn text(registry: &Registry, terminal: &Terminal) -> String {
    let mut text = String::new();
    let mut section = |title: &str, rows: &mut dyn Iterator<Item = (String, String)>| {
        let rows: Vec<(String, String)> = rows.collect();
        let names = rows.iter().map(|(name, _)| name.len() + 2).max().unwrap_or(0);
        let gap = if text.is_empty() { "" } else { "\n" };
        text += &format!("{gap}{}\n", terminal.paint(Paint::Name, title));
        for (name, value) in rows {
            text += &row(&format!("  {name}"), &value, names, terminal.width());
        }
    };
    let workloads = registry.all();
    section(
        "Workloads (--workload)",
        &mut workloads.iter().map(|workload| {
            let about = workload.about();
            (workload.name().to_owned(), format!("{}; {}", about.stresses, about.invariant))
        }),
    );
    let of_contract = "Invariants, with the rows of the contract (engine/CONTRACT.md)";
    section(
        of_contract,
        &mut invariants::all()
            .into_iter()
            .map(|about| (format!("{:<2} {}", about.contract, about.name), about.says.to_owned())),
    );
    section(
        "Strategies (--strategy)",
        &mut StrategyPlan::weights()
            .into_iter()
            .map(|(weight, name)| (name.to_owned(), format!("drawn with weight {weight}"))),
    );
    section(
        "Mutants (--mutant), with the rows that they break",
        &mut Mutant::ALL
            .iter()
            .map(|mutant| (mutant.name().to_owned(), format!("{}: {}", mutant.contract(), mutant.breaks()))),
    );
    text
}
