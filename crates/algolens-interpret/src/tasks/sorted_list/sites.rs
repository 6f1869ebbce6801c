//! Prediction sites of a sorting model: the token at a predicted position, its target, and what each head attends to.

use crate::{Runner, Subject, circuits::check_layer};
use algolens_core::{
    Error, Result,
    engine::{
        hooks::{BlockPoint, Filter, HookPoint},
        loss::{argmax, log_softmax},
    },
    task::{Dataset, SortedList, Task, Token},
};
use ndarray::{ArrayView1, ArrayView2, Axis, Ix4, s};

/// One predicted position of one list: its tokens, its prediction, and the attention pattern of its query.
#[derive(Clone, Debug, PartialEq)]
pub struct PredictionSite {
    /// Index of the list within the data.
    pub list: usize,
    /// The predicted position, which is the query's.
    pub query: usize,
    /// The token at the query: SEP, or a value of the sorted half.
    pub d: Token,
    /// The target: the smallest value above `d`.
    pub target: Token,
    /// The value after the target; none where the target is the largest.
    pub second: Option<Token>,
    /// `[head]`: the token at the key with the largest weight.
    pub top_attended: Vec<Token>,
    /// `[head]`: the same among the keys that hold another token than `d`.
    pub top_other: Vec<Token>,
    /// `[head]`: attention to `d` (in either half), `target` and `second`.
    pub attention: Vec<[f64; 3]>,
    /// The most probable class.
    pub predicted: Token,
    /// The probabilities of `d` and of the target.
    pub probs: [f64; 2],
}

impl PredictionSite {
    /// True if the query is SEP, so that the target is the smallest value.
    pub fn is_first(&self, task: &SortedList) -> bool {
        self.query == task.first_query()
    }

    /// True if the most probable class is the target.
    pub fn correct(&self) -> bool {
        self.predicted == self.target
    }

    /// True if some head attends most to `token`.
    pub fn attends_most_to(&self, token: Token) -> bool {
        self.top_attended.contains(&token)
    }
}

/// The prediction sites of every list, list by list and position by position, with the patterns of block `layer`.
///
/// # Errors
/// Data that does not fit the model or is empty, or a block that the model does not have.
pub fn prediction_sites(
    subject: Subject,
    task: &SortedList,
    layer: usize,
    data: &Dataset,
) -> Result<Vec<PredictionSite>> {
    prediction_sites_at(subject, task, layer, data, |_, _| true)
}

/// Those of the [`prediction_sites`] for which this holds, by the index of the list within the data and by `d`.
pub(super) fn prediction_sites_at(
    subject: Subject,
    task: &SortedList,
    layer: usize,
    data: &Dataset,
    wanted: impl Fn(usize, Token) -> bool,
) -> Result<Vec<PredictionSite>> {
    check_layer(subject.model.config(), layer)?;
    if data.is_empty() {
        return Err(Error::invalid("dataset", "at least one example", 0));
    }
    let name = HookPoint::Block(layer, BlockPoint::Pattern).to_string();
    let mut sites = Vec::new();
    let queries = task.predicted_positions();
    Runner::new(subject).run(data.tokens(), &queries, &[], Filter::Names(&[&name]), |chunk| {
        let pattern = chunk.cache.get::<Ix4>(&name)?;
        for (at, list) in chunk.examples.enumerate() {
            let tokens = data.tokens().index_axis_move(Axis(0), list);
            for (slot, &query) in queries.iter().enumerate().filter(|(_, query)| wanted(list, tokens[**query])) {
                let keys = subject.model.config().keys_seen(query, tokens.len());
                let seen = tokens.slice(s![..keys]);
                let attention = pattern.slice(s![at, .., query, ..keys]);
                let logits = chunk.logits.slice(s![at, slot, ..]);
                let (d, target, second) = (tokens[query], tokens[query + 1], tokens.get(query + 2).copied());
                let log_probs = log_softmax(logits);
                sites.push(PredictionSite {
                    list,
                    query,
                    d,
                    target,
                    second,
                    top_attended: attention.outer_iter().map(|weights| seen[argmax(weights)]).collect(),
                    top_other: attention.outer_iter().map(|weights| top_but(weights, seen, d)).collect(),
                    attention: attention_to(attention, seen, [Some(d), Some(target), second]),
                    predicted: argmax(logits) as Token,
                    probs: [d, target].map(|token| log_probs.get(token as usize).map_or(0.0, |log| log.exp())),
                });
            }
        }
        Ok(())
    })?;
    Ok(sites)
}

/// The token at the key with the largest weight among those that hold another token than `but`; `but` where there is none.
fn top_but(weights: ArrayView1<f32>, seen: ArrayView1<Token>, but: Token) -> Token {
    let mut others = weights.iter().zip(seen).filter(|(_, held)| **held != but);
    let Some(first) = others.next() else { return but };
    *others.fold(first, |top, other| if other.0 > top.0 { other } else { top }).1
}

/// The attention of each head to three tokens, from `attention [head, key]`, summed over the keys that hold the token.
fn attention_to(attention: ArrayView2<f32>, seen: ArrayView1<Token>, tokens: [Option<Token>; 3]) -> Vec<[f64; 3]> {
    let attention_to_token = |weights: ArrayView1<f32>, token: Option<Token>| {
        let held = weights.iter().zip(seen).filter(|(_, held)| Some(**held) == token);
        held.map(|(weight, _)| f64::from(*weight)).sum()
    };
    attention.outer_iter().map(|weights| tokens.map(|token| attention_to_token(weights, token))).collect()
}
