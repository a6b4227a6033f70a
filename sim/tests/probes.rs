//! The probes see what snapshot isolation lets through, and nothing under serializable isolation; the page of
//! workloads says what there is.

mod support;

use stormproof_sim::registry::Registry;
use stormproof_sim::workload_params::names;

use support::{json, stormproof};

#[test]
fn write_skew_and_phantoms_appear_under_snapshot_isolation_and_never_under_serializable() {
    let folder = tempfile::tempdir().unwrap();
    for (workload, rule) in [("write-skew", "no write skew"), ("phantom", "no phantom")] {
        let sighting = format!("{workload}: {rule}");
        let sweep = |isolation: &str| {
            let arguments =
                ["sweep", "--seeds", "0..60", "--json", "--workload", workload, "--isolation", isolation];
            let output = stormproof(folder.path(), &arguments);
            let document = json(&output);
            assert_eq!(output.status.code(), Some(0), "{document:#}");
            document["stats"]["sightings"][&sighting]["seeds"].as_u64().unwrap_or(0)
        };
        assert!(sweep("snapshot") > 0, "{workload} saw nothing in 60 seeds");
        assert_eq!(sweep("serializable"), 0, "{workload}");
    }
}

#[test]
fn the_page_of_workloads_has_each_with_its_parameters_and_their_defaults() {
    let page =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../workloads/README.md")).unwrap();
    for workload in Registry::default().all() {
        let row = format!("| `{}` |", workload.name());
        let row = page.lines().find(|line| line.starts_with(&row)).unwrap_or_else(|| panic!("no {row}"));
        assert!(row.contains(workload.about().stresses) && row.contains(workload.about().invariant), "{row}");
        let parameters = workload.parameters();
        for name in names("", &parameters) {
            let value = parameters.pointer(&format!("/{}", name.replace('.', "/"))).expect("it is there");
            assert!(row.contains(&format!("`{name}={value}`")), "{row} does not say {name}={value}");
        }
    }
}
