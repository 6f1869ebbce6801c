//! Analyses agree with what they claim to take apart, on random models of every kind.

use algolens_core::{
    engine::{Engine, Plain, hooks::Filter},
    evaluation::evaluate,
    model::{AttentionDir, Config, Model, Normalization, Positions},
    task::{Dataset, Right, SortedList, Targets, Task},
};
use algolens_interpret::{
    Ablation, Answer, Head, Method, Part, Shown, Subject, ablate, attention_rows, attribution, direct_path, greedy,
    predict, score_terms, source_attribution,
    tasks::sorted_list::{attention_statistics, prediction_sites},
};
use algolens_testing::{any_kind, random_model, sizes, with_cases};
use ndarray::{Array3, Axis, Ix3, Ix4, s};
use proptest::prelude::*;

const ENGINE: fn() -> Plain = Plain::new;

proptest! {
    #![proptest_config(with_cases(96))]

    #[test]
    fn contributions_sum_to_the_logits(sizes in sizes(), kind in any_kind()) {
        let (model, tokens) = sizes.model(kind);
        let model = model.cast::<f32>();
        let engine = ENGINE();
        let subject = Subject { model: &model, engine: &engine };
        let positions: Vec<usize> = (0..tokens.ncols()).rev().collect();
        let logits = engine.logits(&model, tokens.view(), &positions).unwrap();
        let found = attribution(subject, tokens.view(), &positions).unwrap();
        prop_assert_eq!(found.components.len(), found.contributions.len_of(Axis(0)));
        let largest = found.contributions.iter().fold(1.0_f64, |max, x| max.max(x.abs()));
        for (sum, logit) in found.contributions.sum_axis(Axis(0)).iter().zip(&logits) {
            prop_assert!((sum - f64::from(*logit)).abs() <= 1e-5 * largest, "{sum} is not {logit}");
        }
        for layer in 0..model.config().n_layers {
            let sources = source_attribution(subject, layer, tokens.view(), &positions).unwrap();
            for head in 0..model.config().n_heads {
                let name = Head { layer, head }.to_string();
                let component = found.components.iter().position(|c| *c == name).unwrap();
                let summed = sources.index_axis(Axis(1), head).sum_axis(Axis(2));
                let whole = found.contributions.index_axis(Axis(0), component);
                for (sum, whole) in summed.iter().zip(&whole) {
                    prop_assert!((sum - whole).abs() <= 1e-5 * largest, "{sum} is not {whole}");
                }
            }
        }
    }

    #[test]
    fn score_terms_sum_to_the_scores_up_to_a_constant_for_each_query(sizes in sizes(), kind in any_kind()) {
        let (model, tokens) = sizes.model(kind);
        let model = model.cast::<f32>();
        let engine = ENGINE();
        let subject = Subject { model: &model, engine: &engine };
        let name = "blocks.0.attn.hook_attn_scores";
        let (_, cache) = engine.run_with_cache(&model, tokens.view(), Filter::Names(&[name])).unwrap();
        let scores = cache.get::<Ix4>(name).unwrap();
        for (list, tokens) in tokens.outer_iter().enumerate() {
            let total = score_terms(subject, &tokens.to_vec()).unwrap().total();
            for ((head, query, key), sum) in total.indexed_iter().filter(|((_, q, k), _)| *k < model.config().keys_seen(*q, tokens.len())) {
                // Key 0 is visible to every query.
                let difference = sum - total[[head, query, 0]];
                let expected = f64::from(scores[[list, head, query, key]]) - f64::from(scores[[list, head, query, 0]]);
                let size = 1.0 + scores.iter().filter(|s| s.is_finite()).fold(0.0_f64, |m, s| m.max(f64::from(s.abs())));
                prop_assert!((difference - expected).abs() <= 1e-5 * size, "{difference} is not {expected}");
            }
        }
    }
}

/// A random model of a small sorting task.
fn sorting_model(normalization_type: Normalization, seed: u64) -> (SortedList, Model) {
    let task = SortedList::new(4, 8).unwrap();
    let config = Config {
        n_layers: 1,
        n_heads: 2,
        d_model: 8,
        d_head: 3,
        mlp: None,
        n_ctx: task.n_ctx(),
        d_vocab: 10,
        d_vocab_out: 10,
        normalization_type,
        attention_dir: AttentionDir::Causal,
        positional_embedding_type: Positions::Standard,
        eps: 1e-5,
        ..Config::default()
    };
    (task, random_model(config, seed).cast())
}

fn ablation(parts: &[Part], method: Method) -> Ablation {
    Ablation { parts: parts.to_vec(), method, positions: None, frozen_scale: false }
}

fn heads() -> [Part; 2] {
    [0, 1].map(|head| Part::Head(Head { layer: 0, head }))
}

#[test]
fn zeroing_a_head_is_zeroing_its_w_o() {
    let (task, model) = sorting_model(Normalization::LN, 1);
    let mut without = model.clone();
    without.params.tensor_mut("blocks.0.attn.W_O").unwrap().index_axis_mut(Axis(0), 1).fill(0.0);
    let (data, engine) = (task.dataset(50, 3), ENGINE());
    let expected = evaluate(&engine, &without, &data).unwrap();
    let subject = Subject { model: &model, engine: &engine };
    let found = ablate(subject, &ablation(&heads()[1..], Method::Zero), &data, &data, Some(&data)).unwrap();
    assert!((found.evaluation.loss - expected.loss).abs() < 1e-6);
    let before = evaluate(subject.engine, subject.model, &data).unwrap();
    assert!((found.loss_increase - (expected.loss - before.loss)).abs() < 1e-6);
    let zeroed = predict(Subject { model: &without, engine: &engine }, &data).unwrap();
    let answers =
        |all: &[algolens_interpret::Prediction]| -> Vec<_> { all.iter().map(|p| p.predicted.clone()).collect() };
    assert_eq!(answers(&found.chosen), answers(&zeroed));
}

#[test]
fn zeroing_positions_is_zeroing_w_pos_and_zeroing_the_direct_path_leaves_attention_alone() {
    let (task, model) = sorting_model(Normalization::None, 2);
    let (data, engine) = (task.dataset(50, 3), ENGINE());
    let subject = Subject { model: &model, engine: &engine };
    let mut without = model.clone();
    without.params.tensor_mut("pos_embed.W_pos").unwrap().fill(0.0);
    let expected = evaluate(&engine, &without, &data).unwrap();
    let found = ablate(subject, &ablation(&[Part::PosEmbed], Method::Zero), &data, &data, None).unwrap();
    assert!((found.evaluation.loss - expected.loss).abs() < 1e-6);
    // Without norms, logits lose exactly W_E W_U of the token at the position.
    let before = engine.logits(&model, data.tokens(), data.positions()).unwrap();
    let path = direct_path(&model, &Shown::all(model.config())).unwrap();
    let mut log_probs = 0.0;
    for ((logits, tokens), targets) in
        before.outer_iter().zip(data.tokens().outer_iter()).zip(data.classes().unwrap().outer_iter())
    {
        for ((row, position), target) in logits.outer_iter().zip(data.positions()).zip(targets) {
            let left = &row - &path.row(tokens[*position] as usize);
            log_probs += algolens_core::engine::loss::log_softmax(left.view())[*target as usize];
        }
    }
    let found = ablate(subject, &ablation(&[Part::DirectPath], Method::Zero), &data, &data, None).unwrap();
    assert!((found.evaluation.loss + log_probs / data.targets().len() as f64).abs() < 1e-5);
}

#[test]
fn a_mean_is_over_the_batch_and_resampling_from_the_same_lists_changes_nothing() {
    let (task, model) = sorting_model(Normalization::LN, 4);
    let (data, engine) = (task.dataset(40, 3), ENGINE());
    let subject = Subject { model: &model, engine: &engine };
    let same = ablate(subject, &ablation(&heads(), Method::Resample), &data, &data, None).unwrap();
    assert!(same.loss_increase.abs() < 1e-6);
    let other = ablate(subject, &ablation(&heads(), Method::Resample), &data, &task.dataset(40, 4), None).unwrap();
    assert!(other.loss_increase.abs() > 1e-3);
    // One list is its own mean.
    let one = data.select(&[0]);
    let mean = ablate(subject, &ablation(&heads(), Method::Mean), &one, &one, None).unwrap();
    assert!(mean.loss_increase.abs() < 1e-6);
    // The mean of a head over lists, by hand.
    let name = "blocks.0.attn.hook_result";
    let (_, cache) = engine.run_with_cache(&model, data.tokens(), Filter::Names(&[name])).unwrap();
    let mean = cache.get::<Ix4>(name).unwrap().index_axis(Axis(2), 0).mean_axis(Axis(0)).unwrap();
    let mut hooks = algolens_core::engine::hooks::Hooks::new(model.config());
    hooks
        .add(name, |result| {
            for mut list in result.outer_iter_mut() {
                list.index_axis_mut(Axis(1), 0).assign(&mean);
            }
            Ok(())
        })
        .unwrap();
    let logits = engine.run_with_hooks(&model, data.tokens(), &mut hooks).unwrap();
    let logits = logits.select(Axis(1), data.positions());
    let expected = algolens_core::engine::loss::score(logits.view(), data.targets()).loss();
    let found = ablate(subject, &ablation(&heads()[..1], Method::Mean), &data, &data, None).unwrap();
    assert!((found.evaluation.loss - expected).abs() < 1e-6);
}

#[test]
fn a_frozen_scale_is_that_of_the_unablated_run() {
    let (task, model) = sorting_model(Normalization::LN, 5);
    let (data, engine) = (task.dataset(20, 3), ENGINE());
    let subject = Subject { model: &model, engine: &engine };
    let part = &heads()[..1];
    let frozen = Ablation { frozen_scale: true, ..ablation(part, Method::Zero) };
    let found = ablate(subject, &frozen, &data, &data, None).unwrap();
    // With the scale frozen, zeroing a head takes away exactly its direct contribution.
    let parts = attribution(subject, data.tokens(), data.positions()).unwrap();
    let component = parts.components.iter().position(|name| name == "0.0").unwrap();
    let left: Array3<f64> = parts.contributions.sum_axis(Axis(0)) - parts.contributions.index_axis(Axis(0), component);
    let expected = algolens_core::engine::loss::score(left.view(), data.targets()).loss();
    assert!((found.evaluation.loss - expected).abs() < 1e-5);
    let recomputed = ablate(subject, &ablation(part, Method::Zero), &data, &data, None).unwrap();
    assert!((recomputed.evaluation.loss - expected).abs() > 1e-3);
    let (task, normless) = sorting_model(Normalization::None, 5);
    let data = task.dataset(2, 1);
    let refused = ablate(Subject { model: &normless, engine: &engine }, &frozen, &data, &data, None).unwrap_err();
    assert_eq!(refused.to_string(), "frozen scale: expected a model with a final norm, found none");
}

#[test]
fn an_ablation_at_some_positions_leaves_the_others_alone() {
    let (task, model) = sorting_model(Normalization::LN, 6);
    let (data, engine) = (task.dataset(20, 3), ENGINE());
    let subject = Subject { model: &model, engine: &engine };
    let at = |positions: Vec<usize>| Ablation { positions: Some(positions), ..ablation(&heads(), Method::Zero) };
    // Attention of a one-layer model does not read what heads wrote elsewhere.
    let unpredicted = ablate(subject, &at(vec![0, 1, 8]), &data, &data, None).unwrap();
    // Two orders of the same sums: with a hook, heads are added up one by one.
    assert!(unpredicted.loss_increase.abs() < 1e-6);
    let predicted = ablate(subject, &at(data.positions().to_vec()), &data, &data, None).unwrap();
    let everywhere = ablate(subject, &ablation(&heads(), Method::Zero), &data, &data, None).unwrap();
    assert!((predicted.loss_increase - everywhere.loss_increase).abs() < 1e-9);
    assert!(ablate(subject, &at(vec![9]), &data, &data, None).is_err());
}

#[test]
fn lists_are_sorted_alike_letter_by_letter_and_greedily() {
    for seed in 0..20 {
        let (task, model) = sorting_model(Normalization::LN, seed);
        let (data, engine) = (task.dataset(30, 3), ENGINE());
        let subject = Subject { model: &model, engine: &engine };
        let written = greedy(subject, &task, &data).unwrap();
        for (prediction, written) in predict(subject, &data).unwrap().iter().zip(written.outer_iter()) {
            assert_eq!(prediction.correct, prediction.expected == written.to_vec());
            // Up to the first mistake, the model reads the same tokens both ways.
            let wrong = prediction.expected.iter().zip(&prediction.predicted).position(|(e, p)| e != p);
            let until = wrong.map_or(task.list_len(), |at| at + 1);
            assert_eq!(prediction.predicted[..until], written.slice(s![..until]).to_vec());
        }
    }
}

/// A set is right where its classes fill the first ranks; a distribution, where the first rank is one of its likeliest.
#[test]
fn predictions_of_sets_and_distributions_are_judged_by_rank() {
    let (task, model) = sorting_model(Normalization::LN, 4);
    let (data, engine) = (task.dataset(40, 3), ENGINE());
    let subject = Subject { model: &model, engine: &engine };
    let logits = engine.logits(&model, data.tokens(), data.positions()).unwrap();
    let (lists, slots, classes) = logits.dim();
    // The two classes that the model says first in half of the predictions, else its first and its third.
    let ranked = |list: usize, slot: usize| {
        let row = logits.slice(s![list, slot, ..]);
        let mut ranked: Vec<usize> = (0..classes).collect();
        ranked.sort_by(|a, b| row[*b].total_cmp(&row[*a]));
        ranked
    };
    let chosen = |list: usize, slot: usize| {
        let ranked = ranked(list, slot);
        [ranked[(list + slot) % 3], ranked[1]]
    };
    let sets = Array3::from_shape_fn(logits.dim(), |(list, slot, class)| chosen(list, slot).contains(&class));
    let likelier = Array3::from_shape_fn(logits.dim(), |(list, slot, class)| {
        let [first, second] = chosen(list, slot);
        if first == second {
            f32::from(class == first)
        } else {
            0.75 * f32::from(class == first) + 0.25 * f32::from(class == second)
        }
    });
    let with = |right: Right| {
        let targets = Targets { right, weights: None };
        let labels = data.token_labels().to_vec();
        let data = Dataset::new(data.tokens().to_owned(), targets, data.positions().to_vec(), labels);
        predict(subject, &data.unwrap()).unwrap()
    };
    let (of_sets, of_distributions) = (with(Right::Sets(sets)), with(Right::Distributions(likelier)));
    let mut counts = [[0; 2]; 2];
    for (list, slot) in (0..lists).flat_map(|list| (0..slots).map(move |slot| (list, slot))) {
        let (ranked, [first, second]) = (ranked(list, slot), chosen(list, slot));
        let mut set = vec![first as u32, second as u32];
        set.sort_unstable();
        set.dedup();
        let (found, likely) = (&of_sets[list], &of_distributions[list]);
        let mut said: Vec<u32> = ranked[..set.len()].iter().map(|class| *class as u32).collect();
        said.sort_unstable();
        assert_eq!((found.expected[slot].classes(), found.predicted[slot].classes()), (&set[..], &said[..]));
        assert_eq!(found.correct_at[slot], Some(said == set));
        assert_eq!(
            (&likely.expected[slot], &likely.predicted[slot]),
            (&Answer::Class(first as u32), &Answer::Class(ranked[0] as u32))
        );
        assert_eq!(likely.correct_at[slot], Some(ranked[0] == first));
        let z = |class: usize| f64::from(logits[[list, slot, class]]);
        let outside = (0..classes).filter(|class| !set.contains(&(*class as u32)));
        let pairs: f64 =
            outside.map(|wrong| set.iter().map(|right| (z(wrong) - z(*right as usize)).exp()).sum::<f64>()).sum();
        assert!((found.prob_expected[slot] - 1.0 / (1.0 + pairs)).abs() < 1e-6);
        let all: f64 = (0..classes).map(|class| z(class).exp()).sum();
        let mean = if first == second { z(first) } else { 0.75 * z(first) + 0.25 * z(second) };
        assert!((likely.prob_expected[slot] - mean.exp() / all).abs() < 1e-6);
        counts[0][usize::from(said == set)] += 1;
        counts[1][usize::from(ranked[0] == first)] += 1;
    }
    assert!(counts.as_flattened().iter().all(|count| *count > 20), "{counts:?}");
}

#[test]
fn attention_statistics_count_what_the_pattern_shows() {
    let (task, model) = sorting_model(Normalization::LN, 9);
    let (data, engine) = (task.dataset(60, 3), ENGINE());
    let found = attention_statistics(Subject { model: &model, engine: &engine }, &task, 0, &data).unwrap();
    let name = "blocks.0.attn.hook_pattern";
    let (_, cache) = engine.run_with_cache(&model, data.tokens(), Filter::Names(&[name])).unwrap();
    let pattern = cache.get::<Ix4>(name).unwrap();
    let top_attended = |list: usize, head: usize, query: usize| {
        let row = pattern.slice(s![list, head, query, ..]);
        data.tokens()[[list, (0..9_usize).max_by(|a, b| row[*a].total_cmp(&row[*b])).unwrap()]]
    };
    let share = |query: std::ops::Range<usize>, wanted: usize, any: bool| {
        let mut hits = 0;
        for list in 0..60 {
            for query in query.clone() {
                let hit = |head: &usize| top_attended(list, *head, query) == data.tokens()[[list, query + wanted]];
                hits += usize::from(if any { [0, 1].iter().any(hit) } else { hit(&1) });
            }
        }
        hits as f64 / (60 * query.len()) as f64
    };
    assert_eq!(found.sep_to_smallest, share(4..5, 1, true));
    assert_eq!(found.next_larger, share(5..8, 1, true));
    assert_eq!(found.to_itself, share(5..8, 0, true));
    assert_eq!(found.heads[1].next_larger, share(5..8, 1, false));
}

#[test]
fn attention_rows_are_those_of_the_pattern() {
    let (task, model) = sorting_model(Normalization::LN, 9);
    let (data, engine) = (task.dataset(700, 3), ENGINE());
    let subject = Subject { model: &model, engine: &engine };
    let lists: Vec<Vec<u32>> = data.tokens().outer_iter().map(|tokens| tokens.slice(s![..4]).to_vec()).collect();
    let mut predictions: Vec<(&[u32], usize)> =
        lists.iter().enumerate().map(|(at, list)| (&list[..], at % 4)).collect();
    let rows = attention_rows(subject, &task, &predictions).unwrap();
    assert_eq!(rows.len(), 700);
    for (at, row) in rows.iter().enumerate() {
        let (_, cache) = engine.run_with_cache(&model, data.select(&[at]).tokens(), Filter::All).unwrap();
        let (keys, pattern) = (5 + at % 4, cache.get::<Ix4>("blocks.0.attn.hook_pattern").unwrap());
        assert_eq!(row.keys, data.tokens().slice(s![at, ..keys]).to_vec());
        for (head, weights) in row.attention.iter().enumerate() {
            assert_eq!(weights[..], pattern.slice(s![0, head, keys - 1, ..keys]).to_vec());
        }
    }
    predictions[3].1 = 4;
    let said = attention_rows(subject, &task, &predictions).unwrap_err().to_string();
    assert_eq!(said, "the position of a prediction: expected below 4, found 4");
}

#[test]
fn a_bidirectional_model_attends_to_every_key() {
    let (task, causal) = sorting_model(Normalization::LN, 9);
    let config = Config { attention_dir: AttentionDir::Bidirectional, ..causal.config().clone() };
    let (model, data) = (random_model(config, 9).cast(), task.dataset(5, 3));
    let subject = Subject { model: &model, engine: &ENGINE() };
    let lists: Vec<Vec<u32>> = data.tokens().outer_iter().map(|tokens| tokens.slice(s![..4]).to_vec()).collect();
    let predictions: Vec<(&[u32], usize)> = lists.iter().map(|list| (&list[..], 0)).collect();
    for row in attention_rows(subject, &task, &predictions).unwrap() {
        assert_eq!(row.keys.len(), 9);
        assert!(row.attention.iter().all(|weights| (weights.iter().sum::<f32>() - 1.0).abs() < 1e-5));
    }
    // SEP attends to its target in both halves, of which the sorted one comes later.
    let sites = prediction_sites(subject, &task, 0, &data).unwrap();
    for site in sites.iter().filter(|site| site.is_first(&task)) {
        let pattern = attention_rows(subject, &task, &[(&lists[site.list], 0)]).unwrap().remove(0);
        let target: f32 =
            (0..9).filter(|key| pattern.keys[*key] == site.target).map(|key| pattern.attention[0][key]).sum();
        assert!((site.attention[0][1] - f64::from(target)).abs() < 1e-6);
    }
}

#[test]
fn the_cache_of_a_frozen_run_is_shaped_like_its_names_say() {
    let (task, model) = sorting_model(Normalization::LN, 9);
    let data = task.dataset(3, 3);
    let (_, cache) = ENGINE().run_with_cache(&model, data.tokens(), Filter::All).unwrap();
    assert_eq!(cache.get::<Ix3>("ln_final.hook_scale").unwrap().dim(), (3, 9, 1));
    let wrong = cache.get::<Ix4>("ln_final.hook_scale").unwrap_err().to_string();
    assert_eq!(wrong, "ln_final.hook_scale: expected 4 dimensions, found 3");
}
