//! Key-value histories of our own format, with versions: what many clients see of a store with optimistic
//! transactions over snapshots, first committer wins.

use std::collections::BTreeMap;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use stormproof_workloads::history::{Event, Op, Outcome, Time, TxnIndex};
use stormproof_workloads::store::{Conflict, ConflictKind, Entry, Isolation, Range, Read};

/// What is generated.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    pub(crate) seed: u64,
    pub(crate) txns: u64,
    pub(crate) clients: usize,
    pub(crate) keys: u64,
    /// Serializable, or snapshot, under which what was read may change.
    pub(crate) isolation: Isolation,
}

/// Generates a valid history, event by event.
pub(crate) fn generate(load: Load, sink: &mut impl FnMut(Event)) {
    let Load { seed, txns, clients, keys, isolation } = load;
    let mut world = World {
        rng: ChaCha8Rng::seed_from_u64(seed),
        isolation,
        keys,
        clock: 0,
        version: 0,
        begun: 0,
        state: BTreeMap::new(),
        running: (0..clients).map(|_| None).collect(),
    };
    sink(Event::Opened { life: 0, at: 0 });
    while u64::from(world.begun) < txns || world.running.iter().any(Option::is_some) {
        let at = world.below(clients as u64);
        world.step(usize::try_from(at).unwrap_or(0), txns, sink);
    }
}

fn key(name: u64) -> Vec<u8> {
    format!("key-{name:08}").into_bytes()
}

struct Running {
    txn: TxnIndex,
    snapshot: u64,
    read: Vec<Vec<u8>>,
    writes: Vec<(Vec<u8>, Vec<u8>)>,
    /// Once it has taken effect.
    outcome: Option<Outcome>,
}

struct World {
    rng: ChaCha8Rng,
    isolation: Isolation,
    keys: u64,
    clock: Time,
    version: u64,
    begun: TxnIndex,
    /// By key: its value and its version.
    state: BTreeMap<Vec<u8>, (Vec<u8>, u64)>,
    running: Vec<Option<Running>>,
}

impl World {
    fn below(&mut self, bound: u64) -> u64 {
        self.rng.next_u64() % bound.max(1)
    }

    fn tick(&mut self) -> Time {
        self.clock += 1;
        self.clock
    }

    fn step(&mut self, at: usize, txns: u64, sink: &mut impl FnMut(Event)) {
        match self.running[at].take() {
            None if u64::from(self.begun) >= txns => {}
            None => self.running[at] = Some(self.begin(at, sink)),
            Some(mut one) if one.outcome.is_none() => {
                self.commit(&mut one, sink);
                self.running[at] = Some(one);
            }
            Some(Running { txn, outcome, .. }) => {
                if let Some(mut outcome) = outcome {
                    let now = self.tick();
                    match &mut outcome {
                        Outcome::Committed { acked, durable, .. } => (*acked, *durable) = (now, Some(now)),
                        Outcome::Aborted { at, .. } => *at = now,
                        Outcome::Running | Outcome::Unknown { .. } => {}
                    }
                    sink(Event::Outcome { txn, outcome });
                }
            }
        }
    }

    /// Begins and does all operations, on the snapshot of this moment.
    fn begin(&mut self, session: usize, sink: &mut impl FnMut(Event)) -> Running {
        let (txn, snapshot) = (self.begun, self.version);
        self.begun += 1;
        let (session, at) = (u32::try_from(session).unwrap_or(0), self.tick());
        let (start_version, isolation) = (Some(snapshot), self.isolation);
        sink(Event::Begin { txn, session, life: 0, at, start_version, isolation });
        let mut one = Running { txn, snapshot, read: Vec::new(), writes: Vec::new(), outcome: None };
        for _ in 0..1 + self.below(4) {
            let op = self.operation(&mut one);
            let at = self.tick();
            sink(Event::Op { txn, at, op });
        }
        one
    }

    fn operation(&mut self, one: &mut Running) -> Op {
        let name = self.below(self.keys);
        let key = key(name);
        let own = one.writes.iter().rev().find(|(other, _)| *other == key);
        match self.below(20) {
            0 => {
                // Ten neighbours at most; where it wrote itself it reads something else.
                let names = name..name - name % 10 + 10;
                let range = Range { start: key, end: Some(self::key(names.end)) };
                if one.writes.iter().any(|(other, _)| range.contains(other)) {
                    return self.operation(one);
                }
                let found = self.state.range(range.start.clone()..range.end.clone().unwrap_or_default());
                let entries: Vec<Entry> = found
                    .map(|(key, (value, version))| Entry {
                        key: key.clone(),
                        value: value.clone(),
                        version: Some(*version),
                    })
                    .collect();
                // A writer of one of the absent keys conflicts as well.
                one.read.extend(names.map(self::key));
                Op::Scan { range, limit: None, reverse: false, entries }
            }
            1..=10 => {
                let read = match (own, self.state.get(&key)) {
                    (Some((_, value)), _) => Read { value: Some(value.clone()), version: None },
                    (None, Some((value, version))) => {
                        Read { value: Some(value.clone()), version: Some(*version) }
                    }
                    (None, None) => Read { value: None, version: Some(0) },
                };
                if own.is_none() {
                    one.read.push(key.clone());
                }
                Op::Get { key, read }
            }
            _ => {
                let value = format!("{}.{}", one.txn, one.writes.len()).into_bytes();
                one.writes.push((key.clone(), value.clone()));
                Op::Put { key, value }
            }
        }
    }

    fn commit(&mut self, one: &mut Running, sink: &mut impl FnMut(Event)) {
        let invoked = self.tick();
        sink(Event::Commit { txn: one.txn, at: invoked });
        let changed = |key: &[u8]| self.state.get(key).is_some_and(|(_, version)| *version > one.snapshot);
        let written = one.writes.iter().map(|(key, _)| (ConflictKind::Write, key));
        let validates = self.isolation == Isolation::Serializable && !one.writes.is_empty();
        let read = one.read.iter().map(|key| (ConflictKind::Read, key)).filter(|_| validates);
        let conflicts: Vec<Conflict> = written
            .chain(read)
            .filter(|(_, key)| changed(key))
            .map(|(kind, key)| Conflict::new(kind, key.clone(), None))
            .collect();
        one.outcome = Some(if conflicts.is_empty() {
            let mut version = None;
            if !one.writes.is_empty() {
                self.version += 1;
                version = Some(self.version);
                for (key, value) in one.writes.drain(..) {
                    self.state.insert(key, (value, self.version));
                }
            }
            Outcome::Committed { invoked, acked: 0, version, durable: None }
        } else {
            Outcome::Aborted { at: 0, conflicts }
        });
    }
}
