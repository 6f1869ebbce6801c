//! `algolens predict`: the predictions on lists that a user gives.

use crate::{backend_flags::BackendFlags, data, lists, load::ModelArgs, output};
use algolens::{
    Error, Result,
    interpret::{Prediction, Subject, greedy, predict},
    task::{Dataset, Registry, Task, Token},
};
use serde::Serialize;
use std::path::PathBuf;

/// Let a model answer lists or examples, and mark what it gets wrong
///
/// Each prediction is made from the right tokens before it. With --greedy the model also writes the sorted half
/// itself, from its own predictions. A list is right one way exactly if it is right the other way.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  \
                        algolens predict models/sorted_list.safetensors 0,40,41,42,43,44,45,46,47,48\n  \
                        algolens predict models/sorted_list.safetensors --greedy 5,30,32,34,36,38,40,42,44,46\n  \
                        cat lists.txt | algolens predict models/sorted_list.safetensors - --json")]
pub struct Args {
    #[command(flatten)]
    model: ModelArgs,
    /// Lists, their values parted by commas; - reads one from each line of the standard input
    #[arg(required_unless_present = "data", value_name = "LIST")]
    lists: Vec<String>,
    /// Your own data instead: NumPy's .npz (see `algolens help eval`)
    #[arg(long, value_name = "FILE", conflicts_with = "lists")]
    data: Option<PathBuf>,
    /// Also let the model write the sorted half itself
    #[arg(long, conflicts_with = "data")]
    greedy: bool,
    /// Process the weights first (the predictions are the same)
    #[arg(long)]
    processed: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    backend: BackendFlags,
}

#[derive(Serialize)]
struct Answer {
    #[serde(flatten)]
    prediction: Prediction,
    /// The sorted half as the model wrote it by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    greedy: Option<Vec<Token>>,
}

/// Predicts, and shows the predictions list by list and how many lists are right.
pub fn run(args: &Args, registry: &Registry) -> Result<String> {
    let opened = args.model.processed(args.processed, registry)?;
    let engine = args.backend.engine(opened.model.config())?;
    let task = if args.data.is_none() { Some(opened.task()?) } else { None };
    let data = match (&args.data, &task) {
        (Some(path), _) => data::read(path, &opened)?,
        (None, Some(task)) => lists::read(&args.lists, &**task)?,
        (None, None) => return Err(Error::invalid("lists", "at least one, or --data", "none")),
    };
    let subject = Subject { model: &opened.model, engine: &*engine };
    let written = match &task {
        Some(task) if args.greedy => Some(greedy(subject, &**task, &data)?),
        _ => None,
    };
    let answers: Vec<Answer> = predict(subject, &data)?
        .into_iter()
        .enumerate()
        .map(|(at, prediction)| Answer { prediction, greedy: written.as_ref().map(|w| w.row(at).to_vec()) })
        .collect();
    if args.json { output::json(&answers) } else { Ok(text(&answers, &data, task.as_deref())) }
}

fn text(answers: &[Answer], data: &Dataset, task: Option<&dyn Task>) -> String {
    let mut text = String::new();
    for (at, Answer { prediction, greedy }) in answers.iter().enumerate() {
        let verdict = match prediction.correct {
            _ if !prediction.is_scored() => "not scored",
            true => "right",
            false => "WRONG",
        };
        let input = task.map_or_else(|| data.labels(at).join(" "), |task| output::input(task, &prediction.tokens));
        text += &format!("{input}  {verdict}\n");
        text += &output::prediction(prediction, data.output_labels());
        if let Some(greedy) = greedy {
            let verdict = if prediction.expected == *greedy { "right" } else { "WRONG" };
            text += &format!("  written by itself: {}  {verdict}\n", output::spaced(greedy));
        }
    }
    let scored = answers.iter().filter(|answer| answer.prediction.is_scored());
    let right = scored.clone().filter(|answer| answer.prediction.correct).count();
    text += &format!("{right} of {} examples right", scored.count());
    if answers.iter().any(|answer| answer.greedy.is_some()) {
        let written = answers.iter().filter_map(|answer| Some((answer.greedy.as_ref()?, &answer.prediction)));
        let alone = written.filter(|(greedy, prediction)| prediction.expected == **greedy).count();
        text += &format!("; {alone} of {} when the model writes the sorted half itself", answers.len());
    }
    text + "\n"
}
