//! Linearizability of one object.
//!
//! From event to event all explanations of what has returned so far are kept, and a call takes effect no
//! earlier than a return needs it: G. Lowe, "Testing for linearizability", Concurrency and Computation 29(4),
//! 2017, just-in-time linearization, after J. Wing and C. Gong, "Testing and verifying concurrent
//! objects", 1993. A call that never returned may take effect at any time after its invocation, or never.

use std::hash::Hash;

use crate::view::Map;

/// An object: its states, and what calls do to them.
pub(super) trait Object {
    type State: Clone + Eq + Hash;
    type Operation;

    fn initial(&self) -> Self::State;

    /// Returns the state after an operation that ended as it did; none if it cannot have ended so.
    fn step(&self, state: &Self::State, operation: &Self::Operation) -> Option<Self::State>;
}

/// A call of an object.
pub(super) struct Interval<O> {
    pub(super) operation: O,
    pub(super) invoked: usize,
    /// When it returned; never, if that is unknown.
    pub(super) returned: Option<usize>,
}

/// Whether calls are linearizable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Linear {
    Yes,
    /// No order explains this call together with those that returned before it.
    No(usize),
    OutOfSteps,
}

/// What may be the case at some moment: the open calls that have taken effect, as bits by slot, and the
/// state.
type Configuration<S> = (u128, S);

/// Checks calls: from event to event it keeps every configuration that explains what has returned so far.
pub(super) fn check<B: Object>(object: &B, calls: &[Interval<B::Operation>], steps_max: u64) -> Linear {
    let mut events: Vec<(usize, bool, usize)> = Vec::new();
    for (at, call) in calls.iter().enumerate() {
        events.push((call.invoked, false, at));
        events.extend(call.returned.map(|returned| (returned, true, at)));
    }
    events.sort_unstable();
    let mut open: Vec<Option<usize>> = vec![None; SLOTS];
    let mut configurations: Vec<Configuration<B::State>> = vec![(0, object.initial())];
    let mut steps = 0;
    for (_, is_return, call) in events {
        if !is_return {
            let Some(slot) = open.iter().position(Option::is_none) else { return Linear::OutOfSteps };
            open[slot] = Some(call);
            continue;
        }
        let Some(slot) = open.iter().position(|other| *other == Some(call)) else { continue };
        let mut search = JustInTime { object, calls, open: &open, slot, steps: 0, visited: Map::default() };
        let mut next = Vec::new();
        for configuration in configurations {
            search.explore(configuration, &mut next);
            if steps + search.steps > steps_max {
                return Linear::OutOfSteps;
            }
        }
        steps += search.steps;
        if next.is_empty() {
            return Linear::No(call);
        }
        open[slot] = None;
        configurations = next;
    }
    Linear::Yes
}

/// Maximum number of calls that are open at once.
const SLOTS: usize = 128;

/// Lets a call take effect before it returns, and others before it as far as that needs them.
struct JustInTime<'c, B: Object> {
    object: &'c B,
    calls: &'c [Interval<B::Operation>],
    open: &'c [Option<usize>],
    /// The call that returns.
    slot: usize,
    steps: u64,
    visited: Map<Configuration<B::State>, ()>,
}

impl<B: Object> JustInTime<'_, B> {
    fn explore(&mut self, from: Configuration<B::State>, next: &mut Vec<Configuration<B::State>>) {
        let mut stack = vec![from];
        while let Some((done, state)) = stack.pop() {
            if self.visited.insert((done, state.clone()), ()).is_some() {
                continue;
            }
            if done >> self.slot & 1 == 1 {
                next.push((done & !(1 << self.slot), state));
                continue;
            }
            for (slot, call) in self.open.iter().enumerate() {
                let Some(call) = call.filter(|_| done >> slot & 1 == 0) else { continue };
                self.steps += 1;
                if let Some(after) = self.object.step(&state, &self.calls[call].operation) {
                    stack.push((done | 1 << slot, after));
                }
            }
        }
    }
}
