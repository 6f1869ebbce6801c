//! Minimization over the lists of one class, with the pool of lists found on the way.

use super::{
    ClassRows, List,
    logit_difference::LogitDifference,
    oracle::{Minimum, Oracle, Region},
};

/// A candidate list, and the local rows its prediction attends to.
#[derive(Clone, Debug)]
pub struct Point {
    /// The list.
    pub list: List,
    /// Its rows.
    pub rows: Vec<usize>,
}

/// Minimizer of linear functionals over regions of one class; it pools the lists that attain its minima.
pub struct Minimizer<'a, 'o> {
    /// The class's rows.
    pub rows: &'a ClassRows<'a>,
    /// The exact oracle it asks.
    pub oracle: &'o mut dyn Oracle,
    /// Logits (times σ) that a floor of 1 stands for.
    pub floor_unit: f64,
    /// The pool: lists found so far, within the present region.
    pub points: Vec<Point>,
    /// Buffer of costs `[local row]`.
    pub(super) costs: Vec<f64>,
}

impl<'a, 'o> Minimizer<'a, 'o> {
    /// A minimizer with an empty pool.
    pub fn new(rows: &'a ClassRows<'a>, oracle: &'o mut dyn Oracle, floor_unit: f64) -> Self {
        Self { rows, oracle, floor_unit, points: Vec::new(), costs: Vec::new() }
    }

    /// The minimum of `Σ_h a_h N_h - b_h D_h` over a region, and the number of its list among the points; none if the
    /// region is empty.
    pub fn minimize(
        &mut self,
        difference: &LogitDifference,
        region: &Region,
        a: &[f64],
        b: &[f64],
    ) -> Option<(Minimum, usize)> {
        difference.costs(a, b, &mut self.costs);
        let minimum = self.oracle.minimum(self.rows, region, &self.costs)?;
        Some((minimum, self.add_point(minimum.list)))
    }

    /// Replaces the pool of candidate lists that multipliers are chosen from.
    pub fn set_points(&mut self, lists: &[List]) {
        self.points.clear();
        lists.iter().for_each(|list| _ = self.add_point(*list));
    }

    /// Adds a list to the pool unless it is there; its number among the points.
    pub fn add_point(&mut self, list: List) -> usize {
        self.points.iter().position(|point| point.list == list).unwrap_or_else(|| {
            self.points.push(Point { rows: self.rows.attended(&list), list });
            self.points.len() - 1
        })
    }
}
