//! Ball arithmetic in f64: real numbers and vectors as midpoints with radii.
//!
//! Every operation's radius covers the rounding of its midpoint; [`above`] covers the rounding of the bounds
//! themselves, and numbers too small for f64.

/// The unit roundoff: the largest relative error of one rounding.
const ROUNDING: f64 = f64::EPSILON / 2.0;

/// An upper bound of the number that `bound` rounds, computed by at most 60 operations on numbers that are not
/// negative.
pub(super) fn above(bound: f64) -> f64 {
    bound * (1.0 + 64.0 * f64::EPSILON) + f64::MIN_POSITIVE
}

/// The relative error of a sum of `terms` products, in any order: at least Higham's γ, and of two more operations.
pub(super) fn rounding_of(terms: usize) -> f64 {
    // Sums of more than 2³² terms do not occur; below, 1 / (1 − n ROUNDING) is less than 1.001.
    (terms + 2) as f64 * ROUNDING * 1.001
}

/// A ball: the real numbers within `error` (the radius) of `value` (the midpoint).
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ball {
    pub value: f64,
    pub error: f64,
}

impl Ball {
    /// The ball of radius 0 around a number.
    pub fn exact(value: f64) -> Self {
        Self { value, error: 0.0 }
    }

    /// A lower bound of the ball's numbers.
    pub fn low(self) -> f64 {
        (self.value - self.error).next_down()
    }

    /// An upper bound of the ball's numbers.
    pub fn high(self) -> f64 {
        (self.value + self.error).next_up()
    }

    /// True if midpoint and radius are finite.
    pub fn is_finite(self) -> bool {
        self.value.is_finite() && self.error.is_finite()
    }

    /// The ball of a midpoint that was rounded once, with the radius that its operands give it.
    fn rounded(value: f64, error: f64) -> Self {
        Self { value, error: above(error + value.abs() * 2.0 * ROUNDING) }
    }

    /// √x of a ball of numbers that are not negative.
    pub fn sqrt(self) -> Self {
        let root = self.value.max(0.0).sqrt();
        // |√x − √v| = |x − v| / (√x + √v)
        let off =
            if self.error == 0.0 { 0.0 } else { (self.error / root).min((self.value.max(0.0) + self.error).sqrt()) };
        Self::rounded(root, off)
    }

    /// eˣ.
    pub fn exp(self) -> Self {
        // `libm` is within 1 ulp.
        const LIBM: f64 = 8.0 * ROUNDING;
        let power = libm::exp(self.value);
        // eᵟ − 1 ≤ δ + δ² for δ ≤ 1
        let growth = if self.error <= 1.0 { self.error + self.error * self.error } else { f64::INFINITY };
        Self::rounded(power, power * (growth * (1.0 + LIBM) + LIBM))
    }
}

impl std::ops::Add for Ball {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self::rounded(self.value + other.value, self.error + other.error)
    }
}

impl std::ops::Neg for Ball {
    type Output = Self;

    fn neg(self) -> Self {
        Self { value: -self.value, ..self }
    }
}

impl std::ops::Sub for Ball {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        self + -other
    }
}

impl std::ops::Mul for Ball {
    type Output = Self;

    fn mul(self, other: Self) -> Self {
        let (a, b) = (self, other);
        let error = a.value.abs() * b.error + a.error * b.value.abs() + a.error * b.error;
        Self::rounded(a.value * b.value, error)
    }
}

impl std::ops::Div for Ball {
    type Output = Self;

    fn div(self, other: Self) -> Self {
        let quotient = self.value / other.value;
        let least = other.value.abs() - other.error;
        let error = if least > 0.0 {
            (quotient.abs() * (1.0 + 4.0 * ROUNDING) * other.error + self.error) / least
        } else {
            f64::INFINITY
        };
        Self::rounded(quotient, error)
    }
}

/// The dot product Σ aᵢ bᵢ, rounded; in eight partial sums, for vector instructions.
fn sum_of_products(a: &[f64], b: &[f64]) -> f64 {
    const SUMS: usize = 8;
    let mut sums = [0.0; SUMS];
    let (a, b) = (a.chunks_exact(SUMS), b.chunks_exact(SUMS));
    let rest: f64 = a.remainder().iter().zip(b.remainder()).map(|(a, b)| a * b).sum();
    for (a, b) in a.zip(b) {
        for (sum, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
            *sum += a * b;
        }
    }
    sums.iter().sum::<f64>() + rest
}

/// An upper bound of a vector's Euclidean norm.
pub(super) fn length_above(numbers: &[f64]) -> f64 {
    let square = sum_of_products(numbers, numbers);
    let lost = numbers.len() as f64 * f64::MIN_POSITIVE;
    above((square * (1.0 + 2.0 * rounding_of(numbers.len())) + lost).sqrt())
}

/// A ball of vectors, borrowed: those within `error` (Euclidean) of `values`, whose norm is at most `length`.
#[derive(Clone, Copy, Debug)]
pub(super) struct BallRef<'a> {
    pub values: &'a [f64],
    pub length: f64,
    pub error: f64,
}

impl BallRef<'_> {
    /// a · b.
    pub fn dot(self, other: BallRef<'_>) -> Ball {
        let (a, b) = (self, other);
        let terms = a.values.len();
        let rounding = rounding_of(terms) * a.length * b.length + terms as f64 * f64::MIN_POSITIVE;
        let error = rounding + a.length * b.error + a.error * b.length + a.error * b.error;
        Ball { value: sum_of_products(a.values, b.values), error: above(error) }
    }

    /// a + b.
    pub fn plus(self, other: BallRef<'_>) -> BallVec {
        let values = self.values.iter().zip(other.values).map(|(a, b)| a + b).collect();
        let rounding = ROUNDING * (self.length + other.length);
        BallVec::new(values, self.error + other.error + rounding)
    }

    /// |a + b|.
    pub fn length_of_sum(self, other: BallRef<'_>) -> Ball {
        let sum = self.values.iter().zip(other.values).map(|(a, b)| a + b);
        let square: f64 = {
            let mut sums = [0.0; 4];
            for (at, x) in sum.enumerate() {
                sums[at % 4] += x * x;
            }
            sums.iter().sum()
        };
        let length = square.sqrt();
        let terms = self.values.len();
        let rounding = rounding_of(terms) * length + ROUNDING * (self.length + other.length);
        let lost = (terms as f64 * f64::MIN_POSITIVE).sqrt();
        Ball { value: length, error: above(self.error + other.error + rounding + lost) }
    }
}

/// A ball of vectors, owned; see [`BallRef`].
#[derive(Clone, Debug)]
pub(super) struct BallVec {
    values: Vec<f64>,
    length: f64,
    error: f64,
}

impl BallVec {
    /// The ball around `values` whose radius is `error`, up to that number's rounding.
    pub fn new(values: Vec<f64>, error: f64) -> Self {
        Self { length: length_above(&values), error: above(error), values }
    }

    /// The ball of radius 0 around a vector.
    pub fn exact(values: Vec<f64>) -> Self {
        Self { length: length_above(&values), error: 0.0, values }
    }

    /// The ball, borrowed.
    pub fn view(&self) -> BallRef<'_> {
        BallRef { values: &self.values, length: self.length, error: self.error }
    }

    /// The ball of one coordinate.
    pub fn number(&self, place: usize) -> Ball {
        Ball { value: self.values[place], error: self.error }
    }

    /// The vector less the mean of its coordinates.
    pub fn centred(&self) -> Self {
        let width = self.values.len();
        let mean = self.values.iter().sum::<f64>() / width as f64;
        let values = self.values.iter().map(|x| x - mean).collect();
        // The mean is off by γ |x| / √width at most, and so is each number; centring makes no error larger.
        Self::new(values, self.error + 2.0 * rounding_of(width + 2) * self.length)
    }

    /// The vector divided by a number.
    pub fn over(&self, number: Ball) -> Self {
        let values = self.values.iter().map(|x| x / number.value).collect();
        let least = number.value.abs() - number.error;
        let quotient = self.length / number.value.abs();
        let division = if least > 0.0 { (quotient * number.error + self.error) / least } else { f64::INFINITY };
        let lost = self.values.len() as f64 * f64::MIN_POSITIVE;
        Self::new(values, division + 4.0 * ROUNDING * quotient + lost)
    }

    /// The coordinates times exact factors.
    pub fn times(&self, factors: &[f64]) -> Self {
        let values = self.values.iter().zip(factors).map(|(x, factor)| x * factor).collect();
        let largest = factors.iter().fold(0.0, |largest: f64, factor| largest.max(factor.abs()));
        let width = self.values.len() as f64;
        Self::new(values, (self.error + 2.0 * ROUNDING * self.length) * largest + width * f64::MIN_POSITIVE)
    }

    /// The vector plus an exact one.
    pub fn plus_exact(&self, other: &[f64]) -> Self {
        self.view().plus(BallRef { values: other, length: length_above(other), error: 0.0 })
    }

    /// The row vector times a matrix.
    pub fn product(&self, matrix: &Matrix) -> Self {
        let mut values = vec![0.0; matrix.columns];
        for (x, row) in self.values.iter().zip(matrix.values.chunks_exact(matrix.columns)) {
            values.iter_mut().zip(row).for_each(|(sum, weight)| *sum += x * weight);
        }
        let terms = self.values.len();
        // By Cauchy and Schwarz, column by column.
        let rounding = rounding_of(terms) * self.length * matrix.length;
        let lost = (terms * matrix.columns) as f64 * f64::MIN_POSITIVE;
        Self::new(values, rounding + self.error * matrix.length + lost)
    }
}

/// An exact matrix, row by row.
pub(super) struct Matrix {
    values: Vec<f64>,
    columns: usize,
    /// An upper bound of its Frobenius norm.
    length: f64,
}

impl Matrix {
    /// A matrix of this many columns (not 0), row by row.
    pub fn new(values: Vec<f64>, columns: usize) -> Self {
        Self { length: length_above(&values), values, columns }
    }
}

/// Balls of vectors of one width, stored together.
#[derive(Clone, Debug)]
pub(super) struct BallVecs {
    width: usize,
    values: Vec<f64>,
    length: Vec<f64>,
    error: Vec<f64>,
}

impl BallVecs {
    /// No vectors of a width.
    pub fn new(width: usize) -> Self {
        Self { width, values: Vec::new(), length: Vec::new(), error: Vec::new() }
    }

    /// Appends a ball of the width.
    pub fn push(&mut self, vector: &BallVec) {
        debug_assert_eq!(vector.values.len(), self.width, "vectors of one width");
        self.values.extend(&vector.values);
        self.length.push(vector.length);
        self.error.push(vector.error);
    }

    /// The ball at an index.
    pub fn get(&self, at: usize) -> BallRef<'_> {
        let values = &self.values[at * self.width..(at + 1) * self.width];
        BallRef { values, length: self.length[at], error: self.error[at] }
    }

    /// The ball of one coordinate of the vector at an index.
    pub fn number(&self, at: usize, place: usize) -> Ball {
        Ball { value: self.values[at * self.width + place], error: self.error[at] }
    }
}
