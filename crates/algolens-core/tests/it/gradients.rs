//! Gradients of the reference engine against central finite differences, for every option of the config.

use algolens_core::{
    engine::{
        Engine, Gradients, Plain,
        hooks::{BlockPoint, Filter, HookPoint, Hooks},
    },
    model::{ActFn, Model},
    random,
    task::Token,
};
use algolens_testing::{Kind, Objective, Sizes, index, kinds, larger, sizes, with_cases};
use ndarray::{Array2, Dimension};
use proptest::prelude::*;

/// A norm bends within √eps; finite differences step much less than that.
const SMALLEST_EPS: f64 = 0.01;
/// Finite differences step this far, and twice as far.
const STEP: f64 = 2e-5;
/// The step where the first one crosses a kink of relu.
const SMALL_STEP: f64 = 2e-6;
/// How far a gradient may be from a finite difference, as a share of 1 + the largest gradient in its tensor.
const AGREES: f64 = 1e-6;
/// Entries of a tensor that are checked.
const ENTRIES: usize = 6;

/// What is varied: an entry of the weights, or of an activation the `call`th time a run comes to its point.
#[derive(Clone, Copy, Debug)]
enum Entry {
    Weight(usize),
    Activation { point: HookPoint, call: usize, at: usize },
}

impl Entry {
    /// The entry so many further on in its tensor.
    fn plus(self, by: usize) -> Self {
        match self {
            Self::Weight(at) => Self::Weight(at + by),
            Self::Activation { point, call, at } => Self::Activation { point, call, at: at + by },
        }
    }
}

/// A gradient, and the first entry of what it is the gradient by.
struct Tensor {
    name: String,
    gradient: Vec<f64>,
    first: Entry,
}

/// A model, sequences, a number of its logits, and the points where a hook adds a constant.
struct Subject {
    model: Model<f64>,
    tokens: Array2<Token>,
    objective: Objective,
    constants: Vec<HookPoint>,
}

impl Subject {
    fn new(sizes: &Sizes, kind: Kind, constants: Vec<HookPoint>) -> Self {
        let sizes = Sizes { eps: sizes.eps.max(SMALLEST_EPS), ..*sizes };
        let (model, tokens) = sizes.model(kind);
        Self::of(model, tokens, sizes.seed, constants)
    }

    fn of(model: Model<f64>, tokens: Array2<Token>, seed: u64, constants: Vec<HookPoint>) -> Self {
        let (lists, seq) = tokens.dim();
        let objective = Objective::new((lists, seq, model.config().d_vocab_out), seed);
        Self { model, tokens, objective, constants }
    }

    /// The constants depend on list, position and component, and on the head too unless the point is a norm's: whether
    /// another hook has split the norm's inputs must make no difference.
    fn add_constants(&self, hooks: &mut Hooks<'_, f64>) {
        for &point in &self.constants {
            let name = point.to_string();
            // Positive at scales, which must stay so.
            let (norm, scale) = (name.contains(".ln1."), name.ends_with("hook_scale"));
            hooks.add_at(point, move |activation| {
                let split_norm = norm && activation.ndim() == 4;
                for (at, x) in activation.indexed_iter_mut() {
                    let axes = (0..at.ndim()).filter(|axis| *axis != 2 || !split_norm);
                    let phase = axes.fold(0.4, |phase, axis| 1.7 * phase + at[axis] as f64);
                    let constant = 0.3 * phase.sin();
                    *x += if scale { constant.abs() } else { constant };
                }
                Ok(())
            });
        }
    }

    fn gradients(&self) -> Gradients<f64> {
        let mut hooks = Hooks::new(self.model.config());
        self.add_constants(&mut hooks);
        let mut seed = |logits: ndarray::ArrayView3<'_, f64>| Ok(self.objective.gradient(logits));
        let engine = Plain::new();
        let run = engine.run_with_gradients(&self.model, self.tokens.view(), &mut hooks, Filter::All, &mut seed);
        run.expect("nothing fails").1
    }

    /// The number with one entry moved, and which units of relu layers are on.
    fn value(&self, entry: Entry, by: f64) -> (f64, Vec<bool>) {
        let mut model = self.model.clone();
        let mut hooks = Hooks::new(self.model.config());
        self.add_constants(&mut hooks);
        match entry {
            Entry::Weight(at) => model.params.values_mut()[at] += by,
            Entry::Activation { point, call, at } => {
                let mut calls = 0;
                hooks.add_at(point, move |activation| {
                    if calls == call {
                        *activation.iter_mut().nth(at).expect("an entry of the activation") += by;
                    }
                    calls += 1;
                    Ok(())
                });
            }
        }
        let relu = self.model.config().mlp.is_some_and(|mlp| mlp.act_fn == ActFn::Relu);
        let pre = |name: &str| relu && name.ends_with("mlp.hook_pre");
        let run = Plain::new().run(&model, self.tokens.view(), &mut hooks, Filter::Matching(&pre));
        let (logits, cache) = run.expect("nothing fails");
        let on = cache.iter().flat_map(|(_, pre)| pre.iter().map(|x| *x > 0.0).collect::<Vec<_>>()).collect();
        (self.objective.value(logits.view()), on)
    }

    /// The derivative by one entry, with an error of fourth order; none if a kink lies within two steps.
    fn finite_difference(&self, entry: Entry, step: f64) -> Option<f64> {
        let [(a, on), (b, b_on), (c, c_on), (d, d_on)] = [-2.0, -1.0, 1.0, 2.0].map(|by| self.value(entry, by * step));
        let smooth = [b_on, c_on, d_on].iter().all(|other| *other == on);
        smooth.then(|| (8.0 * (c - b) - (d - a)) / (12.0 * step))
    }

    /// Whether a hook that adds a constant gives the heads of a layer inputs of their own.
    fn splits(&self, layer: usize) -> bool {
        use BlockPoint::{AttnIn, KInput, QInput, VInput};
        let splits = |p: &HookPoint| matches!(p, HookPoint::Block(l, AttnIn | QInput | KInput | VInput) if *l == layer);
        self.constants.iter().any(splits)
    }

    /// Which of the times that a run comes to a point its recorded gradient is of: the values' of a split norm.
    fn recorded_call(&self, point: HookPoint) -> usize {
        match point {
            HookPoint::Block(layer, BlockPoint::Ln1Scale | BlockPoint::Ln1Normalized) if self.splits(layer) => 2,
            _ => 0,
        }
    }

    /// Every weight tensor and every hook point.
    fn tensors(&self) -> Vec<Tensor> {
        let Gradients { params, activations } = self.gradients();
        let weights = params.layout().names().iter().map(|named| Tensor {
            name: named.name.clone(),
            gradient: params.values()[named.range()].to_vec(),
            first: Entry::Weight(named.start),
        });
        let points = HookPoint::all(self.model.config()).into_iter().map(|point| {
            let name = point.to_string();
            let gradient = activations.activation(&name).expect("every point is recorded").iter().copied().collect();
            Tensor { name, gradient, first: Entry::Activation { point, call: self.recorded_call(point), at: 0 } }
        });
        weights.chain(points).collect()
    }

    /// Checks so many random entries of every tensor.
    fn check(&self, entries: usize, tally: &mut Tally) -> Result<(), TestCaseError> {
        let mut rng = random::stream(0, "test/entries");
        for Tensor { name, gradient, first } in self.tensors() {
            let largest = gradient.iter().fold(0.0, |max, g| larger(g.abs(), max));
            for i in 0..gradient.len().min(entries) {
                let at = if gradient.len() <= entries { i } else { index(&mut rng, gradient.len()) };
                let difference =
                    [STEP, SMALL_STEP].iter().find_map(|step| self.finite_difference(first.plus(at), *step));
                let Some(difference) = difference else {
                    tally.skipped += 1;
                    continue;
                };
                tally.checked += 1;
                let off = (difference - gradient[at]).abs() / (1.0 + largest);
                tally.largest = larger(off, tally.largest);
                let found = gradient[at];
                prop_assert!(off < AGREES, "{name}[{at}]: gradient {found}, by finite differences {difference}");
            }
        }
        Ok(())
    }
}

/// What has been checked.
#[derive(Default)]
struct Tally {
    checked: usize,
    /// Entries next to a kink of relu.
    skipped: usize,
    largest: f64,
}

impl Tally {
    fn check(&self) -> Result<(), TestCaseError> {
        let Self { checked, skipped, largest } = self;
        println!("{checked} gradients, {skipped} next to a kink, largest relative difference {largest:.1e}");
        prop_assert!(skipped * 100 <= *checked, "{skipped} of {checked} entries lie next to a kink");
        Ok(())
    }
}

/// Checks two entries of every weight tensor and hook point of a model.
pub fn check_some(model: Model<f64>, tokens: Array2<Token>, seed: u64) -> Result<(), TestCaseError> {
    Subject::of(model, tokens, seed, Vec::new()).check(2, &mut Tally::default())
}

proptest! {
    #![proptest_config(with_cases(3))]

    #[test]
    fn gradients_of_every_weight_and_hook_point_agree_with_finite_differences(sizes in sizes()) {
        let mut tally = Tally::default();
        for kind in kinds() {
            let subject = Subject::new(&sizes, kind, Vec::new());
            subject.check(ENTRIES, &mut tally).map_err(|error| TestCaseError::fail(format!("{kind:?}: {error}")))?;
        }
        tally.check()?;
    }

    #[test]
    fn gradients_pass_hooks_that_add_constants(sizes in sizes()) {
        let mut tally = Tally::default();
        let mut rng = random::stream(sizes.seed, "test/constants");
        for kind in kinds() {
            let mut constants = HookPoint::all(&sizes.config(kind));
            constants.retain(|_| index(&mut rng, 4) == 0);
            let subject = Subject::new(&sizes, kind, constants);
            subject.check(ENTRIES, &mut tally).map_err(|error| {
                TestCaseError::fail(format!("{kind:?} with constants at {:?}: {error}", subject.constants))
            })?;
        }
        tally.check()?;
    }
}
