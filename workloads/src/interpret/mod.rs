//! What each [`Step`] does to a store.
//!
//! Job: turn a step into operations of a [`Tx`]. Not its job: judging what the store answered; except where
//! only the step itself can see that a promise was broken.

mod iterate;
mod money;
pub(crate) mod queue;

use std::time::Duration;

use crate::plan::{Payload, Step};
use crate::store::{Bytes, Expected, Range, Result, StoreError};
use crate::tx::Tx;

/// The panic of a body, by which its client knows it again. It is no message, and runs no hook.
pub(crate) struct OwnPanic;

/// Executes one step.
///
/// # Errors
/// What the store answered; the transaction goes no further.
pub(crate) fn execute(step: &Step, txn: &mut Tx<'_>) -> Result<()> {
    match step {
        Step::Think { micros } => {
            txn.think(Duration::from_micros(*micros));
            Ok(())
        }
        Step::Get { key } => txn.get(key).map(drop),
        Step::Scan { start, end, limit, reverse } => {
            let range = Range {
                start: start.clone().into_bytes(),
                end: end.as_ref().map(|end| end.clone().into_bytes()),
            };
            txn.scan(&range, *limit, *reverse).map(drop)
        }
        Step::Iterate { prefix, pulls } => txn.iterate(&Range::prefix(prefix.as_bytes()), pulls).map(drop),
        Step::Pop { prefix, back } => iterate::pop(txn, prefix, *back),
        Step::ReadPages(pages) => iterate::pages(txn, pages),
        Step::Put { key, value } => {
            let value = bytes(value, txn);
            txn.put(key, value)
        }
        Step::PutMany { prefix, count, len } => put_many(txn, prefix, *count, *len),
        Step::DeleteMany { prefix, count } => {
            (0..*count).try_for_each(|number| txn.delete(format!("{prefix}{number:04}")))
        }
        Step::Delete { key } => txn.delete(key),
        Step::Insert { key, value } => {
            let value = bytes(value, txn);
            txn.cas(key, &Expected::Absent, value)
        }
        Step::Swap { key, value } => swap(txn, key, value),
        Step::Add { key, amount } => {
            let number = txn.number(key)?.unwrap_or(0);
            txn.put_number(key, number.saturating_add(*amount))
        }
        Step::Transfer { from, to, amount } => money::transfer(txn, from, to, *amount),
        Step::Withdraw { accounts, from, amount } => money::withdraw(txn, accounts, from, *amount),
        Step::Book { prefix, key, amount, total_max } => money::book(txn, prefix, key, *amount, *total_max),
        Step::Append { list } => {
            let element = txn.unique(0);
            txn.append(list, element)
        }
        Step::ReadList { list } => txn.list(list).map(drop),
        Step::AppendEvent { stream, len } => {
            let payload = txn.unique(*len);
            txn.append_event(stream, payload)
        }
        Step::ReadEvents { stream, verify } => read_events(txn, stream, *verify),
        Step::TruncateEvents { stream, keep } => {
            let events = txn.events(stream)?;
            let next = events.last().map_or(0, |event| event.sequence + 1);
            txn.truncate_events(stream, next.saturating_sub(*keep))?;
            let payload = txn.unique(0);
            txn.append_event(stream, payload)
        }
        Step::ReadParts { stream, from } => txn.events_in_parts(stream, *from).map(drop),
        Step::ReadMachineTwice { machine } => txn.machine_twice(machine).map(drop),
        Step::CreateMachine { machine, state } => match txn.machine(machine)? {
            Some(_) => Ok(()),
            None => txn.create_machine(machine, state),
        },
        Step::CreateMachineUnseen { machine, state } => txn.create_machine(machine, state),
        Step::TransitionUnseen { machine, from, to } => txn.transition(machine, from, to),
        Step::ReadMachine { machine } => txn.machine(machine).map(drop),
        Step::Advance { machine, table, choice } => advance(txn, machine, table, *choice),
        Step::ToolCall { agent, step } => tool_call(txn, agent, *step),
        Step::Enqueue { queue, job } => queue::enqueue(txn, queue, job),
        Step::Lease { queue, micros } => queue::lease(txn, queue, Duration::from_micros(*micros)),
        Step::Complete { queue } => queue::complete(txn, queue),
        Step::PutTtl { key, ttl_ms } => {
            let value = txn.unique(0);
            txn.put_with_ttl(key, value, *ttl_ms)
        }
        Step::GetTtl { key, wait_micros } => {
            txn.get_expiring(key)?;
            txn.think(Duration::from_micros(*wait_micros));
            txn.get_expiring(key).map(drop)
        }
        Step::Act { key, act } => txn.act(key, act),
        Step::Nested { key, act } => txn.nested(key, act),
        Step::GiveUp => Err(StoreError::GaveUp),
        Step::Panic if txn.may_panic() => std::panic::resume_unwind(Box::new(OwnPanic)),
        Step::Panic => Err(StoreError::GaveUp),
        Step::Call { name, seed } => {
            txn.reseed(*seed);
            txn.workload().call(txn, name)
        }
    }
}

fn bytes(payload: &Payload, txn: &mut Tx<'_>) -> Bytes {
    match payload {
        Payload::Text(text) => text.clone().into_bytes(),
        Payload::Unique { len } => txn.unique(*len),
    }
}

/// Writes the transaction's mark under many keys, so that a reader sees from any two values whether they
/// belong together.
fn put_many(txn: &mut Tx<'_>, prefix: &str, count: u32, len: usize) -> Result<()> {
    let mark = txn.unique(0);
    for number in 0..count {
        let mut value = mark.clone();
        value.extend_from_slice(format!("/{count}/{number}/").as_bytes());
        value.resize(value.len().max(len), b'.');
        txn.put(format!("{prefix}{number:04}"), value)?;
    }
    Ok(())
}

fn swap(txn: &mut Tx<'_>, key: &str, value: &Payload) -> Result<()> {
    let read = txn.get(key)?;
    let expected = match (read.version, read.value) {
        (Some(version), _) => Expected::Version(version),
        (None, Some(value)) => Expected::Value(value),
        (None, None) => Expected::Absent,
    };
    let value = bytes(value, txn);
    txn.cas(key, &expected, value)
}

fn read_events(txn: &mut Tx<'_>, stream: &str, verify: bool) -> Result<()> {
    let events = txn.events(stream)?;
    let first = events.first().map_or(0, |event| event.sequence);
    for (expected, event) in (first..).zip(&events) {
        txn.assert("sequence numbers have no hole", event.sequence == expected, || {
            format!("event number {expected} of stream {stream} says it is number {}", event.sequence)
        });
    }
    if verify {
        let counted = txn.verify_events(stream)?;
        txn.assert("a stream proves itself", counted == events.len() as u64, || {
            format!("stream {stream} has {} events, and proves {counted}", events.len())
        });
    }
    Ok(())
}

fn advance(txn: &mut Tx<'_>, machine: &str, table: &[(String, String)], choice: u64) -> Result<()> {
    let Some(state) = txn.machine(machine)? else { return Ok(()) };
    let possible: Vec<_> = table.iter().filter(|(from, _)| *from == state).collect();
    if possible.is_empty() {
        let declared = table.iter().any(|(_, to)| *to == state);
        txn.assert("a machine is in a declared state", declared, || format!("{machine} is in state {state}"));
        return Ok(());
    }
    let (from, to) = possible[usize::try_from(choice % possible.len() as u64).unwrap_or(0)];
    txn.transition(machine, from, to)
}

fn tool_call(txn: &mut Tx<'_>, agent: &str, step: u64) -> Result<()> {
    let result = format!("result/{agent}/{step:04}");
    if txn.get(&result)?.value.is_some() {
        return Ok(());
    }
    let stream = format!("calls-{agent}");
    match txn.machine(agent)? {
        None => txn.create_machine(agent, &format!("after {step}"))?,
        Some(state) => txn.transition(agent, &state, &format!("after {step}"))?,
    }
    txn.append_event(&stream, format!("{step}"))?;
    let value = txn.unique(0);
    txn.put(&result, value)
}
