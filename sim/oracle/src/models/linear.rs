//! Linearizability of one object.
//!
//! Depth first over the calls that may come next, with every pair of linearized calls and state visited once:
//! J. Wing and C. Gong, "Testing and verifying concurrent objects", 1993, with the memory of G. Lowe,
//! "Testing for linearizability", Concurrency and Computation 29(4), 2017, as in Porcupine. A call that never
//! returned may be linearized at any time after its invocation, or never.

use std::hash::Hash;

use crate::view::Map;

/// An object: its states, and what calls do to them.
pub(super) trait Object {
    type State: Clone + Eq + Hash;
    type Operation;

    fn initial(&self) -> Self::State;

    /// The state after an operation that ended as it did; none if it cannot have ended so.
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
    /// In every order at least one call cannot come in time: of the longest, the one that is stuck.
    No(usize),
    OutOfSteps,
}

/// Which calls are linearized, as bits.
type Done = Vec<u64>;

/// A choice on the way: which call was linearized, and the state before it.
struct Frame<S> {
    call: usize,
    state: S,
}

/// Checks calls that are sorted by the time of their invocation.
pub(super) fn check<B: Object>(object: &B, calls: &[Interval<B::Operation>], steps_max: u64) -> Linear {
    let must = calls.iter().filter(|call| call.returned.is_some()).count();
    let mut done: Done = vec![0; calls.len().div_ceil(64)];
    let mut left = must;
    let mut state = object.initial();
    let mut path: Vec<Frame<B::State>> = Vec::new();
    let mut visited: Map<(Done, B::State), ()> = Map::default();
    let (mut next, mut steps) = (0, 0_u64);
    let mut best = (0, done.clone());
    loop {
        if left == 0 {
            return Linear::Yes;
        }
        // Whatever was invoked after the first return that is still to come has to wait for it.
        let (first, deadline) = window(calls, &done);
        let mut found = None;
        let mut at = next.max(first);
        while let Some(call) = calls.get(at).filter(|call| call.invoked < deadline) {
            steps += 1;
            if done[at / 64] >> (at % 64) & 1 == 0
                && let Some(after) = object.step(&state, &call.operation)
            {
                done[at / 64] |= 1 << (at % 64);
                if visited.insert((done.clone(), after.clone()), ()).is_none() {
                    found = Some(after);
                    break;
                }
                done[at / 64] &= !(1 << (at % 64));
            }
            at += 1;
        }
        if steps > steps_max {
            return Linear::OutOfSteps;
        }
        if let Some(after) = found {
            left -= usize::from(calls[at].returned.is_some());
            path.push(Frame { call: at, state: std::mem::replace(&mut state, after) });
            if path.len() > best.0 {
                best = (path.len(), done.clone());
            }
            next = 0;
        } else {
            let Some(frame) = path.pop() else { return Linear::No(stuck(calls, &best.1)) };
            done[frame.call / 64] &= !(1 << (frame.call % 64));
            left += usize::from(calls[frame.call].returned.is_some());
            state = frame.state;
            next = frame.call + 1;
        }
    }
}

/// The calls that are not linearized.
fn open(done: &Done, count: usize) -> impl Iterator<Item = usize> {
    let words = done.iter().enumerate().filter(|(_, word)| **word != u64::MAX);
    let bits = words
        .flat_map(|(at, word)| (0..64).filter(move |bit| word >> bit & 1 == 0).map(move |bit| at * 64 + bit));
    bits.take_while(move |at| *at < count)
}

/// The first call that is not linearized, and the first return of those.
fn window<O>(calls: &[Interval<O>], done: &Done) -> (usize, usize) {
    let mut open = open(done, calls.len());
    let first = open.next().unwrap_or(calls.len());
    let mut deadline = calls.get(first).and_then(|call| call.returned).unwrap_or(usize::MAX);
    for at in open {
        if calls[at].invoked > deadline {
            break;
        }
        deadline = deadline.min(calls[at].returned.unwrap_or(usize::MAX));
    }
    (first, deadline)
}

/// The call that returned first of those that are not linearized.
fn stuck<O>(calls: &[Interval<O>], done: &Done) -> usize {
    open(done, calls.len()).min_by_key(|at| calls[*at].returned.unwrap_or(usize::MAX)).unwrap_or(0)
}
