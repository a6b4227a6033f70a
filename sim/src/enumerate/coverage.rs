//! What was enumerated, and what was left out.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::Serialize;
use stormproof_faults::{CrashState, DiskSnapshot, EnumerationSummary};

/// One crash of an enumeration. Prints, and parses, as `life:boundary:state` or
/// `life:boundary:state:boundary in recovery:state`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Crash {
    /// The life that it ends, from 0.
    pub life: usize,
    /// How many operations had changed the disk in it.
    pub boundary: usize,
    /// The index of the state that it leaves, among those of this boundary.
    pub state: usize,
    /// Boundary and state of a second crash, in the recovery that follows.
    pub nested: Option<(usize, usize)>,
    /// The last operation before it.
    pub after_operation: u64,
    /// Where it is and what it leaves, for people.
    pub what: String,
}

impl Crash {
    pub(super) fn new(life: usize, state: &CrashState, number: usize, operations: &[String]) -> Self {
        Self {
            life,
            boundary: state.boundary,
            state: number,
            nested: None,
            after_operation: state.after_operation,
            what: place(state, operations),
        }
    }

    /// Adds a second crash, in the recovery that follows.
    pub(super) fn then(self, second: &CrashState, number: usize, operations: &[String]) -> Self {
        let what = format!("{}; in the recovery {}", self.what, place(second, operations));
        Self { nested: Some((second.boundary, number)), what, ..self }
    }
}

fn place(state: &CrashState, operations: &[String]) -> String {
    let after = state.boundary.checked_sub(1).and_then(|last| operations.get(last));
    let after = after.map_or_else(|| "before anything was done".to_owned(), |last| format!("after {last}"));
    let left = if state.what.is_empty() { "nothing was unsynced" } else { &state.what };
    format!("{after}, which leaves {left}")
}

impl fmt::Display for Crash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.life, self.boundary, self.state)?;
        self.nested.map_or(Ok(()), |(boundary, state)| write!(f, ":{boundary}:{state}"))
    }
}

impl FromStr for Crash {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers: Result<Vec<usize>, _> = text.split(':').map(str::parse).collect();
        let crash = match numbers.as_deref() {
            Ok(&[life, boundary, state]) => Self { life, boundary, state, ..Self::default() },
            Ok(&[life, boundary, state, second, left]) => {
                Self { life, boundary, state, nested: Some((second, left)), ..Self::default() }
            }
            _ => {
                return Err(format!(
                    "\"{text}\" is no crash: write it as `0:17:3`, as an enumeration names it"
                ));
            }
        };
        Ok(crash)
    }
}

/// How much of what there is was tried.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Coverage {
    /// Lives that were enumerated.
    pub lives: usize,
    /// Boundaries between two operations that changed the disk, the beginning and the end of a life included.
    pub boundaries_total: usize,
    /// How many of them were reached.
    pub boundaries: usize,
    /// States that a cut at one of them may leave.
    pub states: usize,
    /// Different states, over all boundaries.
    pub images: usize,
    /// States that were left out since the boundary has an equal one.
    pub duplicates: usize,
    /// Boundaries at which files and names were not combined in full.
    pub boundaries_reduced: usize,
    /// States whose recovery was cut once more.
    pub recoveries: usize,
    /// Crashes in those recoveries.
    pub nested: usize,
    /// Runs that were judged.
    pub runs: usize,
    #[serde(skip)]
    seen: BTreeSet<u128>,
    /// Of the lives before the one under way.
    #[serde(skip)]
    ended: EnumerationSummary,
}

impl Coverage {
    pub(super) fn count(&mut self, _state: &CrashState, life: &EnumerationSummary) {
        self.boundaries = self.ended.boundaries + life.boundaries;
        self.states = self.ended.states + life.states;
        self.duplicates = self.ended.duplicates + life.duplicates;
        self.boundaries_reduced = self.ended.boundaries_reduced + life.boundaries_reduced;
    }

    pub(super) fn end_life(&mut self, life: &EnumerationSummary) {
        self.ended.boundaries += life.boundaries;
        self.ended.states += life.states;
        self.ended.duplicates += life.duplicates;
        self.ended.boundaries_reduced += life.boundaries_reduced;
        self.boundaries = self.ended.boundaries;
        self.duplicates = self.ended.duplicates;
    }

    /// Returns whether no state before left the same on the disk.
    pub(super) fn is_new_image(&mut self, disk: &DiskSnapshot) -> bool {
        let is_new = self.seen.insert(disk.digest());
        self.images += usize::from(is_new);
        is_new
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} boundaries of {} in {} lives × their states: {} crashes, {} of them with different content",
            self.boundaries, self.boundaries_total, self.lives, self.states, self.images
        )?;
        writeln!(
            f,
            "reduced: {} states equal to one of the same boundary left out; at {} boundaries files and names were not \
             combined in full",
            self.duplicates, self.boundaries_reduced
        )?;
        writeln!(
            f,
            "recovery: cut once more after {} of the crashes, at every boundary: {} crashes",
            self.recoveries, self.nested
        )
    }
}

#[cfg(test)]
mod tests {
    use super::Crash;

    #[test]
    fn a_printed_crash_parses_back() {
        for text in ["0:17:3", "1:0:0:4:2"] {
            assert_eq!(text.parse::<Crash>().unwrap().to_string(), text);
        }
        assert!("0:1".parse::<Crash>().is_err());
        assert!("0:1:x".parse::<Crash>().is_err());
    }
}
