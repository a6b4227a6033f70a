//! What a plan says of an application's own code, which has no plan of its own: which clients and items of
//! their lists it may have, and how large that makes it.

use std::fmt;

use stormproof_workloads::plan::{Action, Client};

use super::{Plan, StrategyPlan};

impl Plan {
    /// Returns whether it lists the clients and items that a program may have.
    pub(crate) fn limits_program(&self) -> bool {
        self.workload.parameters == limits()
    }

    /// Lists what a program may have: what it had in a run.
    pub(crate) fn limit_program(&mut self, clients: &[Client]) {
        if !self.limits_program() {
            self.workload.parameters = limits();
            self.workload.clients = clients.to_vec();
        }
    }
}

fn limits() -> serde_json::Value {
    serde_json::json!({ "limited": true })
}

/// How large a run of an application is, in its author's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProgramSize {
    /// Clients that the application asked for; `None` if it asked for none.
    pub clients: Option<usize>,
    /// Items on their lists; `None` if they have none.
    pub items: Option<usize>,
    /// Lives.
    pub lives: usize,
    /// Power cuts; `None` if the test has none.
    pub power_cuts: Option<usize>,
    /// Faults, or rules that may bring some; `None` if the test has none.
    pub faults: Option<usize>,
    /// Forced switches; `None` if the strategy draws them.
    pub forced_switches: Option<usize>,
    /// Wake-ups, timeouts and jumps of time that are forced; `None` if there are none, or if they are drawn.
    pub forced_events: Option<usize>,
}

impl ProgramSize {
    /// Returns the size of a plan whose program had these clients in a run.
    pub fn of(plan: &Plan, clients: &[Client]) -> Self {
        let clients = if plan.limits_program() { &plan.workload.clients } else { clients };
        let is_item = |action: &&Action| matches!(action, Action::Item { .. });
        let items = clients.iter().flat_map(|client| &client.actions).filter(is_item).count();
        let size = plan.size();
        let is_drawn = plan.lives.iter().any(|life| !matches!(life.strategy, StrategyPlan::Directed { .. }));
        let events = plan.lives.iter().map(|life| life.injected_events.list().len()).sum();
        let some = |count: usize| (count > 0).then_some(count);
        Self {
            clients: some(clients.len()),
            items: some(items),
            lives: size.lives,
            power_cuts: some(size.crashes),
            faults: some(size.faults),
            forced_switches: (!is_drawn).then_some(size.preemptions - events),
            forced_events: some(events).filter(|_| !is_drawn),
        }
    }

    /// Returns the size that was left of `before`: what that had is said, if only to say that it has gone.
    #[must_use]
    pub fn left_of(self, before: Self) -> Self {
        let left = |now: Option<usize>, before: Option<usize>| now.or_else(|| before.map(|_| 0));
        Self {
            clients: left(self.clients, before.clients),
            items: left(self.items, before.items),
            power_cuts: left(self.power_cuts, before.power_cuts),
            faults: left(self.faults, before.faults),
            ..self
        }
    }
}

impl fmt::Display for ProgramSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            (self.clients, "client", "clients"),
            (self.items, "todo item", "todo items"),
            (Some(self.lives), "life", "lives"),
            (self.power_cuts, "power cut", "power cuts"),
            (self.faults, "fault", "faults"),
            (self.forced_switches, "forced switch", "forced switches"),
            (self.forced_events, "forced wake-up or timeout", "forced wake-ups and timeouts"),
        ];
        let counted = parts.iter().filter_map(|&(count, one, many)| {
            let count = count?;
            Some(format!("{count} {}", if count == 1 { one } else { many }))
        });
        let drawn = self.forced_switches.is_none().then(|| "switches as they were drawn".to_owned());
        f.write_str(&counted.chain(drawn).collect::<Vec<_>>().join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::ProgramSize;

    #[test]
    fn what_an_application_has_not_is_left_out_and_what_it_had_is_not() {
        let before = ProgramSize {
            clients: Some(3),
            items: None,
            lives: 2,
            power_cuts: Some(1),
            faults: None,
            forced_switches: None,
            forced_events: None,
        };
        assert_eq!(before.to_string(), "3 clients, 2 lives, 1 power cut, switches as they were drawn");
        let after =
            ProgramSize { clients: Some(2), lives: 1, power_cuts: None, forced_switches: Some(1), ..before };
        let shown = after.left_of(before).to_string();
        assert_eq!(shown, "2 clients, 1 life, 0 power cuts, 1 forced switch");
        let woken = ProgramSize { forced_events: Some(2), ..after }.to_string();
        assert_eq!(woken, "2 clients, 1 life, 1 forced switch, 2 forced wake-ups and timeouts");
    }
}
