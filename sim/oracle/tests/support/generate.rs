//! Small random histories: made by a store that keeps a level, then perhaps damaged, or made up altogether.

use std::collections::BTreeMap;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use stormproof_workloads::History;
use stormproof_workloads::history::{LifeRecord, Op, Outcome, Time, Txn, TxnIndex};
use stormproof_workloads::store::{Entry, Expected, Isolation, Range, Read};

type Bytes = Vec<u8>;

/// Random choices from one seed.
#[derive(Debug)]
pub(crate) struct Dice(ChaCha8Rng);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.0.next_u64() % bound.max(1) as u64).unwrap_or(0)
    }

    pub(crate) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    fn pick<'t, T>(&mut self, from: &'t [T]) -> &'t T {
        &from[self.below(from.len())]
    }
}

/// How a generated history came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A store made it that keeps some level.
    Valid,
    /// And one observed value was falsified.
    Mutated,
    /// Reads saw any earlier state; in some of them one value was falsified besides.
    Random,
}

impl Origin {
    pub(crate) const ALL: [Self; 3] = [Self::Valid, Self::Mutated, Self::Random];
}

/// How strictly the store behind a generated history behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Discipline {
    Serial,
    Snapshot,
    ReadsLatest,
    Chaos,
}

#[derive(Clone, Debug, Default)]
struct Store {
    /// By key: its states, each with the commit that made it.
    registers: BTreeMap<Bytes, Vec<(usize, Option<Bytes>)>>,
    lists: BTreeMap<Bytes, Vec<(usize, Bytes)>>,
    commits: usize,
}

impl Store {
    fn get(&self, key: &[u8], at: usize) -> Option<Bytes> {
        let states = self.registers.get(key)?;
        states.iter().rev().find(|(commit, _)| *commit <= at).and_then(|(_, value)| value.clone())
    }

    fn list(&self, key: &[u8], at: usize) -> Vec<Bytes> {
        let elements = self.lists.get(key).map_or(&[][..], Vec::as_slice);
        elements.iter().filter(|(commit, _)| *commit <= at).map(|(_, element)| element.clone()).collect()
    }
}

struct Running {
    txn: Txn,
    snapshot: usize,
    left: usize,
}

/// A history of at most `txns_max` transactions over very few keys.
pub(crate) fn history(seed: u64, txns_max: usize) -> (Origin, History) {
    let mut dice = Dice::new(seed);
    let discipline =
        *dice.pick(&[Discipline::Serial, Discipline::Snapshot, Discipline::ReadsLatest, Discipline::Chaos]);
    let mut world = World {
        discipline,
        txns: 2 + dice.below(txns_max - 1),
        sessions: 1 + dice.below(4),
        keys: 1 + dice.below(3),
        lists: dice.chance(40),
        unique: dice.chance(85),
        deletes: dice.chance(40),
        scans: dice.chance(30),
        fresh: 0,
        clock: 0,
        store: Store::default(),
        history: History { lives: vec![LifeRecord { life: 0, opened: 0, ended: None }], txns: Vec::new() },
        dice,
    };
    world.run();
    let World { mut dice, mut history, .. } = world;
    let mut origin = if discipline == Discipline::Chaos { Origin::Random } else { Origin::Valid };
    if dice.chance(40) && flip(&mut history, &mut dice).is_some() && origin == Origin::Valid {
        origin = Origin::Mutated;
    }
    (origin, history)
}

struct World {
    discipline: Discipline,
    txns: usize,
    sessions: usize,
    keys: usize,
    lists: bool,
    unique: bool,
    deletes: bool,
    scans: bool,
    fresh: u32,
    clock: Time,
    store: Store,
    history: History,
    dice: Dice,
}

impl World {
    fn run(&mut self) {
        let mut running: Vec<Option<Running>> = Vec::new();
        running.resize_with(self.sessions, || None);
        while self.history.txns.len() < self.txns || running.iter().any(Option::is_some) {
            let session = self.dice.below(self.sessions);
            match running[session].take() {
                None if self.history.txns.len() < self.txns => running[session] = Some(self.begin(session)),
                None => {}
                Some(mut one) if one.left > 0 => {
                    one.left -= 1;
                    self.op(&mut one);
                    running[session] = Some(one);
                }
                Some(one) => self.end(one),
            }
        }
    }

    fn tick(&mut self) -> Time {
        self.clock += 1;
        self.clock
    }

    fn begin(&mut self, session: usize) -> Running {
        let txn = Txn {
            index: TxnIndex::try_from(self.history.txns.len()).expect("few"),
            session: u32::try_from(session).expect("few"),
            life: 0,
            begun: self.tick(),
            start_version: None,
            isolation: Isolation::Serializable,
            ops: Vec::new(),
            outcome: Outcome::Running,
        };
        self.history.txns.push(txn.clone());
        let old = self.discipline == Discipline::Snapshot && self.dice.chance(20);
        let snapshot = if old { self.dice.below(self.store.commits + 1) } else { self.store.commits };
        Running { txn, snapshot, left: 1 + self.dice.below(3) }
    }

    fn op(&mut self, one: &mut Running) {
        let at = match self.discipline {
            Discipline::Serial | Discipline::Snapshot => one.snapshot,
            Discipline::ReadsLatest => self.store.commits,
            Discipline::Chaos => self.dice.below(self.store.commits + 1),
        };
        let name = u8::try_from(self.dice.below(self.keys)).expect("few");
        if self.lists {
            let key = vec![b'l', b'0' + name];
            let op = if self.dice.chance(50) {
                let element = self.value();
                Op::Append { key, element }
            } else {
                let mut elements = self.store.list(&key, at);
                elements.extend(one.txn.ops.iter().filter_map(|op| match op {
                    Op::Append { key: other, element } if *other == key => Some(element.clone()),
                    _ => None,
                }));
                Op::List { key, elements, version: None }
            };
            one.txn.ops.push(op);
            return;
        }
        let key = vec![b'k', b'0' + name];
        let roll = self.dice.below(100);
        let op = if roll < 45 {
            let value = self.visible(one, &key, at);
            Op::Get { key, read: Read { value, version: None } }
        } else if roll < 60 && self.scans {
            self.scan(one, at)
        } else if roll < 70 && self.deletes {
            Op::Delete { key }
        } else if roll < 78 {
            let expected = self.visible(one, &key, at).map_or(Expected::Absent, Expected::Value);
            Op::Cas { key, expected, value: self.value() }
        } else {
            Op::Put { key, value: self.value() }
        };
        one.txn.ops.push(op);
    }

    fn scan(&mut self, one: &Running, at: usize) -> Op {
        let range = Range::prefix(b"k");
        let entries = (0..self.keys)
            .filter_map(|name| {
                let key = vec![b'k', b'0' + u8::try_from(name).expect("few")];
                self.visible(one, &key, at).map(|value| Entry { key, value, version: None })
            })
            .collect();
        Op::Scan { range, limit: None, reverse: false, entries }
    }

    fn visible(&self, one: &Running, key: &[u8], at: usize) -> Option<Bytes> {
        let own = one.txn.ops.iter().rev().find_map(|op| match op {
            Op::Put { key: other, value } | Op::Cas { key: other, value, .. } if other == key => {
                Some(Some(value.clone()))
            }
            Op::Delete { key: other } if other == key => Some(None),
            _ => None,
        });
        own.unwrap_or_else(|| self.store.get(key, at))
    }

    fn value(&mut self) -> Bytes {
        self.fresh += 1;
        let number = if self.unique || self.lists { self.fresh } else { self.fresh % 3 };
        number.to_string().into_bytes()
    }

    fn end(&mut self, mut one: Running) {
        let invoked = self.tick();
        let conflict = match self.discipline {
            Discipline::Serial => self.conflicts(&one, true),
            Discipline::Snapshot => self.conflicts(&one, false),
            _ => false,
        };
        let roll = self.dice.below(100);
        let index = one.txn.index as usize;
        if conflict || roll < 8 {
            one.txn.outcome = Outcome::Aborted { at: self.tick(), conflicts: Vec::new() };
        } else {
            let unknown = roll < 16;
            if !unknown || self.dice.chance(50) {
                self.install(&one.txn);
            }
            let acked = self.tick();
            one.txn.outcome = match unknown {
                true => Outcome::Unknown { invoked },
                false => Outcome::Committed { invoked, acked, version: None, durable: None },
            };
        }
        self.history.txns[index] = one.txn;
    }

    fn conflicts(&self, one: &Running, reads: bool) -> bool {
        one.txn.ops.iter().any(|op| match op {
            Op::Put { key, .. } | Op::Delete { key } | Op::Cas { key, .. } => self.changed(key, one.snapshot),
            Op::Append { key, .. } => self.grown(key, one.snapshot),
            Op::Get { key, .. } => reads && self.changed(key, one.snapshot),
            Op::List { key, .. } => reads && self.grown(key, one.snapshot),
            Op::Scan { range, .. } => {
                let keys = self.store.registers.keys();
                reads && keys.filter(|key| range.contains(key)).any(|key| self.changed(key, one.snapshot))
            }
            _ => false,
        })
    }

    fn changed(&self, key: &[u8], since: usize) -> bool {
        self.store.registers.get(key).and_then(|states| states.last()).is_some_and(|(at, _)| *at > since)
    }

    fn grown(&self, key: &[u8], since: usize) -> bool {
        self.store.lists.get(key).and_then(|elements| elements.last()).is_some_and(|(at, _)| *at > since)
    }

    fn install(&mut self, txn: &Txn) {
        self.store.commits += 1;
        let at = self.store.commits;
        for op in &txn.ops {
            match op {
                Op::Put { key, value } | Op::Cas { key, value, .. } => {
                    self.store.registers.entry(key.clone()).or_default().push((at, Some(value.clone())));
                }
                Op::Delete { key } => {
                    self.store.registers.entry(key.clone()).or_default().push((at, None));
                }
                Op::Append { key, element } => {
                    self.store.lists.entry(key.clone()).or_default().push((at, element.clone()));
                }
                _ => {}
            }
        }
    }
}

/// Which observation [`flip`] falsified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Flip {
    Get,
    List,
    ScanLost,
    ScanChanged,
}

/// Falsifies one observed value, if there is one; says which kind, and whose.
pub(crate) fn flip(history: &mut History, dice: &mut Dice) -> Option<(Flip, TxnIndex)> {
    let mut values: Vec<Option<Bytes>> = vec![None, Some(b"never written".to_vec())];
    let mut places = Vec::new();
    for (txn, record) in history.txns.iter().enumerate() {
        for (at, op) in record.ops.iter().enumerate() {
            match op {
                Op::Put { value, .. } | Op::Cas { value, .. } => values.push(Some(value.clone())),
                Op::Get { .. } | Op::List { .. } => places.push((txn, at)),
                Op::Scan { entries, .. } if !entries.is_empty() => places.push((txn, at)),
                _ => {}
            }
        }
    }
    if places.is_empty() {
        return None;
    }
    let (txn, at) = *dice.pick(&places);
    let index = history.txns[txn].index;
    match &mut history.txns[txn].ops[at] {
        Op::Get { read, .. } => {
            read.value = dice.pick(&values).clone();
            Some((Flip::Get, index))
        }
        Op::List { elements, .. } => {
            if elements.len() > 1 && dice.chance(30) {
                elements.swap(0, 1);
            } else {
                elements.pop()?;
            }
            Some((Flip::List, index))
        }
        Op::Scan { entries, .. } => {
            let victim = dice.below(entries.len());
            let other = dice.pick(&values).clone();
            match other.filter(|_| dice.chance(50)) {
                Some(value) => {
                    entries[victim].value = value;
                    Some((Flip::ScanChanged, index))
                }
                None => {
                    entries.remove(victim);
                    Some((Flip::ScanLost, index))
                }
            }
        }
        _ => None,
    }
}
