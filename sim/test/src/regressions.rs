//! Failures that are kept: traces under `simulation-regressions/` of the crate, which run first.

use std::path::{Path, PathBuf};

use stormproof_sim::trace::Trace;

use crate::options::Options;

/// The folder of kept failures.
const FOLDER: &str = "simulation-regressions";

/// Where the failures of one test are kept; nowhere if its crate is not known.
#[derive(Clone, Debug)]
pub(crate) struct Regressions {
    folder: Option<PathBuf>,
    name: String,
}

impl Regressions {
    pub(crate) fn new(options: &Options) -> Self {
        let folder = options.manifest_dir.as_ref().map(|dir| dir.join(FOLDER));
        Self { folder, name: file_name(&options.name) }
    }

    /// Returns all that are kept, by the names of their files.
    pub(crate) fn all(&self) -> Vec<(PathBuf, Trace)> {
        let Some(folder) = &self.folder else { return Vec::new() };
        let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
        let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        paths.retain(|path| self.is_ours(path));
        paths.sort();
        let read = |path: PathBuf| match Trace::read(&path) {
            Ok(trace) => (path, trace),
            Err(error) => panic!("{error}, or remove it"),
        };
        paths.into_iter().map(read).collect()
    }

    fn is_ours(&self, path: &Path) -> bool {
        let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        let seed = stem.strip_prefix(&self.name).and_then(|rest| rest.strip_prefix('-'));
        path.extension().is_some_and(|extension| extension == "trace")
            && seed.is_some_and(|seed| seed.parse::<u64>().is_ok())
    }

    /// Keeps a failure. Returns where, unless there is no place for it.
    pub(crate) fn keep(&self, trace: &Trace) -> Option<PathBuf> {
        let path = self.folder.as_ref()?.join(format!("{}-{}.trace", self.name, trace.plan.seed));
        match trace.write(&path) {
            Ok(()) => Some(path),
            Err(error) => {
                eprintln!("{error}");
                None
            }
        }
    }

    /// Returns where the page of a failure belongs: among what cargo builds, beside the binary of the test.
    pub(crate) fn page(&self, seed: u64) -> PathBuf {
        let binary = std::env::current_exe().unwrap_or_default();
        let target = binary.ancestors().find(|folder| folder.ends_with("target"));
        let folder = target.map_or_else(std::env::temp_dir, Path::to_path_buf).join("simulation");
        folder.join(format!("{}-{seed}.html", self.name))
    }
}

/// Returns a name of a test as the name of a file.
fn file_name(name: &str) -> String {
    name.replace("::", ".")
}
