//! `algolens cache`: every activation, for NumPy.

use crate::{load::ModelArgs, npy, output};
use algolens::{
    Error, Result,
    engine::{
        Engine, Plain,
        hooks::{Filter, HookPoint},
    },
    task::Registry,
};
use ndarray::Array3;
use std::path::PathBuf;

/// Run a model on tokens and write the logits and every activation under its hook name
#[derive(clap::Args)]
#[command(after_help = "Example:\n  \
                        python -c 'import numpy as np; np.save(\"tokens.npy\", [[3,1,2,51,1,2,3]])'\n  \
                        algolens cache models/sorted_list.safetensors --tokens tokens.npy --out cache.npz\n  \
                        python -c 'import numpy as np; print(np.load(\"cache.npz\")[\"blocks.0.attn.hook_pattern\"])'")]
pub struct Args {
    #[command(flatten)]
    model: ModelArgs,
    /// Tokens [batch, pos] of any integer type, as NumPy's .npy
    #[arg(long, value_name = "FILE")]
    tokens: PathBuf,
    /// Where to write: NumPy's .npz
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Only activations whose name contains this; may be given several times
    #[arg(long, value_name = "TEXT")]
    only: Vec<String>,
    /// Process the weights first
    #[arg(long)]
    processed: bool,
}

/// Runs the model, writes the activations, and tells how many there are.
pub fn run(args: &Args, registry: &Registry) -> Result<String> {
    let opened = args.model.processed(args.processed, registry)?;
    let tokens = npy::tokens(&args.tokens)?;
    let wanted = |name: &str| args.only.is_empty() || args.only.iter().any(|text| name.contains(text.as_str()));
    let (logits, cache): (Array3<f32>, _) =
        Plain::new().run_with_cache(&opened.model, tokens.view(), Filter::Matching(&wanted))?;
    if cache.iter().next().is_none() {
        let names = HookPoint::all(opened.model.config()).into_iter().map(|point| point.to_string());
        return Err(Error::unknown("hook point", &args.only.join(", "), names));
    }
    let logits = ("logits", logits.view().into_dyn());
    algolens::files::write_whole(&args.out, &output::npz([logits].into_iter().chain(cache.iter()))?)?;
    Ok(format!("{}: logits and {} activations\n", args.out.display(), cache.iter().count()))
}
