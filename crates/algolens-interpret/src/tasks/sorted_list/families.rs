//! Families of lists on which a sorting model may fail: those with a given gap, and those with a given smallest value.

use super::sites::{PredictionSite, prediction_sites};
use crate::{Subject, share::share};
use algolens_core::{
    Result, random,
    task::{Dataset, SortedList, Token},
};
use rand::seq::{IndexedRandom, SliceRandom};
use serde::{Deserialize, Serialize};

/// Accuracy and attention at x where the next value of the list is y = x + gap, over random lists.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct GapPoint {
    /// y − x.
    pub gap: u32,
    /// Number of lists.
    pub size: usize,
    /// Share of lists in which y is predicted.
    pub accuracy: f64,
    /// Share of lists in which some head of the first block attends most to x itself.
    pub self_attention: f64,
    /// Mean probability of x.
    pub prob_x: f64,
    /// Mean probability of y.
    pub prob_y: f64,
}

/// Accuracy and attention at SEP over random lists with a given smallest value.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct SmallestPoint {
    /// The smallest value.
    pub smallest: Token,
    /// Number of lists.
    pub size: usize,
    /// Share of lists in which it is predicted.
    pub accuracy: f64,
    /// Share of lists in which some head of the first block attends most to it.
    pub attention: f64,
}

/// The prediction sites in front of every gap that lists of the task can have, `size` lists a gap, with the first block's
/// patterns.
///
/// # Errors
/// A model that is not of the task.
pub fn gap_sites(
    subject: Subject,
    task: &SortedList,
    size: usize,
    seed: u32,
) -> Result<Vec<(u32, Vec<PredictionSite>)>> {
    let (len, max) = (task.list_len() as u32, task.max_value());
    // Of max + 1 values, gap + 1 lie between x and y, these included; the others are outside.
    let largest = if len < 2 { 0 } else { max + 2 - len };
    let sites_over = |gap: u32| {
        let mut rng = random::stream(seed.into(), &format!("lists with a gap of {gap}"));
        let starts: Vec<Token> = (0..=max - gap).collect();
        let drawn: Vec<(Token, Vec<Token>)> = (0..size)
            .map(|_| {
                let x = *starts.choose(&mut rng).expect("a gap of at most max_value has a place");
                (x, list_with(&[x, x + gap], (0..=max).filter(|v| *v < x || *v > x + gap), task, &mut rng))
            })
            .collect();
        let (starts, lists): (Vec<_>, Vec<_>) = drawn.into_iter().unzip();
        let mut sites = prediction_sites(subject, task, 0, &Dataset::from_inputs(task, &lists)?)?;
        sites.retain(|site| site.d == starts[site.list]);
        Ok((gap, sites))
    };
    if size == 0 { Ok(Vec::new()) } else { (1..=largest).map(sites_over).collect() }
}

/// The statistics of each gap's prediction sites.
pub fn gap_points(gaps: &[(u32, Vec<PredictionSite>)]) -> Vec<GapPoint> {
    let point = |(gap, sites): &(u32, Vec<PredictionSite>)| {
        let mean_prob = |token: usize| sites.iter().map(|site| site.probs[token]).sum::<f64>() / sites.len() as f64;
        GapPoint {
            gap: *gap,
            size: sites.len(),
            accuracy: share(sites, |site| site.correct),
            self_attention: share(sites, |site| site.attends_most_to(site.d)),
            prob_x: mean_prob(0),
            prob_y: mean_prob(1),
        }
    };
    gaps.iter().map(point).collect()
}

/// The statistics at SEP for every smallest value that lists of the task can have, `size` lists a value.
///
/// # Errors
/// A model that is not of the task.
pub fn smallest_points(subject: Subject, task: &SortedList, size: usize, seed: u32) -> Result<Vec<SmallestPoint>> {
    let max = task.max_value();
    let point = |smallest: Token| {
        let mut rng = random::stream(seed.into(), &format!("lists from {smallest} on"));
        let lists: Vec<_> = (0..size).map(|_| list_with(&[smallest], smallest + 1..=max, task, &mut rng)).collect();
        let mut sites = prediction_sites(subject, task, 0, &Dataset::from_inputs(task, &lists)?)?;
        sites.retain(|site| site.is_first(task));
        Ok(SmallestPoint {
            smallest,
            size,
            accuracy: share(&sites, |site| site.correct),
            attention: share(&sites, |site| site.attends_most_to(smallest)),
        })
    };
    if size == 0 { Ok(Vec::new()) } else { (0..=max + 1 - task.list_len() as u32).map(point).collect() }
}

/// A random list of the task with the given values, the others drawn from `from`, in random order.
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
