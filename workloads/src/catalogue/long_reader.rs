//! Long reader beside writers: one transaction reads the same keys again and again for a long time, or a
//! backup of them is taken, while others change them.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::large_transactions::torn_groups;
use super::{clients, parameters_of, scan_prefix};
use crate::evidence::Evidence;
use crate::manner::ViewBy;
use crate::plan::{Action, Plan, Step, Transaction};
use crate::workload::{About, Finding, Scale, Workload};

pub(super) const NAME: &str = "long-reader";

const GROUP: &str = "group/";

/// The first client reads a group of keys over and over in one transaction; all others overwrite, delete and
/// re-create them, a whole group at a time. Some of its transactions write a backup, and read that.
///
/// Stresses: version collection beside a snapshot and beside a backup, reads of old versions, memory while a
/// reader stays. Invariant: the snapshot stands still, and shows groups whole, and so does a backup. That
/// versions are collected afterwards must be checked by a host that knows the store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LongReader {
    /// Keys of the group.
    pub keys: u32,
    /// How often the reader looks, in one transaction.
    pub looks: u32,
    /// How long it waits between.
    pub think_micros: u64,
    /// One transaction of the reader in this many reads a backup; 0 for none.
    pub backup_every: u32,
}

impl Default for LongReader {
    fn default() -> Self {
        Self { keys: 6, looks: 5, think_micros: 300, backup_every: 4 }
    }
}

impl Workload for LongReader {
    fn name(&self) -> &str {
        NAME
    }

    fn about(&self) -> About {
        About {
            stresses: "version collection beside a snapshot or a backup, reads of old versions",
            invariant: "a snapshot stands still for as long as it is held; a backup is of one version",
        }
    }

    fn parameters(&self) -> serde_json::Value {
        parameters_of(self)
    }

    fn plan(&self, scale: &Scale, rng: &mut ChaCha8Rng) -> Plan {
        let mut plan = Plan::new(NAME, self.parameters());
        let write = || Step::PutMany { prefix: GROUP.into(), count: self.keys, len: 0 };
        plan.setup.actions.push(Transaction::of([write()]).into());
        clients(&mut plan, scale, rng, |client, number, rng| match client {
            0 => self.look(number, rng),
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
    fn look(&self, transaction: u32, rng: &mut ChaCha8Rng) -> Action {
        let key = format!("{GROUP}{:04}", rng.random_range(0..self.keys.max(1)));
        let look = |number| {
            let think = Step::Think { micros: self.think_micros };
            let look = if number % 2 == 0 { scan_prefix(GROUP) } else { Step::Get { key: key.clone() } };
            [look, think]
        };
        let mut reading = Transaction::reading((0..self.looks).flat_map(look));
        if (transaction + 1).checked_rem(self.backup_every) == Some(0) {
            reading.manner.view = Some(ViewBy::Backup);
        }
        reading.into()
    }
}
