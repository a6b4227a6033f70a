//! Every form of a range, forwards, backwards and cut short, over what is stored and what the transaction
//! wrote.

use std::collections::BTreeMap;
use std::ops::Bound;

use stormproof::{Database, Entry, KeyRange, ScanOptions, Transaction};

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
        let key = String::from_utf8(entry.key.user_key().to_vec()).unwrap();
        (key, i64::try_from(entry.value).unwrap())
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
                let mut options = ScanOptions::new().limit(limit);
                if reverse {
                    options = options.reverse();
                }
                let entries = txn.scan_with(range, options).unwrap();
                let wanted = expected(model, *bounds, (reverse, limit));
                assert_eq!(found(entries), wanted, "{range:?}, reverse: {reverse}, limit: {limit}");
            }
        }
    }
    let empty = txn.scan(high.as_str()..low.as_str()).unwrap();
    assert!(empty.is_empty(), "a range that ends before it begins holds {empty:?}");
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
