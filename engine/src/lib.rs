//! Stormproof: an embeddable, in-memory-first transactional store.
