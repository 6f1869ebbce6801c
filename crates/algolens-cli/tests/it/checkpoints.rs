//! The commands of `docs/checkpoints.md` load their files, which give their authors' logits.

use algolens_testing::reference;
use assert_cmd::Command;
use ndarray::{Array2, ArrayD};
use ndarray_npy::{ReadNpyExt, WriteNpyExt};
use serde_json::Value;
use std::{fs, path::Path};

/// The largest share of the largest logit by which others may be off.
fn tolerance(file: &str) -> f64 {
    if file.starts_with("longest_cycle/") { 1e-4 } else { 3e-5 }
}

/// Files whose logits nobody gives: other tests hold them against figures.
const WITHOUT_LOGITS: [&str; 1] = ["sorted_list/sorted_list_model.pt"];

/// The commands of the documentation, without `algolens inspect`, and the layouts that it names.
fn commands() -> Vec<(Vec<String>, String)> {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/checkpoints.md")).unwrap();
    let commands = text.lines().filter_map(|line| line.strip_prefix("algolens inspect ")?.split_once("   # "));
    commands.map(|(command, layout)| (command.split(' ').map(str::to_owned).collect(), layout.to_owned())).collect()
}

/// Eight sequences and their logits: of the folder, or of the file where a folder has several.
fn expected(file: &str) -> Option<(Array2<i64>, Value)> {
    let (folder, name) = file.split_once('/').unwrap();
    let text = fs::read(reference(&format!("{folder}/expected.json")).unwrap()).unwrap();
    let all: Value = serde_json::from_slice(&text).unwrap();
    let of_file = all["models"].get(name).or(all.get("l_2_2_model")).unwrap_or(&all);
    let field = |key: &str| of_file.get(key).or(all.get(key)).cloned();
    let tokens: Vec<Vec<i64>> = serde_json::from_value(field("tokens")?).unwrap();
    let shape = (tokens.len(), tokens[0].len());
    Some((Array2::from_shape_vec(shape, tokens.concat()).unwrap(), field("logits")?))
}

fn flat(logits: &Value, to: &mut Vec<f64>) {
    match logits.as_array() {
        Some(inner) => inner.iter().for_each(|logits| flat(logits, to)),
        None => to.push(logits.as_f64().unwrap()),
    }
}

#[test]
fn every_documented_file_gives_its_authors_logits() {
    let Some(root) = reference("sorted_list/expected.json") else { return };
    let root = root.parent().unwrap().parent().unwrap();
    let here = tempfile::tempdir().unwrap();
    let (tokens_file, out) = (here.path().join("tokens.npy"), here.path().join("cache.npz"));
    let mut compared = 0;
    for (command, layout) in commands() {
        let (file, flags) = command.split_first().unwrap();
        let run = |verb: &str, more: &[&Path]| {
            let words = flags.iter().map(Path::new).chain(more.iter().copied());
            Command::cargo_bin("algolens").unwrap().arg(verb).arg(root.join(file)).args(words).output().unwrap()
        };
        let inspected = run("inspect", &[]);
        assert!(inspected.status.success(), "{file}: {}", String::from_utf8_lossy(&inspected.stderr));
        let printed = String::from_utf8(inspected.stdout).unwrap();
        assert!(printed.contains(&format!("\nlayout: {layout}\n")), "{file}: {printed}");
        let Some((tokens, logits)) = expected(file) else {
            assert!(WITHOUT_LOGITS.contains(&file.as_str()), "{file}");
            continue;
        };
        tokens.write_npy(fs::File::create(&tokens_file).unwrap()).unwrap();
        let [tokens_flag, out_flag] = ["--tokens", "--out"].map(Path::new);
        let cached = run("cache", &[tokens_flag, &tokens_file, out_flag, &out]);
        assert!(cached.status.success(), "{file}: {}", String::from_utf8_lossy(&cached.stderr));
        let mut npz = zip::ZipArchive::new(fs::File::open(&out).unwrap()).unwrap();
        let found = ArrayD::<f32>::read_npy(npz.by_name("logits.npy").unwrap()).unwrap();
        let mut expected = Vec::new();
        flat(&logits, &mut expected);
        assert_eq!(found.len(), expected.len(), "{file}");
        let largest = expected.iter().fold(0.0_f64, |most, x| most.max(x.abs()));
        let off = found.iter().zip(&expected).fold(0.0_f64, |most, (a, b)| most.max((f64::from(*a) - b).abs()));
        assert!(off <= tolerance(file) * largest, "{file}: off by {off} of {largest}");
        compared += 1;
    }
    assert_eq!(compared, 16);
}

#[test]
fn a_file_that_a_text_conversion_destroyed_is_refused() {
    let Some(file) = reference("whole_module/term.pt") else { return };
    let refused = Command::cargo_bin("algolens").unwrap().arg("inspect").arg(file).output().unwrap();
    let said = String::from_utf8_lossy(&refused.stderr);
    assert_eq!((refused.status.code(), said.lines().count()), (Some(2), 1), "{said}");
    assert!(said.contains("text"), "{said}");
}
