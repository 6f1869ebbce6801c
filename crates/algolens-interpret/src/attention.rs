//! What heads attend to on average, whatever the task.

use super::{Head, Runner, Subject, circuits::check_layer};
use algolens_core::{
    Error, Result,
    engine::hooks::{BlockPoint, Filter, HookPoint},
    task::Dataset,
};
use ndarray::{ArrayView1, Ix4, s};
use serde::{Deserialize, Serialize};

/// What a head attends to: mean weights from the predicted positions over a dataset. A position that is several of these
/// counts for each.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HeadAttention {
    /// The head.
    pub head: Head,
    /// The weight on the query's own position.
    pub to_itself: f64,
    /// The weight on the position before it.
    pub to_previous: f64,
    /// The weight on the first position.
    pub to_first: f64,
    /// The weight on other positions that hold the query's token.
    pub to_same_token: f64,
    /// The entropy of the weights, in nats: 0 where all of it is on one key.
    pub entropy: f64,
}

/// What each head of a block attends to, over the predictions of a dataset by their weights.
///
/// # Errors
/// Data that does not fit the model, or in which nothing is scored, or a block that the model does not have.
pub fn head_attention(subject: Subject, layer: usize, data: &Dataset) -> Result<Vec<HeadAttention>> {
    check_layer(subject.model.config(), layer)?;
    if data.targets().total_weight() == 0.0 {
        return Err(Error::invalid("dataset", "a prediction that is scored", "none"));
    }
    let name = HookPoint::Block(layer, BlockPoint::Pattern).to_string();
    let heads = Head::of_layer(subject.model.config(), layer);
    let mut sums = vec![[0.0; 5]; heads.len()];
    let (tokens, record) = (data.tokens(), [name.as_str()]);
    Runner::new(subject).run(tokens, &[], &[], Filter::Names(&record), |chunk| {
        let pattern = chunk.cache.get::<Ix4>(&name)?;
        for (example, pattern) in chunk.examples.zip(pattern.outer_iter()) {
            let tokens = tokens.row(example).to_vec();
            for (slot, &query) in data.positions().iter().enumerate() {
                let counts = f64::from(data.targets().weight(example, slot));
                for (head, sums) in sums.iter_mut().enumerate() {
                    let found = weights(pattern.slice(s![head, query, ..]), &tokens, query);
                    sums.iter_mut().zip(found).for_each(|(sum, weight)| *sum += counts * weight);
                }
            }
        }
        Ok(())
    })?;
    let queries = data.targets().total_weight();
    let mean = |(head, sums): (Head, [f64; 5])| {
        let [to_itself, to_previous, to_first, to_same_token, entropy] = sums.map(|sum| sum / queries);
        HeadAttention { head, to_itself, to_previous, to_first, to_same_token, entropy }
    };
    Ok(heads.into_iter().zip(sums).map(mean).collect())
}

/// The weights of one query on itself, the position before, the first, and others with its token; and their entropy.
fn weights<T: PartialEq>(row: ArrayView1<f32>, tokens: &[T], query: usize) -> [f64; 5] {
    let weight = |key: usize| f64::from(row[key]);
    let same = (0..tokens.len()).filter(|key| *key != query && tokens[*key] == tokens[query]);
    let entropy = row.iter().map(|weight| f64::from(*weight)).filter(|weight| *weight > 0.0).map(|w| -w * w.ln());
    [weight(query), query.checked_sub(1).map_or(0.0, weight), weight(0), same.map(weight).sum(), entropy.sum()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn weights_go_where_they_are_named_after() {
        let [itself, previous, first, same, entropy] = weights(array![0.5, 0.25, 0.25, 0.0].view(), &[7, 9, 7, 7], 2);
        assert_eq!([itself, previous, first, same], [0.25, 0.25, 0.5, 0.5]);
        assert!((entropy - 1.5 * 2.0_f64.ln()).abs() < 1e-12);
        assert_eq!(weights(array![1.0, 0.0].view(), &[3, 3], 0), [1.0, 0.0, 1.0, 0.0, 0.0]);
    }
}
