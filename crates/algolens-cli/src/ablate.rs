//! `algolens ablate`: the loss without a part of the model.

use crate::{backend_flags::BackendFlags, data::DataArgs, lists, load::ModelArgs, output};
use algolens::{
    Error, Result,
    interpret::{Ablated, Ablation, Head, Method, Part, Subject, ablate},
    task::{Registry, Task},
};
use clap::ValueEnum;

/// Replace parts of a model, all at once, and measure what the loss gains
///
/// Parts are replaced by their mean over the data (position by position), by zero, or by what they are on other lists
/// (those of the next seed).
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  algolens ablate models/sorted_list.safetensors --head 0.0\n  \
                        algolens ablate models/sorted_list.safetensors --head 0.0 --head 0.1 --method zero\n  \
                        algolens ablate models/sorted_list.safetensors --direct-path \
                        --list 0,5,10,15,20,25,26,27,40,45")]
pub struct Args {
    #[command(flatten)]
    model: ModelArgs,
    /// A head, as layer.head; may be given several times
    #[arg(long, value_name = "L.H")]
    head: Vec<Head>,
    /// The token embedding on its way straight to the unembedding
    #[arg(long)]
    direct_path: bool,
    /// The positional embedding
    #[arg(long)]
    pos_embed: bool,
    /// What parts are replaced by
    #[arg(long, value_enum, default_value_t = MethodArg::Mean)]
    method: MethodArg,
    /// Positions at which they are replaced, parted by commas [default: all]
    #[arg(long, value_name = "P,P,…", value_delimiter = ',')]
    at: Option<Vec<usize>>,
    /// Keep the final norm's scale of the unablated run
    #[arg(long)]
    frozen_scale: bool,
    /// A list to follow: what becomes of its predictions; may be given several times
    #[arg(long, value_name = "LIST")]
    list: Vec<String>,
    #[command(flatten)]
    data: DataArgs,
    /// Use the weights as they are
    #[arg(long)]
    raw: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    backend: BackendFlags,
}

#[derive(Clone, Copy, ValueEnum)]
enum MethodArg {
    Mean,
    Zero,
    Resample,
}

impl Args {
    fn ablation(&self) -> Result<Ablation> {
        let mut parts: Vec<Part> = self.head.iter().copied().map(Part::Head).collect();
        parts.extend(self.direct_path.then_some(Part::DirectPath));
        parts.extend(self.pos_embed.then_some(Part::PosEmbed));
        if parts.is_empty() {
            return Err(Error::invalid("ablation", "a part (--head, --direct-path, --pos-embed)", "none"));
        }
        let method = match self.method {
            MethodArg::Mean => Method::Mean,
            MethodArg::Zero => Method::Zero,
            MethodArg::Resample => Method::Resample,
        };
        Ok(Ablation { parts, method, positions: self.at.clone(), frozen_scale: self.frozen_scale })
    }
}

/// Ablates, and shows the increase of the loss, the accuracy that is left, and the predictions on the chosen lists.
pub fn run(args: &Args, registry: &Registry) -> Result<String> {
    let opened = args.model.processed(!args.raw, registry)?;
    let engine = args.backend.engine(opened.model.config())?;
    let task = if args.list.is_empty() { None } else { Some(opened.task()?) };
    let chosen = task.as_deref().map(|task| lists::read(&args.list, task)).transpose()?;
    let data = args.data.read(&opened)?;
    let other = args.data.other(&data, &opened)?;
    if matches!(args.method, MethodArg::Resample) && data == other {
        return Err(Error::invalid("data to resample from", "examples that differ", "one example, or equal ones"));
    }
    let subject = Subject { model: &opened.model, engine: &*engine };
    let ablated = ablate(subject, &args.ablation()?, &data, &other, chosen.as_ref())?;
    if args.json { output::json_of(&opened, &ablated) } else { Ok(text(&ablated, task.as_deref())) }
}

fn text(ablated: &Ablated, task: Option<&dyn Task>) -> String {
    let Ablated { evaluation, loss_increase, chosen, .. } = ablated;
    let mut text = format!("loss increase  {loss_increase:.3} nats, to {:.3}\n", evaluation.loss);
    text += &format!("token accuracy {:.4}\n", evaluation.token_accuracy);
    text += &format!("list accuracy  {:.4}\n", evaluation.list_accuracy);
    let Some(task) = task else { return text };
    for prediction in chosen {
        let verdict = if prediction.correct { "right" } else { "WRONG" };
        text += &format!("\n{}  {verdict}\n", output::input(task, &prediction.tokens));
        text += &output::prediction(prediction, &task.output_labels());
    }
    text
}
