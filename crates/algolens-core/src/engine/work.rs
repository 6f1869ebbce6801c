//! How much a backend multiplies.

use super::{
    Backend, Batch,
    table::{rows_of_table, shared_positions},
};
use crate::model::{Config, Normalization};

/// The multiply-adds of the products that a backend computes for a batch, counted from shapes: rows and columns that a model
/// has, keys that a query sees. What they share a core with (softmaxes, norms, lookups, sums) is not counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MultiplyAdds {
    /// Of the logits, with weights that the backend has met before.
    pub forward: u64,
    /// Of the loss and its gradients, with new weights.
    pub step: u64,
}

impl MultiplyAdds {
    /// Of products of every sequence and of those of the weights alone. Each product has two gradients, as large as itself.
    fn of(sequences: usize, weights: usize) -> Self {
        Self { forward: sequences as u64, step: 3 * (sequences + weights) as u64 }
    }
}

impl Backend {
    /// The multiply-adds of this backend on a batch that the model takes.
    pub fn multiply_adds(self, config: &Config, batch: Batch) -> MultiplyAdds {
        match self {
            Self::Circuit => circuit(config, batch),
            Self::Table => table(config, batch),
            Self::Plain => plain(config, batch),
        }
    }
}

/// Queries collect rows of OV, over residual vector and logits; the circuits are products of weights.
fn circuit(config: &Config, batch: Batch) -> MultiplyAdds {
    let &Config { n_heads, d_model, d_head, d_vocab, d_vocab_out, .. } = config;
    let seq = batch.tokens.ncols();
    let features = d_vocab + batch.positions.iter().map(|query| config.keys_seen(*query, seq)).max().unwrap_or(0);
    let norm = config.final_normalization() != Normalization::None;
    let width = d_vocab_out + if norm { d_model } else { 0 };
    let collected = n_heads * pairs(config, batch.positions.iter().copied(), seq) * width;
    let direct = features * d_model * d_vocab_out;
    let head = 4 * features * d_model * d_head + features * features * d_head + direct;
    MultiplyAdds::of(batch.tokens.nrows() * collected, n_heads * head + direct)
}

/// A forward pass computes a prefix once that neighbouring sequences share; a step does not share.
fn table(config: &Config, batch: Batch) -> MultiplyAdds {
    if batch.tokens.is_empty() || batch.positions.is_empty() {
        return MultiplyAdds { forward: 0, step: 0 };
    }
    let shared = shared_positions(config, batch.tokens, batch.positions);
    let step = table_pass(config, batch, &vec![0; batch.tokens.nrows()]);
    let forward = shared.map_or(step, |shared| table_pass(config, batch, &shared));
    MultiplyAdds { forward, step: 3 * step }
}

/// The first block's queries, keys and values once for each row of its table, where that pays; the last block's queries, and
/// what follows them, at predicted positions; nothing at the first positions of each sequence that are shared.
fn table_pass(config: &Config, batch: Batch, shared: &[usize]) -> u64 {
    let seq = batch.tokens.ncols();
    let attends = config.n_layers > 0 && config.n_heads > 0;
    let seen = batch.positions.iter().map(|query| config.keys_seen(*query, seq)).max().unwrap_or(0);
    let keys = if attends { seen } else { batch.positions.len() };
    let own = |shared: usize| batch.positions.iter().copied().filter(move |position| *position >= shared);
    let each = |of: &dyn Fn(usize) -> usize| shared.iter().map(|shared| of(*shared)).sum::<usize>();
    let (predicted, rows) = (each(&|shared| own(shared).count()), each(&|shared| keys - shared));
    let mut all = predicted * config.d_model * config.d_vocab_out;
    for layer in 0..config.n_layers {
        let last = layer + 1 == config.n_layers;
        let (queries, scores) = match last {
            true => (predicted, each(&|shared| pairs(config, own(shared), seq))),
            false => (rows, each(&|shared| pairs(config, shared..keys, seq))),
        };
        let table = if layer == 0 { rows_of_table(config, batch.tokens, keys) } else { None };
        let made = |rows: usize| table.unwrap_or(rows);
        all += projections(config, made(queries), made(rows)) + mixing(config, scores, queries);
    }
    all as u64
}

/// Everything at every position, but for the logits.
fn plain(config: &Config, batch: Batch) -> MultiplyAdds {
    let (sequences, seq) = (batch.tokens.nrows(), batch.tokens.ncols());
    let block = projections(config, seq, seq) + mixing(config, pairs(config, 0..seq, seq), seq);
    let logits = batch.positions.len() * config.d_model * config.d_vocab_out;
    MultiplyAdds::of(sequences * (config.n_layers * block + logits), 0)
}

/// Pairs of these queries and the keys that they see.
fn pairs(config: &Config, queries: impl Iterator<Item = usize>, seq: usize) -> usize {
    queries.map(|query| config.keys_seen(query, seq)).sum()
}

/// Of so many rows of queries, and of keys and values.
fn projections(config: &Config, queries: usize, keys: usize) -> usize {
    (queries * config.n_heads + 2 * keys * config.key_value_heads()) * config.d_model * config.d_head
}

/// Scores and patterns of so many pairs; what so many queries' heads and MLPs write.
fn mixing(config: &Config, pairs: usize, queries: usize) -> usize {
    let &Config { n_heads, d_model, d_head, .. } = config;
    let mlp = config.mlp.map_or(0, |mlp| (2 + usize::from(mlp.gated)) * mlp.d_mlp);
    2 * n_heads * pairs * d_head + queries * d_model * (n_heads * d_head + mlp)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        task::{SortedList, Task},
        train::Architecture,
    };
    use std::collections::HashSet;

    /// By hand: 10 queries that see 11 to 20 of 21 tokens, rows of 96 + 52 numbers, 52 tokens and 20 positions that matter.
    #[test]
    fn the_posts_multiply_adds_are_counted() {
        let config = Architecture::default().config(&SortedList::POST);
        assert_eq!((config.n_heads, config.d_model, config.d_head), (2, 96, 48));
        let data = SortedList::POST.dataset(512, 1);
        assert_eq!(SortedList::POST.predicted_positions(), (10..20).collect::<Vec<_>>());
        let circuit = Backend::Circuit.multiply_adds(&config, Batch::from(&data));
        let collected = 512 * 2 * 155 * 148;
        assert_eq!(circuit.forward, collected);
        let (direct, qk) = (72 * 96 * 52, 72 * 72 * 48);
        let tables = 2 * (4 * 72 * 96 * 48 + qk + direct) + direct;
        assert_eq!(circuit.step, 3 * (collected + tables));
        let plain = Backend::Plain.multiply_adds(&config, Batch::from(&data));
        let block = 4 * 21 * 96 * 96 + 2 * 2 * 231 * 48;
        assert_eq!(plain.forward, 512 * (block + 10 * 96 * 52));
        let pairs: HashSet<_> = data
            .tokens()
            .outer_iter()
            .flat_map(|row| row.iter().take(20).copied().enumerate().collect::<Vec<_>>())
            .collect();
        let table = Backend::Table.multiply_adds(&config, Batch::from(&data));
        // Far fewer than half of the positions: a table of them pays, with queries of all.
        let rows = 3 * pairs.len();
        let list = 2 * 2 * 155 * 48 + 10 * 96 * 96 + 10 * 96 * 52;
        assert_eq!(table.forward, (rows * 96 * 96 + 512 * list) as u64);
        assert_eq!(table.step, 3 * table.forward);
        // Of few lists each position is computed: 20 keys, and 10 queries.
        let few = Backend::Table.multiply_adds(&config, Batch::from(&data.select(&[0, 1])));
        assert_eq!(few.forward, 2 * ((10 + 2 * 20) * 96 * 96 + list) as u64);
    }

    /// Of four sequences of each group that are the same, one is computed; all of them are learnt from.
    #[test]
    fn prefixes_that_are_shared_count_once() {
        let config = Config { n_layers: 2, ..Architecture::default().config(&SortedList::POST) };
        let data = SortedList::POST.dataset(1, 1);
        let of =
            |sequences: usize| Backend::Table.multiply_adds(&config, Batch::from(&data.select(&vec![0; sequences])));
        assert_eq!(of(64).forward, of(16).forward);
        assert!(of(64).step > 11 * of(64).forward, "{:?}", of(64));
    }
}
