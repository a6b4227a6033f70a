//! Rounds, one after the other, up to a number or a time limit.
//!
//! Workloads take turns, seeds count up. Rounds that held are deleted at once; of others, the history and the
//! files of the store are kept.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;
use stormproof_rt as rt;
use stormproof_rt::sync::Arc;
use stormproof_rt::sync::atomic::{AtomicBool, Ordering};
use stormproof_workloads::history::{FoldError, write_jsonl};
use stormproof_workloads::{History, Workload};

use super::figures::Figures;
use super::judge::{Judged, judge};
use super::round::{Host, Kills, Played, Round};
use super::target::UnknownStore;
use crate::finding::Finding;
use crate::options::Options;
use crate::seed::Seed;

/// A campaign of real rounds.
pub struct Campaign {
    /// Which store.
    pub store: String,
    /// The workloads, which take turns.
    pub workloads: Vec<Arc<dyn Workload>>,
    /// Threads, transactions, isolation and durability.
    pub options: Options,
    /// How processes end.
    pub kills: Kills,
    /// The seed of the first round.
    pub first: Seed,
    /// Number of rounds.
    pub rounds: Option<u64>,
    /// No round begins after this time.
    pub time_limit: Option<Duration>,
    /// Where stores are created, each in a folder of its own.
    pub folder: PathBuf,
    /// Where histories of violations go.
    pub failures: PathBuf,
    /// What rounds need of this machine.
    pub host: Host,
    /// Ends it after the round under way.
    pub stop: Arc<AtomicBool>,
}

/// The result of a round.
#[derive(Clone, Debug, Serialize)]
pub struct RoundReport {
    /// Its seed.
    pub seed: u64,
    /// Its workload.
    pub workload: String,
    /// The store, and how it was opened.
    pub store: String,
    /// Violations.
    pub findings: Vec<Finding>,
    /// Anomalies that were seen and that the isolation allows.
    pub sightings: Vec<String>,
    /// What could not be decided.
    pub undecided: Vec<String>,
    /// How much was done.
    pub figures: Figures,
    /// The recorded history, if it was kept.
    pub history_file: Option<PathBuf>,
    /// The files of the store, if they were kept.
    pub kept: Option<PathBuf>,
    /// The history, if something was violated: it names the transactions involved.
    #[serde(skip)]
    pub history: Option<History>,
}

/// Why a campaign could not be run.
#[derive(Debug, thiserror::Error)]
pub enum CampaignError {
    /// No store has that name.
    #[error(transparent)]
    Store(#[from] UnknownStore),
    /// The files of a round could not be created, or its process could not be started.
    #[error("{}: {source}: name a folder that can be written to", .folder.display())]
    Io {
        /// Where.
        folder: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
    /// Power can't be cut here.
    #[error("{0}")]
    PowerCuts(io::Error),
    /// What was recorded does not add up.
    #[error("the recording of seed {seed} is damaged: {source}: please report it")]
    Recording {
        /// Of which seed.
        seed: Seed,
        /// What does not.
        source: FoldError,
    },
    /// The folder of a round is in use.
    #[error("{} exists: remove it, or begin with another --seed", .0.display())]
    Occupied(PathBuf),
}

/// Failures whose files are kept; more are only counted.
const KEPT_MAX: usize = 10;

impl Campaign {
    /// Runs it; `on_round` is called with each round as it ends.
    ///
    /// # Errors
    /// When a round can't be run at all; see [`CampaignError`].
    pub fn run(&self, mut on_round: impl FnMut(&RoundReport)) -> Result<Vec<RoundReport>, CampaignError> {
        let start = rt::time::now();
        let mut reports = Vec::new();
        let mut kept = 0;
        for (number, workload) in (0_u64..).zip(self.workloads.iter().cycle()) {
            let passed = rt::time::now().saturating_since(start);
            let enough = self.rounds.is_some_and(|rounds| number >= rounds);
            let late = number > 0 && self.time_limit.is_some_and(|limit| passed >= limit);
            if enough || late || self.stop.load(Ordering::SeqCst) {
                break;
            }
            let seed = Seed(self.first.0.wrapping_add(number));
            let report = self.round(seed, workload, kept < KEPT_MAX)?;
            kept += usize::from(report.kept.is_some());
            on_round(&report);
            reports.push(RoundReport { history: None, ..report });
        }
        Ok(reports)
    }

    fn round(
        &self,
        seed: Seed,
        workload: &Arc<dyn Workload>,
        keep: bool,
    ) -> Result<RoundReport, CampaignError> {
        let round = Round::draw(seed, &**workload, &self.store, &self.options, self.kills)?;
        let folder = self.folder.join(format!("{}-{}-{seed}", round.target.name(), workload.name()));
        if folder.exists() {
            return Err(CampaignError::Occupied(folder));
        }
        let io = |source| CampaignError::Io { folder: folder.clone(), source };
        let played = round.play(workload, &folder, &self.host).map_err(|error| match error.kind() {
            io::ErrorKind::Unsupported if round.power_cuts.is_some() => CampaignError::PowerCuts(error),
            _ => io(error),
        })?;
        let promise = round.target.promise();
        let Judged { history, findings, sightings, undecided } =
            judge(&**workload, &round.plan, promise, &played)
                .map_err(|source| CampaignError::Recording { seed, source })?;
        let violated = !findings.is_empty();
        let mut report = RoundReport {
            seed: seed.0,
            workload: workload.name().to_owned(),
            store: round.target.to_string(),
            findings,
            sightings,
            undecided,
            figures: Figures::of(&history, &played),
            history_file: None,
            kept: None,
            history: violated.then_some(history),
        };
        if violated && keep {
            report.history_file = Some(self.write_history(&round, &played).map_err(io)?);
            report.kept = Some(folder);
        } else {
            fs::remove_dir_all(&folder).map_err(io)?;
        }
        Ok(report)
    }

    fn write_history(&self, round: &Round, played: &Played) -> io::Result<PathBuf> {
        fs::create_dir_all(&self.failures)?;
        let name = format!("{}-{}-{}.jsonl", round.target.name(), round.plan.workload, round.seed);
        let path = self.failures.join(name);
        write(&path, played)?;
        Ok(path)
    }
}

fn write(path: &Path, played: &Played) -> io::Result<()> {
    write_jsonl(io::BufWriter::new(fs::File::create(path)?), &played.events)
}
