//! The manifests for many machines: shards are all there, once each, and the script for Slurm does what it
//! says.

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use yaml_rust2::{Yaml, YamlLoader};

use support::{json, stormproof};

fn manifest(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy").join(name)
}

fn yaml(name: &str) -> Yaml {
    let text = fs::read_to_string(manifest(name)).expect("a manifest");
    YamlLoader::load_from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}")).remove(0)
}

#[test]
fn the_kubernetes_job_has_an_index_for_every_shard_and_flags_that_exist() {
    let job = yaml("kubernetes-job.yaml");
    assert_eq!((job["apiVersion"].as_str(), job["kind"].as_str()), (Some("batch/v1"), Some("Job")));
    let spec = &job["spec"];
    assert_eq!(spec["completionMode"].as_str(), Some("Indexed"));
    let shards = spec["completions"].as_i64().expect("a number");
    let container = &spec["template"]["spec"]["containers"][0];
    let command: Vec<&str> =
        container["command"].as_vec().expect("a command").iter().filter_map(Yaml::as_str).collect();
    let shard = format!("$(JOB_COMPLETION_INDEX)/{shards}");
    assert!(command.windows(2).any(|pair| pair == ["--shard", &shard]), "{command:?}");
    // The same command, for one shard and few seeds, is one that the binary understands.
    let folder = tempfile::tempdir().unwrap();
    let results = folder.path().display().to_string();
    let arguments: Vec<String> = command[1..]
        .iter()
        .map(|word| word.replace("$(JOB_COMPLETION_INDEX)", "0").replace("/results", &results))
        .map(|word| word.replace("0..1000000", &format!("0..{shards}")))
        .collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let output = stormproof(folder.path(), &arguments);
    assert!(output.status.code().is_some_and(|code| code < 2), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(folder.path().join("0.jsonl").exists());
}

#[test]
fn two_tasks_of_the_slurm_array_run_all_seeds_between_them() {
    let folder = tempfile::tempdir().unwrap();
    let binary = Path::new(env!("CARGO_BIN_EXE_stormproof")).parent().expect("a folder");
    let path = std::env::var_os("PATH").unwrap_or_default();
    let paths =
        std::env::join_paths([binary.to_owned()].into_iter().chain(std::env::split_paths(&path))).unwrap();
    for task in ["0", "1"] {
        let status = Command::new("bash")
            .arg(manifest("slurm-array.sh"))
            .env("PATH", &paths)
            .env("SEEDS", "0..20")
            .env("RESULTS", folder.path().join("results"))
            .env("SLURM_ARRAY_TASK_ID", task)
            .env("SLURM_ARRAY_TASK_COUNT", "2")
            .env("SLURM_CPUS_PER_TASK", "1")
            .current_dir(folder.path())
            .output()
            .expect("bash starts")
            .status;
        assert!(status.code().is_some_and(|code| code < 2), "task {task}: {status}");
    }
    let merged = json(&stormproof(
        folder.path(),
        &["report", "results/0.jsonl", "results/1.jsonl", "--format", "json"],
    ));
    assert_eq!(merged["seeds"], Value::from(20));
}

#[test]
fn the_matrix_of_github_has_a_job_for_every_shard() {
    let workflow = yaml("github-matrix.yml");
    let sweep = &workflow["jobs"]["sweep"];
    let shards = sweep["strategy"]["matrix"]["shard"].as_vec().expect("shards");
    let numbers: Vec<i64> = shards.iter().filter_map(Yaml::as_i64).collect();
    assert_eq!(numbers, (0..shards.len() as i64).collect::<Vec<_>>());
    let steps = sweep["steps"].as_vec().expect("steps");
    let shard = format!("--shard ${{{{ matrix.shard }}}}/{}", shards.len());
    assert!(steps.iter().any(|step| step["run"].as_str().is_some_and(|run| run.contains(&shard))), "{shard}");
}
