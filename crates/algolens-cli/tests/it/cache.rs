//! `algolens cache`: which activations, of which shapes and precision.

use assert_cmd::Command;
use ndarray::{ArrayD, arr2};
use ndarray_npy::{ReadNpyExt, WriteNpyExt};
use std::{fs, path::Path};
use tempfile::TempDir;
use zip::ZipArchive;

const MODEL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../models/sorted_list.safetensors");

/// The archive that the command writes.
fn cache(here: &Path, flags: &[&str]) -> ZipArchive<fs::File> {
    arr2(&[[3_i64, 1, 2, 51, 1, 2, 3], [9, 8, 7, 51, 7, 8, 9]])
        .write_npy(fs::File::create(here.join("tokens.npy")).unwrap())
        .unwrap();
    let output = Command::cargo_bin("algolens")
        .unwrap()
        .current_dir(here)
        .args(["cache", MODEL, "--tokens", "tokens.npy", "--out", "cache.npz"])
        .args(flags)
        .output()
        .unwrap();
    assert!(output.status.success(), "{flags:?}: {}", String::from_utf8_lossy(&output.stderr));
    ZipArchive::new(fs::File::open(here.join("cache.npz")).unwrap()).unwrap()
}

fn names(npz: &ZipArchive<fs::File>) -> Vec<String> {
    let mut names: Vec<String> =
        npz.file_names().map(|name| name.unwrap().trim_end_matches(".npy").to_owned()).collect();
    names.sort();
    names
}

fn array<A: ndarray_npy::ReadableElement>(npz: &mut ZipArchive<fs::File>, name: &str) -> ArrayD<A> {
    ArrayD::read_npy(npz.by_name(&format!("{name}.npy")).unwrap()).unwrap()
}

#[test]
fn split_inputs_give_the_norm_an_axis_of_heads_and_change_no_logit() {
    let folder = TempDir::new().unwrap();
    let mut shared = cache(folder.path(), &[]);
    let logits: ArrayD<f32> = array(&mut shared, "logits");
    let normalized: ArrayD<f32> = array(&mut shared, "blocks.0.ln1.hook_normalized");
    let flags = ["--use-split-qkv-input", "--use-attn-result", "--use-hook-mlp-in", "--use-hook-tokens"];
    let mut split = cache(folder.path(), &flags);
    assert!(names(&split).len() == names(&shared).len() + 1);
    let per_head: ArrayD<f32> = array(&mut split, "blocks.0.ln1.hook_normalized");
    assert_eq!((normalized.shape(), per_head.shape()), (&[2, 7, 96][..], &[2, 7, 2, 96][..]));
    assert_eq!(array::<f32>(&mut split, "blocks.0.ln1.hook_scale").shape(), [2, 7, 2, 1]);
    for head in 0..2 {
        assert_eq!(per_head.index_axis(ndarray::Axis(2), head), normalized);
    }
    assert_eq!(array::<f32>(&mut split, "blocks.0.attn.hook_result").shape(), [2, 7, 2, 96]);
    assert_eq!(array::<i64>(&mut split, "hook_tokens").as_slice().unwrap()[..4], [3, 1, 2, 51]);
    let again: ArrayD<f32> = array(&mut split, "logits");
    assert!(logits.iter().zip(&again).all(|(a, b)| (a - b).abs() < 1e-4));
}

#[test]
fn only_takes_parts_of_names_and_globs() {
    let folder = TempDir::new().unwrap();
    let only = |texts: &[&str]| {
        let flags: Vec<&str> = texts.iter().flat_map(|text| ["--only", text]).collect();
        names(&cache(folder.path(), &flags))
    };
    assert_eq!(only(&["hook_pattern"]), ["blocks.0.attn.hook_pattern", "logits"]);
    assert_eq!(
        only(&["blocks.*.attn.hook_?"]),
        ["blocks.0.attn.hook_k", "blocks.0.attn.hook_q", "blocks.0.attn.hook_v", "blocks.0.attn.hook_z", "logits"]
    );
    assert_eq!(
        only(&["*_embed", "ln_final.*"]),
        ["hook_embed", "hook_pos_embed", "ln_final.hook_normalized", "ln_final.hook_scale", "logits"]
    );
}

#[test]
fn double_precision_is_kept_where_it_is_asked_for() {
    let folder = TempDir::new().unwrap();
    let single: ArrayD<f32> = array(&mut cache(folder.path(), &[]), "logits");
    let double: ArrayD<f64> = array(&mut cache(folder.path(), &["--f64"]), "logits");
    let largest = double.iter().fold(0.0_f64, |most, x| most.max(x.abs()));
    let off = single.iter().zip(&double).fold(0.0_f64, |most, (a, b)| most.max((f64::from(*a) - b).abs()));
    assert!(off > 0.0 && off < 3e-6 * largest, "{off} of {largest}");
}
