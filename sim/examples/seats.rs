//! A workload of your own, built into a binary of your own: `cargo run --example seats -- sweep --isolation
//! serializable`. (Snapshot isolation, which half of all seeds draw unless told otherwise, does overbook: it
//! lets phantoms through.)
//!
//! A room has ten seats. Clients reserve one if the room still has some, or give theirs back. However many
//! reserve at the same moment, whatever crashes: no room is ever overbooked.

use std::process::ExitCode;
use std::sync::Arc;

use rand::RngExt;
use stormproof_sim::cli;
use stormproof_workloads::store::Result;
use stormproof_workloads::{About, Evidence, Finding, Tx, Workload};

const ROOMS: u32 = 2;
const SEATS: usize = 10;

struct Seats;

impl Workload for Seats {
    fn name(&self) -> &str {
        "seats"
    }

    fn about(&self) -> About {
        About { stresses: "ranges that are counted, and written into", invariant: "no room is overbooked" }
    }

    /// One transaction of a client; also called for the steps `setup` and `audit`.
    fn call(&self, txn: &mut Tx<'_>, step: &str) -> Result<()> {
        let room = format!("room/{}/", txn.rng().random_range(0..ROOMS));
        let own = format!("{room}client-{}", txn.session());
        let taken = txn.scan_prefix(&room)?;
        txn.assert("no room is overbooked", taken.len() <= SEATS, || {
            format!("{room} has {SEATS} seats, of which {} are taken", taken.len())
        });
        if step != "step" {
            return Ok(());
        }
        let mine = taken.iter().find(|entry| entry.key.starts_with(own.as_bytes()));
        match mine {
            Some(seat) if txn.rng().random_bool(0.4) => txn.delete(&seat.key),
            _ if taken.len() < SEATS => txn.put(format!("{own}/{}", txn.index()), "reserved"),
            _ => Ok(()),
        }
    }

    /// `Tx::assert` has seen it all, in the audit too.
    fn check(&self, _evidence: &Evidence<'_>) -> Vec<Finding> {
        Vec::new()
    }
}

fn main() -> ExitCode {
    cli::main_with(vec![Arc::new(Seats)])
}
