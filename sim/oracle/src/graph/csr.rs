//! A graph in compressed rows: one array of edges, sorted by their origin.

/// The kind of a dependency edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u16)]
pub(crate) enum Kind {
    /// Write dependency: the second overwrote the first.
    Ww = 1,
    /// Read dependency: the second read the first's write.
    Wr = 2,
    /// Anti-dependency: the second overwrote what the first read.
    Rw = 4,
    /// Session order.
    Session = 8,
    /// Real time: the first was acked before the second began.
    Time = 16,
    /// Inferred: the reads of a third transaction have no other explanation.
    Forced = 32,
    /// The second half of an edge through a hub.
    Pass = 64,
    /// From the start of a transaction to its own commit.
    Within = 128,
    /// The order of a key's versions, which the user vouches for.
    KeyOrder = 256,
}

/// A set of kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kinds(pub(crate) u16);

impl Kinds {
    pub(crate) const WW: Self = Self(Kind::Ww as u16);
    pub(crate) const WR: Self = Self(Kind::Wr as u16);
    pub(crate) const RW: Self = Self(Kind::Rw as u16);
    pub(crate) const ALL: Self = Self(u16::MAX);
    pub(crate) const PASS: Self = Self(Kind::Pass as u16);

    pub(crate) const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(crate) const fn has(self, kind: Kind) -> bool {
        self.0 & kind as u16 != 0
    }
}

/// An edge to `to`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Edge {
    pub(crate) to: u32,
    pub(crate) key: u32,
    pub(crate) kind: Kind,
}

/// A directed graph.
#[derive(Debug, Default)]
pub(crate) struct Graph {
    heads: Vec<u32>,
    edges: Vec<Edge>,
}

impl Graph {
    /// Creates a graph of `nodes` nodes; edges are given with their origins, in any order.
    pub(crate) fn new(nodes: usize, list: &[(u32, Edge)]) -> Self {
        let mut heads = vec![0_u32; nodes + 1];
        for (from, _) in list {
            heads[*from as usize + 1] += 1;
        }
        for node in 0..nodes {
            heads[node + 1] += heads[node];
        }
        let mut next = heads.clone();
        let mut edges = vec![Edge { to: 0, key: 0, kind: Kind::Ww }; list.len()];
        for &(from, edge) in list {
            let at = &mut next[from as usize];
            edges[*at as usize] = edge;
            *at += 1;
        }
        Self { heads, edges }
    }

    /// Returns the graph with more edges.
    pub(crate) fn with(&self, more: &[(u32, Edge)]) -> Self {
        let nodes = 0..u32::try_from(self.nodes()).unwrap_or(u32::MAX);
        let own = nodes.flat_map(|from| self.from(from).iter().map(move |edge| (from, *edge)));
        let all: Vec<(u32, Edge)> = own.chain(more.iter().copied()).collect();
        Self::new(self.nodes(), &all)
    }

    pub(crate) fn nodes(&self) -> usize {
        self.heads.len().saturating_sub(1)
    }

    pub(crate) fn from(&self, node: u32) -> &[Edge] {
        &self.edges[self.heads[node as usize] as usize..self.heads[node as usize + 1] as usize]
    }
}
