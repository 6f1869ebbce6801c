//! What a run records: every point by name, its shape, and how activations follow from one another.

use algolens_core::{
    Error,
    engine::{
        Engine, Plain,
        hooks::{Filter, HookPoint, Hooks},
    },
    model::{Config, Model, Normalization, Positions},
};
use algolens_testing::{Kind, Run, SIZES, alike, kinds, random_tokens};
use ndarray::{Array1, Array2, Array3, ArrayView2, ArrayView3, Axis, Ix2, Ix3, Ix4, s};

const LISTS: usize = SIZES.lists;
const SEQ: usize = SIZES.seq;
const HEADS: usize = SIZES.n_heads;
const D_MODEL: usize = SIZES.d_model;

fn has_norms(kind: Kind) -> bool {
    kind.normalization_type != Normalization::None
}

/// Every point of a model with the shape that its documentation gives, in the order of the forward pass.
fn documented(kind: Kind) -> Vec<(String, Vec<usize>)> {
    let resid = vec![LISTS, SEQ, D_MODEL];
    let by_head = |width| vec![LISTS, SEQ, HEADS, width];
    let norm = |name: &str| {
        let points =
            [(format!("{name}.hook_scale"), vec![LISTS, SEQ, 1]), (format!("{name}.hook_normalized"), resid.clone())];
        if has_norms(kind) { points.to_vec() } else { Vec::new() }
    };
    let mut points = vec![("hook_embed".into(), resid.clone()), ("hook_pos_embed".into(), resid.clone())];
    for layer in 0..SIZES.n_layers {
        let at = |name: &str| format!("blocks.{layer}.{name}");
        points.push((at("hook_resid_pre"), resid.clone()));
        points.extend(["attn", "q", "k", "v"].map(|of| {
            let name = if of == "attn" { "hook_attn_in".into() } else { format!("hook_{of}_input") };
            (at(&name), by_head(D_MODEL))
        }));
        points.extend(norm(&at("ln1")));
        points.extend(["q", "k", "v"].map(|of| (at(&format!("attn.hook_{of}")), by_head(SIZES.d_head))));
        points.extend(
            ["attn_scores", "pattern"].map(|of| (at(&format!("attn.hook_{of}")), vec![LISTS, HEADS, SEQ, SEQ])),
        );
        points.push((at("attn.hook_z"), by_head(SIZES.d_head)));
        points.push((at("attn.hook_result"), by_head(D_MODEL)));
        points.push((at("hook_attn_out"), resid.clone()));
        if kind.act_fn.is_some() {
            points.extend(["hook_resid_mid", "hook_mlp_in"].map(|name| (at(name), resid.clone())));
            points.extend(norm(&at("ln2")));
            points.extend(["mlp.hook_pre", "mlp.hook_post"].map(|name| (at(name), vec![LISTS, SEQ, SIZES.d_mlp])));
            points.push((at("hook_mlp_out"), resid.clone()));
        }
        points.push((at("hook_resid_post"), resid.clone()));
    }
    points.extend(norm("ln_final"));
    points.push(("unembed.hook_in".into(), resid));
    points.push(("unembed.hook_out".into(), vec![LISTS, SEQ, SIZES.d_vocab_out]));
    points
}

#[test]
fn every_point_of_every_kind_of_model_is_recorded_in_its_documented_shape() {
    for kind in kinds() {
        let (model, tokens) = SIZES.model(kind);
        let run = Run::plain(&model, &tokens);
        let documented = documented(kind);
        let names: Vec<_> = HookPoint::all(model.config()).iter().map(ToString::to_string).collect();
        assert_eq!(names, documented.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>(), "{kind:?}");
        assert_eq!(run.cache.iter().count(), documented.len());
        for (name, shape) in documented {
            assert_eq!(run.cache.activation(&name).unwrap().shape(), shape, "{name} of {kind:?}");
            let point: HookPoint = name.parse().unwrap();
            assert_eq!(point.to_string(), name);
            assert_eq!(point.shape(model.config(), SEQ), shape[1..], "{name} of {kind:?}");
            // Two heads, four positions.
            assert_eq!(point.head_axis(), shape[1..].iter().position(|size| *size == HEADS), "{name}");
            assert_eq!(Some(point.position_axis()), shape[1..].iter().position(|size| *size == SEQ), "{name}");
        }
    }
}

#[test]
fn names_of_no_point_are_refused_with_those_near_it() {
    for (name, said) in [
        ("blocks.0.attn.hook_y", "near it: blocks.0.attn.hook_k, blocks.0.attn.hook_q, blocks.0.attn.hook_v"),
        ("blocks.12.hook_mlp_ou", "near it: blocks.12.hook_mlp_out"),
        ("blocks.00.hook_mlp_out", "near it: blocks.0.hook_mlp_out"),
        ("blocks.x.hook_mlp_out", "near it: blocks.0.hook_mlp_out"),
        ("hook_embedding", "near it: hook_embed"),
        ("", "no hook point is called \"\""),
    ] {
        let found = name.parse::<HookPoint>().unwrap_err().to_string();
        assert!(found.contains(said), "{found}");
    }
}

#[test]
fn recording_changes_no_number() {
    for kind in kinds() {
        let (model, tokens) = SIZES.model(kind);
        let model: Model<f32> = model.cast();
        let run = |record: Filter| Plain::new().run_with_cache(&model, tokens.view(), record).unwrap();
        let (logits, all) = run(Filter::All);
        assert_eq!(logits, run(Filter::Nothing).0, "{kind:?}");
        for (name, activation) in all.iter() {
            let names = [name];
            assert_eq!(run(Filter::Names(&names)).1.activation(name).unwrap(), activation, "{name} of {kind:?}");
        }
    }
}

/// More sequences than go through the model at a time.
#[test]
fn a_run_that_only_records_has_the_bits_of_one_with_hooks() {
    const MANY: usize = 37;
    for kind in kinds() {
        let (model, _) = SIZES.model(kind);
        let model: Model<f32> = model.cast();
        let tokens = random_tokens(MANY, SEQ, model.config().d_vocab, 1);
        let mut hooks = Hooks::new(model.config());
        hooks.add_at(HookPoint::Embed, |_| Ok(()));
        let expected = Plain::new().run(&model, tokens.view(), &mut hooks, Filter::All).unwrap();
        let found = Plain::new().run_with_cache(&model, tokens.view(), Filter::All).unwrap();
        assert_eq!(found, expected, "{kind:?}");
        let twice = Plain::new().run_with_cache(&model, tokens.view(), Filter::Names(&["hook_embed"; 2])).unwrap().1;
        assert_eq!(twice.find("hook_embed"), expected.1.find("hook_embed"), "{kind:?}");
    }
}

/// One model and the activations of a run, to be checked against the equations of the forward pass.
struct Forward {
    kind: Kind,
    model: Model<f64>,
    run: Run,
}

impl Forward {
    fn weight(&self, name: &str) -> Array2<f64> {
        self.model.params.tensor(name).unwrap().into_dimensionality::<Ix2>().unwrap().to_owned()
    }

    fn bias(&self, name: &str) -> Array1<f64> {
        self.model.params.tensor(name).unwrap().flatten().to_owned()
    }

    fn resid(&self, name: &str) -> ArrayView3<'_, f64> {
        self.run.at::<Ix3>(name)
    }

    fn shortformer(&self) -> bool {
        self.kind.positional_embedding_type == Positions::Shortformer
    }

    /// What a norm gives of its input; the input where there is none. Checks what the norm recorded.
    fn normalized(&self, norm: &str, input: ArrayView3<f64>) -> Array3<f64> {
        if !has_norms(self.kind) {
            return input.to_owned();
        }
        let mean = input.mean_axis(Axis(2)).unwrap().insert_axis(Axis(2));
        let centred = &input - &mean;
        let variance = centred.mapv(|c| c * c).mean_axis(Axis(2)).unwrap().insert_axis(Axis(2));
        let scale = variance.mapv(|v| (v + SIZES.eps).sqrt());
        let normalized = centred / &scale;
        assert!(alike(&self.resid(&format!("{norm}.hook_scale")), &scale));
        assert!(alike(&self.resid(&format!("{norm}.hook_normalized")), &normalized));
        if self.kind.normalization_type == Normalization::LN {
            normalized * &self.bias(&format!("{norm}.w")) + &self.bias(&format!("{norm}.b"))
        } else {
            normalized
        }
    }

    fn check(&self) {
        let pos = self.resid("hook_pos_embed");
        let embedded = &self.resid("hook_embed") + &if self.shortformer() { &pos * 0.0 } else { pos.to_owned() };
        let mut resid = embedded;
        for layer in 0..SIZES.n_layers {
            let at = |name: &str| format!("blocks.{layer}.{name}");
            assert!(alike(&self.resid(&at("hook_resid_pre")), &resid), "{layer}");
            resid += &self.attention(layer, resid.view());
            if self.kind.act_fn.is_some() {
                assert!(alike(&self.resid(&at("hook_resid_mid")), &resid));
                assert!(alike(&self.resid(&at("hook_mlp_in")), &resid));
                let input = self.normalized(&at("ln2"), resid.view());
                let pre = times(input.view(), &self.weight(&at("mlp.W_in"))) + &self.bias(&at("mlp.b_in"));
                assert!(alike(&self.resid(&at("mlp.hook_pre")), &pre));
                let post = self.resid(&at("mlp.hook_post"));
                let out = times(post, &self.weight(&at("mlp.W_out"))) + &self.bias(&at("mlp.b_out"));
                assert!(alike(&self.resid(&at("hook_mlp_out")), &out));
                resid += &out;
            }
            assert!(alike(&self.resid(&at("hook_resid_post")), &resid));
        }
        let last = self.normalized("ln_final", resid.view());
        let logits = times(last.view(), &self.weight("unembed.W_U")) + &self.bias("unembed.b_U");
        assert!(alike(&self.run.logits, &logits));
    }

    /// `attn_out`.
    fn attention(&self, layer: usize, resid: ArrayView3<f64>) -> Array3<f64> {
        let at = |name: &str| format!("blocks.{layer}.{name}");
        let copies = resid.insert_axis(Axis(2));
        let copies = copies.broadcast((LISTS, SEQ, HEADS, D_MODEL)).unwrap();
        for input in ["hook_attn_in", "hook_q_input", "hook_k_input", "hook_v_input"] {
            assert!(alike(&self.run.at::<Ix4>(&at(input)), &copies));
        }
        let values = self.normalized(&at("ln1"), resid);
        let mut queries = values.clone();
        if self.shortformer() {
            queries += &self.resid("hook_pos_embed");
        }
        let mut out = Array3::zeros(values.dim()) + &self.bias(&at("attn.b_O"));
        for head in 0..HEADS {
            let tensor = |name: &str| {
                let tensor = self.model.params.tensor(&at(name)).unwrap();
                tensor.index_axis_move(Axis(0), head).to_owned()
            };
            let matrix = |name: &str| tensor(name).into_dimensionality::<Ix2>().unwrap();
            let of_head = |name: &str| self.run.at::<Ix4>(&at(name)).slice_move(s![.., .., head, ..]);
            let [q, k, v] = [("Q", &queries), ("K", &queries), ("V", &values)].map(|(of, input)| {
                let projected =
                    times(input.view(), &matrix(&format!("attn.W_{of}"))) + &tensor(&format!("attn.b_{of}"));
                let recorded = of_head(&format!("attn.hook_{}", of.to_lowercase()));
                assert!(alike(recorded, &projected.into_dimensionality::<Ix3>().unwrap()));
                recorded
            });
            for list in 0..LISTS {
                let of_list = |name: &str| self.run.at::<Ix4>(&at(name)).slice_move(s![list, head, .., ..]);
                let (scores, pattern) = (of_list("attn.hook_attn_scores"), of_list("attn.hook_pattern"));
                self.check_scores(scores, q.index_axis(Axis(0), list), k.index_axis(Axis(0), list));
                let softmax = scores.mapv(f64::exp);
                let softmax = &softmax / &softmax.sum_axis(Axis(1)).insert_axis(Axis(1));
                assert!(alike(pattern, &softmax));
                let z = pattern.dot(&v.index_axis(Axis(0), list));
                assert!(alike(of_head("attn.hook_z").index_axis(Axis(0), list), &z));
            }
            let result = times(of_head("attn.hook_z"), &matrix("attn.W_O"));
            assert!(alike(of_head("attn.hook_result"), &result));
            out += &result;
        }
        assert!(alike(&self.resid(&at("hook_attn_out")), &out));
        out
    }

    fn check_scores(&self, scores: ArrayView2<f64>, q: ArrayView2<f64>, k: ArrayView2<f64>) {
        let mut expected = q.dot(&k.t()) / (SIZES.d_head as f64).sqrt();
        if self.kind.attention_dir == algolens_core::model::AttentionDir::Causal {
            for ((query, key), score) in expected.indexed_iter_mut() {
                if key > query {
                    *score = f64::NEG_INFINITY;
                }
            }
        }
        assert!(alike(scores, &expected));
    }
}

/// Rows `[batch, pos, width]` times a matrix.
fn times(rows: ArrayView3<f64>, matrix: &Array2<f64>) -> Array3<f64> {
    let (lists, seq, width) = rows.dim();
    let flat = rows.to_owned().into_shape_with_order((lists * seq, width)).unwrap();
    flat.dot(matrix).into_shape_with_order((lists, seq, matrix.ncols())).unwrap()
}

#[test]
fn activations_follow_from_one_another_by_the_equations_of_the_forward_pass() {
    for kind in kinds() {
        let (model, tokens) = SIZES.model(kind);
        let run = Run::plain(&model, &tokens);
        Forward { kind, model, run }.check();
    }
}

fn config_of(index: usize) -> Config {
    SIZES.config(kinds()[index])
}

#[test]
fn a_filter_chooses_what_is_recorded() {
    let (model, tokens) = SIZES.model(kinds()[0]);
    let recorded = |filter: Filter| {
        let (_, cache) = Plain::new().run_with_cache(&model, tokens.view(), filter)?;
        Ok::<_, Error>(cache.iter().map(|(name, _)| name.to_owned()).collect::<Vec<_>>())
    };
    assert!(recorded(Filter::Nothing).unwrap().is_empty());
    assert_eq!(recorded(Filter::Names(&["hook_embed"])).unwrap(), ["hook_embed"]);
    assert_eq!(recorded(Filter::Names(&["hook_embed", "hook_pos_embed", "hook_embed"])).unwrap().len(), 2);
    let patterns = recorded(Filter::Matching(&|name| name.ends_with("hook_pattern"))).unwrap();
    assert_eq!(patterns, ["blocks.0.attn.hook_pattern", "blocks.1.attn.hook_pattern"]);
    let error = recorded(Filter::Names(&["hook_embed", "hook_embde"])).unwrap_err();
    assert!(matches!(error, Error::UnknownName { name, near, .. } if name == "hook_embde" && near[0] == "hook_embed"));
}

#[test]
fn what_was_not_recorded_is_an_error_that_lists_what_was() {
    let (model, tokens) = SIZES.model(kinds()[0]);
    let (_, cache) = Plain::new().run_with_cache(&model, tokens.view(), Filter::Names(&["hook_embed"])).unwrap();
    assert!(matches!(
        cache.activation("hook_pos_embed").unwrap_err(),
        Error::UnknownName { near, .. } if near == ["hook_embed"]
    ));
    let error = cache.get::<Ix4>("hook_embed").unwrap_err();
    assert_eq!(error.to_string(), "hook_embed: expected 4 dimensions, found 3");
}

#[test]
fn unknown_names_list_the_near_ones() {
    let one_layer = Config { n_layers: 1, ..config_of(0) };
    let attn_only_without_norms = Config { normalization_type: Normalization::None, ..one_layer.clone() };
    for (config, name, nearest) in [
        (&one_layer, "blocks.0.attn.hook_patern", "blocks.0.attn.hook_pattern"),
        (&one_layer, "hook_pattern", "blocks.0.attn.hook_pattern"),
        (&one_layer, "blocks.1.hook_resid_pre", "blocks.0.hook_resid_pre"),
        (&one_layer, "blocks.0.hook_pattern", "blocks.0.attn.hook_pattern"),
        (&one_layer, "blocks.0.hook_q", "blocks.0.attn.hook_q"),
        (&one_layer, "blocks.0.attn.hook_scores", "blocks.0.attn.hook_attn_scores"),
        (&one_layer, "resid_post", "blocks.0.hook_resid_post"),
        (&one_layer, "ln_final.hook_normalised", "ln_final.hook_normalized"),
        (&one_layer, "Hook_Embed", "hook_embed"),
        (&attn_only_without_norms, "blocks.0.hook_resid_mid", "blocks.0.hook_resid_pre"),
    ] {
        let error = Hooks::<f64>::new(config).add(name, |_| Ok(())).err().expect("no such point");
        let Error::UnknownName { near, .. } = &error else { panic!("{error}") };
        assert_eq!(near.first().map(String::as_str), Some(nearest), "{error}");
        assert!(error.to_string().starts_with(&format!("no hook point is called {name:?}; near it: ")));
    }
    let error = Hooks::<f64>::new(&one_layer).add("something else", |_| Ok(())).err().unwrap();
    assert_eq!(error.to_string(), r#"no hook point is called "something else""#);
}
