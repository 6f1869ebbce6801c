//! Which parameters a model has, and where each stands in the one flat vector that holds them.
#![allow(non_snake_case, reason = "weights are called what the literature calls them")]

use super::{Config, Mlp, Normalization};

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
pub struct ParamLayout {
    /// `embed.W_E [d_vocab, d_model]`.
    pub W_E: Slot<2>,
    /// `pos_embed.W_pos [n_ctx, d_model]`; only where positions have embeddings.
    pub W_pos: Option<Slot<2>>,
    /// One entry a block.
    pub blocks: Vec<BlockLayout>,
    /// `ln_final`; only of a norm with a weight.
    pub ln_final: Option<NormLayout>,
    /// `unembed.W_U [d_model, d_vocab_out]`; none where it is `W_E`, transposed.
    pub W_U: Option<Slot<2>>,
    /// `unembed.b_U [d_vocab_out]`.
    pub b_U: Option<Slot<1>>,
    names: Vec<Named>,
}

/// The parameters of one block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockLayout {
    /// `ln1`; only of a norm with a weight.
    pub ln1: Option<NormLayout>,
    /// `attn.W_Q`, `attn.W_K`, `attn.W_V`, each `[head, d_model, d_head]`; with grouped keys and values the last two are
    /// called `_W_K` and `_W_V` and have fewer heads.
    pub W_QKV: [Slot<3>; 3],
    /// `attn.b_Q`, `attn.b_K`, `attn.b_V`, each `[head, d_head]` (`_b_K` and `_b_V` as above).
    pub b_QKV: Option<[Slot<2>; 3]>,
    /// `attn.W_O [n_heads, d_head, d_model]`.
    pub W_O: Slot<3>,
    /// `attn.b_O [d_model]`.
    pub b_O: Option<Slot<1>>,
    /// Absent in attention-only models.
    pub mlp: Option<MlpLayout>,
}

/// The parameters of one MLP and the norm before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MlpLayout {
    /// `ln2`; only of a norm with a weight.
    pub ln2: Option<NormLayout>,
    /// `mlp.W_gate [d_model, d_mlp]`; only of a gated MLP.
    pub W_gate: Option<Slot<2>>,
    /// `mlp.W_in [d_model, d_mlp]`.
    pub W_in: Slot<2>,
    /// `mlp.b_in [d_mlp]`.
    pub b_in: Option<Slot<1>>,
    /// `mlp.ln`, over the hidden layer, each `[d_mlp]`; only of `solu_ln` in a model of `LN`.
    pub ln: Option<NormLayout>,
    /// `mlp.W_out [d_mlp, d_model]`.
    pub W_out: Slot<2>,
    /// `mlp.b_out [d_model]`.
    pub b_out: Option<Slot<1>>,
}

/// The weight and bias of a norm, each as wide as what it normalizes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NormLayout {
    /// `w`.
    pub w: Slot<1>,
    /// `b`; only of layer norms.
    pub b: Option<Slot<1>>,
}

impl ParamLayout {
    /// The parameters of a model of this config.
    pub fn of(config: &Config) -> Self {
        let &Config { d_model, biases, .. } = config;
        let mut names = Names::default();
        let W_E = names.add("embed.W_E", [config.d_vocab, d_model]);
        let positions = config.positional_embedding_type.has_embeddings();
        let W_pos = positions.then(|| names.add("pos_embed.W_pos", [config.n_ctx, d_model]));
        let blocks = (0..config.n_layers).map(|layer| names.add_block(config, &format!("blocks.{layer}"))).collect();
        let ln_final = names.add_norm(config, config.final_normalization(), d_model, "ln_final");
        let W_U = (!config.tie_word_embeddings).then(|| names.add("unembed.W_U", [d_model, config.d_vocab_out]));
        let b_U = biases.b_U.then(|| names.add("unembed.b_U", [config.d_vocab_out]));
        Self { W_E, W_pos, blocks, ln_final, W_U, b_U, names: names.all }
    }

    /// Every tensor in the order of the flat vector.
    pub fn names(&self) -> &[Named] {
        &self.names
    }

    /// Parameters in all.
    pub fn len(&self) -> usize {
        self.names.last().map_or(0, |named| named.range().end)
    }

    /// Whether there is none (never: a model has an embedding).
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The tensors that a layout has so far.
#[derive(Default)]
struct Names {
    all: Vec<Named>,
}

impl Names {
    /// Adds a tensor; one without numbers (of a block without heads) has a place, but no name.
    fn add<const D: usize>(&mut self, name: &str, shape: [usize; D]) -> Slot<D> {
        let start = self.all.last().map_or(0, |named| named.range().end);
        if shape.iter().product::<usize>() > 0 {
            self.all.push(Named { name: name.into(), shape: shape.to_vec(), start });
        }
        Slot { start, shape }
    }

    fn add_norm(
        &mut self,
        config: &Config,
        normalization: Normalization,
        width: usize,
        name: &str,
    ) -> Option<NormLayout> {
        normalization.has_weight().then(|| NormLayout {
            w: self.add(&format!("{name}.w"), [width]),
            b: (normalization.centers() && config.biases.norm).then(|| self.add(&format!("{name}.b"), [width])),
        })
    }

    fn add_block(&mut self, config: &Config, block: &str) -> BlockLayout {
        let &Config { n_heads, d_model, d_head, biases, .. } = config;
        let [q, kv] = [n_heads, config.key_value_heads()];
        let grouped = if config.n_key_value_heads.is_some() { "_" } else { "" };
        let projections = [("", q, "Q"), (grouped, kv, "K"), (grouped, kv, "V")];
        let ln1 = match n_heads {
            0 => None,
            _ => self.add_norm(config, config.normalization_type, d_model, &format!("{block}.ln1")),
        };
        BlockLayout {
            ln1,
            W_QKV: projections
                .map(|(mark, heads, of)| self.add(&format!("{block}.attn.{mark}W_{of}"), [heads, d_model, d_head])),
            W_O: self.add(&format!("{block}.attn.W_O"), [n_heads, d_head, d_model]),
            b_QKV: biases.b_QKV.then(|| {
                projections.map(|(mark, heads, of)| self.add(&format!("{block}.attn.{mark}b_{of}"), [heads, d_head]))
            }),
            b_O: (biases.b_O && n_heads > 0).then(|| self.add(&format!("{block}.attn.b_O"), [d_model])),
            mlp: config.mlp.map(|mlp| self.add_mlp(config, mlp, block)),
        }
    }

    fn add_mlp(&mut self, config: &Config, mlp: Mlp, block: &str) -> MlpLayout {
        let (d_model, d_mlp, biases) = (config.d_model, mlp.d_mlp, config.biases);
        let at = |name: &str| format!("{block}.mlp.{name}");
        MlpLayout {
            ln2: self.add_norm(config, config.normalization_type, d_model, &format!("{block}.ln2")),
            W_gate: mlp.gated.then(|| self.add(&at("W_gate"), [d_model, d_mlp])),
            W_in: self.add(&at("W_in"), [d_model, d_mlp]),
            b_in: biases.b_in.then(|| self.add(&at("b_in"), [d_mlp])),
            ln: self.add_norm(config, config.mlp_normalization(), d_mlp, &at("ln")),
            W_out: self.add(&at("W_out"), [d_mlp, d_model]),
            b_out: biases.b_out.then(|| self.add(&at("b_out"), [d_model])),
        }
    }
}
