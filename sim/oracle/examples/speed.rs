//! What checking costs: list-append histories from 1 K to 1 M transactions, for strict serializability.
//!
//! `cargo run --release -p stormproof-oracle --example speed -- [MAX_TRANSACTIONS]`
//!
//! The history is valid: 32 clients, each transaction one to four operations on 100 lists at a time, a list retired
//! after 256 elements, as in the list-append workload of Jepsen. Time is of the check alone, on the wall and on the
//! processor (which tells the truth on a busy machine); memory is the process's peak, the history
//! included.
#![expect(clippy::disallowed_methods, reason = "measures real time")]

use std::time::Instant;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use stormproof_oracle::{Level, Standing, levels};
use stormproof_workloads::History;
use stormproof_workloads::history::{Op, Outcome, Txn};
use stormproof_workloads::store::Isolation;

const CLIENTS: u64 = 32;
const LISTS: u64 = 100;
const ELEMENTS_MAX: usize = 256;

fn main() {
    let max: usize = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(1_000_000);
    println!(
        "{:>9} {:>9} {:>12} {:>10} {:>10} {:>10}",
        "txns", "ops", "elements", "check s", "us/txn", "peak MiB"
    );
    for txns in [1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000] {
        if txns > max {
            break;
        }
        let history = list_append(txns);
        let ops: usize = history.txns.iter().map(|txn| txn.ops.len()).sum();
        let elements: usize = history
            .txns
            .iter()
            .flat_map(|txn| &txn.ops)
            .map(|op| if let Op::List { elements, .. } = op { elements.len() } else { 0 })
            .sum();
        let (start, cpu) = (Instant::now(), cpu_seconds());
        let table = levels(&history, Some(Level::StrictSerializable), 1_000_000);
        let (seconds, cpu) = (start.elapsed().as_secs_f64(), cpu_seconds() - cpu);
        assert_eq!(table.standing(Level::StrictSerializable), Some(&Standing::Holds));
        println!("{txns:>9} {ops:>9} {elements:>12} {seconds:>10.3} {:>10.2} {:>10}", cpu, peak_mib());
    }
}

fn list_append(count: usize) -> History {
    let mut rng = ChaCha8Rng::seed_from_u64(6);
    let mut lists: Vec<(u64, Vec<Vec<u8>>)> = (0..LISTS).map(|name| (name, Vec::new())).collect();
    let (mut fresh_list, mut fresh_element) = (LISTS, 0_u64);
    let mut txns = Vec::with_capacity(count);
    for index in 0..count as u64 {
        let mut ops = Vec::new();
        for _ in 0..1 + rng.next_u64() % 4 {
            let at = usize::try_from(rng.next_u64() % LISTS).unwrap_or(0);
            let list = &mut lists[at];
            let key = list.0.to_string().into_bytes();
            if rng.next_u64().is_multiple_of(2) {
                fresh_element += 1;
                let element = fresh_element.to_string().into_bytes();
                list.1.push(element.clone());
                ops.push(Op::Append { key, element });
            } else {
                ops.push(Op::List { key, elements: list.1.clone(), version: None });
            }
        }
        for list in &mut lists {
            if list.1.len() >= ELEMENTS_MAX {
                *list = (fresh_list, Vec::new());
                fresh_list += 1;
            }
        }
        // Transactions overlap: each is called before the last few were acked.
        let (begun, invoked, acked) = (index * 10, index * 10 + 40, index * 10 + 41 + rng.next_u64() % 9);
        txns.push(Txn {
            index: u32::try_from(index).unwrap_or(0),
            session: u32::try_from(index % CLIENTS).unwrap_or(0),
            life: 0,
            begun,
            start_version: None,
            isolation: Isolation::Serializable,
            ops,
            outcome: Outcome::Committed { invoked, acked, version: None, durable: None },
        });
    }
    History { lives: Vec::new(), txns }
}

/// Processor time of this process so far, where the system says, to a hundredth of a second.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(") ").next().unwrap_or("");
    let fields: Vec<f64> = after_name.split(' ').map(|field| field.parse().unwrap_or(0.0)).collect();
    (fields.get(11).unwrap_or(&0.0) + fields.get(12).unwrap_or(&0.0)) / 100.0
}

/// The most memory that this process had, where the system says.
fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap_or("");
    let kib: u64 = line.split_whitespace().nth(1).and_then(|text| text.parse().ok()).unwrap_or(0);
    kib / 1024
}
