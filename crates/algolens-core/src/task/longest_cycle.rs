//! The longest cycle of a function (AlgZoo).

use super::{
    Family, Inputs, Options, Targets, Task, TaskKind, TaskSpec, Token,
    input::{check_size, check_values, numbers},
};
use crate::{
    Result,
    model::{AttentionDir, Biases, Config, Normalization},
    random::{Twister, below},
    train::{Architecture, Keep, Optimizer, Recipe, Schedule},
};

/// A function f on 0..n, token x being f(x); at the last position, the length of its longest cycle, less 1.
///
/// Models of it attend both ways. Every function is drawn alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LongestCycle {
    n: Token,
}

impl LongestCycle {
    /// Functions on 0..n.
    ///
    /// # Errors
    /// No number, or more than 1024.
    pub fn new(n: Token) -> Result<Self> {
        check_size("n", n as usize, 1, 1024)?;
        Ok(Self { n })
    }

    /// The length of the longest cycle of a function.
    pub fn longest(function: &[Token]) -> usize {
        // From any start, so many steps end on a cycle.
        let on_cycle = |start: Token| (0..function.len()).fold(start, |x, _| function[x as usize]);
        let length = |start: Token| {
            let from = on_cycle(start);
            1 + std::iter::successors(Some(function[from as usize]), |x| Some(function[*x as usize]))
                .take_while(|x| *x != from)
                .count()
        };
        (0..function.len()).map(|start| length(start as Token)).max().unwrap_or(0)
    }
}

impl Task for LongestCycle {
    fn spec(&self) -> TaskSpec {
        TaskSpec::new(Self::NAME).with("n", self.n)
    }

    fn n_ctx(&self) -> usize {
        self.n as usize
    }

    fn token_labels(&self) -> Vec<String> {
        numbers(self.n)
    }

    fn output_labels(&self) -> Vec<String> {
        (1..=self.n).map(|length| format!("cycle of {length}")).collect()
    }

    fn predicted_positions(&self) -> Vec<usize> {
        vec![self.n_ctx() - 1]
    }

    fn targets(&self, example: &[Token]) -> Targets {
        vec![Self::longest(example) as Token - 1].into()
    }

    fn inputs(&self) -> Option<Inputs<'_>> {
        Inputs::sequences(self.n_ctx(), self.n)
    }

    fn attention_dir(&self) -> AttentionDir {
        AttentionDir::Bidirectional
    }

    fn families(&self) -> Vec<Family<'_>> {
        let longest = |example: &[Token]| Self::longest(example) - 1;
        // The numbers that some number is sent to after so many steps as there are numbers lie on cycles.
        let on_cycles = |example: &[Token]| {
            let end = |start: Token| (0..example.len()).fold(start, |x, _| example[x as usize]);
            let mut ends: Vec<Token> = (0..self.n).map(end).collect();
            ends.sort_unstable();
            ends.dedup();
            ends.len() - 1
        };
        let numbers = || (1..=self.n).map(|count| count.to_string());
        vec![
            Family::by("longest", "how long the longest cycle is", self, numbers(), longest),
            Family::by("on_cycles", "how many numbers lie on cycles", self, numbers(), on_cycles),
        ]
    }

    fn generate(&self, rng: &mut Twister, example: &mut [Token]) {
        example.fill_with(|| below(rng, self.n));
    }

    fn validate(&self, example: &[Token]) -> Result<()> {
        self.complete(example).map(drop)
    }

    fn complete(&self, input: &[Token]) -> Result<Vec<Token>> {
        check_values("function", input, self.n_ctx(), self.n)?;
        Ok(input.to_vec())
    }
}

impl TaskKind for LongestCycle {
    const NAME: &'static str = "longest_cycle";
    const ABOUT: &'static str = "the length of a function's longest cycle";

    fn from_options(options: &mut Options) -> Result<Self> {
        Self::new(options.take("n", 4)?)
    }

    fn recipe(&self) -> Recipe {
        let model = Architecture {
            n_layers: 2,
            n_heads: 1,
            d_model: 4,
            d_head: 4,
            normalization_type: Normalization::None,
            biases: Biases::NONE,
            ..Architecture::default()
        };
        let sizes = Recipe { train_size: 25_600, batch_size: 256, epochs: 1500, keep: Keep::Loss, ..Recipe::default() };
        let stop = Recipe { stop_accuracy: Some(1.0), stop_loss: Some(1e-4), ..sizes };
        let rates = Recipe { lr_schedule: Schedule::Cosine, lr_start: 3e-3, lr_end: 0.0, ..stop };
        Recipe { task: Some(self.spec()), model, optimizer: Optimizer::AdamW, weight_decay: 0.001, ..rates }
    }

    /// The size that is published.
    fn fitting(config: &Config) -> Option<Self> {
        let Config { n_ctx, d_vocab, d_vocab_out, .. } = *config;
        ([n_ctx, d_vocab, d_vocab_out] == [4; 3]).then(|| Self::new(4).ok())?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cycles_are_found_from_any_start() {
        let cases: [(&[Token], usize); 5] =
            [(&[0], 1), (&[1, 2, 3, 3], 1), (&[1, 0, 3, 2], 2), (&[1, 2, 3, 0], 4), (&[4, 2, 3, 1, 0], 3)];
        for (function, longest) in cases {
            assert_eq!(LongestCycle::longest(function), longest, "{function:?}");
        }
    }
}
