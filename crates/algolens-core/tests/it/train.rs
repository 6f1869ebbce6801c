//! Tasks of every kind of target are trained.

use algolens_core::{
    Error, Result,
    engine::{Backend, Batch, Vectors},
    evaluation::evaluate,
    model::AttentionDir,
    random::{self, Twister, below},
    task::{Dataset, Options, Registry, RightView, Targets, Task, TaskKind, TaskSpec, Token},
    train::{Architecture, Event, Recipe, Run},
};
use ndarray::{Array1, Array3, Axis, array};
use std::ops::ControlFlow;

const LETTERS: usize = 5;
const LENGTH: usize = 6;
const PAD: Token = LETTERS as Token;

/// What is asked of some letters at each position.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Asked {
    /// Which have come so far: a set.
    Seen,
    /// How often each has come so far: a distribution.
    Shares,
    /// The last of the alphabet so far, in lists of 2 to 6 letters and padding: a class.
    Last,
    /// The last of the alphabet of the whole list: a class, for models that see it all.
    LastOfAll,
}

#[derive(Clone, Debug)]
struct Letters(Asked);

const NAMES: [(&str, Asked); 4] =
    [("seen", Asked::Seen), ("shares", Asked::Shares), ("last", Asked::Last), ("last_of_all", Asked::LastOfAll)];

impl TaskKind for Letters {
    const NAME: &'static str = "letters";

    fn from_options(options: &mut Options) -> Result<Self> {
        let asked: String = options.take("asked", "seen".into())?;
        let known = NAMES.into_iter().find(|(name, _)| *name == asked);
        known.map(|(_, asked)| Self(asked)).ok_or_else(|| Error::invalid("asked", "a question", asked))
    }
}

impl Task for Letters {
    fn spec(&self) -> TaskSpec {
        let name = NAMES.into_iter().find(|(_, asked)| *asked == self.0).map_or("", |(name, _)| name);
        TaskSpec::new(Self::NAME).with("asked", name)
    }

    fn n_ctx(&self) -> usize {
        LENGTH
    }

    fn token_labels(&self) -> Vec<String> {
        ["a", "b", "c", "d", "e", "PAD"].map(String::from).to_vec()
    }

    fn output_labels(&self) -> Vec<String> {
        self.token_labels()[..LETTERS].to_vec()
    }

    fn predicted_positions(&self) -> Vec<usize> {
        (0..LENGTH).collect()
    }

    fn targets(&self, example: &[Token]) -> Targets {
        let count = |end: usize, class: usize| example[..=end].iter().filter(|t| **t as usize == class).count();
        let shape = (1, LENGTH, LETTERS);
        let letters = |end: usize| example[..=end].iter().filter(|letter| **letter != PAD);
        let last = |end: usize| letters(end).max().copied().unwrap_or(0);
        match self.0 {
            Asked::Seen => Array3::from_shape_fn(shape, |(_, end, class)| count(end, class) > 0).into(),
            Asked::Shares => {
                Array3::from_shape_fn(shape, |(_, end, class)| count(end, class) as f32 / (end + 1) as f32).into()
            }
            Asked::Last => (0..LENGTH).map(last).collect::<Vec<_>>().into(),
            // The first position counts for nothing, the second twice.
            Asked::LastOfAll => {
                let weights = Array1::from_vec(vec![0.0, 2.0, 1.0, 1.0, 1.0, 1.0]).insert_axis(Axis(0));
                Targets::from(vec![last(LENGTH - 1); LENGTH]).weighted(weights)
            }
        }
    }

    fn padding(&self) -> Option<Token> {
        (self.0 == Asked::Last).then_some(PAD)
    }

    fn attention_dir(&self) -> AttentionDir {
        if self.0 == Asked::LastOfAll { AttentionDir::Bidirectional } else { AttentionDir::Causal }
    }

    fn generate(&self, rng: &mut Twister, example: &mut [Token]) {
        let length = if self.0 == Asked::Last { 2 + below(rng, LENGTH as u32 - 1) as usize } else { LENGTH };
        example.fill(PAD);
        example[..length].fill_with(|| below(rng, LETTERS as u32));
    }

    fn validate(&self, _: &[Token]) -> Result<()> {
        Ok(())
    }

    fn complete(&self, input: &[Token]) -> Result<Vec<Token>> {
        Ok(input.to_vec())
    }
}

fn registry() -> Registry {
    Registry::empty().with::<Letters>()
}

fn recipe(asked: &str) -> Recipe {
    Recipe {
        seed: 1,
        task: Some(TaskSpec::new("letters").with("asked", asked)),
        model: Architecture { d_model: 32, d_head: 16, ..Architecture::default() },
        train_size: 4000,
        validation_size: 400,
        batch_size: 64,
        epochs: 8,
        lr_start: 1e-2,
        lr_end: 1e-3,
        weight_decay: 0.0,
        ..Recipe::default()
    }
}

/// A run on some backend, ended after some epochs.
fn trained(asked: &str, backend: Backend, epochs: usize) -> Run {
    let mut run = Run::new(recipe(asked), &registry()).unwrap();
    let mut observer = |event: Event| match event {
        Event::Epoch(run) if run.history().len() == epochs => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    };
    // Cancelled, or done.
    let _ = run.train(&*backend.engine(Vectors::best()), &mut observer);
    assert_eq!(run.history().len(), epochs);
    run
}

#[test]
fn tasks_of_every_kind_of_target_are_learnt() {
    for (asked, least) in [("seen", 0.95), ("shares", 0.9), ("last", 0.99), ("last_of_all", 0.99)] {
        let run = trained(asked, Backend::Circuit, 8);
        let data = Dataset::generate(&**run.task().unwrap(), 500, &mut random::stream(9, "test")).unwrap();
        let found = evaluate(&*Backend::Plain.engine(Vectors::best()), &run.best(), &data).unwrap();
        println!("{asked}: {found:?}");
        assert!(found.token_accuracy > least, "{asked}: {found:?}");
        if let RightView::Distributions(shares) = data.targets().right {
            // No distribution is nearer to another than to itself.
            let entropy: f64 = shares.iter().filter(|p| **p > 0.0).map(|p| -f64::from(*p * p.ln())).sum();
            let above = found.loss - entropy / data.targets().len() as f64;
            assert!((0.0..0.05).contains(&above), "{above} nats above the smallest loss");
        }
    }
}

#[test]
fn backends_take_the_same_steps_on_every_kind_of_target() {
    for (asked, _) in NAMES {
        let losses = Backend::ALL.map(|backend| trained(asked, backend, 1).history()[0].validation_loss);
        assert!(losses.iter().all(|loss| (loss - losses[2]).abs() < 1e-3), "{asked}: {losses:?}");
    }
}

#[test]
fn a_run_on_sets_goes_on_to_the_same_bits() {
    let cut = trained("seen", Backend::Circuit, 3);
    let mut resumed = Run::from_bytes(&cut.to_bytes().unwrap(), &registry()).unwrap();
    let mut heedless = |_: Event| ControlFlow::Continue(());
    resumed.train(&*Backend::Circuit.engine(Vectors::best()), &mut heedless).unwrap();
    assert!(resumed.to_bytes().unwrap() == trained("seen", Backend::Circuit, 8).to_bytes().unwrap());
}

#[test]
fn models_attend_as_their_task_says_unless_the_recipe_does() {
    let direction = |asked: &str, said: Option<AttentionDir>| {
        let model = Architecture { attention_dir: said, ..recipe(asked).model };
        let run = Run::new(Recipe { model, ..recipe(asked) }, &registry()).unwrap();
        // What was left open is recorded.
        assert_eq!(run.recipe().model.attention_dir, Some(run.model().config().attention_dir));
        run.model().config().attention_dir
    };
    assert_eq!(direction("last", None), AttentionDir::Causal);
    assert_eq!(direction("last_of_all", None), AttentionDir::Bidirectional);
    assert_eq!(direction("last_of_all", Some(AttentionDir::Causal)), AttentionDir::Causal);
}

#[test]
fn what_is_padding_is_not_scored() {
    let task = Letters(Asked::Last);
    let data = Dataset::generate(&task, 50, &mut random::stream(1, "test")).unwrap();
    let weights = data.targets().weights.unwrap();
    for ((example, position), token) in data.tokens().indexed_iter() {
        assert_eq!(weights[[example, position]], if *token == PAD { 0.0 } else { 1.0 });
    }
    assert_eq!(data.padding(), Some(PAD));
    assert_eq!(data.targets().total_weight(), data.tokens().iter().filter(|token| **token != PAD).count() as f64);
}

/// Where nothing is scored nothing need be right: sets of no class at padding, distributions of no probability.
#[test]
fn what_is_padding_needs_no_target() {
    let tokens = array![[0, 1, 2], [1, 2, 2]];
    let right = |(_, _, class): (usize, usize, usize)| class == 0;
    let sets = Array3::from_shape_fn((2, 3, 2), |at| tokens[[at.0, at.1]] != 2 && right(at));
    let labels = || ["a", "b", "_"].map(String::from).to_vec();
    for targets in [Targets::from(sets.clone()), Targets::from(sets.mapv(|is| f32::from(u8::from(is))))] {
        let padded = Dataset::padded(tokens.clone(), targets.clone(), vec![0, 1, 2], labels(), 2).unwrap();
        assert_eq!(padded.targets().weights.unwrap(), array![[1.0, 1.0, 0.0], [1.0, 0.0, 0.0]]);
        assert!(padded.targets().target(0, 2).classes().is_empty());
        let said = Dataset::new(tokens.clone(), targets, vec![0, 1, 2], labels()).unwrap_err().to_string();
        assert!(said.contains("target 3 of example 1"), "{said}");
    }
}

/// A task that says one thing and does another.
#[derive(Debug)]
struct Confused(Says);

/// The targets of an example.
type Says = fn(&[Token]) -> Targets;

impl Task for Confused {
    fn spec(&self) -> TaskSpec {
        TaskSpec::new("confused")
    }

    fn n_ctx(&self) -> usize {
        2
    }

    fn token_labels(&self) -> Vec<String> {
        ["a", "b"].map(String::from).to_vec()
    }

    fn predicted_positions(&self) -> Vec<usize> {
        vec![0, 1]
    }

    fn targets(&self, example: &[Token]) -> Targets {
        self.0(example)
    }

    fn generate(&self, _: &mut Twister, _: &mut [Token]) {}

    fn validate(&self, _: &[Token]) -> Result<()> {
        Ok(())
    }

    fn complete(&self, input: &[Token]) -> Result<Vec<Token>> {
        Ok(input.to_vec())
    }
}

#[test]
fn targets_that_do_not_fit_the_task_are_named() {
    let cases: [(Says, &str); 6] = [
        (|_| vec![0].into(), "targets: expected shape [1, 2], found [1, 1]"),
        (|_| vec![0, 2].into(), "token 1: expected a number below 2, found 2"),
        (|_| Array3::from_elem((1, 2, 3), true).into(), "classes of the targets: expected 2, found 3"),
        (|_| Array3::from_elem((1, 2, 2), false).into(), "target 1 of example 1: expected at least one right class"),
        (|_| Array3::from_elem((1, 2, 2), 0.4_f32).into(), "expected probabilities that sum to 1"),
        (
            |example| match example {
                [0, _] => vec![0, 0].into(),
                _ => Array3::from_elem((1, 2, 2), true).into(),
            },
            "targets: expected classes, as before, found sets of classes",
        ),
    ];
    for (targets, expected) in cases {
        let said = Dataset::from_inputs(&Confused(targets), &[[0, 1], [1, 0]]).unwrap_err().to_string();
        assert!(said.starts_with("example ") && said.contains(expected), "{expected}: {said}");
    }
}

/// An engine sees a batch as it is: data that no task made is checked too.
#[test]
fn batches_that_do_not_fit_a_model_are_refused() {
    let run = Run::new(recipe("seen"), &registry()).unwrap();
    let data = Dataset::generate(&**run.task().unwrap(), 3, &mut random::stream(1, "test")).unwrap();
    let engine = Backend::Circuit.engine(Vectors::best());
    let said = |targets: Targets| {
        let batch = Batch { targets: targets.view(), ..Batch::from(&data) };
        engine.outcomes(run.model(), batch).unwrap_err().to_string()
    };
    let classes = |class: Token| Targets::from(ndarray::Array2::from_elem((3, LENGTH), class));
    assert_eq!(said(classes(5)), "token 0: expected a number below 5, found 5");
    assert_eq!(said(Array3::from_elem((3, LENGTH, 6), true).into()), "classes of the targets: expected 5, found 6");
    for weight in [-1.0, f32::NAN, f32::INFINITY] {
        let weights = ndarray::Array2::from_elem((3, LENGTH), weight);
        let expected = format!("weight 1 of example 1: expected a number of 0 or more, found {weight}");
        assert_eq!(said(classes(0).weighted(weights)), expected);
    }
}
