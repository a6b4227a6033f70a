//! Files and symbols that documents name exist.

use std::collections::BTreeSet;
use std::path::Path;

use regex::Regex;

use super::{File, assert_none, files, root};

/// What stands in backticks outside of fenced blocks, with its line.
fn quoted(file: &File) -> Vec<(usize, String)> {
    let code = Regex::new(r"`([^`\s]+)`").expect("a pattern");
    let mut fenced = false;
    let mut found = Vec::new();
    for (number, line) in file.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        if !fenced {
            found.extend(code.captures_iter(line).map(|code| (number, code[1].to_owned())));
        }
    }
    found
}

/// Documents that tell of the source as it is; a changelog tells of what was.
fn documents() -> Vec<File> {
    let mut documents = files(&["md"]);
    documents.retain(|file| {
        file.path != "CHANGELOG.md"
            && !file.path.starts_with("reports/examples/")
            && !file.path.starts_with("workloads/known-bugs/")
    });
    documents
}

/// Whether `name` exists seen from the document, its crate's source, or the root.
fn exists(document: &str, name: &str) -> bool {
    let root = root();
    let folder = Path::new(document).parent().expect("a folder");
    folder.ancestors().any(|base| {
        let base = root.join(base);
        base.join(name).exists()
            || base.join("src").join(name).exists()
            || base.join("tests").join(name).exists()
    })
}

#[test]
fn files_that_documents_name_exist() {
    let path = Regex::new(r"^[\w./-]+/[\w.-]+\.(rs|md|toml|yml|yaml|sh|script|trace)$").expect("a pattern");
    let mut faults = Vec::new();
    for document in documents() {
        for (number, name) in quoted(&document) {
            // In guides, `src/…` is the reader's own.
            let readers = document.path.contains("/guides/") && name.starts_with("src/");
            if path.is_match(&name) && !readers && !exists(&document.path, &name) {
                faults.push(format!("{}:{number}: {name}", document.path));
            }
        }
    }
    assert_none(
        &faults,
        "Name the file as it is called now, from the document's folder, its `src` or the root.",
    );
}

#[test]
fn symbols_that_documents_name_exist() {
    let symbol = Regex::new(r"^[A-Za-z_]\w*(::[A-Za-z_]\w*)+(\(\))?$").expect("a pattern");
    let word = Regex::new(r"[A-Za-z_]\w*").expect("a pattern");
    let mut words = BTreeSet::new();
    for source in files(&["rs", "toml"]) {
        words.extend(word.find_iter(&source.text).map(|word| word.as_str().to_owned()));
        // Modules are named by their files.
        words.extend(word.find_iter(&source.path).map(|word| word.as_str().to_owned()));
    }
    let mut faults = Vec::new();
    for document in documents() {
        for (number, name) in quoted(&document) {
            let ours = symbol.is_match(&name) && !name.starts_with("std::");
            if ours && word.find_iter(&name).any(|part| !words.contains(part.as_str())) {
                faults.push(format!("{}:{number}: {name}", document.path));
            }
        }
    }
    assert_none(&faults, "Name the symbol as it is called now.");
}
