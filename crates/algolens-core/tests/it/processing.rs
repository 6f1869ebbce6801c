//! Weight processing keeps log-probabilities, or is refused.

use algolens_core::{
    Error, Result,
    model::{Config, Model, Normalization, Positions, processing::Step},
};
use algolens_testing::{Kind, SIZES, any_kind, kinds, larger, largest_difference, log_probs, sizes, with_cases};
use ndarray::Axis;
use proptest::prelude::*;

/// Nats; rounding of f64 through a model with norms of small variance stays below it.
const KEPT: f64 = 1e-9;

type Apply = fn(&Model<f64>) -> Result<Model<f64>>;

const STEPS: [(Step, Apply); 4] = [
    (Step::CenterWritingWeights, Model::center_writing_weights),
    (Step::CenterUnembed, Model::center_unembed),
    (Step::FoldLayerNorm, Model::fold_layer_norm),
    (Step::FoldValueBiases, Model::fold_value_biases),
];

/// What the table at the top of `processing.rs` says.
fn is_valid(step: Step, config: &Config) -> bool {
    let norms = config.normalization_type != Normalization::None;
    match step {
        Step::CenterWritingWeights => norms,
        Step::FoldLayerNorm => !norms || config.positional_embedding_type == Positions::Standard,
        Step::CenterUnembed | Step::FoldValueBiases => true,
    }
}

proptest! {
    #![proptest_config(with_cases(40))]

    #[test]
    fn every_step_keeps_log_probabilities_or_is_refused(sizes in sizes()) {
        for kind in kinds() {
            let (model, tokens) = sizes.model(kind);
            let before = log_probs(&model, tokens.view());
            for (step, apply) in STEPS {
                match apply(&model) {
                    Ok(after) => {
                        prop_assert!(is_valid(step, model.config()), "{step} on {kind:?}");
                        let off = largest_difference(&log_probs(&after, tokens.view()), &before);
                        prop_assert!(off < KEPT, "{step} changes log-probabilities of {kind:?} by {off}");
                    }
                    Err(Error::Refused { step: named, .. }) => {
                        prop_assert_eq!(named, step.name());
                        prop_assert!(!is_valid(step, model.config()), "{} on {:?}", step, kind);
                    }
                    Err(other) => prop_assert!(false, "{other}"),
                }
            }
        }
    }

    #[test]
    fn processing_keeps_log_probabilities_of_every_model(sizes in sizes()) {
        for kind in kinds() {
            let (model, tokens) = sizes.model(kind);
            let processed = model.process();
            let off = largest_difference(&log_probs(&processed.model, tokens.view()), &log_probs(&model, tokens.view()));
            prop_assert!(off < KEPT, "{:?} change log-probabilities of {kind:?} by {off}", processed.applied);
        }
    }

    #[test]
    fn processing_takes_every_valid_step_in_order_and_a_second_time_changes_nothing(
        sizes in sizes(), kind in any_kind(),
    ) {
        let (model, _) = sizes.model(kind);
        let norms = kind.normalization_type != Normalization::None;
        let processed = model.process();
        let expected: Vec<_> = Step::ALL
            .into_iter()
            .filter(|step| is_valid(*step, model.config()) && (norms || *step != Step::FoldLayerNorm))
            .collect();
        prop_assert_eq!(&processed.applied, &expected);
        let one_by_one = expected.iter().try_fold(model, |model, step| {
            STEPS.iter().find(|(other, _)| other == step).expect("every step is listed").1(&model)
        });
        prop_assert_eq!(one_by_one.unwrap(), processed.model.clone());
        let again = processed.model.process().model;
        let off = largest_difference(again.params.values(), processed.model.params.values());
        prop_assert!(off < 1e-12, "{off}");
    }

    #[test]
    fn processed_weights_are_centred_and_folded(sizes in sizes(), kind in any_kind()) {
        let (model, _) = sizes.model(kind);
        let processed = model.process();
        for (name, tensor) in processed.model.params.tensors() {
            let leaf = name.rsplit('.').next().unwrap_or_default();
            let (last, readers) = (tensor.ndim() - 1, tensor.ndim().saturating_sub(2));
            let writes = ["W_E", "W_O", "b_O", "W_out", "b_out"].contains(&leaf)
                || leaf == "W_pos" && kind.positional_embedding_type == Positions::Standard;
            let reads = ["W_Q", "W_K", "W_V", "W_in", "W_U"].contains(&leaf);
            let sums = |axis| tensor.sum_axis(Axis(axis)).iter().fold(0.0, |max, sum| larger(sum.abs(), max));
            if writes && processed.applied.contains(&Step::CenterWritingWeights) || ["W_U", "b_U"].contains(&leaf) {
                prop_assert!(sums(last) < 1e-12, "{name}");
            }
            if reads && processed.applied.contains(&Step::FoldLayerNorm) {
                prop_assert!(sums(readers) < 1e-12, "{name}");
                prop_assert_eq!(processed.model.config().normalization_type, Normalization::LNPre);
            }
            if leaf == "b_V" {
                prop_assert!(tensor.iter().all(|b| *b == 0.0));
            }
        }
    }
}

/// Every kind for which this holds, with how much a change of its weights changes log-probabilities.
fn changes(of: impl Fn(Kind) -> bool, change: impl Fn(&mut Model<f64>)) -> Vec<f64> {
    let kinds = kinds().into_iter().filter(|kind| of(*kind));
    kinds
        .map(|kind| {
            let (model, tokens) = SIZES.model(kind);
            let mut changed = model.clone();
            change(&mut changed);
            largest_difference(&log_probs(&changed, tokens.view()), &log_probs(&model, tokens.view()))
        })
        .collect()
}

fn center_last_axis(model: &mut Model<f64>, name: &str) {
    let mut tensor = model.params.tensor_mut(name).unwrap();
    for mut row in tensor.rows_mut() {
        let mean = row.mean().unwrap();
        row -= mean;
    }
}

#[test]
fn centring_the_embedding_without_norms_changes_the_model() {
    let changes =
        changes(|kind| kind.normalization_type == Normalization::None, |model| center_last_axis(model, "embed.W_E"));
    assert!(changes.len() == 20 && changes.iter().all(|change| *change > 1e-3), "{changes:?}");
}

#[test]
fn centring_shortformer_positions_changes_the_model() {
    let changes = changes(
        |kind| kind.positional_embedding_type == Positions::Shortformer,
        |model| center_last_axis(model, "pos_embed.W_pos"),
    );
    assert!(changes.len() == 30 && changes.iter().all(|change| *change > 1e-3), "{changes:?}");
}

#[test]
fn folding_the_first_norm_keeps_standard_models_and_changes_shortformer_ones() {
    let fold = |model: &mut Model<f64>| {
        let [w, b] = ["w", "b"].map(|name| model.params.tensor(&format!("blocks.0.ln1.{name}")).unwrap().to_owned());
        model.params.tensor_mut("blocks.0.ln1.w").unwrap().fill(1.0);
        model.params.tensor_mut("blocks.0.ln1.b").unwrap().fill(0.0);
        let (w, b) = (w.insert_axis(Axis(1)), b.insert_axis(Axis(1)));
        for kind in ["Q", "K", "V"] {
            let mut reader = model.params.tensor_mut(&format!("blocks.0.attn.W_{kind}")).unwrap();
            let moved = (&reader * &b).sum_axis(Axis(1));
            reader *= &w;
            let mut bias = model.params.tensor_mut(&format!("blocks.0.attn.b_{kind}")).unwrap();
            bias += &moved;
        }
    };
    let with = |positions| {
        changes(
            |kind| kind.normalization_type == Normalization::LN && kind.positional_embedding_type == positions,
            fold,
        )
    };
    let (standard, shortformer) = (with(Positions::Standard), with(Positions::Shortformer));
    assert!(standard.len() == 10 && standard.iter().all(|change| *change < KEPT), "{standard:?}");
    assert!(shortformer.len() == 10 && shortformer.iter().all(|change| *change > 1e-3), "{shortformer:?}");
}
