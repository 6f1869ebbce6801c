//! The state layout of the dynamic programs, and the quantized costs they read.
//!
//! A state is a set of positions of the unsorted list. A row has every state, in blocks: a block's states differ in the
//! first [`LOW`] positions, and its number is the set of the others.

use super::class::Members;

/// +∞: the cost of an infeasible choice. Four of it fit 32 bits. An unreachable state costs at least this less twice
/// the largest sum of a list's costs ([`MOST`]), however low they are: far above 0.
pub(super) const NEVER: i32 = 7 << 26;

/// The largest sum of a list's absolute costs, but for a unit a row.
pub(super) const MOST: f64 = (1 << 27) as f64;

/// Number of states in a block.
pub(super) const LANES: usize = 16;
/// Number of positions whose sets are the states of a block.
pub(super) const LOW: usize = 4;
/// Numbers before and after the states of a row, which stay [`NEVER`].
pub(super) const PAD: usize = LANES;

/// Quantized costs of the rows, in units.
pub(super) struct Costs {
    /// Cost `[token][position]` in the unsorted list; only options that the region has are read.
    pub unsorted: Vec<[i32; LANES]>,
    /// Cost `[token][rank]` as a sorted value, of tokens up to the one that predicts.
    pub sorted: Vec<[i32; LANES]>,
    /// Cost of `SEP`.
    pub sep: i32,
}

impl Costs {
    /// Costs of a class's rows, all infeasible.
    pub fn new(members: &Members) -> Self {
        let never = |tokens| vec![[NEVER; LANES]; tokens];
        Self { unsorted: never(members.tokens.len()), sorted: never(members.below), sep: 0 }
    }
}

/// The blocks with reachable states, by token; elsewhere rows are never written.
pub(super) struct Blocks {
    /// Before the token that predicts, and before those below it.
    early: Vec<usize>,
    /// Before the target.
    middle: Vec<usize>,
    /// Before the tokens above it.
    late: Vec<usize>,
}

impl Blocks {
    /// The blocks for so many positions beyond [`LOW`] and the rank of the target.
    pub fn new(high: usize, position: usize) -> Self {
        let with_sizes = |least: usize, most: usize| {
            let holds_one = |block: &usize| {
                let ones = block.count_ones() as usize;
                ones + LOW >= least && ones <= most
            };
            (0..1_usize << high).filter(holds_one).collect()
        };
        Self {
            early: with_sizes(0, position.saturating_sub(1)),
            middle: with_sizes(position, position),
            late: with_sizes(position + 1, high),
        }
    }

    /// The blocks of the row before a token.
    pub fn before(&self, token: usize, below: usize) -> &[usize] {
        match token.cmp(&below) {
            std::cmp::Ordering::Less => &self.early,
            std::cmp::Ordering::Equal => &self.middle,
            std::cmp::Ordering::Greater => &self.late,
        }
    }
}
