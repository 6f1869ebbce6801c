//! Claims as data: wording, measure, thresholds, and the controls that must be beaten.

use super::{
    control::Control,
    finding::{ControlFinding, Finding, Verdict},
    measured::Measured,
    thresholds::Thresholds,
    unit::Unit,
};
use std::collections::BTreeMap;

/// A claim about models of a task: its wording, and the measure, thresholds and controls that judge it by evidence of type `E`.
pub struct Claim<E> {
    /// The claim's id, such as `head_order`.
    pub id: &'static str,
    /// The claim, in a sentence.
    pub claim: &'static str,
    /// The measure, in words.
    pub measure: &'static str,
    /// The unit of the number that is measured.
    pub unit: Unit,
    /// True for a claim about what a model answers, which is not asked of a model that has not learnt the task
    /// ([`BEHAVES_FROM`]).
    pub behaviour: bool,
    /// The thresholds.
    pub thresholds: fn(&E) -> Thresholds,
    /// The controls that it must beat.
    pub controls: &'static [Control],
    /// The measure.
    pub measured: fn(&E) -> Measured,
}

/// The token accuracy from which claims about behaviour are asked of a model.
pub const BEHAVES_FROM: f64 = 0.9;

/// What a claim is judged by: the evidence of a model, of its controls, and of models of other seeds.
pub struct Case<'a, E> {
    /// The evidence of the model.
    pub evidence: &'a E,
    /// The share of tokens that the model predicts right.
    pub token_accuracy: f64,
    /// The evidence of each control's models.
    pub controls: &'a BTreeMap<Control, Vec<E>>,
    /// The evidence of models of other seeds.
    pub others: &'a [E],
}

impl<E> Claim<E> {
    /// The finding of a model.
    ///
    /// The claim *holds* if its number meets the threshold with its whole interval, and is ahead of the mean of each named control
    /// by more than that control's spread: two standard deviations of its models' numbers, or half the width of the interval where
    /// it has a single number. A control's models of which the claim cannot be asked do not count; where it can be asked of none,
    /// there is nothing to beat.
    pub fn finding(&self, case: &Case<E>) -> Finding {
        let thresholds = (self.thresholds)(case.evidence);
        let measured = self.asked(case);
        let value = measured.value();
        let controls: Vec<ControlFinding> = self
            .controls
            .iter()
            .filter_map(|control| {
                let models: Vec<Measured> = case.controls.get(control)?.iter().map(self.measured).collect();
                (!models.is_empty()).then(|| against(*control, thresholds, value, &models))
            })
            .collect();
        let (interval, detail) = match measured {
            Measured::NotAsked(why) => (None, why),
            Measured::Number { interval, detail, .. } => (interval, detail),
        };
        let verdict = match value.map(|value| thresholds.verdict(value, interval)) {
            None => Verdict::NotAsked,
            Some(Verdict::Holds) if controls.iter().any(|control| !control.beaten) => Verdict::HoldsAsControl,
            Some(verdict) => verdict,
        };
        Finding {
            id: self.id.into(),
            claim: self.claim.into(),
            measure: self.measure.into(),
            unit: self.unit,
            thresholds: thresholds.words(self.unit),
            value,
            interval,
            detail,
            controls,
            spread: self.spread(value, case.others),
            verdict,
        }
    }

    /// The measurement of the model itself, if it is asked.
    fn asked(&self, case: &Case<E>) -> Measured {
        if self.behaviour && case.token_accuracy < BEHAVES_FROM {
            let [found, needed] = [case.token_accuracy, BEHAVES_FROM].map(|share| Unit::Share.number(share));
            return Measured::not_asked(format!("{found} of the tokens are right, which is under {needed}"));
        }
        (self.measured)(case.evidence)
    }

    /// The smallest and the largest number among the model's and those of others; none without others.
    fn spread(&self, value: Option<f64>, others: &[E]) -> Option<[f64; 2]> {
        let others = others.iter().filter_map(|other| (self.measured)(other).value());
        let values: Vec<f64> = others.chain(value).collect();
        let spread = [f64::INFINITY, f64::NEG_INFINITY];
        let spread = values.iter().fold(spread, |[low, high], value| [low.min(*value), high.max(*value)]);
        (values.len() > 1).then_some(spread)
    }
}

/// A control's numbers, and whether the model's number beats them.
fn against(control: Control, thresholds: Thresholds, value: Option<f64>, models: &[Measured]) -> ControlFinding {
    let values: Vec<f64> = models.iter().filter_map(Measured::value).collect();
    if values.is_empty() {
        return ControlFinding { control, values, mean: None, spread: None, verdict: Verdict::NotAsked, beaten: true };
    }
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let spread = match (&values[..], models.iter().find_map(Measured::interval)) {
        ([_], interval) => interval.map_or(0.0, |[low, high]| (high - low) / 2.0),
        _ => 2.0 * (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (count - 1.0)).sqrt(),
    };
    ControlFinding {
        control,
        values,
        mean: Some(mean),
        spread: Some(spread),
        verdict: thresholds.verdict(mean, None),
        beaten: value.is_some_and(|value| thresholds.ahead(value, mean) > spread),
    }
}

#[cfg(test)]
mod tests {
    use super::{Control::*, Verdict::*, *};

    const NOT_ASKED: f64 = f64::NAN;

    /// A claim whose evidence is its number.
    fn claim(controls: &'static [Control]) -> Claim<f64> {
        Claim {
            id: "made",
            claim: "",
            measure: "",
            unit: Unit::Share,
            behaviour: false,
            thresholds: |_| Thresholds::at_least(0.8, 0.5),
            controls,
            measured: |number| {
                if number.is_nan() { Measured::not_asked("no number") } else { Measured::number(*number, "") }
            },
        }
    }

    #[test]
    fn a_claim_holds_where_its_number_is_ahead_of_every_control_by_more_than_their_spread() {
        for (number, random, exchanged, expected) in [
            (0.9, &[0.1, 0.2, 0.3][..], &[0.4][..], Holds),
            // 0.7 on average, give or take twice 0.2.
            (0.9, &[0.5, 0.7, 0.9], &[], HoldsAsControl),
            (1.2, &[0.5, 0.7, 0.9], &[], Holds),
            (0.9, &[0.1, 0.2, 0.3], &[0.95], HoldsAsControl),
            (0.9, &[0.2, NOT_ASKED], &[], Holds),
            (0.9, &[0.95, NOT_ASKED], &[], HoldsAsControl),
            (0.9, &[NOT_ASKED, NOT_ASKED], &[], Holds),
            (0.7, &[0.1], &[], Partly),
            (0.7, &[0.9], &[], Partly),
            (0.3, &[0.1], &[], Fails),
            (NOT_ASKED, &[0.1], &[], NotAsked),
        ] {
            let controls = BTreeMap::from([(RandomWeights, random.to_vec()), (ExchangedHeads, exchanged.to_vec())]);
            let case = Case { evidence: &number, token_accuracy: 1.0, controls: &controls, others: &[] };
            let found = claim(&[RandomWeights, ExchangedHeads]).finding(&case);
            assert_eq!(found.verdict, expected, "{number} {random:?} {exchanged:?}");
            assert_eq!(found.controls.len(), if exchanged.is_empty() { 1 } else { 2 });
        }
    }

    #[test]
    fn a_control_has_a_mean_a_spread_and_a_verdict_of_its_own_and_one_that_is_not_named_none() {
        let controls = BTreeMap::from([(RandomWeights, vec![0.5, 0.7, 0.9]), (Relabelled, vec![1.0])]);
        let case = Case { evidence: &0.9, token_accuracy: 1.0, controls: &controls, others: &[0.7, NOT_ASKED, 0.95] };
        let found = claim(&[RandomWeights]).finding(&case);
        let [control] = &found.controls[..] else { panic!("{found:?}") };
        assert!((control.mean.unwrap() - 0.7).abs() < 1e-12 && (control.spread.unwrap() - 0.4).abs() < 1e-12);
        assert_eq!((control.control, control.verdict, control.beaten), (RandomWeights, Partly, false));
        assert_eq!((found.value, found.spread), (Some(0.9), Some([0.7, 0.95])));
        assert_eq!(found.thresholds, "holds from 80 %, partly from 50 %");
    }
}
