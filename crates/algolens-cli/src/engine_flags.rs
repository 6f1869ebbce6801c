//! Which engine runs the model.

use algolens::{
    Error, Result,
    engine::{Backend, Engine, Vectors},
    model::Config,
};
use clap::builder::{PossibleValue, StringValueParser, TypedValueParser};
use std::ffi::OsStr;

/// The fastest form of the model.
const AUTO: &str = "auto";

/// The form in which a model is run, and the instructions that run it. Part of no recipe and no checkpoint: forms and
/// instructions differ in rounding only.
#[derive(clap::Args)]
#[command(next_help_heading = "Engine")]
pub struct EngineFlags {
    /// Backend in which the model is run; auto is the fastest that it has. Forms differ in rounding only; what needs hooks
    /// is run in the plain one
    #[arg(long, value_name = "FORM", default_value = AUTO, value_parser = Suggested(choices()))]
    engine: String,
    /// Vector instructions, as scalar, avx2 or neon; they differ in rounding too, and the plain form chooses its own
    /// [default: the best that this machine has]
    #[arg(long, value_name = "LEVEL")]
    vectors: Option<String>,
}

impl EngineFlags {
    /// The engine for models of this config.
    ///
    /// # Errors
    /// Forms or instructions that there are not; a form that the model does not have.
    pub fn engine(&self, config: &Config) -> Result<Box<dyn Engine>> {
        let vectors = vectors(self.vectors.as_deref())?;
        let form = self.form(config)?;
        form.check(config)?;
        Ok(form.engine(vectors))
    }

    fn form(&self, config: &Config) -> Result<Backend> {
        if self.engine == AUTO {
            return Ok(Backend::best(config));
        }
        let unknown = |_| Error::invalid("engine", format!("one of {}", choices().join(", ")), &self.engine);
        self.engine.parse().map_err(unknown)
    }
}

/// The instructions of this name, or the best.
pub fn vectors(name: Option<&str>) -> Result<Vectors> {
    name.map_or_else(|| Ok(Vectors::best()), Vectors::named)
}

fn choices() -> Vec<&'static str> {
    [AUTO].into_iter().chain(Backend::ALL.map(Backend::name)).collect()
}

/// Any text; help and completions show these values. Whoever reads the text refuses others, on one line.
#[derive(Clone)]
pub struct Suggested(pub Vec<&'static str>);

impl TypedValueParser for Suggested {
    type Value = String;

    fn parse_ref(
        &self,
        command: &clap::Command,
        argument: Option<&clap::Arg>,
        value: &OsStr,
    ) -> std::result::Result<String, clap::Error> {
        StringValueParser::new().parse_ref(command, argument, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(self.0.iter().map(PossibleValue::new)))
    }
}
