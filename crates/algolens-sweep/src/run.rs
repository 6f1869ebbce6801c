//! One run of a sweep: a model trained, studied, and in the end a row.

use crate::{Plan, Program, Row, digest};
use algolens::{
    Error, Result,
    engine::{Backend, Engine, Vectors},
    interpret::{self, Arrays, Material, Study, StudyOptions, Subject, Training, study},
    model::{
        Model,
        checkpoint::{Checkpoint, Hints},
        processing::Processed,
    },
    observer::Observer,
    provenance::Provenance,
    task::Task,
    train::{EpochRecord, Event, Progress, Run},
};
use std::{
    ops::ControlFlow,
    time::{Duration, Instant},
};

/// Where a run stands.
#[derive(Clone, Copy, Debug)]
pub enum Stage {
    /// A step was taken.
    Step(Progress),
    /// The study has come so far.
    Study(interpret::Stage),
}

/// How the states are saved from which a run can go on.
pub struct Saving<'a> {
    /// How long it takes from one to the next.
    pub every: Duration,
    /// Saves one.
    pub save: &'a mut dyn FnMut(&[u8]) -> Result<()>,
}

impl Saving<'_> {
    /// How long it takes from one state to the next unless somebody says.
    pub const EVERY: Duration = Duration::from_secs(40);
}

/// What is left of a run.
#[derive(Clone, Debug)]
pub struct Done {
    /// Its row.
    pub row: Row,
    /// Its model, as the bytes of a checkpoint; none where training failed.
    pub model: Option<Vec<u8>>,
    /// Its epochs, a line of JSON each.
    pub log: String,
}

/// Does one run of a plan: trains its model and studies it. It goes on from `begun`, if that is a state of this run.
///
/// What makes the run fail is in its row.
///
/// # Errors
/// [`Error::Cancelled`], once where it stands is saved; a state that cannot be saved.
pub fn run(
    plan: &Plan,
    number: usize,
    program: &Program,
    begun: Option<&[u8]>,
    saving: &mut Saving,
    observer: &mut dyn Observer<Stage>,
) -> Result<Done> {
    let row = Row::begun(digest(plan)?, plan.name(number), plan.fields(number));
    let mut done = Done { row, model: None, log: String::new() };
    let mut states = States { saving, kept: None, taken: Instant::now(), saved: Instant::now(), failed: None };
    let result = (Work { plan, number, program }).fill(&mut done, begun, &mut states, observer);
    if let Some(error) = states.failed {
        return Err(error);
    }
    match result.and_then(|()| done.row.check()) {
        Err(Error::Cancelled) => {
            states.save()?;
            Err(Error::Cancelled)
        }
        Err(error) => {
            done.row.fail(&error);
            Ok(done)
        }
        Ok(()) => Ok(done),
    }
}

/// The states of a run: the last is kept, and saved now and then, and where the run is ended.
struct States<'a, 's> {
    saving: &'a mut Saving<'s>,
    kept: Option<Vec<u8>>,
    taken: Instant,
    saved: Instant,
    failed: Option<Error>,
}

impl States<'_, '_> {
    /// Keeps the state of a finished epoch, unless it has just kept one.
    fn epoch(&mut self, run: &Run) -> ControlFlow<()> {
        const TAKE_EVERY: Duration = Duration::from_secs(1);
        if self.taken.elapsed() < TAKE_EVERY.min(self.saving.every) {
            return ControlFlow::Continue(());
        }
        let kept = run.to_bytes().map(|bytes| self.kept = Some(bytes));
        self.taken = Instant::now();
        let is_due = self.saved.elapsed() >= self.saving.every;
        match kept.and_then(|()| if is_due { self.save() } else { Ok(()) }) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                self.failed = Some(error);
                ControlFlow::Break(())
            }
        }
    }

    /// Saves what is kept.
    fn save(&mut self) -> Result<()> {
        self.saved = Instant::now();
        self.kept.take().map_or(Ok(()), |kept| (self.saving.save)(&kept))
    }
}

/// The report of a run's model as a page; `log` has the run's epochs.
///
/// # Errors
/// A model that is none, or not of this run; a log that is none; [`Error::Cancelled`].
pub fn report(
    plan: &Plan,
    number: usize,
    program: &Program,
    model: Vec<u8>,
    log: &str,
    observer: &mut dyn Observer<interpret::Stage>,
) -> Result<String> {
    let work = Work { plan, number, program };
    let recipe = plan.recipe(number, program)?;
    let task = program.task(recipe.task_spec()?)?;
    let Checkpoint { model, .. } = Checkpoint::from_bytes(model, &Hints::default())?.checkpoint;
    let vectors = work.vectors()?;
    let engine = Backend::best(model.config()).engine(vectors);
    let provenance = work.provenance(&model, &*engine, vectors, recipe.seed);
    let (mut study, mut arrays) = work.study(&model, &*task, &*engine, provenance, observer)?;
    Training { recipe: Some(recipe), history: EpochRecord::of_log(log)? }.add_to(&mut study, &mut arrays);
    Ok(algolens_report::page(&algolens_report::Report { study: &study, arrays: &arrays, proof: None })?)
}

/// The path of a run's model in a sweep's folder.
pub(crate) fn checkpoint(name: &str) -> String {
    format!("runs/{name}.safetensors")
}

/// One run of a plan.
#[derive(Clone, Copy)]
struct Work<'a> {
    plan: &'a Plan,
    number: usize,
    program: &'a Program,
}

impl Work<'_> {
    fn fill(
        self,
        done: &mut Done,
        begun: Option<&[u8]>,
        states: &mut States,
        observer: &mut dyn Observer<Stage>,
    ) -> Result<()> {
        let Done { row, model, log } = done;
        let recipe = self.plan.recipe(self.number, self.program)?;
        let task = self.program.task(recipe.task_spec()?)?;
        let mut run = Run::on_task(recipe, task.clone())?;
        row.recipe = Some(run.recipe().clone());
        let begun = begun.and_then(|bytes| Run::from_bytes_of_task(bytes, task.clone()).ok());
        if let Some(begun) = begun.filter(|begun| begun.resumable_by(run.recipe()).is_ok()) {
            run = begun;
        }
        let vectors = self.vectors()?;
        let engine = Backend::best(run.model().config()).engine(vectors);
        let trained = run.train(&*engine, &mut |event: Event<'_>| match event {
            Event::Step(step) => observer.on(Stage::Step(step)),
            Event::Epoch(run) => states.epoch(run),
            Event::Checkpoint { .. } => ControlFlow::Continue(()),
        });
        row.epochs = Some(run.history().len());
        row.kept = run.history().iter().rfind(|record| record.best).cloned();
        *log = EpochRecord::log(run.history())?;
        trained?;
        let best = run.best();
        let provenance = self.provenance(&best, &*engine, vectors, run.recipe().seed);
        row.provenance = Some(provenance.clone());
        row.checkpoint = Some(checkpoint(&row.run));
        *model = Some(Checkpoint { model: best.clone(), task: run.recipe().task.clone() }.to_bytes()?);
        let mut stages = |stage| observer.on(Stage::Study(stage));
        let (study, _) = self.study(&best, &*task, &*engine, provenance, &mut stages)?;
        row.evaluation = Some(study.evaluation);
        row.known = study.known;
        row.ablation = Some(study.ablation);
        row.claims = study.findings.into_iter().map(Into::into).collect();
        Ok(())
    }

    fn study(
        self,
        model: &Model,
        task: &dyn Task,
        engine: &dyn Engine,
        provenance: Provenance,
        observer: &mut dyn Observer<interpret::Stage>,
    ) -> Result<(Study, Arrays)> {
        let casebook = self.program.casebook(task)?;
        let options = StudyOptions {
            title: self.plan.name(self.number),
            size: self.plan.study.size,
            seed: self.plan.study.seed,
            provenance: Some(provenance),
            ..StudyOptions::default()
        };
        let Processed { model, applied } = model.process();
        let subject = Subject { model: &model, engine };
        study(subject, Material::Task(task), casebook.as_deref(), &options, &applied, observer)
    }

    fn vectors(self) -> Result<Vectors> {
        self.plan.vectors.as_deref().map_or_else(|| Ok(Vectors::best()), Vectors::named)
    }

    fn provenance(self, model: &Model, engine: &dyn Engine, vectors: Vectors, seed: u64) -> Provenance {
        Provenance::of(model.sha256(), engine, vectors, format!("sweep, {}", self.plan.name(self.number)), Some(seed))
    }
}
