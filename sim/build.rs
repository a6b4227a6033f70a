//! Collects the names in `reached!("…")` from the engine's source: a campaign reports those that it never came to.

use std::collections::BTreeSet;
use std::path::Path;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let manifest = env::var("CARGO_MANIFEST_DIR").map_err(io::Error::other)?;
    let out = env::var("OUT_DIR").map_err(io::Error::other)?;
    let source = Path::new(&manifest).join("../engine/src");
    println!("cargo::rerun-if-changed={}", source.display());
    let mut names = BTreeSet::new();
    collect(&source, &mut names)?;
    let list: String = names.iter().map(|name| format!("    {name:?},\n")).collect();
    let text = format!("/// All marks, sorted.\npub const ALL: &[&str] = &[\n{list}];\n");
    fs::write(Path::new(&out).join("marks.rs"), text)
}

fn collect(folder: &Path, names: &mut BTreeSet<String>) -> io::Result<()> {
    // Published alone, the crate has no engine source beside it, and no marks to miss.
    let Ok(entries) = fs::read_dir(folder) else { return Ok(()) };
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, names)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path)?;
            names.extend(
                text.split("reached!(\"").skip(1).filter_map(|rest| Some(rest.split_once('"')?.0.into())),
            );
        }
    }
    Ok(())
}
