//! Histories of many clients at once over a store that is strictly serializable, as Elle's generators make
//! them: transactions of one to four operations on a few hot keys, each key retired after a number of writes,
//! so that reads stay short; values are unique per key. Nothing is kept but what the store holds, so files of
//! any length can be made.
//!
//! A transaction begins, takes effect and is answered at three moments between which others go on.

use std::fmt::Write;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// Which kind of operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Appends to lists, and reads of whole lists.
    Lists,
    /// Blind writes and reads of registers.
    Registers,
}

/// What is generated.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) kind: Kind,
    pub(crate) seed: u64,
    pub(crate) txns: u64,
    pub(crate) clients: usize,
    /// How many keys are in use at a time.
    pub(crate) keys: usize,
    /// Number of writes after which a key is retired for a fresh one.
    pub(crate) writes_per_key: u64,
    /// Of a hundred transactions, how many the store refuses.
    pub(crate) refused: u64,
    /// Of a hundred, how many are never answered; half of them take effect.
    pub(crate) unanswered: u64,
}

/// An operation, and what it saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Append { key: u64, element: u64 },
    Write { key: u64, value: u64 },
    List { key: u64, elements: Vec<u64> },
    Read { key: u64, value: Option<u64> },
}

/// How a line of a history begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    Invoke,
    Ok,
    Fail,
    Info,
}

/// One line of a history.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) moment: Moment,
    pub(crate) process: u64,
    pub(crate) operations: Vec<Operation>,
}

impl Line {
    /// As Jepsen writes it.
    pub(crate) fn edn(&self, text: &mut String) {
        let moment = match self.moment {
            Moment::Invoke => "invoke",
            Moment::Ok => "ok",
            Moment::Fail => "fail",
            Moment::Info => "info",
        };
        let _ = write!(text, "{{:type :{moment}, :f :txn, :process {}, :value [", self.process);
        let answered = self.moment == Moment::Ok;
        for (at, operation) in self.operations.iter().enumerate() {
            text.push_str(if at == 0 { "" } else { " " });
            let _ = match operation {
                Operation::Append { key, element } => write!(text, "[:append {key} {element}]"),
                Operation::Write { key, value } => write!(text, "[:w {key} {value}]"),
                Operation::Read { key, value: Some(value) } if answered => {
                    write!(text, "[:r {key} {value}]")
                }
                Operation::List { key, elements } if answered => list(text, *key, elements),
                Operation::List { key, .. } | Operation::Read { key, .. } => write!(text, "[:r {key} nil]"),
            };
        }
        text.push_str("]}\n");
    }
}

fn list(text: &mut String, key: u64, elements: &[u64]) -> std::fmt::Result {
    write!(text, "[:r {key} [")?;
    for (at, element) in elements.iter().enumerate() {
        write!(text, "{}{element}", if at == 0 { "" } else { " " })?;
    }
    write!(text, "]]")
}

/// Generates a valid history, line by line.
pub(crate) fn generate(shape: Shape, sink: &mut impl FnMut(&Line)) {
    let clients = (0..shape.clients as u64).map(|process| Client { process, running: None }).collect();
    let keys = shape.keys;
    let mut world = World {
        shape,
        rng: ChaCha8Rng::seed_from_u64(shape.seed),
        slots: (0..keys).map(|key| Slot { key, writes: 0 }).collect(),
        held: vec![Vec::new(); keys],
        left: shape.txns,
        clients,
    };
    while world.left > 0 || world.clients.iter().any(|client| client.running.is_some()) {
        let at = world.below(shape.clients);
        world.step(at, sink);
    }
}

/// A key in use.
#[derive(Debug)]
struct Slot {
    key: usize,
    writes: u64,
}

#[derive(Debug)]
struct Client {
    process: u64,
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    operations: Vec<Operation>,
    /// Once it is known how it will be answered.
    answer: Option<Moment>,
}

struct World {
    shape: Shape,
    rng: ChaCha8Rng,
    slots: Vec<Slot>,
    /// By key: all that was written and took effect, in order.
    held: Vec<Vec<u64>>,
    left: u64,
    clients: Vec<Client>,
}

impl World {
    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.rng.next_u64() % bound.max(1) as u64).unwrap_or(0)
    }

    fn step(&mut self, at: usize, sink: &mut impl FnMut(&Line)) {
        let process = self.clients[at].process;
        match self.clients[at].running.take() {
            None if self.left == 0 => {}
            None => {
                self.left -= 1;
                let count = 1 + self.below(4);
                let operations: Vec<_> = (0..count).map(|_| self.plan()).collect();
                sink(&Line { moment: Moment::Invoke, process, operations: operations.clone() });
                self.clients[at].running = Some(Running { operations, answer: None });
            }
            Some(Running { mut operations, answer: None }) => {
                let answer = self.take_effect(&mut operations);
                self.clients[at].running = Some(Running { operations, answer: Some(answer) });
            }
            Some(Running { operations, answer: Some(moment) }) => {
                sink(&Line { moment, process, operations });
                if moment == Moment::Info {
                    // Jepsen goes on with a process of another name.
                    self.clients[at].process += self.shape.clients as u64;
                }
            }
        }
    }

    /// What a client will do; what it will write is given out now.
    fn plan(&mut self) -> Operation {
        let at = self.below(self.slots.len());
        let writes = self.below(2) == 0;
        if writes && self.slots[at].writes >= self.shape.writes_per_key {
            self.slots[at] = Slot { key: self.held.len(), writes: 0 };
            self.held.push(Vec::new());
        }
        let slot = &mut self.slots[at];
        slot.writes += u64::from(writes);
        let (key, value) = (slot.key as u64, slot.writes);
        match (self.shape.kind, writes) {
            (Kind::Lists, true) => Operation::Append { key, element: value },
            (Kind::Lists, false) => Operation::List { key, elements: Vec::new() },
            (Kind::Registers, true) => Operation::Write { key, value },
            (Kind::Registers, false) => Operation::Read { key, value: None },
        }
    }

    fn take_effect(&mut self, operations: &mut [Operation]) -> Moment {
        let roll = self.below(100) as u64;
        let (refused, unanswered) = (self.shape.refused, self.shape.unanswered);
        let effect = roll >= refused + unanswered / 2;
        for operation in operations {
            match operation {
                Operation::Append { key, element: value } | Operation::Write { key, value } => {
                    if effect {
                        self.held[usize::try_from(*key).unwrap_or(0)].push(*value);
                    }
                }
                Operation::List { key, elements } => {
                    elements.clone_from(&self.held[usize::try_from(*key).unwrap_or(0)]);
                }
                Operation::Read { key, value } => {
                    *value = self.held[usize::try_from(*key).unwrap_or(0)].last().copied();
                }
            }
        }
        match () {
            () if roll < refused => Moment::Fail,
            () if roll < refused + unanswered => Moment::Info,
            () => Moment::Ok,
        }
    }
}
