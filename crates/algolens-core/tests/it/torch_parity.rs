//! Logits, loss, gradients and processed weights of every kind of model against TransformerLens;
//! `golden/torch_parity.json` says how they were computed.

use algolens_core::{
    engine::{Batch, Engine, Plain},
    model::{ActFn, AttentionDir, Model, Normalization, Params, Positions},
    task::Token,
};
use algolens_testing::{Kind, Sizes, kinds, largest_difference};
use ndarray::{Array2, Axis};
use serde::Deserialize;

/// Rounding of f64.
const SAME: f64 = 1e-12;

#[derive(Deserialize)]
struct Golden {
    sizes: GoldenSizes,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct GoldenSizes {
    n_layers: usize,
    n_heads: usize,
    d_model: usize,
    d_head: usize,
    d_mlp: usize,
    n_ctx: usize,
    d_vocab: usize,
    d_vocab_out: usize,
    eps: f64,
    lists: usize,
    seq: usize,
}

#[derive(Deserialize)]
struct Case {
    normalization_type: Normalization,
    act_fn: Option<ActFn>,
    attention_dir: AttentionDir,
    positional_embedding_type: Positions,
    /// At the last position of every list.
    logits: Vec<f64>,
    loss: f64,
    gradient_norm: f64,
    gradient_projection: f64,
    processed_projection: Option<f64>,
}

impl Golden {
    fn read() -> Self {
        serde_json::from_str(include_str!("../golden/torch_parity.json")).expect("the golden file is whole")
    }

    /// The model of a case, its weights by the formula in the golden file.
    fn model(&self, case: &Case) -> Model<f64> {
        let GoldenSizes { n_layers, n_heads, d_model, d_head, d_mlp, n_ctx, d_vocab, d_vocab_out, eps, lists, seq } =
            self.sizes;
        let spare_ctx = n_ctx - seq;
        let seed = 0;
        let sizes =
            Sizes { n_layers, n_heads, d_model, d_head, d_mlp, d_vocab, d_vocab_out, spare_ctx, eps, lists, seq, seed };
        let &Case { normalization_type, act_fn, attention_dir, positional_embedding_type, .. } = case;
        let kind = Kind { normalization_type, act_fn, attention_dir, positional_embedding_type };
        let mut model = Model::zeros(sizes.config(kind)).expect("the config is valid");
        for (k, name) in sorted_names(&model.params).into_iter().enumerate() {
            let mut tensor = model.params.tensor_mut(&name).expect("one of its own names");
            tensor.iter_mut().enumerate().for_each(|(i, x)| *x = 0.5 * (0.7 * i as f64 + k as f64 + 1.0).sin());
        }
        model
    }

    fn tokens(&self) -> Array2<Token> {
        let GoldenSizes { lists, seq, d_vocab, .. } = self.sizes;
        Array2::from_shape_fn((lists, seq), |(b, p)| ((3 * b + 5 * p + b * p) % d_vocab) as Token)
    }

    fn targets(&self) -> Array2<Token> {
        let GoldenSizes { lists, seq, d_vocab_out, .. } = self.sizes;
        Array2::from_shape_fn((lists, seq), |(b, p)| ((b + 2 * p) % d_vocab_out) as Token)
    }
}

impl Case {
    fn name(&self) -> String {
        let Self { normalization_type, act_fn, attention_dir, positional_embedding_type, .. } = self;
        format!("{normalization_type:?} {act_fn:?} {attention_dir:?} {positional_embedding_type:?}")
    }
}

fn sorted_names(params: &Params<f64>) -> Vec<String> {
    let mut names: Vec<_> = params.tensors().map(|(name, _)| name.to_owned()).collect();
    names.sort_unstable();
    names
}

/// A number in which every entry of every tensor counts differently.
fn projection(params: &Params<f64>) -> f64 {
    let of_tensor = |(k, name): (usize, String)| {
        let tensor = params.tensor(&name).expect("one of its own names");
        let terms = tensor.iter().enumerate().map(|(i, x)| x * (1.0 + i as f64 + 10.0 * k as f64).sin());
        terms.sum::<f64>()
    };
    sorted_names(params).into_iter().enumerate().map(of_tensor).sum()
}

#[test]
fn every_kind_of_model_has_a_golden_case() {
    let golden = Golden::read();
    let of_kinds = kinds().into_iter().map(|kind| {
        let Kind { normalization_type, act_fn, attention_dir, positional_embedding_type } = kind;
        format!("{normalization_type:?} {act_fn:?} {attention_dir:?} {positional_embedding_type:?}")
    });
    assert_eq!(golden.cases.iter().map(Case::name).collect::<Vec<_>>(), of_kinds.collect::<Vec<_>>());
}

#[test]
fn logits_losses_and_gradients_are_those_of_transformer_lens() {
    let golden = Golden::read();
    let (tokens, targets) = (golden.tokens(), golden.targets());
    let positions: Vec<_> = (0..tokens.ncols()).collect();
    for case in &golden.cases {
        let (model, name) = (golden.model(case), case.name());
        let logits = algolens_testing::logits(&model, tokens.view());
        let last = logits.index_axis(Axis(1), tokens.ncols() - 1).iter().copied().collect::<Vec<_>>();
        let off = largest_difference(&last, &case.logits);
        assert!(off < SAME, "{name}: logits are off by {off}");

        let batch = Batch { tokens: tokens.view(), targets: targets.view().into(), positions: &positions };
        let mut gradients = Params::zeros(model.config());
        let score = Plain::new().loss_and_gradients(&model, batch, &mut gradients).expect("the batch is valid");
        let norm = gradients.values().iter().map(|g| g * g).sum::<f64>().sqrt();
        let found = [score.loss(), norm, projection(&gradients)];
        let off = largest_difference(&found, &[case.loss, case.gradient_norm, case.gradient_projection]);
        assert!(off < SAME, "{name}: loss, gradient norm and projection {found:?} are off by {off}");
    }
}

#[test]
fn processed_weights_are_those_of_transformer_lens() {
    let golden = Golden::read();
    let processed: Vec<_> = golden.cases.iter().filter_map(|case| Some((case, case.processed_projection?))).collect();
    assert_eq!(processed.len(), golden.cases.len() / 2, "all with standard positions");
    for (case, expected) in processed {
        let found = projection(&golden.model(case).process().model.params);
        assert!((found - expected).abs() < SAME, "{}: {found} instead of {expected}", case.name());
    }
}
