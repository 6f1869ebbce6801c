//! Largest numbers: the claims of rakaar's solution of the puzzle of April 2026, and that of Compact Proofs (Gross et al. 2024).

use super::{
    judged::{STAGES, judge},
    mean::Mean,
    patterns::each_pattern,
};
use crate::{
    Arrays, Case, Casebook, Head, Intervention, Replacement, Runner, Study, Subject,
    claims::{Claim, Control::RandomWeights, Measured, Rate, Thresholds, Unit},
    full_qk,
};
use algolens_core::{
    Result,
    engine::{
        hooks::{BlockPoint, Cache, Filter, HookPoint},
        loss,
    },
    task::{Dataset, MaxOfList, Role, Task, Token},
};
use ndarray::{Array4, ArrayView1, ArrayViewMut3, Ix4, s};
use std::collections::{BTreeMap, BTreeSet};

/// Lists whose patterns are held at a time.
const AT_ONCE: usize = 256;

/// Measurements of one model of largest numbers that are a token each.
#[derive(Default)]
pub struct Evidence {
    /// For each head of the first block, by maximum: the mean weight on its places, where it is answered.
    on_max: BTreeMap<Head, BTreeMap<Token, Mean>>,
    /// For each head of the first block: the share of pairs of numbers of which the larger gets the higher score.
    by_size: BTreeMap<Head, f64>,
    /// How often the maximum is answered when the reading head, and when every head, attends to nothing but its places.
    one_hot: Option<[Rate; 2]>,
}

impl Casebook for MaxOfList {
    fn stages(&self) -> &'static [&'static str] {
        STAGES
    }

    fn write(&self, case: &mut Case, study: &mut Study, _: &mut Arrays) -> Result<()> {
        if self.digits() > 1 {
            // What is published speaks of numbers that are a token each.
            return (case.next_stage)();
        }
        let gather = |subject: Subject, data: &Dataset| Evidence::gather(subject, self, data);
        let at = |claim: &str| if claim == "scores_grow_with_size" { "circuits" } else { "fig-pattern" };
        judge(case, study, self, CLAIMS, gather, at)
    }
}

const CLAIMS: &[Claim<Evidence>] = &[
    Claim {
        id: "one_head_reads_the_maximum",
        claim: "One head reads the maximum, whatever it is.",
        measure: "mean weight on the places of the maximum where it is answered, for the maximum for which that is least, in the head \
                  for which it is most",
        unit: Unit::Share,
        behaviour: false,
        thresholds: |_| Thresholds::at_least(0.8, 0.5),
        controls: &[RandomWeights],
        measured: |evidence| match evidence.reading_head() {
            None => Measured::not_asked("there is no head"),
            Some((head, least)) => Measured::number(least, format!("head {head}; {}", evidence.joining())),
        },
    },
    Claim {
        id: "scores_grow_with_size",
        claim: "Where the maximum is answered, larger numbers get higher scores, in one order for all lists.",
        measure: "share of the pairs of numbers of which the larger has the higher score in the full QK circuit, over the tokens at \
                  which it is answered, in the head that reads the maximum",
        unit: Unit::Share,
        behaviour: false,
        thresholds: |_| Thresholds::at_least(0.95, 0.8),
        controls: &[RandomWeights],
        measured: |evidence| match evidence.reading_head() {
            None => Measured::not_asked("there is no head"),
            Some((head, _)) => Measured::number(evidence.by_size[&head], format!("head {head}")),
        },
    },
    Claim {
        id: "its_pattern_may_be_one_hot",
        claim: "It is enough that this head attends to the maximum alone.",
        measure: "share of right answers with its pattern, where it is answered, even over the places of the maximum and zero elsewhere",
        unit: Unit::Share,
        behaviour: true,
        thresholds: |_| Thresholds::at_least(0.99, 0.9),
        controls: &[RandomWeights],
        measured: |evidence| evidence.right_if_one_hot(0),
    },
    Claim {
        id: "all_patterns_may_be_one_hot",
        claim: "It is enough that every head attends to the maximum alone.",
        measure: "share of right answers with all patterns of the first block, where it is answered, even over the places of the maximum and zero elsewhere",
        unit: Unit::Share,
        behaviour: true,
        thresholds: |_| Thresholds::at_least(0.99, 0.9),
        controls: &[RandomWeights],
        measured: |evidence| evidence.right_if_one_hot(1),
    },
];

impl Evidence {
    fn gather(subject: Subject, task: &MaxOfList, data: &Dataset) -> Result<Self> {
        let config = subject.model.config();
        if config.n_layers == 0 {
            return Ok(Self::default());
        }
        let answered = task.predicted_positions()[0];
        let mut on_max: BTreeMap<Head, BTreeMap<Token, Mean>> = BTreeMap::new();
        each_pattern(subject, data, 0, |attended| {
            let tokens = attended.tokens.to_vec();
            let places = places(task, &tokens);
            let weight = places.iter().map(|place| f64::from(attended.pattern[[answered, *place]])).sum();
            on_max.entry(attended.head).or_default().entry(tokens[places[0]]).or_default().add(weight);
        })?;
        let queries: BTreeSet<Token> = data.tokens().column(answered).iter().copied().collect();
        let queries: Vec<Token> = queries.into_iter().collect();
        let numbers: Vec<Token> = (0..=task.max()).collect();
        let scores = full_qk(subject.model, 0, &queries, &numbers)?;
        let by_size = Head::of_layer(config, 0).into_iter().zip(scores.outer_iter()).map(|(head, scores)| {
            let grows = |row: ArrayView1<f32>| {
                (0..row.len())
                    .flat_map(|a| (a + 1..row.len()).map(move |b| (a, b)))
                    .filter(|(a, b)| row[*a] < row[*b])
                    .count()
            };
            let pairs = numbers.len() * numbers.len().saturating_sub(1) / 2 * queries.len();
            (head, scores.outer_iter().map(grows).sum::<usize>() as f64 / pairs.max(1) as f64)
        });
        let mut evidence = Self { on_max, by_size: by_size.collect(), one_hot: None };
        if let Some((reads, _)) = evidence.reading_head() {
            let all = Head::of_layer(config, 0);
            evidence.one_hot =
                one_hot(subject, task, data, &[reads])?.zip(one_hot(subject, task, data, &all)?).map(<[Rate; 2]>::from);
        }
        Ok(evidence)
    }

    /// The head whose least mean weight on a maximum is most, with that.
    fn reading_head(&self) -> Option<(Head, f64)> {
        let least = |means: &BTreeMap<Token, Mean>| means.values().map(Mean::value).fold(f64::INFINITY, f64::min);
        self.on_max.iter().map(|(head, means)| (*head, least(means))).max_by(|a, b| a.1.total_cmp(&b.1))
    }

    /// How often the maximum is answered with one-hot patterns, of the reading head (0) or of all (1).
    fn right_if_one_hot(&self, heads: usize) -> Measured {
        match &self.one_hot {
            None => Measured::not_asked("there is no head"),
            Some(rates) => Measured::rate(&rates[heads], ""),
        }
    }

    /// From which maximum on every head has half its weight there.
    fn joining(&self) -> String {
        let from = |(head, means): (&Head, &BTreeMap<Token, Mean>)| {
            let low = means.iter().rev().take_while(|(_, mean)| mean.value() >= 0.5).last();
            match low {
                None => format!("{head} never"),
                Some((max, _)) => format!("{head} from {max}"),
            }
        };
        let heads: Vec<String> = self.on_max.iter().map(from).collect();
        format!("half the weight or more: {}", heads.join(", "))
    }
}

/// Where the maximum stands.
fn places(task: &MaxOfList, tokens: &[Token]) -> Vec<usize> {
    let roles = task.roles();
    let inputs = || tokens.iter().enumerate().filter(|(at, _)| roles[*at] == Role::Input);
    let max = inputs().map(|(_, token)| *token).max();
    inputs().filter(|(_, token)| Some(**token) == max).map(|(at, _)| at).collect()
}

/// How often the maximum is answered when some heads of the first block attend to nothing but its places.
fn one_hot(subject: Subject, task: &MaxOfList, data: &Dataset, heads: &[Head]) -> Result<Option<Rate>> {
    let point = HookPoint::Block(0, BlockPoint::Pattern);
    let name = point.to_string();
    let answered = task.predicted_positions()[0];
    let mut steps = Vec::new();
    for (number, some) in data.chunks(AT_ONCE).enumerate() {
        let shape = point.shape(subject.model.config(), some.tokens().ncols());
        let mut patterns = Array4::zeros((some.len(), shape[0], shape[1], shape[2]));
        Runner::new(subject).run(some.tokens(), &[], &[], Filter::Names(&[&name]), |chunk| {
            patterns.slice_mut(s![chunk.examples.clone(), .., .., ..]).assign(&chunk.cache.get::<Ix4>(&name)?);
            Ok(())
        })?;
        for (tokens, mut pattern) in some.tokens().outer_iter().zip(patterns.outer_iter_mut()) {
            let places = places(task, &tokens.to_vec());
            heads.iter().for_each(|head| attend_to(pattern.view_mut(), head.head, answered, &places));
        }
        let mut cache = Cache::default();
        cache.insert(point, patterns.into_dyn());
        let replaced = [Intervention::new(point, Replacement::From(&cache))];
        Runner::new(subject).run(some.tokens(), some.positions(), &replaced, Filter::Nothing, |chunk| {
            let outcomes = loss::outcomes(chunk.logits.view(), chunk.of(&some).targets());
            let answers = outcomes.iter().step_by(some.positions().len());
            steps.extend(answers.zip(chunk.examples).map(|(outcome, at)| (number * AT_ONCE + at, outcome.right)));
            Ok(())
        })?;
    }
    Ok(Rate::by_list(steps))
}

/// Sets a row of a head's pattern: even over some places, and zero elsewhere.
fn attend_to(mut pattern: ArrayViewMut3<f32>, head: usize, query: usize, places: &[usize]) {
    let mut row = pattern.slice_mut(s![head, query, ..]);
    row.fill(0.0);
    places.iter().for_each(|place| row[*place] = 1.0 / places.len() as f32);
}
