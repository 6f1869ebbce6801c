//! Dominance: proofs that one answer's logit exceeds another's on every list of a region, or on all but some of its
//! options.
//!
//! Each head's attention-weighted average is bounded below by Dinkelbach's method for ratios; the box that the bounds
//! leave is halved into cells, in each of which a Lagrangian relaxation with multipliers μ decides by one more exact
//! minimum.

use super::{
    logit_difference::{LogitDifference, Sums},
    minimizer::Minimizer,
    oracle::{ABSENT, MARGIN, Minimum, Region},
};
use algolens_check::certificate::evidence::{multiplier, tag};

/// A proof under construction that the winner's logit dominates the loser's on a region.
///
/// A list on which it does not has ρ_h ≥ `floors[h]` for each head, and so, for each head but the last,
/// ρ_h < threshold - the other floors: it lies in a box.
pub struct DominanceProof<'a, 'o, 'p> {
    minimizer: &'p mut Minimizer<'a, 'o>,
    difference: &'p LogitDifference<'a>,
    region: &'p Region,
    /// The difference's sums at each of the minimizer's points.
    sums: Vec<Sums>,
    /// Lower bounds of ρ_h `[head]`, in floor units; [`NO_FLOOR`] where there is none yet.
    pub floors: Vec<i32>,
    /// The subdivision of the box, as [`evidence`](algolens_check::certificate::evidence) writes them.
    pub cells: Vec<u8>,
    /// The options, a bit set a token, of lists on which the winner may fail to dominate.
    pub kept: Vec<u16>,
    /// The least bound among cells that stayed undecided, and its min-marginals `[token][option]`: see
    /// [`marginal`](super::oracle::Oracle::marginal).
    pub worst: Option<(f64, Vec<[f32; 16]>)>,
}

/// Floor units by which a sum of floors must exceed the threshold: more than the threshold's rounding.
const AHEAD: f64 = 1e-3;

/// The floor of a head of which no lower bound is known.
pub const NO_FLOOR: i32 = i32::MIN;

/// Result of a dominance proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The winner dominates on every list.
    Dominates,
    /// The winner dominates on every list with an option that is not `kept`.
    Narrowed,
    /// Nothing is known: of some head there is no floor.
    Unknown,
    /// The region has no lists.
    Empty,
}

/// A box `low[h] ≤ ρ_h < high[h]` of every head but the last.
#[derive(Clone, Debug)]
struct Cell {
    low: Vec<f64>,
    high: Vec<f64>,
}

impl<'a, 'o, 'p> DominanceProof<'a, 'o, 'p> {
    /// A dominance proof that starts from floors proved on a region containing this one.
    pub fn new(
        minimizer: &'p mut Minimizer<'a, 'o>,
        difference: &'p LogitDifference<'a>,
        region: &'p Region,
        floors: Vec<i32>,
    ) -> Self {
        let sums = minimizer.points.iter().map(|point| difference.sums(&point.rows)).collect();
        Self { minimizer, difference, region, sums, floors, cells: Vec::new(), kept: Vec::new(), worst: None }
    }

    /// True if the bound is negative at some known list: no proof with these bounds exists (the margin may yet be
    /// positive).
    pub fn is_violated(&self) -> bool {
        self.sums.iter().any(|sums| self.violates(sums))
    }

    /// True if the bound is negative at some known list, or at that of one linearized minimum; none if the region is empty, or
    /// no list known.
    pub fn finds_violation(&mut self) -> Option<bool> {
        if self.is_violated() {
            return Some(true);
        }
        let (a, b) = self.sums.last()?.linear_part();
        self.minimize(&a, &b)?;
        Some(self.is_violated())
    }

    /// True if Σ ρ_h is below the threshold.
    fn violates(&self, sums: &Sums) -> bool {
        sums.sum_of_ratios() < self.difference.threshold()
    }

    /// Minimizes `Σ_h a_h N_h - b_h D_h` over the region: the minimum, and the sums of the list that attains it.
    fn minimize(&mut self, a: &[f64], b: &[f64]) -> Option<(Minimum, Sums)> {
        let (minimum, point) = self.minimizer.minimize(self.difference, self.region, a, b)?;
        if point == self.sums.len() {
            self.sums.push(self.difference.sums(&self.minimizer.points[point].rows));
        }
        Some((minimum, self.sums[point].clone()))
    }

    /// Raises the floors head by head by Dinkelbach's method, on the grid of floor units; true if they alone decide,
    /// none if the region is empty. λ is a floor of N / D once the least N - λ D is positive.
    pub fn raise_floors(&mut self) -> Option<bool> {
        let heads = self.difference.n_heads();
        for head in 0..heads {
            // The last head is raised as far as is needed first: that may be all.
            let needed = (head + 1 == heads).then(|| self.needed());
            self.raise_floor(head, needed.flatten())?;
            if self.is_decided() {
                return Some(true);
            }
        }
        Some(false)
    }

    /// True if the floors' sum exceeds the threshold.
    fn is_decided(&self) -> bool {
        !self.floors.contains(&NO_FLOOR)
            && self.floors.iter().map(|floor| self.at(*floor)).sum::<f64>()
                >= self.difference.threshold() + AHEAD * self.minimizer.floor_unit
    }

    /// A floor in units of ρ.
    fn at(&self, floor: i32) -> f64 {
        f64::from(floor) * self.minimizer.floor_unit
    }

    /// The least floor of the last head at which the floors' sum exceeds the threshold.
    fn needed(&self) -> Option<i32> {
        let (_, others) = self.floors.split_last()?;
        let rest = self.difference.threshold() - others.iter().map(|floor| self.at(*floor)).sum::<f64>();
        Some((rest / self.minimizer.floor_unit + AHEAD).ceil() as i32)
    }

    /// Raises one head's floor as far as it goes, or to `first` if that holds; none if the region is empty.
    fn raise_floor(&mut self, head: usize, mut first: Option<i32>) -> Option<()> {
        let heads = self.difference.n_heads();
        let mut a = vec![0.0; heads];
        a[head] = 1.0;
        let mut least = self.sums.iter().map(|sums| sums.ratio(head)).fold(f64::INFINITY, f64::min);
        if least == f64::INFINITY {
            least = self.minimize(&a, &vec![0.0; heads])?.1.ratio(head);
        }
        // At least one unit down, and ever more: a tie within rounding ends as well, and so does what creeps down.
        let mut down = 0.5 * self.minimizer.floor_unit;
        let mut tries = 0;
        const QUICK: u32 = 16;
        const LOWEST: f64 = -1e9;
        let grid = |ratio: f64, unit: f64| (ratio / unit).floor().clamp(LOWEST, -LOWEST) as i32;
        loop {
            let mut floor = grid(least, self.minimizer.floor_unit);
            if let Some(first) = first.take_if(|first| *first <= floor) {
                floor = first;
            }
            if !self.is_worth_raising(head, floor) {
                return Some(());
            }
            let mut b = vec![0.0; heads];
            b[head] = self.at(floor);
            let (minimum, sums) = self.minimize(&a, &b)?;
            if minimum.is_positive() {
                self.floors[head] = floor;
                return Some(());
            }
            if f64::from(floor) <= LOWEST {
                return Some(());
            }
            let (found, lower) = (sums.ratio(head), self.at(floor) - down);
            tries += 1;
            if lower < found || tries > QUICK {
                down *= 2.0;
            }
            least = found.min(lower);
        }
    }

    /// True if a floor would shrink the box by at least 5 %.
    fn is_worth_raising(&self, head: usize, floor: i32) -> bool {
        const PART: f64 = 0.05;
        let held = self.floors[head];
        let room = self.difference.threshold() - self.floors.iter().map(|floor| self.at(*floor)).sum::<f64>();
        held == NO_FLOOR || (floor > held && self.at(floor) - self.at(held) > PART * room)
    }

    /// Branch and bound over the box: halves cells, each at most `depth` times, until the winner dominates in each or
    /// is known not to; of those that remain, the options that violating lists may have are [`kept`](Self::kept).
    ///
    /// In a cell `low ≤ ρ < high`, a list on which the winner does not dominate has
    /// `N_last - (threshold - Σ low) D_last + Σ_h μ_h (N_h - high_h D_h) < 0` for any μ ≥ 0: the
    /// Lagrangian relaxation of the cell's upper bounds.
    pub fn divide(&mut self, depth: usize) -> Outcome {
        self.cells.clear();
        if self.floors.len() > 1 && self.floors.contains(&NO_FLOOR) {
            return Outcome::Unknown;
        }
        self.kept = vec![0; self.region.options().len()];
        let others = 0..self.difference.n_heads() - 1;
        let all: f64 = self.floors.iter().map(|floor| self.at(*floor)).sum();
        let room = self.difference.threshold() - all;
        let low: Vec<f64> = others.map(|head| self.at(self.floors[head])).collect();
        let high = low.iter().map(|low| low + room).collect();
        match self.divide_cell(Cell { low, high }, depth) {
            None => Outcome::Empty,
            Some(()) if self.kept.iter().all(|kept| *kept == 0) => Outcome::Dominates,
            Some(()) => Outcome::Narrowed,
        }
    }

    /// Decides a cell or halves it along its widest head; none if the region is empty.
    fn divide_cell(&mut self, cell: Cell, depth: usize) -> Option<()> {
        const TRIES: usize = 4;
        for _ in 0..TRIES {
            let (bytes, value) = self.best_multipliers(&cell);
            if value < 0.0 {
                break;
            }
            let (a, b) = self.functional(&cell, &bytes);
            let (minimum, sums) = self.minimize(&a, &b)?;
            if minimum.is_positive() {
                self.cells.push(tag::LEAF);
                self.cells.extend(bytes);
                return Some(());
            }
            if self.violates(&sums) {
                break;
            }
        }
        if depth > 0 && !cell.low.is_empty() {
            let width = |head: usize| cell.high[head] - cell.low[head];
            let widest = (0..cell.low.len()).max_by(|a, b| width(*a).total_cmp(&width(*b)))?;
            let middle = 0.5 * (cell.low[widest] + cell.high[widest]);
            let (mut lower, mut upper) = (cell.clone(), cell);
            lower.high[widest] = middle;
            upper.low[widest] = middle;
            self.cells.push(widest as u8);
            self.divide_cell(lower, depth - 1)?;
            return self.divide_cell(upper, depth - 1);
        }
        self.narrow(&cell)
    }

    /// Bound tightening: keeps the options whose min-marginal is not positive, those of lists that may violate in a
    /// cell.
    fn narrow(&mut self, cell: &Cell) -> Option<()> {
        let (bytes, _) = self.best_multipliers(cell);
        let (a, b) = self.functional(cell, &bytes);
        self.cells.push(tag::LEAF);
        self.cells.extend(bytes);
        self.difference.costs(&a, &b, &mut self.minimizer.costs);
        let Minimizer { oracle, rows, costs, .. } = &mut *self.minimizer;
        let minimum = oracle.minimum_and_marginals(rows, self.region, costs)?;
        let worse = self.worst.as_ref().is_none_or(|(least, _)| minimum.bound() < *least);
        let mut marginals = if worse { vec![[f32::INFINITY; 16]; self.kept.len()] } else { Vec::new() };
        for (token, &options) in self.region.options().iter().enumerate() {
            if options == 1 << ABSENT {
                self.kept[token] = options;
                continue;
            }
            let mut remaining = options;
            while remaining != 0 {
                let option = remaining.trailing_zeros();
                remaining &= remaining - 1;
                let units = self.minimizer.oracle.marginal(token, option);
                if units < MARGIN {
                    self.kept[token] |= 1 << option;
                }
                if worse {
                    marginals[token][option as usize] = (units as f64 / minimum.scale) as f32;
                }
            }
        }
        if worse {
            self.worst = Some((minimum.bound(), marginals));
        }
        self.minimizer.add_point(minimum.list);
        if self.sums.len() < self.minimizer.points.len() {
            self.sums.push(self.difference.sums(&self.minimizer.points[self.sums.len()].rows));
        }
        Some(())
    }

    /// The factors `(a, b)` of a cell's Lagrangian `Σ_h a_h N_h - b_h D_h`, from the multipliers' bytes.
    fn functional(&self, cell: &Cell, bytes: &[u8]) -> (Vec<f64>, Vec<f64>) {
        let mut a: Vec<f64> = bytes.iter().map(|byte| multiplier(*byte)).collect();
        let mut b: Vec<f64> = a.iter().zip(&cell.high).map(|(multiplier, high)| multiplier * high).collect();
        a.push(1.0);
        b.push(self.difference.threshold() - cell.low.iter().sum::<f64>());
        (a, b)
    }

    /// The multipliers that maximize the Lagrangian dual over the known points, by coordinate ascent, and that dual's
    /// value.
    fn best_multipliers(&self, cell: &Cell) -> (Vec<u8>, f64) {
        let last = self.difference.n_heads() - 1;
        let rest = self.difference.threshold() - cell.low.iter().sum::<f64>();
        let slopes: Vec<Vec<f64>> = (0..last)
            .map(|head| {
                self.sums.iter().map(|sums| sums.numerators[head] - cell.high[head] * sums.denominators[head]).collect()
            })
            .collect();
        let mut values: Vec<f64> =
            self.sums.iter().map(|sums| sums.numerators[last] - rest * sums.denominators[last]).collect();
        let least = |values: &[f64]| values.iter().copied().fold(f64::INFINITY, f64::min);
        let mut bytes = vec![0; last];
        for _ in 0..last.min(2) {
            for head in 0..last {
                let held = multiplier(bytes[head]);
                values.iter_mut().zip(&slopes[head]).for_each(|(value, slope)| *value -= held * slope);
                let with = |byte: u8| {
                    let multiplier = multiplier(byte);
                    let all = values.iter().zip(&slopes[head]).map(|(value, slope)| value + multiplier * slope);
                    all.fold(f64::INFINITY, f64::min)
                };
                // A concave function of the multiplier: it rises to its maximum, then falls.
                let (mut from, mut to) = (0_u8, 255);
                while from < to {
                    let middle = from + (to - from) / 2;
                    if with(middle) < with(middle + 1) { from = middle + 1 } else { to = middle }
                }
                bytes[head] = from;
                let taken = multiplier(from);
                values.iter_mut().zip(&slopes[head]).for_each(|(value, slope)| *value += taken * slope);
            }
        }
        (bytes, least(&values))
    }
}
