//! Restrictions of an attack.

use super::{
    Order,
    oracle::{ABSENT, Region},
};
use algolens_check::certificate::Class;
use algolens_core::{
    random::Twister,
    task::{Family, SortedList, Token},
};
use rand::seq::SliceRandom;

/// Constraints on the lists and predictions that an attack searches.
#[derive(Clone, Debug, Default)]
pub struct Restrictions {
    /// Only this prediction.
    pub position: Option<usize>,
    /// Only predictions made at this token.
    pub token: Option<Token>,
    /// Only predictions whose target is this.
    pub target: Option<Token>,
    /// The least gap between the token that predicts and the target; predictions at SEP have none.
    pub min_gap: Option<Token>,
    /// The largest such gap.
    pub max_gap: Option<Token>,
    /// The values a list may have; all where none are given.
    pub values: Option<Vec<Token>>,
    /// The order in which the unsorted list stands.
    pub order: Order,
}

impl Restrictions {
    /// True if predictions of a class are allowed.
    pub fn allow(&self, class: &Class) -> bool {
        let is = |wanted: Option<Token>, token: Option<Token>| wanted.is_none_or(|wanted| token == Some(wanted));
        let has = |token: Token| self.values.as_ref().is_none_or(|values| values.contains(&token));
        self.position.is_none_or(|position| position == class.position)
            && is(self.token, class.token)
            && is(self.target, Some(class.target))
            && self.min_gap.is_none_or(|least| class.gap().is_some_and(|gap| gap >= least))
            && self.max_gap.is_none_or(|most| class.gap().is_some_and(|gap| gap <= most))
            && has(class.target)
            && class.token.is_none_or(has)
    }

    /// The family of the task's lists that have allowed values in the allowed order: its only member, `allowed`.
    pub fn lists(&self, task: &SortedList) -> Family<'_> {
        let (list_len, task) = (task.list_len(), task.clone());
        let values = self.values.clone().unwrap_or_else(|| (0..=task.max_value()).collect());
        let draw = move |rng: &mut Twister| {
            let mut values = values.clone();
            let mut list = values.partial_shuffle(rng, list_len).0.to_vec();
            self.order.apply(&mut list);
            (list.len() == list_len).then_some(list)
        };
        let is_allowed = move |example: &[Token]| {
            let list = task.list(example);
            let mut ordered = list.to_vec();
            self.order.apply(&mut ordered);
            let has = |token: &Token| self.values.as_ref().is_none_or(|values| values.contains(token));
            (ordered == list && list.iter().all(has)).then_some(0)
        };
        Family::new("lists", "whether they meet the restrictions").with("allowed", draw).told_by(is_allowed)
    }

    /// Removes forbidden values from a region of a class, whose `tokens` are given.
    pub(super) fn restrict(&self, tokens: &[u16], region: &mut Region) {
        if let Some(values) = &self.values {
            for (token, options) in tokens.iter().zip(region.options_mut()) {
                if !values.contains(&Token::from(*token)) {
                    *options &= 1 << ABSENT;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_allowed(restrictions: Restrictions) -> bool {
        restrictions.allow(&Class { position: 2, token: Some(3), target: 7 })
    }

    #[test]
    fn restrictions_allow_what_they_name_and_nothing_else() {
        let values = |values: &[Token]| is_allowed(Restrictions { values: Some(values.into()), ..Default::default() });
        let position = |position| is_allowed(Restrictions { position: Some(position), ..Default::default() });
        let token = |token| is_allowed(Restrictions { token: Some(token), ..Default::default() });
        let target = |target| is_allowed(Restrictions { target: Some(target), ..Default::default() });
        let min_gap = |gap| is_allowed(Restrictions { min_gap: Some(gap), ..Default::default() });
        let max_gap = |gap| is_allowed(Restrictions { max_gap: Some(gap), ..Default::default() });
        assert!(is_allowed(Restrictions::default()));
        assert_eq!([1, 2, 3].map(position), [false, true, false]);
        assert_eq!([2, 3, 7].map(token), [false, true, false]);
        assert_eq!([3, 7, 8].map(target), [false, true, false]);
        assert_eq!([3, 4, 5].map(min_gap), [true, true, false]);
        assert_eq!([3, 4, 5].map(max_gap), [false, true, true]);
        assert_eq!([values(&[3, 7]), values(&[3, 8]), values(&[2, 7])], [true, false, false]);
        let at_sep = Class { position: 0, token: None, target: 7 };
        assert!(!Restrictions { max_gap: Some(50), ..Default::default() }.allow(&at_sep));
        assert!(!Restrictions { min_gap: Some(0), ..Default::default() }.allow(&at_sep));
        assert!(Restrictions { values: Some(vec![7]), ..Default::default() }.allow(&at_sep));
    }
}
