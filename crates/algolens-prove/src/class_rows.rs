//! A class's attended rows: attention weights, and the bounds of the final norm's scale.

use super::{Asks, List, MOST_VALUES, Space, Tables};
use algolens_check::certificate::Class;
use algolens_core::{Scalar, task::Token};
use ndarray::{Array1, ArrayView1};

/// The rows that predictions of one class can attend to, with their attention weights.
///
/// A list of the class is made of its `tokens`. Of sorted lists they are those up to `d` (the first `low`), then `y`, then
/// those above; where the largest value is asked for, those up to it, and `low` is 0. Local rows are numbered: token q at list
/// position j is `q · list_len + j`; token q at rank k of the sorted half, for q among the first `low`, is
/// `low_start + q · position + k`; those of every list are last, from `fixed` on.
#[derive(Clone, Debug)]
pub struct ClassRows<'a> {
    /// The model's tables.
    pub tables: &'a Tables,
    /// The class.
    pub class: Class,
    /// The tokens that a list of the class may have, ascending.
    pub tokens: Vec<u16>,
    /// Number of them that are at most `d`.
    pub low: usize,
    /// The table row of the destination.
    pub destination: usize,
    /// The first local row of those that every list attends to.
    pub fixed: usize,
    /// The table row of each local row.
    pub rows: Vec<usize>,
    /// e `[head][local row]`: exp(score - the largest score of the head).
    pub weights: Vec<Vec<f64>>,
    /// Lower and upper bound of the final norm's scale σ.
    pub sigma: SigmaBounds,
}

/// A sum over heads of attention-weighted averages of rows: `base + Σ_h Σ_r e_h(r) rows[h][r] / D_h`.
#[derive(Clone, Debug, Default)]
pub struct Averages {
    /// The constant part.
    pub base: f64,
    /// The averaged numbers `[head][local row]`.
    pub rows: Vec<Vec<f64>>,
}

/// Bounds of the final norm's scale σ on every list of a class, as averages of rows.
///
/// σ √d_model is the length of x, the destination's residual plus the heads' averages (with a last coordinate for eps).
/// It is at least x's component along the unit vector to the x̄ of some list of the class (its
/// [`middle`](ClassRows::middle), unless another is named), and, by the triangle inequality, at most the heads'
/// averages of lengths, when x̄'s deviations are shared between them.
#[derive(Clone, Debug, Default)]
pub struct SigmaBounds {
    /// The lower bound.
    pub low: Averages,
    /// The upper bound.
    pub high: Averages,
}

impl<'a> ClassRows<'a> {
    /// The rows of a class of the tables' task.
    pub fn of(tables: &'a Tables, class: Class) -> Self {
        let space = tables.space();
        let Space { list_len, values, .. } = space;
        let (d, y) = (class.token.map(|token| token as usize), class.target as usize);
        let (low, tokens): (usize, Vec<u16>) = match space.asks {
            Asks::Sorted => {
                let low = d.map_or(0, |d| d + 1);
                (low, (0..low).chain(y..values).map(|token| token as u16).collect())
            }
            Asks::Largest { .. } => (0, (0..=largest(space, class) as u16).collect()),
        };
        let mut rows: Vec<usize> =
            tokens.iter().flat_map(|&token| (0..list_len).map(move |at| at * values + token as usize)).collect();
        rows.extend((0..low).flat_map(|token| (0..class.position).map(move |slot| space.answer_row(slot, token))));
        let fixed = rows.len();
        rows.extend(space.fixed_rows());
        let destination = match (space.asks, d) {
            (Asks::Largest { separators: false }, Some(last)) => (list_len - 1) * values + last,
            (_, Some(d)) => space.answer_row(class.position - 1, d),
            (_, None) => space.fixed_rows().end - 1,
        };
        if let (Asks::Largest { separators: true }, Some(_)) = (space.asks, d) {
            rows.push(destination);
        }
        let weights = (0..tables.n_heads())
            .map(|head| {
                let mut scores: Vec<f64> = rows.iter().map(|&row| tables.score(head, destination, row)).collect();
                let largest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                scores.iter_mut().for_each(|score| *score = libm::exp(*score - largest));
                scores
            })
            .collect();
        let sigma = SigmaBounds::default();
        let mut class_rows = Self { tables, class, tokens, low, destination, fixed, rows, weights, sigma };
        let middle = class_rows.middle();
        class_rows.bound_sigma_around(&middle);
        class_rows
    }

    /// Recomputes the bounds of σ so that they are tight at this list of the class.
    pub fn bound_sigma_around(&mut self, list: &List) {
        self.sigma = self.sigma_bounds(&self.attended(list));
    }

    /// Bounds of σ that are tight at the list attending to these local rows.
    fn sigma_bounds(&self, attended: &[usize]) -> SigmaBounds {
        let zeros = || vec![vec![0.0; self.rows.len()]; self.tables.n_heads()];
        if !self.tables.normed {
            let one = || Averages { base: 1.0, rows: zeros() };
            return SigmaBounds { low: one(), high: one() };
        }
        let own = self.tables.residual(self.destination);
        let means: Vec<Array1<f64>> = (0..self.tables.n_heads()).map(|head| self.output(head, attended)).collect();
        let sum = means.iter().fold(own.to_owned(), |sum, mean| sum + mean);
        let unit = &sum / sum.dot(&sum).sqrt();
        let width = ((own.len() - 1) as f64).sqrt();
        let low =
            Averages { base: unit.dot(&own) / width, rows: self.map_outputs(|_, output| unit.dot(&output) / width) };
        let shares: Vec<Array1<f64>> = means.iter().map(|mean| &sum / means.len() as f64 - mean).collect();
        let length = |head: usize, output: ArrayView1<f64>| {
            output.iter().zip(&shares[head]).map(|(a, b)| (a + b) * (a + b)).sum::<f64>().sqrt() / width
        };
        SigmaBounds { low, high: Averages { base: 0.0, rows: self.map_outputs(length) } }
    }

    /// `number(head, output)` of every head and local row, `[head][local row]`.
    fn map_outputs(&self, number: impl Fn(usize, ArrayView1<f64>) -> f64) -> Vec<Vec<f64>> {
        let head_numbers = |head| self.rows.iter().map(|row| number(head, self.tables.output(head, *row))).collect();
        (0..self.tables.n_heads()).map(head_numbers).collect()
    }

    /// A head's centred output `[d_model + 1]` to the residual stream when it attends to these local rows.
    fn output(&self, head: usize, rows: &[usize]) -> Array1<f64> {
        let weight: f64 = rows.iter().map(|row| self.weights[head][*row]).sum();
        let mut output = Array1::zeros(self.tables.residual(self.destination).len());
        for &row in rows {
            output.scaled_add(self.weights[head][row] / weight, &self.tables.output(head, self.rows[row]));
        }
        output
    }

    /// The logits of a list's prediction, given the local rows it attends to.
    pub fn logits(&self, rows: &[usize]) -> Array1<f64> {
        let mut x = self.tables.residual(self.destination).to_owned();
        let mut sum = self.tables.B.row(self.destination).to_owned();
        for head in 0..self.tables.n_heads() {
            x += &self.output(head, rows);
            let weight: f64 = rows.iter().map(|row| self.weights[head][*row]).sum();
            for &row in rows {
                sum.scaled_add(self.weights[head][row] / weight, &self.tables.G[head].row(self.rows[row]));
            }
        }
        let sigma = if self.tables.normed { (x.dot(&x) / (x.len() - 1) as f64).sqrt() } else { 1.0 };
        sum / sigma + &self.tables.beta
    }

    /// The margin (logits) and the best wrong answer, given the local rows attended to; negative where the prediction
    /// is wrong.
    pub fn margin(&self, rows: &[usize]) -> (f64, Token) {
        margin(self.logits(rows).view(), self.class.target)
    }

    /// Number of the first local row of the sorted half.
    pub fn low_start(&self) -> usize {
        self.tokens.len() * self.list_len()
    }

    /// Length of the list.
    pub fn list_len(&self) -> usize {
        self.tables.space().list_len
    }

    /// What is asked for of a list.
    pub fn asks(&self) -> Asks {
        self.tables.space().asks
    }

    /// The number of a token among the class's.
    pub fn index_of(&self, token: u16) -> Option<usize> {
        self.tokens.binary_search(&token).ok()
    }

    /// True if a list is in the class.
    #[cfg(test)]
    pub fn has(&self, list: &List) -> bool {
        let list = &list[..self.list_len()];
        let below = list.iter().filter(|&&token| Some(token as Token) < self.class.token).count();
        let is_there = |token: Token| list.iter().any(|held| Token::from(*held) == token);
        list.iter().all(|token| self.index_of(*token).is_some())
            && is_there(self.class.target)
            && self.class.token.is_none_or(|token| is_there(token) && below + 1 == self.class.position)
    }

    /// The local rows that a list's prediction attends to.
    pub fn attended(&self, list: &List) -> Vec<usize> {
        let list_len = self.list_len();
        let at = |token: u16| self.index_of(token).expect("a list of the class has its tokens only");
        let mut rows: Vec<usize> =
            list[..list_len].iter().enumerate().map(|(j, &token)| at(token) * list_len + j).collect();
        let mut low: Vec<usize> = list[..list_len].iter().map(|&token| at(token)).filter(|&q| q < self.low).collect();
        low.sort_unstable();
        rows.extend(low.iter().enumerate().map(|(rank, q)| self.low_start() + q * self.class.position + rank));
        rows.extend(self.fixed..self.rows.len());
        rows
    }

    /// The class's middle list: of sorted lists values evenly spread below `d` and above `y`, in ascending order; where the
    /// largest is asked for, values evenly spread up to it, and it at the last position that is free.
    pub fn middle(&self) -> List {
        match self.asks() {
            Asks::Sorted => self.middle_sorted(),
            Asks::Largest { .. } => self.middle_largest(),
        }
    }

    fn middle_largest(&self) -> List {
        let (list_len, largest) = (self.list_len(), self.tokens.len() - 1);
        let mut list = [0; MOST_VALUES];
        for (at, token) in list[..list_len].iter_mut().enumerate() {
            *token = ((2 * at + 1) * largest / (2 * list_len)) as u16;
        }
        let mut free = list_len - 1;
        if let (Asks::Largest { separators: false }, Some(last)) = (self.asks(), self.class.token) {
            list[free] = last as u16;
            free = if last as usize == largest { free } else { free - 1 };
        }
        list[free] = largest as u16;
        list
    }

    fn middle_sorted(&self) -> List {
        let (list_len, position) = (self.list_len(), self.class.position);
        let mut list = [0; MOST_VALUES];
        let below = self.low.saturating_sub(1);
        let above = self.tokens.len() - self.low - 1;
        let spread = |count: usize, among: usize, at: usize| (2 * at + 1) * among / (2 * count);
        for (at, token) in list[..list_len].iter_mut().enumerate() {
            let q = if at + 1 < position {
                spread(position - 1, below, at)
            } else if at < position {
                self.low - 1
            } else if at == position {
                self.low
            } else {
                self.low + 1 + spread(list_len - 1 - position, above, at - position - 1)
            };
            *token = self.tokens[q];
        }
        list
    }
}

/// The largest value of the lists of a class.
pub fn largest(space: Space, class: Class) -> Token {
    match (space.asks, class.token) {
        (Asks::Largest { separators: true }, Some(largest)) => largest,
        _ => class.target,
    }
}

/// The margin: the target's logit less the largest other, and the answer that has that.
pub fn margin<T: Scalar>(logits: ArrayView1<T>, target: Token) -> (f64, Token) {
    let others = logits.iter().enumerate().filter(|(answer, _)| *answer != target as usize);
    let (best, logit) = others
        .fold((0, T::neg_infinity()), |best, (answer, &logit)| if logit > best.1 { (answer, logit) } else { best });
    (logits[target as usize].as_f64() - logit.as_f64(), best as Token)
}
