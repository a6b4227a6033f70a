//! How fast the simulated disk is: `cargo run --release -p stormproof-faults --example speed`.
//!
//! One run is what a short simulation does: zero a segment (of 4 MiB, or as many bytes as the argument says)
//! in advance, append 60 records with a sync each, write a checkpoint, crash, read everything, three lives
//! long, with a few rare faults enabled.

use stormproof_env::{Disk, OpenMode, read_up_to_at, write_all_at};
use stormproof_faults::{
    CrashOdds, DiskOptions, EnumerationLimits, FaultKind, FaultPlan, FaultRule, Odds, SimDisk,
};

fn main() {
    let runs = 2_000;
    let segment = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(4 << 20);
    let began = now();
    let mut operations = 0;
    let mut digest = 0;
    for seed in 0..runs {
        let disk = run(seed, segment);
        operations += disk.operations();
        digest ^= disk.snapshot().digest();
    }
    let seconds = began.elapsed().as_secs_f64();
    println!(
        "{:.0} runs/s, {:.0} operations/s, {:.0} operations/run, digest {digest:032x}",
        runs as f64 / seconds,
        operations as f64 / seconds,
        operations as f64 / runs as f64
    );

    let disk = SimDisk::default();
    disk.start_recording();
    life(&*disk.mount(), 0, 1 << 16);
    let recording = disk.take_recording().expect("nothing ended it");
    let began = now();
    let mut states = recording.crash_states(EnumerationLimits::default());
    let count = states.by_ref().count();
    let seconds = began.elapsed().as_secs_f64();
    println!("{count} crash states, {:.0}/s, {:?}", count as f64 / seconds, states.summary());
}

fn run(seed: u64, segment: usize) -> SimDisk {
    let rules = [
        FaultRule::new(FaultKind::ShortWrite, Odds::per_mille(5)),
        FaultRule::new(FaultKind::Stall, Odds::per_mille(5)),
        FaultRule::new(FaultKind::SyncDropsPages, Odds::per_mille(1)).at_most(1),
        FaultRule::new(FaultKind::BitRot, Odds::per_mille(1)).at_most(1),
    ];
    let faults = FaultPlan::random(seed, rules);
    let disk = SimDisk::new(DiskOptions { faults, ..DiskOptions::default() });
    for round in 0..3 {
        life(&*disk.mount(), round, segment);
        disk.crash(&CrashOdds::default(), seed * 3 + round);
    }
    disk
}

/// Errors are fine: faults are enabled.
fn life(disk: &dyn Disk, round: u64, segment: usize) {
    let mut buffer = vec![0; 1 << 16];
    for name in disk.list().unwrap_or_default() {
        if let Ok(file) = disk.open(&name, OpenMode::Read) {
            let _ = read_up_to_at(&*file, 0, &mut buffer);
        }
    }
    let Ok(wal) = disk.open(&format!("wal-{round}.log"), OpenMode::CreateNew) else { return };
    let _ = write_all_at(&*wal, 0, &vec![0; segment]);
    let _ = wal.sync_all();
    let _ = disk.sync_dir();
    for record in 0..60 {
        let _ = write_all_at(&*wal, record * 200, &[record as u8 + 1; 200]);
        let _ = wal.sync_data();
    }
    if let Ok(checkpoint) = disk.open("checkpoint.tmp", OpenMode::CreateNew) {
        let _ = write_all_at(&*checkpoint, 0, &[9; 20_000]);
        let _ = checkpoint.sync_all();
        let _ = disk.rename("checkpoint.tmp", "checkpoint");
        let _ = disk.sync_dir();
    }
    let _ = write_all_at(&*wal, 60 * 200, &[1; 3000]);
}

#[expect(clippy::disallowed_methods, reason = "this measures")]
fn now() -> std::time::Instant {
    std::time::Instant::now()
}
