//! `stormproof report`: a run, a trace or a campaign, in any format.

use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use stormproof_reports::{Document, Format, Verdict};

use super::output::{check_file, reproduce, write_file};
use super::rendering::{format_of, render};
use super::sweep::doubts;
use super::terminal::Terminal;
use super::{Done, Exit, Failure};
use crate::options::Options;
use crate::registry::Registry;
use crate::report::{Origin, campaign, report, trend};
use crate::runner::SeedRunner;
use crate::seed::Seed;
use crate::sweep::Merged;
use crate::trace::Trace;

#[derive(clap::Args, Debug)]
pub(super) struct Arguments {
    /// A seed, a trace file, a report as JSON, or files that `sweep --out` wrote: all shards of one campaign
    #[arg(value_name = "SEED | FILE", required = true)]
    what: Vec<String>,
    /// What the seed may draw
    #[command(flatten)]
    options: Options,
    /// text, json, junit, markdown, html; of single runs also trace (perfetto), dot, svg [default: by the
    /// ending of
    /// --out, else text]
    #[arg(long, value_name = "FORMAT")]
    format: Option<Format>,
    /// Results of several campaigns, of as many days as you like: shows how failures, speed and marks develop
    #[arg(long)]
    trend: bool,
    /// Write to this file instead of standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(super) fn execute(arguments: Arguments, registry: Registry, terminal: &Terminal) -> Done {
    let format = match &arguments.out {
        Some(path) => {
            check_file(path)?;
            format_of(path, arguments.format)?
        }
        None => arguments.format.unwrap_or(Format::Text),
    };
    let (document, exit) = document(&arguments, registry)?;
    let text = render(&document, format)?;
    match &arguments.out {
        Some(path) => {
            write_file(path, &text)?;
            terminal.tell(&format!("written: {} ({})\n", path.display(), verdict_words(&document)));
        }
        None => terminal.print(&text),
    }
    if let Document::Campaign(campaign) = &document {
        for doubt in &campaign.doubts {
            terminal.warn(&format!("this campaign proves nothing: {doubt}"));
        }
    }
    Ok(exit)
}

/// Returns the verdict in words, which explain exit code 1.
fn verdict_words(document: &Document) -> &'static str {
    match verdict_of(document) {
        Verdict::Held => "it says: held",
        Verdict::Violated => "it says: not held",
        Verdict::Failed => "it says: no verdict",
    }
}

fn verdict_of(document: &Document) -> Verdict {
    match document {
        Document::Run(run) => run.verdict,
        Document::Campaign(campaign) => campaign.verdict(),
        Document::Trend(trend) => trend.verdict(),
    }
}

fn exit_of(document: &Document) -> Exit {
    match verdict_of(document) {
        Verdict::Held => Exit::Held,
        Verdict::Violated => Exit::Violated,
        Verdict::Failed => Exit::Failed,
    }
}

fn document(arguments: &Arguments, registry: Registry) -> Result<(Document, Exit), Failure> {
    if arguments.trend {
        return of_trend(&arguments.what);
    }
    let [what] = arguments.what.as_slice() else { return of_campaign(&arguments.what) };
    let path = Path::new(what);
    if !path.exists() {
        let seed: Seed = what.parse().map_err(|error| {
            Failure::usage(format!("nothing to report on: there is no file {what}, and as a seed: {error}"))
        })?;
        return of_seed(seed, arguments, registry);
    }
    match first_line(path)? {
        line if is_start_of_json(&line) => of_json(path, &registry),
        _ => of_campaign(&arguments.what),
    }
}

fn of_seed(seed: Seed, arguments: &Arguments, registry: Registry) -> Result<(Document, Exit), Failure> {
    let runner = SeedRunner::new(registry, arguments.options.clone())?;
    let (plan, _) = runner.plan(seed);
    let (run, watched) = runner.run_watched(&plan)?;
    let command = reproduce(seed.0, runner.options());
    let origin = Origin { reproduce: &command, trace_file: None };
    Ok((report(&plan, &run, &watched, origin).into(), super::output::exit_of(&run)))
}

/// Returns a trace, or a report that was written as JSON.
fn of_json(path: &Path, registry: &Registry) -> Result<(Document, Exit), Failure> {
    let text = read(path)?;
    if let Ok(document) = Document::from_json(&text) {
        let exit = exit_of(&document);
        return Ok((document, exit));
    }
    let trace = Trace::read(path)?;
    let (replayed, watched) = trace.replay_watched(registry)?;
    let command = format!("stormproof replay {}", path.display());
    let origin = Origin { reproduce: &command, trace_file: Some(path) };
    let exit = super::output::exit_of(&replayed.run);
    Ok((report(&trace.plan, &replayed.run, &watched, origin).into(), exit))
}

fn of_campaign(files: &[String]) -> Result<(Document, Exit), Failure> {
    let merged = Merged::read(files).map_err(Failure::usage)?;
    let options = merged.result.start.as_ref().map(|start| start.options.clone()).unwrap_or_default();
    let mut doubts = merged.problems;
    // Files without any results are doubtful already: no need for doubts about what happened in them.
    if merged.result.start.is_some() {
        doubts.extend(self::doubts(&merged.result, &options));
    }
    let mut campaign = campaign(&merged.result, &doubts);
    campaign.shard = merged.shards.keys().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let document = Document::from(campaign);
    let exit = exit_of(&document);
    Ok((document, exit))
}

fn of_trend(files: &[String]) -> Result<(Document, Exit), Failure> {
    let merged = Merged::read_many(files).map_err(Failure::usage)?;
    let with_doubts = |mut merged: Merged| {
        let mut said = std::mem::take(&mut merged.problems);
        if let Some(start) = &merged.result.start {
            said.extend(doubts(&merged.result, &start.options));
        }
        (merged, said)
    };
    let document = Document::from(trend(merged.into_iter().map(with_doubts).collect()));
    let exit = exit_of(&document);
    Ok((document, exit))
}

/// Returns whether a file with this first line is one JSON document over many lines. Files of sweeps have a
/// document on each line.
fn is_start_of_json(line: &str) -> bool {
    line.trim_end() == "{"
}

fn first_line(path: &Path) -> Result<String, Failure> {
    lines(path)?.next().unwrap_or_else(|| Ok(String::new())).map_err(|error| unreadable(path, &error))
}

fn lines(path: &Path) -> Result<impl Iterator<Item = io::Result<String>> + use<>, Failure> {
    let file = std::fs::File::open(path).map_err(|error| unreadable(path, &error))?;
    Ok(BufReader::new(file).lines())
}

fn read(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path).map_err(|error| unreadable(path, &error))
}

fn unreadable(path: &Path, error: &io::Error) -> Failure {
    Failure::usage(format!("{} can't be read: {error}: give a file that is there, and text", path.display()))
}
