//! Agents as tokio tasks: closures where blocking is allowed, tickets awaited, and a watch that hands work
//! on.
//!
//! `cargo run -p stormproof --example async_tokio`; why it is so: `engine/guides/async.md`.

use std::error::Error;
use std::future::poll_fn;

use stormproof::{Database, Durability, KeyRange, RunId, Watch, WatchOptions};
use tokio::task::{JoinSet, spawn_blocking};

/// Jobs that each agent posts.
const JOBS: u64 = 20;

/// Agents that post.
const AGENTS: u64 = 3;

/// Posts jobs, and counts them in the same transaction. Returns when all are durable.
async fn post(db: Database, agent: u64) -> Result<(), stormproof::Error> {
    let run = db.begin_run()?;
    let mut last = None;
    for job in 0..JOBS {
        let store = db.clone();
        // A closure may lose, and pauses then: not on a thread of the executor.
        let posted = spawn_blocking(move || {
            store.transaction_with_commit(run, &Default::default(), |txn| {
                txn.put(format!("job/{agent}/{job:03}"), job)?;
                txn.increment("posted", 1)
            })
        });
        let (_, commit) = posted.await.expect("no panic")?;
        last = Some(commit.ticket().clone());
    }
    // Tickets are fulfilled in commit order: the last speaks for all.
    match last {
        Some(ticket) => ticket.await,
        None => Ok(()),
    }
}

/// Does jobs as they are posted, until all are done.
async fn work(db: Database, run: RunId, mut jobs: Watch) -> Result<u64, stormproof::Error> {
    let mut sum = 0;
    for _ in 0..AGENTS * JOBS {
        let next = poll_fn(|context| jobs.poll_next(context)).await;
        let commit = next.expect("the database stays open")?;
        for write in commit.writes {
            sum += u64::try_from(write.value.expect("jobs are not deleted"))?;
        }
    }
    let store = db.clone();
    spawn_blocking(move || store.put(run, "sum", sum)).await.expect("no panic")?;
    Ok(sum)
}

async fn run() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let dir = folder.path().join("db");
    let db = spawn_blocking(move || Database::builder().dir(dir).durability(Durability::Pipelined).open())
        .await??;
    let worker = db.begin_run()?;
    // Only what no crash takes back: work on a job that is lost would be for nothing.
    let jobs = db.watch_with(KeyRange::prefix("job/"), &WatchOptions::new().durable())?;
    let worker = tokio::spawn(work(db.clone(), worker, jobs));
    let mut agents = JoinSet::new();
    for agent in 0..AGENTS {
        agents.spawn(post(db.clone(), agent));
    }
    while let Some(agent) = agents.join_next().await {
        agent??;
    }
    let sum = worker.await??;
    assert_eq!(sum, AGENTS * (0..JOBS).sum::<u64>());
    assert_eq!(db.get("posted")?, Some((AGENTS * JOBS) as i64));

    let (store, backup) = (db.clone(), folder.path().join("backup"));
    let written = spawn_blocking(move || store.backup_to(backup)).await??;
    println!("sum {sum}; a backup of {} keys at {}", written.entries, written.version);
    spawn_blocking(move || db.close()).await??;
    Ok(())
}

pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).build()?.block_on(run())
}
