//! Invariants have one number each (`INV-WAL-2: …`, where it is defined), and citations name one that exists.

use std::collections::BTreeMap;

use regex::Regex;

use super::{assert_none, files};

#[test]
fn invariants_have_one_number_each_and_citations_exist() {
    let pattern = Regex::new(r"INV-[A-Z]+-\d+(:?)").expect("a pattern");
    let mut defined: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut cited = Vec::new();
    for file in files(&["rs", "md"]) {
        if file.path.starts_with("tests/tests/tidy/") {
            continue;
        }
        for (number, line) in file.lines() {
            for found in pattern.captures_iter(line) {
                let name = found[0].trim_end_matches(':').to_owned();
                let place = format!("{}:{number}", file.path);
                if found[1].is_empty() {
                    cited.push((name, place));
                } else {
                    defined.entry(name).or_default().push(place);
                }
            }
        }
    }
    let doubled = defined.iter().filter(|(_, places)| places.len() > 1);
    let mut faults: Vec<_> =
        doubled.map(|(name, places)| format!("{name} is defined at {}", places.join(" and "))).collect();
    let unknown = cited.iter().filter(|(name, _)| !defined.contains_key(name));
    faults.extend(unknown.map(|(name, place)| format!("{place}: {name} is defined nowhere")));
    assert_none(&faults, "Number invariants by their module, once; a definition ends with a colon.");
}
