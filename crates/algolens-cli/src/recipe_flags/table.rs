//! The table of the training flags: for each its help, the part of a recipe that it sets, and the hint that it may be.

use crate::{hint_flags::Said, values::Value};
use algolens::{
    Error, Result,
    model::{ActFn, Mlp, Positions, checkpoint::PositionalEmbedding},
    task::{SortedList, Task, TaskKind, TaskSpec},
    train::Recipe,
};
use clap::{Arg, ArgMatches, builder::ValueParser};
use serde_json::Value as Json;

/// A training flag: sets a part of a recipe, and may be a hint about a model that is there already.
pub struct Flag {
    name: &'static str,
    value_name: &'static str,
    help: &'static str,
    default: String,
    parser: ValueParser,
    set: Set<Recipe, Result<()>>,
    hint: Option<Set<Said, ()>>,
}

/// What sets a part to the value that a flag has among matches, if it has one there.
type Set<Whole, Done> = Box<dyn Fn(&ArgMatches, &mut Whole) -> Done>;

/// The training flags, by the headings of the help; their defaults are those of sorting. A flag is set after those before it.
pub fn flags() -> [(&'static str, Vec<Flag>); 4] {
    [("Recipe", run()), ("Optimizer", optimizer()), ("Task", task()), ("Model", model())]
}

fn run() -> Vec<Flag> {
    vec![
        Flag::new("seed", "SEED", "Seed of data, initial weights and order", |recipe| &mut recipe.seed),
        Flag::new(
            "epochs",
            "N",
            "Epochs: passes over the examples, or so many steps as --epoch-steps says",
            |recipe| &mut recipe.epochs,
        ),
        Flag::of_open("epoch-steps", "N", "Steps from one validation to the next", |recipe| &mut recipe.epoch_steps)
            .default("a pass over the examples"),
        Flag::new("train-size", "N", "Examples to learn from, at most", |recipe| &mut recipe.train_size),
        Flag::new("validation-size", "N", "Examples that decide which epoch's weights are kept, at most", |recipe| {
            &mut recipe.validation_size
        }),
        Flag::of_open("train-share", "X", "Share of all inputs that is learnt from, the others held out", |recipe| {
            &mut recipe.train_share
        })
        .default("none: examples are drawn alike"),
        Flag::new("batch-size", "N", "Examples a step, at most", |recipe| &mut recipe.batch_size),
        Flag::of_open("stop-accuracy", "X", "Stop where the validation accuracy is so high", |recipe| {
            &mut recipe.stop_accuracy
        })
        .default("never"),
        Flag::of_open("stop-loss", "X", "Stop where the validation loss is so low", |recipe| &mut recipe.stop_loss)
            .default("never"),
        Flag::new("keep", "EPOCH", "Whose weights are kept: those of best accuracy or loss, or the last", |recipe| {
            &mut recipe.keep
        }),
        Flag::of_open("checkpoint-every", "N", "Save the weights every N steps, from before the first", |recipe| {
            &mut recipe.checkpoint_every
        })
        .default("never"),
    ]
}

fn optimizer() -> Vec<Flag> {
    vec![
        Flag::new("optimizer", "OPTIMIZER", "Adam with coupled L2 decay, or with decoupled decay", |recipe| {
            &mut recipe.optimizer
        }),
        Flag::new("lr-schedule", "SCHEDULE", "How the learning rate falls", |recipe| &mut recipe.lr_schedule),
        Flag::new("lr-start", "RATE", "Learning rate that training starts down from", |recipe| &mut recipe.lr_start),
        Flag::new("lr-end", "RATE", "Learning rate at the end", |recipe| &mut recipe.lr_end),
        Flag::new("warmup-steps", "N", "Steps over which the learning rate rises from 0", |recipe| {
            &mut recipe.warmup_steps
        }),
        Flag::new("weight-decay", "X", "Weight decay", |recipe| &mut recipe.weight_decay),
        Flag::new("beta1", "X", "Decay of the gradients' running mean", |recipe| &mut recipe.beta1),
        Flag::new("beta2", "X", "Decay of the squared gradients' running mean", |recipe| &mut recipe.beta2),
        Flag::new("adam-eps", "X", "Added to the root of the squared gradients' mean", |recipe| &mut recipe.adam_eps),
    ]
}

fn task() -> Vec<Flag> {
    let post = SortedList::POST;
    vec![
        Flag::of_open("task", "TASK", "What is learnt, as NAME or NAME(OPTION=VALUE,…)", |recipe| &mut recipe.task)
            .default(&post.spec().to_string())
            .hint(|said| &mut said.task),
        Flag::of_task("list-len", "list_len", "Values in a list (of sorted_list)", post.list_len()),
        Flag::of_task(
            "max-value",
            "max_value",
            "Largest value (of sorted_list and palindrome)",
            post.max_value() as usize,
        ),
    ]
}

fn model() -> Vec<Flag> {
    const NONE_YET: Mlp = Mlp { d_mlp: 0, act_fn: ActFn::Relu, gated: false };
    vec![
        Flag::new("n-layers", "N", "Blocks", |recipe| &mut recipe.model.n_layers),
        Flag::new("n-heads", "N", "Attention heads a block", |recipe| &mut recipe.model.n_heads),
        Flag::new("d-model", "N", "Width of the residual stream", |recipe| &mut recipe.model.d_model),
        Flag::new("d-head", "N", "Width of a head", |recipe| &mut recipe.model.d_head),
        Flag::new("d-mlp", "N", "Width of an MLP in each block; 0 for none", |recipe| {
            &mut recipe.model.mlp.get_or_insert(NONE_YET).d_mlp
        })
        .default("no MLP"),
        Flag::of_some("act-fn", "ACT_FN", "The MLP's activation function", |recipe| match &mut recipe.model.mlp {
            Some(mlp) => Ok(&mut mlp.act_fn),
            None => Err(Error::invalid("--act-fn", "an MLP (--d-mlp N)", "none")),
        })
        .default("relu")
        .hint(|said| &mut said.hints.said.act_fn),
        Flag::new("biases", "BIASES", "Which biases there are: all or none", |recipe| &mut recipe.model.biases)
            .default("all"),
        Flag::new("normalization", "NORMALIZATION", "Layer norm with weights, without, or none", |recipe| {
            &mut recipe.model.normalization_type
        })
        .hint(|said| &mut said.hints.said.normalization_type),
        Flag::of_open("attention", "ATTENTION", "Who attends to whom", |recipe| &mut recipe.model.attention_dir)
            .default("as the task's models do")
            .hint(|said| &mut said.hints.said.attention_dir),
        Flag::new("positions", "POSITIONS", "Where positional embeddings enter", |recipe| {
            &mut recipe.model.positional_embedding_type
        })
        .hint_as::<Positions, PositionalEmbedding>(|said| &mut said.hints.said.positional_embedding_type),
        Flag::new("eps", "X", "Added to the variance inside norms", |recipe| &mut recipe.model.eps)
            .hint(|said| &mut said.hints.said.eps),
    ]
}

impl Flag {
    /// A flag that sets a part which every recipe has; its default is the post's.
    fn new<V: Value>(
        name: &'static str,
        value_name: &'static str,
        help: &'static str,
        part: impl Fn(&mut Recipe) -> &mut V + 'static,
    ) -> Self {
        Self::of_some(name, value_name, help, move |recipe| Ok(part(recipe)))
    }

    /// A flag that sets a part which some recipes have.
    fn of_some<V: Value>(
        name: &'static str,
        value_name: &'static str,
        help: &'static str,
        part: impl Fn(&mut Recipe) -> Result<&mut V> + 'static,
    ) -> Self {
        let default = part(&mut Recipe::default()).map_or_else(|_| String::new(), |value| text(value));
        let set = move |matches: &ArgMatches, recipe: &mut Recipe| {
            if let Some(value) = matches.get_one::<V>(name) {
                part(recipe)?.clone_from(value);
            }
            Ok(())
        };
        Self { name, value_name, help, default, parser: V::parser(), set: Box::new(set), hint: None }
    }

    /// A flag that sets a part which a recipe may leave open.
    fn of_open<V: Value>(
        name: &'static str,
        value_name: &'static str,
        help: &'static str,
        part: impl Fn(&mut Recipe) -> &mut Option<V> + 'static,
    ) -> Self {
        let set = move |matches: &ArgMatches, recipe: &mut Recipe| {
            if let Some(value) = matches.get_one::<V>(name) {
                *part(recipe) = Some(value.clone());
            }
            Ok(())
        };
        Self { name, value_name, help, default: String::new(), parser: V::parser(), set: Box::new(set), hint: None }
    }

    /// A flag that sets an option of the task.
    fn of_task(name: &'static str, option: &'static str, help: &'static str, default: usize) -> Self {
        let set = move |matches: &ArgMatches, recipe: &mut Recipe| {
            if let Some(value) = matches.get_one::<usize>(name) {
                let task = recipe.task.get_or_insert_with(|| TaskSpec::new(SortedList::NAME));
                task.options.insert(option.into(), Json::from(*value));
            }
            Ok(())
        };
        let (default, parser) = (default.to_string(), usize::parser());
        Self { name, value_name: "N", help, default, parser, set: Box::new(set), hint: None }
    }

    /// The flag with another word for what holds without it.
    fn default(self, default: &str) -> Self {
        Self { default: default.into(), ..self }
    }

    /// The flag as one that is a hint too.
    fn hint<V: Value>(self, part: impl Fn(&mut Said) -> &mut Option<V> + 'static) -> Self {
        self.hint_as::<V, V>(part)
    }

    /// The flag as one whose value, of type `V`, is a hint of type `H`.
    fn hint_as<V: Value, H: From<V>>(self, part: impl Fn(&mut Said) -> &mut Option<H> + 'static) -> Self {
        let name = self.name;
        let set = move |matches: &ArgMatches, said: &mut Said| {
            *part(said) = matches.get_one::<V>(name).cloned().map(H::from);
        };
        Self { hint: Some(Box::new(set)), ..self }
    }

    /// The flag as clap knows it; its name is its id.
    pub fn arg(&self) -> Arg {
        let help = format!("{} [default: {}]", self.help, self.default);
        let arg = Arg::new(self.name).long(self.name).value_name(self.value_name);
        arg.value_parser(self.parser.clone()).help(help)
    }

    /// The flag as a user types it.
    pub fn typed(&self) -> String {
        format!("--{}", self.name)
    }

    /// Whether the flag says what examples are drawn, and nothing of those of a file.
    pub fn is_for_drawing_only(&self) -> bool {
        ["task", "list-len", "max-value", "train-size", "validation-size", "train-share"].contains(&self.name)
    }

    /// Whether the flag says which task is learnt.
    pub fn is_of_task(&self) -> bool {
        ["task", "list-len", "max-value"].contains(&self.name)
    }

    /// Whether the flag is among matches.
    pub fn is_in(&self, matches: &ArgMatches) -> bool {
        matches.contains_id(self.name)
    }

    /// Whether the flag says nothing of a model that is there already.
    pub fn is_for_training_only(&self) -> bool {
        self.hint.is_none()
    }

    /// Sets the flag's part of a recipe, if the flag is among matches.
    ///
    /// # Errors
    /// A recipe that has no such part.
    pub fn set(&self, matches: &ArgMatches, recipe: &mut Recipe) -> Result<()> {
        (self.set)(matches, recipe)
    }

    /// Sets the flag's hint, if it is one.
    pub fn set_hint(&self, matches: &ArgMatches, said: &mut Said) {
        if let Some(set) = &self.hint {
            set(matches, said);
        }
    }
}

/// A value as a user types it.
fn text(value: &impl Value) -> String {
    match serde_json::to_value(value).unwrap_or_default() {
        Json::String(name) => name,
        // Small ones as 1e-5.
        Json::Number(number) if number.is_f64() => number.as_f64().map_or_else(String::new, |x| format!("{x:?}")),
        other => other.to_string(),
    }
}
