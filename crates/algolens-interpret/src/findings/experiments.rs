//! Runs of the model that only claims need.

use crate::{
    Circuits, Method, POST_TRIPLES, Part, Prediction, Step, Subject,
    ablation::{Ablation, ablate_from},
    attention::share,
    families::list_with,
    score_terms,
    steps::steps,
};
use algolens_core::{
    Result, random,
    task::{Dataset, SortedList, Task, TaskSpec, Token},
};

/// Steps from d in lists that hold d, d+1 and d+2 too.
#[derive(Clone, Debug, PartialEq)]
pub struct WithoutDirectPath {
    /// Steps.
    pub size: usize,
    /// The share that is right.
    pub before: f64,
    /// The share that is right when the direct path is replaced by its mean.
    pub after: f64,
    /// How many of the post's triples then go wrong at x, of how many; none for other sizes of the task.
    pub post: Option<(usize, usize)>,
}

/// How the score of 0 for a large value comes about.
#[derive(Clone, Debug, PartialEq)]
pub struct ToZero {
    /// The large value.
    pub token: Token,
    /// The head whose drawn QK circuit prefers 0 most.
    pub head: usize,
    /// The mean over lists of each term of the score of 0 less that of the right answer, `[query term, key term]`.
    pub terms: [[f64; 2]; 3],
}

/// How many lists with d, d+1 and d+2 are looked at.
const RUNS: usize = 2000;

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
    let with_run =
        |d: &Token| list_with(&[*d, d + 1, d + 2], (0..=max).filter(|v| *v < *d || *v > d + 2), task, &mut rng);
    let runs = Dataset::from_inputs(task, &starts.iter().map(with_run).collect::<Vec<_>>())?;
    let ablation = Ablation { parts: vec![Part::DirectPath], method: Method::Mean, ..Ablation::default() };
    let right = |chosen: &Dataset, starts: &[Token]| -> Result<Vec<bool>> {
        let ablated = ablate_from(subject, 0.0, &ablation, data, data, Some(chosen))?.chosen;
        let at = |(prediction, d): (&Prediction, &Token)| {
            // The predicted position that holds d.
            let slot = prediction.expected.iter().position(|value| value == d).map_or(0, |rank| rank + 1);
            prediction.predicted.get(slot) == prediction.expected.get(slot)
        };
        Ok(ablated.iter().zip(starts).map(at).collect())
    };
    let before: Vec<Step> = steps(subject, task, 0, &runs)?;
    let before: Vec<Step> = before.into_iter().filter(|step| step.d == starts[step.list]).collect();
    let post = if task.spec() == TaskSpec::POST {
        let lists = Dataset::from_inputs(task, &POST_TRIPLES.map(|(list, _)| list))?;
        let right = right(&lists, &POST_TRIPLES.map(|(_, [x, ..])| x))?;
        Some((right.iter().filter(|right| !**right).count(), right.len()))
    } else {
        None
    };
    let after = share(&right(&runs, &starts)?, |right| *right);
    Ok(Some(WithoutDirectPath { size: before.len(), before: share(&before, |step| step.right), after, post }))
}

/// The post's example of a large value.
const EXAMPLE: f64 = 40.0;
/// The terms of the score of 0 less that of the right answer, at a large value of lists that hold both; none where
/// lists are too short.
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
        let Some(next) = list.iter().copied().filter(|value| *value > token).min() else { continue };
        let query = task.list_len() + 1 + list.iter().filter(|value| **value < token).count();
        let at = |value: Token| list.iter().position(|v| *v == value).unwrap_or(0);
        let found = score_terms(subject, &task.complete(&list)?)?.terms;
        for (i, of_keys) in terms.iter_mut().enumerate() {
            for (j, term) in of_keys.iter_mut().enumerate() {
                *term += found[[head, i, j, query, at(0)]] - found[[head, i, j, query, at(next)]];
            }
        }
        used += 1;
    }
    if used == 0 {
        return Ok(None);
    }
    Ok(Some(ToZero { token, head, terms: terms.map(|of_keys| of_keys.map(|term| term / f64::from(used))) }))
}
