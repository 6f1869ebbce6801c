//! Every backend gives the plain engine's logits, loss and gradients, at every vector level.

use algolens_core::{
    engine::{Backend, Batch, Engine, Plain, Precision, Score, Vectors},
    model::{AttentionDir, Config, Mlp, Model, Normalization, Params, Positions, Rotary},
    random,
    task::{Targets, Token},
};
use algolens_testing::{
    Kind, Sizes, TARGET_KINDS, TargetKind, any_kind, index, kinds, larger, random_config, random_model, random_targets,
    random_tokens, random_weights, signed_unit, sizes, with_cases,
};
use ndarray::Array2;
use proptest::prelude::*;

/// What f32 may be off from f64, as a share of the tensor's largest number.
const TOLERANCE: f64 = 1e-5;

/// A model and a batch for it.
struct Subject {
    model: Model<f64>,
    tokens: Array2<Token>,
    targets: Targets,
    positions: Vec<usize>,
}

impl Subject {
    fn new(config: Config, lists: usize, seq: usize, positions: Vec<usize>, seed: u64) -> Self {
        let tokens = random_tokens(lists, seq, config.d_vocab, seed);
        let targets = random_targets(TargetKind::Classes, (lists, positions.len()), config.d_vocab_out, seed);
        let mut model = random_model(config, seed);
        // So that attention is not all on one key, where f32 and f64 may not agree which.
        model.params.values_mut().iter_mut().for_each(|w| *w *= 0.4);
        Self { model, tokens, targets, positions }
    }

    /// Of these sizes; some positions, in any order, one of which may come twice.
    fn random(sizes: Sizes, kind: Kind, lists: usize) -> Self {
        let mut rng = random::stream(sizes.seed, "test/positions");
        let positions = (0..1 + index(&mut rng, sizes.seq)).map(|_| index(&mut rng, sizes.seq)).collect();
        // Norms of almost constant rows would blow rounding up.
        let config = Sizes { eps: 0.1, ..sizes }.config(kind);
        Self::new(config, lists, sizes.seq, positions, sizes.seed)
    }

    fn batch(&self) -> Batch<'_> {
        Batch { tokens: self.tokens.view(), targets: self.targets.view(), positions: &self.positions }
    }

    /// The subject with other targets, weighted.
    fn with_targets(self, kind: TargetKind) -> Self {
        let shape = (self.tokens.nrows(), self.positions.len());
        let targets = random_targets(kind, shape, self.model.config().d_vocab_out, 1);
        Self { targets: targets.weighted(random_weights(shape, 1)), ..self }
    }

    /// The engines of every other backend that the model has, at every vector level.
    fn engines(&self) -> Vec<(String, Box<dyn Engine>)> {
        let backends = Backend::ALL.into_iter().filter(|backend| backend.check(self.model.config()).is_ok());
        let all = backends.flat_map(|backend| Vectors::available().into_iter().map(move |vectors| (backend, vectors)));
        all.map(|(backend, vectors)| (format!("{backend} {vectors:?}"), backend.engine(vectors))).collect()
    }

    /// Checks an engine against the plain one in f64; the differences of every tensor's gradient as shares.
    fn differences(&self, engine: &dyn Engine) -> Result<Vec<(String, f64)>, String> {
        let model: Model<f32> = self.model.cast();
        let (tokens, positions) = (self.tokens.view(), self.positions.as_slice());
        let mut differences = Vec::new();

        let logits = engine.logits(&model, tokens, positions).unwrap();
        let expected = Plain::new().logits(&self.model, tokens, positions).unwrap();
        let off = logits.iter().zip(&expected).fold(0.0, |off, (l, e)| larger((f64::from(*l) - e).abs(), off));
        differences.push(("logits".to_owned(), off / largest(&expected).max(1.0)));

        let (score, gradients) = loss_and_gradients(engine, &model, self.batch());
        let (expected, exact) = loss_and_gradients(&Plain::new(), &self.model, self.batch());
        differences.push(("loss".to_owned(), (score.loss() - expected.loss()).abs() / expected.loss()));
        let alone = engine.score(&model, self.batch()).unwrap();
        differences.push(("score".to_owned(), (alone.loss() - expected.loss()).abs() / expected.loss()));
        if (alone.right, alone.weight, score.weight) != (score.right, expected.weight, expected.weight) {
            return Err(format!("{alone:?} and {score:?} instead of {expected:?}"));
        }

        // Where attention cannot change a thing, gradients are rounding alone: measure them against all.
        let all = largest(exact.values());
        for ((name, found), (_, expected)) in gradients.tensors().zip(exact.tensors()) {
            let size = largest(&expected).max(0.1 * all);
            let off = found.iter().zip(&expected).fold(0.0, |off, (f, e)| larger((f64::from(*f) - e).abs(), off));
            differences.push((name.to_owned(), off / size));
        }
        Ok(differences)
    }
}

fn largest<'a>(numbers: impl IntoIterator<Item = &'a f64>) -> f64 {
    numbers.into_iter().fold(0.0, |largest, x| larger(x.abs(), largest))
}

/// What `loss_and_gradients` gives; the gradients it replaces are no numbers.
fn loss_and_gradients<T: Precision>(engine: &dyn Engine<T>, model: &Model<T>, batch: Batch) -> (Score, Params<T>) {
    let mut gradients = Params::like(model.params.layout().clone());
    gradients.values_mut().fill(T::nan());
    let score = engine.loss_and_gradients(model, batch, &mut gradients).expect("nothing fails");
    (score, gradients)
}

/// The post's sizes; other fields as given.
fn post() -> Config {
    Config {
        n_layers: 1,
        n_heads: 2,
        d_model: 96,
        d_head: 48,
        mlp: None,
        n_ctx: 21,
        d_vocab: 52,
        d_vocab_out: 52,
        normalization_type: Normalization::LN,
        attention_dir: AttentionDir::Causal,
        positional_embedding_type: Positions::Standard,
        eps: 1e-5,
        ..Config::default()
    }
}

/// A random config of the family at sizes of more than one vector.
fn wide(seed: u64) -> Config {
    let config = random_config(seed);
    let rotary = |rotary: Rotary| Rotary { rotary_dim: if rotary.rotary_dim > 2 { 18 } else { 6 }, ..rotary };
    Config {
        d_model: 20,
        d_head: 18,
        mlp: config.mlp.map(|mlp| Mlp { d_mlp: 37, ..mlp }),
        n_ctx: 22,
        d_vocab: 5,
        d_vocab_out: if config.tie_word_embeddings { 5 } else { 19 },
        attn_windows: config.attn_windows.iter().map(|window| window.map(|window| 5 * window)).collect(),
        positional_embedding_type: match config.positional_embedding_type {
            Positions::Rotary(of) => Positions::Rotary(rotary(of)),
            positions => positions,
        },
        eps: 0.1,
        ..config
    }
}

/// Every kind of model at sizes that are no multiples of a vector, and the post's, this one also with weighted targets of every
/// kind.
fn corpus() -> Vec<(String, Subject)> {
    let mut corpus: Vec<(String, Subject)> = Vec::new();
    for kind in kinds() {
        for n_layers in [1, 2] {
            let sizes = Sizes {
                n_layers,
                n_heads: 3,
                d_model: 20,
                d_head: 9,
                d_mlp: 37,
                d_vocab: 23,
                d_vocab_out: 19,
                spare_ctx: 2,
                eps: 0.1,
                lists: 0,
                seq: 11,
                seed: 6,
            };
            let name = format!("{n_layers} layers, {kind:?}");
            corpus.push((name, Subject::new(sizes.config(kind), 40, sizes.seq, vec![3, 4, 7, 10], 6)));
        }
    }
    let posts = || Subject::new(post(), 64, 21, (10..20).collect(), 1);
    let weighted = |kind| (format!("the post's, weighted {kind:?}"), posts().with_targets(kind));
    corpus.extend(TARGET_KINDS.map(weighted));
    corpus.push(("the post's".to_owned(), posts()));
    let large = Config { d_vocab: 70, n_ctx: 40, d_vocab_out: 2, n_heads: 1, d_head: 64, ..post() };
    corpus.push(("a larger vocabulary, one class of two".to_owned(), Subject::new(large, 64, 39, vec![38], 2)));
    corpus
}

#[test]
fn every_form_gives_the_plain_engine_s_numbers() {
    let mut worst: Vec<(String, f64, String)> = Vec::new();
    for (name, subject) in corpus() {
        for (engine_name, engine) in subject.engines() {
            let differences = subject.differences(&*engine).unwrap_or_else(|e| panic!("{name}, {engine_name}: {e}"));
            for (tensor, off) in differences {
                assert!(off < TOLERANCE, "{name}, {engine_name}, {tensor}: {off:.1e}");
                let backend = engine_name.split(' ').next().unwrap_or_default();
                let key = format!("{backend:8} {tensor}");
                match worst.iter_mut().find(|(known, ..)| *known == key) {
                    Some(known) if known.1 >= off => {}
                    Some(known) => (known.1, known.2) = (off, format!("{name}, {engine_name}")),
                    None => worst.push((key, off, format!("{name}, {engine_name}"))),
                }
            }
        }
    }
    println!("largest differences from the plain engine in f64, as shares:");
    worst.iter().for_each(|(key, off, at)| println!("  {key:34} {off:.1e}  ({at})"));
}

/// Rows of several vectors, at every vector level; `family.rs` has many more models, of rows that fit one.
#[test]
fn wide_models_of_the_family_agree() {
    for seed in 0..20 {
        let subject = Subject::new(wide(seed), 12, 21, vec![20, 3, 7], seed);
        Backend::Table.check(subject.model.config()).unwrap();
        for (name, engine) in subject.engines() {
            let differences = subject.differences(&*engine).unwrap_or_else(|e| panic!("seed {seed}, {name}: {e}"));
            for (tensor, off) in differences {
                assert!(
                    off < 3.0 * TOLERANCE,
                    "seed {seed}, {name}, {tensor}: {off:.1e}: {:?}",
                    subject.model.config()
                );
            }
        }
    }
}

/// A test of parity sees a plain engine that is wrong in the same way; a finite difference does not.
#[test]
fn gradients_of_every_form_are_finite_differences_of_the_loss() {
    const STEP: f64 = 1e-6;
    for (name, subject) in corpus() {
        let mut rng = random::stream(3, "test/direction");
        let direction: Vec<f64> = subject.model.params.values().iter().map(|_| signed_unit(&mut rng)).collect();
        let loss = |step: f64| {
            let mut moved = subject.model.clone();
            moved.params.values_mut().iter_mut().zip(&direction).for_each(|(w, d)| *w += step * d);
            Plain::new().score(&moved, subject.batch()).unwrap().loss()
        };
        let expected = (loss(STEP) - loss(-STEP)) / (2.0 * STEP);
        for (engine_name, engine) in subject.engines() {
            let (_, gradients) = loss_and_gradients(&*engine, &subject.model.cast(), subject.batch());
            let products = || gradients.values().iter().zip(&direction).map(|(g, d)| f64::from(*g) * d);
            let (found, size) = (products().sum::<f64>(), products().map(|x| x * x).sum::<f64>().sqrt());
            let off = (found - expected).abs() / size;
            assert!(off < 1e-3, "{name}, {engine_name}: {found} instead of {expected}");
        }
    }
}

proptest! {
    #![proptest_config(with_cases(80))]

    #[test]
    fn random_models_agree(
        sizes in sizes(), kind in any_kind(), lists in 1..40_usize, targets in prop::sample::select(TARGET_KINDS.to_vec()),
    ) {
        let subject = Subject::random(sizes, kind, lists).with_targets(targets);
        for (name, engine) in subject.engines() {
            for (tensor, off) in subject.differences(&*engine).map_err(TestCaseError::fail)? {
                // Small sums of small tensors: rounding is a larger share.
                prop_assert!(off < 100.0 * TOLERANCE, "{name}, {tensor}: {off:.1e}");
            }
        }
    }

    #[test]
    fn results_have_the_same_bits_on_any_number_of_threads_and_in_used_memory(
        sizes in sizes(), kind in any_kind(), lists in 1..300_usize,
    ) {
        let subject = Subject::random(sizes, kind, lists);
        let model: Model<f32> = subject.model.cast();
        for (name, engine) in subject.engines() {
            let bits = |threads: usize| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads start");
                let (score, gradients) = pool.install(|| loss_and_gradients(&*engine, &model, subject.batch()));
                let logits = pool.install(|| engine.logits(&model, subject.tokens.view(), &subject.positions)).unwrap();
                let alone = pool.install(|| engine.score(&model, subject.batch())).unwrap();
                let of = |numbers: &[f32]| numbers.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
                let scores = [score.loss_sum.to_bits(), alone.loss_sum.to_bits()];
                (scores, score.right.to_bits(), of(gradients.values()), of(logits.as_slice().unwrap()))
            };
            let one = bits(1);
            for threads in [2, 16, 1] {
                prop_assert!(bits(threads) == one, "{name}, {threads} threads");
            }
        }
    }
}

#[test]
fn nothing_to_predict_is_no_loss() {
    let mut subject = Subject::new(post(), 3, 21, vec![12], 1);
    subject.positions.clear();
    subject.targets = Array2::zeros((3, 0)).into();
    for (name, engine) in subject.engines() {
        let (score, gradients) = loss_and_gradients(&*engine, &subject.model.cast(), subject.batch());
        assert_eq!(score, Score::default(), "{name}");
        assert!(gradients.values().iter().all(|g| *g == 0.0), "{name}");
        let logits = engine.logits(&subject.model.cast(), subject.tokens.view(), &[]).unwrap();
        assert_eq!(logits.dim(), (3, 0, 52), "{name}");
    }
}
