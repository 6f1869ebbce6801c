//! A config file beside a model: JSON or TOML, in the words of TransformerLens's `HookedTransformerConfig`.

use algolens::{Error, Result, files, model::checkpoint::Settings};
use serde_json::{Map, Value};
use std::path::Path;

/// What a config file says.
///
/// # Errors
/// A file that is neither JSON nor TOML, or that says what no model can be that is read.
pub fn read(path: &Path) -> Result<Settings> {
    let config = parse(path, &files::read(path)?)?;
    Settings::from_config(&config).map_err(|error| in_file(path, error))
}

fn in_file(path: &Path, error: Error) -> Error {
    Error::InFile { path: path.into(), error: Box::new(error) }
}

fn parse(path: &Path, bytes: &[u8]) -> Result<Map<String, Value>> {
    let wrong = |expected: &str, found: String| in_file(path, Error::invalid("config", expected, found));
    let text = std::str::from_utf8(bytes).map_err(|error| wrong("UTF-8", error.to_string()))?;
    if text.trim_start().starts_with('{') {
        return serde_json::from_str(text).map_err(|error| wrong("a JSON object", error.to_string()));
    }
    toml::from_str(text).map_err(|error| {
        let said: Vec<&str> = error.message().split_whitespace().collect();
        wrong("a JSON object or TOML", said.join(" "))
    })
}
