//! The command line as another program has it.

use algolens::{
    interpret::Casebooks,
    model::checkpoint::{Checkpoint, Hints},
    task::Registry,
};
use assert_cmd::Command;
use std::{ffi::OsString, process::ExitCode};

const MODEL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../models/sorted_list.safetensors");
const LIST: &str = "0,5,10,15,20,25,26,27,40,45";

#[test]
fn a_program_takes_models_for_tasks_that_it_knows() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("no-task.safetensors");
    let model = Checkpoint::open(MODEL.as_ref(), &Hints::default()).unwrap().checkpoint.model;
    Checkpoint { model, task: None }.save(&path).unwrap();
    let predict = ["predict", path.to_str().unwrap(), LIST];
    assert!(Command::cargo_bin("algolens").unwrap().args(predict).output().unwrap().status.success());
    let words = ["other"].into_iter().chain(predict).map(OsString::from);
    let code = algolens_cli::run(&Registry::empty(), &Casebooks::default(), words);
    assert_eq!(format!("{code:?}"), format!("{:?}", ExitCode::from(2)));
}
