//! Circuits are the products of weights that they stand for.

use algolens_core::{
    Error,
    model::{Config, Model},
};
use algolens_interpret::{Shown, circuits, copy_heads, direct_path, full_qk};
use algolens_testing::{any_kind, random_model, sizes, with_cases};
use ndarray::Axis;
use proptest::prelude::*;

proptest! {
    #![proptest_config(with_cases(96))]

    #[test]
    fn circuits_are_the_sums_they_stand_for(sizes in sizes(), kind in any_kind()) {
        let (model, _) = sizes.model(kind);
        let f32s = model.cast::<f32>();
        let model = f32s.cast::<f64>();
        let config = model.config();
        let tensor = |name: &str| model.params.tensor(name).unwrap();
        let (w_e, w_pos, w_u) = (tensor("embed.W_E"), tensor("pos_embed.W_pos"), tensor("unembed.W_U"));
        for layer in 0..config.n_layers {
            let found = circuits(&f32s, layer, &Shown::all(config)).unwrap();
            let [w_q, w_k, w_v, w_o] = ["W_Q", "W_K", "W_V", "W_O"].map(|w| tensor(&format!("blocks.{layer}.attn.{w}")));
            let ov = |h: usize, source: usize, out: usize| -> f64 {
                (0..config.d_model).flat_map(|i| (0..config.d_head).map(move |e| (i, e))).map(|(i, e)| {
                    let read = w_e[[source, i]] * w_v[[h, i, e]];
                    (0..config.d_model).map(|j| read * w_o[[h, e, j]] * w_u[[j, out]]).sum::<f64>()
                }).sum()
            };
            let qk = |h: usize, query: &dyn Fn(usize) -> f64, key: &dyn Fn(usize) -> f64| -> f64 {
                (0..config.d_head).map(|e| {
                    let q: f64 = (0..config.d_model).map(|i| query(i) * w_q[[h, i, e]]).sum();
                    let k: f64 = (0..config.d_model).map(|i| key(i) * w_k[[h, i, e]]).sum();
                    q * k
                }).sum()
            };
            for h in 0..config.n_heads {
                for ((a, b), value) in found.W_OV_full.index_axis(Axis(0), h).indexed_iter() {
                    prop_assert!((f64::from(*value) - ov(h, a, b)).abs() < 1e-5);
                }
                for ((a, b), value) in found.W_QK_full.index_axis(Axis(0), h).indexed_iter() {
                    prop_assert!((f64::from(*value) - qk(h, &|i| w_e[[a, i]], &|i| w_e[[b, i]])).abs() < 1e-5);
                }
                for ((p, b), value) in found.W_QK_pos_query.index_axis(Axis(0), h).indexed_iter() {
                    prop_assert!((f64::from(*value) - qk(h, &|i| w_pos[[p, i]], &|i| w_e[[b, i]])).abs() < 1e-5);
                }
                for ((a, p), value) in found.W_QK_pos_key.index_axis(Axis(0), h).indexed_iter() {
                    prop_assert!((f64::from(*value) - qk(h, &|i| w_e[[a, i]], &|i| w_pos[[p, i]])).abs() < 1e-5);
                }
            }
        }
        // Some tokens and classes are rows and columns of all.
        let shown = Shown { tokens: (0..config.d_vocab as u32).rev().step_by(2).collect(), classes: vec![1, 0] };
        let rows: Vec<usize> = shown.tokens.iter().map(|token| *token as usize).collect();
        let all = Shown::all(config);
        let (part, whole) = (circuits(&f32s, 0, &shown).unwrap(), circuits(&f32s, 0, &all).unwrap());
        let close = |a: ndarray::ArrayViewD<f32>, b: ndarray::ArrayViewD<f32>| {
            a.shape() == b.shape() && a.iter().zip(&b).all(|(a, b)| (a - b).abs() < 1e-6)
        };
        let of_whole = whole.W_OV_full.select(Axis(1), &rows).select(Axis(2), &[1, 0]);
        prop_assert!(close(part.W_OV_full.view().into_dyn(), of_whole.view().into_dyn()));
        let of_whole = whole.W_QK_full.select(Axis(1), &rows).select(Axis(2), &rows);
        prop_assert!(close(part.W_QK_full.view().into_dyn(), of_whole.view().into_dyn()));
        let row = full_qk(&f32s, 0, &shown.tokens[..1], &all.tokens).unwrap();
        prop_assert!(close(row.view().into_dyn(), whole.W_QK_full.select(Axis(1), &rows[..1]).view().into_dyn()));
        let part = direct_path(&f32s, &shown).unwrap();
        let whole = direct_path(&f32s, &all).unwrap().select(Axis(0), &rows).select(Axis(1), &[1, 0]);
        prop_assert!(close(part.view().into_dyn(), whole.view().into_dyn()));
        for ((a, b), value) in direct_path(&f32s, &Shown::all(config)).unwrap().indexed_iter() {
            let expected: f64 = (0..config.d_model).map(|i| w_e[[a, i]] * w_u[[i, b]]).sum();
            prop_assert!((f64::from(*value) - expected).abs() < 1e-5);
        }
    }
}

#[test]
fn copying_heads_have_the_largest_ov_diagonal() {
    let config =
        Config { n_heads: 2, d_model: 8, d_head: 3, n_ctx: 9, d_vocab: 10, d_vocab_out: 10, ..Config::default() };
    let model = random_model(config, 9).cast();
    let mut circuits = circuits(&model, 0, &Shown::all(model.config())).unwrap();
    circuits.W_OV_full.fill(0.0);
    for token in 0..9 {
        let head = usize::from((3..6).contains(&token));
        circuits.W_OV_full[[head, token, token]] = 1.0;
    }
    circuits.W_OV_full[[0, 8, 0]] = 2.0;
    let copy_heads = copy_heads(&circuits, 9).unwrap();
    let ranges: Vec<_> = copy_heads.ranges.iter().map(|range| (range.head.head, range.from, range.to)).collect();
    assert_eq!(ranges, [(0, 0, 2), (1, 3, 5), (0, 6, 8)]);
    assert_eq!(copy_heads.copied, 8.0 / 9.0);
}

#[test]
fn maps_that_would_not_fit_into_memory_are_refused() {
    let config = Config {
        n_heads: 2,
        d_model: 4,
        d_head: 2,
        n_ctx: 5,
        d_vocab: 50_257,
        d_vocab_out: 50_257,
        ..Config::default()
    };
    let model = Model::init(config, 1).unwrap();
    let all = Shown::all(model.config());
    for refused in [circuits(&model, 0, &all).map(drop), direct_path(&model, &all).map(drop)] {
        assert!(matches!(refused, Err(Error::TooLarge { .. })), "{refused:?}");
    }
    assert_eq!(full_qk(&model, 0, &[3], &all.tokens).unwrap().dim(), (2, 1, 50_257));
}
