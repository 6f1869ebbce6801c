//! Inputs that differ in their order only.

use algolens_core::{
    model::{AttentionDir, Config, Positions},
    task::{Inputs, Role, Task, Token},
};

/// The most predictions that one order may count for, all together.
const MOST: u128 = 1 << 60;

/// One input of each multiset of tokens, where a model answers the same in every order and the task asks the same.
///
/// The task must be [permutation-invariant](Task::is_permutation_invariant) and the model know no positions: no embeddings of
/// them, windows or padding. A head's pattern is then a function of the query and of the multiset of keys that it sees. In a
/// bidirectional model that is all of them at every depth; in a causal one tell the keys of a second block in what order they
/// stand, so that there must be one block, and every predicted position behind the input. Rounding may differ between orders,
/// as it may between machines: it is within the slack.
pub(super) fn multisets<'a>(config: &Config, task: &'a dyn Task) -> Option<Inputs<'a>> {
    if !task.is_permutation_invariant() {
        return None;
    }
    let no_positions = config.positional_embedding_type == Positions::None
        && config.attn_windows.is_empty()
        && config.masked_score.is_none()
        && config.pad_token.is_none();
    let roles = task.roles();
    let last_input = roles.iter().rposition(|role| *role == Role::Input)?;
    let predicted = task.predicted_positions();
    let same_keys = match config.attention_dir {
        AttentionDir::Causal => config.n_layers <= 1 && predicted.iter().all(|position| *position > last_input),
        AttentionDir::Bidirectional => {
            predicted.iter().all(|position| roles.get(*position).is_some_and(|role| *role != Role::Input))
        }
    };
    let all = task.inputs()?;
    // Sums of so many predictions are exact.
    let is_counted = all.count().checked_mul(predicted.len() as u128).is_some_and(|predictions| predictions <= MOST);
    if no_positions && same_keys && is_counted { all.multisets() } else { None }
}

/// In how many orders the tokens of an ascending input stand in all inputs; none beyond 64 bits.
pub(super) fn orders(input: &[Token]) -> Option<u64> {
    let mut all = 1_u128;
    let mut placed = 0_u128;
    for same in input.chunk_by(|a, b| a == b) {
        for nth in 1..=same.len() as u128 {
            placed += 1;
            // A product of binomials so far: placed choose nth, times those of the tokens before.
            all = all.checked_mul(placed)? / nth;
        }
    }
    u64::try_from(all).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_are_multinomials() {
        assert_eq!(orders(&[]), Some(1));
        assert_eq!(orders(&[3]), Some(1));
        assert_eq!(orders(&[0, 1, 2, 3]), Some(24));
        assert_eq!(orders(&[0, 0, 1, 1, 2]), Some(30));
        assert_eq!(orders(&[7; 40]), Some(1));
        assert_eq!(orders(&(0..30).collect::<Vec<_>>()), None);
    }
}
