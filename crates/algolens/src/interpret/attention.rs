//! Who attends to whom in a sorting model, and which head serves which token.

use super::{Circuits, Head, Subject};
use crate::{
    Error, Result,
    engine::{
        hooks::{BlockPoint, Filter, HookPoint},
        loss::argmax,
    },
    task::{Dataset, SortedList, Token},
};
use ndarray::{ArrayView1, Ix4, s};
use serde::{Deserialize, Serialize};

/// How often attention does what a sorting model's should, on a dataset, in one block.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AttentionStatistics {
    /// Lists.
    pub size: usize,
    /// Share of lists in which SEP attends most to the smallest value in some head.
    pub sep_to_smallest: f64,
    /// Share of the sorted values (but the largest) that attend most to the smallest value above them in some head.
    pub next_larger: f64,
    /// Share of the sorted values (but the largest) that attend most to themselves, in either half, in some head.
    pub to_itself: f64,
    /// The same head by head.
    pub heads: Vec<HeadShares>,
}

/// [`AttentionStatistics`] of one head.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HeadShares {
    /// The head.
    pub head: Head,
    /// Share of lists in which SEP attends most to the smallest value.
    pub sep_to_smallest: f64,
    /// Share of the sorted values (but the largest) that attend most to the smallest value above them.
    pub next_larger: f64,
    /// Share of the sorted values (but the largest) that attend most to themselves, in either half.
    pub to_itself: f64,
}

/// Counts for each head, and last for "some head".
struct Counts {
    sep_to_smallest: Vec<usize>,
    next_larger: Vec<usize>,
    to_itself: Vec<usize>,
}

/// The attention statistics of block `layer` on lists of a sorting task.
///
/// # Errors
/// Data that does not fit the model, or a block that it does not have.
pub fn attention_statistics(
    subject: Subject,
    task: &SortedList,
    layer: usize,
    data: &Dataset,
) -> Result<AttentionStatistics> {
    super::circuits::check_layer(subject.model.config(), layer)?;
    if data.is_empty() {
        return Err(Error::invalid("dataset", "at least one example", 0));
    }
    let heads = subject.model.config().n_heads;
    let zeros = || vec![0; heads + 1];
    let mut counts = Counts { sep_to_smallest: zeros(), next_larger: zeros(), to_itself: zeros() };
    const CHUNK: usize = 512;
    for chunk in data.chunks(CHUNK) {
        counts.add(subject, task, layer, &chunk)?;
    }
    let queries = data.len() * (task.list_len() - 1).max(1);
    let share = |count: usize, of: usize| count as f64 / of as f64;
    let head_shares = |head: usize| HeadShares {
        head: Head { layer, head },
        sep_to_smallest: share(counts.sep_to_smallest[head], data.len()),
        next_larger: share(counts.next_larger[head], queries),
        to_itself: share(counts.to_itself[head], queries),
    };
    Ok(AttentionStatistics {
        size: data.len(),
        sep_to_smallest: share(counts.sep_to_smallest[heads], data.len()),
        next_larger: share(counts.next_larger[heads], queries),
        to_itself: share(counts.to_itself[heads], queries),
        heads: (0..heads).map(head_shares).collect(),
    })
}

impl Counts {
    fn add(&mut self, subject: Subject, task: &SortedList, layer: usize, data: &Dataset) -> Result<()> {
        let name = HookPoint::Block(layer, BlockPoint::Pattern).to_string();
        let (_, cache) = subject.engine.run_with_cache(subject.model, data.tokens(), Filter::Names(&[&name]))?;
        let pattern = cache.get::<Ix4>(&name)?;
        let sep = task.list_len();
        for (list, tokens) in data.tokens().outer_iter().enumerate() {
            // The token that each head attends to most.
            let favourites = |query: usize| -> Vec<Token> {
                let row = |head| pattern.slice(s![list, head, query, ..=query]);
                (0..pattern.dim().1).map(|head| tokens[argmax(row(head))]).collect()
            };
            count(&mut self.sep_to_smallest, &favourites(sep), tokens[sep + 1]);
            for query in sep + 1..2 * sep {
                let favourites = favourites(query);
                count(&mut self.next_larger, &favourites, tokens[query + 1]);
                count(&mut self.to_itself, &favourites, tokens[query]);
            }
        }
        Ok(())
    }
}

/// Adds 1 for every head whose favourite is `token`, and 1 at the end if there is one.
fn count(counts: &mut [usize], favourites: &[Token], token: Token) {
    for (count, favourite) in counts.iter_mut().zip(favourites) {
        *count += usize::from(*favourite == token);
    }
    counts[favourites.len()] += usize::from(favourites.contains(&token));
}

/// Which head of a block serves which token.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Serving {
    /// Tokens in ascending order, in ranges served by one head.
    pub ranges: Vec<ServingRange>,
    /// Share of the tokens whose OV row peaks on themselves in the head that serves them.
    pub copied: f64,
}

impl Serving {
    /// The head that serves a token.
    ///
    /// # Errors
    /// A token that is no value.
    pub fn head_of(&self, token: Token) -> Result<Head> {
        let range = self.ranges.iter().find(|range| (range.from..=range.to).contains(&token));
        range.map(|range| range.head).ok_or_else(|| Error::invalid("token", "a value that a head serves", token))
    }
}

/// Neighbouring tokens that one head serves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServingRange {
    /// The head with the largest OV diagonal.
    pub head: Head,
    /// The first token.
    pub from: Token,
    /// The last token.
    pub to: Token,
}

/// Which head serves each of the first `values` tokens: the one with the largest `W_OV_full[token, token]`.
///
/// # Errors
/// More values than the circuit has tokens or classes.
pub fn serving(circuits: &Circuits, values: usize) -> Result<Serving> {
    let ov = circuits.W_OV_full.view();
    let (_, sources, predictions) = ov.dim();
    if values == 0 || values > sources.min(predictions) {
        return Err(Error::invalid("values", format!("1 to {}", sources.min(predictions)), values));
    }
    let mut ranges: Vec<ServingRange> = Vec::new();
    let mut copied = 0;
    for token in 0..values {
        let head = argmax(ov.slice(s![.., token, token]));
        let row: ArrayView1<f32> = ov.slice(s![head, token, ..]);
        copied += usize::from(argmax(row) == token);
        let (head, token) = (Head { layer: circuits.layer, head }, token as Token);
        match ranges.last_mut() {
            Some(range) if range.head == head => range.to = token,
            _ => ranges.push(ServingRange { head, from: token, to: token }),
        }
    }
    Ok(Serving { ranges, copied: copied as f64 / values as f64 })
}
