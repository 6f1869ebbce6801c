//! What the verbs print, on the model that comes with the repository.

use assert_cmd::Command;
use serde_json::Value;

const MODEL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../models/sorted_list.safetensors");
const TRIPLE: &str = "0,5,10,15,20,25,26,27,40,45";

/// The standard output of a command that succeeds and says nothing else.
fn algolens(arguments: &[&str]) -> String {
    let output = Command::cargo_bin("algolens").unwrap().args(arguments).output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && error.is_empty(), "{arguments:?}: {error}");
    String::from_utf8(output.stdout).unwrap()
}

fn json(arguments: &[&str]) -> Value {
    serde_json::from_str(&algolens(arguments)).unwrap()
}

#[test]
fn dataset_prints_the_row_of_the_post() {
    let row = ["dataset", "--list-len", "5", "--max-value", "10", "--seed", "42", "--size", "1"];
    insta::assert_snapshot!(algolens(&row), @r"
    [9, 6, 2, 4, 5, 11, 2, 4, 5, 6, 9]
    9 6 2 4 5 SEP 2 4 5 6 9
    ");
    let both = json(&[&row[..], &["--json"]].concat());
    assert_eq!(both["tokens"][0][5], 11);
    assert_eq!(both["str_toks"][0][5], "SEP");
}

#[test]
fn help_names_every_verb() {
    insta::assert_snapshot!(algolens(&["--help"]));
}

#[test]
fn inspect_prints_config_and_tensors() {
    insta::assert_snapshot!(algolens(&["inspect", MODEL]));
}

#[test]
fn inspect_saves_the_model_for_other_libraries() {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy.safetensors");
    let python = algolens(&["inspect", MODEL, "--save", copy.to_str().unwrap(), "--as", "transformerlens"]);
    assert!(python.contains(&format!("\nweights = load_file({copy:?})\n")), "{python}");
    assert_eq!(std::fs::read(copy).unwrap(), std::fs::read(MODEL).unwrap());
}

#[test]
fn predict_marks_what_is_wrong() {
    let lists = ["0,40,41,42,43,44,45,46,47,48", "9 8 7 6 5 4 3 2 1 0"];
    insta::assert_snapshot!(algolens(&["predict", MODEL, lists[0], lists[1], "--greedy"]));
    let answers = json(&["predict", MODEL, lists[0], lists[1], "--json"]);
    assert_eq!(answers[0]["right"], false);
    assert_eq!(answers[1]["right"], true);
    assert_eq!(answers[1]["predicted"], serde_json::json!([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]));
}

#[test]
fn predict_reads_lists_from_the_standard_input() {
    let mut command = Command::cargo_bin("algolens").unwrap();
    let output =
        command.args(["predict", MODEL, "-", "--json"]).write_stdin("9,8,7,6,5,4,3,2,1,0\n\n").output().unwrap();
    let answers: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answers.as_array().unwrap().len(), 1);
}

#[test]
fn eval_and_ablate_agree_with_the_study() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("study");
    let said = algolens(&["study", MODEL, "--quiet", "--out", out.to_str().unwrap()]);
    assert!(said.ends_with(&format!("the report is\n{}\n", out.join("report.html").display())), "{said}");
    let results: Value = serde_json::from_slice(&std::fs::read(out.join("results.json")).unwrap()).unwrap();
    for key in ["schema", "version", "seed", "engine", "triples", "adversarial"] {
        assert!(!results[key].is_null(), "{key}");
    }
    assert_eq!(results["engine"], "circuit");
    assert!(said.contains("the circuit backend"), "{said}");
    let close = |found: &Value, expected: &Value| {
        let [found, expected] = [found, expected].map(|x| x.as_f64().unwrap());
        assert!((found - expected).abs() < 1e-5, "{found} is not {expected}");
    };
    let raw = json(&["eval", MODEL, "--json"]);
    let processed = json(&["eval", MODEL, "--json", "--processed"]);
    for key in ["loss", "mean_prob", "median_prob", "min_prob", "token_accuracy", "list_accuracy"] {
        close(&raw[key], &results["evaluation"][key]);
        close(&processed[key], &results["evaluation"][key]);
    }
    for (method, table) in [("mean", "mean"), ("zero", "zero"), ("resample", "resample")] {
        let ablated = json(&["ablate", MODEL, "--head", "0.1", "--method", method, "--json"]);
        close(&ablated["loss_increase"], &results["ablation"][table]["0.1"]);
    }
    assert!(out.join("report.html").exists());
}

/// Head 1 writes what is predicted at positions 10 to 19 only, and its pattern decides what.
#[test]
fn ablate_takes_positions_of_single_heads_and_hook_points() {
    let cost = |flags: &[&str]| {
        let ablated = json(&[&["ablate", MODEL, "--size", "50", "--method", "zero", "--json"], flags].concat());
        ablated["loss_increase"].as_f64().unwrap()
    };
    let whole = cost(&["--head", "0.1"]);
    assert_eq!(cost(&["--head", "0.1@10,11,12,13,14,15,16,17,18,19"]), whole);
    assert_eq!(cost(&["--head", "0.1", "--at", "10,11,12,13,14,15,16,17,18,19"]), whole);
    assert_eq!(cost(&["--point", "blocks.0.attn.hook_result.1"]), whole);
    assert!(cost(&["--head", "0.1@0,20"]).abs() < 1e-6);
    // A pattern of zeros attends to nothing: what is left of the head is in b_O.
    assert!((cost(&["--point", "blocks.0.attn.hook_pattern.1"]) - whole).abs() < 1e-5);
    let [first, rest] = [&["--head", "0.1@10"][..], &["--point", "blocks.0.attn.hook_pattern.1@10"]].map(cost);
    assert!((first - rest).abs() < 1e-5 && first > 0.0 && first < whole, "{first}, {rest} and {whole}");
}

#[test]
fn ablate_takes_mlps() {
    use algolens::{
        model::{ActFn, Config, Mlp, Model, checkpoint::Checkpoint},
        task::{SortedList, Task},
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let task = SortedList::new(10, 50).unwrap();
    let config = Config { mlp: Some(Mlp { d_mlp: 16, act_fn: ActFn::Relu, gated: false }), ..Config::default() };
    let model = Model::init(config, 1).unwrap();
    Checkpoint { model, task: Some(task.spec()) }.save(&path).unwrap();
    let path = path.to_str().unwrap();
    let cost = |flags: &[&str]| json(&[&["ablate", path, "--size", "50", "--json"], flags].concat());
    let mlp = cost(&["--mlp", "0"]);
    assert_eq!(mlp["ablation"]["parts"], serde_json::json!([{ "mlp": 0 }]));
    let point = cost(&["--point", "blocks.0.hook_mlp_out"]);
    assert_eq!(point["loss_increase"], mlp["loss_increase"]);
    assert_ne!(cost(&["--mlp", "0@10,11"])["loss_increase"], mlp["loss_increase"]);
}

#[test]
fn a_report_writes_a_picture_and_a_table_of_every_figure() {
    let folder = tempfile::tempdir().unwrap();
    let (page, figures) = (folder.path().join("page.html"), folder.path().join("new/figures"));
    let files = ["--out", page.to_str().unwrap(), "--figures", figures.to_str().unwrap()];
    let said = algolens(&[&["report", MODEL, "--quiet", "--study-size", "50"], &files[..]].concat());
    assert_eq!(said, format!("{}\n{}\n", page.display(), figures.display()));
    let page = std::fs::read_to_string(page).unwrap();
    let shown = page.split("<figure ").skip(1).filter_map(|rest| rest.split_once("id=\"fig-")?.1.split('"').next());
    let mut expected: Vec<String> = shown.flat_map(|name| [format!("{name}.csv"), format!("{name}.svg")]).collect();
    expected.sort();
    let mut written: Vec<String> =
        std::fs::read_dir(&figures).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    written.sort();
    assert!(written.len() > 40 && written == expected, "{written:?} {expected:?}");
    let ov = std::fs::read_to_string(figures.join("ov-0.csv")).unwrap();
    assert_eq!((ov.lines().count(), ov.lines().next().unwrap().split(',').count()), (53, 53));
}

#[test]
fn circuits_and_cache_write_arrays_for_numpy() {
    use ndarray::{Array3, Array4, ArrayD, Axis, array};
    use ndarray_npy::{ReadNpyExt, WriteNpyExt};
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let circuits = path("circuits.npz");
    algolens(&["circuits", MODEL, "--out", circuits.to_str().unwrap()]);
    let open = |path: &std::path::Path| zip::ZipArchive::new(std::fs::File::open(path).unwrap()).unwrap();
    let ov = Array3::<f32>::read_npy(open(&circuits).by_name("W_OV_full.npy").unwrap()).unwrap();
    assert_eq!(ov.dim(), (2, 52, 52));
    algolens(&["circuits", MODEL, "--show-tokens", "SEP,7..9", "--out", circuits.to_str().unwrap()]);
    let part = Array3::<f32>::read_npy(open(&circuits).by_name("W_OV_full.npy").unwrap()).unwrap();
    let rows = [51, 7, 8, 9];
    assert_eq!(part, ov.select(Axis(1), &rows).select(Axis(2), &rows));
    let shown = ArrayD::<i64>::read_npy(open(&circuits).by_name("shown_tokens.npy").unwrap()).unwrap();
    assert_eq!(shown.into_raw_vec_and_offset().0, [51, 7, 8, 9]);
    let tokens = path("tokens.npy");
    let rows = array![[3_i64, 1, 2, 51, 1], [9, 8, 7, 51, 7]];
    rows.write_npy(std::fs::File::create(&tokens).unwrap()).unwrap();
    let cache = path("cache.npz");
    algolens(&["cache", MODEL, "--tokens", tokens.to_str().unwrap(), "--out", cache.to_str().unwrap()]);
    let mut npz = open(&cache);
    let logits = Array3::<f32>::read_npy(npz.by_name("logits.npy").unwrap()).unwrap();
    assert_eq!(logits.dim(), (2, 5, 52));
    let pattern = Array4::<f32>::read_npy(npz.by_name("blocks.0.attn.hook_pattern.npy").unwrap()).unwrap();
    assert_eq!(pattern.dim(), (2, 2, 5, 5));
    let scale = ArrayD::<f32>::read_npy(npz.by_name("ln_final.hook_scale.npy").unwrap()).unwrap();
    assert_eq!(scale.shape(), [2, 5, 1]);
}

#[test]
fn attribute_splits_a_logit_by_component_and_by_source() {
    let text = algolens(&["attribute", MODEL, TRIPLE, "--after", "25"]);
    let columns = |line: &str| -> Vec<f64> { line.split_whitespace().filter_map(|cell| cell.parse().ok()).collect() };
    let rows: Vec<Vec<f64>> =
        text.lines().skip(1).map(|line| columns(line).into_iter().rev().take(4).collect()).collect();
    let (logits, parts) = rows.split_last().unwrap();
    for (column, logit) in logits.iter().enumerate() {
        let sum: f64 = parts.iter().map(|row| row[column]).sum();
        assert!((sum - logit).abs() < 0.05, "{sum} is not {logit}");
    }
    let sources = algolens(&["attribute", MODEL, TRIPLE, "--after", "25", "--sources", "0.1"]);
    assert!(sources.lines().any(|line| line.trim_start().starts_with("26 (6)")), "{sources}");
}

#[test]
fn scores_and_qk_rank_sources() {
    let all = json(&["scores", MODEL, TRIPLE, "--json"]);
    assert_eq!(all["query_terms"], serde_json::json!(["token", "position", "bias"]));
    let drawn = json(&["qk", MODEL, "--dest", "25", "--json"]);
    assert_eq!(drawn.as_array().unwrap().len(), 2);
    assert_eq!(drawn[0]["scores"].as_array().unwrap().len(), 52);
    let effective = algolens(&["qk", MODEL, "--dest", "25", "--effective", "--top", "1"]);
    assert_eq!(effective.lines().count(), 3);
    assert!(algolens(&["qk", MODEL, "--dest", "SEP"]).contains("0.0: SEP attends to "));
}

#[test]
fn attention_tells_who_serves_what() {
    let attention = json(&["attention", MODEL, "--json"]);
    assert!(attention["sep_to_smallest"].as_f64().unwrap() > 0.95);
    assert_eq!(attention["serving"]["copied"], 1.0);
}

#[test]
fn completions_name_the_verbs() {
    for shell in ["bash", "zsh", "fish"] {
        assert!(algolens(&["completions", shell]).contains("ablate"));
    }
}

#[test]
fn answers_do_not_depend_on_threads() {
    let one = algolens(&["eval", MODEL, "--json", "--threads", "1"]);
    assert_eq!(one, algolens(&["eval", MODEL, "--json", "--threads", "3"]));
}
