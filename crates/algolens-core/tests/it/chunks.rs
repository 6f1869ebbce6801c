//! The pass that training uses (chunks of a batch in parallel, without hooks) against the one over the whole batch.

use algolens_core::{
    engine::{
        Batch, Engine, Plain, Precision, Score,
        hooks::{Filter, Hooks},
        loss,
    },
    model::{Model, Params},
    random,
    task::Token,
};
use algolens_testing::{Kind, Sizes, any_kind, index, larger, largest_difference, sizes, with_cases};
use ndarray::{Array2, Array3, ArrayView3};
use proptest::prelude::*;

/// Rounding of f64, as a share of 1 + the largest number.
const F64: f64 = 1e-10;
/// Rounding of f32 through norms of small variance, as a share of 1 + the largest number.
const F32: f64 = 1e-3;

/// A model and a batch for it: some positions (one may come twice) of some lists.
struct Subject {
    model: Model<f64>,
    tokens: Array2<Token>,
    targets: Array2<Token>,
    positions: Vec<usize>,
}

impl Subject {
    fn new(sizes: Sizes, kind: Kind, lists: usize) -> Self {
        let (model, tokens) = Sizes { lists, eps: 0.1, ..sizes }.model(kind);
        let mut rng = random::stream(sizes.seed, "test/batch");
        let positions: Vec<_> = (0..sizes.seq).map(|_| index(&mut rng, sizes.seq)).collect();
        let shape = (lists, positions.len());
        let targets = Array2::from_shape_simple_fn(shape, || index(&mut rng, sizes.d_vocab_out) as Token);
        Self { model, tokens, targets, positions }
    }

    fn batch(&self) -> Batch<'_> {
        Batch { tokens: self.tokens.view(), targets: self.targets.view().into(), positions: &self.positions }
    }

    /// The logits at every position, from a run with hooks.
    fn all_logits(&self) -> Array3<f64> {
        let mut none = Hooks::new(self.model.config());
        Plain::new().run_with_hooks(&self.model, self.tokens.view(), &mut none).expect("nothing fails")
    }

    /// The logits at the predicted positions, from a run with hooks.
    fn run_logits(&self) -> Array3<f64> {
        self.all_logits().select(ndarray::Axis(1), &self.positions)
    }

    /// The derivative of the mean cross-entropy by all logits, from its definition.
    fn seed(&self, logits: ArrayView3<f64>) -> Array3<f64> {
        let mut seed = Array3::zeros(logits.dim());
        for (list, targets) in self.targets.outer_iter().enumerate() {
            for (&position, &target) in self.positions.iter().zip(targets) {
                let log_probs = loss::log_softmax(logits.slice(ndarray::s![list, position, ..]));
                for (class, log_prob) in log_probs.into_iter().enumerate() {
                    let right = f64::from(u8::from(class == target as usize));
                    seed[[list, position, class]] += (log_prob.exp() - right) / self.targets.len() as f64;
                }
            }
        }
        seed
    }
}

/// What `loss_and_gradients` gives; the gradients it replaces are no numbers.
fn loss_and_gradients<T: Precision>(engine: &Plain<T>, model: &Model<T>, batch: Batch) -> (Score, Params<T>) {
    let mut gradients = Params::like(model.params.layout().clone());
    gradients.values_mut().fill(T::nan());
    let score = engine.loss_and_gradients(model, batch, &mut gradients).expect("nothing fails");
    (score, gradients)
}

fn relative_difference(a: &[f64], b: &[f64]) -> f64 {
    largest_difference(a, b) / b.iter().fold(1.0, |sum, b| larger(b.abs(), sum))
}

/// Lists in a batch: fewer than there are groups, and several chunks in each group.
fn lists() -> impl Strategy<Value = usize> {
    prop_oneof![1..20_usize, 250..300_usize, 500..600_usize]
}

proptest! {
    #![proptest_config(with_cases(60))]

    #[test]
    fn loss_and_gradients_are_those_of_the_cross_entropy(sizes in sizes(), kind in any_kind(), lists in lists()) {
        let subject = Subject::new(sizes, kind, lists);
        let (score, gradients) = loss_and_gradients(&Plain::new(), &subject.model, subject.batch());
        let mut none = Hooks::new(subject.model.config());
        let mut seed = |logits: ArrayView3<'_, f64>| Ok(subject.seed(logits));
        let tokens = subject.tokens.view();
        let (_, expected) = Plain::new()
            .run_with_gradients(&subject.model, tokens, &mut none, Filter::Nothing, &mut seed)
            .expect("nothing fails");
        let off = relative_difference(gradients.values(), expected.params.values());
        prop_assert!(off < F64, "{off}");
        let expected = loss::score(subject.run_logits().view(), subject.targets.view());
        prop_assert!((score.loss() - expected.loss()).abs() < F64);
        prop_assert_eq!((score.right, score.weight), (expected.right, expected.weight));
        let alone = Plain::new().score(&subject.model, subject.batch()).expect("nothing fails");
        prop_assert!((alone.loss() - expected.loss()).abs() < F64);
    }

    #[test]
    fn logits_are_those_of_a_run_with_hooks(sizes in sizes(), kind in any_kind(), lists in lists()) {
        let subject = Subject::new(sizes, kind, lists);
        let logits = Plain::new().logits(&subject.model, subject.tokens.view(), &subject.positions).unwrap();
        let expected = subject.run_logits();
        let off = relative_difference(logits.as_slice().unwrap(), expected.as_standard_layout().as_slice().unwrap());
        prop_assert!(off < F64, "{off}");
    }

    #[test]
    fn single_precision_agrees_with_double(sizes in sizes(), kind in any_kind(), lists in lists()) {
        let subject = Subject::new(sizes, kind, lists);
        let (expected, exact) = loss_and_gradients(&Plain::new(), &subject.model, subject.batch());
        let (score, gradients) = loss_and_gradients(&Plain::<f32>::new(), &subject.model.cast(), subject.batch());
        prop_assert!((score.loss() - expected.loss()).abs() < F32 * (1.0 + expected.loss()));
        let off = relative_difference(gradients.cast().values(), exact.values());
        prop_assert!(off < F32, "{off}");
    }

    #[test]
    fn results_have_the_same_bits_on_any_number_of_threads_and_in_used_memory(
        sizes in sizes(), kind in any_kind(), lists in lists(),
    ) {
        let subject = Subject::new(sizes, kind, lists);
        let model: Model<f32> = subject.model.cast();
        let engine = Plain::new();
        let bits = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads start");
            let (score, gradients) = pool.install(|| loss_and_gradients(&engine, &model, subject.batch()));
            let logits = pool.install(|| engine.logits(&model, subject.tokens.view(), &subject.positions)).unwrap();
            let of = |numbers: &[f32]| numbers.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
            (score.loss_sum.to_bits(), score.right.to_bits(), of(gradients.values()), of(logits.as_slice().unwrap()))
        };
        let one = bits(1);
        for threads in [2, 3, 1] {
            prop_assert!(bits(threads) == one, "{threads} threads");
        }
    }
}
