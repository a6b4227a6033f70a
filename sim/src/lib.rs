//! The deterministic simulator of the Stormproof engine.
