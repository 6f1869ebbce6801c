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

/// All predicted positions of a sequence.
#[derive(Clone, Debug)]
pub struct Queries {
    /// In the order in which they were asked for.
    pub all: Vec<Query>,
    /// The same, block by block.
    pub blocks: Vec<Block>,
    /// Keys that matter: all positions, or in a causal model those up to the last query.
    pub keys: usize,
    /// The same in runs, each with the first query that sees any of them.
    pub key_runs: Vec<(Range<usize>, usize)>,
}

impl Queries {
    /// The queries at these positions of sequences of `seq` tokens.
    pub fn new(direction: AttentionDir, seq: usize, positions: &[usize]) -> Self {
        let last = positions.iter().max().map_or(0, |last| last + 1);
        let seen = |position| if direction == AttentionDir::Causal { position + 1 } else { seq };
        let all: Vec<_> = positions.iter().map(|&position| Query { position, seen: seen(position) }).collect();
        let blocks = blocks(&all).collect();
        let keys = if direction == AttentionDir::Causal { last } else { seq };
        let key_runs = key_runs(&all, keys);
        Self { all, blocks, keys, key_runs }
    }
}

/// Queries block by block.
pub fn blocks(queries: &[Query]) -> impl Iterator<Item = Block> {
    /// Queries in a block, at most: those of one tile.
    const MOST: usize = 5;
    runs(queries.len(), MOST).map(|run| {
        let seen = queries[run.clone()].iter().map(|query| query.seen).max().unwrap_or(0);
        Block { queries: run, seen }
    })
}

/// Keys in runs of whole tiles, each with the first query that sees any of them.
fn key_runs(queries: &[Query], keys: usize) -> Vec<(Range<usize>, usize)> {
    const TILE: usize = 5;
    let mut all: Vec<(Range<usize>, usize)> = Vec::new();
    for run in runs(keys, TILE) {
        let first = queries.iter().position(|query| query.seen > run.start);
        let first = first.expect("a key that matters is seen by a query");
        match all.last_mut() {
            Some((keys, same)) if *same == first && keys.len() % run.len() == 0 => keys.end = run.end,
            _ => all.push((run, first)),
        }
    }
    all
}
