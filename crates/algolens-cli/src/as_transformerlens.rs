//! `algolens inspect --as transformerlens`: the Python that makes the same model in TransformerLens 3.9.

use algolens::{
    Error, Result,
    model::{Config, Normalization, Positions},
};
use serde_json::{Value, json};
use std::{collections::BTreeSet, path::Path};

/// Python that makes a `HookedTransformer` of a config and fills it from a file of ours; its logits equal ours.
///
/// What TransformerLens has and our file does not hold stays as TransformerLens makes it: biases of zeros, weights of norms
/// of ones, buffers. What it has no option for, and can have all the same, is said in a comment.
///
/// # Errors
/// [`Error::Invalid`] for what no model of TransformerLens can be: a last norm that centres where the blocks' does not, norms
/// in one place only, and windows of several sizes.
pub fn call(config: &Config, path: &Path) -> Result<String> {
    let options: String = options(config)?.iter().map(|(name, value)| format!("    {name}={value},\n")).collect();
    let path = python(&json!(path.to_string_lossy()));
    let mut text = format!(
        "from safetensors.torch import load_file\n\
         from transformer_lens import HookedTransformer, HookedTransformerConfig\n\n\
         {}config = HookedTransformerConfig(\n{options})\n\
         model = HookedTransformer(config)\n\
         weights = load_file({path})\n",
        match config.positional_embedding_type {
            Positions::None => "# No positions: no option, but a rotation of no dimension.\n",
            _ => "",
        }
    );
    if config.tie_word_embeddings {
        text += "# Tied embeddings: HookedTransformer has two, which training would part.\n\
                 weights[\"unembed.W_U\"] = weights[\"embed.W_E\"].T.contiguous()\n";
    }
    if let Some(score) = config.masked_score {
        text = text.replacen("from safetensors", "import torch\nfrom safetensors", 1);
        text += &format!(
            "# The score of a key that a query must not see: no option, but a buffer.\n\
             for layer in range({}):\n    \
                 weights[f\"blocks.{{layer}}.attn.IGNORE\"] = torch.tensor({score:?})\n",
            config.n_layers
        );
    }
    text += "# What the file does not hold stays: biases of zeros, weights of norms of ones, buffers.\n\
             model.load_state_dict(model.state_dict() | weights)\n";
    if let Some(token) = config.pad_token {
        let score = config.masked_score.map_or("float(\"-inf\")".into(), |score| format!("{score:?}"));
        text += &format!(
            "# The token that nobody attends to: no option, but two hooks.\n\
             pads = {{}}\n\
             model.add_perma_hook(\"hook_tokens\", lambda tokens, hook: pads.update(keys=tokens == {token}))\n\
             model.add_perma_hook(\n    \
                 lambda name: name.endswith(\"hook_attn_scores\"),\n    \
                 lambda scores, hook: scores.masked_fill(pads[\"keys\"][:, None, None, :], {score}),\n\
             )\n"
        );
    }
    Ok(text)
}

/// The options of `HookedTransformerConfig`: the sizes, and what is not its default, each in Python.
fn options(config: &Config) -> Result<Vec<(&'static str, String)>> {
    let (normalization_type, final_rms) = norms(config)?;
    let mut options = vec![
        ("n_layers", json!(config.n_layers)),
        ("n_heads", json!(config.n_heads)),
        ("n_key_value_heads", json!(config.n_key_value_heads)),
        ("d_model", json!(config.d_model)),
        ("d_head", json!(config.d_head)),
        ("d_mlp", json!(config.mlp.map(|mlp| mlp.d_mlp))),
        ("act_fn", json!(config.mlp.map(|mlp| mlp.act_fn))),
        ("gated_mlp", json!(config.mlp.is_some_and(|mlp| mlp.gated))),
        ("attn_only", json!(config.attn_only())),
        ("parallel_attn_mlp", json!(config.parallel_attn_mlp)),
        ("n_ctx", json!(config.n_ctx)),
        ("d_vocab", json!(config.d_vocab)),
        ("d_vocab_out", json!(config.d_vocab_out)),
        ("eps", json!(config.eps)),
        ("final_rms", json!(final_rms)),
        ("attention_dir", json!(config.attention_dir)),
        ("attn_scale", json!(config.attn_scale)),
        ("scale_attn_by_inverse_layer_idx", json!(config.scale_attn_by_inverse_layer_idx)),
        ("attn_scores_soft_cap", json!(config.attn_scores_soft_cap)),
        ("output_logits_soft_cap", json!(config.output_logits_soft_cap)),
        ("use_hook_tokens", json!(config.pad_token.is_some())),
    ];
    options.extend(positions(config.positional_embedding_type));
    options.extend(windows(config)?);
    options.retain(|(_, value)| !matches!(value, Value::Null | Value::Bool(false)));
    options.push(("normalization_type", normalization_type));
    Ok(options.into_iter().map(|(name, value)| (name, python(&value))).collect())
}

/// The norm of the blocks, and whether the last one is RMS where they are not. A norm without weights is one whose weights
/// are ones.
fn norms(config: &Config) -> Result<(Value, bool)> {
    use Normalization::{LN, LNPre, None, RMS, RMSPre};
    let (blocks, last) = (config.normalization_type, config.final_normalization());
    let weights = blocks.has_weight() || last.has_weight();
    match (blocks.folded(), last.folded()) {
        (None, None) => Ok((Value::Null, false)),
        (LNPre, LNPre | RMSPre) => Ok((json!(if weights { LN } else { LNPre }), !last.centers())),
        (RMSPre, RMSPre) => Ok((json!(if weights { RMS } else { RMSPre }), false)),
        _ => {
            let expected = format!("one that TransformerLens has after {blocks:?}: of its kind, or RMS after LN");
            Err(Error::invalid("final_normalization_type", expected, format!("{last:?}")))
        }
    }
}

fn positions(positions: Positions) -> Vec<(&'static str, Value)> {
    let (kind, options) = match positions {
        Positions::Standard => ("standard", vec![]),
        Positions::Shortformer => ("shortformer", vec![]),
        Positions::Rotary(rotary) => (
            "rotary",
            vec![
                ("rotary_dim", json!(rotary.rotary_dim)),
                ("rotary_base", json!(rotary.rotary_base)),
                ("rotary_adjacent_pairs", json!(rotary.rotary_adjacent_pairs)),
            ],
        ),
        Positions::None => ("rotary", vec![("rotary_dim", json!(0))]),
    };
    [vec![("positional_embedding_type", json!(kind))], options].concat()
}

/// A window of `n_ctx` keys or more is none.
fn windows(config: &Config) -> Result<Vec<(&'static str, Value)>> {
    let windows: Vec<Option<usize>> =
        config.attn_windows.iter().map(|window| window.filter(|window| *window < config.n_ctx)).collect();
    let sizes: BTreeSet<usize> = windows.iter().copied().flatten().collect();
    if sizes.len() > 1 {
        return Err(Error::invalid("attn_windows", "one size, as TransformerLens has one", format!("{sizes:?}")));
    }
    let Some(size) = sizes.first() else { return Ok(Vec::new()) };
    let types: Vec<&str> = windows.iter().map(|window| if window.is_some() { "local" } else { "global" }).collect();
    Ok(vec![("use_local_attn", json!(true)), ("window_size", json!(size)), ("attn_types", json!(types))])
}

/// A value in Python.
fn python(value: &Value) -> String {
    match value {
        Value::Null => "None".into(),
        Value::Bool(true) => "True".into(),
        Value::Bool(false) => "False".into(),
        Value::Array(values) => format!("[{}]", values.iter().map(python).collect::<Vec<_>>().join(", ")),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use algolens::model::{ActFn, Mlp};

    fn python(config: &Config) -> String {
        config.validate().unwrap();
        call(config, Path::new("a model.safetensors")).unwrap()
    }

    #[test]
    fn the_post_s_model_has_sizes_only() {
        insta::assert_snapshot!(python(&Config::default()), @r#"
        from safetensors.torch import load_file
        from transformer_lens import HookedTransformer, HookedTransformerConfig

        config = HookedTransformerConfig(
            n_layers=1,
            n_heads=2,
            d_model=96,
            d_head=48,
            attn_only=True,
            n_ctx=21,
            d_vocab=52,
            d_vocab_out=52,
            eps=0.00001,
            attention_dir="causal",
            positional_embedding_type="standard",
            normalization_type="LN",
        )
        model = HookedTransformer(config)
        weights = load_file("a model.safetensors")
        # What the file does not hold stays: biases of zeros, weights of norms of ones, buffers.
        model.load_state_dict(model.state_dict() | weights)
        "#);
    }

    #[test]
    fn what_transformerlens_has_no_option_for_is_said() {
        let config = Config {
            n_layers: 2,
            n_key_value_heads: Some(1),
            mlp: Some(Mlp { d_mlp: 8, act_fn: ActFn::Silu, gated: true }),
            normalization_type: Normalization::LNPre,
            final_normalization_type: Some(Normalization::RMS),
            attn_windows: vec![Some(3), Some(21)],
            attn_scale: Some(1.7),
            masked_score: Some(-1e5),
            pad_token: Some(51),
            positional_embedding_type: Positions::None,
            tie_word_embeddings: true,
            ..Config::default()
        };
        insta::assert_snapshot!(python(&config), @r#"
        import torch
        from safetensors.torch import load_file
        from transformer_lens import HookedTransformer, HookedTransformerConfig

        # No positions: no option, but a rotation of no dimension.
        config = HookedTransformerConfig(
            n_layers=2,
            n_heads=2,
            n_key_value_heads=1,
            d_model=96,
            d_head=48,
            d_mlp=8,
            act_fn="silu",
            gated_mlp=True,
            n_ctx=21,
            d_vocab=52,
            d_vocab_out=52,
            eps=0.00001,
            final_rms=True,
            attention_dir="causal",
            attn_scale=1.7,
            use_hook_tokens=True,
            positional_embedding_type="rotary",
            rotary_dim=0,
            use_local_attn=True,
            window_size=3,
            attn_types=["local", "global"],
            normalization_type="LN",
        )
        model = HookedTransformer(config)
        weights = load_file("a model.safetensors")
        # Tied embeddings: HookedTransformer has two, which training would part.
        weights["unembed.W_U"] = weights["embed.W_E"].T.contiguous()
        # The score of a key that a query must not see: no option, but a buffer.
        for layer in range(2):
            weights[f"blocks.{layer}.attn.IGNORE"] = torch.tensor(-100000.0)
        # What the file does not hold stays: biases of zeros, weights of norms of ones, buffers.
        model.load_state_dict(model.state_dict() | weights)
        # The token that nobody attends to: no option, but two hooks.
        pads = {}
        model.add_perma_hook("hook_tokens", lambda tokens, hook: pads.update(keys=tokens == 51))
        model.add_perma_hook(
            lambda name: name.endswith("hook_attn_scores"),
            lambda scores, hook: scores.masked_fill(pads["keys"][:, None, None, :], -100000.0),
        )
        "#);
    }

    #[test]
    fn what_transformerlens_cannot_be_is_refused() {
        let norms = |blocks, last| Config {
            normalization_type: blocks,
            final_normalization_type: Some(last),
            ..Config::default()
        };
        for (config, expected) in [
            (
                norms(Normalization::RMS, Normalization::LN),
                "final_normalization_type: expected one that TransformerLens has after RMS: of its kind, or RMS after LN, found LN",
            ),
            (
                norms(Normalization::None, Normalization::RMSPre),
                "final_normalization_type: expected one that TransformerLens has after None: of its kind, or RMS after LN, found RMSPre",
            ),
            (
                Config { n_layers: 3, attn_windows: vec![Some(3), None, Some(2)], ..Config::default() },
                "attn_windows: expected one size, as TransformerLens has one, found {2, 3}",
            ),
        ] {
            config.validate().unwrap();
            assert_eq!(call(&config, Path::new("m")).unwrap_err().to_string(), expected);
        }
    }
}
