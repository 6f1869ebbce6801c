//! Which positions are predicted, and what they may see.

use super::products::runs;
use crate::model::AttentionDir;
use std::ops::Range;

/// A predicted position.
#[derive(Clone, Copy, Debug)]
pub struct Query {
    /// Where it stands.
    pub position: usize,
    /// Keys that it sees.
    pub seen: usize,
}

/// Queries that are worked on together.
#[derive(Clone, Debug)]
pub struct Block {
    /// Which of all.
    pub queries: Range<usize>,
    /// Keys that any of them sees.
    pub seen: usize,
}

/// All predicted positions of a list.
#[derive(Clone, Debug)]
pub struct Queries {
    /// In the order in which they were asked for.
    pub all: Vec<Query>,
    /// The same, block by block.
    pub blocks: Vec<Block>,
    /// Keys that matter: all positions, or in a causal model those up to the last query.
    pub keys: usize,
}

impl Queries {
    /// Queries in a block, at most: those of one tile.
    const BLOCK: usize = 5;

    /// The queries at these positions of sequences of `seq` tokens.
    pub fn new(direction: AttentionDir, seq: usize, positions: &[usize]) -> Self {
        let last = positions.iter().max().map_or(0, |last| last + 1);
        let seen = |position| if direction == AttentionDir::Causal { position + 1 } else { seq };
        let all: Vec<_> = positions.iter().map(|&position| Query { position, seen: seen(position) }).collect();
        let block = |run: Range<usize>| Block {
            queries: run.clone(),
            seen: all[run].iter().map(|query| query.seen).max().unwrap_or(0),
        };
        let blocks = runs(all.len(), Self::BLOCK).map(block).collect();
        Self { all, blocks, keys: if direction == AttentionDir::Causal { last } else { seq } }
    }

    /// The keys in runs of one tile, each with the first query that sees any of them.
    pub fn key_runs(&self) -> impl Iterator<Item = (Range<usize>, usize)> + '_ {
        const KEYS: usize = 5;
        runs(self.keys, KEYS).map(|run| {
            let first = self
                .all
                .iter()
                .position(|query| query.seen > run.start)
                .expect("a key that matters is seen by a query");
            (run, first)
        })
    }
}
