//! The passes of each precision, as functions that are not generic.
//!
//! Generic code is compiled anew in every crate that calls it. Through these functions both passes in f32 are compiled once,
//! with this crate; those in f64, which few programs run, are left to the crates that do.

use super::{groups::Groups, passes};
use crate::{
    Result, Scalar,
    engine::{
        Batch, Score,
        gradients::{Gradients, Seed},
        hooks::{Cache, Filter, Hooks},
    },
    model::{Model, Params},
    task::Token,
};
use ndarray::{Array3, ArrayView2};

/// f32 or f64, with what [`Plain`](super::Plain) does in it.
pub trait Precision: Scalar {
    /// As [`Engine::run`](crate::engine::Engine::run).
    fn run(
        model: &Model<Self>,
        tokens: ArrayView2<Token>,
        hooks: &mut Hooks<'_, Self>,
        record: Filter,
    ) -> Result<(Array3<Self>, Cache<Self>)>;

    /// As [`Engine::run_from`](crate::engine::Engine::run_from).
    fn run_from(
        model: &Model<Self>,
        tokens: ArrayView2<Token>,
        before: &Cache<Self>,
        hooks: &mut Hooks<'_, Self>,
        record: Filter,
    ) -> Result<(Array3<Self>, Cache<Self>)>;

    /// As [`Engine::run_with_gradients`](crate::engine::Engine::run_with_gradients).
    fn run_with_gradients(
        model: &Model<Self>,
        tokens: ArrayView2<Token>,
        hooks: &mut Hooks<'_, Self>,
        record: Filter,
        seed: Seed<'_, Self>,
    ) -> Result<(Array3<Self>, Gradients<Self>)>;

    /// The logits of a batch.
    fn logits(
        groups: &mut Groups<Self>,
        model: &Model<Self>,
        tokens: ArrayView2<Token>,
        positions: &[usize],
        logits: &mut Array3<Self>,
    );

    /// The score of a batch, and the gradients of its loss.
    fn loss_and_gradients(
        groups: &mut Groups<Self>,
        model: &Model<Self>,
        batch: Batch,
        gradients: &mut Params<Self>,
    ) -> Score;
}

macro_rules! precision {
    ($T:ty $(, $inline:meta)?) => {
        impl Precision for $T {
            $(#[$inline])?
            fn run(
                model: &Model<Self>,
                tokens: ArrayView2<Token>,
                hooks: &mut Hooks<'_, Self>,
                record: Filter,
            ) -> Result<(Array3<Self>, Cache<Self>)> {
                passes::run(model, tokens, hooks, record)
            }

            $(#[$inline])?
            fn run_from(
                model: &Model<Self>,
                tokens: ArrayView2<Token>,
                before: &Cache<Self>,
                hooks: &mut Hooks<'_, Self>,
                record: Filter,
            ) -> Result<(Array3<Self>, Cache<Self>)> {
                passes::run_from(model, tokens, before, hooks, record)
            }

            $(#[$inline])?
            fn run_with_gradients(
                model: &Model<Self>,
                tokens: ArrayView2<Token>,
                hooks: &mut Hooks<'_, Self>,
                record: Filter,
                seed: Seed<'_, Self>,
            ) -> Result<(Array3<Self>, Gradients<Self>)> {
                passes::run_with_gradients(model, tokens, hooks, record, seed)
            }

            $(#[$inline])?
            fn logits(
                groups: &mut Groups<Self>,
                model: &Model<Self>,
                tokens: ArrayView2<Token>,
                positions: &[usize],
                logits: &mut Array3<Self>,
            ) {
                groups.logits(model, tokens, positions, logits);
            }

            $(#[$inline])?
            fn loss_and_gradients(
                groups: &mut Groups<Self>,
                model: &Model<Self>,
                batch: Batch,
                gradients: &mut Params<Self>,
            ) -> Score {
                groups.loss_and_gradients(model, batch, gradients)
            }
        }
    };
}

precision!(f32);
precision!(f64, inline);
