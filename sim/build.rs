//! Collects what a campaign must know of its own code: the names in `reached!("…")` of the engine's source,
//! so that it can report those that it never reached, and a digest of all sources, so that shards of
//! different code are told apart.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// Every source that decides what a seed does, and what is said of it.
const SOURCES: [&str; 9] = [
    "../engine/src",
    "../engine/env/src",
    "../engine/rt/src",
    "../faults/src",
    "../workloads/src",
    "../reports/src",
    "oracle/src",
    "rt/src",
    "src",
];

fn main() -> io::Result<()> {
    let manifest = PathBuf::from(env::var("CARGO_MANIFEST_DIR").map_err(io::Error::other)?);
    let out = env::var("OUT_DIR").map_err(io::Error::other)?;
    let mut names = BTreeSet::new();
    let mut digest = Fnv::default();
    for folder in SOURCES {
        println!("cargo::rerun-if-changed={}", manifest.join(folder).display());
        for file in files(&manifest.join(folder))? {
            let text = fs::read_to_string(&file)?;
            digest.add(file.strip_prefix(&manifest).unwrap_or(&file).to_string_lossy().as_bytes());
            digest.add(text.as_bytes());
            if folder == SOURCES[0] {
                names.extend(marks(&text));
            }
        }
    }
    println!("cargo::rustc-env=STORMPROOF_SOURCE={:016x}", digest.0);
    // Not asked of git: a binary would have to be built again for every commit, whatever it changes.
    println!("cargo::rerun-if-env-changed=STORMPROOF_COMMIT");
    let list: String = names.iter().map(|name| format!("    {name:?},\n")).collect();
    let text = format!("/// All marks, sorted.\npub const ALL: &[&str] = &[\n{list}];\n");
    fs::write(Path::new(&out).join("marks.rs"), text)
}

/// The Rust files in a folder, sorted. Published alone, the crate has no other sources beside it.
fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let Ok(entries) = fs::read_dir(folder) else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(files(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn marks(text: &str) -> impl Iterator<Item = String> {
    text.split("reached!(\"").skip(1).filter_map(|rest| Some(rest.split_once('"')?.0.into()))
}

/// FNV-1a (Fowler, Noll, Vo): a build script must not depend on what it builds.
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv {
    fn add(&mut self, bytes: &[u8]) {
        for &byte in bytes.iter().chain(&[0]) {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
        }
    }
}
