//! Targets of every kind, weighted or not: losses by their definitions, gradients by finite differences.

use algolens_core::{
    engine::{Backend, Batch, Engine, Plain, Score, Vectors},
    evaluation::evaluate,
    model::{ActFn, AttentionDir, Model, Params},
    random,
    task::{Dataset, Right, Targets, Token},
};
use algolens_testing::{
    Kind, SIZES, Sizes, TARGET_KINDS, TargetKind, any_kind, index, kinds, larger, largest_difference, losses,
    mean_by_weight as mean, random_targets, random_weights, sizes, with_cases,
};
use ndarray::{Array2, s};
use proptest::prelude::*;

/// Finite differences step this far, and twice as far.
const STEP: f64 = 2e-5;
/// How far a gradient may be from a finite difference, as a share of 1 + the largest gradient.
const AGREES: f64 = 1e-6;
/// Weights that are varied.
const ENTRIES: usize = 24;

/// A model and a batch for it; all positions are predicted.
struct Subject {
    model: Model<f64>,
    tokens: Array2<Token>,
    targets: Targets,
    positions: Vec<usize>,
}

impl Subject {
    fn new(sizes: Sizes, kind: Kind, targets: TargetKind, weighted: bool) -> Self {
        // Of a smooth function, and a norm that bends slowly.
        let act_fn = kind.act_fn.map(|act_fn| if act_fn == ActFn::Relu { ActFn::Gelu } else { act_fn });
        let (model, tokens) = Sizes { eps: 0.1, ..sizes }.model(Kind { act_fn, ..kind });
        let shape = (sizes.lists, sizes.seq);
        let all = random_targets(targets, shape, sizes.d_vocab_out, sizes.seed);
        let targets = if weighted { all.weighted(random_weights(shape, sizes.seed)) } else { all };
        Self { model, tokens, targets, positions: (0..sizes.seq).collect() }
    }

    fn batch(&self) -> Batch<'_> {
        Batch { tokens: self.tokens.view(), targets: self.targets.view(), positions: &self.positions }
    }

    fn losses(&self, model: &Model<f64>) -> Vec<(f64, bool, f64)> {
        let logits = Plain::new().logits(model, self.tokens.view(), &self.positions).unwrap();
        losses(logits.view(), &self.targets)
    }

    /// The loss with one weight of the model moved.
    fn moved(&self, at: usize, by: f64) -> f64 {
        let mut model = self.model.clone();
        model.params.values_mut()[at] += by;
        mean(&self.losses(&model), |loss, _| loss)
    }

    fn loss_and_gradients(&self) -> (Score, Params<f64>) {
        let mut gradients = Params::like(self.model.params.layout().clone());
        let score = Plain::new().loss_and_gradients(&self.model, self.batch(), &mut gradients).unwrap();
        (score, gradients)
    }
}

proptest! {
    #![proptest_config(with_cases(40))]

    #[test]
    fn gradients_of_sets_distributions_and_weighted_targets_are_finite_differences(
        sizes in sizes(), kind in any_kind(),
    ) {
        for (targets, weighted) in TARGET_KINDS.into_iter().flat_map(|targets| [(targets, false), (targets, true)]) {
            let subject = Subject::new(sizes, kind, targets, weighted);
            let (score, gradients) = subject.loss_and_gradients();
            let by_hand = subject.losses(&subject.model);
            prop_assert!((score.loss() - mean(&by_hand, |loss, _| loss)).abs() < 1e-10, "{targets:?} {weighted}");
            prop_assert!((score.accuracy() - mean(&by_hand, |_, right| f64::from(u8::from(right)))).abs() < 1e-10);
            let largest = gradients.values().iter().fold(0.0, |largest, g| larger(g.abs(), largest));
            let mut rng = random::stream(sizes.seed, "test/entries");
            for _ in 0..ENTRIES {
                let at = index(&mut rng, gradients.values().len());
                let [a, b, c, d] = [-2.0, -1.0, 1.0, 2.0].map(|by| subject.moved(at, by * STEP));
                let (expected, found) = ((8.0 * (c - b) - (d - a)) / (12.0 * STEP), gradients.values()[at]);
                let off = (found - expected).abs() / (1.0 + largest);
                prop_assert!(off < AGREES, "{targets:?} {weighted}, {at}: {found}, by finite differences {expected}");
            }
        }
    }

    /// In a causal model nothing that is scored sees what stands behind it; in any model nobody asks what would be right
    /// where nothing is scored.
    #[test]
    fn what_is_unscored_changes_no_loss_and_no_gradient(sizes in sizes(), kind in any_kind(), cut in any::<prop::sample::Index>()) {
        for targets in TARGET_KINDS {
            let mut subject = Subject::new(sizes, kind, targets, true);
            // Each list has an end of its own, behind which nothing is scored.
            let ends: Vec<usize> = (0..sizes.lists).map(|list| 1 + (cut.index(sizes.seq) + list) % sizes.seq).collect();
            let weights = subject.targets.weights.as_mut().unwrap();
            ends.iter().enumerate().for_each(|(list, end)| weights.slice_mut(s![list, *end..]).fill(0.0));
            let weights = weights.clone();
            let before = engines(&subject);
            let other = random_targets(targets, weights.dim(), sizes.d_vocab_out, sizes.seed ^ 1);
            replace_where(&mut subject.targets.right, &other.right, |list, at| weights[[list, at]] == 0.0);
            if kind.attention_dir == AttentionDir::Causal {
                for (list, end) in ends.iter().enumerate() {
                    let mut behind = subject.tokens.slice_mut(s![list, *end..]);
                    behind.mapv_inplace(|token| (token + 1) % sizes.d_vocab as Token);
                }
            }
            for ((name, score, gradients), (_, other, others)) in before.into_iter().zip(engines(&subject)) {
                prop_assert!((score.loss() - other.loss()).abs() < 1e-6, "{name}");
                prop_assert_eq!(score.right, other.right);
                prop_assert!(largest_difference(&gradients, &others) < 1e-5, "{name}, {targets:?}");
            }
        }
    }
}

/// The score and the gradients of every backend that the model has.
fn engines(subject: &Subject) -> Vec<(String, Score, Vec<f64>)> {
    let model: Model<f32> = subject.model.cast();
    let backends = Backend::ALL.into_iter().filter(|backend| backend.check(model.config()).is_ok());
    let run = |backend: Backend| {
        let mut gradients = Params::like(model.params.layout().clone());
        let score =
            backend.engine(Vectors::best()).loss_and_gradients(&model, subject.batch(), &mut gradients).unwrap();
        (backend.to_string(), score, gradients.values().iter().map(|g| f64::from(*g)).collect())
    };
    let (score, gradients) = subject.loss_and_gradients();
    [("plain, f64".to_owned(), score, gradients.values().to_vec())].into_iter().chain(backends.map(run)).collect()
}

/// Takes what is right at some predictions from elsewhere.
fn replace_where(right: &mut Right, other: &Right, at: impl Fn(usize, usize) -> bool) {
    match (right, other) {
        (Right::Classes(right), Right::Classes(other)) => {
            for ((list, prediction), class) in right.indexed_iter_mut() {
                if at(list, prediction) {
                    *class = other[[list, prediction]];
                }
            }
        }
        (Right::Sets(right), Right::Sets(other)) => {
            for ((list, prediction, class), is_right) in right.indexed_iter_mut() {
                if at(list, prediction) {
                    // An empty set, if it comes so: nobody asks.
                    *is_right = other[[list, prediction, class]] && class == 0;
                }
            }
        }
        (Right::Distributions(right), Right::Distributions(other)) => {
            for ((list, prediction, class), prob) in right.indexed_iter_mut() {
                if at(list, prediction) {
                    *prob = 3.0 * other[[list, prediction, class]];
                }
            }
        }
        _ => panic!("targets of one kind"),
    }
}

/// A prediction of weight n counts as n predictions of weight 1.
#[test]
fn evaluations_are_those_of_predictions_that_come_as_often_as_they_weigh() {
    let sizes = Sizes { lists: 40, seq: 5, spare_ctx: 0, ..SIZES };
    let kind = kinds()[0];
    for targets in TARGET_KINDS {
        let (model, tokens) = sizes.model(kind);
        let shape = (sizes.lists, 3);
        let mut rng = random::stream(5, "test/weights");
        let mut weights = Array2::from_shape_simple_fn(shape, || index(&mut rng, 4) as f32);
        // One list of which nothing is scored.
        weights.row_mut(7).fill(0.0);
        let targets = random_targets(targets, shape, sizes.d_vocab_out, 1).weighted(weights);
        let labels = (0..sizes.d_vocab).map(|token| token.to_string()).collect();
        let positions = vec![1, 2, 4];
        let data = Dataset::new(tokens.clone(), targets.clone(), positions.clone(), labels).unwrap();

        let model32: Model<f32> = model.cast();
        let exact: Model<f64> = model32.cast();
        let logits = Plain::new().logits(&exact, tokens.view(), &positions).unwrap();
        let each = losses(logits.view(), &targets);
        let repeated: Vec<(f64, bool)> =
            each.iter().flat_map(|(loss, right, w)| vec![(*loss, *right); *w as usize]).collect();
        let count = repeated.len() as f64;
        let mut probs: Vec<f64> = repeated.iter().map(|(loss, _)| (-loss).exp()).collect();
        probs.sort_by(f64::total_cmp);
        let lists = || each.chunks(3).filter(|list| list.iter().any(|(.., w)| *w > 0.0));
        let right_lists = lists().filter(|list| list.iter().all(|(_, right, w)| *right || *w == 0.0)).count();

        for backend in Backend::ALL.into_iter().filter(|backend| backend.check(model32.config()).is_ok()) {
            let found = evaluate(&*backend.engine(Vectors::best()), &model32, &data).unwrap();
            let right = repeated.iter().filter(|(_, right)| *right).count() as f64;
            for (name, found, expected) in [
                ("loss", found.loss, repeated.iter().map(|(loss, _)| loss).sum::<f64>() / count),
                ("mean", found.mean_prob, probs.iter().sum::<f64>() / count),
                ("median", found.median_prob, probs[(probs.len() - 1) / 2]),
                ("min", found.min_prob, probs[0]),
                ("tokens", found.token_accuracy, right / count),
                ("lists", found.list_accuracy, right_lists as f64 / lists().count() as f64),
            ] {
                assert!((found - expected).abs() < 1e-5, "{backend}, {name}: {found} instead of {expected}");
            }
            assert_eq!((found.size, lists().count()), (40, 39));
        }
    }
}

#[test]
fn targets_are_iterated_example_by_example() {
    for (kind, weighted) in TARGET_KINDS.into_iter().flat_map(|kind| [(kind, false), (kind, true)]) {
        let subject = Subject::new(SIZES, kinds().remove(0), kind, weighted);
        let all = subject.targets.view();
        let (examples, predictions) = all.dim();
        let places = (0..examples).flat_map(|example| (0..predictions).map(move |at| (example, at)));
        let one_by_one: Vec<_> =
            places.map(|(example, at)| (all.target(example, at).classes(), all.weight(example, at))).collect();
        let iterated: Vec<_> = all.iter().map(|(target, weight)| (target.classes(), weight)).collect();
        assert_eq!(iterated, one_by_one, "{kind:?}, weighted: {weighted}");
    }
}

#[test]
fn a_batch_in_which_nothing_is_scored_has_no_gradient() {
    for targets in TARGET_KINDS {
        let mut subject = Subject::new(SIZES, kinds()[0], targets, true);
        subject.targets.weights.as_mut().unwrap().fill(0.0);
        for (name, score, gradients) in engines(&subject) {
            assert_eq!(score, Score::default(), "{name}");
            assert!(gradients.iter().all(|g| *g == 0.0), "{name}");
        }
    }
}
