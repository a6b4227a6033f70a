//! What holds for every file of the workspace: citations of the contract, numbers of invariants, prose, names
//! in documents, and who imports whom.

mod contract;
mod documents;
mod imports;
mod invariants;
mod prose;

use std::fs;
use std::path::{Path, PathBuf};

/// A text file of the workspace.
struct File {
    /// Relative to the root, with forward slashes.
    path: String,
    text: String,
}

impl File {
    /// The lines with their numbers, from 1.
    fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(index, line)| (index + 1, line))
    }

    fn is(&self, extension: &str) -> bool {
        self.path.ends_with(&format!(".{extension}"))
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_owned()
}

/// All files with one of these extensions, build output and version control excluded.
fn files(extensions: &[&str]) -> Vec<File> {
    let root = root();
    let walk = walkdir::WalkDir::new(&root).sort_by_file_name().into_iter().filter_entry(|entry| {
        let name = entry.file_name().to_string_lossy();
        !(entry.depth() > 0 && name.starts_with('.')
            || ["target", "failures", "node_modules"].contains(&&*name))
    });
    let mut files = Vec::new();
    for entry in walk {
        let entry = entry.expect("a readable folder");
        let extension = entry.path().extension().unwrap_or_default().to_string_lossy().into_owned();
        if entry.file_type().is_file() && extensions.contains(&&*extension) {
            let path = entry.path().strip_prefix(&root).expect("inside of the root");
            let path = path.to_string_lossy().replace('\\', "/");
            files.push(File { path, text: fs::read_to_string(entry.path()).expect("text") });
        }
    }
    assert!(!files.is_empty(), "no file with {extensions:?}");
    files
}

/// Fails with all faults, one a line.
fn assert_none(faults: &[String], remedy: &str) {
    assert!(faults.is_empty(), "{} faults. {remedy}\n{}", faults.len(), faults.join("\n"));
}

/// The comment on a line of Rust: what follows the first `//`.
fn comment(line: &str) -> Option<&str> {
    line.find("//").filter(|at| !line[..*at].ends_with(':')).map(|at| &line[at..])
}
