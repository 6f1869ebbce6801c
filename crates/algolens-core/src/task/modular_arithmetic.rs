//! Arithmetic modulo a number (Power et al. 2022; Nanda et al. 2023).

use super::{
    Family, Inputs, Options, Role, Targets, Task, TaskKind, TaskSpec, Token,
    input::{and, check_example, check_size, check_values, numbers},
};
use crate::{
    Error, Result,
    model::{ActFn, Biases, Config, Mlp, Normalization},
    random::{Twister, below},
    train::{Architecture, Keep, Optimizer, Recipe, Schedule},
};
use serde::{Deserialize, Serialize};

/// `x y =`: two numbers below p; at `=`, what the operation makes of them, modulo p.
///
/// Numbers are their own tokens, and `=` is p. Every pair is drawn alike; y is not 0 where it divides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModularArithmetic {
    p: Token,
    op: Operation,
    equals_class: bool,
}

/// What is done with x and y.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Operation {
    /// x + y.
    Add,
    /// x − y.
    Sub,
    /// x · y.
    Mul,
    /// x / y, the number whose product with y is x: p is a prime.
    Div,
}

impl ModularArithmetic {
    /// An operation modulo p; `equals_class` says whether `=` is one of the output classes too, which is never right.
    ///
    /// # Errors
    /// p below 2 or above 1024; division by another number than a prime.
    pub fn new(p: Token, op: Operation, equals_class: bool) -> Result<Self> {
        check_size("p", p as usize, 2, 1024)?;
        if op == Operation::Div
            && (2..p).take_while(|factor| factor * factor <= p).any(|factor| p.is_multiple_of(factor))
        {
            return Err(Error::invalid("p", "a prime, to divide by any number but 0", p));
        }
        Ok(Self { p, op, equals_class })
    }

    /// p.
    pub fn p(&self) -> Token {
        self.p
    }

    /// What is done with x and y.
    pub fn op(&self) -> Operation {
        self.op
    }

    /// What the operation makes of x and y.
    pub fn answer(&self, x: Token, y: Token) -> Token {
        match self.op {
            Operation::Add => (x + y) % self.p,
            Operation::Sub => (x + self.p - y) % self.p,
            Operation::Mul => x * y % self.p,
            Operation::Div => (0..self.p).find(|quotient| quotient * y % self.p == x).unwrap_or(0),
        }
    }

    /// The smallest y.
    fn least(&self) -> Token {
        Token::from(self.op == Operation::Div)
    }
}

impl Task for ModularArithmetic {
    fn spec(&self) -> TaskSpec {
        let op = serde_json::to_value(self.op).unwrap_or_default();
        TaskSpec::new(Self::NAME).with("p", self.p).with("op", op).with("equals_class", self.equals_class)
    }

    fn n_ctx(&self) -> usize {
        3
    }

    fn token_labels(&self) -> Vec<String> {
        and(numbers(self.p), &["="])
    }

    fn output_labels(&self) -> Vec<String> {
        if self.equals_class { self.token_labels() } else { numbers(self.p) }
    }

    fn roles(&self) -> Vec<Role> {
        vec![Role::Input, Role::Input, Role::Separator]
    }

    fn predicted_positions(&self) -> Vec<usize> {
        vec![2]
    }

    fn targets(&self, example: &[Token]) -> Targets {
        vec![self.answer(example[0], example[1])].into()
    }

    /// Every pair, x the slower.
    fn inputs(&self) -> Option<Inputs<'_>> {
        let second = u128::from(self.p - self.least());
        Some(Inputs::new(u128::from(self.p) * second, move |at| {
            vec![(at / second) as Token, (at % second) as Token + self.least()]
        }))
    }

    fn families(&self) -> Vec<Family<'_>> {
        let any = |rng: &mut Twister| self.least() + below(rng, self.p - self.least());
        let pair = move |make: fn(Token) -> [Token; 2]| move |rng: &mut Twister| Some(make(any(rng)).to_vec());
        let family = Family::new("pairs", "which numbers they are")
            .with("x = y", pair(|x| [x, x]))
            .with("x = 0", pair(|y| [0, y]));
        let one = 1 % self.p;
        let family = family.with("y = 1", move |rng| Some(vec![below(rng, self.p), one]));
        vec![family.with("any", move |rng| Some(vec![below(rng, self.p), any(rng)]))]
    }

    fn generate(&self, rng: &mut Twister, example: &mut [Token]) {
        let x = below(rng, self.p);
        let y = self.least() + below(rng, self.p - self.least());
        example.copy_from_slice(&[x, y, self.p]);
    }

    fn validate(&self, example: &[Token]) -> Result<()> {
        check_example(example, &self.complete(example.get(..2).unwrap_or(example))?)
    }

    fn complete(&self, input: &[Token]) -> Result<Vec<Token>> {
        check_values("pair", input, 2, self.p)?;
        if input[1] < self.least() {
            return Err(Error::invalid("value 2 of the pair", "a number to divide by", 0));
        }
        Ok([input, &[self.p]].concat())
    }
}

impl TaskKind for ModularArithmetic {
    const NAME: &'static str = "modular_arithmetic";
    const ABOUT: &'static str = "x + y, x - y, x * y or x / y modulo p";

    fn from_options(options: &mut Options) -> Result<Self> {
        Self::new(options.take("p", 113)?, options.take("op", Operation::Add)?, options.take("equals_class", false)?)
    }

    fn recipe(&self) -> Recipe {
        let model = grokking_model();
        Recipe { task: Some(self.spec()), model, ..grokking() }
    }

    /// Addition: the operation cannot be told from sizes.
    fn fitting(config: &Config) -> Option<Self> {
        let p = Token::try_from(config.d_vocab.checked_sub(1)?).ok()?;
        let equals_class = config.d_vocab_out == config.d_vocab;
        (config.n_ctx == 3 && p == 113).then(|| Self::new(p, Operation::Add, equals_class).ok())?
    }
}

/// The model of the grokking papers (Nanda et al. 2023): one layer, an MLP, no norm.
pub(super) fn grokking_model() -> Architecture {
    Architecture {
        n_heads: 4,
        d_model: 128,
        d_head: 32,
        mlp: Some(Mlp { d_mlp: 512, act_fn: ActFn::Relu, gated: false }),
        normalization_type: Normalization::None,
        biases: Biases { b_QKV: false, b_O: false, b_U: false, ..Biases::ALL },
        ..Architecture::default()
    }
}

/// A recipe that groks in some thousand steps: 30 % of all inputs, 512 a step, AdamW with a large weight decay, until all
/// others are right.
///
/// The papers' own takes all of them at once (`batch_size` 1048576), at a rate of 1e-3 with a decay of 1: a step is eight times as
/// dear, and they need some eight thousand.
pub(super) fn grokking() -> Recipe {
    let sizes = Recipe { train_size: 1 << 20, validation_size: 1 << 20, train_share: Some(0.3), ..Recipe::default() };
    let length = Recipe { epoch_steps: Some(100), epochs: 200, keep: Keep::Loss, ..sizes };
    let stop = Recipe { stop_accuracy: Some(1.0), stop_loss: Some(1e-5), ..length };
    let rates = Recipe { lr_schedule: Schedule::Constant, lr_start: 3e-3, warmup_steps: 10, beta2: 0.98, ..stop };
    Recipe { optimizer: Optimizer::AdamW, weight_decay: 0.5, ..rates }
}
