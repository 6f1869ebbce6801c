//! The optimizer.

use super::{Optimizer, Recipe};
use crate::dispatch;
use crate::{engine::Vectors, parallel};
use fearless_simd::Simd;
use fearless_simd_macros::simd;

/// Adam as `torch.optim.Adam` and `torch.optim.AdamW` compute it, over one flat vector of parameters.
///
/// With gradient g (plus λw if the decay is coupled), m ← m + (1 − β₁)(g − m) and v ← β₂v + (1 − β₂)g². At step t,
/// w ← w − rate/(1 − β₁ᵗ) · m / (√v/√(1 − β₂ᵗ) + ε).
#[derive(Clone, Debug, PartialEq)]
pub struct Adam {
    optimizer: Optimizer,
    beta1: f64,
    beta2: f64,
    eps: f64,
    weight_decay: f64,
    steps: u64,
    m: Vec<f32>,
    v: Vec<f32>,
}

impl Adam {
    /// The recipe's optimizer before its first step.
    pub fn new(recipe: &Recipe, parameters: usize) -> Self {
        Self::resume(recipe, 0, vec![0.0; parameters], vec![0.0; parameters])
    }

    /// The recipe's optimizer after some steps, with the moments it then had.
    pub(super) fn resume(recipe: &Recipe, steps: u64, m: Vec<f32>, v: Vec<f32>) -> Self {
        let &Recipe { optimizer, beta1, beta2, adam_eps: eps, weight_decay, .. } = recipe;
        Self { optimizer, beta1, beta2, eps, weight_decay, steps, m, v }
    }

    /// Steps taken.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// The running mean of the gradients, m.
    pub fn m(&self) -> &[f32] {
        &self.m
    }

    /// The running mean of the squared gradients, v.
    pub fn v(&self) -> &[f32] {
        &self.v
    }

    /// One step at this learning rate.
    ///
    /// # Panics
    /// If there are not as many parameters and gradients as there were at first.
    pub fn step(&mut self, rate: f64, parameters: &mut [f32], gradients: &[f32]) {
        assert!(parameters.len() == self.m.len() && gradients.len() == self.m.len(), "one gradient a parameter");
        self.steps += 1;
        let (coupled, kept) = match self.optimizer {
            Optimizer::Adam => (self.weight_decay, 1.0),
            Optimizer::AdamW => (0.0, 1.0 - rate * self.weight_decay),
        };
        let correction = |beta: f64| 1.0 - beta.powf(self.steps as f64);
        // PyTorch computes these in double precision and everything below in the parameters' own.
        let factors = Factors {
            coupled: coupled as f32,
            kept: kept as f32,
            new_m: (1.0 - self.beta1) as f32,
            old_v: self.beta2 as f32,
            new_v: (1.0 - self.beta2) as f32,
            step_size: (rate / correction(self.beta1)) as f32,
            v_scale: correction(self.beta2).sqrt() as f32,
            eps: self.eps as f32,
        };
        let shares = parameters.chunks_mut(SHARE).zip(gradients.chunks(SHARE));
        let shares = shares.zip(self.m.chunks_mut(SHARE).zip(self.v.chunks_mut(SHARE)));
        let vectors = Vectors::best();
        parallel::for_each(shares.collect(), |((parameters, gradients), (m, v)): (_, (&mut [f32], &mut [f32]))| {
            dispatch!(vectors, simd => step(simd, factors, parameters, gradients, m, v));
        });
    }
}

/// How many parameters a thread takes at a time.
const SHARE: usize = 1 << 12;

/// What one step does alike to every parameter.
#[derive(Clone, Copy)]
struct Factors {
    coupled: f32,
    kept: f32,
    new_m: f32,
    old_v: f32,
    new_v: f32,
    step_size: f32,
    v_scale: f32,
    eps: f32,
}

/// One step of a share of the parameters. It is compiled for every kind of vectors, and its bits do not depend on them:
/// each operation is rounded by itself.
#[simd]
fn step<S: Simd>(_: S, by: Factors, parameters: &mut [f32], gradients: &[f32], m: &mut [f32], v: &mut [f32]) {
    for ((w, g), (m, v)) in parameters.iter_mut().zip(gradients).zip(m.iter_mut().zip(v)) {
        *w *= by.kept;
        let g = g + by.coupled * *w;
        *m += by.new_m * (g - *m);
        *v = by.old_v * *v + by.new_v * g * g;
        *w -= by.step_size * (*m / (v.sqrt() / by.v_scale + by.eps));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Parameters [0.5, −1.25, 0, 3] after steps 1, 2 and 5; the gradient of parameter i at step s is sin(1.3 i + 0.7 s)
    /// and the rate 0.01/s. The figures were computed with PyTorch 2.15 in float32: `torch.optim.Adam` and
    /// `torch.optim.AdamW` with betas (0.9, 0.999), eps 1e-8, weight_decay 0.005, foreach=False.
    fn check(optimizer: Optimizer, after: [(usize, [f64; 4]); 3]) {
        let mut adam = Adam::new(&Recipe { optimizer, ..Recipe::default() }, 4);
        let mut weights = [0.5, -1.25, 0.0, 3.0];
        for step in 1..=5 {
            let gradients = [0.0, 1.0, 2.0, 3.0].map(|i: f64| (1.3 * i + 0.7 * step as f64).sin() as f32);
            adam.step(1e-2 / step as f64, &mut weights, &gradients);
            for (_, expected) in after.iter().filter(|(at, _)| *at == step) {
                for (w, e) in weights.iter().zip(expected) {
                    assert!((f64::from(*w) - e).abs() <= 1e-6 * e.abs(), "step {step}: {weights:?} {expected:?}");
                }
            }
        }
        assert_eq!(adam.steps(), 5);
    }

    #[test]
    fn adam_steps_as_pytorch_does() {
        check(
            Optimizer::Adam,
            [
                (1, [0.490_000_01, -1.259_999_99, 0.009_999_998, 3.009_999_99]),
                (2, [0.485_052_228, -1.264_609_1, 0.014_325_812_5, 3.014_956_47]),
                (5, [0.478_149_98, -1.265_600_68, 0.021_443_419_2, 3.019_265_17]),
            ],
        );
    }

    #[test]
    fn adamw_steps_as_pytorch_does() {
        check(
            Optimizer::AdamW,
            [
                (1, [0.489_975_005, -1.259_937_52, 0.009_999_998, 3.009_850_03]),
                (2, [0.485_015_452, -1.264_521_12, 0.014_325_529_3, 3.014_732_6]),
                (5, [0.478_099_257, -1.265_527_13, 0.021_442_513_9, 3.019_013_64]),
            ],
        );
    }
}
