//! Data that a user brings: NumPy's `.npz`.

mod arrays;
mod split;

pub use split::Part;

use algolens::{
    Error, Result, files,
    model::Config,
    task::{Dataset, Right, Task, Token, check_vocabulary},
    train::{DataSource, Examples},
};
use arrays::Arrays;
use ndarray::Array2;
use std::{path::Path, sync::Arc};

/// What a file holds.
pub struct DataFile {
    /// Its name and digest.
    source: DataSource,
    /// All examples.
    pub data: Dataset,
    /// The part that each example belongs to, if the file says so.
    pub split: Option<Vec<Part>>,
}

/// The most tokens, or classes, of data whose model is not known.
const MOST_NAMES: usize = 1 << 20;

/// What is known of a model before its data is read; what is not is as large as the data needs.
#[derive(Clone, Copy, Default)]
pub struct Sizes {
    n_ctx: Option<usize>,
    d_vocab: Option<usize>,
    d_vocab_out: Option<usize>,
}

impl From<&Config> for Sizes {
    fn from(config: &Config) -> Self {
        let Config { n_ctx, d_vocab, d_vocab_out, .. } = *config;
        Self { n_ctx: Some(n_ctx), d_vocab: Some(d_vocab), d_vocab_out: Some(d_vocab_out) }
    }
}

impl DataFile {
    /// The data of a file. `tokens [example, pos]`; `targets [example, predicted position]`, or `[example, predicted position,
    /// class]` of truth values (sets of right classes) or floats (distributions); `weights [example, predicted position]`;
    /// `positions`, which may be left out where every position is predicted; `labels` and `output_labels`, what each token and
    /// each class is called; `split`, to what part each example belongs; `padding`, the token that fills shorter examples.
    /// Without targets the task gives them, and `task` is asked for it.
    ///
    /// # Errors
    /// Arrays that are missing, unknown, misshapen, or do not fit each other or these sizes.
    pub fn read<T: AsRef<dyn Task>>(path: &Path, sizes: Sizes, task: impl FnOnce() -> Result<T>) -> Result<Self> {
        let in_file = |error| Error::InFile { path: path.into(), error: Box::new(error) };
        let bytes = files::read(path)?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let source = DataSource::new(name, &bytes);
        let arrays = Arrays::read(bytes).map_err(in_file)?;
        let task = if arrays.has("targets") { None } else { Some(task()?) };
        let read = || {
            let data = match &task {
                Some(task) => of_task(&arrays, sizes, task.as_ref())?,
                None => of_no_task(&arrays, sizes)?,
            };
            Ok(Self { source, split: arrays.split(data.len())?, data })
        };
        read().map_err(in_file)
    }

    /// The indices of the examples of a part; none where the file has no parts.
    pub fn members(&self, part: Part) -> Vec<usize> {
        let split = self.split.iter().flatten().enumerate();
        split.filter(|(_, of)| **of == part).map(|(example, _)| example).collect()
    }
}

/// Examples of a task, which says what is right.
fn of_task(arrays: &Arrays, sizes: Sizes, task: &dyn Task) -> Result<Dataset> {
    let tokens = tokens(arrays, sizes)?;
    let beside = ["positions", "weights", "labels", "output_labels", "padding"];
    if let Some(name) = beside.into_iter().find(|name| arrays.has(name)) {
        return Err(Error::invalid(name, "targets beside them (without, the task has all of these)", "none"));
    }
    Dataset::from_examples(task, tokens)
}

/// Examples of no task.
fn of_no_task(arrays: &Arrays, sizes: Sizes) -> Result<Dataset> {
    let tokens = tokens(arrays, sizes)?;
    let labels = arrays.words("labels")?;
    let d_vocab = sizes.d_vocab.or(labels.as_ref().map(Vec::len)).unwrap_or(1 + largest(&tokens));
    if d_vocab > MOST_NAMES {
        return Err(Error::invalid("tokens", format!("numbers below {MOST_NAMES}"), d_vocab - 1));
    }
    in_vocabulary("tokens", &tokens, d_vocab)?;
    let targets = arrays.targets()?;
    let output_labels = arrays.words("output_labels")?;
    let needed = match &targets.right {
        Right::Classes(classes) => output_labels.as_ref().map_or(1 + largest(classes), Vec::len),
        _ => targets.view().class_count().unwrap_or(1),
    };
    let classes = sizes.d_vocab_out.unwrap_or(needed);
    if classes > MOST_NAMES {
        return Err(Error::invalid("targets", format!("numbers below {MOST_NAMES}"), classes - 1));
    }
    match &targets.right {
        Right::Classes(right) => in_vocabulary("targets", right, classes)?,
        _ if needed != classes => {
            return Err(Error::invalid("classes of the targets", classes.to_string(), needed));
        }
        _ => {}
    }
    let (_, predictions) = targets.view().dim();
    let positions = match arrays.vector("positions")? {
        Some(positions) => positions.iter().map(|position| *position as usize).collect(),
        None if predictions == tokens.ncols() => (0..tokens.ncols()).collect(),
        None => {
            let found = format!("targets of shape {:?} and no positions", targets.view().dim());
            return Err(Error::invalid("positions", "an array, where not every position is predicted", found));
        }
    };
    let labels = named("labels", labels, d_vocab, "tokens")?;
    let output_labels = match output_labels {
        None if arrays.has("labels") && classes == d_vocab => labels.clone(),
        given => named("output_labels", given, classes, "classes")?,
    };
    let padding = arrays.padding(d_vocab)?;
    let data = match padding {
        Some(padding) => Dataset::padded(tokens, targets, positions, labels, padding),
        None => Dataset::new(tokens, targets, positions, labels),
    };
    Ok(data?.with_output_labels(output_labels))
}

/// The examples of a file to train on: those of its parts train and validation; without parts a tenth, drawn by the seed, is
/// validated on.
pub fn examples(path: &Path, seed: u64) -> Result<Examples> {
    let in_file = |error| Error::InFile { path: path.into(), error: Box::new(error) };
    let missing = || Error::invalid("targets", "an array, as no task says what is right", "none");
    let file = DataFile::read(path, Sizes::default(), || Err::<Arc<dyn Task>, _>(in_file(missing())))?;
    let (train, validation) = match &file.split {
        Some(_) => (file.members(Part::Train), file.members(Part::Validation)),
        None => Examples::hold_out(file.data.len(), seed),
    };
    Examples::new(file.source, &file.data, &train, &validation).map_err(in_file)
}

fn tokens(arrays: &Arrays, sizes: Sizes) -> Result<Array2<Token>> {
    let tokens = arrays.matrix("tokens")?.ok_or_else(|| Error::invalid("tokens", "an array [example, pos]", "none"))?;
    let most = sizes.n_ctx.unwrap_or(usize::MAX);
    if tokens.is_empty() || tokens.ncols() > most {
        let expected =
            sizes.n_ctx.map_or_else(|| "examples of tokens".into(), |most| format!("examples of 1 to {most} tokens"));
        return Err(Error::invalid("tokens", expected, format!("shape {:?}", tokens.shape())));
    }
    if let Some(d_vocab) = sizes.d_vocab {
        in_vocabulary("tokens", &tokens, d_vocab)?;
    }
    Ok(tokens)
}

fn largest(numbers: &Array2<Token>) -> usize {
    numbers.iter().copied().max().unwrap_or(0) as usize
}

/// Names of as many things as there are; their numbers, where none are given.
fn named(array: &str, given: Option<Vec<String>>, count: usize, things: &str) -> Result<Vec<String>> {
    let names = given.unwrap_or_else(|| (0..count).map(|number| number.to_string()).collect());
    if names.len() == count {
        return Ok(names);
    }
    Err(Error::invalid(array, format!("one for each of {count} {things}"), names.len()))
}

/// Whether these are all numbers of a vocabulary; names the example and the place of the first that is not.
fn in_vocabulary(name: &str, array: &Array2<Token>, size: usize) -> Result<()> {
    for (example, row) in array.outer_iter().enumerate() {
        check_vocabulary(row.iter(), size).map_err(|error| match error {
            Error::Invalid { what, expected, found } => {
                Error::invalid(format!("{name}, example {}, {what}", example + 1), expected, found)
            }
            other => other,
        })?;
    }
    Ok(())
}
