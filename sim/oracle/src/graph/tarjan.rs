//! Strongly connected components, without recursion.
//!
//! R. Tarjan, "Depth-first search and linear graph algorithms", SIAM J. Comput. 1(2), 1972.

use super::csr::{Graph, Kinds};

/// Returns the components of more than one node, over edges of the given kinds. Sorted by their least node.
pub(crate) fn components(graph: &Graph, kinds: Kinds) -> Vec<Vec<u32>> {
    let nodes = graph.nodes();
    let mut search = Search {
        graph,
        kinds,
        order: vec![0; nodes],
        low: vec![0; nodes],
        next: 1,
        stack: Vec::new(),
        on_stack: vec![false; nodes],
        path: Vec::new(),
        found: Vec::new(),
    };
    for node in 0..nodes {
        if search.order[node] == 0 {
            search.run(u32::try_from(node).unwrap_or(u32::MAX));
        }
    }
    search.found.sort_unstable_by_key(|component| component[0]);
    search.found
}

struct Search<'g> {
    graph: &'g Graph,
    kinds: Kinds,
    /// Discovery number of a node, from 1; 0 if it is undiscovered.
    order: Vec<u32>,
    low: Vec<u32>,
    next: u32,
    stack: Vec<u32>,
    on_stack: Vec<bool>,
    /// The current path: nodes with the number of their edges followed so far.
    path: Vec<(u32, u32)>,
    found: Vec<Vec<u32>>,
}

impl Search<'_> {
    fn run(&mut self, root: u32) {
        self.enter(root);
        while let Some(&mut (node, ref mut followed)) = self.path.last_mut() {
            let edge = self.graph.from(node).get(*followed as usize).copied();
            *followed += 1;
            let Some(edge) = edge else {
                self.leave(node);
                continue;
            };
            if !self.kinds.has(edge.kind) {
                continue;
            }
            let to = edge.to as usize;
            if self.order[to] == 0 {
                self.enter(edge.to);
            } else if self.on_stack[to] {
                self.low[node as usize] = self.low[node as usize].min(self.order[to]);
            }
        }
    }

    fn enter(&mut self, node: u32) {
        self.order[node as usize] = self.next;
        self.low[node as usize] = self.next;
        self.next += 1;
        self.stack.push(node);
        self.on_stack[node as usize] = true;
        self.path.push((node, 0));
    }

    fn leave(&mut self, node: u32) {
        self.path.pop();
        if let Some(&(parent, _)) = self.path.last() {
            self.low[parent as usize] = self.low[parent as usize].min(self.low[node as usize]);
        }
        if self.low[node as usize] != self.order[node as usize] {
            return;
        }
        let from = self.stack.iter().rposition(|&other| other == node).unwrap_or(0);
        let mut component = self.stack.split_off(from);
        for &member in &component {
            self.on_stack[member as usize] = false;
        }
        if component.len() > 1 {
            component.sort_unstable();
            self.found.push(component);
        }
    }
}
