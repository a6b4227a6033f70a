//! Setup, clients and audit of a plan on real threads.
//!
//! Not its job: lives. It works on one store until the plan is done, the store takes no more writes, or
//! nothing happens any more.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use stormproof_rt as rt;
use stormproof_rt::sync::Arc;
use stormproof_workloads::client::Stop;
use stormproof_workloads::history::{Life, Recorder};
use stormproof_workloads::plan::{Client, Plan};
use stormproof_workloads::{Notebook, Runner, Store, Workload};

use super::time::RealTime;
use crate::task_names;

/// Runs setup, clients and audit of one life on threads.
#[derive(Clone)]
pub struct ThreadRunner {
    /// What they work on.
    pub store: Arc<Box<dyn Store>>,
    /// Whose plan it is.
    pub workload: Arc<dyn Workload>,
    /// What they do.
    pub plan: Arc<Plan>,
    /// Their time.
    pub time: RealTime,
    /// Where the history is written down.
    pub recorder: Recorder,
    /// Where everything else is written down.
    pub notebook: Notebook,
    /// Which life it is.
    pub life: Life,
    /// Clients without an event for this long are stuck.
    pub silence_max: Duration,
}

/// How the work of a life ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Work {
    /// All clients are done, and the audit too.
    Done,
    /// The store takes no more writes.
    Closed,
    /// A client panicked, with this message.
    Panicked(String),
    /// Nothing has happened for too long. The threads are left as they are.
    Stuck,
}

impl ThreadRunner {
    /// Runs setup, all clients at once, and the audit, each from where the life before was cut.
    ///
    /// # Panics
    /// When the system starts no more threads.
    pub fn work(&self) -> Work {
        for stage in [vec![self.plan.setup.clone()], self.plan.clients.clone(), vec![self.plan.audit.clone()]]
        {
            match self.stage(stage) {
                Work::Done => {}
                other => return other,
            }
        }
        Work::Done
    }

    /// Runs these clients at once, to their ends.
    fn stage(&self, clients: Vec<Client>) -> Work {
        let threads: Vec<_> = clients
            .into_iter()
            .map(|client| {
                let runner = self.clone();
                let name = task_names::client(client.session);
                rt::thread::spawn(&name, move || runner.run(&client)).expect("the system starts a thread")
            })
            .collect();
        let mut watch = Watch { events: self.recorder.len(), since: rt::time::now() };
        while !threads.iter().all(rt::thread::JoinHandle::is_finished) {
            rt::time::sleep(Duration::from_millis(1));
            if watch.is_stuck(self.recorder.len(), self.silence_max) {
                return Work::Stuck;
            }
        }
        let mut work = Work::Done;
        for thread in threads {
            match thread.join() {
                Ok(Stop::Finished) => {}
                Ok(Stop::Closed(_)) if work == Work::Done => work = Work::Closed,
                Ok(Stop::Closed(_)) => {}
                Err(payload) => work = Work::Panicked(words(&*payload)),
            }
        }
        work
    }

    fn run(&self, client: &Client) -> Stop {
        let runner = Runner {
            store: &**self.store,
            workload: &*self.workload,
            environment: &self.time,
            recorder: &self.recorder,
            notebook: &self.notebook,
            life: self.life,
        };
        runner.run(client)
    }
}

/// When something happened last.
struct Watch {
    events: usize,
    since: rt::time::Instant,
}

impl Watch {
    fn is_stuck(&mut self, events: usize, silence_max: Duration) -> bool {
        let now = rt::time::now();
        if events != self.events {
            *self = Self { events, since: now };
        }
        now.saturating_since(self.since) > silence_max
    }
}

fn words(payload: &(dyn std::any::Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without words".into())
}
