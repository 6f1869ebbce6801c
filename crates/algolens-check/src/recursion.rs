//! Sums over the rows of a list, least over all lists of a region, in whole units: exact.
//!
//! The tokens of a class are taken in ascending order. A state is the set of positions of the unsorted list that tokens
//! so far stand at; its size is the rank of the next token that is in the list. States are vectors of 16: those of positions
//! 0 to 3 stand in a vector, so that a state without one of these is an unaligned load away, and one without another of
//! the positions is in another vector (a *block*).

use super::{
    class::{ABSENT, Members},
    passes::{LANES, LOW, NEVER, PAD, Pass, backward, forward},
};
use algolens_core::dispatch;
use algolens_core::engine::Vectors;
use aligned_vec::{AVec, ConstAlign, avec};

/// What each row costs, in units.
pub(super) struct Costs {
    /// Of a token at a position of the unsorted list; only options that the region has are read.
    pub unsorted: Vec<[i32; LANES]>,
    /// Of a token as the sorted value of a rank; only those up to the one that predicts.
    pub sorted: Vec<[i32; LANES]>,
    /// Of `SEP`.
    pub sep: i32,
}

impl Costs {
    /// Costs of a class's rows: nothing can be yet.
    pub fn new(members: &Members) -> Self {
        let never = |tokens| vec![[NEVER; LANES]; tokens];
        Self { unsorted: never(members.tokens.len()), sorted: never(members.below), sep: 0 }
    }
}

/// Runs a kernel that is compiled for this many positions beyond [`LOW`].
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

type Numbers = AVec<i32, ConstAlign<64>>;

/// The recursion over a class's tokens.
pub(super) struct Recursion {
    vectors: Vectors,
    /// Positions beyond [`LOW`].
    high: usize,
    below: usize,
    above: usize,
    /// Numbers of a row.
    stride: usize,
    /// Where a row has the state in which the list is whole.
    whole: usize,
    /// A row a token, and one more: the least cost of reaching a state with the tokens before it.
    forward: Numbers,
    /// The least cost of what follows a state with the tokens from it on.
    backward: Numbers,
    blocks: Blocks,
    /// Buffers.
    options: Vec<u16>,
    cheapest: Vec<(i32, usize)>,
}

/// Blocks that hold states that can be. A row only ever has numbers in the blocks of its token.
pub(super) struct Blocks {
    /// Before the token that predicts, and before those below it.
    early: Vec<usize>,
    /// Before the right answer.
    middle: Vec<usize>,
    /// Before the tokens above it.
    late: Vec<usize>,
}

impl Blocks {
    /// For positions beyond [`LOW`], and the rank of the right answer.
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

    /// Those of the row before a token.
    pub fn before(&self, token: usize, below: usize) -> &[usize] {
        match token.cmp(&below) {
            std::cmp::Ordering::Less => &self.early,
            std::cmp::Ordering::Equal => &self.middle,
            std::cmp::Ordering::Greater => &self.late,
        }
    }
}

impl Recursion {
    /// For the lists of a class.
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

    /// The least cost of a list of the region; far above 0 if it has none.
    pub fn minimum(&mut self, region: &[u16], costs: &Costs) -> i32 {
        let mut options = std::mem::take(&mut self.options);
        options.clear();
        options.extend_from_slice(region);
        self.leave_out_the_dear(&mut options, costs);
        let least = self.run_forward(&options, costs);
        self.options = options;
        least
    }

    /// The least cost of a list of the region; far above 0 if it has none. If it is below 1, adds to `kept`, token by token,
    /// the options of lists that cost less than 1.
    pub fn keep(&mut self, region: &[u16], costs: &Costs, kept: &mut [u16]) -> i32 {
        let least = self.run_forward(region, costs);
        if least < 1 {
            let pass = Pass { options: region, costs, below: self.below, stride: self.stride, blocks: &self.blocks };
            let (reached, rows) = (&self.forward[..], &mut self.backward[..]);
            with_high!(self.high, self.vectors, HIGH, simd => backward::<_, HIGH>(simd, &pass, reached, rows, kept));
        }
        least
    }

    /// Strikes options out that a list of least cost can do without. Tokens above the right answer cost nothing as sorted
    /// values, and all that is of their order is that they are different. So if one that need not be in the list stands at
    /// a position where as many others are cheaper as may be in the list, one of those is not in the list and can replace it.
    fn leave_out_the_dear(&mut self, options: &mut [u16], costs: &Costs) {
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

    fn list_len(&self) -> usize {
        (self.whole - PAD + 1).trailing_zeros() as usize
    }

    /// The least cost of a list with these options. Fills the rows of `forward`.
    fn run_forward(&mut self, options: &[u16], costs: &Costs) -> i32 {
        self.forward[PAD] = costs.sep;
        let pass = Pass { options, costs, below: self.below, stride: self.stride, blocks: &self.blocks };
        let rows = &mut self.forward[..];
        let last = with_high!(self.high, self.vectors, HIGH, simd => forward::<_, HIGH>(simd, &pass, rows));
        self.forward[last * self.stride + self.whole]
    }
}
