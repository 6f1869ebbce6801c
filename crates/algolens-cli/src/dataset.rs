//! `algolens dataset`: examples of the task.

use crate::output;
use algolens::{Result, task::SortedList};
use serde::Serialize;

/// Print examples of the sorting task
///
/// The same seed gives the same lists as the post's SortedListDataset.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  algolens dataset --list-len 5 --max-value 10 --seed 42 --size 1\n  \
                        algolens dataset --size 3 --json")]
pub struct Args {
    /// Values in a list
    #[arg(long, default_value_t = 10)]
    list_len: usize,
    /// The largest value
    #[arg(long, default_value_t = 50)]
    max_value: u32,
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
pub fn run(args: &Args) -> Result<String> {
    let data = crate::data::lists(&SortedList::new(args.list_len, args.max_value)?, args.size, args.seed)?;
    let tokens: Vec<Vec<u32>> = data.tokens().outer_iter().map(|row| row.to_vec()).collect();
    let str_toks: Vec<Vec<String>> = (0..data.len()).map(|example| data.labels(example)).collect();
    if args.json {
        return output::json(&Rows { tokens, str_toks });
    }
    Ok(tokens.iter().zip(&str_toks).map(|(tokens, labels)| format!("{tokens:?}\n{}\n", labels.join(" "))).collect())
}
