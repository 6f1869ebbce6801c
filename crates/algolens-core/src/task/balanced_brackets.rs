//! Whether brackets are balanced (ARENA's chapter on the balanced bracket classifier).

use super::{
    Family, Options, Role, Targets, Task, TaskKind, TaskSpec, Token,
    input::{check_example, check_size, parse_letters, roles},
};
use crate::{
    Error, Result,
    model::{ActFn, AttentionDir, Config, Mlp},
    random::{Twister, below, below_u128, uniform24},
    train::{Architecture, Recipe},
};

/// `START ( ( ) ) END PAD …`: whether the brackets are balanced, asked at `START`.
///
/// What is shorter than `max_len` brackets is filled with `PAD`, to which nobody attends. Models of it attend both ways.
/// Strings are drawn as it fits what is known of the authors' 100 000: an even length, each alike, then bracket by bracket
/// with a fair coin, until the string is of the label that was drawn first, balanced in a share `balanced` of all.
#[derive(Clone, Debug, PartialEq)]
pub struct BalancedBrackets {
    max_len: usize,
    balanced: f64,
}

const START: Token = 0;
const PAD: Token = 1;
const END: Token = 2;
const OPEN: Token = 3;
const CLOSE: Token = 4;

impl BalancedBrackets {
    /// Strings of at most so many brackets, a share of which is drawn to be balanced.
    ///
    /// # Errors
    /// An odd number, or more than 120 (their balanced strings are no longer counted); a share that is none.
    pub fn new(max_len: usize, balanced: f64) -> Result<Self> {
        check_size("max_len", max_len, 2, 120)?;
        if max_len % 2 == 1 {
            return Err(Error::invalid("max_len", "an even number", max_len));
        }
        if !(0.0..=1.0).contains(&balanced) {
            return Err(Error::invalid("balanced", "a share of 0 to 1", balanced));
        }
        Ok(Self { max_len, balanced })
    }

    /// A string read from its end: each bracket turned, the last one first.
    pub fn mirrored(brackets: &[Token]) -> Vec<Token> {
        brackets.iter().rev().map(|bracket| OPEN + CLOSE - bracket).collect()
    }

    /// Whether brackets are balanced: as many are closed as opened, and nowhere more.
    pub fn is_balanced(brackets: &[Token]) -> bool {
        let heights = brackets.iter().scan(0_i64, |height, token| {
            *height += if *token == OPEN { 1 } else { -1 };
            Some(*height)
        });
        let heights: Vec<i64> = heights.collect();
        heights.iter().all(|height| *height >= 0) && heights.last().is_none_or(|end| *end == 0)
    }

    /// The length of a balanced string: as often as coins give one of it.
    fn balanced_length(&self, rng: &mut Twister) -> usize {
        // Catalan(k) / 4^k, by the ratio of neighbours: (2k − 1) / (2k + 2).
        let shares = (1..=self.max_len / 2).scan(1.0, |share, k| {
            *share *= (2 * k - 1) as f64 / (2 * k + 2) as f64;
            Some(*share)
        });
        let shares: Vec<f64> = shares.collect();
        let mut left = f64::from(uniform24(rng)) * shares.iter().sum::<f64>();
        let found = shares.iter().position(|share| {
            left -= share;
            left < 0.0
        });
        2 * (1 + found.unwrap_or(shares.len() - 1))
    }

    fn draw_unbalanced(&self, rng: &mut Twister) -> Vec<Token> {
        loop {
            let length = 2 * (1 + below(rng, self.max_len as u32 / 2) as usize);
            let brackets: Vec<Token> = (0..length).map(|_| OPEN + below(rng, 2)).collect();
            // At least every second time.
            if !Self::is_balanced(&brackets) {
                return brackets;
            }
        }
    }

    fn whole(&self, brackets: &[Token]) -> Vec<Token> {
        let mut example = [&[START], brackets, &[END]].concat();
        example.resize(self.n_ctx(), PAD);
        example
    }
}

/// In how many ways so many brackets can close a string of this height: paths to 0 that do not go below it.
fn ways(brackets: usize, height: usize) -> u128 {
    if height > brackets || (brackets - height) % 2 == 1 {
        return 0;
    }
    let choose = |n: u128, k: u128| (0..k).fold(1_u128, |product, i| product * (n - i) / (i + 1));
    let (n, closed) = (brackets as u128, ((brackets + height) / 2) as u128);
    // Reflection: all paths less those that touch −1.
    choose(n, closed) - if closed < n { choose(n, closed + 1) } else { 0 }
}

/// A balanced string, each alike.
fn draw_balanced(rng: &mut Twister, brackets: usize) -> Vec<Token> {
    let mut height = 0;
    let step = |left: usize| {
        let open = below_u128(rng, ways(left, height)) < ways(left - 1, height + 1);
        height = if open { height + 1 } else { height - 1 };
        if open { OPEN } else { CLOSE }
    };
    (1..=brackets).rev().map(step).collect()
}

impl Task for BalancedBrackets {
    fn spec(&self) -> TaskSpec {
        TaskSpec::new(Self::NAME).with("max_len", self.max_len).with("balanced", self.balanced)
    }

    fn n_ctx(&self) -> usize {
        self.max_len + 2
    }

    fn token_labels(&self) -> Vec<String> {
        ["START", "PAD", "END", "(", ")"].map(String::from).to_vec()
    }

    fn output_labels(&self) -> Vec<String> {
        ["unbalanced", "balanced"].map(String::from).to_vec()
    }

    fn roles(&self) -> Vec<Role> {
        roles(self.n_ctx(), &[0])
    }

    /// Brackets, parted or not.
    fn parse_input(&self, text: &str) -> Result<Vec<Token>> {
        parse_letters(text, &self.token_labels(), "brackets ( and )")
    }

    fn input(&self, example: &[Token]) -> Vec<Token> {
        example.iter().copied().filter(|token| [OPEN, CLOSE].contains(token)).collect()
    }

    fn predicted_positions(&self) -> Vec<usize> {
        vec![0]
    }

    fn targets(&self, example: &[Token]) -> Targets {
        vec![Token::from(Self::is_balanced(&self.input(example)))].into()
    }

    fn padding(&self) -> Option<Token> {
        Some(PAD)
    }

    fn pad_token(&self) -> Option<Token> {
        Some(PAD)
    }

    fn attention_dir(&self) -> AttentionDir {
        AttentionDir::Bidirectional
    }

    fn families(&self) -> Vec<Family<'_>> {
        let kind = |example: &[Token]| {
            let brackets = self.input(example);
            let opened = brackets.iter().filter(|bracket| **bracket == OPEN).count();
            let even = 2 * opened == brackets.len();
            let dips = !Self::is_balanced(
                &[&brackets[..], &vec![CLOSE; (2 * opened).saturating_sub(brackets.len())]].concat(),
            );
            match (even, dips) {
                (true, false) => 0,
                (true, true) => 1,
                (false, false) => 2,
                (false, true) => 3,
            }
        };
        let kinds = ["balanced", "closed too early", "left open", "both or too many closed"];
        // Strings are drawn of even lengths; of a member there is one of its length only.
        let length = |example: &[Token]| match self.input(example).len() {
            length if length % 2 == 0 => (length / 2).wrapping_sub(1),
            _ => usize::MAX,
        };
        let lengths = (1..=self.max_len / 2).map(|half| (2 * half).to_string());
        vec![
            Family::by("fault", "what is wrong with the string", self, kinds, kind),
            Family::by("length", "how many brackets there are", self, lengths, length),
        ]
    }

    fn generate(&self, rng: &mut Twister, example: &mut [Token]) {
        let brackets = if f64::from(uniform24(rng)) < self.balanced {
            let length = self.balanced_length(rng);
            draw_balanced(rng, length)
        } else {
            self.draw_unbalanced(rng)
        };
        example.copy_from_slice(&self.whole(&brackets));
    }

    fn validate(&self, example: &[Token]) -> Result<()> {
        check_example(example, &self.complete(&self.input(example))?)
    }

    fn complete(&self, input: &[Token]) -> Result<Vec<Token>> {
        if !(1..=self.max_len).contains(&input.len()) {
            return Err(Error::invalid("string", format!("1 to {} brackets", self.max_len), input.len()));
        }
        match input.iter().find(|token| ![OPEN, CLOSE].contains(token)) {
            None => Ok(self.whole(input)),
            Some(other) => Err(Error::invalid("string", "brackets (3 and 4)", other)),
        }
    }
}

impl TaskKind for BalancedBrackets {
    const NAME: &'static str = "balanced_brackets";
    const ABOUT: &'static str = "whether a string of brackets is balanced";

    fn from_options(options: &mut Options) -> Result<Self> {
        Self::new(options.take("max_len", 40)?, options.take("balanced", 0.46)?)
    }

    fn recipe(&self) -> Recipe {
        let model = Architecture {
            n_layers: 3,
            d_model: 56,
            d_head: 28,
            mlp: Some(Mlp { d_mlp: 56, act_fn: ActFn::Relu, gated: false }),
            ..Architecture::default()
        };
        Recipe { task: Some(self.spec()), model, weight_decay: 0.0, ..Recipe::default() }
    }

    fn fitting(config: &Config) -> Option<Self> {
        let sizes = config.d_vocab == 5 && config.d_vocab_out == 2;
        sizes.then(|| Self::new(config.n_ctx.checked_sub(2)?, 0.46).ok())?
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random;
    use std::collections::BTreeMap;

    #[test]
    fn balanced_strings_are_drawn_alike() {
        // The third and fourth Catalan numbers, and what is left of a string of six after one bracket.
        assert_eq!([ways(6, 0), ways(8, 0), ways(5, 1), ways(4, 1), ways(0, 0)], [5, 14, 5, 0, 1]);
        let mut rng = random::stream(0, "test/brackets");
        let mut counts = BTreeMap::new();
        for _ in 0..14_000 {
            let drawn = draw_balanced(&mut rng, 8);
            assert!(BalancedBrackets::is_balanced(&drawn), "{drawn:?}");
            *counts.entry(drawn).or_insert(0_i32) += 1;
        }
        // Each 1000 times within five standard deviations (30 each).
        assert!(counts.len() == 14 && counts.values().all(|count| (count - 1000).abs() < 155), "{counts:?}");
        assert_eq!(draw_balanced(&mut rng, 120).len(), 120);
    }
}
