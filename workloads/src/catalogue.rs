//! All workloads of ours, a file each.
//!
//! Each is plain data: its parameters, with defaults. [`all`] lists them, [`by_name`] makes one from its name and
//! parameters, as a trace keeps them.

mod bank;
mod cas_machine;
mod hotspot;

pub use bank::Bank;
pub use cas_machine::CasMachine;
pub use hotspot::Hotspot;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::plan::{Action, Client, Plan, Step};
use crate::store::Range;
use crate::workload::{Scale, Workload};

/// All of them, with their default parameters.
pub fn all() -> Vec<Box<dyn Workload>> {
    CATALOGUE.iter().filter_map(|(_, make)| make(serde_json::Value::Null)).collect()
}

/// The one with this name. `parameters` replaces those it names; `Null` replaces none.
pub fn by_name(name: &str, parameters: serde_json::Value) -> Option<Box<dyn Workload>> {
    let (_, make) = CATALOGUE.iter().find(|(known, _)| *known == name)?;
    make(parameters)
}

type Make = fn(serde_json::Value) -> Option<Box<dyn Workload>>;

const CATALOGUE: &[(&str, Make)] =
    &[(hotspot::NAME, make::<Hotspot>), (cas_machine::NAME, make::<CasMachine>), (bank::NAME, make::<Bank>)];

fn make<W: Workload + Default + DeserializeOwned + 'static>(
    parameters: serde_json::Value,
) -> Option<Box<dyn Workload>> {
    let workload =
        if parameters.is_null() { W::default() } else { serde_json::from_value(parameters).ok()? };
    Some(Box::new(workload))
}

/// The parameters of a workload as a value.
fn parameters_of(workload: &impl Serialize) -> serde_json::Value {
    serde_json::to_value(workload).unwrap_or_default()
}

/// Gives each client of `scale` as many actions as `next` makes of its number, and a seed.
fn clients(
    plan: &mut Plan,
    scale: &Scale,
    rng: &mut ChaCha8Rng,
    mut next: impl FnMut(u32, u32, &mut ChaCha8Rng) -> Action,
) {
    for (client, session) in (0..).zip(scale.sessions()) {
        let seed = rng.random();
        let actions = (0..scale.transactions).map(|number| next(client, number, rng)).collect();
        plan.clients.push(Client { session, seed, actions });
    }
    plan.set_isolation(scale.isolation);
}

/// Scans all keys that start with `prefix`.
fn scan_prefix(prefix: &str) -> Step {
    let Range { start, end } = Range::prefix(prefix.as_bytes());
    let text = |key: Vec<u8>| String::from_utf8_lossy(&key).into_owned();
    Step::Scan { start: text(start), end: end.map(text), limit: None, reverse: false }
}
