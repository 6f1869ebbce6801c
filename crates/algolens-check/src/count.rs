//! Exact counts of a region's lists, by sum-product subset dynamic programming, and the only list of a region that has
//! one.

use super::{
    class::{ABSENT, Members},
    product,
    sizes::Asks,
    states::{Blocks, LANES, LOW},
};
use algolens_core::dispatch;
use algolens_core::engine::Vectors;
use fearless_simd::prelude::*;
use fearless_simd_macros::simd;
use std::ops::AddAssign;

/// Counter of the lists of a class's regions: in 64 bits where its task has fewer lists than 2⁶³, else in 128.
pub(super) enum Counter {
    /// In 64 bits.
    Narrow(Counting<u64>),
    /// In 128 bits.
    Wide(Counting<u128>),
    /// Of lists of any values.
    Product(Members),
}

impl Counter {
    /// The counter of a class of a task with this many lists.
    pub fn new(members: &Members, lists: u128, vectors: Vectors) -> Self {
        if members.sizes.asks != Asks::Sorted {
            Self::Product(members.clone())
        } else if lists < 1 << 63 {
            Self::Narrow(Counting::new(members, vectors))
        } else {
            Self::Wide(Counting::new(members, vectors))
        }
    }

    /// Number of lists of a region.
    pub fn count(&mut self, region: &[u16]) -> u128 {
        match self {
            Self::Narrow(counting) => counting.count(region).into(),
            Self::Wide(counting) => counting.count(region),
            Self::Product(members) => product::count(members, region),
        }
    }

    /// The only list of a region, as tokens' numbers `[position]`; none if it has more or none.
    pub fn only_list(&mut self, region: &[u16]) -> Option<Vec<usize>> {
        if self.count(region) != 1 {
            return None;
        }
        match self {
            Self::Narrow(counting) => counting.some_list(region),
            Self::Wide(counting) => counting.some_list(region),
            Self::Product(members) => product::only_list(members, region),
        }
    }
}

/// The sum-product dynamic program: `[token, and one more][state]`, the number of ways to reach each set of positions
/// with the tokens before.
pub(super) struct Counting<N> {
    vectors: Vectors,
    list_len: usize,
    position: usize,
    below: usize,
    /// Numbers in a row.
    stride: usize,
    rows: Vec<N>,
    blocks: Blocks,
}

impl<N: Copy + AddAssign + PartialEq + From<u8>> Counting<N> {
    /// The dynamic program of a class.
    fn new(members: &Members, vectors: Vectors) -> Self {
        let list_len = members.sizes.list_len;
        let high = list_len.saturating_sub(LOW);
        let stride = LANES << high;
        let mut rows = vec![N::from(0); (members.tokens.len() + 1) * stride];
        rows[0] = N::from(1);
        let blocks = Blocks::new(high, members.position);
        Self { vectors, list_len, position: members.position, below: members.below, stride, rows, blocks }
    }

    /// Number of lists of a region.
    fn count(&mut self, region: &[u16]) -> N {
        let row = dispatch!(self.vectors, simd => self.fill(simd, region));
        self.rows[row * self.stride + (1 << self.list_len) - 1]
    }

    /// Forward pass: fills a row for each token that may be in a list; the last row's number.
    #[inline(always)]
    fn fill<S: Simd>(&mut self, simd: S, region: &[u16]) -> usize {
        let mut last = 0;
        for (token, options) in region.iter().enumerate().filter(|(_, options)| **options != ABSENT) {
            let (before, after) = self.rows.split_at_mut((token + 1) * self.stride);
            let from = &before[last * self.stride..][..self.stride];
            let to = &mut after[..self.stride];
            let blocks = self.blocks.before(token + 1, self.below);
            add_token(simd, from, to, blocks, *options);
            if token + 1 == self.below {
                // The token that predicts has its rank.
                let misses = |state: usize| state.count_ones() as usize != self.position;
                (0..to.len()).filter(|state| misses(*state)).for_each(|state| to[state] = N::from(0));
            }
            last = token + 1;
        }
        last
    }

    /// Traceback: a list of the region that was counted last, if it has one.
    fn some_list(&self, region: &[u16]) -> Option<Vec<usize>> {
        let mut list = vec![0; self.list_len];
        let mut state = (1 << self.list_len) - 1;
        let mut tokens = region.iter().enumerate().rev().filter(|(_, options)| **options != ABSENT).peekable();
        while let Some((token, options)) = tokens.next() {
            let row = tokens.peek().map_or(0, |(before, _)| before + 1);
            let reached = |state: usize| self.rows[row * self.stride + state] != N::from(0);
            if options & ABSENT != 0 && reached(state) {
                continue;
            }
            let mut places = (0..self.list_len).filter(|place| options >> place & 1 != 0 && state >> place & 1 != 0);
            let place = places.find(|place| reached(state ^ 1 << place))?;
            state ^= 1 << place;
            list[place] = token;
        }
        (state == 0).then_some(list)
    }
}

/// The number of ways to reach each state of the blocks once a token is placed.
#[simd]
fn add_token<S: Simd, N: Copy + AddAssign + From<u8>>(
    simd: S,
    from: &[N],
    to: &mut [N],
    blocks: &[usize],
    options: u16,
) {
    let _ = simd;
    for &block in blocks {
        let at = block * LANES;
        let near = from[at..].first_chunk::<LANES>().expect("rows are whole blocks");
        let mut ways = if options & ABSENT != 0 { *near } else { [N::from(0); LANES] };
        add_low::<N, 0>(near, &mut ways, options);
        add_low::<N, 1>(near, &mut ways, options);
        add_low::<N, 2>(near, &mut ways, options);
        add_low::<N, 3>(near, &mut ways, options);
        let mut places = block & usize::from(options & !ABSENT) >> LOW;
        while places != 0 {
            let without = &from[at - (LANES << places.trailing_zeros())..][..LANES];
            ways.iter_mut().zip(without).for_each(|(ways, more)| *ways += *more);
            places &= places - 1;
        }
        to[at..at + LANES].copy_from_slice(&ways);
    }
}

/// Adds the ways with the token at a low position, if it may stand there.
#[inline(always)]
fn add_low<N: Copy + AddAssign, const PLACE: usize>(near: &[N; LANES], ways: &mut [N; LANES], options: u16) {
    if options >> PLACE & 1 != 0 {
        for pair in 0..LANES >> (PLACE + 1) {
            let without = pair << (PLACE + 1);
            for lane in without..without + (1 << PLACE) {
                ways[lane + (1 << PLACE)] += near[lane];
            }
        }
    }
}
