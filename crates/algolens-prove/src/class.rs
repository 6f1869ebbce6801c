//! Prediction classes of a sorting task, counted exactly by binomial coefficients.

use super::MOST_VALUES;
use algolens_check::certificate::Class;
use algolens_core::{
    Error, Result,
    task::{SortedList, Token},
};

/// All prediction classes of a task, or some of them.
#[derive(Clone, Debug)]
pub struct Classes {
    list_len: usize,
    values: usize,
    all: Vec<Class>,
}

impl Classes {
    /// The most classes that a task may have.
    const MOST: usize = 1 << 22;

    /// The classes of a task, ordered by position, target and token.
    ///
    /// # Errors
    /// Lists behind `BOS`, or of more than [`MOST_VALUES`] values, or a vocabulary with millions of classes.
    pub fn of(task: &SortedList) -> Result<Self> {
        let (list_len, values) = (task.list_len(), task.max_value() as usize + 1);
        if task.bos() {
            return Err(Error::invalid("bos", "lists without BOS, for proofs", "lists behind it"));
        }
        if list_len > MOST_VALUES {
            return Err(Error::invalid("list_len", format!("at most {MOST_VALUES} for proofs"), list_len));
        }
        if list_len * values * values / 2 > Self::MOST {
            return Err(Error::invalid("max_value", "a vocabulary with fewer than four million classes", values - 1));
        }
        let mut classes = Self { list_len, values, all: Vec::new() };
        for position in 0..list_len {
            for target in 0..values as Token {
                let tokens: Vec<Option<Token>> =
                    if position == 0 { vec![None] } else { (0..target).map(Some).collect() };
                for token in tokens {
                    let class = Class { position, token, target };
                    if classes.sets(class) > 0 {
                        classes.all.push(class);
                    }
                }
            }
        }
        Ok(classes)
    }

    /// Length of a list.
    pub fn list_len(&self) -> usize {
        self.list_len
    }

    /// Every class with at least one list, ordered by position, target and token.
    pub fn all(&self) -> &[Class] {
        &self.all
    }

    /// The classes that meet a condition.
    pub fn only(&self, keep: impl Fn(&Class) -> bool) -> Self {
        Self { all: self.all.iter().filter(|class| keep(class)).copied().collect(), ..*self }
    }

    /// Number of value sets with a prediction in the class: C(d, i-1) · C(V-1-y, L-1-i), and C(V-1-y, L-1) at SEP.
    pub fn sets(&self, class: Class) -> u128 {
        let above = self.values - 1 - class.target as usize;
        match class.token {
            None => choose(above, self.list_len - 1),
            Some(token) => {
                choose(token as usize, class.position - 1) * choose(above, self.list_len - 1 - class.position)
            }
        }
    }

    /// Number of value sets: C(V, L). Each is a list in L! orders.
    pub fn all_sets(&self) -> u128 {
        choose(self.values, self.list_len)
    }

    /// Number of lists of a class: its sets, in every order.
    pub fn lists(&self, class: Class) -> f64 {
        self.sets(class) as f64 * (1..=self.list_len).map(|k| k as f64).product::<f64>()
    }

    /// The class's share of all predictions: [`sets`](Self::sets) of [`all_sets`](Self::all_sets) · L, which add up to
    /// 1.
    pub fn share(&self, class: Class) -> f64 {
        self.sets(class) as f64 / (self.all_sets() * self.list_len as u128) as f64
    }

    /// The class of each prediction of a list, by position.
    pub fn along(&self, list: &[Token]) -> Vec<Class> {
        let mut sorted = list.to_vec();
        sorted.sort_unstable();
        let before = |position: usize| position.checked_sub(1).map(|before| sorted[before]);
        let classes = sorted.iter().enumerate();
        classes.map(|(position, &target)| Class { position, token: before(position), target }).collect()
    }
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
    use proptest::prelude::*;

    #[test]
    fn the_posts_task_has_8169_classes() {
        let classes = Classes::of(&SortedList::new(10, 50).unwrap()).unwrap();
        assert_eq!(classes.all().len(), 8169);
        assert_eq!(classes.all_sets(), 12_777_711_870);
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
                    classes.along(&set).into_iter().for_each(|class| *counted.entry(class).or_default() += 1);
                }
            }
            let expected = classes.all().iter().map(|class| (*class, classes.sets(*class))).collect();
            prop_assert_eq!(counted, expected);
        }
    }
}
