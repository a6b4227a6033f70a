//! Guesses: an explanation of the open reads and an order of all writes, which is a proof if it is acyclic.

use stormproof_workloads::history::TxnIndex;

use super::super::events::Events;
use super::super::orders::{Guess, Orders, orders_by, undecided_keys};
use super::super::problem::{Assigned, ByKey};
use super::super::resolve::OPEN;
use super::super::rule::Rule;
use super::super::schedule::schedule;
use super::super::single;
use super::Judge;
use crate::graph::{Kinds, components};
use crate::level::Level;
use crate::view::KeyId;

impl Judge<'_, '_> {
    pub(super) fn guess_holds(&self, level: Level, guess: Guess) -> bool {
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
            self.stronger.explained(self.places_by(guess));
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
    pub(super) fn plays(
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
                let holds = self.is_acyclic(level, assigned, by_key, Orders::Total(&orders));
                if holds {
                    self.stronger.explained(places);
                }
                holds
            })
    }

    /// Returns, by transaction, its place in a guessed order.
    fn places_by(&self, guess: Guess) -> Vec<u32> {
        let mut places = vec![0; self.problem.included.len()];
        let mut txns: Vec<TxnIndex> = (0..).take(places.len()).collect();
        txns.sort_by_cached_key(|&txn| guess.rank(&self.problem, txn));
        for (place, txn) in (0..).zip(txns) {
            places[txn as usize] = place;
        }
        places
    }

    pub(super) fn is_acyclic(
        &self,
        level: Level,
        assigned: &Assigned,
        by_key: &ByKey,
        orders: Orders<'_>,
    ) -> bool {
        let Ok(extra) = self.extra(level, assigned, by_key) else { return false };
        let events = Events::build(&self.problem, assigned, by_key, orders, Rule::of(level), &extra);
        components(&events.graph, Kinds::ALL).is_empty() && single::cycles(&events, 1).is_empty()
    }
}
