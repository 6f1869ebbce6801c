//! Random models of every kind, small enough to differentiate by finite differences.

mod family;
mod npz;
mod reference;
mod sorting;
mod targets;

pub use family::random_config;
pub use npz::{npy, npy_of_words, write_npz};
pub use reference::reference;
pub use sorting::{SortingKind, every_list, random_sorting_model};
pub use targets::{TARGET_KINDS, TargetKind, losses, mean_by_weight, random_targets, random_weights};

use algolens_core::{
    engine::{
        Engine, Plain,
        hooks::{Cache, Filter, Hooks},
    },
    model::{ActFn, AttentionDir, Config, Mlp, Model, Normalization, Positions},
    random::{self, Twister},
    task::Token,
};
use ndarray::{Array2, Array3, ArrayView, ArrayView2, ArrayView3, Dimension};
use proptest::prelude::*;

pub const NORMALIZATIONS: [Normalization; 3] = [Normalization::LN, Normalization::LNPre, Normalization::None];
pub const ACT_FNS: [ActFn; 4] = [ActFn::Relu, ActFn::Gelu, ActFn::GeluNew, ActFn::Silu];
pub const DIRECTIONS: [AttentionDir; 2] = [AttentionDir::Causal, AttentionDir::Bidirectional];
pub const POSITIONS: [Positions; 2] = [Positions::Standard, Positions::Shortformer];

/// The choices a config makes beside its sizes.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    pub normalization_type: Normalization,
    pub act_fn: Option<ActFn>,
    pub attention_dir: AttentionDir,
    pub positional_embedding_type: Positions,
}

/// Every kind there is: 3 norms × (no MLP or 4 activation functions) × 2 directions × 2 positions.
pub fn kinds() -> Vec<Kind> {
    let mut kinds = Vec::new();
    for normalization_type in NORMALIZATIONS {
        for act_fn in [None].into_iter().chain(ACT_FNS.map(Some)) {
            for attention_dir in DIRECTIONS {
                for positional_embedding_type in POSITIONS {
                    kinds.push(Kind { normalization_type, act_fn, attention_dir, positional_embedding_type });
                }
            }
        }
    }
    kinds
}

/// Proptest with this many cases; a failure prints what reproduces it and leaves no file.
pub fn with_cases(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

/// The sizes of a model and of what it reads, and a seed for the numbers.
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    pub n_layers: usize,
    pub n_heads: usize,
    pub d_model: usize,
    pub d_head: usize,
    pub d_mlp: usize,
    pub d_vocab: usize,
    pub d_vocab_out: usize,
    /// How much longer than the sequences the context is.
    pub spare_ctx: usize,
    pub eps: f64,
    pub lists: usize,
    pub seq: usize,
    pub seed: u64,
}

/// Sizes that are all different where shapes could be confused.
pub const SIZES: Sizes = Sizes {
    n_layers: 2,
    n_heads: 2,
    d_model: 5,
    d_head: 3,
    d_mlp: 6,
    d_vocab: 7,
    d_vocab_out: 3,
    spare_ctx: 1,
    eps: 1e-5,
    lists: 3,
    seq: 4,
    seed: 7,
};

/// Sizes of 1–2 layers, 1–3 heads, d_head · n_heads and d_vocab_out as they come.
pub fn sizes() -> impl Strategy<Value = Sizes> {
    let model = (1..=2_usize, 1..=3_usize, 2..=5_usize, 1..=3_usize, 1..=5_usize);
    let eps = prop_oneof![Just(1e-5), Just(0.1)];
    let data = (2..=5_usize, 2..=5_usize, 0..=2_usize, eps, 1..=3_usize, 1..=4_usize, any::<u64>());
    (model, data).prop_map(|(model, data)| {
        let (n_layers, n_heads, d_model, d_head, d_mlp) = model;
        let (d_vocab, d_vocab_out, spare_ctx, eps, lists, seq, seed) = data;
        Sizes { n_layers, n_heads, d_model, d_head, d_mlp, d_vocab, d_vocab_out, spare_ctx, eps, lists, seq, seed }
    })
}

/// One of the kinds.
pub fn any_kind() -> impl Strategy<Value = Kind> {
    proptest::sample::select(kinds())
}

impl Sizes {
    /// The config of this size and kind.
    pub fn config(&self, kind: Kind) -> Config {
        Config {
            n_layers: self.n_layers,
            n_heads: self.n_heads,
            d_model: self.d_model,
            d_head: self.d_head,
            mlp: kind.act_fn.map(|act_fn| Mlp { d_mlp: self.d_mlp, act_fn, gated: false }),
            n_ctx: self.seq + self.spare_ctx,
            d_vocab: self.d_vocab,
            d_vocab_out: self.d_vocab_out,
            normalization_type: kind.normalization_type,
            attention_dir: kind.attention_dir,
            positional_embedding_type: kind.positional_embedding_type,
            eps: self.eps,
            ..Config::default()
        }
    }

    /// A random model of this size and kind, and random sequences for it.
    pub fn model(&self, kind: Kind) -> (Model<f64>, Array2<Token>) {
        let config = self.config(kind);
        let tokens = random_tokens(self.lists, self.seq, self.d_vocab, self.seed);
        (random_model(config, self.seed), tokens)
    }
}

/// A number from -1 to 1.
pub fn signed_unit(rng: &mut Twister) -> f64 {
    2.0 * f64::from(random::uniform24(rng)) - 1.0
}

/// A number from 0 to `below` - 1.
pub fn index(rng: &mut Twister, below: usize) -> usize {
    rng.next_u32() as usize % below
}

/// A model whose every weight, bias and norm weight is a random number from -1 to 1.
pub fn random_model(config: Config, seed: u64) -> Model<f64> {
    let mut rng = random::stream(seed, "test/model");
    let mut model = Model::zeros(config).expect("the config is valid");
    model.params.values_mut().iter_mut().for_each(|value| *value = signed_unit(&mut rng));
    model
}

/// Random sequences.
pub fn random_tokens(lists: usize, seq: usize, d_vocab: usize, seed: u64) -> Array2<Token> {
    let mut rng = random::stream(seed, "test/tokens");
    Array2::from_shape_simple_fn((lists, seq), || index(&mut rng, d_vocab) as Token)
}

/// The logits at every position.
pub fn logits(model: &Model<f64>, tokens: ArrayView2<Token>) -> Array3<f64> {
    let positions: Vec<usize> = (0..tokens.ncols()).collect();
    Plain::new().logits(model, tokens, &positions).expect("the tokens are valid")
}

/// The log-probabilities at every position, row by row.
pub fn log_probs(model: &Model<f64>, tokens: ArrayView2<Token>) -> Vec<f64> {
    logits(model, tokens).rows().into_iter().flat_map(algolens_core::engine::loss::log_softmax).collect()
}

/// The larger number; not a number if one of them is none.
pub fn larger(a: f64, b: f64) -> f64 {
    if a > b || a.is_nan() { a } else { b }
}

/// The largest difference between two lists of numbers, infinite if their lengths differ.
pub fn largest_difference(a: &[f64], b: &[f64]) -> f64 {
    if a.len() != b.len() {
        return f64::INFINITY;
    }
    a.iter().zip(b).fold(0.0, |max, (a, b)| larger((a - b).abs(), max))
}

/// A random smooth number of the logits: Σ a · logit + b · sin(logit).
pub struct Objective {
    a: Array3<f64>,
    b: Array3<f64>,
}

impl Objective {
    /// For logits of this shape.
    pub fn new(shape: (usize, usize, usize), seed: u64) -> Self {
        let mut rng = random::stream(seed, "test/objective");
        let mut random = || Array3::from_shape_simple_fn(shape, || signed_unit(&mut rng));
        Self { a: random(), b: random() }
    }

    /// The number.
    pub fn value(&self, logits: ArrayView3<f64>) -> f64 {
        (&self.a * &logits).sum() + (&self.b * &logits.mapv(f64::sin)).sum()
    }

    /// Its derivative by the logits.
    pub fn gradient(&self, logits: ArrayView3<f64>) -> Array3<f64> {
        &self.a + &(&self.b * &logits.mapv(f64::cos))
    }
}

/// What a run leaves.
pub struct Run {
    pub logits: Array3<f64>,
    pub cache: Cache<f64>,
}

impl Run {
    /// A run with hooks that records everything.
    pub fn new(model: &Model<f64>, tokens: &Array2<Token>, hooks: &mut Hooks<'_, f64>) -> Self {
        let (logits, cache) = Plain::new().run(model, tokens.view(), hooks, Filter::All).expect("nothing fails");
        Self { logits, cache }
    }

    /// A run without hooks that records everything.
    pub fn plain(model: &Model<f64>, tokens: &Array2<Token>) -> Self {
        Self::new(model, tokens, &mut Hooks::new(model.config()))
    }

    /// The activation of this name.
    pub fn at<D: Dimension>(&self, name: &str) -> ArrayView<'_, f64, D> {
        self.cache.get(name).expect("it was recorded")
    }
}

/// Whether two arrays have the same shape and numbers that differ by rounding.
pub fn alike<'a, D: Dimension>(a: impl Into<ArrayView<'a, f64, D>>, b: impl Into<ArrayView<'a, f64, D>>) -> bool {
    let (a, b) = (a.into(), b.into());
    // Infinities are equal, and their difference is not a number.
    a.shape() == b.shape() && a.iter().zip(&b).all(|(a, b)| a == b || (a - b).abs() <= 1e-10)
}
