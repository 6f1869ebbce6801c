//! Files of programs that nobody knows: their layouts in TOML, the rest of their configs in flags, and what is assumed.

use algolens::model::checkpoint::{Checkpoint, Hints};
use algolens_testing::{npy, write_npz};
use assert_cmd::Command;
use ndarray::{ArrayD, ArrayViewD, Ix2, Ix3};
use std::{fs, path::Path, process::Output};
use tempfile::TempDir;
use zip::CompressionMethod;

const MODEL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../models/sorted_list.safetensors");

fn run(folder: &Path, arguments: &[&str]) -> Output {
    Command::cargo_bin("algolens").unwrap().current_dir(folder).args(arguments).output().unwrap()
}

fn printed(folder: &Path, arguments: &[&str]) -> String {
    let output = run(folder, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn refused(folder: &Path, arguments: &[&str]) -> String {
    let output = run(folder, arguments);
    assert_eq!(output.status.code(), Some(2), "{arguments:?}");
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(said.lines().count(), 1, "{said}");
    said
}

/// The model that comes with the repository as some program might have it: names of its own, matrices transposed, all heads in
/// one matrix.
fn foreign(path: &Path) {
    let model = Checkpoint::open(MODEL.as_ref(), &Hints::default()).unwrap().checkpoint.model;
    let transposed =
        |array: ArrayViewD<f32>| array.into_dimensionality::<Ix2>().unwrap().reversed_axes().to_owned().into_dyn();
    // [head, d_model, d_head] to [(head d_head), d_model], and [head, d_head, d_model] to [d_model, (head d_head)].
    let fused = |array: ArrayViewD<f32>, is_output: bool| {
        let order = if is_output { [2, 0, 1] } else { [0, 2, 1] };
        let array = array.into_dimensionality::<Ix3>().unwrap().permuted_axes(order).as_standard_layout().into_owned();
        let (a, b, c) = array.dim();
        array.into_shape_with_order(if is_output { (a, b * c) } else { (a * b, c) }).unwrap().into_dyn()
    };
    let arrays: Vec<(String, ArrayD<f32>)> = model
        .params
        .tensors()
        .map(|(name, array)| {
            let short = name.replace("blocks.", "stage.").replace("attn.", "mix/");
            let array = match name.rsplit('.').next().unwrap() {
                "W_E" | "W_U" => transposed(array),
                "W_Q" | "W_K" | "W_V" => fused(array, false),
                "W_O" => fused(array, true),
                _ => array.to_owned(),
            };
            (short.replace("W_", "w_"), array)
        })
        .collect();
    let arrays: Vec<(&str, Vec<u8>)> = arrays.iter().map(|(name, array)| (name.as_str(), npy(array.clone()))).collect();
    write_npz(path, &arrays, CompressionMethod::Stored);
}

/// What a user writes instead of the lines of the template that are to be filled in.
const FILLED: [(&str, &str, &str); 9] = [
    ("embed.w_E", "d_model d_vocab", "embed.W_E"),
    ("unembed.w_U", "d_vocab_out d_model", "unembed.W_U"),
    ("pos_embed.w_pos", "n_ctx d_model", "pos_embed.W_pos"),
    ("stage.{layer}.mix/w_Q", "(head d_head) d_model", "blocks.{layer}.attn.W_Q"),
    ("stage.{layer}.mix/w_K", "(head d_head) d_model", "blocks.{layer}.attn.W_K"),
    ("stage.{layer}.mix/w_V", "(head d_head) d_model", "blocks.{layer}.attn.W_V"),
    ("stage.{layer}.mix/w_O", "d_model (head d_head)", "blocks.{layer}.attn.W_O"),
    ("stage.{layer}.ln1.w", "d_model", "blocks.{layer}.ln1.w"),
    ("stage.{layer}.ln1.b", "d_model", "blocks.{layer}.ln1.b"),
];

#[test]
fn a_template_is_finished_by_hand_and_reads_the_file() {
    let folder = TempDir::new().unwrap();
    let here = folder.path();
    foreign(&here.join("foreign.npz"));
    // What can be said of it without a layout: its tensors, the nearest layout, and the way on.
    let output = run(here, &["inspect", "foreign.npz"]);
    let (listed, said) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!((output.status.code(), said.lines().count()), (Some(2), 1), "{said}");
    assert!(
        listed.contains("stage.0.mix/w_Q") && listed.contains("[96, 96]") && listed.contains("float32"),
        "{listed}"
    );
    assert!(listed.ends_with("nearest layout: TransformerLens\n"), "{listed}");
    assert!(
        said.contains("of the nearest, TransformerLens, embed.W_E") && said.contains("--layout-template"),
        "{said}"
    );

    let template = printed(here, &["inspect", "foreign.npz", "--layout-template"]);
    let biases = ["Q", "K", "V"].map(|of| (format!("b_{of}"), "head d_head")).into_iter();
    let biases = biases.chain([("b_O".to_owned(), "d_model")]);
    let biases: Vec<(String, &str, String)> = biases
        .map(|(name, axes)| (format!("stage.{{layer}}.mix/{name}"), axes, format!("blocks.{{layer}}.attn.{name}")))
        .collect();
    let mut filled = template.clone();
    let all = FILLED.iter().map(|(from, axes, to)| (*from, *axes, *to));
    for (from, axes, to) in all.chain(biases.iter().map(|(from, axes, to)| (from.as_str(), *axes, to.as_str()))) {
        let open = format!("from = \"{from}\"\naxes = \"\"\nto = []");
        assert!(filled.contains(&open), "{from}: {template}");
        filled = filled.replace(&open, &format!("from = \"{from}\"\naxes = \"{axes}\"\nto = [\"{to}\"]"));
    }
    assert!(!filled.contains("axes = \"\""), "{filled}");
    fs::write(here.join("mine.toml"), &filled).unwrap();
    let flags = ["--layout", "mine.toml", "--attention", "causal"];
    // The number of heads is in the shape of b_Q.
    let text = printed(here, &[&["inspect", "foreign.npz"][..], &flags].concat());
    assert!(text.contains("\nlayout: mine\n"), "{text}");
    let list = "0,40,41,42,43,44,45,46,47,48";
    let ours = printed(here, &["predict", MODEL, list]);
    assert_eq!(printed(here, &[&["predict", "foreign.npz", list][..], &flags].concat()), ours);

    // What is wrong with a layout file is said of its line, or of its rule.
    fs::write(here.join("half.toml"), &template).unwrap();
    let half = refused(here, &["inspect", MODEL, "--layout", "half.toml"]);
    assert!(half.starts_with("algolens: half.toml: ") && half.contains("expected axes, found none"), "{half}");
    fs::write(here.join("broken.toml"), "name = \"x\"\n\n[[weight]]\nfrom = 3\n").unwrap();
    let broken = refused(here, &["inspect", MODEL, "--layout", "broken.toml"]);
    assert!(broken.starts_with("algolens: broken.toml: layout, line 4: "), "{broken}");
    fs::write(here.join("key.toml"), "name = \"x\"\nfoo = 1\n").unwrap();
    let key = refused(here, &["inspect", MODEL, "--layout", "key.toml"]);
    assert!(key.starts_with("algolens: key.toml: layout, line 2: "), "{key}");
    let unknown = refused(here, &["inspect", "foreign.npz", "--layout", "nanoGTP"]);
    assert!(unknown.contains("no layout is called \"nanoGTP\"; near it: nanoGPT"), "{unknown}");
}

#[test]
fn set_says_any_part_and_is_held_against_the_rest() {
    let folder = TempDir::new().unwrap();
    let here = folder.path();
    fn inspect<'a>(more: &[&'a str]) -> Vec<&'a str> {
        [&["inspect", MODEL][..], more].concat()
    }
    assert!(printed(here, &inspect(&["--set", "n_heads=2", "--set", "act_fn=null"])).contains("n_heads"));
    let heads = refused(here, &inspect(&["--set", "n_heads=3"]));
    assert!(heads.ends_with("n_heads: expected the file's 2, found 3\n"), "{heads}");
    let typo = refused(here, &inspect(&["--set", "n_head=2"]));
    assert!(typo.contains("no part of a config is called \"n_head\"; near it: n_heads"), "{typo}");
    let form = refused(here, &inspect(&["--set", "n_heads"]));
    assert!(form.contains("--set: expected KEY=VALUE, found n_heads"), "{form}");
    let twice = refused(here, &inspect(&["--set", "n_heads=2", "--set", "n_heads=3"]));
    assert!(twice.contains("n_heads: expected 2 again, found 3"), "{twice}");
    let by_flag = refused(here, &inspect(&["--attention", "causal", "--set", "attention_dir=bidirectional"]));
    assert!(by_flag.contains("attention_dir: expected causal again, found bidirectional"), "{by_flag}");
    let kind = refused(here, &inspect(&["--set", "n_heads=two"]));
    assert!(kind.contains("n_heads: expected another value"), "{kind}");
    for nothing in ["attn_scale=0", "rotary_dim=0", "window_size=2"] {
        let said = refused(here, &inspect(&["--set", nothing]));
        assert!(said.contains("expected a value that says something"), "{said}");
    }
    let fraction = refused(here, &inspect(&["--set", "d_vocab=52.5"]));
    assert!(fraction.contains("d_vocab: expected another value"), "{fraction}");
}

#[test]
fn verbs_say_on_one_line_what_is_assumed() {
    let folder = TempDir::new().unwrap();
    let here = folder.path();
    let model = Checkpoint::open(MODEL.as_ref(), &Hints::default()).unwrap().checkpoint.model;
    let arrays: Vec<(String, Vec<u8>)> =
        model.params.tensors().map(|(name, array)| (name.to_owned(), npy(array.to_owned()))).collect();
    let arrays: Vec<(&str, Vec<u8>)> = arrays.iter().map(|(name, array)| (name.as_str(), array.clone())).collect();
    write_npz(&here.join("weights.npz"), &arrays, CompressionMethod::Stored);
    let flags = ["--attention", "causal", "--task", "sorted_list(list_len=10,max_value=50)"];
    let said = |verb: &[&str]| String::from_utf8(run(here, &[verb, &flags].concat()).stderr).unwrap();
    assert_eq!(said(&["inspect", "weights.npz"]), "");
    let expected = "algolens: weights.npz: assumed, as the file does not say: positional_embedding_type standard, eps 0.00001, \
                    attn_scale 6.928203230275509; no attn_windows, scale_attn_by_inverse_layer_idx, pad_token, \
                    attn_scores_soft_cap, output_logits_soft_cap\n";
    for verb in [&["eval", "weights.npz", "--size", "8"][..], &["circuits", "weights.npz"]] {
        assert_eq!(said(verb), expected);
    }
    let inspected = printed(here, &[&["inspect", "weights.npz"][..], &flags].concat());
    for line in [
        "attn_scale                      6.928203230275509   (assumed: the file does not say; --set attn_scale= changes it)",
        "attention_dir                   causal   (by flag)",
        "attn_scores_soft_cap            none   (assumed: the file does not say; --set attn_scores_soft_cap= changes it)",
    ] {
        assert!(inspected.contains(line), "{inspected}");
    }
    // Our own files say all.
    assert_eq!(String::from_utf8(run(here, &["circuits", MODEL]).stderr).unwrap(), "");
}
