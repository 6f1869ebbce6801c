//! Quantization of costs to whole units, rounded down: integers that the recursion adds up exactly.

use super::{
    attention::Places,
    class::{ABSENT, Members},
    states::{Costs, LANES, MOST},
};

/// Quantizes the costs of the options of a region of sorted lists into `units`, rounded down, so that no list's absolute costs exceed
/// [`MOST`]; false if costs are not finite.
pub(super) fn quantize(costs: &[f64], places: Places, members: &Members, region: &[u16], units: &mut Costs) -> bool {
    let list_len = members.sizes.list_len;
    let mut largest = [0.0_f64; 2 * LANES];
    let (unsorted, sorted) = largest.split_at_mut(LANES);
    let sep = costs[places.always().start];
    let mut bounded = sep.is_finite();
    let present = || region.iter().enumerate().filter(|(_, options)| **options != ABSENT);
    let at_most = |largest: &mut f64, cost: f64, bounded: &mut bool| {
        *largest = largest.max(cost.abs());
        *bounded &= cost.is_finite();
    };
    for (token, options) in present() {
        for position in (0..list_len).filter(|position| options >> position & 1 != 0) {
            at_most(&mut unsorted[position], costs[places.unsorted(token, position)], &mut bounded);
        }
        if token < members.below {
            for rank in members.ranks(token) {
                at_most(&mut sorted[rank], costs[places.sorted(token, rank)], &mut bounded);
            }
        }
    }
    // Costs that f64 holds badly become no units at all.
    const LEAST: f64 = 1e-250;
    let scale = MOST / (largest.iter().sum::<f64>() + sep.abs()).max(LEAST);
    if !bounded || !scale.is_finite() || scale == 0.0 {
        return false;
    }
    for (token, options) in present() {
        for position in (0..list_len).filter(|position| options >> position & 1 != 0) {
            units.unsorted[token][position] = floor(costs[places.unsorted(token, position)] * scale);
        }
        if token < members.below {
            for rank in members.ranks(token) {
                units.sorted[token][rank] = floor(costs[places.sorted(token, rank)] * scale);
            }
        }
    }
    units.sep = floor(sep * scale);
    true
}

/// ⌊number⌋ or one less, for a number of at most [`MOST`] but for rounding.
fn floor(number: f64) -> i32 {
    /// More than any cost: what is cut off is cut off downwards.
    const SHIFT: f64 = 2.0 * MOST;
    /// More than two roundings of a number of this size.
    const ROUNDING: f64 = 1e-6;
    (number + (SHIFT - ROUNDING)) as i32 - SHIFT as i32
}
