//! Plays seeds of SurrealKV under threads: `cargo run --example surrealkv -- 0 20`.

use known_bugs::surrealkv_threads::play;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut numbers = std::env::args().skip(1).map(|text| text.parse::<u64>().expect("first and last seed"));
    let (first, last) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(20));
    for seed in first..last {
        let folder = tempfile::tempdir()?;
        let played = play(folder.path(), seed, 8, 300)?;
        let (acked, conflicts, wrong) = (played.acked, played.conflicts, played.violations.len());
        println!("seed {seed}: {acked} acked, {conflicts} conflicts, {wrong} violations");
        if let Some(last) = played.violations.last() {
            println!("  {last}");
        }
    }
    Ok(())
}
