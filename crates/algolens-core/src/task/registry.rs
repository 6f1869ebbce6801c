//! The tasks that a program knows.

use super::{
    AssociativeRecall, BalancedBrackets, Caesar, CountUnique, CumulativeSum, Dyck, FirstUnique, Group, Histogram,
    Induction, LongestCycle, MaxOfList, ModularArithmetic, Palindrome, SetCompletion, SetDifference, SortedList, Sum,
    Task, TaskKind, TaskSpec, Trigrams,
};
use crate::{
    Error, Result,
    model::{Config, checkpoint::Settings},
    train::Recipe,
};
use std::{fmt, sync::Arc};

/// The kinds of tasks that a program knows, by name.
#[derive(Clone)]
pub struct Registry {
    kinds: Vec<Kind>,
}

#[derive(Clone, Copy)]
struct Kind {
    name: &'static str,
    about: &'static str,
    default: fn() -> TaskSpec,
    of: fn(&TaskSpec) -> Result<Arc<dyn Task>>,
    recipe: fn(&TaskSpec) -> Result<Recipe>,
    fitting: fn(&Config) -> Option<Arc<dyn Task>>,
}

impl Default for Registry {
    /// The tasks of this crate.
    fn default() -> Self {
        Self::empty()
            .with::<SortedList>()
            .with::<Palindrome>()
            .with::<FirstUnique>()
            .with::<Sum>()
            .with::<CumulativeSum>()
            .with::<Caesar>()
            .with::<Trigrams>()
            .with::<BalancedBrackets>()
            .with::<MaxOfList>()
            .with::<CountUnique>()
            .with::<SetDifference>()
            .with::<SetCompletion>()
            .with::<LongestCycle>()
            .with::<ModularArithmetic>()
            .with::<Group>()
            .with::<Induction>()
            .with::<AssociativeRecall>()
            .with::<Histogram>()
            .with::<Dyck>()
    }
}

impl Registry {
    /// No tasks at all.
    pub fn empty() -> Self {
        Self { kinds: Vec::new() }
    }

    /// The registry with one more kind, which goes before another of its name.
    pub fn with<K: TaskKind>(mut self) -> Self {
        self.kinds.retain(|kind| kind.name != K::NAME);
        self.kinds.push(Kind {
            name: K::NAME,
            about: K::ABOUT,
            default: K::default_spec,
            of: |spec| Ok(Arc::new(K::of(spec)?)),
            recipe: |spec| Ok(K::of(spec)?.recipe()),
            fitting: |config| Some(Arc::new(K::fitting(config)?)),
        });
        self
    }

    /// The names of the kinds.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.kinds.iter().map(|kind| kind.name)
    }

    /// A task of each kind, with all its options at their defaults, and what it is, in one line.
    pub fn defaults(&self) -> impl Iterator<Item = (TaskSpec, &'static str)> {
        self.kinds.iter().map(|kind| ((kind.default)(), kind.about))
    }

    /// The task of a spec.
    ///
    /// # Errors
    /// A name that no kind has, options that it does not have or that are no task.
    pub fn task(&self, spec: &TaskSpec) -> Result<Arc<dyn Task>> {
        (self.kind(spec)?.of)(spec)
    }

    /// The recipe that trains a model of the task of a spec.
    ///
    /// # Errors
    /// As [`task`](Self::task).
    pub fn recipe(&self, spec: &TaskSpec) -> Result<Recipe> {
        (self.kind(spec)?.recipe)(spec)
    }

    fn kind(&self, spec: &TaskSpec) -> Result<&Kind> {
        let kind = self.kinds.iter().find(|kind| kind.name == spec.name);
        kind.ok_or_else(|| Error::unknown("task", &spec.name, self.names().map(str::to_owned)))
    }

    /// The task of a model: what is said of it, or else the one task whose sizes the model has.
    ///
    /// # Errors
    /// A task that is said and is not known, or that the model's sizes do not fit; [`Error::NotDetermined`] where several fit,
    /// [`Error::Invalid`] where none does.
    pub fn task_of(&self, config: &Config, said: Option<&TaskSpec>) -> Result<TaskOfModel> {
        if let Some(spec) = said {
            let task = self.task(spec)?;
            check_task(&*task, config)?;
            return Ok(TaskOfModel { task, assumed: false });
        }
        match &self.fitting(config)[..] {
            [(_, task)] => Ok(TaskOfModel { task: task.clone(), assumed: true }),
            [] => {
                let Config { n_ctx, d_vocab, d_vocab_out, .. } = config;
                let names: Vec<_> = self.names().collect();
                let expected = format!("one that has its sizes (known are: {})", names.join(", "));
                let found = format!("n_ctx {n_ctx}, d_vocab {d_vocab}, d_vocab_out {d_vocab_out}");
                Err(Error::invalid("the model's task", expected, found))
            }
            several => {
                let choices = several.iter().map(|(name, _)| *name).collect();
                Err(Error::NotDetermined { what: "the task", key: "task", choices })
            }
        }
    }

    /// What models of a model's task have, by the recipe that trains one: the task that is said, or else the one task whose
    /// sizes the model has; nothing where there is none. Of the config only sizes are read.
    pub fn settings(&self, config: &Config, said: Option<&TaskSpec>) -> Settings {
        let found = self.task_of(config, said).map(|found| found.task);
        let Some((task, recipe)) = found.ok().and_then(|task| Some((task.clone(), self.recipe(&task.spec()).ok()?)))
        else {
            return Settings::default();
        };
        Settings {
            n_heads: Some(recipe.model.n_heads),
            attention_dir: Some(recipe.model.attention_dir.unwrap_or(task.attention_dir())),
            pad_token: task.pad_token(),
            act_fn: recipe.model.mlp.map(|mlp| mlp.act_fn),
            normalization_type: Some(recipe.model.normalization_type),
            ..Settings::default()
        }
    }

    /// The tasks whose sizes a model has, each with the name of its kind.
    fn fitting(&self, config: &Config) -> Vec<(&'static str, Arc<dyn Task>)> {
        let fitting = self.kinds.iter().filter_map(|kind| Some((kind.name, (kind.fitting)(config)?)));
        fitting.filter(|(_, task)| check_task(&**task, config).is_ok()).collect()
    }
}

/// The task of a model, and how it is known.
#[derive(Clone, Debug)]
pub struct TaskOfModel {
    /// The task.
    pub task: Arc<dyn Task>,
    /// True if nobody says so: of the tasks that are known only this one fits.
    pub assumed: bool,
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.names()).finish()
    }
}

/// Whether a model of this config can do a task.
///
/// # Errors
/// Names the first size that differs.
pub fn check_task(task: &dyn Task, config: &Config) -> Result<()> {
    for (what, expected, found) in [
        ("n_ctx", task.n_ctx(), config.n_ctx),
        ("d_vocab", task.token_labels().len(), config.d_vocab),
        ("d_vocab_out", task.output_labels().len(), config.d_vocab_out),
    ] {
        if expected != found {
            return Err(Error::invalid(format!("{what} of the model"), format!("the task's {expected}"), found));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::Architecture;

    #[test]
    fn a_model_fits_the_task_whose_sizes_it_has() {
        let config = Architecture::default().config(&SortedList::POST);
        let fitting = |registry: Registry, config: &Config| -> Vec<TaskSpec> {
            registry.fitting(config).iter().map(|(_, task)| task.spec()).collect()
        };
        assert_eq!(fitting(Registry::default(), &config), [SortedList::POST.spec()]);
        assert_eq!(fitting(Registry::empty(), &config), []);
        let even = Config { n_ctx: config.n_ctx + 1, ..config.clone() };
        let classes = Config { d_vocab_out: 2, ..config };
        assert_eq!([even, classes].map(|config| fitting(Registry::default(), &config)), [[], []]);
    }

    #[test]
    fn the_defaults_of_options_are_visible() {
        let shown: Vec<String> = Registry::default().defaults().map(|(spec, _)| spec.to_string()).collect();
        assert_eq!(shown[0], "sorted_list(list_len=10,max_value=50)");
        assert!(shown.contains(&"modular_arithmetic(equals_class=false,op=add,p=113)".into()), "{shown:?}");
    }

    #[test]
    fn specs_make_tasks_and_what_is_wrong_with_them_is_named() {
        let made = |text: &str| Registry::default().task(&text.parse()?);
        for text in ["sorted_list", "sorted_list(list_len=10)", "sorted_list(list_len=10,max_value=50)"] {
            assert_eq!(made(text).unwrap().spec(), SortedList::POST.spec());
        }
        let said = |text: &str| made(text).unwrap_err().to_string();
        assert_eq!(said("sort_list"), "no task is called \"sort_list\"; near it: sorted_list");
        assert_eq!(
            said("sorted_list(max=9)"),
            "option of sorted_list: expected list_len or max_value or bos, found max"
        );
        assert_eq!(said("sorted_list(list_len=ten)"), "list_len: expected usize, found \"ten\"");
        assert_eq!(said("sorted_list(list_len=-1)"), "list_len: expected usize, found -1");
        assert_eq!(
            said("sorted_list(list_len=60)"),
            "list_len: expected 1 to 51 distinct values (max_value is 50), found 60"
        );
    }
}
