//! Power cuts.

use stormproof_faults::{CrashOdds, CrashStyle, DiskOptions, SimDisk};

use super::support::{Content, Store, recovered, sim_disk, small};
use crate::error::Result;
use crate::types::Version;
use crate::value::Value;
use crate::wal::LogOptions;

#[test]
fn what_was_acked_is_there_after_a_power_cut() {
    rt::check(|| {
        let disk = sim_disk();
        let mut store = Store::open(disk.mount(), small()).unwrap();
        for number in 0..40 {
            store.put(&format!("key {}", number % 7), number).unwrap();
        }
        store.commit(&[("key 1", None), ("new", Some(Value::Null))]).unwrap();
        disk.crash(&CrashOdds::lose_all(), 1);
        let after = Store::open(disk.mount(), small()).unwrap();
        assert_eq!(after.content, store.content);
        assert_eq!(after.opened.last_version, store.last_version());
        assert!(after.opened.report.segments > 2, "{:?}", after.opened.report);
        assert!(after.opened.first_version > store.last_version());
    });
}
