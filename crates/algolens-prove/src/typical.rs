//! Typical lists of a region: what most of its lists are like, where the lists that bounds find are its extremes.

use super::{
    minimizer::Minimizer,
    node::{Node, Rival},
};
use algolens_core::random::{stream, uniform24};

/// Typical lists that a node is judged by.
const LISTS: usize = 3;

impl Node {
    /// The wrong answer that leads most on typical lists, if the target loses by more than the slack on each of them; none in a
    /// region without lists.
    pub(super) fn typical_winner(&self, minimizer: &mut Minimizer, slack: f64) -> Option<Rival> {
        let mut rng = stream(self.count.to_bits(), "prove/typical");
        let mut typical = Vec::with_capacity(LISTS);
        for _ in 0..LISTS {
            let costs: Vec<f64> = minimizer.rows.rows.iter().map(|_| uniform24(&mut rng).into()).collect();
            let list = minimizer.oracle.minimum(minimizer.rows, &self.region, &costs)?.list;
            typical.push(minimizer.add_point(list));
        }
        let is_wrong = |point: &usize| minimizer.rows.margin(&minimizer.points[*point].rows).0 < -slack;
        typical.iter().all(is_wrong).then(|| self.winner(minimizer, &typical))
    }

    /// The rival whose least lead over the target, on these of the minimizer's points, is largest.
    pub(super) fn winner(&self, minimizer: &Minimizer, points: &[usize]) -> Rival {
        let (rows, target) = (minimizer.rows, minimizer.rows.class.target as usize);
        let mut least = vec![f64::INFINITY; self.rivals.len()];
        for point in points {
            let logits = rows.logits(&minimizer.points[*point].rows);
            for (least, rival) in least.iter_mut().zip(&self.rivals) {
                *least = least.min(logits[usize::from(rival.answer)] - logits[target]);
            }
        }
        let first_best = (0..least.len()).rev().max_by(|a, b| least[*a].total_cmp(&least[*b]));
        self.rivals[first_best.expect("an undecided node has rivals")].clone()
    }
}
