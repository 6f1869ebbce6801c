//! What `study` and `report` share: the flags of a study, the study itself, and its page.

use crate::{
    data,
    load::Opened,
    terminal::{Terminal, warn},
    train::files::Files,
};
use algolens::{
    Error, Result,
    engine::Engine,
    interpret::{Arrays, Stage, StudyOptions, StudyResults, Subject, study},
    model::{
        Model,
        checkpoint::{Hints, check_task},
    },
    task::{SortedList, Task},
};
use algolens_report::{Report, Training};
use indicatif::{ProgressBar, ProgressStyle};
use std::{
    ops::ControlFlow,
    path::{Path, PathBuf},
};

/// What a study is made on.
#[derive(clap::Args)]
pub struct StudyFlags {
    /// Lists of the evaluation
    #[arg(long, value_name = "N", default_value_t = StudyOptions::default().size)]
    pub study_size: usize,
    /// Dataset seed of the evaluation
    #[arg(long, value_name = "N", default_value_t = StudyOptions::default().seed)]
    study_seed: u32,
    /// A list to show too, such as 0,5,10,15,20,25,26,27,40,45 (may be given several times)
    #[arg(long = "list", value_name = "LIST")]
    lists: Vec<String>,
    /// Models of the same task from other seeds: how far findings spread
    #[arg(long, value_name = "MODEL", num_args = 1..)]
    others: Vec<PathBuf>,
    /// Use the weights as they are
    #[arg(long)]
    raw: bool,
}

/// A model that was studied.
pub struct Studied {
    /// The file's name.
    pub title: String,
    /// What was found.
    pub results: StudyResults,
    /// The arrays of it.
    pub arrays: Arrays,
    /// How it was trained, if files beside it tell.
    training: Option<Training>,
}

impl StudyFlags {
    /// Fails now rather than after the work: whether all this can be done for a model of this task.
    pub fn check(&self, task: &SortedList) -> Result<()> {
        data::check(task, self.study_size)?;
        self.lists(task)?;
        self.others(task).map(drop)
    }

    /// Studies a model; `None` of `log` looks for the log of its training beside it.
    pub fn study(
        &self,
        path: &Path,
        opened: Opened,
        log: Option<&Path>,
        engine: &dyn Engine,
        terminal: &Terminal,
    ) -> Result<Studied> {
        let task = opened.sorted_list()?;
        self.check(&task)?;
        let options = StudyOptions {
            size: self.study_size,
            seed: self.study_seed,
            lists: self.lists(&task)?,
            others: self.others(&task)?,
        };
        let training = training(path, log)?;
        let opened = opened.processed(!self.raw);
        let subject = Subject { model: &opened.model, engine };
        let bar = if terminal.quiet { ProgressBar::hidden() } else { ProgressBar::no_length() };
        bar.set_style(
            ProgressStyle::with_template("{spinner} {msg}").unwrap_or_else(|_| ProgressStyle::default_spinner()),
        );
        let mut watch = |stage: Stage| {
            bar.set_message(format!("{} ({} of {})", stage.what, stage.done + 1, stage.of));
            bar.tick();
            if terminal.interrupted() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let result = study(subject, &task, &options, &opened.processing, &mut watch);
        bar.finish_and_clear();
        if let Err(Error::Cancelled) = result {
            warn("algolens: interrupted; nothing of the study was written");
        }
        let (results, arrays) = result?;
        let title = path.file_name().map_or_else(|| "model".into(), |name| name.to_string_lossy().into_owned());
        Ok(Studied { title, results, arrays, training })
    }

    fn lists(&self, task: &SortedList) -> Result<Vec<Vec<u32>>> {
        if self.lists.is_empty() {
            return Ok(Vec::new());
        }
        let data = crate::lists::read(&self.lists, task)?;
        Ok(data.tokens().outer_iter().map(|tokens| tokens.iter().take(task.list_len()).copied().collect()).collect())
    }

    fn others(&self, task: &SortedList) -> Result<Vec<Model>> {
        let open = |path: &PathBuf| {
            let opened = Opened::read(path, &Hints::default())?.processed(!self.raw);
            check_task(&task.spec(), opened.model.config())
                .map_err(|error| Error::InFile { path: path.clone(), error: Box::new(error) })?;
            Ok(opened.model)
        };
        self.others.iter().map(open).collect()
    }
}

impl Studied {
    fn report(&self) -> Report<'_> {
        Report { title: &self.title, results: &self.results, arrays: &self.arrays, training: self.training.as_ref() }
    }

    /// The page.
    pub fn page(&self) -> Result<String> {
        algolens_report::page(&self.report())
            .map_err(|error| Error::invalid("report", "results that it can show", error))
    }

    /// The page's data, as JSON.
    pub fn data(&self) -> Result<String> {
        let data = algolens_report::data(&self.report());
        data.map(|json| json + "\n").map_err(|error| Error::invalid("report", "results that JSON can hold", error))
    }
}

/// How a model was trained: by the log that a user names, else by what stands beside the model.
fn training(model: &Path, log: Option<&Path>) -> Result<Option<Training>> {
    if let Some(log) = log {
        return Ok(Some(Training { recipe: None, history: Files::read_log(log)? }));
    }
    let files = Files::beside(model)?;
    // The state tells more than the log; one of another run, or none that can be read, tells nothing of this model.
    if let Ok(Some(run)) = files.state()
        && run.finished()
    {
        return Ok(Some(Training { recipe: Some(run.recipe().clone()), history: run.history().to_vec() }));
    }
    match files.log() {
        log if log.exists() => Ok(Some(Training { recipe: None, history: Files::read_log(log)? })),
        _ => Ok(None),
    }
}
