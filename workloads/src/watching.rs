//! A client that watches: takes commits for a while, and records what was delivered.

use std::time::Duration;

use crate::client::Runner;
use crate::history::Session;
use crate::notebook::{NoteKind, Progress};
use crate::plan::{Watching, WatchingFrom};
use crate::store::{Result, StoreError, TxnOptions, Version, WatchRequest, Watched};

/// A bound that none of our clients comes near: with it a watch of new commits never has to read the log.
const AMPLE: usize = 1 << 20;

/// A rule that holds as long as the disk keeps what was synced.
pub const READS_LOG: &str = "a watch can read what it needs";

/// Watches as the plan says. Where a crash cuts it, it goes on in the next life from what was written down.
pub(crate) fn watch(
    runner: &Runner<'_>,
    session: Session,
    plan: &Watching,
    progress: &mut Progress,
) -> Result<()> {
    let after = match plan.from {
        WatchingFrom::Now => None,
        WatchingFrom::Seen => Some(progress.watched),
        WatchingFrom::Start => Some(0),
    };
    let mut watch = runner.store.watch(&WatchRequest {
        prefix: plan.prefix.clone().into_bytes(),
        after,
        durable: plan.durable,
        bytes_max: plan.bytes_max,
        polled: plan.polled,
    })?;
    let keeps_up = after.is_none() && plan.bytes_max >= AMPLE;
    let begins = |after, keeps_up| NoteKind::WatchBegins {
        prefix: plan.prefix.clone(),
        durable: plan.durable,
        after,
        keeps_up,
    };
    runner.note(session, None, begins(watch.position(), keeps_up));
    for _ in 0..plan.commits {
        let called = runner.recorder.tick();
        let answer = watch.next(Duration::from_micros(plan.micros));
        if let Err(StoreError::Refused(message)) = answer {
            runner.note(session, None, NoteKind::Broken { rule: READS_LOG.into(), message });
            break;
        }
        match answer? {
            Watched::Commit(commit) => {
                let version = commit.version;
                if plan.durable {
                    runner.recorder.durable_up_to(version);
                }
                progress.watched = progress.watched.max(version);
                runner.notebook.set_progress(session, progress);
                runner.note(session, None, NoteKind::Watched { commit });
                let shown = shown(runner)?;
                if shown < version {
                    let message = format!("the commit at {version} was told when snapshots were at {shown}");
                    let rule = "what is told is published".into();
                    runner.note(session, None, NoteKind::Broken { rule, message });
                }
                runner.environment.sleep(Duration::from_micros(plan.pause_micros));
            }
            Watched::Quiet => {
                progress.watched = progress.watched.max(watch.position());
                runner.notebook.set_progress(session, progress);
                runner.note(session, None, NoteKind::WatchQuiet { called });
                break;
            }
            Watched::Behind { read_at } => {
                let shown = shown(runner)?;
                runner.note(session, None, NoteKind::WatchBehind { read_at, shown });
                watch.skip_to(shown)?;
                progress.watched = progress.watched.max(shown);
                runner.notebook.set_progress(session, progress);
                runner.note(session, None, begins(shown, false));
            }
        }
    }
    Ok(())
}

/// Returns the version of a snapshot that is taken now.
fn shown(runner: &Runner<'_>) -> Result<Version> {
    let txn = runner.store.begin(&TxnOptions { read_only: true, ..TxnOptions::default() })?;
    txn.start_version().ok_or_else(|| StoreError::Refused("a store that is watched tells versions".into()))
}
