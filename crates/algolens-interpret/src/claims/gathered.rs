//! The evidence of a model, of its controls, and of models of other seeds, gathered at the same time.

use super::{
    claim::{Case, Claim},
    control::Control,
    finding::Finding,
};
use crate::Subject;
use algolens_core::{
    Result,
    model::Model,
    parallel,
    task::{Task, check_task},
};
use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

/// A model whose evidence is gathered, what it is a control of if it is one, and the evidence once it is there.
struct Job<'a, E> {
    model: &'a Model,
    control: Option<Control>,
    done: Mutex<Option<Result<E>>>,
}

/// What a model's findings are judged by: evidence of type `E`, of the model and of others.
pub struct Gathered<E> {
    /// The evidence of the model.
    pub evidence: E,
    /// The evidence of each control's models.
    pub controls: BTreeMap<Control, Vec<E>>,
    /// The evidence of models of other seeds.
    pub others: Vec<E>,
}

impl<E: Send> Gathered<E> {
    /// The evidence that `gather` gives of a model, of its controls' models, and of `others`; it is told which control a model is
    /// of, whose samples may be smaller.
    ///
    /// # Errors
    /// A model that is not of the task, or whatever `gather` returns.
    pub fn of(
        subject: Subject,
        task: &dyn Task,
        controls: &[(Control, Vec<Model>)],
        others: &[Model],
        gather: impl Fn(Subject, Option<Control>) -> Result<E> + Sync,
    ) -> Result<Self> {
        let of_controls =
            controls.iter().flat_map(|(control, models)| models.iter().map(move |model| (model, Some(*control))));
        let models = [subject.model].into_iter().chain(others).map(|model| (model, None)).chain(of_controls);
        let jobs: Vec<Job<E>> = models.map(|(model, control)| Job { model, control, done: Mutex::new(None) }).collect();
        parallel::for_each(jobs.iter().collect(), |Job { model, control, done }: &Job<E>| {
            let subject = Subject { model, ..subject };
            let gathered = check_task(task, model.config()).and_then(|()| gather(subject, *control));
            *done.lock().unwrap_or_else(PoisonError::into_inner) = Some(gathered);
        });
        let done = jobs.into_iter().map(|job| job.done.into_inner().unwrap_or_else(PoisonError::into_inner));
        let done = done.map(|done| done.expect("every job was done"));
        let mut done = done.collect::<Result<Vec<_>>>()?.into_iter();
        let mut take = |count: usize| done.by_ref().take(count).collect::<Vec<_>>();
        Ok(Self {
            evidence: take(1).remove(0),
            others: take(others.len()),
            controls: controls.iter().map(|(control, models)| (*control, take(models.len()))).collect(),
        })
    }

    /// The findings of the model, which predicts this share of the tokens right: each claim judged.
    pub fn findings<'c>(&self, claims: impl IntoIterator<Item = &'c Claim<E>>, token_accuracy: f64) -> Vec<Finding>
    where
        E: 'c,
    {
        let Self { evidence, controls, others } = self;
        let case = Case { evidence, token_accuracy, controls, others };
        claims.into_iter().map(|claim| claim.finding(&case)).collect()
    }
}
