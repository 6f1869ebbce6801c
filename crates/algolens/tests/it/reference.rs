//! Weights that other people trained give the numbers they must: `expected.json` beside them was computed with
//! TransformerLens and PyTorch.

use crate::pinned::{assert_pinned, pins, study_of};
use algolens::{
    engine::{Batch, Engine, Plain, loss::log_softmax},
    interpret::{Arrays, Control, Head, Study, Verdict, claims::exchanged_heads, tasks::sorted_list::Measures},
    model::{
        AttentionDir, Model, Normalization,
        checkpoint::{Checkpoint, Hints, Source},
        processing::Processed,
    },
    task::{SortedList, Token},
};
use algolens_testing::reference;
use ndarray::{Array2, Array3, ArrayView2, ArrayViewD};
use serde_json::{Value, json};
use std::{collections::BTreeMap, sync::LazyLock};

fn load(folder: &std::path::Path, file: &str) -> (Model, Value) {
    let loaded = Checkpoint::open(&folder.join(file), &Hints::default()).unwrap();
    let config = loaded.checkpoint.model.config();
    assert_eq!(config.normalization_type, Normalization::LN);
    assert_eq!(config.attention_dir, AttentionDir::Causal);
    let assumed: Vec<_> = loaded.notes.iter().filter(|note| note.source == Source::Assumed).map(|n| n.what).collect();
    let usual = ["attn_windows", "attn_scale", "scale_attn_by_inverse_layer_idx", "pad_token"];
    let caps = ["attn_scores_soft_cap", "output_logits_soft_cap"];
    assert_eq!(assumed, [&["positional_embedding_type", "eps", "attention_dir"], &usual[..], &caps[..]].concat());
    assert!(loaded.passed_over.contains(&"blocks.0.attn.IGNORE".to_owned()));
    let expected = std::fs::read_to_string(folder.join("expected.json")).unwrap();
    (loaded.checkpoint.model, serde_json::from_str(&expected).unwrap())
}

fn array2(value: &Value) -> Array2<u32> {
    let rows: Vec<Vec<u32>> = serde_json::from_value(value.clone()).unwrap();
    Array2::from_shape_vec((rows.len(), rows[0].len()), rows.concat()).unwrap()
}

fn array3(value: &Value) -> Array3<f32> {
    let blocks: Vec<Vec<Vec<f32>>> = serde_json::from_value(value.clone()).unwrap();
    let shape = (blocks.len(), blocks[0].len(), blocks[0][0].len());
    Array3::from_shape_vec(shape, blocks.concat().concat()).unwrap()
}

fn close(found: f64, expected: &Value, tolerance: f64) {
    let expected = expected.as_f64().unwrap();
    assert!((found - expected).abs() <= tolerance, "found {found}, expected {expected}");
}

/// Of max(1, |logit|). Not absolute: the largest logits of the first-unique model are 60, and there the expected values
/// themselves, computed in f32, are 1.02e-4 from those of f64.
const TOLERANCE: f32 = 1e-4;

fn logits_agree(folder: &str, file: &str) {
    let Some(folder) = reference(folder) else { return };
    let (model, expected) = load(&folder, file);
    let tokens = array2(&expected["tokens"]);
    let positions: Vec<usize> = (0..tokens.ncols()).collect();
    let logits = Plain::new().logits(&model, tokens.view(), &positions).unwrap();
    let expected = array3(&expected["logits"]);
    let difference = logits.iter().zip(&expected).map(|(l, e)| (l - e).abs() / e.abs().max(1.0)).fold(0.0, f32::max);
    println!("{file}: largest difference {difference:.1e} of max(1, |logit|)");
    assert!(difference <= TOLERANCE, "largest difference {difference}");
    processing_keeps_log_probabilities(&model, tokens.view());
}

fn processing_keeps_log_probabilities(model: &Model, tokens: ArrayView2<Token>) {
    let log_probs = |model: &Model| -> Vec<f64> {
        let positions: Vec<usize> = (0..tokens.ncols()).collect();
        let logits = Plain::new().logits(model, tokens, &positions).unwrap();
        logits.rows().into_iter().flat_map(log_softmax).collect()
    };
    let Processed { model: processed, applied } = model.process();
    assert_eq!(applied.len(), 4);
    let pairs = log_probs(model).into_iter().zip(log_probs(&processed));
    let difference = pairs.map(|(raw, processed)| (raw - processed).abs() / raw.abs().max(1.0)).fold(0.0, f64::max);
    println!("raw and processed: largest difference {difference:.1e} of max(1, |log p|)");
    assert!(difference <= f64::from(TOLERANCE), "largest difference {difference}");
}

#[test]
fn palindrome_logits_equal_transformer_lens() {
    logits_agree("palindromes", "palindrome_classifier.pt");
}

#[test]
fn first_unique_logits_equal_transformer_lens() {
    logits_agree("first_unique", "first_unique_char_model.pt");
}

#[test]
fn dataset_rows_are_the_posts() {
    let Some(folder) = reference("sorted_list") else { return };
    let (_, expected) = load(&folder, "sorted_list_model.pt");
    let rows = array2(&expected["dataset"]["seed_43_size_500_list_len_10_max_value_50_first_3"]);
    let data = SortedList::new(10, 50).unwrap().dataset(500, 43);
    assert_eq!(data.select(&[0, 1, 2]).tokens(), rows);
}

#[test]
fn accuracy_on_20_000_lists_is_that_of_the_reference() {
    let Some(folder) = reference("sorted_list") else { return };
    let (model, expected) = load(&folder, "sorted_list_model.pt");
    let data = SortedList::new(10, 50).unwrap().dataset(20_000, 1);
    let score = Plain::new().score(&model, Batch::from(&data)).unwrap();
    let expected = &expected["evaluation_seed_1_size_20000"];
    close(score.loss(), &expected["loss"], 1e-5);
    close(score.accuracy(), &expected["token_accuracy"], 1e-5);
}

type Studied = (Study, Measures, Arrays, Value);

/// The study of the post's model that the tests below look at.
static STUDY: LazyLock<Option<Studied>> = LazyLock::new(|| {
    let folder = reference("sorted_list")?;
    let (model, expected) = load(&folder, "sorted_list_model.pt");
    let (results, arrays) = study_of(&model);
    let measures = results.measures().unwrap();
    Some((results, measures, arrays, expected))
});

#[test]
fn evaluation_is_the_one_the_post_prints() {
    let Some((results, measures, _, expected)) = &*STUDY else { return };
    let found = results.evaluation;
    let printed = [found.loss, found.mean_prob, found.median_prob, found.min_prob].map(|x| format!("{x:.3}"));
    assert_eq!(printed, ["0.039", "0.966", "0.981", "0.001"]);
    let expected = &expected["evaluation_seed_43_size_500"];
    close(found.loss, &expected["loss"], 1e-5);
    close(found.mean_prob, &expected["mean_prob"], 1e-5);
    close(found.median_prob, &expected["median_prob"], 1e-5);
    close(found.min_prob, &expected["min_prob"], 1e-5);
    close(found.token_accuracy, &expected["token_accuracy"], 1e-5);
    close(found.list_accuracy, &expected["list_accuracy"], 1e-5);
    assert_eq!(measures.greedy_list_accuracy, Some(found.list_accuracy));
}

#[test]
fn mean_ablating_the_heads_costs_0_920_and_4_963_nats() {
    let Some((results, _, _, expected)) = &*STUDY else { return };
    let expected = &expected["ablation_loss_increase_seed_43_size_500"];
    for head in ["0.0", "0.1"] {
        let of = |column: &BTreeMap<Head, f64>| column[&head.parse::<Head>().unwrap()];
        close(of(&results.ablation.mean), &expected[format!("mean_{head}")], 1e-4);
        close(of(&results.ablation.zero), &expected[format!("zero_{head}")], 1e-4);
    }
    let printed: Vec<String> = results.ablation.mean.values().map(|cost| format!("{cost:.3}")).collect();
    assert_eq!(printed, ["0.920", "4.963"]);
}

#[test]
fn circuits_are_those_of_the_post() {
    let Some((_, _, arrays, expected)) = &*STUDY else { return };
    let expected = &expected["processed_weights"];
    let norm = |array: ArrayViewD<f32>| array.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
    for name in ["W_OV_full", "W_QK_full", "W_QK_pos_query"] {
        for (head, array) in arrays[name].outer_iter().enumerate() {
            close(norm(array), &expected[name]["frobenius"][head], 1e-5);
        }
    }
    close(norm(arrays["direct_path"].view()), &expected["direct_path"]["frobenius"], 1e-5);
    for head in [0, 1] {
        close(arrays["W_OV_full"][[head, 25, 25]].into(), &expected["W_OV_full"]["[:, 25, 25]"][head], 1e-6);
        close(arrays["W_QK_full"][[head, 25, 28]].into(), &expected["W_QK_full"]["[:, 25, 28]"][head], 1e-6);
    }
}

#[test]
fn triples_and_adversarial_lists_are_those_of_the_post() {
    let Some((_, measures, _, expected)) = &*STUDY else { return };
    assert_eq!(measures.triples.len(), 4);
    for (at, triple) in measures.triples.iter().enumerate() {
        let expected = &expected["triple_dla"];
        assert_eq!(
            (triple.head as u64, u64::from(triple.x)),
            (number(&expected["heads"][at]), number(&expected["x"][at]))
        );
        for (prediction, sources) in triple.dla.iter().enumerate() {
            for (source, found) in sources.iter().enumerate() {
                close(*found, &expected["dla[pred y|z][src y|z]"][at][prediction][source], 1e-5);
            }
        }
    }
    let predicted: Vec<Value> =
        measures.adversarial.iter().map(|list| serde_json::to_value(&list.predicted).unwrap()).collect();
    assert_eq!(json!(predicted), expected["adversarial_predictions"]["predicted"]);
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap()
}

/// What the post explains by a positional bias: the drawn QK circuit puts token 0 first for 40, the scores that the
/// model gives do not.
#[test]
fn the_drawn_and_the_effective_qk_circuit_disagree_on_40() {
    let Some((_, _, arrays, _)) = &*STUDY else { return };
    let first = |name: &str, head: usize| {
        let row: ndarray::ArrayView1<f32> = arrays[name].slice(ndarray::s![head, 40, ..51]);
        (0..51_usize).max_by(|a, b| row[*a].total_cmp(&row[*b])).unwrap()
    };
    assert_eq!([first("W_QK_full", 0), first("W_QK_full", 1)], [0, 0]);
    assert_eq!([first("QK_effective", 0), first("QK_effective", 1)], [45, 42]);
}

/// What a float64 run of the same weights found: without the direct path about 16 % of the steps from d in [d, d+1, d+2]
/// fail, and two of the post's four triples break, though d+2 is said in none.
#[test]
fn without_the_direct_path_a_sixth_of_the_runs_fails() {
    let Some((results, measures, ..)) = &*STUDY else { return };
    let runs = results.findings.iter().find(|finding| finding.id == "runs_survive_without_direct_path").unwrap();
    assert!(runs.detail.contains("d+1 in 83.5 %") && runs.detail.contains("in 0 of the post's 4 triples"), "{runs:?}");
    // The post's ranges: head 0.0 around 28 to 37, head 0.1 everywhere else.
    let ranges: Vec<_> = measures.copy_heads.ranges.iter().map(|range| range.head.head).collect();
    assert_eq!(ranges, [1, 0, 1]);
}

/// Numbers that a float64 check apart from this code found, on lists of its own: within three standard errors of such a rate, or
/// a unit of the last digit.
#[test]
fn findings_are_those_of_a_float64_check() {
    let Some((results, ..)) = &*STUDY else { return };
    for (id, expected, within) in [
        ("next_larger", 0.836, 0.0005),
        ("predicted_is_attended", 0.88, 0.005),
        ("second_successor", 0.236 / 0.027, 0.2),
        ("second_successor_is_harmless", 1.0 / 251.0, 1e-9),
        ("sep_falls_off", 25.0, 1.0),
        ("large_values_break_sep", 1.0, 0.0005),
        ("large_lists_fail_at_sep", 0.998, 0.005),
        ("head_order", -0.28 / 3.77, 0.002),
        ("minor_head_serves_28_to_37", 0.9, 1e-9),
        ("minor_heads_anti_copy", 0.88, 0.005),
        ("ov_asymmetry", 0.94, 0.005),
        ("large_values_attend_to_zero", 0.86, 0.005),
        ("cancellation", 0.8, 0.08),
        ("large_gaps_fail", 0.85, 0.0005),
        ("gaps_lose_the_answer", 0.015 / 0.23, 0.005),
        ("cross_terms_decide", 0.477 - 0.026, 0.12),
        ("runs_survive_without_direct_path", 0.037, 0.012),
        ("direct_path_silences_d", 0.12, 0.02),
    ] {
        let finding = results.findings.iter().find(|finding| finding.id == id).unwrap();
        assert!((finding.value.unwrap() - expected).abs() <= within, "{expected}: {finding:?}");
    }
    let control = |id: &str, control: Control| {
        let finding = results.findings.iter().find(|finding| finding.id == id).unwrap();
        finding.controls.iter().find(|found| found.control == control).unwrap().mean.unwrap()
    };
    assert!((control("next_larger", Control::ExchangedHeads) - 0.306).abs() < 0.05);
    assert!((control("next_larger", Control::RandomWeights) - 0.077).abs() < 0.03);
    assert!((control("predicted_is_attended", Control::RandomWeights) - 0.03).abs() < 0.02);
    assert!((control("second_successor", Control::RandomWeights) - 1.0).abs() < 0.15);
    assert!((control("ov_asymmetry", Control::RandomWeights) - 0.25).abs() < 0.05);
    assert!((control("large_values_attend_to_zero", Control::RandomWeights) - 0.04).abs() < 0.04);
    assert!((control("direct_path_boosts_next", Control::RandomWeights) - 0.5).abs() < 0.1);
}

#[test]
fn verdicts_on_the_post_s_weights_are_pinned() {
    let Some((results, ..)) = &*STUDY else { return };
    assert_pinned("post_claims.json", &pins(results));
}

/// With QK exchanged between its heads the model is right on 30 % of the tokens: what claims say of attention fails, and what they
/// say of behaviour is not asked.
#[test]
fn exchanged_heads_fail_where_the_post_s_model_holds() {
    let Some(folder) = reference("sorted_list") else { return };
    let (model, _) = load(&folder, "sorted_list_model.pt");
    let (results, _) = study_of(&exchanged_heads(&model).remove(0));
    assert!((results.evaluation.token_accuracy - 0.30).abs() < 0.01);
    let verdict = |id: &str| results.findings.iter().find(|finding| finding.id == id).unwrap().verdict;
    for id in ["next_larger", "sep_to_smallest", "predicted_is_attended", "second_successor"] {
        assert_eq!(verdict(id), Verdict::Fails, "{id}");
    }
    for id in [
        "second_successor_is_harmless",
        "sep_falls_off",
        "large_values_break_sep",
        "large_lists_fail_at_sep",
        "large_gaps_fail",
        "gaps_lose_the_answer",
        "cross_terms_decide",
        "runs_survive_without_direct_path",
        "direct_path_silences_d",
    ] {
        assert_eq!(verdict(id), Verdict::NotAsked, "{id}");
    }
}
