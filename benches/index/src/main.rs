//! Measures candidates for the engine's multi-version index on the engine's work, and prints one table.
//!
//! Each candidate runs in a process of its own, so that memory is its own; rounds are interleaved, figures
//! are medians over the rounds. Not its job: the engine. This is what its index was chosen by.

mod candidates;
mod key;
mod measure;
mod slot;
mod snapshots;

use std::collections::BTreeMap;
use std::error::Error;
use std::process::Command;
use std::time::Duration;

use clap::Parser;
use comfy_table::{Table, presets};

use candidates::{
    CongeeSlab, EpochTree, HashBeside, HashIndexBeside, OneTree, PapayaBeside, Persistent, ShardedTree,
    SkipList,
};
use measure::{Figure, measure, per_operation};
use slot::{Epochs, Locked, Swapped};
use snapshots::CountedSet;

type Measurement = fn(u64, Duration) -> Vec<Figure>;

const CANDIDATES: [(&str, Measurement); 14] = [
    ("hash-locked", measure::<HashBeside<Locked<2>>>),
    ("hash-locked-1", measure::<HashBeside<Locked<1>>>),
    ("hash-swapped", measure::<HashBeside<Swapped>>),
    ("hash-epochs", measure::<HashBeside<Epochs>>),
    ("hashindex-epochs", measure::<HashIndexBeside<Epochs>>),
    ("papaya-locked", measure::<PapayaBeside<Locked<2>>>),
    ("papaya-epochs", measure::<PapayaBeside<Epochs>>),
    ("tree-locked", measure::<OneTree<Locked<2>>>),
    ("tree-epochs", measure::<OneTree<Epochs>>),
    ("trees-locked", measure::<ShardedTree<Locked<2>>>),
    ("imbl", measure::<Persistent>),
    ("skip-list", measure::<SkipList<Locked<2>>>),
    ("scc", measure::<EpochTree<Locked<2>>>),
    ("congee", measure::<CongeeSlab<Locked<2>>>),
];

/// Measures candidates for the multi-version index.
#[derive(Debug, Parser)]
struct Arguments {
    /// How many keys: 100000, 1000000, 10000000.
    #[arg(long, default_values_t = [100_000])]
    keys: Vec<u64>,
    /// Rounds; figures are medians over them.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Milliseconds for each measurement.
    #[arg(long, default_value_t = 400)]
    milliseconds: u64,
    /// Only candidates whose name contains this.
    #[arg(long, default_value = "")]
    only: String,
    /// Measures one candidate in this process and prints JSON: what the rounds run.
    #[arg(long, hide = true)]
    candidate: Option<String>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let for_each = Duration::from_millis(arguments.milliseconds);
    if let Some(candidate) = arguments.candidate {
        let found = CANDIDATES.iter().find(|(name, _)| *name == candidate).ok_or("no such candidate")?;
        println!("{}", serde_json::to_string(&(found.1)(arguments.keys[0], for_each))?);
        return Ok(());
    }
    for keys in &arguments.keys {
        println!("\n{keys} keys:\n\n{}", table(&round_table(&arguments, *keys)?));
    }
    let set = CountedSet::new();
    for version in 0..10_000 {
        set.enter(version);
    }
    let counted = per_operation(for_each, || {
        set.enter(10_000);
        set.leave(10_000);
    });
    println!("\nA snapshot in one locked, counted set with 10,000 open: {counted:.0} ns.");
    Ok(())
}

/// Runs all rounds in child processes.
fn round_table(arguments: &Arguments, keys: u64) -> Result<Vec<Figure>, Box<dyn Error>> {
    let mut figures = Vec::new();
    for _ in 0..arguments.rounds {
        for (candidate, _) in CANDIDATES.iter().filter(|(name, _)| name.contains(&arguments.only)) {
            let mut child = Command::new(std::env::current_exe()?);
            child.args(["--candidate", candidate, "--keys", &keys.to_string()]);
            child.args(["--milliseconds", &arguments.milliseconds.to_string()]);
            let output = child.output()?;
            if !output.status.success() {
                return Err(format!("{candidate}: {}", String::from_utf8_lossy(&output.stderr)).into());
            }
            figures.append(&mut serde_json::from_slice(&output.stdout)?);
        }
    }
    Ok(figures)
}

/// Works as rows, candidates as columns, medians as cells.
fn table(figures: &[Figure]) -> Table {
    let mut candidates: Vec<&str> = Vec::new();
    let mut works: Vec<&str> = Vec::new();
    let mut cells: BTreeMap<(&str, &str), Vec<f64>> = BTreeMap::new();
    for figure in figures {
        if !candidates.contains(&figure.candidate.as_str()) {
            candidates.push(&figure.candidate);
        }
        if !works.contains(&figure.work.as_str()) {
            works.push(&figure.work);
        }
        cells.entry((&figure.candidate, &figure.work)).or_default().push(figure.value);
    }
    let mut table = Table::new();
    table.load_preset(presets::ASCII_MARKDOWN);
    table.set_header([vec!["candidate"], works.clone()].concat());
    for candidate in candidates {
        let row = works
            .iter()
            .map(|work| cells.get_mut(&(candidate, *work)).map_or(String::new(), |values| median(values)));
        table.add_row([candidate.to_owned()].into_iter().chain(row));
    }
    table
}

fn median(values: &mut [f64]) -> String {
    values.sort_by(f64::total_cmp);
    human(values[values.len() / 2])
}

fn human(value: f64) -> String {
    match value {
        1e6.. => format!("{:.2} M", value / 1e6),
        1e4.. => format!("{:.0} K", value / 1e3),
        1e3.. => format!("{:.1} K", value / 1e3),
        _ => format!("{value:.0}"),
    }
}
