//! `algolens train --seeds`: one recipe, many seeds.

use super::{Args, run_into};
use crate::{
    refusal,
    terminal::{Terminal, warn},
};
use algolens::{Error, Result, parallel, task::Registry, train::Recipe};
use indicatif::{MultiProgress, ProgressDrawTarget};
use std::{ops::Range, path::PathBuf, str::FromStr};

/// What stands for the seed in the name of a file.
const SEED: &str = "{seed}";

/// Some seeds, one after another.
#[derive(Clone, Debug)]
pub struct Seeds(Range<u64>);

impl FromStr for Seeds {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        const MOST: u64 = 100_000;
        let ends = text.split_once("..").and_then(|(from, to)| from.parse().ok().zip(to.parse().ok()));
        let expected = || format!("A..B with A < B, at most {MOST} seeds");
        ends.filter(|(from, to)| from < to && to - from <= MOST)
            .map(|(from, to)| Self(from..to))
            .ok_or_else(|| Error::invalid("--seeds", expected(), text))
    }
}

/// Trains a model of every seed; tells which weights were kept, a line a seed.
///
/// # Errors
/// Where some fail, each of their errors has its line; the others are trained all the same.
pub fn run(args: &Args, Seeds(seeds): Seeds, registry: &Registry, terminal: &Terminal) -> Result<String> {
    let out = args.out.to_str().filter(|out| out.contains(SEED));
    let out =
        out.ok_or_else(|| Error::invalid("--out", format!("a file with {SEED} in its name"), args.out.display()))?;
    let recipe = args.recipe.recipe(registry)?;
    let run = |seed| args.recipe.run(Recipe { seed, ..recipe.clone() }, args.data.as_deref(), registry);
    // What is wrong with one is wrong with all, and is found before any work.
    let engine = args.backend.engines(run(seeds.start)?.model().config())?;
    let shown = if terminal.quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
    let bars = MultiProgress::with_draw_target(shown);
    let train = |seed: u64| -> Result<String> {
        if terminal.interrupted() {
            return Err(Error::Cancelled);
        }
        let path = PathBuf::from(out.replace(SEED, &seed.to_string()));
        let kept = run_into(&path, args.resume, run(seed)?, registry, &*engine(), terminal, Some(&bars));
        if let Ok(kept) = &kept {
            bars.suspend(|| terminal.say(kept.trim_end()));
        }
        kept.map_err(|error| match error {
            Error::Cancelled | Error::File { .. } | Error::InFile { .. } => error,
            error => Error::InFile { path, error: Box::new(error) },
        })
    };
    let (kept, failed): (Vec<_>, Vec<_>) =
        parallel::one_thread_each(seeds.clone().collect(), train)?.into_iter().partition(Result::is_ok);
    let kept: Vec<String> = kept.into_iter().flatten().collect();
    let (cancelled, mut failed): (Vec<_>, Vec<_>) =
        failed.into_iter().filter_map(Result::err).partition(|error| matches!(error, Error::Cancelled));
    let all = seeds.end - seeds.start;
    if !cancelled.is_empty() {
        warn(format_args!(
            "algolens: interrupted, {} of {all} models are trained; the same command with --resume goes on",
            kept.len()
        ));
    }
    let Some(last) = failed.pop().or_else(|| cancelled.into_iter().next()) else { return Ok(kept.concat()) };
    failed.iter().for_each(|error| warn(format_args!("algolens: {}", refusal::line(error))));
    Err(last)
}
