//! The steps of sorting: at each predicted position, what stands there, what should follow, and whom heads attend to.

use super::{Subject, circuits::check_layer};
use algolens_core::{
    Error, Result,
    engine::{
        hooks::{BlockPoint, Filter, HookPoint},
        loss::{argmax, log_softmax},
    },
    task::{Dataset, SortedList, Token},
};
use ndarray::{ArrayView1, ArrayView2, Ix4, s};

/// One prediction of a sorting model, and the attention behind it.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// The list, counted within the data.
    pub list: usize,
    /// The position that predicts.
    pub query: usize,
    /// The token that stands there: SEP, or a value of the sorted half.
    pub d: Token,
    /// The right answer: the smallest value above `d`.
    pub next: Token,
    /// The value after it; none where `next` is the largest.
    pub second: Option<Token>,
    /// The token that each head of the block attends to most.
    pub favourites: Vec<Token>,
    /// Attention to `d` (in either half), `next` and `second`, head by head.
    pub attention: Vec<[f64; 3]>,
    /// Whether the most probable class is `next`.
    pub right: bool,
    /// The probabilities of `d` and `next`.
    pub probs: [f64; 2],
}

impl Step {
    /// Whether this is the step from SEP to the smallest value.
    pub fn is_first(&self, task: &SortedList) -> bool {
        self.query == task.list_len()
    }

    /// Whether some head attends most to a token.
    pub fn favours(&self, token: Token) -> bool {
        self.favourites.contains(&token)
    }
}

/// Every step of every list, in order, with the attention of block `layer`.
///
/// # Errors
/// Data that does not fit the model or is empty, or a block that the model does not have.
pub fn steps(subject: Subject, task: &SortedList, layer: usize, data: &Dataset) -> Result<Vec<Step>> {
    const CHUNK: usize = 512;
    check_layer(subject.model.config(), layer)?;
    if data.is_empty() {
        return Err(Error::invalid("dataset", "at least one example", 0));
    }
    let name = HookPoint::Block(layer, BlockPoint::Pattern).to_string();
    let mut all = Vec::with_capacity(data.len() * task.list_len());
    for (at, chunk) in data.chunks(CHUNK).enumerate() {
        let (logits, cache) = subject.engine.run_with_cache(subject.model, chunk.tokens(), Filter::Names(&[&name]))?;
        let pattern = cache.get::<Ix4>(&name)?;
        for (list, tokens) in chunk.tokens().outer_iter().enumerate() {
            for query in task.list_len()..2 * task.list_len() {
                let keys = subject.model.config().keys_seen(query, tokens.len());
                let seen = tokens.slice(s![..keys]);
                let attention = pattern.slice(s![list, .., query, ..keys]);
                let next = tokens[query + 1];
                let second = tokens.get(query + 2).copied();
                let log_probs = log_softmax(logits.slice(s![list, query, ..]));
                all.push(Step {
                    list: at * CHUNK + list,
                    query,
                    d: tokens[query],
                    next,
                    second,
                    favourites: attention.outer_iter().map(|row| seen[argmax(row)]).collect(),
                    attention: attention_to(attention, seen, [Some(tokens[query]), Some(next), second]),
                    right: argmax(logits.slice(s![list, query, ..])) as Token == next,
                    probs: [tokens[query], next].map(|t| log_probs.get(t as usize).map_or(0.0, |log| log.exp())),
                });
            }
        }
    }
    Ok(all)
}

/// The attention `[head, key]` that each head pays to three tokens, wherever they stand.
fn attention_to(attention: ArrayView2<f32>, seen: ArrayView1<Token>, tokens: [Option<Token>; 3]) -> Vec<[f64; 3]> {
    let paid = |row: ArrayView1<f32>, token: Option<Token>| {
        let held = row.iter().zip(seen).filter(|(_, held)| Some(**held) == token);
        held.map(|(weight, _)| f64::from(*weight)).sum()
    };
    attention.outer_iter().map(|row| tokens.map(|token| paid(row, token))).collect()
}
