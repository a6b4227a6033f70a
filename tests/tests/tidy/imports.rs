//! Who imports whom: between crates as CONTRIBUTING.md says, and between the engine's modules without a
//! circle.

use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;

use super::{assert_none, files};

/// A folder of a crate, and the crates of ours that its code may use. Tests and examples may use more.
const RULES: &[(&str, &[&str])] = &[
    ("engine/env", &[]),
    ("engine/rt", &[]),
    ("workloads", &[]),
    ("reports", &[]),
    ("sim/rt", &[]),
    // The simulating runtime is optional: feature `simulation`, for tests of applications.
    ("engine", &["stormproof-env", "stormproof-rt", "stormproof-rt-shuttle"]),
    ("faults", &["stormproof-env"]),
    ("faults/fuse", &["stormproof-env", "stormproof-faults", "stormproof-rt"]),
    ("sim/oracle", &["stormproof-workloads"]),
    ("workloads/peers", &["stormproof-workloads"]),
];

#[test]
fn crates_depend_on_what_they_may() {
    let ours = Regex::new(r"(?m)^(?:[\w-]+ = \{ package = \x22)?(stormproof[\w-]*)").expect("a pattern");
    let mut faults = Vec::new();
    let manifests = files(&["toml"]);
    for (folder, allowed) in RULES {
        let path = format!("{folder}/Cargo.toml");
        let manifest = manifests.iter().find(|file| file.path == path).expect("a manifest");
        let section = manifest.text.split("dependencies]\n").nth(1).unwrap_or("");
        let section = section.split("\n[").next().unwrap_or("");
        for found in ours.captures_iter(section) {
            if !allowed.contains(&&found[1]) {
                faults.push(format!("{path}: {}", &found[1]));
            }
        }
    }
    assert_none(&faults, "CONTRIBUTING.md says who may import whom.");
}

/// Which top modules of the engine each top module names, tests and documentation excluded.
fn engine_modules() -> BTreeMap<String, BTreeSet<String>> {
    let import = Regex::new(r"crate::(?:\{([^}]*)\}|(\w+))").expect("a pattern");
    let name = Regex::new(r"\b([a-z_]+)\b").expect("a pattern");
    let sources = files(&["rs"]);
    let sources: Vec<_> = sources.iter().filter(|file| file.path.starts_with("engine/src/")).collect();
    let top = |path: &str| {
        let inside = path.trim_start_matches("engine/src/");
        inside.split('/').next().expect("a name").trim_end_matches(".rs").to_owned()
    };
    let modules: BTreeSet<_> = sources.iter().map(|file| top(&file.path)).collect();
    let mut imports: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for file in &sources {
        let module = top(&file.path);
        // What is exported from the root, and tests beside the code, see everything.
        if ["lib", "concurrency"].contains(&&*module) || file.path.contains("/tests") {
            continue;
        }
        let code = file.text.split("#[cfg(test)]").next().expect("code before the tests");
        let code: String = code.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
        for found in import.captures_iter(&code) {
            let names = found.get(1).or(found.get(2)).expect("a group").as_str();
            let named = name.find_iter(names).map(|name| name.as_str().to_owned());
            let named = named.filter(|name| modules.contains(name) && *name != module);
            imports.entry(module.clone()).or_default().extend(named);
        }
    }
    imports
}

/// A circle through `from`, if there is one.
fn circle(imports: &BTreeMap<String, BTreeSet<String>>, from: &str) -> Option<Vec<String>> {
    let mut paths = vec![vec![from.to_owned()]];
    let mut seen = BTreeSet::new();
    while let Some(path) = paths.pop() {
        for next in imports.get(path.last().expect("a start")).into_iter().flatten() {
            let longer: Vec<_> = path.iter().chain([next]).cloned().collect();
            if next == from {
                return Some(longer);
            }
            if seen.insert(next.clone()) {
                paths.push(longer);
            }
        }
    }
    None
}

#[test]
fn modules_of_the_engine_form_no_circle() {
    let imports = engine_modules();
    assert!(imports.len() > 10, "the engine has many modules: {imports:?}");
    let faults: Vec<_> = imports.keys().filter_map(|module| circle(&imports, module)).collect();
    let faults: Vec<_> = faults.iter().map(|circle| circle.join(" → ")).collect();
    assert_none(&faults, "A write falls one way: turn one of these imports around.");
}
