//! Which key makes a model miss the value behind a gap: each taken away in turn.

use crate::{
    Subject,
    tasks::sorted_list::{PredictionSite, families::gap_lists},
};
use algolens_core::{
    Result,
    engine::{
        hooks::{BlockPoint, HookPoint, Hooks},
        loss::argmax,
    },
    task::{Dataset, SortedList, Token},
};
use ndarray::{ArrayViewMut1, Axis, s};

/// A wrong step over a gap, from x to y, once more with keys taken from the query of x in every head of the first block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repair {
    /// True if the answer is y without the keys that hold x.
    pub without_x: bool,
    /// True if the answer is y without the strongest key, head by head, of those that hold neither x nor y.
    pub without_other: bool,
}

/// Most wrong steps that are run again: of more, so many evenly spread over them.
const STEPS: usize = 1000;
/// Sequences a run.
const CHUNK: usize = 250;

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
    let steps = STEPS.min(wrong.len());
    let chosen: Vec<&(PredictionSite, Vec<Token>)> = (0..steps).map(|at| &wrong[at * wrong.len() / steps]).collect();
    let mut repairs = Vec::with_capacity(steps);
    for chosen in chosen.chunks(CHUNK) {
        let data = Dataset::from_inputs(task, &chosen.iter().map(|(_, list)| list.as_slice()).collect::<Vec<_>>())?;
        let sites: Vec<&PredictionSite> = chosen.iter().map(|(site, _)| site).collect();
        let without_x = repaired(subject, &data, &sites, |scores, tokens, site| {
            scores
                .iter_mut()
                .zip(tokens)
                .filter(|(_, token)| **token == site.d)
                .for_each(|(score, _)| *score = f32::NEG_INFINITY);
        })?;
        let without_other = repaired(subject, &data, &sites, |scores, tokens, site| {
            let other = |token: Token| token != site.d && token != site.target;
            let keys = (0..scores.len()).filter(|key| other(tokens[*key]));
            if let Some(strongest) = keys.max_by(|a, b| scores[*a].total_cmp(&scores[*b])) {
                scores[strongest] = f32::NEG_INFINITY;
            }
        })?;
        let pairs = without_x.into_iter().zip(without_other);
        repairs.extend(pairs.map(|(without_x, without_other)| Repair { without_x, without_other }));
    }
    Ok(repairs)
}

/// For each site whether its answer is right once the scores of its query, in every head of the first block, are edited.
fn repaired(
    subject: Subject,
    data: &Dataset,
    sites: &[&PredictionSite],
    edit: impl Fn(&mut ArrayViewMut1<f32>, &[Token], &PredictionSite),
) -> Result<Vec<bool>> {
    let tokens: Vec<Vec<Token>> = data.tokens().outer_iter().map(|tokens| tokens.to_vec()).collect();
    let mut hooks = Hooks::new(subject.model.config());
    hooks.add_at(HookPoint::Block(0, BlockPoint::AttnScores), |scores| {
        for ((mut scores, site), tokens) in scores.outer_iter_mut().zip(sites).zip(&tokens) {
            for mut head in scores.outer_iter_mut() {
                let mut row = head.index_axis_mut(Axis(0), site.query).into_dimensionality().expect("a row of keys");
                edit(&mut row, tokens, site);
            }
        }
        Ok(())
    });
    let logits = subject.engine.run_with_hooks(subject.model, data.tokens(), &mut hooks)?;
    let right = |(list, site): (usize, &&PredictionSite)| {
        argmax(logits.slice(s![list, site.query, ..])) as Token == site.target
    };
    Ok(sites.iter().enumerate().map(right).collect())
}
