//! Counting of lists whose successive sorted values are allowed transitions, by dynamic programming over last value and
//! set of filled positions.

use super::region::{ABSENT, Region};
use crate::ClassRows;

/// The number of ways `[set of filled positions]` in which the values up to `d` fill it, with allowed transitions only:
/// `allowed(rank, value before, value)`.
pub fn sums_up_to_d(rows: &ClassRows, region: &Region, allowed: impl Fn(usize, Option<u16>, u16) -> bool) -> Vec<f64> {
    let (list_len, position) = (rows.list_len(), rows.class.position);
    let states = 1_usize << list_len;
    let mut by_size = vec![Vec::new(); position + 1];
    (0..states).filter(|set| set.count_ones() as usize <= position).for_each(|set| {
        by_size[set.count_ones() as usize].push(set);
    });
    // Of each token that was placed last; most have none.
    let mut placed: Vec<Vec<f64>> = Vec::with_capacity(rows.low);
    // Tokens before this one may not have been passed over after it.
    let mut must_follow = None;
    for token in 0..rows.low {
        let options = region.options()[token];
        let mut sums = Vec::new();
        if options & !(1 << ABSENT) != 0 {
            sums.resize(states, 0.0);
            let is_d = token + 1 == rows.low;
            for rank in (0..position).filter(|rank| (rank + 1 == position) == is_d) {
                let mut before = vec![0.0; if rank == 0 { 1 } else { states }];
                if rank == 0 {
                    let is_first = must_follow.is_none() && allowed(0, None, rows.tokens[token]);
                    before[0] = f64::from(u8::from(is_first));
                } else {
                    for (last, sums) in placed.iter().enumerate().skip(must_follow.unwrap_or(0)) {
                        if !sums.is_empty() && allowed(rank, Some(rows.tokens[last]), rows.tokens[token]) {
                            by_size[rank].iter().for_each(|set| before[*set] += sums[*set]);
                        }
                    }
                }
                for &set in &by_size[rank] {
                    if before[set] > 0.0 {
                        let free = (0..list_len).filter(|j| options >> j & 1 == 1 && set >> j & 1 == 0);
                        free.for_each(|j| sums[set | 1 << j] += before[set]);
                    }
                }
            }
        }
        placed.push(sums);
        if options >> ABSENT & 1 == 0 {
            must_follow = Some(token);
        }
    }
    placed.pop().filter(|sums| !sums.is_empty()).unwrap_or_else(|| vec![0.0; states])
}
