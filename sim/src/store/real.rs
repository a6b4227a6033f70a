//! The engine that applications use.

use stormproof as engine;

#[path = "adapter.rs"]
mod adapter;

pub use adapter::{EngineStore, Siblings, builder};
