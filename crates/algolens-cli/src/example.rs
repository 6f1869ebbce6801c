//! The one example that a verb looks at: a list of the task, or one that a user brings.

use crate::{data, lists, load::Opened, npy};
use algolens::{
    Error, Result,
    task::{Dataset, Role, Token, check_vocabulary},
};
use ndarray::{Array2, Axis};
use std::path::{Path, PathBuf};

/// The arguments that say which example.
#[derive(clap::Args)]
pub struct ExampleArgs {
    /// The list, its values parted by commas
    #[arg(value_name = "LIST", required_unless_present_any = ["data", "tokens"])]
    list: Option<String>,
    /// An example of your own data instead: NumPy's .npz (see `algolens help eval`)
    #[arg(long, value_name = "FILE", conflicts_with_all = ["list", "tokens"])]
    data: Option<PathBuf>,
    /// Your own tokens instead, without targets: integers [example, pos], as NumPy's .npy
    #[arg(long, value_name = "FILE", conflicts_with = "list")]
    tokens: Option<PathBuf>,
    /// Which example of the file, from 1
    #[arg(long, value_name = "N", default_value_t = 1, conflicts_with = "list")]
    example: usize,
}

/// An example, and what is known of it.
pub struct Example {
    /// `[1, pos]`.
    pub tokens: Array2<Token>,
    /// The positions that are looked at: those that are predicted, or all.
    pub positions: Vec<usize>,
    /// What the token at each position is called.
    pub labels: Vec<String>,
    /// What each class is called.
    pub output_labels: Vec<String>,
    /// What each position holds, where a task says so.
    pub roles: Option<Vec<Role>>,
    /// The right classes at each of the positions, none where nobody says so.
    pub right: Vec<Vec<usize>>,
}

impl ExampleArgs {
    /// The example that is asked for.
    ///
    /// # Errors
    /// Lists that are not one, files that cannot be read or do not fit the model, numbers that no example has.
    pub fn read(&self, opened: &Opened) -> Result<Example> {
        match (&self.list, &self.data, &self.tokens) {
            (Some(list), ..) => {
                let task = opened.task()?;
                let data = lists::read(std::slice::from_ref(list), &*task)?;
                if data.len() != 1 {
                    return Err(Error::invalid("lists", "one", data.len()));
                }
                Ok(Example { roles: Some(task.roles()), ..Example::of(&data) })
            }
            (None, Some(path), _) => {
                let data = data::read(path, opened)?;
                Ok(Example::of(&data.select(&[self.index(data.len())?])))
            }
            (None, None, Some(path)) => self.tokens(path, opened),
            (None, None, None) => Err(Error::invalid("example", "a list, --data or --tokens", "none")),
        }
    }

    fn tokens(&self, path: &Path, opened: &Opened) -> Result<Example> {
        let tokens = npy::tokens(path)?;
        let config = opened.model.config();
        let tokens = tokens.select(Axis(0), &[self.index(tokens.nrows())?]);
        let in_file = |error| Error::InFile { path: path.into(), error: Box::new(error) };
        check_vocabulary(tokens.iter(), config.d_vocab).map_err(in_file)?;
        let number = |number: usize| number.to_string();
        Ok(Example {
            positions: (0..tokens.ncols()).collect(),
            labels: tokens.iter().map(ToString::to_string).collect(),
            output_labels: (0..config.d_vocab_out).map(number).collect(),
            roles: None,
            right: vec![Vec::new(); tokens.ncols()],
            tokens,
        })
    }

    fn index(&self, examples: usize) -> Result<usize> {
        let expected = || format!("1 to {examples}");
        self.example
            .checked_sub(1)
            .filter(|at| *at < examples)
            .ok_or_else(|| Error::invalid("--example", expected(), self.example))
    }
}

impl Example {
    /// The only example of some data.
    fn of(data: &Dataset) -> Self {
        let right = |slot| data.targets().target(0, slot).classes().into_iter().map(|class| class as usize).collect();
        Self {
            tokens: data.tokens().to_owned(),
            positions: data.positions().to_vec(),
            labels: data.labels(0),
            output_labels: data.output_labels().to_vec(),
            roles: None,
            right: (0..data.positions().len()).map(right).collect(),
        }
    }
}
