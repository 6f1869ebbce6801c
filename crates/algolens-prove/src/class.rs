//! Prediction classes of a task, counted exactly.

use super::{Asks, Space, class_rows::largest};
use algolens_check::certificate::Class;
use algolens_core::{
    Error, Result,
    task::{Task, Token},
};

/// All prediction classes of a task, or some of them.
#[derive(Clone, Debug)]
pub struct Classes {
    space: Space,
    all: Vec<Class>,
}

impl Classes {
    /// The most classes that a task may have.
    const MOST: usize = 1 << 22;

    /// The classes of a task, ordered by position, target and token.
    ///
    /// # Errors
    /// Lists that [`Space`] has not, a vocabulary with millions of classes, more lists than 128 bits can count.
    pub fn of(task: &dyn Task) -> Result<Self> {
        Self::over(Space::of(&task.spec())?)
    }

    /// The classes of predictions about lists, ordered as well.
    ///
    /// # Errors
    /// A vocabulary with millions of classes, more lists than 128 bits can count.
    pub fn over(space: Space) -> Result<Self> {
        let Space { list_len, values, .. } = space;
        let pairs = values.saturating_mul(values) / 2;
        let classes = match space.asks {
            Asks::Sorted => list_len.saturating_mul(pairs),
            Asks::Largest { separators: true } => 2 * values,
            Asks::Largest { separators: false } => pairs,
        };
        if classes > Self::MOST {
            return Err(Error::invalid("values", "a vocabulary with fewer than four million classes", values));
        }
        let lists = (values as u128).checked_pow(list_len as u32);
        if lists.and_then(|lists| lists.checked_mul(list_len as u128)).is_none() {
            return Err(Error::invalid("the task", "fewer than 2¹²⁸ predictions of all lists", "more"));
        }
        let classes = Self { space, all: Vec::new() };
        let every = match space.asks {
            Asks::Sorted => sorted_classes(space),
            Asks::Largest { separators } => largest_classes(space, separators),
        };
        Ok(Self { all: every.into_iter().filter(|class| classes.sets(*class) > 0).collect(), ..classes })
    }

    /// The lists.
    pub fn space(&self) -> Space {
        self.space
    }

    /// Length of a list.
    pub fn list_len(&self) -> usize {
        self.space.list_len
    }

    /// Every class with at least one list, ordered by position, target and token.
    pub fn all(&self) -> &[Class] {
        &self.all
    }

    /// The classes that meet a condition.
    pub fn only(&self, keep: impl Fn(&Class) -> bool) -> Self {
        Self { all: self.all.iter().filter(|class| keep(class)).copied().collect(), ..*self }
    }

    /// The classes of one of several parts, counted from 0: every `of`-th class, so that parts are alike.
    pub fn part(&self, part: usize, of: usize) -> Self {
        Self { all: self.all.iter().skip(part).step_by(of.max(1)).copied().collect(), ..*self }
    }

    /// Number of value sets with a prediction in the class: C(d, i-1) · C(V-1-y, L-1-i), and C(V-1-y, L-1) at SEP. Where the
    /// largest is asked for, the number of lists: (y+1)ᴸ - yᴸ, or of those whose last value predicts.
    pub fn sets(&self, class: Class) -> u128 {
        let Space { list_len, values, asks } = self.space;
        let with_largest = |largest: Token, free: usize| {
            let [all, without] = [largest + 1, largest].map(|values| u128::from(values).pow(free as u32));
            all - without
        };
        match (asks, class.token) {
            (Asks::Sorted, None) => choose(values - 1 - class.target as usize, list_len - 1),
            (Asks::Sorted, Some(token)) => {
                let above = values - 1 - class.target as usize;
                choose(token as usize, class.position - 1) * choose(above, list_len - 1 - class.position)
            }
            (Asks::Largest { separators: false }, Some(last)) if last == class.target => {
                u128::from(last + 1).pow(list_len as u32 - 1)
            }
            (Asks::Largest { separators: false }, Some(_)) => with_largest(class.target, list_len - 1),
            (Asks::Largest { .. }, _) => with_largest(largest(self.space, class), list_len),
        }
    }

    /// The number of value sets that begin with a class of the first prediction: 1, or where the largest is asked for all of
    /// the class.
    pub(super) fn first_ways(&self, class: Class) -> u128 {
        if self.space.asks == Asks::Sorted { 1 } else { self.sets(class) }
    }

    /// Number of value sets: C(V, L). Each is a list in L! orders. Where the largest is asked for, the number of lists, Vᴸ.
    pub fn all_sets(&self) -> u128 {
        let Space { list_len, values, asks } = self.space;
        match asks {
            Asks::Sorted => choose(values, list_len),
            Asks::Largest { .. } => (values as u128).pow(list_len as u32),
        }
    }

    /// Number of lists of a class: its sets, in every order.
    pub fn lists(&self, class: Class) -> f64 {
        let orders = match self.space.asks {
            Asks::Sorted => (1..=self.space.list_len).map(|k| k as f64).product::<f64>(),
            Asks::Largest { .. } => 1.0,
        };
        self.sets(class) as f64 * orders
    }

    /// The class's share of all predictions: [`sets`](Self::sets) of [`all_sets`](Self::all_sets) times the predictions of a
    /// list, which add up to 1.
    pub fn share(&self, class: Class) -> f64 {
        self.sets(class) as f64 / (self.all_sets() * self.space.predictions() as u128) as f64
    }

    /// The class of each prediction of a list to be sorted, by position.
    pub fn along(list: &[Token]) -> Vec<Class> {
        let mut sorted = list.to_vec();
        sorted.sort_unstable();
        let before = |position: usize| position.checked_sub(1).map(|before| sorted[before]);
        let classes = sorted.iter().enumerate();
        classes.map(|(position, &target)| Class { position, token: before(position), target }).collect()
    }
}

/// The candidates of classes of sorted lists.
fn sorted_classes(space: Space) -> Vec<Class> {
    let mut all = Vec::new();
    for position in 0..space.list_len {
        for target in 0..space.values as Token {
            let tokens: Vec<Option<Token>> = if position == 0 { vec![None] } else { (0..target).map(Some).collect() };
            all.extend(tokens.into_iter().map(|token| Class { position, token, target }));
        }
    }
    all
}

/// Those where the largest value is asked for: of each largest value what ANS predicts, then what the value does; or of each
/// last value up to it.
fn largest_classes(space: Space, separators: bool) -> Vec<Class> {
    let values = || 0..space.values as Token;
    if separators {
        let first = values().map(|target| Class { position: 0, token: None, target });
        let second = values().map(|largest| Class { position: 1, token: Some(largest), target: space.end() });
        return first.chain(second).collect();
    }
    let of = |target: Token| (0..=target).map(move |last| Class { position: 0, token: Some(last), target });
    values().flat_map(of).collect()
}

/// Binomial coefficient C(n, k).
pub fn choose(n: usize, k: usize) -> u128 {
    if k > n {
        return 0;
    }
    (0..k as u128).fold(1, |product, at| product * (n as u128 - at) / (at + 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use algolens_core::task::{MaxOfList, SortedList};
    use proptest::prelude::*;

    #[test]
    fn the_posts_task_has_8169_classes() {
        let classes = Classes::of(&SortedList::new(10, 50).unwrap()).unwrap();
        assert_eq!(classes.all().len(), 8169);
        assert_eq!(classes.all_sets(), 12_777_711_870);
    }

    #[test]
    fn lists_of_a_largest_value_are_all_lists_once_a_prediction() {
        for (len, max, separators) in [(1, 3, true), (1, 3, false), (3, 4, true), (3, 4, false), (8, 63, true)] {
            let classes = Classes::of(&MaxOfList::new(len, max, 1, separators).unwrap()).unwrap();
            let sets: u128 = classes.all().iter().map(|class| classes.sets(*class)).sum();
            assert_eq!(sets, u128::from(max + 1).pow(len as u32) * (1 + u128::from(separators)));
        }
        let two_of_three = Classes::of(&MaxOfList::new(2, 2, 1, false).unwrap()).unwrap();
        let sets: Vec<u128> = two_of_three.all().iter().map(|class| two_of_three.sets(*class)).collect();
        // 00; 10, then 01 11; 20, 21, then 02 12 22.
        assert_eq!(sets, [1, 1, 2, 1, 1, 3]);
        assert!(Classes::of(&MaxOfList::new(13, 9, 1, true).unwrap()).is_err());
        assert!(Classes::of(&MaxOfList::new(5, 99, 2, true).unwrap()).is_err());
    }

    proptest! {
        #[test]
        fn shares_add_up_to_one_exactly(list_len in 1..9_usize, spare in 0..20_u32) {
            let task = SortedList::new(list_len, list_len as u32 - 1 + spare).unwrap();
            let classes = Classes::of(&task).unwrap();
            let sets: u128 = classes.all().iter().map(|class| classes.sets(*class)).sum();
            prop_assert_eq!(sets, classes.all_sets() * list_len as u128);
        }

        #[test]
        fn every_list_is_counted_once_a_position(list_len in 1..5_usize, spare in 0..5_u32) {
            let max_value = list_len as u32 - 1 + spare;
            let classes = Classes::of(&SortedList::new(list_len, max_value).unwrap()).unwrap();
            let mut counted = std::collections::BTreeMap::<Class, u128>::new();
            for mask in 0..1_u32 << (max_value + 1) {
                let set: Vec<Token> = (0..=max_value).filter(|value| mask >> value & 1 == 1).collect();
                if set.len() == list_len {
                    Classes::along(&set).into_iter().for_each(|class| *counted.entry(class).or_default() += 1);
                }
            }
            let expected = classes.all().iter().map(|class| (*class, classes.sets(*class))).collect();
            prop_assert_eq!(counted, expected);
        }
    }
}
