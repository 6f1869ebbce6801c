//! Which rows of a chunk are whose.

use super::{
    attention::Place,
    pass::{Pass, Plan},
};
use crate::{engine::vector::padded, task::Token};
use ndarray::ArrayView2;

/// The rows of some sequences, sequence by sequence. Where prefixes are shared, a sequence has rows from the first position on
/// that differs from the sequence before it.
#[derive(Default)]
pub struct Places {
    sequences: Vec<SequenceRows>,
    /// Whether prefixes are shared.
    pub shared: bool,
    /// The position of each row.
    pub positions: Vec<usize>,
    /// The rows that are predicted.
    pub predicted: Vec<usize>,
}

/// Where the rows of a sequence begin.
#[derive(Clone, Copy)]
pub struct SequenceRows {
    /// Positions that it shares with the sequence before it.
    pub shared: usize,
    /// Predicted positions among them.
    pub shared_predictions: usize,
    /// Its first row.
    row: usize,
    /// Its first row among the predicted ones.
    prediction: usize,
}

impl SequenceRows {
    /// Which of a block's queries is the first that has a row.
    pub fn first_query(&self, plan: &Plan, layer: usize) -> usize {
        if plan.is_last(layer) { self.shared_predictions } else { self.shared }
    }
}

impl Places {
    /// Takes so many sequences; `shared` are the positions that each shares with the one before it.
    pub fn set(&mut self, plan: &Plan, sequences: usize, shared: Option<&[usize]>) {
        self.shared = shared.is_some();
        self.sequences.clear();
        self.positions.clear();
        self.predicted.clear();
        for sequence in 0..sequences {
            let shared = shared.map_or(0, |shared| shared[sequence]);
            let shared_predictions = plan.predictions_before(shared);
            let (row, prediction) = (self.positions.len(), self.predicted.len());
            self.sequences.push(SequenceRows { shared, shared_predictions, row, prediction });
            self.positions.extend(&plan.rows()[shared..]);
            let predicted = &plan.predicted().all[shared_predictions..];
            self.predicted.extend(predicted.iter().map(|query| row + query.position - shared));
        }
    }

    /// The sequences, in their order.
    pub fn sequences(&self) -> &[SequenceRows] {
        &self.sequences
    }

    /// How many rows the queries of a block have.
    pub fn queries(&self, plan: &Plan, layer: usize) -> usize {
        if plan.is_last(layer) { self.predicted.len() } else { self.positions.len() }
    }

    /// Position and token of each row.
    pub fn pairs<'a>(&'a self, tokens: ArrayView2<'a, Token>) -> impl Iterator<Item = (usize, usize)> + 'a {
        let ends = self.sequences.iter().skip(1).map(|next| next.row).chain([self.positions.len()]);
        self.sequences.iter().zip(ends).zip(0..).flat_map(move |((rows, end), sequence)| {
            self.positions[rows.row..end]
                .iter()
                .map(move |position| (*position, tokens[[sequence, *position]] as usize))
        })
    }

    /// Where a sequence's and each head's rows stand; nowhere without queries.
    pub fn heads<'a>(
        &'a self,
        pass: Pass<'a>,
        layer: usize,
        rows: &'a SequenceRows,
    ) -> impl Iterator<Item = Place<'a>> + 'a {
        let config = pass.model.config();
        let all = &pass.plan.queries(layer).all[..];
        let first = rows.first_query(pass.plan, layer);
        let query = if pass.plan.is_last(layer) { rows.prediction } else { rows.row };
        let (queries, keys, width) = (&all[first..], padded(pass.plan.keys()), padded(config.d_head));
        let heads = if queries.is_empty() { 0 } else { config.n_heads };
        (0..heads).map(move |head| Place {
            queries,
            query,
            key: rows.row,
            column: head * width,
            width,
            keys,
            pattern: (config.n_heads * query + head * queries.len()) * keys,
        })
    }
}

/// The positions that each sequence shares with the one before it, of those that matter; none where prefixes are not worth
/// sharing: where fewer than a quarter of all positions are shared, copies of keys and values cost what is saved.
pub fn shared_prefixes(plan: &Plan, tokens: ArrayView2<Token>) -> Option<Vec<usize>> {
    if !plan.shares_prefixes() {
        return None;
    }
    let keys = plan.keys();
    let mut before = None;
    let shared = tokens.outer_iter().map(|sequence| {
        let same = |before: ndarray::ArrayView1<Token>| {
            sequence.iter().zip(before).take(keys).take_while(|(token, before)| token == before).count()
        };
        before.replace(sequence).map_or(0, same)
    });
    let shared: Vec<usize> = shared.collect();
    const WORTHWHILE: usize = 4;
    (WORTHWHILE * shared.iter().sum::<usize>() >= keys * tokens.nrows()).then_some(shared)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{AttentionDir, Config};
    use ndarray::array;

    fn config(change: impl Fn(&mut Config)) -> Config {
        let mut config = Config {
            n_layers: 2,
            n_heads: 1,
            d_model: 4,
            d_head: 4,
            n_ctx: 4,
            d_vocab: 5,
            d_vocab_out: 5,
            ..Config::default()
        };
        change(&mut config);
        config
    }

    /// Three positions matter: what stands behind is not looked at.
    #[test]
    fn rows_are_those_of_what_is_new() {
        let tokens = array![[0, 1, 2, 3], [0, 1, 3, 3], [0, 1, 3, 4], [0, 2, 3, 4], [4, 2, 3, 4]];
        let plan = Plan::new(&config(|_| ()), 4, &[1, 2]);
        let shared = shared_prefixes(&plan, tokens.view()).unwrap();
        assert_eq!(shared, [0, 2, 3, 1, 0]);
        let mut places = Places::default();
        places.set(&plan, 5, Some(&shared));
        assert_eq!(places.positions, [0, 1, 2, 2, 1, 2, 0, 1, 2]);
        assert_eq!(places.predicted, [1, 2, 3, 4, 5, 7, 8]);
        let pairs: Vec<_> = places.pairs(tokens.view()).collect();
        assert_eq!(pairs, [(0, 0), (1, 1), (2, 2), (2, 3), (1, 2), (2, 3), (0, 4), (1, 2), (2, 3)]);
        let predictions: Vec<_> = places.sequences().iter().map(|sequence| sequence.shared_predictions).collect();
        assert_eq!(predictions, [0, 1, 2, 0, 0]);
        places.set(&plan, 2, None);
        assert_eq!((&places.positions[..], &places.predicted[..]), (&[0, 1, 2, 0, 1, 2][..], &[1, 2, 4, 5][..]));
    }

    #[test]
    fn prefixes_are_shared_where_nothing_behind_them_is_seen() {
        let tokens = array![[0, 1, 2, 3], [0, 1, 2, 4]];
        let shared = |config: Config, predicted: &[usize], tokens: &ndarray::Array2<Token>| {
            shared_prefixes(&Plan::new(&config, 4, predicted), tokens.view())
        };
        assert_eq!(shared(config(|_| ()), &[3], &tokens), Some(vec![0, 3]));
        assert_eq!(shared(config(|_| ()), &[3, 1], &tokens), None);
        assert_eq!(shared(config(|_| ()), &[3], &array![[0, 1, 2, 3], [0, 1, 0, 4], [2, 2, 2, 2]]), None);
        assert_eq!(shared(config(|config| config.attention_dir = AttentionDir::Bidirectional), &[3], &tokens), None);
        assert_eq!(shared(config(|config| config.attn_scores_soft_cap = Some(5.0)), &[3], &tokens), None);
        assert_eq!(shared(config(|config| config.n_layers = 0), &[3], &tokens), None);
    }
}
