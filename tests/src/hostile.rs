//! Files that somebody damaged, or made up: a program of bytes says how. A fuzz target runs it without end
//! (`tests/fuzz`), a test within bounds.
//!
//! Opening, verifying and inspecting never panic, and allocate no more than some times the size of the files.
//! What opens holds a prefix of what was committed, unless checksums were made right again: those who can do
//! that can write whatever they like, and all that is asked is that nothing breaks.

use std::collections::BTreeMap;

use stormproof::inspect::{inspect, verify};
use stormproof::{Database, Durability, Salvage};
use stormproof_faults::{DiskOptions, SimDisk};

/// Files by name.
pub type Files = BTreeMap<String, Vec<u8>>;

/// Commits in the database that is damaged.
pub const COMMITS: u64 = 12;

/// Damages the files of a healthy database as `program` says, and looks at what comes of it.
///
/// # Panics
/// When the engine takes for good what it must not. A panic of the engine itself goes through.
pub fn check(program: &[u8]) {
    let mut files = healthy();
    let mut restamped = false;
    let mut flips_only = true;
    let mut damages = 0;
    let mut bytes = program.iter().copied();
    while let Some(damage) = Damage::read(&mut bytes) {
        damages += 1;
        restamped |= damage.restamp;
        flips_only &= damage.how == How::Flip;
        damage.apply(&mut files);
        if damages == 4 {
            break;
        }
    }
    let disk = SimDisk::load(&files, DiskOptions::default());
    let _ = inspect(&*disk.mount()).expect("a directory that can be listed can be inspected");
    let verified = verify(&*disk.mount());
    if let Ok(db) = open(&disk, Salvage::Refuse) {
        if !restamped {
            let found = commits(&db);
            assert!(found > 0 || damages > 2, "opened as an empty database");
            assert!(
                !flips_only || COMMITS - found <= damages,
                "{} commits vanished after {damages} flips",
                COMMITS - found
            );
        }
    } else {
        assert!(verified.is_err(), "verified, and does not open");
    }
    let disk = SimDisk::load(&files, DiskOptions::default());
    let _ = open(&disk, Salvage::DropDamaged);
}

/// A database of a dozen commits, with a checkpoint in the middle.
pub fn healthy() -> Files {
    let disk = SimDisk::default();
    let db = open(&disk, Salvage::Refuse).expect("an empty disk opens");
    let run = db.begin_run().expect("a healthy disk takes commits");
    for n in 1..=COMMITS {
        db.transaction(run, |txn| {
            txn.put("last", n)?;
            txn.put(format!("own-{n}"), format!("value {n}").repeat(8))
        })
        .expect("a healthy disk takes commits");
        if n == COMMITS / 2 {
            db.checkpoint().expect("a healthy disk takes a checkpoint");
        }
    }
    db.close().expect("a healthy disk closes");
    disk.files()
}

/// Opens as the tests of damage do: small segments, no background work.
///
/// # Errors
/// Those of opening.
pub fn open(disk: &SimDisk, salvage: Salvage) -> stormproof::Result<Database> {
    Database::builder()
        .disk(disk.mount())
        .durability(Durability::Strict)
        .segment_bytes_max(4096)
        .allocate_bytes(1024)
        .salvage(salvage)
        .open()
}

/// How many commits are there.
///
/// # Panics
/// When they are not a prefix of those that were made, each whole.
pub fn commits(db: &Database) -> u64 {
    let last: u64 = db.get("last").expect("a number").unwrap_or(0);
    assert!(last <= COMMITS);
    for n in 1..=COMMITS {
        let own: Option<String> = db.get(format!("own-{n}")).expect("a text");
        let expected = (n <= last).then(|| format!("value {n}").repeat(8));
        assert_eq!(own, expected, "commit {n}, when the last is {last}");
    }
    last
}

/// One change to one file.
#[derive(Debug)]
struct Damage {
    file: u8,
    how: How,
    at: usize,
    bytes: Vec<u8>,
    /// Make the checksums of the file right again.
    restamp: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    Flip,
    Overwrite,
    Insert,
    Cut,
    Replace,
    Remove,
}

impl Damage {
    /// Five bytes of header, then as many bytes as it says.
    fn read(program: &mut impl Iterator<Item = u8>) -> Option<Self> {
        let file = program.next()?;
        let kind = program.next()?;
        let at = usize::from(program.next()?) | usize::from(program.next()?) << 8;
        let length = usize::from(program.next()?);
        let how = match kind & 0x7f {
            0..40 => How::Flip,
            40..80 => How::Overwrite,
            80..95 => How::Insert,
            95..105 => How::Cut,
            105..120 => How::Replace,
            _ => How::Remove,
        };
        let bytes = program.take(length).collect();
        Some(Self { file, how, at, bytes, restamp: kind & 0x80 != 0 })
    }

    fn apply(&self, files: &mut Files) {
        let names: Vec<String> = files.keys().filter(|name| *name != "LOCK").cloned().collect();
        let Some(name) = names.get(usize::from(self.file) % names.len().max(1)) else { return };
        if self.how == How::Remove {
            files.remove(name);
            return;
        }
        let content = files.get_mut(name).expect("it was listed");
        let at = self.at % content.len().max(1);
        match self.how {
            How::Flip => {
                if let Some(byte) = content.get_mut(at) {
                    *byte ^= self.bytes.first().map_or(1, |mask| mask | 1);
                }
            }
            How::Overwrite => {
                content.iter_mut().skip(at).zip(&self.bytes).for_each(|(target, byte)| *target = *byte);
            }
            How::Insert => {
                drop(content.splice(at.min(content.len())..at.min(content.len()), self.bytes.iter().copied()))
            }
            How::Cut => content.truncate(at),
            How::Replace => content.clone_from(&self.bytes),
            How::Remove => {}
        }
        if self.restamp {
            restamp(name, content);
        }
    }
}

/// Makes the checksums of a file right, as far as its lengths lead.
fn restamp(name: &str, content: &mut [u8]) {
    if name.starts_with("wal-") {
        header_crc(content, 60);
        records(content);
    } else if name.starts_with("checkpoint-") {
        header_crc(content, 52);
        let blocks_end = content.len().saturating_sub(64);
        blocks(content, blocks_end);
        if let Some(footer) = content.get_mut(blocks_end..) {
            header_crc(footer, 60);
        }
    } else {
        header_crc(content, 52);
    }
}

fn header_crc(content: &mut [u8], length: usize) {
    if content.len() >= length + 4 {
        let crc = crc32fast::hash(&content[..length]);
        content[length..length + 4].copy_from_slice(&crc.to_le_bytes());
    }
}

fn number(content: &[u8], at: usize) -> usize {
    let bytes = content.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
    bytes.map_or(0, |bytes| u32::from_le_bytes(bytes) as usize)
}

fn records(content: &mut [u8]) {
    let Some(header) = content.get(..64).map(<[u8]>::to_vec) else { return };
    let first = u64::from_le_bytes(header[44..52].try_into().expect("eight bytes"));
    let mut at = 4096;
    loop {
        let length = number(content, at);
        let Some(record) = content.get_mut(at..).and_then(|rest| rest.get_mut(..length.checked_add(16)?))
        else {
            return;
        };
        if length == 0 {
            return;
        }
        let mut crc = crc32fast::Hasher::new();
        crc.update(&header[12..36]);
        crc.update(&first.wrapping_add(at as u64 - 4096).to_le_bytes());
        crc.update(&record[..4]);
        crc.update(&record[8..]);
        record[4..8].copy_from_slice(&crc.finalize().to_le_bytes());
        at += length + 16;
    }
}

fn blocks(content: &mut [u8], end: usize) {
    let Some(header) = content.get(..56).map(<[u8]>::to_vec) else { return };
    let mut at = 56;
    for index in 0_u64.. {
        let stored = number(content, at + 4);
        let Some(block) = content.get_mut(at..end).and_then(|rest| rest.get_mut(..stored.checked_add(16)?))
        else {
            return;
        };
        let mut crc = crc32fast::Hasher::new();
        crc.update(&header[12..28]);
        crc.update(&header[36..44]);
        crc.update(&index.to_le_bytes());
        crc.update(&block[..12]);
        crc.update(&block[16..]);
        let crc = crc.finalize();
        block[12..16].copy_from_slice(&crc.to_le_bytes());
        at += stored + 16;
    }
}

#[cfg(test)]
mod tests {
    use super::{healthy, restamp};

    #[test]
    fn the_checksums_of_healthy_files_are_right_already() {
        for (name, content) in healthy().iter().filter(|(name, _)| *name != "LOCK") {
            let mut stamped = content.clone();
            restamp(name, &mut stamped);
            assert_eq!(&stamped, content, "{name}");
        }
    }
}
