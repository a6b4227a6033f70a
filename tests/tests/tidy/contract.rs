//! Every citation of the contract exists in `engine/CONTRACT.md`, and every row there is cited.

use std::collections::BTreeSet;

use regex::Regex;

use super::{assert_none, comment, files};

const PAGE: &str = "engine/CONTRACT.md";

/// The contract's sections (`§3`) and rows (`V1`).
struct Contract {
    codes: BTreeSet<String>,
    /// Rows that are kept, and so are cited.
    rows: BTreeSet<String>,
}

impl Contract {
    fn read() -> Self {
        let pages = files(&["md"]);
        let page = pages.iter().find(|file| file.path == PAGE).expect(PAGE);
        let section = Regex::new(r"(?m)^## (\d+)\. ").expect("a pattern");
        // A row marked ○ is not kept yet, so it need not be cited.
        let row = Regex::new(r"(?m)^\| ([VDARN]\d+)( ○)? \|").expect("a pattern");
        let found = || row.captures_iter(&page.text);
        let all = found().map(|found| found[1].to_owned());
        let kept = found().filter(|found| found.get(2).is_none()).map(|found| found[1].to_owned());
        let sections = section.captures_iter(&page.text).map(|found| format!("§{}", &found[1]));
        Self { codes: sections.chain(all).collect(), rows: kept.collect() }
    }
}

/// Where a text of ours cites something: comments of Rust, strings that are a code alone, and all of a
/// document.
fn citations() -> Vec<(String, String)> {
    let code = Regex::new(r"§\d+|\b[VDARN]\d+\b").expect("a pattern");
    let quoted = Regex::new(r#""(§\d+|[VDARN]\d+)""#).expect("a pattern");
    let mut found = Vec::new();
    for file in files(&["rs", "md"]) {
        if file.path == PAGE || file.path.starts_with("tests/tests/tidy/") || is_of_others(&file.path) {
            continue;
        }
        for (number, line) in file.lines() {
            let place = format!("{}:{number}", file.path);
            let prose = if file.is("md") { Some(line) } else { comment(line) };
            let cited = prose.into_iter().flat_map(|prose| code.find_iter(prose)).map(|cited| cited.as_str());
            let named = quoted.captures_iter(if file.is("rs") { line } else { "" });
            let named = named.map(|named| named.get(1).expect("a group").as_str());
            found.extend(cited.chain(named).map(|cited| (place.clone(), cited.to_owned())));
        }
    }
    found
}

/// Documents about other papers and products, whose sections are theirs.
fn is_of_others(path: &str) -> bool {
    path.starts_with("workloads/known-bugs/") || path == "workloads/FINDINGS.md"
}

#[test]
fn what_is_cited_stands_in_the_contract() {
    let contract = Contract::read();
    // Sections of papers are cited with the paper: "Fraser 2004, §5.2.3".
    let faults: Vec<_> = citations()
        .into_iter()
        .filter(|(_, code)| !contract.codes.contains(code))
        .map(|(place, code)| format!("{place}: {code}"))
        .collect();
    assert_none(&faults, "Cite sections and rows of engine/CONTRACT.md only.");
}

#[test]
fn every_row_of_the_contract_is_cited() {
    let cited: BTreeSet<_> = citations().into_iter().map(|(_, code)| code).collect();
    let faults: Vec<_> = Contract::read().rows.into_iter().filter(|row| !cited.contains(row)).collect();
    assert_none(&faults, "Cite the row where it is kept, or where it is checked.");
}

#[test]
fn requirement_rows_are_cited_nowhere() {
    let planning = Regex::new(r"\b[ES]\d{1,2}\b|\bSEMANTICS\b|\bREQUIREMENTS\b").expect("a pattern");
    let mut faults = Vec::new();
    for file in files(&["rs", "md", "script"]) {
        if file.path.starts_with("tests/tests/tidy/") {
            continue;
        }
        for (number, line) in file.lines() {
            if let Some(found) = planning.find(if file.is("rs") { comment(line).unwrap_or("") } else { line })
            {
                faults.push(format!("{}:{number}: {}", file.path, found.as_str()));
            }
        }
    }
    assert_none(&faults, "Use a row of engine/CONTRACT.md, or words.");
}
