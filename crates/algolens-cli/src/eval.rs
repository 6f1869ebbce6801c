//! `algolens eval`: the loss and accuracy of a model.

mod all;
mod counted;
mod rate;

use crate::{
    backend_flags::BackendFlags,
    data::{self, DataArgs},
    hint_flags::HintArgs,
    load::Opened,
    output, pattern,
    terminal::Terminal,
};
use algolens::{
    Error, Result,
    evaluation::{Evaluation, evaluate},
    interpret::Subject,
    task::Registry,
};
use rate::By;
use std::path::PathBuf;

/// Evaluate a model on random examples, your own data or all inputs there are: loss, probabilities, accuracy
#[derive(clap::Args)]
#[command(after_help = format!("Examples:\n  algolens eval models/sorted_list.safetensors\n  \
                        algolens eval models/sorted_list.safetensors --size 20000 --seed 1 --json\n  \
                        algolens eval model.pt --data data.npz\n  \
                        algolens eval model.pt --all\n  \
                        algolens eval model.pt --all --part 2/3 --out part-2.json\n  \
                        algolens eval --merge part-1.json part-2.json part-3.json\n\n{}", data::FILES))]
pub struct Args {
    /// The model: safetensors, PyTorch (.pt, .pth, .pkl), .npz or JSON
    #[arg(value_name = "MODEL", required_unless_present = "merge")]
    path: Option<PathBuf>,
    #[command(flatten)]
    hints: HintArgs,
    #[command(flatten)]
    data: DataArgs,
    #[command(flatten)]
    all: all::AllFlags,
    /// Process the weights first (the predictions are the same)
    #[arg(long)]
    processed: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    backend: BackendFlags,
}

/// Evaluates the model, and shows the figures and a first example's attention.
pub fn run(args: &Args, registry: &Registry, terminal: &Terminal) -> Result<String> {
    if let Some(parts) = args.all.parts() {
        return counted::merge(parts, args.json, registry);
    }
    let path = args.path.as_ref().ok_or_else(|| Error::invalid("MODEL", "a model's file", "none"))?;
    let opened = Opened::read(path, &args.hints.said()?, registry)?.processed(args.processed);
    let config = opened.model.config();
    let engine = args.backend.engine(config)?;
    if args.all.is_asked() {
        let by = By { engine: &*engine, backend: args.backend.backend(config)?, vectors: args.backend.vectors()? };
        return all::run(&args.all, args.json, &opened, &by, terminal);
    }
    let lists = args.data.read(&opened)?;
    let subject = Subject { model: &opened.model, engine: &*engine };
    let evaluation = evaluate(subject.engine, subject.model, &lists)?;
    if args.json {
        return output::json_of(&opened, &evaluation);
    }
    Ok(table(&evaluation) + "\n" + &pattern::draw_first(subject, &lists, terminal.colour)?)
}

/// The evaluation as the post prints it, and its accuracies.
pub fn table(evaluation: &Evaluation) -> String {
    let row = |name: &str, value: f64, digits: usize| vec![name.to_owned(), format!("{value:.digits$}")];
    output::table(
        &[&format!("on {} examples", evaluation.size), ""],
        [
            row("loss (nats)", evaluation.loss, 3),
            row("mean probability on the right answer", evaluation.mean_prob, 3),
            row("median probability on the right answer", evaluation.median_prob, 3),
            row("min probability on the right answer", evaluation.min_prob, 3),
            row("token accuracy", evaluation.token_accuracy, 4),
            row("example accuracy", evaluation.list_accuracy, 4),
        ],
    )
}
