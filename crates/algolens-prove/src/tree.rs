//! The proof of one class: a tree of nodes.

use super::{
    attack::Found,
    node::{Examined, Left, Node, Split},
};
use algolens_check::certificate::{
    Status,
    evidence::{tag, write_number},
};
use serde::{Deserialize, Serialize};

/// What is known of a class.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Decided {
    /// Of the class as a whole.
    pub status: Status,
    /// The share of its lists that are right for sure.
    pub right: f64,
    /// The share of its lists that are wrong for sure.
    pub wrong: f64,
    /// The share of its lists that are wrong for sure and have certified classes only at earlier positions: no two classes
    /// share such a list.
    pub first_wrong: f64,
}

/// The proof of one class.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Tree {
    /// How many lists the class has.
    pub lists: f64,
    /// How many of them are wrong for sure.
    pub wrong: f64,
    /// How many of those have certified classes only at earlier positions.
    pub first_wrong: f64,
    pub nodes: Vec<Branch>,
    /// The worst list found.
    pub worst: Option<Found>,
    /// How many of its nodes can be worked on.
    pub open: usize,
    /// Bytes of evidence, about.
    pub bytes: usize,
}

/// One node of a proof.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Branch {
    /// As [`evidence`](algolens_check::certificate::evidence) writes them.
    pub steps: Box<[u8]>,
    pub end: End,
}

/// How a node ends.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) enum End {
    Done,
    /// So many lists are undecided.
    Open(f64),
    /// One list; whether it is undecided.
    Single(bool),
    /// The numbers of two nodes.
    Split(Split, [u32; 2]),
}

impl Tree {
    /// A class with so many lists, of which nothing is known yet.
    pub fn new(lists: f64, worst: Option<Found>) -> Self {
        Self { lists, wrong: 0.0, first_wrong: 0.0, nodes: Vec::new(), worst, open: 0, bytes: 0 }
    }

    /// Whether the root alone decides that every list is right.
    pub fn is_certified_at_root(&self) -> bool {
        self.wrong == 0.0 && self.nodes.first().is_some_and(|root| matches!(root.end, End::Done | End::Single(false)))
    }

    /// Whether a list was found that is predicted wrong.
    pub fn is_refuted(&self) -> bool {
        self.worst.is_some_and(|worst| worst.margin < 0.0)
    }

    /// Whether no lists are left together: each is proved to be above the slack, or was looked at by itself.
    pub fn is_closed(&self) -> bool {
        !self.nodes.is_empty() && !self.nodes.iter().any(|branch| matches!(branch.end, End::Open(_)))
    }

    /// Adds what became of a node; what there is to go on with.
    pub fn add(&mut self, examined: Examined) -> Option<(Node, Split)> {
        self.wrong += examined.wrong;
        self.first_wrong += examined.first_wrong;
        let (end, left) = match examined.left {
            Left::Nothing => (End::Done, None),
            Left::Single { right } => (End::Single(!right && examined.wrong == 0.0), None),
            Left::Node(node, split) => (End::Open(node.count), split.map(|split| (node, split))),
        };
        // And one for its end.
        self.bytes += examined.steps.len() + 1;
        self.nodes.push(Branch { steps: examined.steps.into(), end });
        left
    }

    /// A node was split into two others.
    pub fn split(&mut self, branch: usize, split: Split, parts: [u32; 2]) {
        /// A split has a token and options, its tag is counted.
        const BYTES: usize = 3;
        self.bytes += BYTES;
        self.nodes[branch].end = End::Split(split, parts);
    }

    /// What is known of the class; the shares err on the safe side.
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

    /// Appends the tree's evidence.
    pub fn write(&self, bytes: &mut Vec<u8>) {
        let mut next = vec![0];
        while let Some(number) = next.pop() {
            let branch = &self.nodes[number];
            bytes.extend(&branch.steps);
            match branch.end {
                End::Done => bytes.push(tag::DONE),
                End::Open(_) => bytes.push(tag::OPEN),
                End::Single(_) => bytes.push(tag::SINGLE),
                End::Split(split, [left, right]) => {
                    bytes.push(tag::SPLIT);
                    write_number(bytes, split.token as u64);
                    bytes.extend(split.options.to_le_bytes());
                    next.extend([right as usize, left as usize]);
                }
            }
        }
    }
}

impl End {
    fn undecided(&self) -> f64 {
        match self {
            Self::Open(lists) => *lists,
            Self::Single(undecided) => f64::from(u8::from(*undecided)),
            Self::Done | Self::Split(..) => 0.0,
        }
    }
}
