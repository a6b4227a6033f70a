//! Bank transfer: money moves between accounts, and is neither made nor lost.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::{clients, parameters_of, scan_prefix};
use crate::evidence::Evidence;
use crate::generate::Zipf;
use crate::history::{Op, Outcome, Txn};
use crate::plan::{Action, Payload, Plan, SETUP, Step, Transaction, Unanswered};
use crate::store::Range;
use crate::tx::parse;
use crate::workload::{About, Finding, Scale, Workload};

pub(super) const NAME: &str = "bank";

const ACCOUNTS: &str = "account/";

/// Clients move money between two accounts, or read all of them in one scan.
///
/// Stresses: snapshots that span many keys, installs of two keys at once, scans beside writers, prefixes in
/// recovery. Invariant: the total is the same in every snapshot, whether its transaction commits or not, and
/// after every crash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Bank {
    /// How many accounts.
    pub accounts: u32,
    /// What each has at first.
    pub balance: i64,
    /// Skew of the accounts that transfers touch, in quarters (see [`Zipf`]).
    pub skew_quarters: u32,
    /// One transaction in this many is a scan of all accounts; 0 for none.
    pub scan_every: u32,
    /// The longest think time inside of a transaction.
    pub think_micros_max: u64,
}

impl Default for Bank {
    fn default() -> Self {
        Self { accounts: 8, balance: 100, skew_quarters: 2, scan_every: 4, think_micros_max: 0 }
    }
}

impl Workload for Bank {
    fn name(&self) -> &str {
        NAME
    }

    fn about(&self) -> About {
        About {
            stresses: "snapshots that span many keys, scans beside writers",
            invariant: "the total is the same in every snapshot",
        }
    }

    fn parameters(&self) -> serde_json::Value {
        parameters_of(self)
    }

    fn plan(&self, scale: &Scale, rng: &mut ChaCha8Rng) -> Plan {
        let mut plan = Plan::new(NAME, self.parameters());
        let deposits = (0..self.accounts).map(|account| {
            let value = Payload::Text(self.balance.to_string());
            Step::Put { key: key(account), value }
        });
        let open = Transaction { unanswered: Unanswered::Repeat, ..Transaction::of(deposits) };
        plan.setup.actions.extend([open.into(), Action::Flush]);
        let zipf = Zipf::new(self.accounts, self.skew_quarters);
        clients(&mut plan, scale, rng, |_, _, rng| self.transaction(&zipf, rng).into());
        plan.audit.actions.push(Transaction::reading([scan_prefix(ACCOUNTS)]).into());
        plan
    }

    fn check(&self, evidence: &Evidence<'_>) -> Vec<Finding> {
        let Some(total) = opening_total(evidence) else { return Vec::new() };
        let mut findings = Vec::new();
        for txn in evidence.snapshots() {
            let wrong = txn.ops.iter().filter_map(scanned_total).find(|found| *found != Some(total));
            if let Some(found) = wrong {
                let found = found.map_or_else(|| "no number".to_owned(), |found| found.to_string());
                let message = format!("a scan of all accounts found {found}, not {total}");
                findings.push(Finding::violation("total is constant", message, [txn.index]));
            }
        }
        findings
    }
}

impl Bank {
    fn transaction(&self, zipf: &Zipf, rng: &mut ChaCha8Rng) -> Transaction {
        let think = match self.think_micros_max {
            0 => None,
            max => Some(Step::Think { micros: rng.random_range(0..=max) }),
        };
        let scan = || scan_prefix(ACCOUNTS);
        if self.scan_every > 0 && rng.random_ratio(1, self.scan_every) {
            return Transaction::reading([scan()].into_iter().chain(think).chain([scan()]));
        }
        let from = zipf.draw(rng);
        let mut to = zipf.draw(rng);
        if to == from {
            to = (from + 1) % self.accounts.max(1);
        }
        let amount = rng.random_range(1..=self.balance.max(1));
        let transfer = Step::Transfer { from: key(from), to: key(to), amount };
        // A scan in the same transaction sees the transfer, and the same total.
        let after = rng.random_ratio(1, 3).then(scan);
        Transaction::of(think.into_iter().chain([transfer]).chain(after))
    }
}

fn key(account: u32) -> String {
    format!("{ACCOUNTS}{account:04}")
}

/// Returns what the setup deposited, as its last transaction that may have counted says.
fn opening_total(evidence: &Evidence<'_>) -> Option<i64> {
    let opened = |txn: &&Txn| {
        txn.session == SETUP && matches!(txn.outcome, Outcome::Committed { .. } | Outcome::Unknown { .. })
    };
    let setup = evidence.history.txns.iter().rfind(opened)?;
    setup.ops.iter().map(|op| if let Op::Put { value, .. } = op { parse(value) } else { Some(0) }).sum()
}

/// Returns the total of a scan over all accounts: `Some(None)` if one of them is no number. A database
/// without accounts has no total: the setup may not be there yet, or be lost in a mode that allows it.
fn scanned_total(op: &Op) -> Option<Option<i64>> {
    match op {
        Op::Scan { range, limit: None, entries, .. }
            if *range == Range::prefix(ACCOUNTS.as_bytes()) && !entries.is_empty() =>
        {
            Some(entries.iter().map(|entry| parse(&entry.value)).sum())
        }
        _ => None,
    }
}
