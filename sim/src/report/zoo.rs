//! The report of a zoo: how soon each mutant is detected.

use stormproof_reports::{Campaign, MutantTotal};

use crate::zoo::MutantReport;

/// Returns the report of a zoo; `command` ran it, and took `seconds`.
pub fn zoo(reports: &[MutantReport], command: &str, seconds: f64) -> Campaign {
    Campaign {
        title: format!("zoo of {} deliberate bugs", reports.len()),
        command: command.to_owned(),
        subject: format!("stormproof {}", env!("CARGO_PKG_VERSION")),
        seconds,
        jobs: 1,
        seeds: reports.iter().map(|report| report.seeds).sum(),
        zoo: reports.iter().map(mutant).collect(),
        ..Campaign::default()
    }
}

fn mutant(report: &MutantReport) -> MutantTotal {
    MutantTotal {
        name: report.name.clone(),
        says: format!("{}: {}", report.contract, report.breaks),
        trials: report.trials,
        budget: report.budget,
        found_after: report.found_after.clone(),
        found_seconds: report.found_seconds.clone(),
        caught_by: report.caught_as.iter().map(ToString::to_string).collect(),
        reproduce: report
            .seed
            .map(|seed| format!("stormproof run --seed {seed} --mutant {}", report.name))
            .unwrap_or_default(),
    }
}
