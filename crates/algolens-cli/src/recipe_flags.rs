//! The training recipe as flags.

use crate::load::choice;
use algolens::{
    Error, Result, files,
    model::{ActFn, AttentionDir, Mlp, Normalization, Positions, checkpoint::Hints},
    task::TaskSpec,
    train::{Optimizer, Recipe},
};
use std::path::{Path, PathBuf};

/// The flags of a training recipe: flags go before the TOML file, the file before the post's recipe.
#[derive(clap::Args)]
#[command(next_help_heading = "Recipe")]
pub struct RecipeFlags {
    /// Recipe in TOML; flags go before what it says
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Seed of data, initial weights and order [default: 0]
    #[arg(long)]
    seed: Option<u64>,
    /// Passes over the training lists [default: 25]
    #[arg(long, value_name = "N")]
    epochs: Option<usize>,
    /// Lists to learn from [default: 150000]
    #[arg(long, value_name = "N")]
    train_size: Option<usize>,
    /// Lists that decide which epoch's weights are kept [default: 10000]
    #[arg(long, value_name = "N")]
    validation_size: Option<usize>,
    /// Lists a step [default: 512]
    #[arg(long, value_name = "N")]
    batch_size: Option<usize>,
    /// Save the weights every N steps, from before the first [default: never]
    #[arg(long, value_name = "N")]
    checkpoint_every: Option<usize>,
    #[command(flatten)]
    optimizer: OptimizerFlags,
    #[command(flatten)]
    task: TaskFlags,
    #[command(flatten)]
    model: ModelFlags,
}

#[derive(clap::Args)]
#[command(next_help_heading = "Optimizer")]
struct OptimizerFlags {
    /// Adam with coupled L2 decay, or with decoupled decay [default: adam]
    #[arg(long, value_parser = choice::<Optimizer>(&["adam", "adamw"]))]
    optimizer: Option<Optimizer>,
    /// Learning rate that the first epoch starts down from [default: 0.001]
    #[arg(long, value_name = "RATE")]
    lr_start: Option<f64>,
    /// Learning rate of the last epoch [default: 0.0001]
    #[arg(long, value_name = "RATE")]
    lr_end: Option<f64>,
    /// Weight decay [default: 0.005]
    #[arg(long, value_name = "X")]
    weight_decay: Option<f64>,
    /// Decay of the gradients' running mean [default: 0.9]
    #[arg(long, value_name = "X")]
    beta1: Option<f64>,
    /// Decay of the squared gradients' running mean [default: 0.999]
    #[arg(long, value_name = "X")]
    beta2: Option<f64>,
    /// Added to the root of the squared gradients' mean [default: 1e-8]
    #[arg(long, value_name = "X")]
    adam_eps: Option<f64>,
}

#[derive(clap::Args)]
#[command(next_help_heading = "Task")]
struct TaskFlags {
    /// Values in a list [default: 10]
    #[arg(long, value_name = "N")]
    list_len: Option<usize>,
    /// Largest value; the smallest is 0 [default: 50]
    #[arg(long, value_name = "N")]
    max_value: Option<u32>,
}

#[derive(clap::Args)]
#[command(next_help_heading = "Model")]
struct ModelFlags {
    /// Blocks [default: 1]
    #[arg(long, value_name = "N")]
    n_layers: Option<usize>,
    /// Attention heads a block [default: 2]
    #[arg(long, value_name = "N")]
    n_heads: Option<usize>,
    /// Width of the residual stream [default: 96]
    #[arg(long, value_name = "N")]
    d_model: Option<usize>,
    /// Width of a head [default: 48]
    #[arg(long, value_name = "N")]
    d_head: Option<usize>,
    /// Width of an MLP in each block [default: no MLP]
    #[arg(long, value_name = "N")]
    d_mlp: Option<usize>,
    /// The MLP's activation function [default: relu]
    #[arg(long, value_parser = choice::<ActFn>(&["relu", "gelu", "gelu_new", "silu"]))]
    act_fn: Option<ActFn>,
    /// Layer norm with weights, without, or none [default: LN]
    #[arg(long, value_parser = choice::<Normalization>(&["LN", "LNPre", "none"]))]
    normalization: Option<Normalization>,
    /// Who attends to whom [default: causal]
    #[arg(long, value_parser = choice::<AttentionDir>(&["causal", "bidirectional"]))]
    attention: Option<AttentionDir>,
    /// Where positional embeddings enter [default: standard]
    #[arg(long, value_parser = choice::<Positions>(&["standard", "shortformer"]))]
    positions: Option<Positions>,
    /// Added to the variance inside norms [default: 1e-5]
    #[arg(long, value_name = "X")]
    eps: Option<f64>,
}

impl RecipeFlags {
    /// The hints that the flags give for a model that is there already.
    pub fn hints(&self) -> Hints {
        let model = &self.model;
        Hints {
            normalization_type: model.normalization,
            act_fn: model.act_fn,
            attention_dir: model.attention,
            positional_embedding_type: model.positions,
            eps: model.eps,
        }
    }

    /// Whether the flags say nothing that only training could heed.
    ///
    /// # Errors
    /// Names the first that does.
    pub fn check_for_hints_only(&self) -> Result<()> {
        let Self { optimizer, task, model, .. } = self;
        let said = [
            ("--config", self.config.is_some()),
            ("--seed", self.seed.is_some()),
            ("--epochs", self.epochs.is_some()),
            ("--train-size", self.train_size.is_some()),
            ("--validation-size", self.validation_size.is_some()),
            ("--batch-size", self.batch_size.is_some()),
            ("--checkpoint-every", self.checkpoint_every.is_some()),
            ("--optimizer", optimizer.optimizer.is_some()),
            ("--lr-start", optimizer.lr_start.is_some()),
            ("--lr-end", optimizer.lr_end.is_some()),
            ("--weight-decay", optimizer.weight_decay.is_some()),
            ("--beta1", optimizer.beta1.is_some()),
            ("--beta2", optimizer.beta2.is_some()),
            ("--adam-eps", optimizer.adam_eps.is_some()),
            ("--list-len", task.list_len.is_some()),
            ("--max-value", task.max_value.is_some()),
            ("--n-layers", model.n_layers.is_some()),
            ("--n-heads", model.n_heads.is_some()),
            ("--d-model", model.d_model.is_some()),
            ("--d-head", model.d_head.is_some()),
            ("--d-mlp", model.d_mlp.is_some()),
        ];
        match said.iter().find(|(_, said)| *said) {
            None => Ok(()),
            Some((flag, _)) => Err(Error::invalid("flags beside MODEL", "none that only training heeds", flag)),
        }
    }

    /// The recipe that the flags and the file give.
    ///
    /// # Errors
    /// A file that cannot be read or is no recipe, flags that contradict each other.
    pub fn recipe(&self) -> Result<Recipe> {
        let mut recipe = self.config.as_deref().map_or_else(|| Ok(Recipe::default()), read_toml)?;
        set(&mut recipe.seed, self.seed);
        set(&mut recipe.epochs, self.epochs);
        set(&mut recipe.train_size, self.train_size);
        set(&mut recipe.validation_size, self.validation_size);
        set(&mut recipe.batch_size, self.batch_size);
        recipe.checkpoint_every = self.checkpoint_every.or(recipe.checkpoint_every);
        self.optimizer.apply(&mut recipe);
        self.task.apply(&mut recipe)?;
        self.model.apply(&mut recipe)?;
        recipe.validate()?;
        Ok(recipe)
    }
}

fn set<V: Copy>(value: &mut V, said: Option<V>) {
    *value = said.unwrap_or(*value);
}

impl OptimizerFlags {
    fn apply(&self, recipe: &mut Recipe) {
        set(&mut recipe.optimizer, self.optimizer);
        set(&mut recipe.lr_start, self.lr_start);
        set(&mut recipe.lr_end, self.lr_end);
        set(&mut recipe.weight_decay, self.weight_decay);
        set(&mut recipe.beta1, self.beta1);
        set(&mut recipe.beta2, self.beta2);
        set(&mut recipe.adam_eps, self.adam_eps);
    }
}

impl TaskFlags {
    fn apply(&self, recipe: &mut Recipe) -> Result<()> {
        if let TaskSpec::SortedList { list_len, max_value } = &mut recipe.task {
            set(list_len, self.list_len);
            set(max_value, self.max_value);
        } else if self.list_len.is_some() || self.max_value.is_some() {
            return Err(Error::invalid("--list-len and --max-value", "the task sorted_list", "another"));
        }
        Ok(())
    }
}

impl ModelFlags {
    fn apply(&self, recipe: &mut Recipe) -> Result<()> {
        let model = &mut recipe.model;
        set(&mut model.n_layers, self.n_layers);
        set(&mut model.n_heads, self.n_heads);
        set(&mut model.d_model, self.d_model);
        set(&mut model.d_head, self.d_head);
        set(&mut model.normalization_type, self.normalization);
        set(&mut model.attention_dir, self.attention);
        set(&mut model.positional_embedding_type, self.positions);
        set(&mut model.eps, self.eps);
        if let Some(d_mlp) = self.d_mlp {
            let act_fn = model.mlp.map_or(ActFn::Relu, |mlp| mlp.act_fn);
            model.mlp = Some(Mlp { d_mlp, act_fn });
        }
        match (&mut model.mlp, self.act_fn) {
            (Some(mlp), said) => set(&mut mlp.act_fn, said),
            (None, Some(_)) => return Err(Error::invalid("--act-fn", "an MLP (--d-mlp N)", "none")),
            (None, None) => {}
        }
        Ok(())
    }
}

/// The recipe that a TOML file gives; what it leaves out is the post's.
fn read_toml(path: &Path) -> Result<Recipe> {
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
