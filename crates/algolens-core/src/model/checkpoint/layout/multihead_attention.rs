//! The layouts of models made of `nn.MultiheadAttention` and `nn.TransformerEncoderLayer`.

use super::declaration::{Layout, Rule, config, optional, weight};

pub(super) fn layouts() -> [Layout; 2] {
    [alg_zoo(), encoder()]
}

/// The queries, keys and values of `nn.MultiheadAttention`, and what it writes.
fn attention(module: &str) -> [Rule; 4] {
    let all = |weights: [&str; 3]| weights.map(|of| format!("blocks.{{layer}}.attn.{of}")).join(" ");
    let at = |name: &str| format!("{module}.{name}");
    [
        weight(&at("in_proj_weight"), "(qkv head d_head) d_model", &all(["W_Q", "W_K", "W_V"])),
        optional(&at("in_proj_bias"), "(qkv head d_head)", &all(["b_Q", "b_K", "b_V"])),
        weight(&at("out_proj.weight"), "d_model (head d_head)", "blocks.{layer}.attn.W_O"),
        optional(&at("out_proj.bias"), "d_model", "blocks.{layer}.attn.b_O"),
    ]
}

/// Attention alone, as AlgZoo has it.
fn alg_zoo() -> Layout {
    let mut rules = vec![
        weight("embed.weight", "d_vocab d_model", "embed.W_E"),
        optional("pos_embed.weight", "n_ctx d_model", "pos_embed.W_pos"),
    ];
    rules.extend(attention("attns.{layer}"));
    rules.extend([
        weight("unembed.weight", "d_vocab_out d_model", "unembed.W_U"),
        optional("unembed.bias", "d_vocab_out", "unembed.b_U"),
    ]);
    Layout {
        name: "nn.MultiheadAttention".into(),
        config: config(&[("normalization_type", "none")]),
        weight: rules,
        buffer: Vec::new(),
        unsaid: None,
    }
}

const ENCODER: &str = "nn.TransformerEncoder";

/// `nn.TransformerEncoder` with norms first, between `nn.Embedding`s and an `nn.Linear`.
fn encoder() -> Layout {
    let at = |name: &str| format!("encoder.layers.{{layer}}.{name}");
    let mut rules = vec![
        weight("embed.weight", "d_vocab d_model", "embed.W_E"),
        optional("pos_embed.weight", "n_ctx d_model", "pos_embed.W_pos"),
        weight(&at("norm1.weight"), "d_model", "blocks.{layer}.ln1.w"),
        optional(&at("norm1.bias"), "d_model", "blocks.{layer}.ln1.b"),
    ];
    rules.extend(attention("encoder.layers.{layer}.self_attn"));
    rules.extend([
        weight(&at("norm2.weight"), "d_model", "blocks.{layer}.ln2.w"),
        optional(&at("norm2.bias"), "d_model", "blocks.{layer}.ln2.b"),
        weight(&at("linear1.weight"), "d_mlp d_model", "blocks.{layer}.mlp.W_in"),
        optional(&at("linear1.bias"), "d_mlp", "blocks.{layer}.mlp.b_in"),
        weight(&at("linear2.weight"), "d_model d_mlp", "blocks.{layer}.mlp.W_out"),
        optional(&at("linear2.bias"), "d_model", "blocks.{layer}.mlp.b_out"),
        optional("encoder.norm.weight", "d_model", "ln_final.w"),
        optional("encoder.norm.bias", "d_model", "ln_final.b"),
        weight("unembed.weight", "d_vocab_out d_model", "unembed.W_U"),
        optional("unembed.bias", "d_vocab_out", "unembed.b_U"),
    ]);
    Layout {
        name: ENCODER.into(),
        config: Default::default(),
        weight: rules,
        buffer: Vec::new(),
        unsaid: Some(("whether norms come first (norm_first)", ENCODER)),
    }
}
