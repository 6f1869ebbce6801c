//! Interventions: activations replaced while a model runs.

use super::Site;
use algolens_core::{
    Error, Result,
    engine::hooks::{BlockPoint, Cache, HookPoint, Hooks},
    model::{Config, Positions},
    task::Token,
};
use ndarray::{Array1, ArrayD, ArrayView1, ArrayView2, ArrayViewD, ArrayViewMutD, Axis};
use std::{cell::RefCell, rc::Rc};

/// What an activation is replaced by.
///
/// Means and resampled activations are those of the model without interventions, and carry the sequences they are taken on:
/// several interventions of one run may draw on different data, as causal scrubbing does. Sequences are `[example, pos]`, and as
/// long as those that are run.
#[derive(Clone, Debug, PartialEq)]
pub enum Replacement<'a> {
    /// Zeros. (Of `hook_attn_scores` too, where −∞ keeps later keys out of sight.)
    Zero,
    /// Its mean over these sequences, position by position.
    Mean(ArrayView2<'a, Token>),
    /// What it is on these sequences: example i becomes that of number i, modulo how many there are. On the very sequences that
    /// are run, what it would be without any intervention.
    Resample(ArrayView2<'a, Token>),
    /// What a run recorded, one example for each that is run.
    From(&'a Cache<f32>),
    /// Itself plus this vector, as long as the activation's last axis.
    Add(Array1<f32>),
    /// The same for every example, in the site's [shape](Site::shape): a pattern `[query, key]` of one head, say.
    Keep(ArrayD<f32>),
}

/// An intervention: the activation at a site is replaced, and everything that is computed from it follows.
///
/// With [`to`](Self::to) it follows on one path only, as in path patching: what the activation adds to the residual stream is
/// exchanged at a later point of the stream, and what reads the stream before that sees it unchanged.
///
/// This borrows its data and runs; what is written down of an ablation is its [parts](super::Part) and [method](super::Method).
#[derive(Clone, Debug, PartialEq)]
pub struct Intervention<'a> {
    /// Where.
    pub at: Site,
    /// The point of the residual stream from which on it is seen; none for everywhere.
    pub to: Option<Site>,
    /// At which positions (of scores and patterns: queries); none for all.
    pub positions: Option<Vec<usize>>,
    /// By what.
    pub value: Replacement<'a>,
}

impl<'a> Intervention<'a> {
    /// An intervention at every position, for everything that reads the activation.
    pub fn new(at: impl Into<Site>, value: Replacement<'a>) -> Self {
        Self { at: at.into(), to: None, positions: None, value }
    }

    /// Checks that the intervention can be made in a model that runs as many sequences of this length.
    pub(super) fn check(&self, config: &Config, examples: usize, seq: usize) -> Result<()> {
        self.at.check(config)?;
        if let Some(to) = self.to {
            check_path(self.at, to, config)?;
        }
        check_positions(self.positions.as_deref().unwrap_or_default(), seq)?;
        let shape = self.at.shape(config, seq);
        let same_shape = |what: String, expected: &[usize], found: &[usize]| {
            if expected == found {
                return Ok(());
            }
            Err(Error::invalid(what, format!("shape {expected:?}"), format!("{found:?}")))
        };
        match &self.value {
            Replacement::Zero => Ok(()),
            Replacement::Mean(tokens) | Replacement::Resample(tokens) => {
                if tokens.nrows() == 0 {
                    return Err(Error::invalid("dataset", "at least one example", 0));
                }
                if tokens.ncols() != seq {
                    return Err(Error::invalid("dataset", format!("sequences of {seq} tokens"), tokens.ncols()));
                }
                Ok(())
            }
            Replacement::From(cache) => {
                let point = self.at.point;
                let expected = [&[examples], point.shape(config, seq).as_slice()].concat();
                same_shape(format!("{point} in the cache"), &expected, cache.activation(&point.to_string())?.shape())
            }
            Replacement::Add(vector) => {
                same_shape(format!("vector added at {}", self.at), &shape[shape.len() - 1..], vector.shape())
            }
            Replacement::Keep(activation) => {
                same_shape(format!("activation kept at {}", self.at), &shape, activation.shape())
            }
        }
    }
}

/// Checks that what is at a site is added to the residual stream, and that the stream passes a later one.
fn check_path(at: Site, to: Site, config: &Config) -> Result<()> {
    use BlockPoint::{
        AttnIn, AttnOut, KInput, MlpIn, MlpOut, QInput, ResidMid, ResidPost, ResidPre, Result as R, VInput,
    };
    to.check(config)?;
    let adds = match at.point {
        HookPoint::Embed | HookPoint::Block(_, AttnOut | MlpOut) => true,
        HookPoint::PosEmbed => config.positional_embedding_type == Positions::Standard,
        HookPoint::Block(_, R) => at.head.is_some(),
        _ => false,
    };
    if !adds {
        return Err(Error::invalid("start of a path", "an embedding, a head's result, attn_out or mlp_out", at));
    }
    let stream = [ResidPre, AttnIn, QInput, KInput, VInput, ResidMid, MlpIn, ResidPost];
    let passes = matches!(to.point, HookPoint::Block(_, point) if stream.contains(&point));
    // Points are ordered as a forward pass comes by them.
    if passes && at.point < to.point {
        return Ok(());
    }
    Err(Error::invalid("end of a path", format!("a point of the residual stream after {}", at.point), to))
}

/// Checks that positions are those of sequences of this length, each named once.
fn check_positions(positions: &[usize], seq: usize) -> Result<()> {
    if let Some(position) = positions.iter().find(|position| **position >= seq) {
        return Err(Error::invalid("position", format!("below {seq}"), position));
    }
    let mut positions = positions.to_vec();
    positions.sort_unstable();
    match positions.windows(2).find(|pair| pair[0] == pair[1]) {
        None => Ok(()),
        Some(pair) => Err(Error::invalid("positions", "distinct ones", format!("{} twice", pair[0]))),
    }
}

/// What one batch gets at an intervention's site.
pub(super) enum New<'a> {
    Zero,
    /// Itself plus a vector.
    Add(ArrayView1<'a, f32>),
    /// `[example, …]` in the site's shape; one example stands for all.
    Each(ArrayViewD<'a, f32>),
}

impl New<'_> {
    /// The new activation at a position of an example, where it is not the old one plus something.
    fn at(&self, site: Site, example: usize, position: usize) -> Option<ArrayViewD<'_, f32>> {
        let Self::Each(all) = self else { return None };
        let of_example = all.index_axis(Axis(0), example % all.len_of(Axis(0)));
        Some(of_example.index_axis_move(Axis(site.position_axis()), position))
    }
}

impl Intervention<'_> {
    /// Adds the hooks that make the intervention on a batch.
    pub(super) fn hook<'h>(&'h self, hooks: &mut Hooks<'h, f32>, new: New<'h>) {
        let Self { at, to, positions, .. } = self;
        let Some(to) = to else {
            hooks.add_at(at.point, move |activation| {
                each_position(activation, *at, positions.as_deref(), |mut old, example, position| match &new {
                    New::Zero => old.fill(0.0),
                    New::Add(vector) => old += vector,
                    New::Each(_) => new.at(*at, example, position).into_iter().for_each(|new| old.assign(&new)),
                });
                Ok(())
            });
            return;
        };
        let recorded = Rc::new(RefCell::new(ArrayD::zeros(Vec::new())));
        let record = Rc::clone(&recorded);
        hooks.add_at(at.point, move |activation| {
            record.replace(activation.to_owned());
            Ok(())
        });
        hooks.add_at(to.point, move |stream| {
            let recorded = recorded.borrow();
            let old = New::Each(match at.head.zip(at.point.head_axis()) {
                None => recorded.view(),
                Some((head, axis)) => recorded.index_axis(Axis(axis + 1), head),
            });
            each_position(stream, *to, positions.as_deref(), |mut stream, example, position| {
                match &new {
                    New::Zero => {}
                    New::Add(vector) => {
                        stream += vector;
                        return;
                    }
                    New::Each(_) => new.at(*at, example, position).into_iter().for_each(|new| stream += &new),
                }
                old.at(*at, example, position).into_iter().for_each(|old| stream -= &old);
            });
            Ok(())
        });
    }
}

/// Calls `edit(part of the activation, example, position)` for every example, at the given positions or at all.
fn each_position(
    activation: &mut ArrayViewMutD<f32>,
    site: Site,
    positions: Option<&[usize]>,
    mut edit: impl FnMut(ArrayViewMutD<f32>, usize, usize),
) {
    let mut part = match site.head.zip(site.point.head_axis()) {
        None => activation.view_mut(),
        Some((head, axis)) => activation.index_axis_mut(Axis(axis + 1), head),
    };
    let axis = Axis(site.position_axis());
    for (example, mut part) in part.outer_iter_mut().enumerate() {
        for at in 0..positions.map_or(part.len_of(axis), <[usize]>::len) {
            let position = positions.map_or(at, |positions| positions[at]);
            edit(part.index_axis_mut(axis, position), example, position);
        }
    }
}
