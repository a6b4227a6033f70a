//! What a round runs on: a store by name, how it is opened, and what it promises.

use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};
use stormproof::Database;
use stormproof_oracle::{Durability, Expectations, Recency};
use stormproof_rt::sync::Arc;
use stormproof_rt::sync::atomic::{AtomicU64, Ordering};
use stormproof_workloads::Store;
use stormproof_workloads::store::{Capabilities, Isolation, Result, StoreError};

use super::peer;
use crate::plan::{DurabilityPlan, EnginePlan};
use crate::store::real::{Backup, EngineStore, builder};

/// A store, and how it is opened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// The production engine.
    Engine(EnginePlan),
    /// Another database.
    Peer {
        /// Its name.
        name: String,
        /// Whether it is opened so that every ack is durable.
        per_commit: bool,
    },
}

/// No store has that name in this binary.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnknownStore {
    /// It could be built in.
    #[error(
        "{0} is not built in: build stormproof with `--features {0}`, or with `--features peers` for most of them"
    )]
    NotBuiltIn(String),
    /// It does not exist.
    #[error("no store is called `{name}`: there are {}", Target::names().join(", "))]
    Unknown {
        /// The name.
        name: String,
    },
}

/// What a store promises its clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Promise {
    /// The strongest isolation.
    pub isolation: Isolation,
    /// What survives a crash.
    pub durability: Durability,
}

impl Target {
    /// The name of the engine.
    pub const ENGINE: &'static str = "stormproof";

    /// Returns all stores that this binary has.
    pub fn names() -> Vec<&'static str> {
        [Self::ENGINE].into_iter().chain(peer::names()).collect()
    }

    /// Returns the store with this name, opened as `engine` says; other databases only know whether each ack
    /// is durable.
    ///
    /// # Errors
    /// When there is none.
    pub fn by_name(name: &str, engine: EnginePlan) -> std::result::Result<Self, UnknownStore> {
        if name == Self::ENGINE {
            return Ok(Self::Engine(engine));
        }
        let per_commit = peer::is_durable(name)? && engine.durability == DurabilityPlan::Strict;
        Ok(Self::Peer { name: name.into(), per_commit })
    }

    /// Returns its name.
    pub fn name(&self) -> &str {
        match self {
            Self::Engine(_) => Self::ENGINE,
            Self::Peer { name, .. } => name,
        }
    }

    /// Returns what the store with this name can do.
    ///
    /// # Errors
    /// When there is none.
    pub fn capabilities_of(name: &str) -> std::result::Result<Capabilities, UnknownStore> {
        if name == Self::ENGINE {
            return Ok(EngineStore::can());
        }
        Ok(Capabilities { isolation_max: peer::isolation(name)?, ..Capabilities::default() })
    }

    /// Returns what it promises.
    pub fn promise(&self) -> Promise {
        match self {
            Self::Engine(plan) => {
                Promise { isolation: Isolation::Serializable, durability: plan.durability.promise() }
            }
            Self::Peer { name, per_commit } => Promise {
                isolation: peer::isolation(name).unwrap_or(Isolation::ReadCommitted),
                durability: match (per_commit, peer::is_durable(name)) {
                    (true, _) => Durability::Strict,
                    (false, Ok(true)) => Durability::Async,
                    (false, _) => Durability::None,
                },
            },
        }
    }

    /// Opens it in `folder`, and creates it if it is not there.
    ///
    /// # Errors
    /// When it does not open.
    pub fn open(&self, folder: &Path) -> Result<Box<dyn Store>> {
        match self {
            Self::Engine(plan) => {
                let store = engine(plan, folder).map_err(|error| StoreError::Refused(error.to_string()))?;
                Ok(Box::new(store))
            }
            Self::Peer { name, per_commit } => {
                std::fs::create_dir_all(folder).map_err(|error| StoreError::Refused(error.to_string()))?;
                peer::open(name, folder, *per_commit)
            }
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Engine(plan) => write!(f, "{} ({:?})", self.name(), plan.durability),
            Self::Peer { name, per_commit: true } => write!(f, "{name} (durable)"),
            Self::Peer { name, per_commit: false } => write!(f, "{name} (not durable)"),
        }
    }
}

impl Promise {
    /// Returns the promise as the oracle's expectations.
    pub fn expectations(self) -> Expectations {
        Expectations {
            isolation: self.isolation,
            durability: self.durability,
            recency: Recency::RealTime,
            findings_max: 8,
            ..Expectations::default()
        }
    }
}

/// Opens the engine, with small databases in folders beside it on demand.
fn engine(plan: &EnginePlan, folder: &Path) -> stormproof::Result<EngineStore> {
    let database = builder(plan).dir(folder.join("main")).open()?;
    let (plan, folder) = (plan.clone(), folder.to_owned());
    let wait_durable_every = plan.wait_durable_every;
    let siblings = Arc::new({
        let (plan, folder) = (plan.clone(), folder.clone());
        move |name: &str| builder(&plan).dir(folder.join(format!("sibling-{name}"))).open()
    });
    let backups = Arc::new({
        let number = AtomicU64::new("real.backups", 0);
        move |database: &Database| {
            let number = number.fetch_add(1, Ordering::Relaxed);
            back_up(&plan, &folder.join(format!("backup-{number}")), database)
        }
    });
    Ok(EngineStore::new(database, wait_durable_every)?.with_siblings(siblings).with_backups(backups))
}

/// Writes a backup to a folder and opens it. What is open needs no files.
fn back_up(plan: &EnginePlan, folder: &Path, database: &Database) -> stormproof::Result<Backup> {
    // What a killed process left.
    let _ = std::fs::remove_dir_all(folder);
    let info = database.backup_to(folder)?;
    let opened = builder(plan).dir(folder).read_only().open();
    let _ = std::fs::remove_dir_all(folder);
    Ok(Backup { info, opened })
}
