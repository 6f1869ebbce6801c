//! What a study is made of agrees with what was recomputed here, and any sorting model can be studied.

use algolens_core::{
    engine::{Backend, Engine, Plain, Vectors, hooks::Filter, loss::argmax},
    model::{AttentionDir, Config, Model, Normalization, Positions},
    task::{Dataset, Palindrome, SortedList, Task},
    train::Architecture,
};
use algolens_interpret::{
    Arrays, CopyHeadRange, CopyHeads, Head, Known, Material, Shown, Study, StudyOptions, Subject, Verdict, YOURS,
    check_other, circuits, predict, study,
    tasks::sorted_list::{Triple, close_triples, gap_sites, prediction_sites, smallest_sites, triple_attribution},
};
use algolens_testing::random_model;
use ndarray::{Axis, Ix4, s};
use std::ops::ControlFlow;

fn model(task: &SortedList, n_layers: usize, n_heads: usize, normalization_type: Normalization) -> Model {
    let d_vocab = task.max_value() as usize + 2;
    let config = Config {
        n_layers,
        n_heads,
        d_model: 8,
        d_head: 3,
        mlp: None,
        n_ctx: task.n_ctx(),
        d_vocab,
        d_vocab_out: d_vocab,
        normalization_type,
        attention_dir: AttentionDir::Causal,
        positional_embedding_type: Positions::Standard,
        eps: 1e-5,
        ..Config::default()
    };
    random_model(config, 5).cast()
}

fn study_of(task: &SortedList, model: &Model, options: &StudyOptions) -> (Study, Arrays) {
    let subject = Subject { model, engine: &Plain::new() };
    study(subject, Material::Task(task), Some(task), options, &[], &mut |_| ControlFlow::Continue(())).unwrap()
}

#[test]
fn prediction_sites_agree_with_the_pattern_and_the_logits() {
    let task = SortedList::new(4, 8).unwrap();
    let model = model(&task, 2, 2, Normalization::LN);
    let (data, engine) = (task.dataset(30, 3), Plain::new());
    let name = "blocks.1.attn.hook_pattern";
    let (logits, cache) = engine.run_with_cache(&model, data.tokens(), Filter::Names(&[name])).unwrap();
    let pattern = cache.get::<Ix4>(name).unwrap();
    let sites = prediction_sites(Subject { model: &model, engine: &engine }, &task, 1, &data).unwrap();
    assert_eq!(sites.len(), 30 * 4);
    for (at, site) in sites.iter().enumerate() {
        let (list, query) = (at / 4, 4 + at % 4);
        let tokens = data.tokens().row(list).to_vec();
        assert_eq!((site.list, site.query, site.d, site.target), (list, query, tokens[query], tokens[query + 1]));
        assert_eq!(site.second, tokens.get(query + 2).copied());
        let row: Vec<f64> = logits.slice(s![list, query, ..]).iter().map(|x| f64::from(*x).exp()).collect();
        let total: f64 = row.iter().sum();
        for (prob, token) in site.probs.iter().zip([site.d, site.target]) {
            assert!((prob - row[token as usize] / total).abs() < 1e-6);
        }
        assert_eq!(site.correct(), row.iter().all(|x| *x <= row[site.target as usize]));
        for head in 0..2 {
            let weights = pattern.slice(s![list, head, query, ..]);
            let to = |token| -> f64 { (0..9).filter(|k| tokens[*k] == token).map(|k| f64::from(weights[k])).sum() };
            // A key that the query does not see has no weight.
            let expected = [to(site.d), to(site.target), site.second.map_or(0.0, to)];
            site.attention[head].iter().zip(expected).for_each(|(a, b)| assert!((a - b).abs() < 1e-7));
            let most = (0..9).max_by(|a, b| weights[*a].total_cmp(&weights[*b])).unwrap();
            assert_eq!(site.top_attended[head], tokens[most]);
            let others = (0..9).filter(|key| tokens[*key] != site.d);
            let most = others.max_by(|a, b| weights[*a].total_cmp(&weights[*b])).unwrap();
            assert_eq!(site.top_other[head], tokens[most]);
        }
    }
}

#[test]
fn families_hold_the_lists_they_are_named_after() {
    let task = SortedList::new(4, 9).unwrap();
    let model = model(&task, 1, 2, Normalization::LN);
    let subject = Subject { model: &model, engine: &Plain::new() };
    let gaps = gap_sites(subject, &task, 25, 7).unwrap();
    // Two values and two others: a gap of 7 leaves just two.
    assert_eq!(gaps.iter().map(|(gap, _)| *gap).collect::<Vec<_>>(), (1..=7).collect::<Vec<_>>());
    for (gap, sites) in &gaps {
        assert_eq!(sites.len(), 25);
        assert!(sites.iter().all(|site| site.target - site.d == *gap));
    }
    let smallest = smallest_sites(subject, &task, 25, 7).unwrap();
    assert_eq!(smallest.iter().map(|(value, _)| *value).collect::<Vec<_>>(), (0..=6).collect::<Vec<_>>());
    for (value, sites) in &smallest {
        assert_eq!(sites.len(), 25);
        assert!(sites.iter().all(|site| (site.d, site.target) == (10, *value)));
    }
    assert_eq!(gaps, gap_sites(subject, &task, 25, 7).unwrap());
}

/// Where lists hold every value, only their order is random; a bidirectional model without positions does not see it.
#[test]
fn close_triples_are_attributed_one_by_one() {
    let task = SortedList::new(6, 5).unwrap();
    let mut model = model(&task, 1, 2, Normalization::LN);
    let w_pos = model.params.layout().W_pos;
    model.params.get_mut(w_pos.unwrap()).fill(0.0);
    let head = Head { layer: 0, head: 1 };
    let copy_heads = CopyHeads { ranges: vec![CopyHeadRange { head, from: 0, to: 5 }], copied: 0.0 };
    let subject = Subject { model: &model, engine: &Plain::new() };
    let found = close_triples(subject, &task, &copy_heads, 2, 1).unwrap();
    let triples: Vec<Vec<u32>> = found.tokens.outer_iter().map(|row| row.to_vec()).collect();
    assert_eq!(triples, [[0, 1, 2], [1, 2, 3], [2, 3, 4], [3, 4, 5]]);
    for (triple, dla) in found.tokens.outer_iter().zip(found.dla.outer_iter()) {
        let triple = Triple { list: &[3, 1, 0, 4, 5, 2], head, x: triple[0], y: triple[1], z: triple[2] };
        let expected = triple_attribution(subject, &task, triple).unwrap().dla;
        for ((prediction, source), found) in dla.indexed_iter() {
            assert!((found - expected[prediction][source]).abs() < 1e-6);
        }
    }
    let statistics = found.statistics().unwrap();
    let ahead = found.dla.outer_iter().filter(|d| d[[0, 0]] + d[[0, 1]] > d[[1, 0]] + d[[1, 1]]).count();
    assert_eq!(statistics.y_ahead, ahead as f64 / 4.0);
    assert!((statistics.mean[1][0] - found.dla.slice(s![.., 1, 0]).mean().unwrap()).abs() < 1e-12);
}

#[test]
fn score_terms_of_the_shown_lists_give_their_patterns() {
    let task = SortedList::new(4, 8).unwrap();
    let causal = [Normalization::LN, Normalization::LNPre, Normalization::None].map(|n| model(&task, 2, 3, n));
    let bidirectional = Config { attention_dir: AttentionDir::Bidirectional, ..causal[0].config().clone() };
    for model in causal.into_iter().chain([random_model(bidirectional, 6).cast()]) {
        let options = StudyOptions { size: 12, inputs: vec![vec![8, 0, 3, 1]], ..StudyOptions::default() };
        let (results, arrays) = study_of(&task, &model, &options);
        let lists = results.examples.len();
        assert_eq!(results.examples[0].group, YOURS);
        assert_eq!(arrays["pattern"].shape(), [lists, 6, 9, 9]);
        assert_eq!(arrays["probs"].shape(), [lists, 10, 4]);
        assert_eq!(arrays["score_terms"].shape(), [lists, 3, 3, 2, 4, 9]);
        let scores = arrays["score_terms"].sum_axis(Axis(2)).sum_axis(Axis(2)).mapv(f64::from);
        for list in 0..lists {
            for head in 0..3 {
                for slot in 0..4 {
                    let powers: Vec<f64> = (0..model.config().keys_seen(4 + slot, 9))
                        .map(|key| scores[[list, head, slot, key].as_slice()].exp())
                        .collect();
                    let total: f64 = powers.iter().sum();
                    for (key, power) in powers.iter().enumerate() {
                        let weight = arrays["pattern"][[list, head, 4 + slot, key].as_slice()];
                        assert!((power / total - f64::from(weight)).abs() < 1e-5);
                    }
                }
            }
            let prediction = &results.examples[list].prediction;
            for slot in 0..4 {
                let column = arrays["probs"].slice(s![list, .., slot]).mapv(f64::from);
                assert!((column.sum() - 1.0).abs() < 1e-5);
                assert!(
                    (column[prediction.expected[slot].classes()[0] as usize] - prediction.prob_expected[slot]).abs()
                        < 1e-6
                );
            }
        }
    }
}

/// Lists of one to three values, one head and eight, one layer and two: claims that cannot be asked are not.
#[test]
fn any_sorting_model_can_be_studied() {
    for (list_len, max_value, layers, heads) in [(1, 3, 1, 1), (2, 2, 1, 1), (3, 2, 1, 2), (3, 6, 2, 8), (5, 11, 1, 3)]
    {
        let task = SortedList::new(list_len, max_value).unwrap();
        let model = model(&task, layers, heads, Normalization::LN);
        let (results, _) = study_of(&task, &model, &StudyOptions { size: 20, ..StudyOptions::default() });
        let verdict = |id: &str| results.findings.iter().find(|finding| finding.id == id).unwrap().verdict;
        assert_eq!(verdict("split") == Verdict::NotAsked, heads == 1);
        if list_len < 3 {
            assert_eq!(verdict("y_ahead"), Verdict::NotAsked);
        }
        for finding in &results.findings {
            assert_eq!(finding.value.is_none(), finding.verdict == Verdict::NotAsked, "{finding:?}");
            assert!(finding.value.is_none_or(f64::is_finite), "{finding:?}");
            assert!(finding.interval.is_none_or(|ends| ends.iter().all(|end| end.is_finite())), "{finding:?}");
        }
    }
}

#[test]
fn other_seeds_give_findings_a_spread() {
    let task = SortedList::new(4, 8).unwrap();
    let one = model(&task, 1, 2, Normalization::LN);
    let other = Model::init(one.config().clone(), 9).unwrap();
    let options = StudyOptions { size: 20, others: vec![other.clone()], ..StudyOptions::default() };
    let (results, _) = study_of(&task, &one, &options);
    let error = check_other(&one, &one).unwrap_err().to_string();
    assert_eq!(
        error,
        "model of another seed: expected other weights, found those of the studied model, up to rounding"
    );
    let mut rounded = one.clone();
    rounded.params.values_mut().iter_mut().for_each(|weight| *weight *= 1.0 + 1e-4);
    assert!(check_other(&one, &rounded).is_err());
    assert!(check_other(&one, &other).is_ok());
    let same = StudyOptions { others: vec![rounded], ..options.clone() };
    let subject = Subject { model: &one, engine: &Plain::new() };
    assert!(study(subject, Material::Task(&task), None, &same, &[], &mut |_| ControlFlow::Continue(())).is_err());
    let (other_results, _) = study_of(&task, &other, &StudyOptions { others: Vec::new(), ..options });
    assert_eq!(results.other_models, 1);
    for (finding, other) in results.findings.iter().zip(&other_results.findings) {
        if let (Some([low, high]), Some(a), Some(b)) = (finding.spread, finding.value, other.value) {
            assert_eq!([low, high], [a.min(b), a.max(b)]);
        }
        assert_eq!(other.spread, None);
    }
}

/// What every study has, of a task and of data, beside what was recomputed here.
#[test]
fn generic_arrays_agree_with_what_they_average() {
    let task = SortedList::new(3, 6).unwrap();
    let data = task.dataset(40, 43);
    let engine = Plain::new();
    for (layers, normalization) in [(1, Normalization::LN), (2, Normalization::None)] {
        let model = model(&task, layers, 2, normalization);
        let options = StudyOptions { size: 40, ..StudyOptions::default() };
        let subject = Subject { model: &model, engine: &engine };
        let study_on = |material: Material| {
            study(subject, material, None, &options, &[], &mut |_| ControlFlow::Continue(())).unwrap()
        };
        let (of_task, arrays) = study_on(Material::Task(&task));
        let (logits, cache) = engine.run_with_cache(&model, data.tokens(), Filter::All).unwrap();
        for layer in 0..layers {
            let pattern = cache.get::<Ix4>(&format!("blocks.{layer}.attn.hook_pattern")).unwrap();
            let mean = pattern.mean_axis(Axis(0)).unwrap();
            let found = arrays["pattern_mean"].slice_axis(Axis(0), (2 * layer..2 * layer + 2).into()).to_owned();
            found.iter().zip(&mean).for_each(|(a, b)| assert!((a - b).abs() < 1e-6));
        }
        // Over components, attributions sum to what the right logit has more than the mean of all.
        let mut margin = 0.0;
        let mut right = [0_usize; 3];
        for (example, targets) in data.classes().unwrap().outer_iter().enumerate() {
            for (slot, target) in targets.iter().enumerate() {
                let row = logits.slice(s![example, 3 + slot, ..]).mapv(f64::from);
                margin += row[*target as usize] - row.mean().unwrap();
                right[slot] += usize::from(row.iter().all(|logit| *logit <= row[*target as usize]));
            }
        }
        let sum: f64 = arrays["attribution"].iter().map(|logit| f64::from(*logit)).sum();
        assert!((sum - margin / 120.0).abs() < 1e-5, "{sum} is not {}", margin / 120.0);
        let expected: Vec<f32> = (0..3).flat_map(|slot| [3.0 + slot as f32, right[slot] as f32 / 40.0]).collect();
        assert_eq!(arrays["accuracy_by_position"].iter().copied().collect::<Vec<_>>(), expected);
        let by_class: f64 = arrays["accuracy_by_class"].iter().map(|share| f64::from(*share)).sum();
        assert_eq!(by_class > 0.0, right.iter().sum::<usize>() > 0);
        // The same examples without a task give the same numbers, but for what is resampled and searched.
        let (of_data, of_data_arrays) = study_on(Material::Data(&data));
        assert_eq!(of_data.evaluation, of_task.evaluation);
        assert_eq!(of_data.ablation.mean, of_task.ablation.mean);
        // A task of so few inputs is known on all of them, data on what they are.
        let all: Vec<Vec<u32>> = task.inputs().unwrap().iter().collect();
        let everything = Dataset::from_inputs(&task, &all).unwrap();
        let right_in =
            |data: &Dataset| predict(subject, data).unwrap().iter().filter(|found| found.correct).count() as u64;
        match of_task.known {
            Some(Known::Exact { inputs, right, least_margin: Some(least) }) => {
                assert_eq!((inputs, right), (all.len() as u64, right_in(&everything)));
                assert_eq!(least.input, all[least.number as usize]);
                assert_eq!(least.margin > 0.0, right == inputs);
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(of_data.known, Some(Known::Counted { examples: 40, right: right_in(&data) }));
        for name in ["W_OV_full", "pattern_mean", "attribution", "accuracy_by_class"] {
            assert_eq!(of_data_arrays[name], arrays[name], "{name}");
        }
    }
}

/// Of a task with more inputs than a study runs the interval is Clopper and Pearson's: of n right ones in n, from (α/2)^(1/n).
#[test]
fn what_is_sampled_has_its_interval() {
    let task = Palindrome::new(5, 30).unwrap();
    let model = Model::init(Architecture { n_layers: 1, ..Architecture::default() }.config(&task), 0).unwrap();
    let engine = Backend::best(model.config()).engine(Vectors::best());
    let subject = Subject { model: &model, engine: &*engine };
    let options = StudyOptions { size: 100, ..StudyOptions::default() };
    let found = study(subject, Material::Task(&task), None, &options, &[], &mut |_| ControlFlow::Continue(()));
    match found.unwrap().0.known {
        Some(Known::Sampled { examples: 100, right, interval: [low, high], worst: Some(worst) }) => {
            let data = Dataset::from_inputs(&task, &[&worst.input]).unwrap();
            let logits = Plain::new().logits(&model, data.tokens(), data.positions()).unwrap();
            let class = data.classes().unwrap()[[0, 0]] as usize;
            let margin = f64::from(logits[[0, 0, class]] - logits[[0, 0, 1 - class]]);
            assert!((margin - worst.margin).abs() < 1e-4 && margin < 0.0 && worst.position == 11, "{margin} {worst:?}");
            let share = right as f64 / 100.0;
            assert!(0.0 < share && share < 1.0 && low < share && share < high);
            // Each end leaves a twentieth of a percent beyond it.
            let beyond = |p: f64, from: u64, to: u64| -> f64 {
                let log_choose = |k: u64| (1..=k).map(|i| ((100 - k + i) as f64 / i as f64).ln()).sum::<f64>();
                (from..=to).map(|k| (log_choose(k) + k as f64 * p.ln() + (100 - k) as f64 * (1.0 - p).ln()).exp()).sum()
            };
            assert!((beyond(low, right, 100) - 5e-4).abs() < 1e-6 && (beyond(high, 0, right) - 5e-4).abs() < 1e-6);
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn data_give_so_many_different_examples_in_their_order() {
    let task = SortedList::new(3, 6).unwrap();
    let data = task.dataset(50, 1);
    let material = Material::Data(&data);
    let sample = |size, seed| material.sample(size, seed).unwrap();
    assert_eq!(sample(50, 3), data);
    assert_eq!(sample(1000, 3), data);
    let some = sample(20, 3);
    assert_eq!(some.len(), 20);
    assert_eq!(some, sample(20, 3));
    assert_ne!(some, sample(20, 4));
    let all = data.tokens();
    let mut rest = all.outer_iter();
    assert!(some.tokens().outer_iter().all(|example| rest.any(|other| other == example)));
    let other = material.other(&data, 0).unwrap();
    assert_eq!(other.tokens().row(49), data.tokens().row(0));
    assert_eq!(other.tokens().row(0), data.tokens().row(1));
    assert!(material.examples(&[vec![1, 2, 3]]).unwrap_err().to_string().contains("found data without one"));
}

/// A model of ten positions, five tokens and twelve classes, and data of six positions without names of classes.
#[test]
fn data_may_be_shorter_than_the_model_and_have_classes_that_are_no_tokens() {
    let config =
        Config { n_heads: 2, d_model: 8, d_head: 4, n_ctx: 10, d_vocab: 5, d_vocab_out: 12, ..Config::default() };
    let model = random_model(config, 3).cast();
    let tokens = ndarray::Array2::from_shape_fn((8, 6), |(example, at)| ((example * 3 + at * at) % 5) as u32);
    let targets = ndarray::Array2::from_shape_fn((8, 1), |(example, _)| (11 - example) as u32);
    let names = ["a", "b", "c", "d", "e"].map(String::from).to_vec();
    let data = Dataset::new(tokens, targets, vec![5], names).unwrap();
    let subject = Subject { model: &model, engine: &Plain::new() };
    let go_on = &mut |_| ControlFlow::Continue(());
    let (study, arrays) = study(subject, Material::Data(&data), None, &StudyOptions::default(), &[], go_on).unwrap();
    assert_eq!((study.labels.classes.len(), study.labels.positions.len()), (12, 10));
    assert_eq!(arrays["pattern_mean"].shape(), [2, 10, 10]);
    let seen = arrays["pattern_mean"].slice(s![0, ..6, ..6]).iter().all(|weight| weight.is_finite());
    assert!(seen && arrays["pattern_mean"].slice(s![0, 6.., ..]).iter().all(|weight| weight.is_nan()));
    assert_eq!(arrays["accuracy_by_class"].shape(), [8, 1]);
}

/// A model of so many tokens and classes.
fn model_of_vocabulary(d_vocab: usize, d_vocab_out: usize) -> Model {
    let config = Config { n_heads: 2, d_model: 8, d_head: 4, n_ctx: 5, d_vocab, d_vocab_out, ..Config::default() };
    random_model(config, 3).cast()
}

/// A study of such a model, on data of a few of its tokens.
fn study_of_vocabulary(d_vocab: usize, d_vocab_out: usize, asked: Shown) -> algolens_core::Result<(Study, Arrays)> {
    let model = model_of_vocabulary(d_vocab, d_vocab_out);
    let tokens =
        ndarray::Array2::from_shape_fn((8, 5), |(example, at)| ((700 + 37 * example + at * at) % d_vocab) as u32);
    let targets = ndarray::Array2::from_shape_fn((8, 1), |(example, _)| (d_vocab_out - 1 - example) as u32);
    let names = (0..d_vocab).map(|token| token.to_string()).collect();
    let data = Dataset::new(tokens, targets, vec![4], names).unwrap();
    let subject = Subject { model: &model, engine: &Plain::new() };
    let options = StudyOptions { asked, ..StudyOptions::default() };
    let go_on = &mut |_: algolens_interpret::Stage| ControlFlow::Continue(());
    study(subject, Material::Data(&data), None, &options, &[], go_on)
}

#[test]
fn a_large_vocabulary_shows_what_is_asked_for_or_what_the_examples_hold() {
    // Up to 512 all are shown.
    let (of_all, _) = study_of_vocabulary(512, 3 + 512, Shown::default()).unwrap();
    assert_eq!(of_all.shown.tokens, (0..512).collect::<Vec<_>>());
    assert!(of_all.shown.classes.len() < 512);
    // Beyond, what the examples hold; answers are tokens here.
    let (of_examples, arrays) = study_of_vocabulary(900, 900, Shown::default()).unwrap();
    let shown = &of_examples.shown;
    let mut expected: Vec<u32> = Vec::new();
    for example in &of_examples.examples {
        let prediction = &example.prediction;
        let answers = prediction.expected.iter().chain(&prediction.predicted).flat_map(|answer| answer.classes());
        expected.extend(prediction.tokens.iter().chain(answers));
    }
    expected.sort_unstable();
    expected.dedup();
    assert_eq!((&shown.tokens, &shown.classes), (&expected, &expected));
    let count = expected.len();
    assert!((9..512).contains(&count), "{count}");
    for name in ["W_OV_full", "W_QK_full", "QK_effective"] {
        assert_eq!(arrays[name].shape(), [2, count, count], "{name}");
    }
    assert_eq!(arrays["W_QK_pos_query"].shape(), [2, 5, count]);
    assert_eq!(arrays["direct_path"].shape(), [count, count]);
    let section = of_examples.sections.iter().find(|section| section.id == "circuits").unwrap();
    let said = format!("Shown are {count} of 900 tokens and {count} of 900 classes.");
    assert!(section.caption.ends_with(&said), "{}", section.caption);
    // What is asked for, in its order: rows of the same maps.
    let asked = Shown { tokens: vec![expected[4], 899, expected[1]], classes: Vec::new() };
    let (of_asked, part) = study_of_vocabulary(900, 900, asked.clone()).unwrap();
    assert_eq!((&of_asked.shown.tokens, &of_asked.shown.classes), (&asked.tokens, &asked.tokens));
    for name in ["W_OV_full", "W_QK_full", "QK_effective"] {
        let [rows, columns] = [[4, 1], [0, 2]];
        let some = |array: &ndarray::ArrayD<f32>, at: &[usize]| array.select(Axis(1), at).select(Axis(2), at);
        let (of_examples, of_asked) = (some(&arrays[name], &rows), some(&part[name], &columns));
        let same = of_examples.iter().zip(&of_asked).all(|(a, b)| (a - b).abs() < 1e-6 || a.is_nan() && b.is_nan());
        assert!(same, "{name}: {of_examples} is not {of_asked}");
    }
    assert_eq!(part["probs"].shape(), [of_asked.examples.len(), 3, 1]);
    let of_first = arrays["probs"].index_axis(Axis(1), 4).to_owned();
    assert_eq!(part["probs"].index_axis(Axis(1), 0), of_first);
    // What copies is judged among all classes, of which one shown alone would always be the largest.
    let model = model_of_vocabulary(900, 900);
    let ov = circuits(&model, 0, &Shown::all(model.config())).unwrap().W_OV_full;
    let copied = |head: usize| {
        let copies = |token: &&u32| argmax(ov.slice(s![head, **token as usize, ..])) == **token as usize;
        asked.tokens.iter().filter(copies).count()
    };
    let figure = |head: usize| of_asked.figures().find(|figure| figure.id == format!("ov-{head}")).unwrap();
    for head in 0..2 {
        let title = format!("OV: head 0.{head} copies {} of the 3 tokens that are shown", copied(head));
        assert_eq!(figure(head).title, title);
    }
    for (tokens, expected) in [
        ((0..513).collect(), "tokens to show: expected at most 512, found 513"),
        (vec![900], "token to show: expected below 900, found 900"),
        (vec![5, 5], "token to show: expected each once, found 5 twice"),
    ] {
        let error = study_of_vocabulary(900, 900, Shown { tokens, classes: Vec::new() }).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
}
