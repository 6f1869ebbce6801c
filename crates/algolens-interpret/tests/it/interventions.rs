//! Interventions do to a run what hooks and changed weights do, whatever the chunks.

use algolens_core::{
    engine::{
        Engine, Plain,
        hooks::{BlockPoint, Cache, Filter, HookPoint, Hooks},
    },
    model::{Config, Model},
    random::{self, Twister},
    task::Token,
};
use algolens_interpret::{Intervention, Replacement, Runner, Site, Subject};
use algolens_testing::{Sizes, any_kind, random_tokens, signed_unit, sizes, with_cases};
use ndarray::{Array1, Array2, Array3, ArrayD, ArrayView2, ArrayViewD, Axis, Dimension, Ix4, s};
use proptest::{prelude::*, sample::Index};

/// A model, what it reads, and other sequences of the same length.
struct Case {
    model: Model,
    tokens: Array2<Token>,
    other: Array2<Token>,
    positions: Vec<usize>,
    engine: Plain,
}

impl Case {
    fn new(sizes: Sizes, kind: algolens_testing::Kind) -> Self {
        let (model, tokens) = sizes.model(kind);
        let other = random_tokens(sizes.lists.div_ceil(2), sizes.seq, sizes.d_vocab, sizes.seed ^ 1);
        Self { model: model.cast(), tokens, other, positions: (0..sizes.seq).collect(), engine: Plain::new() }
    }

    fn config(&self) -> &Config {
        self.model.config()
    }

    fn runner(&self) -> Runner<'_> {
        Runner::new(Subject { model: &self.model, engine: &self.engine })
    }

    /// The logits with some interventions, at every position.
    fn logits(&self, interventions: &[Intervention]) -> Array3<f32> {
        self.run(self.runner(), interventions, Filter::Nothing).0
    }

    /// Logits and activations with some interventions, of all chunks.
    fn run(&self, runner: Runner, interventions: &[Intervention], record: Filter) -> (Array3<f32>, Vec<ArrayD<f32>>) {
        let shape = (self.tokens.nrows(), self.positions.len(), self.config().d_vocab_out);
        let (mut logits, mut caches) = (Array3::zeros(shape), Vec::new());
        let mut next = 0;
        runner
            .run(self.tokens.view(), &self.positions, interventions, record, |chunk| {
                assert_eq!(chunk.examples.start, next);
                next = chunk.examples.end;
                logits.slice_mut(s![chunk.examples, .., ..]).assign(&chunk.logits);
                caches.push(chunk.cache);
                Ok(())
            })
            .unwrap();
        assert_eq!(next, self.tokens.nrows());
        let names: Vec<String> = caches[0].iter().map(|(name, _)| name.to_owned()).collect();
        let whole = |name: &String| {
            let parts: Vec<_> = caches.iter().map(|cache| cache.activation(name).unwrap()).collect();
            ndarray::concatenate(Axis(0), &parts).unwrap()
        };
        (logits, names.iter().map(whole).collect())
    }

    /// Every activation of a run without interventions.
    fn cache(&self, tokens: ArrayView2<Token>) -> Cache<f32> {
        self.engine.run_with_cache(&self.model, tokens, Filter::All).unwrap().1
    }

    /// The logits with a hook that calls `edit(index, number)` for every number of an activation.
    fn hooked(&self, name: &str, edit: impl Fn(&[usize], f32) -> f32) -> Array3<f32> {
        let mut hooks = Hooks::new(self.config());
        hooks
            .add(name, |activation| {
                for (index, x) in activation.indexed_iter_mut() {
                    *x = edit(index.slice(), *x);
                }
                Ok(())
            })
            .unwrap();
        self.engine.run_with_hooks(&self.model, self.tokens.view(), &mut hooks).unwrap()
    }
}

/// Whether two arrays have the same numbers, or none in the same places.
fn same<'a>(a: impl Into<ArrayViewD<'a, f32>>, b: impl Into<ArrayViewD<'a, f32>>) -> bool {
    let (a, b) = (a.into(), b.into());
    a.shape() == b.shape() && a.iter().zip(&b).all(|(a, b)| a == b || (a.is_nan() && b.is_nan()))
}

fn near(a: &Array3<f32>, b: &Array3<f32>) -> bool {
    let largest = b.iter().fold(1.0_f32, |max, x| max.max(x.abs()));
    a.iter().zip(b).all(|(a, b)| (a - b).abs() <= 2e-4 * largest)
}

fn numbers(rng: &mut Twister, shape: &[usize]) -> ArrayD<f32> {
    ArrayD::from_shape_simple_fn(shape, || signed_unit(rng) as f32)
}

/// The axes of an activation `[batch, …]`, from its documentation: which is that of positions, which that of heads.
fn axes(name: &str) -> (usize, Option<usize>) {
    const BY_HEAD: [&str; 9] =
        ["attn_in", "q_input", "k_input", "v_input", "attn.hook_q", "attn.hook_k", "attn.hook_v", "hook_z", "result"];
    if name.ends_with("attn_scores") || name.ends_with("pattern") {
        (2, Some(1))
    } else {
        (1, BY_HEAD.iter().any(|end| name.ends_with(end)).then_some(2))
    }
}

/// Which value an intervention has.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Zero,
    Mean,
    Resample,
    From,
    Add,
    Keep,
}

const KINDS: [Kind; 6] = [Kind::Zero, Kind::Mean, Kind::Resample, Kind::From, Kind::Add, Kind::Keep];

proptest! {
    #![proptest_config(with_cases(200))]

    #[test]
    fn an_intervention_is_the_hook_that_writes_the_same_numbers(
        sizes in sizes(), kind in any_kind(), at in any::<Index>(), by_head in any::<bool>(), head in any::<Index>(),
        chosen in proptest::option::of(1..16_usize), value in proptest::sample::select(&KINDS[..]),
    ) {
        let case = Case::new(sizes, kind);
        let point = *at.get(&HookPoint::all(case.config()));
        let name = point.to_string();
        let (position_axis, head_axis) = axes(&name);
        let head = head_axis.filter(|_| by_head).map(|_| head.index(sizes.n_heads));
        let site = Site { point, head };
        let positions: Option<Vec<usize>> =
            chosen.map(|chosen| (0..sizes.seq).rev().filter(|position| chosen >> position & 1 == 1).collect());
        let (clean, elsewhere) = (case.cache(case.tokens.view()), case.cache(case.other.view()));
        let (clean, elsewhere) = (clean.activation(&name).unwrap(), elsewhere.activation(&name).unwrap());
        let mut rng = random::stream(sizes.seed, "test/values");
        let whole = numbers(&mut rng, &clean.shape()[1..]);
        let vector = Array1::from_iter(numbers(&mut rng, &clean.shape()[clean.ndim() - 1..]));
        let mut cache = Cache::default();
        cache.insert(point, numbers(&mut rng, clean.shape()));
        let mean = elsewhere.mapv(f64::from).mean_axis(Axis(0)).unwrap();
        let edited = |index: &[usize], old: f32| {
            if head.is_some_and(|head| index[head_axis.unwrap()] != head)
                || positions.as_ref().is_some_and(|positions| !positions.contains(&index[position_axis]))
            {
                return old;
            }
            let resampled = [&[index[0] % case.other.nrows()], &index[1..]].concat();
            match value {
                Kind::Zero => 0.0,
                Kind::Mean => mean[&index[1..]] as f32,
                Kind::Resample => elsewhere[&resampled[..]],
                Kind::From => cache.activation(&name).unwrap()[index],
                Kind::Add => old + vector[index[index.len() - 1]],
                Kind::Keep => whole[&index[1..]],
            }
        };
        let value = match value {
            Kind::Zero => Replacement::Zero,
            Kind::Mean => Replacement::Mean(case.other.view()),
            Kind::Resample => Replacement::Resample(case.other.view()),
            Kind::From => Replacement::From(&cache),
            Kind::Add => Replacement::Add(vector.clone()),
            Kind::Keep => Replacement::Keep(match head {
                None => whole.clone(),
                Some(head) => whole.index_axis(Axis(head_axis.unwrap() - 1), head).to_owned(),
            }),
        };
        let intervention = Intervention { at: site, to: None, positions: positions.clone(), value };
        let (found, expected) = (case.logits(&[intervention]), case.hooked(&name, edited));
        prop_assert!(same(found.view().into_dyn(), expected.view().into_dyn()), "{site} {positions:?}");
    }

    #[test]
    fn a_path_changes_what_its_end_reads_and_nothing_before(
        sizes in sizes(), kind in any_kind(), from in any::<Index>(), to in any::<Index>(), head in any::<Index>(),
        to_head in any::<bool>(), zero in any::<bool>(),
    ) {
        let case = Case::new(Sizes { eps: 0.1, ..sizes }, kind);
        let head = head.index(sizes.n_heads);
        let all = HookPoint::all(case.config());
        let of = |ends: &[&str]| -> Vec<HookPoint> {
            let named = |point: &&HookPoint| ends.iter().any(|end| point.to_string().ends_with(end));
            all.iter().filter(named).copied().collect()
        };
        let point = *from.get(&of(&["hook_embed", "hook_result", "hook_attn_out", "hook_mlp_out"]));
        let at = Site { point, head: axes(&point.to_string()).1.map(|_| head) };
        let stream = ["resid_pre", "attn_in", "q_input", "k_input", "v_input", "resid_mid", "mlp_in", "resid_post"];
        let later: Vec<_> = of(&stream).into_iter().filter(|to| *to > point).collect();
        let end = *to.get(&later);
        let to = Site { point: end, head: axes(&end.to_string()).1.filter(|_| to_head).map(|_| head) };
        let clean = case.cache(case.tokens.view());
        let part = |cache: &Cache<f32>, example: usize, position: usize, i: usize| {
            let activation = cache.activation(&at.point.to_string()).unwrap();
            match at.head {
                None => activation[[example, position, i]],
                Some(head) => activation[[example, position, head, i]],
            }
        };
        let elsewhere = case.cache(case.other.view());
        let value = if zero { Replacement::Zero } else { Replacement::Resample(case.other.view()) };
        let path = Intervention { to: Some(to), ..Intervention::new(at, value) };
        let expected = case.hooked(&end.to_string(), |index, old| {
            if to.head.is_some_and(|head| index[2] != head) {
                return old;
            }
            let (example, position, i) = (index[0], index[1], index[index.len() - 1]);
            let new = if zero { 0.0 } else { part(&elsewhere, example % case.other.nrows(), position, i) };
            old - part(&clean, example, position, i) + new
        });
        prop_assert!(near(&case.logits(&[path]), &expected), "{at} to {to}");
    }

    #[test]
    fn interventions_are_changes_of_weights(sizes in sizes(), kind in any_kind(), layer in 0..2_usize, head in 0..3_usize) {
        let case = Case::new(Sizes { eps: 0.1, ..sizes }, kind);
        let (layer, head) = (layer % sizes.n_layers, head % sizes.n_heads);
        let with = |names: &[&str], change: &dyn Fn(&mut ArrayD<f32>)| {
            let mut model = case.model.clone();
            for name in names {
                let mut tensor = model.params.tensor_mut(name).unwrap();
                let mut changed = tensor.to_owned();
                change(&mut changed);
                tensor.assign(&changed);
            }
            case.engine.logits(&model, case.tokens.view(), &case.positions).unwrap()
        };
        let at = |point: BlockPoint, head: Option<usize>| Site { point: HookPoint::Block(layer, point), head };
        let zero = |site| case.logits(&[Intervention::new(site, Replacement::Zero)]);
        let without_head = with(&[&format!("blocks.{layer}.attn.W_O")], &|w| w.index_axis_mut(Axis(0), head).fill(0.0));
        prop_assert!(near(&zero(at(BlockPoint::Result, Some(head))), &without_head), "head by hook_result");
        prop_assert!(near(&zero(at(BlockPoint::Z, Some(head))), &without_head), "head by hook_z");
        if kind.act_fn.is_some() {
            let names = ["W_out", "b_out"].map(|name| format!("blocks.{layer}.mlp.{name}"));
            let without = with(&[&names[0], &names[1]], &|w| w.fill(0.0));
            prop_assert!(near(&zero(at(BlockPoint::MlpOut, None)), &without), "MLP");
        }
        let vector = Array1::from_iter(numbers(&mut random::stream(sizes.seed, "test/vector"), &[sizes.d_model]));
        let moved = with(&["embed.W_E"], &|w| *w += &vector);
        let first = HookPoint::Block(0, BlockPoint::ResidPre);
        let steered = case.logits(&[Intervention::new(first, Replacement::Add(vector.clone()))]);
        prop_assert!(near(&steered, &moved), "steering at the embedding");
        // On the same examples nothing changes.
        let plain = case.engine.run_with_cache(&case.model, case.tokens.view(), Filter::Nothing).unwrap().0;
        let cache = case.cache(case.tokens.view());
        for point in HookPoint::all(case.config()) {
            for value in [Replacement::From(&cache), Replacement::Resample(case.tokens.view())] {
                prop_assert!(near(&case.logits(&[Intervention::new(point, value)]), &plain), "{point}");
            }
        }
    }
}

proptest! {
    #![proptest_config(with_cases(40))]

    #[test]
    fn results_do_not_depend_on_chunks_or_threads(
        sizes in sizes(), kind in any_kind(), lists in 1..20_usize, at in any::<Index>(), also in any::<Index>(),
    ) {
        // Wide enough that the order of a sum shows; a matrix of one column is summed in an order that depends on its rows.
        let [d_head, d_mlp, seq] = [sizes.d_head, sizes.d_mlp, sizes.seq].map(|size| size.max(2));
        let sizes = Sizes { lists: 4 * lists, d_model: 67, d_head, d_mlp, seq, ..sizes };
        let case = Case::new(sizes, kind);
        let all = HookPoint::all(case.config());
        let clean = case.cache(case.tokens.view());
        let interventions = [
            Intervention::new(*at.get(&all), Replacement::Resample(case.other.view())),
            Intervention::new(*also.get(&all), Replacement::Mean(case.tokens.view())),
            Intervention::new(HookPoint::Block(0, BlockPoint::Z), Replacement::From(&clean)),
        ];
        let run = |memory: usize, threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let runner = case.runner().with_memory(memory);
                let mean = runner.mean(case.tokens.view(), &all).unwrap();
                let edited = case.run(runner, &interventions, Filter::All);
                (mean, edited, case.run(runner, &[], Filter::Nothing).0)
            })
        };
        let whole = run(usize::MAX, 1);
        for (memory, threads) in [(1, 1), (1, 3), (1 << 14, 2)] {
            let found = run(memory, threads);
            for ((name, a), (_, b)) in found.0.iter().zip(whole.0.iter()) {
                prop_assert!(same(a, b), "mean of {name}");
            }
            prop_assert!(same(found.1.0.view().into_dyn(), whole.1.0.view().into_dyn()), "logits");
            for (a, b) in found.1.1.iter().zip(&whole.1.1) {
                prop_assert!(same(a.view(), b.view()), "activations");
            }
            prop_assert!(same(found.2.view().into_dyn(), whole.2.view().into_dyn()), "logits without interventions");
        }
    }
}

#[test]
fn several_sets_in_one_run_are_the_sets_one_by_one() {
    let sizes = Sizes { lists: 9, ..algolens_testing::SIZES };
    for kind in algolens_testing::kinds() {
        let case = Case::new(sizes, kind);
        let head = |layer, head| Site { point: HookPoint::Block(layer, BlockPoint::Result), head: Some(head) };
        let sets = [
            vec![Intervention::new(head(0, 1), Replacement::Mean(case.tokens.view()))],
            vec![],
            vec![
                Intervention::new(head(1, 0), Replacement::Resample(case.other.view())),
                Intervention::new(head(0, 0), Replacement::Mean(case.other.view())),
            ],
            vec![Intervention::new(HookPoint::Embed, Replacement::Resample(case.other.view()))],
            // Those that need not begin at the tokens.
            vec![Intervention::new(head(1, 1), Replacement::Zero)],
            vec![Intervention::new(HookPoint::UnembedIn, Replacement::Resample(case.other.view()))],
        ];
        let mut found = vec![Vec::new(); sets.len()];
        let each = |set: usize, chunk: algolens_interpret::Chunk| {
            found[set].push(chunk.logits);
            Ok(())
        };
        let runner = case.runner().with_memory(1 << 14);
        runner.run_each(case.tokens.view(), &case.positions, &sets, Filter::Nothing, each).unwrap();
        for (set, found) in sets.iter().zip(found) {
            let parts: Vec<_> = found.iter().map(|logits: &Array3<f32>| logits.view()).collect();
            let found = ndarray::concatenate(Axis(0), &parts).unwrap();
            assert_eq!(found, case.logits(set), "{kind:?}");
        }
    }
}

#[test]
fn a_kept_pattern_is_seen_and_a_pattern_of_one_query_can_be_kept() {
    let kind = algolens_testing::kinds()[0];
    let case = Case::new(algolens_testing::SIZES, kind);
    let name = "blocks.1.attn.hook_pattern";
    let pattern = Array2::from_shape_fn((4, 4), |(_, key)| if key == 0 { 1.0 } else { 0.0 });
    let kept = Intervention {
        positions: Some(vec![2]),
        ..Intervention::new(format!("{name}.1").parse::<Site>().unwrap(), Replacement::Keep(pattern.into_dyn()))
    };
    let mut seen = Vec::new();
    let each = |chunk: algolens_interpret::Chunk| {
        seen.push(chunk.cache.get::<Ix4>(name)?.to_owned());
        Ok(())
    };
    case.runner().run(case.tokens.view(), &[], &[kept], Filter::Names(&[name]), each).unwrap();
    let clean = case.cache(case.tokens.view());
    let mut expected = clean.get::<Ix4>(name).unwrap().to_owned();
    expected.slice_mut(s![.., 1, 2, ..]).assign(&ndarray::aview1(&[1.0, 0.0, 0.0, 0.0]));
    assert_eq!(seen, [expected]);
}

#[test]
fn what_does_not_fit_is_refused_on_one_line() {
    // Two layers, two heads, sequences of four tokens, d_model 5, d_head 3; no MLP, layer norm.
    let case = Case::new(algolens_testing::SIZES, algolens_testing::kinds()[0]);
    let site = |text: &str| text.parse::<Site>().unwrap();
    let zero = |text: &str| Intervention::new(site(text), Replacement::Zero);
    let (z, cache) = ("blocks.0.attn.hook_z", case.cache(case.tokens.slice(s![..2, ..])));
    let long = random_tokens(2, 5, 7, 1);
    let none = Array2::zeros((0, 4));
    let strange = Array2::from_elem((1, 4), 7);
    let path = |from: &str, to: &str| Intervention { to: Some(site(to)), ..zero(from) };
    for (intervention, said) in [
        (zero("blocks.0.hook_mlp_out"), "no hook point is called \"blocks.0.hook_mlp_out\""),
        (
            zero("blocks.2.attn.hook_z"),
            "no hook point is called \"blocks.2.attn.hook_z\"; near it: blocks.0.attn.hook_z",
        ),
        (zero("blocks.0.attn.hook_z.2"), "head at blocks.0.attn.hook_z: expected below 2, found 2"),
        (
            zero("blocks.0.hook_attn_out.1"),
            "blocks.0.hook_attn_out: expected no head, as the activation there has no axis of heads, found head 1",
        ),
        (Intervention { positions: Some(vec![0, 4]), ..zero(z) }, "position: expected below 4, found 4"),
        (Intervention { positions: Some(vec![1, 1]), ..zero(z) }, "positions: expected distinct ones, found 1 twice"),
        (
            Intervention::new(site(z), Replacement::Add(Array1::zeros(5))),
            "vector added at blocks.0.attn.hook_z: expected shape [3], found [5]",
        ),
        (
            Intervention::new(site("blocks.0.attn.hook_pattern.1"), Replacement::Keep(ArrayD::zeros(vec![2, 4, 4]))),
            "activation kept at blocks.0.attn.hook_pattern.1: expected shape [4, 4], found [2, 4, 4]",
        ),
        (
            Intervention::new(site(z), Replacement::From(&cache)),
            "blocks.0.attn.hook_z in the cache: expected shape [3, 4, 2, 3], found [2, 4, 2, 3]",
        ),
        (
            Intervention::new(site(z), Replacement::From(&Cache::default())),
            "no activation in the cache is called \"blocks.0.attn.hook_z\"",
        ),
        (
            Intervention::new(site(z), Replacement::Resample(long.view())),
            "dataset: expected sequences of 4 tokens, found 5",
        ),
        (Intervention::new(site(z), Replacement::Mean(none.view())), "dataset: expected at least one example, found 0"),
        (
            Intervention::new(site(z), Replacement::Resample(strange.view())),
            "token 0: expected a number below 7, found 7",
        ),
        (
            path(z, "blocks.1.hook_resid_pre"),
            "start of a path: expected an embedding, a head's result, attn_out or mlp_out, found blocks.0.attn.hook_z",
        ),
        (
            path("blocks.1.attn.hook_result.0", "blocks.1.hook_q_input"),
            "end of a path: expected a point of the residual stream after blocks.1.attn.hook_result, \
             found blocks.1.hook_q_input",
        ),
        (path("hook_embed", z), "end of a path: expected a point of the residual stream after hook_embed"),
        (path("hook_embed", "blocks.1.hook_resid_pre.0"), "blocks.1.hook_resid_pre: expected no head"),
    ] {
        let run = case.runner().run(case.tokens.view(), &[], &[intervention], Filter::Nothing, |_| Ok(()));
        let found = run.unwrap_err().to_string();
        assert!(found.starts_with(said) && !found.contains('\n'), "{found}\ninstead of\n{said}");
    }
    let said = "blocks.0.attn.hook_y.1".parse::<Site>().unwrap_err().to_string();
    assert!(
        said.starts_with("no hook point is called \"blocks.0.attn.hook_y\"; near it: blocks.0.attn.hook_"),
        "{said}"
    );
}
