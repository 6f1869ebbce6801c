//! A study as `study` and `report` make it: its flags, its results, its page.

use crate::{
    data,
    hint_flags::Said,
    load::Opened,
    proof,
    shown_flags::ShownFlags,
    terminal::{Terminal, warn},
    train::files::Files,
};
use algolens::{
    Error, Result,
    check::certificate::Counterexample,
    engine::{Engine, Vectors},
    interpret::{
        Arrays, Casebook, Casebooks, Material, Stage, Study, StudyOptions, Subject, Training, check_other, study,
    },
    model::{Config, Model},
    prove::{Classes, Space},
    provenance::Provenance,
    task::{Dataset, Registry, Task, TaskSpec, Token},
};
use algolens_report::{FigureFile, Proof, Report};
use std::{
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::Arc,
};

/// The flags of a study: on which lists, beside which models.
#[derive(clap::Args)]
pub struct StudyFlags {
    /// Examples of the evaluation [default: 500, or all of --data]
    #[arg(long, value_name = "N")]
    study_size: Option<usize>,
    /// Dataset seed of the evaluation
    #[arg(long, value_name = "N", default_value_t = StudyOptions::default().seed)]
    study_seed: u32,
    /// A list to show too, such as 0,5,10,15,20,25,26,27,40,45 (may be given several times)
    #[arg(long = "list", value_name = "LIST", conflicts_with = "data")]
    lists: Vec<String>,
    /// Your own data, on which to study the model: NumPy's .npz, as `eval` reads it
    #[arg(long, value_name = "FILE", requires = "model", conflicts_with = "proof")]
    data: Option<PathBuf>,
    /// Models of the same task from other seeds: how far findings spread
    #[arg(long, value_name = "MODEL", num_args = 1..)]
    others: Vec<PathBuf>,
    /// Use the weights as they are
    #[arg(long)]
    raw: bool,
    /// Show what a certificate of `algolens certify` proves
    #[arg(long, value_name = "CERT", requires = "model")]
    proof: Option<PathBuf>,
    #[command(flatten)]
    shown: ShownFlags,
}

/// What a study is made on.
pub enum Source {
    /// The model's task, and its casebook.
    Task(Arc<dyn Task>, Option<Arc<dyn Casebook>>),
    /// Data that the user brings.
    Data(Box<Dataset>),
}

impl Source {
    fn material(&self) -> Material<'_> {
        match self {
            Self::Task(task, _) => Material::Task(&**task),
            Self::Data(data) => Material::Data(data),
        }
    }

    /// A task.
    ///
    /// # Errors
    /// One that has the name of a casebook's, but other options.
    pub fn task(task: Arc<dyn Task>, casebooks: &Casebooks) -> Result<Self> {
        let casebook = casebooks.of(&*task)?;
        Ok(Self::Task(task, casebook))
    }

    fn casebook(&self) -> Option<&dyn Casebook> {
        match self {
            Self::Task(_, casebook) => casebook.as_deref(),
            Self::Data(_) => None,
        }
    }

    /// The task, if there is one.
    pub fn spec(&self) -> Option<TaskSpec> {
        self.material().spec()
    }
}

/// A model that was studied.
pub struct Studied {
    /// The study.
    pub study: Study,
    /// The arrays of the study, by name.
    pub arrays: Arrays,
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

    /// What the study is made on: the user's data, or the model's task.
    pub fn source(&self, opened: &Opened, casebooks: &Casebooks) -> Result<Source> {
        match &self.data {
            Some(path) => Ok(Source::Data(Box::new(data::read(path, opened)?))),
            None => Source::task(opened.task()?, casebooks),
        }
    }

    /// The options of the study. Reads what the flags name, before the work: all that can be refused of a study of a model
    /// of this shape.
    pub fn options(
        &self,
        path: &Path,
        source: &Source,
        config: &Config,
        engine: &dyn Engine,
        registry: &Registry,
    ) -> Result<StudyOptions> {
        source.material().check(config)?;
        let defaults = StudyOptions::default();
        let (size, inputs) = match source {
            Source::Task(task, _) => {
                let size = self.study_size.unwrap_or(defaults.size);
                data::check(&**task, size)?;
                (size, self.read_lists(&**task)?)
            }
            Source::Data(examples) => (self.study_size.unwrap_or(examples.len()), Vec::new()),
        };
        if size == 0 {
            return Err(Error::invalid("number of examples", "at least 1", 0));
        }
        if !self.others.is_empty() && source.casebook().is_none() {
            let found = source.spec().map_or_else(|| "data of your own".into(), |task| task.to_string());
            return Err(Error::invalid("models of other seeds", "a task whose claims they are asked about", found));
        }
        let title = path.file_name().map_or(defaults.title, |name| name.to_string_lossy().into_owned());
        let others = self.read_others(source, engine, registry)?;
        let labels = source.material().labels(config);
        let asked = self.shown.asked(&labels.tokens, &labels.classes)?;
        let options =
            StudyOptions { title, size, seed: self.study_seed, inputs, others, asked, proved: None, provenance: None };
        options.check(config)?;
        Ok(options)
    }

    /// Where the study of a model comes from.
    pub fn provenance(&self, opened: &Opened, engine: &dyn Engine, vectors: Vectors, command: &str) -> Provenance {
        let seed = self.data.is_none().then(|| self.study_seed.into());
        Provenance::of(&opened.sha256, engine, vectors, command, seed)
    }

    /// Checks that no model of another seed is the studied one.
    pub fn check_others(&self, opened: &Opened, options: &StudyOptions) -> Result<()> {
        let studied = if self.raw { opened.model.clone() } else { opened.model.process().model };
        let check = |(path, other): (&PathBuf, &Model)| {
            check_other(&studied, other).map_err(|error| Error::InFile { path: path.clone(), error: Box::new(error) })
        };
        self.others.iter().zip(&options.others).try_for_each(check)
    }

    /// The certificate of a model, if one is named.
    pub fn proof(&self, opened: &Opened) -> Result<Option<Proof>> {
        self.proof.as_deref().map(|path| proof::read(path, opened)).transpose()
    }

    /// Studies a model; `None` of `log` looks for the log of its training beside it.
    #[expect(clippy::too_many_arguments, reason = "a model, what it is studied on, and where from")]
    pub fn study(
        &self,
        path: &Path,
        opened: Opened,
        source: &Source,
        options: &StudyOptions,
        log: Option<&Path>,
        engine: &dyn Engine,
        terminal: &Terminal,
    ) -> Result<Studied> {
        let training = training(path, &opened, log)?;
        let opened = opened.processed(!self.raw);
        let subject = Subject { model: &opened.model, engine };
        let bar = terminal.spinner();
        let mut watch = |stage: Stage| {
            bar.set_message(format!("{} ({} of {})", stage.what, stage.done + 1, stage.total));
            bar.tick();
            if terminal.interrupted() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let found = study(subject, source.material(), source.casebook(), options, &opened.processing, &mut watch);
        bar.finish_and_clear();
        if let Err(Error::Cancelled) = found {
            warn("algolens: interrupted; nothing of the study was written");
        }
        let (mut study, mut arrays) = found?;
        if study.task.is_some() && opened.used_task().is_some_and(|found| found.assumed) {
            study.assume_task();
        }
        if let Some(training) = training {
            training.add_to(&mut study, &mut arrays);
        }
        Ok(Studied { study, arrays, worst: Vec::new(), proof: None })
    }

    fn read_lists(&self, task: &dyn Task) -> Result<Vec<Vec<Token>>> {
        if self.lists.is_empty() {
            return Ok(Vec::new());
        }
        let lists = crate::lists::read(&self.lists, task)?;
        Ok(lists.tokens().outer_iter().map(|list| Material::Task(task).input(&list.to_vec())).collect())
    }

    fn read_others(&self, source: &Source, engine: &dyn Engine, registry: &Registry) -> Result<Vec<Model>> {
        let open = |path: &PathBuf| {
            let opened = Opened::read(path, &Said::default(), registry)?.processed(!self.raw);
            let config = opened.model.config();
            let fits = source.material().check(config);
            // The engine is the first model's: it says whether it runs this one too.
            let no_lists = ndarray::Array2::zeros((0, config.n_ctx));
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
        Classes::over(Space::of(self.study.task.as_ref()?).ok()?).ok()
    }

    fn report(&self) -> Report<'_> {
        Report { study: &self.study, arrays: &self.arrays, proof: self.proof.as_ref() }
    }

    /// The page, in HTML.
    pub fn page(&self) -> Result<String> {
        Ok(algolens_report::page(&self.report())?)
    }

    /// The page's figures, drawn, with their numbers.
    pub fn figures(&self) -> Result<Vec<FigureFile>> {
        Ok(algolens_report::figures(&self.report())?)
    }

    /// The page's data, as JSON.
    pub fn data(&self) -> Result<String> {
        Ok(algolens_report::data(&self.report())? + "\n")
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
    if let Ok(Some(run)) = files.state(&opened.registry, None) {
        let same = run.finished() && run.best() == opened.model;
        return Ok(same.then(|| Training { recipe: Some(run.recipe().clone()), history: run.history().to_vec() }));
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
