//! Many tiny databases: opened, changed and closed again, beside a store that is at work.

use std::collections::BTreeMap;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::{clients, parameters_of};
use crate::evidence::Evidence;
use crate::notebook::{Note, NoteKind};
use crate::plan::{Action, Plan, Step, Transaction};
use crate::store::Capabilities;
use crate::workload::{About, Finding, Scale, Workload};

pub(super) const NAME: &str = "tiny-databases";

/// Each client has a few databases of its own, and raises the counter in one of them at each visit.
///
/// Stresses: opening, recovering and closing, files and threads that are left behind.
/// Invariant: a visit finds what the visits before it left: a clean close loses nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TinyDatabases {
    /// Databases of a client.
    pub databases: u32,
}

impl Default for TinyDatabases {
    fn default() -> Self {
        Self { databases: 3 }
    }
}

impl Workload for TinyDatabases {
    fn name(&self) -> &str {
        NAME
    }

    fn about(&self) -> About {
        About {
            stresses: "opening, recovering and closing",
            invariant: "a visit finds what the visits before it left",
        }
    }

    fn parameters(&self) -> serde_json::Value {
        parameters_of(self)
    }

    fn runs_on(&self, capabilities: &Capabilities) -> bool {
        capabilities.siblings
    }

    fn plan(&self, scale: &Scale, rng: &mut ChaCha8Rng) -> Plan {
        let mut plan = Plan::new(NAME, self.parameters());
        clients(&mut plan, scale, rng, |client, _, rng| {
            if rng.random_ratio(1, 4) {
                return Transaction::of([Step::Add { key: format!("beside/{client}"), amount: 1 }]).into();
            }
            Action::Sibling { name: format!("tiny-{client}-{}", rng.random_range(0..self.databases.max(1))) }
        });
        plan
    }

    fn check(&self, evidence: &Evidence<'_>) -> Vec<Finding> {
        let mut visits: BTreeMap<&str, Vec<&Note>> = BTreeMap::new();
        for note in evidence.notes {
            if let NoteKind::Sibling { name, .. } = &note.what {
                visits.entry(name).or_default().push(note);
            }
        }
        // A visit that a crash cut is not noted, and may have counted.
        let cut = i64::try_from(evidence.history.lives.len()).unwrap_or(i64::MAX) - 1;
        visits.into_iter().filter_map(|(name, notes)| forgotten(name, &notes, cut)).collect()
    }
}

fn forgotten(name: &str, notes: &[&Note], cut: i64) -> Option<Finding> {
    let (mut must, mut may) = (0, cut);
    for note in notes {
        let NoteKind::Sibling { found, invoked, acked, error, .. } = &note.what else { continue };
        match found {
            Some(found) if !(must..=must + may).contains(found) => {
                let message = format!("{name} was at {found}; {must} visits must count, {may} more may");
                return Some(Finding::violation("a close loses nothing", message, []));
            }
            None if cut == 0 => {
                let why = error.as_deref().unwrap_or("no reason given");
                return Some(Finding::violation("a database opens again", format!("{name}: {why}"), []));
            }
            _ => {}
        }
        match (*invoked, *acked) {
            (_, true) => must += 1,
            (true, false) => may += 1,
            (false, false) => {}
        }
    }
    None
}
