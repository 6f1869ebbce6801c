//! Minima and counts over the lists of a region where the largest value is asked for: any values at the positions, but that
//! the largest is among them.

use super::class::Members;

/// The largest sum of a list's absolute costs, in units: so much smaller may the attention weights of a list be than those of
/// another.
const MOST: f64 = (1_u64 << 54) as f64;
/// The cost of what no list has.
const NEVER: i64 = i64::MAX / 4;

/// Quantized costs of a region, with what is least at each position.
pub(super) struct Product {
    /// `[position][token]`, rounded down; [`NEVER`] where it is not allowed.
    costs: Vec<Vec<i64>>,
    /// What every list costs.
    always: i64,
    /// The least cost at each position.
    least: Vec<i64>,
}

impl Product {
    /// The costs of a region's options, and of what every list has; none if they are not finite.
    pub fn new(members: &Members, region: &[u16], cost: impl Fn(usize, usize) -> f64, always: &[f64]) -> Option<Self> {
        let list_len = members.sizes.list_len;
        let allowed = |token: usize, position: usize| region[token] >> position & 1 == 1;
        let at = |position: usize| (0..region.len()).filter(move |token| allowed(*token, position));
        let largest = |position: usize| at(position).map(|token| cost(token, position).abs()).fold(0.0, f64::max);
        let sum = (0..list_len).map(largest).sum::<f64>() + always.iter().map(|cost| cost.abs()).sum::<f64>();
        let is_finite = |position: usize| at(position).all(|token| cost(token, position).is_finite());
        // Costs that f64 holds badly become no units at all.
        const LEAST: f64 = 1e-250;
        let scale = MOST / sum.max(LEAST);
        let finite = (0..list_len).all(is_finite) && always.iter().all(|cost| cost.is_finite());
        if !finite || !scale.is_finite() || scale == 0.0 {
            return None;
        }
        let costs = (0..list_len).map(|position| {
            let units = |token| if allowed(token, position) { floor(cost(token, position) * scale) } else { NEVER };
            (0..region.len()).map(units).collect::<Vec<_>>()
        });
        let costs: Vec<Vec<i64>> = costs.collect();
        let least = costs.iter().map(|costs| costs.iter().copied().min().unwrap_or(NEVER)).collect();
        Some(Self { costs, always: always.iter().map(|cost| floor(cost * scale)).sum(), least })
    }

    /// The least cost of a region's list; far above 0 if it has none.
    pub fn minimum(&self) -> i64 {
        let with_largest = (0..self.costs.len()).map(|position| self.with_largest_at(position));
        with_largest.min().unwrap_or(NEVER)
    }

    /// The least cost with the largest value at a position.
    fn with_largest_at(&self, position: usize) -> i64 {
        let largest = self.costs[position].last().copied().unwrap_or(NEVER);
        self.others(&[position]).saturating_add(largest)
    }

    /// What every list costs, and the least at all but some positions.
    fn others(&self, but: &[usize]) -> i64 {
        let others = self.least.iter().enumerate().filter(|(position, _)| !but.contains(position));
        others.fold(self.always, |sum, (_, least)| sum.saturating_add(*least))
    }

    /// Adds to `kept` `[token]` the options whose min-marginal is below 1.
    pub fn keep(&self, kept: &mut [u16]) {
        let largest = kept.len() - 1;
        for position in 0..self.costs.len() {
            // Without that position's own cost.
            let somewhere_else = (0..self.costs.len()).filter(|other| *other != position).map(|other| {
                let there = self.costs[other].last().copied().unwrap_or(NEVER);
                self.others(&[position, other]).saturating_add(there)
            });
            let somewhere_else = somewhere_else.min().unwrap_or(NEVER);
            for (token, kept) in kept.iter_mut().enumerate() {
                let rest = if token == largest { self.others(&[position]) } else { somewhere_else };
                let cost = self.costs[position][token];
                if cost < NEVER && rest.saturating_add(cost) < 1 {
                    *kept |= 1 << position;
                }
            }
        }
    }
}

/// A whole number that is not above what a number was before it was rounded.
fn floor(number: f64) -> i64 {
    /// More than the product and this difference round, as a share of the number.
    const ROUNDING: f64 = 2.0 * f64::EPSILON;
    // One number down: what became 0 may have been less.
    (number - number.abs() * ROUNDING).next_down().floor() as i64
}

/// Number of a region's lists.
pub(super) fn count(members: &Members, region: &[u16]) -> u128 {
    let options = |tokens: usize| {
        let at = |position: usize| region[..tokens].iter().filter(|options| *options >> position & 1 == 1).count();
        (0..members.sizes.list_len).map(|position| at(position) as u128).product::<u128>()
    };
    options(region.len()) - options(region.len() - 1)
}

/// The only list of a region that has one, as tokens' numbers `[position]`.
pub(super) fn only_list(members: &Members, region: &[u16]) -> Option<Vec<usize>> {
    let largest = region.len() - 1;
    let list_len = members.sizes.list_len;
    let place = (0..list_len).find(|position| region[largest] >> position & 1 == 1)?;
    let allowed = |position: usize| (0..region.len()).find(|token| region[*token] >> position & 1 == 1);
    (0..list_len).map(|position| if position == place { Some(largest) } else { allowed(position) }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_never_above_what_they_stand_for() {
        // Below 0, however little: of the smallest numbers a product is 0.
        assert_eq!([-1e-308_f64 * 1e-36, -f64::MIN_POSITIVE, -0.0, 0.0].map(floor), [-1; 4]);
        assert_eq!([1.5, 2.0, -1.5].map(floor), [1, 1, -2]);
        for number in [1e15, 1.8e16, -1.8e16_f64] {
            assert!((floor(number) as f64) < number && number - (floor(number) as f64) < 16.0);
        }
    }
}
