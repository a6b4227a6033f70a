//! The black box: judges by values alone what level of isolation a history shows.
//!
//! Job: for each level, whether some order of the transactions explains what clients saw; if not, the shortest cycle
//! that proves it, each edge in a sentence. Not its job: versions that the store reported (it uses them as guesses
//! only), crashes.
//!
//! How a level is decided:
//! 1. direct anomalies: values that nobody, or nobody who counts, left;
//! 2. a cycle among what reads prove, on a graph with as many edges as there are operations: violated;
//! 3. if reads prove the whole order (lists, and registers that are read before they are written, do): holds;
//! 4. else add what follows ([`saturate`]): a cycle is violated;
//! 5. else guess the rest by playing the history ([`schedule`]) or by time; a guess without a cycle proves that it holds;
//! 6. else search, within a bound; past the bound the answer is [`Standing::Unknown`].
//!
//! Invariants: INV-BB-1: "violated" is never based on a guess. INV-BB-2: "holds" is always backed by an order.

mod events;
mod name;
mod orders;
mod problem;
mod resolve;
mod saturate;
mod schedule;
mod search;
mod weak;

use serde::{Deserialize, Serialize};
use stormproof_workloads::history::TxnIndex;
use stormproof_workloads::store::{Key, Version};

pub use name::{CycleEdge, Dependency};

use crate::graph::{Kinds, components};
use crate::level::Level;
use crate::verdict::{AnomalyClass, Invariant};
use crate::view::{KeyId, Map, View};
use events::{Events, Rule};
use orders::{Guess, Orders, orders_by, undecided_keys};
use problem::{Assigned, ByKey, Problem};
use resolve::resolve;
use saturate::saturate;
use schedule::schedule;
use search::{Found, search};

/// How a history stands to a level.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Some order explains it.
    Holds,
    /// None does.
    Violated,
    /// It could not be decided, for this reason.
    Unknown(String),
}

/// Something that a level forbids.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Anomaly {
    /// What kind.
    pub class: AnomalyClass,
    /// The weakest level that forbids it.
    pub level: Level,
    /// Who took part; in a cycle, in its order.
    pub txns: Vec<TxnIndex>,
    /// On which keys.
    pub keys: Vec<Key>,
    /// What happened, in words.
    pub message: String,
    /// The cycle, if it is one.
    pub cycle: Vec<CycleEdge>,
}

impl Anomaly {
    /// The row of the contract that it breaks.
    pub fn invariant(&self) -> Invariant {
        match (self.class, self.level) {
            (
                AnomalyClass::GarbageRead
                | AnomalyClass::DuplicateElement
                | AnomalyClass::AbortedRead
                | AnomalyClass::IntermediateRead
                | AnomalyClass::IncompatibleOrder,
                _,
            ) => Invariant::CommittedOnly,
            (AnomalyClass::InternalInconsistency, _) => Invariant::ReadYourWrites,
            (AnomalyClass::NonRepeatableRead, _) => Invariant::Repeatable,
            (AnomalyClass::LostUpdate, _) => Invariant::Conflicts,
            (AnomalyClass::StaleRead | AnomalyClass::CausalReverse, _) => Invariant::RealTime,
            (_, Level::StrongSessionSnapshotIsolation | Level::StrictSnapshotIsolation) => {
                Invariant::RealTime
            }
            (_, Level::Serializable | Level::StrictSerializable) => Invariant::Serializable,
            _ => Invariant::Snapshot,
        }
    }
}

/// How a history stands to each level that was asked for, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    /// Levels, each behind those that it implies.
    pub levels: Vec<(Level, Standing)>,
    /// What was found, weakest level first, shortest cycle first.
    pub anomalies: Vec<Anomaly>,
}

impl Table {
    /// How it stands to a level, if that was asked for.
    pub fn standing(&self, level: Level) -> Option<&Standing> {
        self.levels.iter().find(|(other, _)| *other == level).map(|(_, standing)| standing)
    }

    /// The weakest level that is violated.
    pub fn weakest_violated(&self) -> Option<Level> {
        self.levels.iter().find(|(_, standing)| *standing == Standing::Violated).map(|(level, _)| *level)
    }

    /// The levels that hold and that no other level that holds implies.
    pub fn strongest_satisfied(&self) -> Vec<Level> {
        let holds: Vec<Level> = self
            .levels
            .iter()
            .filter(|(_, standing)| *standing == Standing::Holds)
            .map(|(level, _)| *level)
            .collect();
        let beaten = |level: Level| holds.iter().any(|other| *other != level && other.implies(level));
        holds.iter().copied().filter(|level| !beaten(*level)).collect()
    }
}

/// Anomalies that are described per level.
const ANOMALIES_MAX: usize = 8;
/// Ways to explain open reads that are tried.
const CHOICES_MAX: u64 = 4_096;

/// On which terms a history is judged.
#[derive(Clone, Debug, Default)]
pub(crate) struct Terms {
    /// How many steps of search there are.
    pub(crate) steps_max: u64,
    /// Transactions that asked for less than serializable may miss what came later.
    pub(crate) mixed: bool,
    /// Appends to one list do not conflict with each other.
    pub(crate) appends_commute: bool,
    /// Versions at which unanswered commits may have taken effect: an order to try, and no more.
    pub(crate) hints: Map<TxnIndex, Version>,
}

/// Judges a view at `level` and all that it implies, or at all levels.
pub(crate) fn judge(view: &View<'_>, level: Option<Level>, terms: &Terms) -> Table {
    let mut resolved = resolve(view, &terms.hints);
    let (vague, assumed) = (resolved.vague.take(), resolved.assumed.take());
    let direct = std::mem::take(&mut resolved.anomalies);
    let judge = Judge {
        problem: Problem::new(view, resolved, terms),
        direct,
        vague,
        assumed,
        steps_max: terms.steps_max,
    };
    judge.table(level)
}

struct Judge<'v, 'h> {
    problem: Problem<'v, 'h>,
    direct: Vec<Anomaly>,
    vague: Option<String>,
    assumed: Option<String>,
    steps_max: u64,
}

enum Answer {
    Holds,
    Violated(Vec<Anomaly>),
    Unknown(String),
}

impl Judge<'_, '_> {
    fn table(&self, level: Option<Level>) -> Table {
        let strongest = level.unwrap_or(Level::StrictSerializable);
        let asked: Vec<Level> = Level::ALL.into_iter().filter(|weaker| strongest.implies(*weaker)).collect();
        let top = self.answer(strongest);
        if matches!(top, Answer::Holds) {
            let levels = asked.into_iter().map(|level| (level, Standing::Holds)).collect();
            return Table { levels, anomalies: Vec::new() };
        }
        let mut top = Some(top);
        let mut table = Table::default();
        for level in asked {
            let broken = |weaker: &Level| table.standing(*weaker) == Some(&Standing::Violated);
            let standing = if level.weaker().iter().any(broken) {
                Standing::Violated
            } else {
                let fresh = if level == strongest { top.take() } else { None };
                match fresh.unwrap_or_else(|| self.answer(level)) {
                    Answer::Holds => Standing::Holds,
                    Answer::Unknown(why) => Standing::Unknown(why),
                    Answer::Violated(anomalies) => {
                        table.anomalies.extend(anomalies);
                        Standing::Violated
                    }
                }
            };
            table.levels.push((level, standing));
        }
        table
    }

    fn answer(&self, level: Level) -> Answer {
        if let Some(why) = &self.vague {
            return Answer::Unknown(why.clone());
        }
        match (self.answer_as_assumed(level), &self.assumed) {
            (Answer::Violated(_), Some(why)) => Answer::Unknown(why.clone()),
            (answer, _) => answer,
        }
    }

    fn answer_as_assumed(&self, level: Level) -> Answer {
        let direct: Vec<Anomaly> =
            self.direct.iter().filter(|anomaly| level.implies(anomaly.level)).cloned().collect();
        if !direct.is_empty() {
            return Answer::Violated(direct);
        }
        let problem = &self.problem;
        let known = problem.without_choices();
        let by_key = ByKey::new(problem, &known);
        let events = match self.events(level, &known, &by_key, Orders::Known) {
            Ok(events) => events,
            Err(why) => return Answer::Unknown(why),
        };
        let cycles = self.cycles(&events, level);
        if !cycles.is_empty() {
            return Answer::Violated(cycles);
        }
        let undecided = if level.is_weak() { Vec::new() } else { undecided_keys(problem, &by_key) };
        if problem.choices.is_empty() && undecided.is_empty() {
            return Answer::Holds;
        }
        if problem.choices.is_empty() {
            if self.plays(level, &known, &by_key, &events, &undecided) {
                return Answer::Holds;
            }
            let forced = saturate(problem, &events, &by_key, &undecided, level.rule().time);
            if !forced.is_empty() {
                let rule = level.rule();
                let events = Events::build(problem, &known, &by_key, Orders::Known, rule, &forced);
                let cycles = self.cycles(&events, level);
                if !cycles.is_empty() {
                    return Answer::Violated(cycles);
                }
                if self.plays(level, &known, &by_key, &events, &undecided) {
                    return Answer::Holds;
                }
            }
        }
        drop((events, by_key, known));
        if Guess::ALL.into_iter().any(|guess| self.guess_holds(level, guess)) {
            return Answer::Holds;
        }
        self.search(level)
    }

    fn guess_holds(&self, level: Level, guess: Guess) -> bool {
        let assigned = self.problem.with_choices(&guess.choose(&self.problem));
        if assigned.broken || assigned.unsure {
            return false;
        }
        let by_key = ByKey::new(&self.problem, &assigned);
        if level.is_weak() {
            return self.acyclic(level, &assigned, &by_key, Orders::Known);
        }
        let orders = orders_by(&self.problem, &by_key, |txn| guess.rank(&self.problem, txn));
        if self.acyclic(level, &assigned, &by_key, Orders::Total(&orders)) {
            return true;
        }
        let Ok(events) = self.events(level, &assigned, &by_key, Orders::Known) else { return false };
        let undecided = undecided_keys(&self.problem, &by_key);
        !self.problem.choices.is_empty() && self.plays(level, &assigned, &by_key, &events, &undecided)
    }

    /// Whether playing the history finds an order of the writes that is without a cycle.
    fn plays(
        &self,
        level: Level,
        assigned: &Assigned,
        by_key: &ByKey,
        events: &Events,
        undecided: &[KeyId],
    ) -> bool {
        let problem = &self.problem;
        schedule(problem, assigned, by_key, events, undecided).is_some_and(|places| {
            let orders = orders_by(problem, by_key, |txn| places[txn as usize]);
            self.acyclic(level, assigned, by_key, Orders::Total(&orders))
        })
    }

    fn acyclic(&self, level: Level, assigned: &Assigned, by_key: &ByKey, orders: Orders<'_>) -> bool {
        let events = self.events(level, assigned, by_key, orders);
        events.is_ok_and(|events| components(&events.graph, Kinds::ALL).is_empty())
    }

    fn events(
        &self,
        level: Level,
        assigned: &Assigned,
        by_key: &ByKey,
        orders: Orders<'_>,
    ) -> Result<Events, String> {
        let problem = &self.problem;
        let extra = match level {
            Level::ReadAtomic => weak::read_atomic(problem, assigned),
            Level::Causal => weak::causal(problem, assigned, by_key)?,
            _ => Vec::new(),
        };
        Ok(Events::build(problem, assigned, by_key, orders, level.rule(), &extra))
    }

    fn cycles(&self, events: &Events, level: Level) -> Vec<Anomaly> {
        let mut found: Vec<Anomaly> = components(&events.graph, Kinds::ALL)
            .iter()
            .take(ANOMALIES_MAX)
            .filter_map(|component| name::simplest(events, component))
            .map(|steps| name::anomaly(self.problem.view, events, &steps, level))
            .collect();
        found.sort_by_key(|anomaly| anomaly.cycle.len());
        found
    }

    /// Tries every explanation of the open reads, and for each every order of what nobody saw.
    fn search(&self, level: Level) -> Answer {
        let problem = &self.problem;
        let ways = problem.choices.iter().try_fold(1_u64, |ways, choice| {
            ways.checked_mul(choice.candidates.len() as u64).filter(|ways| *ways <= CHOICES_MAX)
        });
        let Some(ways) = ways else {
            let count = problem.choices.len();
            return Answer::Unknown(format!(
                "{count} reads saw what more than one transaction had written, too many to try all explanations"
            ));
        };
        let mut steps = self.steps_max;
        let mut contradiction = None;
        for way in 0..ways {
            let mut rest = way;
            let chosen: Vec<_> = problem
                .choices
                .iter()
                .map(|choice| {
                    let count = choice.candidates.len() as u64;
                    let at = usize::try_from(rest % count).unwrap_or(0);
                    rest /= count;
                    choice.candidates[at]
                })
                .collect();
            match self.search_orders(level, &chosen, &mut steps) {
                Found::Order => return Answer::Holds,
                Found::OutOfSteps => {
                    let bound = self.steps_max;
                    return Answer::Unknown(format!(
                        "clients saw too little to order some writes, and {bound} steps of search did not decide it"
                    ));
                }
                Found::None(pair) => contradiction = pair.or(contradiction),
            }
        }
        Answer::Violated(vec![self.no_order(level, contradiction)])
    }

    fn search_orders(&self, level: Level, chosen: &[u32], steps: &mut u64) -> Found {
        let assigned = self.problem.with_choices(chosen);
        if assigned.broken || assigned.unsure {
            return if assigned.broken { Found::None(None) } else { Found::OutOfSteps };
        }
        let by_key = ByKey::new(&self.problem, &assigned);
        *steps = steps.saturating_sub(self.problem.view.history.txns.len() as u64);
        if *steps == 0 {
            return Found::OutOfSteps;
        }
        let Ok(events) = self.events(level, &assigned, &by_key, Orders::Known) else {
            return Found::OutOfSteps;
        };
        if !components(&events.graph, Kinds::ALL).is_empty() {
            return Found::None(None);
        }
        let undecided = if level.is_weak() { Vec::new() } else { undecided_keys(&self.problem, &by_key) };
        if undecided.is_empty() {
            return Found::Order;
        }
        search(&self.problem, &events, &by_key, &undecided, steps)
    }

    /// No order does: the cycle of the likeliest order explains it best.
    fn no_order(&self, level: Level, pair: Option<(TxnIndex, TxnIndex, u32)>) -> Anomaly {
        let assigned = self.problem.with_choices(&Guess::Acked.choose(&self.problem));
        let by_key = ByKey::new(&self.problem, &assigned);
        let orders = orders_by(&self.problem, &by_key, |txn| Guess::Acked.rank(&self.problem, txn));
        let orders = if level.is_weak() { Orders::Known } else { Orders::Total(&orders) };
        let likeliest = self
            .events(level, &assigned, &by_key, orders)
            .ok()
            .and_then(|events| self.cycles(&events, level).into_iter().next());
        if let Some(mut anomaly) = likeliest.filter(|_| !assigned.broken && !assigned.unsure) {
            anomaly
                .message
                .push_str(" (in the likeliest order of the writes; no other order is without a cycle)");
            return anomaly;
        }
        let view = self.problem.view;
        let (txns, keys, message) = match pair {
            Some((first, second, key)) => {
                let name = view.key_name(key);
                let message = format!(
                    "T{first} and T{second} both wrote {name}, and whichever came first, what others saw contradicts it"
                );
                (vec![first, second], vec![view.keys[key as usize].to_vec()], message)
            }
            None => {
                let message =
                    "no order of the writes that nobody saw in order explains what was seen".to_owned();
                let all = view.history.txns.iter().map(|txn| txn.index);
                let counted = all.filter(|txn| self.problem.included[*txn as usize]);
                (counted.take(16).collect(), Vec::new(), message)
            }
        };
        Anomaly { class: AnomalyClass::NoOrder, level, txns, keys, message, cycle: Vec::new() }
    }
}

impl Level {
    /// Whether reads alone decide it, whatever the order of unseen writes.
    fn is_weak(self) -> bool {
        matches!(self, Self::ReadCommitted | Self::ReadAtomic | Self::Causal)
    }

    fn rule(self) -> Rule {
        let rule = Rule { split: false, anti: false, session: false, time: false };
        match self {
            Self::ReadCommitted | Self::ReadAtomic => rule,
            Self::Causal => Rule { session: true, ..rule },
            Self::SnapshotIsolation => Rule { split: true, anti: true, ..rule },
            Self::StrongSessionSnapshotIsolation => Rule { split: true, anti: true, session: true, ..rule },
            Self::StrictSnapshotIsolation => Rule { split: true, anti: true, time: true, session: true },
            Self::Serializable => Rule { anti: true, ..rule },
            Self::StrictSerializable => Rule { anti: true, time: true, session: true, ..rule },
        }
    }
}
