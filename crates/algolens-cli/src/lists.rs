//! The lists that a user gives.

use algolens::{
    Error, Result,
    task::{Dataset, Task, Token},
};
use std::io::{BufRead, Read};

/// The longest line of lists, in bytes.
const LONGEST_LINE: u64 = 1 << 20;

/// The lists of arguments, each a list or `-` for the lines of the standard input.
pub fn read(arguments: &[String], task: &dyn Task) -> Result<Dataset> {
    let mut lists = Vec::new();
    for argument in arguments {
        if argument == "-" {
            lists.extend(from_stdin(task)?);
        } else {
            lists.push(
                task.parse_input(argument).map_err(|error| in_list(&format!("list {}", lists.len() + 1), &error))?,
            );
        }
    }
    if lists.is_empty() {
        return Err(Error::invalid("lists", "at least one", 0));
    }
    for (at, list) in lists.iter().enumerate() {
        // The library names what is wrong; with many lists the user needs to know in which.
        task.complete(list).map_err(|error| in_list(&format!("list {}", at + 1), &error))?;
    }
    Dataset::from_inputs(task, &lists)
}

/// An error of a list, with the list's name.
fn in_list(name: &str, error: &Error) -> Error {
    match error {
        Error::Invalid { what, expected, found } if what == "list" => Error::invalid(name, expected.clone(), found),
        Error::Invalid { what, expected, found } => Error::invalid(format!("{name}, {what}"), expected.clone(), found),
        other => Error::invalid(name, "a list of the task", other),
    }
}

fn from_stdin(task: &dyn Task) -> Result<Vec<Vec<Token>>> {
    let mut stdin = std::io::stdin().lock();
    let mut lists = Vec::new();
    for number in 1.. {
        let mut line = String::new();
        let read = stdin.by_ref().take(LONGEST_LINE).read_line(&mut line);
        match read.map_err(|error| Error::invalid("standard input", "lines of text", error))? {
            0 => break,
            read if read as u64 == LONGEST_LINE => {
                let what = format!("line {number} of the standard input");
                return Err(Error::invalid(what, format!("fewer than {LONGEST_LINE} bytes"), "more"));
            }
            _ if line.trim().is_empty() => {}
            _ => {
                let line = task.parse_input(&line);
                let name = format!("line {number} of the standard input");
                lists.push(line.map_err(|error| in_list(&name, &error))?);
            }
        }
    }
    Ok(lists)
}
