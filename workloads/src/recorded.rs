//! What an application did, replayed: a workload made from a recording of the shapes of its transactions.
//!
//! The engine writes recordings (`DatabaseBuilder::record`): JSON lines, a header and one [`Shape`] per
//! transaction. Each run of the application becomes a client. A plan is a window of the recording, another
//! one for each draw, so that many seeds cover a long recording in pieces that can be simulated.
//!
//! What is kept: which keys were read, scanned, written, deleted and appended to together, sizes, order,
//! isolation, and the pauses between. What is not: values, and what the application decided by them.

use std::collections::BTreeMap;
use std::io::{self, BufRead};

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::Deserialize;

use crate::catalogue::{garbage, wrong_end};
use crate::evidence::Evidence;
use crate::plan::{Action, Client, End, FIRST_CLIENT, Payload, Plan, Step, Transaction};
use crate::store::{Isolation, Range};
use crate::workload::{About, Finding, Scale, Workload};

/// Its name in plans and reports.
pub const NAME: &str = "recording";

/// A recording as a workload.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Recorded {
    /// What each run did, in the order in which they began.
    runs: Vec<Vec<Shape>>,
}

/// The shape of one transaction.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Shape {
    /// `committed` or `aborted`.
    pub outcome: String,
    /// Whose it was.
    pub run: String,
    /// When it ended.
    pub at_micros: u64,
    /// `serializable` or `snapshot`.
    pub isolation: String,
    /// Whether it promised to write nothing.
    pub read_only: bool,
    /// Keys that it read.
    pub reads: Vec<String>,
    /// Ranges that it read.
    pub scans: Vec<Scan>,
    /// What it wrote.
    pub writes: Vec<Write>,
    /// What it appended to event streams.
    pub appends: Vec<Append>,
}

/// A range: all keys with a prefix, or from a key to before another.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Scan {
    /// The prefix.
    pub prefix: Option<String>,
    /// The first key.
    pub start: String,
    /// The first key after it.
    pub end: Option<String>,
}

/// A write, or a delete.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Write {
    /// Which key.
    pub key: String,
    /// The size of the value; none for a delete.
    pub bytes: Option<usize>,
    /// When it expires, in milliseconds.
    pub ttl_ms: Option<u64>,
    /// Whether it was conditional.
    pub conditional: bool,
}

/// An append to an event stream.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Append {
    /// Which stream.
    pub stream: String,
    /// The size of the event.
    pub bytes: usize,
}

#[derive(Deserialize)]
struct Header {
    recording: u32,
}

/// Why a file is no recording.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// It could not be read.
    #[error("line {line}: {source}")]
    Io {
        /// Which line, from 1.
        line: usize,
        /// What went wrong.
        source: io::Error,
    },
    /// A line is not what it should be.
    #[error("line {line} is no line of a recording: {source}")]
    Syntax {
        /// Which line, from 1.
        line: usize,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// It was written by another version.
    #[error("the recording has format {0}, and this program reads format {FORMAT}: record it again")]
    Format(u32),
    /// There is nothing in it.
    #[error("the recording holds no transaction: record one, and close the database")]
    Empty,
}

/// The format that is read.
const FORMAT: u32 = 1;

/// The longest pause that is kept: simulated time costs nothing, that of real runs does.
const PAUSE_MICROS_MAX: u64 = 50_000;

/// How keys of event streams begin: the shared namespace, and the tag of events.
const STREAM: &str = "~%01%02";

impl Recorded {
    /// Reads a recording.
    ///
    /// # Errors
    /// When it is none, or empty.
    pub fn read(reader: impl BufRead) -> Result<Self, RecordingError> {
        let mut runs: Vec<Vec<Shape>> = Vec::new();
        let mut numbers: BTreeMap<String, usize> = BTreeMap::new();
        for (line, text) in (1..).zip(reader.lines()) {
            let text = text.map_err(|source| RecordingError::Io { line, source })?;
            let syntax = |source| RecordingError::Syntax { line, source };
            if line == 1 {
                let header: Header = serde_json::from_str(&text).map_err(syntax)?;
                if header.recording != FORMAT {
                    return Err(RecordingError::Format(header.recording));
                }
                continue;
            }
            let shape: Shape = serde_json::from_str(&text).map_err(syntax)?;
            let run = *numbers.entry(shape.run.clone()).or_insert(runs.len());
            if run == runs.len() {
                runs.push(Vec::new());
            }
            runs[run].push(shape);
        }
        if runs.is_empty() { Err(RecordingError::Empty) } else { Ok(Self { runs }) }
    }

    /// Returns how many runs, and how many transactions, there are.
    pub fn len(&self) -> (usize, usize) {
        (self.runs.len(), self.runs.iter().map(Vec::len).sum())
    }

    /// Returns whether there is nothing to play.
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }
}

impl Workload for Recorded {
    fn name(&self) -> &str {
        NAME
    }

    fn about(&self) -> About {
        About {
            stresses: "what an application of yours did",
            invariant: "whatever is read was written, and not by an abort",
        }
    }

    fn parameters(&self) -> serde_json::Value {
        let (runs, transactions) = self.len();
        serde_json::json!({ "runs": runs, "transactions": transactions })
    }

    /// A window: up to `scale.clients` runs, and of each up to `scale.transactions` in a row, which begin at
    /// one moment of the recording.
    fn plan(&self, scale: &Scale, rng: &mut ChaCha8Rng) -> Plan {
        let mut plan = Plan::new(NAME, self.parameters());
        if self.runs.is_empty() {
            return plan;
        }
        let moment = self.moment(rng);
        let mut active: Vec<&[Shape]> = self
            .runs
            .iter()
            .map(|run| &run[run.partition_point(|shape| shape.at_micros < moment)..])
            .filter(|rest| !rest.is_empty())
            .collect();
        while active.len() > scale.clients.max(1) as usize {
            active.remove(rng.random_range(0..active.len()));
        }
        let mut keys: Vec<&str> = Vec::new();
        for (session, shapes) in (FIRST_CLIENT..).zip(active) {
            let shapes = &shapes[..shapes.len().min(scale.transactions as usize)];
            keys.extend(shapes.iter().flat_map(|shape| shape.writes.iter().map(|write| write.key.as_str())));
            let seed = rng.random();
            plan.clients.push(Client { session, seed, actions: actions(shapes, scale.isolation) });
        }
        keys.sort_unstable();
        keys.dedup();
        let reads = keys.into_iter().map(|key| Step::Get { key: key.to_owned() });
        plan.audit.actions.push(Transaction::reading(reads).into());
        plan
    }

    fn check(&self, evidence: &Evidence<'_>) -> Vec<Finding> {
        let mut findings = garbage(evidence);
        let audited = evidence.audit().filter_map(|op| match op {
            crate::history::Op::Get { key, .. } => Some(key),
            _ => None,
        });
        // What expires may be gone at the end, whichever client wrote it last.
        let expiring = |key: &[u8]| {
            evidence.effective().flat_map(|txn| &txn.ops).any(
                |op| matches!(op, crate::history::Op::PutExpiring { key: written, .. } if written == key),
            )
        };
        findings.extend(audited.filter(|key| !expiring(key)).filter_map(|key| wrong_end(evidence, key)));
        findings
    }
}

impl Recorded {
    /// Draws a time at which some transaction ended, so that busy parts of the recording are likelier.
    fn moment(&self, rng: &mut ChaCha8Rng) -> u64 {
        let run = &self.runs[rng.random_range(0..self.runs.len())];
        run[rng.random_range(0..run.len())].at_micros
    }
}

fn actions(shapes: &[Shape], isolation: Isolation) -> Vec<Action> {
    let mut actions = Vec::new();
    let mut before: Option<u64> = None;
    for shape in shapes {
        let micros = before.map_or(0, |before| shape.at_micros.saturating_sub(before)).min(PAUSE_MICROS_MAX);
        if micros > 0 {
            actions.push(Action::Pause { micros });
        }
        before = Some(shape.at_micros);
        actions.push(transaction(shape, isolation).into());
    }
    actions
}

fn transaction(shape: &Shape, isolation: Isolation) -> Transaction {
    let asked = if shape.isolation == "snapshot" { Isolation::Snapshot } else { Isolation::Serializable };
    let steps = reads(shape).chain(shape.writes.iter().map(write)).chain(shape.appends.iter().map(append));
    Transaction {
        isolation: asked.min(isolation),
        read_only: shape.read_only,
        end: if shape.outcome == "aborted" { End::Abort } else { End::Commit },
        ..Transaction::of(steps)
    }
}

fn reads(shape: &Shape) -> impl Iterator<Item = Step> {
    let points = shape.reads.iter().filter(|key| !key.starts_with(STREAM));
    points.map(|key| Step::Get { key: key.clone() }).chain(shape.scans.iter().map(scan))
}

fn scan(scan: &Scan) -> Step {
    match &scan.prefix {
        Some(prefix) if prefix.starts_with(STREAM) => {
            Step::ReadEvents { stream: prefix.clone(), verify: false }
        }
        Some(prefix) => {
            let Range { start, end } = Range::prefix(prefix.as_bytes());
            let text = |key: Vec<u8>| String::from_utf8_lossy(&key).into_owned();
            Step::Scan { start: text(start), end: end.map(text), limit: None, reverse: false }
        }
        None => Step::Scan { start: scan.start.clone(), end: scan.end.clone(), limit: None, reverse: false },
    }
}

fn write(write: &Write) -> Step {
    let key = write.key.clone();
    let value = |len: usize| Payload::Unique { len };
    match (write.bytes, write.ttl_ms, write.conditional) {
        (None, ..) => Step::Delete { key },
        (Some(_), Some(ttl_ms), _) => Step::PutTtl { key, ttl_ms },
        (Some(len), None, true) => Step::Swap { key, value: value(len) },
        (Some(len), None, false) => Step::Put { key, value: value(len) },
    }
}

fn append(append: &Append) -> Step {
    Step::AppendEvent { stream: append.stream.clone(), len: append.bytes }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::{Recorded, RecordingError};
    use crate::plan::{Action, End, Payload, Step};
    use crate::workload::{Scale, Workload};

    const FILE: &str = r#"{"recording":1,"hashed":false}
{"outcome":"committed","run":"a","at_micros":100,"isolation":"serializable","read_only":false,"reads":["x","~%01%02log%00"],"scans":[{"prefix":"user/"}],"writes":[{"key":"x","bytes":3},{"key":"y"},{"key":"z","bytes":0,"conditional":true}],"appends":[{"stream":"~%01%02log%00","bytes":9}]}
{"outcome":"aborted","run":"b","at_micros":150,"isolation":"snapshot","read_only":false,"writes":[{"key":"t","bytes":3,"ttl_ms":40}]}
{"outcome":"committed","run":"a","at_micros":400,"isolation":"snapshot","read_only":true,"reads":["x"]}
"#;

    #[test]
    fn shapes_become_steps_and_runs_become_clients() {
        let recorded = Recorded::read(FILE.as_bytes()).expect("a recording");
        assert_eq!(recorded.len(), (2, 3));
        let plans =
            (0..50).map(|seed| recorded.plan(&Scale::default(), &mut ChaCha8Rng::seed_from_u64(seed)));
        let whole =
            plans.into_iter().find(|plan| plan.clients.len() == 2 && plan.clients[0].actions.len() == 3);
        let plan = whole.expect("some window is all of it");
        let Action::Transaction(first) = &plan.clients[0].actions[0] else { panic!("{plan:?}") };
        let unique = |len| Payload::Unique { len };
        assert_eq!(
            first.steps,
            [
                Step::Get { key: "x".into() },
                Step::Scan { start: "user/".into(), end: Some("user0".into()), limit: None, reverse: false },
                Step::Put { key: "x".into(), value: unique(3) },
                Step::Delete { key: "y".into() },
                Step::Swap { key: "z".into(), value: unique(0) },
                Step::AppendEvent { stream: "~%01%02log%00".into(), len: 9 },
            ]
        );
        assert_eq!(plan.clients[0].actions[1], Action::Pause { micros: 300 });
        let Action::Transaction(other) = &plan.clients[1].actions[0] else { panic!("{plan:?}") };
        assert_eq!((other.end, &other.steps[0]), (End::Abort, &Step::PutTtl { key: "t".into(), ttl_ms: 40 }));
    }

    #[test]
    fn windows_are_within_the_scale_and_draws_give_others() {
        let line = |run: u32, at: u32| {
            format!(
                "{{\"outcome\":\"committed\",\"run\":\"{run}\",\"at_micros\":{at},\"reads\":[\"k{at}\"]}}\n"
            )
        };
        let lines: String = (0..1_000).map(|at| line(at % 7, at)).collect();
        let recorded =
            Recorded::read(format!("{{\"recording\":1,\"hashed\":true}}\n{lines}").as_bytes()).expect("one");
        let scale = Scale { clients: 3, transactions: 5, ..Scale::default() };
        let plan = |seed| recorded.plan(&scale, &mut ChaCha8Rng::seed_from_u64(seed));
        assert_eq!(plan(1), plan(1));
        assert_ne!(plan(1), plan(2));
        assert!((0..40).all(|seed| plan(seed).clients.len() <= 3 && plan(seed).transactions() <= 16));
    }

    #[test]
    fn what_is_no_recording_is_refused_by_line() {
        let error = Recorded::read("{\"recording\":9}".as_bytes()).expect_err("another format");
        assert!(matches!(error, RecordingError::Format(9)), "{error}");
        let error = Recorded::read("{\"recording\":1}\nnonsense".as_bytes()).expect_err("nonsense");
        assert!(error.to_string().starts_with("line 2"), "{error}");
        assert!(matches!(Recorded::read("".as_bytes()), Err(RecordingError::Empty)));
    }
}
