//! `algolens dataset`: examples of the task.

use crate::output;
use algolens::{
    Result,
    task::{Registry, SortedList, Task, TaskSpec},
};
use serde::Serialize;

/// Print examples of a task
///
/// Of sorting, the same seed gives the same lists as the post's SortedListDataset.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  algolens dataset --list-len 5 --max-value 10 --seed 42 --size 1\n  \
                        algolens dataset --size 3 --json")]
pub struct Args {
    /// The task, as NAME or NAME(OPTION=VALUE,…)
    #[arg(long, value_name = "TASK", default_value_t = SortedList::POST.spec())]
    task: TaskSpec,
    /// Its option list_len: values in a list
    #[arg(long, value_name = "N")]
    list_len: Option<usize>,
    /// Its option max_value: the largest value
    #[arg(long, value_name = "N")]
    max_value: Option<usize>,
    /// Seed of the Mersenne Twister
    #[arg(long, default_value_t = 42)]
    seed: u32,
    /// Lists
    #[arg(long, default_value_t = 1)]
    size: usize,
    /// Print JSON: tokens, and what they are called
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Rows {
    tokens: Vec<Vec<u32>>,
    str_toks: Vec<Vec<String>>,
}

/// Draws the lists, and shows each followed by its string tokens.
pub fn run(args: &Args, registry: &Registry) -> Result<String> {
    let mut task = args.task.clone();
    for (option, value) in [("list_len", args.list_len), ("max_value", args.max_value)] {
        if let Some(value) = value {
            task.options.insert(option.into(), value.into());
        }
    }
    let data = crate::data::lists(&*registry.task(&task)?, args.size, args.seed)?;
    let tokens: Vec<Vec<u32>> = data.tokens().outer_iter().map(|row| row.to_vec()).collect();
    let str_toks: Vec<Vec<String>> = (0..data.len()).map(|example| data.labels(example)).collect();
    if args.json {
        return output::json(&Rows { tokens, str_toks });
    }
    Ok(tokens.iter().zip(&str_toks).map(|(tokens, labels)| format!("{tokens:?}\n{}\n", labels.join(" "))).collect())
}
