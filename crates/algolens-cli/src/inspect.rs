//! `algolens inspect`: the config and the tensors of a checkpoint.

use crate::{load::ModelArgs, output};
use algolens::{
    Result,
    model::checkpoint::{Loaded, Note, Source},
    task::{Registry, TaskOfModel, TaskSpec},
};
use serde::Serialize;

/// Print a checkpoint's config, every tensor's shape and norm, and what was inferred
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  algolens inspect models/sorted_list.safetensors\n  \
                        algolens inspect sorted_list_model.pt --json")]
pub struct Args {
    #[command(flatten)]
    model: ModelArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Inspected<'a> {
    config: &'a algolens::model::Config,
    task: Option<TaskSpec>,
    task_assumed: bool,
    parameters: usize,
    tensors: Vec<Tensor<'a>>,
    inferred: &'a [Note],
    passed_over: &'a [String],
    /// Where in the file the weights stand.
    key: &'a str,
}

#[derive(Serialize)]
struct Tensor<'a> {
    name: &'a str,
    shape: Vec<usize>,
    norm: f64,
}

/// Shows the config, the tensors, and what was inferred.
pub fn run(args: &Args, registry: &Registry) -> Result<String> {
    let Loaded { checkpoint, notes, passed_over, key } = args.model.open()?;
    let config = checkpoint.model.config();
    let norm = |array: ndarray::ArrayViewD<f32>| array.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
    let tensors: Vec<Tensor> = checkpoint
        .model
        .params
        .tensors()
        .map(|(name, array)| Tensor { name, shape: array.shape().to_vec(), norm: norm(array) })
        .collect();
    let parameters = checkpoint.model.params.layout().len();
    let task = registry.task_of(config, checkpoint.task.as_ref());
    let task_assumed = task.as_ref().is_ok_and(|found| found.assumed);
    if args.json {
        let task = task.as_ref().ok().map(|found| found.task.spec()).or(checkpoint.task.clone());
        return output::json(&Inspected {
            config,
            task,
            task_assumed,
            parameters,
            tensors,
            inferred: &notes,
            passed_over: &passed_over,
            key: &key,
        });
    }
    let mut text = String::from("config\n");
    // A file of ours states its whole config; of others each part is known in some way.
    let config = serde_json::to_value(config).unwrap_or_default();
    for (key, value) in config.as_object().into_iter().flatten().filter(|_| notes.is_empty()) {
        text += &format!("  {key:<WIDTH$} {}\n", plain(value));
    }
    for note in &notes {
        text += &format!("  {:<WIDTH$} {}{}\n", note.what, note.value, said_by(note));
    }
    let task = match (task, checkpoint.task) {
        (Ok(TaskOfModel { task, assumed: true }), _) => {
            format!("{}   (assumed: the file names none, and only this fits)", task.spec())
        }
        (Ok(TaskOfModel { task, .. }), _) => task.spec().to_string(),
        (Err(error), Some(_)) => error.to_string(),
        (Err(_), None) => "not named, and no one task fits".into(),
    };
    text += &format!("  {:<WIDTH$} {task}\n\n", "task");
    let rows = tensors.iter().map(|t| vec![t.name.to_owned(), format!("{:?}", t.shape), format!("{:.4}", t.norm)]);
    text += &output::table(&["tensor", "shape", "norm"], rows);
    text += &format!("\n{parameters} parameters\n");
    if !key.is_empty() {
        text += &format!("read from: {key}\n");
    }
    if !passed_over.is_empty() {
        text += &format!("passed over (no weights): {}\n", passed_over.join(", "));
    }
    Ok(text)
}

/// Of a key of the config.
const WIDTH: usize = 31;

/// JSON without its quotes.
fn plain(value: &serde_json::Value) -> String {
    value.to_string().replace('"', "").replace(',', ", ").replace(':', ": ")
}

fn said_by(note: &Note) -> &'static str {
    match note.source {
        Source::File => "   (read off the file)",
        Source::Config => "   (by the config file)",
        Source::Flag => "   (by flag)",
        Source::Assumed => "   (assumed: the file does not say)",
    }
}
