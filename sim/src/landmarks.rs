//! Names by which the simulator knows the engine's source, in one place.
//!
//! Labels and paths are no part of the engine's interface, so the compiler does not notice when one changes.
//! The tests of this module do.

/// The label of the engine's published version, an atomic integer.
pub(crate) const PUBLISHED: &str = "published";

/// The label of the newest version that is durable, an atomic integer.
pub(crate) const DURABLE: &str = "wal.durable_version";

/// Points at which a thread of the engine has begun work that others wait for: there is garbage to collect; a
/// leader has taken a group of commits; a group is written and not yet synced; a checkpoint has its snapshot.
pub(crate) const ENGINE_WINDOWS: [&str; 4] =
    ["collect all", "group taken", "group written", "checkpoint begun"];

/// The point at which a checkpoint has its name, durably, and nothing was removed yet.
pub(crate) const CHECKPOINT_PUBLISHED: &str = "checkpoint published";

/// Where the engine's source lies, in paths that the compiler puts into panics.
const ENGINE_SOURCE: &str = "engine/src/";

/// Returns whether a place (`file:line:column`) is in the engine.
pub(crate) fn is_in_engine(place: &str) -> bool {
    place.contains(ENGINE_SOURCE)
}

/// Returns the file of a place, as the engine names it: lines move, files seldom do.
pub(crate) fn file_of(place: &str) -> &str {
    let path = place.split(':').next().unwrap_or(place);
    path.rsplit_once(ENGINE_SOURCE).map_or(path, |(_, file)| file)
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::*;

    fn engine_source() -> String {
        let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(ENGINE_SOURCE)];
        let mut source = String::new();
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).expect("a folder of the engine") {
                let path: PathBuf = entry.expect("an entry").path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    source += &std::fs::read_to_string(path).expect("a file of the engine");
                }
            }
        }
        source
    }

    #[test]
    fn the_engine_has_every_label_that_is_named_here() {
        let source = engine_source();
        let labels = ENGINE_WINDOWS.into_iter().chain([CHECKPOINT_PUBLISHED]);
        let points: Vec<_> = labels.map(|label| format!("probe::at(\"{label}\")")).collect();
        let atomics = [PUBLISHED, DURABLE].map(|label| format!("AtomicU64::new(\"{label}\""));
        for needed in points.iter().chain(&atomics) {
            assert!(source.contains(needed), "{needed}");
        }
    }

    #[test]
    fn places_in_the_engine_are_told_from_others() {
        let place = "/home/me/stormproof/engine/src/wal/log.rs:7:9";
        assert!(is_in_engine(place));
        assert_eq!(file_of(place), "wal/log.rs");
        assert!(!is_in_engine("sim/src/run/mod.rs:1:1"));
        assert_eq!(file_of("sim/src/run/mod.rs:1:1"), "sim/src/run/mod.rs");
    }
}
