//! A queue of jobs under three prefixes: a job waits, is leased, or is done, and is never under two of them.

use std::time::Duration;

use crate::client::micros;
use crate::store::{Range, Result};
use crate::tx::Tx;

/// The prefixes under which a queue keeps its jobs.
pub(crate) struct Keys {
    pub(crate) waiting: String,
    pub(crate) leased: String,
    pub(crate) done: String,
}

impl Keys {
    pub(crate) fn of(queue: &str) -> Self {
        let prefix = |state| format!("queue/{queue}/{state}/");
        Self { waiting: prefix("waiting"), leased: prefix("leased"), done: prefix("done") }
    }
}

pub(super) fn enqueue(txn: &mut Tx<'_>, queue: &str, job: &str) -> Result<()> {
    let keys = Keys::of(queue);
    for prefix in [&keys.waiting, &keys.leased, &keys.done] {
        if txn.get(format!("{prefix}{job}"))?.value.is_some() {
            return Ok(());
        }
    }
    let value = txn.unique(0);
    txn.put(format!("{}{job}", keys.waiting), value)
}

pub(super) fn lease(txn: &mut Tx<'_>, queue: &str, duration: Duration) -> Result<()> {
    let keys = Keys::of(queue);
    let now = txn.begun();
    let lease = Lease { holder: txn.session(), until: micros(now + duration) };
    let lease = format!("{lease} {}", String::from_utf8_lossy(&txn.unique(0)));
    let waiting = txn.scan(&Range::prefix(keys.waiting.as_bytes()), Some(1), false)?;
    if let Some(entry) = waiting.first() {
        let job = entry.key[keys.waiting.len()..].to_vec();
        txn.delete(&entry.key)?;
        return txn.put([keys.leased.as_bytes(), &job].concat(), lease);
    }
    for entry in txn.scan_prefix(&keys.leased)? {
        let over = Lease::parse(&entry.value).is_none_or(|lease| lease.until < micros(now));
        if over {
            return txn.put(&entry.key, lease);
        }
    }
    Ok(())
}

pub(super) fn complete(txn: &mut Tx<'_>, queue: &str) -> Result<()> {
    let keys = Keys::of(queue);
    let now = micros(txn.begun());
    for entry in txn.scan_prefix(&keys.leased)? {
        let Some(lease) = Lease::parse(&entry.value) else { continue };
        if lease.holder == txn.session() && lease.until >= now {
            let job = entry.key[keys.leased.len()..].to_vec();
            txn.delete(&entry.key)?;
            let holder = format!("{} {}", txn.session(), String::from_utf8_lossy(&txn.unique(0)));
            return txn.put([keys.done.as_bytes(), &job].concat(), holder);
        }
    }
    Ok(())
}

/// The holder of a job, and until when.
pub(crate) struct Lease {
    pub(crate) holder: u32,
    pub(crate) until: u64,
}

impl Lease {
    pub(crate) fn parse(value: &[u8]) -> Option<Self> {
        let mut words = std::str::from_utf8(value).ok()?.split(' ');
        Some(Self { holder: words.next()?.parse().ok()?, until: words.next()?.parse().ok()? })
    }
}

impl std::fmt::Display for Lease {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.holder, self.until)
    }
}
