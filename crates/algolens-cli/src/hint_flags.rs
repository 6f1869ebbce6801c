//! The flags for what a model's file does not say.

use crate::{layout_file, model_config, values::Value};
use algolens::{
    Error, Result,
    model::{
        ActFn, AttentionDir, Normalization,
        checkpoint::{Hints, PositionalEmbedding, Settings},
    },
    task::TaskSpec,
};
use serde_json::Map;
use std::path::PathBuf;

/// The flags for what a file does not say of its model.
#[derive(clap::Args)]
#[command(next_help_heading = "What the file does not say")]
pub struct HintArgs {
    /// The task, as NAME or NAME(OPTION=VALUE,…) [default: the file's, or else the only one that fits its sizes]
    #[arg(long, value_name = "TASK")]
    task: Option<TaskSpec>,
    /// The norm, where the file has no norm weights
    #[arg(long, value_name = "NORM", value_parser = Normalization::parser())]
    normalization: Option<Normalization>,
    /// The activation function of the MLPs
    #[arg(long, value_name = "FN", value_parser = ActFn::parser())]
    act_fn: Option<ActFn>,
    /// Who attends to whom, where the file has no mask
    #[arg(long, value_name = "DIR", value_parser = AttentionDir::parser())]
    attention: Option<AttentionDir>,
    /// Where positions enter [default: standard]
    #[arg(long, value_name = "KIND", value_parser = PositionalEmbedding::parser())]
    positions: Option<PositionalEmbedding>,
    /// Added to the variance inside norms [default: 1e-5]
    #[arg(long, value_name = "X")]
    eps: Option<f64>,
    #[command(flatten)]
    which: WhichArgs,
}

/// The flags for which tensors of a file are the model, and for what a config beside it says.
#[derive(clap::Args)]
pub struct WhichArgs {
    /// A config file, JSON or TOML, in the words of TransformerLens's HookedTransformerConfig
    #[arg(long, value_name = "FILE", help_heading = "What the file does not say")]
    model_config: Option<PathBuf>,
    /// Where in the file the weights are, if it has several: keys as in model, runs.3 or epochs.12
    #[arg(long, value_name = "KEY", help_heading = "What the file does not say")]
    key: Option<String>,
    /// A tensor that is no weight and may be passed over; * stands for anything
    #[arg(long, value_name = "NAME", help_heading = "What the file does not say")]
    ignore: Vec<String>,
    /// How the file names and shapes its tensors: a known layout, or a TOML file as `inspect --layout-template` begins one
    #[arg(long, value_name = "NAME|FILE.toml", help_heading = "What the file does not say")]
    layout: Option<String>,
    /// Any part of the config, in HookedTransformerConfig's words: n_heads=4, pad_token=0, rotary_dim=8
    #[arg(long = "set", value_name = "KEY=VALUE", help_heading = "What the file does not say")]
    parts: Vec<String>,
}

impl HintArgs {
    /// Where in the file the weights are, if it is said.
    pub fn key(&self) -> Option<&str> {
        self.which.key.as_deref()
    }

    /// What the flags say, and the config file that they name.
    ///
    /// # Errors
    /// A config file that cannot be read, or that speaks of no model that can be.
    pub fn said(&self) -> Result<Said> {
        let said = Settings {
            normalization_type: self.normalization,
            act_fn: self.act_fn,
            attention_dir: self.attention,
            positional_embedding_type: self.positions,
            eps: self.eps,
            ..Settings::default()
        };
        let hints = Hints { said, ..Hints::default() };
        let mut said = Said { hints, task: self.task.clone() };
        self.which.say(&mut said)?;
        Ok(said)
    }
}

impl WhichArgs {
    /// Adds what the flags say.
    ///
    /// # Errors
    /// A config or layout file that cannot be read, or that speaks of no model that can be; parts that there are not.
    pub fn say(&self, said: &mut Said) -> Result<()> {
        if let Some(path) = &self.model_config {
            said.hints.config = model_config::read(path)?;
        }
        said.hints.key.clone_from(&self.key);
        said.hints.ignore.clone_from(&self.ignore);
        said.hints.layout = self.layout.as_deref().map(layout_file::named_or_read).transpose()?;
        let flags = std::mem::take(&mut said.hints.said);
        said.hints.said = flags.and(parts(&self.parts)?)?;
        Ok(())
    }

    /// The first of the flags that is given.
    pub fn given(&self) -> Option<&'static str> {
        let config = self.model_config.as_ref().map(|_| "--model-config");
        let rest = [
            ("--key", self.key.is_some()),
            ("--ignore", !self.ignore.is_empty()),
            ("--layout", self.layout.is_some()),
            ("--set", !self.parts.is_empty()),
        ];
        config.or(rest.into_iter().find_map(|(flag, given)| given.then_some(flag)))
    }
}

/// What is said of a model beside its file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Said {
    /// Parts of its config.
    pub hints: Hints,
    /// Its task, which goes before the file's.
    pub task: Option<TaskSpec>,
}

/// What `KEY=VALUE`s say; a value is JSON, or else a text.
fn parts(said: &[String]) -> Result<Settings> {
    let mut parts = Map::new();
    for part in said {
        let (key, value) = part.split_once('=').ok_or_else(|| Error::invalid("--set", "KEY=VALUE", part))?;
        let value = serde_json::from_str(value).unwrap_or_else(|_| value.into());
        if let Some(before) = parts.insert(key.to_owned(), value).filter(|before| *before != parts[key]) {
            return Err(Error::invalid(key, format!("{before} again"), &parts[key]));
        }
    }
    Settings::of_parts(&parts)
}
