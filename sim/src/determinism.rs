//! Finds nondeterminism: runs a seed twice and names the first difference.
//!
//! Job: turn "the digests differ" into the draw, the crash or the event at which two runs of one plan
//! diverged.

use crate::plan::Plan;
use crate::run::{Keep, Run};
use crate::runner::SeedRunner;
use crate::seed::{Draw, Seed};

/// Two runs that should have been the same were not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not deterministic: {0}")]
pub struct NotDeterministic(pub String);

/// Runs a seed again and compares it with its first run.
///
/// # Errors
/// The first difference, in words.
pub fn compare(
    runner: &SeedRunner,
    seed: Seed,
    plan: &Plan,
    draws: &[Draw],
    first: &Run,
) -> Result<(), NotDeterministic> {
    let (again, draws_again) = runner.plan(seed);
    if let Some(place) = (0..draws.len().max(draws_again.len())).find(|&n| draws.get(n) != draws_again.get(n))
    {
        return Err(NotDeterministic(format!(
            "draw {place} of the plan is {} in one run and {} in the other",
            tell_draw(draws.get(place)),
            tell_draw(draws_again.get(place))
        )));
    }
    if again != *plan {
        return Err(NotDeterministic("the same draws gave another plan".into()));
    }
    let second =
        runner.run_keeping(&again, Keep::Verdict).map_err(|error| NotDeterministic(error.to_string()))?;
    if first.digest == second.digest {
        return Ok(());
    }
    // Only runs that keep their draws can name the first difference, and those two may happen to agree.
    let recorded = || runner.run_keeping(plan, Keep::Trail).ok();
    let difference = recorded().zip(recorded()).and_then(|(a, b)| first_difference(&a, &b));
    let digests = || format!("the digest is {} in one run and {} in the other", first.digest, second.digest);
    Err(NotDeterministic(difference.unwrap_or_else(digests)))
}

fn tell_draw(draw: Option<&Draw>) -> String {
    draw.map_or("missing".into(), |draw| format!("{} (no. {} of {})", draw.value, draw.nth, draw.stream))
}

/// Returns the first draw at which two runs of one plan went different ways, in words: what was drawn, and
/// where.
fn first_difference(first: &Run, second: &Run) -> Option<String> {
    for (number, (a, b)) in first.lives.iter().zip(&second.lives).enumerate() {
        let (mut ours, mut theirs) = (a.life.trail(), b.life.trail());
        let mut place = String::from("its start");
        for draw in 0_u64.. {
            match (ours.next(), theirs.next()) {
                (None, None) => break,
                (ours, theirs) if ours == theirs => place = ours.unwrap_or(place),
                (ours, theirs) => {
                    let [ours, theirs] =
                        [ours, theirs].map(|draw| draw.unwrap_or_else(|| "the end of the life".into()));
                    return Some(format!(
                        "draw {draw} of life {number}, after {place}, is {ours} in one run and {theirs} in the other"
                    ));
                }
            }
        }
        // What a crash keeps of unsynced data is drawn after the last draw of the life, so it is compared
        // last.
        let (ours, theirs) = (first.crashes.get(number), second.crashes.get(number));
        if ours != theirs {
            return Some(format!(
                "what was left after life {number} is {ours:?} in one run and {theirs:?} in the other"
            ));
        }
    }
    let count = first.events.len().max(second.events.len());
    let place = (0..count).find(|&n| first.events.get(n) != second.events.get(n))?;
    Some(format!(
        "event {place} of the history is {:?} in one run and {:?} in the other",
        first.events.get(place),
        second.events.get(place)
    ))
}
