//! The lists that a user gives.

use algolens::{
    Error, Result,
    task::{Dataset, SortedList, Token},
};
use std::io::{BufRead, Read};

/// The longest line of lists, in bytes.
const LONGEST_LINE: u64 = 1 << 20;

/// The lists of arguments, each a list or `-` for the lines of the standard input.
pub fn read(arguments: &[String], task: &SortedList) -> Result<Dataset> {
    let mut lists = Vec::new();
    for argument in arguments {
        if argument == "-" {
            lists.extend(from_stdin()?);
        } else {
            lists.push(parse(argument, &format!("list {}", lists.len() + 1))?);
        }
    }
    if lists.is_empty() {
        return Err(Error::invalid("lists", "at least one", 0));
    }
    for (at, list) in lists.iter().enumerate() {
        // The library names what is wrong; with many lists the user needs to know in which.
        task.check_list(list).map_err(|error| in_list(at + 1, &error))?;
    }
    Dataset::from_inputs(task, &lists)
}

fn in_list(number: usize, error: &Error) -> Error {
    match error {
        Error::Invalid { what, expected, found } if what == "list" => {
            Error::invalid(format!("list {number}"), expected.clone(), found)
        }
        Error::Invalid { what, expected, found } => {
            Error::invalid(format!("list {number}, {what}"), expected.clone(), found)
        }
        other => Error::invalid(format!("list {number}"), "a list of the task", other),
    }
}

fn from_stdin() -> Result<Vec<Vec<Token>>> {
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
            _ => lists.push(parse(&line, &format!("line {number} of the standard input"))?),
        }
    }
    Ok(lists)
}

/// The numbers of a text, parted by commas or blanks.
fn parse(text: &str, what: &str) -> Result<Vec<Token>> {
    text.split(|c: char| c == ',' || c.is_whitespace())
        .filter(|part| !part.is_empty())
        .map(|part| {
            let number = || Error::invalid(what, "numbers parted by commas", format!("{part:?}"));
            part.parse().map_err(|_| number())
        })
        .collect()
}
