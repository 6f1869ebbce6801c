//! Fills `corpus/` with inputs to begin with: files of other people (the folder that `ALGOLENS_REFERENCE` names, where there
//! is one), the models of this repository, and small files made here.

#[allow(dead_code, reason = "tests use all of it")]
#[path = "../../crates/algolens-core/tests/it/containers/make.rs"]
mod make;

use algolens_core::model::{
    ActFn, AttentionDir, Config, Mlp, Model, Normalization, Positions, Rotary, checkpoint::{Checkpoint, Layout},
};
use algolens_fuzz::{Arrays, Header, Pickled};
use make::{
    P, call, dict, dump, ints, object, saved, state_dict, tensor, text, torch_stream, torch_zip, view, weights,
};
use ndarray::ArrayViewD;
use serde_json::Value;
use std::{
    error::Error,
    fs,
    io::{Cursor, Read},
    path::{Path, PathBuf},
};
use zip::{CompressionMethod, ZipArchive, read};

type Result<T, E = Box<dyn Error>> = std::result::Result<T, E>;

/// The largest file that is taken as it is.
const MOST_BYTES: usize = 300 << 10;

fn main() -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut corpus = Corpus { folder: root.join("corpus"), written: 0 };
    made(&mut corpus)?;
    let reference = std::env::var_os("ALGOLENS_REFERENCE").map(PathBuf::from);
    for folder in [Some(root.join("../models")), reference].into_iter().flatten() {
        files_below(&folder, &mut |path| found(&mut corpus, path))?;
    }
    println!("{} seeds", corpus.written);
    Ok(())
}

struct Corpus {
    folder: PathBuf,
    written: usize,
}

impl Corpus {
    fn add(&mut self, target: &str, input: &[u8]) -> Result<()> {
        let folder = self.folder.join(target);
        fs::create_dir_all(&folder)?;
        fs::write(folder.join(format!("seed-{:04}", self.written)), input)?;
        self.written += 1;
        Ok(())
    }

    /// A file of some container, for the targets that read such files.
    fn add_file(&mut self, bytes: &[u8]) -> Result<()> {
        if bytes.len() <= MOST_BYTES {
            self.add("checkpoint", bytes)?;
        }
        if bytes.starts_with(b"PK") {
            self.add_archive(bytes)?;
        } else if let Some(rest) = bytes.strip_prefix(b"\x80") {
            self.add("pickle", &rest[..rest.len().min(MOST_BYTES)])?;
        } else if let Some(rest) = bytes.strip_prefix(b"{") {
            self.add("json", &rest[..rest.len().min(MOST_BYTES)])?;
        } else if let Some((length, rest)) = bytes.split_first_chunk()
            && let Some((json, data)) = rest.split_at_checked(u64::from_le_bytes(*length) as usize)
        {
            // Beyond that all data are weights, which may be any.
            let data = &data[..data.len().min(32 << 10)];
            self.add("safetensors", &Header { json, data }.to_input())?;
        }
        Ok(())
    }

    fn add_archive(&mut self, bytes: &[u8]) -> Result<()> {
        // As the reader does: left to guess, the crate takes some archives of PyTorch for others.
        let config = read::Config { archive_offset: read::ArchiveOffset::Known(0) };
        let Ok(mut zip) = ZipArchive::with_config(config, Cursor::new(bytes)) else { return Ok(()) };
        let (mut pickle, mut storages, mut length, mut arrays) = (None, 0, 0, Vec::new());
        for at in 0..zip.len() {
            let mut file = zip.by_index(at)?;
            let name = file.name()?.into_owned();
            let mut contents = Vec::new();
            file.read_to_end(&mut contents)?;
            if name.ends_with("data.pkl") {
                pickle = Some(contents);
            } else if name.contains("/data/") {
                (storages, length) = (storages + 1, length.max(contents.len()));
            } else if let (Some(name), true) = (name.strip_suffix(".npy"), contents.len() <= 4096 && arrays.len() < 8) {
                arrays.push((name.to_owned(), array_input(&contents)));
            }
        }
        if let Some(pickle) = pickle {
            self.add("torch_zip", &Pickled { storages, length, big_endian: false, pickle: &pickle }.to_input())?;
            self.add("pickle", &pickle[1..])?;
        }
        self.add_arrays(&["npz"], &arrays)
    }

    fn add_arrays(&mut self, targets: &[&str], arrays: &[(String, Vec<u8>)]) -> Result<()> {
        if arrays.is_empty() {
            return Ok(());
        }
        for (_, array) in arrays {
            self.add("npy", array)?;
        }
        let parts: Vec<_> = arrays.iter().map(|(name, array)| (name.as_bytes(), array.as_slice())).collect();
        for target in targets {
            self.add(target, &Arrays { deflated: self.written % 2 == 0, arrays: parts.clone() }.to_input())?;
        }
        Ok(())
    }
}

/// Calls `visit` for every file below a folder, in the order of their names.
fn files_below(folder: &Path, visit: &mut impl FnMut(&Path) -> Result<()>) -> Result<()> {
    let mut entries: Vec<PathBuf> = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    entries.sort();
    entries.iter().try_for_each(|path| if path.is_dir() { files_below(path, visit) } else { visit(path) })
}

/// A file of other people.
fn found(corpus: &mut Corpus, path: &Path) -> Result<()> {
    let bytes = fs::read(path)?;
    if path.ends_with("config.json") {
        let config: Value = serde_json::from_slice(&bytes)?;
        corpus.add("config", toml::to_string(&without_nulls(config))?.as_bytes())?;
        corpus.add("config", &bytes)?;
    }
    let name = path.to_string_lossy();
    if ["pt", "pth", "pkl", "safetensors", "npz", "json"].iter().any(|end| name.ends_with(&format!(".{end}"))) {
        corpus.add_file(&bytes)?;
    }
    Ok(())
}

/// TOML has no null.
fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(map) => map
            .into_iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(key, value)| (key, without_nulls(value)))
            .collect(),
        other => other,
    }
}

/// What [`algolens_fuzz::npy`] makes a `.npy` file of.
fn array_input(npy: &[u8]) -> Vec<u8> {
    let start = if npy[6] < 2 { 10 } else { 12 };
    [&npy[6..7], &npy[start..]].concat()
}

/// An array of this type and shape, as [`algolens_fuzz::npy`] takes it.
fn array(descr: &str, shape: &[usize], in_columns: bool, data: &[u8]) -> Vec<u8> {
    let shape: String = shape.iter().map(|size| format!("{size}, ")).collect();
    let order = if in_columns { "True" } else { "False" };
    let header = format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': ({}), }}\n", shape.trim_end());
    [&[1], header.as_bytes(), data].concat()
}

/// Small models of several kinds.
fn models() -> Result<Vec<Model>> {
    let small = Config { n_ctx: 3, d_vocab: 4, d_vocab_out: 4, d_model: 4, d_head: 2, ..Config::default() };
    let mlp = |act_fn, gated| Some(Mlp { d_mlp: 3, act_fn, gated });
    let rotary = Positions::Rotary(Rotary { rotary_dim: 2, rotary_base: 10_000.0, rotary_adjacent_pairs: true });
    let configs = [
        small.clone(),
        Config { n_layers: 2, mlp: mlp(ActFn::Relu, false), normalization_type: Normalization::None, ..small.clone() },
        Config { n_key_value_heads: Some(1), positional_embedding_type: rotary, ..small.clone() },
        Config { mlp: mlp(ActFn::Silu, true), normalization_type: Normalization::RMS, ..small.clone() },
        Config { mlp: mlp(ActFn::SoluLn, false), attention_dir: AttentionDir::Bidirectional, ..small.clone() },
        Config {
            n_heads: 0,
            mlp: mlp(ActFn::Gelu, false),
            positional_embedding_type: Positions::None,
            ..small.clone()
        },
        Config { n_layers: 0, tie_word_embeddings: true, normalization_type: Normalization::LNPre, ..small },
    ];
    configs.into_iter().zip(1..).map(|(config, seed)| Ok(Model::init(config, seed)?)).collect()
}

fn made(corpus: &mut Corpus) -> Result<()> {
    for layout in Layout::all() {
        corpus.add("layout", toml::to_string(&layout)?.as_bytes())?;
    }
    for model in models()? {
        let (value, storages) = state_dict(&model, "");
        let stream: Vec<_> = storages.iter().map(|(key, bytes)| (key.clone(), 4, bytes.clone())).collect();
        corpus.add_file(&torch_stream(&value, &stream))?;
        let beside =
            dict([("model", value), ("lr", P::Float(0.1)), ("cfg", object("x", "Config", [("n", P::Int(3))]))]);
        corpus.add_file(&torch_zip("m", &beside, &storages))?;
        let pickled = weights(&model).into_iter().map(|(name, shape, bytes)| {
            let strides: Vec<usize> = (0..shape.len()).map(|axis| shape[axis + 1..].iter().product()).collect();
            (P::Text(name), view(saved("FloatStorage", 4, &bytes), 0, ints(&shape), ints(&strides)))
        });
        corpus.add_file(&dump(4, &P::Dict(pickled.collect())))?;
        let arrays: Vec<_> = weights(&model)
            .into_iter()
            .map(|(name, shape, bytes)| (name, array("<f4", &shape, false, &bytes)))
            .collect();
        corpus.add_arrays(&["npz"], &arrays)?;
        let files: Vec<_> =
            arrays.iter().map(|(name, array)| (format!("{name}.npy"), algolens_fuzz::npy(array))).collect();
        corpus.add("checkpoint", &make::zipped(&files, CompressionMethod::Deflated))?;
        let json: Value = model
            .params
            .tensors()
            .map(|(name, array)| (name.to_owned(), nested(array)))
            .collect::<serde_json::Map<_, _>>()
            .into();
        corpus.add_file(json.to_string().as_bytes())?;
        corpus.add_file(&Checkpoint { model, task: None }.to_bytes()?)?;
    }
    for name in
        ["transformer.h.4294967295.ln_1.weight", "layers.0.heads.4294967295.W_Q.weight", "blocks.4294967295.ln1.w"]
    {
        let names = [name, "transformer.wte.weight", "transformer.wpe.weight", "tok_embed.weight", "embed.W_E"];
        let all: Value = names.iter().map(|name| ((*name).to_owned(), Value::from(vec![vec![1.5]]))).collect();
        corpus.add_file(all.to_string().as_bytes())?;
    }
    numpys(corpus)?;
    other_pickles(corpus)?;
    data_files(corpus)
}

fn nested(array: ArrayViewD<f32>) -> Value {
    if array.ndim() == 0 {
        return array.iter().copied().collect::<Vec<_>>()[0].into();
    }
    array.outer_iter().map(nested).collect()
}

/// Arrays of every type.
fn numpys(corpus: &mut Corpus) -> Result<()> {
    let types = [
        "|b1", "|i1", "<i2", "<i4", "<i8", "|u1", "<u2", ">u4", "<u8", "<f2", "<f4", ">f8", "<c8", "<c16", "<U2", "|O",
    ];
    for descr in types {
        let size = descr[2..].parse::<usize>().unwrap_or(8) * if descr.contains('U') { 4 } else { 1 };
        for shape in [&[][..], &[3], &[2, 3], &[0, 2]] {
            let count: usize = shape.iter().product();
            let input = array(descr, shape, shape.len() > 1, &[1, 0].repeat(count * size)[..count * size]);
            corpus.add_arrays(&["npz"], &[("w".into(), input)])?;
        }
    }
    Ok(())
}

/// What stands in pickles beside state dicts.
fn other_pickles(corpus: &mut Corpus) -> Result<()> {
    let module =
        |parts| object("torch.nn", "Module", [("_parameters", parts), ("_buffers", dict([])), ("_modules", dict([]))]);
    let w = || tensor("FloatStorage", "0", &[2, 3]);
    let dtype = || {
        P::Build(
            Box::new(call("numpy", "dtype", [text("f4"), P::Bool(false), P::Bool(true)])),
            Box::new(P::Tuple(vec![
                P::Int(3),
                text("<"),
                P::None,
                P::None,
                P::None,
                P::Int(-1),
                P::Int(-1),
                P::Int(0),
            ])),
        )
    };
    let empty = call(
        "numpy.core.multiarray",
        "_reconstruct",
        [P::Global("numpy", "ndarray"), ints(&[0]), P::Bytes(b"b".into())],
    );
    let state = P::Tuple(vec![P::Int(1), ints(&[2, 3]), dtype(), P::Bool(false), P::Bytes(vec![1; 24])]);
    let values = [
        module(dict([("weight", w())])),
        P::Build(Box::new(empty), Box::new(state)),
        call("numpy.core.multiarray", "scalar", [dtype(), P::Bytes(vec![0, 0, 128, 63])]),
        call("numpy._core.numeric", "_frombuffer", [P::Bytes(vec![1; 24]), dtype(), ints(&[2, 3]), text("F")]),
        call("torch._utils", "_rebuild_parameter", [w(), P::Bool(true), call("collections", "OrderedDict", [])]),
        call("torch", "device", [text("cuda"), P::Int(1)]),
        call("pathlib", "PosixPath", [text("/"), text("a"), text("b")]),
        call("collections", "defaultdict", [P::Global("builtins", "dict"), dict([("a", w())])]),
        call("builtins", "set", [P::List(vec![P::Int(1), P::Int(1 << 40)])]),
        dict([("state", dict([("0", w())])), ("param_groups", P::List(vec![dict([("lr", P::Float(1e-3))])]))]),
    ];
    for value in values {
        for protocol in [2, 4] {
            let all = dict([("w", w()), ("value", P::Put(1, Box::new(value.clone()))), ("again", P::Get(1))]);
            let pickle = dump(protocol, &all);
            corpus.add(
                "torch_zip",
                &Pickled { storages: 1, length: 24, big_endian: false, pickle: &pickle }.to_input(),
            )?;
            corpus.add("pickle", &dump(protocol, &dict([("w", value.clone())]))[1..])?;
        }
    }
    Ok(())
}

/// Data of every kind of targets.
fn data_files(corpus: &mut Corpus) -> Result<()> {
    let words = |words: &[&str]| {
        let data: Vec<u8> = words
            .iter()
            .flat_map(|word| word.chars().map(u32::from).chain([0; 5]).take(5).flat_map(u32::to_le_bytes))
            .collect();
        array("<U5", &[words.len()], false, &data)
    };
    let tokens = ("tokens".to_owned(), array("|i1", &[2, 7], false, &[1, 2, 3, 0, 1, 2, 3, 3, 2, 1, 0, 1, 2, 3]));
    let half = 0.5_f32.to_le_bytes();
    let targets = [
        array("|u1", &[2, 7], false, &[1; 14]),
        array("<i2", &[2, 2], false, &[1, 0].repeat(4)),
        array("|b1", &[2, 2, 2], false, &[1; 8]),
        array("<f4", &[2, 2, 2], false, &half.repeat(8)),
    ];
    for target in targets {
        let arrays = [
            tokens.clone(),
            ("targets".into(), target),
            ("positions".into(), array("|u1", &[2], false, &[5, 6])),
            ("weights".into(), array("<f4", &[2, 2], false, &half.repeat(4))),
            ("split".into(), words(&["train", "valid"])),
            ("labels".into(), words(&["a", "b", "c", "d", "END"])),
            ("output_labels".into(), words(&["a", "b"])),
            ("padding".into(), array("<i8", &[], false, &[3, 0, 0, 0, 0, 0, 0, 0])),
        ];
        for count in 1..=arrays.len() {
            corpus.add_arrays(&["data_file"], &arrays[..count])?;
            corpus.add_arrays(&["data_file"], &[&arrays[..2], &arrays[count - 1..]].concat())?;
        }
    }
    let sorted = array("|u1", &[1, 7], false, &[1, 0, 2, 4, 0, 1, 2]);
    corpus.add_arrays(&["data_file"], &[("tokens".into(), sorted), ("split".into(), array("|u1", &[1], false, &[2]))])
}
