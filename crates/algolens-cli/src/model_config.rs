//! A config file beside a model: JSON or TOML, in the words of TransformerLens's `HookedTransformerConfig`.

use algolens::{Error, Result, files, model::checkpoint::Settings};
use serde_json::{Map, Value};
use std::path::Path;

/// What a config file says.
///
/// # Errors
/// A file that is neither JSON nor TOML, or that says what no model can be that is read.
pub fn read(path: &Path) -> Result<Settings> {
    let in_file = |error| Error::InFile { path: path.into(), error: Box::new(error) };
    let bytes = files::read(path)?;
    let text = std::str::from_utf8(&bytes).map_err(|error| in_file(Error::invalid("config", "UTF-8", error)))?;
    let config = parse(text).map_err(in_file)?;
    Settings::from_config(&config).map_err(in_file)
}

fn parse(text: &str) -> Result<Map<String, Value>> {
    if text.trim_start().starts_with('{') {
        return serde_json::from_str(text).map_err(|error| Error::invalid("config", "a JSON object", error));
    }
    toml::from_str(text).map_err(|error| {
        let said: Vec<&str> = error.message().split_whitespace().collect();
        Error::invalid("config", "a JSON object or TOML", said.join(" "))
    })
}
