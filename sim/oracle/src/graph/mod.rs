//! Dependency graphs: compact storage, strongly connected components, shortest cycles.

mod csr;
mod cycle;
mod tarjan;

pub(crate) use csr::{Edge, Graph, Kind, Kinds};
pub(crate) use cycle::{Step, shortest_cycle};
pub(crate) use tarjan::components;
