//! The zoo's deliberate bugs are in simulations only: a program with the production engine holds nothing of
//! them.

use std::path::Path;

use stormproof::Database;

/// The names in the zoo's table, read from its source, so that this program does not hold them itself.
fn mutants() -> Vec<String> {
    let table = Path::new(env!("CARGO_MANIFEST_DIR")).join("../sim/rt/src/mutants.rs");
    let source = std::fs::read_to_string(table).expect("the table is there");
    let rows = source.lines().filter_map(|line| line.strip_prefix("    ")?.strip_suffix(" {"));
    let is_name = |row: &&str| row.starts_with(char::is_uppercase) && row.chars().all(char::is_alphanumeric);
    rows.filter(is_name).map(str::to_owned).collect()
}

fn holds(program: &[u8], text: &str) -> bool {
    program.windows(text.len()).any(|window| window == text.as_bytes())
}

#[test]
fn a_program_with_the_engine_holds_no_mutant() {
    // All of the engine is linked in: transactions, runs, the log.
    let folder = tempfile::tempdir().expect("there is room");
    let db = Database::open(folder.path()).expect("it opens");
    let run = db.begin_run().expect("a run begins");
    db.transaction(run, |txn| txn.put("key", "value")).expect("it commits");
    db.checkpoint().expect("it is written");

    let program = std::env::current_exe().and_then(std::fs::read).expect("this program can be read");
    let mutants = mutants();
    assert!(mutants.len() >= 40, "only {} names were found: has the table another form now?", mutants.len());
    // The search finds what is there: a file's name of the engine's own.
    assert!(holds(&program, "stormproof.manifest"));
    let found: Vec<_> = mutants.iter().filter(|name| holds(&program, name)).collect();
    assert!(found.is_empty(), "the production engine holds {found:?}");
    assert!(
        !holds(&program, "stormproof_rt_shuttle"),
        "the production engine is linked to the simulating runtime"
    );
}

/// In production the switch is a constant, so the compiler sees neither the question nor the branch behind
/// it.
const _: () = assert!(!rt::mutant!(AnyNameAtAll));
