//! Attacks against every list there is.

use crate::cases::{Enumerated, kinds, margin, posts_model, values};
use algolens_core::{
    engine::{Engine, Plain},
    task::{Dataset, SortedList},
};
use algolens_prove::{self as prove, Classes, Order, Restrictions, Tables};
use algolens_testing::every_list;
use std::ops::ControlFlow;

#[test]
fn attacks_find_the_worst_list_and_prove_that_none_is_worse() {
    let restrictions = [
        Restrictions::default(),
        Restrictions { position: Some(2), ..Restrictions::default() },
        Restrictions { min_gap: Some(3), max_gap: Some(5), ..Restrictions::default() },
        Restrictions { values: Some((2..=9).collect()), ..Restrictions::default() },
        Restrictions { order: Order::Ascending, ..Restrictions::default() },
        Restrictions { order: Order::Descending, position: Some(1), ..Restrictions::default() },
    ];
    for (seed, kind) in kinds().iter().enumerate() {
        let case = Enumerated::of(kind, seed as u64);
        let tables = Tables::of(&case.model, &case.task).unwrap();
        let classes = Classes::of(&case.task).unwrap();
        for restrictions in &restrictions {
            let mut least = f64::INFINITY;
            let exact = case.model.cast::<f64>();
            for list in every_list(&values(&case.task), case.task.list_len()) {
                let mut ordered = list.clone();
                restrictions.order.apply(&mut ordered);
                let has_other_values =
                    restrictions.values.as_ref().is_some_and(|values| list.iter().any(|value| !values.contains(value)));
                if has_other_values || ordered != list {
                    continue;
                }
                let allowed =
                    Classes::along(&list).into_iter().enumerate().filter(|(_, class)| restrictions.allow(class));
                for (position, class) in allowed {
                    if restrictions.values.is_none() && restrictions.order == Order::Any {
                        // All lists of the class may be used: their margins are known.
                        least = case.margins[&class].iter().copied().fold(least, f64::min);
                        continue;
                    }
                    let data = Dataset::from_inputs(&case.task, &[&list]).unwrap();
                    let logits = Plain::new().logits(&exact, data.tokens(), data.positions()).unwrap();
                    least =
                        least.min(margin(logits.index_axis(ndarray::Axis(0), 0).row(position), class.target as usize));
                }
            }
            let found =
                prove::attack(&tables, &classes, restrictions, u64::MAX, &mut |_| ControlFlow::Continue(())).unwrap();
            assert!((found.found[0].margin - least).abs() < 1e-5, "{:?}, least {least}", found.found[0]);
            assert!(found.proved.is_some_and(|proved| proved <= least && proved > least - 1e-5), "{:?}", found.proved);
            assert!(restrictions.allow(&Classes::along(&found.found[0].list)[found.found[0].position]));
            let mut ordered = found.found[0].list.clone();
            restrictions.order.apply(&mut ordered);
            assert_eq!(ordered, found.found[0].list);
        }
    }
}

/// On the post's task, where parts of classes stay open for long: what is proved of all orders holds of those that are
/// searched by themselves.
#[test]
fn no_list_in_order_is_worse_than_is_proved_of_any_order() {
    let model = posts_model();
    let task = SortedList::new(10, 50).unwrap();
    let tables = Tables::of(&model, &task).unwrap();
    let classes = Classes::of(&task).unwrap();
    for (position, token, target) in [(8, 9, 47), (2, 17, 42), (2, 6, 38), (5, 12, 40)] {
        let only_class = Restrictions {
            position: Some(position),
            token: Some(token),
            target: Some(target),
            ..Restrictions::default()
        };
        let attack = |order, work| {
            let restrictions = Restrictions { order, ..only_class.clone() };
            prove::attack(&tables, &classes, &restrictions, work, &mut |_| ControlFlow::Continue(())).unwrap()
        };
        let all = attack(Order::Any, 400_000);
        let proved = all.proved.unwrap();
        assert!((0.0..0.01).contains(&(all.found[0].margin - proved)), "{proved} {:?}", all.found[0]);
        for order in [Order::Ascending, Order::Descending] {
            let found = &attack(order, 400_000).found[0];
            assert!(found.margin >= proved, "{found:?} is worse than {proved}");
        }
    }
}
