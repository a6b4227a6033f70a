//! Runs of an application's own code in the place of a workload's clients.
//!
//! Job: the interface between a run (lives, faults, crashes, verdict) and a [`Program`], and what of a
//! program outlives its lives: its promises to the outside, and the progress of its clients. Not its job: the
//! interface that authors of such programs use (crate `stormproof-test`).

use std::collections::BTreeMap;

use stormproof_rt::sync::{Arc, Mutex};
use stormproof_rt_shuttle::life::Watcher;
use stormproof_workloads::history::{LifeEnd, Session};
use stormproof_workloads::plan::{Action, Client, FIRST_CLIENT};

use super::Role;
use super::world::{Phase, SimWorld};
use crate::plan::{DurabilityPlan, Plan};
use crate::task_names;

/// What the main task of each life runs.
pub trait Program: Send + Sync {
    /// Runs one life, to its end or until the power goes out. An error is a violation, unless the disk failed
    /// in this life.
    ///
    /// # Errors
    /// What went wrong, in words.
    fn live(&self, life: &ProgramLife) -> Result<(), String>;

    /// Returns an observer of every scheduling point, if the program wants one.
    fn watcher(&self) -> Option<Arc<dyn Watcher>> {
        None
    }
}

/// One life of a program.
#[derive(Clone, Debug)]
pub struct ProgramLife {
    /// Disk, clocks, entropy and history.
    pub world: Arc<SimWorld>,
    /// Everything that the run does.
    pub plan: Arc<Plan>,
    /// The number of the life, from 0.
    pub number: u32,
    /// What the life is for.
    pub role: Role,
}

impl ProgramLife {
    /// Notes that a database is open. The first one of a life ends its recovery.
    pub fn opened(&self) {
        let first =
            self.world.note(|now| std::mem::replace(&mut now.phase, Phase::Running) == Phase::Recovery);
        if first {
            self.world.recorder.opened(self.number);
        }
    }

    /// Returns the client with this number, from 0; `None` if shrinking has taken it away.
    pub fn client(&self, number: u32) -> Option<Session> {
        let session = FIRST_CLIENT + number;
        self.world.application.note_client(session);
        let allowed = !self.plan.limits_program() || self.program_of(session).is_some();
        allowed.then_some(session)
    }

    /// Returns the first item of a client's list that it may do and has not done; `None` after the last one.
    pub fn next_item(&self, session: Session, items: u32) -> Option<u32> {
        let done = self.world.application.begin_list(session);
        let may = |item: &u32| match self.program_of(session) {
            Some(client) if self.plan.limits_program() => {
                client.actions.contains(&Action::Item { number: *item })
            }
            _ => true,
        };
        (done..items).find(may)
    }

    fn program_of(&self, session: Session) -> Option<&Client> {
        self.plan.workload.clients.iter().find(|client| client.session == session)
    }
}

/// The session of the main task.
const MAIN_SESSION: Session = 0;

/// The session of the first task that is neither the main one nor a client's.
const FIRST_OTHER: Session = 1 << 30;

/// What outlives the lives of a program.
#[derive(Debug)]
pub struct Application(Mutex<ApplicationState>);

#[derive(Debug, Default)]
struct ApplicationState {
    promises: Vec<String>,
    /// The clients that were asked for.
    clients: BTreeMap<Session, Progress>,
    /// Tasks that are no clients and have used the database, in the order in which they first did.
    others: Vec<&'static str>,
    /// In which mode the database was opened, if in another one than the plan says.
    durability: Option<DurabilityPlan>,
    /// How often the database was opened in this life, and not closed.
    open: u32,
}

/// What a client has done of its list.
#[derive(Clone, Copy, Debug, Default)]
struct Progress {
    /// Items that are done, counted from the first.
    done: u32,
    /// Whether it asked for a list at all.
    has_list: bool,
}

impl Application {
    pub(super) fn new() -> Self {
        Self(Mutex::new("world.application", ApplicationState::default()))
    }

    /// Adds a promise to the outside.
    pub fn promise(&self, text: String) {
        self.0.lock().promises.push(text);
    }

    /// Returns all promises to the outside, oldest first.
    pub fn promises(&self) -> Vec<String> {
        self.0.lock().promises.clone()
    }

    /// Returns the session under which the history records a task's transactions.
    pub fn session_of(&self, task: &'static str) -> Session {
        if let Some(session) = task_names::session_of(task) {
            return session;
        }
        if task == task_names::MAIN {
            return MAIN_SESSION;
        }
        let mut state = self.0.lock();
        let known = state.others.iter().position(|other| *other == task);
        let index = known.unwrap_or_else(|| {
            state.others.push(task);
            state.others.len() - 1
        });
        FIRST_OTHER + u32::try_from(index).unwrap_or_default()
    }

    /// Returns tasks by session, for sessions that belong to no client.
    pub(super) fn others(&self) -> BTreeMap<Session, String> {
        let state = self.0.lock();
        (FIRST_OTHER..).zip(state.others.iter().map(|task| (*task).to_owned())).collect()
    }

    /// Notes that the database was opened in this mode.
    pub fn opened(&self, durability: DurabilityPlan) {
        let mut state = self.0.lock();
        state.open += 1;
        state.durability = Some(match state.durability {
            // Opened in several modes, it is judged by what all of them promise.
            Some(known) if known != durability => DurabilityPlan::Pipelined,
            _ => durability,
        });
    }

    /// Notes that the database was closed, and all of it is durable.
    pub fn closed(&self) {
        let mut state = self.0.lock();
        state.open = state.open.saturating_sub(1);
    }

    fn begin_life(&self) {
        self.0.lock().open = 0;
    }

    fn is_closed(&self) -> bool {
        self.0.lock().open == 0
    }

    /// Returns the plan with the durability in which the application has opened its database.
    pub(super) fn changed(&self, plan: &Plan) -> Plan {
        let mut plan = plan.clone();
        if let Some(durability) = self.0.lock().durability {
            plan.engine.durability = durability;
        }
        plan
    }

    /// Notes that the items of a client before `items` are done.
    pub fn finish(&self, session: Session, items: u32) {
        let mut state = self.0.lock();
        let progress = state.clients.entry(session).or_default();
        progress.done = items.max(progress.done);
    }

    /// Counts items that were begun or done.
    pub(super) fn progress(&self) -> u64 {
        self.0.lock().clients.values().map(|progress| u64::from(progress.done) + 1).sum()
    }

    /// Notes that a client asks for its list; returns how many items of it are done.
    fn begin_list(&self, session: Session) -> u32 {
        let mut state = self.0.lock();
        let progress = state.clients.entry(session).or_default();
        progress.has_list = true;
        progress.done
    }

    fn note_client(&self, session: Session) {
        self.0.lock().clients.entry(session).or_default();
    }

    /// Returns the clients that the application asked for, each with all items that it reached.
    pub(super) fn clients(&self) -> Vec<Client> {
        let item = |number| Action::Item { number };
        let client = |(&session, progress): (&Session, &Progress)| {
            // One more than were done: the item at which the last life was cut.
            let items = if progress.has_list { (0..=progress.done).map(item).collect() } else { Vec::new() };
            Client { session, seed: 0, actions: items }
        };
        self.0.lock().clients.iter().map(client).collect()
    }
}

/// Runs a life of a program, as its main task. Never returns if the power goes out.
pub(super) fn live(program: &dyn Program, life: &ProgramLife) {
    let world = &life.world;
    world.enter(Phase::Recovery);
    world.application.begin_life();
    let outcome = program.live(life);
    if let Err(message) = outcome {
        // An application may give up on a disk that fails; the next life shows whether what it promised
        // holds.
        if !world.hook.disturbed() {
            world.note(|now| now.broken = Some(message));
        }
    }
    // What was not closed may be lost, as in a crash.
    let how = if world.application.is_closed() { LifeEnd::Closed } else { LifeEnd::Crashed };
    if world.note(|now| now.phase) > Phase::Recovery {
        world.recorder.ended(life.number, how);
    }
}

/// Returns the class of an application's failure: its message without the numbers in it.
pub(super) fn class_of(message: &str) -> String {
    let mut class = String::new();
    for letter in message.lines().next().unwrap_or_default().chars().take(120) {
        if letter.is_ascii_digit() {
            if !class.ends_with('#') {
                class.push('#');
            }
        } else {
            class.push(letter);
        }
    }
    class
}

#[cfg(test)]
mod tests {
    use super::class_of;

    #[test]
    fn failures_that_differ_in_numbers_only_are_the_same() {
        assert_eq!(class_of("overbooked: 14 of 3"), class_of("overbooked: 5 of 3"));
        assert_eq!(class_of("overbooked: 14 of 3\nand more"), "overbooked: # of #");
    }
}
