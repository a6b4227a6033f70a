//! Phantom probe: transactions that read a range and put a new key into it.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::{clients, judged, parameters_of, scan_prefix};
use crate::evidence::Evidence;
use crate::history::{Op, Txn};
use crate::plan::{Plan, Step, Transaction};
use crate::store::Range;
use crate::tx::parse;
use crate::workload::{About, Finding, Scale, Workload};

pub(super) const NAME: &str = "phantom";

/// Clients book seats in a room, under a new key, if all bookings together stay within its seats (Berenson et
/// al. 1995, A3), and cancel bookings.
///
/// Stresses: validation of ranges, against keys that were not there. Invariant: no room is ever overbooked.
/// Under snapshot isolation it can be, and a campaign must see it happen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Phantom {
    /// How many rooms.
    pub rooms: u32,
    /// How many seats each has.
    pub seats: i64,
}

impl Default for Phantom {
    fn default() -> Self {
        Self { rooms: 2, seats: 10 }
    }
}

impl Workload for Phantom {
    fn name(&self) -> &str {
        NAME
    }

    fn about(&self) -> About {
        About {
            stresses: "validation of ranges against keys that were not there",
            invariant: "under serializable no room is overbooked; under snapshot isolation it must be seen",
        }
    }

    fn parameters(&self) -> serde_json::Value {
        parameters_of(self)
    }

    fn plan(&self, scale: &Scale, rng: &mut ChaCha8Rng) -> Plan {
        let mut plan = Plan::new(NAME, self.parameters());
        let rooms = self.rooms.max(1);
        let mut keys = Vec::new();
        clients(&mut plan, scale, rng, |client, number, rng| {
            let prefix = room(rng.random_range(0..rooms));
            match rng.random_range(0..6) {
                0 => Transaction::reading([scan_prefix(&prefix)]).into(),
                1 if !keys.is_empty() => {
                    let key = String::clone(&keys[rng.random_range(0..keys.len())]);
                    Transaction::of([Step::Delete { key }]).into()
                }
                _ => {
                    let key = format!("{prefix}{client:02}-{number:04}");
                    keys.push(key.clone());
                    let amount = rng.random_range(1..=self.seats.max(1));
                    Transaction::of([Step::Book { prefix, key, amount, total_max: self.seats }]).into()
                }
            }
        });
        let scans = (0..rooms).map(|number| scan_prefix(&room(number)));
        plan.audit.actions.push(Transaction::reading(scans).into());
        plan
    }

    fn check(&self, evidence: &Evidence<'_>) -> Vec<Finding> {
        let mut findings = Vec::new();
        for room in (0..self.rooms.max(1)).map(room) {
            let range = Range::prefix(room.as_bytes());
            let overbooked = |txn: &&Txn| txn.ops.iter().any(|op| booked(op, &range) > self.seats);
            if let Some(txn) = evidence.snapshots().find(overbooked) {
                let message = format!("more than {} seats were booked in {room}", self.seats);
                findings.push(judged(evidence, "no phantom", message, txn.index));
            }
        }
        findings
    }
}

fn room(room: u32) -> String {
    format!("room/{room}/")
}

fn booked(op: &Op, wanted: &Range) -> i64 {
    match op {
        Op::Scan { range, limit: None, entries, .. } if range == wanted => {
            entries.iter().filter_map(|entry| parse(&entry.value)).sum()
        }
        _ => 0,
    }
}
