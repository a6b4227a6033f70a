//! What happens around the process: directories that move, lock files that go, forks, links. On a real file
//! system, since no simulated one has these things as the operating system has them.
#![cfg(unix)]
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "real threads start real processes beside the database"
)]

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use fork::Fork;
use stormproof::{Database, Disk, Error, StdDisk};

fn open(dir: &Path) -> Database {
    try_open(dir).expect("it opens")
}

fn try_open(dir: &Path) -> Result<Database, Error> {
    Database::builder().dir(dir).segment_bytes_max(16 << 10).allocate_bytes(4 << 10).open()
}

/// Commits `count` keys of a name, each acked; returns how many were.
fn fill(db: &Database, name: &str, count: u32) -> Result<u32, Error> {
    let run = db.begin_run()?;
    for number in 0..count {
        db.put(run, format!("{name} {number:04}"), vec![7_u8; 100])?;
    }
    Ok(count)
}

fn keys(db: &Database, name: &str) -> usize {
    db.prefix(name).count()
}

fn assert_displaced(error: &Error, words: &str) {
    let text = error.to_string();
    assert!(matches!(error, Error::Poisoned { .. }) && text.contains(words), "{text}");
}

#[test]
fn a_renamed_database_does_not_write_into_the_one_that_took_its_place() {
    let home = tempfile::tempdir().unwrap();
    let (here, there) = (home.path().join("d"), home.path().join("d.old"));
    let old = open(&here);
    fill(&old, "old", 300).unwrap();
    fs::rename(&here, &there).unwrap();
    let new = open(&here);
    fill(&new, "new", 300).unwrap();

    // Each of these would create, rename or remove files.
    let error = old.checkpoint().unwrap_err();
    assert_displaced(&error, "another one took its place");
    let error = fill(&old, "late", 300).unwrap_err();
    assert_displaced(&error, "another one took its place");
    assert_eq!(keys(&old, "old"), 300, "reads go on");
    old.close().unwrap_err();

    new.checkpoint().unwrap();
    new.close().unwrap();
    let (old, new) = (open(&there), open(&here));
    assert_eq!((keys(&old, "old"), keys(&old, "new")), (300, 0));
    assert_eq!((keys(&new, "old"), keys(&new, "new")), (0, 300));
}

#[test]
fn a_relative_path_means_the_same_directory_after_a_change_of_the_working_directory() {
    let home = tempfile::tempdir().unwrap();
    for name in ["one", "two"] {
        fs::create_dir(home.path().join(name)).unwrap();
    }
    // The only test of this program that depends on the working directory.
    std::env::set_current_dir(home.path().join("one")).unwrap();
    let one = open(Path::new("db"));
    std::env::set_current_dir(home.path().join("two")).unwrap();
    let two = open(Path::new("db"));
    fill(&one, "one", 300).unwrap();
    one.checkpoint().unwrap();
    fill(&two, "two", 300).unwrap();
    one.close().unwrap();
    two.close().unwrap();
    for (name, other) in [("one", "two"), ("two", "one")] {
        let db = open(&home.path().join(name).join("db"));
        assert_eq!((keys(&db, name), keys(&db, other)), (300, 0));
    }
}

#[test]
fn a_file_where_the_directory_should_be_is_named() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("notes.txt");
    fs::write(&file, b"mine").unwrap();
    for path in [file.clone(), file.join("db")] {
        let error = try_open(&path).unwrap_err().to_string();
        assert!(error.contains(&format!("{} is not a directory", file.display())), "{error}");
    }
    assert_eq!(fs::read(&file).unwrap(), b"mine");
}

#[test]
fn a_removed_directory_is_noticed_before_the_next_ack() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("d");
    let db = open(&dir);
    fill(&db, "old", 10).unwrap();
    fs::remove_dir_all(&dir).unwrap();
    let run = db.begin_run();
    assert_displaced(&run.unwrap_err(), "it was removed");
    assert!(!dir.exists(), "nothing is created anew");
}

#[test]
fn a_second_opener_is_refused_though_the_lock_file_was_removed() {
    let home = tempfile::tempdir().unwrap();
    let first = open(home.path());
    fill(&first, "first", 10).unwrap();
    fs::remove_file(home.path().join("LOCK")).unwrap();
    let second = try_open(home.path());
    assert!(matches!(second, Err(Error::Locked { .. })), "{second:?}");
    assert_eq!(keys(&first, "first"), 10);
}

#[test]
fn the_loss_of_the_lock_file_is_noticed_before_the_next_ack() {
    let home = tempfile::tempdir().unwrap();
    let db = open(home.path());
    let run = db.begin_run().unwrap();
    fs::remove_file(home.path().join("LOCK")).unwrap();
    let error = db.put(run, "key", 1_i64).unwrap_err();
    assert_displaced(&error, "it was removed");
    assert!(error.to_string().contains("LOCK"), "{error}");
    drop(db);
    // Without the lock file, everything is still there.
    open(home.path()).close().unwrap();
}

/// Runs `child` in a forked process; returns its exit code, or `None` if a signal ended it.
fn in_fork(child: impl FnOnce() -> i32) -> Option<i32> {
    match fork::fork().unwrap() {
        Fork::Child => {
            let code = std::panic::catch_unwind(std::panic::AssertUnwindSafe(child)).unwrap_or(101);
            std::process::exit(code);
        }
        Fork::Parent(pid) => {
            let status = fork::waitpid(pid).unwrap();
            (status & 0x7f == 0).then_some(status >> 8)
        }
    }
}

#[test]
fn a_forked_child_can_not_write_and_does_not_disturb_its_parent() {
    let home = tempfile::tempdir().unwrap();
    let db = open(home.path());
    let run = db.begin_run().unwrap();
    db.put(run, "before", 1_i64).unwrap();
    let code = in_fork(|| {
        let refused =
            |result: Result<(), Error>| result.is_err_and(|error| error.to_string().contains("forked"));
        let put = refused(db.put(run, "child", 1_i64).map(drop));
        let checkpoint = refused(db.checkpoint().map(drop));
        let flush = refused(db.flush().map(drop));
        let close = refused(db.close());
        i32::from(!put) + 2 * i32::from(!checkpoint) + 4 * i32::from(!flush) + 8 * i32::from(!close)
    });
    assert_eq!(code, Some(0), "a bit for each call that was not refused");
    db.put(run, "after", 1_i64).unwrap();
    assert!(matches!(try_open(home.path()), Err(Error::Locked { .. })), "the parent still has the lock");
    db.close().unwrap();
    let db = open(home.path());
    assert_eq!(db.get::<i64>("before").unwrap(), Some(1));
    assert_eq!(db.get::<i64>("after").unwrap(), Some(1));
    assert_eq!(db.get::<i64>("child").unwrap(), None);
}

#[test]
fn a_forked_child_may_drop_the_handle() {
    let home = tempfile::tempdir().unwrap();
    for place in [Some(home.path()), None] {
        let db = place.map_or_else(|| Database::open_in_memory().unwrap(), open);
        let mut handle = Some(db.clone());
        drop(db);
        let code = in_fork(|| {
            drop(handle.take());
            0
        });
        assert_eq!(code, Some(0));
        if let Some(place) = place {
            assert!(matches!(try_open(place), Err(Error::Locked { .. })), "the parent still has the lock");
        }
        handle.unwrap().close().unwrap();
        if let Some(place) = place {
            open(place).close().unwrap();
        }
    }
}

#[test]
fn a_forked_child_that_drops_the_lock_of_a_directory_leaves_it_to_its_parent() {
    let home = tempfile::tempdir().unwrap();
    let lock = || StdDisk::open(home.path()).unwrap().lock("LOCK");
    let mut held = Some(lock().unwrap());
    let code = in_fork(|| {
        held.as_ref().unwrap().unlock();
        drop(held.take());
        0
    });
    assert_eq!(code, Some(0));
    assert_eq!(lock().map(drop).unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    drop(held);
    drop(lock().unwrap());
}

#[test]
fn a_directory_of_links_does_not_open_as_an_empty_database() {
    let home = tempfile::tempdir().unwrap();
    let (db, links) = (home.path().join("db"), home.path().join("links"));
    let store = open(&db);
    fill(&store, "key", 10).unwrap();
    store.close().unwrap();
    // As `cp -rs` makes it.
    fs::create_dir(&links).unwrap();
    for entry in fs::read_dir(&db).unwrap() {
        let entry = entry.unwrap();
        std::os::unix::fs::symlink(entry.path(), links.join(entry.file_name())).unwrap();
    }
    // All of them, all but the lock, and the data alone.
    for removed in ["", "LOCK", "stormproof.manifest"] {
        if !removed.is_empty() {
            fs::remove_file(links.join(removed)).unwrap();
        }
        let error = try_open(&links).unwrap_err();
        assert!(error.to_string().contains("a symbolic link"), "{error}");
    }
    // A link that leads nowhere, too.
    fs::remove_dir_all(&links).unwrap();
    fs::create_dir(&links).unwrap();
    std::os::unix::fs::symlink("nowhere", links.join("stormproof.manifest")).unwrap();
    assert!(try_open(&links).is_err());
    // The directory itself may be a link.
    let linked = home.path().join("linked");
    std::os::unix::fs::symlink(&db, &linked).unwrap();
    assert_eq!(keys(&open(&linked), "key"), 10);
}

#[test]
fn leftovers_of_a_database_do_not_open_as_an_empty_one() {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("checkpoint-00000000000000000007.ckpt.tmp"), b"half").unwrap();
    let error = try_open(home.path()).unwrap_err();
    assert!(matches!(error, Error::Missing { .. }), "{error}");
}

#[test]
fn a_closed_database_opens_again_at_once_though_another_thread_starts_processes() {
    let home = tempfile::tempdir().unwrap();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        // A child has its parent's descriptors, and with them the lock, until it executes its program.
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                std::process::Command::new("true").status().unwrap();
            }
        });
        let refused = (0..200).filter(|_| try_open(home.path()).map(|db| db.close()).is_err()).count();
        stop.store(true, Ordering::Relaxed);
        assert_eq!(refused, 0, "of 200 openings");
    });
}
