//! Dependency graphs: compact storage, strongly connected components, shortest cycles.

mod csr;
mod cycle;
mod tarjan;
mod topological;

pub(crate) use csr::{Edge, Graph, Kind, Kinds};
pub(crate) use cycle::{Step, path_within, shortest_cycle};
pub(crate) use tarjan::components;
pub(crate) use topological::{nodes, reversed, topological, waits};
