//! The search alone, without the guesses that come before it, says what all of the black box says.

#[path = "../../../tests/support/generate.rs"]
#[expect(dead_code, reason = "falsified values are for other tests")]
mod generate;

use super::{Found, search};
use crate::blackbox::events::Events;
use crate::blackbox::judge;
use crate::blackbox::orders::Orders;
use crate::blackbox::problem::{ByKey, Problem};
use crate::blackbox::resolve::resolve;
use crate::blackbox::rule::Rule;
use crate::blackbox::table::Standing;
use crate::blackbox::terms::{Limits, Terms};
use crate::graph::{Kinds, components};
use crate::level::Level;
use crate::view::{KeyId, View};

const LEVELS: [Level; 10] = [
    Level::CursorStability,
    Level::RepeatableRead,
    Level::ConsistentView,
    Level::ParallelSnapshotIsolation,
    Level::PrefixConsistency,
    Level::SnapshotIsolation,
    Level::StrictSnapshotIsolation,
    Level::Serializable,
    Level::StrongSessionSerializable,
    Level::StrictSerializable,
];

/// Returns what the search finds with every key of several writers open; none if it is not asked in such a
/// history.
fn found(problem: &Problem<'_, '_>, level: Level, terms: &Terms) -> Option<Found> {
    let known = problem.without_choices();
    let by_key = ByKey::new(problem, &known);
    let events = Events::build(problem, &known, &by_key, Orders::Known, Rule::of(level), &[]);
    let keys = u32::try_from(problem.view.keys.len()).expect("few");
    let open: Vec<KeyId> = (0..keys).filter(|&key| !by_key.writers(key).is_empty()).collect();
    let acyclic = components(&events.graph, Kinds::ALL).is_empty();
    acyclic.then(|| search(problem, &events, &by_key, &open, None, &mut Limits::of(terms)))
}

#[test]
fn the_search_alone_decides_as_all_of_the_black_box() {
    let (mut held, mut violated) = (0, 0);
    let terms = Terms::plain(1_000_000);
    for seed in 0..6_000 {
        let (_, history) = generate::history(seed, 7);
        let view = View::new(&history);
        let resolved = resolve(&view, &terms.hints);
        if !resolved.anomalies.is_empty() || resolved.vague.is_some() || resolved.assumed.is_some() {
            continue;
        }
        let problem = Problem::new(&view, resolved, &terms);
        let included = |source: &u32| problem.included.get(*source as usize).is_none_or(|included| *included);
        let whole = |choice: &crate::blackbox::resolve::Choice| {
            included(&choice.reader) && choice.candidates.iter().all(included)
        };
        if !problem.choices.iter().all(whole) {
            continue;
        }
        let table = judge(&view, None, &terms);
        for level in LEVELS {
            match (found(&problem, level, &terms), table.standing(level)) {
                (Some(Found::Order { .. }), Some(Standing::Holds)) => held += 1,
                (Some(Found::None), Some(Standing::Violated)) => violated += 1,
                (None, Some(Standing::Violated)) => {}
                (found, said) => panic!("seed {seed}, {level}: the search says {found:?}, all says {said:?}"),
            }
        }
    }
    assert!(held > 5_000 && violated > 500, "{held} held, {violated} violated: a vacuous mix");
}
