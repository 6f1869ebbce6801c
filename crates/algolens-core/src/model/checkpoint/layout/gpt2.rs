//! The layouts of GPT-2: nanoGPT's with `nn.Linear`, and Hugging Face's with `Conv1D`, which holds its weights transposed.

use super::declaration::{Layout, Rule, config, optional, weight};

pub(super) fn layouts() -> [Layout; 2] {
    [layout("nanoGPT", true), layout("GPT-2", false)]
}

fn layout(name: &str, linear: bool) -> Layout {
    let act_fn = if linear { "gelu" } else { "gelu_new" };
    let matrix = |from: &str, outputs: &str, inputs: &str, to: &str| {
        let axes = if linear { format!("{outputs} {inputs}") } else { format!("{inputs} {outputs}") };
        weight(&format!("transformer.h.{{layer}}.{from}.weight"), &axes, to)
    };
    let bias = |from: &str, axes: &str, to: &str| optional(&format!("transformer.h.{{layer}}.{from}.bias"), axes, to);
    let norm = |from: &str, to: &str| -> [Rule; 2] {
        [
            weight(&format!("transformer.{from}.weight"), "d_model", &format!("{to}.w")),
            optional(&format!("transformer.{from}.bias"), "d_model", &format!("{to}.b")),
        ]
    };
    let all = |weights: [&str; 3]| weights.map(|of| format!("blocks.{{layer}}.attn.{of}")).join(" ");
    let mut rules = vec![
        weight("transformer.wte.weight", "d_vocab d_model", "embed.W_E"),
        weight("transformer.wpe.weight", "n_ctx d_model", "pos_embed.W_pos"),
    ];
    rules.extend(norm("h.{layer}.ln_1", "blocks.{layer}.ln1"));
    rules.extend([
        matrix("attn.c_attn", "(qkv head d_head)", "d_model", &all(["W_Q", "W_K", "W_V"])),
        bias("attn.c_attn", "(qkv head d_head)", &all(["b_Q", "b_K", "b_V"])),
        matrix("attn.c_proj", "d_model", "(head d_head)", "blocks.{layer}.attn.W_O"),
        bias("attn.c_proj", "d_model", "blocks.{layer}.attn.b_O"),
    ]);
    rules.extend(norm("h.{layer}.ln_2", "blocks.{layer}.ln2"));
    rules.extend([
        matrix("mlp.c_fc", "d_mlp", "d_model", "blocks.{layer}.mlp.W_in"),
        bias("mlp.c_fc", "d_mlp", "blocks.{layer}.mlp.b_in"),
        matrix("mlp.c_proj", "d_model", "d_mlp", "blocks.{layer}.mlp.W_out"),
        bias("mlp.c_proj", "d_model", "blocks.{layer}.mlp.b_out"),
    ]);
    rules.extend(norm("ln_f", "ln_final"));
    rules.extend([
        optional("lm_head.weight", "d_vocab_out d_model", "unembed.W_U"),
        optional("lm_head.bias", "d_vocab_out", "unembed.b_U"),
    ]);
    // A file without an unembedding has it tied.
    let mut usual = config(&[("normalization_type", "LN"), ("act_fn", act_fn), ("attention_dir", "causal")]);
    usual.insert("tie_word_embeddings".into(), true.into());
    Layout {
        name: name.into(),
        config: usual,
        weight: rules,
        buffer: vec!["transformer.h.{layer}.attn.bias".into(), "transformer.h.{layer}.attn.masked_bias".into()],
        unsaid: None,
    }
}
