//! Whether one answer beats another on every list of a region.

use super::{
    contest::{Contest, Sums},
    oracle::{ABSENT, MARGIN, Minimum, Region},
    prover::Prover,
};
use algolens_check::certificate::evidence::{multiplier, tag};

/// A contest within a region, under way.
///
/// A list in which the winner does not win has ρ_h ≥ `floors[h]` for each head, and so, for each head but the last,
/// ρ_h < threshold - the other floors: it lies in a box.
pub struct Bout<'a, 'o, 'p> {
    prover: &'p mut Prover<'a, 'o>,
    contest: &'p Contest<'a>,
    region: &'p Region,
    /// The sums of the prover's points.
    sums: Vec<Sums>,
    /// Lower bounds of ρ_h, in steps; [`NO_FLOOR`] where there is none yet.
    pub floors: Vec<i32>,
    /// The cells of the box, as [`evidence`](algolens_check::certificate::evidence) writes them.
    pub cells: Vec<u8>,
    /// Options that some list may have in which the winner does not win.
    pub kept: Vec<u16>,
    /// What the least value among cells was, and which options it has: see [`marginal`](super::oracle::Oracle::marginal).
    pub worst: Option<(f64, Vec<[f32; 16]>)>,
}

/// Steps by which floors must be above what they have to reach: more than a threshold's rounding.
const AHEAD: f64 = 1e-3;

/// No lower bound yet.
pub const NO_FLOOR: i32 = i32::MIN;

/// How a bout came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The winner wins on every list.
    Won,
    /// The winner wins on every list with an option that is not `kept`.
    Narrowed,
    /// The region has no list.
    Empty,
}

#[derive(Clone, Debug)]
struct Cell {
    low: Vec<f64>,
    high: Vec<f64>,
}

impl<'a, 'o, 'p> Bout<'a, 'o, 'p> {
    /// A bout that starts from floors that hold already.
    pub fn new(prover: &'p mut Prover<'a, 'o>, contest: &'p Contest<'a>, region: &'p Region, floors: Vec<i32>) -> Self {
        let sums = prover.points.iter().map(|point| contest.sums(&point.rows)).collect();
        Self { prover, contest, region, sums, floors, cells: Vec::new(), kept: Vec::new(), worst: None }
    }

    /// Whether the winner is known not to win on some list (by this bound; its margin may be positive yet).
    pub fn is_violated(&self) -> bool {
        self.sums.iter().any(|sums| self.violates(sums))
    }

    fn violates(&self, sums: &Sums) -> bool {
        sums.sum_of_ratios() < self.contest.threshold()
    }

    fn minimise(&mut self, a: &[f64], b: &[f64]) -> Option<(Minimum, Sums)> {
        let (minimum, point) = self.prover.minimise(self.contest, self.region, a, b)?;
        if point == self.sums.len() {
            self.sums.push(self.contest.sums(&self.prover.points[point].rows));
        }
        Some((minimum, self.sums[point].clone()))
    }

    /// Raises floors head by head, as far as they go; whether they alone decide.
    ///
    /// Each is found by Dinkelbach's method on the grid of steps: λ holds once the least N - λ D is positive.
    pub fn raise_floors(&mut self) -> Option<bool> {
        let heads = self.contest.n_heads();
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

    fn is_decided(&self) -> bool {
        !self.floors.contains(&NO_FLOOR)
            && self.floors.iter().map(|floor| self.at(*floor)).sum::<f64>()
                >= self.contest.threshold() + AHEAD * self.prover.step
    }

    fn at(&self, floor: i32) -> f64 {
        f64::from(floor) * self.prover.step
    }

    /// The floor of the last head with which the floors decide.
    fn needed(&self) -> Option<i32> {
        let (_, others) = self.floors.split_last()?;
        let rest = self.contest.threshold() - others.iter().map(|floor| self.at(*floor)).sum::<f64>();
        Some((rest / self.prover.step + AHEAD).ceil() as i32)
    }

    fn raise_floor(&mut self, head: usize, mut first: Option<i32>) -> Option<()> {
        let heads = self.contest.n_heads();
        let mut a = vec![0.0; heads];
        a[head] = 1.0;
        let mut least = self.sums.iter().map(|sums| sums.ratio(head)).fold(f64::INFINITY, f64::min);
        if least == f64::INFINITY {
            least = self.minimise(&a, &vec![0.0; heads])?.1.ratio(head);
        }
        let grid = |ratio: f64, step: f64| (ratio / step).floor().clamp(-1e9, 1e9) as i32;
        loop {
            let mut floor = grid(least, self.prover.step);
            if let Some(first) = first.take_if(|first| *first <= floor) {
                floor = first;
            }
            if !self.is_worth_raising(head, floor) {
                return Some(());
            }
            let mut b = vec![0.0; heads];
            b[head] = self.at(floor);
            let (minimum, sums) = self.minimise(&a, &b)?;
            if minimum.is_positive() {
                self.floors[head] = floor;
                return Some(());
            }
            // At least one step down: a tie within rounding ends as well.
            least = sums.ratio(head).min(self.at(floor) - 0.5 * self.prover.step);
        }
    }

    /// Whether a floor would shrink the box by a good part.
    fn is_worth_raising(&self, head: usize, floor: i32) -> bool {
        const PART: f64 = 0.05;
        let held = self.floors[head];
        let room = self.contest.threshold() - self.floors.iter().map(|floor| self.at(*floor)).sum::<f64>();
        held == NO_FLOOR || (floor > held && self.at(floor) - self.at(held) > PART * room)
    }

    /// Divides the box into cells, each halved at most `depth` times, until the winner wins in each or is known not to;
    /// of those that are left, the options that violating lists may have are [`kept`](Self::kept).
    ///
    /// In a cell `low ≤ ρ < high`, a list in which the winner does not win has
    /// `N_last - (threshold - Σ low) D_last + Σ_h μ_h (N_h - high_h D_h) < 0` for any μ ≥ 0.
    pub fn divide(&mut self, depth: usize) -> Outcome {
        self.cells.clear();
        self.kept = vec![0; self.region.options().len()];
        let others = 0..self.contest.n_heads() - 1;
        let all: f64 = self.floors.iter().map(|floor| self.at(*floor)).sum();
        let room = self.contest.threshold() - all;
        let low: Vec<f64> = others.map(|head| self.at(self.floors[head])).collect();
        let high = low.iter().map(|low| low + room).collect();
        match self.divide_cell(Cell { low, high }, depth) {
            None => Outcome::Empty,
            Some(()) if self.kept.iter().all(|kept| *kept == 0) => Outcome::Won,
            Some(()) => Outcome::Narrowed,
        }
    }

    fn divide_cell(&mut self, cell: Cell, depth: usize) -> Option<()> {
        const TRIES: usize = 4;
        for _ in 0..TRIES {
            let (bytes, value) = self.best_multipliers(&cell);
            if value < 0.0 {
                break;
            }
            let (a, b) = self.functional(&cell, &bytes);
            let (minimum, sums) = self.minimise(&a, &b)?;
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
            let (mut left, mut right) = (cell.clone(), cell);
            left.high[widest] = middle;
            right.low[widest] = middle;
            self.cells.push(widest as u8);
            self.divide_cell(left, depth - 1)?;
            return self.divide_cell(right, depth - 1);
        }
        self.narrow(&cell)
    }

    /// Keeps the options of lists that may violate in a cell.
    fn narrow(&mut self, cell: &Cell) -> Option<()> {
        let (bytes, _) = self.best_multipliers(cell);
        let (a, b) = self.functional(cell, &bytes);
        self.cells.push(tag::LEAF);
        self.cells.extend(bytes);
        self.contest.costs(&a, &b, &mut self.prover.costs);
        let Prover { oracle, rows, costs, .. } = &mut *self.prover;
        let minimum = oracle.minimum_and_marginals(rows, self.region, costs)?;
        let worse = self.worst.as_ref().is_none_or(|(least, _)| minimum.bound() < *least);
        let mut marginals = if worse { vec![[f32::INFINITY; 16]; self.kept.len()] } else { Vec::new() };
        for (token, &options) in self.region.options().iter().enumerate() {
            if options == 1 << ABSENT {
                self.kept[token] = options;
                continue;
            }
            let mut left = options;
            while left != 0 {
                let option = left.trailing_zeros();
                left &= left - 1;
                let units = self.prover.oracle.marginal(token, option);
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
        self.prover.remember(minimum.list);
        if self.sums.len() < self.prover.points.len() {
            self.sums.push(self.contest.sums(&self.prover.points[self.sums.len()].rows));
        }
        Some(())
    }

    fn functional(&self, cell: &Cell, bytes: &[u8]) -> (Vec<f64>, Vec<f64>) {
        let mut a: Vec<f64> = bytes.iter().map(|byte| multiplier(*byte)).collect();
        let mut b: Vec<f64> = a.iter().zip(&cell.high).map(|(multiplier, high)| multiplier * high).collect();
        a.push(1.0);
        b.push(self.contest.threshold() - cell.low.iter().sum::<f64>());
        (a, b)
    }

    /// The multipliers with which the least value over the points is greatest, and that value.
    fn best_multipliers(&self, cell: &Cell) -> (Vec<u8>, f64) {
        let last = self.contest.n_heads() - 1;
        let rest = self.contest.threshold() - cell.low.iter().sum::<f64>();
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
