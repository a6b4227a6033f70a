//! Decides each level: known edges first, then proofs, then guesses, then a bounded search.

use stormproof_workloads::history::TxnIndex;

use super::classify_cycle;
use super::events::{Events, Rule};
use super::orders::{Guess, Orders, orders_by, undecided_keys};
use super::problem::{Assigned, ByKey, Problem};
use super::resolve::resolve;
use super::saturate::saturate;
use super::schedule::schedule;
use super::search::{Found, search};
use super::table::{Anomaly, Standing, Table};
use super::terms::Terms;
use super::weak;
use crate::graph::{Kinds, components};
use crate::level::Level;
use crate::verdict::AnomalyClass;
use crate::view::{KeyId, View};

/// Maximum number of anomalies that are described per level.
const ANOMALIES_MAX: usize = 8;
/// Maximum number of explanations of open reads that are tried.
const CHOICES_MAX: u64 = 4_096;

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

    /// Whether a simulated schedule finds an acyclic order of the writes.
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
            .filter_map(|component| classify_cycle::simplest(events, component))
            .map(|steps| classify_cycle::anomaly(self.problem.view, events, &steps, level))
            .collect();
        found.sort_by_key(|anomaly| anomaly.cycle.len());
        found
    }

    /// Tries every explanation of the open reads, and for each every order of the writes that no read
    /// reveals.
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

    /// The anomaly for a history without a valid order: the cycle of the likeliest order explains it best.
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
                let message = "no order of the unobserved writes explains the reads".to_owned();
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
