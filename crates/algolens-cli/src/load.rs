//! A model from the command line: its file, what the file does not say, and whether its weights are processed.

use crate::{model_config, terminal::warn, values::Value};
use algolens::{
    Result,
    model::{
        ActFn, AttentionDir, Model, Normalization,
        checkpoint::{Checkpoint, Hints, Loaded, PositionalEmbedding, Settings},
        processing::{Processed, Step},
    },
    task::{Dataset, Registry, SortedList, Task, TaskKind, TaskOfModel, TaskSpec},
};
use std::{
    cell::Cell,
    path::{Path, PathBuf},
    sync::Arc,
};

/// The arguments of a model: its file, and what the file does not say.
#[derive(clap::Args)]
pub struct ModelArgs {
    /// The model: safetensors, PyTorch (.pt, .pth, .pkl), .npz or JSON
    #[arg(value_name = "MODEL")]
    pub path: PathBuf,
    #[command(flatten)]
    pub hints: HintArgs,
}

/// The flags for what a file does not say of its model.
#[derive(clap::Args)]
#[command(next_help_heading = "What the file does not say")]
pub struct HintArgs {
    /// The task, as NAME or NAME(OPTION=VALUE,…) [default: the file's, or else the only one that fits its sizes]
    #[arg(long, value_name = "TASK")]
    task: Option<TaskSpec>,
    /// The norm, where the file has no norm weights
    #[arg(long, value_name = "NORM", value_parser = Normalization::parser())]
    normalization: Option<Normalization>,
    /// The activation function of the MLPs
    #[arg(long, value_name = "FN", value_parser = ActFn::parser())]
    act_fn: Option<ActFn>,
    /// Who attends to whom, where the file has no mask
    #[arg(long, value_name = "DIR", value_parser = AttentionDir::parser())]
    attention: Option<AttentionDir>,
    /// Where positions enter [default: standard]
    #[arg(long, value_name = "KIND", value_parser = PositionalEmbedding::parser())]
    positions: Option<PositionalEmbedding>,
    /// Added to the variance inside norms [default: 1e-5]
    #[arg(long, value_name = "X")]
    eps: Option<f64>,
    #[command(flatten)]
    which: WhichArgs,
}

/// The flags for which tensors of a file are the model, and for what a config beside it says.
#[derive(clap::Args)]
pub struct WhichArgs {
    /// A config file, JSON or TOML, in the words of TransformerLens's HookedTransformerConfig
    #[arg(long, value_name = "FILE", help_heading = "What the file does not say")]
    model_config: Option<PathBuf>,
    /// Where in the file the weights are, if it has several: keys as in model, runs.3 or epochs.12
    #[arg(long, value_name = "KEY", help_heading = "What the file does not say")]
    key: Option<String>,
    /// A tensor that is no weight and may be passed over; * stands for anything
    #[arg(long, value_name = "NAME", help_heading = "What the file does not say")]
    ignore: Vec<String>,
}

impl ModelArgs {
    /// The checkpoint in the file, with the task that is said.
    pub fn open(&self) -> Result<Loaded> {
        open(&self.path, &self.hints.said()?)
    }

    /// The model, its weights processed if that is asked for.
    pub fn processed(&self, processed: bool, registry: &Registry) -> Result<Opened> {
        Ok(Opened::read(&self.path, &self.hints.said()?, registry)?.processed(processed))
    }
}

impl HintArgs {
    /// What the flags say, and the config file that they name.
    ///
    /// # Errors
    /// A config file that cannot be read, or that speaks of no model that can be.
    pub fn said(&self) -> Result<Said> {
        let said = Settings {
            normalization_type: self.normalization,
            act_fn: self.act_fn,
            attention_dir: self.attention,
            positional_embedding_type: self.positions,
            eps: self.eps,
            ..Settings::default()
        };
        let hints = Hints { said, ..Hints::default() };
        let mut said = Said { hints, task: self.task.clone() };
        self.which.say(&mut said)?;
        Ok(said)
    }
}

impl WhichArgs {
    /// Adds what the flags say.
    ///
    /// # Errors
    /// A config file that cannot be read, or that speaks of no model that can be.
    pub fn say(&self, said: &mut Said) -> Result<()> {
        if let Some(path) = &self.model_config {
            said.hints.config = model_config::read(path)?;
        }
        said.hints.key.clone_from(&self.key);
        said.hints.ignore.clone_from(&self.ignore);
        Ok(())
    }

    /// The first of the flags that is given.
    pub fn given(&self) -> Option<&'static str> {
        let config = self.model_config.as_ref().map(|_| "--model-config");
        config.or(self.key.as_ref().map(|_| "--key")).or((!self.ignore.is_empty()).then_some("--ignore"))
    }
}

/// What is said of a model beside its file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Said {
    /// Parts of its config.
    pub hints: Hints,
    /// Its task, which goes before the file's.
    pub task: Option<TaskSpec>,
}

/// A model that is ready to be run.
pub struct Opened {
    /// The model.
    pub model: Model,
    /// The processing steps that were applied.
    pub processing: Vec<Step>,
    /// The task that is said, or that the file states.
    said: Option<TaskSpec>,
    /// The tasks that the program knows.
    pub registry: Registry,
    /// Whether the task was asked for.
    used: Cell<bool>,
}

/// The checkpoint in a file, with the task that is said.
fn open(path: &Path, said: &Said) -> Result<Loaded> {
    let mut loaded = Checkpoint::open(path, &said.hints)?;
    if let Some(task) = &said.task {
        loaded.checkpoint.task = Some(task.clone());
    }
    Ok(loaded)
}

impl Opened {
    /// The model of a file, its weights as they are.
    ///
    /// # Errors
    /// A file that is no model's, or a known task that its model does not fit.
    pub fn read(path: &Path, said: &Said, registry: &Registry) -> Result<Self> {
        let Checkpoint { model, task } = open(path, said)?.checkpoint;
        let opened =
            Self { model, processing: Vec::new(), said: task, registry: registry.clone(), used: Cell::new(false) };
        // A file may name a task that this program does not know; a user may not.
        let known = |spec: &TaskSpec| registry.names().any(|name| name == spec.name);
        if said.task.is_some() || opened.said.as_ref().is_some_and(known) {
            opened.find_task()?;
        }
        Ok(opened)
    }

    /// The model, its weights processed if that is asked for.
    pub fn processed(self, processed: bool) -> Self {
        if !processed {
            return self;
        }
        let Processed { model, applied } = self.model.process();
        Self { model, processing: applied, ..self }
    }

    fn find_task(&self) -> Result<TaskOfModel> {
        self.registry.task_of(self.model.config(), self.said.as_ref())
    }

    /// The task of the model. That it is assumed is said once, on a line of its own.
    ///
    /// # Errors
    /// A model whose task nobody says, and whose sizes no known task has, or several have.
    pub fn task(&self) -> Result<Arc<dyn Task>> {
        let found = self.find_task()?;
        self.use_task(&found);
        Ok(found.task)
    }

    fn use_task(&self, TaskOfModel { task, assumed }: &TaskOfModel) {
        if !self.used.replace(true) && *assumed {
            let task = task.spec();
            warn(format_args!("algolens: the task is assumed, as the file names none and only this fits: {task}"));
        }
    }

    /// The task, if what was found depends on it.
    pub fn used_task(&self) -> Option<TaskOfModel> {
        self.find_task().ok().filter(|_| self.used.get())
    }

    /// The sorting task of the model, and data as its lists, if that is what they are.
    pub fn sorted_lists(&self, data: &Dataset) -> Option<(SortedList, Dataset)> {
        let found = self.find_task().ok()?;
        let task = SortedList::of(&found.task.spec()).ok()?;
        let lists = Dataset::from_examples(&task, data.tokens().to_owned()).ok()?;
        self.use_task(&found);
        Some((task, lists))
    }

    /// The sorting task of the model.
    ///
    /// # Errors
    /// As [`task`](Self::task); a model of another task.
    pub fn sorted_list(&self) -> Result<SortedList> {
        let found = self.find_task()?;
        let task = SortedList::of(&found.task.spec())?;
        self.use_task(&found);
        Ok(task)
    }
}
