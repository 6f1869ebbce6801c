//! Sweeps: plans, their runs, and what rows come to.

use crate::{
    error::{carried, raised},
    json,
    task::Task,
    watch::Watch,
};
use algolens::{Error, interpret, interpret::Casebooks, task::Registry};
use algolens_sweep::{Folder, Plan, Program, Row, Saving, Stage, Standout, Told, begun, check_begun, digest};
use pyo3::{prelude::*, types::PyBytes};
use std::{
    ops::ControlFlow,
    path::PathBuf,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

/// A plan, checked, and the tasks that its runs are about.
#[pyclass(frozen)]
pub struct Sweep {
    plan: Plan,
    digest: String,
    program: Program,
    /// Where it is Python's.
    own: Option<Py<Task>>,
}

/// What is left of a run: its row as JSON, its model, and its log.
type Left<'py> = (Bound<'py, PyBytes>, Option<Bound<'py, PyBytes>>, String);

#[pymethods]
impl Sweep {
    /// The sweep of a plan, as TOML or JSON, of ours or of a user's task; checked, unless it has been.
    #[new]
    #[pyo3(signature = (plan, toml=false, own=None, checked=false))]
    fn new(py: Python<'_>, plan: &str, toml: bool, own: Option<Py<Task>>, checked: bool) -> PyResult<Self> {
        let plan = if toml { Plan::from_toml(plan) } else { Plan::from_json(json::parsed("plan", plan)?) };
        let program = match &own {
            Some(own) => Program::Own(own.get().task().clone()),
            None => Program::Known(Registry::default(), Casebooks::default()),
        };
        let plan = plan.map_err(raised)?;
        let plan = if checked { plan } else { py.detach(|| plan.check(&program)).map_err(raised)? };
        Ok(Self { digest: digest(&plan).map_err(raised)?, plan, program, own })
    }

    /// The plan, as JSON.
    #[getter]
    fn plan(&self) -> PyResult<String> {
        json::written("plan", &self.plan)
    }

    /// The sweep as it begins on this machine, where nothing stands in its folder, or goes on with what does.
    #[pyo3(signature = (found=None))]
    fn settled(&self, py: Python<'_>, found: Option<&[u8]>) -> PyResult<Self> {
        let plan = match found {
            Some(found) => check_begun(found, self.plan.clone()).map_err(raised)?,
            None => self.plan.clone().beginning(),
        };
        let (program, own) = (self.program.clone(), self.own.as_ref().map(|own| own.clone_ref(py)));
        Ok(Self { digest: digest(&plan).map_err(raised)?, plan, program, own })
    }

    /// What stands in the folder of the sweep, as JSON.
    #[getter]
    fn begun(&self) -> PyResult<String> {
        begun(&self.plan).map_err(raised)
    }

    /// The vector instructions that every run uses, if they are said.
    #[getter]
    fn vectors(&self) -> Option<&str> {
        self.plan.vectors()
    }

    /// The name of a run.
    fn name(&self, run: usize) -> String {
        self.plan.name(run)
    }

    /// The names of the runs, in order.
    #[getter]
    fn names(&self) -> Vec<String> {
        (0..self.plan.runs()).map(|run| self.plan.name(run)).collect()
    }

    /// Does one run, from a state, if there is one; every so many seconds `save` is called with a state from which it can go on.
    #[pyo3(signature = (run, state=None, save=None, every=None, progress=None))]
    fn run<'py>(
        &self,
        py: Python<'py>,
        run: usize,
        state: Option<&[u8]>,
        save: Option<Py<PyAny>>,
        every: Option<f64>,
        progress: Option<Py<PyAny>>,
    ) -> PyResult<Left<'py>> {
        let mut watch = Watch::new(progress);
        let seconds = |every| {
            let wrong = |_| raised(Error::invalid("every", "seconds from one state to the next", every));
            Duration::try_from_secs_f64(every).map_err(wrong)
        };
        let every = every.map_or(Ok(Saving::EVERY), seconds)?;
        let result = py.detach(|| {
            let of = self.plan.recipe(run, &self.program).map_or(0, |recipe| recipe.epochs as u64);
            let mut observer = |stage: Stage| match stage {
                Stage::Step(step) => {
                    watch.tell(|| (step.epoch as u64 - 1, of, format!("loss {:.4}", step.score.loss())))
                }
                Stage::Study(stage) => watch.tell(|| (of, of, stage.what.into())),
            };
            let mut save = |bytes: &[u8]| match &save {
                None => Ok(()),
                Some(save) => Python::attach(|py| save.call1(py, (PyBytes::new(py, bytes),)).map(drop))
                    .map_err(|error| carried("save", error)),
            };
            let mut saving = Saving { every, save: &mut save };
            algolens_sweep::run(&self.plan, run, &self.program, state, &mut saving, &mut observer)
        });
        self.raised(py)?;
        let done = watch.outcome(py, result)?;
        let row = done.row.to_bytes().map_err(raised)?;
        Ok((PyBytes::new(py, &row), done.model.map(|model| PyBytes::new(py, &model)), done.log))
    }

    /// Whether a row as JSON is one of this run.
    fn check_row(&self, run: usize, row: &[u8]) -> PyResult<()> {
        self.row(run, row).map(drop)
    }

    /// The rows as a Parquet file.
    fn table<'py>(&self, py: Python<'py>, rows: Vec<Vec<u8>>) -> PyResult<Bound<'py, PyBytes>> {
        let columns = algolens_sweep::table(&self.rows(&rows)?);
        Ok(PyBytes::new(py, &algolens_sweep::parquet(&columns).map_err(raised)?))
    }

    /// The runs that stand out: their numbers, and the paths of their reports.
    fn standouts(&self, rows: Vec<Vec<u8>>) -> PyResult<Vec<(usize, String)>> {
        let found = algolens_sweep::standouts(&self.rows(&rows)?);
        Ok(found.into_iter().map(|one: Standout| (one.run, one.report())).collect())
    }

    /// The report of a run, from its model and log.
    fn report(&self, py: Python<'_>, run: usize, model: Vec<u8>, log: &str) -> PyResult<String> {
        let mut watch = Watch::new(None);
        let result = py.detach(|| {
            let mut tell =
                |stage: interpret::Stage| watch.tell(|| (stage.done as u64, stage.total as u64, String::new()));
            algolens_sweep::report(&self.plan, run, &self.program, model, log, &mut tell)
        });
        self.raised(py)?;
        watch.outcome(py, result)
    }

    /// The page of the rows.
    fn page(&self, rows: Vec<Vec<u8>>) -> PyResult<String> {
        self.sheet(&rows)?.page().map_err(crate::study::failed)
    }

    /// The figures of the page: name, SVG, and numbers as CSV.
    fn figures(&self, rows: Vec<Vec<u8>>) -> PyResult<Vec<(String, String, String)>> {
        let figures = self.sheet(&rows)?.figures().map_err(crate::study::failed)?;
        Ok(figures.into_iter().map(|file| (file.name, file.svg, file.csv)).collect())
    }

    /// Does all runs on this machine, in a folder. `progress` is called with the runs that are done, of how many, and a line.
    #[pyo3(signature = (folder, progress=None))]
    fn local(&self, py: Python<'_>, folder: PathBuf, progress: Option<Py<PyAny>>) -> PyResult<()> {
        let folder = Folder::open(&folder, self.plan.clone()).map_err(raised)?;
        let mut watch = Watch::new(progress);
        let result = py.detach(|| self.watched(&folder, &mut watch));
        self.raised(py)?;
        watch.outcome(py, result)
    }
}

impl Sweep {
    /// Does all runs on other threads, while this one, which alone hears of interrupts, watches.
    fn watched(&self, folder: &Folder, watch: &mut Watch) -> algolens::Result<()> {
        const EVERY: Duration = Duration::from_millis(50);
        let (stop, last) = (AtomicBool::new(false), Mutex::new(None::<Told>));
        let tell = |told: Told| {
            *last.lock().unwrap_or_else(PoisonError::into_inner) = Some(told);
            let has_raised = self.own.as_ref().is_some_and(|own| own.get().has_raised());
            if has_raised || stop.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        std::thread::scope(|scope| {
            let work = scope.spawn(|| algolens_sweep::sweep(folder, &self.program, &tell).map(drop));
            while !work.is_finished() {
                std::thread::sleep(EVERY);
                let told = last.lock().unwrap_or_else(PoisonError::into_inner).clone();
                let far = told.map_or((0, 0, String::new()), |told| (told.done as u64, told.of as u64, told.words()));
                if watch.tell(|| far).is_break() {
                    stop.store(true, Ordering::Relaxed);
                }
            }
            work.join().unwrap_or_else(|_| Err(Error::invalid("sweep", "threads that end", "a panic")))
        })
    }

    fn row(&self, run: usize, row: &[u8]) -> PyResult<Row> {
        Row::parse(row, &self.plan.name(run), &self.digest).map_err(raised)
    }

    fn rows(&self, rows: &[Vec<u8>]) -> PyResult<Vec<Row>> {
        rows.iter().enumerate().map(|(run, row)| self.row(run, row)).collect()
    }

    fn sheet(&self, rows: &[Vec<u8>]) -> PyResult<algolens_report::Sheet> {
        let rows = self.rows(rows)?;
        Ok(algolens_sweep::sheet(&self.plan, &rows, &algolens_sweep::standouts(&rows)))
    }

    /// What a user's task has raised.
    fn raised(&self, py: Python<'_>) -> PyResult<()> {
        self.own.as_ref().map_or(Ok(()), |own| own.get().raised(py))
    }
}
