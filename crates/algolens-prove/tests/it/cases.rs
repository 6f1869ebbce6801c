//! Models small enough to run every list, and certificates of them.

use algolens_check::certificate::{Certificate, Class};
use algolens_core::{
    engine::{Backend, Engine, Plain, Vectors},
    model::{
        Biases, Model, Normalization, Positions,
        checkpoint::{Checkpoint, Hints},
    },
    task::{Dataset, MaxOfList, Registry, SortedList, Task, Token},
    train::{Architecture, Event, Recipe, Run},
};
use algolens_prove::{self as prove, Classes, Origin, Search, Tables};
use algolens_testing::every_list;
use ndarray::ArrayView1;
use std::{collections::HashMap, ops::ControlFlow};

/// Logits by which an answer must exceed another.
pub const SLACK: f64 = 1e-4;

/// A model with its brute-force results over every list.
pub struct Enumerated<T = SortedList> {
    pub model: Model,
    pub task: T,
    /// The margins of each class's lists.
    pub margins: HashMap<Class, Vec<f64>>,
    /// The share of predictions, and of lists, whose margin is positive.
    pub accuracy: [f64; 2],
    /// The class of each prediction of a list.
    pub classes_of: fn(&T, &[Token]) -> Vec<Class>,
}

/// A trained sorting model's task, architecture and length of training.
pub struct Kind {
    pub list_len: usize,
    pub max_value: u32,
    pub n_heads: usize,
    pub norm: Normalization,
    pub positions: Positions,
    pub biases: Biases,
    pub epochs: usize,
}

/// A model of a sorting task trained as its kind says.
pub fn train(kind: &Kind, seed: u64) -> (Model, SortedList) {
    let task = SortedList::new(kind.list_len, kind.max_value).unwrap();
    let sizes = Recipe { train_size: 4000, validation_size: 200, ..Recipe::default() };
    (train_on(&task, kind, sizes, seed), task)
}

/// A model of a task, of the shape and for the epochs that a kind says.
fn train_on(task: &dyn Task, kind: &Kind, sizes: Recipe, seed: u64) -> Model {
    let recipe = Recipe {
        seed,
        task: Some(task.spec()),
        model: Architecture {
            n_heads: kind.n_heads,
            d_model: 24,
            d_head: 12,
            normalization_type: kind.norm,
            positional_embedding_type: kind.positions,
            biases: kind.biases,
            ..Architecture::default()
        },
        batch_size: 64,
        epochs: kind.epochs,
        lr_start: 1e-2,
        lr_end: 1e-3,
        ..sizes
    };
    let mut run = Run::new(recipe, &Registry::default()).unwrap();
    let engine = Backend::best(run.model().config()).engine(Vectors::best());
    run.train(&*engine, &mut |_: Event| ControlFlow::Continue(())).unwrap();
    run.best()
}

/// The values that lists of a task are made of.
pub fn values(task: &SortedList) -> Vec<Token> {
    (0..=task.max_value()).collect()
}

/// The margin of an answer: its logit less the largest other.
pub fn margin(logits: ArrayView1<f64>, y: usize) -> f64 {
    let others = logits.iter().enumerate().filter(|(answer, _)| *answer != y);
    logits[y] - others.map(|(_, logit)| *logit).fold(f64::NEG_INFINITY, f64::max)
}

impl Enumerated {
    /// Trains a sorting model and evaluates every list.
    pub fn of(kind: &Kind, seed: u64) -> Self {
        let (model, task) = train(kind, seed);
        let every = every_list(&values(&task), task.list_len());
        Self::evaluated(model, task, &every, |_, list| Classes::along(list))
    }
}

impl Enumerated<MaxOfList> {
    /// Trains a model of the largest value and evaluates every list.
    pub fn largest(kind: &Kind, separators: bool, seed: u64) -> Self {
        let task = MaxOfList::new(kind.list_len, kind.max_value, 1, separators).unwrap();
        let sizes = Recipe { train_size: 4000, validation_size: 200, ..Recipe::default() };
        let model = train_on(&task, kind, sizes, seed);
        let base = kind.max_value + 1;
        let digits = |number: u32| (0..kind.list_len as u32).map(|at| number / base.pow(at) % base).collect();
        let every: Vec<Vec<Token>> = (0..base.pow(kind.list_len as u32)).map(digits).collect();
        Self::evaluated(model, task, &every, |task, list| {
            let largest = *list.iter().max().unwrap();
            if task.separators() {
                let end = Class { position: 1, token: Some(largest), target: task.max() + 4 };
                return vec![Class { position: 0, token: None, target: largest }, end];
            }
            vec![Class { position: 0, token: list.last().copied(), target: largest }]
        })
    }
}

impl<T: Task> Enumerated<T> {
    fn evaluated(model: Model, task: T, every: &[Vec<Token>], classes_of: fn(&T, &[Token]) -> Vec<Class>) -> Self {
        let exact = model.cast::<f64>();
        let (mut margins, mut right, mut lists_right, mut lists) = (HashMap::<Class, Vec<f64>>::new(), 0, 0, 0);
        for chunk in every.chunks(2000) {
            let data = Dataset::from_inputs(&task, chunk).unwrap();
            let logits = Plain::new().logits(&exact, data.tokens(), data.positions()).unwrap();
            for (list, logits) in chunk.iter().zip(logits.outer_iter()) {
                let mut all_right = true;
                for (class, logits) in classes_of(&task, list).into_iter().zip(logits.outer_iter()) {
                    let margin = margin(logits, class.target as usize);
                    margins.entry(class).or_default().push(margin);
                    right += usize::from(margin > 0.0);
                    all_right &= margin > 0.0;
                }
                lists += 1;
                lists_right += usize::from(all_right);
            }
        }
        let predictions = lists * task.predicted_positions().len();
        let accuracy = [right as f64 / predictions as f64, lists_right as f64 / lists as f64];
        Self { model, task, margins, accuracy, classes_of }
    }

    /// The share of a class's lists whose margins meet a condition.
    pub fn share(&self, class: &Class, holds: impl Fn(f64) -> bool) -> f64 {
        let margins = &self.margins[class];
        margins.iter().filter(|margin| holds(**margin)).count() as f64 / margins.len() as f64
    }
}

/// Good and half-trained models with one to three heads, every norm and both positional embeddings.
pub fn kinds() -> Vec<Kind> {
    let kind = |list_len, max_value, n_heads, norm, positions, epochs| Kind {
        list_len,
        max_value,
        n_heads,
        norm,
        positions,
        biases: Biases::ALL,
        epochs,
    };
    use {
        Normalization::{LN, LNPre, None},
        Positions::{Shortformer, Standard},
    };
    vec![
        kind(4, 10, 2, LN, Standard, 8),
        kind(4, 10, 2, LN, Standard, 1),
        kind(5, 10, 1, LN, Standard, 4),
        kind(4, 12, 3, LN, Standard, 2),
        kind(4, 10, 2, LNPre, Standard, 2),
        kind(4, 10, 1, None, Standard, 2),
        kind(4, 10, 2, None, Shortformer, 2),
    ]
}

/// Models of the largest value, with and without separators.
pub fn largest_kinds() -> Vec<(Kind, bool)> {
    let kind = |list_len, max_value, n_heads, norm, positions, biases, epochs| Kind {
        list_len,
        max_value,
        n_heads,
        norm,
        positions,
        biases,
        epochs,
    };
    use {
        Normalization::{LN, LNPre, None},
        Positions::{Shortformer, Standard},
    };
    vec![
        (kind(4, 9, 4, None, Standard, Biases::NONE, 2), true),
        (kind(4, 9, 2, None, Standard, Biases::ALL, 1), true),
        (kind(4, 7, 2, LN, Standard, Biases::ALL, 4), true),
        (kind(3, 9, 1, LNPre, Shortformer, Biases::ALL, 2), true),
        (kind(4, 9, 1, None, Standard, Biases::NONE, 3), false),
        (kind(4, 7, 3, LN, Standard, Biases::ALL, 3), false),
    ]
}

/// The certificate of a search that made at least `work` oracle passes, and began every class.
pub fn certificate(model: &Model, task: &dyn Task, work: u64) -> Certificate {
    let tables = Tables::of(model, task).unwrap();
    let mut search = Search::new(&tables, Classes::of(task).unwrap(), SLACK).unwrap();
    while !search.finished() && (search.work() < work || search.begun() < search.classes().all().len()) {
        search.advance();
    }
    let origin = Origin { model, processing: &[], task, sampled_lists: 1000, counterexamples: true, provenance: None };
    prove::certificate(&search, &origin).unwrap()
}

/// The post's model.
pub fn posts_model() -> Model {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../models/sorted_list.safetensors");
    Checkpoint::open(path.as_ref(), &Hints::default()).unwrap().checkpoint.model
}
