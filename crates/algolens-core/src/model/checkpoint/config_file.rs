//! Config files in the words of TransformerLens's `HookedTransformerConfig`.

use super::settings::{PositionalEmbedding, Settings};
use crate::{Error, Result, model::Normalization};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// Options that no model of the family has, and what their absence looks like.
const OUTSIDE: [(&str, &[&str]); 12] = [
    ("clip_qkv", &["null"]),
    ("num_experts", &["null"]),
    ("experts_per_token", &["null"]),
    ("use_qk_norm", &["null", "false"]),
    ("use_normalization_before_and_after", &["null", "false"]),
    ("post_embedding_ln", &["null", "false"]),
    ("relative_attention_num_buckets", &["null"]),
    ("use_NTK_by_parts_rope", &["null", "false"]),
    ("use_yarn_rope", &["null", "false"]),
    ("rotary_scaling_factor", &["null", "1", "1.0"]),
    ("rotary_base_local", &["null"]),
    ("attn_sinks", &["null", "false"]),
];

impl Settings {
    /// What a config in the words of `HookedTransformerConfig` says. Keys that say nothing of what a model computes are passed
    /// over.
    ///
    /// # Errors
    /// A value of the wrong kind, and an option that no model of the family has, by their names.
    pub fn from_config(config: &Map<String, Value>) -> Result<Self> {
        for (key, absent) in OUTSIDE {
            if let Some(value) = config.get(key)
                && !absent.contains(&value.to_string().as_str())
            {
                return Err(Error::invalid(key, "none, as no model that can be read has it", value));
            }
        }
        let keys = Keys(config);
        let size = |key| keys.positive(key).map(|size: Option<f64>| size.map(|size| size as usize));
        Ok(Self {
            n_layers: keys.value("n_layers")?,
            n_heads: keys.value("n_heads")?,
            n_key_value_heads: keys.value("n_key_value_heads")?,
            d_model: keys.value("d_model")?,
            d_head: keys.value("d_head")?,
            d_mlp: if keys.value("attn_only")? == Some(true) { None } else { keys.value("d_mlp")? },
            attn_only: keys.value("attn_only")?,
            act_fn: if keys.value("attn_only")? == Some(true) { None } else { keys.value("act_fn")? },
            gated_mlp: keys.value("gated_mlp")?,
            parallel_attn_mlp: keys.value("parallel_attn_mlp")?,
            n_ctx: keys.value("n_ctx")?,
            d_vocab: size("d_vocab")?,
            d_vocab_out: size("d_vocab_out")?,
            normalization_type: keys.normalization()?,
            final_rms: keys.value("final_rms")?,
            eps: keys.value("eps")?,
            attention_dir: keys.value("attention_dir")?,
            attn_windows: keys.windows()?,
            attn_scale: keys.scale()?,
            scale_attn_by_inverse_layer_idx: keys.value("scale_attn_by_inverse_layer_idx")?,
            attn_scores_soft_cap: keys.cap("attn_scores_soft_cap")?,
            output_logits_soft_cap: keys.cap("output_logits_soft_cap")?,
            pad_token: keys.value("pad_token")?,
            positional_embedding_type: keys.positions()?,
            rotary_dim: keys.value::<usize>("rotary_dim")?.filter(|dim| *dim > 0),
            rotary_base: keys.value("rotary_base")?,
            rotary_adjacent_pairs: keys.value("rotary_adjacent_pairs")?,
            tie_word_embeddings: keys.value("tie_word_embeddings")?,
        })
    }
}

/// The keys of a config.
struct Keys<'a>(&'a Map<String, Value>);

impl Keys<'_> {
    /// The value of a key; none where it is absent or null.
    fn value<V: DeserializeOwned>(&self, key: &'static str) -> Result<Option<V>> {
        match self.0.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => serde_json::from_value(value.clone())
                .map(Some)
                .map_err(|error| Error::invalid(key, format!("another value ({error})"), value)),
        }
    }

    /// A number that means nothing where it is not above 0.
    fn positive(&self, key: &'static str) -> Result<Option<f64>> {
        Ok(self.value::<f64>(key)?.filter(|number| *number > 0.0))
    }

    /// A soft cap, which is off where it is not above 0.
    fn cap(&self, key: &'static str) -> Result<Option<f64>> {
        Ok(self.value::<f64>(key)?.map(|cap| cap.max(0.0)))
    }

    /// The norm: null says that there is none.
    fn normalization(&self) -> Result<Option<Normalization>> {
        const KEY: &str = "normalization_type";
        match self.0.get(KEY) {
            Some(Value::Null) => Ok(Some(Normalization::None)),
            _ => self.value(KEY),
        }
    }

    fn positions(&self) -> Result<Option<PositionalEmbedding>> {
        let rotates_nothing = self.value("rotary_dim")? == Some(0);
        let kind = self.value("positional_embedding_type")?;
        Ok(kind.map(|kind| match kind {
            PositionalEmbedding::Rotary if rotates_nothing => PositionalEmbedding::None,
            kind => kind,
        }))
    }

    /// What scores are divided by: 1 without `use_attn_scale`, nothing said where it is not above 0.
    fn scale(&self) -> Result<Option<f64>> {
        if self.value("use_attn_scale")? == Some(false) {
            return Ok(Some(1.0));
        }
        self.positive("attn_scale")
    }

    /// The window of each layer, from `use_local_attn`, `window_size` and `attn_types`.
    fn windows(&self) -> Result<Option<Vec<Option<usize>>>> {
        match self.value("use_local_attn")? {
            None => return Ok(None),
            Some(false) => return Ok(Some(Vec::new())),
            Some(true) => {}
        }
        let missing = |key| Error::invalid(key, "a value, as use_local_attn is true", "none");
        let window: usize = self.value("window_size")?.ok_or_else(|| missing("window_size"))?;
        let types: Vec<String> = self.value("attn_types")?.ok_or_else(|| missing("attn_types"))?;
        let window_of = |kind: &String| match kind.as_str() {
            "local" => Ok(Some(window)),
            "global" => Ok(None),
            other => Err(Error::invalid("attn_types", "local or global", other)),
        };
        types.iter().map(window_of).collect::<Result<_>>().map(Some)
    }
}
