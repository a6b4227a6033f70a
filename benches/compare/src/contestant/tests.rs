//! Do the checks notice a database that is wrong?

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use rt::sync::{Arc, Mutex};

use super::{Contestant, Field};
use crate::data::{self, Key, Value};
use crate::engine::{Engine, Setting};
use crate::engines::stormproof::InMemory;
use crate::outcome::Result;
use crate::pace::Pace;
use crate::work::{Figure, Filling, Measure};

const PACE: Pace = Pace { time: Duration::from_millis(5), step: 1 };

const ALL: [Measure; 10] = [
    Measure::Add { threads: 2 },
    Measure::AddDurably { threads: 2 },
    Measure::Read { threads: 2 },
    Measure::ReadBesideWriter,
    Measure::ReadTen { threads: 2 },
    Measure::ReadHundred { threads: 1 },
    Measure::Begin,
    Measure::Contend { threads: 2, yields: true },
    Measure::ScanHundred,
    Measure::ScanAll,
];

/// A map under a lock, which forgets every seventh addition, or keys that end in 77, or nothing.
struct Forgetful<const WHAT: u64>(Arc<Mutex<(u64, BTreeMap<Key, Value>)>>);

const ADDITIONS: u64 = 1;
const KEYS: u64 = 2;
const NOTHING: u64 = 3;

impl<const WHAT: u64> Engine for Forgetful<WHAT> {
    const NAME: &'static str = "forgetful";
    type Session<'a> = &'a Self;

    fn promise(_setting: Setting) -> Option<&'static str> {
        Some("none")
    }

    fn open(_dir: &Path, _setting: Setting) -> Result<Self> {
        Ok(Self(Arc::new(Mutex::new("map", (0, BTreeMap::new())))))
    }

    fn session(&self) -> Result<&Self> {
        Ok(self)
    }

    fn write(map: &mut &Self, pairs: &[(Key, Value)]) -> Result<()> {
        map.0.lock().1.extend(pairs.iter().copied());
        Ok(())
    }

    fn add_one(map: &mut &Self, key: &Key, between: impl Fn()) -> Result<u64> {
        let mut state = map.0.lock();
        between();
        state.0 += 1;
        if WHAT == ADDITIONS && state.0.is_multiple_of(7) {
            return Ok(0);
        }
        let old = state.1.get(key).map_or(0, |value| data::number(value));
        state.1.insert(*key, data::value(old + 1));
        Ok(0)
    }

    fn read(map: &mut &Self, key: &Key, see: impl FnMut(&[u8])) -> Result<()> {
        Self::read_each(map, std::slice::from_ref(key), see)
    }

    fn read_each(map: &mut &Self, keys: &[Key], mut see: impl FnMut(&[u8])) -> Result<()> {
        let state = map.0.lock();
        for key in keys.iter().filter(|key| WHAT != KEYS || !key.ends_with(b"77")) {
            state.1.get(key).into_iter().for_each(|value| see(value));
        }
        Ok(())
    }

    fn begin_read(_map: &mut &Self) -> Result<bool> {
        Ok(false)
    }

    fn scan(map: &mut &Self, from: &Key, limit: usize, mut see: impl FnMut(&[u8], &[u8])) -> Result<()> {
        for (key, value) in map.0.lock().1.range(*from..).take(limit) {
            if WHAT != KEYS || !key.ends_with(b"77") {
                see(key, value);
            }
        }
        Ok(())
    }
}

fn measure<E: Engine>(measure: Measure) -> Result<Option<Figure>> {
    let place = tempfile::tempdir()?;
    let mut opened =
        Contestant::of::<E>().open(&Field::new(3_200, place.path()), Setting::Later, Filling::Updated)?;
    let figure = opened.measure(measure, &PACE)?;
    opened.close()?;
    Ok(figure)
}

fn is_wrong<E: Engine>(what: Measure) -> bool {
    measure::<E>(what).is_ok_and(|figure| figure.is_some_and(|figure| figure.wrong.is_some()))
}

#[test]
fn who_forgets_nothing_is_right() {
    for what in ALL {
        let figure = measure::<Forgetful<NOTHING>>(what).expect("a figure");
        assert_eq!(figure.is_none(), what == Measure::Begin, "{what:?}");
        assert!(figure.is_none_or(|figure| figure.wrong.is_none() && figure.value > 0.0), "{what:?}");
    }
}

#[test]
fn stormproof_is_right() {
    for what in ALL {
        let figure = measure::<InMemory>(what).expect("a figure").expect("it can do all of it");
        assert!(figure.wrong.is_none() && figure.value > 0.0, "{what:?}: {figure:?}");
    }
}

#[test]
fn a_forgotten_addition_is_noticed() {
    for what in [
        Measure::Add { threads: 1 },
        Measure::AddDurably { threads: 2 },
        Measure::Contend { threads: 2, yields: false },
    ] {
        assert!(is_wrong::<Forgetful<ADDITIONS>>(what), "{what:?}");
    }
}

#[test]
fn a_key_that_is_not_found_is_noticed() {
    for what in [
        Measure::Read { threads: 1 },
        Measure::ReadTen { threads: 1 },
        Measure::ReadHundred { threads: 1 },
        Measure::ReadBesideWriter,
        Measure::ScanHundred,
        Measure::ScanAll,
    ] {
        assert!(measure::<Forgetful<KEYS>>(what).is_err(), "{what:?}");
    }
}

#[test]
fn what_is_missing_after_reopening_is_noticed() {
    let place = tempfile::tempdir().expect("a directory");
    let contestant = Contestant::of::<Forgetful<NOTHING>>();
    (contestant.fill)(place.path(), Setting::Later, 100).expect("commits");
    assert!((contestant.reopen)(place.path(), Setting::Later, 100).is_err(), "it kept nothing");
}
