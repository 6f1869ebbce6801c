//! Counts over all inputs, as files and in words.

use crate::{load::Opened, output};
use algolens::{
    Error, Result,
    files::{read, write_whole},
    interpret::enumerate::{Enumeration, LeastMargin, Wrong},
    task::{Registry, Task, TaskSpec, Token, labels_of},
};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// What was counted, and of what: the JSON of `eval --all`, of its parts and of their sum.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Counted {
    /// The program's version.
    algolens: String,
    /// SHA-256 of the model's weights and config.
    sha256: String,
    task: TaskSpec,
    task_assumed: bool,
    /// What ran the model: backends and vector instructions differ in rounding.
    backend: String,
    vectors: String,
    #[serde(flatten)]
    pub run: Enumeration,
}

impl Counted {
    /// What was counted of a model.
    pub fn of(opened: &Opened, task: &dyn Task, [backend, vectors]: [&str; 2], run: Enumeration) -> Self {
        Self {
            algolens: env!("CARGO_PKG_VERSION").into(),
            sha256: opened.model.sha256(),
            task: task.spec(),
            task_assumed: opened.used_task().is_some_and(|found| found.assumed),
            backend: backend.into(),
            vectors: vectors.into(),
            run,
        }
    }

    /// The counts that a file's bytes are.
    ///
    /// # Errors
    /// Bytes that are none, and counts that no run has.
    pub fn from_bytes(path: &Path, bytes: &[u8]) -> Result<Self> {
        let found = serde_json::from_slice::<Self>(bytes);
        let found = found.map_err(|error| Error::invalid("counts", "what eval --all --out writes", error));
        let checked = found.and_then(|mut counted| counted.run.check().map(|()| counted));
        checked.map_err(|error| Error::InFile { path: path.into(), error: Box::new(error) })
    }

    /// Writes the counts to a file.
    pub fn write(&self, path: &Path) -> Result<()> {
        write_whole(path, output::json(self)?.as_bytes())
    }

    /// Whether other counts are of the same model, task and program.
    ///
    /// # Errors
    /// Names the first thing that differs.
    pub fn check_like(&self, other: &Self) -> Result<()> {
        let specs = [&self.task, &other.task].map(ToString::to_string);
        for (name, own, found) in [
            ("model", other.sha256.as_str(), self.sha256.as_str()),
            ("task", &specs[1], &specs[0]),
            ("algolens", other.algolens.as_str(), self.algolens.as_str()),
            ("backend", other.backend.as_str(), self.backend.as_str()),
            ("vectors", other.vectors.as_str(), self.vectors.as_str()),
        ] {
            if own != found {
                return Err(Error::invalid(name, own, found));
            }
        }
        self.run.check_like(&other.run)
    }

    /// The counts as JSON or in words.
    pub fn answer(&self, task: &dyn Task, json: bool) -> Result<String> {
        if json { output::json(self) } else { Ok(words(&self.run, task)) }
    }
}

/// The sum of the counts of all parts, in whatever order their files come.
pub fn merge(paths: &[PathBuf], json: bool, registry: &Registry) -> Result<String> {
    let part = |path: &PathBuf| Counted::from_bytes(path, &read(path)?);
    let mut parts = paths.iter().map(|path| Ok((path, part(path)?))).collect::<Result<Vec<_>>>()?;
    parts.sort_by_key(|(_, part)| (part.run.from, part.run.ran));
    let mut parts = parts.into_iter();
    let Some((mut before, mut sum)) = parts.next() else {
        return Err(Error::invalid("parts", "at least one file", "none"));
    };
    let missing =
        |from: u64, to: u64| Err(Error::invalid("parts", format!("one with the inputs {from} to {}", to - 1), "none"));
    if sum.run.from > 0 {
        return missing(0, sum.run.from);
    }
    for (path, part) in parts {
        let in_file = |error| Error::InFile { path: path.clone(), error: Box::new(error) };
        part.check_like(&sum).map_err(in_file)?;
        let (from, done) = (part.run.from, sum.run.to());
        if from > done {
            return missing(done, from);
        }
        if from < done {
            let found =
                format!("{from} to {}, of which {} has some", part.run.to().saturating_sub(1), before.display());
            return Err(in_file(Error::invalid("inputs", format!("{done} and later"), found)));
        }
        sum.run.join(part.run).map_err(in_file)?;
        before = path;
    }
    if !sum.run.is_whole() {
        return missing(sum.run.to(), sum.run.to_run);
    }
    sum.run.check()?;
    sum.answer(&*registry.task(&sum.task)?, json)
}

/// A number with its digits in groups of three.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> =
        (0..digits.len()).rev().step_by(3).map(|end| &digits[end.saturating_sub(2)..=end]).collect();
    groups.into_iter().rev().collect::<Vec<_>>().join(" ")
}

/// Counts in words and tables.
fn words(run: &Enumeration, task: &dyn Task) -> String {
    let labels = task.token_labels();
    let input = |tokens: &[Token]| labels_of(&labels, tokens).join(" ");
    let mut text = verdict(run, &input);
    let row = |name: &str, value: f64, digits: usize| vec![name.to_owned(), format!("{value:.digits$}")];
    text.push('\n');
    text += &output::table(
        &["exact, on all of them", ""],
        [
            row("loss (nats)", run.loss, 6),
            row("token accuracy", run.token_accuracy, 8),
            row("example accuracy", run.accuracy, 8),
        ],
    );
    text += &close(run);
    text += &wrong(run, task, &input);
    text + &families(run, &input)
}

/// One line: how many are right, and the smallest margin.
fn verdict(run: &Enumeration, input: &dyn Fn(&[Token]) -> String) -> String {
    let which = match run.inputs {
        _ if run.is_whole() && run.multisets => {
            format!("all {} inputs ({} multisets)", grouped(run.inputs), grouped(run.ran))
        }
        _ if run.is_whole() => format!("all {} inputs", grouped(run.inputs)),
        0 => format!("0 of {} inputs", grouped(run.of)),
        inputs => {
            let last = run.to() - 1;
            let numbers = if run.multisets { "multisets" } else { "numbers" };
            format!("{} of {} inputs, {numbers} {} to {last}", grouped(inputs), grouped(run.of), run.from)
        }
    };
    let right = if run.right == run.inputs {
        format!("right on {which}")
    } else {
        format!("wrong on {} of {which}", grouped(run.inputs - run.right))
    };
    let least = run.least_margin.as_ref().map_or_else(
        String::new,
        |LeastMargin { margin, input: tokens, position, .. }| {
            format!(", least margin {margin:.4} logits at {}, position {position}", input(tokens))
        },
    );
    right + &least + "\n"
}

fn close(run: &Enumeration) -> String {
    let close = run.close;
    let which = format!("below {} of the largest logit (of 1 if that is more)", close.slack);
    match close.predictions {
        0 if close.slack == 0.0 => "no margin was looked at again in double precision\n".into(),
        0 => format!("no margin is {which}, so none is decided by rounding\n"),
        predictions => format!(
            "margins {which} were looked at again in double precision: {}, of which {} changed sides, by {:.1e} logits at most\n",
            grouped(predictions),
            grouped(close.changed),
            close.largest_change
        ),
    }
}

fn wrong(run: &Enumeration, task: &dyn Task, input: &dyn Fn(&[Token]) -> String) -> String {
    if run.wrong.is_empty() {
        return String::new();
    }
    let labels = task.output_labels();
    let classes = |classes: &[Token]| labels_of(&labels, classes).join("|");
    let row = |Wrong { input: tokens, position, predicted, expected, margin, .. }: &Wrong| {
        let predicted = if *margin == 0.0 { "a tie".into() } else { classes(predicted.classes()) };
        let said = [predicted, classes(expected.classes())];
        [&[input(tokens), position.to_string()], &said[..], &[format!("{margin:.4}")]].concat()
    };
    output::table(&["wrong, the first", "position", "predicted", "expected", "margin"], run.wrong.iter().map(row))
}

/// The members of which some inputs are wrong.
fn families(run: &Enumeration, input: &dyn Fn(&[Token]) -> String) -> String {
    let mut text = String::new();
    for family in &run.families {
        let wrong: Vec<_> = family.members.iter().filter(|member| member.right < member.inputs).collect();
        if wrong.is_empty() {
            continue;
        }
        let rows = wrong.into_iter().map(|member| {
            let share = 100.0 * (member.inputs - member.right) as f64 / member.inputs as f64;
            let first = member.wrong.as_deref().map(input).unwrap_or_default();
            vec![member.name.clone(), grouped(member.inputs), format!("{share:.4} %"), first]
        });
        text.push('\n');
        text += &output::table(&[&family.differs_in, "inputs", "wrong", "the first"], rows);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_stand_in_groups_of_three() {
        assert_eq!([0, 999, 1000, 1_048_320].map(grouped), ["0", "999", "1 000", "1 048 320"]);
    }
}
