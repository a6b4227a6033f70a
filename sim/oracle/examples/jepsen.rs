//! Checks a history of Jepsen: `cargo run -p stormproof-oracle --example jepsen -- FILE.edn`; by default the
//! one of an aborted update in `histories/`.

use std::path::PathBuf;

use stormproof_oracle::formats::Initial;
use stormproof_oracle::{CheckOptions, check_file};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let default = concat!(env!("CARGO_MANIFEST_DIR"), "/histories/dirty_update.edn");
    let path = std::env::args_os().nth(1).map_or_else(|| PathBuf::from(default), PathBuf::from);
    let report = check_file(&path, None, &Initial::Default, &CheckOptions::default())?;
    print!("{}", report.text());
    for (txn, evidence) in &report.evidence {
        println!("T{txn} stands in line {}", evidence.line);
    }
    Ok(())
}
