//! A model from the command line: its file, what the file does not say, and whether its weights are processed.

use crate::values::Value;
use algolens::{
    Error, Result,
    model::{
        ActFn, AttentionDir, Model, Normalization, Positions,
        checkpoint::{Checkpoint, Hints, Loaded},
        processing::{Processed, Step},
    },
    task::{Registry, SortedList, TaskSpec},
};
use std::path::{Path, PathBuf};

/// The arguments of a model: its file, and what the file does not say.
#[derive(clap::Args)]
pub struct ModelArgs {
    /// The model: safetensors, or a PyTorch state dict (.pt)
    #[arg(value_name = "MODEL")]
    pub path: PathBuf,
    #[command(flatten)]
    pub hints: HintArgs,
}

/// The flags for what a PyTorch file does not say of its model.
#[derive(clap::Args)]
#[command(next_help_heading = "What a PyTorch file does not say")]
pub struct HintArgs {
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
    #[arg(long, value_name = "KIND", value_parser = Positions::parser())]
    positions: Option<Positions>,
    /// Added to the variance inside norms [default: 1e-5]
    #[arg(long, value_name = "X")]
    eps: Option<f64>,
}

impl ModelArgs {
    /// The checkpoint in the file.
    pub fn open(&self) -> Result<Loaded> {
        Checkpoint::open(&self.path, &self.hints.hints())
    }

    /// The model, its weights processed if that is asked for.
    pub fn processed(&self, processed: bool, registry: &Registry) -> Result<Opened> {
        Ok(Opened::read(&self.path, &self.hints.hints(), registry)?.processed(processed))
    }
}

impl HintArgs {
    /// The hints that the flags give.
    pub fn hints(&self) -> Hints {
        Hints {
            normalization_type: self.normalization,
            act_fn: self.act_fn,
            attention_dir: self.attention,
            positional_embedding_type: self.positions,
            eps: self.eps,
        }
    }
}

/// A model that is ready to be run.
pub struct Opened {
    /// The model.
    pub model: Model,
    /// The task that the file states, or the one of the program's whose sizes the model has.
    pub task: Option<TaskSpec>,
    /// The processing steps that were applied.
    pub processing: Vec<Step>,
}

impl Opened {
    /// The model of a file, its weights as they are.
    pub fn read(path: &Path, hints: &Hints, registry: &Registry) -> Result<Self> {
        let Loaded { checkpoint: Checkpoint { model, task }, .. } = Checkpoint::open(path, hints)?;
        let task = task.or_else(|| registry.fitting(model.config()));
        Ok(Self { model, task, processing: Vec::new() })
    }

    /// The model, its weights processed if that is asked for.
    pub fn processed(self, processed: bool) -> Self {
        if !processed {
            return self;
        }
        let Processed { model, applied } = self.model.process();
        Self { model, processing: applied, ..self }
    }

    /// The sorting task of the model.
    ///
    /// # Errors
    /// A model of another task, or of none that is known.
    pub fn sorted_list(&self) -> Result<SortedList> {
        match self.task {
            Some(TaskSpec::SortedList { list_len, max_value }) => SortedList::new(list_len, max_value),
            _ => {
                let config = self.model.config();
                let found =
                    format!("n_ctx {}, d_vocab {}, d_vocab_out {}", config.n_ctx, config.d_vocab, config.d_vocab_out);
                Err(Error::invalid("the model's task", "sorting lists (n_ctx odd, d_vocab = d_vocab_out)", found))
            }
        }
    }
}
