//! Prose is as wide as code, and nothing is left for later.

use regex::Regex;

use super::{File, assert_none, comment, files};

const COLUMNS_MAX: usize = 110;

/// Lines of a document that may be longer: tables, links, and what stands between fences.
fn wide_lines(file: &File) -> Vec<(usize, usize)> {
    let mut fenced = false;
    let mut wide = Vec::new();
    for (number, line) in file.lines() {
        let Some(text) = (if file.is("md") { Some(line) } else { comment(line) }) else { continue };
        let text = text.trim_start_matches(['/', '!', ' ']);
        if text.starts_with("```") {
            fenced = !fenced;
        }
        let prose = !fenced && !text.starts_with(['|', '#']);
        let columns = line.chars().count();
        if prose && columns > COLUMNS_MAX && !line.contains("](") && !line.contains("://") {
            wide.push((number, columns));
        }
    }
    wide
}

#[test]
fn prose_fits_in_110_columns() {
    let mut faults = Vec::new();
    for file in files(&["rs", "md"]) {
        // Reports are as wide as what they report.
        if file.path.starts_with("reports/examples/") || file.path.starts_with("reports/templates/") {
            continue;
        }
        for (number, columns) in wide_lines(&file) {
            faults.push(format!("{}:{number}: {columns} columns", file.path));
        }
    }
    assert_none(&faults, "Break lines of prose at 110 columns.");
}

#[test]
fn nothing_is_left_for_later() {
    let left = Regex::new(r"\b(TODO|FIXME|XXX|HACK)\b|\b(todo|unimplemented)!\(").expect("a pattern");
    let mut faults = Vec::new();
    for file in files(&["rs", "md", "toml", "yml", "sh"]) {
        if file.path.starts_with("tests/tests/tidy/") {
            continue;
        }
        for (number, line) in file.lines() {
            if left.is_match(line) {
                faults.push(format!("{}:{number}: {}", file.path, line.trim()));
            }
        }
    }
    assert_none(&faults, "Finish it, or say in the documents what is missing.");
}

/// Where code prints nothing: what it has to say, it returns. A simulated test is none: it tells its figures.
const SILENT: [&str; 9] = [
    "engine/src/",
    "engine/env/src/",
    "engine/rt/src/",
    "faults/src/",
    "reports/src/",
    "sim/oracle/src/",
    "sim/rt/src/",
    "sim/src/",
    "workloads/src/",
];

#[test]
fn libraries_print_nothing() {
    let print = Regex::new(r"^\s*(e?print(ln)?|dbg)!").expect("a pattern");
    let mut faults = Vec::new();
    for file in files(&["rs"]) {
        // A comparison that is run by hand, and prints its table.
        if file.path.ends_with("/beside_batsat.rs") || !SILENT.iter().any(|part| file.path.starts_with(part))
        {
            continue;
        }
        let printed = file.lines().filter(|(_, line)| print.is_match(line));
        faults.extend(printed.map(|(number, line)| format!("{}:{number}: {}", file.path, line.trim())));
    }
    assert_none(&faults, "A line that was printed to find a fault was left.");
}

#[test]
fn words_are_the_fields() {
    let dialect =
        Regex::new(r"(?i)\b(nobody|whoever|so many|how-many-th|of no account|in vain|its sleeve)\b")
            .expect("a pattern");
    let mut faults = Vec::new();
    for file in files(&["rs", "md"]) {
        if file.path.starts_with("tests/tests/tidy/") {
            continue;
        }
        for (number, line) in file.lines() {
            let prose = if file.is("md") { Some(line) } else { comment(line) };
            if let Some(found) = prose.and_then(|prose| dialect.find(prose)) {
                faults.push(format!("{}:{number}: {}", file.path, found.as_str()));
            }
        }
    }
    assert_none(&faults, "Say it in the field's terms.");
}
