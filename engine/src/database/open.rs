//! Opening a database: from settings and files to a handle with its threads.

use env::{Disk, StdDisk};
use rt::sync::Arc;

use super::Database;
use super::builder::{DatabaseBuilder, Place};
use super::checkpoints::Checkpoints;
use super::handle::{Background, Handle};
use super::maintenance::Maintenance;
use super::settings;
use crate::checkpoint::spawn_checkpointer;
use crate::commit::{Committer, Leader};
use crate::error::{Error, Result};
use crate::expiry::ExpiryTable;
use crate::index_loader::IndexLoader;
use crate::mvcc::{Index, Writer};
use crate::recovery::{self, RecoveryOptions, RecoveryReport};
use crate::run::RunTable;
use crate::store::{Contents, Store};
use crate::telemetry::{event, span};
use crate::txn::{Coordinator, Hooks, TxnIds};
use crate::types::{TxnId, Version};

/// Opens a database, recovering what its files hold.
pub(super) fn open(builder: DatabaseBuilder) -> Result<Database> {
    settings::check(&builder)?;
    let seed = builder.entropy.next_u64();
    let Some(disk) = disk(&builder)? else {
        let beginning = Beginning::empty(Index::new(builder.index_sizes), seed);
        return start(builder, beginning);
    };
    let _span = span!(INFO, "open", place = disk.describe());
    let beginning =
        if builder.read_only { load(&*disk, &builder, seed)? } else { recover(disk, &builder, seed)? };
    start(builder, beginning)
}

#[cfg(feature = "simulation")]
fn hooks(builder: &DatabaseBuilder) -> Hooks {
    Hooks::new(builder.observer.clone(), builder.log.durability)
}

#[cfg(not(feature = "simulation"))]
fn hooks(_builder: &DatabaseBuilder) -> Hooks {
    Hooks
}

fn disk(builder: &DatabaseBuilder) -> Result<Option<Arc<dyn Disk>>> {
    let dir = match &builder.place {
        Place::Memory => return Ok(None),
        Place::Disk(disk) => return Ok(Some(Arc::clone(disk))),
        Place::Dir(dir) => dir,
    };
    let (opened, operation) = if builder.read_only {
        (StdDisk::open(dir), "opening the directory")
    } else {
        (StdDisk::create(dir), "creating the directory")
    };
    let disk = opened.map_err(|error| Error::io(operation, dir.display().to_string(), error))?;
    Ok(Some(Arc::new(disk)))
}

/// The state with which a database begins.
struct Beginning {
    contents: Contents,
    writer: Writer,
    /// The version of the first commit.
    first_version: Version,
    /// The id of the first transaction.
    first_txn: TxnId,
    report: RecoveryReport,
}

impl Beginning {
    fn empty((index, writer): (Index, Writer), seed: u64) -> Self {
        Self {
            contents: Contents {
                index,
                runs: RunTable::new(seed),
                expiry: ExpiryTable::new(),
                log: None,
                published: Version::ZERO,
            },
            writer,
            first_version: Version::ZERO.next(),
            first_txn: TxnId::ZERO.next(),
            report: RecoveryReport::default(),
        }
    }
}

fn recover(disk: Arc<dyn Disk>, builder: &DatabaseBuilder, seed: u64) -> Result<Beginning> {
    let mut loader = IndexLoader::new(builder.index_sizes, builder.recovery_threads);
    let options = RecoveryOptions { log: builder.log, salvage: builder.salvage };
    let opened = recovery::open(disk, options, &*builder.entropy, &mut loader)?;
    let (runs, expiry) = (RunTable::new(seed), ExpiryTable::new());
    let (index, writer) = finish(loader, &runs, &expiry)?;
    event!(
        INFO,
        created = opened.report.created,
        version = opened.report.last_version.get(),
        checkpoint_entries = opened.report.checkpoint_entries,
        commits = opened.report.commits,
        log_bytes = opened.report.log_bytes,
        torn_bytes = opened.report.torn_bytes,
        salvaged = opened.report.salvaged.len(),
        "recovered"
    );
    let published = opened.last_version;
    Ok(Beginning {
        contents: Contents { index, runs, expiry, log: Some(opened.log), published },
        writer,
        first_version: opened.first_version,
        first_txn: opened.first_txn,
        report: opened.report,
    })
}

/// Loads what the files hold, for reading only. Nothing is written, so there is no log to continue.
fn load(disk: &dyn Disk, builder: &DatabaseBuilder, seed: u64) -> Result<Beginning> {
    let mut loader = IndexLoader::new(builder.index_sizes, builder.recovery_threads);
    let report = recovery::load(disk, builder.salvage, &mut loader)?;
    let (runs, expiry) = (RunTable::new(seed), ExpiryTable::new());
    let (index, writer) = finish(loader, &runs, &expiry)?;
    let published = report.last_version;
    Ok(Beginning {
        contents: Contents { index, runs, expiry, log: None, published },
        writer,
        first_version: published.next(),
        first_txn: TxnId::ZERO.next(),
        report,
    })
}

/// Makes a database in memory of what was loaded.
pub(super) fn loaded(
    builder: DatabaseBuilder,
    loader: IndexLoader,
    last_version: Version,
    last_txn: TxnId,
) -> Result<Database> {
    let seed = builder.entropy.next_u64();
    let (runs, expiry) = (RunTable::new(seed), ExpiryTable::new());
    let (index, writer) = finish(loader, &runs, &expiry)?;
    let beginning = Beginning {
        contents: Contents { index, runs, expiry, log: None, published: last_version },
        writer,
        first_version: last_version.next(),
        first_txn: last_txn.next(),
        report: RecoveryReport::default(),
    };
    start(builder, beginning)
}

fn finish(loader: IndexLoader, runs: &RunTable, expiry: &ExpiryTable) -> Result<(Index, Writer)> {
    loader.finish(|key, entry| {
        runs.follow(key, entry.value.as_ref());
        if let Some(expires_at) = entry.expires.at() {
            expiry.set(key, Some(expires_at));
        }
    })
}

/// Puts the parts together, and starts the threads.
fn start(builder: DatabaseBuilder, beginning: Beginning) -> Result<Database> {
    // Only a strict commit waits for the disk, so only there a group is worth its hand-over.
    let grouped = beginning.contents.log.is_some() && builder.log.durability.is_strict();
    let leader = Leader::new(beginning.first_version.previous(), builder.collect_every, beginning.writer);
    let hooks = hooks(&builder);
    let store = Arc::new(Store::new(beginning.contents, builder.snapshot_generations, builder.clock));
    let coordinator = Arc::new(Coordinator::new(
        Arc::clone(&store),
        Committer::new(leader, grouped),
        TxnIds::new(beginning.first_txn),
        builder.defaults,
        builder.entropy,
        builder.recording,
        hooks,
    ));
    let checkpoints = Arc::new(Checkpoints::new(Arc::clone(&coordinator)));
    if let Some(log) = &store.log
        && !beginning.report.salvaged.is_empty()
    {
        // Before anything else: the next open must not meet the damage again.
        checkpoints.write(log)?;
    } else if let Some(log) = &store.log
        && log.has_many_segments()
    {
        // Now, not in the background, which a program that opens, writes and closes never gives the time: the
        // files, and the time to open, would grow with every open.
        rt::reached!("checkpoint at the open");
        if let Err(error) = checkpoints.write(log) {
            event!(WARN, %error, "no checkpoint at the open; the log stays, and another is tried");
        }
    }
    let maintenance = Maintenance::start(
        &coordinator,
        builder.maintenance_interval,
        builder.retention,
        builder.packs_beside_commits,
    )?;
    let checkpointer = match &store.log {
        None => None,
        Some(log) => {
            let (checkpoints, body) = (Arc::clone(&checkpoints), Arc::clone(log));
            Some(spawn_checkpointer(log, move || checkpoints.write(&body).map(drop))?)
        }
    };
    coordinator.hooks.opened(&store);
    let background = Background::new(maintenance, checkpointer);
    let handle = Handle::new(coordinator, checkpoints, background, beginning.report, builder.close_timeout);
    Ok(Database { handle: Arc::new(handle) })
}
