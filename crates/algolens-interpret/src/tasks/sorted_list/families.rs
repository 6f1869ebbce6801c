//! Families of lists on which a sorting model may fail: those with a given gap, and those with a given smallest value.

use super::sites::{PredictionSite, prediction_sites_at};
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
    sites_of_family(subject, task, 1..=largest_gap(task), |gap| gap_lists(task, gap, size, seed))
}

/// The lists of [`gap_sites`] with one gap, each with its x.
pub(super) fn gap_lists(task: &SortedList, gap: u32, size: usize, seed: u32) -> Vec<Drawn> {
    let max = task.max_value();
    let mut rng = random::stream(seed.into(), &format!("lists with a gap of {gap}"));
    let starts: Vec<Token> = (0..=max - gap).collect();
    let list = || {
        let x = *starts.choose(&mut rng).expect("a gap of at most max_value has a place");
        (x, list_with(&[x, x + gap], (0..=max).filter(|v| *v < x || *v > x + gap), task, &mut rng))
    };
    std::iter::repeat_with(list).take(size).collect()
}

/// The largest gap that lists of the task can have; 0 where lists have none.
fn largest_gap(task: &SortedList) -> u32 {
    let len = task.list_len() as u32;
    // Of max + 1 values, gap + 1 lie between x and y, these included; the others are outside.
    if len < 2 { 0 } else { task.max_value() + 2 - len }
}

/// A list of a family, and the token at the query that is looked at.
type Drawn = (Token, Vec<Token>);

/// One prediction site of each list of a family, member by member.
fn sites_of_family(
    subject: Subject,
    task: &SortedList,
    members: impl Iterator<Item = u32>,
    lists: impl Fn(u32) -> Vec<Drawn>,
) -> Result<Vec<(u32, Vec<PredictionSite>)>> {
    let families: Vec<(u32, Vec<Drawn>)> = members.map(|member| (member, lists(member))).collect();
    let (queries, all): (Vec<Token>, Vec<&[Token]>) =
        families.iter().flat_map(|(_, lists)| lists.iter().map(|(query, list)| (*query, list.as_slice()))).unzip();
    if all.is_empty() {
        return Ok(Vec::new());
    }
    let data = Dataset::from_inputs(task, &all)?;
    let mut sites = prediction_sites_at(subject, task, 0, &data, |list, d| d == queries[list])?.into_iter();
    Ok(families.iter().map(|(member, lists)| (*member, sites.by_ref().take(lists.len()).collect())).collect())
}

/// The statistics of each gap's prediction sites.
pub fn gap_points(gaps: &[(u32, Vec<PredictionSite>)]) -> Vec<GapPoint> {
    let point = |(gap, sites): &(u32, Vec<PredictionSite>)| {
        let mean_prob = |token: usize| sites.iter().map(|site| site.probs[token]).sum::<f64>() / sites.len() as f64;
        GapPoint {
            gap: *gap,
            size: sites.len(),
            accuracy: share(sites, PredictionSite::correct),
            self_attention: share(sites, |site| site.attends_most_to(site.d)),
            prob_x: mean_prob(0),
            prob_y: mean_prob(1),
        }
    };
    gaps.iter().map(point).collect()
}

/// The prediction sites at SEP for every smallest value that lists of the task can have, `size` lists a value, with the first
/// block's patterns.
///
/// # Errors
/// A model that is not of the task.
pub fn smallest_sites(
    subject: Subject,
    task: &SortedList,
    size: usize,
    seed: u32,
) -> Result<Vec<(Token, Vec<PredictionSite>)>> {
    let max = task.max_value();
    let lists_from = |smallest: Token| {
        let mut rng = random::stream(seed.into(), &format!("lists from {smallest} on"));
        let list = || (task.sep(), list_with(&[smallest], smallest + 1..=max, task, &mut rng));
        std::iter::repeat_with(list).take(size).collect()
    };
    sites_of_family(subject, task, 0..=max + 1 - task.list_len() as u32, lists_from)
}

/// The statistics of each smallest value's prediction sites.
pub fn smallest_points(smallest: &[(Token, Vec<PredictionSite>)]) -> Vec<SmallestPoint> {
    let point = |(smallest, sites): &(Token, Vec<PredictionSite>)| SmallestPoint {
        smallest: *smallest,
        size: sites.len(),
        accuracy: share(sites, PredictionSite::correct),
        attention: share(sites, |site| site.attends_most_to(*smallest)),
    };
    smallest.iter().map(point).collect()
}

/// The prediction sites at SEP of `size` random lists of values from `from` on, with the first block's patterns; none where there
/// are too few such values.
pub(super) fn sites_within(
    subject: Subject,
    task: &SortedList,
    from: Token,
    size: usize,
    seed: u32,
) -> Result<Vec<PredictionSite>> {
    if (task.max_value() - from) as usize + 1 < task.list_len() {
        return Ok(Vec::new());
    }
    let mut rng = random::stream(seed.into(), &format!("lists of values from {from} on"));
    let list = || (task.sep(), list_with(&[], from..=task.max_value(), task, &mut rng));
    let lists: Vec<Drawn> = std::iter::repeat_with(list).take(size).collect();
    let sites = sites_of_family(subject, task, std::iter::once(from), |_| lists.clone())?;
    Ok(sites.into_iter().flat_map(|(_, sites)| sites).collect())
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
