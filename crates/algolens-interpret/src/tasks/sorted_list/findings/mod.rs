//! The post's claims as findings: each measured on a model and on its controls, and judged.

mod attention;
mod circuits;
mod evidence;
mod experiments;
mod gaps;
mod heads;
mod runs;
mod scores;
mod sep;
mod triples;

pub use evidence::{Evidence, EvidenceOptions};
pub use experiments::{Repair, Run, Runs, ToZero};

use crate::{
    Subject,
    claims::{Claim, Control, Gathered, exchanged_heads, random_weights, relabelled},
};
use algolens_core::{
    Result,
    model::{Model, processing::Step},
    task::{Dataset, SortedList},
};

/// The claims of the post, in its order of subjects.
pub fn claims() -> impl Iterator<Item = &'static Claim<Evidence>> {
    [
        attention::CLAIMS,
        sep::CLAIMS,
        heads::CLAIMS,
        circuits::CLAIMS,
        scores::CLAIMS,
        gaps::CLAIMS,
        triples::CLAIMS,
        runs::CLAIMS,
    ]
    .into_iter()
    .flatten()
}

/// The evidence of a model whose weights went through `processing`, of its controls, and of `others`, processed alike. `data` is the
/// evaluation data, and `seed` that of every list drawn besides.
///
/// # Errors
/// A model that is not of the task.
pub fn gather(
    subject: Subject,
    task: &SortedList,
    data: &Dataset,
    processing: &[Step],
    others: &[Model],
    seed: u32,
) -> Result<Gathered<Evidence>> {
    let values = task.max_value() as usize + 1;
    let controls = [
        (Control::RandomWeights, random_weights(subject.model, processing)?),
        (Control::Relabelled, relabelled(subject.model, values, seed.into())?),
        (Control::ExchangedHeads, exchanged_heads(subject.model)),
    ];
    Gathered::of(subject, task, &controls, others, |subject, control| {
        let whole = || EvidenceOptions::new(task, seed);
        let options = control.map_or_else(whole, |control| EvidenceOptions::of_control(control, task, seed));
        Evidence::gather(subject, task, data, options)
    })
}

#[cfg(test)]
mod tests;
