//! The random lists that a verb works on.

use algolens::{
    Error, Result, random,
    task::{Dataset, Task},
};

/// The flags of random lists: how many, from which seed.
#[derive(clap::Args)]
pub struct DataArgs {
    /// Random lists
    #[arg(long, default_value_t = 500)]
    pub size: usize,
    /// Their dataset seed
    #[arg(long, default_value_t = 43)]
    pub seed: u32,
}

/// The most tokens of random lists that a verb takes: as many as fit in the memory of a small machine.
const MOST_TOKENS: usize = 1 << 28;

/// Random lists of a task.
pub fn lists(task: &dyn Task, size: usize, seed: u32) -> Result<Dataset> {
    check(task, size)?;
    Ok(Dataset::generate(task, size, &mut random::from_dataset_seed(seed)))
}

/// Whether a verb can take so many lists of a task.
pub fn check(task: &dyn Task, size: usize) -> Result<()> {
    check_lists(task.n_ctx(), size)
}

/// Whether a verb can take so many lists of so many tokens each.
pub fn check_lists(tokens: usize, size: usize) -> Result<()> {
    let most = MOST_TOKENS / tokens;
    if (1..=most).contains(&size) {
        return Ok(());
    }
    Err(Error::invalid("number of lists", format!("1 to {most}"), size))
}

impl DataArgs {
    /// The random lists that the flags ask for.
    pub fn lists(&self, task: &dyn Task) -> Result<Dataset> {
        lists(task, self.size, self.seed)
    }
}
