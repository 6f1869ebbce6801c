//! The evaluation data of a verb.

use algolens::{Error, Result};

/// Which random lists a verb works on.
#[derive(clap::Args)]
pub struct DataArgs {
    /// Random lists
    #[arg(long, default_value_t = 500)]
    pub size: usize,
    /// Their dataset seed
    #[arg(long, default_value_t = 43)]
    pub seed: u32,
}

/// The most lists that a verb takes: what fits in the memory of a small machine.
const MOST: usize = 10_000_000;

/// Whether a number of lists can be worked on.
pub fn check(size: usize) -> Result<()> {
    if (1..=MOST).contains(&size) {
        return Ok(());
    }
    Err(Error::invalid("--size", format!("1 to {MOST}"), size))
}
