//! `algolens train --seeds`: one recipe, many seeds.

use super::{Args, run_into};
use crate::terminal::{Terminal, warn};
use algolens::{
    Error, Result, parallel,
    task::Registry,
    train::{Recipe, Run},
};
use indicatif::MultiProgress;
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

/// Trains a model of every seed; tells which weights were kept, a line a seed. If some fail, the first of their errors.
pub fn run(args: &Args, Seeds(seeds): Seeds, registry: &Registry, terminal: &Terminal) -> Result<String> {
    let out = args.out.to_str().filter(|out| out.contains(SEED));
    let out =
        out.ok_or_else(|| Error::invalid("--out", format!("a file with {SEED} in its name"), args.out.display()))?;
    let recipe = args.recipe.recipe()?;
    let run = |seed| args.recipe.run(Recipe { seed, ..recipe.clone() }, args.data.as_deref(), registry);
    // What is wrong with one is wrong with all, and is found before any work.
    let engine = args.backend.engines(run(seeds.start)?.model().config())?;
    let bars = MultiProgress::new();
    let train = |seed: u64| -> Result<String> {
        if terminal.interrupted() {
            return Err(Error::Cancelled);
        }
        let file = PathBuf::from(out.replace(SEED, &seed.to_string()));
        let run: Run = run(seed)?;
        let kept = run_into(&file, args.resume, run, registry, &*engine(), terminal, Some(&bars))?;
        bars.suspend(|| terminal.say(kept.trim_end()));
        Ok(kept)
    };
    let kept = parallel::one_thread_each(seeds.clone().collect(), train)?;
    let done = kept.iter().filter(|kept| kept.is_ok()).count();
    kept.into_iter().collect::<Result<String>>().inspect_err(|error| {
        if matches!(error, Error::Cancelled) {
            let all = seeds.end - seeds.start;
            warn(format_args!(
                "algolens: interrupted, {done} of {all} models are trained; the same command with --resume goes on"
            ));
        }
    })
}
