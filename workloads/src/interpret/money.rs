//! Steps on numbers that belong together.

use crate::store::Result;
use crate::tx::Tx;

pub(super) fn transfer(txn: &mut Tx<'_>, from: &str, to: &str, amount: i64) -> Result<()> {
    if from == to {
        return Ok(());
    }
    let Some(available) = txn.number(from)? else { return Ok(()) };
    let there = txn.number(to)?.unwrap_or(0);
    if available < amount {
        return Ok(());
    }
    txn.put_number(from, available - amount)?;
    txn.put_number(to, there + amount)
}

/// Reads all of the accounts, and writes one: two of these at once, on different accounts, are a write skew.
pub(super) fn withdraw(txn: &mut Tx<'_>, accounts: &[String], from: &str, amount: i64) -> Result<()> {
    let mut total = 0;
    let mut own = None;
    for account in accounts {
        let balance = txn.number(account)?;
        total += balance.unwrap_or(0);
        if account == from {
            own = balance;
        }
    }
    match own {
        Some(own) if total >= amount => txn.put_number(from, own - amount),
        _ => Ok(()),
    }
}

/// Reads a range, and writes a key into it that was not there: two of these at once are a phantom.
pub(super) fn book(txn: &mut Tx<'_>, prefix: &str, key: &str, amount: i64, total_max: i64) -> Result<()> {
    let mut total = 0;
    for entry in txn.scan_prefix(prefix)? {
        if entry.key == key.as_bytes() {
            return Ok(());
        }
        total += txn.parse(&entry.key, &entry.value)?;
    }
    if total + amount <= total_max { txn.put_number(key, amount) } else { Ok(()) }
}
