//! The layouts of the Mech Interp Puzzles: `nn.Linear` for each head, or for all heads at once.

use super::declaration::{Layout, config, optional, weight};

pub(super) fn layouts() -> [Layout; 2] {
    [heads_apart(), heads_together()]
}

/// `layers.N.heads.H.W_Q`, …
fn heads_apart() -> Layout {
    let head = |of: &str| {
        let from = format!("layers.{{layer}}.heads.{{head}}.W_{of}.weight");
        weight(&from, "d_head d_model", &format!("blocks.{{layer}}.attn.W_{of}"))
    };
    let mut rules = vec![
        weight("tok_embed.weight", "d_vocab d_model", "embed.W_E"),
        optional("pos_embed.weight", "n_ctx d_model", "pos_embed.W_pos"),
    ];
    rules.extend(["Q", "K", "V"].map(head));
    rules.extend([
        weight("layers.{layer}.W_O.weight", "d_model (head d_head)", "blocks.{layer}.attn.W_O"),
        weight("unembed.weight", "d_vocab_out d_model", "unembed.W_U"),
        optional("unembed.bias", "d_vocab_out", "unembed.b_U"),
    ]);
    Layout {
        name: "puzzles-heads-apart".into(),
        config: config(&[("normalization_type", "none")]),
        weight: rules,
        buffer: Vec::new(),
        unsaid: None,
    }
}

/// `blocks.N.attn.W_Q`, …, of all heads, with norms.
fn heads_together() -> Layout {
    let projection = |of: &str| {
        let from = format!("blocks.{{layer}}.attn.W_{of}.weight");
        weight(&from, "(head d_head) d_model", &format!("blocks.{{layer}}.attn.W_{of}"))
    };
    let mut rules = vec![
        weight("tok_embed.weight", "d_vocab d_model", "embed.W_E"),
        optional("pos_embed.weight", "n_ctx d_model", "pos_embed.W_pos"),
        optional("blocks.{layer}.ln_attn.weight", "d_model", "blocks.{layer}.ln1.w"),
        optional("blocks.{layer}.ln_attn.bias", "d_model", "blocks.{layer}.ln1.b"),
    ];
    rules.extend(["Q", "K", "V"].map(projection));
    rules.extend([
        weight("blocks.{layer}.attn.W_O.weight", "d_model (head d_head)", "blocks.{layer}.attn.W_O"),
        optional("ln_final.weight", "d_model", "ln_final.w"),
        optional("ln_final.bias", "d_model", "ln_final.b"),
        weight("unembed.weight", "d_vocab_out d_model", "unembed.W_U"),
        optional("unembed.bias", "d_vocab_out", "unembed.b_U"),
    ]);
    Layout {
        name: "puzzles-heads-together".into(),
        config: Default::default(),
        weight: rules,
        buffer: Vec::new(),
        unsaid: None,
    }
}
