//! Events to history.
//!
//! Job: the one place that knows how recorded events add up. Not its job: judging what happened.
//!
//! Invariants: INV-HIST-1: the result depends on the events and their order alone. INV-HIST-2: a transaction
//! whose commit was called and never answered is [`Outcome::Unknown`], one without a commit is
//! [`Outcome::Running`].

use super::{Event, History, LifeRecord, Outcome, Txn, TxnIndex};

/// Why events do not add up to a history: the recording is damaged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FoldError {
    /// An event names a transaction that has not begun.
    #[error("event {event}: transaction {txn} has not begun; record its `begin` first")]
    NotBegun {
        /// How many events came before.
        event: usize,
        /// Which transaction.
        txn: TxnIndex,
    },
    /// Transactions must begin in the order of their indexes, without gaps.
    #[error("event {event}: transaction {txn} begins, but {expected} is next")]
    OutOfOrder {
        /// How many events came before.
        event: usize,
        /// Which transaction.
        txn: TxnIndex,
        /// The index that was due.
        expected: TxnIndex,
    },
    /// An event names a life that was never opened.
    #[error("event {event}: life {life} was not opened")]
    NotOpened {
        /// How many events came before.
        event: usize,
        /// Which life.
        life: u32,
    },
}

/// Returns the history that the events make up.
///
/// # Errors
/// When an event refers to a transaction or life that the events before it did not begin.
pub fn fold(events: impl IntoIterator<Item = Event>) -> Result<History, FoldError> {
    let mut history = History::default();
    for (number, event) in events.into_iter().enumerate() {
        apply(&mut history, number, event)?;
    }
    Ok(history)
}

/// Adds one event, the `number`-th.
pub(super) fn apply(history: &mut History, number: usize, event: Event) -> Result<(), FoldError> {
    match event {
        Event::Opened { life, at } => history.lives.push(LifeRecord { life, opened: at, ended: None }),
        Event::Ended { life, at, how } => {
            let record = history.lives.iter_mut().rev().find(|record| record.life == life);
            record.ok_or(FoldError::NotOpened { event: number, life })?.ended = Some((at, how));
        }
        Event::Begin { txn, session, life, at, start_version, isolation } => {
            let expected = TxnIndex::try_from(history.txns.len()).unwrap_or(TxnIndex::MAX);
            if txn != expected {
                return Err(FoldError::OutOfOrder { event: number, txn, expected });
            }
            let (ops, outcome) = (Vec::new(), Outcome::Running);
            history.txns.push(Txn {
                index: txn,
                session,
                life,
                begun: at,
                start_version,
                isolation,
                ops,
                outcome,
            });
        }
        Event::Op { txn, at: _, op } => begun(history, number, txn)?.ops.push(op),
        Event::Commit { txn, at } => begun(history, number, txn)?.outcome = Outcome::Unknown { invoked: at },
        Event::Outcome { txn, outcome } => begun(history, number, txn)?.outcome = outcome,
        Event::Durable { txn, at } => {
            if let Outcome::Committed { durable: durable @ None, .. } =
                &mut begun(history, number, txn)?.outcome
            {
                *durable = Some(at);
            }
        }
    }
    Ok(())
}

fn begun(history: &mut History, event: usize, txn: TxnIndex) -> Result<&mut Txn, FoldError> {
    history.txns.get_mut(txn as usize).ok_or(FoldError::NotBegun { event, txn })
}
