//! The data that a verb works on: random examples, or what a user brings.

use crate::{
    data_file::{DataFile, Part},
    load::Opened,
    terminal::warn,
};
use algolens::{
    Error, Result,
    interpret::Material,
    random,
    task::{Dataset, Task},
};
use std::path::{Path, PathBuf};

/// The flags of random examples: how many, from which seed.
#[derive(clap::Args)]
pub struct DataArgs {
    /// Random examples
    #[arg(long, default_value_t = 500)]
    pub size: usize,
    /// Their dataset seed
    #[arg(long, default_value_t = 43)]
    pub seed: u32,
    /// Your own data instead: NumPy's .npz of tokens [example, pos] and targets [example, predicted position] (see `algolens
    /// help eval`)
    #[arg(long, value_name = "FILE", conflicts_with_all = ["size", "seed"])]
    data: Option<PathBuf>,
}

/// Random examples of a task.
pub fn lists(task: &dyn Task, size: usize, seed: u32) -> Result<Dataset> {
    check(task, size)?;
    Dataset::generate(task, size, &mut random::from_dataset_seed(seed))
}

/// Whether a verb can take so many lists of a task.
pub fn check(task: &dyn Task, size: usize) -> Result<()> {
    check_lists(task.n_ctx(), size)
}

/// Whether a verb can take so many lists of so many tokens each.
pub fn check_lists(tokens: usize, size: usize) -> Result<()> {
    let most = Dataset::MOST_TOKENS / tokens;
    if (1..=most).contains(&size) {
        return Ok(());
    }
    Err(Error::invalid("number of examples", format!("1 to {most}"), size))
}

/// The help of what a data file holds.
pub const FILES: &str = "\
Data files: NumPy's .npz of
  tokens          [example, pos], integers
  targets         [example, predicted position], integers: the right class; or
                  [example, predicted position, class] of booleans: sets of right classes;
                  or of floats: distributions. Without them the task says what is right
  positions       [predicted position]; without them every position is predicted
  weights         [example, predicted position], what each prediction counts; 0 leaves it
                  unscored
  padding         the token that fills shorter examples; predictions there are not scored
  labels, output_labels
                  what each token, and each class, is called
  split           train, validation or test (or 0, 1, 2) for each example; all verbs but
                  train look at test, if there is one";

/// The examples of a file that a verb works on: those of the test part, if there is one, which is said on a line of its own.
pub fn read(path: &Path, opened: &Opened) -> Result<Dataset> {
    let file = DataFile::read(path, opened.model.config().into(), || opened.task())?;
    let (all, test) = (file.data.len(), file.members(Part::Test));
    if test.is_empty() {
        return Ok(file.data);
    }
    warn(format_args!("algolens: {}: {} of {all} examples, those of the part test", path.display(), test.len()));
    Ok(file.data.select(&test))
}

impl DataArgs {
    /// The data that the flags ask for: the user's own, or random examples of the model's task.
    pub fn read(&self, opened: &Opened) -> Result<Dataset> {
        match &self.data {
            Some(path) => read(path, opened),
            None => lists(&*opened.task()?, self.size, self.seed),
        }
    }

    /// Other data of the same kind as `data`, to resample from: the lists of the next seed; of the user's examples, for each
    /// the next.
    pub fn other(&self, data: &Dataset, opened: &Opened) -> Result<Dataset> {
        match self.data {
            Some(_) => Material::Data(data).other(data, self.seed),
            None => Material::Task(&*opened.task()?).other(data, self.seed),
        }
    }
}
