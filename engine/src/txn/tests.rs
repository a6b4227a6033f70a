//! What operations of a transaction cost, counted: each as much, however many there were before it.

use std::time::Duration;

use crate::cost;
use crate::database::Database;
use crate::error::Result;
use crate::key::Namespace;
use crate::primitives::{EventLog, KvStore, StateMachine};
use crate::table::Table;
use crate::txn::Transaction;
use crate::types::Version;

/// An operation, done with this number as often as a transaction does it.
type Operation = Box<dyn Fn(&mut Transaction, u64) -> Result<()>>;

fn name(number: u64) -> String {
    format!("key {:05}", number.wrapping_mul(7_919) % 100_000)
}

/// All kinds; keys of snapshots are those with even numbers.
fn operations() -> Vec<(&'static str, Operation)> {
    let day = Duration::from_secs(86_400);
    let (log, kv) = (EventLog::new("log"), KvStore::new(Namespace::shared()));
    let logs = |operation: fn(&EventLog, &mut Transaction, u64) -> Result<()>| -> Operation {
        let log = log.clone();
        Box::new(move |txn, number| operation(&log, txn, number))
    };
    let queued = "queued".to_owned();
    let machine = StateMachine::<String>::builder("job")
        .initial(queued.clone())
        .transition(queued.clone(), "done".to_owned())
        .build()
        .unwrap();
    let table = Table::<u64, u64>::new("table");
    vec![
        ("put", Box::new(|txn, n| txn.put(name(n), n))),
        ("put to few keys", Box::new(|txn, n| txn.put(name(n % 40), n))),
        ("put_with_ttl", Box::new(move |txn, n| txn.put_with_ttl(name(n), n, day))),
        ("delete", Box::new(|txn, n| txn.delete(name(n)))),
        ("insert", Box::new(|txn, n| txn.insert(format!("new {n}"), n))),
        ("cas", Box::new(|txn, n| txn.cas(format!("new {n}"), Version::ZERO, n))),
        ("compare_and_set", Box::new(|txn, n| txn.compare_and_set(name(n * 2), n * 2, n))),
        ("delete_if", Box::new(|txn, n| txn.delete_if(format!("new {n}"), Version::ZERO))),
        ("get", Box::new(|txn, n| txn.get::<u64>(name(n)).map(drop))),
        ("get of few keys", Box::new(|txn, n| txn.get::<u64>(name(n % 40)).map(drop))),
        (
            "get of own writes",
            Box::new(|txn, n| {
                txn.put(name(n), n)?;
                txn.get::<u64>(name(n / 2)).map(drop)
            }),
        ),
        ("get_many", Box::new(|txn, n| txn.get_many::<u64>([name(n), name(n + 1)]).map(drop))),
        ("put_many", Box::new(|txn, n| txn.put_many([(name(n), n), (name(n + 1), n)]))),
        ("exists", Box::new(|txn, n| txn.exists(name(n)).map(drop))),
        ("update", Box::new(|txn, n| txn.update(name(n), |old: Option<u64>| old.unwrap_or(0) + 1).map(drop))),
        ("increment", Box::new(|txn, n| txn.increment(name(n), 1).map(drop))),
        ("take", Box::new(|txn, n| txn.take::<u64>(name(n)).map(drop))),
        ("range", Box::new(|txn, n| txn.range(name(n)..).map(|mut range| drop(range.next())))),
        ("the same range", Box::new(|txn, _| txn.range("key 5"..).map(|mut range| drop(range.next())))),
        (
            "the first of own writes",
            Box::new(|txn, n| {
                txn.put(format!("new {:05}", 99_999 - n), n)?;
                assert!(txn.prefix("new ")?.next().is_some());
                Ok(())
            }),
        ),
        (
            "the last of own writes",
            Box::new(|txn, n| {
                txn.put(format!("new {n:05}"), n)?;
                assert_eq!(txn.prefix("new ")?.next_back().unwrap().get::<u64>()?, n);
                Ok(())
            }),
        ),
        (
            "pages of own writes",
            Box::new(|txn, n| {
                txn.put(format!("new {n:05}"), n)?;
                let page = txn.prefix("new ")?.after(format!("new {:05}", n.saturating_sub(3))).limit(2);
                page.for_each(drop);
                Ok(())
            }),
        ),
        ("append", logs(|log, txn, n| log.append(txn, n))),
        (
            "append and len",
            logs(|log, txn, n| {
                log.append(txn, n)?;
                assert_eq!(log.len(txn)?, n + 1);
                Ok(())
            }),
        ),
        (
            "append and last",
            logs(|log, txn, n| {
                log.append(txn, n)?;
                assert_eq!(log.last(txn)?.unwrap().sequence, n);
                Ok(())
            }),
        ),
        (
            "append and read",
            logs(|log, txn, n| {
                log.append(txn, n)?;
                assert_eq!(log.read(txn, n.saturating_sub(1)..)?.last().unwrap().value, n.into());
                Ok(())
            }),
        ),
        (
            "append to many streams",
            Box::new(|txn, n| {
                let log = EventLog::new(&format!("log {n}"));
                log.append(txn, n)?;
                assert_eq!(log.last(txn)?.unwrap().sequence, 0);
                Ok(())
            }),
        ),
        (
            "states",
            Box::new(move |txn, n| {
                let id = n.to_string();
                machine.create(txn, &id)?;
                machine.transition(txn, &id, &queued, &"done".to_owned())?;
                machine.state(txn, &id).map(drop)
            }),
        ),
        (
            "key-value store",
            Box::new(move |txn, n| {
                kv.put(txn, name(n), n)?;
                kv.get::<u64>(txn, name(n)).map(drop)
            }),
        ),
        (
            "table",
            Box::new(move |txn, n| {
                let mut table = txn.table(&table);
                table.put(&n, n)?;
                table.range(n..)?.for_each(drop);
                table.get(&n).map(drop)
            }),
        ),
        (
            "looks at its sizes",
            Box::new(|txn, n| {
                txn.put(name(n), n)?;
                let context = txn.context();
                assert_eq!(
                    context.write_set_len() + context.delete_set_len() + context.cas_set_len(),
                    context.append_len() + n as usize + 1
                );
                Ok(())
            }),
        ),
    ]
}

/// Returns the steps of this number of operations, and of their commit.
fn steps(db: &Database, operation: &Operation, count: u64) -> u64 {
    let run = db.begin_run().unwrap();
    let mut txn = db.begin_transaction(run).unwrap();
    cost::of(|| {
        (0..count).for_each(|number| operation(&mut txn, number).unwrap());
        txn.commit().map(drop).unwrap();
    })
}

#[test]
fn operations_in_one_transaction_cost_as_much_each_however_many_there_are() {
    let (few, many) = (250, 4_000);
    for (kind, operation) in operations() {
        let of = |count: u64| {
            let db = Database::open_in_memory().unwrap();
            let run = db.begin_run().unwrap();
            db.put_many(run, (0..5_000_u64).map(|number| (name(number * 2), number * 2))).unwrap();
            steps(&db, &operation, count) / count
        };
        let (of_few, of_many) = (of(few), of(many));
        // Sorted sets look up in a logarithm of steps; what is linear in each is sixteen times as much.
        assert!(of_many <= 2 * of_few + 8, "{kind}: {of_few} steps each of {few}, {of_many} of {many}");
    }
}
