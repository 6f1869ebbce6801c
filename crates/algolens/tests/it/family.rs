//! Random models over TransformerLens's options: read as it saved them, every activation is that of TransformerLens 3.9.

use algolens::{
    engine::{
        Engine, Plain,
        hooks::{BlockPoint, Cache, Filter, HookPoint, Hooks},
    },
    model::{
        Model, Positions,
        checkpoint::{Checkpoint, Hints, Settings},
    },
    task::Token,
};
use algolens_testing::reference;
use ndarray::{Array2, ArrayD, ArrayViewD, Ix2};
use ndarray_npy::ReadNpyExt;
use std::{
    collections::BTreeMap,
    fs::File,
    path::{Path, PathBuf},
};
use zip::ZipArchive;

/// Of an array's largest finite value; float32 itself loses 4e-6 (the reference's README).
const TOLERANCE: f32 = 3e-5;

/// Every model's folder; none where there is no reference.
fn folders() -> Vec<PathBuf> {
    let Some(family) = reference("family") else { return Vec::new() };
    let mut folders: Vec<PathBuf> = std::fs::read_dir(family).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    assert_eq!(folders.len(), 28);
    folders
}

fn model(folder: &Path) -> Model {
    let config = std::fs::read(folder.join("config.json")).unwrap();
    let config = Settings::from_config(&serde_json::from_slice(&config).unwrap()).unwrap();
    let bytes = std::fs::read(folder.join("model.safetensors")).unwrap();
    let loaded = Checkpoint::from_bytes(bytes, &Hints { config, ..Hints::default() });
    loaded.unwrap_or_else(|error| panic!("{}: {error}", folder.display())).checkpoint.model
}

/// The arrays of a cache: those with every flag on, and those with every flag off.
struct Expected {
    tokens: Array2<Token>,
    on: BTreeMap<String, ArrayD<f32>>,
    off: BTreeMap<String, ArrayD<f32>>,
}

fn expected(folder: &Path) -> Expected {
    let mut npz = ZipArchive::new(File::open(folder.join("cache.npz")).unwrap()).unwrap();
    let tokens = ArrayD::<i64>::read_npy(npz.by_name("tokens.npy").unwrap()).unwrap();
    let tokens = tokens.mapv(|token| token as Token).into_dimensionality::<Ix2>().unwrap();
    let names: Vec<String> = npz.file_names().map(|name| name.unwrap().into_owned()).collect();
    let (mut on, mut off) = (BTreeMap::new(), BTreeMap::new());
    for file in names.iter().filter(|name| *name != "tokens.npy") {
        let array = ArrayD::<f32>::read_npy(npz.by_name(file).unwrap()).unwrap();
        let name = file.strip_suffix(".npy").unwrap();
        match name.strip_prefix("off/") {
            Some(name) => off.insert(name.to_owned(), array),
            None => on.insert(name.to_owned(), array),
        };
    }
    Expected { tokens, on, off }
}

/// With hooks that change nothing at the inputs of the heads, every head has inputs of its own.
fn split_cache(model: &Model, tokens: &Array2<Token>) -> Cache<f32> {
    let mut hooks = Hooks::new(model.config());
    for layer in 0..model.config().n_layers {
        hooks.add_at(HookPoint::Block(layer, BlockPoint::QInput), |_| Ok(()));
    }
    Plain::new().run(model, tokens.view(), &mut hooks, Filter::All).unwrap().1
}

fn compare(what: &str, found: ArrayViewD<f32>, expected: &ArrayD<f32>, tolerance: f32) {
    assert_eq!(found.shape(), expected.shape(), "{what}");
    let finite = |x: &&f32| x.is_finite();
    let largest = expected.iter().filter(finite).fold(0.0_f32, |most, x| most.max(x.abs()));
    let pairs = found.iter().zip(expected).filter(|(a, b)| a != b);
    let off = pairs.fold(0.0_f32, |most, (a, b)| if (a - b).abs() > most { (a - b).abs() } else { most });
    assert!(off <= tolerance * largest && found.iter().all(|x| !x.is_nan()), "{what}: off by {off} of {largest}");
}

/// The activation of a name; TransformerLens says that there are no positions by a rotation of nothing.
fn activation<'a>(cache: &'a Cache<f32>, name: &str, positions: Positions) -> ArrayViewD<'a, f32> {
    let renamed = if positions == Positions::None { name.replace("hook_rot_", "hook_") } else { name.to_owned() };
    cache.activation(&renamed).unwrap()
}

#[test]
fn every_activation_is_that_of_transformer_lens_3_9() {
    for folder in folders() {
        let model = model(&folder);
        let Expected { tokens, on, off } = expected(&folder);
        let name = folder.file_name().unwrap().to_string_lossy();
        let shared = Plain::new().run_with_cache(&model, tokens.view(), Filter::All).unwrap().1;
        let split = split_cache(&model, &tokens);
        let logits = Plain::new().run_with_cache(&model, tokens.view(), Filter::Nothing).unwrap().0;
        for (cache, expected, flags) in [(&shared, &off, "off"), (&split, &on, "on")] {
            let mut compared = 0;
            for (point, expected) in expected {
                let what = format!("{name}, flags {flags}: {point}");
                if point == "logits" {
                    compare(&what, logits.view().into_dyn(), expected, TOLERANCE);
                } else {
                    let found = activation(cache, point, model.config().positional_embedding_type);
                    compare(&what, found, expected, TOLERANCE);
                }
                compared += 1;
            }
            assert!(compared >= 12, "{name}: {compared} activations");
        }
    }
}

#[test]
fn processed_weights_give_the_same_log_probabilities() {
    let log_softmax = |logits: ndarray::Array3<f32>| {
        let mut logits = logits.mapv(f64::from);
        for mut row in logits.rows_mut() {
            let most = row.fold(f64::NEG_INFINITY, |most, x| most.max(*x));
            let sum = row.fold(0.0, |sum, x| sum + (x - most).exp()).ln() + most;
            row -= sum;
        }
        logits
    };
    let mut folded = 0;
    for folder in folders() {
        let model = model(&folder);
        let tokens = expected(&folder).tokens;
        let run = |model: &Model| Plain::new().run_with_cache(model, tokens.view(), Filter::Nothing).unwrap().0;
        let processed = model.process();
        folded += processed.applied.len();
        let (before, after) = (log_softmax(run(&model)), log_softmax(run(&processed.model)));
        let off = before.iter().zip(&after).fold(0.0_f64, |most, (a, b)| most.max((a - b).abs()));
        assert!(off < 1e-4, "{}: {off} after {:?}", folder.display(), processed.applied);
        assert_ne!(model.params.values(), processed.model.params.values());
    }
    assert!(folded == 0 || folded > 60, "{folded} steps");
}
