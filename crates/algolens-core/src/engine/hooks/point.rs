//! The names of the places where a run can be looked at or changed.

use crate::{
    Error, Result,
    model::{Config, Normalization},
};
use std::{fmt, str::FromStr};

/// A place in the forward pass, named as in TransformerLens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HookPoint {
    /// `hook_embed [batch, pos, d_model]`.
    Embed,
    /// `hook_pos_embed [batch, pos, d_model]`.
    PosEmbed,
    /// A place in block `.0`.
    Block(usize, BlockPoint),
    /// `ln_final.hook_scale [batch, pos, 1]`.
    LnFinalScale,
    /// `ln_final.hook_normalized [batch, pos, d_model]`, before the norm's weight and bias.
    LnFinalNormalized,
    /// `unembed.hook_in [batch, pos, d_model]`: what is unembedded.
    UnembedIn,
    /// `unembed.hook_out [batch, pos, d_vocab_out]`: the logits, before they are capped.
    UnembedOut,
}

/// A place in a block. With grouped keys and values, `hook_k`, `hook_v`, `hook_rot_k`, `hook_k_input` and `hook_v_input` have
/// as many heads as there are groups, and there is no `hook_attn_in`.
///
/// Hooks on `hook_attn_in`, `hook_q_input`, `hook_k_input` or `hook_v_input` *split* the inputs of the heads. In a block
/// whose inputs are split, the first norm runs per head, for the queries', the keys' and the values' inputs in this
/// order: hooks at `ln1.…` then see `[batch, pos, head, …]` three times, and a cache holds the last (the values').
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BlockPoint {
    /// `hook_resid_pre [batch, pos, d_model]`.
    ResidPre,
    /// `hook_attn_in [batch, pos, head, d_model]`: a copy of the residual stream for each head; what `hook_q_input`,
    /// `hook_k_input` and `hook_v_input` start from.
    AttnIn,
    /// `hook_q_input [batch, pos, head, d_model]`.
    QInput,
    /// `hook_k_input [batch, pos, head, d_model]`.
    KInput,
    /// `hook_v_input [batch, pos, head, d_model]`.
    VInput,
    /// `ln1.hook_scale [batch, pos, 1]`, or `[batch, pos, head, 1]` where a hook has split the inputs: the standard
    /// deviation that the centred input is divided by.
    Ln1Scale,
    /// `ln1.hook_normalized [batch, pos, d_model]`, or `[batch, pos, head, d_model]` where a hook has split the inputs;
    /// before the norm's weight and bias, as TransformerLens has it from version 3.9 on. An edit goes on through them.
    Ln1Normalized,
    /// `attn.hook_q [batch, pos, head, d_head]`.
    Q,
    /// `attn.hook_k [batch, pos, head, d_head]`.
    K,
    /// `attn.hook_v [batch, pos, head, d_head]`.
    V,
    /// `attn.hook_rot_q [batch, pos, head, d_head]`: queries, rotated; only with rotary positions.
    RotQ,
    /// `attn.hook_rot_k [batch, pos, head, d_head]`.
    RotK,
    /// `attn.hook_attn_scores [batch, head, query, key]`, scaled, capped, and −∞ (or the config's `masked_score`) where a query
    /// must not see a key; goes into the softmax.
    AttnScores,
    /// `attn.hook_pattern [batch, head, query, key]`.
    Pattern,
    /// `attn.hook_z [batch, pos, head, d_head]`: values averaged by the pattern.
    Z,
    /// `attn.hook_result [batch, pos, head, d_model]`: what each head adds to the residual stream, without `b_O`.
    Result,
    /// `hook_attn_out [batch, pos, d_model]`.
    AttnOut,
    /// `hook_resid_mid [batch, pos, d_model]`; only in blocks with an MLP.
    ResidMid,
    /// `hook_mlp_in [batch, pos, d_model]`: a copy of the residual stream for the MLP.
    MlpIn,
    /// `ln2.hook_scale [batch, pos, 1]`.
    Ln2Scale,
    /// `ln2.hook_normalized [batch, pos, d_model]`, before the norm's weight and bias.
    Ln2Normalized,
    /// `mlp.hook_pre [batch, pos, d_mlp]`: what the activation function is applied to.
    MlpPre,
    /// `mlp.hook_pre_linear [batch, pos, d_mlp]`: what a gate lets through; only of gated MLPs.
    MlpPreLinear,
    /// `mlp.hook_mid [batch, pos, d_mlp]`: what is normalized; only of `solu_ln`.
    MlpMid,
    /// `mlp.ln.hook_scale [batch, pos, 1]`; only of `solu_ln`.
    MlpLnScale,
    /// `mlp.ln.hook_normalized [batch, pos, d_mlp]`, before the norm's weight and bias; only of `solu_ln`.
    MlpLnNormalized,
    /// `mlp.hook_post [batch, pos, d_mlp]`: what W_out is applied to.
    MlpPost,
    /// `hook_mlp_out [batch, pos, d_model]`.
    MlpOut,
    /// `hook_resid_post [batch, pos, d_model]`.
    ResidPost,
}

impl BlockPoint {
    /// Every place with its name, in the order of the forward pass.
    const ALL: [(Self, &'static str); 29] = [
        (Self::ResidPre, "hook_resid_pre"),
        (Self::AttnIn, "hook_attn_in"),
        (Self::QInput, "hook_q_input"),
        (Self::KInput, "hook_k_input"),
        (Self::VInput, "hook_v_input"),
        (Self::Ln1Scale, "ln1.hook_scale"),
        (Self::Ln1Normalized, "ln1.hook_normalized"),
        (Self::Q, "attn.hook_q"),
        (Self::K, "attn.hook_k"),
        (Self::V, "attn.hook_v"),
        (Self::RotQ, "attn.hook_rot_q"),
        (Self::RotK, "attn.hook_rot_k"),
        (Self::AttnScores, "attn.hook_attn_scores"),
        (Self::Pattern, "attn.hook_pattern"),
        (Self::Z, "attn.hook_z"),
        (Self::Result, "attn.hook_result"),
        (Self::AttnOut, "hook_attn_out"),
        (Self::ResidMid, "hook_resid_mid"),
        (Self::MlpIn, "hook_mlp_in"),
        (Self::Ln2Scale, "ln2.hook_scale"),
        (Self::Ln2Normalized, "ln2.hook_normalized"),
        (Self::MlpPre, "mlp.hook_pre"),
        (Self::MlpPreLinear, "mlp.hook_pre_linear"),
        (Self::MlpMid, "mlp.hook_mid"),
        (Self::MlpLnScale, "mlp.ln.hook_scale"),
        (Self::MlpLnNormalized, "mlp.ln.hook_normalized"),
        (Self::MlpPost, "mlp.hook_post"),
        (Self::MlpOut, "hook_mlp_out"),
        (Self::ResidPost, "hook_resid_post"),
    ];

    /// Whether a block of this config has the place.
    fn exists(self, config: &Config) -> bool {
        use BlockPoint::*;
        let has_mlp = !config.attn_only();
        match self {
            ResidPre | ResidPost => true,
            ResidMid => config.has_resid_mid(),
            MlpIn | MlpPre | MlpPost | MlpOut => has_mlp,
            MlpPreLinear => config.mlp.is_some_and(|mlp| mlp.gated),
            MlpMid | MlpLnScale | MlpLnNormalized => config.mlp_normalization() != Normalization::None,
            Ln2Scale | Ln2Normalized => config.has_norms() && has_mlp,
            Ln1Scale | Ln1Normalized => config.has_norms() && config.n_heads > 0,
            RotQ | RotK => config.positional_embedding_type.rotary().is_some() && config.n_heads > 0,
            AttnIn => config.n_key_value_heads.is_none() && config.n_heads > 0,
            QInput | KInput | VInput | Q | K | V | AttnScores | Pattern | Z | Result | AttnOut => config.n_heads > 0,
        }
    }

    /// Whether its activation has an axis of heads.
    fn has_heads(self) -> bool {
        use BlockPoint::{AttnIn, AttnScores, K, KInput, Pattern, Q, QInput, Result, RotK, RotQ, V, VInput, Z};
        matches!(self, AttnIn | QInput | KInput | VInput | Q | K | V | RotQ | RotK | AttnScores | Pattern | Z | Result)
    }

    /// Whether its heads are those that have keys and values of their own.
    pub(crate) fn has_key_value_heads(self) -> bool {
        use BlockPoint::{K, KInput, RotK, V, VInput};
        matches!(self, K | V | RotK | KInput | VInput)
    }

    /// The last axis of its activation.
    fn width(self, config: &Config, seq: usize) -> usize {
        match self {
            Self::Q | Self::K | Self::V | Self::RotQ | Self::RotK | Self::Z => config.d_head,
            Self::AttnScores | Self::Pattern => seq,
            Self::Ln1Scale | Self::Ln2Scale | Self::MlpLnScale => 1,
            Self::MlpPre | Self::MlpPreLinear | Self::MlpMid | Self::MlpLnNormalized | Self::MlpPost => {
                config.mlp.map_or(0, |mlp| mlp.d_mlp)
            }
            _ => config.d_model,
        }
    }
}

impl HookPoint {
    /// Every place of a model, in the order of the forward pass.
    pub fn all(config: &Config) -> Vec<Self> {
        let blocks = (0..config.n_layers).flat_map(|layer| {
            BlockPoint::ALL
                .into_iter()
                .filter(|(point, _)| point.exists(config))
                .map(move |(p, _)| Self::Block(layer, p))
        });
        let positions = config.positional_embedding_type.has_embeddings().then_some(Self::PosEmbed);
        let normalized = config.final_normalization() != Normalization::None;
        let norm = [Self::LnFinalScale, Self::LnFinalNormalized].into_iter().filter(|_| normalized);
        let ends = norm.chain([Self::UnembedIn, Self::UnembedOut]);
        [Self::Embed].into_iter().chain(positions).chain(blocks).chain(ends).collect()
    }

    /// The place of this name in a model.
    ///
    /// # Errors
    /// [`Error::UnknownName`] with the names near it.
    pub fn find(name: &str, config: &Config) -> Result<Self> {
        let all = Self::all(config);
        all.iter()
            .copied()
            .find(|point| point.to_string() == name)
            .ok_or_else(|| Error::unknown("hook point", name, all.iter().map(ToString::to_string)))
    }

    /// The shape of one sequence's activation: `[pos, width]`, `[pos, head, width]`, or `[head, query, key]` of scores and
    /// patterns. A run's activation has the axis of the batch before it. (Where a hook splits the inputs of heads, `ln1` has
    /// an axis of heads besides.)
    pub fn shape(self, config: &Config, seq: usize) -> Vec<usize> {
        let width = match self {
            Self::Block(_, point) => point.width(config, seq),
            Self::LnFinalScale => 1,
            Self::UnembedOut => config.d_vocab_out,
            Self::Embed | Self::PosEmbed | Self::LnFinalNormalized | Self::UnembedIn => config.d_model,
        };
        let mut shape = vec![seq, width];
        if let Some(axis) = self.head_axis() {
            shape.insert(axis, self.heads(config));
        }
        shape
    }

    /// How many heads its activation has, if it has any.
    pub fn heads(self, config: &Config) -> usize {
        match self {
            Self::Block(_, point) if point.has_key_value_heads() => config.key_value_heads(),
            _ => config.n_heads,
        }
    }

    /// The axis of heads in the [`shape`](Self::shape) of its activation, if that has one.
    pub fn head_axis(self) -> Option<usize> {
        match self {
            Self::Block(_, point) if point.has_heads() => Some(1 - self.position_axis()),
            _ => None,
        }
    }

    /// The axis of positions in the [`shape`](Self::shape) of its activation; of scores and patterns that of the query.
    pub fn position_axis(self) -> usize {
        usize::from(matches!(self, Self::Block(_, BlockPoint::AttnScores | BlockPoint::Pattern)))
    }

    /// The residual stream before the first block that has one of these points, or after the last block if none has: what a run
    /// needs to give them without the blocks before. None where that is the first block, or an embedding is among them.
    pub fn residual_before(points: impl IntoIterator<Item = Self>, config: &Config) -> Option<Self> {
        let block = |point| match point {
            Self::Embed | Self::PosEmbed => 0,
            Self::Block(layer, _) => layer,
            Self::LnFinalScale | Self::LnFinalNormalized | Self::UnembedIn | Self::UnembedOut => config.n_layers,
        };
        match points.into_iter().map(block).min().unwrap_or(config.n_layers) {
            0 => None,
            layer if layer == config.n_layers => Some(Self::Block(layer - 1, BlockPoint::ResidPost)),
            layer => Some(Self::Block(layer, BlockPoint::ResidPre)),
        }
    }

    /// Whether a hook here gives every head inputs of its own.
    pub(crate) fn splits(self, layer: usize) -> bool {
        use BlockPoint::{AttnIn, KInput, QInput, VInput};
        matches!(self, Self::Block(l, AttnIn | QInput | KInput | VInput) if l == layer)
    }
}

impl fmt::Display for HookPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Embed => f.write_str("hook_embed"),
            Self::PosEmbed => f.write_str("hook_pos_embed"),
            Self::LnFinalScale => f.write_str("ln_final.hook_scale"),
            Self::LnFinalNormalized => f.write_str("ln_final.hook_normalized"),
            Self::UnembedIn => f.write_str("unembed.hook_in"),
            Self::UnembedOut => f.write_str("unembed.hook_out"),
            Self::Block(layer, point) => {
                let (_, name) = BlockPoint::ALL.iter().find(|(p, _)| p == point).expect("ALL lists every place");
                write!(f, "blocks.{layer}.{name}")
            }
        }
    }
}

impl FromStr for HookPoint {
    type Err = Error;

    /// The place of this name in some model; [`find`](Self::find) knows whether a given one has it.
    fn from_str(name: &str) -> Result<Self> {
        let block = name.strip_prefix("blocks.").and_then(|rest| rest.split_once('.'));
        let layer = block.and_then(|(layer, _)| layer.parse().ok()).unwrap_or(0);
        let blocks = BlockPoint::ALL.into_iter().map(|(point, _)| Self::Block(layer, point));
        let ends = [
            Self::Embed,
            Self::PosEmbed,
            Self::LnFinalScale,
            Self::LnFinalNormalized,
            Self::UnembedIn,
            Self::UnembedOut,
        ];
        let all: Vec<Self> = ends.into_iter().chain(blocks).collect();
        let found = all.iter().copied().find(|point| point.to_string() == name);
        found.ok_or_else(|| Error::unknown("hook point", name, all.iter().map(ToString::to_string)))
    }
}
