//! Shapley values: a joint cost shared out among those who cause it.

use algolens_core::{Result, random};
use rand::seq::SliceRandom;
use std::collections::BTreeMap;

/// The most players whose coalitions are all looked at.
pub(super) const EXACT: usize = 6;
/// Orders that are drawn for more players.
const ORDERS: usize = 2;

/// The Shapley value of each of `players` players: what it adds to the cost of those before it, averaged over all orders
/// (Shapley, *A value for n-person games*, 1953). `cost` is asked once for each set, in ascending order, and not for the empty
/// one, which costs nothing. For more than [`EXACT`] players the average is over two random orders and the reverse of each.
///
/// # Errors
/// Those of `cost`.
pub(super) fn shapley(players: usize, mut cost: impl FnMut(&[usize]) -> Result<f64>) -> Result<Vec<f64>> {
    let mut costs = BTreeMap::from([(Vec::new(), 0.0)]);
    let mut values = vec![0.0; players];
    let orders = orders(players);
    for order in &orders {
        let (mut before, mut cost_before) = (Vec::new(), 0.0);
        for &player in order {
            before.push(player);
            before.sort_unstable();
            let after = match costs.get(&before) {
                Some(cost) => *cost,
                None => *costs.entry(before.clone()).or_insert(cost(&before)?),
            };
            values[player] += (after - cost_before) / orders.len() as f64;
            cost_before = after;
        }
    }
    Ok(values)
}

/// Every order of so few players, or some of more.
fn orders(players: usize) -> Vec<Vec<usize>> {
    if players > EXACT {
        let mut rng = random::stream(0, "orders of players");
        let mut order: Vec<usize> = (0..players).collect();
        let draw = || {
            order.shuffle(&mut rng);
            [order.clone(), order.iter().rev().copied().collect()]
        };
        return std::iter::repeat_with(draw).take(ORDERS).flatten().collect();
    }
    // The next player goes to every place of every order so far.
    let mut orders = vec![Vec::new()];
    for player in 0..players {
        let places = |order: &Vec<usize>| {
            let place = |at: usize| [&order[..at], &[player], &order[at..]].concat();
            (0..=order.len()).map(place).collect::<Vec<_>>()
        };
        orders = orders.iter().flat_map(places).collect();
    }
    orders
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The cost of a set by its members' bits.
    fn values(costs: &[f64]) -> Vec<f64> {
        let players = costs.len().ilog2() as usize;
        shapley(players, |set| Ok(costs[set.iter().map(|player| 1 << player).sum::<usize>()])).unwrap()
    }

    fn assert_close(found: &[f64], expected: &[f64]) {
        assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12), "{found:?}, not {expected:?}");
    }

    #[test]
    fn values_are_those_of_games_that_are_solved_in_books() {
        // The glove game: players 0 and 1 have a left glove, player 2 the only right one.
        assert_close(&values(&[0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0]), &[1.0 / 6.0, 1.0 / 6.0, 4.0 / 6.0]);
        // The airport game of runways of 8, 11 and 13.
        assert_close(&values(&[0.0, 8.0, 11.0, 11.0, 13.0, 13.0, 13.0, 13.0]), &[8.0 / 3.0, 25.0 / 6.0, 37.0 / 6.0]);
        // The post's heads: each alone, and both.
        assert_close(&values(&[0.0, 0.920, 4.963, 3.490]), &[-0.2765, 3.7665]);
        assert_close(&values(&[0.0]), &[]);
    }

    #[test]
    fn values_of_many_players_sum_to_the_joint_cost_and_are_exact_where_costs_add() {
        let mut asked = 0;
        let found = shapley(9, |set| {
            asked += 1;
            Ok(set.iter().map(|player| *player as f64).sum())
        });
        assert_close(&found.unwrap(), &(0..9).map(f64::from).collect::<Vec<_>>());
        assert!(asked <= 9 * 2 * ORDERS, "{asked}");
        let squares = shapley(9, |set| Ok((set.len() * set.len()) as f64)).unwrap();
        assert!((squares.iter().sum::<f64>() - 81.0).abs() < 1e-9);
    }
}
