//! `algolens train`: a model trained by a recipe.

pub mod files;
mod progress;
mod seeds;

use crate::{
    backend_flags::BackendFlags,
    recipe_flags::RecipeFlags,
    terminal::{Terminal, warn},
};
use algolens::{
    Error, Result,
    engine::Engine,
    files::Lock,
    observer::Observer,
    task::{Registry, TaskSpec},
    train::{Event, Run},
};
use files::Files;
use indicatif::MultiProgress;
use progress::Progress;
use std::{
    ops::ControlFlow,
    path::{Path, PathBuf},
};

/// Train a model
///
/// Without other flags than --out this is the recipe of the post: one layer, two heads, lists of 10 values from 0 to
/// 50. Another --task has a recipe of its own, whose values go before the defaults below. Beside the model stand its training state (model.safetensors.state), from which --resume goes on, and a log with
/// one line of JSON an epoch (model.log.jsonl).
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// File for the model; it is written when training is done
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Go on from the last finished epoch of an interrupted training, to the same bits as without the interruption (with
    /// another --backend or --vectors to others)
    #[arg(long)]
    resume: bool,
    /// Train a model for every seed from A to B − 1, one on each core at a time, each as it would be trained alone; {seed} in
    /// --out stands for the seed
    #[arg(long, value_name = "A..B", conflicts_with = "seed")]
    seeds: Option<String>,
    /// Your own data instead of a task: NumPy's .npz (see `algolens help eval`). Its part train is learnt, its part validation
    /// decides which weights are kept; without parts a tenth, drawn by the seed, does
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
    #[command(flatten)]
    recipe: RecipeFlags,
    #[command(flatten)]
    backend: BackendFlags,
}

const EXAMPLES: &str = "\
Examples:
  algolens train --out model.safetensors
      The post's model, seed 0
  algolens train --out model.safetensors --resume
      Go on after Ctrl-C or a crash; starts if nothing was begun, does nothing if all is done
  algolens train --out small.safetensors --list-len 5 --max-value 20 --d-model 48 --d-head 24 --epochs 5
      A smaller task and model
  algolens train --out mlp.safetensors --n-layers 2 --d-mlp 128 --act-fn gelu --optimizer adamw
      Another architecture and optimizer
  algolens train --out model.safetensors --checkpoint-every 293
      Also the weights of every epoch of the post's recipe, in model.checkpoints/
  algolens train --out model.safetensors --data data.npz
      A model of your own data, of which no task needs to be known
  algolens train --out model.safetensors --config recipe.toml --seed 3
      A recipe from a file, with another seed
  algolens train --out 'model-{seed}.safetensors' --seeds 0..16
      Sixteen seeds, one on each core at a time

recipe.toml, in which every key may be left out:
  epochs = 10
  train_size = 50000
  optimizer = \"adamw\"
  [task]
  name = \"sorted_list\"
  list_len = 10
  max_value = 50
  [model]
  d_model = 64
  d_head = 32
  mlp = { d_mlp = 128, act_fn = \"gelu\" }";

/// Trains, or goes on training, and tells which weights were kept.
pub fn run(args: &Args, registry: &Registry, terminal: &Terminal) -> Result<String> {
    if let Some(seeds) = &args.seeds {
        return seeds::run(args, seeds.parse()?, registry, terminal);
    }
    let run = args.recipe.run(args.recipe.recipe(registry)?, args.data.as_deref(), registry)?;
    let engine = args.backend.engine(run.model().config())?;
    run_into(&args.out, args.resume, run, registry, &*engine, terminal, None)
}

/// Trains into a file, or goes on training; tells which weights were kept. Among others its bar is one of theirs, and epochs
/// have no lines.
pub fn run_into(
    out: &Path,
    resume: bool,
    mut run: Run,
    registry: &Registry,
    engine: &dyn Engine,
    terminal: &Terminal,
    among: Option<&MultiProgress>,
) -> Result<String> {
    let files = Files::beside(out)?;
    let _lock = Lock::take(out)?;
    let begun = if resume { files.state(registry, run.examples())? } else { None };
    match begun {
        Some(begun) => {
            begun.resumable_by(run.recipe()).map_err(|error| files.in_state(error))?;
            run = begun;
        }
        None => files.prepare(run.recipe())?,
    }
    let out = out.display();
    if run.finished() {
        let done = if files.restore_model(&run)? { "its model was missing and is written" } else { "nothing to do" };
        return Ok(format!("{out}: training is finished; {done}\n"));
    }
    // Before any work: an unwritable folder is found at once, and no state of an earlier run is left to go on from.
    files.save(&run)?;
    train(&mut run, engine, &files, terminal, among)?;
    let best = run.history().iter().rfind(|record| record.best);
    let kept = best.map_or_else(String::new, |best| {
        format!(": the weights of epoch {}, validation accuracy {:.4}", best.epoch, best.validation_accuracy)
    });
    Ok(format!("{out}{kept}\n"))
}

fn train(
    run: &mut Run,
    engine: &dyn Engine,
    files: &Files,
    terminal: &Terminal,
    among: Option<&MultiProgress>,
) -> Result<()> {
    if let (Some(examples), None) = (run.examples(), among) {
        let (train, validation) = (examples.train().len(), examples.validation().len());
        terminal.say(format!("learns from {train} examples of {}, validates on {validation}", examples.source().name));
    }
    let progress = Progress::new(run, terminal, among);
    let mut watcher = Watcher { files, terminal, progress, failed: None, task: run.recipe().task.clone() };
    let result = run.train(engine, &mut watcher);
    watcher.progress.clear();
    match (watcher.failed, result) {
        (Some(error), _) => Err(error),
        // Interrupted when there was nothing left to interrupt.
        (None, Err(Error::Cancelled)) if run.finished() => Ok(()),
        (None, Err(Error::Cancelled)) if among.is_some() => Err(Error::Cancelled),
        (None, Err(Error::Cancelled)) => {
            let (done, epochs) = (run.history().len(), run.recipe().epochs);
            warn(format_args!(
                "algolens: interrupted, {done} of {epochs} epochs are saved; the same command with --resume goes on"
            ));
            Err(Error::Cancelled)
        }
        (None, result) => result,
    }
}

/// The observer of a run: shows and saves where it stands, and stops it on an interrupt or where saving fails.
struct Watcher<'a> {
    files: &'a Files,
    terminal: &'a Terminal,
    progress: Progress<'a>,
    failed: Option<Error>,
    task: Option<TaskSpec>,
}

impl<'e> Observer<Event<'e>> for Watcher<'_> {
    fn on(&mut self, event: Event<'e>) -> ControlFlow<()> {
        let saved = match event {
            Event::Step(step) => {
                self.progress.step(&step);
                Ok(())
            }
            Event::Checkpoint { steps, model } => self.files.save_checkpoint(steps, model, self.task.clone()),
            Event::Epoch(run) => {
                self.progress.epoch(run);
                self.files.save(run)
            }
        };
        if let Err(error) = saved {
            self.failed = Some(error);
            return ControlFlow::Break(());
        }
        if self.terminal.interrupted() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}
