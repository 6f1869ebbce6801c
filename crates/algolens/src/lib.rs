//! Train small transformers on algorithmic tasks, take them apart, and show why the explanation holds.
//!
//! ```
//! use algolens::{HookedTransformer, engine::hooks::Filter, interpret::*, model::checkpoint::Hints, task::SortedList};
//! # let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../models/sorted_list.safetensors");
//! let model = HookedTransformer::from_checkpoint(path, &Hints::default())?;
//! let data = SortedList::new(10, 50)?.dataset(500, 43);
//! println!("token accuracy {}", model.evaluate(&data)?.token_accuracy);
//! let (_logits, cache) = model.run_with_cache(data.tokens(), Filter::All)?;
//! let pattern = cache.activation("blocks.0.attn.hook_pattern")?; // [batch, head, query, key]
//! println!("patterns {:?}", pattern.shape());
//! let head = Ablation { parts: vec![Part::Head("0.1".parse()?)], ..Ablation::default() };
//! let ablated = ablate((&model).into(), &head, &data, &data, None)?;
//! println!("without head 0.1 the loss gains {}", ablated.loss_increase);
//! # Ok::<(), algolens::Error>(())
//! ```
//!
//! The noun is [`HookedTransformer`], with TransformerLens's verbs. A [`task`] says what is learnt and makes data; a [`model`] is a config and named weights; an [`engine`] runs it, with
//! hooks and a cache where they are asked for; [`train`] makes models; [`interpret`] takes them apart. Names, shapes and
//! axes are TransformerLens's.
//!
//! Features, all on by default: `parallel` (several threads; the results have the same bits without it), `files` (paths
//! beside bytes), `torch` (PyTorch, pickles, `.npz`). Without them the library compiles to `wasm32-unknown-unknown`.

pub use algolens_check as check;
#[cfg(feature = "files")]
pub use algolens_core::files;
pub use algolens_core::{
    Error, HookedTransformer, Result, Scalar, engine, evaluation, model, observer, parallel, provenance, random, task,
    train,
};
pub use algolens_interpret as interpret;
pub use algolens_prove as prove;

/// The README's example compiles.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
