//! What a sweep runs.

use crate::{Program, draw::Sample};
use algolens::{
    Error, Result,
    engine::Vectors,
    interpret::StudyOptions,
    task::{SortedList, Task, TaskSpec},
    train::{Fields, Recipe, fields},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// What a sweep runs: a recipe, and what of it differs from run to run. Every combination of a draw of the sample with the values
/// of the grid is a run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Plan {
    /// The fields that all runs share; others are as the task's own recipe has them.
    pub(crate) recipe: Fields,
    /// Values of fields.
    pub(crate) grid: BTreeMap<String, Vec<Value>>,
    /// Draws of fields.
    pub(crate) sample: Option<Sample>,
    /// The examples on which each run's model is studied.
    pub(crate) study: StudyData,
    /// The vector instructions that every run uses, by name, as others round otherwise. Where a plan says none, a sweep has the
    /// best of the machine that begins it.
    pub(crate) vectors: Option<String>,
    /// SHA-256 of examples of a task that no registry knows, whose name alone does not say which it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) own: Option<String>,
}

/// The examples on which a model is studied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct StudyData {
    /// How many.
    pub size: usize,
    /// Their dataset seed.
    pub seed: u32,
}

impl Default for StudyData {
    fn default() -> Self {
        let StudyOptions { size, seed, .. } = StudyOptions::default();
        Self { size, seed }
    }
}

/// A plan as files have it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    recipe: Map<String, Value>,
    #[serde(default)]
    grid: Map<String, Value>,
    sample: Option<SampleFile>,
    #[serde(default)]
    study: StudyData,
    vectors: Option<String>,
    own: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SampleFile {
    draws: usize,
    #[serde(default)]
    seed: u64,
    fields: Map<String, Value>,
}

impl Plan {
    /// The most runs of a sweep.
    pub const MOST_RUNS: usize = 1_000_000;

    /// The plan in TOML.
    ///
    /// # Errors
    /// Names the line of what is no TOML; as [`from_json`](Self::from_json).
    pub fn from_toml(text: &str) -> Result<Self> {
        let value: Value = toml::from_str(text).map_err(|error| {
            let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
            let said: Vec<&str> = error.message().split_whitespace().collect();
            Error::invalid(format!("line {}", 1 + before.matches('\n').count()), "TOML", said.join(" "))
        })?;
        match toml::from_str::<toml::Value>(text).ok().and_then(|value| not_finite("", &value)) {
            Some(path) => Err(Error::invalid(path, "a finite number", "another")),
            None => Self::from_json(value),
        }
    }

    /// The plan in JSON, with the keys of a file: `recipe`, `grid`, `sample`, `study`, `vectors`.
    ///
    /// # Errors
    /// Names a key that there is not, or a value that is none.
    pub fn from_json(value: Value) -> Result<Self> {
        let File { recipe, grid, sample, study, vectors, own } = serde_json::from_value(value)
            .map_err(|error| Error::invalid("sweep", "what a sweep's file holds", error))?;
        let axis = |(path, values): (String, Value)| {
            let values = listed(&path, values)?;
            Ok((path, values))
        };
        let grid = leaves(&grid)?.into_iter().map(axis).collect::<Result<_>>()?;
        let sample = sample.map(|SampleFile { draws, seed, fields }| {
            let draw = |(path, value): (String, Value)| {
                let found = value.to_string();
                let draw = serde_json::from_value(value).map_err(|_| {
                    Error::invalid(&path, "a list, or { from, to, scale = \"linear\" or \"log\" }", found)
                })?;
                Ok((path, draw))
            };
            Ok::<_, Error>(Sample {
                draws,
                seed,
                fields: leaves(&fields)?.into_iter().map(draw).collect::<Result<_>>()?,
            })
        });
        leaves(&recipe)?;
        let plan = Self { recipe: fields(&recipe), grid, sample: sample.transpose()?, study, vectors, own };
        plan.check_shape()?;
        Ok(plan)
    }

    /// What is empty, too much or said twice.
    fn check_shape(&self) -> Result<()> {
        if self.grid.is_empty() && self.sample.is_none() {
            return Err(Error::invalid("sweep", "what differs from run to run: a grid, or a sample", "neither"));
        }
        for (path, values) in &self.grid {
            if values.is_empty() {
                return Err(Error::invalid(format!("grid.{path}"), "at least one value", "none"));
            }
            let mut seen = BTreeSet::new();
            if let Some(twice) = values.iter().find(|value| !seen.insert(value.to_string())) {
                return Err(Error::invalid(format!("grid.{path}"), "distinct values", format!("{twice} twice")));
            }
        }
        self.sample.as_ref().map_or(Ok(()), Sample::check)?;
        let drawn = self.sample.iter().flat_map(|sample| sample.fields.keys());
        if let Some(twice) = drawn.into_iter().find(|path| self.grid.contains_key(*path)) {
            return Err(Error::invalid(twice.as_str(), "a field of the grid or of the sample", "both"));
        }
        let values = self.grid.values().map(Vec::len).chain(self.sample.as_ref().map(|sample| sample.draws));
        let runs = values.fold(1_u128, |runs, values| runs.saturating_mul(values as u128));
        if runs > Self::MOST_RUNS as u128 {
            return Err(Error::TooLarge {
                what: "sweep",
                most: format!("at most {} runs", Self::MOST_RUNS),
                found: runs,
            });
        }
        if self.study.size == 0 {
            return Err(Error::invalid("study.size", "1 or more", 0));
        }
        Ok(())
    }

    /// The plan in the one form that it has however it is said, where recipes have these fields, each of which can have these
    /// values, and the program knows the tasks. Values that do not go together are for their runs to say.
    ///
    /// # Errors
    /// Names the first field that there is not, or whose value it cannot have; a task that no run can have, vector instructions
    /// that this machine has not.
    pub fn check(self, program: &Program) -> Result<Self> {
        self.vectors.as_deref().map(Vectors::named).transpose()?;
        let (_, shared) = parted(self.recipe.clone());
        let (_, of_first) = parted(self.fields(0));
        let together = |one: Fields| shared.clone().into_iter().chain(of_first.clone()).chain(one).collect::<Fields>();
        let drawn = self.sample.iter().flat_map(|sample| &sample.fields).map(|(path, draw)| (path, draw.examples()));
        let values = drawn.chain(self.grid.iter().map(|(path, values)| (path, values.clone())));
        // What the task of the first run has of its own, such as an MLP, may be what another field is of.
        let first = self.task(0, program).and_then(|spec| program.recipe(&spec)).unwrap_or_default();
        first.with(&shared)?;
        for (path, values) in values.filter(|(path, _)| !is_of_task(path)) {
            for value in values {
                first.with(&together(Fields::from([(path.clone(), value)])))?;
            }
        }
        self.check_tasks(program)?;
        self.plain(program)
    }

    /// The plan without shared fields that the recipe of the task has anyway, and with all options of the task.
    fn plain(self, program: &Program) -> Result<Self> {
        if self.swept().into_iter().any(|path| is_of_task(path)) {
            return Ok(self);
        }
        let task = program.task(&self.task(0, program)?)?.spec();
        let own = program.recipe(&task)?;
        let (_, shared) = parted(self.recipe.clone());
        let says = |path: &String, value: &Value| {
            let one = Fields::from([(path.clone(), value.clone())]);
            !own.with(&one).is_ok_and(|same| same == own)
        };
        let mut recipe: Fields = shared.into_iter().filter(|(path, value)| says(path, value)).collect();
        let task = serde_json::to_value(&task).map_err(|error| Error::invalid("task", "JSON", error))?;
        recipe.insert("task".into(), task);
        Ok(Self { recipe, ..self })
    }

    /// Whether each value that says the task does so in some run, of those that are looked at, whose task is known.
    fn check_tasks(&self, program: &Program) -> Result<()> {
        const LOOKED_AT: usize = 1000;
        let (mut known, mut refused) = (BTreeSet::new(), Vec::new());
        for run in 0..self.runs().min(LOOKED_AT) {
            let (task, _) = parted(self.fields(run));
            // What is shared says it too.
            let values = task.into_iter().map(|(path, value)| format!("{path}={value}")).chain([String::new()]);
            match self.task(run, program).and_then(|spec| program.task(&spec)) {
                Ok(_) => known.extend(values),
                Err(error) => refused.push((values.collect::<Vec<_>>(), error)),
            }
        }
        let never = |values: &[String]| values.iter().any(|value| !known.contains(value));
        match refused.into_iter().find(|(values, _)| never(values)) {
            Some((_, error)) => Err(error),
            None => Ok(()),
        }
    }

    /// How many runs there are.
    pub fn runs(&self) -> usize {
        self.draws() * self.grid.values().map(Vec::len).product::<usize>()
    }

    fn draws(&self) -> usize {
        self.sample.as_ref().map_or(1, |sample| sample.draws)
    }

    /// The name of a run: in order of names, runs are in order.
    pub fn name(&self, run: usize) -> String {
        let width = (self.runs() - 1).to_string().len();
        format!("run-{run:0width$}")
    }

    /// The paths of the fields that differ.
    pub fn swept(&self) -> Vec<&String> {
        let mut swept: Vec<&String> =
            self.grid.keys().chain(self.sample.iter().flat_map(|sample| sample.fields.keys())).collect();
        swept.sort();
        swept
    }

    /// What a run has of the fields that differ. Of the grid the last field, by name, changes first; a draw stays longest.
    pub fn fields(&self, run: usize) -> Fields {
        let mut left = run;
        let mut found = Fields::new();
        for (path, values) in self.grid.iter().rev() {
            found.insert(path.clone(), values[left % values.len()].clone());
            left /= values.len();
        }
        if let Some(sample) = &self.sample {
            found.extend(sample.draw(left));
        }
        found
    }

    /// The recipe of a run.
    ///
    /// # Errors
    /// A task that the program does not know; fields that there are not, or values that they cannot have.
    pub fn recipe(&self, run: usize, program: &Program) -> Result<Recipe> {
        let spec = self.task(run, program)?;
        let own = program.recipe(&spec)?;
        let (_, others) = parted(self.said(run));
        Ok(Recipe { task: Some(spec), ..own.with(&others)? })
    }

    /// The task of a run, by name and options.
    fn task(&self, run: usize, program: &Program) -> Result<TaskSpec> {
        let default = match program {
            Program::Known(..) => SortedList::POST.spec(),
            Program::Own(task) => task.spec(),
        };
        let (task, _) = parted(self.said(run));
        Ok(Recipe { task: Some(default), ..Recipe::default() }.with(&task)?.task_spec()?.clone())
    }

    /// All fields that are said of a run: what differs goes before what is shared.
    fn said(&self, run: usize) -> Fields {
        let mut said = self.recipe.clone();
        said.extend(self.fields(run));
        said
    }

    /// The vector instructions that every run uses, by name, if they are said.
    pub fn vectors(&self) -> Option<&str> {
        self.vectors.as_deref()
    }

    /// The plan of a sweep that begins on this machine, with its vector instructions where none are said.
    pub fn beginning(self) -> Self {
        let vectors = self.vectors.or_else(|| Some(Vectors::best().name().into()));
        Self { vectors, ..self }
    }
}

fn is_of_task(path: &str) -> bool {
    path == "task" || path.starts_with("task.")
}

/// The fields that say the task, and the others.
fn parted(fields: Fields) -> (Fields, Fields) {
    fields.into_iter().partition(|(path, _)| is_of_task(path))
}

/// Where a number stands that is none, or infinite.
fn not_finite(path: &str, value: &toml::Value) -> Option<String> {
    let below = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    match value {
        toml::Value::Float(number) if !number.is_finite() => Some(path.to_owned()),
        toml::Value::Array(values) => values.iter().find_map(|value| not_finite(path, value)),
        toml::Value::Table(table) => table.iter().find_map(|(key, value)| not_finite(&below(key), value)),
        _ => None,
    }
}

/// Values by path, where tables below tables say the path.
///
/// # Errors
/// A path that is said twice.
fn leaves(tables: &Map<String, Value>) -> Result<Fields> {
    fn collect(above: &str, tables: &Map<String, Value>, found: &mut Fields) -> Result<()> {
        for (key, value) in tables {
            let path = format!("{above}{key}");
            match value {
                Value::Object(below) if !below.contains_key("from") => collect(&format!("{path}."), below, found)?,
                value => {
                    if found.insert(path.clone(), value.clone()).is_some() {
                        return Err(Error::invalid(path, "to be said once", "it twice"));
                    }
                }
            }
        }
        Ok(())
    }
    let mut found = Fields::new();
    collect("", tables, &mut found)?;
    Ok(found)
}

/// The values of an axis: a list, or whole numbers as `A..B`, without B.
fn listed(path: &str, values: Value) -> Result<Vec<Value>> {
    let wrong =
        |found: String| Error::invalid(format!("grid.{path}"), "a list of values, or \"A..B\" with A < B", found);
    match values {
        Value::Array(values) => Ok(values),
        Value::String(text) => {
            let ends = text.split_once("..").and_then(|(from, to)| from.parse().ok().zip(to.parse().ok()));
            let (from, to): (u64, u64) =
                ends.filter(|(from, to)| from < to).ok_or_else(|| wrong(format!("{text:?}")))?;
            if to - from > Plan::MOST_RUNS as u64 {
                let most = format!("at most {} runs", Plan::MOST_RUNS);
                return Err(Error::TooLarge { what: "sweep", most, found: (to - from).into() });
            }
            Ok((from..to).map(Value::from).collect())
        }
        other => Err(wrong(other.to_string())),
    }
}

#[cfg(test)]
mod tests;
