//! Every public function is used in an example of its file's documentation, which `cargo test --doc` compiles
//! and runs.

use std::fs;
use std::path::{Path, PathBuf};

/// What a file declares, and what its examples say.
#[derive(Default)]
struct File {
    functions: Vec<String>,
    examples: String,
}

fn read(text: &str) -> File {
    let mut file = File::default();
    let (mut in_block, mut is_example) = (false, false);
    for line in text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default().lines() {
        let line = line.trim_start();
        if let Some(doc) = line.strip_prefix("///").or_else(|| line.strip_prefix("//!")) {
            if let Some(kind) = doc.trim().strip_prefix("```") {
                in_block = !in_block;
                is_example = kind.is_empty();
            } else if in_block && is_example {
                file.examples.push_str(doc);
                file.examples.push('\n');
            }
        } else if let Some(declared) = line.strip_prefix("pub ") {
            let declared = declared.strip_prefix("const ").unwrap_or(declared);
            if let Some(function) = declared.strip_prefix("fn ") {
                let name = function.split(|c: char| !c.is_alphanumeric() && c != '_').next();
                file.functions.extend(name.map(str::to_owned));
            }
        }
    }
    file
}

/// Whether a function of that name is called.
fn calls(examples: &str, function: &str) -> bool {
    examples.match_indices(function).any(|(at, _)| {
        let before = examples[..at].chars().next_back();
        let after = &examples[at + function.len()..];
        !before.is_some_and(|before| before.is_alphanumeric() || before == '_')
            && (after.starts_with('(') || after.starts_with("::<"))
    })
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("the folder is there") {
        let path = entry.expect("it can be listed").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn every_public_function_is_called_in_an_example_of_its_file() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    sources(&src, &mut paths);
    paths.sort();
    let (mut missing, mut functions) = (Vec::new(), 0);
    for path in paths {
        let file = read(&fs::read_to_string(&path).expect("a source is text"));
        functions += file.functions.len();
        let without = file.functions.iter().filter(|function| !calls(&file.examples, function));
        let path = path.strip_prefix(&src).expect("it is in the folder").display();
        missing.extend(without.map(|function| format!("{path}: {function}")));
    }
    assert!(functions > 100, "only {functions} public functions were found");
    assert!(missing.is_empty(), "in no example:\n{}", missing.join("\n"));
}
