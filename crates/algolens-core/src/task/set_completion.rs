//! The elements that are left (Mech Interp Puzzles, 2026).

use super::{
    Family, Inputs, Options, Role, Targets, Task, TaskKind, TaskSpec, Token,
    input::{
        and, check_distinct, check_example, check_length, check_size, draw_distinct, parse_symbols, roles, symbols,
    },
    max_of_list::puzzle,
};
use crate::{
    Error, Result,
    model::{Biases, Normalization, Positions, Rotary},
    random::{Twister, below},
    train::{Architecture, Recipe},
};
use ndarray::{Array2, Array3};
use rand::seq::SliceRandom;

/// `BOS x1 … xK SEP y1 … yK`: K different symbols, and the same in another order; from `SEP` on, any of those that are left, all
/// alike, and `EOS` where none is.
///
/// K is `k_min` to `k_max`, each alike; behind the last symbol stands `EOS`, with which shorter examples are filled too.
/// Symbols are the tokens from 0 on, then come `BOS`, `SEP` and `EOS`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetCompletion {
    symbols: Token,
    k_min: usize,
    k_max: usize,
}

impl SetCompletion {
    /// Sets of `k_min` to `k_max` out of so many symbols.
    ///
    /// # Errors
    /// Sizes for which there is no such set, or sets of more than 64.
    pub fn new(symbols: Token, k_min: usize, k_max: usize) -> Result<Self> {
        check_size("symbols", symbols as usize, 1, 4096)?;
        check_size("k_max", k_max, 1, 64.min(symbols as usize))?;
        check_size("k_min", k_min, 1, k_max)?;
        Ok(Self { symbols, k_min, k_max })
    }

    fn bos(&self) -> Token {
        self.symbols
    }

    fn sep(&self) -> Token {
        self.symbols + 1
    }

    fn eos(&self) -> Token {
        self.symbols + 2
    }

    /// The set and its other order.
    fn halves<'a>(&self, example: &'a [Token]) -> [&'a [Token]; 2] {
        let k = example.iter().position(|token| *token == self.sep()).map_or(0, |sep| sep.saturating_sub(1));
        let end = (2 * k + 2).min(example.len());
        [&example[1..=k], &example[(k + 2).min(end)..end]]
    }

    fn whole(&self, input: &[Token]) -> Vec<Token> {
        let (set, again) = input.split_at(input.len() / 2);
        let mut example = [&[self.bos()], set, &[self.sep()], again].concat();
        example.resize(self.n_ctx(), self.eos());
        example
    }
}

impl Task for SetCompletion {
    fn spec(&self) -> TaskSpec {
        TaskSpec::new(Self::NAME).with("symbols", self.symbols).with("k_min", self.k_min).with("k_max", self.k_max)
    }

    fn n_ctx(&self) -> usize {
        2 * self.k_max + 3
    }

    fn token_labels(&self) -> Vec<String> {
        and(symbols(self.symbols), &["BOS", "SEP", "EOS"])
    }

    fn roles(&self) -> Vec<Role> {
        roles(self.n_ctx(), &[0])
    }

    fn input(&self, example: &[Token]) -> Vec<Token> {
        self.halves(example).concat()
    }

    /// Letters, parted or not, or else numbers parted by commas or blanks.
    fn parse_input(&self, text: &str) -> Result<Vec<Token>> {
        parse_symbols(text, self.symbols)
    }

    fn predicted_positions(&self) -> Vec<usize> {
        (self.k_min + 1..self.n_ctx() - 1).collect()
    }

    fn targets(&self, example: &[Token]) -> Targets {
        let positions = self.predicted_positions();
        let [set, again] = self.halves(example);
        let mut right = Array3::<f32>::zeros((1, positions.len(), self.token_labels().len()));
        let mut weights = Array2::<f32>::zeros((1, positions.len()));
        for said in 0..=again.len() {
            let Some(at) = positions.iter().position(|position| *position == set.len() + 1 + said) else { continue };
            let left: Vec<Token> = set.iter().copied().filter(|symbol| !again[..said].contains(symbol)).collect();
            let left = if left.is_empty() { vec![self.eos()] } else { left };
            left.iter().for_each(|symbol| right[[0, at, *symbol as usize]] = 1.0 / left.len() as f32);
            weights[[0, at]] = 1.0;
        }
        Targets::from(right).weighted(weights)
    }

    fn padding(&self) -> Option<Token> {
        Some(self.eos())
    }

    /// Every order of every set, with every other order of it; the smaller sets first.
    fn inputs(&self) -> Option<Inputs<'_>> {
        let of_size = |k: usize| -> Option<[Inputs<'_>; 2]> {
            Some([Inputs::arrangements(k, self.symbols)?, Inputs::arrangements(k, k as Token)?])
        };
        let sizes = (self.k_min..=self.k_max).map(of_size).collect::<Option<Vec<_>>>()?;
        let counts = sizes.iter().map(|[sets, orders]| sets.count().checked_mul(orders.count()));
        let counts = counts.collect::<Option<Vec<u128>>>()?;
        let count = counts.iter().try_fold(0_u128, |sum, count| sum.checked_add(*count))?;
        Some(Inputs::new(count, move |mut at| {
            let mut size = 0;
            while at >= counts[size] {
                at -= counts[size];
                size += 1;
            }
            let [sets, orders] = &sizes[size];
            let [set, order] = [(sets, at / orders.count()), (orders, at % orders.count())]
                .map(|(inputs, at)| inputs.get(at).unwrap_or_default());
            let again: Vec<Token> = order.iter().map(|chosen| set[*chosen as usize]).collect();
            [set, again].concat()
        }))
    }

    /// The set.
    fn group(&self, example: &[Token]) -> Vec<Token> {
        let mut set = self.halves(example)[0].to_vec();
        set.sort_unstable();
        set
    }

    fn families(&self) -> Vec<Family<'_>> {
        let size = |example: &[Token]| self.halves(example)[0].len() - self.k_min;
        let sizes = (self.k_min..=self.k_max).map(|k| k.to_string());
        vec![Family::by("size", "how many symbols the set has", self, sizes, size)]
    }

    fn generate(&self, rng: &mut Twister, example: &mut [Token]) {
        let k = self.k_min + below(rng, (self.k_max - self.k_min + 1) as u32) as usize;
        let set = draw_distinct(rng, k, self.symbols);
        let mut again = set.clone();
        again.shuffle(rng);
        example.copy_from_slice(&self.whole(&[set, again].concat()));
    }

    fn validate(&self, example: &[Token]) -> Result<()> {
        check_length(example, self.n_ctx())?;
        check_example(example, &self.complete(&self.input(example))?)
    }

    fn complete(&self, input: &[Token]) -> Result<Vec<Token>> {
        let sizes = 2 * self.k_min..=2 * self.k_max;
        if !sizes.contains(&input.len()) || input.len() % 2 == 1 {
            let expected = format!("{} to {} symbols, and as many again", self.k_min, self.k_max);
            return Err(Error::invalid("list", expected, format!("{} in all", input.len())));
        }
        let (set, again) = input.split_at(input.len() / 2);
        if let Some(other) = input.iter().find(|symbol| **symbol >= self.symbols) {
            return Err(Error::invalid("list", format!("symbols below {}", self.symbols), other));
        }
        check_distinct("set", set)?;
        check_distinct("the set again", again)?;
        match again.iter().find(|symbol| !set.contains(symbol)) {
            None => Ok(self.whole(input)),
            Some(other) => Err(Error::invalid("the set again", format!("symbols of the set {set:?}"), other)),
        }
    }
}

impl TaskKind for SetCompletion {
    const NAME: &'static str = "set_completion";
    const ABOUT: &'static str = "any symbol of a set that has not come again";

    fn from_options(options: &mut Options) -> Result<Self> {
        Self::new(options.take("symbols", 16)?, options.take("k_min", 2)?, options.take("k_max", 8)?)
    }

    fn recipe(&self) -> Recipe {
        let rotary = Rotary { rotary_dim: 64, rotary_base: 10_000.0, rotary_adjacent_pairs: false };
        let model = Architecture {
            n_layers: 2,
            n_heads: 1,
            d_model: 64,
            d_head: 64,
            normalization_type: Normalization::RMS,
            positional_embedding_type: Positions::Rotary(rotary),
            biases: Biases { norm: true, ..Biases::NONE },
            ..Architecture::default()
        };
        let sizes = Recipe { train_size: 500_000, train_share: Some(0.85), batch_size: 1024, epochs: 10, ..puzzle() };
        let rates = Recipe { lr_end: 1e-4, warmup_steps: 500, beta2: 0.98, weight_decay: 0.1, ..sizes };
        Recipe { task: Some(self.spec()), model, ..rates }
    }
}
