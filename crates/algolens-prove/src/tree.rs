//! The branch-and-bound tree of one class: its proof.

use super::{
    node::{Examined, Node, Remainder},
    oracle::Split,
    worst_case::WorstCase,
};
use algolens_check::certificate::{Status, evidence::tag};
use serde::{Deserialize, Serialize};

/// Proved shares of a class's lists, and the class's status.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Decided {
    /// The status of the class as a whole.
    pub status: Status,
    /// The share of its lists proved correct.
    pub right: f64,
    /// The share of its lists proved wrong.
    pub wrong: f64,
    /// The share of its lists proved wrong that have only certified classes at earlier positions: no two classes share
    /// such a list.
    pub first_wrong: f64,
}

/// The branch-and-bound tree of one class.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Tree {
    /// Number of lists of the class.
    pub lists: f64,
    /// Number of them proved wrong.
    pub wrong: f64,
    /// Number of those with only certified classes at earlier positions.
    pub first_wrong: f64,
    /// The nodes; the root is the first, children come after their parent.
    pub nodes: Vec<Branch>,
    /// The worst case found.
    pub worst: Option<WorstCase>,
    /// Number of its nodes in the queue.
    pub open: usize,
    /// Approximate bytes of evidence.
    pub bytes: usize,
}

/// A node of the tree: its evidence and how it ends.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Branch {
    /// The moves, as [`evidence`](algolens_check::certificate::evidence) writes them.
    #[serde(rename = "steps")]
    pub moves: Box<[u8]>,
    /// The end.
    pub end: End,
}

/// The end of a node.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum End {
    /// Every list is decided.
    Done,
    /// A leaf with so many undecided lists.
    Open(f64),
    /// One list; true if it is undecided.
    Single(bool),
    /// A branching; the numbers of the two children.
    Split(Split, [u32; 2]),
}

impl Tree {
    /// The empty tree of a class with so many lists.
    pub fn new(lists: f64, worst: Option<WorstCase>) -> Self {
        Self { lists, wrong: 0.0, first_wrong: 0.0, nodes: Vec::new(), worst, open: 0, bytes: 0 }
    }

    /// True if the root alone certifies the class.
    pub fn is_certified_at_root(&self) -> bool {
        self.wrong == 0.0 && self.nodes.first().is_some_and(|root| matches!(root.end, End::Done | End::Single(false)))
    }

    /// True if the worst case found is predicted wrong.
    pub fn is_refuted(&self) -> bool {
        self.worst.is_some_and(|worst| worst.margin < 0.0)
    }

    /// True if no leaf is open: each list is proved to exceed the slack, or its logits were computed.
    pub fn is_closed(&self) -> bool {
        !self.nodes.is_empty() && !self.nodes.iter().any(|branch| matches!(branch.end, End::Open(_)))
    }

    /// Adds a bounded node; the subproblem and branching that remain of it, if any.
    pub fn add(&mut self, examined: Examined) -> Option<(Node, Split)> {
        self.wrong += examined.wrong;
        self.first_wrong += examined.first_wrong;
        let (end, open) = match examined.remainder {
            Remainder::Nothing => (End::Done, None),
            Remainder::Single { decided } => (End::Single(!decided), None),
            Remainder::Node(node, split) => (End::Open(node.count), split.map(|split| (node, split))),
        };
        // And one for its end.
        self.bytes += examined.moves.len() + 1;
        self.nodes.push(Branch { moves: examined.moves.into(), end });
        open
    }

    /// Replaces a leaf's end by a branching into two children.
    pub fn split(&mut self, branch: usize, split: Split, children: [u32; 2]) {
        let mut written = Vec::new();
        split.write(&mut written);
        // Its tag is counted.
        self.bytes += written.len() - 1;
        self.nodes[branch].end = End::Split(split, children);
    }

    /// The proved shares and the status of the class, rounded to the sound side.
    pub fn decided(&self) -> Decided {
        /// Counts are sums of so few rounded numbers that this covers their errors.
        const ROUNDING: f64 = 1e-12;
        let undecided: f64 = self.nodes.iter().map(|branch| branch.end.undecided()).sum();
        let status = if undecided == 0.0 && self.wrong == 0.0 {
            Status::Certified
        } else if self.wrong > 0.0 || self.is_refuted() {
            Status::Refuted
        } else {
            Status::Undecided
        };
        let right = match status {
            Status::Certified => 1.0,
            _ => (1.0 - (undecided + self.wrong) / self.lists - ROUNDING).max(0.0),
        };
        let share = |lists: f64| lists / self.lists * (1.0 - ROUNDING);
        Decided { status, right, wrong: share(self.wrong), first_wrong: share(self.first_wrong) }
    }

    /// Appends the tree's evidence, in depth-first order.
    pub fn write(&self, bytes: &mut Vec<u8>) {
        let mut next = vec![0];
        while let Some(number) = next.pop() {
            let branch = &self.nodes[number];
            bytes.extend(&branch.moves);
            match &branch.end {
                End::Done => bytes.push(tag::DONE),
                End::Open(_) => bytes.push(tag::OPEN),
                End::Single(_) => bytes.push(tag::SINGLE),
                End::Split(split, [first, second]) => {
                    split.write(bytes);
                    next.extend([*second as usize, *first as usize]);
                }
            }
        }
    }
}

impl End {
    /// The number of undecided lists.
    fn undecided(&self) -> f64 {
        match self {
            Self::Open(lists) => *lists,
            Self::Single(undecided) => f64::from(u8::from(*undecided)),
            Self::Done | Self::Split(..) => 0.0,
        }
    }
}
