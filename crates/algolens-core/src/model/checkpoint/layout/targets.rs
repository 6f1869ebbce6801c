//! The weights that layouts are mapped to, and their axes.

/// A weight of TransformerLens's layout.
pub(super) struct Target {
    /// Its name, with `{layer}`.
    pub name: &'static str,
    /// Its axes.
    pub axes: &'static str,
    /// Whether no model is without.
    pub required: bool,
}

const fn target(name: &'static str, axes: &'static str, required: bool) -> Target {
    Target { name, axes, required }
}

/// Every weight.
pub(super) const ALL: [Target; 29] = [
    target("embed.W_E", "d_vocab d_model", true),
    target("pos_embed.W_pos", "n_ctx d_model", false),
    target("blocks.{layer}.ln1.w", "d_model", false),
    target("blocks.{layer}.ln1.b", "d_model", false),
    target("blocks.{layer}.attn.W_Q", "head d_model d_head", false),
    target("blocks.{layer}.attn.W_K", "head d_model d_head", false),
    target("blocks.{layer}.attn.W_V", "head d_model d_head", false),
    target("blocks.{layer}.attn._W_K", "kv_head d_model d_head", false),
    target("blocks.{layer}.attn._W_V", "kv_head d_model d_head", false),
    target("blocks.{layer}.attn.W_O", "head d_head d_model", false),
    target("blocks.{layer}.attn.b_Q", "head d_head", false),
    target("blocks.{layer}.attn.b_K", "head d_head", false),
    target("blocks.{layer}.attn.b_V", "head d_head", false),
    target("blocks.{layer}.attn._b_K", "kv_head d_head", false),
    target("blocks.{layer}.attn._b_V", "kv_head d_head", false),
    target("blocks.{layer}.attn.b_O", "d_model", false),
    target("blocks.{layer}.ln2.w", "d_model", false),
    target("blocks.{layer}.ln2.b", "d_model", false),
    target("blocks.{layer}.mlp.W_gate", "d_model d_mlp", false),
    target("blocks.{layer}.mlp.W_in", "d_model d_mlp", false),
    target("blocks.{layer}.mlp.b_in", "d_mlp", false),
    target("blocks.{layer}.mlp.ln.w", "d_mlp", false),
    target("blocks.{layer}.mlp.ln.b", "d_mlp", false),
    target("blocks.{layer}.mlp.W_out", "d_mlp d_model", false),
    target("blocks.{layer}.mlp.b_out", "d_model", false),
    target("ln_final.w", "d_model", false),
    target("ln_final.b", "d_model", false),
    target("unembed.W_U", "d_model d_vocab_out", false),
    target("unembed.b_U", "d_vocab_out", false),
];

/// The weight of a name.
pub(super) fn find(name: &str) -> Option<&'static Target> {
    ALL.iter().find(|target| target.name == name)
}
