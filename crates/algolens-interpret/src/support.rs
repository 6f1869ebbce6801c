//! Which models an analysis is about: those whose numbers it takes apart exactly.

use algolens_core::{Error, Result, model::Config};

/// Whether a model has heads.
///
/// # Errors
/// A model of no block, or of blocks without attention.
pub(super) fn check_heads(config: &Config) -> Result<()> {
    match (config.n_layers, config.n_heads) {
        (0, _) => Err(Error::invalid("model", "a block, as this is about heads", "none")),
        (_, 0) => Err(Error::invalid("model", "attention, as this is about heads", "blocks without it")),
        _ => Ok(()),
    }
}

/// Whether attention scores of the first block are a sum of terms of the query's and the key's token and position.
///
/// # Errors
/// A model without heads, with rotary positions, or with capped scores.
pub(super) fn check_scores(config: &Config) -> Result<()> {
    check_heads(config)?;
    if config.positional_embedding_type.rotary().is_some() {
        return Err(Error::invalid("positions", "embeddings or none, as scores are taken apart by them", "rotary"));
    }
    match config.attn_scores_soft_cap {
        None => Ok(()),
        Some(cap) => Err(Error::invalid("attn_scores_soft_cap", "none, as capped scores are no sum of terms", cap)),
    }
}

/// Whether a study can be made of a model.
///
/// # Errors
/// A model without heads, or of which logits cannot be taken apart.
pub(super) fn check_study(config: &Config) -> Result<()> {
    check_heads(config)?;
    check_logits(config)
}

/// Whether the sections about sorting can be written about a model.
///
/// # Errors
/// A model of which scores cannot be taken apart, or without embeddings of positions.
pub(super) fn check_sorting(config: &Config) -> Result<()> {
    check_scores(config)?;
    if config.positional_embedding_type.has_embeddings() {
        return Ok(());
    }
    Err(Error::invalid("positions", "embeddings, as sorting is explained by their circuits", "none"))
}

/// Whether logits are a sum over what is written to the residual stream.
///
/// # Errors
/// A model whose logits are capped.
pub(super) fn check_logits(config: &Config) -> Result<()> {
    match config.output_logits_soft_cap {
        None => Ok(()),
        Some(cap) => Err(Error::invalid("output_logits_soft_cap", "none, as capped logits are no sum of parts", cap)),
    }
}
