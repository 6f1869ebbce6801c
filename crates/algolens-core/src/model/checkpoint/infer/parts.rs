//! The parts of a config, and how each is known.

use super::super::{
    hints::{Hints, Source},
    settings::{Settings, shown},
};
use crate::{
    Error, Result,
    model::{Config, Normalization},
};
use serde::Serialize;

/// Where a part of an inferred config came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Note {
    /// The config's key.
    pub what: &'static str,
    /// Its value.
    pub value: String,
    /// How it is known.
    pub source: Source,
}

impl Note {
    /// What of a model was assumed, as one line: what it has, and what it is without.
    pub fn assumed(notes: &[Self]) -> Option<String> {
        let unsaid = |note: &&Self| matches!(note.source, Source::Assumed | Source::Layout | Source::Task);
        let (without, with): (Vec<&Self>, Vec<&Self>) =
            notes.iter().filter(unsaid).partition(|note| ["none", "false"].contains(&note.value.as_str()));
        let with: Vec<String> = with.iter().map(|note| format!("{} {}", note.what, note.value)).collect();
        let without: Vec<&str> = without.iter().map(|note| note.what).collect();
        let parts = [(with.join(", "), ""), (without.join(", "), "no ")];
        let parts: Vec<String> = parts
            .into_iter()
            .filter(|(text, _)| !text.is_empty())
            .map(|(text, head)| format!("{head}{text}"))
            .collect();
        (!parts.is_empty()).then(|| format!("assumed, as the file does not say: {}", parts.join("; ")))
    }
}

impl Hints {
    /// Whether nothing that was said contradicts the config that a file states.
    pub(in super::super) fn check_against(&self, config: &Config) -> Result<()> {
        let mut notes = Vec::new();
        let mut parts =
            Parts { hints: self, usual: &Settings::default(), of_task: Settings::default(), notes: &mut notes };
        let Config { mlp, positional_embedding_type: positions, .. } = config;
        for (what, part, file_says) in sizes(config) {
            parts.known(what, part, file_says)?;
        }
        if let Some(mlp) = mlp {
            parts.known("act_fn", |s| s.act_fn, mlp.act_fn)?;
            parts.known("d_mlp", |s| s.d_mlp, mlp.d_mlp)?;
            parts.known("gated_mlp", |s| s.gated_mlp, mlp.gated)?;
        } else if let Some((act_fn, _)) = self.get("act_fn", |s| s.act_fn)? {
            return Err(Error::invalid("act_fn", "none: the model has no MLP", shown(&act_fn)));
        }
        parts.known("attn_only", |s| s.attn_only, mlp.is_none())?;
        parts.known("parallel_attn_mlp", |s| s.parallel_attn_mlp, config.parallel_attn_mlp)?;
        parts.known("normalization_type", |s| s.normalization_type, config.normalization_type)?;
        parts.known("final_rms", |s| s.final_rms, final_rms(config))?;
        parts.known("eps", |s| s.eps, config.eps)?;
        parts.known("attention_dir", |s| s.attention_dir, config.attention_dir)?;
        parts.known("attn_windows", |s| s.attn_windows.clone().map(windows), windows(config.attn_windows.clone()))?;
        let scale = config.attn_scale.unwrap_or_else(|| (config.d_head as f64).sqrt());
        parts.known("attn_scale", |s| s.attn_scale.map(|said| near(said, scale)), scale)?;
        let inverse = config.scale_attn_by_inverse_layer_idx;
        parts.known("scale_attn_by_inverse_layer_idx", |s| s.scale_attn_by_inverse_layer_idx, inverse)?;
        parts.known("attn_scores_soft_cap", |s| s.attn_scores_soft_cap.map(cap), config.attn_scores_soft_cap)?;
        parts.known("output_logits_soft_cap", |s| s.output_logits_soft_cap.map(cap), config.output_logits_soft_cap)?;
        parts.known("pad_token", |s| s.pad_token.map(Some), config.pad_token)?;
        parts.known("positional_embedding_type", |s| s.positional_embedding_type, (*positions).into())?;
        if let Some(rotary) = positions.rotary() {
            parts.known("rotary_dim", |s| s.rotary_dim, rotary.rotary_dim)?;
            parts.known("rotary_base", |s| s.rotary_base, rotary.rotary_base)?;
            parts.known("rotary_adjacent_pairs", |s| s.rotary_adjacent_pairs, rotary.rotary_adjacent_pairs)?;
        }
        parts.known("tie_word_embeddings", |s| s.tie_word_embeddings, config.tie_word_embeddings).map(drop)
    }
}

type Size = fn(&Settings) -> Option<usize>;

/// The sizes of a config that settings can name.
pub(super) fn sizes(config: &Config) -> [(&'static str, Size, usize); 8] {
    [
        ("n_layers", |s| s.n_layers, config.n_layers),
        ("n_heads", |s| s.n_heads, config.n_heads),
        ("n_key_value_heads", |s| s.n_key_value_heads, config.key_value_heads()),
        ("d_model", |s| s.d_model, config.d_model),
        ("d_head", |s| s.d_head, config.d_head),
        ("n_ctx", |s| s.n_ctx, config.n_ctx),
        ("d_vocab", |s| s.d_vocab, config.d_vocab),
        ("d_vocab_out", |s| s.d_vocab_out, config.d_vocab_out),
    ]
}

fn final_rms(config: &Config) -> bool {
    config.final_normalization_type.is_some_and(|norm| matches!(norm, Normalization::RMS | Normalization::RMSPre))
}

/// A soft cap as settings name it, where 0 is none.
pub(super) fn cap(said: f64) -> Option<f64> {
    (said > 0.0).then_some(said)
}

/// The windows of layers as settings name them, where an empty list is none.
pub(super) fn windows(said: Vec<Option<usize>>) -> Option<Vec<Option<usize>>> {
    (!said.is_empty()).then_some(said)
}

/// `exact` where a number that was said is that but for the digits that were left out.
pub(super) fn near(said: f64, exact: f64) -> f64 {
    if (said - exact).abs() <= 1e-6 * exact.abs() { exact } else { said }
}

/// The parts of a config, one after another, and how each is known.
pub(super) struct Parts<'a> {
    pub hints: &'a Hints,
    /// What models of the file's layout have.
    pub usual: &'a Settings,
    /// What models of the task have.
    pub of_task: Settings,
    pub notes: &'a mut Vec<Note>,
}

impl Parts<'_> {
    pub fn note<V: Serialize>(&mut self, what: &'static str, value: V, source: Source) -> V {
        self.notes.push(Note { what, value: shown(&value), source });
        value
    }

    /// A part that the file determines, whatever else is said of it.
    pub fn known<V: Clone + PartialEq + Serialize>(
        &mut self,
        what: &'static str,
        part: impl Fn(&Settings) -> Option<V>,
        file_says: V,
    ) -> Result<V> {
        match self.hints.get(what, part)? {
            Some((said, _)) if said != file_says => {
                Err(Error::invalid(what, format!("the file's {}", shown(&file_says)), shown(&said)))
            }
            _ => Ok(self.note(what, file_says, Source::File)),
        }
    }

    /// A part of which the file says nothing: what was said, or what is usual.
    pub fn usual<V: Clone + PartialEq + Serialize>(
        &mut self,
        what: &'static str,
        part: impl Fn(&Settings) -> Option<V>,
        usual: V,
    ) -> Result<V> {
        let kin = self.of_kin(&part);
        let (value, source) = self.hints.get(what, part)?.or(kin).unwrap_or((usual, Source::Assumed));
        Ok(self.note(what, value, source))
    }

    /// A part of which the file says nothing, and nothing is usual.
    pub fn asked<V: Clone + PartialEq + Serialize>(
        &mut self,
        what: &'static str,
        part: impl Fn(&Settings) -> Option<V>,
        question: Error,
    ) -> Result<V> {
        self.asked_of(what, part, |_| true, question)
    }

    /// [`asked`](Self::asked), where the file leaves only some values open.
    pub fn asked_of<V: Clone + PartialEq + Serialize>(
        &mut self,
        what: &'static str,
        part: impl Fn(&Settings) -> Option<V>,
        is_open: impl Fn(&V) -> bool,
        question: Error,
    ) -> Result<V> {
        let kin = self.of_kin(&|settings: &Settings| part(settings).filter(|value| is_open(value)));
        let (value, source) = self.hints.get(what, part)?.or(kin).ok_or(question)?;
        Ok(self.note(what, value, source))
    }

    /// What models of the file's layout have, or else those of the task.
    fn of_kin<V>(&self, part: &impl Fn(&Settings) -> Option<V>) -> Option<(V, Source)> {
        let of_layout = part(self.usual).map(|value| (value, Source::Layout));
        of_layout.or_else(|| Some((part(&self.of_task)?, Source::Task)))
    }
}
