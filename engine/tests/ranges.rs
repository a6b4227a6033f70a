//! Every form of a range, forwards, backwards and cut short, over what is stored and what the transaction
//! wrote.

use std::collections::BTreeMap;
use std::ops::Bound;

use proptest::prelude::*;
use stormproof::{ConflictInfo, Database, Entry, Error, KeyRange, Transaction};

type Model = BTreeMap<String, i64>;
type Bounds<'a> = (Bound<&'a str>, Bound<&'a str>);

fn name(number: i64) -> String {
    format!("key/{number:03}")
}

/// What a scan should give: keys and values in order.
fn expected(model: &Model, bounds: Bounds<'_>, options: (bool, usize)) -> Vec<(String, i64)> {
    let (reverse, limit) = options;
    let all = model.range::<str, _>(bounds).map(|(key, value)| (key.clone(), *value));
    if reverse { all.rev().take(limit).collect() } else { all.take(limit).collect() }
}

fn found(entries: Vec<Entry>) -> Vec<(String, i64)> {
    let pair = |entry: Entry| {
        let key = String::from_utf8(entry.user_key().to_vec()).unwrap();
        (key, entry.get().unwrap())
    };
    entries.into_iter().map(pair).collect()
}

fn check(txn: &mut Transaction, model: &Model) {
    use Bound::{Excluded, Included, Unbounded};
    let (low, high) = (name(20), name(60));
    let forms: [(KeyRange, Bounds<'_>); 5] = [
        (KeyRange::from(low.as_str()..high.as_str()), (Included(&low), Excluded(&high))),
        (KeyRange::from(low.as_str()..=high.as_str()), (Included(&low), Included(&high))),
        (KeyRange::from(low.as_str()..), (Included(&low), Unbounded)),
        (KeyRange::from(..high.as_str()), (Unbounded, Excluded(&high))),
        (KeyRange::from(..), (Unbounded, Unbounded)),
    ];
    for (range, bounds) in &forms {
        for reverse in [false, true] {
            for limit in [0, 1, 7, 40, 1_000] {
                let found_by = txn.range(range).unwrap().limit(limit);
                let entries = if reverse { found_by.rev().collect() } else { found_by.collect() };
                let wanted = expected(model, *bounds, (reverse, limit));
                assert_eq!(found(entries), wanted, "{range:?}, reverse: {reverse}, limit: {limit}");
            }
        }
    }
    let empty = txn.range(high.as_str()..low.as_str()).unwrap().next();
    assert!(empty.is_none(), "a range that ends before it begins holds {empty:?}");
}

/// Few own writes are kept in a list and many in a tree: both must give the same.
#[test]
fn a_scan_gives_what_a_map_would() {
    for own in [0, 3, 90] {
        let db = Database::open_in_memory().unwrap();
        let run = db.begin_run().unwrap();
        let mut model = Model::new();
        for number in (0..80).step_by(2) {
            db.put(run, name(number), number).unwrap();
            model.insert(name(number), number);
        }
        let mut txn = db.begin_transaction(run).unwrap();
        for number in (0..own).map(|number| (number * 7) % 100) {
            if number % 3 == 0 {
                txn.delete(name(number)).unwrap();
                model.remove(&name(number));
            } else {
                txn.put(name(number), -number).unwrap();
                model.insert(name(number), -number);
            }
        }
        check(&mut txn, &model);
        let _ = txn.commit().unwrap();
        check(&mut db.begin_transaction(run).unwrap(), &model);
    }
}

/// Pulls at an iterator from both ends, and at the model.
fn pull_both(range: &mut stormproof::Range<'_>, model: &mut Vec<(String, i64)>, pulls: &[(bool, usize)]) {
    let pair = |entry: Entry| (String::from_utf8(entry.user_key().to_vec()).unwrap(), entry.get().unwrap());
    for &(back, count) in pulls {
        for _ in 0..count {
            let (given, wanted) = if back {
                (range.next_back(), model.pop())
            } else {
                (range.next(), (!model.is_empty()).then(|| model.remove(0)))
            };
            assert_eq!(given.map(pair), wanted);
        }
    }
}

proptest! {
    /// The index is rebuilt while an iterator stands in it: it goes on with what its snapshot sees.
    #[test]
    fn both_ends_meet_and_others_may_write_meanwhile(
        keys in prop::collection::btree_set(0..400_i64, 0..300),
        gone in prop::collection::vec(0..400_i64, 0..60),
        recent in prop::collection::vec(0..400_i64, 0..20),
        bounds in (0..400_i64, 0..400_i64),
        pulls in prop::collection::vec((any::<bool>(), 0..40_usize), 0..20),
        rewritten in 0..200_i64,
    ) {
        let db = Database::open_in_memory().unwrap();
        let run = db.begin_run().unwrap();
        let mut model = Model::new();
        db.put_many(run, keys.iter().map(|key| (name(*key), *key))).unwrap();
        model.extend(keys.iter().map(|key| (name(*key), *key)));
        db.collect();
        for key in gone {
            db.delete(run, name(key)).unwrap();
            model.remove(&name(key));
        }
        for key in recent {
            db.put(run, name(key), -key).unwrap();
            model.insert(name(key), -key);
        }
        let (low, high) = (name(bounds.0.min(bounds.1)), name(bounds.0.max(bounds.1)));
        let mut model: Vec<_> = model.range(low.clone()..high.clone()).map(|(key, value)| (key.clone(), *value)).collect();
        let snapshot = db.snapshot();
        prop_assert_eq!(snapshot.range(low.as_str()..high.as_str()).count(), model.len());
        let (mut own, mut borrowed) = (db.range(low.as_str()..high.as_str()), snapshot.range(low..high));
        let mut same = model.clone();
        for pull in pulls.chunks(3) {
            pull_both(&mut own, &mut model, pull);
            pull_both(&mut borrowed, &mut same, pull);
            db.put_many(run, (0..rewritten).map(|key| (name((key * 7) % 500), 1_000_i64))).unwrap();
            db.collect();
        }
        prop_assert_eq!(found(own.collect()), model);
    }
}

/// The keys of a transaction that was in conflict over a range.
fn conflicts_of(iterate: impl FnOnce(&mut Transaction)) -> Vec<String> {
    let db = Database::open_in_memory().unwrap();
    let run = db.begin_run().unwrap();
    db.put_many(run, (0..10_i64).map(|number| (name(number), number))).unwrap();
    let mut txn = db.begin_transaction(run).unwrap();
    iterate(&mut txn);
    txn.put("written", 1_i64).unwrap();
    db.put_many(run, (0..10_i64).map(|number| (name(number), -number))).unwrap();
    match txn.commit() {
        Ok(_) => Vec::new(),
        Err(Error::Conflict(conflicts)) => {
            let key =
                |conflict: &ConflictInfo| String::from_utf8(conflict.key().user_key().to_vec()).unwrap();
            conflicts.iter().map(key).collect()
        }
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn what_was_iterated_conflicts_and_no_more() {
    let names = |numbers: &[i64]| numbers.iter().map(|number| name(*number)).collect::<Vec<_>>();
    let all = || KeyRange::prefix("key/");
    assert_eq!(conflicts_of(|txn| drop(txn.range(all()).unwrap())), names(&[]), "nothing was asked for");
    assert_eq!(conflicts_of(|txn| assert_eq!(txn.range(all()).unwrap().take(2).count(), 2)), names(&[0, 1]));
    assert_eq!(conflicts_of(|txn| drop(txn.range(all()).unwrap().rev().nth(1))), names(&[8, 9]));
    let from_both = |txn: &mut Transaction| {
        let mut range = txn.range(all()).unwrap();
        assert!(range.next().is_some() && range.next_back().is_some());
    };
    assert_eq!(conflicts_of(from_both), names(&[0, 9]));
    let paged = |txn: &mut Transaction| {
        let first = txn.range(all()).unwrap().keys().nth(1).unwrap();
        assert_eq!(txn.range(all()).unwrap().after(&first).limit(2).count(), 2);
    };
    assert_eq!(conflicts_of(paged), names(&[0, 1, 2, 3]));
    // A leaked iterator counts as one that read all of its range.
    let leaked = |txn: &mut Transaction| {
        let mut range = txn.range(all()).unwrap();
        range.next();
        std::mem::forget(range);
    };
    assert_eq!(conflicts_of(leaked).len(), 10);
}
