//! Decides each level: known edges first, then proofs, then guesses, then a bounded search.

mod explanations;
mod guess;
mod lattice;
mod stronger;

use std::cell::Cell;

use super::census;
use super::classify_cycle;
use super::events::Events;
use super::key_orders;
use super::orders::{Guess, Orders, undecided_keys};
use super::paths::all_paths_fit;
use super::problem::{Assigned, ByKey, Problem};
use super::resolve::{Assumed, resolve};
use super::rule::Rule;
use super::saturate::saturate;
use super::single;
use super::table::{Anomaly, Table};
use super::terms::{Limits, Terms};
use super::weak;
use crate::graph::{Edge, Kinds, components};
use crate::level::Level;
use crate::verdict::AnomalyClass;
use crate::view::{KeyId, View, is_committed};
use explanations::LIKELIEST;
use lattice::Lattice;
use stronger::Stronger;

/// Maximum number of anomalies that are described per level.
const ANOMALIES_MAX: usize = 8;

/// Memory of paths, in bytes, up to which all of them are followed at once.
const NEAR_MAX: u64 = 4 << 20;

/// The levels in the order in which they are decided, after the strongest: those come first whose answer
/// decides many others.
const PRIORITY: [Level; 19] = [
    Level::ReadCommitted,
    Level::SnapshotIsolation,
    Level::StrongSessionSerializable,
    Level::Serializable,
    Level::StrictSnapshotIsolation,
    Level::StrongSessionSnapshotIsolation,
    Level::Causal,
    Level::ParallelSnapshotIsolation,
    Level::ConsistentView,
    Level::StrongSessionPrefixConsistency,
    Level::PrefixConsistency,
    Level::RepeatableRead,
    Level::CursorStability,
    Level::ReadAtomic,
    Level::StrongReadCommitted,
    Level::StrongSessionReadCommitted,
    Level::ReadUncommitted,
    Level::StrongReadUncommitted,
    Level::StrongSessionReadUncommitted,
];

/// Judges a view at `level`, or at all levels.
pub(crate) fn judge(view: &View<'_>, level: Option<Level>, terms: &Terms) -> Table {
    let strongest = level.unwrap_or(Level::StrictSerializable);
    let asked: Vec<Level> = Level::ALL.into_iter().filter(|weaker| strongest.implies(*weaker)).collect();
    judge_at(view, &asked, terms)
}

/// Judges a view at these levels, weaker ones first and the strongest last.
pub(crate) fn judge_at(view: &View<'_>, asked: &[Level], terms: &Terms) -> Table {
    let mut resolved = resolve(view, &terms.hints);
    let (vague, assumed) = (resolved.vague.take(), resolved.assumed.take());
    let direct = std::mem::take(&mut resolved.anomalies);
    let counts = std::mem::take(&mut resolved.counts);
    let (problem, stronger) = (Problem::new(view, resolved, terms), Stronger::default());
    let judge = Judge { problem, direct, vague, assumed, terms, stronger, steps: Cell::new(0) };
    let mut table = judge.table(asked);
    table.steps = judge.steps.get();
    if terms.census && table.weakest_violated().is_some() {
        table.counts = counts.into_iter().map(|(class, count)| (class.elle().to_owned(), count)).collect();
        census::describe(&judge.direct, &mut table);
        census::count(&judge.problem, &mut table);
    }
    table
}

struct Judge<'v, 'h> {
    problem: Problem<'v, 'h>,
    direct: Vec<Anomaly>,
    vague: Option<String>,
    assumed: Option<Assumed>,
    terms: &'v Terms,
    /// What is known of levels that keep more order than the one at hand.
    stronger: Stronger,
    /// The steps that searches took so far.
    steps: Cell<u64>,
}

enum Answer {
    Holds,
    Violated(Vec<Anomaly>),
    Unknown(String),
}

/// An answer without a long search, or what that has to begin with.
enum Quick {
    Decided(Answer),
    Open {
        events: Events,
        by_key: ByKey,
        /// The keys whose writers are not ordered by reads alone.
        undecided: Vec<KeyId>,
    },
}

impl Judge<'_, '_> {
    fn table(&self, asked: &[Level]) -> Table {
        let Some(&strongest) = asked.last() else { return Table::default() };
        let mut lattice = Lattice::default();
        let others = PRIORITY.into_iter().filter(|level| *level != strongest && asked.contains(level));
        for level in [strongest].into_iter().chain(others) {
            if !lattice.is_decided(level) {
                lattice.add(level, self.answer(level));
            }
        }
        // What could not be decided may follow of a stronger level that was not asked for.
        for level in PRIORITY.into_iter().filter(|level| !asked.contains(level)) {
            let open = asked.iter().any(|weaker| !lattice.is_decided(*weaker) && level.implies(*weaker));
            if open && matches!(self.answer(level), Answer::Holds) {
                lattice.add(level, Answer::Holds);
            }
        }
        lattice.table(asked)
    }

    fn answer(&self, level: Level) -> Answer {
        match (self.answer_as_assumed(level), &self.assumed, &self.vague) {
            (Answer::Violated(anomalies), Some(assumed), _) if self.depend(&anomalies, assumed) => {
                Answer::Unknown(assumed.why.clone())
            }
            (Answer::Holds, _, Some(why)) => Answer::Unknown(why.clone()),
            (answer, ..) => answer,
        }
    }

    /// Whether all of these anomalies may be due to an assumption.
    fn depend(&self, anomalies: &[Anomaly], assumed: &Assumed) -> bool {
        let name = |key: &KeyId| self.problem.view.keys[*key as usize];
        anomalies.iter().all(|anomaly| {
            anomaly.keys.is_empty()
                || anomaly.class == AnomalyClass::NoOrder
                || anomaly.message.contains(LIKELIEST)
                || anomaly.txns.iter().any(|txn| assumed.txns.contains(txn))
                || anomaly
                    .keys
                    .iter()
                    .any(|key| assumed.keys.iter().any(|other| name(other) == key.as_slice()))
        })
    }

    fn answer_as_assumed(&self, level: Level) -> Answer {
        let (events, by_key, undecided) = match self.quick(level) {
            Quick::Decided(answer) => return answer,
            Quick::Open { events, by_key, undecided } => (events, by_key, undecided),
        };
        // More order leaves less to decide: the order of sessions or time may be the way out of a search.
        if self.stronger_holds(level) {
            return Answer::Holds;
        }
        let mut limits = Limits::of(self.terms);
        if self.is_searched_whole(level) {
            let expected = self.stronger.order();
            let graph = (&events, &by_key);
            let found = self.search(&self.problem, graph, &undecided, expected.as_deref(), &mut limits);
            return self.found(level, found);
        }
        drop((events, by_key));
        self.try_choices(level, &mut limits)
    }

    /// Decides a level without a long search, if it can.
    fn quick(&self, level: Level) -> Quick {
        let direct: Vec<Anomaly> =
            self.direct.iter().filter(|anomaly| level.implies(anomaly.level)).cloned().collect();
        if !direct.is_empty() {
            return Quick::Decided(Answer::Violated(direct));
        }
        let problem = &self.problem;
        let rule = Rule::of(level);
        let mut known = problem.without_choices();
        if !rule.reads {
            known.included = problem.view.history.txns.iter().map(is_committed).collect();
        }
        let by_key = ByKey::new(problem, &known);
        let mut extra = match self.extra(level, &known, &by_key) {
            Ok(extra) => extra,
            Err(why) => return Quick::Decided(Answer::Unknown(why)),
        };
        let events = Events::build(problem, &known, &by_key, Orders::Known, rule, &extra);
        let cycles = self.cycles(&events, level);
        if !cycles.is_empty() {
            return Quick::Decided(Answer::Violated(cycles));
        }
        let undecided = self.undecided(rule, &by_key);
        if problem.choices.is_empty() && undecided.is_empty() {
            return Quick::Decided(Answer::Holds);
        }
        if self.plays(level, &known, &by_key, &events, &undecided) {
            return Quick::Decided(Answer::Holds);
        }
        // With open reads a guess explains those too, and is cheaper than proofs. Otherwise proofs come
        // first: a history that they convict needs no guess, and what they prove leaves the search less to
        // decide.
        let guess = || Guess::ALL.into_iter().any(|guess| self.guess_holds(level, guess));
        if !problem.choices.is_empty() && guess() {
            return Quick::Decided(Answer::Holds);
        }
        let mut events = events;
        // Near paths are cheap and prove most; all paths are worth their memory only where those did not
        // decide.
        let near = NEAR_MAX.min(self.terms.memory_max);
        let all_at_once = near == self.terms.memory_max || all_paths_fit(events.graph.nodes(), near);
        let rounds = if all_at_once { &[near][..] } else { &[near, self.terms.memory_max][..] };
        for &memory in rounds.iter().filter(|_| rule.orders_writes()) {
            let mut forced = saturate(problem, &events, &by_key, &undecided, memory);
            if !forced.is_empty() {
                forced.extend(&extra);
                events = Events::build(problem, &known, &by_key, Orders::Known, rule, &forced);
                let cycles = self.cycles(&events, level);
                if !cycles.is_empty() {
                    return Quick::Decided(Answer::Violated(cycles));
                }
                if self.plays(level, &known, &by_key, &events, &undecided) {
                    return Quick::Decided(Answer::Holds);
                }
                extra = forced;
            }
            // Most that holds is guessed or found at once. What is not deserves a proof before a long search.
            let guessed = || problem.choices.is_empty() && guess();
            let short = self.short_search(&events);
            if memory == near && (guessed() || self.finds(level, &by_key, &events, &undecided, short)) {
                return Quick::Decided(Answer::Holds);
            }
        }
        Quick::Open { events, by_key, undecided }
    }

    /// The keys whose writers are not ordered by reads alone.
    fn undecided(&self, rule: Rule, by_key: &ByKey) -> Vec<KeyId> {
        if !rule.orders_writes() {
            return Vec::new();
        }
        let mut keys = undecided_keys(&self.problem, rule, by_key);
        let open = self.problem.choices.iter().map(|choice| self.problem.view.read_at(choice.place).key);
        keys.extend(open);
        keys.sort_unstable();
        keys.dedup();
        keys
    }

    /// What a level adds to the graph by itself. An error says that it takes too much memory.
    fn extra(&self, level: Level, assigned: &Assigned, by_key: &ByKey) -> Result<Vec<(u32, Edge)>, String> {
        let mut extra = match level {
            Level::ReadAtomic => weak::read_atomic(&self.problem, assigned),
            Level::Causal => weak::causal(&self.problem, assigned, by_key)?,
            _ => Vec::new(),
        };
        extra.extend(key_orders::edges(&self.problem, assigned, by_key, Rule::of(level), self.terms.orders));
        Ok(extra)
    }

    fn cycles(&self, events: &Events, level: Level) -> Vec<Anomaly> {
        let in_graph = components(&events.graph, Kinds::ALL);
        let in_graph = in_graph.iter().take(ANOMALIES_MAX);
        let mut steps: Vec<_> =
            in_graph.filter_map(|component| classify_cycle::simplest(&events.graph, component)).collect();
        if steps.is_empty() {
            steps = single::cycles(events, ANOMALIES_MAX);
        }
        let view = self.problem.view;
        let mut found: Vec<Anomaly> =
            steps.iter().map(|steps| classify_cycle::anomaly(view, events, steps, level)).collect();
        found.sort_by_key(|anomaly| anomaly.cycle.len());
        found
    }
}
