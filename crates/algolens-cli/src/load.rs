//! A model from the command line: its file, what the file does not say, and whether its weights are processed.

use crate::{
    hint_flags::{HintArgs, Said},
    terminal::warn,
};
use algolens::{
    Result,
    model::{
        Model,
        checkpoint::{Checkpoint, Hints, Loaded, Note},
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

impl ModelArgs {
    /// The checkpoint in the file, with the task that is said.
    pub fn open(&self, registry: &Registry) -> Result<Loaded> {
        open(&self.path, &self.hints.said()?, registry)
    }

    /// The model, its weights processed if that is asked for.
    pub fn processed(&self, processed: bool, registry: &Registry) -> Result<Opened> {
        Ok(Opened::read(&self.path, &self.hints.said()?, registry)?.processed(processed))
    }

    /// The model in double precision, its weights processed if that is asked for.
    pub fn in_f64(&self, processed: bool, registry: &Registry) -> Result<Model<f64>> {
        let loaded = Checkpoint::open_in_f64(&self.path, &hints(&self.path, &self.hints.said()?, registry)?)?;
        say_what_is_assumed(&self.path, &loaded.notes);
        let model = loaded.checkpoint.model;
        Ok(if processed { model.process().model } else { model })
    }
}

/// A model that is ready to be run.
pub struct Opened {
    /// The model.
    pub model: Model,
    /// The SHA-256 of the model as the file has it.
    pub sha256: String,
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
fn open(path: &Path, said: &Said, registry: &Registry) -> Result<Loaded> {
    let mut loaded = Checkpoint::open(path, &hints(path, said, registry)?)?;
    if let Some(task) = &said.task {
        loaded.checkpoint.task = Some(task.clone());
    }
    Ok(loaded)
}

/// What is said of the model in a file, and what else is known of it. A `config.json` that is read with it is named.
fn hints(path: &Path, said: &Said, registry: &Registry) -> Result<Hints> {
    let (hints, beside) = said.hints.clone().for_file(path, registry, said.task.as_ref())?;
    if let Some(beside) = beside {
        warn(format_args!("algolens: {} is read with the weights beside it", beside.display()));
    }
    Ok(hints)
}

fn say_what_is_assumed(path: &Path, notes: &[Note]) {
    if let Some(line) = Note::assumed(notes) {
        warn(format_args!("algolens: {}: {line}", path.display()));
    }
}

impl Opened {
    /// The model of a file, its weights as they are.
    ///
    /// # Errors
    /// A file that is no model's, or a known task that its model does not fit.
    pub fn read(path: &Path, said: &Said, registry: &Registry) -> Result<Self> {
        let loaded = open(path, said, registry)?;
        let notes = loaded.notes;
        let Checkpoint { model, task } = loaded.checkpoint;
        let sha256 = model.sha256();
        let opened = Self {
            model,
            sha256,
            processing: Vec::new(),
            said: task,
            registry: registry.clone(),
            used: Cell::new(false),
        };
        // A file may name a task that this program does not know; a user may not.
        let known = |spec: &TaskSpec| registry.names().any(|name| name == spec.name);
        if said.task.is_some() || opened.said.as_ref().is_some_and(known) {
            opened.find_task()?;
        }
        say_what_is_assumed(path, &notes);
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
