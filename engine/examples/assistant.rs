//! An assistant in one file: a queue of jobs with leases, memory of serde types, events, states, a cache,
//! pages.
//!
//! `cargo run --example assistant`

use std::time::Duration;

use serde::{Deserialize, Serialize};
use stormproof::{Database, Error, EventLog, RunId, Serde, State, StateMachine, Table};

/// What can go wrong, ours and the store's: either rolls back.
#[derive(Debug)]
enum Failed {
    Busy { agent: String },
    Store(Error),
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Phase {
    Idle,
    Working,
}

impl State for Phase {
    fn name(&self) -> &str {
        match self {
            Self::Idle => "idle",
            Self::Working => "working",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        [Self::Idle, Self::Working].into_iter().find(|phase| phase.name() == name)
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Job {
    prompt: String,
    attempts: u32,
}

#[derive(Debug, Serialize, Deserialize)]
struct Memory {
    subject: String,
    facts: Vec<String>,
}

/// All that the assistant keeps, by name and type.
struct Assistant {
    db: Database,
    waiting: Table<(u8, u64), Serde<Job>>,
    leased: Table<(u64, u8, u64), Serde<Job>>,
    memories: Table<(String, u64), Serde<Memory>>,
    log: EventLog,
    phases: StateMachine<Phase>,
}

impl Assistant {
    fn new(db: Database) -> Result<Self, Error> {
        let phases = StateMachine::builder("agent")
            .initial(Phase::Idle)
            .transition(Phase::Idle, Phase::Working)
            .transition(Phase::Working, Phase::Idle)
            .build()?;
        let (waiting, leased, memories) =
            (Table::new("waiting"), Table::new("leased"), Table::new("memories"));
        Ok(Self { db, waiting, leased, memories, log: EventLog::new("calls"), phases })
    }

    fn enqueue(&self, run: RunId, priority: u8, prompt: &str) -> Result<(), Error> {
        let number = self.db.increment(run, "jobs", 1)?.unsigned_abs();
        let job = Job { prompt: prompt.to_owned(), attempts: 0 };
        self.db.table(&self.waiting).put(run, &(priority, number), Serde(job))
    }

    /// Takes the most urgent job, and marks the agent as working: both or neither.
    fn lease(&self, run: RunId, agent: &str, until: u64) -> Result<Option<(u8, u64)>, Failed> {
        self.db.try_transaction(run, |txn| {
            if self.phases.state(txn, agent)? == Some(Phase::Working) {
                return Err(Failed::Busy { agent: agent.to_owned() });
            }
            let first = txn.table(&self.waiting).iter()?.next();
            let Some(((priority, number), Serde(job))) = first.transpose()? else { return Ok(None) };
            txn.table(&self.waiting).delete(&(priority, number))?;
            let again = Job { attempts: job.attempts + 1, ..job };
            txn.table(&self.leased).put(&(until, priority, number), Serde(again))?;
            self.phases.transition(txn, agent, &Phase::Idle, &Phase::Working)?;
            self.log.append(txn, format!("{agent} took job {number}"))?;
            Ok(Some((priority, number)))
        })
    }

    /// Puts jobs back whose lease is over.
    fn expire(&self, run: RunId, now: u64) -> Result<usize, Error> {
        self.db.transaction(run, |txn| {
            let over = txn.table(&self.leased).range(..(now, 0, 0))?.collect::<Result<Vec<_>, _>>()?;
            for (key, job) in &over {
                txn.table(&self.leased).delete(key)?;
                txn.table(&self.waiting).put(&(key.1, key.2), job.clone())?;
            }
            Ok(over.len())
        })
    }

    fn remember(&self, run: RunId, agent: &str, memory: Memory) -> Result<(), Error> {
        let newest = self.db.table(&self.memories).prefix(&(agent,)).next_back().transpose()?;
        let next = newest.map_or(0, |((_, number), _)| number + 1);
        self.db.table(&self.memories).put(run, &(agent.to_owned(), next), Serde(memory))
    }

    /// The subjects of the newest memories, `size` at a time, before the last one that was seen.
    fn page(&self, agent: &str, before: Option<u64>, size: usize) -> Result<Vec<(u64, String)>, Error> {
        let memories = self.db.table(&self.memories).prefix(&(agent,));
        let memories = match before {
            Some(number) => memories.before(&(agent.to_owned(), number)),
            None => memories,
        };
        let subject = |entry: Result<((String, u64), Serde<Memory>), Error>| {
            entry.map(|((_, number), Serde(memory))| (number, memory.subject))
        };
        memories.rev().take(size).map(subject).collect()
    }

    /// An answer that is computed at most once an hour.
    fn cached(&self, run: RunId, question: &str, answer: impl FnOnce() -> String) -> Result<String, Error> {
        let key = format!("cache/{question}");
        if let Some(found) = self.db.get(&key)? {
            return Ok(found);
        }
        let made = answer();
        self.db.put_with_ttl(run, key, made.as_str(), Duration::from_secs(3_600))?;
        Ok(made)
    }
}

pub(crate) fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dir = tempfile::tempdir()?;
    let assistant = Assistant::new(Database::open(dir.path())?)?;
    let run = assistant.db.begin_run()?;
    assistant.db.transaction(run, |txn| assistant.phases.create(txn, "ada"))?;
    assistant.enqueue(run, 2, "tidy up")?;
    assistant.enqueue(run, 1, "find the bug")?;

    // The urgent job first; and who works gets no second one.
    match assistant.lease(run, "ada", 100) {
        Ok(leased) => assert_eq!(leased, Some((1, 2))),
        Err(Failed::Store(error)) => return Err(error.into()),
        Err(Failed::Busy { agent }) => panic!("{agent} has only begun"),
    }
    assert!(matches!(assistant.lease(run, "ada", 100), Err(Failed::Busy { agent }) if agent == "ada"));
    assert_eq!(assistant.expire(run, 101)?, 1);
    assert_eq!(assistant.db.table(&assistant.waiting).len(), 2);

    for number in 1..=5 {
        let facts = vec![format!("fact {number}")];
        assistant.remember(run, "ada", Memory { subject: format!("subject {number}"), facts })?;
    }
    let newest = assistant.page("ada", None, 2)?;
    assert_eq!(newest.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [4, 3]);
    assert_eq!(assistant.page("ada", Some(3), 2)?[0].1, "subject 3");

    assert_eq!(assistant.cached(run, "weather", || "sunny".to_owned())?, "sunny");
    assert_eq!(assistant.cached(run, "weather", || unreachable!("it is cached"))?, "sunny");

    let events = assistant.db.transaction(run, |txn| assistant.log.read(txn, ..))?;
    println!("{} jobs wait; {}", assistant.db.table(&assistant.waiting).len(), events[0].value);
    assistant.db.close()?;
    Ok(())
}
