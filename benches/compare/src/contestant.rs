//! A database in the run: opened for a piece of work, and measured on it, one figure at a time.

mod memory;

use std::path::Path;

use rt::sync::Arc;
use tempfile::TempDir;

pub(crate) use self::memory::Stage;
use crate::data::{self, Key};
use crate::engine::{Engine, Setting};
use crate::outcome::Result;
use crate::pace::{Pace, Rate, threads};
use crate::work::{Figure, Filling, Measure};

/// How many keys are written in one transaction when a database is filled.
const LOAD_STEP: usize = 1_000;

/// The same where they come in random order: few, as they would from an application.
const SCATTERED_STEP: usize = 10;

/// How many random picks there are; they are used over and over.
const PICKS: usize = 1 << 18;

/// A database that takes part, whatever its type.
#[derive(Clone, Copy)]
pub(crate) struct Contestant {
    pub(crate) name: &'static str,
    pub(crate) promise: fn(Setting) -> Option<&'static str>,
    open: fn(Field, Setting, Filling) -> Result<Box<dyn Opened>>,
    pub(crate) fill: fn(&Path, Setting, u64) -> Result<()>,
    pub(crate) reopen: fn(&Path, Setting, u64) -> Result<Rate>,
    pub(crate) resident: fn(&Path, u64, Stage) -> Result<Vec<u64>>,
    pub(crate) pipelined: fn(&Path, usize, &Pace) -> Result<Option<Rate>>,
}

/// What a database is measured on.
#[derive(Clone)]
pub(crate) struct Field {
    pub(crate) keys: u64,
    picks: Arc<Vec<(u64, Key)>>,
    /// Where directories are made.
    pub(crate) place: Arc<Path>,
}

/// A database that is open and filled.
pub(crate) trait Opened {
    /// One figure.
    fn measure(&mut self, measure: Measure, pace: &Pace) -> Result<Option<Figure>>;

    /// Closes it in order.
    fn close(self: Box<Self>) -> Result<()>;
}

impl Field {
    pub(crate) fn new(keys: u64, place: &Path) -> Self {
        Self { keys, picks: Arc::new(data::picks(keys, PICKS, 1)), place: place.into() }
    }

    pub(crate) fn directory(&self) -> Result<TempDir> {
        Ok(tempfile::Builder::new().prefix("compare-").tempdir_in(&self.place)?)
    }
}

impl Contestant {
    pub(crate) const fn of<E: Engine>() -> Self {
        Self {
            name: E::NAME,
            promise: E::promise,
            open: |field, setting, filling| Ok(Box::new(InField::<E>::open(field, setting, filling)?)),
            fill: fill::<E>,
            reopen: reopen::<E>,
            resident: memory::resident::<E>,
            pipelined: E::pipelined,
        }
    }

    /// Opens the database in a directory of its own and fills it.
    pub(crate) fn open(&self, field: &Field, setting: Setting, filling: Filling) -> Result<Box<dyn Opened>> {
        (self.open)(field.clone(), setting, filling).map_err(|error| format!("{}: {error}", self.name).into())
    }
}

/// Commits this number of keys in shuffled order, one a transaction, and closes the database.
fn fill<E: Engine>(dir: &Path, setting: Setting, keys: u64) -> Result<()> {
    let engine = E::open(dir, setting)?;
    let mut session = engine.session()?;
    for number in data::shuffled(keys) {
        E::write(&mut session, &[(data::key(number), data::value(number))])?;
    }
    drop(session);
    engine.close()
}

/// Writes the values of keys, some in each transaction.
fn write<E: Engine>(
    session: &mut E::Session<'_>,
    numbers: impl IntoIterator<Item = u64>,
    step: usize,
) -> Result<()> {
    let pairs: Vec<_> = numbers.into_iter().map(|number| (data::key(number), data::value(number))).collect();
    pairs.chunks(step).try_for_each(|some| E::write(session, some))
}

/// Writes keys that are picked at random, twice as many as there are, with the values that they have.
fn update<E: Engine>(session: &mut E::Session<'_>, keys: u64) -> Result<()> {
    let picks = data::picks(keys, usize::try_from(keys)? * 2, 2);
    write::<E>(session, picks.into_iter().map(|(number, _)| number), SCATTERED_STEP)
}

/// Opens the database and reads one key: one operation. Then checks that all keys are there.
fn reopen<E: Engine>(dir: &Path, setting: Setting, keys: u64) -> Result<Rate> {
    let start = rt::time::now();
    let engine = E::open(dir, setting)?;
    let mut session = engine.session()?;
    let mut found = None;
    E::read(&mut session, &data::key(keys / 2), |value| found = Some(data::number(value)))?;
    let elapsed = rt::time::now().saturating_since(start);
    if found != Some(keys / 2) {
        return Err(format!("after opening, a key has {found:?} instead of {}", keys / 2).into());
    }
    let (count, sum) = content::<E>(&mut session)?;
    if (count, sum) != (keys, keys * (keys - 1) / 2) {
        return Err(format!("after opening, {count} of {keys} keys with the sum {sum} are there").into());
    }
    drop(session);
    engine.close()?;
    Ok(Rate { operations: 1, elapsed, ..Rate::default() })
}

/// How many keys there are, and the sum of their numbers.
fn content<E: Engine>(session: &mut E::Session<'_>) -> Result<(u64, u64)> {
    let (mut count, mut sum) = (0, 0_u64);
    let mut last: Option<Vec<u8>> = None;
    let mut ordered = true;
    E::scan(session, &data::key(0), usize::MAX, |key, value| {
        ordered &= last.as_deref().is_none_or(|last| last < key);
        last = Some(key.to_vec());
        count += 1;
        sum = sum.wrapping_add(data::number(value));
    })?;
    if !ordered {
        return Err("a full scan is out of order".into());
    }
    Ok((count, sum))
}

struct InField<E: Engine> {
    shared: Arc<Shared<E>>,
    directory: TempDir,
}

/// What threads share during a measurement.
struct Shared<E> {
    engine: E,
    field: Field,
    pace: Pace,
}

impl<E: Engine> InField<E> {
    fn open(field: Field, setting: Setting, filling: Filling) -> Result<Self> {
        let directory = field.directory()?;
        let engine = E::open(directory.path(), setting)?;
        let mut session = engine.session()?;
        match filling {
            Filling::InOrder => write::<E>(&mut session, 0..field.keys, LOAD_STEP)?,
            Filling::Shuffled => write::<E>(&mut session, data::shuffled(field.keys), SCATTERED_STEP)?,
            Filling::Updated => {
                write::<E>(&mut session, data::shuffled(field.keys), SCATTERED_STEP)?;
                update::<E>(&mut session, field.keys)?;
            }
        }
        drop(session);
        let pace = Pace { time: std::time::Duration::ZERO, step: 1 };
        Ok(Self { shared: Arc::new(Shared { engine, field, pace }), directory })
    }

    fn run(&mut self, count: usize, pace: Pace, body: fn(&Shared<E>, usize) -> Result<Rate>) -> Result<Rate> {
        let shared = Arc::get_mut(&mut self.shared).ok_or("a client still runs")?;
        shared.pace = pace;
        threads(&self.shared, count, body)
    }

    fn content(&self) -> Result<(u64, u64)> {
        content::<E>(&mut self.shared.engine.session()?)
    }

    /// Runs clients that add one with each operation, and checks that nothing was lost or invented.
    fn adding(
        &mut self,
        count: usize,
        pace: Pace,
        body: fn(&Shared<E>, usize) -> Result<Rate>,
    ) -> Result<(Rate, Option<String>)> {
        let (keys, before) = self.content()?;
        let rate = self.run(count, pace, body)?;
        let (keys_after, after) = self.content()?;
        let wrong = (keys_after != keys || after != before + rate.operations).then(|| {
            format!("{} adds left {} more in {keys_after} keys", rate.operations, after.wrapping_sub(before))
        });
        Ok((rate, wrong))
    }
}

impl<E: Engine> Opened for InField<E> {
    fn measure(&mut self, measure: Measure, pace: &Pace) -> Result<Option<Figure>> {
        let step = |step| Pace { step, ..*pace };
        Ok(Some(match measure {
            Measure::Add { threads } => {
                let (rate, wrong) = self.adding(threads, step(64), add_at_random)?;
                Figure::per_second(&rate).wrong(wrong)
            }
            Measure::AddDurably { threads } => {
                let (rate, wrong) = self.adding(threads, step(1), add_to_own)?;
                Figure::per_second(&rate).wrong(wrong)
            }
            Measure::Contend { threads, yields } => {
                let body = if yields { contend_yielding } else { contend };
                let (rate, wrong) = self.adding(threads, step(1), body)?;
                Figure::per_second(&rate).with_contention(&rate).wrong(wrong)
            }
            Measure::Read { threads } => Figure::per_second(&self.run(threads, step(256), read)?),
            Measure::ReadBesideWriter => {
                let rate = self.run(2, step(256), read_or_write)?;
                Figure::per_second(&rate)
            }
            Measure::ReadTen { threads } => {
                Figure::per_second(&self.run(threads, step(25), read_batch::<E, 10>)?)
            }
            Measure::ReadHundred { threads } => {
                Figure::per_second(&self.run(threads, step(3), read_batch::<E, 100>)?)
            }
            Measure::Begin => {
                let mut session = self.shared.engine.session()?;
                if !E::begin_read(&mut session)? {
                    return Ok(None);
                }
                let rate = step(1_000).run(|| E::begin_read(&mut session).map(|_| 0))?;
                Figure::nanoseconds(&rate)
            }
            Measure::ScanHundred => Figure::per_second(&self.run(1, step(8), scan_hundred)?),
            Measure::ScanAll => Figure::per_second(&self.run(1, step(1), scan_all)?),
        }))
    }

    fn close(self: Box<Self>) -> Result<()> {
        let Self { shared, directory } = *self;
        let shared = Arc::into_inner(shared).ok_or("a client still runs")?;
        shared.engine.close()?;
        Ok(directory.close()?)
    }
}

/// The picks of one client, over and over.
fn picks<E>(shared: &Shared<E>, thread: usize) -> impl Iterator<Item = &(u64, Key)> {
    shared.field.picks.iter().cycle().skip(thread * 7_919)
}

fn add_at_random<E: Engine>(shared: &Shared<E>, thread: usize) -> Result<Rate> {
    let mut session = shared.engine.session()?;
    let mut picks = picks(shared, thread);
    shared.pace.run(|| {
        let (_, key) = picks.next().ok_or("picks never end")?;
        E::add_one(&mut session, key, || {})
    })
}

/// Each client keeps to a hundredth of the keys, so that none conflicts with another.
fn add_to_own<E: Engine>(shared: &Shared<E>, thread: usize) -> Result<Rate> {
    let mut session = shared.engine.session()?;
    let own = shared.field.keys / 100;
    let mut picks = picks(shared, thread);
    shared.pace.run(|| {
        let (number, _) = picks.next().ok_or("picks never end")?;
        E::add_one(&mut session, &data::key(thread as u64 * own + number % own), || {})
    })
}

fn contend<E: Engine>(shared: &Shared<E>, _thread: usize) -> Result<Rate> {
    let mut session = shared.engine.session()?;
    shared.pace.run_timed(|| E::add_one(&mut session, &data::key(0), || {}))
}

fn contend_yielding<E: Engine>(shared: &Shared<E>, _thread: usize) -> Result<Rate> {
    let mut session = shared.engine.session()?;
    shared.pace.run_timed(|| E::add_one(&mut session, &data::key(0), rt::thread::yield_now))
}

fn read<E: Engine>(shared: &Shared<E>, thread: usize) -> Result<Rate> {
    let mut session = shared.engine.session()?;
    let mut picks = picks(shared, thread);
    let (mut expected, mut seen) = (0_u64, 0_u64);
    let rate = shared.pace.run(|| {
        let (number, key) = picks.next().ok_or("picks never end")?;
        expected = expected.wrapping_add(*number);
        E::read(&mut session, key, |value| seen = seen.wrapping_add(data::number(value)))?;
        Ok(0)
    })?;
    same(expected, seen)?;
    Ok(rate)
}

/// The first client reads; the other writes keys with the values that they have, and counts nothing.
fn read_or_write<E: Engine>(shared: &Shared<E>, thread: usize) -> Result<Rate> {
    if thread == 0 {
        return read(shared, thread);
    }
    let mut session = shared.engine.session()?;
    let mut picks = picks(shared, thread);
    let writing = Pace { step: 16, ..shared.pace };
    writing.run(|| {
        let (number, key) = picks.next().ok_or("picks never end")?;
        E::write(&mut session, &[(*key, data::value(*number))])?;
        Ok(0)
    })?;
    Ok(Rate::default())
}

fn read_batch<E: Engine, const COUNT: usize>(shared: &Shared<E>, thread: usize) -> Result<Rate> {
    let mut session = shared.engine.session()?;
    let mut picks = picks(shared, thread);
    let (mut expected, mut seen) = (0_u64, 0_u64);
    let mut rate = shared.pace.run(|| {
        let mut keys = [data::key(0); COUNT];
        for place in &mut keys {
            let (number, key) = picks.next().ok_or("picks never end")?;
            *place = *key;
            expected = expected.wrapping_add(*number);
        }
        E::read_each(&mut session, &keys, |value| seen = seen.wrapping_add(data::number(value)))?;
        Ok(0)
    })?;
    same(expected, seen)?;
    rate.operations *= COUNT as u64;
    Ok(rate)
}

fn scan_hundred<E: Engine>(shared: &Shared<E>, thread: usize) -> Result<Rate> {
    let mut session = shared.engine.session()?;
    let mut picks = picks(shared, thread);
    let last = shared.field.keys - 1;
    let (mut expected, mut seen) = (0_u64, 0_u64);
    let rate = shared.pace.run(|| {
        let (number, key) = picks.next().ok_or("picks never end")?;
        let end = last.min(number + 99);
        expected = expected.wrapping_add((number + end) * (end - number + 1) / 2);
        E::scan(&mut session, key, 100, |_, value| seen = seen.wrapping_add(data::number(value)))?;
        Ok(0)
    })?;
    same(expected, seen)?;
    Ok(rate)
}

/// Counts keys, not scans.
fn scan_all<E: Engine>(shared: &Shared<E>, _thread: usize) -> Result<Rate> {
    let mut session = shared.engine.session()?;
    let keys = shared.field.keys;
    let mut seen = 0_u64;
    let mut rate = shared.pace.run(|| {
        E::scan(&mut session, &data::key(0), usize::MAX, |_, value| {
            seen = seen.wrapping_add(data::number(value));
        })?;
        Ok(0)
    })?;
    same(rate.operations.wrapping_mul(keys * (keys - 1) / 2), seen)?;
    rate.operations *= keys;
    Ok(rate)
}

fn same(expected: u64, seen: u64) -> Result<()> {
    if expected == seen {
        Ok(())
    } else {
        Err(format!("reads add up to {seen} instead of {expected}").into())
    }
}

#[cfg(test)]
mod tests;
