use super::{
    ball::Ball,
    bytes::{Reader, tag},
    circuits::Circuits,
    class::{ABSENT, Class, Counts, Members},
    context::Context,
    count::Counter,
    first::Certified,
    logits::logits,
    recursion::Recursion,
    replay::Replay,
    sizes::{Sizes, task_of},
    states::Costs,
};
use crate::certificate::{ClassStatus, Status};
use algolens_core::{
    engine::{Engine, Plain, Vectors},
    model::{AttentionDir, Config, Model, Normalization, Positions},
    random::{self, Twister},
    task::{Dataset, SortedList, Task},
};
use algolens_testing::{SortingKind, every_list, index, random_sorting_model};
use std::collections::HashMap;

mod forgery;
mod property;

fn sizes(list_len: usize, values: usize) -> Sizes {
    task_of(&task(list_len, values).spec()).unwrap().1
}

fn kind(n_heads: usize, normalization_type: Normalization, positional_embedding_type: Positions) -> SortingKind {
    SortingKind { n_heads, normalization_type, positional_embedding_type }
}

fn task(list_len: usize, values: usize) -> SortedList {
    SortedList::new(list_len, values as u32 - 1).unwrap()
}

/// Every list of a task, as tokens in the unsorted order.
fn all_lists(sizes: Sizes) -> Vec<Vec<usize>> {
    every_list(&(0..sizes.values).collect::<Vec<_>>(), sizes.list_len)
}

/// The class of prediction `position` of a list.
fn class_of(list: &[usize], position: usize) -> (Option<usize>, usize) {
    let mut ascending = list.to_vec();
    ascending.sort_unstable();
    (position.checked_sub(1).map(|before| ascending[before]), ascending[position])
}

/// The lists of a class, as the number of the token at each position.
fn lists_of(class: &Class, members: &Members) -> Vec<Vec<usize>> {
    let has = |list: &Vec<usize>| class_of(list, class.position) == (class.token, class.target);
    let number = |token: &usize| members.tokens.iter().position(|other| other == token).unwrap();
    let lists = all_lists(members.sizes).into_iter().filter(has);
    lists.map(|list| list.iter().map(number).collect()).collect()
}

/// True if a list is in a region.
fn is_in(region: &[u16], list: &[usize]) -> bool {
    region.iter().enumerate().all(|(token, options)| options & option_of(list, token) != 0)
}

/// The option bit of a token in a list.
fn option_of(list: &[usize], token: usize) -> u16 {
    list.iter().position(|other| *other == token).map_or(ABSENT, |position| 1 << position)
}

const NORMS: [Normalization; 3] = [Normalization::LN, Normalization::LNPre, Normalization::None];
const POSITIONS: [Positions; 2] = [Positions::Standard, Positions::Shortformer];

#[test]
fn logits_are_those_of_the_plain_engine() {
    let task = task(4, 9);
    let data = Dataset::generate(&task, 6, &mut random::from_dataset_seed(3)).unwrap();
    for heads in 1..=3 {
        for norm in NORMS {
            for positions in POSITIONS {
                let model = random_sorting_model(&task, kind(heads, norm, positions), heads as u64);
                let circuits = Circuits::new(&model, task_of(&task.spec()).unwrap().1).unwrap();
                let expected = Plain::new().logits(&model.cast::<f64>(), data.tokens(), data.positions()).unwrap();
                for ((at, position, output), expected) in expected.indexed_iter() {
                    let list: Vec<_> = data.tokens().row(at).iter().take(4).map(|token| *token as usize).collect();
                    let found = logits(&circuits, &list, position)[output];
                    let off = (found.value - expected).abs();
                    assert!(off < 1e-10 && found.error < 1e-9, "{norm:?} {positions:?} {found:?} {expected}");
                }
            }
        }
    }
}

#[test]
fn classes_and_their_sets_are_those_of_all_lists() {
    for (list_len, values) in [(1, 1), (1, 4), (2, 2), (3, 3), (3, 7), (4, 6)] {
        let sizes = sizes(list_len, values);
        let counts = Counts::new(sizes).unwrap();
        let mut lists: HashMap<(usize, Option<usize>, usize), u128> = HashMap::new();
        for list in all_lists(sizes) {
            for position in 0..list_len {
                let (token, target) = class_of(&list, position);
                *lists.entry((position, token, target)).or_default() += 1;
            }
        }
        let classes: Vec<Class> = counts.classes().collect();
        assert_eq!(classes.len(), lists.len());
        for class in &classes {
            let expected = lists[&(class.position, class.token, class.target)];
            assert_eq!(class.sets * counts.orders, expected);
            let members = Members::new(sizes, class);
            for lists in [counts.lists, 1 << 80] {
                assert_eq!(
                    Counter::new(&members, lists, Vectors::best()).count(&members.root()),
                    expected,
                    "{}",
                    class.name()
                );
            }
        }
        let order: Vec<_> = classes.iter().map(|class| (class.position, class.target, class.token)).collect();
        assert!(order.is_sorted());
    }
}

/// A part of a class's root, and costs.
fn random_region(members: &Members, rng: &mut Twister) -> Vec<u16> {
    let dense = index(rng, 4) as u32;
    let thinned = |options: u16, rng: &mut Twister| {
        (0..dense).fold(0, |kept, _| kept | rng.next_u32() as u16) & options
            | if dense == 3 { options & ABSENT } else { 0 }
    };
    let region = members.root().into_iter().map(|options| if dense == 0 { options } else { thinned(options, rng) });
    region.collect()
}

#[test]
fn minima_options_and_counts_are_those_of_all_lists() {
    let mut rng = random::stream(1, "test/recursion");
    for (list_len, values) in [(1, 3), (2, 4), (3, 6), (4, 7), (5, 7), (6, 7)] {
        let sizes = sizes(list_len, values);
        let counts = Counts::new(sizes).unwrap();
        let classes: Vec<Class> = counts.classes().collect();
        for _ in 0..6 {
            let class = &classes[index(&mut rng, classes.len())];
            let members = Members::new(sizes, class);
            let lists = lists_of(class, &members);
            for vectors in Vectors::available() {
                let mut recursion = Recursion::new(&members, vectors);
                let mut counter = Counter::new(&members, counts.lists, vectors);
                for _ in 0..8 {
                    let region = random_region(&members, &mut rng);
                    let costs = random_costs(&members, &region, &mut rng);
                    holds(&region, &costs, &members, &lists, &mut recursion, &mut counter);
                }
            }
        }
    }
}

#[test]
fn lists_with_certified_transitions_are_counted() {
    let mut rng = random::stream(4, "test/first");
    let sizes = sizes(4, 8);
    let counts = Counts::new(sizes).unwrap();
    let classes: Vec<Class> = counts.classes().collect();
    let status = |class: &Class, certified: bool| ClassStatus {
        position: class.position,
        token: class.token.map(|token| token as u32),
        target: class.target as u32,
        share: 0.0,
        status: if certified { Status::Certified } else { Status::Refuted },
        right: 0.0,
        wrong: 0.0,
    };
    let statuses: Vec<ClassStatus> = classes.iter().map(|class| status(class, index(&mut rng, 3) > 0)).collect();
    let is_certified: HashMap<_, _> = classes
        .iter()
        .zip(&statuses)
        .map(|(class, said)| ((class.position, class.token, class.target), said.status == Status::Certified))
        .collect();
    let certified = Certified::of(&statuses);
    let mut counted = 0;
    for class in &classes {
        let members = Members::new(sizes, class);
        for _ in 0..4 {
            let region = random_region(&members, &mut rng);
            let is_first = |list: &&Vec<usize>| {
                let tokens: Vec<usize> = list.iter().map(|number| members.tokens[*number]).collect();
                (0..class.position).all(|position| {
                    let (token, target) = class_of(&tokens, position);
                    is_certified[&(position, token, target)]
                })
            };
            let lists = lists_of(class, &members);
            let expected = lists.iter().filter(|list| is_in(&region, list)).filter(is_first).count();
            assert_eq!(certified.count(&members, &region), expected as u128, "{}", class.name());
            counted += expected;
        }
    }
    assert!(counted > 1000);
}

fn random_costs(members: &Members, region: &[u16], rng: &mut Twister) -> Costs {
    let mut costs = Costs::new(members);
    let shift = index(rng, 100) as i32;
    let mut draw = || index(rng, 200) as i32 - shift;
    for (token, options) in region.iter().enumerate() {
        for position in (0..members.sizes.list_len).filter(|position| options >> position & 1 != 0) {
            costs.unsorted[token][position] = draw();
        }
        if token < members.below {
            members.ranks(token).for_each(|rank| costs.sorted[token][rank] = draw());
        }
    }
    costs.sep = draw();
    costs
}

fn holds(
    region: &[u16],
    costs: &Costs,
    members: &Members,
    lists: &[Vec<usize>],
    recursion: &mut Recursion,
    counter: &mut Counter,
) {
    let there: Vec<&Vec<usize>> = lists.iter().filter(|list| is_in(region, list)).collect();
    let cost = |list: &[usize]| {
        let mut ascending = list.to_vec();
        ascending.sort_unstable();
        let unsorted: i32 = list.iter().enumerate().map(|(position, token)| costs.unsorted[*token][position]).sum();
        let sorted = ascending.iter().take(members.position).enumerate();
        unsorted + sorted.map(|(rank, token)| costs.sorted[*token][rank]).sum::<i32>() + costs.sep
    };
    assert_eq!(counter.count(region), there.len() as u128);
    let only = counter.only_list(region);
    assert_eq!(only.as_ref(), if there.len() == 1 { Some(there[0]) } else { None });
    let mut expected = vec![0; region.len()];
    for list in there.iter().filter(|list| cost(list) < 1) {
        expected.iter_mut().enumerate().for_each(|(token, options)| *options |= option_of(list, token));
    }
    let mut kept = vec![0; region.len()];
    let least = recursion.keep(region, costs, &mut kept);
    assert_eq!(kept, expected);
    let minimum = recursion.minimum(region, costs);
    match there.iter().map(|list| cost(list)).min() {
        Some(expected) => assert_eq!((least, minimum), (expected, expected)),
        None => assert!(least > 1 << 27 && minimum > 1 << 27),
    }
}

#[test]
fn lists_that_cannot_be_cost_more_than_nothing_whatever_they_cost() {
    let sizes = sizes(6, 9);
    let counts = Counts::new(sizes).unwrap();
    for class in counts.classes().step_by(7) {
        let members = Members::new(sizes, &class);
        let mut recursion = Recursion::new(&members, Vectors::best());
        let rows = (sizes.list_len + class.position + 1) as i32;
        let cost = -(1 << 27) / rows - 1;
        let mut costs = Costs { sep: cost, ..Costs::new(&members) };
        costs.unsorted.iter_mut().for_each(|costs| costs[..6].fill(cost));
        for token in 0..members.below {
            members.ranks(token).for_each(|rank| costs.sorted[token][rank] = cost);
        }
        let mut region = members.root();
        let mut kept = vec![0; region.len()];
        assert_eq!(recursion.keep(&region, &costs, &mut kept), cost * rows);
        let within = kept.iter().zip(&region).all(|(kept, options)| *kept != 0 && kept & !options == 0);
        assert!(within, "{kept:?} {region:?}");
        // No two tokens fit.
        region.iter_mut().for_each(|options| *options &= 1 | ABSENT);
        let mut kept = vec![0; region.len()];
        assert!(recursion.keep(&region, &costs, &mut kept) > 1 << 27 && recursion.minimum(&region, &costs) > 1 << 27);
    }
}

#[test]
fn numbers_are_read_or_refused() {
    let read = |bytes: &[u8]| Reader::new(bytes).number();
    assert_eq!(read(&[0x80, 1]).unwrap(), 128);
    assert_eq!(read(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]).unwrap(), u64::MAX);
    assert!(read(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 3]).is_err() && read(&[0x80]).is_err());
    let signed = |bytes: &[u8]| Reader::new(bytes).signed().unwrap();
    assert_eq!([signed(&[0]), signed(&[1]), signed(&[2]), signed(&[3])], [0, -1, 1, -2]);
}

#[test]
fn bounds_hold_what_rounding_loses() {
    let mut rng = random::stream(2, "test/bounds");
    let mut draw = || f64::from(random::uniform24(&mut rng)) - 0.5;
    for _ in 0..200 {
        let (a, b) = (draw() * 1e3, draw());
        let [x, y] = [Ball { value: a, error: 1e-6 }, Ball { value: b, error: 1e-7 }];
        let [real_x, real_y] = [a + 9e-7, b - 9e-8];
        for (found, real) in [
            (x + y, real_x + real_y),
            (x - y, real_x - real_y),
            (x * y, real_x * real_y),
            ((x * x).sqrt(), real_x.abs()),
            (y.exp(), real_y.exp()),
        ] {
            assert!((found.low()..=found.high()).contains(&real), "{found:?} {real}");
            assert!(found.error < 2e-3, "{found:?}");
        }
        if b.abs() > 1e-3 {
            let quotient = x / y;
            assert!((quotient.low()..=quotient.high()).contains(&(real_x / real_y)));
        }
    }
}
