//! The training recipe as flags.

mod table;

use crate::{data_file, hint_flags::Said};
use algolens::{
    Error, Result, files,
    task::{Registry, SortedList, Task},
    train::{Recipe, Run, fields},
};
use clap::{ArgMatches, Args, Command, FromArgMatches};
use serde::de::DeserializeOwned;
use serde_json::Map;
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};
use table::{Flag, flags};

/// The flags of a training recipe: flags go before the TOML file, the file before the task's own recipe.
#[derive(clap::Args)]
#[command(next_help_heading = "Recipe")]
pub struct RecipeFlags {
    /// Recipe in TOML; flags go before what it says
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    given: Given,
}

/// The training flags that a user gave, of those in the table.
struct Given(ArgMatches);

impl Args for Given {
    fn augment_args(command: Command) -> Command {
        flags().iter().fold(command, |command, (heading, flags)| {
            command.args(flags.iter().map(|flag| flag.arg().help_heading(*heading)))
        })
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Given {
    fn from_arg_matches(matches: &ArgMatches) -> std::result::Result<Self, clap::Error> {
        Ok(Self(matches.clone()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> std::result::Result<(), clap::Error> {
        self.0 = matches.clone();
        Ok(())
    }
}

impl RecipeFlags {
    /// What the flags say of a model that is there already.
    pub fn said(&self) -> Said {
        let mut said = Said::default();
        all().for_each(|flag| flag.set_hint(&self.given.0, &mut said));
        said
    }

    /// Whether the flags say nothing that only training could heed.
    ///
    /// # Errors
    /// Names the first that does.
    pub fn check_for_hints_only(&self) -> Result<()> {
        let config = self.config.as_ref().map(|_| "--config".to_owned());
        let for_training = |flag: &Flag| flag.is_for_training_only() && flag.is_in(&self.given.0);
        match config.or_else(|| all().find(for_training).map(|flag| flag.typed())) {
            None => Ok(()),
            Some(flag) => Err(Error::invalid("flags beside MODEL", "none that only training heeds", flag)),
        }
    }

    /// The recipe that the flags and the file ask for, where they leave something open the task's own.
    ///
    /// # Errors
    /// A file that cannot be read or is no recipe, a task that the registry does not know, flags that contradict each other.
    pub fn recipe(&self, registry: &Registry) -> Result<Recipe> {
        let file = self.config.as_deref().map(RecipeFile::read).transpose()?;
        let mut task = Recipe { task: file.as_ref().and_then(|file| file.recipe.task.clone()), ..Recipe::default() };
        all().filter(Flag::is_of_task).try_for_each(|flag| flag.set(&self.given.0, &mut task))?;
        let spec = task.task.unwrap_or_else(|| SortedList::POST.spec());
        let own = registry.recipe(&spec)?;
        let mut recipe = file.map_or(Ok(own.clone()), |file| file.over(&own))?;
        all().filter(|flag| !flag.is_of_task()).try_for_each(|flag| flag.set(&self.given.0, &mut recipe))?;
        recipe.task = Some(spec);
        recipe.model.mlp = recipe.model.mlp.filter(|mlp| mlp.d_mlp > 0);
        Ok(recipe)
    }

    /// The run of a recipe of [`recipe`](Self::recipe), before its first epoch: on the examples of a data file, or on those that
    /// a task draws.
    ///
    /// # Errors
    /// A task that the registry does not know, flags that contradict each other; flags and keys that only
    /// drawn examples heed, a file that is no data.
    pub fn run(&self, recipe: Recipe, data: Option<&Path>, registry: &Registry) -> Result<Run> {
        let Some(path) = data else { return Run::new(recipe, registry) };
        let for_drawing = |flag: &Flag| flag.is_for_drawing_only() && flag.is_in(&self.given.0);
        if let Some(flag) = all().find(for_drawing) {
            return Err(Error::invalid("flags beside --data", "none that only drawn examples heed", flag.typed()));
        }
        if let Some(path) = &self.config {
            check_draws_nothing(path)?;
        }
        let examples = data_file::examples(path, recipe.seed)?;
        Run::on_examples(recipe, Arc::new(examples))
    }
}

/// The training flags in their order.
fn all() -> impl Iterator<Item = Flag> {
    flags().into_iter().flat_map(|(_, flags)| flags)
}

/// Whether a recipe in TOML says nothing of which examples are drawn.
fn check_draws_nothing(path: &Path) -> Result<()> {
    let recipe: toml::Table = read_toml(path)?;
    match ["task", "data", "train_size", "validation_size", "train_share"]
        .into_iter()
        .find(|key| recipe.contains_key(*key))
    {
        None => Ok(()),
        Some(key) => {
            let error = Error::invalid("recipe beside --data", "no key that only drawn examples heed", key);
            Err(Error::InFile { path: path.into(), error: Box::new(error) })
        }
    }
}

/// A recipe in TOML: with the post's for what it leaves out, and key by key.
struct RecipeFile {
    recipe: Recipe,
    keys: toml::Table,
}

impl RecipeFile {
    fn read(path: &Path) -> Result<Self> {
        Ok(Self { recipe: read_toml(path)?, keys: read_toml(path)? })
    }

    /// The recipe with another for what the file leaves out.
    fn over(&self, other: &Recipe) -> Result<Recipe> {
        let keys = serde_json::to_value(&self.keys).map_err(|error| Error::invalid("recipe", "JSON", error))?;
        other.with(&fields(keys.as_object().unwrap_or(&Map::new())))
    }
}

/// What a TOML file says.
fn read_toml<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let in_file = |error| Error::InFile { path: path.into(), error: Box::new(error) };
    let bytes = files::read(path)?;
    let text = std::str::from_utf8(&bytes).map_err(|error| in_file(Error::invalid("recipe", "UTF-8", error)))?;
    toml::from_str(text).map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        let line = 1 + before.matches('\n').count();
        let said: Vec<&str> = error.message().split_whitespace().collect();
        in_file(Error::invalid(format!("line {line}"), "a training recipe in TOML", said.join(" ")))
    })
}
