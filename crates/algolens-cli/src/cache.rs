//! `algolens cache`: every activation, for NumPy.

use crate::{load::ModelArgs, npy, output};
use algolens::{
    Error, Result,
    engine::{
        Engine, Plain, Precision,
        hooks::{BlockPoint, Filter, HookPoint, Hooks},
    },
    model::Model,
    task::Registry,
};
use ndarray_npy::WritableElement;
use std::path::PathBuf;
use wildmatch::WildMatch;

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
    /// Only activations of these names: a part of them, or the whole with * for anything; may be given several times
    #[arg(long, value_name = "TEXT")]
    only: Vec<String>,
    /// Compute in double precision, from the weights as the file has them
    #[arg(long)]
    f64: bool,
    /// Give every head inputs of its own, as TransformerLens's flag does: ln1's activations get an axis of heads
    #[arg(long)]
    use_split_qkv_input: bool,
    /// Record attn.hook_result; so is done anyway
    #[arg(long)]
    use_attn_result: bool,
    /// Record hook_mlp_in; so is done anyway
    #[arg(long)]
    use_hook_mlp_in: bool,
    /// Write the tokens too, as hook_tokens
    #[arg(long)]
    use_hook_tokens: bool,
    /// Process the weights first
    #[arg(long)]
    processed: bool,
}

/// Runs the model, writes the activations, and tells how many there are.
pub fn run(args: &Args, registry: &Registry) -> Result<String> {
    match args.f64 {
        true => write(args, &args.model.in_f64(args.processed, registry)?),
        false => write(args, &args.model.processed(args.processed, registry)?.model),
    }
}

fn write<T: Precision + WritableElement>(args: &Args, model: &Model<T>) -> Result<String> {
    let config = model.config();
    let tokens = npy::tokens(&args.tokens)?;
    let wanted = |name: &str| args.only.is_empty() || args.only.iter().any(|text| is_meant(text, name));
    let mut hooks = Hooks::new(config);
    if args.use_split_qkv_input && config.n_heads > 0 {
        for layer in 0..config.n_layers {
            // A hook that changes nothing, where it could change what single heads read.
            hooks.add_at(HookPoint::Block(layer, BlockPoint::QInput), |_| Ok(()));
        }
    }
    let (logits, cache) = Plain::<T>::new().run(model, tokens.view(), &mut hooks, Filter::Matching(&wanted))?;
    if cache.iter().next().is_none() {
        let names = HookPoint::all(config).into_iter().map(|point| point.to_string());
        return Err(Error::unknown("hook point", &args.only.join(", "), names));
    }
    let arrays = [("logits", logits.view().into_dyn())].into_iter().chain(cache.iter());
    let read = [("hook_tokens", tokens.view().into_dyn())];
    let npz = output::npz_with_tokens(arrays, if args.use_hook_tokens { &read } else { &[] })?;
    algolens::files::write_whole(&args.out, &npz)?;
    Ok(format!("{}: logits and {} activations\n", args.out.display(), cache.iter().count()))
}

/// Whether a text means the activation of this name.
fn is_meant(text: &str, name: &str) -> bool {
    if text.contains(['*', '?']) { WildMatch::new(text).matches(name) } else { name.contains(text) }
}
