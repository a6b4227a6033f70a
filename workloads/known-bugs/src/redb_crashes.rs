//! redb on the simulated disk: commits, a power cut, recovery, a power cut in the recovery, and what is left.
//!
//! Everything follows from the seed: redb runs on one thread, and what its storage backend does is decided by
//! `stormproof-faults`. Commits are numbered; each writes its number under one key and a payload under a key
//! of its own, and some delete an old payload. What a power cut leaves must be a state between two commits,
//! with all that were acked.

use std::any::Any;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use redb::{Database, ReadableDatabase, StorageBackend, TableDefinition};
use rt::sync::{Arc, Mutex};
use stormproof_env::{Disk, File, OpenMode, read_exact_at, write_all_at};
use stormproof_faults::{
    Completion, CrashOdds, CrashPoint, CrashStyle, CrashTrigger, Decision, DiskHook, DiskOptions, Odds,
    Operation, OperationKind, Side, SimDisk,
};

const NAME: &str = "data.redb";
const TABLE: TableDefinition<'static, u64, &[u8]> = TableDefinition::new("data");
/// The key that holds the number of the last commit.
const LAST: u64 = 0;
/// Lives that end in a power cut, at the latest.
const CUTS_MAX: u32 = 4;
/// The number of operations among which a life draws its power cut.
const HORIZON: u64 = 150;
const COMMITS_MAX: u64 = 12;

/// What a seed found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// Nothing.
    Held,
    /// A file that redb does not open again.
    DoesNotOpen(String),
    /// Acked commits are gone: how many were acked, and which one is there.
    LostAck {
        /// The last acked commit.
        acked: u64,
        /// The commit that the file holds.
        found: u64,
    },
    /// What is there is not the state after any commit.
    Torn(String),
    /// redb panicked.
    Panicked(String),
}

/// Where power cuts are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aim {
    /// Anywhere, more often at syncs; whatever is torn.
    Anywhere,
    /// At the sync of a commit, which tears the header, and then at the first operations of the recovery.
    /// Commits are small: nothing grows.
    Header,
    /// At the sync of a commit that has made the file grow: its header is there, and what it needs may not
    /// be.
    Growth,
}

/// Plays a seed.
pub fn play(seed: u64, aim: Aim) -> Found {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let disk = SimDisk::new(DiskOptions::default());
    let mut model = Model::default();
    let cuts = match aim {
        Aim::Anywhere => rng.random_range(1..=CUTS_MAX),
        Aim::Header => 2,
        Aim::Growth => 1,
    };
    let mut odds = CrashOdds::swarm(&mut rng);
    if aim == Aim::Header {
        odds.styles = CrashStyle::ALL.map(|style| u32::from(style >= CrashStyle::Writes));
        odds.header_survives = Some(Odds::percent(97));
        odds.torn = Odds::percent(80);
    }
    if aim == Aim::Growth {
        odds.styles = CrashStyle::ALL.map(|style| u32::from(style >= CrashStyle::Writes));
        odds.header_survives = Some(Odds::percent(97));
    }
    for cut in 0..=cuts {
        let last = cut == cuts;
        if !last {
            let point = match aim {
                Aim::Anywhere => {
                    // After the first power cut every other one is early: in the recovery from it.
                    let horizon = if cut > 0 && rng.random_bool(0.5) { 16 } else { HORIZON };
                    CrashPoint::draw(&mut rng, horizon)
                }
                Aim::Header => at_header(cut, &mut rng),
                Aim::Growth => before_sync(rng.random_range(3..=16)),
            };
            disk.set_hook(Arc::new(Cut::at(point, &disk)));
        }
        let life = catch_unwind(AssertUnwindSafe(|| live(&disk, &mut model, &mut rng, aim)));
        disk.clear_hook();
        match life {
            Err(payload) if disk.is_powered() => return Found::Panicked(words(&*payload)),
            Ok(Err(found)) if disk.is_powered() => return found,
            // Answers after the power has gone out do not count.
            Ok(_) | Err(_) => {}
        }
        if !last {
            disk.crash(&odds, seed ^ u64::from(cut) << 32);
        }
    }
    Found::Held
}

/// Returns the first cut before a sync, when the header has been written; the second one around a sync of the
/// recovery.
fn at_header(cut: u32, rng: &mut ChaCha8Rng) -> CrashPoint {
    let (nth, side) = if cut == 0 {
        (rng.random_range(4..=16), Side::Before)
    } else {
        (rng.random_range(1..=3), if rng.random_bool(0.5) { Side::Before } else { Side::After })
    };
    CrashPoint { side, operation: Some(OperationKind::SyncData), class: None, nth }
}

fn before_sync(nth: u64) -> CrashPoint {
    CrashPoint { side: Side::Before, operation: Some(OperationKind::SyncData), class: None, nth }
}

/// What must be there.
#[derive(Debug, Default)]
struct Model {
    /// Whether creating the database was ever acked. Before that there is nothing to lose.
    created: bool,
    /// The last commit that was acked.
    acked: u64,
    /// The last commit that was called.
    called: u64,
    /// What is under the own key of each commit, and by which commit it was deleted.
    payloads: Vec<(u64, Vec<u8>, Option<u64>)>,
}

/// Runs one life: open, compare, commit until the power goes out or enough was done.
fn live(disk: &SimDisk, model: &mut Model, rng: &mut ChaCha8Rng, aim: Aim) -> Result<(), Found> {
    let database = match open(disk) {
        Ok(database) => database,
        // A creation that was cut off leaves a file that is no database yet: creating one begins anew.
        Err(_) if !model.created && disk.is_powered() => {
            let anew = disk.mount().remove(NAME).map_err(|error| error.to_string()).and_then(|()| open(disk));
            anew.map_err(Found::DoesNotOpen)?
        }
        Err(error) => return Err(Found::DoesNotOpen(error)),
    };
    model.created |= disk.is_powered();
    let found = model.compare(&database)?;
    model.settle(found);
    for _ in 0..rng.random_range(1..=COMMITS_MAX) {
        let number = model.called + 1;
        let len = match aim {
            Aim::Anywhere => payload_len(rng),
            Aim::Header => rng.random_range(0..200),
            Aim::Growth => rng.random_range(20_000..600_000),
        };
        let payload = vec![number as u8; len];
        let victim = rng.random_bool(0.3).then(|| model.victim(rng)).flatten();
        model.called = number;
        if let Some(at) = victim {
            model.payloads[at].2 = Some(number);
        }
        model.payloads.push((number, payload.clone(), None));
        let victim = victim.map(|at| model.payloads[at].0);
        if commit(&database, number, &payload, victim).is_err() {
            return Ok(());
        }
        if disk.is_powered() {
            model.acked = number;
        }
    }
    Ok(())
}

fn open(disk: &SimDisk) -> Result<Database, String> {
    let backend = Backend::open(&*disk.mount()).map_err(|error| error.to_string())?;
    let database = Database::builder().set_cache_size(1 << 20).create_with_backend(backend);
    database.map_err(|error| error.to_string())
}

/// Draws a length: mostly small, sometimes large enough to make the file grow.
fn payload_len(rng: &mut ChaCha8Rng) -> usize {
    match rng.random_range(0..10) {
        0..=5 => rng.random_range(0..200),
        6..=7 => rng.random_range(200..20_000),
        _ => rng.random_range(20_000..600_000),
    }
}

fn commit(database: &Database, number: u64, payload: &[u8], victim: Option<u64>) -> Result<(), redb::Error> {
    let txn = database.begin_write()?;
    {
        let mut table = txn.open_table(TABLE)?;
        table.insert(LAST, number.to_le_bytes().as_slice())?;
        table.insert(number, payload)?;
        if let Some(victim) = victim {
            table.remove(victim)?;
        }
    }
    txn.commit()?;
    Ok(())
}

impl Model {
    /// Returns the number of the commit whose state the database holds.
    fn compare(&self, database: &Database) -> Result<u64, Found> {
        let torn = |error: &dyn std::fmt::Display| Found::Torn(format!("a read failed: {error}"));
        let txn = database.begin_read().map_err(|error| torn(&error))?;
        let table = match txn.open_table(TABLE) {
            Ok(table) => table,
            Err(redb::TableError::TableDoesNotExist(_)) => return self.judge(0),
            Err(error) => return Err(torn(&error)),
        };
        let value = |key: u64| -> Result<Option<Vec<u8>>, Found> {
            let value = table.get(key).map_err(|error| torn(&error))?;
            Ok(value.map(|value| value.value().to_vec()))
        };
        let last = value(LAST)?.and_then(|bytes| Some(u64::from_le_bytes(bytes.try_into().ok()?)));
        let last = self.judge(last.unwrap_or(0))?;
        for (number, payload, deleted) in &self.payloads {
            let there = *number <= last && deleted.is_none_or(|by| by > last);
            let wanted = there.then_some(payload);
            if value(*number)?.as_ref() != wanted {
                return Err(Found::Torn(format!("payload {number} is wrong after commit {last}")));
            }
        }
        Ok(last)
    }

    fn judge(&self, found: u64) -> Result<u64, Found> {
        match found {
            found if found < self.acked => Err(Found::LostAck { acked: self.acked, found }),
            found if found > self.called => Err(Found::Torn(format!("commit {found} was never called"))),
            found => Ok(found),
        }
    }

    /// Continues from the commit that the database holds: what came after it is forgotten.
    fn settle(&mut self, found: u64) {
        self.acked = found;
        self.called = found;
        self.payloads.retain(|(number, ..)| *number <= found);
        for (_, _, deleted) in &mut self.payloads {
            *deleted = deleted.filter(|by| *by <= found);
        }
    }

    fn victim(&self, rng: &mut ChaCha8Rng) -> Option<usize> {
        let alive: Vec<_> = (0..self.payloads.len()).filter(|at| self.payloads[*at].2.is_none()).collect();
        (!alive.is_empty()).then(|| alive[rng.random_range(0..alive.len())])
    }
}

/// Cuts the power at a point.
#[derive(Debug)]
struct Cut {
    trigger: Mutex<CrashTrigger>,
    disk: SimDisk,
}

impl Cut {
    fn at(point: CrashPoint, disk: &SimDisk) -> Self {
        Self { trigger: Mutex::new("cut", CrashTrigger::new(point)), disk: disk.clone() }
    }
}

impl DiskHook for Cut {
    fn before(&self, operation: &Operation) -> Decision {
        if self.trigger.lock().before(operation) { Decision::CutPower } else { Decision::Proceed }
    }

    fn after(&self, operation: &Operation, _completion: &Completion) {
        if self.trigger.lock().after(operation) {
            self.disk.cut_power();
        }
    }
}

/// A file of the simulated disk, as redb wants it.
#[derive(Debug)]
pub struct Backend {
    file: Box<dyn File>,
}

impl Backend {
    /// Opens the file, or creates it and makes its name durable.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn open(disk: &dyn Disk) -> io::Result<Self> {
        if disk.list()?.iter().any(|name| name == NAME) {
            return Ok(Self { file: disk.open(NAME, OpenMode::ReadWrite)? });
        }
        let file = disk.open(NAME, OpenMode::CreateNew)?;
        disk.sync_dir()?;
        Ok(Self { file })
    }
}

impl StorageBackend for Backend {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        read_exact_at(&*self.file, offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        write_all_at(&*self.file, offset, data)
    }
}

fn words(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_default()
}
