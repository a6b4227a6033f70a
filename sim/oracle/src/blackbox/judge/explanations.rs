//! Explanations of open reads and orders of writes: searched for together, or one by one where the search
//! cannot decide the reads.

use stormproof_workloads::history::TxnIndex;

use super::super::events::Events;
use super::super::orders::{Guess, Orders, orders_by, undecided_keys};
use super::super::problem::{ByKey, Problem};
use super::super::resolve::Source;
use super::super::rule::Rule;
use super::super::search::{Found, search};
use super::super::single;
use super::super::table::Anomaly;
use super::super::terms::Limits;
use super::{Answer, Judge};
use crate::graph::{Kinds, components};
use crate::level::Level;
use crate::verdict::AnomalyClass;
use crate::view::KeyId;

/// Maximum number of explanations of open reads that are tried one by one.
const CHOICES_MAX: u64 = 4_096;

/// Steps of a short search for each event, up to a share of all that there are.
const SHORT_SEARCH: u64 = 1_024;
const SHORT_SEARCH_SHARE: u64 = 8;

/// What is said of a cycle that is one of many.
pub(super) const LIKELIEST: &str =
    " (in the likeliest order of the writes; no other order is without a cycle)";

impl Judge<'_, '_> {
    /// Searches, and counts the steps.
    pub(super) fn search(
        &self,
        problem: &Problem<'_, '_>,
        (events, by_key): (&Events, &ByKey),
        undecided: &[KeyId],
        expected: Option<&[u32]>,
        limits: &mut Limits,
    ) -> Found {
        let before = limits.steps;
        let found = search(problem, events, by_key, undecided, expected, limits);
        self.steps.set(self.steps.get() + (before - limits.steps));
        found
    }

    /// Returns the steps of a short search.
    pub(super) fn short_search(&self, events: &Events) -> u64 {
        let short = events.graph.nodes() as u64 * SHORT_SEARCH;
        short.min(self.terms.steps_max / SHORT_SEARCH_SHARE)
    }

    /// Returns whether a search finds an order in so few steps.
    pub(super) fn finds(
        &self,
        level: Level,
        by_key: &ByKey,
        events: &Events,
        undecided: &[KeyId],
        steps: u64,
    ) -> bool {
        let mut limits = Limits { steps, ..Limits::of(self.terms) };
        self.is_searched_whole(level)
            && match self.search(&self.problem, (events, by_key), undecided, None, &mut limits) {
                found @ Found::Order { .. } => matches!(self.found(level, found), Answer::Holds),
                Found::None | Found::Limit(_) => false,
            }
    }

    /// Whether the search can decide open reads together with the orders of writes: where an explanation
    /// neither adds transactions nor edges by itself.
    pub(super) fn is_searched_whole(&self, level: Level) -> bool {
        let included = |source: &Source| self.problem.included.get(*source as usize).is_none_or(|one| *one);
        let mut choices = self.problem.choices.iter();
        choices.len() == 0
            || !matches!(level, Level::ReadAtomic | Level::Causal)
                && choices.all(|choice| choice.candidates.iter().all(included) && included(&choice.reader))
    }

    pub(super) fn found(&self, level: Level, found: Found) -> Answer {
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
                    self.stronger.explained(places);
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
    pub(super) fn try_choices(&self, level: Level, limits: &mut Limits) -> Answer {
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
        match self.search(&fixed, (&events, &by_key), &undecided, None, limits) {
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
