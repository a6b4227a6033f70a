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

fn documents(name: &str) -> Vec<Yaml> {
    let text = fs::read_to_string(manifest(name)).expect("a manifest");
    YamlLoader::load_from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn yaml(name: &str) -> Yaml {
    documents(name).remove(0)
}

/// The job with this name.
fn job(name: &str) -> Yaml {
    let is = |document: &Yaml| {
        document["kind"].as_str() == Some("Job") && document["metadata"]["name"].as_str() == Some(name)
    };
    documents("kubernetes-job.yaml").into_iter().find(is).expect("a job")
}

/// A `PATH` on which the binary is.
fn paths() -> std::ffi::OsString {
    let binary = Path::new(env!("CARGO_BIN_EXE_stormproof")).parent().expect("a folder");
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::join_paths([binary.to_owned()].into_iter().chain(std::env::split_paths(&path))).unwrap()
}

#[test]
fn the_kubernetes_job_has_an_index_for_every_shard_and_flags_that_exist() {
    let job = job("stormproof-sweep");
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
    let paths = paths();
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
    let merge = |results: &str| {
        Command::new("bash")
            .arg(manifest("slurm-merge.sh"))
            .env("PATH", &paths)
            .env("RESULTS", results)
            .current_dir(folder.path())
            .output()
            .expect("bash starts")
    };
    assert!(merge("results").status.code().is_some_and(|code| code < 2));
    assert!(folder.path().join("results/campaign.html").exists());
    fs::remove_file(folder.path().join("results/1.jsonl")).unwrap();
    let missing = merge("results");
    assert_eq!(missing.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&missing.stderr).contains("missing: 1 of 2 shards: 1/2"));
}

/// Runs the script of the job that merges, for this many shards.
fn merge_as_in_kubernetes(folder: &Path, shards: &str, wait_seconds: &str) -> std::process::Output {
    let job = job("stormproof-merge");
    let command = &job["spec"]["template"]["spec"]["containers"][0]["command"];
    let words: Vec<&str> = command.as_vec().expect("a command").iter().filter_map(Yaml::as_str).collect();
    Command::new(words[0])
        .args(&words[1..])
        .env("PATH", paths())
        .envs([("SHARDS", shards), ("WAIT_SECONDS", wait_seconds)])
        .env("RESULTS", folder)
        .output()
        .expect("a shell starts")
}

#[test]
fn the_job_that_merges_waits_for_all_shards_and_names_one_that_never_came() {
    let folder = tempfile::tempdir().unwrap();
    for index in 0..2 {
        let (shard, out) = (format!("{index}/2"), format!("{index}.jsonl"));
        let sweep = ["sweep", "--seeds", "0..40", "--workload", "bank", "--shard", &shard, "--out", &out];
        assert_eq!(stormproof(folder.path(), &sweep).status.code(), Some(0));
    }
    let whole = merge_as_in_kubernetes(folder.path(), "2", "60");
    assert_eq!(whole.status.code(), Some(0), "{}", String::from_utf8_lossy(&whole.stderr));
    assert!(folder.path().join("campaign.html").exists());
    fs::remove_file(folder.path().join("0.jsonl")).unwrap();
    let missing = merge_as_in_kubernetes(folder.path(), "2", "0");
    assert_eq!(missing.status.code(), Some(3));
    assert!(
        String::from_utf8_lossy(&missing.stderr).contains("0/2"),
        "{}",
        String::from_utf8_lossy(&missing.stderr)
    );
}

#[test]
fn the_jobs_agree_on_the_number_of_shards_and_on_their_volume() {
    let (sweep, merge) = (job("stormproof-sweep"), job("stormproof-merge"));
    let shards = sweep["spec"]["completions"].as_i64().expect("a number").to_string();
    let of_merge = &merge["spec"]["template"]["spec"]["containers"][0]["env"][0];
    assert_eq!(
        (of_merge["name"].as_str(), of_merge["value"].as_str()),
        (Some("SHARDS"), Some(shards.as_str()))
    );
    let claims = documents("kubernetes-job.yaml");
    let claim =
        claims.iter().find(|one| one["kind"].as_str() == Some("PersistentVolumeClaim")).expect("a claim");
    for job in [&sweep, &merge] {
        let volume = &job["spec"]["template"]["spec"]["volumes"][0];
        assert_eq!(volume["persistentVolumeClaim"]["claimName"], claim["metadata"]["name"]);
    }
    assert_eq!(claim["spec"]["accessModes"][0].as_str(), Some("ReadWriteMany"), "many pods write to it");
}

/// Copies what git has, without what the image's build does not see.
fn clean_copy(folder: &Path) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let files =
        Command::new("git").args(["ls-files", "-z", "-co", "--exclude-standard"]).current_dir(&root).output();
    let files = files.expect("git is there").stdout;
    for file in String::from_utf8_lossy(&files).split('\0').filter(|file| !file.is_empty()) {
        let (from, to) = (root.join(file), folder.join(file));
        fs::create_dir_all(to.parent().expect("a folder")).unwrap();
        // The twin's source is a link to the engine's.
        if let Ok(target) = fs::read_link(&from) {
            std::os::unix::fs::symlink(target, to).unwrap();
            continue;
        }
        // One that was removed and not yet committed is not there.
        let _ = fs::copy(from, to);
    }
}

/// The `cargo` command of the Dockerfile.
fn cargo_of_image() -> Vec<String> {
    let text = fs::read_to_string(manifest("Dockerfile")).expect("a Dockerfile");
    let line = text.lines().find_map(|line| line.strip_prefix("RUN cargo ")).expect("it builds with cargo");
    line.split(' ').map(str::to_owned).collect()
}

#[test]
fn the_image_is_built_from_what_git_has_and_takes_what_cargo_makes() {
    let folder = tempfile::tempdir().unwrap();
    clean_copy(folder.path());
    let cargo = cargo_of_image();
    assert!(cargo.contains(&"--locked".to_owned()), "{cargo:?}");
    let profile = cargo.iter().position(|word| word == "--profile").map(|place| cargo[place + 1].clone());
    let text = fs::read_to_string(manifest("Dockerfile")).unwrap();
    let made = format!("/source/target/{}/stormproof", profile.expect("a profile"));
    assert!(text.contains(&format!("COPY --from=build {made} ")), "{made}");
    // Every crate is there, and the lock file fits.
    let metadata = Command::new("cargo")
        .args(["metadata", "--locked", "--offline", "--no-deps", "--format-version", "1"])
        .current_dir(folder.path())
        .output()
        .expect("cargo is there");
    assert!(metadata.status.success(), "{}", String::from_utf8_lossy(&metadata.stderr));
    // Its compiler is the one of the repository.
    let toolchain = fs::read_to_string(folder.path().join("rust-toolchain.toml")).unwrap();
    let image = text.lines().find_map(|line| line.strip_prefix("FROM rust:")).expect("an image of Rust");
    let version = image.split('-').next().expect("a version");
    assert!(toolchain.contains(&format!("\"{version}")), "{version} is not the toolchain's");
}

/// The whole build, as in the image: minutes.
#[test]
#[ignore = "builds everything again, with the profile of long campaigns"]
fn the_binary_of_the_image_runs_a_sweep() {
    let folder = tempfile::tempdir().unwrap();
    clean_copy(folder.path());
    let built = Command::new("cargo").args(cargo_of_image()).current_dir(folder.path()).status();
    assert!(built.expect("cargo is there").success());
    let sweep = Command::new(folder.path().join("target/sim/stormproof"))
        .args(["sweep", "--seeds", "0..50"])
        .current_dir(folder.path())
        .status();
    assert_eq!(sweep.expect("it starts").code(), Some(0));
}

#[test]
fn a_time_limit_counts_where_seeds_have_no_end() {
    let folder = tempfile::tempdir().unwrap();
    let matrix = fs::read_to_string(manifest("github-matrix.yml")).unwrap();
    assert!(
        matrix.contains("..\" --for 40m"),
        "seeds without end, so that the time limit is what ends a shard"
    );
    for (shard, out) in [("0/2", "0.jsonl"), ("1/2", "1.jsonl")] {
        let sweep = ["sweep", "--seeds", "7000000000..", "--for", "1s", "--workload", "bank", "--jobs", "1"];
        let output = stormproof(folder.path(), &[&sweep[..], &["--shard", shard, "--out", out]].concat());
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let merged = stormproof(folder.path(), &["report", "0.jsonl", "1.jsonl"]);
    assert_eq!(merged.status.code(), Some(0), "{}", String::from_utf8_lossy(&merged.stdout));
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
