//! `algolens train` from outside: what it leaves on disk, how it goes on, what it refuses.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// A small task and model, of which an epoch takes some hundredths of a second.
#[rustfmt::skip]
const SMALL: [&str; 18] = [
    "--list-len", "4", "--max-value", "9", "--d-model", "16", "--d-head", "8",
    "--train-size", "2000", "--validation-size", "200", "--batch-size", "32", "--lr-start", "0.01", "--epochs", "6",
];

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn command(out: &Path, more: &[&str]) -> Command {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("algolens"));
    command.arg("train").arg("--out").arg(out).args(more);
    for usual in SMALL.chunks(2).filter(|usual| !more.contains(&usual[0])) {
        command.args(usual);
    }
    command
}

fn train(out: &Path, more: &[&str]) -> Output {
    command(out, more).output().unwrap()
}

fn code(output: &Output) -> Option<i32> {
    output.status.code()
}

fn said(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// The files of a folder, by name.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), fs::read(path).unwrap()))
        .collect();
    files.sort();
    files
}

/// Starts a training of many epochs and waits until some are saved.
fn under_way(out: &Path) -> Child {
    let child = command(out, &["--epochs", "60"]).stderr(Stdio::piped()).spawn().unwrap();
    let log = out.with_extension("log.jsonl");
    let began = Instant::now();
    while !fs::read_to_string(&log).is_ok_and(|log| log.lines().count() >= 2) {
        assert!(began.elapsed() < Duration::from_secs(60), "no epoch was saved in a minute");
        std::thread::sleep(Duration::from_millis(5));
    }
    child
}

#[test]
fn training_leaves_a_model_a_state_and_a_log_of_the_same_bytes_on_any_number_of_threads() {
    let (one, two) = (folder(), folder());
    for (folder, threads) in [(&one, "1"), (&two, "2")] {
        let output = train(&folder.path().join("m.safetensors"), &["--threads", threads]);
        assert_eq!(code(&output), Some(0), "{}", said(&output));
        assert_eq!(said(&output).lines().count(), 6);
        assert!(String::from_utf8_lossy(&output.stdout).contains("m.safetensors: the weights of epoch"));
    }
    let left = files(one.path());
    let names: Vec<&str> = left.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["m.log.jsonl", "m.safetensors", "m.safetensors.state"]);
    assert!(left == files(two.path()));
    let log = String::from_utf8(left[0].1.clone()).unwrap();
    let last: serde_json::Value = serde_json::from_str(log.lines().last().unwrap()).unwrap();
    assert_eq!((last["epoch"].as_u64(), last["steps"].as_u64()), (Some(6), Some(6 * 63)));
}

#[test]
fn a_finished_training_is_left_alone_and_a_lost_model_written_again() {
    let folder = folder();
    let out = folder.path().join("m.safetensors");
    assert!(train(&out, &["--resume", "--quiet"]).stderr.is_empty());
    let model = fs::read(&out).unwrap();
    let written = fs::metadata(&out).unwrap().modified().unwrap();
    let again = train(&out, &["--resume"]);
    assert_eq!((code(&again), said(&again).as_str()), (Some(0), ""));
    assert!(String::from_utf8_lossy(&again.stdout).contains("training is finished; nothing to do"));
    assert_eq!(fs::metadata(&out).unwrap().modified().unwrap(), written);
    fs::remove_file(&out).unwrap();
    assert_eq!(code(&train(&out, &["--resume"])), Some(0));
    assert_eq!(fs::read(&out).unwrap(), model);
}

#[cfg(unix)]
#[test]
fn an_interrupted_and_a_killed_training_go_on_to_the_same_bytes() {
    use std::os::unix::process::ExitStatusExt;
    let whole = folder();
    assert_eq!(code(&train(&whole.path().join("m.safetensors"), &["--epochs", "60"])), Some(0));
    for signal in ["INT", "TERM", "KILL"] {
        let folder = folder();
        let out = folder.path().join("m.safetensors");
        let child = under_way(&out);
        assert!(Command::new("kill").args(["-s", signal, &child.id().to_string()]).status().unwrap().success());
        let ended = child.wait_with_output().unwrap();
        if signal == "KILL" {
            assert_eq!(ended.status.signal(), Some(9));
        } else {
            assert_eq!(code(&ended), Some(130), "{}", said(&ended));
            assert!(said(&ended).contains("the same command with --resume goes on"), "{}", said(&ended));
        }
        assert!(!out.exists());
        let output = train(&out, &["--resume", "--epochs", "60"]);
        assert_eq!(code(&output), Some(0), "{}", said(&output));
        let left: Vec<_> = files(folder.path()).into_iter().filter(|(name, _)| !name.starts_with('.')).collect();
        assert!(left == files(whole.path()), "after SIG{signal}");
    }
}

/// Until a training ends, however that is, no other trains into its file.
#[test]
fn two_trainings_into_one_file_are_refused() {
    let folder = folder();
    let out = folder.path().join("model.safetensors");
    let mut first = under_way(&out);
    let refused = |output: Output| {
        assert_eq!(code(&output), Some(2), "{}", said(&output));
        let expected = format!("algolens: {}: another process is at work on it\n", out.display());
        assert_eq!(said(&output), expected);
    };
    refused(train(&out, &[]));
    refused(train(&out, &["--resume", "--epochs", "60"]));
    let mut study = Command::new(assert_cmd::cargo::cargo_bin!("algolens"));
    refused(study.args(["study", "--quiet", "--out"]).arg(folder.path()).args(SMALL).output().unwrap());
    assert!(first.try_wait().unwrap().is_none(), "the first training ended too early to tell");
    // A crash leaves its lock to nobody.
    first.kill().unwrap();
    first.wait().unwrap();
    assert_eq!(code(&train(&out, &["--resume", "--epochs", "60"])), Some(0));
    assert!(!folder.path().join("model.safetensors.lock").exists());
    let undisturbed = folder.path().join("other.safetensors");
    assert_eq!(code(&train(&undisturbed, &["--epochs", "60"])), Some(0));
    assert_eq!(fs::read(&out).unwrap(), fs::read(&undisturbed).unwrap());
    assert_eq!(code(&train(&out, &["--epochs", "1"])), Some(0));
}

#[test]
fn checkpoints_are_saved_and_never_mixed_with_another_run_s() {
    let folder = folder();
    let out = folder.path().join("m.safetensors");
    let flags = ["--epochs", "1", "--checkpoint-every", "30"];
    assert_eq!(code(&train(&out, &flags)), Some(0));
    let left = files(&folder.path().join("m.checkpoints"));
    let names: Vec<&str> = left.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["step-0000000.safetensors", "step-0000030.safetensors", "step-0000060.safetensors"]);
    let again = train(&out, &flags);
    assert_eq!(code(&again), Some(2));
    assert!(said(&again).contains("expected an empty folder for this run's checkpoints"), "{}", said(&again));
}

#[test]
fn flags_go_before_the_file_and_the_file_before_the_post_s_recipe() {
    let folder = folder();
    let (out, recipe) = (folder.path().join("m.safetensors"), folder.path().join("recipe.toml"));
    fs::write(&recipe, "epochs = 2\nseed = 5\n[model]\nn_heads = 1\n").unwrap();
    let output = train(&out, &["--config", recipe.to_str().unwrap(), "--epochs", "1", "--d-mlp", "8"]);
    assert_eq!(code(&output), Some(0), "{}", said(&output));
    let state = fs::read(folder.path().join("m.safetensors.state")).unwrap();
    let run = algolens::train::Run::from_bytes(&state, &algolens::task::Registry::default()).unwrap();
    let recipe = run.recipe();
    assert_eq!((recipe.epochs, recipe.seed, recipe.model.n_heads, recipe.model.d_head), (1, 5, 1, 8));
    assert_eq!(recipe.model.mlp.unwrap().act_fn, algolens::model::ActFn::Relu);
}

#[test]
fn models_of_several_seeds_are_those_of_each_alone_also_after_an_interrupt() {
    let (many, alone) = (folder(), folder());
    let out = many.path().join("m-{seed}.safetensors");
    let seeds = ["--seeds", "3..6"];
    let child = command(&out, &[&seeds[..], &["--epochs", "60", "--threads", "2"]].concat())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let log = many.path().join("m-3.log.jsonl");
    while !fs::read_to_string(&log).is_ok_and(|log| log.lines().count() >= 2) {
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(Command::new("kill").args(["-s", "INT", &child.id().to_string()]).status().unwrap().success());
    let interrupted = child.wait_with_output().unwrap();
    assert_eq!(code(&interrupted), Some(130), "{}", said(&interrupted));
    assert!(said(&interrupted).contains("of 3 models are trained; the same command with --resume goes on"));
    let resumed = train(&out, &[&seeds[..], &["--epochs", "60", "--threads", "2", "--resume"]].concat());
    assert_eq!(code(&resumed), Some(0), "{}", said(&resumed));
    assert_eq!(String::from_utf8_lossy(&resumed.stdout).lines().count(), 3);
    for seed in ["3", "4", "5"] {
        let one = alone.path().join(format!("m-{seed}.safetensors"));
        assert_eq!(code(&train(&one, &["--seed", seed, "--epochs", "60"])), Some(0));
    }
    assert!(files(many.path()) == files(alone.path()));
}

#[test]
fn a_seed_that_fails_leaves_the_others_and_is_named() {
    let folder = folder();
    let out = folder.path().join("m-{seed}.safetensors");
    for seed in [1, 3] {
        fs::create_dir(folder.path().join(format!("m-{seed}.safetensors"))).unwrap();
    }
    let output = train(&out, &["--seeds", "0..4", "--epochs", "2", "--quiet"]);
    assert_eq!((code(&output), said(&output).lines().count()), (Some(2), 2), "{}", said(&output));
    for seed in [1, 3] {
        assert!(said(&output).contains(&format!("m-{seed}.safetensors: --out: expected a file")), "{}", said(&output));
    }
    assert!(["m-0.safetensors", "m-2.safetensors"].iter().all(|name| folder.path().join(name).is_file()));
}

/// What is refused is said on one line, with exit code 2, and leaves nothing behind.
#[test]
fn bad_input_is_refused_on_one_line() {
    let folder = folder();
    let out = folder.path().join("m.safetensors");
    let recipe = folder.path().join("recipe.toml");
    fs::write(&recipe, "epochs = 2\nepoch = 3\n").unwrap();
    let before = files(folder.path());
    let missing: PathBuf = folder.path().join("none").join("m.safetensors");
    let recipe = recipe.to_str().unwrap();
    let seeds = folder.path().join("m-{seed}.safetensors");
    let cases: [(&Path, &[&str], &str); 13] = [
        (&out, &["--epochs", "0"], "epochs: expected 1 or more, found 0"),
        (&out, &["--lr-start", "nan"], "lr_start: expected a number of 0 or more, found NaN"),
        (&out, &["--train-size", "99999999999"], "train_size: expected at most"),
        (&out, &["--list-len", "20"], "list_len: expected 1 to 10 distinct values"),
        (&out, &["--act-fn", "gelu"], "--act-fn: expected an MLP (--d-mlp N), found none"),
        (&out, &["--config", recipe], "recipe.toml: line 2: expected a training recipe in TOML, found unknown field"),
        (&out, &["--config", "no-such.toml"], "no-such.toml: No such file"),
        (&missing, &[], "there is no folder"),
        (folder.path(), &[], "--out: expected a file"),
        (&out, &["--seeds", "0..2"], "--out: expected a file with {seed} in its name"),
        (&seeds, &["--seeds", "2..2"], "--seeds: expected A..B with A < B, at most 100000 seeds, found 2..2"),
        (&seeds, &["--seeds", "0..2", "--epochs", "0"], "epochs: expected 1 or more, found 0"),
        (&missing.with_file_name("m-{seed}"), &["--seeds", "0..1"], "there is no folder"),
    ];
    for (out, flags, expected) in cases {
        let output = train(out, flags);
        assert_eq!(code(&output), Some(2), "{flags:?}");
        assert!(said(&output).contains(expected), "{}", said(&output));
        assert_eq!(said(&output).lines().count(), 1, "{}", said(&output));
        assert!(files(folder.path()) == before, "{flags:?}");
    }
}

#[test]
fn another_recipe_or_a_damaged_state_is_not_resumed() {
    let folder = folder();
    let out = folder.path().join("m.safetensors");
    let state = folder.path().join("m.safetensors.state");
    assert_eq!(code(&train(&out, &[])), Some(0));
    let other = train(&out, &["--resume", "--seed", "9"]);
    assert_eq!(code(&other), Some(2));
    assert!(said(&other).contains("m.safetensors.state: seed: expected 0, as the run began with, found 9"));
    let whole = fs::read(&state).unwrap();
    fs::write(&state, &whole[..whole.len() / 2]).unwrap();
    let damaged = train(&out, &["--resume"]);
    assert_eq!((code(&damaged), said(&damaged).lines().count()), (Some(2), 1));
    assert!(said(&damaged).contains("m.safetensors.state: training state: expected the whole of what"));
}
