//! The arrays of a study: circuits, and activations of the shown examples.

use super::examples::RANDOM;
use crate::{
    Circuits, EffectiveQk, KEY_TERMS, QUERY_TERMS, Runner, Shown, Subject, circuits, direct_path, effective_qk,
    probabilities, score_terms, support::check_scores,
};
use algolens_core::{
    Result,
    engine::hooks::{BlockPoint, Filter, HookPoint},
    model::Config,
    task::Dataset,
};
use ndarray::{Array2, Array3, Array4, Array6, ArrayD, Axis, Ix3, Ix4, Slice, s};
use std::collections::BTreeMap;

/// A study's arrays, by name; circuits are those of the first block.
pub type Arrays = BTreeMap<String, ArrayD<f32>>;

/// The circuits of the first block, the direct path, and the scores that the first block really gives.
pub(super) struct CircuitMaps {
    /// The full OV and QK circuits.
    pub circuits: Circuits,
    /// The direct path `W_E W_U [source, prediction]`.
    pub direct_path: Array2<f32>,
    /// The effective QK map; none of a model whose scores are no sum of terms.
    pub effective: Option<EffectiveQk>,
    /// Whether the model embeds positions.
    positions: bool,
}

impl CircuitMaps {
    /// The maps of a model over the shown tokens and classes; the effective QK map as a mean over `data`.
    ///
    /// # Errors
    /// Data that does not fit the model.
    pub fn of(subject: Subject, data: &Dataset, shown: &Shown) -> Result<Self> {
        let config = subject.model.config();
        let effective = || effective_qk(subject, data, &shown.tokens, &shown.tokens);
        Ok(Self {
            circuits: circuits(subject.model, 0, shown)?,
            direct_path: direct_path(subject.model, shown)?,
            effective: check_scores(config).is_ok().then(effective).transpose()?,
            positions: config.positional_embedding_type.has_embeddings(),
        })
    }

    /// The maps as a study's arrays.
    pub(super) fn arrays(&self) -> Arrays {
        let Self { circuits, direct_path, effective, positions } = self;
        let mut arrays = vec![
            ("W_OV_full", circuits.W_OV_full.clone().into_dyn()),
            ("W_QK_full", circuits.W_QK_full.clone().into_dyn()),
            ("direct_path", direct_path.clone().into_dyn()),
        ];
        if *positions {
            arrays.push(("W_QK_pos_query", circuits.W_QK_pos_query.clone().into_dyn()));
            arrays.push(("W_QK_pos_key", circuits.W_QK_pos_key.clone().into_dyn()));
        }
        arrays.extend(effective.iter().map(|effective| ("QK_effective", effective.scores.clone().into_dyn())));
        arrays.into_iter().map(|(name, array)| (name.to_owned(), array)).collect()
    }
}

/// A table of numbers as an array, `[row, column]`.
pub(crate) fn table<const COLUMNS: usize>(rows: &[[f64; COLUMNS]]) -> ArrayD<f32> {
    Array2::from_shape_fn((rows.len(), COLUMNS), |(row, column)| rows[row][column] as f32).into_dyn()
}

/// The part of the examples' arrays that has names of its own: `pattern_first_10 [example, head of the first block, query,
/// key]` and `probs_first_list [class, predicted position]`, of the first of the evaluation data.
pub(super) fn first_examples(arrays: &mut Arrays, groups: &[&str], config: &Config) {
    let random: Vec<usize> = (0..groups.len()).filter(|example| groups[*example] == RANDOM).collect();
    let Some(&first_random) = random.first() else { return };
    let first = arrays["pattern"].select(Axis(0), &random);
    let first = first.slice_axis(Axis(1), Slice::from(..config.n_heads)).to_owned();
    let first_probs = arrays["probs"].index_axis(Axis(0), first_random).to_owned();
    arrays.insert("pattern_first_10".into(), first);
    arrays.insert("probs_first_list".into(), first_probs);
}

/// The arrays of the examples: `pattern [example, head, query, key]` (heads of every block), `probs [example, shown class, predicted
/// position]` and, where scores are sums of terms, `score_terms [example, head of the first block, query term, key term, predicted position, key]`, each term
/// less its mean over the keys that the query sees (a constant that the softmax ignores).
pub(super) fn example_arrays(subject: Subject, examples: &Dataset, shown: &Shown, all: &mut Arrays) -> Result<()> {
    let config = subject.model.config();
    let reads = |name: &str| name.ends_with("hook_pattern");
    let (_, cache) = subject.engine.run_with_cache(subject.model, examples.tokens(), Filter::Matching(&reads))?;
    let (count, seq) = examples.tokens().dim();
    let mut pattern = Array4::<f32>::zeros((count, config.n_layers * config.n_heads, seq, seq));
    for (layer, mut heads) in pattern.axis_chunks_iter_mut(Axis(1), config.n_heads).enumerate() {
        heads.assign(&cache.get::<Ix4>(&HookPoint::Block(layer, BlockPoint::Pattern).to_string())?);
    }
    all.insert("pattern".into(), pattern.into_dyn());
    let classes: Vec<usize> = shown.classes.iter().map(|class| *class as usize).collect();
    all.insert("probs".into(), probabilities(subject, examples)?.select(Axis(1), &classes).into_dyn());
    if check_scores(config).is_ok() {
        all.insert("score_terms".into(), example_terms(subject, examples)?.into_dyn());
    }
    Ok(())
}

/// The array `score_terms` of the examples.
fn example_terms(subject: Subject, examples: &Dataset) -> Result<Array6<f32>> {
    let config = subject.model.config();
    let (count, seq) = examples.tokens().dim();
    let shape = (count, config.n_heads, QUERY_TERMS.len(), KEY_TERMS.len(), examples.positions().len(), seq);
    let mut terms = Array6::<f32>::zeros(shape);
    for (tokens, mut to) in examples.tokens().outer_iter().zip(terms.outer_iter_mut()) {
        let found = score_terms(subject, &tokens.to_vec())?.terms;
        for (slot, &query) in examples.positions().iter().enumerate() {
            let keys = config.keys_seen(query, seq);
            let query_terms = found.slice(s![.., .., .., query, ..keys]);
            let mean = query_terms.mean_axis(Axis(3)).expect("a query sees itself").insert_axis(Axis(3));
            to.slice_mut(s![.., .., .., slot, ..keys]).assign(&(&query_terms - &mean).mapv(|term| term as f32));
        }
    }
    Ok(terms)
}

/// The mean attention pattern of every head over data, `[head, query, key]`; NaN at positions of the model that the data do not
/// have.
pub(super) fn mean_pattern(subject: Subject, data: &Dataset) -> Result<Array3<f32>> {
    let config = subject.model.config();
    let seq = data.tokens().ncols();
    let points: Vec<HookPoint> =
        (0..config.n_layers).map(|layer| HookPoint::Block(layer, BlockPoint::Pattern)).collect();
    let means = Runner::new(subject).mean(data.tokens(), &points)?;
    let mut pattern = Array3::from_elem((config.n_layers * config.n_heads, config.n_ctx, config.n_ctx), f32::NAN);
    for (point, mut heads) in points.iter().zip(pattern.axis_chunks_iter_mut(Axis(0), config.n_heads)) {
        heads.slice_mut(s![.., ..seq, ..seq]).assign(&means.get::<Ix3>(&point.to_string())?);
    }
    Ok(pattern)
}
