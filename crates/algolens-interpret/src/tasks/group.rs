//! Products in groups: characters of irreps (Chughtai et al. 2023) and cosets (Stander et al. 2024).

use super::{
    judged::{STAGES, judge},
    logit_table::LogitTable,
};
use crate::{
    Arrays, Case, Casebook, Runner, Study, Subject,
    claims::{Claim, Control::RandomWeights, Measured, Thresholds, Unit},
};
use algolens_core::{
    Result,
    engine::hooks::{BlockPoint, Filter, HookPoint},
    task::{Dataset, Group, Task, Token},
};
use ndarray::{Array2, Ix3};
use std::collections::BTreeSet;

/// Most elements of a group whose subgroups are looked for.
const LARGEST: usize = 256;

/// Measurements of one model of products in a group.
#[derive(Default)]
pub struct Evidence {
    /// The shares of the logits' squares that are a function of a b c⁻¹, c being the class; and one of its conjugacy class alone.
    of_quotient: Option<[f64; 2]>,
    /// How much of what each neuron of the first block takes of a, and of b, is a function of the cosets of one subgroup.
    on_cosets: Option<f64>,
}

impl Casebook for Group {
    fn stages(&self) -> &'static [&'static str] {
        STAGES
    }

    fn write(&self, case: &mut Case, study: &mut Study, _: &mut Arrays) -> Result<()> {
        let cosets = if self.order() <= LARGEST { cosets(self) } else { Vec::new() };
        let gather = |subject: Subject, _: &Dataset| Evidence::gather(subject, self, &cosets);
        judge(case, study, self, CLAIMS, gather, |_| "predictions")
    }
}

const CLAIMS: &[Claim<Evidence>] = &[
    Claim {
        id: "logits_are_characters",
        claim: "The logits are characters of a b c⁻¹, c being the class: sums of traces of irreducible representations.",
        measure: "share of the squares of the logits, less their mean over classes, on all pairs, that is a function of the conjugacy \
                  class of a b c⁻¹, as characters and their sums are",
        unit: Unit::Share,
        behaviour: false,
        thresholds: |_| Thresholds::at_least(0.8, 0.5),
        controls: &[RandomWeights],
        measured: |evidence| match evidence.of_quotient {
            None => Measured::not_asked("there are too many pairs"),
            Some([any, class]) => Measured::number(class, format!("{:.1} % is any function of a b c⁻¹", 100.0 * any)),
        },
    },
    Claim {
        id: "neurons_see_cosets",
        claim: "What a neuron takes of a factor tells the cosets of one subgroup apart, and no more.",
        measure: "share of the variance of what neurons of the first block take of a factor, in the mean over the other, that the \
                  cosets of the best subgroup for each neuron explain, less what as many random parts would; the index of a subgroup \
                  is at most a quarter of the group's order",
        unit: Unit::Share,
        behaviour: false,
        thresholds: |_| Thresholds::at_least(0.8, 0.5),
        controls: &[RandomWeights],
        measured: |evidence| match evidence.on_cosets {
            None => Measured::not_asked("there is no MLP, no such subgroup, or the group is too large"),
            Some(share) => Measured::number(share, ""),
        },
    },
];

impl Evidence {
    fn gather(subject: Subject, group: &Group, cosets: &[Parts]) -> Result<Self> {
        Ok(Self { of_quotient: of_quotient(subject, group)?, on_cosets: on_cosets(subject, group, cosets)? })
    }
}

fn elements(group: &Group) -> impl Iterator<Item = Token> + Clone {
    0..group.order() as Token
}

fn inverses(group: &Group) -> Vec<Token> {
    let inverse = |a| elements(group).find(|b| group.product(a, *b) == 0);
    elements(group).map(|a| inverse(a).expect("every element of a group has an inverse")).collect()
}

fn of_quotient(subject: Subject, group: &Group) -> Result<Option<[f64; 2]>> {
    let Some(table) = LogitTable::of(subject, group, elements(group).collect())? else { return Ok(None) };
    let inverses = inverses(group);
    let quotient = |[a, b]: [Token; 2], c: Token| group.product(group.product(a, b), inverses[c as usize]) as usize;
    // The least conjugate stands for the class.
    let conjugate = |g: Token, h: Token| group.product(group.product(h, g), inverses[h as usize]);
    let class: Vec<usize> =
        elements(group).map(|g| elements(group).map(|h| conjugate(g, h) as usize).min().unwrap_or_default()).collect();
    let squares = table.squares().max(f64::MIN_POSITIVE);
    let share = |means: Vec<f64>, kind: &dyn Fn(usize) -> usize| {
        let each = (group.order() * group.order()) as f64;
        (0..group.order()).map(|g| means[kind(g)].powi(2)).sum::<f64>() * each / squares
    };
    let any = table.means(group.order(), |pair, c| Some(quotient(pair, c)));
    let of_class = table.means(group.order(), |pair, c| Some(class[quotient(pair, c)]));
    Ok(Some([share(any, &|g| g), share(of_class, &|g| class[g])]))
}

fn on_cosets(subject: Subject, group: &Group, cosets: &[Parts]) -> Result<Option<f64>> {
    if cosets.is_empty() || subject.model.config().n_layers == 0 || subject.model.config().mlp.is_none() {
        return Ok(None);
    }
    let (mut explained, mut total) = (0.0, 0.0);
    for taken in taken(subject, group)? {
        for neuron in taken.columns() {
            let values: Vec<f64> = neuron.to_vec();
            let squares = values.iter().map(|value| value * value).sum::<f64>();
            let best = cosets.iter().map(|part| adjusted(&values, part, squares)).fold(0.0, f64::max);
            explained += best * squares;
            total += squares;
        }
    }
    Ok((total > 0.0).then(|| explained / total))
}

/// What the neurons of the first block take of a, and of b, less its mean: `[element, neuron]`, each in the mean over the other
/// factor.
fn taken(subject: Subject, group: &Group) -> Result<[Array2<f64>; 2]> {
    let (n, name) = (group.order(), HookPoint::Block(0, BlockPoint::MlpPre).to_string());
    let inputs: Vec<[Token; 2]> = elements(group).flat_map(|a| elements(group).map(move |b| [a, b])).collect();
    let data = Dataset::from_inputs(group, &inputs)?;
    let at = group.predicted_positions()[0];
    let neurons = subject.model.config().mlp.map_or(0, |mlp| mlp.d_mlp);
    let mut taken = [Array2::zeros((n, neurons)), Array2::zeros((n, neurons))];
    Runner::new(subject).run(data.tokens(), &[], &[], Filter::Names(&[&name]), |chunk| {
        let pre = chunk.cache.get::<Ix3>(&name)?;
        for (pair, example) in chunk.examples.clone().zip(pre.outer_iter()) {
            for (taken, element) in taken.iter_mut().zip(inputs[pair]) {
                taken
                    .row_mut(element as usize)
                    .zip_mut_with(&example.row(at), |sum, value| *sum += f64::from(*value) / n as f64);
            }
        }
        Ok(())
    })?;
    for taken in &mut taken {
        let mean = taken.sum_axis(ndarray::Axis(0)) / n as f64;
        *taken -= &mean;
    }
    Ok(taken)
}

/// The parts that elements are put into: the number of the part of each element, and how many there are.
type Parts = (Vec<usize>, usize);

/// The parts that elements are put into by the left and by the right cosets of each subgroup. Subgroups are those that two elements generate.
fn cosets(group: &Group) -> Vec<Parts> {
    let subgroups: BTreeSet<Vec<Token>> = elements(group)
        .flat_map(|a| elements(group).filter(move |b| a <= *b).map(move |b| generated(group, [a, b])))
        .collect();
    let index = |subgroup: &&Vec<Token>| (2..=group.order() / 4).contains(&(group.order() / subgroup.len()));
    let both = |subgroup: &Vec<Token>| {
        let left = parts(group, |a| subgroup.iter().map(move |h| group.product(a, *h)).collect());
        let right = parts(group, |a| subgroup.iter().map(move |h| group.product(*h, a)).collect());
        [left, right]
    };
    subgroups.iter().filter(index).flat_map(both).collect()
}

/// The subgroup that two elements generate, in order.
fn generated(group: &Group, generators: [Token; 2]) -> Vec<Token> {
    let mut found = BTreeSet::from([0]);
    let mut new = vec![0];
    while let Some(element) = new.pop() {
        for generator in generators {
            let product = group.product(element, generator);
            if found.insert(product) {
                new.push(product);
            }
        }
    }
    found.into_iter().collect()
}

fn parts(group: &Group, coset: impl Fn(Token) -> Vec<Token>) -> Parts {
    let (mut part, mut count) = (vec![usize::MAX; group.order()], 0);
    for a in elements(group) {
        if part[a as usize] == usize::MAX {
            coset(a).into_iter().for_each(|element| part[element as usize] = count);
            count += 1;
        }
    }
    (part, count)
}

/// The share of the squares of values, whose mean is 0, that their means over parts explain, adjusted for how many parts there
/// are: 0 is what random parts explain on average.
fn adjusted(values: &[f64], (part, count): &Parts, squares: f64) -> f64 {
    let mut sums = vec![[0.0; 2]; *count];
    for (value, part) in values.iter().zip(part) {
        sums[*part][0] += value;
        sums[*part][1] += 1.0;
    }
    let explained = sums.iter().map(|[sum, size]| sum * sum / size).sum::<f64>() / squares.max(f64::MIN_POSITIVE);
    1.0 - (1.0 - explained) * (values.len() - 1) as f64 / (values.len() - count) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subgroups_have_as_many_cosets_as_their_index() {
        // Of the 30 subgroups of S4 one has index 2, three index 3, four index 4, three and four index 6 (orders 8 to 4).
        let group = Group::new("S4").unwrap();
        let cosets = cosets(&group);
        let of_index = |index| cosets.iter().filter(|(_, count)| *count == index).count() / 2;
        assert_eq!([2, 3, 4, 6].map(of_index), [1, 3, 4, 7]);
        for (part, count) in &cosets {
            let sizes: Vec<usize> = (0..*count).map(|at| part.iter().filter(|part| **part == at).count()).collect();
            assert_eq!(sizes, vec![24 / count; *count]);
        }
    }

    #[test]
    fn a_function_of_cosets_is_explained_by_them_alone() {
        let group = Group::new("S4").unwrap();
        let cosets = cosets(&group);
        let (part, count) = cosets.iter().find(|(_, count)| *count == 4).unwrap();
        let values: Vec<f64> = part.iter().map(|part| *part as f64 - (*count - 1) as f64 / 2.0).collect();
        let squares: f64 = values.iter().map(|value| value * value).sum();
        let shares: Vec<f64> = cosets.iter().map(|parts| adjusted(&values, parts, squares)).collect();
        assert!(shares.iter().any(|share| (share - 1.0).abs() < 1e-12));
        assert!(shares.iter().zip(&cosets).all(|(share, (_, count))| *count != 3 || *share < 0.5));
    }
}
