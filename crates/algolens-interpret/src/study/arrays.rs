//! The arrays of a study: circuits, close triples, and activations of the shown lists.

use super::lists::Group;
use crate::{EffectiveQk, KEY_TERMS, QUERY_TERMS, Subject, probabilities, score_terms, tasks::sorted_list::Evidence};
use algolens_core::{
    Result,
    engine::hooks::{BlockPoint, Filter, HookPoint},
    model::Config,
    task::Dataset,
};
use ndarray::{Array4, Array6, ArrayD, Axis, Ix4, Slice, s};
use std::collections::BTreeMap;

/// A study's arrays, by name; circuits are those of the first block.
pub type Arrays = BTreeMap<String, ArrayD<f32>>;

/// The arrays of circuits and close triples.
pub(super) fn evidence_arrays(evidence: &Evidence, effective: &EffectiveQk) -> Arrays {
    let Evidence { circuits, direct_path, triples, .. } = evidence;
    let arrays = [
        ("W_OV_full", circuits.W_OV_full.clone().into_dyn()),
        ("W_QK_full", circuits.W_QK_full.clone().into_dyn()),
        ("W_QK_pos_query", circuits.W_QK_pos_query.clone().into_dyn()),
        ("W_QK_pos_key", circuits.W_QK_pos_key.clone().into_dyn()),
        ("QK_effective", effective.scores.clone().into_dyn()),
        ("direct_path", direct_path.clone().into_dyn()),
        ("triple_tokens", triples.tokens.mapv(|token| token as f32).into_dyn()),
        ("triple_dla", triples.dla.mapv(|logit| logit as f32).into_dyn()),
    ];
    arrays.map(|(name, array)| (name.to_owned(), array)).into()
}

/// Adds the parts of the lists' arrays that have names of their own: `pattern_first_10 [list, head of the first block, query,
/// key]`, `probs_first_list [class, predicted position]`, and `probs_custom` of the post's adversarial lists.
pub(super) fn first_lists(arrays: &mut Arrays, groups: &[Group], config: &Config) {
    let in_group = |group: Group| -> Vec<usize> { (0..groups.len()).filter(|list| groups[*list] == group).collect() };
    let random = in_group(Group::Random);
    let first = arrays["pattern"].select(Axis(0), &random);
    let first = first.slice_axis(Axis(1), Slice::from(..config.n_heads)).to_owned();
    let first_probs = arrays["probs"].index_axis(Axis(0), random[0]).to_owned();
    let custom = arrays["probs"].select(Axis(0), &in_group(Group::PostAdversarial));
    for (name, array) in [("pattern_first_10", first), ("probs_first_list", first_probs), ("probs_custom", custom)] {
        arrays.insert(name.into(), array);
    }
}

/// The arrays of the lists: `pattern [list, head, query, key]` (heads of every block), `probs [list, class, predicted
/// position]` and `score_terms [list, head of the first block, query term, key term, predicted position, key]`, each term
/// less its mean over the keys that the query sees (a constant that the softmax ignores).
pub(super) fn list_arrays(subject: Subject, lists: &Dataset, all: &mut Arrays) -> Result<()> {
    let config = subject.model.config();
    let reads = |name: &str| name.ends_with("hook_pattern");
    let (_, cache) = subject.engine.run_with_cache(subject.model, lists.tokens(), Filter::Matching(&reads))?;
    let (count, seq) = lists.tokens().dim();
    let mut pattern = Array4::<f32>::zeros((count, config.n_layers * config.n_heads, seq, seq));
    for (layer, mut heads) in pattern.axis_chunks_iter_mut(Axis(1), config.n_heads).enumerate() {
        heads.assign(&cache.get::<Ix4>(&HookPoint::Block(layer, BlockPoint::Pattern).to_string())?);
    }
    let shape = (count, config.n_heads, QUERY_TERMS.len(), KEY_TERMS.len(), lists.positions().len(), seq);
    let mut terms = Array6::<f32>::zeros(shape);
    for (tokens, mut to) in lists.tokens().outer_iter().zip(terms.outer_iter_mut()) {
        let found = score_terms(subject, &tokens.to_vec())?.terms;
        for (slot, &query) in lists.positions().iter().enumerate() {
            let keys = config.keys_seen(query, seq);
            let query_terms = found.slice(s![.., .., .., query, ..keys]);
            let mean = query_terms.mean_axis(Axis(3)).expect("a query sees itself").insert_axis(Axis(3));
            to.slice_mut(s![.., .., .., slot, ..keys]).assign(&(&query_terms - &mean).mapv(|term| term as f32));
        }
    }
    all.insert("pattern".into(), pattern.into_dyn());
    all.insert("probs".into(), probabilities(subject, lists)?.into_dyn());
    all.insert("score_terms".into(), terms.into_dyn());
    Ok(())
}
