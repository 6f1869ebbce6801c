//! Against every list there is, one by one.

use super::{interface::Costs, kernels::BLOCK, *};
use crate::{ClassRows, List, MOST_VALUES};
use crate::{Classes, Tables};
use algolens_core::{
    model::Model,
    random,
    task::{MaxOfList, SortedList, Task, TaskKind},
};
use algolens_testing::{SortingKind, every_list, random_sorting_model};

/// Every list of distinct values.
pub(crate) fn lists(list_len: usize, values: usize) -> Vec<List> {
    let padded = |list: Vec<u16>| {
        let mut padded = [0; MOST_VALUES];
        padded[..list_len].copy_from_slice(&list);
        padded
    };
    every_list(&(0..values as u16).collect::<Vec<_>>(), list_len).into_iter().map(padded).collect()
}

/// Brute-force results of a region: number of lists, sum-product, minimum, and the min-marginal of
/// each option of each token.
fn by_hand(
    rows: &ClassRows,
    region: &Region,
    order: Order,
    costs: &Costs,
    lists: &[List],
) -> (f64, f64, f64, Vec<[f64; BLOCK]>) {
    let mut found = (0.0, 0.0, f64::INFINITY, vec![[f64::INFINITY; BLOCK]; rows.tokens.len()]);
    let is_ordered = |list: &List| {
        let mut ordered = *list;
        order.apply(&mut ordered[..rows.list_len()]);
        ordered == *list
    };
    for list in lists.iter().filter(|list| is_ordered(list) && rows.has(list) && region.has(rows, list)) {
        let attended = rows.attended(list);
        let sum: f64 = attended.iter().map(|row| costs[*row]).sum();
        found.0 += 1.0;
        found.1 += attended.iter().map(|row| costs[*row].abs()).product::<f64>();
        found.2 = found.2.min(sum);
        for (token, by_option) in rows.tokens.iter().zip(&mut found.3) {
            let option = list[..rows.list_len()].iter().position(|held| held == token).unwrap_or(ABSENT as usize);
            by_option[option] = by_option[option].min(sum);
        }
    }
    found
}

#[test]
fn minima_marginals_and_sums_are_those_of_all_lists() {
    for (list_len, values) in [(1, 3), (2, 5), (3, 7), (4, 8), (5, 7)] {
        let task = SortedList::new(list_len, values as u32 - 1).unwrap();
        let tables = Tables::of(&random_sorting_model(&task, SortingKind::with_heads(1), 3), &task).unwrap();
        let lists = lists(list_len, values);
        let mut rng = random::stream(5, "test/costs");
        for &class in Classes::of(&task).unwrap().all() {
            let rows = ClassRows::of(&tables, class);
            let costs: Vec<f64> = rows.rows.iter().map(|_| f64::from(random::uniform24(&mut rng)) - 0.5).collect();
            let factors: Vec<f64> = costs.iter().map(|cost| cost.abs()).collect();
            let mut region = Region::whole(&rows);
            for restricted in [false, true] {
                if restricted {
                    for options in region.options_mut() {
                        *options &= rng.next_u32() as u16 | rng.next_u32() as u16;
                    }
                }
                let every_way = Vectors::available().into_iter().map(|vectors| (vectors, Order::Any));
                let best = Vectors::best();
                for (vectors, order) in every_way.chain([(best, Order::Ascending), (best, Order::Descending)]) {
                    let (count, sum, least, marginals) = by_hand(&rows, &region, order, &costs, &lists);
                    let mut oracle = Subsets::new(list_len, vectors).ordered(order);
                    assert_eq!(oracle.count(&rows, &region), count);
                    if order == Order::Any {
                        assert!((oracle.sum_of_products(&rows, &region, &factors) - sum).abs() <= 1e-12 * sum);
                    }
                    let minimum = oracle.minimum_and_marginals(&rows, &region, &costs);
                    let units = |minimum: Option<Minimum>| minimum.map(|minimum| minimum.units);
                    assert_eq!(units(minimum), units(oracle.minimum(&rows, &region, &costs)));
                    let minimum = oracle.minimum_and_marginals(&rows, &region, &costs);
                    assert_eq!(minimum.is_some(), count > 0.0, "{class:?} {region:?}");
                    let Some(minimum) = minimum else { continue };
                    let near = |units: i64, expected: f64| {
                        let most = (2 * list_len + 1) as f64;
                        (0.0..=most).contains(&(expected * minimum.scale - units as f64))
                    };
                    assert!(near(minimum.units, least), "{class:?}: {} and {least}", minimum.bound());
                    let attended = rows.attended(&minimum.list);
                    assert!(region.has(&rows, &minimum.list) && rows.has(&minimum.list));
                    assert!(attended.iter().map(|row| costs[*row]).sum::<f64>() <= least + 1e-6);
                    for (token, by_option) in marginals.iter().enumerate() {
                        for (option, &expected) in by_option.iter().enumerate() {
                            let options = region.options()[token];
                            if options >> option & 1 == 0 || options == 1 << ABSENT {
                                continue;
                            }
                            let units = oracle.marginal(token, option as u32);
                            let is_near =
                                if expected.is_finite() { near(units, expected) } else { units == i64::from(i32::MAX) };
                            assert!(is_near, "{class:?} token {token} option {option}: {units} and {expected}");
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn lists_with_allowed_transitions_are_counted() {
    let task = SortedList::new(4, 7).unwrap();
    let tables = Tables::of(&random_sorting_model(&task, SortingKind::with_heads(1), 3), &task).unwrap();
    let all = lists(4, 8);
    let allowed = |rank: usize, before: Option<u16>, token: u16| {
        !(rank + 3 * token as usize + before.map_or(1, |before| 5 * before as usize)).is_multiple_of(3)
    };
    let mut rng = random::stream(6, "test/steps");
    let mut oracle = Subsets::new(4, Vectors::best());
    let mut counted = 0.0;
    for &class in Classes::of(&task).unwrap().all() {
        let rows = ClassRows::of(&tables, class);
        let mut region = Region::whole(&rows);
        for options in region.options_mut() {
            *options &= rng.next_u32() as u16 | rng.next_u32() as u16;
        }
        let keeps = |list: &List| {
            let mut sorted = list[..4].to_vec();
            sorted.sort_unstable();
            (0..class.position)
                .all(|rank| allowed(rank, rank.checked_sub(1).map(|before| sorted[before]), sorted[rank]))
        };
        let expected = all.iter().filter(|list| rows.has(list) && region.has(&rows, list) && keeps(list)).count();
        assert_eq!(oracle.count_with_transitions(&rows, &region, &allowed), expected as f64, "{class:?}");
        counted += expected as f64;
    }
    assert!(counted > 100.0);
}

#[test]
fn a_class_has_as_many_lists_as_are_counted() {
    let task = SortedList::new(10, 50).unwrap();
    let tables = Tables::of(&random_sorting_model(&task, SortingKind::with_heads(1), 3), &task).unwrap();
    let classes = Classes::of(&task).unwrap();
    let mut oracle = Subsets::new(10, Vectors::best());
    for &class in classes.all().iter().step_by(97) {
        let rows = ClassRows::of(&tables, class);
        let (counted, expected) = (oracle.count(&rows, &Region::whole(&rows)), classes.lists(class));
        assert!((counted - expected).abs() <= 1e-14 * expected, "{class:?}: {counted} and {expected}");
        assert!(rows.has(&rows.middle()), "{class:?}: {:?}", rows.middle());
    }
}

/// Where the largest value is asked for: every list there is, whose class is told by a loop.
#[test]
fn minima_marginals_and_counts_of_products_are_those_of_all_lists() {
    for (len, max, separators) in [(1, 3, true), (1, 3, false), (3, 4, true), (4, 2, false), (3, 5, false)] {
        let task = MaxOfList::new(len, max, 1, separators).unwrap();
        let config = task.recipe().model.config(&task);
        let tables = Tables::of(&Model::init(config, 1).unwrap(), &task).unwrap();
        let every: Vec<List> = task
            .inputs()
            .unwrap()
            .iter()
            .map(|input| std::array::from_fn(|at| input.get(at).map_or(0, |token| *token as u16)))
            .collect();
        let mut rng = random::stream(6, "test/costs");
        for &class in Classes::of(&task).unwrap().all() {
            let rows = ClassRows::of(&tables, class);
            let costs: Vec<f64> = rows.rows.iter().map(|_| f64::from(random::uniform24(&mut rng)) - 0.5).collect();
            let largest = if class.position == 1 { class.token.unwrap() } else { class.target };
            let predicts = class.token.filter(|_| !separators);
            let is_of_class = |list: &[u16]| {
                list.iter().max().map(|max| u32::from(*max)) == Some(largest)
                    && predicts.is_none_or(|last| u32::from(list[len - 1]) == last)
            };
            let mut region = Region::whole(&rows);
            for restricted in [false, true] {
                if restricted {
                    for options in region.options_mut() {
                        *options &= rng.next_u32() as u16 | rng.next_u32() as u16;
                    }
                }
                let there = every.iter().filter(|list| is_of_class(&list[..len]) && region.has(&rows, list));
                let sums: Vec<(&List, f64)> =
                    there.map(|list| (list, rows.attended(list).iter().map(|row| costs[*row]).sum())).collect();
                let mut oracle = Product::default();
                assert_eq!(oracle.count(&rows, &region), sums.len() as f64, "{class:?}");
                // Before the second prediction there is the first, of ANS.
                for is_right in [false, true] {
                    let allowed = |at: usize, token: Option<u16>, target: u16| {
                        assert_eq!((at, token, u32::from(target)), (0, None, largest));
                        is_right
                    };
                    let first = if class.position == 0 || is_right { sums.len() } else { 0 };
                    assert_eq!(oracle.count_with_transitions(&rows, &region, &allowed), first as f64);
                }
                let minimum = oracle.minimum_and_marginals(&rows, &region, &costs);
                assert_eq!(minimum, oracle.minimum(&rows, &region, &costs));
                let _ = oracle.minimum_and_marginals(&rows, &region, &costs);
                let Some(minimum) = minimum else {
                    assert!(sums.is_empty());
                    continue;
                };
                let least = sums.iter().map(|(_, sum)| *sum).fold(f64::INFINITY, f64::min);
                assert!(minimum.bound() <= least && least - minimum.bound() < 1e-7, "{class:?}");
                let (_, found) = sums.iter().find(|(list, _)| **list == minimum.list).unwrap();
                assert!((found - least).abs() < 1e-7);
                for token in &rows.tokens {
                    for at in 0..len as u32 {
                        let with = sums.iter().filter(|(list, _)| list[at as usize] == *token);
                        let least = with.map(|(_, sum)| *sum).fold(f64::INFINITY, f64::min);
                        let marginal = oracle.marginal(usize::from(*token), at);
                        if least == f64::INFINITY {
                            assert!(marginal >= i64::from(i32::MAX), "{class:?} {token} {at}");
                        } else {
                            assert!((marginal as f64 / minimum.scale - least).abs() < 1e-7, "{class:?} {token} {at}");
                        }
                    }
                }
            }
        }
    }
}
