//! The pages for people are true: links lead somewhere, commands exist and work, workflows are what they should be.
//!
//! The Rust code on them is run as doc tests of this crate.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use yaml_rust2::YamlLoader;

const PAGES: [&str; 5] = [
    "README.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "engine/guides/embedding.md",
    "sim/guides/writing-a-workload.md",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_owned()
}

fn page(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The lines of all `sh` blocks of a page, without their comments.
fn commands(page: &str) -> Vec<String> {
    let mut commands = Vec::new();
    let mut inside = false;
    for line in page.lines() {
        if line.starts_with("```") {
            inside = line == "```sh";
        } else if inside {
            let command = line.split('#').next().unwrap_or_default().trim();
            if !command.is_empty() {
                commands.push(command.to_owned());
            }
        }
    }
    commands
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
    for command in PAGES.iter().flat_map(|name| commands(&page(name))) {
        seen += 1;
        let words: Vec<&str> = command.split_whitespace().collect();
        match words.as_slice() {
            // This very run.
            ["cargo", "test"] => {}
            // The sweep: `.ci/run` runs it, in the profile that it names.
            ["cargo", "run", "--release"] => {
                assert!(page(".ci/run").contains("cargo run --release"), "{command}")
            }
            ["cargo", arguments @ ..] => {
                let status = Command::new(env!("CARGO")).args(arguments).current_dir(root()).status();
                assert!(status.expect("cargo starts").success(), "{command}");
            }
            _ => panic!("this test does not know how to run {command:?}"),
        }
    }
    assert!(seen >= 3, "only {seen} commands were found: were the blocks renamed?");
}

#[test]
fn every_alias_that_the_pages_name_exists() {
    let aliases = page(".cargo/config.toml");
    for name in ["lint", "docs", "examples-render"] {
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
    let shown = readme.split("```text\n").nth(1).expect("an example").split("```").next().expect("its end");
    let rendered = page("reports/examples/run.txt");
    for line in shown.lines() {
        assert!(rendered.lines().any(|real| real == line), "the report has no line {line:?}");
    }
}
