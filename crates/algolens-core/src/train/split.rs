//! The examples of a task that a run learns from, and those that it is validated on.

use super::Recipe;
use crate::{
    Error, Result, random,
    task::{Dataset, Inputs, Task, Token},
};
use ndarray::Array2;
use rand::seq::SliceRandom;

/// The most inputs that are listed to be shared out; of a task with more, examples are drawn.
const LISTED: u128 = 1 << 22;

/// What the streams of the two kinds of examples are called.
const TRAIN: &str = "train";
const VALIDATION: &str = "validation";

/// The recipe with as many examples as there are.
///
/// # Errors
/// A share of inputs that leaves nothing on one side.
pub(super) fn sized(recipe: Recipe, task: &dyn Task) -> Result<Recipe> {
    let Some((share, inputs)) = listed(&recipe, task) else { return Ok(recipe) };
    let [train_size, validation_size] = sides(&inputs, task, recipe.seed, share)?.map(|side| side.len());
    let train_size = recipe.train_size.min(train_size);
    Ok(Recipe { train_size, validation_size: recipe.validation_size.min(validation_size), ..recipe })
}

/// The examples that a task draws, to learn from and to validate on.
///
/// # Errors
/// A task that draws none that is scored, or none of one side.
pub(super) fn draw(recipe: &Recipe, task: &dyn Task) -> Result<(Dataset, Dataset)> {
    let (train, validation) = match (recipe.train_share, listed(recipe, task)) {
        (None, _) => {
            let draw = |size, purpose| Dataset::generate(task, size, &mut random::stream(recipe.seed, purpose));
            (draw(recipe.train_size, TRAIN)?, draw(recipe.validation_size, VALIDATION)?)
        }
        (Some(_), Some((share, inputs))) => {
            let [train, validation] = sides(&inputs, task, recipe.seed, share)?;
            let take = |side, size, purpose| listed_examples(&inputs, task, side, size, recipe.seed, purpose);
            (take(train, recipe.train_size, TRAIN)?, take(validation, recipe.validation_size, VALIDATION)?)
        }
        (Some(share), None) => {
            let learnt = |example: &[Token]| (place(recipe.seed, &task.group(example)) as f64) < share * 2_f64.powi(64);
            let draw = |size, purpose, side| drawn_examples(task, size, recipe.seed, purpose, |e| learnt(e) == side);
            (draw(recipe.train_size, TRAIN, true)?, draw(recipe.validation_size, VALIDATION, false)?)
        }
    };
    for (data, name) in [(&train, "training examples"), (&validation, "validation examples")] {
        if data.targets().total_weight() == 0.0 {
            return Err(Error::invalid(name, "a prediction that is scored", "none"));
        }
    }
    Ok((train, validation))
}

/// The share of its inputs that is learnt from, and these, where there are few enough to list.
fn listed<'a>(recipe: &Recipe, task: &'a dyn Task) -> Option<(f64, Inputs<'a>)> {
    recipe.train_share.zip(task.inputs().filter(|inputs| inputs.count() <= LISTED))
}

/// The numbers of the inputs that are learnt from, and of those that are held out: of the groups in an order of the seed's,
/// the first share, to the nearest whole number, and the rest.
fn sides(inputs: &Inputs, task: &dyn Task, seed: u64, share: f64) -> Result<[Vec<u128>; 2]> {
    let places = inputs.iter().map(|input| Ok(place(seed, &task.group(&task.complete(&input)?))));
    let places = places.collect::<Result<Vec<u64>>>()?;
    let mut groups = places.clone();
    groups.sort_unstable();
    groups.dedup();
    let learnt = (share * groups.len() as f64).round() as usize;
    let (train, held_out) = match groups.get(learnt) {
        Some(first) => (0..inputs.count()).partition(|at| places[*at as usize] < *first),
        None => ((0..inputs.count()).collect(), Vec::new()),
    };
    Ok([train, held_out])
}

/// Where a group of inputs stands in the order of a seed.
fn place(seed: u64, group: &[Token]) -> u64 {
    random::digest(seed, "train share", group.iter().flat_map(|token| token.to_le_bytes()))
}

/// So many examples of these inputs, all where there are no more, else chosen by the seed.
fn listed_examples(
    inputs: &Inputs,
    task: &dyn Task,
    mut side: Vec<u128>,
    size: usize,
    seed: u64,
    purpose: &str,
) -> Result<Dataset> {
    if size < side.len() {
        side.shuffle(&mut random::stream(seed, purpose));
        side.truncate(size);
    }
    let inputs = side.into_iter().map(|at| inputs.get(at)).collect::<Result<Vec<_>>>()?;
    Dataset::from_inputs(task, &inputs)
}

/// So many examples, drawn until they are on the right side.
fn drawn_examples(
    task: &dyn Task,
    size: usize,
    seed: u64,
    purpose: &str,
    wanted: impl Fn(&[Token]) -> bool,
) -> Result<Dataset> {
    /// Draws for one example: nobody asks for a side of fewer than one in a thousand.
    const MOST_DRAWS: usize = 20_000;
    let mut rng = random::stream(seed, purpose);
    let mut tokens = Array2::zeros((size, task.n_ctx()));
    let mut example = vec![0; task.n_ctx()];
    for mut row in tokens.rows_mut() {
        let draw = |_: &usize| {
            task.generate(&mut rng, &mut example);
            wanted(&example)
        };
        if (0..MOST_DRAWS).find(draw).is_none() {
            return Err(Error::invalid("train_share", format!("a share with {purpose} examples"), "none"));
        }
        row.assign(&ndarray::aview1(&example));
    }
    Dataset::from_examples(task, tokens)
}
