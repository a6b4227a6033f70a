//! What does not grow: files with the number of opens (A4), space with the number of databases, and what a
//! full disk still lets one do.

use std::path::Path;

use stormproof::{Database, DatabaseBuilder, Error};
use stormproof_faults::{DiskOptions, SimDisk};

fn files(dir: &Path) -> usize {
    std::fs::read_dir(dir).unwrap().count()
}

fn bytes(dir: &Path) -> u64 {
    std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum()
}

#[test]
fn opens_do_not_add_files_for_good() {
    let dir = tempfile::tempdir().unwrap();
    for number in 0..60_i64 {
        let db = Database::builder().dir(dir.path()).checkpoint_segments(10).open().unwrap();
        let run = db.begin_run().unwrap();
        db.put(run, "key", number).unwrap();
        db.close().unwrap();
        assert!(files(dir.path()) < 20, "{} files after {number} opens", files(dir.path()));
    }
    assert_eq!(Database::open(dir.path()).unwrap().get::<i64>("key").unwrap(), Some(59));
}

#[test]
fn a_small_database_takes_little_space_while_it_is_open() {
    let dir = tempfile::tempdir().unwrap();
    let db = Database::open(dir.path()).unwrap();
    let run = db.begin_run().unwrap();
    db.put(run, "key", 1_i64).unwrap();
    assert!(bytes(dir.path()) <= 32 << 10, "{} bytes", bytes(dir.path()));
    // A large one allocates ahead as ever: at most twice what it holds, up to 1 MiB ahead.
    for number in 0..300_i64 {
        db.put(run, number.to_string(), vec![7_u8; 10_000]).unwrap();
    }
    let bytes = bytes(dir.path());
    assert!((3_000_000..3_000_000 + (2 << 20)).contains(&bytes), "{bytes} bytes");
}

/// With this much room, in whole pages.
fn on_a_disk_with_pages_free(pages: u64) -> (SimDisk, Result<Database, Error>) {
    let disk = SimDisk::new(DiskOptions::default());
    let open = |disk: &SimDisk| -> Result<Database, Error> {
        let builder: DatabaseBuilder = Database::builder().disk(disk.mount());
        builder.open()
    };
    let db = open(&disk).unwrap();
    let run = db.begin_run().unwrap();
    for number in 0..20_i64 {
        db.put(run, number.to_string(), vec![7_u8; 4_000]).unwrap();
    }
    db.close().unwrap();
    disk.set_capacity(Some(disk.used() + pages * 4096));
    let opened = open(&disk);
    (disk, opened)
}

#[test]
fn a_disk_without_room_for_space_ahead_can_be_opened_and_written() {
    // The header of a segment, the manifest beside the one before, and a page of records.
    let (_disk, db) = on_a_disk_with_pages_free(3);
    let db = db.unwrap();
    let run = db.begin_run().unwrap();
    db.put(run, "small", 1_i64).unwrap();
    let error = db.put(run, "large", vec![7_u8; 100_000]).unwrap_err();
    assert!(matches!(error, Error::DiskFull { .. }), "{error}");
    assert_eq!(db.get::<i64>("small").unwrap(), Some(1));
}

#[test]
fn a_write_that_fits_is_written_though_the_space_ahead_of_it_does_not() {
    let disk = SimDisk::new(DiskOptions::default());
    let db = Database::builder().disk(disk.mount()).open().unwrap();
    let run = db.begin_run().unwrap();
    // Larger than what is allocated at first, so that each of the next would allocate as much again.
    db.put(run, "large", vec![7_u8; 100_000]).unwrap();
    disk.set_capacity(Some(disk.used() + 50 * 4096));
    let written =
        (0..1_000_u64).take_while(|number| db.put(run, number.to_string(), vec![7_u8; 4_000]).is_ok());
    let written = written.count();
    assert!(written > 40, "{written} writes of a page each, where 50 pages are free");
    db.close().unwrap();
    disk.set_capacity(None);
    assert_eq!(Database::builder().disk(disk.mount()).open().unwrap().prefix("").count(), written + 1);
}

#[test]
fn a_full_disk_can_be_opened_to_be_read() {
    let (disk, db) = on_a_disk_with_pages_free(0);
    assert!(matches!(db, Err(Error::DiskFull { .. })), "{db:?}");
    let before = disk.files();
    let db = Database::builder().disk(disk.mount()).read_only().open().unwrap();
    assert_eq!(db.prefix("").count(), 20);
    assert!(matches!(db.begin_run(), Err(Error::ReadOnly)));
    db.flush().unwrap();
    db.close().unwrap();
    assert_eq!(disk.files(), before, "nothing is written");
}

#[test]
fn a_database_that_is_open_can_not_be_opened_to_be_read_and_the_other_way_round_it_can() {
    let dir = tempfile::tempdir().unwrap();
    let read = || Database::builder().dir(dir.path()).read_only().open();
    let none = read().unwrap_err();
    assert!(matches!(none, Error::Missing { .. }), "{none}");
    assert_eq!(files(dir.path()), 0, "nothing is created");
    let writer = Database::open(dir.path()).unwrap();
    assert!(matches!(read(), Err(Error::Locked { .. })));
    writer.close().unwrap();
    let (one, two) = (read().unwrap(), read().unwrap());
    Database::open(dir.path()).unwrap().close().unwrap();
    drop((one, two));
}
