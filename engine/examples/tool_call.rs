//! A tool call as one transaction: the state machine moves, the event log says so, and the result is stored,
//! all or nothing.
//!
//! `cargo run -p stormproof --example tool_call`

use std::error::Error;

use stormproof::{Database, EventLog, KvStore, State, StateMachine};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Call {
    Requested,
    Running,
    Done,
}

impl State for Call {
    fn name(&self) -> &str {
        match self {
            Self::Requested => "requested",
            Self::Running => "running",
            Self::Done => "done",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        [Self::Requested, Self::Running, Self::Done].into_iter().find(|call| call.name() == name)
    }
}

pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    let db = Database::open_in_memory()?;
    let run = db.begin_run()?;
    let calls = StateMachine::<Call>::builder("tool-call")
        .initial(Call::Requested)
        .transition(Call::Requested, Call::Running)
        .transition(Call::Running, Call::Done)
        .build()?;
    let (log, results) = (EventLog::new("tool-calls"), KvStore::default());

    db.transaction(run, |txn| {
        calls.create(txn, "call-1")?;
        log.append(txn, "call-1 requested")
    })?;
    db.transaction(run, |txn| calls.transition(txn, "call-1", &Call::Requested, &Call::Running))?;
    db.transaction(run, |txn| {
        calls.transition(txn, "call-1", &Call::Running, &Call::Done)?;
        results.put(txn, "call-1/result", "42")?;
        log.append(txn, "call-1 done")
    })?;

    // Resuming after a crash asks the machine, and does not do the step twice.
    let again = db.transaction(run, |txn| calls.transition(txn, "call-1", &Call::Running, &Call::Done));
    println!("a second time: {}", again.expect_err("it is done"));

    let mut txn = db.begin_transaction(run)?;
    assert_eq!(calls.state(&mut txn, "call-1")?, Some(Call::Done));
    for event in log.read(&mut txn, ..)? {
        println!("{}: {}", event.sequence, event.value);
    }
    println!("{} events, chain intact", log.verify(&mut txn)?);
    Ok(())
}
