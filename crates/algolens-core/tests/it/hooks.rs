//! What edits by hooks do: everything computed from an edited activation follows, and nothing else changes.

use algolens_core::{
    Error,
    engine::{
        Engine, Plain,
        hooks::{Filter, HookPoint, Hooks},
    },
    model::{AttentionDir, Model, Normalization, Positions},
    task::Token,
};
use algolens_testing::{Kind, Run, SIZES, alike, kinds, random_config, random_model, random_tokens};
use ndarray::{Array2, ArrayD, ArrayViewMutD, Axis, Ix3, Ix4, s};
use std::cell::{Cell, RefCell};

const HEADS: usize = SIZES.n_heads;

/// Calls `test` for every kind of model.
fn for_each_kind(test: impl Fn(Kind, &Model<f64>, &Array2<Token>)) {
    for kind in kinds() {
        let (model, tokens) = SIZES.model(kind);
        test(kind, &model, &tokens);
    }
}

/// A run with one hook that cannot fail.
fn edited(
    model: &Model<f64>,
    tokens: &Array2<Token>,
    name: &str,
    mut edit: impl FnMut(&mut ArrayViewMutD<'_, f64>),
) -> Run {
    let mut hooks = Hooks::new(model.config());
    hooks
        .add(name, |activation| {
            edit(activation);
            Ok(())
        })
        .expect("the point exists");
    Run::new(model, tokens, &mut hooks)
}

/// The logits of a run in which the activation of this name is replaced.
fn logits_with(model: &Model<f64>, tokens: &Array2<Token>, name: &str, replacement: &ArrayD<f64>) -> ArrayD<f64> {
    edited(model, tokens, name, |activation| activation.assign(replacement)).logits.into_dyn()
}

/// Activations that are recorded in both runs and differ.
fn changed(a: &Run, b: &Run) -> Vec<String> {
    let names = a.cache.iter().map(|(name, _)| name.to_owned());
    names.filter(|name| !alike(a.cache.activation(name).unwrap(), b.cache.activation(name).unwrap())).collect()
}

#[test]
fn edited_scores_go_through_the_softmax() {
    for_each_kind(|kind, model, tokens| {
        let point = "blocks.0.attn.hook_attn_scores";
        let run = edited(model, tokens, point, |scores| {
            scores.slice_mut(s![1, 0, 2, ..]).assign(&ndarray::arr1(&[0.5, -1.0, 2.0, f64::NEG_INFINITY]));
        });
        let row = [0.5_f64, -1.0, 2.0].map(f64::exp);
        let sum: f64 = row.iter().sum();
        let expected = ndarray::arr1(&[row[0] / sum, row[1] / sum, row[2] / sum, 0.0]);
        let pattern = run.at::<Ix4>("blocks.0.attn.hook_pattern");
        assert!(alike(pattern.slice(s![1, 0, 2, ..]), &expected), "{kind:?}");
        let by_pattern = logits_with(model, tokens, "blocks.0.attn.hook_pattern", &pattern.to_owned().into_dyn());
        assert!(alike(&run.logits.clone().into_dyn(), &by_pattern), "{kind:?}");
        assert!(!alike(&run.logits, &Run::plain(model, tokens).logits), "{kind:?}");
    });
}

#[test]
fn a_row_of_scores_that_is_all_minus_infinity_gives_a_pattern_of_zeros() {
    for_each_kind(|kind, model, tokens| {
        let run = edited(model, tokens, "blocks.0.attn.hook_attn_scores", |scores| {
            scores.slice_mut(s![0, 1, 3, ..]).fill(f64::NEG_INFINITY);
        });
        let pattern = run.at::<Ix4>("blocks.0.attn.hook_pattern");
        assert!(pattern.slice(s![0, 1, 3, ..]).iter().all(|p| *p == 0.0), "{kind:?}");
        assert!(run.at::<Ix4>("blocks.0.attn.hook_z").slice(s![0, 3, 1, ..]).iter().all(|z| *z == 0.0));
        assert!(run.logits.iter().all(|logit| logit.is_finite()));
    });
}

#[test]
fn an_edit_of_one_heads_input_leaves_the_other_heads_and_kinds_alone() {
    for_each_kind(|kind, model, tokens| {
        let before = Run::plain(model, tokens);
        for (edit, of) in ["q", "k", "v"].into_iter().enumerate() {
            let run = edited(model, tokens, &format!("blocks.0.hook_{of}_input"), |input| {
                input.slice_mut(s![.., .., 0, 0]).mapv_inplace(|x| x + 1.0);
            });
            for (other, name) in ["q", "k", "v"].into_iter().enumerate() {
                let name = format!("blocks.0.attn.hook_{name}");
                let (before, after) = (before.at::<Ix4>(&name), run.at::<Ix4>(&name));
                for head in 0..HEADS {
                    let same = alike(before.slice(s![.., .., head, ..]), after.slice(s![.., .., head, ..]));
                    assert_eq!(same, other != edit || head != 0, "{of} seen at head {head} of {name}, {kind:?}");
                }
            }
        }
    });
}

#[test]
fn an_edit_of_attn_in_reaches_queries_keys_and_values_but_not_the_residual_stream() {
    for_each_kind(|kind, model, tokens| {
        let before = Run::plain(model, tokens);
        let run = edited(model, tokens, "blocks.0.hook_attn_in", |input| {
            input.slice_mut(s![.., .., 1, 2]).mapv_inplace(|x| x + 1.0);
        });
        let attn_in = run.at::<Ix4>("blocks.0.hook_attn_in");
        for of in ["q", "k", "v"] {
            assert!(alike(run.at::<Ix4>(&format!("blocks.0.hook_{of}_input")), attn_in), "{kind:?}");
            let name = format!("blocks.0.attn.hook_{of}");
            let (before, after) = (before.at::<Ix4>(&name), run.at::<Ix4>(&name));
            assert!(alike(before.slice(s![.., .., 0, ..]), after.slice(s![.., .., 0, ..])), "{kind:?}");
            assert!(!alike(before.slice(s![.., .., 1, ..]), after.slice(s![.., .., 1, ..])), "{kind:?}");
        }
        assert!(alike(run.at::<Ix3>("blocks.0.hook_resid_pre"), before.at::<Ix3>("blocks.0.hook_resid_pre")));
        let through = &before.at::<Ix3>("blocks.0.hook_resid_pre") + &run.at::<Ix3>("blocks.0.hook_attn_out");
        let after = if kind.act_fn.is_some() { "blocks.0.hook_resid_mid" } else { "blocks.0.hook_resid_post" };
        assert!(alike(run.at::<Ix3>(after), &through), "{kind:?}");
    });
}

#[test]
fn an_edit_of_result_reaches_the_residual_stream_and_the_logits() {
    for_each_kind(|kind, model, tokens| {
        let before = Run::plain(model, tokens);
        let run = edited(model, tokens, "blocks.1.attn.hook_result", |result| {
            result.index_axis_mut(Axis(2), 1).fill(0.0);
        });
        let removed = before.at::<Ix4>("blocks.1.attn.hook_result");
        let removed = removed.index_axis(Axis(2), 1);
        let attn_out = &before.at::<Ix3>("blocks.1.hook_attn_out") - &removed;
        assert!(alike(run.at::<Ix3>("blocks.1.hook_attn_out"), &attn_out), "{kind:?}");
        let by_attn_out = logits_with(model, tokens, "blocks.1.hook_attn_out", &attn_out.into_dyn());
        assert!(alike(&run.logits.clone().into_dyn(), &by_attn_out), "{kind:?}");
        let by_z = edited(model, tokens, "blocks.1.attn.hook_z", |z| z.index_axis_mut(Axis(2), 1).fill(0.0));
        assert!(alike(&run.logits, &by_z.logits), "{kind:?}");
        assert!(!alike(&run.logits, &before.logits), "{kind:?}");
    });
}

#[test]
fn an_edit_reaches_the_logits_and_nothing_before_it() {
    for_each_kind(|kind, model, tokens| {
        let before = Run::plain(model, tokens);
        let names: Vec<_> = HookPoint::all(model.config()).iter().map(ToString::to_string).collect();
        for (at, name) in names.iter().enumerate() {
            let run = edited(model, tokens, name, |activation| {
                activation.iter_mut().enumerate().for_each(|(i, x)| *x = 1.5 * *x + (i as f64).sin());
            });
            assert!(!alike(&run.logits, &before.logits), "an edit of {name} is lost, {kind:?}");
            for earlier in &names[..at] {
                let (a, b) = (before.cache.activation(earlier).unwrap(), run.cache.activation(earlier).unwrap());
                assert!(alike(a, b), "an edit of {name} changes {earlier}, {kind:?}");
            }
        }
    });
}

/// Doubles the activation of this name.
fn doubling<'a>(model: &'a Model<f64>, name: &str) -> Hooks<'a, f64> {
    let mut hooks = Hooks::new(model.config());
    let double = |activation: &mut ArrayViewMutD<'_, f64>| {
        *activation *= 2.0;
        Ok(())
    };
    hooks.add(name, double).expect("the point exists");
    hooks
}

#[test]
fn a_run_from_a_cache_has_the_bits_of_a_whole_run() {
    for_each_kind(|kind, model, tokens| {
        let before = Run::plain(model, tokens).cache;
        for (name, _) in before.iter() {
            let recorded = [name];
            let (logits, cache) =
                Plain::new().run(model, tokens.view(), &mut doubling(model, name), Filter::Names(&recorded)).unwrap();
            let (late, late_cache) = Plain::new()
                .run_from(model, tokens.view(), &before, &mut doubling(model, name), Filter::Names(&recorded))
                .unwrap();
            assert_eq!((late, late_cache), (logits, cache), "{name} of {kind:?}");
        }
    });
}

/// With the residual stream of other tokens the logits are theirs: the blocks before it were not run.
#[test]
fn a_run_from_a_cache_begins_before_the_first_point_that_is_asked_for() {
    for_each_kind(|kind, model, tokens| {
        let mut others = tokens.clone();
        others.invert_axis(Axis(0));
        let before = Run::plain(model, &others).cache;
        let last = format!("blocks.{}.hook_resid_post", model.config().n_layers - 1);
        for (hook, recorded, late) in [
            ("blocks.1.hook_attn_out", vec![], true),
            ("unembed.hook_in", vec![last.as_str()], true),
            ("unembed.hook_in", vec![], true),
            ("blocks.0.hook_resid_post", vec![], false),
            ("unembed.hook_in", vec!["hook_embed"], false),
        ] {
            let names = Filter::Names(&recorded);
            let (found, _) =
                Plain::new().run_from(model, tokens.view(), &before, &mut doubling(model, hook), names).unwrap();
            let run_on = if late { &others } else { tokens };
            assert_eq!(found, Run::new(model, run_on, &mut doubling(model, hook)).logits, "{hook} of {kind:?}");
        }
    });
}

#[test]
fn a_cache_of_another_batch_is_refused() {
    let (model, tokens) = SIZES.model(kinds()[0]);
    let before = Run::plain(&model, &tokens).cache;
    let fewer = tokens.slice(s![..1, ..]);
    let mut hooks = doubling(&model, "blocks.1.attn.hook_z");
    let error = Plain::new().run_from(&model, fewer, &before, &mut hooks, Filter::Nothing).unwrap_err();
    let shape = |batch: usize| format!("[{batch}, {}, {}]", SIZES.seq, SIZES.d_model);
    let said = format!("blocks.1.hook_resid_pre: expected shape {}, found {}", shape(1), shape(SIZES.lists));
    assert_eq!(error.to_string(), said);
}

#[test]
fn hooks_at_one_point_run_in_the_order_given() {
    let (model, tokens) = SIZES.model(kinds()[0]);
    let before = Run::plain(&model, &tokens);
    let mut hooks = Hooks::new(model.config());
    let affine = |factor: f64, shift: f64| {
        move |x: &mut ArrayViewMutD<'_, f64>| {
            x.mapv_inplace(|x| factor * x + shift);
            Ok(())
        }
    };
    let (add, double) = (affine(1.0, 1.0), affine(2.0, 0.0));
    let point = "blocks.0.hook_resid_pre";
    hooks.add(point, add).unwrap().add(point, double).unwrap().add(point, add).unwrap();
    let run = Run::new(&model, &tokens, &mut hooks);
    assert!(alike(run.at::<Ix3>(point), &(before.at::<Ix3>(point).mapv(|x| 2.0 * (x + 1.0) + 1.0))));
}

#[test]
fn a_hook_sees_the_whole_batch_once_on_the_callers_thread() {
    for lists in [1, 3, 100] {
        let sizes = algolens_testing::Sizes { lists, ..SIZES };
        let (model, tokens) = sizes.model(kinds()[0]);
        let seen = RefCell::new(Vec::new());
        let mut hooks = Hooks::new(model.config());
        hooks
            .add("blocks.0.attn.hook_z", |z| {
                seen.borrow_mut().push((z.shape().to_vec(), std::thread::current().id()));
                let mean = z.mean_axis(Axis(0)).expect("a batch has lists");
                z.assign(&mean);
                Ok(())
            })
            .unwrap();
        let run = Run::new(&model, &tokens, &mut hooks);
        drop(hooks);
        let expected = (vec![lists, SIZES.seq, HEADS, SIZES.d_head], std::thread::current().id());
        assert_eq!(seen.into_inner(), [expected]);
        let z = run.at::<Ix4>("blocks.0.attn.hook_z");
        assert!(z.outer_iter().all(|list| list == z.index_axis(Axis(0), 0)));
    }
}

#[test]
fn an_error_of_a_hook_ends_the_run_and_names_the_point() {
    for_each_kind(|kind, model, tokens| {
        let points = HookPoint::all(model.config());
        for (at, &point) in points.iter().enumerate() {
            let ran_on = Cell::new(false);
            let mut hooks = Hooks::new(model.config());
            hooks.add_at(point, |_| Err("no, thanks".into()));
            for &later in &points[at..] {
                hooks.add_at(later, |_| {
                    ran_on.set(true);
                    Ok(())
                });
            }
            let error = Plain::new().run_with_hooks(model, tokens.view(), &mut hooks).unwrap_err();
            assert_eq!(error.to_string(), format!("the hook at {point} failed: no, thanks"), "{kind:?}");
            assert!(matches!(error, Error::Hook { .. }));
            assert!(!ran_on.get(), "a hook ran after that at {point} failed");
        }
    });
}

#[test]
fn hooks_that_change_nothing_change_nothing_wherever_they_are() {
    for_each_kind(|kind, model, tokens| {
        let before = Run::plain(model, tokens);
        let mut hooks = Hooks::new(model.config());
        for point in HookPoint::all(model.config()) {
            hooks.add_at(point, |_| Ok(()));
        }
        let run = Run::new(model, tokens, &mut hooks);
        assert!(alike(&run.logits, &before.logits), "{kind:?}");
        for name in changed(&before, &run) {
            assert!(name.contains(".ln1."), "{name} changed, {kind:?}");
        }
    });
}

#[test]
fn hooks_that_change_nothing_change_no_bit_of_any_model() {
    for seed in 0..100 {
        let model = random_model(random_config(seed), seed).cast::<f32>();
        let tokens = random_tokens(5, model.config().n_ctx, model.config().d_vocab, seed);
        let bits = |hooks: &mut Hooks<'_, f32>| -> Vec<u32> {
            let logits = Plain::new().run_with_hooks(&model, tokens.view(), hooks).unwrap();
            logits.iter().map(|logit| logit.to_bits()).collect()
        };
        let before = bits(&mut Hooks::new(model.config()));
        for point in HookPoint::all(model.config()) {
            let mut hooks = Hooks::new(model.config());
            assert_eq!(bits(hooks.add_at(point, |_| Ok(()))), before, "{point}, {:?}", model.config());
        }
    }
}

#[test]
fn the_first_norm_runs_per_head_in_a_block_whose_inputs_a_hook_has_split() {
    let normed = kinds().into_iter().filter(|kind| kind.normalization_type != Normalization::None);
    for kind in normed {
        let (model, tokens) = SIZES.model(kind);
        for splitter in ["attn_in", "q_input", "k_input", "v_input"] {
            let shapes = RefCell::new(Vec::new());
            let mut hooks = Hooks::new(model.config());
            hooks.add(&format!("blocks.1.hook_{splitter}"), |_| Ok(())).unwrap();
            hooks
                .add("blocks.1.ln1.hook_scale", |scale| {
                    shapes.borrow_mut().push(scale.shape().to_vec());
                    Ok(())
                })
                .unwrap();
            let run = Run::new(&model, &tokens, &mut hooks);
            drop(hooks);
            let by_head = vec![SIZES.lists, SIZES.seq, HEADS, 1];
            assert_eq!(shapes.into_inner(), vec![by_head.clone(); 3], "queries, keys and values");
            assert_eq!(run.cache.activation("blocks.1.ln1.hook_scale").unwrap().shape(), by_head);
            let normalized = run.at::<Ix4>("blocks.1.ln1.hook_normalized");
            let unsplit = Run::plain(&model, &tokens);
            for head in normalized.axis_iter(Axis(2)) {
                assert!(alike(head, unsplit.at::<Ix3>("blocks.1.ln1.hook_normalized")));
            }
            let other_block = run.cache.activation("blocks.0.ln1.hook_scale").unwrap();
            assert_eq!(other_block.shape(), [SIZES.lists, SIZES.seq, 1]);
        }
    }
}

#[test]
fn the_cached_norm_of_split_inputs_is_the_values() {
    let (model, tokens) = SIZES.model(kinds()[0]);
    let before = Run::plain(&model, &tokens);
    let scale_after = |point: &str| {
        let run = edited(&model, &tokens, point, |input| input.mapv_inplace(|x| 3.0 * x));
        run.at::<Ix4>("blocks.0.ln1.hook_scale").index_axis(Axis(2), 0).to_owned()
    };
    let before = before.at::<Ix3>("blocks.0.ln1.hook_scale");
    assert!(alike(&scale_after("blocks.0.hook_q_input"), before));
    assert!(alike(&scale_after("blocks.0.hook_k_input"), before));
    assert!(!alike(&scale_after("blocks.0.hook_v_input"), before));
}

#[test]
fn an_edited_scale_divides_the_centred_stream() {
    let normed = kinds().into_iter().filter(|kind| kind.normalization_type == Normalization::LNPre);
    for kind in normed {
        let (model, tokens) = SIZES.model(kind);
        let before = Run::plain(&model, &tokens);
        let run = edited(&model, &tokens, "ln_final.hook_scale", |scale| scale.mapv_inplace(|x| 2.0 * x));
        let halved = &before.at::<Ix3>("ln_final.hook_normalized") / 2.0;
        assert!(alike(run.at::<Ix3>("ln_final.hook_normalized"), &halved), "{kind:?}");
    }
}

#[test]
fn positions_enter_the_stream_or_only_queries_and_keys() {
    for_each_kind(|kind, model, tokens| {
        let before = Run::plain(model, tokens);
        let run = edited(model, tokens, "hook_pos_embed", |pos| pos.slice_mut(s![.., .., 0]).fill(2.0));
        let changed = changed(&before, &run);
        let standard = kind.positional_embedding_type == Positions::Standard;
        for (name, follows) in [
            ("blocks.0.hook_resid_pre", standard),
            ("blocks.0.hook_q_input", standard),
            ("blocks.0.attn.hook_q", true),
            ("blocks.0.attn.hook_k", true),
            ("blocks.0.attn.hook_v", standard),
            ("blocks.1.attn.hook_q", true),
        ] {
            assert_eq!(changed.iter().any(|other| other == name), follows, "{name}, {kind:?}");
        }
    });
}

#[test]
fn causal_attention_looks_back_and_bidirectional_attention_everywhere() {
    for_each_kind(|kind, model, tokens| {
        let run = Run::plain(model, tokens);
        for ((_, _, query, key), weight) in run.at::<Ix4>("blocks.0.attn.hook_pattern").indexed_iter() {
            let seen = key <= query || kind.attention_dir == AttentionDir::Bidirectional;
            assert_eq!(*weight > 0.0, seen, "{kind:?}");
        }
    });
}

#[test]
fn a_backward_pass_refuses_a_seed_of_another_shape_and_passes_its_error_on() {
    let (model, tokens) = SIZES.model(kinds()[0]);
    let run = |seed: algolens_core::engine::Seed<'_, f64>| {
        let mut none = Hooks::new(model.config());
        Plain::new().run_with_gradients(&model, tokens.view(), &mut none, Filter::Nothing, seed).unwrap_err()
    };
    let error = run(&mut |logits| Ok(logits.slice(s![.., ..2, ..]).to_owned()));
    assert_eq!(error.to_string(), "seed of the gradients: expected [3, 4, 3], found [3, 2, 3]");
    assert!(matches!(run(&mut |_| Err(Error::Cancelled)), Error::Cancelled));
}
