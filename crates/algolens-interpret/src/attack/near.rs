//! The fewest changes that make an answer wrong.

use super::{
    attacker::{Attacker, Tried},
    found::Found,
    moves::Moves,
};
use algolens_core::{Error, Result, random, task::Token};
use serde::Serialize;
use std::collections::BTreeSet;

/// Inputs of a step that are looked at in f64, if their margin in f32 is below so many logits.
const CLOSE: usize = 256;
const SLACK: f64 = 0.1;

/// How near to an input there is one that is answered wrong.
#[derive(Clone, Debug, Serialize)]
pub struct Near {
    /// The worst input of those so many changes away.
    pub found: Option<Found>,
    /// Fewer changes than this make nothing wrong.
    pub changes: usize,
    /// How many inputs were run.
    pub tried: u64,
}

impl Attacker<'_> {
    /// The fewest changes, of at most `most`, after which an input that is answered right is answered wrong: exchanges of two
    /// places, replaced tokens and, where shorter inputs are padded, inserted or removed ones. All inputs so near are run, but no
    /// second step is begun that has more than `work` of them.
    ///
    /// # Errors
    /// A sequence that is no allowed input, or is answered wrong itself.
    pub fn fewest_changes(&self, input: &[Token], most: usize, work: u64) -> Result<Near> {
        self.task.complete(input)?;
        let own = self.run(&[input.to_vec()])?;
        let own = own
            .first()
            .and_then(Option::as_ref)
            .ok_or_else(|| Error::invalid("restrictions", "some that the input meets", "others"))?;
        if own.margin <= 0.0 {
            return Err(Error::invalid("list", "one that the model answers right", "one that it does not"));
        }
        let moves = Moves::of(self.task).local();
        // Sequences that are no inputs are on the way to others that are.
        let (mut seen, mut last, mut tried) = (BTreeSet::from([input.to_vec()]), vec![input.to_vec()], 1);
        for changes in 1..=most {
            let step: u64 = last.iter().map(|input| moves.count(input) as u64).sum();
            if changes > 1 && step > work {
                return Ok(Near { found: None, changes, tried });
            }
            // All moves are made, so that nothing is drawn.
            let mut rng = random::stream(0, "attack/near");
            let near = last.iter().flat_map(|input| moves.neighbours(input, usize::MAX, &mut rng));
            last = near.filter(|input| seen.insert(input.clone())).collect();
            let mut all: Vec<Tried> = self.run(&last)?.into_iter().flatten().collect();
            tried += all.len() as u64;
            all.sort_by(|a, b| a.margin.total_cmp(&b.margin));
            // What rounding may have decided is looked at as well.
            let close = all.iter().take(CLOSE).filter(|tried| tried.margin < SLACK).collect::<Vec<_>>();
            if let Some(found) = self.confirm(&close)?.into_iter().find(Found::is_wrong) {
                return Ok(Near { found: Some(found), changes, tried });
            }
        }
        Ok(Near { found: None, changes: most + 1, tried })
    }
}
