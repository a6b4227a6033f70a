//! The workloads that a binary knows: those of the catalogue, and those that its author adds.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use stormproof_rt::sync::Arc;
use stormproof_workloads::recorded::RecordingError;
use stormproof_workloads::store::Capabilities;
use stormproof_workloads::{Recorded, Workload, catalogue};

use crate::options::Options;
use crate::run::Program;
use crate::suggest::use_one_of;
use crate::workload_params::{ParamError, apply};

/// The workloads that a binary knows.
#[derive(Clone, Default)]
pub struct Registry {
    own: Vec<Arc<dyn Workload>>,
    /// Code that runs in the place of clients, by the name of its workload.
    programs: BTreeMap<String, Arc<dyn Program>>,
}

impl Registry {
    /// Creates a registry of the catalogue and `own`; a workload of `own` replaces the one with the same
    /// name.
    pub fn new(own: Vec<Arc<dyn Workload>>) -> Self {
        Self { own, programs: BTreeMap::new() }
    }

    /// Adds a program that runs in the place of the clients of the workload of this name.
    #[must_use]
    pub fn with_program(mut self, workload: &str, program: Arc<dyn Program>) -> Self {
        self.programs.insert(workload.to_owned(), program);
        self
    }

    /// Returns the program that takes the place of the clients of the workload of this name, if there is one.
    pub fn program(&self, workload: &str) -> Option<Arc<dyn Program>> {
        self.programs.get(workload).cloned()
    }

    /// Returns all of them, sorted by name.
    pub fn all(&self) -> Vec<Arc<dyn Workload>> {
        let mut all = self.own.clone();
        for workload in catalogue::all() {
            if !all.iter().any(|own| own.name() == workload.name()) {
                all.push(workload.into());
            }
        }
        all.sort_by(|a, b| a.name().cmp(b.name()));
        all
    }

    /// Returns the workloads that options ask for, with their parameters, on a store that can do this: those
    /// that are named, the one of a recording, or all that make sense there.
    ///
    /// # Errors
    /// When something is named that is not there, or that does not fit.
    pub fn select(
        &self,
        options: &Options,
        can: &Capabilities,
    ) -> Result<Vec<Arc<dyn Workload>>, SelectionError> {
        let chosen = match &options.recording {
            Some(path) => vec![recording(path)?],
            None => self.named(options, can)?,
        };
        Ok(apply(chosen, &options.set)?)
    }

    fn named(&self, options: &Options, can: &Capabilities) -> Result<Vec<Arc<dyn Workload>>, SelectionError> {
        let all = self.all();
        if options.workload.is_empty() {
            return Ok(all.into_iter().filter(|workload| workload.runs_on(can)).collect());
        }
        let mut chosen = Vec::new();
        for name in &options.workload {
            let found = all.iter().find(|workload| workload.name() == name).ok_or_else(|| {
                let known = all.iter().map(|workload| workload.name().to_owned()).collect();
                SelectionError::Unknown { name: name.clone(), known }
            })?;
            if !found.runs_on(can) {
                return Err(SelectionError::Unfit(name.clone()));
            }
            chosen.push(Arc::clone(found));
        }
        Ok(chosen)
    }

    /// Returns the one that a plan names, with the plan's parameters.
    pub fn find(&self, name: &str, parameters: &serde_json::Value) -> Option<Arc<dyn Workload>> {
        let own = self.own.iter().find(|own| own.name() == name).cloned();
        own.or_else(|| catalogue::by_name(name, parameters.clone()).map(Arc::from))
    }
}

/// The options ask for workloads that don't exist or don't fit.
#[derive(Debug, thiserror::Error)]
pub enum SelectionError {
    /// No workload has that name.
    #[error("no workload is called `{name}`: this binary does not have it: {}", use_one_of(name, known))]
    Unknown {
        /// The name.
        name: String,
        /// What there is.
        known: Vec<String>,
    },
    /// The store can't do what the workload needs.
    #[error("the store can't do what {0} needs: name another workload")]
    Unfit(String),
    /// A parameter can't be set.
    #[error(transparent)]
    Setting(#[from] ParamError),
    /// A recording can't be read.
    #[error("no recording in {}: {source}", .path.display())]
    Recording {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: RecordingError,
    },
}

fn recording(path: &Path) -> Result<Arc<dyn Workload>, SelectionError> {
    let failed = |source| SelectionError::Recording { path: path.to_owned(), source };
    let file = File::open(path).map_err(|source| failed(RecordingError::Io { line: 0, source }))?;
    Ok(Arc::new(Recorded::read(BufReader::new(file)).map_err(failed)?))
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.all().iter().map(|workload| workload.name().to_owned()).collect::<Vec<_>>();
        f.debug_struct("Registry").field("workloads", &names).finish()
    }
}
