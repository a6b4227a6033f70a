//! Searches for versions of unanswered commits under which the history holds.
//!
//! Depth first, guided by violations: a violation depends on some of the unanswered commits and stays as long
//! as their versions do. If none of them may change any more, the branch is refuted; if the refutation does
//! not depend on the last change, no other version of that commit helps (conflict-directed backjumping: P.
//! Prosser, "Hybrid algorithms for the constraint satisfaction problem", 1993).

use std::collections::BTreeSet;

use stormproof_workloads::history::TxnIndex;

use super::{Choice, Unanswered, commit_at, domain, guess};
use crate::expectations::Expectations;
use crate::verdict::{Findings, Invariant, Violation};
use crate::view::{KeyId, View};
use crate::witness::commits::{Commit, acked};
use crate::witness::replay::{Explanation, judge};

/// Maximum number of replays.
const ATTEMPTS_MAX: usize = 4_096;
/// Approximate maximum number of reads compared in all replays.
const READS_MAX: usize = 20_000_000;
/// Maximum number of violations among which the one with the fewest open commits guides the search.
const FINDINGS_MAX: usize = 32;

/// Judges a history under the assignment that explains it best, and returns that.
pub(in crate::witness) fn decide(
    view: &View<'_>,
    expectations: &Expectations,
    findings: &mut Findings,
) -> Explanation {
    let attempts = (READS_MAX / (view.read_count() + 1)).clamp(16, ATTEMPTS_MAX);
    decide_within(view, expectations, attempts, findings)
}

fn decide_within(
    view: &View<'_>,
    expectations: &Expectations,
    attempts: usize,
    findings: &mut Findings,
) -> Explanation {
    let acked = acked(view, findings);
    let unanswered = domain::domains(view, expectations, &acked);
    let mut choice = guess::guess(view, &acked, &unanswered);
    let mut solver = Solver { view, expectations, acked, unanswered, attempts, gave_up: false };
    let first = solver.judge(&choice);
    if first.findings.is_empty() {
        return first.explanation;
    }
    let mut fixed = vec![false; choice.len()];
    let mut best = Best { count: first.findings.count(), choice: choice.clone() };
    let found = solver.solve(&mut choice, &mut fixed, &first, &mut best);
    let judged = solver.judge(&best.choice);
    match found {
        Found::Explained => {}
        Found::Refuted(_) if !solver.gave_up => findings.append(judged.findings),
        Found::Refuted(_) | Found::OutOfAttempts => {
            let count = solver.unanswered.len();
            let what = judged.findings.first().map(ToString::to_string).unwrap_or_default();
            findings.undecided.push(format!(
                "whether some choice of versions for {count} unanswered commits explains this was not decided: {what}"
            ));
        }
    }
    judged.explanation
}

/// The assignment with the fewest violations so far.
struct Best {
    count: u64,
    choice: Choice,
}

/// The result of a branch.
enum Found {
    /// The history holds under the current assignment.
    Explained,
    /// It does not, as long as these commits keep their versions.
    Refuted(BTreeSet<usize>),
    OutOfAttempts,
}

/// The findings under one assignment.
struct Judged {
    findings: Findings,
    explanation: Explanation,
}

struct Solver<'v, 'h> {
    view: &'v View<'h>,
    expectations: &'v Expectations,
    acked: Vec<Commit>,
    unanswered: Vec<Unanswered>,
    attempts: usize,
    /// Whether some domain was cut short, so that not every version was tried.
    gave_up: bool,
}

impl Solver<'_, '_> {
    fn judge(&self, choice: &Choice) -> Judged {
        let placed = self.unanswered.iter().zip(choice);
        let placed = placed.filter_map(|(one, version)| commit_at(self.view, one.txn, (*version)?));
        let commits = self.acked.iter().copied().chain(placed).collect();
        let mut findings = Findings::new(FINDINGS_MAX);
        let explanation = judge(self.view, self.expectations, commits, &mut findings);
        Judged { findings, explanation }
    }

    fn solve(&mut self, choice: &mut Choice, fixed: &mut [bool], judged: &Judged, best: &mut Best) -> Found {
        if judged.findings.count() < best.count {
            *best = Best { count: judged.findings.count(), choice: choice.clone() };
        }
        let decided_by = &judged.explanation.cuts.decided_by;
        // The violation with the fewest open commits leaves the fewest branches.
        let blamed = judged.findings.iter().map(|violation| self.blamed(violation, decided_by));
        let open = |blamed: &BTreeSet<usize>| blamed.iter().filter(|&&one| !fixed[one]).count();
        let Some(blamed) = blamed.min_by_key(open) else { return Found::Explained };
        let movable: Vec<usize> = blamed.iter().copied().filter(|&one| !fixed[one]).collect();
        let mut reasons = blamed;
        let found = self.move_one(choice, fixed, &movable, &mut reasons, best);
        for one in movable {
            fixed[one] = false;
        }
        found.unwrap_or(Found::Refuted(reasons))
    }

    /// Tries every other version of each of these in turn, while the earlier ones keep theirs.
    fn move_one(
        &mut self,
        choice: &mut Choice,
        fixed: &mut [bool],
        movable: &[usize],
        reasons: &mut BTreeSet<usize>,
        best: &mut Best,
    ) -> Option<Found> {
        // The reasons of earlier refutations apply only together with the commits that stay fixed.
        let mut moved = BTreeSet::new();
        for &one in movable {
            fixed[one] = true;
            self.gave_up |= self.unanswered[one].cut_short;
            let domain = self.unanswered[one].domain.clone();
            let stays = choice[one];
            for place in domain.into_iter().map(Some).chain([None]).filter(|place| *place != stays) {
                if self.attempts == 0 {
                    return Some(Found::OutOfAttempts);
                }
                self.attempts -= 1;
                choice[one] = place;
                let judged = self.judge(choice);
                match self.solve(choice, fixed, &judged, best) {
                    Found::Refuted(mut others) if !others.contains(&one) => {
                        choice[one] = stays;
                        others.append(&mut moved);
                        return Some(Found::Refuted(others));
                    }
                    Found::Refuted(others) => moved.extend(others),
                    found => return Some(found),
                }
            }
            choice[one] = stays;
        }
        reasons.append(&mut moved);
        None
    }

    /// Returns the unanswered commits that this violation depends on: the ones involved, and the writers of
    /// its keys and of keys that decided a cut.
    fn blamed(&self, violation: &Violation, decided_by: &[KeyId]) -> BTreeSet<usize> {
        let about = |key: KeyId| {
            let name = self.view.keys[key as usize];
            violation.keys.iter().any(|other| other.as_slice() == name)
                || self.depends_on_cuts(violation) && decided_by.binary_search(&key).is_ok()
        };
        let involved = |txn: TxnIndex| {
            violation.txns.contains(&txn) || self.view.writes(txn).iter().any(|write| about(write.key))
        };
        (0..self.unanswered.len()).filter(|&one| involved(self.unanswered[one].txn)).collect()
    }

    fn depends_on_cuts(&self, violation: &Violation) -> bool {
        let survival = matches!(
            violation.invariant,
            Invariant::AckedSurvives
                | Invariant::PrefixSurvives
                | Invariant::VisibleSurvives
                | Invariant::BoundedLoss
        );
        survival || violation.txns.iter().any(|txn| self.view.txn(*txn).life > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::{Findings, decide_within};
    use crate::formats::script::parse;
    use crate::view::View;

    /// Returns the number of violations and of undecided points within a number of attempts.
    fn judged(text: &str, attempts: usize) -> (u64, usize) {
        let script = parse(text).expect("parses");
        let mut findings = Findings::new(8);
        decide_within(&View::new(&script.history), &script.promises, attempts, &mut findings);
        (findings.count(), findings.undecided.len())
    }

    /// Two unanswered commits wrote `b`, and what a later snapshot shows of `a` tells which one it was.
    const ONE_OF_TWO: &str = "
        T1 begin @0\nT1 put a 1\nT1 put b 1\nT1 commit @1
        T2 begin @1\nT2 put b 2\nT2 commit
        T3 begin @1\nT3 put a 2\nT3 delete b\nT3 commit
        T4 begin @1\nT4 delete b\nT4 commit
        T5 begin @2\nT5 get a -> 1 @1\nT5 get b -> - @0\nT5 commit\nT5 ack ok";

    #[test]
    fn a_choice_that_explains_all_is_found() {
        assert_eq!(judged(ONE_OF_TWO, 100), (0, 0));
    }

    #[test]
    fn without_attempts_it_stays_undecided_without_a_violation() {
        assert_eq!(judged(ONE_OF_TWO, 0), (0, 1));
    }

    #[test]
    fn what_no_unanswered_commit_can_have_caused_convicts_without_an_attempt() {
        let mut text = "
            U1 begin @0\nU1 put u 1\nU1 delete v\nU1 commit
            U2 begin @0\nU2 delete u\nU2 put v 1\nU2 commit
            T1 begin @0\nT1 get x -> - @0\nT1 put x 1
            T2 begin @0\nT2 get x -> - @0\nT2 put x 2
            T1 commit @1\n"
            .to_owned();
        assert_eq!(judged(&format!("{text}T2 abort"), 0), (0, 0));
        text.push_str("T2 commit @2");
        let (violations, open) = judged(&text, 0);
        assert!(violations > 0 && open == 0, "{violations} violations, {open} open");
    }

    #[test]
    fn if_no_choice_explains_it_the_history_is_convicted() {
        let contradicted = ONE_OF_TWO.replace("T4 delete b", "T4 put c 1");
        assert_eq!(judged(&contradicted, 100).1, 0);
        assert!(judged(&contradicted, 100).0 > 0);
    }
}
