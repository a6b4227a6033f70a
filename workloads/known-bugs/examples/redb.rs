//! Plays seeds of redb on the simulated disk: `cargo run --example redb -- 0 1000`, and with `header` after
//! them where power cuts tear the header, with `growth` where they come when the file has grown.

use known_bugs::redb_crashes::{Aim, Found, play};

fn main() {
    std::panic::set_hook(Box::new(|_| {}));
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let aim = match arguments.last().map(String::as_str) {
        Some("header") => Aim::Header,
        Some("growth") => Aim::Growth,
        _ => Aim::Anywhere,
    };
    let mut numbers = arguments.iter().filter_map(|text| text.parse::<u64>().ok());
    let (first, last) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(1_000));
    for seed in first..last {
        match play(seed, aim) {
            Found::Held => {}
            found => println!("seed {seed}: {found:?}"),
        }
    }
}
