//! Signs of running sums: the claims of the solution that was published to the challenge of November 2023.

use super::{
    judged::{STAGES, judge},
    mean::Mean,
    patterns::each_pattern,
};
use crate::{
    Arrays, Case, Casebook, Intervention, Replacement, Runner, Study, Subject,
    claims::{Claim, Control::RandomWeights, Measured, Rate, Thresholds, Unit},
};
use algolens_core::{
    Result,
    engine::{
        hooks::{BlockPoint, Filter, HookPoint},
        loss,
    },
    task::{CumulativeSum, Dataset},
};
use ndarray::Ix3;

/// The classes of the task: negative, zero, positive.
const CLASSES: usize = 3;
const ZERO: u32 = 1;

/// Measurements of one model of running sums.
#[derive(Default)]
pub struct Evidence {
    /// Mean distance of a row of the pattern from even weights, half the sum of differences, over heads of the first block.
    from_even: Option<f64>,
    /// For each neuron of the first block: how much it fires where the sum is negative, zero and positive.
    fires: Vec<[f64; CLASSES]>,
    /// Without the first block's MLP: the answers whose sum is zero, and the others, right or not.
    without_mlp: Option<[Rate; 2]>,
}

impl Casebook for CumulativeSum {
    fn stages(&self) -> &'static [&'static str] {
        STAGES
    }

    fn write(&self, case: &mut Case, study: &mut Study, _: &mut Arrays) -> Result<()> {
        let at = |claim: &str| if claim == "attention_is_even" { "fig-pattern" } else { "fig-ablation" };
        judge(case, study, self, CLAIMS, Evidence::gather, at)
    }
}

const CLAIMS: &[Claim<Evidence>] = &[
    Claim {
        id: "attention_is_even",
        claim: "Attention is even over all values so far, which makes their mean of them (the page calls W_Q and W_K zero).",
        measure: "mean distance of a row of a pattern of the first block from even weights: half the sum of differences",
        unit: Unit::Share,
        behaviour: false,
        thresholds: |_| Thresholds::at_most(0.02, 0.05),
        controls: &[RandomWeights],
        measured: |evidence| match evidence.from_even {
            None => Measured::not_asked("there is no head, or a single value"),
            Some(distance) => Measured::number(distance, "over all positions that see two values or more"),
        },
    },
    Claim {
        id: "neurons_have_a_sign",
        claim: "Every neuron fires for sums of one sign.",
        measure: "share of the activations of the first block's neurons that stand where the sum has the sign for which the neuron fires most, positive \
                  or negative",
        unit: Unit::Share,
        behaviour: false,
        thresholds: |_| Thresholds::at_least(0.95, 0.8),
        controls: &[RandomWeights],
        measured: Evidence::signs,
    },
    Claim {
        id: "neurons_tell_signs_from_zero",
        claim: "Without its neurons the model answers zero too often: sums of zero stay right, and others do not.",
        measure: "share of right answers where the sum is zero, less that where it is not, with the first block's neurons set to zero",
        unit: Unit::Points,
        behaviour: true,
        thresholds: |_| Thresholds::at_least(0.2, 0.1),
        controls: &[RandomWeights],
        measured: |evidence| match &evidence.without_mlp {
            None => Measured::not_asked("there is no MLP, or no sum is zero"),
            Some([zero, other]) => Measured::difference(
                zero,
                other,
                format!("{:.1} % and {:.1} % right", 100.0 * zero.share(), 100.0 * other.share()),
            ),
        },
    },
];

impl Evidence {
    fn gather(subject: Subject, data: &Dataset) -> Result<Self> {
        let config = subject.model.config();
        let mut evidence = Self::default();
        if config.n_layers == 0 {
            return Ok(evidence);
        }
        let mut distance = Mean::default();
        each_pattern(subject, data, 0, |attended| {
            (1..attended.tokens.len()).for_each(|query| distance.add(attended.distance_from_even(query, query + 1)));
        })?;
        evidence.from_even = (config.n_heads > 0 && data.tokens().ncols() > 1).then(|| distance.value());
        if config.mlp.is_some() {
            evidence.fires = fires(subject, data)?;
            evidence.without_mlp = without_mlp(subject, data)?;
        }
        Ok(evidence)
    }

    fn signs(&self) -> Measured {
        let firing: Vec<_> =
            self.fires.iter().enumerate().filter(|(_, fires)| fires.iter().sum::<f64>() > 1e-6).collect();
        if firing.is_empty() {
            return Measured::not_asked("no neuron fires");
        }
        let of_its_sign: f64 = firing.iter().map(|(_, fires)| fires[0].max(fires[2])).sum();
        let all: f64 = firing.iter().flat_map(|(_, fires)| fires.iter()).sum();
        let of_sign = |positive: bool| -> String {
            let names =
                firing.iter().filter(|(_, fires)| (fires[2] > fires[0]) == positive).map(|(at, _)| at.to_string());
            names.collect::<Vec<_>>().join(", ")
        };
        Measured::number(
            of_its_sign / all,
            format!("for positive sums {}; for negative ones {}", of_sign(true), of_sign(false)),
        )
    }
}

/// How much each neuron of the first block fires by the class of its position.
fn fires(subject: Subject, data: &Dataset) -> Result<Vec<[f64; CLASSES]>> {
    let name = HookPoint::Block(0, BlockPoint::MlpPost).to_string();
    let neurons = subject.model.config().mlp.map_or(0, |mlp| mlp.d_mlp);
    let mut fires = vec![[0.0; CLASSES]; neurons];
    let classes = data.classes()?;
    Runner::new(subject).run(data.tokens(), &[], &[], Filter::Names(&[&name]), |chunk| {
        let post = chunk.cache.get::<Ix3>(&name)?;
        for ((example, position, neuron), value) in post.indexed_iter() {
            let class = classes[[chunk.examples.start + example, position]] as usize;
            fires[neuron][class] += f64::from(value.max(0.0));
        }
        Ok(())
    })?;
    Ok(fires)
}

/// The answers without the first block's MLP, where the sum is zero and where not.
fn without_mlp(subject: Subject, data: &Dataset) -> Result<Option<[Rate; 2]>> {
    let mut steps: [Vec<(usize, bool)>; 2] = Default::default();
    let silent = [Intervention::new(HookPoint::Block(0, BlockPoint::MlpPost), Replacement::Zero)];
    let classes = data.classes()?;
    Runner::new(subject).run(data.tokens(), data.positions(), &silent, Filter::Nothing, |chunk| {
        let outcomes = loss::outcomes(chunk.logits.view(), chunk.of(data).targets());
        for (at, outcome) in outcomes.iter().enumerate() {
            let example = chunk.examples.start + at / data.positions().len();
            let class = classes[[example, at % data.positions().len()]];
            steps[usize::from(class != ZERO)].push((example, outcome.right));
        }
        Ok(())
    })?;
    let [zero, other] = steps.map(Rate::by_list);
    Ok(zero.zip(other).map(|(zero, other)| [zero, other]))
}
