//! The fewest changes that make an answer wrong.

use super::{
    attacker::{Attacker, Tried},
    found::Found,
    moves::Moves,
};
use algolens_core::{Error, Result, random, task::Token};
use serde::Serialize;
use std::collections::BTreeSet;

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
    /// places, replaced tokens and, where inputs have several lengths, inserted or removed ones. All inputs so near are run,
    /// but no step is begun after more than `work` of them.
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
        let (mut seen, mut last, mut tried) = (BTreeSet::from([input.to_vec()]), vec![input.to_vec()], 1);
        for changes in 1..=most {
            // All moves are made, so that nothing is drawn.
            let mut rng = random::stream(0, "attack/near");
            let near = last.iter().flat_map(|input| moves.neighbours(input, usize::MAX, &mut rng));
            let near: Vec<Vec<Token>> = near.filter(|input| seen.insert(input.clone())).collect();
            let all: Vec<Tried> = self.run(&near)?.into_iter().flatten().collect();
            tried += all.len() as u64;
            if let Some(worst) = all.iter().min_by(|a, b| a.margin.total_cmp(&b.margin))
                && let Some(found) = self.confirm(&[worst])?.into_iter().find(Found::is_wrong)
            {
                return Ok(Near { found: Some(found), changes, tried });
            }
            if tried > work {
                return Ok(Near { found: None, changes: changes + 1, tried });
            }
            last = all.into_iter().map(|Tried { input, .. }| input).collect();
        }
        Ok(Near { found: None, changes: most + 1, tried })
    }
}
