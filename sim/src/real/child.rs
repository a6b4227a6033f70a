//! The process of a life: it opens the store, inspects it, works, inspects it again, and closes it. Each step
//! is reported before the next one begins.

use std::io::{self, BufRead};
use std::time::Duration;

use stormproof_rt::sync::Arc;
use stormproof_workloads::history::{LifeEnd, Recorder};
use stormproof_workloads::{Notebook, Store};

use super::message::{LineWriter, Report, Role, Start};
use super::thread_runner::{ThreadRunner, Work};
use super::time::RealTime;
use crate::inspector::inspect;
use crate::registry::Registry;

/// Runs the life that standard input describes, and reports on standard output what happens.
///
/// # Errors
/// When standard input holds no life of a workload that this binary knows.
pub fn serve(registry: &Registry) -> io::Result<()> {
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    let start: Start = serde_json::from_str(&line)?;
    let plan = &start.round.plan;
    let workload = registry.find(&plan.workload, &plan.parameters);
    let workload =
        workload.ok_or_else(|| io::Error::other(format!("no workload is called {}", plan.workload)))?;
    let recorder = Recorder::resumed(start.last, start.txns, Box::new(LineWriter::default()));
    let progress = start.progress.iter().cloned().collect();
    let notebook = Notebook::resumed(progress, Box::new(LineWriter::default()));
    LineWriter::report(&Report::Opening);
    let store = match start.round.target.open(&start.folder) {
        Ok(store) => Arc::new(store),
        Err(error) => {
            LineWriter::report(&Report::OpenFailed { error: error.to_string() });
            return Ok(());
        }
    };
    recorder.opened(start.life);
    look(&recorder, &**store, &start);
    if start.role == Role::Work {
        let runner = ThreadRunner {
            store: Arc::clone(&store),
            workload,
            plan: Arc::new(plan.clone()),
            time: RealTime::after(Duration::from_micros(start.before_micros)),
            recorder: recorder.clone(),
            notebook,
            life: start.life,
            silence_max: Duration::from_micros(start.silence_max_micros),
        };
        let work = runner.work();
        let done = work == Work::Done;
        LineWriter::report(&Report::Worked { work });
        if !done {
            return Ok(());
        }
        drop(runner);
        look(&recorder, &**store, &start);
    }
    let Some(store) = Arc::into_inner(store) else { return Ok(()) };
    match store.close() {
        Ok(()) => {
            recorder.ended(start.life, LifeEnd::Closed);
            LineWriter::report(&Report::Closed);
        }
        Err(error) => LineWriter::report(&Report::CloseFailed { error: error.to_string() }),
    }
    Ok(())
}

fn look(recorder: &Recorder, store: &dyn Store, start: &Start) {
    let mut names = start.names.clone();
    names.learn(&recorder.events());
    inspect(recorder, store, start.life, &names, &Notebook::new());
}
