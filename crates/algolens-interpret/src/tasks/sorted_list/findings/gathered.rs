//! The evidence of a model, of its controls, and of models of other seeds, gathered at the same time.

use super::evidence::{Evidence, EvidenceOptions};
use crate::{
    Subject,
    claims::{Case, Control, Finding, exchanged_heads, random_weights, relabelled},
};
use algolens_core::{
    Result,
    model::{Model, processing::Step},
    parallel,
    task::{Dataset, SortedList, check_task},
};
use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

/// A model whose evidence is gathered, and the evidence once it is.
struct Job<'a> {
    model: &'a Model,
    options: EvidenceOptions,
    done: Mutex<Option<Result<Evidence>>>,
}

/// What a model's findings are judged by.
pub struct Gathered {
    /// The evidence of the model.
    pub evidence: Evidence,
    /// The evidence of each control's models, from smaller samples.
    pub controls: BTreeMap<Control, Vec<Evidence>>,
    /// The evidence of models of other seeds.
    pub others: Vec<Evidence>,
}

impl Gathered {
    /// The evidence of a model whose weights went through `processing`, of its controls, and of `others`, processed alike. `data` is
    /// the evaluation data, and `seed` that of every list drawn besides.
    ///
    /// # Errors
    /// A model that is not of the task.
    pub fn of(
        subject: Subject,
        task: &SortedList,
        data: &Dataset,
        processing: &[Step],
        others: &[Model],
        seed: u32,
    ) -> Result<Self> {
        let values = task.max_value() as usize + 1;
        let controls = [
            (Control::RandomWeights, random_weights(subject.model, processing)?),
            (Control::Relabelled, relabelled(subject.model, values, seed.into())?),
            (Control::ExchangedHeads, exchanged_heads(subject.model)),
        ];
        let whole = EvidenceOptions::new(task, seed);
        let of_controls = controls.iter().flat_map(|(control, models)| {
            let options = EvidenceOptions::of_control(*control, task, seed);
            models.iter().map(move |model| (model, options))
        });
        let models = [subject.model].into_iter().chain(others).map(|model| (model, whole)).chain(of_controls);
        let jobs: Vec<Job> = models.map(|(model, options)| Job { model, options, done: Mutex::new(None) }).collect();
        parallel::for_each(jobs.iter().collect(), |Job { model, options, done }: &Job| {
            let subject = Subject { model, ..subject };
            let gathered =
                check_task(task, model.config()).and_then(|()| Evidence::gather(subject, task, data, *options));
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

    /// The findings of the model, which predicts this share of the tokens right.
    pub fn findings(&self, token_accuracy: f64) -> Vec<Finding> {
        let Self { evidence, controls, others } = self;
        super::findings(&Case { evidence, token_accuracy, controls, others })
    }
}
