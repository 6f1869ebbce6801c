//! Which key makes a model miss the value behind a gap: each taken away in turn.

use crate::{
    Intervention, Replacement, Runner, Subject,
    tasks::sorted_list::{PredictionSite, families::gap_lists},
};
use algolens_core::{
    Result,
    engine::{
        hooks::{BlockPoint, Cache, Filter, HookPoint},
        loss::argmax,
    },
    task::{Dataset, SortedList, Token},
};
use ndarray::{ArrayView1, ArrayView4, Axis, Ix4};

/// A wrong step over a gap, from x to y, once more with keys taken from the query of x in every head of the first block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Repair {
    /// True if the answer is y without the keys that hold x.
    pub without_x: bool,
    /// True if the answer is y without the strongest key, head by head, of those that hold neither x nor y.
    pub without_other: bool,
}

/// Most wrong steps that are run again: of more, so many evenly spread over them.
const STEPS: usize = 1000;
const SCORES: HookPoint = HookPoint::Block(0, BlockPoint::AttnScores);

/// The repairs of the wrong steps among `gaps`, which are the sites of `size` lists a gap of a seed.
pub fn repairs(
    subject: Subject,
    task: &SortedList,
    gaps: &[(u32, Vec<PredictionSite>)],
    size: usize,
    seed: u32,
) -> Result<Vec<Repair>> {
    let mut wrong: Vec<(PredictionSite, Vec<Token>)> = Vec::new();
    for (gap, sites) in gaps {
        let lists = gap_lists(task, *gap, size, seed);
        let pairs = sites.iter().zip(lists).filter(|(site, _)| !site.correct());
        wrong.extend(pairs.map(|(site, (_, list))| (site.clone(), list)));
    }
    let count = STEPS.min(wrong.len());
    let chosen: Vec<&(PredictionSite, Vec<Token>)> = (0..count).map(|at| &wrong[at * wrong.len() / count]).collect();
    let data = Dataset::from_inputs(task, &chosen.iter().map(|(_, list)| list.as_slice()).collect::<Vec<_>>())?;
    let step = |at: usize| Step { tokens: data.tokens().index_axis_move(Axis(0), at), site: &chosen[at].0 };
    let steps: Vec<Step> = (0..count).map(step).collect();
    let everywhere: Vec<usize> = (0..data.tokens().ncols()).collect();
    let (runner, record) = (Runner::new(subject), SCORES.to_string());
    let mut repairs = vec![Repair::default(); count];
    runner.run(data.tokens(), &[], &[], Filter::Names(&[&record]), |chunk| {
        let (steps, repairs) = (&steps[chunk.examples.clone()], &mut repairs[chunk.examples.clone()]);
        let scores = chunk.cache.get::<Ix4>(&record)?;
        let edited = [x_keys as Taken, strongest_other].map(|taken| without(scores, steps, taken));
        let sets = edited.each_ref().map(|cache| [Intervention::new(SCORES, Replacement::From(cache))]);
        runner.run_each(chunk.of(&data).tokens(), &everywhere, &sets, Filter::Nothing, |set, chunk| {
            let steps = steps[chunk.examples.clone()].iter().zip(&mut repairs[chunk.examples]);
            for ((step, repair), logits) in steps.zip(chunk.logits.outer_iter()) {
                let right = argmax(logits.row(step.site.query)) as Token == step.site.target;
                *[&mut repair.without_x, &mut repair.without_other][set] = right;
            }
            Ok(())
        })
    })?;
    Ok(repairs)
}

/// A wrong step and the tokens of its list.
struct Step<'a> {
    tokens: ArrayView1<'a, Token>,
    site: &'a PredictionSite,
}

/// The scores `[step, head, query, key]`, where each step's query loses some keys in every head.
fn without(scores: ArrayView4<f32>, steps: &[Step], taken: Taken) -> Cache<f32> {
    let mut scores = scores.to_owned();
    for (step, mut scores) in steps.iter().zip(scores.outer_iter_mut()) {
        for mut row in scores.index_axis_mut(Axis(1), step.site.query).outer_iter_mut() {
            taken(step, row.view()).into_iter().for_each(|key| row[key] = f32::NEG_INFINITY);
        }
    }
    let mut cache = Cache::default();
    cache.insert(SCORES, scores.into_dyn());
    cache
}

/// The keys that a head loses, of its scores `[key]`.
type Taken = fn(&Step, ArrayView1<f32>) -> Vec<usize>;

/// The keys that hold x.
fn x_keys(step: &Step, _: ArrayView1<f32>) -> Vec<usize> {
    (0..step.tokens.len()).filter(|key| step.tokens[*key] == step.site.d).collect()
}

/// The key with the largest score of those that hold neither x nor y.
fn strongest_other(step: &Step, scores: ArrayView1<f32>) -> Vec<usize> {
    let keys = (0..scores.len()).filter(|key| ![step.site.d, step.site.target].contains(&step.tokens[*key]));
    keys.max_by(|a, b| scores[*a].total_cmp(&scores[*b])).into_iter().collect()
}
