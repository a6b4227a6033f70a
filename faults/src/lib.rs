//! A simulated disk that does what real ones do at their worst, with clocks and entropy to match.
