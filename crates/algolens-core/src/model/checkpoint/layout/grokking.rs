//! The layout of the grokking papers: TransformerLens's names, with `nn.Linear`'s transposes.

use super::declaration::{Layout, config, optional, weight};

pub(super) fn layout() -> Layout {
    let attention = |of: &str| {
        let name = format!("blocks.{{layer}}.attn.W_{of}");
        weight(&name, "head d_head d_model", &name)
    };
    let mut rules = vec![
        weight("embed.W_E", "d_model d_vocab", "embed.W_E"),
        weight("pos_embed.W_pos", "n_ctx d_model", "pos_embed.W_pos"),
    ];
    rules.extend(["Q", "K", "V"].map(attention));
    rules.extend([
        weight("blocks.{layer}.attn.W_O", "d_model (head d_head)", "blocks.{layer}.attn.W_O"),
        optional("blocks.{layer}.mlp.W_in", "d_mlp d_model", "blocks.{layer}.mlp.W_in"),
        optional("blocks.{layer}.mlp.b_in", "d_mlp", "blocks.{layer}.mlp.b_in"),
        optional("blocks.{layer}.mlp.W_out", "d_model d_mlp", "blocks.{layer}.mlp.W_out"),
        optional("blocks.{layer}.mlp.b_out", "d_model", "blocks.{layer}.mlp.b_out"),
        weight("unembed.W_U", "d_model d_vocab_out", "unembed.W_U"),
    ]);
    Layout {
        name: "grokking".into(),
        config: config(&[("act_fn", "relu"), ("normalization_type", "none"), ("attention_dir", "causal")]),
        weight: rules,
        buffer: Vec::new(),
        unsaid: None,
    }
}
