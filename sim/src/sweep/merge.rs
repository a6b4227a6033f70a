//! Merges the results of shards, and reports what is missing of their campaign.
//!
//! INV-MERGE-1: a merged campaign holds only if every shard of it is there once, whole, and of the same code,
//! seeds and options. Any other file is reported, and is no evidence.

use std::collections::BTreeMap;
use std::path::Path;

use super::message::{EndLine, Ended, Message, StartLine};
use super::result::CampaignResult;
use super::results::{ResultsError, read_results};
use super::seeds::Shard;

/// Shards of a campaign, added up.
#[derive(Clone, Debug, Default)]
pub struct Merged {
    /// Their common result.
    pub result: CampaignResult,
    /// Why they are not the whole campaign, in words; empty if they are.
    pub problems: Vec<String>,
    /// The shards, by index.
    pub shards: BTreeMap<Shard, String>,
}

/// What a file tells of its campaign, apart from its seeds.
#[derive(Default)]
struct Frame {
    lines: u64,
    start: Option<Box<StartLine>>,
    end: Option<EndLine>,
    seeds: u64,
    failed: u64,
    is_torn: bool,
}

impl Frame {
    fn read(path: &Path) -> Result<Self, ResultsError> {
        let mut frame = Self::default();
        let is_torn = read_results(path, |message| {
            frame.lines += 1;
            match message {
                Message::Start(start) => frame.start = Some(start),
                Message::End(end) => frame.end = Some(end),
                Message::Seed(_) => frame.seeds += 1,
                Message::Failed(_) => frame.failed += 1,
                _ => {}
            }
        })?;
        frame.is_torn = is_torn;
        Ok(frame)
    }
}

impl Merged {
    /// Reads and merges files of results.
    ///
    /// # Errors
    /// When one can't be read, or holds something else.
    pub fn read(files: &[String]) -> Result<Self, ResultsError> {
        let mut merged = Self::default();
        for file in files {
            merged.add(file)?;
        }
        merged.find_missing();
        Ok(merged)
    }

    /// Reads files of several campaigns, and merges the shards of each: those of the same code, seeds and
    /// options. A shard that comes again is of another campaign, which ran the same once more.
    ///
    /// # Errors
    /// When one can't be read, or holds something else.
    pub fn read_many(files: &[String]) -> Result<Vec<Self>, ResultsError> {
        let mut framed = Vec::new();
        let mut nameless = Self::default();
        for file in files {
            match Frame::read(Path::new(file))?.start {
                Some(start) => framed.push((start, file)),
                None => nameless.add(file)?,
            }
        }
        framed.sort_by_key(|(start, _)| start.unix_seconds);
        let mut campaigns: Vec<Self> = Vec::new();
        for (start, file) in framed {
            let fits = |merged: &&mut Self| {
                merged.result.start.as_ref().is_some_and(|first| difference(first, &start).is_none())
                    && !merged.shards.contains_key(&start.shard)
            };
            match campaigns.iter_mut().rev().find(fits) {
                Some(merged) => merged.add(file)?,
                None => {
                    let mut merged = Self::default();
                    merged.add(file)?;
                    campaigns.push(merged);
                }
            }
        }
        campaigns.iter_mut().for_each(Self::find_missing);
        campaigns.extend((!nameless.problems.is_empty()).then_some(nameless));
        Ok(campaigns)
    }

    /// Adds a file. One that is no part of the campaign is reported as a problem, and adds nothing.
    fn add(&mut self, file: &str) -> Result<(), ResultsError> {
        let frame = Frame::read(Path::new(file))?;
        let Some(start) = &frame.start else {
            self.problems.push(match frame.lines {
                0 => format!("{file} is empty: it shows nothing"),
                _ => format!("{file} has no beginning: it does not say what was run"),
            });
            return Ok(());
        };
        if let Some(first) = &self.result.start
            && let Some(difference) = difference(first, start)
        {
            self.problems.push(format!("{file} is of another campaign and left out: {difference}"));
            return Ok(());
        }
        if let Some(other) = self.shards.get(&start.shard) {
            let shard = start.shard;
            self.problems
                .push(format!("{file} is shard {shard} for the second time, after {other}: it is left out"));
            return Ok(());
        }
        self.shards.insert(start.shard, file.to_owned());
        self.problems.extend(cut_off(file, start, &frame));
        read_results(Path::new(file), |mut message| {
            locate(&mut message, Path::new(file));
            self.result.add(message);
        })?;
        Ok(())
    }

    /// Notes the shards that no file has.
    fn find_missing(&mut self) {
        let Some(start) = &self.result.start else {
            if self.problems.is_empty() {
                self.problems.push("no results were given".to_owned());
            }
            return;
        };
        let count = start.shard.count;
        let missing: Vec<String> = (0..count)
            .map(|index| Shard { index, count })
            .filter(|shard| !self.shards.contains_key(shard))
            .map(|shard| shard.to_string())
            .collect();
        if !missing.is_empty() {
            const NAMED_MAX: usize = 20;
            let more = missing.len().saturating_sub(NAMED_MAX);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            let named = missing[..missing.len().min(NAMED_MAX)].join(", ");
            self.problems.push(format!("missing: {} of {count} shards: {named}{more}", missing.len()));
        }
    }
}

/// Returns what makes two shards parts of different campaigns, in words.
fn difference(first: &StartLine, other: &StartLine) -> Option<String> {
    let is = |what: &str, this: &dyn std::fmt::Display, that: &dyn std::fmt::Display| {
        Some(format!("its {what} {this}, the first file's {that}"))
    };
    if first.build != other.build {
        return is("build is", &other.build, &first.build);
    }
    if first.seeds != other.seeds {
        return is("seeds are", &other.seeds, &first.seeds);
    }
    if first.options != other.options {
        let words = |start: &StartLine| match start.options.to_flags() {
            flags if flags.is_empty() => "none".to_owned(),
            flags => flags.trim_start().to_owned(),
        };
        return is("options are", &words(other), &words(first));
    }
    if first.shard.count != other.shard.count {
        return is("number of shards is", &other.shard.count, &first.shard.count);
    }
    None
}

/// Returns what is missing at the end of a file, in words.
fn cut_off(file: &str, start: &StartLine, frame: &Frame) -> Option<String> {
    let planned = start.planned.map(|planned| format!(" of {planned}")).unwrap_or_default();
    let run = format!("{}{planned} seeds", frame.seeds + frame.failed);
    match &frame.end {
        _ if frame.is_torn => {
            Some(format!("{file} is cut off within a line, after {run}: its sweep was killed"))
        }
        None => Some(format!("{file} is cut off after {run}: it has no closing line")),
        Some(end) if end.ended == Ended::Interrupted => Some(format!("{file} was interrupted after {run}")),
        Some(end) if end.seeds != frame.seeds => Some(format!(
            "{file} has {} seeds, and its closing line says {}: lines are missing",
            frame.seeds, end.seeds
        )),
        Some(_) => None,
    }
}

/// Makes paths that are relative to the file of results relative to where the merging runs.
fn locate(message: &mut Message, file: &Path) {
    if let Message::Example(example) = message {
        let folder = file.parent().unwrap_or(Path::new(""));
        example.trace = folder.join(&example.trace);
        example.shrunk = example.shrunk.take().map(|path| folder.join(path));
    }
}
