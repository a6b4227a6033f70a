//! Varies what workloads leave open: how many keys, how skewed, how large values are, how long clients think.
//!
//! Workloads have good values of their own, which most seeds keep. Fields are found by their names in
//! `Workload::parameters`; a workload of a user's own joins in by calling its fields the same.

use serde_json::Value;

use crate::seed::Stream;

/// Names of fields, and values that every workload with such a field can do with.
const VARIED: &[(&[&str], &[u64])] = &[
    (&["skew_quarters"], &[0, 2, 4, 8]),
    (&["sizes"], &[0, 16, 512, 8_192]),
    (
        &[
            "keys", "accounts", "counters", "lists", "streams", "pairs", "machines", "rooms", "memories",
            "groups",
        ],
        &[2, 4, 16, 48],
    ),
    (&["think_micros_max"], &[0, 100, 5_000]),
];

/// Varies some of the parameters in one seed of three. Draws the same number of times whatever they are.
pub(super) fn vary(parameters: &mut Value, stream: &mut Stream) -> bool {
    let varies = stream.weighted(&[(2, false), (1, true)]);
    let mut changed = false;
    for (names, values) in VARIED {
        let choices: Vec<_> = values.iter().map(|&value| (1, value)).collect();
        let (this_one, value) = (stream.chance(50), stream.weighted(&choices));
        if varies && this_one {
            changed |= set(parameters, names, value);
        }
    }
    changed
}

/// Sets the fields of these names, and of sizes the largest. Returns whether there was one.
fn set(parameters: &mut Value, names: &[&str], value: u64) -> bool {
    let Value::Object(fields) = parameters else { return false };
    let mut found = false;
    for (_, field) in fields.iter_mut().filter(|(name, _)| names.contains(&name.as_str())) {
        let number = match field {
            Value::Object(sizes) => sizes.get_mut("bytes_max"),
            number => Some(number),
        };
        if let Some(number) = number.filter(|number| number.is_u64()) {
            *number = value.into();
            found = true;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::vary;
    use crate::seed::Seed;

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
}
