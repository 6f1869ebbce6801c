//! The resumable state of a search: trees, and the priority queue of nodes to branch on.

use super::{Tables, node::Node, oracle::Split, tree::Tree};
use algolens_check::certificate::Class;
use serde::{Deserialize, Serialize};
use std::{cmp::Ordering, collections::BinaryHeap};

/// The resumable state of a search.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct State {
    /// Logits by which an answer must exceed another to dominate it.
    pub slack: f64,
    /// The floor unit: logits (times σ) that a floor of 1 stands for.
    pub step: f64,
    /// The tree of each class begun, in the classes' order.
    pub trees: Vec<Tree>,
    /// The priority queue of nodes to branch on.
    pub open: BinaryHeap<Open>,
    /// Oracle passes made.
    pub work: u64,
    /// Seconds spent, as told by whoever measures them.
    pub seconds: f64,
    /// Classes that other parts of the search have certified at their roots, by which lists were counted.
    pub assumed: Vec<Class>,
}

impl State {
    /// The state of a search that has not begun.
    pub fn new(slack: f64, tables: &Tables) -> Self {
        Self {
            slack,
            step: floor_unit(tables),
            trees: Vec::new(),
            open: BinaryHeap::new(),
            work: 0,
            seconds: 0.0,
            assumed: Vec::new(),
        }
    }
}

/// An entry of the priority queue: a node to branch on.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Open {
    /// The largest is branched on first.
    pub priority: f64,
    /// The number of its class.
    pub tree: u32,
    /// Its number in the class's tree.
    pub branch: u32,
    /// The subproblem.
    pub node: Node,
    /// The branching chosen for it.
    pub split: Split,
}

impl Ord for Open {
    fn cmp(&self, other: &Self) -> Ordering {
        let key = |open: &Self| (std::cmp::Reverse(open.tree), std::cmp::Reverse(open.branch));
        self.priority.total_cmp(&other.priority).then_with(|| key(self).cmp(&key(other)))
    }
}

impl PartialOrd for Open {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Open {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Open {}

/// The floor unit: a power of two, about 2⁻¹⁶ of the largest entry of G.
fn floor_unit(tables: &Tables) -> f64 {
    libm::exp2(libm::floor(libm::log2(tables.largest_output())) - 16.0)
}
