//! An idle database keeps a stated share of its live bytes and no more (contract A4): counted by the
//! allocator, for small and large values, after overwrites, after a snapshot that was held beside them, and
//! after deletes. A process of its own with one test, as it counts all that is allocated.

use std::time::Duration;

use cap::Cap;
use stormproof::{Database, Durability, RunId};
use stormproof_rt::time;

/// Counts what is allocated.
#[global_allocator]
static ALLOCATOR: Cap<std::alloc::System> = Cap::new(std::alloc::System, usize::MAX);

const LOG_BUFFER: usize = 256 << 10;

/// Keys of a database, and the bytes of each value.
#[derive(Clone, Copy, Debug)]
struct Size {
    keys: u64,
    value: usize,
}

struct Measured {
    db: Database,
    run: RunId,
    base: usize,
    size: Size,
}

impl Measured {
    fn used(&self) -> usize {
        ALLOCATOR.allocated().saturating_sub(self.base)
    }

    /// Writes every key, in an order that is none.
    fn write(&self, round: u8) {
        for number in 0..self.size.keys {
            let key = number.wrapping_mul(7_919) % self.size.keys;
            self.db.put(self.run, key_of(key), vec![round; self.size.value]).unwrap();
        }
    }

    fn live(&self, keys: u64) -> usize {
        keys as usize * (key_of(0).len() + self.size.value)
    }

    /// Waits until an idle database of these keys keeps no more than it may.
    fn comes_to_rest(&self, what: &str, keys: u64) {
        let (size, live) = (self.size, self.live(keys));
        let most = idle_bytes_max(live, keys);
        let deadline = time::now().saturating_add(Duration::from_secs(30));
        while self.used() > most && time::now() < deadline {
            time::sleep(Duration::from_millis(20));
        }
        let used = self.used();
        println!("{size:?}, {what}: {live} bytes live, {used} kept, at most {most}");
        assert!(used <= most, "{size:?}, {what}: {used} bytes are kept of {live} live ones, at most {most}");
    }
}

fn key_of(number: u64) -> String {
    format!("key {number:08}")
}

/// Bytes of an idle database, by those of its keys and values and the number of keys, as the contract has it.
const fn idle_bytes_max(live: usize, keys: u64) -> usize {
    live + live / 2 + keys as usize * 96 + 2 * LOG_BUFFER + (1 << 20)
}

#[test]
fn an_idle_database_keeps_a_share_of_its_live_bytes_and_no_more() {
    for (keys, value) in [(20_000, 8), (20_000, 100), (2_000, 5_000), (16, 1 << 20)] {
        let size = Size { keys, value };
        let dir = tempfile::tempdir().unwrap();
        let base = ALLOCATOR.allocated();
        let db = Database::builder()
            .dir(dir.path())
            .durability(Durability::Async { interval: Duration::from_millis(50) })
            .log_buffer_bytes_max(LOG_BUFFER)
            .maintenance_interval(Duration::from_millis(20))
            .open()
            .unwrap();
        let run = db.begin_run().unwrap();
        let measured = Measured { db, run, base, size };
        (0..4).for_each(|round| measured.write(round));
        measured.comes_to_rest("after overwrites", keys);

        let snapshot = measured.db.snapshot();
        (4..8).for_each(|round| measured.write(round));
        let held = measured.used();
        assert!(held > idle_bytes_max(measured.live(keys), keys), "{size:?}: nothing is held: {held}");
        drop(snapshot);
        measured.comes_to_rest("after a snapshot", keys);

        let kept = keys / 20;
        (kept..keys).for_each(|number| measured.db.delete(run, key_of(number)).unwrap());
        measured.comes_to_rest("after deletes", kept);
        (0..kept).for_each(|number| measured.db.delete(run, key_of(number)).unwrap());
        measured.comes_to_rest("empty again", 0);
        measured.db.close().unwrap();
    }
}
