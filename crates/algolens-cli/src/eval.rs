//! `algolens eval`: the loss and accuracy of a model.

use crate::{
    backend_flags::BackendFlags,
    data::{self, DataArgs},
    load::ModelArgs,
    output, pattern,
    terminal::Terminal,
};
use algolens::{
    Result,
    evaluation::{Evaluation, evaluate},
    interpret::Subject,
    task::Registry,
};

/// Evaluate a model on random lists or your own data: loss, probabilities, accuracy
#[derive(clap::Args)]
#[command(after_help = format!("Examples:\n  algolens eval models/sorted_list.safetensors\n  \
                        algolens eval models/sorted_list.safetensors --size 20000 --seed 1 --json\n  \
                        algolens eval model.pt --data data.npz\n\n{}", data::FILES))]
pub struct Args {
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    data: DataArgs,
    /// Process the weights first (the predictions are the same)
    #[arg(long)]
    processed: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    backend: BackendFlags,
}

/// Evaluates the model, and shows the figures and a first list's attention.
pub fn run(args: &Args, registry: &Registry, terminal: &Terminal) -> Result<String> {
    let opened = args.model.processed(args.processed, registry)?;
    let engine = args.backend.engine(opened.model.config())?;
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
            row("list accuracy", evaluation.list_accuracy, 4),
        ],
    )
}
