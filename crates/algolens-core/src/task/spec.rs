//! Tasks by name and options: what files record, and what a user types.

use crate::{Error, Result};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};
use std::{fmt, str::FromStr};

/// A task by name and options. As text `sorted_list(list_len=10,max_value=50)`; in JSON and TOML the options stand beside the
/// name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskSpec {
    /// The name, under which a [`Registry`](super::Registry) knows the kind of task.
    pub name: String,
    /// The options, such as sizes, by name.
    #[serde(flatten)]
    pub options: Map<String, Value>,
}

impl TaskSpec {
    /// A task without options: all that its kind has are left to it.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), options: Map::new() }
    }

    /// The spec with one more option, which is not called `name`: in files it stands beside the task's.
    pub fn with(mut self, option: &str, value: impl Into<Value>) -> Self {
        self.options.insert(option.into(), value.into());
        self
    }
}

impl fmt::Display for TaskSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        let options = self.options.iter().map(|(option, value)| match value {
            Value::String(word) => format!("{option}={word}"),
            other => format!("{option}={other}"),
        });
        let options: Vec<String> = options.collect();
        if options.is_empty() { Ok(()) } else { write!(f, "({})", options.join(",")) }
    }
}

impl FromStr for TaskSpec {
    type Err = Error;

    /// Values are numbers, `true` and `false`, or words.
    fn from_str(text: &str) -> Result<Self> {
        let malformed = || Error::invalid("task", "NAME, or NAME(OPTION=VALUE,…)", format!("{text:?}"));
        let (name, options) = match text.trim().split_once('(') {
            None => (text.trim(), ""),
            Some((name, rest)) => (name.trim(), rest.strip_suffix(')').ok_or_else(malformed)?),
        };
        let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
        if name.is_empty() || !name.chars().all(is_word) {
            return Err(malformed());
        }
        let mut spec = Self::new(name);
        for option in options.split(',').filter(|option| !option.trim().is_empty()) {
            let (option, value) = option.split_once('=').ok_or_else(malformed)?;
            let (option, value) = (option.trim(), value.trim());
            if option == "name" {
                return Err(Error::invalid("task", "an option that a task has, which none calls `name`", text));
            }
            let value = serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.into()));
            if spec.options.insert(option.into(), value).is_some() {
                return Err(Error::invalid("task", "distinct options", format!("{option} twice")));
            }
        }
        Ok(spec)
    }
}

/// The options of a spec, taken one by one by the kind of task that they are for.
pub struct Options {
    left: Map<String, Value>,
    known: Vec<&'static str>,
}

impl Options {
    pub(super) fn new(options: Map<String, Value>) -> Self {
        Self { left: options, known: Vec::new() }
    }

    /// The value of an option, or its default where the spec leaves it out.
    ///
    /// # Errors
    /// A value of another type.
    pub fn take<T: DeserializeOwned>(&mut self, option: &'static str, default: T) -> Result<T> {
        self.known.push(option);
        let Some(value) = self.left.remove(option) else { return Ok(default) };
        let found = value.to_string();
        serde_json::from_value(value).map_err(|error| {
            let said = error.to_string();
            let expected = said.rsplit_once("expected ").map_or(said.as_str(), |(_, expected)| expected);
            Error::invalid(option, expected, found)
        })
    }

    /// Whether the kind of task of this name has taken all.
    ///
    /// # Errors
    /// Names the first that it does not have, and those that it has.
    pub(super) fn finish(self, name: &str) -> Result<()> {
        match self.left.keys().next() {
            None => Ok(()),
            Some(unknown) => {
                let known = if self.known.is_empty() { "none".into() } else { self.known.join(" or ") };
                Err(Error::invalid(format!("option of {name}"), known, unknown))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_json_give_the_same_spec() {
        let spec = TaskSpec::new("sorted_list").with("list_len", 10).with("max_value", 50);
        assert_eq!(spec.to_string(), "sorted_list(list_len=10,max_value=50)");
        assert_eq!("sorted_list( max_value = 50, list_len=10 )".parse::<TaskSpec>().unwrap(), spec);
        let json = r#"{"name":"sorted_list","list_len":10,"max_value":50}"#;
        assert_eq!(serde_json::to_string(&spec).unwrap(), json);
        assert_eq!(serde_json::from_str::<TaskSpec>(json).unwrap(), spec);
        let mixed = TaskSpec::new("sum").with("word", "plus").with("carry", true).with("rate", 0.5);
        assert_eq!(mixed.to_string().parse::<TaskSpec>().unwrap(), mixed);
        assert_eq!("cumsum".parse::<TaskSpec>().unwrap(), TaskSpec::new("cumsum"));
    }

    #[test]
    fn malformed_text_is_refused() {
        for text in ["", "(n=1)", "sum(n=1", "sum(n)", "sum n", "sum(n=1,n=2)"] {
            let said = text.parse::<TaskSpec>().unwrap_err().to_string();
            assert!(said.starts_with("task: expected"), "{said}");
        }
    }
}
