//! Ways to leave the simulation: each is noticed, and the message says what to do.
#![expect(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "what is not to be done is done here"
)]

mod support;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use stormproof_test::{Options, Result, World};
use support::failure_of;

fn options(name: &str) -> Options {
    Options::new(&format!("leaving::{name}")).seeds(50).crashes(false).hang_seconds(1)
}

#[test]
fn a_lock_of_std_that_is_held_across_a_call_of_the_store() {
    let text = failure_of(options("std_mutex"), |world: World| -> Result {
        let db = world.open()?;
        let shared = Arc::new(Mutex::new(0_u64));
        world.clients(3, |client| {
            let run = client.run(&db)?;
            let mut count = shared.lock().expect("no client panics");
            *count += 1;
            db.transaction(run, |txn| txn.put("count", *count))
        })?;
        Ok(())
    });
    assert!(text.contains("waits for something that is not simulated"), "{text}");
    assert!(text.contains("the last that happened: client-"), "{text}");
    assert!(text.contains("stormproof::runtime::sync"), "{text}");
}

#[test]
fn a_loop_that_waits_for_another_thread_without_letting_it_run() {
    let text = failure_of(options("busy_loop"), |world: World| {
        let flag = AtomicU64::new(0);
        world.clients(2, |client| {
            if client.name() == "client-2" {
                while flag.load(Ordering::SeqCst) == 0 {
                    std::hint::spin_loop();
                }
            }
            flag.store(1, Ordering::SeqCst);
        })
    });
    assert!(text.contains("waits for something that is not simulated"), "{text}");
    assert!(text.contains("yield_now"), "{text}");
}

#[test]
fn the_clock_of_the_machine_in_a_value() {
    let text = failure_of(options("system_time").check(true), |world: World| -> Result {
        let db = world.open()?;
        let run = db.begin_run()?;
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
        let nanos = now.as_nanos() as u64;
        db.transaction(run, |txn| txn.put(format!("at/{}", "x".repeat((nanos % 97) as usize)), nanos))?;
        Ok(())
    });
    assert!(text.contains("does not do the same in two runs of seed 0"), "{text}");
    assert!(text.contains("World::now"), "{text}");
}

#[test]
fn a_thread_of_std_that_uses_the_database() {
    let text = failure_of(options("std_thread"), |world: World| -> Result {
        let db = world.open()?;
        let run = db.begin_run()?;
        let other = db.clone();
        let outside = std::thread::spawn(move || other.put(run, "key", 1_u64));
        outside.join().expect("it does not panic")?;
        Ok(())
    });
    assert!(
        text.contains("this database is simulated, and the call comes from a thread that is not"),
        "{text}"
    );
    assert!(text.contains("stormproof::runtime::thread"), "{text}");
    assert!(text.contains("this is the application's"), "{text}");
}

#[test]
fn a_read_by_a_thread_of_std() {
    let text = failure_of(options("std_thread_reads"), |world: World| -> Result {
        let db = world.open()?;
        let outside = std::thread::spawn(move || db.snapshot());
        let payload = outside.join().expect_err("a call that returns no error panics");
        Err(payload.downcast_ref::<String>().cloned().unwrap_or_default().into())
    });
    assert!(
        text.contains("this database is simulated, and the call comes from a thread that is not"),
        "{text}"
    );
}

#[test]
fn a_database_of_an_earlier_life() {
    let kept: Arc<Mutex<Option<stormproof::Database>>> = Arc::default();
    let options = Options::new("leaving::earlier_life").seeds(50);
    let text = failure_of(options, move |world: World| -> Result {
        let mut kept = kept.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let db = match kept.take() {
            Some(db) => db,
            None => world.open()?,
        };
        db.begin_run()?;
        *kept = Some(db);
        Ok(())
    });
    assert!(text.contains("opened in an earlier life"), "{text}");
}

#[test]
fn an_executor_that_waits_for_a_ticket() {
    let text = failure_of(options("tokio"), |world: World| -> Result {
        let db = world.builder().durability(stormproof::Durability::Pipelined).open()?;
        let run = db.begin_run()?;
        let options = stormproof::TransactionOptions::new();
        let executor = tokio::runtime::Builder::new_current_thread().build()?;
        let ((), commit) = db.transaction_with_commit(run, &options, |txn| txn.put("key", 1_u64))?;
        executor.block_on(async { commit.ticket().clone().await })?;
        Ok(())
    });
    assert!(text.contains("waits for something that is not simulated"), "{text}");
    assert!(text.contains("stormproof::runtime::block_on"), "{text}");
}
