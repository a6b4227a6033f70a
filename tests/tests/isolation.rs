//! Every script in `isolation/`, on the reference store and on the engine.

use std::path::Path;
use std::time::Duration;

use stormproof::Database;
use stormproof_rt::sync::Arc;
use stormproof_tests::engine_store::engine_store;
use stormproof_tests::script;
use stormproof_workloads::Store;
use stormproof_workloads::memory_store::{Flaw, MemoryStore};

fn scripts() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("isolation");
    let files = std::fs::read_dir(folder).expect("the folder of scripts is there");
    let mut scripts: Vec<_> = files
        .map(|file| {
            let path = file.expect("it can be listed").path();
            let name = path.file_name().expect("a file has a name").to_string_lossy().into_owned();
            (name, std::fs::read_to_string(&path).expect("a script is text"))
        })
        .collect();
    scripts.sort();
    assert!(scripts.len() >= 15, "only {} scripts were found", scripts.len());
    scripts
}

fn engine() -> Box<dyn Store> {
    let database = Database::open_in_memory().expect("it opens");
    Box::new(engine_store(database, Path::new("nowhere")).expect("a run begins"))
}

fn all_hold(open: impl Fn() -> Box<dyn Store>) {
    let failures: Vec<_> = scripts()
        .into_iter()
        .filter_map(|(name, script)| script::run(&script, &open).err().map(|why| format!("{name}: {why}")))
        .collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn every_script_holds_on_the_reference_store() {
    all_hold(|| Box::new(MemoryStore::new()));
}

#[test]
fn every_script_holds_on_the_engine() {
    all_hold(engine);
}

#[test]
fn a_script_that_a_store_breaks_names_the_line() {
    let (_, script) =
        scripts().into_iter().find(|(name, _)| name == "lost_update.script").expect("it is there");
    let open = || -> Box<dyn Store> {
        Box::new(MemoryStore::broken(Flaw::NoValidation, Arc::new(Duration::default)))
    };
    let why = script::run(&script, open).expect_err("a store without validation loses updates");
    assert!(why.contains("t2 commit") && why.contains("answered: ok"), "{why}");
}

#[test]
fn a_line_that_is_no_step_is_an_error() {
    let why = script::run("t1\n", engine).expect_err("a verb is missing");
    assert!(why.contains("line 1"), "{why}");
}
