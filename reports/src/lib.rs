//! Reports of simulations: plain data in; text, JSON, JUnit XML, Markdown, HTML, trace-viewer files and
//! graphs out.
//!
//! Job: take what a run ([`Report`]) or a sweep ([`Campaign`]) is made of, as plain data, and show it, to
//! people and to machines. A [`Document`] is either, and [`Document::render`] makes any [`Format`] of it.
//!
//! Not its job: to judge (the oracle does), to know the engine or the simulator (both import this crate,
//! never the other way round), to read or write files, or to know the time.
//!
//! Invariants:
//! - INV-REP-1: whatever stands in a key, a value, a label or a message is shown and never takes effect, in
//!   every format.
//! - INV-REP-2: nothing is dropped silently: what a format leaves out, it counts.
//! - INV-REP-3: the same document renders to the same bytes.
//! - INV-REP-4: an HTML page loads nothing from anywhere.

mod bytes;
mod campaign;
mod document;
mod escape;
mod graph;
mod html;
mod involved;
mod junit;
mod markdown;
mod plot;
mod report;
mod text;
mod trace;
mod trend;
mod words;

pub use bytes::show_bytes;
pub use campaign::{
    CallTotal, Campaign, ConflictTotal, Failure, FailureTotal, FaultTotal, InvariantTotal, MarkTotal,
    MutantTotal, SpeedPoint, StrategyTotal, WorkloadTotal,
};
pub use document::{Document, Format, RenderError};
pub use report::{
    Access, AccessKind, Anomaly, Check, CheckResult, Conflict, ConflictKind, Edge, EdgeKind, Fault,
    FrontierPoint, Lane, LaneId, LaneKind, Life, LifeEnd, Outcome, Report, Step, Time, Txn, TxnId, Verdict,
    Version, Violation,
};
pub use trend::{Trend, TrendPoint};
pub use words::version;
