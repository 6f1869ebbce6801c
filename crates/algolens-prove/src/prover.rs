//! Minimising over the lists of one class.

use super::{
    ClassRows, List,
    contest::Contest,
    oracle::{Minimum, Oracle, Region},
};

/// A list, and the local rows its prediction attends to.
#[derive(Clone, Debug)]
pub struct Point {
    /// The list.
    pub list: List,
    /// Its rows.
    pub rows: Vec<usize>,
}

/// Minimises sums over the lists of regions of one class, and remembers the lists it finds.
pub struct Prover<'a, 'o> {
    /// The class.
    pub rows: &'a ClassRows<'a>,
    /// What minimises.
    pub oracle: &'o mut Oracle,
    /// The unit of floors.
    pub step: f64,
    /// Lists found so far, within the present region.
    pub points: Vec<Point>,
    pub(super) costs: Vec<f64>,
}

impl<'a, 'o> Prover<'a, 'o> {
    /// A prover that knows no list yet.
    pub fn new(rows: &'a ClassRows<'a>, oracle: &'o mut Oracle, step: f64) -> Self {
        Self { rows, oracle, step, points: Vec::new(), costs: Vec::new() }
    }

    /// Minimises `Σ_h a_h N_h - b_h D_h`; none if the region is empty. The list found joins the points: its number there.
    pub fn minimise(&mut self, contest: &Contest, region: &Region, a: &[f64], b: &[f64]) -> Option<(Minimum, usize)> {
        contest.costs(a, b, &mut self.costs);
        let minimum = self.oracle.minimum(self.rows, region, &self.costs)?;
        Some((minimum, self.remember(minimum.list)))
    }

    /// Knows these lists, and no others.
    pub fn know(&mut self, lists: &[List]) {
        self.points.clear();
        lists.iter().for_each(|list| _ = self.remember(*list));
    }

    /// The number of a list among the points.
    pub fn remember(&mut self, list: List) -> usize {
        self.points.iter().position(|point| point.list == list).unwrap_or_else(|| {
            self.points.push(Point { rows: self.rows.of_list(&list), list });
            self.points.len() - 1
        })
    }
}
