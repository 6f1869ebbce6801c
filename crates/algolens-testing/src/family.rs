//! Random configs over every option of the family.

use crate::index;
use algolens_core::{
    model::{ActFn, AttentionDir, Biases, Config, Mlp, Normalization, Positions, Rotary},
    random::{self, Twister},
};

/// A random config of small sizes, any of whose options may be another than usual.
pub fn random_config(seed: u64) -> Config {
    let rng = &mut random::stream(seed, "test/config");
    let config = choices(rng);
    config.validate().unwrap_or_else(|error| panic!("seed {seed}: {error}: {config:?}"));
    config
}

fn choices(rng: &mut Twister) -> Config {
    let mlp = (index(rng, 3) > 0).then(|| mlp(rng));
    let n_heads = if mlp.is_some() && one_in(rng, 8) { 0 } else { [1, 2, 4][index(rng, 3)] };
    let n_layers = if one_in(rng, 12) && n_heads > 0 { 0 } else { 1 + index(rng, 2) };
    let attention_dir = if one_in(rng, 3) { AttentionDir::Bidirectional } else { AttentionDir::Causal };
    let window = |rng: &mut Twister| one_in(rng, 2).then(|| 1 + index(rng, 3));
    let windows = attention_dir == AttentionDir::Causal && one_in(rng, 4);
    let d_head = 2 * (1 + index(rng, 3));
    let d_vocab = 4 + index(rng, 4);
    let tie_word_embeddings = one_in(rng, 6);
    Config {
        n_layers,
        n_heads,
        n_key_value_heads: (n_heads > 1 && one_in(rng, 3)).then_some(n_heads / 2),
        d_model: 4 + index(rng, 5),
        d_head,
        mlp,
        parallel_attn_mlp: mlp.is_some() && one_in(rng, 5),
        n_ctx: 5 + index(rng, 2),
        d_vocab,
        d_vocab_out: if tie_word_embeddings { d_vocab } else { 2 + index(rng, 5) },
        normalization_type: Normalization::ALL[index(rng, 5)],
        final_normalization_type: one_in(rng, 5).then(|| Normalization::ALL[index(rng, 5)]),
        attention_dir,
        attn_windows: if windows { (0..n_layers).map(|_| window(rng)).collect() } else { Vec::new() },
        attn_scale: one_in(rng, 4).then_some(1.7),
        scale_attn_by_inverse_layer_idx: one_in(rng, 5),
        attn_scores_soft_cap: one_in(rng, 4).then_some(1.3),
        output_logits_soft_cap: one_in(rng, 4).then_some(2.1),
        masked_score: one_in(rng, 4).then_some(-3.0),
        pad_token: one_in(rng, 5).then_some(1),
        positional_embedding_type: positions(rng, d_head),
        eps: 0.02,
        biases: biases(rng),
        tie_word_embeddings,
    }
}

fn one_in(rng: &mut Twister, many: usize) -> bool {
    index(rng, many) == 0
}

fn mlp(rng: &mut Twister) -> Mlp {
    use ActFn::*;
    let act_fn = [Relu, Gelu, GeluNew, GeluFast, Silu, Solu, SoluLn][index(rng, 7)];
    Mlp { d_mlp: 3 + index(rng, 5), act_fn, gated: act_fn != SoluLn && one_in(rng, 3) }
}

fn positions(rng: &mut Twister, d_head: usize) -> Positions {
    let rotary_dim = if one_in(rng, 2) { d_head } else { 2 };
    let rotary = Rotary { rotary_dim, rotary_base: 100.0, rotary_adjacent_pairs: one_in(rng, 2) };
    [Positions::Standard, Positions::Shortformer, Positions::Rotary(rotary), Positions::None][index(rng, 4)]
}

fn biases(rng: &mut Twister) -> Biases {
    if one_in(rng, 2) {
        return Biases::ALL;
    }
    let mut some = || one_in(rng, 2);
    Biases { b_QKV: some(), b_O: some(), b_in: some(), b_out: some(), norm: some(), b_U: some() }
}
