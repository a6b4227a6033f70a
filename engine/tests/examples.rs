//! The examples, run: each ends with an error if what it shows does not hold.

#[path = "../examples/assistant.rs"]
mod assistant;
#[path = "../examples/async_tokio.rs"]
mod async_tokio;
#[path = "../examples/conflicts.rs"]
mod conflicts;
#[path = "../examples/embedding.rs"]
mod embedding;
#[path = "../examples/shared_state.rs"]
mod shared_state;
#[path = "../examples/tool_call.rs"]
mod tool_call;

#[test]
fn every_example_runs() {
    assistant::main().unwrap();
    async_tokio::main().unwrap();
    conflicts::main().unwrap();
    embedding::main().unwrap();
    shared_state::main().unwrap();
    tool_call::main().unwrap();
}

/// `recording` takes the name of a file from the command line; its own test is `recording.rs`.
#[test]
fn no_example_is_forgotten() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    names.sort();
    assert_eq!(
        names,
        ["assistant", "async_tokio", "conflicts", "embedding", "recording", "shared_state", "tool_call"]
    );
}
