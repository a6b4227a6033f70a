//! A topological order that is kept while edges come and go.
//!
//! D. Pearce and P. Kelly, "A dynamic topological sort algorithm for directed acyclic graphs", ACM JEA
//! 11, 2006. Edges are taken back in reverse; the order stays valid then, and remembers what the search has
//! learned.

use crate::graph::{Graph, reversed};

use super::literal::Literal;

/// Nodes in an order along known edges and edges that literals stand for.
pub(super) struct Order<'g> {
    known: &'g Graph,
    known_backwards: Graph,
    /// By node: its place in the order.
    place: Vec<u32>,
    /// By node: edges of literals that leave it.
    more: Vec<Vec<(u32, Literal)>>,
    more_backwards: Vec<Vec<u32>>,
    added: Vec<(u32, u32)>,
    /// By node: the last search that visited it, and the edge by which it came there.
    visited: Vec<u32>,
    came: Vec<(u32, Option<Literal>)>,
    searches: u32,
    /// Nodes visited so far.
    pub(super) steps: u64,
    /// Nodes that changed their place since this was last emptied.
    pub(super) moved: Vec<u32>,
}

impl<'g> Order<'g> {
    /// Creates an order that begins as a topological order of the known graph.
    pub(super) fn new(known: &'g Graph, sorted: &[u32]) -> Self {
        let nodes = known.nodes();
        let mut place = vec![0; nodes];
        for (at, &node) in (0..).zip(sorted) {
            place[node as usize] = at;
        }
        Self {
            known,
            known_backwards: reversed(known),
            place,
            more: vec![Vec::new(); nodes],
            more_backwards: vec![Vec::new(); nodes],
            added: Vec::new(),
            visited: vec![0; nodes],
            came: vec![(0, None); nodes],
            searches: 0,
            steps: 0,
            moved: Vec::new(),
        }
    }

    pub(super) fn place(&self, node: u32) -> u32 {
        self.place[node as usize]
    }

    /// Returns the number of edges that literals stand for.
    pub(super) fn length(&self) -> usize {
        self.added.len()
    }

    /// Takes edges back until `length` are left.
    pub(super) fn undo_to(&mut self, length: usize) {
        for (from, to) in self.added.drain(length..).rev() {
            self.more[from as usize].pop();
            self.more_backwards[to as usize].pop();
        }
    }

    /// Adds an edge; if it closes a cycle, returns the literals whose edges are on it, and adds nothing.
    pub(super) fn add(&mut self, from: u32, to: u32, literal: Literal) -> Result<(), Vec<Literal>> {
        if self.place[from as usize] >= self.place[to as usize] {
            if let Some(mut literals) = self.path(to, from) {
                literals.push(literal);
                return Err(literals);
            }
            self.reorder(from, to);
        }
        self.more[from as usize].push((to, literal));
        self.more_backwards[to as usize].push(from);
        self.added.push((from, to));
        Ok(())
    }

    /// Returns the literals of a shortest path, if there is one. Leaves all nodes visited that can be reached
    /// from `from` and stand no later than `to`.
    pub(super) fn path(&mut self, from: u32, to: u32) -> Option<Vec<Literal>> {
        self.searches += 1;
        let last = self.place[to as usize];
        let mut queue = vec![from];
        self.visited[from as usize] = self.searches;
        let mut at = 0;
        while let Some(&node) = queue.get(at) {
            at += 1;
            self.steps += 1;
            if node == to {
                return Some(self.literals(from, to));
            }
            let known = self.known.from(node).iter().map(|edge| (edge.to, None));
            let more = self.more[node as usize].iter().map(|(to, literal)| (*to, Some(*literal)));
            for (next, literal) in known.chain(more) {
                let index = next as usize;
                if self.visited[index] != self.searches && self.place[index] <= last {
                    self.visited[index] = self.searches;
                    self.came[index] = (node, literal);
                    queue.push(next);
                }
            }
        }
        self.moved.extend(queue);
        None
    }

    fn literals(&self, from: u32, to: u32) -> Vec<Literal> {
        let mut literals = Vec::new();
        let mut node = to;
        while node != from {
            let (before, literal) = self.came[node as usize];
            literals.extend(literal);
            node = before;
        }
        literals.sort_unstable();
        literals.dedup();
        literals
    }

    /// Moves what leads to `from` before what `to` leads to, which [`Self::path`] has just visited.
    fn reorder(&mut self, from: u32, to: u32) {
        let first = self.place[to as usize];
        let forward_search = self.searches;
        let begin = self.moved.iter().rposition(|&node| node == to).unwrap_or(0);
        let mut later: Vec<u32> = self.moved.split_off(begin);
        self.searches += 1;
        let mut earlier = vec![from];
        self.visited[from as usize] = self.searches;
        let mut at = 0;
        while let Some(&node) = earlier.get(at) {
            at += 1;
            self.steps += 1;
            let known = self.known_backwards.from(node).iter().map(|edge| edge.to);
            for next in known.chain(self.more_backwards[node as usize].iter().copied()) {
                let index = next as usize;
                if self.visited[index] != self.searches && self.place[index] >= first {
                    debug_assert_ne!(self.visited[index], forward_search, "a node on both sides is a cycle");
                    self.visited[index] = self.searches;
                    earlier.push(next);
                }
            }
        }
        earlier.sort_unstable_by_key(|&node| self.place[node as usize]);
        later.sort_unstable_by_key(|&node| self.place[node as usize]);
        earlier.append(&mut later);
        let mut places: Vec<u32> = earlier.iter().map(|&node| self.place[node as usize]).collect();
        places.sort_unstable();
        for (&node, place) in earlier.iter().zip(places) {
            self.place[node as usize] = place;
        }
        self.moved.append(&mut earlier);
    }
}

#[cfg(test)]
mod tests {
    use super::super::literal::Literal;
    use super::Order;
    use crate::graph::{Edge, Graph, Kind};

    fn edge(to: u32) -> Edge {
        Edge { to, key: 0, kind: Kind::Ww }
    }

    #[test]
    fn an_edge_against_the_order_moves_nodes_and_one_that_closes_a_cycle_names_its_literals() {
        let graph = Graph::new(4, &[(0, edge(1)), (2, edge(3))]);
        let mut order = Order::new(&graph, &[0, 1, 2, 3]);
        let (first, second) = (Literal::of(0, true), Literal::of(1, true));
        assert_eq!(order.add(3, 0, first), Ok(()));
        assert!(order.place(3) < order.place(0));
        let mut cycle = order.add(1, 2, second).expect_err("0, 1, 2, 3");
        cycle.sort_unstable();
        assert_eq!(cycle, [first, second]);
        order.undo_to(0);
        assert_eq!(order.add(1, 2, second), Ok(()));
    }
}
