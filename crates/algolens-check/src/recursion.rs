//! Exact minimization of a functional over the lists of a region, by min-plus subset dynamic programming on whole
//! units.
//!
//! The tokens of a class are taken in ascending order. A state is the set of positions of the unsorted list that tokens
//! so far stand at; its size is the rank of the next token that is in the list. States are vectors of 16: those of
//! positions 0 to 3 stand in a vector, so that a state without one of these is an unaligned load away, and one without
//! another of the positions is in another vector (a *block*).

use super::{
    class::{ABSENT, Members},
    passes::{Pass, backward, forward},
    states::{Blocks, Costs, LANES, LOW, NEVER, PAD},
};
use algolens_core::dispatch;
use algolens_core::engine::Vectors;
use aligned_vec::{AVec, ConstAlign, avec};

/// Dispatches to a kernel that is compiled for this many positions beyond [`LOW`].
macro_rules! with_high {
    ($high:expr, $vectors:expr, $HIGH:ident, $simd:ident => $call:expr) => {
        match $high {
            0 => with_high!(@ 0, $vectors, $HIGH, $simd => $call),
            1 => with_high!(@ 1, $vectors, $HIGH, $simd => $call),
            2 => with_high!(@ 2, $vectors, $HIGH, $simd => $call),
            3 => with_high!(@ 3, $vectors, $HIGH, $simd => $call),
            4 => with_high!(@ 4, $vectors, $HIGH, $simd => $call),
            5 => with_high!(@ 5, $vectors, $HIGH, $simd => $call),
            6 => with_high!(@ 6, $vectors, $HIGH, $simd => $call),
            7 => with_high!(@ 7, $vectors, $HIGH, $simd => $call),
            8 => with_high!(@ 8, $vectors, $HIGH, $simd => $call),
            _ => unreachable!("lists have at most 12 values"),
        }
    };
    (@ $number:literal, $vectors:expr, $HIGH:ident, $simd:ident => $call:expr) => {{
        const $HIGH: usize = $number;
        dispatch!($vectors, $simd => $call)
    }};
}

/// Rows of states, aligned for vector loads.
type AlignedRows = AVec<i32, ConstAlign<64>>;

/// The dynamic program over a class's tokens, with its buffers.
pub(super) struct Recursion {
    vectors: Vectors,
    /// Number of positions beyond [`LOW`].
    high: usize,
    below: usize,
    above: usize,
    /// Numbers in a row.
    stride: usize,
    /// Index in a row of the state with every position filled.
    whole: usize,
    /// Least costs `[token, and one more][state]` to reach a state with the tokens before it.
    forward: AlignedRows,
    /// Least costs `[token, and one more][state]` to complete a state with the tokens from it on.
    backward: AlignedRows,
    blocks: Blocks,
    /// Buffer of options `[token]`.
    options: Vec<u16>,
    /// Buffer of costs and tokens.
    cheapest: Vec<(i32, usize)>,
}

impl Recursion {
    /// The dynamic program of a class.
    pub fn new(members: &Members, vectors: Vectors) -> Self {
        let list_len = members.sizes.list_len;
        let high = list_len.saturating_sub(LOW);
        let stride = PAD + (LANES << high) + PAD;
        let numbers = stride * (members.tokens.len() + 1);
        let whole = PAD + (1 << list_len) - 1;
        let mut backward = avec![[64]| NEVER; numbers];
        backward[members.tokens.len() * stride + whole] = 0;
        Self {
            vectors,
            high,
            below: members.below,
            above: members.above(),
            stride,
            whole,
            forward: avec![[64]| NEVER; numbers],
            backward,
            blocks: Blocks::new(high, members.position),
            options: Vec::new(),
            cheapest: Vec::new(),
        }
    }

    /// The minimum over a region; far above 0 if it is empty.
    pub fn minimum(&mut self, region: &[u16], costs: &Costs) -> i32 {
        let mut options = std::mem::take(&mut self.options);
        options.clear();
        options.extend_from_slice(region);
        self.prune_dominated(&mut options, costs);
        let least = self.run_forward(&options, costs);
        self.options = options;
        least
    }

    /// The minimum over a region; far above 0 if it is empty. If it is below 1, adds to `kept` `[token]` the options
    /// whose min-marginal is below 1.
    pub fn keep(&mut self, region: &[u16], costs: &Costs, kept: &mut [u16]) -> i32 {
        let least = self.run_forward(region, costs);
        if least < 1 {
            let pass = Pass { options: region, costs, below: self.below, stride: self.stride, blocks: &self.blocks };
            let (reached, rows) = (&self.forward[..], &mut self.backward[..]);
            with_high!(self.high, self.vectors, HIGH, simd => backward::<_, HIGH>(simd, &pass, reached, rows, kept));
        }
        least
    }

    /// Prunes dominated options, which some list of least cost does without. Tokens above the target cost nothing as
    /// sorted values, and all that is of their order is that they are different. So if one that need not be in the list
    /// stands at a position where as many others are cheaper as may be in the list, one of those is not in the list and
    /// can replace it.
    fn prune_dominated(&mut self, options: &mut [u16], costs: &Costs) {
        let first = self.below + 1;
        let free = |options: u16| options & ABSENT != 0;
        let needed = options[first..].iter().filter(|options| !free(**options)).count();
        let room = self.above.saturating_sub(needed);
        for position in 0..self.list_len() {
            let bit = 1 << position;
            self.cheapest.clear();
            let there = (first..options.len()).filter(|token| free(options[*token]) && options[*token] & bit != 0);
            self.cheapest.extend(there.map(|token| (costs.unsorted[token][position], token)));
            if self.cheapest.len() > room {
                if room > 0 {
                    self.cheapest.select_nth_unstable(room - 1);
                }
                self.cheapest[room..].iter().for_each(|(_, token)| options[*token] &= !bit);
            }
        }
    }

    /// Length of a list.
    fn list_len(&self) -> usize {
        (self.whole - PAD + 1).trailing_zeros() as usize
    }

    /// The minimum over the lists with these options, by a forward pass that fills the rows of `forward`.
    fn run_forward(&mut self, options: &[u16], costs: &Costs) -> i32 {
        self.forward[PAD] = costs.sep;
        let pass = Pass { options, costs, below: self.below, stride: self.stride, blocks: &self.blocks };
        let rows = &mut self.forward[..];
        let last = with_high!(self.high, self.vectors, HIGH, simd => forward::<_, HIGH>(simd, &pass, rows));
        self.forward[last * self.stride + self.whole]
    }
}
