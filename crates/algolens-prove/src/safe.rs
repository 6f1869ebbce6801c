//! Safe input sets: readable conditions under which every prediction is certified.

use super::{Classes, accuracy::share_of_lists};
use algolens_check::certificate::{Class, Status};
use algolens_core::task::Token;
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};

/// Safe inputs in terms of the smallest value and the gaps between successive sorted values.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SafeInputs {
    /// Largest smallest value up to which the first prediction is certified; none if not even for 0.
    pub smallest: Option<Token>,
    /// Largest gap up to which every later prediction is certified.
    pub gap: Token,
    /// The share of lists within both bounds: every one of them is sorted correctly.
    pub lists: f64,
    /// Safe gaps from each position on, from 1.
    pub from: Vec<SafeFrom>,
    /// At each position, from 1, the range of values and the gap that cover the most certified predictions.
    pub steps: Vec<SafeRange>,
    /// The share of lists within `smallest` and `steps` at every position: each is sorted correctly.
    pub lists_by_steps: f64,
}

/// A safe range of values and gaps at one position.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct SafeRange {
    /// The position.
    pub position: usize,
    /// First and last value of the range.
    pub tokens: [Token; 2],
    /// Largest gap up to which predictions made at these values are certified.
    pub gap: Token,
    /// The share of the predictions at this position that it covers.
    pub predictions: f64,
}

impl SafeRange {
    /// True if a class is within the range.
    fn cover(&self, class: &Class) -> bool {
        let [first, last] = self.tokens;
        class.token.is_some_and(|token| (first..=last).contains(&token))
            && class.gap().is_some_and(|gap| gap <= self.gap)
    }

    /// The range and gap of a position that cover the most; none where no class is certified.
    fn at(classes: &Classes, certified: &[bool], position: usize) -> Option<Self> {
        let here = || classes.all().iter().zip(certified).filter(|(class, _)| class.position == position);
        // Of each token, the shares of its gaps as far as they are safe.
        let mut safe: BTreeMap<Token, Vec<(Token, f64)>> = BTreeMap::new();
        let mut unsafe_gap: HashMap<Token, Token> = HashMap::new();
        for (class, certified) in here() {
            let (token, gap) = (class.token?, class.gap()?);
            if *certified && unsafe_gap.get(&token).is_none_or(|first| gap < *first) {
                safe.entry(token).or_default().push((gap, classes.share(*class)));
            } else {
                unsafe_gap.entry(token).and_modify(|first| *first = gap.min(*first)).or_insert(gap);
                safe.entry(token).or_default();
            }
        }
        let all: f64 = here().map(|(class, _)| classes.share(*class)).sum();
        let limit = |token: &Token| unsafe_gap.get(token).map_or(Token::MAX, |first| first - 1);
        let covered = |first: Token, last: Token, gap: Token| -> f64 {
            let gaps = safe.range(first..=last).flat_map(|(_, gaps)| gaps);
            gaps.filter(|(of, _)| *of <= gap).map(|(_, share)| share).sum()
        };
        let mut best: Option<Self> = None;
        for first in safe.keys() {
            let mut gap = Token::MAX;
            for last in safe.range(first..).map(|(token, _)| token) {
                gap = gap.min(limit(last));
                let predictions = covered(*first, *last, gap) / all;
                if predictions > best.map_or(0.0, |best| best.predictions) {
                    best = Some(Self { position, tokens: [*first, *last], gap, predictions });
                }
            }
        }
        best
    }
}

/// Safe gaps from a position on.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct SafeFrom {
    /// The first position.
    pub position: usize,
    /// Largest gap up to which predictions at these positions are certified; 0 where not even for 1.
    pub gap: Token,
    /// The share of the predictions at these positions that it covers.
    pub predictions: f64,
    /// The share of lists without a larger gap at these positions: all their predictions there are correct.
    pub lists: f64,
}

/// The safe inputs that the classes' statuses imply: the largest bounds up to which every class is certified.
pub fn safe_inputs(classes: &Classes, status: impl Fn(usize) -> Status) -> SafeInputs {
    let certified: Vec<bool> = (0..classes.all().len()).map(|class| status(class) == Status::Certified).collect();
    let all = || classes.all().iter().zip(&certified);
    let first_unsafe =
        all().filter(|(class, safe)| class.position == 0 && !**safe).map(|(class, _)| class.target).min();
    let largest_first = all().filter(|(class, _)| class.position == 0).map(|(class, _)| class.target).max();
    let smallest = match first_unsafe {
        Some(value) => value.checked_sub(1),
        None => largest_first,
    };
    let safe_gap = |from: usize| {
        let later = || all().filter(|(class, _)| class.position >= from);
        let unsafe_gap = later().filter(|(_, safe)| !**safe).filter_map(|(class, _)| class.gap()).min();
        unsafe_gap.map_or_else(|| later().filter_map(|(class, _)| class.gap()).max().unwrap_or(0), |gap| gap - 1)
    };
    let lists = |covers: &dyn Fn(&Class) -> bool| share_of_lists(classes, classes.all().iter().map(covers));
    let gap = safe_gap(1);
    let keeps =
        |class: &Class, from: usize, gap: Token| class.position < from || class.gap().is_some_and(|of| of <= gap);
    let is_safe_start = |class: &Class| class.position > 0 || Some(class.target) <= smallest;
    let from = (1..classes.list_len())
        .map(|position| {
            let gap = safe_gap(position);
            let there = || classes.all().iter().filter(|class| class.position >= position);
            let share = |class: &Class| classes.share(*class);
            let covered: f64 = there().filter(|class| keeps(class, position, gap)).map(share).sum();
            let predictions = covered / there().map(share).sum::<f64>();
            SafeFrom { position, gap, predictions, lists: lists(&|class| keeps(class, position, gap)) }
        })
        .collect();
    let ranges: Vec<SafeRange> =
        (1..classes.list_len()).filter_map(|position| SafeRange::at(classes, &certified, position)).collect();
    let is_safe = |class: &Class| match class.position {
        0 => is_safe_start(class),
        _ => ranges.iter().any(|range| range.position == class.position && range.cover(class)),
    };
    SafeInputs {
        smallest,
        gap,
        lists: lists(&|class| is_safe_start(class) && keeps(class, 1, gap)),
        from,
        lists_by_steps: lists(&is_safe),
        steps: ranges,
    }
}
