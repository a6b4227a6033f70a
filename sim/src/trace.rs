//! A failure as a file: the plan, made explicit, and every decision that was taken.
//!
//! Job: stay useful when code changes. The decisions are kept twice: raw, which replays to the last bit on
//! the same code, and by name (task, operation, occurrence), which often still replays when the code has
//! changed, and reports where it diverged.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde::{Deserialize, Serialize};
use stormproof_faults::FaultPlan;
use stormproof_rt_shuttle::life::{Decisions, InjectedEvents};

use crate::digest::DigestValue;
use crate::finding::Finding;
use crate::plan::{Plan, StrategyPlan};
use crate::registry::Registry;
use crate::run::{Run, RunError, Watched, run, run_watched};

/// The version of the format that this code writes. It reads this one only.
pub const FORMAT: u32 = 1;

/// Traces above this size are compressed: those that a person might read are far smaller.
const PLAIN_BYTES_MAX: usize = 1 << 20;

/// The first bytes of a compressed file.
const GZIP: [u8; 2] = [0x1f, 0x8b];

fn packed(text: &str) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text.as_bytes())?;
    encoder.finish()
}

fn unpacked(bytes: Vec<u8>) -> io::Result<String> {
    if !bytes.starts_with(&GZIP) {
        return String::from_utf8(bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error));
    }
    let mut text = String::new();
    GzDecoder::new(bytes.as_slice()).read_to_string(&mut text)?;
    Ok(text)
}

/// A failure as a file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trace {
    /// The version of the format.
    pub stormproof_trace: u32,
    /// The command that found it.
    pub command: String,
    /// What was found.
    pub findings: Vec<Finding>,
    /// The digest of the run that found it.
    pub digest: DigestValue,
    /// What was done: faults one by one, switches by name.
    pub plan: Plan,
    /// Raw decisions per life of the plan; empty in shrunk traces.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub decisions: Vec<Decisions>,
}

/// Why a trace can't be read or written.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// The file can't be read or written.
    #[error("the trace {path} can't be read or written: {source}: name a file that you may use")]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file holds no trace.
    #[error("{path} is not a trace: {source}: give a file that `stormproof run` or `sweep` wrote")]
    Json {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// The file was written by other code.
    #[error(
        "{path} can't be replayed: it has trace format {found}, and this binary reads {FORMAT}: replay it with the binary that wrote it"
    )]
    Format {
        /// Which file.
        path: PathBuf,
        /// Its format.
        found: u32,
    },
}

/// How a replay went.
#[derive(Debug)]
pub struct Replayed {
    /// What happened.
    pub run: Run,
    /// Whether it was the same to the last bit.
    pub exact: bool,
    /// Whether the same kind of failure came out.
    pub same_failure: bool,
    /// Where it diverged.
    pub divergences: Vec<String>,
}

impl Trace {
    /// Returns the trace of a run.
    pub fn of(plan: &Plan, run: &Run, command: &str) -> Self {
        Self {
            stormproof_trace: FORMAT,
            command: command.to_owned(),
            findings: run.findings().to_vec(),
            digest: run.digest,
            plan: explicit(plan, run),
            decisions: run
                .lives
                .iter()
                .take(plan.lives.len())
                .map(|run| run.life.schedule.decisions.clone())
                .collect(),
        }
    }

    /// Returns the trace of a shrunk run, which failed with `finding`: without raw decisions, as the code
    /// will change.
    pub fn shrunk(plan: &Plan, run: &Run, finding: &Finding, command: &str) -> Self {
        let mut trace = Self::of(plan, run, command);
        trace.decisions.clear();
        trace.findings.sort_by_key(|other| other.identity() != finding.identity());
        trace
    }

    /// Replays, and if the failure does not come back, since the code has changed too much, searches for it
    /// under up to `schedules` other schedules.
    ///
    /// # Errors
    /// As [`run`].
    pub fn reproduce(&self, registry: &Registry, schedules: u64) -> Result<Replayed, RunError> {
        let replayed = self.replay(registry)?;
        if replayed.same_failure {
            return Ok(replayed);
        }
        for attempt in 0..schedules {
            let again = run(&self.plan.rescheduled(attempt), registry)?;
            let again = self.replayed(again, false);
            if again.same_failure {
                return Ok(Replayed { divergences: replayed.divergences, ..again });
            }
        }
        Ok(replayed)
    }

    /// Replays: to the last bit if the code is the same, by name if not.
    ///
    /// # Errors
    /// As [`run`].
    pub fn replay(&self, registry: &Registry) -> Result<Replayed, RunError> {
        Ok(self.replay_by(|plan| Ok((run(plan, registry)?, ())))?.0)
    }

    /// As [`Self::replay`], observed, for a report.
    ///
    /// # Errors
    /// As [`run`].
    pub fn replay_watched(&self, registry: &Registry) -> Result<(Replayed, Watched), RunError> {
        self.replay_by(|plan| run_watched(plan, registry))
    }

    fn replay_by<T>(
        &self,
        play: impl Fn(&Plan) -> Result<(Run, T), RunError>,
    ) -> Result<(Replayed, T), RunError> {
        if !self.decisions.is_empty() {
            let mut exact = self.plan.clone();
            for (life, decisions) in exact.lives.iter_mut().zip(&self.decisions) {
                life.strategy = StrategyPlan::Replay { decisions: decisions.clone() };
            }
            let (run, more) = play(&exact)?;
            if run.digest == self.digest {
                return Ok((self.replayed(run, true), more));
            }
        }
        let (run, more) = play(&self.plan)?;
        let exact = run.digest == self.digest;
        Ok((self.replayed(run, exact), more))
    }

    /// Reads a trace file.
    ///
    /// # Errors
    /// When it can't be read, or holds no trace of this format.
    pub fn read(path: &Path) -> Result<Self, TraceError> {
        let io = |source| TraceError::Io { path: path.to_owned(), source };
        let json = |source| TraceError::Json { path: path.to_owned(), source };
        let text = unpacked(std::fs::read(path).map_err(io)?).map_err(io)?;
        let value: serde_json::Value = serde_json::from_str(&text).map_err(json)?;
        match value.get("stormproof_trace").and_then(serde_json::Value::as_u64) {
            Some(found) if found != u64::from(FORMAT) => {
                let found = u32::try_from(found).unwrap_or(u32::MAX);
                Err(TraceError::Format { path: path.to_owned(), found })
            }
            _ => serde_json::from_value(value).map_err(json),
        }
    }

    /// Writes a trace file, and the folder that it lies in.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn write(&self, path: &Path) -> Result<(), TraceError> {
        let io = |source| TraceError::Io { path: path.to_owned(), source };
        if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            std::fs::create_dir_all(parent).map_err(io)?;
        }
        let json = |source| TraceError::Json { path: path.to_owned(), source };
        let mut text = serde_json::to_string_pretty(self).map_err(json)?;
        text.push('\n');
        let bytes = if text.len() > PLAIN_BYTES_MAX { packed(&text).map_err(io)? } else { text.into_bytes() };
        std::fs::write(path, bytes).map_err(io)
    }

    fn replayed(&self, run: Run, exact: bool) -> Replayed {
        let expected = self.findings.first().map(Finding::identity);
        let same_failure = expected
            .is_none_or(|expected| run.findings().iter().any(|finding| finding.identity() == expected));
        let divergences = if exact { Vec::new() } else { run.divergences() };
        Replayed { run, exact, same_failure, divergences }
    }
}

/// Returns the plan with every random decision made explicit: faults one by one, switches by name.
pub fn explicit(plan: &Plan, run: &Run) -> Plan {
    let mut plan = plan.clone();
    let fired = FaultPlan::replaying(&run.faults);
    plan.disk.faults = FaultPlan { seed: plan.disk.faults.seed, ..fired };
    if let Some(clients) = &run.clients {
        plan.limit_program(clients);
    }
    for (life, ran) in plan.lives.iter_mut().zip(&run.lives) {
        life.strategy = StrategyPlan::Directed { forced_switches: ran.life.schedule.forced_switches() };
        life.injected_events = InjectedEvents::Only(ran.life.schedule.injected_events());
    }
    plan
}
