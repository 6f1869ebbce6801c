//! Direct logit attribution: what each component of the residual stream adds to the logits.

use super::{Head, Subject, circuits::check_layer, nested};
use algolens_core::{
    Result,
    engine::hooks::{BlockPoint, Cache, Filter, HookPoint},
    model::{Model, NormLayout, Normalization, Positions},
    task::Token,
};
use ndarray::{Array2, Array3, Array4, Array5, ArrayView1, ArrayView2, Axis, Ix3, Ix4, s};
use serde::Serialize;

/// Direct logit attribution: the logits as a sum over components of the residual stream, with the final norm's scale applied.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Attribution {
    /// `embed`, `pos_embed`, each head (`0.1`), `b_O` and `mlp` of each block, `ln_final.b`, `b_U`.
    pub components: Vec<String>,
    /// `[component, batch, position, class]`; over components they sum to the logits.
    #[serde(serialize_with = "nested")]
    pub contributions: Array4<f64>,
}

/// The direct logit attribution of every component of the residual stream, at some positions.
///
/// A component x adds ((x − mean x) / scale · w) W_U, scale being the final norm's of the whole stream and w its weight:
/// exact for raw weights too.
///
/// # Errors
/// Sequences that do not fit the model.
pub fn attribution(subject: Subject, tokens: ArrayView2<Token>, positions: &[usize]) -> Result<Attribution> {
    let model = subject.model;
    let (_, cache) = record(subject, tokens, positions)?;
    let readout = Readout::new(model, &cache, positions)?;
    let components = components(model, &cache)?;
    let classes = model.config().d_vocab_out;
    let shape = (components.len() + readout.constants.len(), tokens.nrows(), positions.len(), classes);
    let mut contributions = Array4::zeros(shape);
    for ((_, stream), mut to) in components.iter().zip(contributions.outer_iter_mut()) {
        for (list, mut to) in to.outer_iter_mut().enumerate() {
            for (slot, &position) in positions.iter().enumerate() {
                let vector = stream.at(list, position);
                to.row_mut(slot).assign(&readout.logits(vector.view(), list, slot));
            }
        }
    }
    for ((_, constant), mut to) in readout.constants.iter().zip(contributions.outer_iter_mut().skip(components.len())) {
        to += constant;
    }
    let names = components.into_iter().map(|(name, _)| name).chain(readout.constants.iter().map(|(n, _)| n.clone()));
    Ok(Attribution { components: names.collect(), contributions })
}

/// The direct logit attribution of every *source position* through each head of a block, `[batch, head, position, source,
/// class]`: the pattern times the source's value through W_O, read out as in [`attribution`]. Over sources it sums to the head's
/// own contribution.
///
/// # Errors
/// Sequences that do not fit the model, or a block that it does not have.
pub fn source_attribution(
    subject: Subject,
    layer: usize,
    tokens: ArrayView2<Token>,
    positions: &[usize],
) -> Result<Array5<f64>> {
    let config = subject.model.config();
    check_layer(config, layer)?;
    let (_, cache) = record(subject, tokens, positions)?;
    let readout = Readout::new(subject.model, &cache, positions)?;
    let w_o = subject.model.params.get(subject.model.params.layout().blocks[layer].W_O);
    let values = cache.get::<Ix4>(&name_at(layer, BlockPoint::V))?;
    let pattern = cache.get::<Ix4>(&name_at(layer, BlockPoint::Pattern))?;
    let (lists, seq) = tokens.dim();
    let mut all = Array5::zeros((lists, config.n_heads, positions.len(), seq, config.d_vocab_out));
    for list in 0..lists {
        for head in 0..config.n_heads {
            let written = values.slice(s![list, .., head, ..]).dot(&w_o.index_axis(Axis(0), head)).mapv(f64::from);
            for (slot, &position) in positions.iter().enumerate() {
                for (source, vector) in written.outer_iter().enumerate() {
                    let weight = f64::from(pattern[[list, head, position, source]]);
                    let logits = readout.logits(vector, list, slot) * weight;
                    all.slice_mut(s![list, head, slot, source, ..]).assign(&logits);
                }
            }
        }
    }
    Ok(all)
}

/// What [`source_logits`] looks at in one sequence: a position, a head, and two source positions with the classes they may boost.
#[derive(Clone, Copy)]
pub(super) struct SourceQuery {
    /// Index of the head in its block.
    pub head: usize,
    /// The position that predicts.
    pub position: usize,
    /// Two source positions.
    pub sources: [usize; 2],
    /// Two classes.
    pub classes: [Token; 2],
}

/// The logits of two classes at one position, and some of their parts.
pub(super) struct SourceLogits {
    /// `[class][source]`: the direct logit attribution of the two sources through the head.
    pub dla: [[f64; 2]; 2],
    /// The same through all heads of the block.
    pub all_heads: [[f64; 2]; 2],
    /// `[class]`: that of the token's own embedding, which is the direct path.
    pub direct: [f64; 2],
    /// `[class]`.
    pub logits: [f64; 2],
    /// `[source]`: the head's attention.
    pub attention: [f64; 2],
}

/// Two sources and two classes of [`source_attribution`] in each sequence, at a position and in a head of its own.
///
/// # Errors
/// Sequences that do not fit the model, or a block that it does not have.
pub(super) fn source_logits(
    subject: Subject,
    layer: usize,
    tokens: ArrayView2<Token>,
    queries: &[SourceQuery],
) -> Result<Vec<SourceLogits>> {
    const CHUNK: usize = 512;
    let model = subject.model;
    check_layer(model.config(), layer)?;
    let w_o = model.params.get(model.params.layout().blocks[layer].W_O);
    let [values_at, pattern_at] = [BlockPoint::V, BlockPoint::Pattern].map(|point| name_at(layer, point));
    let positions: Vec<usize> = (0..tokens.ncols()).collect();
    let mut all = Vec::with_capacity(queries.len());
    for (tokens, queries) in tokens.axis_chunks_iter(Axis(0), CHUNK).zip(queries.chunks(CHUNK)) {
        let (logits, cache) = record(subject, tokens, &positions)?;
        let readout = Readout::new(model, &cache, &positions)?;
        let (values, pattern) = (cache.get::<Ix4>(&values_at)?, cache.get::<Ix4>(&pattern_at)?);
        let embed = cache.get::<Ix3>("hook_embed")?;
        for (list, &SourceQuery { head, position, sources, classes }) in queries.iter().enumerate() {
            let through = |head: usize, source: usize| {
                let w_o = w_o.index_axis(Axis(0), head).mapv(f64::from);
                let written = values.slice(s![list, source, head, ..]).mapv(f64::from).dot(&w_o);
                let logits = readout.logits(written.view(), list, position);
                classes.map(|class| logits[class as usize] * f64::from(pattern[[list, head, position, source]]))
            };
            let mut all_heads = [[0.0; 2]; 2];
            let mut dla = all_heads;
            for at in 0..model.config().n_heads {
                for (source, of_source) in sources.map(|source| through(at, source)).into_iter().enumerate() {
                    for (class, logit) in of_source.into_iter().enumerate() {
                        all_heads[class][source] += logit;
                        if at == head {
                            dla[class][source] = logit;
                        }
                    }
                }
            }
            let direct = readout.logits(embed.slice(s![list, position, ..]).mapv(f64::from).view(), list, position);
            all.push(SourceLogits {
                dla,
                all_heads,
                direct: classes.map(|class| direct[class as usize]),
                logits: classes.map(|class| f64::from(logits[[list, position, class as usize]])),
                attention: sources.map(|source| f64::from(pattern[[list, head, position, source]])),
            });
        }
    }
    Ok(all)
}

/// The name of a hook point of a block.
fn name_at(layer: usize, point: BlockPoint) -> String {
    HookPoint::Block(layer, point).to_string()
}

/// Runs the model: the logits at every position, and a cache of the activations that attribution reads.
fn record(subject: Subject, tokens: ArrayView2<Token>, positions: &[usize]) -> Result<(Array3<f32>, Cache<f32>)> {
    algolens_core::engine::check_tokens(subject.model, tokens, positions)?;
    const READ: [&str; 7] = [
        "hook_embed",
        "hook_pos_embed",
        "hook_result",
        "hook_mlp_out",
        "hook_v",
        "hook_pattern",
        "ln_final.hook_scale",
    ];
    let reads = |name: &str| READ.iter().any(|read| name.ends_with(read));
    subject.engine.run_with_cache(subject.model, tokens, Filter::Matching(&reads))
}

/// One component of the residual stream.
enum Stream<'a> {
    /// `[batch, pos, d_model]`.
    Everywhere(ndarray::ArrayView3<'a, f32>),
    /// `[d_model]`, the same at every position.
    Constant(ArrayView1<'a, f32>),
}

impl Stream<'_> {
    /// The component at a position of a list, `[d_model]`.
    fn at(&self, list: usize, position: usize) -> ndarray::Array1<f64> {
        match self {
            Self::Everywhere(stream) => stream.slice(s![list, position, ..]).mapv(f64::from),
            Self::Constant(vector) => vector.mapv(f64::from),
        }
    }
}

/// The components of the final residual stream, by name.
fn components<'a>(model: &'a Model, cache: &'a Cache<f32>) -> Result<Vec<(String, Stream<'a>)>> {
    let config = model.config();
    let mut components = vec![("embed".to_owned(), Stream::Everywhere(cache.get::<Ix3>("hook_embed")?))];
    if config.positional_embedding_type == Positions::Standard {
        components.push(("pos_embed".to_owned(), Stream::Everywhere(cache.get::<Ix3>("hook_pos_embed")?)));
    }
    for (layer, block) in model.params.layout().blocks.iter().enumerate() {
        let result = cache.get::<Ix4>(&name_at(layer, BlockPoint::Result))?;
        for head in 0..config.n_heads {
            let stream = Stream::Everywhere(result.slice_move(s![.., .., head, ..]));
            components.push((Head { layer, head }.to_string(), stream));
        }
        components.push((format!("{layer}.b_O"), Stream::Constant(model.params.get(block.b_O))));
        if !config.attn_only() {
            components.push((
                format!("{layer}.mlp"),
                Stream::Everywhere(cache.get::<Ix3>(&name_at(layer, BlockPoint::MlpOut))?),
            ));
        }
    }
    Ok(components)
}

/// The final norm, with its scale fixed, and the unembedding: a linear map from the residual stream to logits.
struct Readout {
    /// True if the final norm subtracts the mean.
    centred: bool,
    /// ln_final.w · W_U, `[d_model, class]`.
    w_u: Array2<f64>,
    /// The final norm's scale, `[batch, position]`.
    scale: Array2<f64>,
    /// What biases add to the logits, `[class]`, by name.
    constants: Vec<(String, ndarray::Array1<f64>)>,
}

impl Readout {
    /// The readout of a cached run at `positions`.
    fn new(model: &Model, cache: &Cache<f32>, positions: &[usize]) -> Result<Self> {
        let layout = model.params.layout();
        let mut w_u = model.params.get(layout.W_U).mapv(f64::from);
        let mut constants = Vec::new();
        if let Some(NormLayout { w, b }) = layout.ln_final {
            constants.push(("ln_final.b".to_owned(), model.params.get(b).mapv(f64::from).dot(&w_u)));
            w_u *= &model.params.get(w).mapv(f64::from).insert_axis(Axis(1));
        }
        constants.push(("b_U".to_owned(), model.params.get(layout.b_U).mapv(f64::from)));
        let centred = model.config().normalization_type != Normalization::None;
        let scale = if centred {
            let scale = cache.get::<Ix3>("ln_final.hook_scale")?;
            scale.index_axis(Axis(2), 0).select(Axis(1), positions).mapv(f64::from)
        } else {
            let lists = cache.get::<Ix3>("hook_embed")?.dim().0;
            Array2::ones((lists, positions.len()))
        };
        Ok(Self { centred, w_u, scale, constants })
    }

    /// What `vector` adds to the logits of a list at the position with index `slot`.
    fn logits(&self, vector: ArrayView1<f64>, list: usize, slot: usize) -> ndarray::Array1<f64> {
        let mean = if self.centred { vector.sum() / vector.len() as f64 } else { 0.0 };
        (&vector - mean).dot(&self.w_u) / self.scale[[list, slot]]
    }
}
