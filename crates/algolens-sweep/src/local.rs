//! A sweep on one machine.

use crate::{Folder, Program, Row, Saving, Stage, Standout, parquet, report, run, sheet, standouts, table};
use algolens::{Error, Result, interpret, parallel};
use std::{
    ops::ControlFlow,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

/// How far a sweep is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// Runs that are done, those that failed among them.
    pub done: usize,
    /// Runs that failed.
    pub failed: usize,
    /// All runs.
    pub of: usize,
    /// What is being done: of one run, as one of several may be.
    pub line: String,
}

impl Told {
    /// What is being done and how many runs failed, in words.
    pub fn words(&self) -> String {
        let failed = if self.failed > 0 { format!(" · {} failed", self.failed) } else { String::new() };
        format!("{}{failed}", self.line)
    }
}

/// Told how far a sweep is, from several threads; a break ends it.
pub type Teller<'a> = &'a (dyn Fn(Told) -> ControlFlow<()> + Sync);

/// Does all runs of a folder's plan that are not done, as many at a time as there are threads, and writes what they come to
/// together: `rows.parquet`, the page `sweep.html`, and in `reports/` the reports of the runs that stand out. The rows, run by run.
///
/// # Errors
/// [`Error::Cancelled`]: then the same sweep goes on later. A folder that cannot be written.
pub fn sweep(folder: &Folder, program: &Program, tell: Teller) -> Result<Vec<Row>> {
    let mut rows = (0..folder.plan().runs()).map(|run| folder.row(run)).collect::<Result<Vec<_>>>()?;
    let left: Vec<usize> = (0..rows.len()).filter(|run| rows[*run].is_none()).collect();
    let failed = rows.iter().flatten().filter(|row| row.error.is_some()).count();
    let done = AtomicUsize::new(rows.len() - left.len());
    let far = Far { done, failed: AtomicUsize::new(failed), of: rows.len(), ended: Mutex::new(None), tell };
    let found = parallel::one_thread_each(left, |run| {
        if far.has_ended() {
            return None;
        }
        match one(run, program, folder, &far) {
            Ok(row) => Some((run, row)),
            Err(error) => {
                far.end(error);
                None
            }
        }
    })?;
    if let Some(error) = far.take_end() {
        return Err(error);
    }
    found.into_iter().flatten().for_each(|(run, row)| rows[run] = Some(row));
    let rows: Vec<Row> = rows.into_iter().flatten().collect();
    finish(program, folder, &rows, &far)?;
    Ok(rows)
}

/// Does one run, and saves it.
fn one(number: usize, program: &Program, folder: &Folder, far: &Far) -> Result<Row> {
    let name = folder.plan().name(number);
    let mut watch = |stage: Stage| far.tell(|| format!("{name}: {}", line(&stage)));
    let mut save = |bytes: &[u8]| folder.save_state(&name, bytes);
    let mut saving = Saving { every: Saving::EVERY, save: &mut save };
    let done = run(folder.plan(), number, program, folder.state(&name)?.as_deref(), &mut saving, &mut watch)?;
    // What it came to may not count, as where a task of a user's has raised.
    if far.tell(|| format!("{name} is done")).is_break() {
        return Err(Error::Cancelled);
    }
    folder.save(&done)?;
    far.done.fetch_add(1, Ordering::Relaxed);
    if done.row.error.is_some() {
        far.failed.fetch_add(1, Ordering::Relaxed);
    }
    Ok(done.row)
}

fn line(stage: &Stage) -> String {
    match stage {
        Stage::Step(step) => format!("epoch {} · loss {:.4}", step.epoch, step.score.loss()),
        Stage::Study(stage) => stage.what.into(),
    }
}

/// Writes what the rows come to.
fn finish(program: &Program, folder: &Folder, rows: &[Row], far: &Far) -> Result<()> {
    let plan = folder.plan();
    // Of a run that was killed between its row and its state.
    rows.iter().try_for_each(|row| folder.remove_state(&row.run))?;
    folder.write("rows.parquet", &parquet(&table(rows))?)?;
    let found = standouts(rows);
    let missing: Vec<&Standout> = found.iter().filter(|one| !folder.path(&one.report()).exists()).collect();
    let write = |one: &Standout| {
        let name = &rows[one.run].run;
        let (model, log) = folder.model(name)?;
        let mut watch = |stage: interpret::Stage| far.tell(|| format!("report of {name}: {}", stage.what));
        let page = report(plan, one.run, program, model, &log, &mut watch)?;
        folder.write(&one.report(), page.as_bytes())
    };
    parallel::one_thread_each(missing, write)?.into_iter().collect::<Result<()>>()?;
    folder.write("sweep.html", sheet(plan, rows, &found).page()?.as_bytes())
}

/// How far a sweep is, as its threads count it.
struct Far<'a> {
    done: AtomicUsize,
    failed: AtomicUsize,
    of: usize,
    /// What ended the sweep, if anything has: no run begins after it, and those under way end.
    ended: Mutex<Option<Error>>,
    tell: Teller<'a>,
}

impl Far<'_> {
    fn has_ended(&self) -> bool {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    fn end(&self, error: Error) {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
    }

    fn take_end(&self) -> Option<Error> {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn tell(&self, line: impl FnOnce() -> String) -> ControlFlow<()> {
        if self.has_ended() {
            return ControlFlow::Break(());
        }
        let [done, failed] = [&self.done, &self.failed].map(|count| count.load(Ordering::Relaxed));
        (self.tell)(Told { done, failed, of: self.of, line: line() })
    }
}
