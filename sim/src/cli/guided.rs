//! The guided search on the command line: `sweep --guided`, and its comparison with the blind one.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::json;
use stormproof_rt::time;
use stormproof_rt_shuttle::mutants::Mutant;

use super::output::violations;
use super::signals::Signals;
use super::terminal::{Paint, Terminal, outln};
use super::{Done, Exit, Failure, JSON_FORMAT};
use crate::finding::Identity;
use crate::guided::Guided;
use crate::guided::corpus::Corpus;
use crate::guided::measure::{Comparison, Trial, compare as measure, median};
use crate::registry::Registry;
use crate::runner::SeedRunner;
use crate::summary::client_commits;
use crate::trace::Trace;
use crate::zoo::Search;

/// What a guided sweep needs to know.
pub(super) struct Guide<'a> {
    pub(super) runner: &'a SeedRunner,
    /// The first fresh seed.
    pub(super) first: u64,
    /// How many plans to run.
    pub(super) plans: Option<u64>,
    pub(super) time_limit: Option<Duration>,
    pub(super) fail_fast: bool,
    /// Where traces of failures go.
    pub(super) failures: &'a Path,
    /// What others have learnt; what this search learns is added.
    pub(super) corpus: Option<&'a Path>,
    pub(super) json: bool,
}

/// A failure of a guided sweep: what it is, and its trace.
type Found = (Identity, PathBuf);

/// Searches, and tells what came of it.
pub(super) fn sweep(guide: &Guide<'_>, terminal: &Terminal) -> Done {
    let signals = Signals::listen();
    let corpus = guide.corpus.map_or_else(|| Ok(Corpus::default()), Corpus::read).map_err(Failure::usage)?;
    let inherited = corpus.len();
    let mut guided = Guided::new(guide.runner, guide.first, corpus);
    let begun = time::now();
    let spent = || time::now().saturating_since(begun);
    let (mut plans, mut unjudged, mut commits, mut found) = (0_u64, 0_u64, 0_u64, Vec::<Found>::new());
    while !signals.is_raised()
        && guide.plans.is_none_or(|most| plans < most)
        && guide.time_limit.is_none_or(|limit| spent() < limit)
    {
        let tried = guided.step();
        plans += 1;
        let Ok(run) = tried.run else {
            unjudged += 1;
            continue;
        };
        commits += client_commits(&run);
        let Some(finding) = run.findings().first() else { continue };
        let identity = finding.identity();
        if found.iter().all(|(known, _)| *known != identity) {
            let name = format!("guided-{plans}-{}.trace", identity.invariant);
            let path = guide.failures.join(name);
            std::fs::create_dir_all(guide.failures).map_err(Failure::usage)?;
            let command = format!("stormproof replay {}", path.display());
            Trace::of(&tried.plan, &run, &command).write(&path).map_err(Failure::usage)?;
            if !guide.json {
                terminal.print(&violations(std::slice::from_ref(finding), None, terminal));
                outln!(terminal, "trace:     {0} (stormproof shrink {0})", path.display());
            }
            found.push((identity, path));
        }
        if guide.fail_fast {
            break;
        }
    }
    if let Some(path) = guide.corpus {
        guided.corpus().write(path).map_err(Failure::usage)?;
    }
    let (kept, features, seconds) =
        (guided.corpus().len(), guided.corpus().features(), spent().as_secs_f64());
    let doubt = match () {
        () if plans == 0 => Some("no plan was run".to_owned()),
        () if unjudged > 0 => Some(format!("{unjudged} plans have no verdict")),
        () if commits == 0 => Some("no client committed a single transaction".to_owned()),
        () => None,
    };
    let exit = match &doubt {
        _ if !found.is_empty() => Exit::Violated,
        Some(_) => Exit::Failed,
        None => Exit::Held,
    };
    if guide.json {
        let failures: Vec<_> = found
            .iter()
            .map(|(identity, path)| {
                json!({ "invariant": identity.invariant, "class": identity.class, "trace_file": path })
            })
            .collect();
        terminal.document(&json!({
            "format": JSON_FORMAT,
            "kind": "guided",
            "verdict": exit.word(),
            "plans": plans,
            "seconds": seconds,
            "features": features,
            "corpus": kept,
            "failed_runs_count": unjudged,
            "commits": commits,
            "proves_nothing": doubt.iter().collect::<Vec<_>>(),
            "failures": failures,
        }))?;
    } else {
        let words = if exit == Exit::Held { "held" } else { "VIOLATED" };
        let words = if exit == Exit::Failed { "PROVES NOTHING" } else { words };
        let paint = if exit == Exit::Held { Paint::Good } else { Paint::Bad };
        outln!(terminal, "{plans} plans in {seconds:.1} s: {}", terminal.paint(paint, words));
        if let Some(doubt) = &doubt {
            outln!(terminal, "{doubt}");
        }
        outln!(terminal, "{features} features, {kept} plans in the corpus, {inherited} of them from before");
    }
    Ok(signals.exit(exit))
}

/// Searches for mutants blind and guided, and prints a table.
pub(super) fn compare(
    mutants: &[Mutant],
    search: &Search,
    as_json: bool,
    registry: &Registry,
    terminal: &Terminal,
) -> Done {
    let signals = Signals::listen();
    let search = Search { stop: Some(signals.flag()), ..search.clone() };
    let mut all = Vec::new();
    for mutant in mutants {
        if signals.is_raised() {
            break;
        }
        let comparison = measure(mutant.name(), &search, registry)?;
        if !as_json {
            terminal.note(&cells(&comparison).join(" | "));
        }
        all.push(comparison);
    }
    if as_json {
        terminal.document(&json!({ "format": JSON_FORMAT, "kind": "searches", "mutants": all }))?;
    } else {
        let mut table = comfy_table::Table::new();
        table.load_preset(comfy_table::presets::ASCII_MARKDOWN);
        table.set_header([
            "Mutant",
            "Blind",
            "95 %",
            "Guided",
            "95 %",
            "Times sooner",
            "Plans, blind and guided",
        ]);
        all.iter().for_each(|comparison| _ = table.add_row(cells(comparison)));
        outln!(terminal, "{table}\nMedians of seconds of processor time; – was not found.");
    }
    Ok(signals.exit(Exit::Held))
}

fn cells(comparison: &Comparison) -> Vec<String> {
    let show = |seconds: Option<f64>| seconds.map_or("–".to_owned(), |seconds| format!("{seconds:.2}"));
    let (blind, [blind_low, blind_high]) = median(&comparison.blind);
    let (guided, [guided_low, guided_high]) = median(&comparison.guided);
    let ratio = blind.zip(guided).map(|(blind, guided)| blind / guided);
    let plans = |trials: &[Trial]| {
        let mut plans: Vec<u64> = trials.iter().map(|trial| trial.plans).collect();
        plans.sort_unstable();
        plans.get(plans.len() / 2).copied().unwrap_or(0)
    };
    vec![
        format!("`{}`", comparison.mutant),
        show(blind),
        format!("{} to {}", show(blind_low), show(blind_high)),
        show(guided),
        format!("{} to {}", show(guided_low), show(guided_high)),
        show(ratio),
        format!("{}, {}", plans(&comparison.blind), plans(&comparison.guided)),
    ]
}
