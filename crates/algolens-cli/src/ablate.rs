//! `algolens ablate`: the loss without a part of the model.

use crate::{backend_flags::BackendFlags, data::DataArgs, lists, load::ModelArgs, output};
use algolens::{
    Error, Result,
    engine::hooks::{BlockPoint, HookPoint},
    interpret::{Ablated, Ablation, Head, Method, Part, Site, Subject, ablate},
    task::{Registry, Task},
};
use clap::ValueEnum;
use std::{error::Error as StdError, str::FromStr};

/// Replace parts of a model, all at once, and measure what the loss gains
///
/// Parts are replaced by their mean over the data (position by position), by zero, or by what they are on other lists
/// (those of the next seed).
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  algolens ablate models/sorted_list.safetensors --head 0.0\n  \
                        algolens ablate models/sorted_list.safetensors --head 0.0 --head 0.1 --method zero\n  \
                        algolens ablate models/sorted_list.safetensors --direct-path \
                        --list 0,5,10,15,20,25,26,27,40,45\n  \
                        algolens ablate models/sorted_list.safetensors --head 0.0@10 --head 0.1@18,19\n  \
                        algolens ablate models/sorted_list.safetensors --point blocks.0.attn.hook_pattern.1")]
pub struct Args {
    #[command(flatten)]
    model: ModelArgs,
    /// A head, as layer.head, or at some positions only, as layer.head@P,P,…; may be given several times
    #[arg(long, value_name = "L.H[@P,…]")]
    head: Vec<At<Head>>,
    /// The MLP of a block, or at some positions only; may be given several times
    #[arg(long, value_name = "L[@P,…]")]
    mlp: Vec<At<usize>>,
    /// Any activation, by its hook name, or one head's part of it, as NAME.H (blocks.0.attn.hook_z.1), or at some positions only
    /// (of scores and patterns: queries); may be given several times
    #[arg(long, value_name = "NAME[.H][@P,…]")]
    point: Vec<At<Site>>,
    /// The token embedding on its way straight to the unembedding
    #[arg(long)]
    direct_path: bool,
    /// The positional embedding
    #[arg(long)]
    pos_embed: bool,
    /// What parts are replaced by
    #[arg(long, value_enum, default_value_t = MethodArg::Mean)]
    method: MethodArg,
    /// Positions at which parts that name none are replaced, parted by commas [default: all]
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

/// A part, and the positions at which it is replaced if they are its own: `0.1@18,19`.
#[derive(Clone, Debug)]
struct At<T> {
    what: T,
    positions: Option<Vec<usize>>,
}

impl<T: FromStr<Err: StdError + Send + Sync + 'static>> FromStr for At<T> {
    type Err = Box<dyn StdError + Send + Sync>;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let Some((what, positions)) = text.split_once('@') else {
            return Ok(Self { what: text.parse()?, positions: None });
        };
        let position =
            |text: &str| text.parse().map_err(|_| Error::invalid("positions", "numbers parted by commas", positions));
        let positions = positions.split(',').map(position).collect::<Result<_>>()?;
        Ok(Self { what: what.parse()?, positions: Some(positions) })
    }
}

impl<T: Copy> At<T> {
    /// The part: `whole`, or what is at `site` at positions of its own.
    fn part(&self, whole: impl Fn(T) -> Part, site: impl Fn(T) -> Site) -> Part {
        match &self.positions {
            None => whole(self.what),
            Some(positions) => Part::Point { at: site(self.what), positions: Some(positions.clone()) },
        }
    }
}

impl Args {
    fn ablation(&self) -> Result<Ablation> {
        let mlp_out = |layer| HookPoint::Block(layer, BlockPoint::MlpOut).into();
        let mut parts: Vec<Part> = self.head.iter().map(|head| head.part(Part::Head, Site::from)).collect();
        parts.extend(self.mlp.iter().map(|layer| layer.part(Part::Mlp, mlp_out)));
        let whole = |at| Part::Point { at, positions: None };
        parts.extend(self.point.iter().map(|point| point.part(whole, |at| at)));
        parts.extend(self.direct_path.then_some(Part::DirectPath));
        parts.extend(self.pos_embed.then_some(Part::PosEmbed));
        if parts.is_empty() {
            let expected = "a part (--head, --mlp, --direct-path, --pos-embed, --point)";
            return Err(Error::invalid("ablation", expected, "none"));
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
    let mut text = format!("loss increase    {loss_increase:.3} nats, to {:.3}\n", evaluation.loss);
    text += &format!("token accuracy   {:.4}\n", evaluation.token_accuracy);
    text += &format!("example accuracy {:.4}\n", evaluation.list_accuracy);
    let Some(task) = task else { return text };
    for prediction in chosen {
        let verdict = if prediction.correct { "right" } else { "WRONG" };
        text += &format!("\n{}  {verdict}\n", output::input(task, &prediction.tokens));
        text += &output::prediction(prediction, &task.output_labels());
    }
    text
}
