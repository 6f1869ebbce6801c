//! Which configs make a model.

use super::{ActFn, AttentionDir, Config, Mlp};
use crate::{Error, Result};

impl Config {
    /// Whether the config makes a model.
    ///
    /// # Errors
    /// Names the first size that is zero or above [`LARGEST`](Self::LARGEST), or the first choice that does not go with the
    /// others; or says that there are too many blocks, parameters or activations.
    pub fn validate(&self) -> Result<()> {
        self.check_sizes()?;
        self.check_numbers()?;
        self.check_attention()?;
        self.check_mlp()?;
        if self.tie_word_embeddings && self.d_vocab != self.d_vocab_out {
            let expected = format!("d_vocab, {}, as the embeddings are tied", self.d_vocab);
            return Err(Error::invalid("d_vocab_out", expected, self.d_vocab_out));
        }
        let parameters = self.parameters_at_most();
        if parameters > Self::MOST_PARAMETERS as u128 {
            return Err(Error::invalid("model", format!("at most {} parameters", Self::MOST_PARAMETERS), parameters));
        }
        let activations = self.activations(self.n_ctx);
        if activations > Self::MOST_ACTIVATIONS as u128 {
            let expected = format!("at most {} activations in a sequence of n_ctx tokens", Self::MOST_ACTIVATIONS);
            return Err(Error::invalid("model", expected, activations));
        }
        Ok(())
    }

    fn check_sizes(&self) -> Result<()> {
        let d_mlp = self.mlp.map_or(1, |mlp| mlp.d_mlp);
        for (name, size, least, most) in [
            ("n_layers", self.n_layers, 0, Self::MOST_LAYERS),
            ("n_heads", self.n_heads, usize::from(self.mlp.is_none()), Self::LARGEST),
            ("n_key_value_heads", self.key_value_heads(), usize::from(self.n_heads > 0), Self::LARGEST),
            ("d_model", self.d_model, 1, Self::LARGEST),
            ("d_head", self.d_head, 1, Self::LARGEST),
            ("d_mlp", d_mlp, 1, Self::LARGEST),
            ("n_ctx", self.n_ctx, 1, Self::LARGEST),
            ("d_vocab", self.d_vocab, 1, Self::LARGEST),
            ("d_vocab_out", self.d_vocab_out, 1, Self::LARGEST),
        ] {
            if size < least || size > most {
                return Err(Error::invalid(name, format!("{least} to {most}"), size));
            }
        }
        Ok(())
    }

    /// Every number as an engine in f32 sees it.
    fn check_numbers(&self) -> Result<()> {
        let rotary_base = self.positional_embedding_type.rotary().map(|rotary| rotary.rotary_base);
        for (name, number) in [
            ("eps", Some(self.eps)),
            ("attn_scale", self.attn_scale),
            ("attn_scores_soft_cap", self.attn_scores_soft_cap),
            ("output_logits_soft_cap", self.output_logits_soft_cap),
            ("rotary_base", rotary_base),
        ] {
            let Some(number) = number else { continue };
            let single = number as f32;
            if !(single > 0.0 && single.is_finite()) {
                return Err(Error::invalid(name, "a positive number that f32 can hold", number));
            }
        }
        match self.masked_score {
            Some(score) if !(score as f32).is_finite() => {
                Err(Error::invalid("masked_score", "a number that f32 can hold, or none for −∞", score))
            }
            _ => Ok(()),
        }
    }

    fn check_attention(&self) -> Result<()> {
        if !self.n_heads.is_multiple_of(self.key_value_heads().max(1)) {
            let expected = format!("a divisor of n_heads, {}", self.n_heads);
            return Err(Error::invalid("n_key_value_heads", expected, self.key_value_heads()));
        }
        if let Some(rotary) = self.positional_embedding_type.rotary()
            && (rotary.rotary_dim % 2 == 1 || rotary.rotary_dim == 0 || rotary.rotary_dim > self.d_head)
        {
            let expected = format!("an even number from 2 to d_head, {}", self.d_head);
            return Err(Error::invalid("rotary_dim", expected, rotary.rotary_dim));
        }
        if let Some(token) = self.pad_token
            && token as usize >= self.d_vocab
        {
            return Err(Error::invalid("pad_token", format!("a token below d_vocab, {}", self.d_vocab), token));
        }
        self.check_windows()
    }

    fn check_windows(&self) -> Result<()> {
        let windows = &self.attn_windows;
        if !windows.is_empty() && windows.len() != self.n_layers {
            let expected = format!("a window (or none) for each of {} layers", self.n_layers);
            return Err(Error::invalid("attn_windows", expected, windows.len()));
        }
        if windows.contains(&Some(0)) {
            return Err(Error::invalid("attn_windows", "windows of one key or more", 0));
        }
        if self.attention_dir == AttentionDir::Bidirectional && windows.iter().any(Option::is_some) {
            return Err(Error::invalid("attn_windows", "causal attention", "bidirectional"));
        }
        Ok(())
    }

    fn check_mlp(&self) -> Result<()> {
        match self.mlp {
            Some(Mlp { act_fn: ActFn::SoluLn, gated: true, .. }) => {
                Err(Error::invalid("act_fn", "one without a norm, as the MLP is gated", "solu_ln"))
            }
            None if self.parallel_attn_mlp => Err(Error::invalid("parallel_attn_mlp", "an MLP", "none")),
            _ => Ok(()),
        }
    }
}
