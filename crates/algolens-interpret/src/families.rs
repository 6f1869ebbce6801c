//! Families of lists on which a sorting model may fail: those with a large gap, and those without small values.

use super::{
    Subject,
    attention::share,
    steps::{Step, steps},
};
use algolens_core::{
    Result, random,
    task::{Dataset, SortedList, Token},
};
use rand::seq::{IndexedRandom, SliceRandom};
use serde::{Deserialize, Serialize};

/// What a model does at the step over a gap: from x to y = x + gap, the next value of the list.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct GapPoint {
    /// y − x.
    pub gap: u32,
    /// Lists drawn.
    pub size: usize,
    /// Share in which y is predicted.
    pub accuracy: f64,
    /// Share in which some head of the first block attends most to x itself.
    pub self_attention: f64,
    /// Mean probability of x.
    pub prob_x: f64,
    /// Mean probability of y.
    pub prob_y: f64,
}

/// What a model does at SEP in lists whose smallest value is this one.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct SmallestPoint {
    /// The smallest value.
    pub smallest: Token,
    /// Lists drawn.
    pub size: usize,
    /// Share in which it is predicted.
    pub accuracy: f64,
    /// Share in which some head of the first block attends most to it.
    pub attention: f64,
}

/// The steps over every gap that lists of the task can have, `size` lists a gap.
///
/// # Errors
/// A model that is not of the task.
pub fn gap_steps(subject: Subject, task: &SortedList, size: usize, seed: u32) -> Result<Vec<(u32, Vec<Step>)>> {
    let (len, max) = (task.list_len() as u32, task.max_value());
    // Of max + 1 values, gap + 1 lie between x and y, these included; the others are outside.
    let largest = if len < 2 { 0 } else { max + 2 - len };
    let of_gap = |gap: u32| {
        let mut rng = random::stream(seed.into(), &format!("lists with a gap of {gap}"));
        let starts: Vec<Token> = (0..=max - gap).collect();
        let drawn: Vec<(Token, Vec<Token>)> = (0..size)
            .map(|_| {
                let x = *starts.choose(&mut rng).expect("a gap of at most max_value has a place");
                (x, list_with(&[x, x + gap], (0..=max).filter(|v| *v < x || *v > x + gap), task, &mut rng))
            })
            .collect();
        let (starts, lists): (Vec<_>, Vec<_>) = drawn.into_iter().unzip();
        let steps = steps(subject, task, 0, &Dataset::from_inputs(task, &lists)?)?;
        Ok((gap, steps.into_iter().filter(|step| step.d == starts[step.list]).collect()))
    };
    if size == 0 { Ok(Vec::new()) } else { (1..=largest).map(of_gap).collect() }
}

/// A point for every gap.
pub fn gap_points(steps: &[(u32, Vec<Step>)]) -> Vec<GapPoint> {
    let point = |(gap, steps): &(u32, Vec<Step>)| {
        let mean = |of: usize| steps.iter().map(|step| step.probs[of]).sum::<f64>() / steps.len() as f64;
        GapPoint {
            gap: *gap,
            size: steps.len(),
            accuracy: share(steps, |step| step.right),
            self_attention: share(steps, |step| step.favours(step.d)),
            prob_x: mean(0),
            prob_y: mean(1),
        }
    };
    steps.iter().map(point).collect()
}

/// The first steps of lists with every smallest value that lists of the task can have, `size` lists a value.
///
/// # Errors
/// A model that is not of the task.
pub fn smallest_points(subject: Subject, task: &SortedList, size: usize, seed: u32) -> Result<Vec<SmallestPoint>> {
    let max = task.max_value();
    let of_smallest = |smallest: Token| {
        let mut rng = random::stream(seed.into(), &format!("lists from {smallest} on"));
        let lists: Vec<_> = (0..size).map(|_| list_with(&[smallest], smallest + 1..=max, task, &mut rng)).collect();
        let mut steps = steps(subject, task, 0, &Dataset::from_inputs(task, &lists)?)?;
        steps.retain(|step| step.is_first(task));
        Ok(SmallestPoint {
            smallest,
            size,
            accuracy: share(&steps, |step| step.right),
            attention: share(&steps, |step| step.favours(smallest)),
        })
    };
    if size == 0 { Ok(Vec::new()) } else { (0..=max + 1 - task.list_len() as u32).map(of_smallest).collect() }
}

/// A list of the task, in random order, with these values and others drawn from `from`.
pub(super) fn list_with(
    values: &[Token],
    from: impl Iterator<Item = Token>,
    task: &SortedList,
    rng: &mut random::Twister,
) -> Vec<Token> {
    let from: Vec<Token> = from.collect();
    let mut list = values.to_vec();
    list.extend(from.sample(rng, task.list_len() - values.len()));
    list.shuffle(rng);
    list
}
