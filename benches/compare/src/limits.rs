//! What nothing can beat, measured in the same run: a bare sync, a bare atomic, a bare read of the same
//! bytes.

use std::fs::{File, OpenOptions};
use std::hint::black_box;
use std::io::{Read, Write};
use std::path::Path;

use rt::sync::atomic::{AtomicU64, Ordering};

use crate::outcome::Result;
use crate::pace::{Pace, Rate};
use crate::work::Figure;

/// What is appended before each sync.
const RECORD: [u8; 256] = [0x5a; 256];

/// How much is written ahead.
const AHEAD: usize = 64 << 20;

/// Appends and syncs a file that grows with every record.
pub(crate) fn growing_sync(dir: &Path, pace: &Pace) -> Result<Figure> {
    let file = File::create(dir.join("growing"))?;
    append_and_sync(file, pace)
}

/// Writes and syncs into space that was written before, so that a sync changes no metadata.
pub(crate) fn prewritten_sync(dir: &Path, pace: &Pace) -> Result<Figure> {
    let path = dir.join("prewritten");
    let mut file = File::create(&path)?;
    file.write_all(&vec![0; AHEAD])?;
    file.sync_all()?;
    append_and_sync(OpenOptions::new().write(true).open(&path)?, pace)
}

fn append_and_sync(mut file: File, pace: &Pace) -> Result<Figure> {
    let rate: Rate = Pace { step: 1, ..*pace }.run(|| {
        file.write_all(&RECORD)?;
        file.sync_data()?;
        Ok(0)
    })?;
    Ok(Figure::per_second(&rate))
}

/// An atomic increment, in ns: no registration of a snapshot is less.
pub(crate) fn atomic_increment(pace: &Pace) -> Result<Figure> {
    let counter = AtomicU64::new("limit", 0);
    let rate =
        Pace { step: 1_000, ..*pace }.run(|| Ok(black_box(counter.fetch_add(1, Ordering::SeqCst)) >> 63))?;
    Ok(Figure::nanoseconds(&rate))
}

/// Reads all files in a directory and checksums them, in seconds: no replay is less.
pub(crate) fn read_and_checksum(dir: &Path) -> Result<Figure> {
    let start = rt::time::now();
    let mut block = vec![0; 1 << 20];
    for entry in std::fs::read_dir(dir)? {
        let mut file = File::open(entry?.path())?;
        loop {
            let read = file.read(&mut block)?;
            if read == 0 {
                break;
            }
            black_box(crc32fast::hash(&block[..read]));
        }
    }
    Ok(Figure::less_is_better(rt::time::now().saturating_since(start).as_secs_f64()))
}
