//! Counts of lists whose earlier predictions are all in certified classes: no two classes share such a list as wrong.

use super::class::{ABSENT, Members};
use crate::certificate::{ClassStatus, Status};
use std::collections::HashSet;

/// The set of classes that a certificate calls certified, as position, token and target. Each of them is checked.
pub(super) struct Certified(HashSet<(usize, Option<usize>, usize)>);

impl Certified {
    /// The certified classes of a certificate.
    pub fn of(classes: &[ClassStatus]) -> Self {
        let certified = classes.iter().filter(|class| class.status == Status::Certified);
        let key =
            |class: &ClassStatus| (class.position, class.token.map(|token| token as usize), class.target as usize);
        Self(certified.map(key).collect())
    }

    /// Whether the prediction before those of a class is certified, where the largest value is asked for.
    pub fn has_before(&self, members: &Members) -> bool {
        members.position == 0 || self.0.contains(&(0, None, members.tokens.len() - 1))
    }

    /// Number of a region's lists whose sorted values, up to the token that predicts, are certified transitions; by
    /// dynamic programming over `ways[number][set]`, the number of ways in which the values up to token `number`, which
    /// is the last, fill a set of positions.
    pub fn count(&self, members: &Members, region: &[u16]) -> u128 {
        let states = 1_usize << members.sizes.list_len;
        let mut filled = vec![0_u128; states];
        filled[0] = 1;
        if members.below > 0 {
            let mut ways: Vec<Vec<u128>> = Vec::with_capacity(members.below);
            for number in 0..members.below {
                ways.push(self.ways_to(members, region, number, &ways));
            }
            filled = ways.pop().unwrap_or_default();
            let has_rank = |set: usize| set.count_ones() as usize == members.position;
            (0..states).filter(|set| !has_rank(*set)).for_each(|set| filled[set] = 0);
        }
        for options in &region[members.below..] {
            let mut after = if options & ABSENT != 0 { filled.clone() } else { vec![0; states] };
            put(*options, &filled, &mut after);
            filled = after;
        }
        filled[states - 1]
    }

    /// The row `ways[number]`, from the rows before it.
    fn ways_to(&self, members: &Members, region: &[u16], number: usize, ways: &[Vec<u128>]) -> Vec<u128> {
        let states = 1_usize << members.sizes.list_len;
        let mut before = vec![0_u128; states];
        let mut result = vec![0_u128; states];
        if region[number] & !ABSENT == 0 {
            return result;
        }
        // Values that are in every list cannot be passed over.
        let passed = |from: usize| region[from..number].iter().all(|options| options & ABSENT != 0);
        if passed(0) && self.0.contains(&(0, None, members.tokens[number])) {
            before[0] = 1;
        }
        for last in (0..number).filter(|last| passed(last + 1)) {
            let is_certified =
                |rank: usize| self.0.contains(&(rank, Some(members.tokens[last]), members.tokens[number]));
            let certified: Vec<bool> = (0..=members.sizes.list_len).map(is_certified).collect();
            for (set, ways) in ways[last].iter().enumerate().filter(|(_, ways)| **ways > 0) {
                if certified[set.count_ones() as usize] {
                    before[set] += ways;
                }
            }
        }
        put(region[number], &before, &mut result);
        result
    }
}

/// Adds to `to` the ways in which a token takes a free position among its options.
fn put(options: u16, from: &[u128], to: &mut [u128]) {
    for (set, ways) in from.iter().enumerate().filter(|(_, ways)| **ways > 0) {
        let mut places = usize::from(options & !ABSENT) & !set;
        while places != 0 {
            let place = places & places.wrapping_neg();
            places ^= place;
            if let Some(to) = to.get_mut(set | place) {
                *to += ways;
            }
        }
    }
}
