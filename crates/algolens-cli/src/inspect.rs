//! `algolens inspect`: the config and the tensors of a checkpoint.

use crate::{as_transformerlens, layout_file, load::ModelArgs, output, refusal};
use algolens::{
    Error, Result, files,
    model::checkpoint::{Checkpoint, Chosen, Contents, Draft, Loaded, Note, Source},
    task::{Registry, TaskOfModel, TaskSpec},
};
use clap::ValueEnum;
use serde::Serialize;
use std::path::PathBuf;

/// Print a checkpoint's config, every tensor's shape and norm, and what was inferred
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  algolens inspect models/sorted_list.safetensors\n  \
                        algolens inspect sorted_list_model.pt --json\n  \
                        algolens inspect sorted_list_model.pt --save model.safetensors --as transformerlens")]
pub struct Args {
    #[command(flatten)]
    model: ModelArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Also write the model as safetensors of our own, which state its whole config
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
    /// Print instead the Python that makes the model in another library, from safetensors of our own
    #[arg(long = "as", value_name = "LIBRARY", value_enum, conflicts_with = "json")]
    library: Option<Library>,
    /// Print instead the start of a layout file, to be finished and read with --layout
    #[arg(long, conflicts_with_all = ["json", "save", "library"])]
    layout_template: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Library {
    /// TransformerLens 3.9
    #[value(name = "transformerlens")]
    TransformerLens,
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
    /// How the file names and shapes them.
    layout: &'a str,
}

#[derive(Serialize)]
struct Tensor<'a> {
    name: &'a str,
    shape: Vec<usize>,
    norm: f64,
}

/// Shows the config, the tensors, and what was inferred.
pub fn run(args: &Args, registry: &Registry) -> Result<String> {
    args.model.hints.said()?;
    if args.layout_template {
        return Ok(layout_file::template(&Draft::of(&chosen(args)?)));
    }
    let loaded = match args.model.open(registry) {
        Ok(loaded) => loaded,
        Err(error) => {
            // Where no tensors can be had either, the error says why.
            if let (false, Ok(chosen)) = (args.json, chosen(args)) {
                output::print(&tensors_alone(&chosen))
                    .map_err(|error| Error::invalid("standard output", "a place to write", error))?;
            }
            return Err(error);
        }
    };
    let python = args.library.map(|Library::TransformerLens| as_transformerlens(args, &loaded)).transpose()?;
    if let Some(path) = &args.save {
        loaded.checkpoint.save(path)?;
    }
    python.map_or_else(|| shown(&loaded, args.json, registry), Ok)
}

/// The Python that makes the model, which it reads from a file of our own.
fn as_transformerlens(args: &Args, loaded: &Loaded) -> Result<String> {
    let own = args.save.as_ref().or(loaded.notes.is_empty().then_some(&args.model.path));
    let path = own.ok_or_else(|| Error::invalid("--save", "a file to write, as MODEL is none of our own", "none"))?;
    as_transformerlens::call(loaded.checkpoint.model.config(), path)
}

/// The tensors of the file that would become weights; of a file of our own they always do.
fn chosen(args: &Args) -> Result<Chosen> {
    let path = &args.model.path;
    let chosen = files::read(path).and_then(|bytes| {
        let contents = Contents::from_bytes(bytes)?;
        match contents.is_own() {
            true => Err(Error::invalid("layout", "another than our own, which is always known", "our own")),
            false => contents.choose(args.model.hints.key()),
        }
    });
    chosen.map_err(|error| match error {
        error @ Error::File { .. } => error,
        error => Error::InFile { path: path.clone(), error: Box::new(error) },
    })
}

/// What can be said of tensors of which no model can be made.
fn tensors_alone(chosen: &Chosen) -> String {
    let rows = chosen
        .tensors
        .iter()
        .map(|(name, tensor)| vec![name.clone(), format!("{:?}", tensor.shape()), tensor.dtype().to_string()]);
    let nearest = Draft::of(chosen).nearest.unwrap_or_else(|| "none".into());
    format!("{}\nnearest layout: {nearest}\n", output::table(&["tensor", "shape", "type"], rows))
}

fn shown(loaded: &Loaded, json: bool, registry: &Registry) -> Result<String> {
    let Loaded { checkpoint: Checkpoint { model, task }, notes, passed_over, key, layout } = loaded;
    let config = model.config();
    let norm = |array: ndarray::ArrayViewD<f32>| array.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
    let tensors: Vec<Tensor> = model
        .params
        .tensors()
        .map(|(name, array)| Tensor { name, shape: array.shape().to_vec(), norm: norm(array) })
        .collect();
    let parameters = model.params.layout().len();
    let named = task.as_ref();
    let task = registry.task_of(config, named);
    let task_assumed = task.as_ref().is_ok_and(|found| found.assumed);
    if json {
        let task = task.as_ref().ok().map(|found| found.task.spec()).or(named.cloned());
        return output::json(&Inspected {
            config,
            task,
            task_assumed,
            parameters,
            tensors,
            inferred: notes,
            passed_over,
            key,
            layout,
        });
    }
    let mut text = String::from("config\n");
    // A file of ours states its whole config; of others each part is known in some way.
    let config = serde_json::to_value(config).unwrap_or_default();
    for (key, value) in config.as_object().into_iter().flatten().filter(|_| notes.is_empty()) {
        text += &format!("  {key:<WIDTH$} {}\n", plain(value));
    }
    for note in notes {
        text += &format!("  {:<WIDTH$} {}{}\n", note.what, note.value, said_by(note));
    }
    let task = match (task, named) {
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
    if !notes.is_empty() {
        text += &format!("layout: {layout}\n");
    }
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

/// How a part is known, and what would change it if the file does not say.
fn said_by(note: &Note) -> String {
    let changed_by = || refusal::flag(note.what).trim().to_owned();
    match note.source {
        Source::File => "   (read off the file)".into(),
        Source::Config => "   (by the config)".into(),
        Source::Flag => "   (by flag)".into(),
        Source::Layout => format!("   (as models of this layout have it; {} changes it)", changed_by()),
        Source::Task => format!("   (as models of the task have it; {} changes it)", changed_by()),
        Source::Assumed => format!("   (assumed: the file does not say; {} changes it)", changed_by()),
    }
}
