//! The folder of a sweep.

use crate::{Done, Plan, Row, begun, check_begun, digest, run::checkpoint};
use algolens::{
    Error, Result,
    files::{Lock, read, write_whole},
};
use std::{
    ffi::OsStr,
    io,
    path::{Path, PathBuf},
};

/// The folder of a sweep: `sweep.json` (the plan), `rows/` (a file a run that is done), `runs/` (models, logs, and the states of
/// runs that are not done), and in the end `rows.parquet`, `sweep.html` and `reports/`. Every file is written whole. One process at
/// a time has it.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    plan: Plan,
    digest: String,
    _lock: Lock,
}

impl Folder {
    /// The folder of a plan's sweep, which is made where it is not there.
    ///
    /// # Errors
    /// A folder of another sweep, of one that another version began, or with other files; one that another process has, or that
    /// cannot be written.
    pub fn open(path: &Path, plan: Plan) -> Result<Self> {
        let failed = |source| Error::File { path: path.into(), source };
        std::fs::create_dir_all(path).map_err(failed)?;
        let lock = Lock::take(&path.join(PLAN))?;
        let file = path.join(PLAN);
        let plan = match read_if_there(&file)? {
            Some(bytes) => check_begun(&bytes, plan).map_err(|error| in_file(&file, error))?,
            None => {
                // What a crash has left is no file yet.
                let is_other = |name: &OsStr| !name.to_string_lossy().starts_with('.') && name != LOCK;
                let mut others = std::fs::read_dir(path).map_err(failed)?.flatten().map(|entry| entry.file_name());
                if others.any(|name| is_other(&name)) {
                    let folder = path.display().to_string();
                    return Err(Error::invalid(
                        folder,
                        format!("an empty folder, or one with a {PLAN}"),
                        "other files",
                    ));
                }
                let plan = plan.beginning();
                write_whole(&file, begun(&plan)?.as_bytes())?;
                plan
            }
        };
        for part in ["rows", "runs", "reports"] {
            std::fs::create_dir_all(path.join(part)).map_err(failed)?;
        }
        Ok(Self { path: path.into(), digest: digest(&plan)?, plan, _lock: lock })
    }

    /// The plan, with what the sweep has settled when it began.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The path of a file of the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The row of a run, if it is done.
    ///
    /// # Errors
    /// A file that is no row of this run.
    pub fn row(&self, number: usize) -> Result<Option<Row>> {
        let name = self.plan.name(number);
        let file = self.path(&row(&name));
        let Some(bytes) = read_if_there(&file)? else { return Ok(None) };
        Row::parse(&bytes, &name, &self.digest).map(Some).map_err(|error| in_file(&file, error))
    }

    /// Writes what is left of a run; its row last, so that a row means that all is there.
    ///
    /// # Errors
    /// A folder that cannot be written.
    pub fn save(&self, done: &Done) -> Result<()> {
        let run = &done.row.run;
        if let Some(model) = &done.model {
            self.write(&checkpoint(run), model)?;
        }
        self.write(&log(run), done.log.as_bytes())?;
        self.write(&row(run), &done.row.to_bytes()?)?;
        self.remove_state(run)
    }

    /// Removes the state of a run, if there is one.
    ///
    /// # Errors
    /// A folder that cannot be written.
    pub fn remove_state(&self, run: &str) -> Result<()> {
        let path = self.path(&state(run));
        match std::fs::remove_file(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => Err(Error::File { path, source }),
            _ => Ok(()),
        }
    }

    /// The state from which a run goes on, if there is one.
    ///
    /// # Errors
    /// One that cannot be read.
    pub fn state(&self, run: &str) -> Result<Option<Vec<u8>>> {
        read_if_there(&self.path(&state(run)))
    }

    /// Saves the state from which a run goes on.
    ///
    /// # Errors
    /// A folder that cannot be written.
    pub fn save_state(&self, run: &str, bytes: &[u8]) -> Result<()> {
        self.write(&state(run), bytes)
    }

    /// The model of a run, and its log.
    ///
    /// # Errors
    /// Files that cannot be read.
    pub fn model(&self, run: &str) -> Result<(Vec<u8>, String)> {
        let file = self.path(&log(run));
        let text =
            String::from_utf8(read(&file)?).map_err(|error| in_file(&file, Error::invalid("log", "text", error)))?;
        Ok((read(&self.path(&checkpoint(run)))?, text))
    }

    /// Writes a file of the folder.
    ///
    /// # Errors
    /// A folder that cannot be written.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<()> {
        write_whole(&self.path(name), bytes)
    }
}

/// The bytes of a file, if it is there.
fn read_if_there(path: &Path) -> Result<Option<Vec<u8>>> {
    match read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(Error::File { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn in_file(path: &Path, error: Error) -> Error {
    Error::InFile { path: path.into(), error: Box::new(error) }
}

const PLAN: &str = "sweep.json";
const LOCK: &str = "sweep.json.lock";

fn row(run: &str) -> String {
    format!("rows/{run}.json")
}

fn log(run: &str) -> String {
    format!("runs/{run}.log.jsonl")
}

fn state(run: &str) -> String {
    format!("runs/{run}.state")
}
