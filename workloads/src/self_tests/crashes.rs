//! Clients that are cut by a crash go on in the next life.

use std::sync::Arc;

use super::interleaved::{Trial, try_out};
use crate::catalogue;
use crate::workload::Workload;

#[test]
fn every_workload_holds_when_clients_are_cut_and_go_on() {
    for workload in catalogue::all() {
        let workload: Arc<dyn Workload> = Arc::from(workload);
        for seed in 0..15 {
            let tried = try_out(&workload, Trial { crashes: 3, ..Trial::of(seed) });
            let broken: Vec<_> = tried.findings.iter().filter(|finding| finding.violation).collect();
            assert!(broken.is_empty(), "{} with seed {seed}: {broken:#?}", workload.name());
            assert_eq!(tried.history.lives.len(), 4);
        }
    }
}
