//! What is answered without a head.

use crate::{Head, Intervention, Replacement, Runner, Subject};
use algolens_core::{
    Result,
    engine::{Outcome, hooks::Filter, loss},
    task::Dataset,
};

/// The outcomes of every prediction of data, example by example, with each head in turn replaced by its mean over other data.
///
/// # Errors
/// Data that does not fit the model, or a head that it does not have.
pub fn without_each(subject: Subject, data: &Dataset, heads: &[Head], other: &Dataset) -> Result<Vec<Vec<Outcome>>> {
    let ablated = |head: &Head| [Intervention::new(*head, Replacement::Mean(other.tokens()))];
    let sets: Vec<_> = heads.iter().map(ablated).collect();
    let mut outcomes: Vec<Vec<Outcome>> = heads.iter().map(|_| Vec::new()).collect();
    Runner::new(subject).run_each(data.tokens(), data.positions(), &sets, Filter::Nothing, |set, chunk| {
        outcomes[set].extend(loss::outcomes(chunk.logits.view(), chunk.of(data).targets()));
        Ok(())
    })?;
    Ok(outcomes)
}
