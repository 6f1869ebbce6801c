//! The examples that a study shows one by one, with their predictions.

use super::material::Material;
use crate::{Prediction, Subject, predict};
use algolens_core::{
    Result,
    engine::{Batch, Outcome},
    task::{Dataset, Token},
};
use serde::{Deserialize, Serialize};

/// A group of shown examples.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// The group's name, such as `worst`.
    pub id: String,
    /// What its examples are.
    pub title: String,
}

impl Group {
    /// The group of a name.
    pub fn new(id: &str, title: &str) -> Self {
        Self { id: id.into(), title: title.into() }
    }
}

/// An example that a study shows, with its predictions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ShownExample {
    /// The id of the group it belongs to.
    pub group: String,
    /// The part of it that a user gives.
    pub input: Vec<Token>,
    /// The model's predictions for it.
    pub prediction: Prediction,
}

/// The id of the group of examples that a user gave.
pub const YOURS: &str = "yours";
/// The id of the group of the first examples of the evaluation data.
pub const RANDOM: &str = "random";
/// The id of the group of examples with the smallest probability on a target.
pub const WORST: &str = "worst";

/// Most random examples that are searched for the worst.
const SEARCHED: usize = 20_000;
/// Most tokens of all examples that are searched.
const SEARCHED_TOKENS: usize = 1 << 24;
/// Number of worst examples that are shown.
const SHOWN_WORST: usize = 6;
/// Number of examples of the evaluation data that are shown.
const FIRST: usize = 10;

/// The chosen examples, and the group of each.
pub(super) struct Chosen {
    pub groups: Vec<Group>,
    pub data: Dataset,
    /// The index of each example's group.
    pub group_of: Vec<usize>,
}

/// The examples to show: a user's inputs, the first of the evaluation data, a casebook's, and the worst of many.
pub(super) fn choose(
    subject: Subject,
    material: Material,
    data: &Dataset,
    yours: &[Vec<Token>],
    casebook: Vec<(Group, Vec<Vec<Token>>)>,
    seed: u32,
) -> Result<Chosen> {
    let first: Vec<usize> = (0..data.len().min(FIRST)).collect();
    let of_data = |task, data| if matches!(material, Material::Task(_)) { task } else { data };
    // The user's come first: a page without room for all keeps them.
    let mut parts = vec![
        (Group::new(YOURS, "Your examples"), material.examples(yours)?),
        (Group::new(RANDOM, of_data("Random examples", "The first examples of the data")), data.select(&first)),
    ];
    for (group, inputs) in casebook {
        parts.push((group, material.examples(&inputs)?));
    }
    let title = of_data("The worst of many random examples", "The worst examples of the data");
    parts.push((Group::new(WORST, title), worst(subject, material, seed)?));
    parts.retain(|(_, examples)| !examples.is_empty());
    let group_of = parts.iter().enumerate().flat_map(|(at, (_, examples))| vec![at; examples.len()]).collect();
    let all: Vec<&Dataset> = parts.iter().map(|(_, examples)| examples).collect();
    Ok(Chosen { data: Dataset::joined(&all)?, group_of, groups: parts.into_iter().map(|(group, _)| group).collect() })
}

/// Of many examples, those with the smallest probability on a target, the smallest first.
fn worst(subject: Subject, material: Material, seed: u32) -> Result<Dataset> {
    let size = SEARCHED.min(SEARCHED_TOKENS / subject.model.config().n_ctx).max(1);
    let searched = material.sample(size, seed.wrapping_add(2))?;
    let outcomes = subject.engine.outcomes(subject.model, Batch::from(&searched))?;
    let least_log_prob = |outcomes: &[Outcome]| {
        let scored = outcomes.iter().filter(|outcome| outcome.weight > 0.0);
        scored.map(|outcome| outcome.log_prob).fold(f64::INFINITY, f64::min)
    };
    let mut examples: Vec<(f64, usize)> = outcomes
        .chunks(searched.positions().len())
        .enumerate()
        .map(|(at, outcomes)| (least_log_prob(outcomes), at))
        .collect();
    examples.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    // The same answers to the same tokens in another order are another example, but no other case of what goes wrong.
    let kind = |example: usize| {
        let mut tokens = searched.tokens().row(example).to_vec();
        tokens.sort_unstable();
        let right = (0..searched.positions().len()).map(|at| searched.targets().target(example, at).classes());
        (tokens, right.collect::<Vec<_>>())
    };
    let mut chosen: Vec<usize> = Vec::new();
    for (_, example) in examples {
        if chosen.len() == SHOWN_WORST {
            break;
        }
        if chosen.iter().all(|other| kind(*other) != kind(example)) {
            chosen.push(example);
        }
    }
    Ok(searched.select(&chosen))
}

/// The chosen examples with the model's predictions.
pub(super) fn shown(subject: Subject, material: Material, chosen: &Chosen) -> Result<Vec<ShownExample>> {
    let predictions = predict(subject, &chosen.data)?;
    let shown = |(group, prediction): (&usize, Prediction)| ShownExample {
        group: chosen.groups[*group].id.clone(),
        input: material.input(&prediction.tokens),
        prediction,
    };
    Ok(chosen.group_of.iter().zip(predictions).map(shown).collect())
}
