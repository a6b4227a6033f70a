//! Long reader beside writers: one transaction reads the same keys again and again for a long time, while
//! others change them.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::large_transactions::torn_groups;
use super::{clients, parameters_of, scan_prefix};
use crate::evidence::Evidence;
use crate::plan::{Action, Plan, Step, Transaction};
use crate::workload::{About, Finding, Scale, Workload};

pub(super) const NAME: &str = "long-reader";

const GROUP: &str = "group/";

/// The first client reads a group of keys over and over in one transaction; all others overwrite, delete and
/// re-create them, a whole group at a time.
///
/// Stresses: version collection beside a snapshot, reads of old versions, memory while a reader stays.
/// Invariant: the snapshot stands still, and shows groups whole. That versions are collected afterwards must
/// be checked by a host that knows the store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LongReader {
    /// Keys of the group.
    pub keys: u32,
    /// How often the reader looks, in one transaction.
    pub looks: u32,
    /// How long it waits between.
    pub think_micros: u64,
}

impl Default for LongReader {
    fn default() -> Self {
        Self { keys: 6, looks: 5, think_micros: 300 }
    }
}

impl Workload for LongReader {
    fn name(&self) -> &str {
        NAME
    }

    fn about(&self) -> About {
        About {
            stresses: "version collection beside a snapshot, reads of old versions",
            invariant: "a snapshot stands still for as long as it is held",
        }
    }

    fn parameters(&self) -> serde_json::Value {
        parameters_of(self)
    }

    fn plan(&self, scale: &Scale, rng: &mut ChaCha8Rng) -> Plan {
        let mut plan = Plan::new(NAME, self.parameters());
        let write = || Step::PutMany { prefix: GROUP.into(), count: self.keys, len: 0 };
        plan.setup.actions.push(Transaction::of([write()]).into());
        clients(&mut plan, scale, rng, |client, _, rng| match client {
            0 => self.look(rng),
            _ => {
                // Both, and the group is created anew in the transaction that deletes it.
                let delete = Step::DeleteMany { prefix: GROUP.into(), count: self.keys };
                match rng.random_range(0..6) {
                    0 => Transaction::of([delete]).into(),
                    1 => Transaction::of([delete, write()]).into(),
                    _ => Transaction::of([write()]).into(),
                }
            }
        });
        plan.audit.actions.push(Transaction::reading([scan_prefix(GROUP)]).into());
        plan
    }

    fn check(&self, evidence: &Evidence<'_>) -> Vec<Finding> {
        torn_groups(evidence, GROUP)
    }
}

impl LongReader {
    fn look(&self, rng: &mut ChaCha8Rng) -> Action {
        let key = format!("{GROUP}{:04}", rng.random_range(0..self.keys.max(1)));
        let look = |number| {
            let think = Step::Think { micros: self.think_micros };
            let look = if number % 2 == 0 { scan_prefix(GROUP) } else { Step::Get { key: key.clone() } };
            [look, think]
        };
        Transaction::reading((0..self.looks).flat_map(look)).into()
    }
}
