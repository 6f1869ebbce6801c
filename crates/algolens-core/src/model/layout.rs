//! Which parameters a model has, and where each stands in the one flat vector that holds them.
#![allow(non_snake_case, reason = "weights are called what the literature calls them")]

use super::{Config, Normalization};

/// Queries, as an index of three-fold arrays such as [`BlockLayout::W_QKV`].
pub const Q: usize = 0;
/// Keys, as an index of three-fold arrays.
pub const K: usize = 1;
/// Values, as an index of three-fold arrays.
pub const V: usize = 2;

/// One parameter tensor: where it starts in the flat vector, and its shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot<const D: usize> {
    pub(super) start: usize,
    pub(super) shape: [usize; D],
}

impl<const D: usize> Slot<D> {
    /// The tensor's place in the flat vector.
    pub fn range(&self) -> std::ops::Range<usize> {
        self.start..self.start + self.shape.iter().product::<usize>()
    }
}

/// A parameter tensor by name, as TransformerLens's state dicts call it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// `blocks.0.attn.W_Q`.
    pub name: String,
    /// Row-major.
    pub shape: Vec<usize>,
    /// Where it starts in the flat vector.
    pub start: usize,
}

impl Named {
    /// The tensor's place in the flat vector.
    pub fn range(&self) -> std::ops::Range<usize> {
        self.start..self.start + self.shape.iter().product::<usize>()
    }
}

/// All parameters of a model: typed slots for code, names for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// `embed.W_E [d_vocab, d_model]`.
    pub W_E: Slot<2>,
    /// `pos_embed.W_pos [n_ctx, d_model]`.
    pub W_pos: Slot<2>,
    /// One entry a block.
    pub blocks: Vec<BlockLayout>,
    /// `ln_final`; only with [`Normalization::LN`].
    pub ln_final: Option<NormLayout>,
    /// `unembed.W_U [d_model, d_vocab_out]`.
    pub W_U: Slot<2>,
    /// `unembed.b_U [d_vocab_out]`.
    pub b_U: Slot<1>,
    names: Vec<Named>,
}

/// The parameters of one block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockLayout {
    /// `ln1`; only with [`Normalization::LN`].
    pub ln1: Option<NormLayout>,
    /// `attn.W_Q`, `attn.W_K`, `attn.W_V`, each `[n_heads, d_model, d_head]`.
    pub W_QKV: [Slot<3>; 3],
    /// `attn.b_Q`, `attn.b_K`, `attn.b_V`, each `[n_heads, d_head]`.
    pub b_QKV: [Slot<2>; 3],
    /// `attn.W_O [n_heads, d_head, d_model]`.
    pub W_O: Slot<3>,
    /// `attn.b_O [d_model]`.
    pub b_O: Slot<1>,
    /// Absent in attention-only models.
    pub mlp: Option<MlpLayout>,
}

/// The parameters of one MLP and the norm before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MlpLayout {
    /// `ln2`; only with [`Normalization::LN`].
    pub ln2: Option<NormLayout>,
    /// `mlp.W_in [d_model, d_mlp]`.
    pub W_in: Slot<2>,
    /// `mlp.b_in [d_mlp]`.
    pub b_in: Slot<1>,
    /// `mlp.W_out [d_mlp, d_model]`.
    pub W_out: Slot<2>,
    /// `mlp.b_out [d_model]`.
    pub b_out: Slot<1>,
}

/// The weight and bias of a norm, each `[d_model]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NormLayout {
    /// `w`.
    pub w: Slot<1>,
    /// `b`.
    pub b: Slot<1>,
}

impl Layout {
    /// The parameters of a model of this config.
    pub fn of(config: &Config) -> Self {
        let &Config { n_heads, d_model, d_head, .. } = config;
        let mut names = Names::default();
        let W_E = names.add("embed.W_E", [config.d_vocab, d_model]);
        let W_pos = names.add("pos_embed.W_pos", [config.n_ctx, d_model]);
        let blocks = (0..config.n_layers)
            .map(|layer| {
                let at = |name: &str| format!("blocks.{layer}.{name}");
                BlockLayout {
                    ln1: names.add_norm(config, &at("ln1")),
                    W_QKV: ["W_Q", "W_K", "W_V"]
                        .map(|w| names.add(&at(&format!("attn.{w}")), [n_heads, d_model, d_head])),
                    W_O: names.add(&at("attn.W_O"), [n_heads, d_head, d_model]),
                    b_QKV: ["b_Q", "b_K", "b_V"].map(|b| names.add(&at(&format!("attn.{b}")), [n_heads, d_head])),
                    b_O: names.add(&at("attn.b_O"), [d_model]),
                    mlp: config.mlp.map(|mlp| MlpLayout {
                        ln2: names.add_norm(config, &at("ln2")),
                        W_in: names.add(&at("mlp.W_in"), [d_model, mlp.d_mlp]),
                        b_in: names.add(&at("mlp.b_in"), [mlp.d_mlp]),
                        W_out: names.add(&at("mlp.W_out"), [mlp.d_mlp, d_model]),
                        b_out: names.add(&at("mlp.b_out"), [d_model]),
                    }),
                }
            })
            .collect();
        let ln_final = names.add_norm(config, "ln_final");
        let W_U = names.add("unembed.W_U", [d_model, config.d_vocab_out]);
        let b_U = names.add("unembed.b_U", [config.d_vocab_out]);
        Self { W_E, W_pos, blocks, ln_final, W_U, b_U, names: names.0 }
    }

    /// Every tensor in the order of the flat vector.
    pub fn names(&self) -> &[Named] {
        &self.names
    }

    /// Parameters in all.
    pub fn len(&self) -> usize {
        self.b_U.range().end
    }

    /// Whether there is none (never: a model has an embedding).
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[derive(Default)]
struct Names(Vec<Named>);

impl Names {
    fn add<const D: usize>(&mut self, name: &str, shape: [usize; D]) -> Slot<D> {
        let start = self.0.last().map_or(0, |named| named.range().end);
        self.0.push(Named { name: name.into(), shape: shape.to_vec(), start });
        Slot { start, shape }
    }

    fn add_norm(&mut self, config: &Config, name: &str) -> Option<NormLayout> {
        (config.normalization_type == Normalization::LN).then(|| NormLayout {
            w: self.add(&format!("{name}.w"), [config.d_model]),
            b: self.add(&format!("{name}.b"), [config.d_model]),
        })
    }
}
