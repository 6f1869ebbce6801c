//! How a model does on the members of a task's families.

use crate::{Subject, claims::Rate};
use algolens_core::{
    Result,
    engine::{Batch, Outcome, Score},
    random,
    task::{Dataset, Family, Task, Token},
};
use serde::{Deserialize, Serialize};

/// How a model does on a family, member by member.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FamilyScores {
    /// The family's name.
    pub id: String,
    /// In what its members differ.
    pub differs_in: String,
    /// The members of which there are inputs, in their order.
    pub members: Vec<MemberScore>,
}

/// How a model does on random inputs of one member of a family.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MemberScore {
    /// What the member is called.
    pub name: String,
    /// Number of inputs.
    pub size: usize,
    /// How many of them are answered right at every scored position.
    pub right: usize,
    /// The exact interval of the share of right ones, of confidence 99.9 %.
    pub interval: [f64; 2],
    /// Mean loss, in nats.
    pub loss: f64,
    /// The first that is answered wrong.
    pub wrong: Option<Vec<Token>>,
}

impl MemberScore {
    /// The share of inputs with a wrong answer.
    pub fn wrong_share(&self) -> f64 {
        (self.size - self.right) as f64 / self.size as f64
    }
}

/// The confidence of intervals.
const CONFIDENCE: f64 = 0.999;

/// How a model does on every family of a task, over so many random inputs of each member.
///
/// # Errors
/// A model that is not of the task.
pub fn family_scores(subject: Subject, task: &dyn Task, size: usize, seed: u32) -> Result<Vec<FamilyScores>> {
    task.families().iter().map(|family| of_family(subject, task, family, size, seed)).collect()
}

fn of_family(subject: Subject, task: &dyn Task, family: &Family, size: usize, seed: u32) -> Result<FamilyScores> {
    let mut members = Vec::new();
    for member in &family.members {
        let purpose = format!("family/{}/{}", family.id, member.name);
        let inputs = member.draw(size, &mut random::stream(seed.into(), &purpose));
        if !inputs.is_empty() {
            members.push(of_member(subject, task, &member.name, &inputs)?);
        }
    }
    Ok(FamilyScores { id: family.id.into(), differs_in: family.differs_in.into(), members })
}

fn of_member(subject: Subject, task: &dyn Task, name: &str, inputs: &[Vec<Token>]) -> Result<MemberScore> {
    let data = Dataset::from_inputs(task, inputs)?;
    let outcomes = subject.engine.outcomes(subject.model, Batch::from(&data))?;
    let right = right_examples(&outcomes, &data);
    let score: Score = outcomes.into_iter().collect();
    Ok(MemberScore {
        name: name.into(),
        size: inputs.len(),
        right: right.iter().filter(|right| **right).count(),
        interval: interval(&right),
        loss: score.loss(),
        wrong: right.iter().position(|right| !right).map(|at| inputs[at].clone()),
    })
}

/// Whether each example is right at every scored position.
pub(super) fn right_examples(outcomes: &[Outcome], data: &Dataset) -> Vec<bool> {
    let right_at = |outcome: &Outcome| outcome.right || outcome.weight == 0.0;
    outcomes.chunks(data.positions().len()).map(|example| example.iter().all(right_at)).collect()
}

/// The exact interval of the share of right ones among all inputs, of confidence 99.9 %, that a sample allows.
pub(super) fn interval(right: &[bool]) -> [f64; 2] {
    let rate = Rate::by_list(right.iter().copied().enumerate());
    rate.map_or([0.0, 1.0], |rate| rate.interval(CONFIDENCE))
}
