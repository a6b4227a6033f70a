//! Functions of an application under simulation: those that are right hold, and mistakes are found.

mod support;

use stormproof::runtime::sync::Mutex;
use stormproof::{Database, Durability, Error, EventLog, OpenMode, RunId};
use stormproof_test::{Options, Result, World};
use support::failure_of;

const SEATS: u64 = 3;

/// Sells a seat, unless all are sold.
fn book(db: &Database, run: RunId, guest: &str) -> std::result::Result<Option<u64>, Error> {
    db.transaction(run, |txn| {
        let sold = txn.prefix("seat/")?.count() as u64;
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
    let sold = db.prefix("seat/").count() as u64;
    if sold < SEATS {
        db.transaction(run, |txn| txn.put(format!("seat/{guest}"), sold))?;
    }
    Ok(())
}

/// Writes the seat and the count in two transactions.
fn book_in_two(db: &Database, run: RunId, guest: &str) -> std::result::Result<(), Error> {
    db.transaction(run, |txn| {
        if txn.prefix("seat/")?.count() as u64 == SEATS {
            return Ok(());
        }
        txn.put(format!("seat/{guest}"), 0_u64)
    })?;
    db.transaction(run, |txn| {
        let sold = txn.prefix("seat/")?.count() as u64;
        txn.put("sold", sold)
    })
}

fn audit(db: &Database) -> std::result::Result<(), String> {
    let seats = db.prefix("seat/").count() as u64;
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
        assert_eq!(db.prefix("seat/").count(), 12, "everything is done in the end");
    }
    Ok(())
}

#[test]
fn a_read_outside_of_the_transaction_is_found_and_made_small() {
    let text = failure_of(Options::new("own_code::unseen"), |world: World| -> Result {
        // No commit waits for the disk, where others get their turn: only a forced switch comes in between.
        let interval = std::time::Duration::from_millis(1);
        let db = world.builder().durability(Durability::Async { interval }).open()?;
        world.clients(6, |client| book_unseen(&db, client.run(&db)?, client.name()))?;
        let seats = db.prefix("seat/").count() as u64;
        assert!(seats <= SEATS, "overbooked: {seats} of {SEATS}");
        Ok(())
    });
    assert!(text.contains("unseen fails with seed"), "{text}");
    assert!(text.contains("overbooked: 4 of 3"), "{text}");
    assert!(text.contains("the store kept its contract: this is the application's"), "{text}");
    assert!(text.contains("cargo test unseen"), "{text}");
    assert!(text.contains("shrunk: "), "{text}");
    let page = text
        .lines()
        .find_map(|line| line.strip_prefix("page:")?.trim().strip_suffix(" (open it in a browser)"));
    let page = std::fs::read_to_string(page.expect("there is a page")).expect("it is where the text says");
    for shown in ["The store kept its contract", "In life 0 a switch was forced: client-", "seat/client-"] {
        assert!(page.contains(shown), "the page lacks: {shown}");
    }
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

/// The engine itself reports what transactions read and wrote, so the oracle sees whose fault a failure is.
#[test]
fn a_bug_of_the_store_is_told_from_one_of_the_application() {
    let buggy = Options::new("own_code::store_bug").seeds(300).store_bug("SkipWriteValidation");
    let text = failure_of(buggy, |world: World| -> Result {
        let db = world.open()?;
        // Blind writes, which no invariant of the application shows.
        world.clients(5, |client| db.put(client.run(&db)?, "last", client.name()))?;
        Ok(())
    });
    assert!(text.contains("the store broke its contract: please report it"), "{text}");
}

/// An application may open its database in any mode, and is judged by what that promises.
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

/// Two databases and a file of the application's own, on one simulated disk each: all lose power together.
#[stormproof_test::simulation(seeds = 60, check = true)]
fn several_databases_and_files_live_in_one_world(world: World) -> Result {
    let (orders, archive) = (world.open()?, world.open_in("archive")?);
    let disk = world.disk_in("notes");
    let has = |name: &str| Ok::<_, std::io::Error>(disk.list()?.iter().any(|file| file == name));
    if !has("note")? {
        if has("note.new")? {
            disk.remove("note.new")?;
        }
        let note = disk.open("note.new", OpenMode::CreateNew)?;
        note.write_at(0, b"hello")?;
        note.sync_all()?;
        disk.rename("note.new", "note")?;
        disk.sync_dir()?;
    }
    for order in archive.prefix("order/") {
        assert!(orders.get::<u64>(order.key())?.is_some(), "what is archived was ordered before");
    }
    world.clients(2, |client| {
        for item in client.todo(3) {
            let key = format!("order/{}/{item}", client.name());
            orders.put(client.run(&orders)?, &key, 1_u64)?;
            archive.put(client.run(&archive)?, &key, 1_u64)?;
        }
        Ok::<_, Error>(())
    })?;
    if world.is_calm() {
        let mut note = [0; 5];
        disk.open("note", OpenMode::Read)?.read_at(0, &mut note)?;
        assert_eq!(&note, b"hello", "the note was synced before it got its name");
        assert_eq!(archive.prefix("order/").count(), 6);
    }
    Ok(())
}

/// Faults of some kinds, more clients than the test asks for, and one durability mode.
#[stormproof_test::simulation(
    seeds = 60,
    clients = 4,
    fault_kinds = "no-space, write-fails",
    durability = "batched"
)]
fn options_change_what_a_test_asks_for(world: World) -> Result {
    let db = world.open()?;
    let seen = Mutex::new("seen", 0);
    world.clients(1, |client| {
        *seen.lock() += 1;
        book(&db, client.run(&db)?, client.name()).map(drop)
    })?;
    assert_eq!(*seen.lock(), 4, "clients");
    Ok(())
}

/// Runners that start a process for each test, such as cargo-nextest, list the tests and run one by its name.
#[test]
fn a_test_can_be_run_alone_in_a_process_of_its_own() {
    let this = std::env::current_exe().expect("this test has a file");
    let run = |arguments: &[&str]| {
        let output = std::process::Command::new(&this).args(arguments).output().expect("it starts");
        (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let (_, listed) = run(&["--list", "--format", "terse"]);
    assert!(listed.contains("never_overbooked: test"), "{listed}");
    let (passed, quiet) = run(&["--exact", "never_overbooked"]);
    assert!(passed && !quiet.contains("seeds held"), "{quiet}");
    let (passed, told) = run(&["--exact", "never_overbooked", "--nocapture"]);
    assert!(passed && told.contains("never_overbooked: 60 seeds held"), "{told}");
}
