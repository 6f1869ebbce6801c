//! How failures depend on where a prediction stands: the worst case of each family, and how often it fails.

use super::{
    Attack, AttackProgress, Class, Classes, Counterexample, Restrictions, Tables, attack, class_rows::margin,
    local::Sorter,
};
use crate::{
    Result,
    engine::loss::argmax,
    observer::Observer,
    random,
    task::{Dataset, Task, Token},
};
use serde::Serialize;

/// What predictions of one kind have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    /// The gap from the token that predicts to the right answer.
    Gap(Token),
    /// The position of the prediction.
    Position(usize),
    /// The order in which the unsorted list stands.
    Order(Order),
}

/// Orders of the unsorted list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// Smallest first.
    Ascending,
    /// Largest first.
    Descending,
    /// As drawn.
    Random,
}

/// The failures of one family.
#[derive(Clone, Debug, Serialize)]
pub struct Failures {
    /// The family.
    pub family: Family,
    /// The worst list that was found in it.
    pub worst: Option<Counterexample>,
    /// Whether no list of the family is worse (by more than 1e-6 logits).
    pub exact: bool,
    /// How many predictions of the family the sample has.
    pub predictions: usize,
    /// The share of these that is wrong.
    pub rate: f64,
}

/// The families by gap, by position and by order. The worst cases of gaps and positions are exact as far as their share of
/// `work` goes; those of orders are the worst of the sample.
///
/// # Errors
/// [`Error::Cancelled`](crate::Error::Cancelled) when the observer asks to stop.
pub fn failures_by_family(
    sorter: Sorter,
    tables: &Tables,
    samples: usize,
    work: u64,
    observer: &mut dyn Observer<AttackProgress>,
) -> Result<Vec<Failures>> {
    let classes = Classes::of(sorter.task)?;
    let data = Dataset::generate(sorter.task, samples, &mut random::stream(0, "attack/families"));
    let drawn = Outcomes::of(sorter, &data, &classes)?;
    let mut gaps: Vec<Token> = classes.all().iter().filter_map(Class::gap).collect();
    gaps.sort_unstable();
    gaps.dedup();
    let by_gap = gaps.into_iter().map(|gap| {
        (Family::Gap(gap), Restrictions { min_gap: Some(gap), max_gap: Some(gap), ..Restrictions::default() })
    });
    let by_position = (0..sorter.task.list_len())
        .map(|at| (Family::Position(at), Restrictions { position: Some(at), ..Restrictions::default() }));
    let families: Vec<(Family, Restrictions)> = by_gap.chain(by_position).collect();
    let work = work / families.len().max(1) as u64;
    let mut all = Vec::new();
    for (family, restrictions) in families {
        let Attack { found, proved } = attack(tables, &classes, &restrictions, work, observer)?;
        let (predictions, rate) = drawn.rate(|class| restrictions.allow(class));
        all.push(Failures { family, worst: found.into_iter().next(), exact: proved.is_some(), predictions, rate });
    }
    for order in [Order::Ascending, Order::Descending, Order::Random] {
        let ordered = order.of(sorter, &data)?;
        let drawn = Outcomes::of(sorter, &ordered, &classes)?;
        let (predictions, rate) = drawn.rate(|_| true);
        let worst = drawn.worst();
        all.push(Failures { family: Family::Order(order), worst, exact: false, predictions, rate });
    }
    Ok(all)
}

impl Order {
    fn of(self, sorter: Sorter, data: &Dataset) -> Result<Dataset> {
        let lists: Vec<Vec<Token>> = data
            .tokens()
            .outer_iter()
            .map(|tokens| {
                let mut list: Vec<Token> = tokens.iter().take(sorter.task.list_len()).copied().collect();
                match self {
                    Self::Ascending => list.sort_unstable(),
                    Self::Descending => list.sort_unstable_by(|a, b| b.cmp(a)),
                    Self::Random => {}
                }
                list
            })
            .collect();
        Dataset::from_inputs(sorter.task as &dyn Task, &lists)
    }
}

/// Sampled predictions.
struct Outcomes {
    lists: Vec<Vec<Token>>,
    predictions: Vec<Drawn>,
}

/// A sampled prediction.
struct Drawn {
    class: Class,
    /// The list's number.
    list: usize,
    wrong: bool,
    margin: f64,
    /// The best wrong answer.
    rival: Token,
}

impl Outcomes {
    fn of(sorter: Sorter, data: &Dataset, classes: &Classes) -> Result<Self> {
        const CHUNK: usize = 1024;
        let (mut lists, mut predictions) = (Vec::new(), Vec::new());
        for chunk in data.chunks(CHUNK) {
            let logits = sorter.engine.logits(sorter.model, chunk.tokens(), chunk.positions())?;
            for (tokens, logits) in chunk.tokens().outer_iter().zip(logits.outer_iter()) {
                let list: Vec<Token> = tokens.iter().take(sorter.task.list_len()).copied().collect();
                for (class, logits) in classes.of_list(&list).into_iter().zip(logits.outer_iter()) {
                    let (margin, rival) = margin(logits, class.target);
                    let wrong = argmax(logits) as Token != class.target;
                    predictions.push(Drawn { class, list: lists.len(), wrong, margin, rival });
                }
                lists.push(list);
            }
        }
        Ok(Self { lists, predictions })
    }

    fn rate(&self, allow: impl Fn(&Class) -> bool) -> (usize, f64) {
        let of_family = self.predictions.iter().filter(|drawn| allow(&drawn.class));
        let (all, wrong) = of_family.fold((0, 0), |(all, wrong), drawn| (all + 1, wrong + usize::from(drawn.wrong)));
        (all, wrong as f64 / all.max(1) as f64)
    }

    fn worst(&self) -> Option<Counterexample> {
        let worst = self.predictions.iter().min_by(|a, b| a.margin.total_cmp(&b.margin))?;
        Some(Counterexample::new(self.lists[worst.list].clone(), worst.class, worst.margin, worst.rival))
    }
}
