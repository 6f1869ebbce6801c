//! Ablations of MLPs, of any hook point, and of single positions.

use algolens_core::{
    engine::{Engine, Plain, hooks::Hooks, loss},
    evaluation::evaluate,
    model::{Config, Model},
    task::{Dataset, Task},
};
use algolens_interpret::{Ablation, Head, Material, Method, Part, Subject, ablate};
use algolens_testing::{Sizes, index, kinds, random_model};
use ndarray::{Array2, Axis, Ix4, s};

/// A model of two blocks with MLPs, and data for it.
fn case() -> (Model, Dataset) {
    let kind = kinds().into_iter().find(|kind| kind.act_fn.is_some()).unwrap();
    let sizes = Sizes { lists: 30, ..algolens_testing::SIZES };
    let (model, tokens) = sizes.model(kind);
    let mut rng = algolens_core::random::stream(1, "test/targets");
    let targets = Array2::from_shape_simple_fn((30, 2), || index(&mut rng, sizes.d_vocab_out) as u32);
    let labels = (0..sizes.d_vocab).map(|token| token.to_string()).collect();
    (model.cast(), Dataset::new(tokens, targets, vec![1, 3], labels).unwrap())
}

fn point(text: &str, positions: Option<&[usize]>) -> Part {
    Part::Point { at: text.parse().unwrap(), positions: positions.map(<[usize]>::to_vec) }
}

fn loss_without(model: &Model, data: &Dataset, parts: &[Part], method: Method) -> f64 {
    let subject = Subject { model, engine: &Plain::new() };
    let ablation = Ablation { parts: parts.to_vec(), method, ..Ablation::default() };
    ablate(subject, &ablation, data, data, None).unwrap().evaluation.loss
}

#[test]
fn zeroing_an_mlp_is_zeroing_w_out_and_b_out() {
    let (model, data) = case();
    for layer in [0, 1] {
        let mut without = model.clone();
        for name in ["W_out", "b_out"] {
            without.params.tensor_mut(&format!("blocks.{layer}.mlp.{name}")).unwrap().fill(0.0);
        }
        let expected = evaluate(&Plain::new(), &without, &data).unwrap().loss;
        let found = loss_without(&model, &data, &[Part::Mlp(layer)], Method::Zero);
        assert!((found - expected).abs() < 1e-6, "{found} is not {expected}");
        assert!((found - evaluate(&Plain::new(), &model, &data).unwrap().loss).abs() > 1e-3);
    }
}

#[test]
fn heads_and_mlps_are_the_points_they_write_to() {
    let (model, data) = case();
    let head = Part::Head(Head { layer: 1, head: 0 });
    for method in [Method::Mean, Method::Zero, Method::Resample] {
        for (part, name) in [(&head, "blocks.1.attn.hook_result.0"), (&Part::Mlp(0), "blocks.0.hook_mlp_out")] {
            let [a, b] = [part.clone(), point(name, None)].map(|part| loss_without(&model, &data, &[part], method));
            assert_eq!(a, b, "{name}");
        }
    }
}

#[test]
fn each_part_is_replaced_at_its_own_positions() {
    let (model, data) = case();
    let mut hooks = Hooks::new(model.config());
    let edits = [("blocks.0.attn.hook_result", s![.., 0..1, 1, ..]), ("blocks.1.attn.hook_result", s![.., 2.., 0, ..])];
    for (name, slice) in edits {
        let edit = move |result: &mut ndarray::ArrayViewMutD<f32>| {
            result.view_mut().into_dimensionality::<Ix4>()?.slice_mut(slice).fill(0.0);
            Ok(())
        };
        hooks.add(name, edit).unwrap();
    }
    let logits = Plain::new().run_with_hooks(&model, data.tokens(), &mut hooks).unwrap();
    let expected = loss::score(logits.select(Axis(1), data.positions()).view(), data.targets()).loss();
    let first = point("blocks.0.attn.hook_result.1", Some(&[0]));
    let ablation = Ablation {
        parts: vec![first, Part::Head(Head { layer: 1, head: 0 })],
        method: Method::Zero,
        positions: Some(vec![2, 3]),
        frozen_scale: false,
    };
    let subject = Subject { model: &model, engine: &Plain::new() };
    let found = ablate(subject, &ablation, &data, &data, None).unwrap().evaluation.loss;
    assert!((found - expected).abs() < 1e-6, "{found} is not {expected}");
}

#[test]
fn parts_are_written_down_as_their_names() {
    for (part, json) in [
        (Part::Head(Head { layer: 0, head: 1 }), r#"{"head":"0.1"}"#),
        (Part::Mlp(2), r#"{"mlp":2}"#),
        (Part::DirectPath, r#""direct_path""#),
        (Part::PosEmbed, r#""pos_embed""#),
        (point("hook_embed", None), r#"{"point":{"at":"hook_embed"}}"#),
        (
            point("blocks.1.attn.hook_z.3", Some(&[4, 5])),
            r#"{"point":{"at":"blocks.1.attn.hook_z.3","positions":[4,5]}}"#,
        ),
    ] {
        assert_eq!(serde_json::to_string(&part).unwrap(), json);
        assert_eq!(serde_json::from_str::<Part>(json).unwrap(), part);
    }
}

#[test]
fn parts_that_a_model_lacks_are_named() {
    let (model, data) = case();
    let config = Config { mlp: None, ..model.config().clone() };
    let attention_only = random_model(config, 1).cast::<f32>();
    let said = |model: &Model, part: Part| {
        let ablation = Ablation { parts: vec![part], ..Ablation::default() };
        ablate(Subject { model, engine: &Plain::new() }, &ablation, &data, &data, None).unwrap_err().to_string()
    };
    assert_eq!(said(&model, Part::Mlp(2)), "MLP: expected that of a block below 2, found 2");
    assert_eq!(said(&attention_only, Part::Mlp(0)), "MLP: expected a model that has MLPs, found none");
    let mlp_out = said(&attention_only, point("blocks.0.hook_mlp_out", None));
    assert!(mlp_out.starts_with("no hook point is called \"blocks.0.hook_mlp_out\""), "{mlp_out}");
    let far = point("blocks.0.attn.hook_result.0", Some(&[4]));
    assert_eq!(said(&model, far), "position: expected below 4, found 4");
}

#[test]
fn the_ablations_of_a_study_have_the_mlps_of_a_model_that_has_them() {
    let task = algolens_core::task::SortedList::new(4, 8).unwrap();
    for mlp in [false, true] {
        let act_fn = algolens_core::model::ActFn::Relu;
        let config = Config {
            n_layers: 2,
            d_model: 8,
            d_head: 3,
            mlp: mlp.then_some(algolens_core::model::Mlp { d_mlp: 6, act_fn, gated: false }),
            n_ctx: task.n_ctx(),
            d_vocab: 10,
            d_vocab_out: 10,
            ..Config::default()
        };
        let model: Model = random_model(config, 3).cast();
        let options = algolens_interpret::StudyOptions { size: 30, ..Default::default() };
        let subject = Subject { model: &model, engine: &Plain::new() };
        let mut go_on = |_| std::ops::ControlFlow::Continue(());
        let (results, _) =
            algolens_interpret::study(subject, Material::Task(&task), None, &options, &[], &mut go_on).unwrap();
        let names: Vec<&str> = results.ablation.parts.keys().map(String::as_str).collect();
        let mlps: &[&str] = if mlp { &["mlp_0", "mlp_1"] } else { &[] };
        assert_eq!(names, [&["all_heads", "direct_path"], mlps, &["pos_embed"]].concat());
        let (data, other) = (task.dataset(30, 43), task.dataset(30, 44));
        for (name, part) in [("mlp_1", Part::Mlp(1)), ("direct_path", Part::DirectPath)] {
            let Some(costs) = results.ablation.parts.get(name) else { continue };
            for (method, cost) in
                [(Method::Mean, costs.mean), (Method::Zero, costs.zero), (Method::Resample, costs.resample)]
            {
                let ablation = Ablation { parts: vec![part.clone()], method, ..Ablation::default() };
                assert_eq!(ablate(subject, &ablation, &data, &other, None).unwrap().loss_increase, cost, "{name}");
            }
        }
    }
}
