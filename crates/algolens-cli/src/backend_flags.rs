//! Which backend runs the model.

use crate::terminal::warn;
use algolens::{
    Error, Result,
    engine::{Backend, Engine, Vectors},
    model::Config,
};
use clap::builder::{PossibleValue, StringValueParser, TypedValueParser};
use std::ffi::OsStr;

/// The name that stands for the fastest backend.
const AUTO: &str = "auto";

/// The flags of the backend: which implementation runs the model, and with which vector instructions. Part of no recipe
/// and no checkpoint: backends and instructions differ in rounding only.
#[derive(clap::Args)]
#[command(next_help_heading = "Backend")]
pub struct BackendFlags {
    /// Backend that runs the model; auto is the fastest that does. Backends differ in rounding only; what needs hooks is
    /// run by the plain one
    #[arg(long, alias = "engine", value_name = "BACKEND", default_value = AUTO, value_parser = Suggested(choices()))]
    backend: String,
    /// Vector instructions, as scalar, avx2 or neon; they differ in rounding too, and the plain backend chooses its own
    /// [default: the best that this machine has]
    #[arg(long, value_name = "LEVEL")]
    vectors: Option<String>,
}

impl BackendFlags {
    /// The engine for models of this config.
    ///
    /// # Errors
    /// A backend or instructions that there are not; a backend that does not run the model.
    pub fn engine(&self, config: &Config) -> Result<Box<dyn Engine>> {
        self.engines(config).map(|engine| engine())
    }

    /// A maker of engines for models of this config.
    ///
    /// # Errors
    /// As [`engine`](Self::engine).
    pub fn engines(&self, config: &Config) -> Result<impl Fn() -> Box<dyn Engine> + Sync + use<>> {
        let vectors = self.vectors()?;
        let backend = self.backend(config)?;
        backend.check(config)?;
        Ok(move || backend.engine(vectors))
    }

    /// The vector instructions.
    ///
    /// # Errors
    /// Instructions that there are not.
    pub fn vectors(&self) -> Result<Vectors> {
        vectors(self.vectors.as_deref())
    }

    /// The backend that runs models of this config.
    ///
    /// # Errors
    /// A backend that there is not.
    pub fn backend(&self, config: &Config) -> Result<Backend> {
        if self.backend == AUTO {
            let best = Backend::best(config);
            for faster in Backend::ALL.into_iter().take_while(|backend| *backend != best) {
                if let Err(error @ Error::TooLarge { .. }) = faster.check(config) {
                    warn(format_args!("algolens: {error}; the {best} backend runs it"));
                }
            }
            return Ok(best);
        }
        let unknown = |_| Error::invalid("backend", format!("one of {}", choices().join(", ")), &self.backend);
        self.backend.parse().map_err(unknown)
    }
}

/// The vector instructions of this name; the best that this machine has if there is none.
pub fn vectors(name: Option<&str>) -> Result<Vectors> {
    name.map_or_else(|| Ok(Vectors::best()), Vectors::named)
}

fn choices() -> Vec<&'static str> {
    [AUTO].into_iter().chain(Backend::ALL.map(Backend::name)).collect()
}

/// A parser of any text, for which help and completions show these values. Whoever reads the text refuses others, on one
/// line.
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
