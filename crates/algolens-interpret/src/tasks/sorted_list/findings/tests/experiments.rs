//! What experiments measure agrees with slower ways to the same number.

use super::super::experiments::repairs;
use crate::{
    Subject, attribution,
    attribution::{SourceQuery, source_logits},
    score_terms,
    scores::token_scores,
    source_attribution,
    tasks::sorted_list::{families::gap_lists, gap_sites},
};
use algolens_core::{
    engine::{
        Engine, Plain,
        hooks::{BlockPoint, HookPoint, Hooks},
        loss::argmax,
    },
    model::Model,
    task::{Dataset, SortedList, Task},
};
use ndarray::{Axis, s};

fn small() -> (SortedList, Model) {
    let task = SortedList::new(4, 9).unwrap();
    let config = algolens_core::model::Config {
        n_heads: 3,
        d_model: 8,
        d_head: 4,
        n_ctx: task.n_ctx(),
        d_vocab: 11,
        d_vocab_out: 11,
        ..Default::default()
    };
    (task, Model::init(config, 4).unwrap())
}

#[test]
fn sources_of_single_queries_are_those_of_the_whole_attribution() {
    let (task, model) = small();
    let subject = Subject { model: &model, engine: &Plain::new() };
    let data = task.dataset(6, 1);
    let queries: Vec<SourceQuery> = (0..6)
        .map(|list| SourceQuery { head: list % 3, position: 4 + list % 4, sources: [list % 4, 3], classes: [2, 7] })
        .collect();
    let positions = [4, 5, 6, 7];
    let sources = source_attribution(subject, 0, data.tokens(), &positions).unwrap();
    let whole = attribution(subject, data.tokens(), &positions).unwrap().contributions;
    for (list, (found, query)) in
        source_logits(subject, 0, data.tokens(), &queries).unwrap().iter().zip(&queries).enumerate()
    {
        let slot = query.position - 4;
        for (class, token) in query.classes.into_iter().enumerate() {
            for (source, position) in query.sources.into_iter().enumerate() {
                let cell = sources.slice(s![list, .., slot, position, token as usize]);
                assert!((found.dla[class][source] - cell[query.head]).abs() < 1e-5);
                assert!((found.all_heads[class][source] - cell.sum()).abs() < 1e-5);
            }
            let parts = whole.slice(s![.., list, slot, token as usize]);
            assert!((found.direct[class] - parts[0]).abs() < 1e-5);
            assert!((found.logits[class] - parts.sum()).abs() < 1e-4);
        }
    }
}

#[test]
fn token_scores_are_the_first_of_the_score_terms() {
    let (task, model) = small();
    let subject = Subject { model: &model, engine: &Plain::new() };
    let data = task.dataset(5, 2);
    let queries = [4, 5, 6, 7, 8];
    let found = token_scores(subject, data.tokens(), &queries).unwrap();
    for (list, query) in queries.into_iter().enumerate() {
        let terms = score_terms(subject, &data.tokens().row(list).to_vec()).unwrap().terms;
        let expected = terms.slice(s![.., 0, 0, query, ..]).to_owned();
        let found = found.index_axis(Axis(0), list);
        assert!(found.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-9));
    }
}

/// A key whose score is taken away leaves its weight to the others: the pattern without it, scaled to sum to 1.
#[test]
fn a_repair_without_x_is_a_pattern_without_its_keys() {
    let (task, model) = small();
    let subject = Subject { model: &model, engine: &Plain::new() };
    let (size, seed) = (60, 3);
    let gaps = gap_sites(subject, &task, size, seed).unwrap();
    let found = repairs(subject, &task, &gaps, size, seed).unwrap();
    let mut at = 0;
    for (gap, sites) in &gaps {
        let lists = gap_lists(&task, *gap, size, seed);
        for (site, (x, list)) in sites.iter().zip(lists).filter(|(site, _)| !site.correct()) {
            let tokens = Dataset::from_inputs(&task, &[&list]).unwrap().tokens().to_owned();
            let without = |lost: &dyn Fn(&[f32]) -> Vec<usize>| {
                let mut hooks = Hooks::new(model.config());
                hooks.add_at(HookPoint::Block(0, BlockPoint::Pattern), |pattern| {
                    for mut head in pattern.index_axis_mut(Axis(0), 0).outer_iter_mut() {
                        let mut row = head.index_axis_mut(Axis(0), site.query);
                        let weights: Vec<f32> = row.iter().copied().collect();
                        lost(&weights).into_iter().for_each(|key| row[[key]] = 0.0);
                        let total = row.sum();
                        row /= total;
                    }
                    Ok(())
                });
                let logits = Plain::new().run_with_hooks(&model, tokens.view(), &mut hooks).unwrap();
                argmax(logits.slice(s![0, site.query, ..])) as u32 == site.target
            };
            let holds = |key: &usize, values: &[u32]| values.contains(&tokens[[0, *key]]);
            let x_keys = |weights: &[f32]| (0..weights.len()).filter(|key| holds(key, &[x])).collect();
            let strongest = |weights: &[f32]| {
                let others = (0..weights.len()).filter(|key| !holds(key, &[x, site.target]));
                others.max_by(|a, b| weights[*a].total_cmp(&weights[*b])).into_iter().collect()
            };
            assert_eq!((found[at].without_x, found[at].without_other), (without(&x_keys), without(&strongest)));
            at += 1;
        }
    }
    assert_eq!(at, found.len());
    assert!(found.iter().any(|repair| repair.without_x) && found.iter().any(|repair| repair.without_other), "{at}");
}
