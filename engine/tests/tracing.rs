//! The spans and events that an application sees.

use std::fmt::Debug;

use rt::sync::{Arc, Mutex};
use stormproof::{Database, DatabaseBuilder};
use stormproof_faults::{DiskOptions, FaultKind, FaultPlan, FaultRule, Odds, SimDisk};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};

/// Writes down what it hears, a line each.
#[derive(Clone)]
struct Listener(Arc<Mutex<Vec<String>>>);

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0 += &format!(" {field}={value:?}");
    }
}

impl<S: Subscriber> Layer<S> for Listener {
    fn on_new_span(&self, attributes: &Attributes<'_>, _: &Id, _: Context<'_, S>) {
        let metadata = attributes.metadata();
        let mut line = Line(format!("{} span {}", metadata.level(), metadata.name()));
        attributes.record(&mut line);
        self.0.lock().push(line.0);
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut line = Line(format!("{} event", event.metadata().level()));
        event.record(&mut line);
        self.0.lock().push(line.0);
    }
}

/// What is heard while `act` runs, in this thread.
fn heard(act: impl FnOnce()) -> Vec<String> {
    let lines = Arc::new(Mutex::new("test.lines", Vec::new()));
    let subscriber = tracing_subscriber::registry().with(Listener(lines.clone()));
    tracing::subscriber::with_default(subscriber, act);
    std::mem::take(&mut lines.lock())
}

fn builder(disk: &SimDisk) -> DatabaseBuilder {
    Database::builder().disk(disk.mount()).allocate_bytes(4096)
}

fn expect(lines: &[String], parts: &[&str]) {
    let found = lines.iter().any(|line| parts.iter().all(|part| line.contains(part)));
    assert!(found, "{parts:?} is not among\n{}", lines.join("\n"));
}

/// One test, as what a thread listens to must not depend on what another one does not.
#[test]
fn what_the_engine_does_is_told() {
    opening_committing_and_checkpoints_are_spans_with_their_figures();
    retries_and_a_failed_sync_are_events();
}

fn opening_committing_and_checkpoints_are_spans_with_their_figures() {
    let disk = SimDisk::new(DiskOptions::default());
    let lines = heard(|| {
        let db = builder(&disk).open().unwrap();
        let run = db.begin_run().unwrap();
        db.transaction(run, |txn| txn.put("key", 1_i64)).unwrap();
        db.checkpoint().unwrap();
    });
    expect(&lines, &["INFO span open", "place="]);
    expect(&lines, &["INFO event", "recovered", "created=true"]);
    expect(&lines, &["DEBUG span transaction"]);
    expect(&lines, &["TRACE span commit", "writes=1"]);
    expect(&lines, &["DEBUG span flush", "commits=1"]);
    expect(&lines, &["INFO span checkpoint", "version="]);
    expect(&lines, &["INFO event", "written", "bytes="]);
    let lines = heard(|| drop(builder(&disk).open().unwrap()));
    expect(&lines, &["recovered", "created=false", "checkpoint_entries="]);
}

fn retries_and_a_failed_sync_are_events() {
    let disk = SimDisk::new(DiskOptions::default());
    let db = builder(&disk).open().unwrap();
    let run = db.begin_run().unwrap();
    let lines = heard(|| {
        let mut attempts = 0;
        db.transaction(run, |txn| {
            attempts += 1;
            let count: i64 = txn.get("key")?.unwrap_or(0);
            if attempts == 1 {
                db.put(run, "key", 10_i64)?;
            }
            txn.put("key", count + 1)
        })
        .unwrap();
        disk.set_faults(FaultPlan::random(1, [FaultRule::new(FaultKind::SyncDropsPages, Odds::ALWAYS)]));
        db.put(run, "lost", 1_i64).unwrap_err();
    });
    expect(&lines, &["DEBUG event", "in conflict", "attempts=1", "conflicts="]);
    expect(&lines, &["ERROR event", "closed for writing", "error="]);
}
