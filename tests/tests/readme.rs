//! The pages for people are true: links lead somewhere, commands exist and work, workflows are what they
//! should be.
//!
//! The Rust code on them is run as doc tests of this crate.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use yaml_rust2::YamlLoader;

const PAGES: [&str; 12] = [
    "README.md",
    "engine/DESIGN.md",
    "sim/DESIGN.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "engine/guides/async.md",
    "engine/guides/embedding.md",
    "engine/guides/simulating-your-application.md",
    "sim/guides/writing-a-workload.md",
    "sim/guides/debugging-a-failing-seed.md",
    "sim/guides/real-runs.md",
    "workloads/README.md",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_owned()
}

fn page(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// A line of an `sh` block.
struct Line {
    command: String,
    /// How it ends, if its comment says `exits with …`; 0 else.
    exit: i32,
}

/// The lines of all `sh` blocks of a page.
fn commands(page: &str) -> Vec<Line> {
    let mut commands = Vec::new();
    let mut inside = false;
    for line in page.lines() {
        if line.starts_with("```") {
            inside = line == "```sh";
        } else if inside {
            let (command, comment) = line.split_once('#').unwrap_or((line, ""));
            let exit = comment.split("exits with ").nth(1).map_or(0, |rest| {
                rest.split(|c: char| !c.is_ascii_digit())
                    .next()
                    .and_then(|n| n.parse().ok())
                    .expect("an exit code")
            });
            if !command.trim().is_empty() {
                commands.push(Line { command: command.trim().to_owned(), exit });
            }
        }
    }
    commands
}

/// Plays the worked example. Its seed is that of the engine at the time of writing: what the sweep finds now
/// takes its place.
struct Example {
    folder: tempfile::TempDir,
    /// What the page shows, and what was found: seed and trace file.
    shown: Option<[String; 2]>,
    found: Option<[String; 2]>,
}

impl Example {
    fn new(page: &str) -> Self {
        let shown = seed_and_trace(page);
        Self { folder: tempfile::tempdir().expect("a folder"), shown, found: None }
    }

    fn play(&mut self, line: &Line) {
        let command = self.of_today(&line.command);
        let output = Command::new(env!("CARGO"))
            .args(["run", "--quiet", "--manifest-path"])
            .arg(root().join("Cargo.toml"))
            .arg("--")
            .args(command.split_whitespace().skip(1))
            .current_dir(self.folder.path())
            .output()
            .expect("cargo starts");
        let text = String::from_utf8_lossy(&output.stdout);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(line.exit), "{command}\n{text}\n{errors}");
        if self.found.is_none() {
            self.found = seed_and_trace(&text);
        }
    }

    /// The command with the seed and the trace file that were found, instead of those that the page shows.
    fn of_today(&self, command: &str) -> String {
        let (Some([seed, trace]), Some([found_seed, found_trace])) = (&self.shown, &self.found) else {
            return command.to_owned();
        };
        let stem = |trace: &str| trace.trim_end_matches(".trace").to_owned();
        let words = command.split_whitespace().map(|word| {
            if word == seed { found_seed.clone() } else { word.replace(&stem(trace), &stem(found_trace)) }
        });
        words.collect::<Vec<_>>().join(" ")
    }
}

/// What a sweep says at its end.
fn seed_and_trace(text: &str) -> Option<[String; 2]> {
    let word = |before: &str| Some(text.split(before).nth(1)?.split_whitespace().next()?.to_owned());
    Some([word("\nreproduce: stormproof run --seed ")?, word("\ntrace:     ")?])
}

#[test]
fn every_relative_link_leads_to_a_file() {
    for name in PAGES {
        let text = page(name);
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if link.contains("://") || link.starts_with('#') {
                continue;
            }
            let file = link.split('#').next().unwrap_or_default();
            let target = root().join(name).parent().expect("a folder").join(file);
            assert!(target.exists(), "{name} links to {link}");
        }
    }
}

#[test]
fn every_command_of_the_pages_works() {
    let mut seen = 0;
    let mut example = Example::new(&page("README.md"));
    for line in PAGES.iter().flat_map(|name| commands(&page(name))) {
        seen += 1;
        let command = &line.command;
        let words: Vec<&str> = command.split_whitespace().collect();
        match words.as_slice() {
            // This very run.
            ["cargo", "test"] => {}
            // The sweep: `.ci/run` builds and runs it, in the profile that they name.
            ["cargo", "run" | "build", "--release"] => {
                assert!(page(".ci/run").contains("cargo run --release"), "{command}")
            }
            ["cargo", arguments @ ..] => {
                let status = Command::new(env!("CARGO")).args(arguments).current_dir(root()).status();
                assert!(status.expect("cargo starts").success(), "{command}");
            }
            ["export", path] => assert_eq!(*path, "PATH=\"$PWD/target/release:$PATH\""),
            ["stormproof", ..] => example.play(&line),
            _ => panic!("this test does not know how to run {command:?}"),
        }
    }
    assert!(seen >= 3, "only {seen} commands were found: were the blocks renamed?");
    assert!(example.found.is_some(), "the worked example found nothing");
}

#[test]
fn every_alias_that_the_pages_name_exists() {
    let aliases = page(".cargo/config.toml");
    for name in ["lint", "docs", "examples-make", "examples-render"] {
        assert!(
            page("CONTRIBUTING.md").contains(&format!("`cargo {name}")),
            "CONTRIBUTING.md does not name {name}"
        );
        assert!(aliases.contains(&format!("\n{name} = ")), "no alias {name}");
    }
}

#[test]
fn every_folder_on_the_map_exists() {
    let readme = page("README.md");
    let map = readme.split("## The map").nth(1).expect("a map").split("\n## ").next().expect("its end");
    let folders: Vec<_> = map
        .lines()
        .filter(|line| line.starts_with("| `"))
        .flat_map(|line| line.split('|').nth(1).unwrap_or_default().split('`').skip(1).step_by(2))
        .collect();
    assert!(folders.len() > 8, "{folders:?}");
    for folder in folders {
        assert!(root().join(folder).is_dir(), "{folder}");
    }
}

#[test]
fn workflows_parse_and_run_the_script_that_developers_run() {
    for name in ["ci.yml", "nightly.yml"] {
        let text = page(&format!(".github/workflows/{name}"));
        let documents = YamlLoader::load_from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        let jobs = documents[0]["jobs"].as_hash().expect("jobs");
        for (job, body) in jobs {
            let steps = body["steps"].as_vec().unwrap_or_else(|| panic!("{name}: {job:?} has no steps"));
            for step in steps {
                assert!(
                    step["run"].as_str().is_some() || step["uses"].as_str().is_some(),
                    "{name}: {step:?}"
                );
            }
        }
    }
    assert!(page(".github/workflows/ci.yml").contains("run: .ci/run"));
}

#[test]
fn the_example_in_the_readme_is_what_the_report_says() {
    let readme = page("README.md");
    let shown = readme
        .split("**Reports.**")
        .nth(1)
        .expect("a section")
        .split("```text\n")
        .nth(1)
        .expect("an example")
        .split("```")
        .next()
        .expect("its end");
    let rendered = page("reports/examples/run.txt");
    for line in shown.lines() {
        assert!(rendered.lines().any(|real| real == line), "the report has no line {line:?}");
    }
}

#[test]
fn every_name_in_the_designs_is_in_the_source() {
    let mut source = String::new();
    for folder in ["engine", "sim", "faults", "workloads", "reports", "tests", "benches"] {
        collect(&root().join(folder), &mut source);
    }
    for name in ["engine/DESIGN.md", "sim/DESIGN.md"] {
        let text = page(name);
        // Code blocks are pictures of a flow, and say what they show in passing.
        let outside: String = text.split("```").step_by(2).collect();
        for code in outside.split('`').skip(1).step_by(2) {
            for word in code.split(|c: char| !(c.is_alphanumeric() || c == '_')) {
                // Identifiers of code, and not words of a command or a formula.
                let is_name = word.len() > 3 && word.contains(|c: char| c.is_alphabetic());
                let is_code =
                    code.contains("::") || word.contains('_') || word.chars().any(char::is_uppercase);
                assert!(!(is_name && is_code) || source.contains(word), "{name} names {word:?} in `{code}`");
            }
        }
    }
}

/// The text of all Rust files below a folder.
fn collect(folder: &Path, text: &mut String) {
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() && path.file_name().is_some_and(|name| name != "target") {
            collect(&path, text);
        } else if path.extension().is_some_and(|extension| extension == "rs" || extension == "toml") {
            // Documents name files, too.
            text.push_str(&path.to_string_lossy());
            text.push_str(&fs::read_to_string(&path).expect("a source file"));
        }
    }
}
