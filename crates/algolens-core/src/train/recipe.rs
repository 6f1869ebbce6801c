//! What a training run is made from.

use super::{DataSource, Keep, Schedule};
use crate::{
    Error, Result,
    model::{AttentionDir, Biases, Config, Mlp, Normalization, Positions},
    task::{Dataset, Task, TaskSpec},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Everything that determines a training run: with one engine, to the last bit of its weights. The default is the post's
/// recipe, but for the task, which has none; a task's own is [`TaskKind::recipe`](crate::task::TaskKind::recipe).
///
/// In TOML every key may be left out; a key that is none is an error.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Recipe {
    /// Data, initial weights and the order of examples derive from it.
    pub seed: u64,
    /// What is learnt; none where a file has the examples.
    pub task: Option<TaskSpec>,
    /// The file whose examples are learnt, where no task draws them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<DataSource>,
    /// The model's shape, as far as the task leaves it open.
    pub model: Architecture,
    /// Examples to learn from; at most so many, where there are no more.
    pub train_size: usize,
    /// Examples that decide which epoch's weights are kept; at most so many, where there are no more.
    pub validation_size: usize,
    /// The share of the task's inputs, by their [`group`](crate::task::Task::group), that is learnt from; the others are
    /// held out, to validate on. Of a task whose inputs can be listed each is an example once. If absent, all examples are
    /// drawn alike.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub train_share: Option<f64>,
    /// Examples a step; the last step of a pass over the examples takes what is left.
    pub batch_size: usize,
    /// Epochs: passes over the examples, or as many steps as `epoch_steps` says.
    pub epochs: usize,
    /// Optimizer steps from one validation to the next; one pass over the examples if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epoch_steps: Option<usize>,
    /// The accuracy on the validation data at which training stops.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_accuracy: Option<f64>,
    /// The loss on the validation data at which training stops; with `stop_accuracy`, where both are reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_loss: Option<f64>,
    /// Which epoch's weights are kept.
    pub keep: Keep,
    /// The rule that turns gradients into steps.
    pub optimizer: Optimizer,
    /// How the learning rate falls.
    pub lr_schedule: Schedule,
    /// The learning rate that training starts down from; see [`learning_rate`](Self::learning_rate).
    pub lr_start: f64,
    /// The learning rate at the end.
    pub lr_end: f64,
    /// Steps over which the learning rate rises from 0 to what it is without.
    pub warmup_steps: u64,
    /// Decay of the gradients' running mean, per step.
    pub beta1: f64,
    /// Decay of the squared gradients' running mean, per step.
    pub beta2: f64,
    /// Added to the root of the squared gradients' mean.
    pub adam_eps: f64,
    /// Weight decay; what it does depends on the [`Optimizer`].
    pub weight_decay: f64,
    /// Steps from one checkpoint of the weights to the next, the first before any step; none if absent.
    pub checkpoint_every: Option<usize>,
}

/// A model's shape without what the task determines (context, vocabulary, classes).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Architecture {
    /// Blocks.
    pub n_layers: usize,
    /// Attention heads a block.
    pub n_heads: usize,
    /// Width of the residual stream.
    pub d_model: usize,
    /// Width of a head.
    pub d_head: usize,
    /// The MLP of each block; none in an attention-only model.
    pub mlp: Option<Mlp>,
    /// The norm before attention, before the MLP and before the unembedding.
    pub normalization_type: Normalization,
    /// Who may attend to whom; as the task's models do, if absent.
    pub attention_dir: Option<AttentionDir>,
    /// Where positions enter.
    pub positional_embedding_type: Positions,
    /// Added to the variance inside every norm.
    pub eps: f64,
    /// Which biases there are.
    pub biases: Biases,
}

/// Adam with one of two weight decays (Kingma & Ba 2015; Loshchilov & Hutter 2019).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Optimizer {
    /// Coupled L2: `weight_decay · w` is added to the gradient.
    Adam,
    /// Decoupled: weights shrink by `rate · weight_decay` of themselves before each step.
    AdamW,
}

impl Default for Recipe {
    fn default() -> Self {
        Self {
            seed: 0,
            task: None,
            data: None,
            model: Architecture::default(),
            train_size: 150_000,
            validation_size: 10_000,
            train_share: None,
            batch_size: 512,
            epochs: 25,
            epoch_steps: None,
            stop_accuracy: None,
            stop_loss: None,
            keep: Keep::Accuracy,
            optimizer: Optimizer::Adam,
            lr_schedule: Schedule::Linear,
            lr_start: 1e-3,
            lr_end: 1e-4,
            warmup_steps: 0,
            beta1: 0.9,
            beta2: 0.999,
            adam_eps: 1e-8,
            weight_decay: 0.005,
            checkpoint_every: None,
        }
    }
}

impl Default for Architecture {
    fn default() -> Self {
        let post = Config::default();
        Self {
            n_layers: post.n_layers,
            n_heads: post.n_heads,
            d_model: post.d_model,
            d_head: post.d_head,
            mlp: post.mlp,
            normalization_type: post.normalization_type,
            attention_dir: None,
            positional_embedding_type: post.positional_embedding_type,
            eps: post.eps,
            biases: post.biases,
        }
    }
}

impl Architecture {
    /// The whole config of a model of this shape for a task.
    pub fn config(&self, task: &dyn Task) -> Config {
        let classes = task.output_labels().len();
        let sized = self.sized(task.n_ctx(), task.token_labels().len(), classes, task.attention_dir());
        Config { pad_token: task.pad_token(), ..sized }
    }

    /// The whole config of a model of this shape for some examples.
    pub(super) fn config_for(&self, examples: &Dataset) -> Config {
        let (n_ctx, classes) = (examples.tokens().ncols(), examples.output_labels().len());
        self.sized(n_ctx, examples.token_labels().len(), classes, AttentionDir::Causal)
    }

    fn sized(&self, n_ctx: usize, d_vocab: usize, d_vocab_out: usize, attention_dir: AttentionDir) -> Config {
        Config {
            n_layers: self.n_layers,
            n_heads: self.n_heads,
            d_model: self.d_model,
            d_head: self.d_head,
            mlp: self.mlp,
            n_ctx,
            d_vocab,
            d_vocab_out,
            normalization_type: self.normalization_type,
            attention_dir: self.attention_dir.unwrap_or(attention_dir),
            positional_embedding_type: self.positional_embedding_type,
            eps: self.eps,
            biases: self.biases,
            ..Config::default()
        }
    }
}

impl Recipe {
    /// The most tokens of training and validation data together (a gigabyte).
    pub const MOST_TOKENS: usize = 1 << 28;
    /// The most epochs: the record of each is kept.
    pub const MOST_EPOCHS: usize = 1 << 20;

    /// The learning rate of an optimizer step, counted from 0.
    pub fn learning_rate(&self, step: u64) -> f64 {
        let (steps, epochs) = (self.steps_per_epoch() as u64, self.epochs as f64);
        let falling = |share: f64| self.lr_start + (self.lr_end - self.lr_start) * share;
        let rate = match self.lr_schedule {
            Schedule::Linear => falling((step / steps + 1) as f64 / epochs),
            Schedule::Cosine => {
                let share = step as f64 / (steps as f64 * epochs);
                falling(0.5 - 0.5 * (std::f64::consts::PI * share).cos())
            }
            Schedule::Constant => self.lr_start,
        };
        if step < self.warmup_steps { rate * ((step + 1) as f64 / self.warmup_steps as f64) } else { rate }
    }

    /// Optimizer steps in a pass over the examples.
    pub fn steps_per_pass(&self) -> usize {
        self.train_size.div_ceil(self.batch_size)
    }

    /// Optimizer steps in an epoch.
    pub fn steps_per_epoch(&self) -> usize {
        self.epoch_steps.unwrap_or_else(|| self.steps_per_pass())
    }

    /// Examples that an epoch learns from, each as often as it comes.
    pub fn examples_per_epoch(&self) -> u64 {
        let (passes, steps) =
            (self.steps_per_epoch() / self.steps_per_pass(), self.steps_per_epoch() % self.steps_per_pass());
        passes as u64 * self.train_size as u64 + steps as u64 * self.batch_size.min(self.train_size) as u64
    }

    /// Whether a checkpoint of the weights is due after this many steps.
    pub fn checkpoint_due(&self, steps: u64) -> bool {
        self.checkpoint_every.is_some_and(|every| steps.is_multiple_of(every as u64))
    }

    /// The recipe with the attention of models of this config, where it leaves that open.
    pub(super) fn attending_as(mut self, config: &Config) -> Self {
        self.model.attention_dir.get_or_insert(config.attention_dir);
        self
    }

    /// The task.
    ///
    /// # Errors
    /// A recipe for the examples of a file.
    pub fn task_spec(&self) -> Result<&TaskSpec> {
        match (&self.task, &self.data) {
            (Some(task), None) => Ok(task),
            (_, Some(data)) => Err(Error::invalid("task", "one", format!("the examples of {data}"))),
            (None, None) => Err(Error::invalid("task", "one", "none")),
        }
    }

    /// Whether a training run of models of this config can be made from this.
    ///
    /// # Errors
    /// Names the first key whose value is out of range.
    pub fn validate(&self, config: &Config) -> Result<()> {
        config.validate()?;
        for (name, size, most) in [
            ("train_size", self.train_size, usize::MAX),
            ("validation_size", self.validation_size, usize::MAX),
            ("batch_size", self.batch_size, usize::MAX),
            ("epochs", self.epochs, Self::MOST_EPOCHS),
            ("epoch_steps", self.epoch_steps.unwrap_or(1), u32::MAX as usize),
            ("checkpoint_every", self.checkpoint_every.unwrap_or(1), usize::MAX),
        ] {
            if size == 0 {
                return Err(Error::invalid(name, "1 or more", size));
            }
            if size > most {
                return Err(Error::invalid(name, format!("at most {most}"), size));
            }
        }
        let most = Self::MOST_TOKENS / config.n_ctx;
        for (name, examples) in
            [("train_size", self.train_size), ("validation_size", self.train_size.saturating_add(self.validation_size))]
        {
            if examples > most {
                let expected = format!("at most {most} training and validation examples of {} tokens", config.n_ctx);
                return Err(Error::invalid(name, expected, examples));
            }
        }
        self.validate_rates()?;
        self.validate_shares()
    }

    fn validate_shares(&self) -> Result<()> {
        if let Some(share) = self.train_share.filter(|share| !(*share > 0.0 && *share < 1.0)) {
            return Err(Error::invalid("train_share", "a number between 0 and 1", share));
        }
        if let Some(accuracy) = self.stop_accuracy.filter(|accuracy| !(0.0..=1.0).contains(accuracy)) {
            return Err(Error::invalid("stop_accuracy", "a number of 0 to 1", accuracy));
        }
        match self.stop_loss.filter(|loss| !(loss.is_finite() && *loss >= 0.0)) {
            None => Ok(()),
            Some(loss) => Err(Error::invalid("stop_loss", "a number of 0 or more", loss)),
        }
    }

    fn validate_rates(&self) -> Result<()> {
        for (name, rate) in [("lr_start", self.lr_start), ("lr_end", self.lr_end), ("weight_decay", self.weight_decay)]
        {
            if !(rate.is_finite() && rate >= 0.0) {
                return Err(Error::invalid(name, "a number of 0 or more", rate));
            }
        }
        for (name, beta) in [("beta1", self.beta1), ("beta2", self.beta2)] {
            if !(0.0..1.0).contains(&beta) {
                return Err(Error::invalid(name, "a number in [0, 1)", beta));
            }
        }
        // As the optimizer uses it.
        let eps = self.adam_eps as f32;
        if !(eps.is_finite() && eps > 0.0) {
            return Err(Error::invalid("adam_eps", "a positive number that float32 has", self.adam_eps));
        }
        Ok(())
    }

    /// Whether another recipe is the same as this one, with which a run began.
    ///
    /// # Errors
    /// Names the first key that differs, with both values.
    pub fn check_same(&self, other: &Self) -> Result<()> {
        let json = |recipe| serde_json::to_value(recipe).map_err(|error| Error::invalid("recipe", "JSON", error));
        match difference("", &json(self)?, &json(other)?) {
            None => Ok(()),
            Some((key, began, now)) => Err(Error::invalid(key, format!("{began}, as the run began with"), now)),
        }
    }
}

/// The path of the first key whose values differ, with both values.
fn difference(path: &str, began: &Value, now: &Value) -> Option<(String, String, String)> {
    match (began, now) {
        (Value::Object(began), Value::Object(now)) => began.iter().find_map(|(key, value)| {
            let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            difference(&path, value, now.get(key).unwrap_or(&Value::Null))
        }),
        _ if began == now => None,
        _ => Some((path.to_owned(), said(began), said(now))),
    }
}

fn said(value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::String(name) => name.clone(),
        other => other.to_string(),
    }
}
