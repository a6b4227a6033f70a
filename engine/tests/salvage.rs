//! Salvage: whatever one byte, one file's end or one missing file has done to a database, opening it is
//! right, or refuses with advice that works.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use stormproof::{Database, DatabaseBuilder, Error, Salvage};
use stormproof_faults::{DiskOptions, SimDisk};

type Files = BTreeMap<String, Vec<u8>>;
/// What every key ever held.
type Written = BTreeMap<String, BTreeSet<i64>>;

fn builder(disk: &SimDisk) -> DatabaseBuilder {
    Database::builder().disk(disk.mount()).segment_bytes_max(1_000).allocate_bytes(256).recovery_threads(1)
}

/// A database with a checkpoint and several segments of log after it, of two epochs.
fn database() -> (Files, Written) {
    let disk = SimDisk::new(DiskOptions::default());
    let mut written = Written::new();
    for epoch in 0..2_i64 {
        let db = builder(&disk).open().unwrap();
        let run = db.begin_run().unwrap();
        for number in 0..25_i64 {
            let (key, value) = (format!("key {:02}", number % 20), epoch * 100 + number);
            db.put(run, &key, value).unwrap();
            written.entry(key).or_default().insert(value);
            if epoch == 0 && number == 15 {
                db.checkpoint().unwrap();
            }
        }
        db.close().unwrap();
    }
    (disk.files(), written)
}

fn content(db: &Database) -> BTreeMap<String, i64> {
    let each = db.prefix("key ").map(|entry| {
        let key = String::from_utf8(entry.user_key().to_vec()).unwrap();
        (key, entry.get().unwrap())
    });
    each.collect()
}

/// Opens, and salvages if that is the advice; returns what is there, or what can't be helped.
fn opened(files: &Files, written: &Written) -> Result<BTreeMap<String, i64>, Error> {
    let disk = SimDisk::load(files, DiskOptions::default());
    let refused = match builder(&disk).open() {
        Ok(db) => return Ok(content(&db)),
        Err(error) => error,
    };
    let text = refused.to_string();
    assert!(text.contains("open with salvage"), "{text}");
    // What refused has changed nothing that a salvage needs.
    let db = builder(&disk).salvage(Salvage::DropDamaged).open()?;
    assert!(!db.recovery_report().salvaged.is_empty(), "{text}: it says what it dropped");
    let found = content(&db);
    for (key, value) in &found {
        assert!(written[key].contains(value), "{key} never held {value}");
    }
    let run = db.begin_run().unwrap();
    db.put(run, "key 00", 0_i64).unwrap();
    let mut after = found.clone();
    after.insert("key 00".to_owned(), 0);
    drop(db);
    let again = builder(&disk).open().unwrap_or_else(|error| panic!("after a salvage of {text}: {error}"));
    assert!(again.recovery_report().salvaged.is_empty());
    assert_eq!(content(&again), after, "after a salvage of {text}");
    Ok(found)
}

/// All of the first and the last bytes, and some in between.
fn places(length: usize) -> impl Iterator<Item = usize> {
    (0..length).filter(move |at| *at < 72 || at + 72 > length || at % 29 == 0)
}

#[test]
fn a_flipped_byte_of_any_file_is_harmless_or_can_be_salvaged() {
    let (files, written) = database();
    let whole = opened(&files, &written).unwrap();
    for (name, bytes) in &files {
        for at in places(bytes.len()) {
            let mut damaged = files.clone();
            damaged.get_mut(name).unwrap()[at] ^= 0x41;
            let found = opened(&damaged, &written).unwrap_or_else(|error| panic!("{name} at {at}: {error}"));
            // Rebuilt, so that nothing is lost: the manifest, the header of a segment, and header and footer
            // of a checkpoint, whose blocks are whole.
            let rebuilt = name.starts_with("wal-") && at < 64
                || name.ends_with("manifest")
                || name.starts_with("checkpoint-") && (at < 56 || at >= bytes.len() - 64);
            assert!(!rebuilt || found == whole, "{name} at {at}: {found:?}");
        }
    }
}

#[test]
fn a_truncated_or_missing_file_is_harmless_or_can_be_salvaged() {
    let (files, written) = database();
    for (name, bytes) in &files {
        for length in places(bytes.len()).filter(|length| length % 7 == 0) {
            let mut damaged = files.clone();
            damaged.get_mut(name).unwrap().truncate(length);
            opened(&damaged, &written).unwrap_or_else(|error| panic!("{name} cut to {length}: {error}"));
        }
        let mut damaged = files.clone();
        damaged.remove(name);
        opened(&damaged, &written).unwrap_or_else(|error| panic!("without {name}: {error}"));
    }
}

/// Without the log before the checkpoint, which would have all that the checkpoint loses.
#[test]
fn a_checkpoint_with_a_damaged_header_or_footer_loses_nothing() {
    let disk = SimDisk::new(DiskOptions::default());
    let db = builder(&disk).open().unwrap();
    let run = db.begin_run().unwrap();
    let mut written = Written::new();
    let mut put = |number: i64| {
        let key = format!("key {number:02}");
        db.put(run, &key, number).unwrap();
        written.entry(key).or_default().insert(number);
    };
    (0..20).for_each(&mut put);
    let _ = db.compact().unwrap();
    (20..25).for_each(put);
    db.close().unwrap();
    let files = disk.files();
    let whole = opened(&files, &written).unwrap();
    assert_eq!(whole.len(), 25);
    let name = files.keys().find(|name| name.starts_with("checkpoint-")).unwrap();
    let length = files[name].len();
    for at in (0..56).chain(length - 64..length) {
        let mut damaged = files.clone();
        damaged.get_mut(name).unwrap()[at] ^= 0x41;
        let found = opened(&damaged, &written).unwrap_or_else(|error| panic!("at {at}: {error}"));
        assert_eq!(found, whole, "at {at}");
    }
}

#[test]
fn what_lies_behind_a_missing_segment_is_kept_aside_and_named() {
    let disk = SimDisk::new(DiskOptions::default());
    let db = builder(&disk).open().unwrap();
    let run = db.begin_run().unwrap();
    (0..100_u64).for_each(|number| db.put(run, format!("key {number:02}"), number).unwrap());
    db.close().unwrap();
    let files = disk.files();
    let segments: Vec<&String> = files.keys().filter(|name| name.starts_with("wal-")).collect();
    let [.., lost, behind, last] = segments.as_slice() else { panic!("there are too few: {segments:?}") };
    let mut damaged = files.clone();
    damaged.remove(*lost);
    let disk = SimDisk::load(&damaged, DiskOptions::default());
    let db = builder(&disk).salvage(Salvage::DropDamaged).open().unwrap();
    let salvaged = &db.recovery_report().salvaged;
    for name in [behind, last] {
        assert!(salvaged.iter().any(|damage| damage.file == **name), "{name} is not named: {salvaged:?}");
        let kept = disk.files().get(&format!("{name}.salvaged")).cloned();
        assert_eq!(kept.as_ref(), Some(&files[*name]), "{name} is not kept as it was");
        assert!(!disk.files().contains_key(*name), "{name} still counts as one of the log");
    }
    // A prefix of the commits.
    let found = content(&db);
    assert!(!found.is_empty() && found.len() < 100, "{found:?}");
    assert!((0_i64..).zip(&found).all(|(number, (_, found))| number == *found), "{found:?}");
}

#[test]
fn a_damaged_manifest_is_rebuilt_by_what_is_whole_checkpoints_or_segments() {
    let (files, written) = database();
    for damaged_kind in ["wal-", "checkpoint-"] {
        let mut damaged = files.clone();
        let mut kinds = BTreeSet::new();
        for (name, bytes) in &mut damaged {
            if name.starts_with(damaged_kind) || name.ends_with("manifest") {
                bytes[20] ^= 0x41;
                kinds.insert(name.starts_with(damaged_kind));
            }
        }
        assert_eq!(kinds.len(), 2, "both are there: {:?}", files.keys());
        let found = opened(&damaged, &written).unwrap_or_else(|error| panic!("{damaged_kind}: {error}"));
        assert!(!found.is_empty(), "{damaged_kind}");
    }
}

/// One way to damage a file.
#[derive(Clone, Debug)]
enum Damage {
    Flip(prop::sample::Index, u8),
    Cut(prop::sample::Index),
    Remove,
}

fn damage() -> impl Strategy<Value = (prop::sample::Index, Damage)> {
    let kind = prop_oneof![
        (any::<prop::sample::Index>(), 1_u8..).prop_map(|(at, mask)| Damage::Flip(at, mask)),
        any::<prop::sample::Index>().prop_map(Damage::Cut),
        Just(Damage::Remove),
    ];
    (any::<prop::sample::Index>(), kind)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_set_of_damaged_files_is_salvaged_as_far_as_a_file_says_which_database_it_was(
        damages in prop::collection::vec(damage(), 1..5),
    ) {
        let (mut files, written) = database();
        for (file, damage) in damages {
            let name = file.get(&files.keys().cloned().collect::<Vec<_>>()).clone();
            let bytes = files.get_mut(&name).unwrap();
            match damage {
                Damage::Flip(at, mask) if !bytes.is_empty() => {
                    let at = at.index(bytes.len());
                    bytes[at] ^= mask;
                }
                Damage::Cut(at) if !bytes.is_empty() => bytes.truncate(at.index(bytes.len())),
                Damage::Flip(..) | Damage::Cut(_) => {}
                Damage::Remove if files.len() > 1 => drop(files.remove(&name)),
                Damage::Remove => {}
            }
        }
        match opened(&files, &written) {
            Ok(_) => {}
            Err(Error::Invalid(text)) => prop_assert!(text.contains("nothing to salvage"), "{text}"),
            Err(error) => prop_assert!(false, "{error}"),
        }
    }
}
