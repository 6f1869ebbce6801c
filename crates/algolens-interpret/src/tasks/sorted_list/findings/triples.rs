//! Claims about close triples x < y < z: why z, which is attended to as much as y, is not predicted.

use super::evidence::Evidence;
use crate::{
    claims::{
        Claim,
        Control::{ExchangedHeads, RandomWeights, Relabelled},
        Measured, Rate, Thresholds, Unit,
    },
    tasks::sorted_list::{CloseTriples, TripleList},
};

/// The claims about close triples.
pub const CLAIMS: &[Claim<Evidence>] = &[
    Claim {
        id: "triple_signs",
        claim: "In close triples x < y < z, y and z boost themselves, z boosts y a little, and y suppresses z.",
        measure: "share of the close triples with at least as much attention on z as on y, at x in the head that copies y, whose \
                  four direct logit attributions through that head have these signs, averaged over random lists",
        unit: Unit::Share,
        behaviour: false,
        thresholds: |_| Thresholds::at_least(0.8, 0.5),
        controls: &[RandomWeights, Relabelled],
        measured: |evidence| match evidence.triples.undecided().statistics() {
            None => Measured::not_asked("no triple has as much attention on z"),
            Some(found) => {
                let [[yy, yz], [zy, zz]] = found.expected_sign.map(|row| row.map(|share| Unit::Share.number(share)));
                let detail = format!(
                    "{} of {} triples; y→y above 0 in {yy}, z→z above 0 in {zz}, z→y above 0 in {yz}, y→z below 0 in {zy}",
                    found.count,
                    evidence.triples.tokens.nrows()
                );
                Measured::number(found.all_signs, detail)
            }
        },
    },
    Claim {
        id: "y_ahead",
        claim: "So y gains more from the two sources than z.",
        measure: "share of these triples in which those attributions to y sum to more than those to z",
        unit: Unit::Share,
        behaviour: false,
        thresholds: |_| Thresholds::at_least(0.8, 0.65),
        controls: &[RandomWeights, Relabelled],
        measured: |evidence| match evidence.triples.undecided().statistics() {
            None => Measured::not_asked("no triple has as much attention on z"),
            Some(found) => Measured::number(found.y_ahead, format!("of {} triples", found.count)),
        },
    },
    Claim {
        id: "cross_terms_decide",
        claim: "It is what y and z do to each other's prediction that makes y win, not the direct path.",
        measure: "share of lists with these triples in which z's logit is above y's without what z adds to y and y to z, less that \
                  without what the direct path adds to both",
        unit: Unit::Points,
        behaviour: true,
        thresholds: |_| Thresholds::at_least(0.2, 0.05),
        controls: &[RandomWeights, Relabelled, ExchangedHeads],
        measured: cross_terms,
    },
];

/// How often z wins without the cross terms, less how often without the direct path.
fn cross_terms(evidence: &Evidence) -> Measured {
    let CloseTriples { lists, .. } = evidence.triples.undecided();
    let z_wins = |without: &dyn Fn(&TripleList) -> [f64; 2]| {
        let wins = |list: &TripleList| {
            let [y, z] = without(list);
            list.logits[1] - z > list.logits[0] - y
        };
        Rate::by_list(lists.iter().map(wins).enumerate())
    };
    let cross = z_wins(&|list| [list.dla[0][1], list.dla[1][0]]);
    let (Some(cross), Some(direct), Some(whole)) = (cross, z_wins(&|list| list.direct), z_wins(&|_| [0.0; 2])) else {
        return Measured::not_asked("no triple has as much attention on z");
    };
    let detail = format!("{cross} without the cross terms, {direct} without the direct path, {whole} with both");
    Measured::difference(&cross, &direct, detail)
}
