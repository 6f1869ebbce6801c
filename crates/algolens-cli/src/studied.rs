//! A study as `study` and `report` make it: its flags, its results, its page.

use crate::{
    data,
    load::{Opened, Said},
    proof,
    terminal::{Terminal, warn},
    train::files::Files,
};
use algolens::{
    Error, Result,
    check::certificate::Counterexample,
    engine::Engine,
    interpret::{Arrays, Stage, StudyOptions, StudyResults, Subject, study},
    model::Model,
    prove::Classes,
    task::{Registry, SortedList, Task, TaskKind, check_task},
};
use algolens_report::{Proof, Report, Training};
use std::{
    ops::ControlFlow,
    path::{Path, PathBuf},
};

/// The flags of a study: on which lists, beside which models.
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
    /// Show what a certificate of `algolens certify` proves
    #[arg(long, value_name = "CERT", requires = "model")]
    proof: Option<PathBuf>,
}

/// A model that was studied.
pub struct Studied {
    /// The file's name.
    pub title: String,
    /// The results of the study.
    pub results: StudyResults,
    /// The arrays of the study, by name.
    pub arrays: Arrays,
    /// The training that the model comes from, if files beside it tell.
    training: Option<Training>,
    /// The lists that the model sorts worst.
    pub worst: Vec<Counterexample>,
    /// The certificate of the model, for the page.
    pub proof: Option<Proof>,
}

impl StudyFlags {
    /// The files of other models.
    pub fn others(&self) -> impl Iterator<Item = &PathBuf> {
        self.others.iter()
    }

    /// The options of the study. Reads what the flags name, before the work: all that can be refused of a study of a model
    /// of this shape.
    pub fn options(&self, task: &SortedList, engine: &dyn Engine, registry: &Registry) -> Result<StudyOptions> {
        data::check(task, self.study_size)?;
        Ok(StudyOptions {
            size: self.study_size,
            seed: self.study_seed,
            lists: self.read_lists(task)?,
            others: self.read_others(task, engine, registry)?,
        })
    }

    /// The certificate of a model, if one is named.
    pub fn proof(&self, opened: &Opened) -> Result<Option<Proof>> {
        self.proof.as_deref().map(|path| proof::read(path, opened)).transpose()
    }

    /// Studies a model; `None` of `log` looks for the log of its training beside it.
    pub fn study(
        &self,
        path: &Path,
        opened: Opened,
        options: &StudyOptions,
        log: Option<&Path>,
        engine: &dyn Engine,
        terminal: &Terminal,
    ) -> Result<Studied> {
        let task = opened.sorted_list()?;
        let training = training(path, &opened, log)?;
        let opened = opened.processed(!self.raw);
        let subject = Subject { model: &opened.model, engine };
        let bar = terminal.spinner();
        let mut watch = |stage: Stage| {
            bar.set_message(format!("{} ({} of {})", stage.what, stage.done + 1, stage.total));
            bar.tick();
            if terminal.interrupted() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let result = study(subject, &task, options, &opened.processing, &mut watch);
        bar.finish_and_clear();
        if let Err(Error::Cancelled) = result {
            warn("algolens: interrupted; nothing of the study was written");
        }
        let (mut results, arrays) = result?;
        results.task_assumed = opened.used_task().is_some_and(|found| found.assumed);
        let title = path.file_name().map_or_else(|| "model".into(), |name| name.to_string_lossy().into_owned());
        Ok(Studied { title, results, arrays, training, worst: Vec::new(), proof: None })
    }

    fn read_lists(&self, task: &SortedList) -> Result<Vec<Vec<u32>>> {
        if self.lists.is_empty() {
            return Ok(Vec::new());
        }
        let data = crate::lists::read(&self.lists, task)?;
        Ok(data.tokens().outer_iter().map(|tokens| tokens.iter().take(task.list_len()).copied().collect()).collect())
    }

    fn read_others(&self, task: &SortedList, engine: &dyn Engine, registry: &Registry) -> Result<Vec<Model>> {
        let open = |path: &PathBuf| {
            let opened = Opened::read(path, &Said::default(), registry)?.processed(!self.raw);
            let fits = check_task(task, opened.model.config());
            // The engine is the first model's: it says whether it runs this one too.
            let no_lists = ndarray::Array2::zeros((0, task.n_ctx()));
            let runs = fits.and_then(|()| engine.logits(&opened.model, no_lists.view(), &[]).map(drop));
            runs.map_err(|error| Error::InFile { path: path.clone(), error: Box::new(error) })?;
            Ok(opened.model)
        };
        self.others.iter().map(open).collect()
    }
}

impl Studied {
    /// The prediction classes of the task.
    pub fn classes(&self) -> Option<Classes> {
        Classes::of(&SortedList::of(&self.results.task).ok()?).ok()
    }

    fn report(&self) -> Report<'_> {
        Report {
            title: &self.title,
            results: &self.results,
            arrays: &self.arrays,
            training: self.training.as_ref(),
            proof: self.proof.as_ref(),
        }
    }

    /// The page, in HTML.
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

/// The training that a model comes from: by the log that a user names, else by what stands beside the model.
fn training(path: &Path, opened: &Opened, log: Option<&Path>) -> Result<Option<Training>> {
    if let Some(log) = log {
        let history = Files::read_log(log)?;
        if history.is_empty() {
            let nothing = Error::invalid("log", "at least one epoch", 0);
            return Err(Error::InFile { path: log.into(), error: Box::new(nothing) });
        }
        return Ok(Some(Training { recipe: None, history }));
    }
    let files = Files::beside(path)?;
    // The state tells most, if it is that of the run which ended with these weights.
    match files.state(&opened.registry, None) {
        Ok(Some(run)) if run.finished() => {
            let same = run.best() == opened.model;
            return Ok(same.then(|| Training { recipe: Some(run.recipe().clone()), history: run.history().to_vec() }));
        }
        _ => {}
    }
    if !files.log().exists() {
        return Ok(None);
    }
    match Files::read_log(files.log()) {
        Ok(history) if history.is_empty() => Ok(None),
        Ok(history) => Ok(Some(Training { recipe: None, history })),
        Err(error) => {
            warn(format_args!("algolens: no training curve: {error}"));
            Ok(None)
        }
    }
}
