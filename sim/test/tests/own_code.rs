//! Functions of an application under simulation: those that are right hold, and mistakes are found.

mod support;

use stormproof::{Database, Durability, Error, EventLog, RunId};
use stormproof_test::{Options, Result, World};
use support::failure_of;

const SEATS: u64 = 3;

/// Sells a seat, unless all are sold.
fn book(db: &Database, run: RunId, guest: &str) -> std::result::Result<Option<u64>, Error> {
    db.transaction(run, |txn| {
        let sold = txn.list("seat/")?.len() as u64;
        if sold == SEATS {
            return Ok(None);
        }
        txn.put(format!("seat/{guest}"), sold)?;
        txn.put("sold", sold + 1)?;
        Ok(Some(sold))
    })
}

/// Looks outside of the transaction whether there is a seat.
fn book_unseen(db: &Database, run: RunId, guest: &str) -> std::result::Result<(), Error> {
    let sold = db.list("seat/").len() as u64;
    if sold < SEATS {
        db.transaction(run, |txn| txn.put(format!("seat/{guest}"), sold))?;
    }
    Ok(())
}

/// Writes the seat and the count in two transactions.
fn book_in_two(db: &Database, run: RunId, guest: &str) -> std::result::Result<(), Error> {
    db.transaction(run, |txn| {
        if txn.list("seat/")?.len() as u64 == SEATS {
            return Ok(());
        }
        txn.put(format!("seat/{guest}"), 0_u64)
    })?;
    db.transaction(run, |txn| {
        let sold = txn.list("seat/")?.len() as u64;
        txn.put("sold", sold)
    })
}

fn audit(db: &Database) -> std::result::Result<(), String> {
    let seats = db.list("seat/").len() as u64;
    let sold: u64 = db.get("sold").map_err(|error| error.to_string())?.unwrap_or(0);
    if seats > SEATS {
        return Err(format!("overbooked: {seats} of {SEATS}"));
    }
    if seats != sold {
        return Err(format!("{seats} seats are taken and {sold} are counted"));
    }
    Ok(())
}

#[stormproof_test::simulation(seeds = 60, check = true)]
fn never_overbooked(world: World) -> Result {
    let db = world.open()?;
    audit(&db)?;
    world.clients(5, |client| book(&db, client.run(&db)?, client.name()).map(drop))?;
    audit(&db)?;
    Ok(())
}

/// Also when the disk fails: then a booking may fail, and the books are right nevertheless.
#[stormproof_test::simulation(seeds = 60, faults = true, any_durability = true)]
fn never_overbooked_on_a_failing_disk(world: World) -> Result {
    let db = world.open()?;
    audit(&db)?;
    world.clients(5, |client| book(&db, client.run(&db)?, client.name()).map(drop))?;
    audit(&db)?;
    Ok(())
}

#[stormproof_test::simulation(seeds = 60)]
fn what_was_promised_is_there_after_every_crash(world: World) -> Result {
    let db = world.open()?;
    for guest in world.promised() {
        assert!(db.get::<u64>(format!("seat/{guest}"))?.is_some(), "{guest} was promised a seat");
    }
    world.clients(3, |client| {
        for item in client.todo(4) {
            let guest = format!("{}-{item}", client.name());
            db.transaction(client.run(&db)?, |txn| txn.put(format!("seat/{guest}"), 1_u64))?;
            client.promise(guest);
        }
        Ok::<_, Error>(())
    })?;
    if world.is_calm() {
        assert_eq!(db.list("seat/").len(), 12, "everything is done in the end");
    }
    Ok(())
}

#[test]
fn a_read_outside_of_the_transaction_is_found_and_made_small() {
    let text = failure_of(Options::new("own_code::unseen"), |world: World| -> Result {
        let db = world.open()?;
        world.clients(6, |client| book_unseen(&db, client.run(&db)?, client.name()))?;
        let seats = db.list("seat/").len() as u64;
        assert!(seats <= SEATS, "overbooked: {seats} of {SEATS}");
        Ok(())
    });
    assert!(text.contains("unseen fails with seed"), "{text}");
    assert!(text.contains("overbooked: 4 of 3"), "{text}");
    assert!(text.contains("the store kept its contract: this is the application's"), "{text}");
    assert!(text.contains("cargo test unseen"), "{text}");
    assert!(text.contains("shrunk: "), "{text}");
}

#[test]
fn two_transactions_in_the_place_of_one_are_found() {
    let text = failure_of(Options::new("own_code::two"), |world: World| -> Result {
        let db = world.open()?;
        audit(&db)?;
        world.clients(3, |client| book_in_two(&db, client.run(&db)?, client.name()))?;
        Ok(())
    });
    assert!(text.contains("are counted"), "{text}");
}

/// The engine itself tells what transactions read and wrote, so the oracle sees whose fault a failure is.
#[test]
fn a_bug_of_the_store_is_told_from_one_of_the_application() {
    let buggy = Options::new("own_code::store_bug").seeds(300).store_bug("SkipWriteValidation");
    let text = failure_of(buggy, |world: World| -> Result {
        let db = world.open()?;
        // Blind writes, of which no invariant of the application's can tell anything.
        world.clients(5, |client| db.put(client.run(&db)?, "last", client.name()))?;
        Ok(())
    });
    assert!(text.contains("the store broke its contract: please report it"), "{text}");
}

/// An application may open its database as it likes, and is judged by what that promises.
#[stormproof_test::simulation(seeds = 60)]
fn less_durability_than_the_plan_has_is_no_fault_of_the_store(world: World) -> Result {
    let interval = std::time::Duration::from_millis(1);
    let db = world.builder().durability(Durability::Async { interval }).open()?;
    world.clients(3, |client| {
        for item in client.todo(3) {
            let run = client.run(&db)?;
            db.transaction(run, |txn| txn.put(format!("{}/{item}", client.name()), 1_u64))?;
            EventLog::new("done").verify(&mut db.begin_transaction(run)?)?;
            db.transaction(run, |txn| EventLog::new("done").append(txn, u64::from(item)))?;
        }
        Ok::<_, Error>(())
    })?;
    Ok(())
}
