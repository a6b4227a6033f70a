//! Plays seeds of redb on the simulated disk: `cargo run --example redb -- 0 1000`.

use known_bugs::redb_crashes::{Found, play};

fn main() {
    std::panic::set_hook(Box::new(|_| {}));
    let mut numbers = std::env::args().skip(1).map(|text| text.parse::<u64>().expect("first and last seed"));
    let (first, last) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(1_000));
    for seed in first..last {
        match play(seed) {
            Found::Held => {}
            found => println!("seed {seed}: {found:?}"),
        }
    }
}
