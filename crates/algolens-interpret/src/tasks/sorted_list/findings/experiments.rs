//! Experiments that only claims need: removing the direct path, and the score terms of 0 at a large value.

use crate::{
    Circuits, Method, Part, Prediction, Subject,
    ablation::{Ablation, ablate_from},
    score_terms,
    share::share,
    tasks::sorted_list::{POST_TRIPLES, PredictionSite, families::list_with, prediction_sites},
};
use algolens_core::{
    Result, random,
    task::{Dataset, SortedList, Task, Token},
};

/// Accuracy at d in random lists with d, d+1 and d+2, with the direct path and with its mean instead.
#[derive(Clone, Debug, PartialEq)]
pub struct WithoutDirectPath {
    /// Number of predictions.
    pub size: usize,
    /// Accuracy of the whole model.
    pub before: f64,
    /// Accuracy with the direct path mean-ablated.
    pub after: f64,
    /// How many of the post's triples the ablated model predicts wrong at x, of how many; none for other sizes of the task.
    pub post: Option<(usize, usize)>,
}

/// The attention score of 0 at a large value, less that of the target, split into its terms.
#[derive(Clone, Debug, PartialEq)]
pub struct ToZero {
    /// The large value.
    pub token: Token,
    /// The head whose full QK circuit prefers 0 most.
    pub head: usize,
    /// `[query term, key term]`: the mean over lists of each term's score of 0 less its score of the target.
    pub terms: [[f64; 2]; 3],
}

/// Number of random lists with d, d+1 and d+2.
const RUNS: usize = 2000;

/// The experiment [`WithoutDirectPath`]; none where lists are shorter than three values.
pub(super) fn without_direct_path(
    subject: Subject,
    task: &SortedList,
    data: &Dataset,
    seed: u32,
) -> Result<Option<WithoutDirectPath>> {
    let max = task.max_value();
    if task.list_len() < 3 {
        return Ok(None);
    }
    let mut rng = random::stream(seed.into(), "lists with d, d+1 and d+2");
    let starts: Vec<Token> = (0..RUNS as u32).map(|at| at % (max - 1)).collect();
    let list_with_run =
        |d: &Token| list_with(&[*d, d + 1, d + 2], (0..=max).filter(|v| *v < *d || *v > d + 2), task, &mut rng);
    let runs = Dataset::from_inputs(task, &starts.iter().map(list_with_run).collect::<Vec<_>>())?;
    let ablation = Ablation { parts: vec![Part::DirectPath], method: Method::Mean, ..Ablation::default() };
    let correct_without = |chosen: &Dataset, starts: &[Token]| -> Result<Vec<bool>> {
        let ablated = ablate_from(subject, 0.0, &ablation, data, data, Some(chosen))?.chosen;
        let correct_at = |(prediction, d): (&Prediction, &Token)| {
            // The index of the predicted position that holds d.
            let slot = prediction.expected.iter().position(|value| value == d).map_or(0, |rank| rank + 1);
            prediction.predicted.get(slot) == prediction.expected.get(slot)
        };
        Ok(ablated.iter().zip(starts).map(correct_at).collect())
    };
    let mut before: Vec<PredictionSite> = prediction_sites(subject, task, 0, &runs)?;
    before.retain(|site| site.d == starts[site.list]);
    let post = if *task == SortedList::POST {
        let lists = Dataset::from_inputs(task, &POST_TRIPLES.map(|(list, _)| list))?;
        let correct = correct_without(&lists, &POST_TRIPLES.map(|(_, [x, ..])| x))?;
        Some((correct.iter().filter(|correct| !**correct).count(), correct.len()))
    } else {
        None
    };
    let after = share(&correct_without(&runs, &starts)?, |correct| *correct);
    Ok(Some(WithoutDirectPath { size: before.len(), before: share(&before, |site| site.correct), after, post }))
}

/// Value (of 50) that is the post's example of a large one.
const EXAMPLE: f64 = 40.0;

/// The experiment [`ToZero`], over random lists that hold 0, the large value and a larger one; none where lists are too short.
pub(super) fn to_zero(
    subject: Subject,
    task: &SortedList,
    circuits: &Circuits,
    lists: usize,
    seed: u32,
) -> Result<Option<ToZero>> {
    let max = task.max_value();
    let token = (EXAMPLE / 50.0 * f64::from(max)).round() as Token;
    if task.list_len() < 3 || token == 0 || token >= max || lists == 0 {
        return Ok(None);
    }
    let qk = &circuits.W_QK_full;
    let preference = |head: &usize| qk[[*head, token as usize, 0]] - qk[[*head, token as usize, token as usize + 1]];
    let heads = 0..qk.dim().0;
    let head = heads.max_by(|a, b| preference(a).total_cmp(&preference(b))).unwrap_or(0);
    let mut rng = random::stream(seed.into(), "lists with zero and a large value");
    let mut terms = [[0.0; 2]; 3];
    let mut used = 0;
    for _ in 0..lists {
        let list = list_with(&[0, token], (1..=max).filter(|v| *v != token), task, &mut rng);
        let Some(target) = list.iter().copied().filter(|value| *value > token).min() else { continue };
        let query = task.list_len() + 1 + list.iter().filter(|value| **value < token).count();
        let at = |value: Token| list.iter().position(|v| *v == value).unwrap_or(0);
        let found = score_terms(subject, &task.complete(&list)?)?.terms;
        for (i, key_terms) in terms.iter_mut().enumerate() {
            for (j, term) in key_terms.iter_mut().enumerate() {
                *term += found[[head, i, j, query, at(0)]] - found[[head, i, j, query, at(target)]];
            }
        }
        used += 1;
    }
    if used == 0 {
        return Ok(None);
    }
    Ok(Some(ToZero { token, head, terms: terms.map(|key_terms| key_terms.map(|term| term / f64::from(used))) }))
}
