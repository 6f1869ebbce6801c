//! The lists that a study shows one by one, with their predictions and activations.

use crate::{Prediction, Subject, predict, tasks::sorted_list::POST_TRIPLES};
use algolens_core::{
    Result,
    engine::{Batch, Outcome},
    task::{Dataset, SortedList, Task, Token},
};
use ndarray::s;
use serde::{Deserialize, Serialize};

/// The post's two adversarial lists.
pub const POST_ADVERSARIAL: [[Token; 10]; 2] =
    [[0, 40, 41, 42, 43, 44, 45, 46, 47, 48], [5, 30, 32, 34, 36, 38, 40, 42, 44, 46]];

/// The group of lists that a shown list belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Group {
    /// Lists that a user gave.
    Yours,
    /// The first lists of the evaluation data.
    Random,
    /// The post's adversarial lists.
    PostAdversarial,
    /// The post's lists with three close values.
    PostTriples,
    /// Of many random lists, those with the smallest probability on a target.
    Worst,
}

/// A list that a study shows, with its predictions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ShownList {
    /// The group it belongs to.
    pub group: Group,
    /// The model's predictions for it.
    pub prediction: Prediction,
}

/// Most random lists that are searched for the worst.
const SEARCHED: usize = 20_000;
/// Most tokens of all lists that are searched.
const SEARCHED_TOKENS: usize = 1 << 24;
/// Number of worst lists that are shown.
const WORST: usize = 6;
/// Number of lists of the evaluation data that are shown.
pub(super) const FIRST: usize = 10;

/// The shown lists, and the group of each.
pub(super) fn choose(
    subject: Subject,
    task: &SortedList,
    data: &Dataset,
    yours: &[Vec<Token>],
    seed: u32,
) -> Result<(Vec<Group>, Dataset)> {
    let len = task.list_len();
    let inputs = |data: &Dataset, lists: usize| -> Vec<Vec<Token>> {
        data.tokens().outer_iter().take(lists).map(|tokens| tokens.slice(s![..len]).to_vec()).collect()
    };
    let worst = worst(subject, task, seed)?;
    // The user's come first: a report without room for all keeps them.
    let mut groups = vec![(Group::Yours, yours.to_vec()), (Group::Random, inputs(data, FIRST))];
    if *task == SortedList::POST {
        groups.push((Group::PostAdversarial, POST_ADVERSARIAL.map(Vec::from).to_vec()));
        groups.push((Group::PostTriples, POST_TRIPLES.map(|(list, _)| list.to_vec()).to_vec()));
    }
    groups.push((Group::Worst, inputs(&worst, WORST)));
    let list_groups = groups.iter().flat_map(|(group, lists)| lists.iter().map(|_| *group)).collect();
    let lists: Vec<Vec<Token>> = groups.into_iter().flat_map(|(_, lists)| lists).collect();
    Ok((list_groups, Dataset::from_inputs(task, &lists)?))
}

/// Of many random lists, those with the smallest probability on a target, the smallest first.
fn worst(subject: Subject, task: &SortedList, seed: u32) -> Result<Dataset> {
    let searched = task.dataset(SEARCHED.min(SEARCHED_TOKENS / task.n_ctx()), seed.wrapping_add(2));
    let outcomes = subject.engine.outcomes(subject.model, Batch::from(&searched))?;
    let least_log_prob =
        |outcomes: &[Outcome]| outcomes.iter().map(|outcome| outcome.log_prob).fold(f64::INFINITY, f64::min);
    let mut lists: Vec<(f64, usize)> =
        outcomes.chunks(task.list_len()).enumerate().map(|(at, outcomes)| (least_log_prob(outcomes), at)).collect();
    lists.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    // The same values in another order are another list, but no other example of what goes wrong.
    let mut chosen: Vec<usize> = Vec::new();
    let classes = searched.classes()?;
    let sorted = |list: usize| classes.row(list).to_vec();
    for (_, list) in lists {
        if chosen.len() == WORST {
            break;
        }
        if chosen.iter().all(|other| sorted(*other) != sorted(list)) {
            chosen.push(list);
        }
    }
    Ok(searched.select(&chosen))
}

/// The shown lists with the model's predictions.
pub(super) fn shown(subject: Subject, groups: &[Group], lists: &Dataset) -> Result<Vec<ShownList>> {
    let predictions = predict(subject, lists)?;
    Ok(groups.iter().zip(predictions).map(|(group, prediction)| ShownList { group: *group, prediction }).collect())
}
