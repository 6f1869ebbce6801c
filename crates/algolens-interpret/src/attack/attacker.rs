//! A model under attack, and the inputs that are run.

use super::restrictions::{Members, Restrictions};
use crate::{Subject, enumerate::judge};
use algolens_core::{
    Error, Result, Scalar,
    engine::{Batch, Plain, check_batch},
    model::Model,
    parallel,
    random::Twister,
    task::{Dataset, Family, Task, Token},
};
use ndarray::ArrayView3;

/// A model under attack: it, its task, and which answers are looked at.
pub struct Attacker<'a> {
    pub(super) subject: Subject<'a>,
    pub(super) task: &'a dyn Task,
    pub(super) families: Vec<Family<'a>>,
    pub(super) members: Members,
    /// A family whose first member all inputs are of as well.
    pub(super) within: Option<Family<'a>>,
    /// Which answers of a whole example are looked at, by the number of the prediction.
    looks_at: Box<LooksAt<'a>>,
    /// The model in f64, which confirms what is found.
    pub(super) exact: (Model<f64>, Plain<f64>),
}

type LooksAt<'a> = dyn Fn(&[Token], usize) -> bool + Send + Sync + 'a;

/// An input that was run, and its answer with the least margin of those that are looked at.
#[derive(Clone, Debug)]
pub(super) struct Tried {
    pub input: Vec<Token>,
    pub margin: f64,
    pub kind: Kind,
}

/// What tells inputs of different kinds apart: the position that predicts, and the members of families; where no family
/// tells, what is right.
pub(super) type Kind = Vec<Option<usize>>;

impl<'a> Attacker<'a> {
    /// The attack of a model of a task.
    ///
    /// # Errors
    /// A model that is not of the task; restrictions to a position that predicts nothing or to members that there are not.
    pub fn new(subject: Subject<'a>, task: &'a dyn Task, restrictions: &Restrictions) -> Result<Self> {
        let families = task.families();
        let members = Members::of(&restrictions.members, &families)?;
        let positions = task.predicted_positions();
        if let Some(position) = restrictions.position.filter(|position| !positions.contains(position)) {
            let all: Vec<String> = positions.iter().map(ToString::to_string).collect();
            return Err(Error::invalid("position", format!("one that predicts: {}", all.join(", ")), position));
        }
        let exact = (subject.model.cast(), Plain::new());
        let only = restrictions.position.and_then(|only| positions.iter().position(|position| *position == only));
        let looks_at = Box::new(move |_: &[Token], prediction| only.is_none_or(|only| only == prediction));
        let attacker = Self { subject, task, families, members, within: None, looks_at, exact };
        let example = attacker.draw(1, &mut algolens_core::random::stream(0, "attack/check"));
        check_batch(subject.model, Batch::from(&Dataset::from_inputs(task, &example)?))?;
        Ok(attacker)
    }

    /// The attack, which looks only at answers that this allows as well: of a whole example, by the number of the prediction.
    pub fn only(self, allow: impl Fn(&[Token], usize) -> bool + Send + Sync + 'a) -> Self {
        let before = self.looks_at;
        Self { looks_at: Box::new(move |example, at| before(example, at) && allow(example, at)), ..self }
    }

    /// The attack, which looks only at inputs of the first member of this family as well, and draws from it.
    pub fn within(mut self, family: Family<'a>) -> Self {
        self.within = Some(family);
        self
    }

    /// So many inputs of random examples.
    pub(super) fn draw(&self, size: usize, rng: &mut Twister) -> Vec<Vec<Token>> {
        let mut example = vec![0; self.task.n_ctx()];
        let input = |_| {
            self.task.generate(rng, &mut example);
            self.task.input(&example)
        };
        (0..size).map(input).collect()
    }

    /// Runs sequences; none of those that are no allowed inputs.
    ///
    /// # Errors
    /// Logits that are not finite.
    pub(super) fn run(&self, sequences: &[Vec<Token>]) -> Result<Vec<Option<Tried>>> {
        /// Inputs that are in memory at once on a thread.
        const CHUNK: usize = 512;
        struct Chunk<'s> {
            sequences: &'s [Vec<Token>],
            tried: Result<Vec<Option<Tried>>>,
        }
        let chunks = sequences.chunks(CHUNK).map(|sequences| Chunk { sequences, tried: Ok(Vec::new()) });
        let mut chunks: Vec<Chunk> = chunks.collect();
        parallel::for_each(chunks.iter_mut().collect(), |chunk: &mut Chunk| {
            chunk.tried = self.run_chunk(chunk.sequences);
        });
        let all: Vec<Vec<Option<Tried>>> = chunks.into_iter().map(|chunk| chunk.tried).collect::<Result<_>>()?;
        Ok(all.into_iter().flatten().collect())
    }

    fn run_chunk(&self, sequences: &[Vec<Token>]) -> Result<Vec<Option<Tried>>> {
        let is_allowed = |at: &usize| {
            let example = self.task.complete(&sequences[*at]);
            example.is_ok_and(|example| {
                self.members.have(&example, &self.families)
                    && self.within.as_ref().is_none_or(|family| family.member_of(&example) == Some(0))
            })
        };
        let allowed: Vec<usize> = (0..sequences.len()).filter(is_allowed).collect();
        let mut tried = vec![None; sequences.len()];
        if allowed.is_empty() {
            return Ok(tried);
        }
        let inputs: Vec<&Vec<Token>> = allowed.iter().map(|at| &sequences[*at]).collect();
        let data = Dataset::from_inputs(self.task, &inputs)?;
        let logits = self.subject.engine.logits(self.subject.model, data.tokens(), data.positions())?;
        let judged = self.judged(logits.view(), &data)?;
        let (tokens, targets) = (data.tokens(), data.targets());
        let expected: Vec<_> = targets.iter().map(|(target, _)| target).collect();
        for (example, (at, judged)) in allowed.into_iter().zip(judged).enumerate() {
            let Some((prediction, margin)) = judged else { continue };
            let right = expected[example * data.positions().len() + prediction].classes();
            let kind = self.kind(
                tokens.row(example).to_slice().expect("rows of a dataset are contiguous"),
                prediction,
                &right,
            );
            tried[at] = Some(Tried { input: sequences[at].clone(), margin, kind });
        }
        Ok(tried)
    }

    /// Of each example the prediction with the least margin, and that; none where nothing that is looked at is scored.
    pub(super) fn judged<T: Scalar>(&self, logits: ArrayView3<T>, data: &Dataset) -> Result<Vec<Option<(usize, f64)>>> {
        let judged = judge(logits, data)?;
        let tokens = data.tokens();
        let of_examples = judged.chunks(data.positions().len()).zip(tokens.outer_iter());
        let least = of_examples.map(|(predictions, example)| {
            let example = example.to_slice().expect("rows of a dataset are contiguous");
            let scored = predictions.iter().enumerate().filter_map(|(at, judged)| Some((at, judged.as_ref()?.margin)));
            let looked_at = scored.filter(|(at, _)| (self.looks_at)(example, *at));
            looked_at.min_by(|a, b| a.1.total_cmp(&b.1))
        });
        Ok(least.collect())
    }

    fn kind(&self, example: &[Token], prediction: usize, right: &[Token]) -> Kind {
        let told = self.families.iter().filter(|family| family.tells());
        let mut kind: Kind = told.map(|family| family.member_of(example)).collect();
        if kind.is_empty() {
            kind.extend(right.iter().map(|class| Some(*class as usize)));
        }
        kind.push(Some(prediction));
        kind
    }
}
