//! Decides each level: known edges first, then proofs, then guesses, then a bounded search.

use std::collections::BTreeMap;

use stormproof_workloads::history::TxnIndex;

use super::census;
use super::classify_cycle;
use super::events::Events;
use super::key_orders;
use super::orders::{Guess, Orders, orders_by, undecided_keys};
use super::problem::{Assigned, ByKey, Problem};
use super::resolve::{Assumed, OPEN, Source, resolve};
use super::rule::Rule;
use super::saturate::saturate;
use super::schedule::schedule;
use super::search::{Found, search};
use super::single;
use super::table::{Anomaly, Standing, Table};
use super::terms::{Limits, Terms};
use super::weak;
use crate::graph::{Edge, Kinds, components};
use crate::level::Level;
use crate::verdict::AnomalyClass;
use crate::view::{KeyId, View, is_committed};

/// Maximum number of anomalies that are described per level.
const ANOMALIES_MAX: usize = 8;
/// Maximum number of explanations of open reads that are tried one by one.
const CHOICES_MAX: u64 = 4_096;

/// Memory of paths, in bytes, up to which all of them are followed at once.
const NEAR_MAX: u64 = 4 << 20;

/// Steps of a short search for each event, up to a share of all that there are.
const SHORT_SEARCH: u64 = 1_024;
const SHORT_SEARCH_SHARE: u64 = 8;

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
    let judge = Judge { problem: Problem::new(view, resolved, terms), direct, vague, assumed, terms };
    let mut table = judge.table(asked);
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
}

enum Answer {
    Holds,
    Violated(Vec<Anomaly>),
    Unknown(String),
}

impl Judge<'_, '_> {
    fn table(&self, asked: &[Level]) -> Table {
        let Some(&strongest) = asked.last() else { return Table::default() };
        let mut lattice = Lattice { standings: BTreeMap::new(), anomalies: BTreeMap::new() };
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
        let direct: Vec<Anomaly> =
            self.direct.iter().filter(|anomaly| level.implies(anomaly.level)).cloned().collect();
        if !direct.is_empty() {
            return Answer::Violated(direct);
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
            Err(why) => return Answer::Unknown(why),
        };
        let events = Events::build(problem, &known, &by_key, Orders::Known, rule, &extra);
        let cycles = self.cycles(&events, level);
        if !cycles.is_empty() {
            return Answer::Violated(cycles);
        }
        let undecided = self.undecided(rule, &by_key);
        if problem.choices.is_empty() && undecided.is_empty() {
            return Answer::Holds;
        }
        if self.plays(level, &known, &by_key, &events, &undecided) {
            return Answer::Holds;
        }
        // With open reads a guess explains those too, and is cheaper than proofs. Otherwise proofs come
        // first: a history that they convict needs no guess, and what they prove leaves the search less to
        // decide.
        let guess = || Guess::ALL.into_iter().any(|guess| self.guess_holds(level, guess));
        if !problem.choices.is_empty() && guess() {
            return Answer::Holds;
        }
        let mut events = events;
        // Near paths are cheap and prove most; all paths are worth their memory only where those did not
        // decide.
        let near = NEAR_MAX.min(self.terms.memory_max);
        let rounds =
            if near < self.terms.memory_max { &[near, self.terms.memory_max][..] } else { &[near][..] };
        for &memory in rounds.iter().filter(|_| rule.orders_writes()) {
            let mut forced = saturate(problem, &events, &by_key, &undecided, memory);
            if !forced.is_empty() {
                forced.extend(&extra);
                events = Events::build(problem, &known, &by_key, Orders::Known, rule, &forced);
                let cycles = self.cycles(&events, level);
                if !cycles.is_empty() {
                    return Answer::Violated(cycles);
                }
                if self.plays(level, &known, &by_key, &events, &undecided) {
                    return Answer::Holds;
                }
                extra = forced;
            }
            // Most that holds is found at once. What is not found deserves a proof before a long search.
            if memory == near && self.finds(level, &by_key, &events, &undecided) {
                return Answer::Holds;
            }
        }
        if problem.choices.is_empty() && guess() {
            return Answer::Holds;
        }
        let mut limits = Limits::of(self.terms);
        if self.is_searched_whole(level) {
            let found = search(problem, &events, &by_key, &undecided, &mut limits);
            return self.found(level, found);
        }
        drop((events, by_key, known));
        self.try_choices(level, &mut limits)
    }

    /// Returns whether a short search finds an order.
    fn finds(&self, level: Level, by_key: &ByKey, events: &Events, undecided: &[KeyId]) -> bool {
        let mut limits = Limits::of(self.terms);
        let short = events.graph.nodes() as u64 * SHORT_SEARCH;
        limits.steps = short.min(limits.steps / SHORT_SEARCH_SHARE);
        self.is_searched_whole(level)
            && match search(&self.problem, events, by_key, undecided, &mut limits) {
                found @ Found::Order { .. } => matches!(self.found(level, found), Answer::Holds),
                Found::None | Found::Limit(_) => false,
            }
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

    /// Whether the search can decide open reads together with the orders of writes: where an explanation
    /// neither adds transactions nor edges by itself.
    fn is_searched_whole(&self, level: Level) -> bool {
        let included = |source: &Source| self.problem.included.get(*source as usize).is_none_or(|one| *one);
        let mut choices = self.problem.choices.iter();
        choices.len() == 0
            || !matches!(level, Level::ReadAtomic | Level::Causal)
                && choices.all(|choice| choice.candidates.iter().all(included) && included(&choice.reader))
    }

    fn guess_holds(&self, level: Level, guess: Guess) -> bool {
        let assigned = self.problem.with_choices(&guess.choose(&self.problem));
        if assigned.broken || assigned.unsure {
            return false;
        }
        let by_key = ByKey::new(&self.problem, &assigned);
        let rule = Rule::of(level);
        if !rule.orders_writes() {
            return self.is_acyclic(level, &assigned, &by_key, Orders::Known);
        }
        let orders = orders_by(&self.problem, &by_key, |txn| guess.rank(&self.problem, txn));
        if self.is_acyclic(level, &assigned, &by_key, Orders::Total(&orders)) {
            return true;
        }
        if self.problem.choices.is_empty() {
            return false;
        }
        let Ok(extra) = self.extra(level, &assigned, &by_key) else { return false };
        let events = Events::build(&self.problem, &assigned, &by_key, Orders::Known, rule, &extra);
        let undecided = undecided_keys(&self.problem, rule, &by_key);
        self.plays(level, &assigned, &by_key, &events, &undecided)
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
        let chosen = problem.choices.iter().all(|choice| assigned.sources[choice.place] != OPEN);
        chosen
            && schedule(problem, assigned, by_key, events, undecided).is_some_and(|places| {
                let orders = orders_by(problem, by_key, |txn| places[txn as usize]);
                self.is_acyclic(level, assigned, by_key, Orders::Total(&orders))
            })
    }

    fn is_acyclic(&self, level: Level, assigned: &Assigned, by_key: &ByKey, orders: Orders<'_>) -> bool {
        let Ok(extra) = self.extra(level, assigned, by_key) else { return false };
        let events = Events::build(&self.problem, assigned, by_key, orders, Rule::of(level), &extra);
        components(&events.graph, Kinds::ALL).is_empty() && single::cycles(&events, 1).is_empty()
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

    fn found(&self, level: Level, found: Found) -> Answer {
        match found {
            Found::Order { places, sources } => {
                let assigned = self.problem.with_choices(&sources);
                let by_key = ByKey::new(&self.problem, &assigned);
                let orders = orders_by(&self.problem, &by_key, |txn| places[txn as usize]);
                let orders =
                    if Rule::of(level).orders_writes() { Orders::Total(&orders) } else { Orders::Known };
                // The search has its own graph; that it holds is said of the one that everything else is
                // judged by.
                if self.is_acyclic(level, &assigned, &by_key, orders) {
                    Answer::Holds
                } else {
                    // The search leaves the places of repeated elements open, which no order can confirm.
                    debug_assert!(
                        self.problem.has_repeated(),
                        "{level}: the search found an order with a cycle"
                    );
                    Answer::Unknown("the order that the search found could not be confirmed".to_owned())
                }
            }
            Found::None => Answer::Violated(vec![self.no_order(level)]),
            Found::Limit(which) => Answer::Unknown(format!("reads do not order some writes, and {which}")),
        }
    }

    /// Tries every explanation of the open reads, and for each every order of the writes that no read
    /// reveals.
    fn try_choices(&self, level: Level, limits: &mut Limits) -> Answer {
        let problem = &self.problem;
        let ways = problem.choices.iter().try_fold(1_u64, |ways, choice| {
            ways.checked_mul(choice.candidates.len() as u64).filter(|ways| *ways <= CHOICES_MAX)
        });
        let Some(ways) = ways else {
            let count = problem.choices.len();
            return Answer::Unknown(format!(
                "{count} reads saw values that several transactions wrote, in more than {CHOICES_MAX} combinations"
            ));
        };
        for way in 0..ways {
            let mut rest = way;
            let mut choose = |candidates: &[Source]| {
                let count = candidates.len() as u64;
                let at = usize::try_from(rest % count).unwrap_or(0);
                rest /= count;
                candidates[at]
            };
            let chosen: Vec<_> = problem.choices.iter().map(|choice| choose(&choice.candidates)).collect();
            match self.try_orders(level, &chosen, limits) {
                Answer::Violated(_) => {}
                answer => return answer,
            }
        }
        Answer::Violated(vec![self.no_order(level)])
    }

    /// Whether some order of the writes explains the reads under this explanation of the open ones.
    fn try_orders(&self, level: Level, chosen: &[Source], limits: &mut Limits) -> Answer {
        let assigned = self.problem.with_choices(chosen);
        if assigned.broken {
            return Answer::Violated(Vec::new());
        }
        if assigned.unsure {
            return Answer::Unknown("an unanswered commit read a list whose order depends on it".to_owned());
        }
        limits.steps = limits.steps.saturating_sub(self.problem.view.history.txns.len() as u64);
        if limits.steps == 0 {
            let steps = limits.steps_max;
            return Answer::Unknown(format!("{steps} steps of search (--steps) did not explain all reads"));
        }
        let by_key = ByKey::new(&self.problem, &assigned);
        let extra = match self.extra(level, &assigned, &by_key) {
            Ok(extra) => extra,
            Err(why) => return Answer::Unknown(why),
        };
        let rule = Rule::of(level);
        let events = Events::build(&self.problem, &assigned, &by_key, Orders::Known, rule, &extra);
        if !components(&events.graph, Kinds::ALL).is_empty() || !single::cycles(&events, 1).is_empty() {
            return Answer::Violated(Vec::new());
        }
        let undecided =
            if rule.orders_writes() { undecided_keys(&self.problem, rule, &by_key) } else { Vec::new() };
        if undecided.is_empty() {
            return Answer::Holds;
        }
        let fixed = self.problem.without_open_reads();
        match search(&fixed, &events, &by_key, &undecided, limits) {
            Found::Order { .. } => Answer::Holds,
            Found::None => Answer::Violated(Vec::new()),
            Found::Limit(which) => Answer::Unknown(format!("reads do not order some writes, and {which}")),
        }
    }

    /// The anomaly for a history without a valid order: the cycle of the likeliest order explains it best.
    fn no_order(&self, level: Level) -> Anomaly {
        let assigned = self.problem.with_choices(&Guess::Acked.choose(&self.problem));
        let by_key = ByKey::new(&self.problem, &assigned);
        let orders = orders_by(&self.problem, &by_key, |txn| Guess::Acked.rank(&self.problem, txn));
        let rule = Rule::of(level);
        let orders = if rule.orders_writes() { Orders::Total(&orders) } else { Orders::Known };
        let extra = self.extra(level, &assigned, &by_key).unwrap_or_default();
        let events = Events::build(&self.problem, &assigned, &by_key, orders, rule, &extra);
        let likeliest = self.cycles(&events, level).into_iter().next();
        if let Some(mut anomaly) = likeliest.filter(|_| !assigned.broken && !assigned.unsure) {
            anomaly.message.push_str(LIKELIEST);
            return anomaly;
        }
        let all = self.problem.view.history.txns.iter().map(|txn| txn.index);
        let counted: Vec<TxnIndex> =
            all.filter(|txn| self.problem.included[*txn as usize]).take(16).collect();
        let message = "no order of the unobserved writes explains the reads".to_owned();
        Anomaly::direct(AnomalyClass::NoOrder, level, counted, Vec::new(), message)
    }
}

/// What is said of a cycle that is one of many.
const LIKELIEST: &str = " (in the likeliest order of the writes; no other order is without a cycle)";

/// Answers by level, and what follows of them: what holds, holds at weaker levels; what is violated, is at
/// stronger ones.
struct Lattice {
    standings: BTreeMap<Level, Standing>,
    anomalies: BTreeMap<Level, Vec<Anomaly>>,
}

impl Lattice {
    fn is_decided(&self, level: Level) -> bool {
        matches!(self.standings.get(&level), Some(Standing::Holds | Standing::Violated))
    }

    fn add(&mut self, level: Level, answer: Answer) {
        let all = Level::ALL.into_iter();
        match answer {
            Answer::Holds => {
                let weaker = all.filter(|other| level.implies(*other));
                self.standings.extend(weaker.map(|other| (other, Standing::Holds)));
            }
            Answer::Violated(anomalies) => {
                let stronger = all.filter(|other| other.implies(level));
                self.standings.extend(stronger.map(|other| (other, Standing::Violated)));
                self.anomalies.insert(level, anomalies);
            }
            Answer::Unknown(why) => {
                self.standings.insert(level, Standing::Unknown(why));
            }
        }
    }

    /// The answers for the levels asked for, with the anomalies of those that no weaker one explains.
    fn table(mut self, asked: &[Level]) -> Table {
        let mut table = Table::default();
        for &level in asked {
            let unknown = || Standing::Unknown("not decided".to_owned());
            table.levels.push((level, self.standings.remove(&level).unwrap_or_else(unknown)));
        }
        for level in table.minimal_violated() {
            table.anomalies.extend(self.anomalies.remove(&level).unwrap_or_default());
        }
        table
    }
}
