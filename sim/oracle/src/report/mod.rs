//! The answer to `stormproof check FILE`: levels, anomalies, and evidence in the words of the file.

mod dot;
mod evidence;
mod html;
mod svg;
mod text;

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use stormproof_workloads::history::{Outcome, TxnIndex};

pub use evidence::TxnEvidence;

use crate::blackbox::{self, Anomaly, MEMORY_MAX, Standing, Table, Terms, VersionOrders};
use crate::expectations::Expectations;
use crate::formats::{Format, FormatError, Initial, Input, LeftOut, Notation, read_file_with};
use crate::level::Level;
use crate::view::{View, show_in};

/// What is checked, and within which limits.
#[derive(Clone, Debug)]
pub struct CheckOptions {
    /// The level; all if none.
    pub level: Option<Level>,
    /// The names of the anomalies that count; all if none are named.
    pub anomalies: Vec<String>,
    /// What may be assumed about the order of versions of a key.
    pub orders: VersionOrders,
    /// Maximum number of search steps for each level.
    pub search_steps_max: u64,
    /// Maximum memory of the search, in bytes.
    pub memory_max: u64,
}

impl Default for CheckOptions {
    fn default() -> Self {
        Self {
            level: None,
            anomalies: Vec::new(),
            orders: VersionOrders::default(),
            search_steps_max: 300 * Expectations::default().search_steps_max,
            memory_max: MEMORY_MAX,
        }
    }
}

impl CheckOptions {
    /// Returns options that check one level, and what it implies.
    pub fn at(level: Level) -> Self {
        Self { level: Some(level), ..Self::default() }
    }
}

/// The answers for a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckReport {
    /// The level that was asked for; none if all were.
    pub level: Option<Level>,
    /// The anomalies that were asked for; empty if all were.
    pub wanted: Vec<String>,
    /// The number of transactions.
    pub txns: u64,
    /// The number of transactions that committed or may have, and did anything.
    pub judged: u64,
    /// The number of operations.
    pub ops: u64,
    /// The notation of keys and values.
    #[serde(default)]
    pub notation: Notation,
    /// Whether the file says when transactions ran.
    pub timed: bool,
    /// Operations of the file that were not judged.
    pub left_out: Vec<LeftOut>,
    /// Levels and anomalies.
    pub table: Table,
    /// The transactions that anomalies name, as the file has them.
    pub evidence: BTreeMap<TxnIndex, TxnEvidence>,
}

/// What follows from a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Conclusion {
    /// What was asked for holds.
    Holds,
    /// It is violated.
    Violated,
    /// It could not be decided, for this reason.
    Undecided(String),
    /// There was nothing to judge, for this reason.
    NothingJudged(String),
}

/// Checks a file.
///
/// # Errors
/// When it can't be read, or is not in that format: with line and column.
pub fn check_file(
    path: &Path,
    format: Option<Format>,
    initial: &Initial,
    options: &CheckOptions,
) -> Result<CheckReport, FormatError> {
    Ok(check_input(&read_file_with(path, format, initial)?, options))
}

/// Checks a history that was read.
pub fn check_input(input: &Input, options: &CheckOptions) -> CheckReport {
    let history = &input.history;
    let terms = Terms {
        memory_max: options.memory_max,
        orders: options.orders,
        census: !options.anomalies.is_empty() || options.level.is_none(),
        ..Terms::plain(options.search_steps_max)
    };
    let mut table = blackbox::judge(&View::of(history, input.notation), options.level, &terms);
    if !input.timed {
        for (level, standing) in &mut table.levels {
            if level.needs_time() && *standing == Standing::Holds {
                *standing = Standing::Unknown("the file does not say when transactions ran".to_owned());
            }
        }
    }
    if !options.anomalies.is_empty() {
        table.anomalies.retain(|anomaly| is_wanted(&options.anomalies, anomaly));
        table.counts.retain(|name, _| options.anomalies.iter().any(|wanted| covers(wanted, name)));
    }
    let certain = |outcome: &Outcome| matches!(outcome, Outcome::Committed { .. } | Outcome::Unknown { .. });
    let judged = history.txns.iter().filter(|txn| certain(&txn.outcome) && !txn.ops.is_empty()).count();
    CheckReport {
        level: options.level,
        wanted: options.anomalies.clone(),
        txns: history.txns.len() as u64,
        judged: judged as u64,
        ops: history.txns.iter().map(|txn| txn.ops.len() as u64).sum(),
        notation: input.notation,
        timed: input.timed,
        left_out: input.left_out.clone(),
        evidence: evidence::of(input, &table),
        table,
    }
}

/// Returns whether an anomaly has one of these names: its own or its kind's, or `G1` for all of G1a, G1b and
/// G1c.
fn is_wanted(wanted: &[String], anomaly: &Anomaly) -> bool {
    let class = anomaly.class.to_string();
    wanted.iter().any(|name| covers(name, &anomaly.name) || *name == class)
}

fn covers(wanted: &str, name: &str) -> bool {
    wanted == name || wanted == "G1" && name.starts_with("G1")
}

impl CheckReport {
    /// Returns what follows for the level or the anomalies that were asked for, or else for the strongest
    /// level that the file can decide.
    pub fn conclusion(&self) -> Conclusion {
        if self.judged == 0 {
            return Conclusion::NothingJudged(self.nothing());
        }
        let levels = self.table.levels.iter();
        let relevant = |level: Level| match self.level {
            Some(asked) => level == asked,
            None => self.timed || !level.needs_time(),
        };
        let relevant: Vec<&Standing> =
            levels.filter(|(level, _)| relevant(*level)).map(|(_, standing)| standing).collect();
        let violated = match self.wanted.is_empty() {
            true => relevant.iter().any(|standing| **standing == Standing::Violated),
            // All are counted, but not all described.
            false => !self.table.anomalies.is_empty() || !self.table.counts.is_empty(),
        };
        if violated {
            return Conclusion::Violated;
        }
        let open = relevant.into_iter().find_map(|standing| match standing {
            Standing::Unknown(why) => Some(why.clone()),
            Standing::Holds | Standing::Violated => None,
        });
        open.map_or(Conclusion::Holds, Conclusion::Undecided)
    }

    fn nothing(&self) -> String {
        let left_out: Vec<String> =
            self.left_out.iter().map(|one| format!("{} operations {}", one.count, one.what)).collect();
        match (self.txns, left_out.is_empty()) {
            (0, true) => "the file holds no transaction".to_owned(),
            (0, false) => format!("the file holds no transaction, only {}", left_out.join(", ")),
            (txns, _) => format!("none of {txns} transactions committed, or did anything"),
        }
    }

    /// Returns 0 if it holds, 1 if it is violated, 4 if that is undecided, 2 if nothing was judged (or the
    /// file can't be read).
    pub fn exit_code(&self) -> u8 {
        match self.conclusion() {
            Conclusion::Holds => 0,
            Conclusion::Violated => 1,
            Conclusion::NothingJudged(_) => 2,
            Conclusion::Undecided(_) => 4,
        }
    }

    /// Returns the report as text.
    pub fn text(&self) -> String {
        text::text(self)
    }

    /// Returns the report as JSON.
    pub fn json(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_else(|error| format!("{{\"error\":\"{error}\"}}"))
    }

    /// Returns the cycles, for Graphviz.
    pub fn dot(&self) -> String {
        dot::dot(self)
    }

    /// Returns the cycles as a picture.
    pub fn svg(&self) -> String {
        svg::svg(self)
    }

    /// Returns the whole report as one page, which refers to no other file.
    pub fn html(&self, title: &str) -> String {
        html::html(self, title)
    }

    /// Returns a key, as the file writes it.
    fn key(&self, key: &[u8]) -> String {
        show_in(self.notation, key)
    }

    fn cycles(&self) -> impl Iterator<Item = &Anomaly> {
        self.table.anomalies.iter().filter(|anomaly| !anomaly.cycle.is_empty())
    }
}
