//! Varies what workloads leave open: how many keys, how skewed, how large values are, how long clients think,
//! in which bursts they work.
//!
//! Workloads have good values of their own, which most seeds keep. Fields are found by their names in
//! `Workload::parameters`; a workload of a user's own joins in by calling its fields the same.

use serde_json::Value;

use crate::seed::Stream;

/// Parameters that are called one of these names, and values that every workload with such a one can do with,
/// by weight.
struct Varied {
    /// With dots for those inside of others, as in `--set`.
    names: &'static [&'static str],
    values: &'static [(u32, u64)],
}

/// New ones go to the end: in another order, old seeds would draw other plans.
const VARIED: &[Varied] = &[
    Varied { names: &["skew_quarters"], values: &[(1, 0), (1, 2), (1, 4), (1, 8)] },
    // The largest value that there is costs as much as a hundred small seeds.
    Varied { names: &["sizes.bytes_max"], values: &[(5, 0), (5, 16), (5, 512), (5, 8_192), (1, 1 << 20)] },
    Varied {
        names: &[
            "keys", "accounts", "counters", "lists", "streams", "pairs", "machines", "rooms", "memories",
            "groups",
        ],
        values: &[(1, 2), (1, 4), (1, 16), (1, 48)],
    },
    Varied { names: &["think_micros_max"], values: &[(1, 0), (1, 100), (1, 5_000)] },
    Varied { names: &["burst.length"], values: &[(1, 0), (1, 1), (1, 3), (1, 20)] },
    Varied { names: &["burst.pause_micros_max"], values: &[(1, 50), (1, 5_000), (1, 200_000)] },
];

/// Varies some of the parameters in one seed of three. Draws the same number of times whatever parameters a
/// workload has.
pub(super) fn vary(parameters: &mut Value, stream: &mut Stream) -> bool {
    let varies = stream.weighted(&[(2, false), (1, true)]);
    let mut changed = false;
    for Varied { names, values } in VARIED {
        let (this_one, value) = (stream.chance(50), stream.weighted(values));
        if varies && this_one {
            changed |= set(parameters, names, value);
        }
    }
    changed
}

/// Sets the parameters of these names. Returns whether there was one.
fn set(parameters: &mut Value, names: &[&str], value: u64) -> bool {
    let mut found = false;
    for name in names {
        let place = parameters.pointer_mut(&format!("/{}", name.replace('.', "/")));
        if let Some(place) = place.filter(|place| place.is_u64()) {
            *place = value.into();
            found = true;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use serde_json::json;
    use stormproof_workloads::catalogue;

    use super::{VARIED, vary};
    use crate::seed::Seed;
    use crate::workload_params;

    #[test]
    fn a_third_of_the_seeds_varies_and_only_fields_that_are_there() {
        let (mut changed, mut large) = (0, 0);
        for seed in 0..300 {
            let mut parameters = json!({ "keys": 12, "sizes": { "bytes_max": 512 }, "attempts": 3 });
            changed += u64::from(vary(&mut parameters, &mut Seed(seed).streams().stream("parameters")));
            large += u64::from(parameters["sizes"]["bytes_max"] == 8_192);
            assert_eq!(parameters["attempts"], 3);
            assert_eq!(parameters.as_object().map(serde_json::Map::len), Some(3));
        }
        assert!((40..120).contains(&changed), "{changed} of 300");
        assert!(large > 3, "{large} of 300");
    }

    /// Of the workloads in the mix: skew, sizes up to a mebibyte, think times, bursts, numbers of keys.
    #[test]
    fn seeds_draw_every_value_of_every_parameter_that_workloads_share() {
        let mut drawn: BTreeMap<String, BTreeSet<u64>> = BTreeMap::new();
        for seed in 0..3_000 {
            for workload in catalogue::all() {
                let mut parameters = workload.parameters();
                vary(&mut parameters, &mut Seed(seed).streams().stream("parameters"));
                assert!(catalogue::by_name(workload.name(), parameters.clone()).is_some(), "{parameters}");
                for name in workload_params::names("", &parameters) {
                    let value = parameters.pointer(&format!("/{}", name.replace('.', "/")));
                    drawn.entry(name).or_default().extend(value.and_then(serde_json::Value::as_u64));
                }
            }
        }
        for varied in VARIED {
            for name in varied.names {
                let seen = drawn.get(*name).unwrap_or_else(|| panic!("no workload has {name}"));
                assert!(varied.values.iter().all(|(_, value)| seen.contains(value)), "{name}: {seen:?}");
            }
        }
    }
}
