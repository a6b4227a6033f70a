//! Stormproof and other embedded engines side by side.

fn main() {}
