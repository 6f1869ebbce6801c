//! Models in every layout that is known: the weights come back to the bit.
//!
//! The tensors are made element by element from a rule's axes, so that nothing of how rules are followed is used.

use algolens_core::{
    Error,
    model::{
        ActFn, AttentionDir, Biases, Config, Mlp, Model, Normalization, Positions, Rotary,
        checkpoint::{Checkpoint, Draft, Hints, Layout, PositionalEmbedding, Rule, Settings},
    },
};
use algolens_testing::{npy, write_npz};
use ndarray::{ArrayD, ArrayViewD, IxDyn};
use std::collections::BTreeMap;
use zip::CompressionMethod;

type Tensors = BTreeMap<String, ArrayD<f32>>;

/// A model that a layout can hold: sizes of which no two are equal.
fn config(layout: &str) -> Config {
    let base = Config {
        n_layers: 2,
        n_heads: 3,
        d_model: 10,
        d_head: 4,
        n_ctx: 7,
        d_vocab: 11,
        d_vocab_out: 5,
        normalization_type: Normalization::None,
        biases: Biases::NONE,
        ..Config::default()
    };
    let with_mlp = |act_fn| Some(Mlp { d_mlp: 13, act_fn, gated: false });
    let normed = |act_fn| Config {
        normalization_type: Normalization::LN,
        biases: Biases { b_U: false, ..Biases::ALL },
        mlp: with_mlp(act_fn),
        ..base.clone()
    };
    let rotary = Rotary { rotary_dim: 4, rotary_base: 10_000.0, rotary_adjacent_pairs: false };
    let config = match layout {
        "TransformerLens" => Config { biases: Biases::ALL, ..normed(ActFn::Silu) },
        "grokking" => {
            Config { mlp: with_mlp(ActFn::Relu), biases: Biases { b_in: true, b_out: true, ..Biases::NONE }, ..base }
        }
        "puzzles-heads-apart" => base,
        "puzzles-heads-together" => Config {
            normalization_type: Normalization::RMS,
            positional_embedding_type: Positions::Rotary(rotary),
            biases: Biases { norm: true, ..Biases::NONE },
            ..base
        },
        "nn.MultiheadAttention" => Config { biases: Biases::ALL, ..base },
        "nn.TransformerEncoder" => {
            Config { attention_dir: AttentionDir::Bidirectional, biases: Biases::ALL, ..normed(ActFn::Relu) }
        }
        "nanoGPT" => normed(ActFn::Gelu),
        "GPT-2" => Config { tie_word_embeddings: true, d_vocab_out: 11, ..normed(ActFn::GeluNew) },
        other => panic!("no model is given for {other}"),
    };
    config.validate().unwrap();
    config
}

/// All that the tensors of the layout might not say.
fn settings(config: &Config) -> Settings {
    Settings {
        n_heads: Some(config.n_heads),
        n_ctx: Some(config.n_ctx),
        act_fn: config.mlp.map(|mlp| mlp.act_fn),
        attention_dir: Some(config.attention_dir),
        normalization_type: Some(config.normalization_type),
        positional_embedding_type: Some(PositionalEmbedding::from(config.positional_embedding_type)),
        tie_word_embeddings: config.tie_word_embeddings.then_some(true),
        ..Settings::default()
    }
}

/// Axes as written: for each dimension the axes that it runs over.
fn axes(text: &str) -> Vec<Vec<String>> {
    let grouped = text.replace('(', "( ").replace(')', " )");
    let mut dimensions: Vec<Vec<String>> = Vec::new();
    let mut open = false;
    for word in grouped.split_whitespace() {
        match word {
            "(" => {
                dimensions.push(Vec::new());
                open = true;
            }
            ")" => open = false,
            axis if open => dimensions.last_mut().unwrap().push(axis.to_owned()),
            axis => dimensions.push(vec![axis.to_owned()]),
        }
    }
    dimensions
}

fn size(config: &Config, axis: &str) -> usize {
    match axis {
        "qkv" => 3,
        "head" => config.n_heads,
        "kv_head" => config.key_value_heads(),
        "d_head" => config.d_head,
        "d_model" => config.d_model,
        "d_mlp" => config.mlp.unwrap().d_mlp,
        "d_vocab" => config.d_vocab,
        "d_vocab_out" => config.d_vocab_out,
        "n_ctx" => config.n_ctx,
        other => panic!("{other}"),
    }
}

/// The tensor of a rule for a layer and a head; none if the model has no such weights.
fn tensor(rule: &Rule, layer: usize, head: usize, model: &Model) -> Option<ArrayD<f32>> {
    let weights: BTreeMap<&str, ArrayViewD<f32>> = model.params.tensors().collect();
    let targets: Vec<String> = rule.to.iter().map(|to| to.replace("{layer}", &layer.to_string())).collect();
    let ours: Vec<&ArrayViewD<f32>> = targets.iter().map(|name| weights.get(name.as_str())).collect::<Option<_>>()?;
    let our_axes: BTreeMap<&str, &str> = Draft::weights().collect();
    let our_axes = axes(our_axes[rule.to[0].as_str()]).concat();
    let theirs = axes(&rule.axes);
    let sizes: Vec<Vec<usize>> =
        theirs.iter().map(|axes| axes.iter().map(|axis| size(model.config(), axis)).collect()).collect();
    let shape: Vec<usize> = sizes.iter().map(|sizes| sizes.iter().product()).collect();
    Some(ArrayD::from_shape_fn(IxDyn(&shape), |at| {
        let mut index = BTreeMap::from([("head".to_owned(), head)]);
        for (dimension, axes) in theirs.iter().enumerate() {
            let mut rest = at[dimension];
            for (axis, size) in axes.iter().zip(&sizes[dimension]).rev() {
                index.insert(axis.clone(), rest % size);
                rest /= size;
            }
        }
        let weight = ours[index.get("qkv").copied().unwrap_or(0)];
        weight[IxDyn(&our_axes.iter().map(|axis| index[axis]).collect::<Vec<_>>())]
    }))
}

/// A model's weights as a layout has them.
fn tensors(layout: &Layout, model: &Model) -> Tensors {
    let config = model.config();
    let mut tensors = Tensors::new();
    for rule in &layout.weight {
        let layers = if rule.from.contains("{layer}") { config.n_layers } else { 1 };
        let heads = if rule.from.contains("{head}") { config.n_heads } else { 1 };
        for (layer, head) in (0..layers).flat_map(|layer| (0..heads).map(move |head| (layer, head))) {
            let name = rule.from.replace("{layer}", &layer.to_string()).replace("{head}", &head.to_string());
            match tensor(rule, layer, head, model) {
                Some(tensor) => drop(tensors.insert(name, tensor)),
                None => assert!(rule.optional, "{name}"),
            }
        }
    }
    tensors
}

fn file(tensors: &Tensors) -> Vec<u8> {
    let folder = std::env::temp_dir().join(format!("algolens-layouts-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join(format!("{:?}.npz", std::thread::current().id()).replace(['(', ')'], ""));
    let arrays: Vec<(&str, Vec<u8>)> =
        tensors.iter().map(|(name, tensor)| (name.as_str(), npy(tensor.clone()))).collect();
    write_npz(&path, &arrays, CompressionMethod::Stored);
    let bytes = std::fs::read(&path).unwrap();
    std::fs::remove_file(path).unwrap();
    bytes
}

/// A model none of whose weights is where it was put at first.
fn model(config: Config) -> Model {
    let mut model: Model = Model::init(config, 1).unwrap();
    for (at, value) in model.params.values_mut().iter_mut().enumerate() {
        *value = (at as f32).sin();
    }
    model
}

/// Whether models have the same weights and configs. Of weights that a model is without, no file says whether they would have
/// had biases.
fn same(found: &Model, expected: &Model) -> bool {
    let config = Config { biases: found.config().biases, ..expected.config().clone() };
    found.config() == &config && found.params.tensors().eq(expected.params.tensors())
}

#[test]
fn every_layout_comes_back() {
    for layout in Layout::all() {
        let model = model(config(&layout.name));
        let bytes = file(&tensors(&layout, &model));
        let mut hints: Hints = settings(model.config()).into();
        if layout.unsaid.is_some() {
            let asked = Checkpoint::from_bytes(bytes.clone(), &hints).unwrap_err();
            assert!(matches!(asked, Error::NotDetermined { key: "layout", .. }), "{asked}");
            hints.layout = Some(layout.clone());
        }
        let loaded = Checkpoint::from_bytes(bytes.clone(), &hints);
        let loaded = loaded.unwrap_or_else(|error| panic!("{}: {error}", layout.name));
        assert_eq!(loaded.layout, layout.name);
        assert_eq!(loaded.passed_over, Vec::<String>::new(), "{}", layout.name);
        assert!(same(&loaded.checkpoint.model, &model), "{}", layout.name);
        // Said, it is the only one that is tried.
        let hints = Hints { layout: Some(layout.clone()), ..settings(model.config()).into() };
        assert!(same(&Checkpoint::from_bytes(bytes.clone(), &hints).unwrap().checkpoint.model, &model));
        let another = Layout::all().into_iter().find(|other| other.name != layout.name);
        let hints = Hints { layout: another, ..settings(model.config()).into() };
        assert!(Checkpoint::from_bytes(bytes, &hints).is_err(), "{}", layout.name);
    }
}

/// What PyTorch's modules have: `nn.Linear` `[outputs, inputs]`, GPT-2's `Conv1D` the other way round, queries, keys and values
/// after each other, heads after each other in each.
#[test]
fn tensors_are_shaped_as_pytorch_has_them() {
    for (layout, name, shape) in [
        ("nanoGPT", "transformer.h.1.attn.c_attn.weight", [36, 10]),
        ("nanoGPT", "transformer.h.1.attn.c_proj.weight", [10, 12]),
        ("nanoGPT", "transformer.h.1.mlp.c_fc.weight", [13, 10]),
        ("GPT-2", "transformer.h.1.attn.c_attn.weight", [10, 36]),
        ("GPT-2", "transformer.h.1.attn.c_proj.weight", [12, 10]),
        ("GPT-2", "transformer.h.1.mlp.c_proj.weight", [13, 10]),
        ("nn.TransformerEncoder", "encoder.layers.1.self_attn.in_proj_weight", [36, 10]),
        ("nn.TransformerEncoder", "encoder.layers.1.linear2.weight", [10, 13]),
        ("puzzles-heads-together", "blocks.1.attn.W_Q.weight", [12, 10]),
        ("puzzles-heads-together", "unembed.weight", [5, 10]),
    ] {
        let model = model(config(layout));
        assert_eq!(tensors(&Layout::named(layout).unwrap(), &model)[name].shape(), shape, "{layout}: {name}");
    }
    for (layout, name, transposed) in [
        ("nanoGPT", "transformer.h.1.attn.c_attn.weight", false),
        ("GPT-2", "transformer.h.1.attn.c_attn.weight", true),
        ("nn.TransformerEncoder", "encoder.layers.1.self_attn.in_proj_weight", false),
    ] {
        let model = model(config(layout));
        let fused = &tensors(&Layout::named(layout).unwrap(), &model)[name];
        let weights: BTreeMap<&str, ArrayViewD<f32>> = model.params.tensors().collect();
        // Of the keys' part, head 2, dimension 3, from dimension 7 of the residual stream.
        let (row, column) = (12 + 2 * 4 + 3, 7);
        let found = if transposed { fused[[column, row]] } else { fused[[row, column]] };
        assert_eq!(found, weights["blocks.1.attn.W_K"][[2, 7, 3]], "{layout}");
    }
}

#[test]
fn what_a_layout_misses_is_named() {
    let layout = Layout::named("nanoGPT").unwrap();
    let model = model(config("nanoGPT"));
    let hints: Hints = settings(model.config()).into();
    let refusal = |change: &dyn Fn(&mut Tensors), hints: &Hints| {
        let mut tensors = tensors(&layout, &model);
        change(&mut tensors);
        Checkpoint::from_bytes(file(&tensors), hints).unwrap_err()
    };
    let without = refusal(&|tensors| drop(tensors.remove("transformer.h.1.mlp.c_fc.weight")), &hints);
    assert!(matches!(&without, Error::NoLayout { nearest, .. } if nearest == "nanoGPT"), "{without}");
    assert!(without.to_string().contains("transformer.h.1.mlp.c_fc.weight"), "{without}");
    // A fused weight whose width its heads do not divide.
    let wide = Settings { n_heads: Some(5), ..settings(model.config()) };
    let wide = refusal(&|_| {}, &wide.into()).to_string();
    assert!(wide.starts_with("transformer.h.0.attn.c_attn"), "{wide}");
    let unsaid = Settings { n_heads: None, ..settings(model.config()) };
    let unsaid = refusal(&|_| {}, &unsaid.into());
    assert!(matches!(unsaid, Error::NotDetermined { key: "n_heads", .. }), "{unsaid}");
    // A number in a name costs no memory.
    let far = |tensors: &mut Tensors| {
        let weight = tensors["transformer.h.1.ln_1.weight"].clone();
        tensors.insert(format!("transformer.h.{}.ln_1.weight", u64::MAX / 2), weight);
    };
    assert!(refusal(&far, &hints).to_string().contains("transformer.h.2."), "{}", refusal(&far, &hints));
}

#[test]
fn layouts_that_cannot_be_followed_are_refused() {
    let rule = |from: &str, axes: &str, to: &[&str]| Layout {
        name: "mine".into(),
        config: Default::default(),
        weight: vec![Rule {
            from: from.into(),
            axes: axes.into(),
            to: to.iter().map(|to| (*to).to_owned()).collect(),
            optional: false,
        }],
        buffer: Vec::new(),
        unsaid: None,
    };
    assert!(rule("e", "d_vocab d_model", &["embed.W_E"]).check().is_ok());
    for (layout, said) in [
        (rule("e", "d_vocab d_model", &["embed.W_e"]), "embed.W_E"),
        (rule("e", "d_vocab d_model", &[]), "1 names"),
        (rule("e", "", &["embed.W_E"]), "axes"),
        (rule("e", "(d_vocab d_model", &["embed.W_E"]), "axes"),
        (rule("e.{layer}", "d_vocab d_model", &["embed.W_E"]), "{layer}"),
        (rule("h.{neuron}", "d_model", &["blocks.{layer}.ln1.w"]), "{head}"),
        (rule("q", "(qkv head d_head) d_model", &["blocks.{layer}.attn.W_Q"; 2]), "3 names"),
        (rule("h.{head}.{layer}", "d_model", &["blocks.{layer}.ln1.w"]), "{head}"),
    ] {
        let error = layout.check().unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    }
}
