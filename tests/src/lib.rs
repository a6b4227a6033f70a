//! What integration tests of the whole workspace share: the engine as a store, real threads, scripts.
//!
//! The tests themselves are in `tests/`, isolation scripts in `isolation/`.

pub mod engine_store;
pub mod hostile;
pub mod real;
pub mod script;
pub mod small;

/// The code on the pages for people, compiled and run.
#[cfg(doctest)]
mod pages {
    #[doc = include_str!("../../README.md")]
    struct Readme;

    #[doc = include_str!("../../engine/guides/embedding.md")]
    struct Embedding;

    #[doc = include_str!("../../engine/guides/async.md")]
    struct Async;

    #[doc = include_str!("../../sim/guides/writing-a-workload.md")]
    struct WritingAWorkload;

    #[doc = include_str!("../../sim/guides/real-runs.md")]
    struct RealRuns;
}
