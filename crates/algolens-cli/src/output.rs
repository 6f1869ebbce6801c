//! The text that verbs print, and the files they write.

use crate::load::Opened;
use algolens::{
    Error, Result,
    interpret::{Answer, Material, Prediction},
    task::{Task, TaskSpec, Token, labels_of},
};
use comfy_table::{CellAlignment, Table, presets};
use ndarray::ArrayViewD;
use ndarray_npy::{WritableElement, WriteNpyExt};
use serde::Serialize;
use std::{
    ffi::OsString,
    fmt::Display,
    io::{Cursor, Write},
    path::Path,
};
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

/// A command line as a user types it, its program by name.
pub fn command_line(words: &[OsString]) -> String {
    let quoted = |word: &OsString| {
        let word = word.to_string_lossy();
        let is_plain = |c: char| c.is_alphanumeric() || "-_./=,:@%+".contains(c);
        if !word.is_empty() && word.chars().all(is_plain) {
            word.into_owned()
        } else {
            format!("'{}'", word.replace('\'', "'\\''"))
        }
    };
    let program = words.first().and_then(|program| Path::new(program).file_name()).unwrap_or_default();
    let words: Vec<String> = [program.to_owned()].iter().chain(words.iter().skip(1)).map(quoted).collect();
    words.join(" ")
}

/// Prints a verb's answer. A reader that has gone away (a closed pipe) is no error.
pub fn print(text: &str) -> std::io::Result<()> {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

/// Makes the folder for results, so that a place that cannot be written is found before the work.
pub fn make_folder(out: &Path) -> Result<()> {
    std::fs::create_dir_all(out).map_err(|source| Error::File { path: out.into(), source })?;
    algolens::files::check_writable(out)
}

/// A value as indented JSON and a newline.
pub fn json<V: Serialize>(value: &V) -> Result<String> {
    serde_json::to_string_pretty(value)
        .map(|text| text + "\n")
        .map_err(|error| Error::invalid("JSON", "a value that JSON can hold", error))
}

/// A value that was found of a model as indented JSON and a newline: its keys, and the task, if it depends on one.
pub fn json_of<V: Serialize>(opened: &Opened, value: &V) -> Result<String> {
    #[derive(Serialize)]
    struct Of<'a, V> {
        #[serde(flatten)]
        value: &'a V,
        task: Option<TaskSpec>,
        task_assumed: bool,
    }
    let found = opened.used_task();
    let task = found.as_ref().map(|found| found.task.spec());
    json(&Of { value, task, task_assumed: found.is_some_and(|found| found.assumed) })
}

/// A plain table: the first column to the left, the others to the right.
pub fn table(header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(header.to_vec());
    for row in rows {
        table.add_row(row);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let lines: Vec<String> = table.lines().map(|line| line.trim_end().to_owned()).collect();
    lines.join("\n") + "\n"
}

/// Arrays as the bytes of an `.npz` file: a zip archive of one `.npy` each, uncompressed, as `numpy.savez` writes it.
pub fn npz<'a, A: WritableElement + 'a>(
    arrays: impl IntoIterator<Item = (&'a str, ArrayViewD<'a, A>)>,
) -> Result<Vec<u8>> {
    npz_with_tokens(arrays, &[])
}

/// [`npz`] with arrays of tokens or classes.
pub fn npz_with_tokens<'a, A: WritableElement + 'a>(
    arrays: impl IntoIterator<Item = (&'a str, ArrayViewD<'a, A>)>,
    tokens: &[(&str, ArrayViewD<Token>)],
) -> Result<Vec<u8>> {
    fn failed(error: impl Display) -> Error {
        Error::invalid("npz", "arrays that it can hold", error)
    }
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, array) in arrays {
        archive.start_file(format!("{name}.npy"), options).map_err(failed)?;
        array.write_npy(&mut archive).map_err(failed)?;
    }
    for (name, tokens) in tokens {
        archive.start_file(format!("{name}.npy"), options).map_err(failed)?;
        tokens.mapv(i64::from).write_npy(&mut archive).map_err(failed)?;
    }
    archive.finish().map(Cursor::into_inner).map_err(failed)
}

/// The values of a list, parted by blanks.
pub fn spaced(values: &[Token]) -> String {
    values.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

/// Ascending numbers in short: `3, 5 to 9`.
pub fn ranges(numbers: &[usize]) -> String {
    let runs = numbers.chunk_by(|a, b| a + 1 == *b);
    let run = |run: &[usize]| match run {
        [first, .., last] => format!("{first} to {last}"),
        _ => run.iter().map(ToString::to_string).collect(),
    };
    runs.map(run).collect::<Vec<_>>().join(", ")
}

/// The input of an example by its labels, parted by blanks, without what fills it up.
pub fn input(task: &dyn Task, example: &[Token]) -> String {
    labels_of(&task.token_labels(), &Material::Task(task).input(example)).join(" ")
}

/// The predictions on a list in three lines, wrong ones marked.
pub fn prediction(prediction: &Prediction, labels: &[String]) -> String {
    let label = |token: &Token| labels.get(*token as usize).cloned().unwrap_or_else(|| token.to_string());
    let classes = |answer: &Answer| answer.classes().iter().map(label).collect::<Vec<_>>().join("|");
    let mut lines = [String::from("  expected "), String::from("  predicted"), String::from("  p(right) ")];
    for (at, predicted) in prediction.predicted.iter().enumerate() {
        let (expected, prob) = (classes(&prediction.expected[at]), prediction.prob_expected[at]);
        let cells = match prediction.correct_at[at] {
            None => ["–".into(), classes(predicted), "–".into()],
            Some(true) => [expected, classes(predicted), format!("{prob:.3}")],
            Some(false) => [expected, format!("✗{}", classes(predicted)), format!("{prob:.3}")],
        };
        let width = cells.iter().map(|cell| cell.chars().count()).fold(6, usize::max);
        for (line, cell) in lines.iter_mut().zip(cells) {
            line.push_str(&format!(" {cell:>width$}"));
        }
    }
    lines.join("\n") + "\n"
}
