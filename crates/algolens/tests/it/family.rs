//! Random models over TransformerLens's options: every activation is that of TransformerLens 3.9.

use algolens::{
    engine::{Engine, Plain, hooks::Filter},
    model::{ActFn, AttentionDir, Config, Mlp, Model, Normalization, Positions},
    task::Token,
};
use algolens_testing::reference;
use ndarray::{ArrayD, Ix2};
use ndarray_npy::ReadNpyExt;
use safetensors::SafeTensors;
use serde_json::Value;
use std::{collections::BTreeMap, fs::File, path::Path};
use zip::ZipArchive;

/// The folders whose options the engine has.
const COVERED: [&str; 6] =
    ["LN-attn", "LN-attn-bi-out", "LN-gelu_new-short", "LN-relu-eps", "LNPre-attn-eps", "none-attn"];

fn config(json: &Value) -> Config {
    let size = |key: &str| json[key].as_u64().unwrap() as usize;
    let choice = |key: &str| json[key].clone();
    Config {
        n_layers: size("n_layers"),
        n_heads: size("n_heads"),
        d_model: size("d_model"),
        d_head: size("d_head"),
        mlp: (json["attn_only"] == false)
            .then(|| Mlp { d_mlp: size("d_mlp"), act_fn: serde_json::from_value::<ActFn>(choice("act_fn")).unwrap() }),
        n_ctx: size("n_ctx"),
        d_vocab: size("d_vocab"),
        d_vocab_out: size("d_vocab_out"),
        normalization_type: match json["normalization_type"].as_str() {
            Some("LN") => Normalization::LN,
            Some("LNPre") => Normalization::LNPre,
            _ => Normalization::None,
        },
        attention_dir: serde_json::from_value::<AttentionDir>(choice("attention_dir")).unwrap(),
        positional_embedding_type: serde_json::from_value::<Positions>(choice("positional_embedding_type")).unwrap(),
        eps: json["eps"].as_f64().unwrap(),
    }
}

fn model(folder: &Path) -> Model {
    let json = std::fs::read(folder.join("config.json")).unwrap();
    let mut model = Model::zeros(config(&serde_json::from_slice(&json).unwrap())).unwrap();
    let bytes = std::fs::read(folder.join("model.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let names: Vec<String> = model.params.tensors().map(|(name, _)| name.to_owned()).collect();
    for name in names {
        let tensor = file.tensor(&name).unwrap();
        let values = tensor.data().as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes));
        model.params.tensor_mut(&name).unwrap().iter_mut().zip(values).for_each(|(to, from)| *to = from);
    }
    model
}

/// The arrays of a cache; those with every option off, whose names begin with `off/`, under their own names.
fn cache(folder: &Path) -> (ndarray::Array2<Token>, BTreeMap<String, ArrayD<f32>>) {
    let mut npz = ZipArchive::new(File::open(folder.join("cache.npz")).unwrap()).unwrap();
    let tokens = ArrayD::<i64>::read_npy(npz.by_name("tokens.npy").unwrap()).unwrap();
    let tokens = tokens.mapv(|token| token as Token).into_dimensionality::<Ix2>().unwrap();
    let names: Vec<String> = npz.file_names().map(|name| name.unwrap().into_owned()).collect();
    let off = names.iter().filter_map(|name| Some((name, name.strip_prefix("off/")?.strip_suffix(".npy")?)));
    let arrays =
        off.map(|(file, name)| (name.to_owned(), ArrayD::<f32>::read_npy(npz.by_name(file).unwrap()).unwrap()));
    (tokens, arrays.collect())
}

#[test]
fn every_activation_is_that_of_transformer_lens_3_9() {
    /// Of an array's largest value; float32 itself loses 4e-6 (the reference's README).
    const TOLERANCE: f32 = 2e-5;
    for name in COVERED {
        let Some(folder) = reference(&format!("family/{name}")) else { return };
        let model = model(&folder);
        let (tokens, expected) = cache(&folder);
        let (_, found) = Plain::new().run_with_cache(&model, tokens.view(), Filter::All).unwrap();
        let mut compared = 0;
        for (point, expected) in expected {
            // TransformerLens records what goes into the unembedding and comes out of it; here that is the logits.
            if point.starts_with("unembed.") {
                continue;
            }
            let found = found.activation(&point).unwrap();
            assert_eq!(found.shape(), expected.shape(), "{name}: {point}");
            let finite = |x: &&f32| x.is_finite();
            let largest = expected.iter().filter(finite).fold(0.0_f32, |most, x| most.max(x.abs()));
            let pairs = found.iter().zip(&expected).filter(|(a, b)| a != b);
            let off = pairs.fold(0.0_f32, |most, (a, b)| most.max((a - b).abs()));
            assert!(off <= TOLERANCE * largest.max(1e-3), "{name}: {point} is off by {off}, the largest is {largest}");
            compared += 1;
        }
        assert!(compared >= 20, "{name}: {compared} activations");
    }
}
