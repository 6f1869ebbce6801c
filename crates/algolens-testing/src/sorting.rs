//! Small sorting models with random weights, and every list of a small sorting task.

use crate::random_model;
use algolens_core::{
    model::{AttentionDir, Config, Model, Normalization, Positions},
    task::{SortedList, Task},
};

/// The choices of a random sorting model beside its task.
#[derive(Clone, Copy, Debug)]
pub struct SortingKind {
    pub n_heads: usize,
    pub normalization_type: Normalization,
    pub positional_embedding_type: Positions,
}

impl SortingKind {
    /// Layer norms and standard positions.
    pub fn with_heads(n_heads: usize) -> Self {
        Self { n_heads, normalization_type: Normalization::LN, positional_embedding_type: Positions::Standard }
    }
}

/// A one-layer attention-only causal model of a sorting task, whose every weight, bias and norm weight is a random
/// number from -1 to 1. Its sizes are all different where shapes could be confused.
pub fn random_sorting_model(task: &SortedList, kind: SortingKind, seed: u64) -> Model {
    let tokens = task.max_value() as usize + 2;
    let config = Config {
        n_layers: 1,
        n_heads: kind.n_heads,
        d_model: 7,
        d_head: 5,
        mlp: None,
        n_ctx: task.n_ctx(),
        d_vocab: tokens,
        d_vocab_out: tokens,
        normalization_type: kind.normalization_type,
        attention_dir: AttentionDir::Causal,
        positional_embedding_type: kind.positional_embedding_type,
        eps: 1e-5,
        ..Config::default()
    };
    random_model(config, seed).cast()
}

/// Every list of distinct values, in any order.
pub fn every_list<V: Copy + PartialEq>(values: &[V], list_len: usize) -> Vec<Vec<V>> {
    (0..list_len).fold(vec![Vec::new()], |lists, _| {
        let longer = |list: &Vec<V>| {
            let free = values.iter().filter(|value| !list.contains(value));
            free.map(|value| [list.as_slice(), &[*value]].concat()).collect::<Vec<_>>()
        };
        lists.iter().flat_map(longer).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::every_list;

    #[test]
    fn every_list_of_three_values_is_there_once_and_in_order() {
        let expected = [[0, 1], [0, 2], [1, 0], [1, 2], [2, 0], [2, 1]].map(|list| list.to_vec());
        assert_eq!(every_list(&[0, 1, 2], 2), expected);
        assert_eq!(every_list(&[7], 0), vec![Vec::<i32>::new()]);
        assert!(every_list(&[0, 1], 3).is_empty());
    }
}
