//! The files of a training run, all beside the model.

use crate::state_file::StateFile;
use algolens::{
    Error, Result,
    files::{read, write_whole},
    model::{Model, checkpoint::Checkpoint},
    task::{Registry, TaskSpec},
    train::{EpochRecord, Examples, Recipe, Run},
};
use std::{
    ffi::OsString,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

/// The paths of a run's files. Each is written whole or not at all, so that the process may end at any moment.
pub struct Files {
    model: PathBuf,
    state: StateFile,
    log: PathBuf,
    checkpoints: PathBuf,
}

impl Files {
    /// The files beside a model.
    ///
    /// # Errors
    /// A path that cannot be a file's.
    pub fn beside(model: &Path) -> Result<Self> {
        let state = StateFile::beside(model)?;
        let stem = model.file_stem().unwrap_or_default();
        let sibling = |end: &str| {
            let mut name = OsString::from(stem);
            name.push(end);
            model.with_file_name(name)
        };
        Ok(Self { model: model.into(), state, log: sibling(".log.jsonl"), checkpoints: sibling(".checkpoints") })
    }

    /// The run that was begun here, if one was, on a task that the registry knows, or on these examples of a file.
    pub fn state(&self, registry: &Registry, examples: Option<&Arc<Examples>>) -> Result<Option<Run>> {
        let begun = |bytes: &[u8]| match examples {
            Some(examples) => Run::from_bytes_on(bytes, examples.clone()),
            None => Run::from_bytes(bytes, registry),
        };
        self.state.read()?.map(|bytes| begun(&bytes).map_err(|error| self.in_state(error))).transpose()
    }

    /// An error about what the state file holds.
    pub fn in_state(&self, error: Error) -> Error {
        self.state.error(error)
    }

    /// Makes room for a new run's checkpoints, which never mix with those of another run.
    pub fn prepare(&self, recipe: &Recipe) -> Result<()> {
        if recipe.checkpoint_every.is_none() {
            return Ok(());
        }
        let failed = |source| Error::File { path: self.checkpoints.clone(), source };
        match std::fs::create_dir(&self.checkpoints) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(failed(error)),
            _ => {}
        }
        match std::fs::read_dir(&self.checkpoints).map_err(failed)?.next() {
            None => Ok(()),
            Some(_) => Err(Error::invalid(
                self.checkpoints.display().to_string(),
                "an empty folder for this run's checkpoints",
                "files (--resume goes on with the run they are from)",
            )),
        }
    }

    /// Saves where a run stands. The model of a finished run comes before its state: finished means that all is there.
    pub fn save(&self, run: &Run) -> Result<()> {
        if run.finished() {
            self.save_model(run)?;
        }
        write_whole(&self.log, EpochRecord::log(run.history())?.as_bytes())?;
        self.state.write(&run.to_bytes()?)
    }

    /// The path of the log.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// The epochs that a log tells of.
    pub fn read_log(path: &Path) -> Result<Vec<EpochRecord>> {
        let in_file = |error: Error| Error::InFile { path: path.into(), error: Box::new(error) };
        let bytes = read(path)?;
        let text = std::str::from_utf8(&bytes).map_err(|error| in_file(Error::invalid("log", "text", error)))?;
        EpochRecord::of_log(text).map_err(in_file)
    }

    /// Saves the weights in the course of training.
    pub fn save_checkpoint(&self, steps: u64, model: &Model, task: Option<TaskSpec>) -> Result<()> {
        let path = self.checkpoints.join(format!("step-{steps:07}.safetensors"));
        Checkpoint { model: model.clone(), task }.save(&path)
    }

    /// Writes the model of a finished run if it is no longer there, and says whether it did.
    pub fn restore_model(&self, run: &Run) -> Result<bool> {
        let missing = !self.model.exists();
        if missing {
            self.save_model(run)?;
        }
        Ok(missing)
    }

    fn save_model(&self, run: &Run) -> Result<()> {
        Checkpoint { model: run.best(), task: run.recipe().task.clone() }.save(&self.model)
    }
}
