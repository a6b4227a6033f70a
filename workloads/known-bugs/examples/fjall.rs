//! Plays seeds of fjall where writes fail for a while: `cargo run --example fjall -- 0 20`.

use known_bugs::fjall_failed_write::{play, work};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    work()?;
    let mut numbers = std::env::args().skip(1).map(|text| text.parse::<u64>().expect("first and last seed"));
    let (first, last) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(20));
    let own = std::env::current_exe()?;
    for seed in first..last {
        let folder = tempfile::tempdir()?;
        println!("seed {seed}: {:?}", play(folder.path(), seed, &[&own.to_string_lossy()])?);
    }
    Ok(())
}
