//! Words of several kinds of brackets (Hewitt et al. 2020; Yao et al. 2021).

use super::{
    Family, Options, Targets, Task, TaskKind, TaskSpec, Token,
    input::{check_size, check_values, parse_letters},
};
use crate::{
    Error, Result,
    random::{Twister, below},
    train::{Architecture, Recipe},
};
use ndarray::Array3;

/// A balanced string of `len` brackets of so many kinds, nested at most so deep; at each position, all brackets that may
/// come next.
///
/// Bracket 2i opens and 2i + 1 closes kind i. What may come next can still be closed in time: a bracket of any kind where there
/// is room for it, and the last open one's close. Each that may is drawn alike. The last position predicts nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dyck {
    kinds: Token,
    depth: usize,
    len: usize,
}

const NAMES: [(char, char); 4] = [('(', ')'), ('[', ']'), ('{', '}'), ('<', '>')];

impl Dyck {
    /// Strings of so many kinds, depth and length.
    ///
    /// # Errors
    /// More than four kinds, an odd length or one above 512, no depth.
    pub fn new(kinds: Token, depth: usize, len: usize) -> Result<Self> {
        check_size("kinds", kinds as usize, 1, NAMES.len())?;
        check_size("len", len, 2, 512)?;
        check_size("depth", depth, 1, len / 2)?;
        if len % 2 == 1 {
            return Err(Error::invalid("len", "an even number", len));
        }
        Ok(Self { kinds, depth, len })
    }

    /// The brackets that are open after a string, the last one last; none where it closes what is not open.
    fn open(begun: &[Token]) -> Option<Vec<Token>> {
        begun.iter().try_fold(Vec::new(), |mut open, bracket| {
            if bracket % 2 == 0 {
                open.push(*bracket);
                return Some(open);
            }
            (open.pop()? + 1 == *bracket).then_some(open)
        })
    }

    /// The brackets that may follow a string.
    fn next(&self, begun: &[Token]) -> Vec<Token> {
        let Some(open) = Self::open(begun) else { return Vec::new() };
        let left = self.len - begun.len();
        let may_open = open.len() < self.depth && open.len() + 2 <= left;
        let opening = (0..self.kinds).filter(|_| may_open).map(|kind| 2 * kind);
        opening.chain(open.last().map(|last| last + 1)).collect()
    }
}

impl Task for Dyck {
    fn spec(&self) -> TaskSpec {
        TaskSpec::new(Self::NAME).with("kinds", self.kinds).with("depth", self.depth).with("len", self.len)
    }

    fn n_ctx(&self) -> usize {
        self.len
    }

    fn token_labels(&self) -> Vec<String> {
        NAMES.iter().take(self.kinds as usize).flat_map(|(open, close)| [open.to_string(), close.to_string()]).collect()
    }

    /// Brackets, parted or not.
    fn parse_input(&self, text: &str) -> Result<Vec<Token>> {
        parse_letters(text, &self.token_labels(), &self.token_labels().join(" "))
    }

    fn predicted_positions(&self) -> Vec<usize> {
        (0..self.len - 1).collect()
    }

    fn targets(&self, example: &[Token]) -> Targets {
        let mut right = Array3::from_elem((1, self.len - 1, 2 * self.kinds as usize), false);
        for position in 0..self.len - 1 {
            self.next(&example[..=position]).iter().for_each(|next| right[[0, position, *next as usize]] = true);
        }
        right.into()
    }

    fn families(&self) -> Vec<Family<'_>> {
        let deepest = |example: &[Token]| {
            let open = |end: usize| Self::open(&example[..end]).map_or(0, |open| open.len());
            (1..=example.len()).map(open).max().unwrap_or(1) - 1
        };
        let depths = (1..=self.depth).map(|depth| depth.to_string());
        vec![Family::by("deepest", "how deep the brackets are nested", self, depths, deepest)]
    }

    fn generate(&self, rng: &mut Twister, example: &mut [Token]) {
        for at in 0..self.len {
            let next = self.next(&example[..at]);
            example[at] = next[below(rng, next.len() as u32) as usize];
        }
    }

    fn validate(&self, example: &[Token]) -> Result<()> {
        self.complete(example).map(drop)
    }

    fn complete(&self, input: &[Token]) -> Result<Vec<Token>> {
        check_values("string", input, self.len, 2 * self.kinds)?;
        match (0..self.len).find(|at| !self.next(&input[..*at]).contains(&input[*at])) {
            None => Ok(input.to_vec()),
            Some(at) => {
                let labels = self.token_labels();
                let may = self.next(&input[..at]).iter().map(|next| labels[*next as usize].clone()).collect::<Vec<_>>();
                Err(Error::invalid(format!("bracket {}", at + 1), may.join(" or "), &labels[input[at] as usize]))
            }
        }
    }
}

impl TaskKind for Dyck {
    const NAME: &'static str = "dyck";
    const ABOUT: &'static str = "the brackets that may come next";

    fn from_options(options: &mut Options) -> Result<Self> {
        let len: usize = options.take("len", 20)?;
        Self::new(options.take("kinds", 2)?, options.take("depth", 4.min(len / 2))?, len)
    }

    fn recipe(&self) -> Recipe {
        let model = Architecture { n_layers: 2, n_heads: 2, d_model: 64, d_head: 32, ..Architecture::default() };
        Recipe { task: Some(self.spec()), model, ..Recipe::default() }
    }
}
