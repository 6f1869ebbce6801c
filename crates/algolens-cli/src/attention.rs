//! `algolens attention`: how often heads attend to what they should.

use crate::{data::DataArgs, load::ModelArgs, output};
use algolens::{
    Result,
    engine::Plain,
    interpret::{
        Subject, circuits,
        tasks::sorted_list::{AttentionStatistics, CopyHeads, attention_statistics, copy_heads},
    },
    task::{Dataset, Registry},
};
use serde::Serialize;

/// Count how often SEP attends to the smallest value and a value to its successor
///
/// Also tells which head serves which tokens: the one with the largest OV diagonal.
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
    #[serde(flatten)]
    statistics: AttentionStatistics,
    #[serde(rename = "serving")]
    copy_heads: CopyHeads,
}

/// Counts by head, and shows which head serves which tokens.
pub fn run(args: &Args, registry: &Registry) -> Result<String> {
    let opened = args.model.processed(!args.raw, registry)?;
    let task = opened.sorted_list()?;
    // Of the task, also where the user brings them.
    let lists = Dataset::from_examples(&task, args.data.read(&opened)?.tokens().to_owned())?;
    let subject = Subject { model: &opened.model, engine: &Plain::new() };
    let statistics = attention_statistics(subject, &task, args.layer, &lists)?;
    let copy_heads = copy_heads(&circuits(&opened.model, args.layer)?, task.max_value() as usize + 1)?;
    if args.json {
        return output::json_of(&opened, &Attention { statistics, copy_heads });
    }
    Ok(table(&statistics) + "\n" + &served(&copy_heads))
}

/// The statistics in a table: a row a head, and one for "some head".
pub fn table(statistics: &AttentionStatistics) -> String {
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
    let ranges: Vec<String> =
        copy_heads.ranges.iter().map(|range| format!("{}–{} by {}", range.from, range.to, range.head)).collect();
    format!(
        "tokens are served {}\n{:.1} % of them are copied: their OV row peaks on themselves\n",
        ranges.join(", "),
        100.0 * copy_heads.copied
    )
}
