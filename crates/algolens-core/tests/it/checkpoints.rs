//! Checkpoints come back as they were written, and bytes that are none are refused on one line.

use algolens_core::{
    Error,
    model::{
        ActFn, AttentionDir, Model, Normalization,
        checkpoint::{Checkpoint, Hints, Loaded, Settings, Source},
    },
    task::{Registry, SortedList, Task, TaskSpec},
    train::Architecture,
};
use algolens_testing::{any_kind, sizes, with_cases};
use proptest::prelude::*;
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use std::io::{Cursor, Write};
use zip::{ZipWriter, write::SimpleFileOptions};

fn read(bytes: &[u8]) -> algolens_core::Result<Loaded> {
    Checkpoint::from_bytes(bytes.to_vec(), &Hints::default())
}

/// The one line that says why bytes are no checkpoint.
fn refusal(bytes: &[u8], hints: &Hints) -> String {
    let said = Checkpoint::from_bytes(bytes.to_vec(), hints).expect_err("should be refused").to_string();
    assert!(!said.is_empty() && said.lines().count() == 1, "{said:?}");
    said
}

type Tensors = Vec<(String, Dtype, Vec<usize>, Vec<u8>)>;

/// The tensors of a model as TransformerLens names them.
fn tensors(model: &Model) -> Tensors {
    let bytes = |array: ndarray::ArrayViewD<f32>| array.iter().flat_map(|x| x.to_le_bytes()).collect();
    let tensors = model.params.tensors();
    tensors.map(|(name, array)| (name.to_owned(), Dtype::F32, array.shape().to_vec(), bytes(array))).collect()
}

/// A safetensors file without our metadata.
fn file(tensors: &Tensors) -> Vec<u8> {
    let views = tensors
        .iter()
        .map(|(name, dtype, shape, bytes)| (name, TensorView::new(*dtype, shape.clone(), bytes).unwrap()));
    safetensors::serialize(views, None).unwrap()
}

fn mask(n_ctx: usize, allowed: impl Fn(usize, usize) -> bool) -> (String, Dtype, Vec<usize>, Vec<u8>) {
    let cells = (0..n_ctx * n_ctx).map(|at| u8::from(allowed(at / n_ctx, at % n_ctx))).collect();
    ("blocks.0.attn.mask".into(), Dtype::BOOL, vec![n_ctx, n_ctx], cells)
}

/// The smallest model of the sorting task there is.
fn small(normalization_type: Normalization) -> Model {
    let shape = Architecture { d_model: 4, d_head: 2, normalization_type, ..Architecture::default() };
    Model::init(shape.config(&SortedList::new(2, 3).unwrap()), 0).unwrap()
}

proptest! {
    #![proptest_config(with_cases(64))]

    #[test]
    fn a_checkpoint_of_every_kind_comes_back(sizes in sizes(), kind in any_kind()) {
        let model = sizes.model(kind).0.cast::<f32>();
        let written = Checkpoint { model, task: None };
        let bytes = written.to_bytes().unwrap();
        prop_assert_eq!(&bytes, &written.to_bytes().unwrap());
        let (_, metadata) = SafeTensors::read_metadata(&bytes).unwrap();
        prop_assert_eq!(metadata.metadata().as_ref().unwrap().len(), 1);
        let loaded = read(&bytes).unwrap();
        prop_assert_eq!(loaded.checkpoint, written);
        prop_assert!(loaded.notes.is_empty());
    }

    #[test]
    fn a_damaged_byte_is_no_panic(at in 0_usize..20_000, to in any::<u8>()) {
        let mut bytes = Checkpoint { model: small(Normalization::LN), task: None }.to_bytes().unwrap();
        let at = at % bytes.len();
        bytes[at] = to;
        if let Err(error) = read(&bytes) {
            prop_assert_eq!(error.to_string().lines().count(), 1);
        }
    }
}

#[test]
fn the_task_is_part_of_the_file_and_must_fit_the_model() {
    let task = |list_len| Some(SortedList::new(list_len, 3).unwrap().spec());
    let written = Checkpoint { model: small(Normalization::LN), task: task(2) };
    assert_eq!(read(&written.to_bytes().unwrap()).unwrap().checkpoint, written);
    let registry = Registry::empty().with::<SortedList>();
    let of = |said: Option<TaskSpec>| registry.task_of(written.model.config(), said.as_ref());
    assert_eq!(of(task(3)).unwrap_err().to_string(), "n_ctx of the model: expected the task's 7, found 5");
    for (said, assumed) in [(task(2), false), (None, true)] {
        let found = of(said).unwrap();
        assert_eq!((found.task.spec(), found.assumed), (task(2).unwrap(), assumed));
    }
}

#[test]
fn every_truncation_is_refused() {
    let bytes = Checkpoint { model: small(Normalization::LN), task: None }.to_bytes().unwrap();
    for cut in (0..bytes.len()).step_by(7) {
        refusal(&bytes[..cut], &Hints::default());
    }
}

#[test]
fn a_state_dict_tells_what_its_tensors_determine_and_asks_for_the_rest() {
    let hints = Hints::default();
    let normed = small(Normalization::LN);
    let causal = |q: usize, k: usize| k <= q;
    let with = |model: &Model, mask| -> Vec<u8> { file(&tensors(model).into_iter().chain([mask]).collect()) };
    let loaded = read(&with(&normed, mask(5, causal))).unwrap();
    assert_eq!(loaded.checkpoint.model, normed);
    assert_eq!(loaded.passed_over, ["blocks.0.attn.mask"]);
    let both_ways = read(&with(&normed, mask(5, |_, _| true))).unwrap();
    assert_eq!(both_ways.checkpoint.model.config().attention_dir, AttentionDir::Bidirectional);
    refusal(&with(&normed, mask(5, |q, k| q == k)), &hints);
    // A causal mask was saved with every model: it is what is assumed, and no more.
    let attention = |loaded: &Loaded| {
        let note = loaded.notes.iter().find(|note| note.what == "attention_dir").unwrap();
        (loaded.checkpoint.model.config().attention_dir, note.source)
    };
    assert_eq!(attention(&loaded), (AttentionDir::Causal, Source::Assumed));
    let said = Settings { attention_dir: Some(AttentionDir::Bidirectional), ..Settings::default() };
    let loaded = Checkpoint::from_bytes(with(&normed, mask(5, causal)), &said.into()).unwrap();
    assert_eq!(attention(&loaded), (AttentionDir::Bidirectional, Source::Flag));
    let causal_said: Hints = Settings { attention_dir: Some(AttentionDir::Causal), ..Settings::default() }.into();
    refusal(&with(&normed, mask(5, |_, _| true)), &causal_said);
    // Without a mask, and without norm weights.
    let asked = Checkpoint::from_bytes(file(&tensors(&normed)), &hints).unwrap_err();
    let expected = "whether attention is causal (there is no mask) cannot be read off the checkpoint: attention_dir may be \
                    causal, bidirectional";
    assert_eq!(asked.to_string(), expected);
    for kind in [Normalization::LNPre, Normalization::None] {
        let bare = with(&small(kind), mask(5, causal));
        let asked = Checkpoint::from_bytes(bare.clone(), &hints).unwrap_err();
        assert!(matches!(asked, Error::NotDetermined { key: "normalization_type", .. }), "{asked}");
        let told = Settings { normalization_type: Some(kind), ..Settings::default() }.into();
        assert_eq!(Checkpoint::from_bytes(bare, &told).unwrap().checkpoint.model, small(kind));
    }
    refusal(&with(&normed, mask(5, causal)), &Settings { act_fn: Some(ActFn::Relu), ..Settings::default() }.into());
}

#[test]
fn wrong_tensors_are_named() {
    let right: Tensors = tensors(&small(Normalization::LN)).into_iter().chain([mask(5, |q, k| k <= q)]).collect();
    let at = |name: &str| right.iter().position(|tensor| tensor.0 == name).unwrap();
    let with = |change: &dyn Fn(&mut Tensors)| {
        let mut tensors = right.iter().map(|(n, d, s, b)| (n.clone(), *d, s.clone(), b.clone())).collect();
        change(&mut tensors);
        refusal(&file(&tensors), &Hints::default())
    };
    let b_o = at("blocks.0.attn.b_O");
    assert_eq!(with(&|t| drop(t.remove(b_o))), "blocks.0.attn.b_O: expected a tensor of that name, found none");
    assert_eq!(
        with(&|t| t[b_o].2 = vec![2, 2]),
        "no known layout has these tensors; of the nearest, TransformerLens, blocks.0.attn.b_O: expected axes d_model, found shape [2, 2]"
    );
    assert_eq!(
        with(&|t| t[b_o].3[8..12].copy_from_slice(&f32::NAN.to_le_bytes())),
        "blocks.0.attn.b_O: expected finite numbers, found NaN at element 2"
    );
    assert_eq!(
        with(&|t| t[b_o].1 = Dtype::I32),
        "blocks.0.attn.b_O: expected float16, bfloat16, float32 or float64, found int32"
    );
    let rotary = with(&|t| t.push(("blocks.0.attn.rotary_sin".into(), Dtype::F32, vec![1], vec![0; 4])));
    assert!(rotary.contains("rotary_sin"), "{rotary}");
}

/// A file as `torch.save` makes them, around any pickle.
fn archive(pickle: &[u8], compress: bool) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let method = if compress { zip::CompressionMethod::Deflated } else { zip::CompressionMethod::Stored };
    zip.start_file("m/data.pkl", SimpleFileOptions::default().compression_method(method)).unwrap();
    zip.write_all(pickle).unwrap();
    zip.start_file("m/version", SimpleFileOptions::default().compression_method(method)).unwrap();
    zip.write_all(b"3\n").unwrap();
    zip.finish().unwrap().into_inner()
}

#[test]
fn a_pickle_that_imports_a_callable_is_refused_and_calls_nothing() {
    let trace = std::env::temp_dir().join(format!("algolens-pickle-{}", std::process::id()));
    let command = format!("touch {}", trace.display());
    let mut pickle = b"\x80\x02cposix\nsystem\nX".to_vec();
    pickle.extend((command.len() as u32).to_le_bytes());
    pickle.extend(command.as_bytes());
    pickle.extend(b"\x85R.");
    let said = refusal(&archive(&pickle, false), &Hints::default());
    assert!(said.contains("posix.system"), "{said}");
    refusal(&pickle, &Hints::default());
    assert!(!trace.exists());
}

#[test]
fn hostile_archives_and_pickles_are_refused() {
    let refused = |pickle: &[u8]| refusal(&archive(pickle, false), &Hints::default());
    // A bomb: a hundred megabytes of zeros in a hundred kilobytes.
    refusal(&archive(&vec![0; 100 << 20], true), &Hints::default());
    // Deep nesting, and a memo that doubles a list sixty times.
    refused(&[b"\x80\x02".as_slice(), &[b'('; 900_000], &[b'l'; 900_000], b"."].concat());
    let doubled: Vec<u8> = (0..60).flat_map(|at| [b'(', b'h', at, b'h', at, b't', b'q', at + 1]).collect();
    refused(&[b"\x80\x02)q\x00".as_slice(), &doubled, b"."].concat());
    // No state dict, no pickle, no archive.
    refused(b"\x80\x02]q\x00.");
    refused(b"");
    refusal(b"PK\x03\x04 and no more", &Hints::default());
    refusal(b"", &Hints::default());
}

/// The tensors of a model under a prefix.
fn prefixed(prefix: &str, model: &Model) -> Tensors {
    tensors(model)
        .into_iter()
        .map(|(name, dtype, shape, bytes)| (format!("{prefix}{name}"), dtype, shape, bytes))
        .collect()
}

fn other(model: &Model) -> Model {
    let mut other = model.clone();
    other.params.values_mut().iter_mut().for_each(|weight| *weight += 1.0);
    other
}

#[test]
fn weights_at_the_top_level_go_before_a_nested_copy_which_is_listed() {
    let model = small(Normalization::LN);
    let mut all = tensors(&model);
    all.push(mask(5, |query, key| key <= query));
    all.extend(prefixed("ema.", &other(&model)));
    let loaded = read(&file(&all)).unwrap();
    assert_eq!(loaded.checkpoint.model, model);
    let names: Vec<String> = prefixed("ema.", &model).into_iter().map(|(name, ..)| name).collect();
    assert!(names.iter().all(|name| loaded.passed_over.contains(name)), "{:?}", loaded.passed_over);
    assert!(loaded.passed_over.contains(&"blocks.0.attn.mask".to_owned()));
}

#[test]
fn what_stands_outside_a_nested_state_dict_is_listed() {
    let model = small(Normalization::LN);
    let mut all = prefixed("state_dict.", &model);
    let (name, dtype, shape, cells) = mask(5, |query, key| key <= query);
    all.push((format!("state_dict.{name}"), dtype, shape, cells));
    all.push(("loss".into(), Dtype::F32, vec![1], 1.0_f32.to_le_bytes().to_vec()));
    let loaded = read(&file(&all)).unwrap();
    assert_eq!(loaded.checkpoint.model, model);
    assert_eq!(loaded.passed_over, ["loss", "blocks.0.attn.mask"]);
}

#[test]
fn of_two_nested_copies_none_is_chosen() {
    let model = small(Normalization::LN);
    let all = [prefixed("model.", &model), prefixed("ema.", &other(&model))].concat();
    let tensors = tensors(&model).len();
    let expected = format!(
        "the checkpoint holds several state dicts, ema ({tensors} tensors), model ({tensors} tensors): say which with key"
    );
    assert_eq!(refusal(&file(&all), &Hints::default()), expected);
}
