//! Moves from one input to others.

use algolens_core::{
    random::{Twister, below_u128},
    task::{Task, Token},
};

/// The moves of a task's inputs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moves {
    vocabulary: usize,
    /// Whether shorter inputs are padded, so that a token may be inserted or removed.
    lengths: bool,
    /// Whether two tokens may be exchanged everywhere.
    exchanges: bool,
}

impl Moves {
    /// All moves.
    pub fn of(task: &dyn Task) -> Self {
        Self { vocabulary: task.token_labels().len(), lengths: task.padding().is_some(), exchanges: true }
    }

    /// The moves that change an input in one or two places.
    pub fn local(self) -> Self {
        Self { exchanges: false, ..self }
    }

    /// The sequences one move away, which need not be inputs of the task: all of them, or `most` that are drawn.
    pub fn neighbours(self, input: &[Token], most: usize, rng: &mut Twister) -> Vec<Vec<Token>> {
        let all = self.count(input);
        let number = |number: usize| self.neighbour(input, number);
        if all <= most {
            return (0..all).filter_map(number).collect();
        }
        (0..most).filter_map(|_| number(below_u128(rng, all as u128) as usize)).collect()
    }

    /// How many moves each kind has: exchanged places, replaced tokens, exchanged tokens, removed and inserted ones.
    fn counts(self, input: &[Token]) -> [usize; 5] {
        let len = input.len();
        let replaced = len * self.vocabulary;
        let resized = |count: usize| if self.lengths { count } else { 0 };
        [
            len * len.saturating_sub(1) / 2,
            replaced,
            if self.exchanges { replaced } else { 0 },
            resized(len),
            resized((len + 1) * self.vocabulary),
        ]
    }

    /// How many there are.
    pub fn count(self, input: &[Token]) -> usize {
        self.counts(input).iter().sum()
    }

    /// The sequence after the move of a number below the count; none where it changes nothing, or another has the same.
    fn neighbour(self, input: &[Token], mut number: usize) -> Option<Vec<Token>> {
        let mut kind = 0;
        for count in self.counts(input) {
            if number < count {
                break;
            }
            number -= count;
            kind += 1;
        }
        let mut other = input.to_vec();
        let (at, token) = (number / self.vocabulary, (number % self.vocabulary) as Token);
        match kind {
            0 => {
                // Pairs (0, 1), (0, 2), (1, 2), (0, 3), …
                let second = (1..input.len()).find(|second| number < second * (second + 1) / 2)?;
                other.swap(number - second * (second - 1) / 2, second);
            }
            1 => other[at] = token,
            2 => {
                // The first place of a token stands for it.
                let own = input[at];
                if input[..at].contains(&own) || (input.contains(&token) && token < own) {
                    return None;
                }
                other.iter_mut().for_each(|held| {
                    *held = if *held == own {
                        token
                    } else if *held == token {
                        own
                    } else {
                        *held
                    }
                });
            }
            3 => _ = other.remove(number),
            _ => other.insert(at, token),
        }
        (other != input).then_some(other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use algolens_core::random;
    use std::collections::BTreeSet;

    fn all(moves: Moves, input: &[Token]) -> BTreeSet<Vec<Token>> {
        moves.neighbours(input, usize::MAX, &mut random::stream(0, "test/moves")).into_iter().collect()
    }

    #[test]
    fn moves_are_every_exchange_replacement_and_change_of_length() {
        let moves = Moves { vocabulary: 3, lengths: false, exchanges: false };
        // One exchange of places, two other tokens at each of two places.
        let near = [[1, 0], [1, 1], [2, 1], [0, 0], [0, 2]].map(Vec::from);
        assert_eq!(all(moves, &[0, 1]), BTreeSet::from(near));
        let everywhere = all(Moves { exchanges: true, ..moves }, &[0, 1, 0]);
        assert!([[1, 0, 1], [2, 1, 2]].iter().all(|other| everywhere.contains(other.as_slice())));
        let resized = all(Moves { lengths: true, ..moves }, &[0, 1]);
        let shorter = [[0].to_vec(), [1].to_vec()];
        assert!(shorter.iter().all(|other| resized.contains(other)));
        // Of nine ways to insert, two give the same as another: 0 before or after 0, 1 before or after 1.
        assert_eq!(resized.iter().filter(|other| other.len() == 3).count(), 7);
        assert_eq!(all(Moves { lengths: true, ..moves }, &[]), [0, 1, 2].map(|token| vec![token]).into());
    }

    #[test]
    fn no_more_are_drawn_than_are_wanted() {
        let moves = Moves { vocabulary: 1000, lengths: true, exchanges: true };
        let near = moves.neighbours(&[1, 2, 3, 4], 50, &mut random::stream(0, "test/moves"));
        assert!((40..=50).contains(&near.len()), "{}", near.len());
    }
}
