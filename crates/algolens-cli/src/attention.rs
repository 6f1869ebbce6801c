//! `algolens attention`: what heads attend to, and how often to what they should.

use crate::{data::DataArgs, load::ModelArgs, output};
use algolens::{
    Result,
    engine::Plain,
    interpret::{
        CopyHeads, HeadAttention, Shown, Subject, circuits, copy_heads, head_attention,
        tasks::sorted_list::{AttentionStatistics, attention_statistics},
    },
    task::Registry,
};
use serde::Serialize;

/// Show what heads attend to; of a sorting model, how often to the right answer
///
/// Of a sorting model: how often SEP attends most to the smallest value and a value to its successor, and which head serves
/// which tokens (the one with the largest OV diagonal).
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  algolens attention models/sorted_list.safetensors --size 2000 --json")]
pub struct Args {
    #[command(flatten)]
    model: ModelArgs,
    /// The block
    #[arg(long, default_value_t = 0)]
    layer: usize,
    #[command(flatten)]
    data: DataArgs,
    /// Use the weights as they are
    #[arg(long)]
    raw: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Attention {
    mean_weights: Vec<HeadAttention>,
    #[serde(flatten)]
    sorting: Option<Sorting>,
}

/// What only sorting models are asked.
#[derive(Serialize)]
struct Sorting {
    #[serde(flatten)]
    statistics: AttentionStatistics,
    #[serde(rename = "serving")]
    copy_heads: CopyHeads,
}

/// Weighs what heads attend to; of a sorting model also counts, and shows which head serves which tokens.
pub fn run(args: &Args, registry: &Registry) -> Result<String> {
    let opened = args.model.processed(!args.raw, registry)?;
    let data = args.data.read(&opened)?;
    let subject = Subject { model: &opened.model, engine: &Plain::new() };
    let mean_weights = head_attention(subject, args.layer, &data)?;
    let sorting = opened.sorted_lists(&data).map(|(task, lists)| -> Result<Sorting> {
        Ok(Sorting {
            statistics: attention_statistics(subject, &task, args.layer, &lists)?,
            copy_heads: copy_heads(
                &circuits(&opened.model, args.layer, &Shown::all(opened.model.config()))?,
                task.max_value() as usize + 1,
            )?,
        })
    });
    let sorting = sorting.transpose()?;
    let found = Attention { mean_weights, sorting };
    if args.json {
        return output::json_of(&opened, &found);
    }
    let mut text = weights_table(&found.mean_weights);
    if let Some(Sorting { statistics, copy_heads }) = &found.sorting {
        text += &format!("\n{}\n{}", table(statistics), served(copy_heads));
    }
    Ok(text)
}

/// The mean weights in a table, a row a head.
fn weights_table(heads: &[HeadAttention]) -> String {
    let row = |head: &HeadAttention| {
        let HeadAttention { head, to_itself, to_previous, to_first, to_same_token, entropy } = head;
        let numbers = [to_itself, to_previous, to_first, to_same_token, entropy].map(|number| format!("{number:.3}"));
        [head.to_string()].into_iter().chain(numbers).collect()
    };
    let header = ["mean weight", "on itself", "one before", "the first", "same token", "entropy (nats)"];
    output::table(&header, heads.iter().map(row))
}

/// The statistics in a table: a row a head, and one for "some head".
fn table(statistics: &AttentionStatistics) -> String {
    let percent = |share: f64| format!("{:.1} %", 100.0 * share);
    let row = |name: String, shares: [f64; 3]| [name].into_iter().chain(shares.map(percent)).collect();
    let heads = statistics
        .heads
        .iter()
        .map(|head| row(head.head.to_string(), [head.sep_to_smallest, head.next_larger, head.to_itself]));
    let any = row("some head".into(), [statistics.sep_to_smallest, statistics.next_larger, statistics.to_itself]);
    output::table(&["attends most", "SEP to smallest", "d to next larger", "d to itself"], heads.chain([any]))
}

/// The tokens that each head serves, in words.
pub fn served(copy_heads: &CopyHeads) -> String {
    let ranges: Vec<String> = copy_heads.ranges.iter().map(ToString::to_string).collect();
    format!(
        "tokens are served {}\n{:.1} % of them are copied: their OV row peaks on themselves\n",
        ranges.join(", "),
        100.0 * copy_heads.copied
    )
}
