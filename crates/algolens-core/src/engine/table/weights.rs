//! A model's weights as the row kernels take them: every head's columns padded to whole vectors, norms padded.

use super::norm::Affine;
use crate::{
    engine::{
        K, Q, V,
        vector::{Numbers, numbers, padded},
    },
    model::{BlockLayout, Config, Model, NormLayout, Params, Slot},
};
use ndarray::{Array2, Axis, s};

/// The weights of a model; or the gradients by them.
pub struct Packed {
    pub blocks: Vec<PackedBlock>,
    pub ln_final: Option<Affine>,
}

/// What is packed of a block; the rest is read where it stands.
pub struct PackedBlock {
    pub ln1: Option<Affine>,
    pub ln2: Option<Affine>,
    pub mlp_ln: Option<Affine>,
    /// W_Q (with 1/√d_head), W_K, W_V, `[d_model, head · padded d_head]`.
    pub w: [Array2<f32>; 3],
    /// Their biases, `[head · padded d_head]`.
    pub b: [Numbers; 3],
    /// `[head · padded d_head, d_model]`.
    pub w_o: Array2<f32>,
}

impl Packed {
    /// All zeros.
    pub fn zeros(model: &Model) -> Self {
        let config = model.config();
        let (d_model, columns) = (config.d_model, config.n_heads * padded(config.d_head));
        let affine = |layout: Option<NormLayout>| {
            layout.map(|norm| {
                let zeros = vec![0.0; norm.w.range().len()];
                Affine::new(&zeros, &zeros)
            })
        };
        let block = |block: &BlockLayout| PackedBlock {
            ln1: affine(block.ln1),
            ln2: affine(block.mlp.as_ref().and_then(|mlp| mlp.ln2)),
            mlp_ln: affine(block.mlp.as_ref().and_then(|mlp| mlp.ln)),
            w: [0; 3].map(|_| Array2::zeros((d_model, columns))),
            b: [0; 3].map(|_| numbers(columns, 0.0)),
            w_o: Array2::zeros((columns, d_model)),
        };
        let layout = model.params.layout();
        Self { blocks: layout.blocks.iter().map(block).collect(), ln_final: affine(layout.ln_final) }
    }

    /// Takes a model's weights.
    pub fn fill(&mut self, model: &Model) {
        let (config, params, layout) = (model.config(), &model.params, model.params.layout());
        for (layer, (packed, block)) in self.blocks.iter_mut().zip(&layout.blocks).enumerate() {
            packed.ln1 = affine(params, block.ln1);
            packed.ln2 = affine(params, block.mlp.as_ref().and_then(|mlp| mlp.ln2));
            packed.mlp_ln = affine(params, block.mlp.as_ref().and_then(|mlp| mlp.ln));
            for head in 0..config.n_heads {
                let columns = columns(config.d_head, head);
                for (kind, head, scale) in projections(config, layer, head) {
                    let w = params.get(block.W_QKV[kind]);
                    let mut packed_w = packed.w[kind].slice_mut(s![.., columns.clone()]);
                    packed_w.assign(&w.index_axis(Axis(0), head));
                    packed_w *= scale;
                    let Some(biases) = block.b_QKV else { continue };
                    let b = params.get(biases[kind]);
                    let pairs = packed.b[kind][columns.clone()].iter_mut().zip(b.row(head));
                    pairs.for_each(|(packed, b)| *packed = b * scale);
                }
                let w_o = params.get(block.W_O);
                packed.w_o.slice_mut(s![columns, ..]).assign(&w_o.index_axis(Axis(0), head));
            }
        }
        self.ln_final = affine(params, layout.ln_final);
    }

    /// Sets to zero.
    pub fn clear(&mut self) {
        let clear_block = |block: &mut PackedBlock| {
            block.w.iter_mut().for_each(|w| w.fill(0.0));
            block.b.iter_mut().for_each(|b| b.fill(0.0));
            block.w_o.fill(0.0);
        };
        self.blocks.iter_mut().for_each(clear_block);
        let blocks = self.blocks.iter_mut().flat_map(|block| [&mut block.ln1, &mut block.ln2, &mut block.mlp_ln]);
        for affine in blocks.chain([&mut self.ln_final]).flatten() {
            affine.w.fill(0.0);
            affine.b.fill(0.0);
        }
    }

    /// Adds gradients by the packed weights to those by the model's own.
    pub fn add_to(&self, model: &Model, gradients: &mut Params<f32>) {
        let (config, layout) = (model.config(), model.params.layout());
        for (layer, (packed, block)) in self.blocks.iter().zip(&layout.blocks).enumerate() {
            add_affine(gradients, block.ln1, packed.ln1.as_ref());
            add_affine(gradients, block.mlp.as_ref().and_then(|mlp| mlp.ln2), packed.ln2.as_ref());
            add_affine(gradients, block.mlp.as_ref().and_then(|mlp| mlp.ln), packed.mlp_ln.as_ref());
            for head in 0..config.n_heads {
                let columns = columns(config.d_head, head);
                for (kind, head, scale) in projections(config, layer, head) {
                    let mut w = gradients.get_mut(block.W_QKV[kind]);
                    w.index_axis_mut(Axis(0), head).scaled_add(scale, &packed.w[kind].slice(s![.., columns.clone()]));
                    let Some(biases) = block.b_QKV else { continue };
                    let mut b = gradients.get_mut(biases[kind]);
                    let pairs = b.row_mut(head).into_iter().zip(&packed.b[kind][columns.clone()]);
                    pairs.for_each(|(b, packed)| *b += packed * scale);
                }
                let mut w_o = gradients.get_mut(block.W_O);
                let mut w_o = w_o.index_axis_mut(Axis(0), head);
                w_o += &packed.w_o.slice(s![columns, ..]);
            }
        }
        add_affine(gradients, layout.ln_final, self.ln_final.as_ref());
    }
}

/// What a head's queries, keys and values are made by: which of the three, the head whose weights they are, and their scale.
fn projections(config: &Config, layer: usize, head: usize) -> [(usize, usize, f32); 3] {
    let shared = config.key_value_head(head);
    [(Q, head, config.attn_scale(layer) as f32), (K, shared, 1.0), (V, shared, 1.0)]
}

/// A head's columns.
fn columns(d_head: usize, head: usize) -> std::ops::Range<usize> {
    let first = head * padded(d_head);
    first..first + d_head
}

fn affine(params: &Params<f32>, layout: Option<NormLayout>) -> Option<Affine> {
    let values = |slot: Slot<1>| &params.values()[slot.range()];
    layout.map(|norm| Affine::new(values(norm.w), norm.b.map_or(&[], values)))
}

fn add_affine(gradients: &mut Params<f32>, layout: Option<NormLayout>, affine: Option<&Affine>) {
    if let (Some(layout), Some(affine)) = (layout, affine) {
        for (slot, d) in [(Some(layout.w), &affine.w), (layout.b, &affine.b)] {
            let Some(slot) = slot else { continue };
            gradients.values_mut()[slot.range()].iter_mut().zip(d.iter()).for_each(|(sum, d)| *sum += d);
        }
    }
}
