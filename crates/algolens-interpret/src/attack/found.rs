//! What an attack finds.

use super::attacker::{Attacker, Tried};
use crate::Answer;
use algolens_core::{
    Result,
    engine::Engine,
    task::{Dataset, Token},
};
use serde::Serialize;

/// An input and its answer with the least margin, by the plain backend in double precision.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Found {
    /// The input.
    pub input: Vec<Token>,
    /// The position that predicts.
    pub position: usize,
    /// What the model says.
    pub predicted: Answer,
    /// What is right.
    pub expected: Answer,
    /// Logits by which what is right is above everything else; it is wrong if that is 0 or less.
    pub margin: f64,
    /// The members of families that the input is of: what kind of input it is.
    pub families: Vec<Membership>,
}

/// A member of a family.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Membership {
    /// The family.
    pub family: String,
    /// The member.
    pub member: String,
}

impl Found {
    /// Whether the answer is wrong; a tie is.
    pub fn is_wrong(&self) -> bool {
        self.margin <= 0.0
    }
}

impl Attacker<'_> {
    /// The inputs' answers as the plain backend has them in f64, the worst first.
    pub(super) fn confirm(&self, tried: &[&Tried]) -> Result<Vec<Found>> {
        if tried.is_empty() {
            return Ok(Vec::new());
        }
        let inputs: Vec<&Vec<Token>> = tried.iter().map(|tried| &tried.input).collect();
        let data = Dataset::from_inputs(self.task, &inputs)?;
        let (model, engine) = &self.exact;
        let logits = engine.logits(model, data.tokens(), data.positions())?;
        let judged = self.judged(logits.view(), &data)?;
        let targets: Vec<_> = data.targets().iter().map(|(target, _)| target).collect();
        let per_example = data.positions().len();
        let mut all = Vec::with_capacity(tried.len());
        for (example, (judged, tried)) in judged.into_iter().zip(tried).enumerate() {
            // The position that was the worst in f32 may not be in f64.
            let Some((prediction, margin)) = judged else { continue };
            let row = logits.slice(ndarray::s![example, prediction, ..]);
            let target = targets[example * per_example + prediction];
            all.push(Found {
                input: tried.input.clone(),
                position: data.positions()[prediction],
                predicted: Answer::said(row, target),
                expected: target.classes().into(),
                margin,
                families: self
                    .memberships(data.tokens().row(example).to_slice().expect("rows of a dataset are contiguous")),
            });
        }
        all.sort_by(|a, b| a.margin.total_cmp(&b.margin));
        Ok(all)
    }

    fn memberships(&self, example: &[Token]) -> Vec<Membership> {
        let told = self.families.iter().filter_map(|family| Some((family, family.member_of(example)?)));
        told.map(|(family, member)| Membership {
            family: family.id.into(),
            member: family.members[member].name.clone(),
        })
        .collect()
    }
}
