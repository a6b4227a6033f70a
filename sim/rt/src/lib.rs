//! The simulating runtime: every lock, atomic, wait and spawn is a scheduling point of a seeded scheduler.
