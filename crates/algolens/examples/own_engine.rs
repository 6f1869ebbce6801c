//! An engine of your own: the direct path alone, as if every head wrote nothing. Evaluation follows from its logits.
//! `cargo run --release -p algolens --example own_engine -- models/sorted_list.safetensors`

use algolens::{
    Error, HookedTransformer, Result,
    engine::{
        Batch, Engine, Score, check_batch, check_gradients, check_tokens,
        hooks::{Cache, Filter, HookPoint, Hooks},
    },
    model::{Model, Params, checkpoint::Hints},
    task::{SortedList, Token},
};
use ndarray::{Array1, Array3, ArrayView2};
use std::sync::Arc;

struct DirectPath;

impl DirectPath {
    /// (W_E[token] + W_pos[position]) W_U + b_U, without norms.
    fn row(model: &Model, token: Token, position: usize) -> Array1<f32> {
        let (config, params, layout) = (model.config(), &model.params, model.params.layout());
        let resid = &params.get(layout.W_E).row(token as usize)
            + &params.get_or_zeros(layout.W_pos, [config.n_ctx, config.d_model]).row(position);
        resid.dot(&params.unembedding()) + params.get_or_zeros(layout.b_U, [config.d_vocab_out])
    }
}

impl Engine for DirectPath {
    fn name(&self) -> &'static str {
        "direct path"
    }

    fn logits(&self, model: &Model, tokens: ArrayView2<Token>, positions: &[usize]) -> Result<Array3<f32>> {
        check_tokens(model, tokens, positions)?;
        let mut logits = Array3::zeros((tokens.nrows(), positions.len(), model.config().d_vocab_out));
        for (tokens, mut sequence) in tokens.rows().into_iter().zip(logits.outer_iter_mut()) {
            for (position, mut row) in positions.iter().zip(sequence.rows_mut()) {
                row.assign(&Self::row(model, tokens[*position], *position));
            }
        }
        Ok(logits)
    }

    fn loss_and_gradients(&self, model: &Model, batch: Batch, gradients: &mut Params<f32>) -> Result<Score> {
        check_batch(model, batch)?;
        check_gradients(model, gradients)?;
        Err(Error::invalid("engine", "one that trains", self.name()))
    }

    /// Records what this engine computes before the unembedding, and runs no hooks.
    fn run(
        &self,
        model: &Model,
        tokens: ArrayView2<Token>,
        _: &mut Hooks<'_, f32>,
        record: Filter,
    ) -> Result<(Array3<f32>, Cache<f32>)> {
        let positions: Vec<usize> = (0..tokens.ncols()).collect();
        let logits = self.logits(model, tokens, &positions)?;
        let mut cache = Cache::default();
        if record.points(model.config())?.contains(&HookPoint::Embed) {
            let w_e = model.params.get(model.params.layout().W_E);
            let shape = (tokens.nrows(), tokens.ncols(), w_e.ncols());
            let embed = Array3::from_shape_fn(shape, |(batch, pos, at)| w_e[[tokens[[batch, pos]] as usize, at]]);
            cache.insert(HookPoint::Embed, embed.into_dyn());
        }
        Ok((logits, cache))
    }
}

fn main() -> Result<()> {
    let path = std::env::args().nth(1).unwrap_or_else(|| "models/sorted_list.safetensors".into());
    let whole = HookedTransformer::from_checkpoint(path, &Hints::default())?;
    let direct = HookedTransformer::with_engine(whole.model().clone(), Arc::new(DirectPath) as Arc<dyn Engine>);
    let data = SortedList::new(10, 50)?.dataset(500, 43);
    for model in [&whole, &direct] {
        println!("{}: token accuracy {:.4}", model.engine().name(), model.evaluate(&data)?.token_accuracy);
    }
    Ok(())
}
