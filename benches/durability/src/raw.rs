//! What the disk can do without a database: one write and one sync after the other.

use std::io;
use std::path::Path;
use std::time::Duration;

use env::{Disk, File, OpenMode, StdDisk, write_all_at};

/// Space that is written and synced before, in bytes.
const PREPARED: u64 = 32 << 20;

/// Microseconds for one write of `bytes` and one sync: at the end of a growing file, and into space that
/// was written before.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RawSync {
    pub(crate) growing_micros: f64,
    pub(crate) prepared_micros: f64,
}

impl RawSync {
    pub(crate) fn measure(dir: &Path, bytes: usize, each: Duration) -> io::Result<Self> {
        let disk = StdDisk::open(dir)?;
        let growing = disk.open("raw-growing", OpenMode::CreateNew)?;
        let growing_micros = mean_micros(&*growing, bytes, each)?;
        let prepared = disk.open("raw-prepared", OpenMode::CreateNew)?;
        write_all_at(&*prepared, 0, &vec![0; PREPARED as usize])?;
        prepared.sync_all()?;
        let prepared_micros = mean_micros(&*prepared, bytes, each)?;
        disk.remove("raw-growing")?;
        disk.remove("raw-prepared")?;
        Ok(Self { growing_micros, prepared_micros })
    }
}

fn mean_micros(file: &dyn File, bytes: usize, each: Duration) -> io::Result<f64> {
    let data = vec![7; bytes];
    let start = rt::time::now();
    let mut count = 0_u64;
    loop {
        write_all_at(file, count * bytes as u64 % (PREPARED - bytes as u64), &data)?;
        file.sync_data()?;
        count += 1;
        let elapsed = rt::time::now().saturating_since(start);
        if elapsed >= each {
            return Ok(elapsed.as_secs_f64() * 1e6 / count as f64);
        }
    }
}
