//! Config files in the words of TransformerLens's `HookedTransformerConfig`, and in those of other programs for the same.

use super::settings::{PositionalEmbedding, Settings};
use crate::{Error, Result, model::Normalization};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// Options that no model of the family has, and what their absence looks like.
const OUTSIDE: [(&str, &[&str]); 17] = [
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
    ("rope_scaling", &["null"]),
    ("rope_parameters", &["null"]),
    ("sliding_window", &["null"]),
    ("rotary_pct", &["null", "1", "1.0"]),
    ("partial_rotary_factor", &["null", "1", "1.0"]),
];

/// What other programs call a key: nanoGPT, Hugging Face, the Mech Interp Puzzles.
const SYNONYMS: [(&str, &[&str]); 15] = [
    ("n_layers", &["n_layer", "num_hidden_layers", "num_layers"]),
    ("n_heads", &["n_head", "num_attention_heads", "num_heads"]),
    ("n_key_value_heads", &["num_key_value_heads"]),
    ("d_model", &["n_embd", "hidden_size"]),
    ("n_ctx", &["block_size", "n_positions", "max_seq_len", "max_position_embeddings"]),
    ("d_vocab", &["vocab_size"]),
    ("d_mlp", &["n_inner", "intermediate_size"]),
    ("act_fn", &["activation_function", "hidden_act"]),
    ("eps", &["layer_norm_epsilon", "layer_norm_eps", "rms_norm_eps"]),
    ("d_head", &["head_dim"]),
    ("use_attn_scale", &["scale_attn_weights"]),
    ("attn_scores_soft_cap", &["attn_logit_softcapping"]),
    ("output_logits_soft_cap", &["final_logit_softcapping"]),
    ("parallel_attn_mlp", &["use_parallel_residual"]),
    ("rotary_base", &["rope_base", "rope_theta"]),
];

/// Keys that say a part in another way.
const BY_OTHER_KEYS: [&str; 4] = ["use_attn_scale", "use_local_attn", "window_size", "attn_types"];

impl Settings {
    /// The keys of `HookedTransformerConfig` that say what a model computes.
    pub fn keys() -> impl Iterator<Item = &'static str> {
        Self::PARTS.iter().copied().filter(|part| *part != "attn_windows").chain(BY_OTHER_KEYS)
    }

    /// What a user says of a model part by part, by the [`keys`](Self::keys) of `HookedTransformerConfig`.
    ///
    /// # Errors
    /// A key that there is not; a value of the wrong kind, or one that says nothing.
    pub fn of_parts(parts: &Map<String, Value>) -> Result<Self> {
        if let Some(key) = parts.keys().find(|key| Self::keys().all(|known| known != *key)) {
            return Err(Error::unknown("part of a config", key, Self::keys().map(str::to_owned)));
        }
        let settings = Self::from_config(parts)?;
        let windows = parts.contains_key("use_local_attn");
        for (key, value) in parts.iter().filter(|(_, value)| !value.is_null()) {
            let says_nothing = match key.as_str() {
                "use_local_attn" => false,
                "window_size" | "attn_types" => !windows,
                _ => Self::from_config(&Map::from_iter([(key.clone(), value.clone())]))? == Self::default(),
            };
            if says_nothing {
                return Err(Error::invalid(key, "a value that says something", value));
            }
        }
        Ok(settings)
    }

    /// Whether a config says how large some transformer is.
    pub fn speak_of(config: &Map<String, Value>) -> bool {
        let config = config.get("model").and_then(Value::as_object).unwrap_or(config);
        let keys = Keys(config);
        ["n_layers", "n_heads", "d_model"].iter().all(|key| keys.get(key).is_some_and(Value::is_u64))
    }

    /// What a config in the words of `HookedTransformerConfig`, or of other programs for the same, says; one that has its
    /// model's part below `model` is read there. Keys that say nothing of what a model computes are passed
    /// over.
    ///
    /// # Errors
    /// A value of the wrong kind, and an option that no model of the family has, by their names.
    pub fn from_config(config: &Map<String, Value>) -> Result<Self> {
        let config = config.get("model").and_then(Value::as_object).unwrap_or(config);
        for (key, absent) in OUTSIDE {
            if let Some(value) = config.get(key)
                && !absent.contains(&value.to_string().as_str())
            {
                return Err(Error::invalid(key, "none, as it cannot be read", value));
            }
        }
        let keys = Keys(config);
        // TransformerLens writes -1 for what it finds out by itself.
        let size = |key| keys.value::<i64>(key).map(|size| size.and_then(|size| usize::try_from(size).ok()));
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
    fn get(&self, key: &str) -> Option<&Value> {
        let others = SYNONYMS.iter().find(|(ours, _)| *ours == key).map_or(&[][..], |(_, others)| others);
        self.0.get(key).or_else(|| others.iter().find_map(|other| self.0.get(*other)))
    }

    /// The value of a key; none where it is absent or null.
    fn value<V: DeserializeOwned>(&self, key: &'static str) -> Result<Option<V>> {
        match self.get(key) {
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
        // Of other programs' models those with a base of angles have rotary positions.
        let by_base = self.value::<f64>("rotary_base")?.filter(|_| !self.0.contains_key("rotary_base"));
        let kind = self.value("positional_embedding_type")?.or(by_base.map(|_| PositionalEmbedding::Rotary));
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
