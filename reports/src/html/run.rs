//! One run as a page: what it says in words is in the markup, the timeline is drawn from JSON by the page's
//! script.

use std::collections::BTreeMap;

use askama::Template;
use serde::Serialize;
use serde_json::Value;

use super::Frame;
use crate::document::RenderError;
use crate::escape::script_json;
use crate::graph::picture;
use crate::involved::involved;
use crate::{
    Anomaly, EdgeKind, Fault, FrontierPoint, Lane, LaneId, Life, Report, Time, Txn, TxnId, Verdict, words,
};

/// Renders one run.
pub(crate) fn run(report: &Report) -> Result<String, RenderError> {
    let mut anomalies = Vec::new();
    for (index, anomaly) in report.anomalies.iter().enumerate() {
        anomalies.push(Drawn { anomaly, svg: picture(anomaly, index)?.svg });
    }
    let page = Page {
        frame: Frame::new(&report.title, include_str!("../../templates/run.js")),
        report,
        class: match report.verdict {
            Verdict::Held => "held",
            Verdict::Violated => "violated",
            Verdict::Failed => "failed",
        },
        anomalies,
        glossary: glossary(report),
        data: script_json(&strip(serde_json::to_value(Data::of(report))?))?,
    };
    Ok(page.render()?)
}

/// Returns the words that a page of this run uses, and what they mean.
fn glossary(report: &Report) -> Vec<(String, &'static str)> {
    let mut rows: Vec<&str> = report.violations.iter().map(|violation| violation.contract.as_str()).collect();
    rows.sort_unstable();
    rows.dedup();
    rows.retain(|row| !row.is_empty());
    let rows = if rows.is_empty() { "§3, V1, D1 …".to_owned() } else { rows.join(", ") };
    let mut glossary = vec![(rows, CONTRACT)];
    let is_used =
        |kind: EdgeKind| report.anomalies.iter().any(|a| a.edges.iter().any(|edge| edge.kind == kind));
    glossary.extend(
        EdgeKind::ALL
            .into_iter()
            .filter(|kind| is_used(*kind))
            .map(|kind| (kind.word().to_owned(), kind.meaning())),
    );
    glossary.push(("T7".to_owned(), TRANSACTION));
    glossary.push(("@3, version 3, e2.3".to_owned(), VERSION));
    if report.lives.len() > 1 {
        glossary.push(("life".to_owned(), LIFE));
    }
    glossary.push(("published, durable".to_owned(), FRONTIER));
    glossary
}

const CONTRACT: &str = "Rows of the contract of the store: its promises, word by word, are in engine/CONTRACT.md of its \
    sources.";
const TRANSACTION: &str = "The transaction with number 7, counted in the order in which they began.";
const VERSION: &str = "Each commit that writes gets the next version; a read names the version that it saw, and 0 is \
    from before any commit. Each time the store is opened after something was written an epoch begins, and versions \
    leap to it, so that none is assigned twice: e2.3 is commit 3 of epoch 2, in full 1,099,511,627,779.";
const LIFE: &str = "What happens between opening the store and its next crash or close.";
const FRONTIER: &str =
    "The newest version that a new transaction sees, and the newest that a crash can't take back.";

/// `value` without members that are null or empty: most of a transaction's are, and the script knows the
/// defaults.
fn strip(value: Value) -> Value {
    match value {
        Value::Array(items) => items.into_iter().map(strip).collect(),
        Value::Object(members) => members
            .into_iter()
            .filter(|(name, value)| is_kept(name, value))
            .map(|(name, v)| (name, strip(v)))
            .collect(),
        other => other,
    }
}

fn is_kept(name: &str, value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty() || !matches!(name, "accesses" | "conflicts" | "recovery"),
        _ => true,
    }
}

#[derive(Template)]
#[template(path = "run.html")]
struct Page<'a> {
    frame: Frame<'a>,
    report: &'a Report,
    class: &'static str,
    anomalies: Vec<Drawn<'a>>,
    glossary: Vec<(String, &'static str)>,
    data: String,
}

struct Drawn<'a> {
    anomaly: &'a Anomaly,
    svg: String,
}

/// What the script draws from.
#[derive(Serialize)]
struct Data<'a> {
    lanes: &'a [Lane],
    lives: &'a [Life],
    txns: &'a [Txn],
    faults: &'a [Fault],
    frontier: &'a [FrontierPoint],
    steps: Steps<'a>,
    blamed: Vec<TxnId>,
}

/// Returns each time less the one before it.
fn differences(times: impl Iterator<Item = Time>) -> Vec<Time> {
    let mut before = 0;
    times.map(|at| at.saturating_sub(std::mem::replace(&mut before, at))).collect()
}

/// Steps by column, labels once each, times as differences: there may be a million of them.
#[derive(Serialize)]
struct Steps<'a> {
    labels: Vec<&'a str>,
    at: Vec<Time>,
    lane: Vec<LaneId>,
    label: Vec<u32>,
    preempted: Vec<u8>,
}

impl<'a> Data<'a> {
    fn of(report: &'a Report) -> Self {
        Self {
            lanes: &report.lanes,
            lives: &report.lives,
            txns: &report.txns,
            faults: &report.faults,
            frontier: &report.frontier,
            steps: Steps::of(report),
            blamed: involved(report).0.iter().map(|txn| txn.id).collect(),
        }
    }
}

impl<'a> Steps<'a> {
    fn of(report: &'a Report) -> Self {
        let mut labels = Vec::new();
        let mut known = BTreeMap::new();
        let mut label = Vec::with_capacity(report.steps.len());
        for step in &report.steps {
            label.push(*known.entry(step.label.as_str()).or_insert_with(|| {
                labels.push(step.label.as_str());
                u32::try_from(labels.len() - 1).unwrap_or(u32::MAX)
            }));
        }
        Self {
            labels,
            at: differences(report.steps.iter().map(|step| step.at)),
            lane: report.steps.iter().map(|step| step.lane).collect(),
            label,
            preempted: report.steps.iter().map(|step| u8::from(step.preempted)).collect(),
        }
    }
}
