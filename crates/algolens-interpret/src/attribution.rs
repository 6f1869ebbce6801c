//! Direct logit attribution: what each component of the residual stream adds to the logits.

use super::{Chunk, Head, Runner, Site, Subject, circuits::check_layer, nested, support::check_logits};
use algolens_core::{
    Result,
    engine::hooks::{BlockPoint, Cache, Filter, HookPoint},
    model::{Model, NormLayout, Normalization, Positions},
    task::Token,
};
use ndarray::{Array1, Array2, Array4, Array5, ArrayView1, ArrayView2, ArrayView3, Axis, Ix3, Ix4, s};
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
    check_logits(model.config())?;
    let readout = Readout::new(model);
    let components = components(model);
    let classes = model.config().d_vocab_out;
    let shape = (components.len() + readout.constants.len(), tokens.nrows(), positions.len(), classes);
    let mut contributions = Array4::zeros(shape);
    each_recorded(subject, tokens, positions, |chunk| {
        let scale = readout.scale(&chunk.cache)?;
        let mut contributions = contributions.slice_axis_mut(Axis(1), chunk.examples.into());
        for ((_, stream), mut to) in components.iter().zip(contributions.outer_iter_mut()) {
            let vectors = stream.vectors(&chunk.cache)?;
            for (list, mut to) in to.outer_iter_mut().enumerate() {
                for (slot, &position) in positions.iter().enumerate() {
                    let vector = vectors.at(list, position);
                    to.row_mut(slot).assign(&readout.logits(vector.view(), scale.at(list, position)));
                }
            }
        }
        Ok(())
    })?;
    for ((_, constant), mut to) in readout.constants.iter().zip(contributions.outer_iter_mut().skip(components.len())) {
        to += constant;
    }
    let names = components.into_iter().map(|(name, _)| name).chain(readout.constants.into_iter().map(|(name, _)| name));
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
    check_logits(config)?;
    let readout = Readout::new(subject.model);
    let w_o = subject.model.params.get(subject.model.params.layout().blocks[layer].W_O);
    let [values_at, pattern_at] = [BlockPoint::V, BlockPoint::Pattern].map(|point| name_at(layer, point));
    let (lists, seq) = tokens.dim();
    let mut all = Array5::zeros((lists, config.n_heads, positions.len(), seq, config.d_vocab_out));
    each_recorded(subject, tokens, positions, |chunk| {
        let scale = readout.scale(&chunk.cache)?;
        let (values, pattern) = (chunk.cache.get::<Ix4>(&values_at)?, chunk.cache.get::<Ix4>(&pattern_at)?);
        for (list, mut all) in all.slice_axis_mut(Axis(0), chunk.examples.into()).outer_iter_mut().enumerate() {
            for head in 0..config.n_heads {
                let written = values.slice(s![list, .., config.key_value_head(head), ..]);
                let written = written.dot(&w_o.index_axis(Axis(0), head)).mapv(f64::from);
                for (slot, &position) in positions.iter().enumerate() {
                    for (source, vector) in written.outer_iter().enumerate() {
                        let weight = f64::from(pattern[[list, head, position, source]]);
                        let logits = readout.logits(vector, scale.at(list, position)) * weight;
                        all.slice_mut(s![head, slot, source, ..]).assign(&logits);
                    }
                }
            }
        }
        Ok(())
    })?;
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
///
/// # Panics
/// If there are fewer queries than sequences.
pub(super) fn source_logits(
    subject: Subject,
    layer: usize,
    tokens: ArrayView2<Token>,
    queries: &[SourceQuery],
) -> Result<Vec<SourceLogits>> {
    let model = subject.model;
    check_layer(model.config(), layer)?;
    let readout = Readout::new(model);
    let w_o = model.params.get(model.params.layout().blocks[layer].W_O);
    let [values_at, pattern_at] = [BlockPoint::V, BlockPoint::Pattern].map(|point| name_at(layer, point));
    let positions: Vec<usize> = (0..tokens.ncols()).collect();
    let mut all = Vec::with_capacity(queries.len());
    each_recorded(subject, tokens, &positions, |chunk| {
        let Chunk { examples, logits, cache } = chunk;
        let model_config = model.config();
        let scale = readout.scale(&cache)?;
        let (values, pattern) = (cache.get::<Ix4>(&values_at)?, cache.get::<Ix4>(&pattern_at)?);
        let embed = cache.get::<Ix3>("hook_embed")?;
        for (list, &SourceQuery { head, position, sources, classes }) in queries[examples].iter().enumerate() {
            let scale = scale.at(list, position);
            let through = |head: usize, source: usize| {
                let w_o = w_o.index_axis(Axis(0), head).mapv(f64::from);
                let written =
                    values.slice(s![list, source, model_config.key_value_head(head), ..]).mapv(f64::from).dot(&w_o);
                let logits = readout.logits(written.view(), scale);
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
            let direct = readout.logits(embed.slice(s![list, position, ..]).mapv(f64::from).view(), scale);
            all.push(SourceLogits {
                dla,
                all_heads,
                direct: classes.map(|class| direct[class as usize]),
                logits: classes.map(|class| f64::from(logits[[list, position, class as usize]])),
                attention: sources.map(|source| f64::from(pattern[[list, head, position, source]])),
            });
        }
        Ok(())
    })?;
    Ok(all)
}

/// The name of a hook point of a block.
fn name_at(layer: usize, point: BlockPoint) -> String {
    HookPoint::Block(layer, point).to_string()
}

/// Runs the model, and calls `each` with the logits at `positions` and the activations that attribution reads.
fn each_recorded(
    subject: Subject,
    tokens: ArrayView2<Token>,
    positions: &[usize],
    each: impl FnMut(Chunk) -> Result<()>,
) -> Result<()> {
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
    Runner::new(subject).run(tokens, positions, &[], Filter::Matching(&reads), each)
}

/// Where a component of the residual stream is found.
enum Stream<'a> {
    /// In a cache.
    Activation(Site),
    /// In the weights, `[d_model]`: the same at every position.
    Constant(ArrayView1<'a, f32>),
}

impl Stream<'_> {
    /// The component in some sequences of which a run recorded the activations.
    fn vectors<'c>(&'c self, cache: &'c Cache<f32>) -> Result<Vectors<'c>> {
        Ok(match self {
            Self::Constant(vector) => Vectors::Constant(*vector),
            Self::Activation(Site { point, head: None }) => Vectors::Everywhere(cache.get(&point.to_string())?),
            Self::Activation(Site { point, head: Some(head) }) => {
                Vectors::Everywhere(cache.get::<Ix4>(&point.to_string())?.slice_move(s![.., .., *head, ..]))
            }
        })
    }
}

/// A component of the residual stream in some sequences.
enum Vectors<'a> {
    /// `[batch, pos, d_model]`.
    Everywhere(ArrayView3<'a, f32>),
    /// `[d_model]`.
    Constant(ArrayView1<'a, f32>),
}

impl Vectors<'_> {
    /// The component at a position of a sequence, `[d_model]`.
    fn at(&self, list: usize, position: usize) -> Array1<f64> {
        match self {
            Self::Everywhere(vectors) => vectors.slice(s![list, position, ..]).mapv(f64::from),
            Self::Constant(vector) => vector.mapv(f64::from),
        }
    }
}

/// The components of the final residual stream, by name.
fn components(model: &Model) -> Vec<(String, Stream<'_>)> {
    let config = model.config();
    let at = |point: HookPoint| Stream::Activation(point.into());
    let mut components = vec![("embed".to_owned(), at(HookPoint::Embed))];
    if config.positional_embedding_type == Positions::Standard {
        components.push(("pos_embed".to_owned(), at(HookPoint::PosEmbed)));
    }
    for (layer, block) in model.params.layout().blocks.iter().enumerate() {
        for head in 0..config.n_heads {
            let head = Head { layer, head };
            components.push((head.to_string(), Stream::Activation(head.into())));
        }
        if let Some(b_o) = block.b_O {
            components.push((format!("{layer}.b_O"), Stream::Constant(model.params.get(b_o))));
        }
        if !config.attn_only() {
            components.push((format!("{layer}.mlp"), at(HookPoint::Block(layer, BlockPoint::MlpOut))));
        }
    }
    components
}

/// The final norm, with its scale fixed, and the unembedding: a linear map from the residual stream to logits.
struct Readout {
    /// The final norm.
    normalization: Normalization,
    /// ln_final.w · W_U, `[d_model, class]`.
    w_u: Array2<f64>,
    /// What biases add to the logits, `[class]`, by name.
    constants: Vec<(String, Array1<f64>)>,
}

/// The final norm's scale, `[batch, pos, 1]`; none without norms.
struct Scale<'a>(Option<ArrayView3<'a, f32>>);

impl Scale<'_> {
    /// At a position of a sequence; 1 without norms.
    fn at(&self, list: usize, position: usize) -> f64 {
        self.0.map_or(1.0, |scale| scale[[list, position, 0]].into())
    }
}

impl Readout {
    fn new(model: &Model) -> Self {
        let layout = model.params.layout();
        let mut w_u = model.params.unembedding().mapv(f64::from);
        let mut constants = Vec::new();
        if let Some(NormLayout { w, b }) = layout.ln_final {
            if let Some(b) = b {
                constants.push(("ln_final.b".to_owned(), model.params.get(b).mapv(f64::from).dot(&w_u)));
            }
            w_u *= &model.params.get(w).mapv(f64::from).insert_axis(Axis(1));
        }
        if let Some(b_u) = layout.b_U {
            constants.push(("b_U".to_owned(), model.params.get(b_u).mapv(f64::from)));
        }
        Self { normalization: model.config().final_normalization(), w_u, constants }
    }

    /// The scales of some sequences of which a run recorded them.
    fn scale<'c>(&self, cache: &'c Cache<f32>) -> Result<Scale<'c>> {
        let scale = (self.normalization != Normalization::None).then(|| cache.get::<Ix3>("ln_final.hook_scale"));
        scale.transpose().map(Scale)
    }

    /// What `vector` adds to the logits where the final norm has this scale.
    fn logits(&self, vector: ArrayView1<f64>, scale: f64) -> Array1<f64> {
        let mean = if self.normalization.centers() { vector.sum() / vector.len() as f64 } else { 0.0 };
        (&vector - mean).dot(&self.w_u) / scale
    }
}
