//! Every claim, by evidence made by hand on both sides of each threshold.

mod experiments;
mod made;
mod table;

use super::{Evidence, claims};
use crate::claims::{Case, Finding, Verdict};
use made::blank;
use std::collections::{BTreeMap, BTreeSet};
use table::TABLE;

/// The finding of a claim by evidence alone: of a model that is always right, without controls.
fn finding(id: &str, evidence: &Evidence) -> Finding {
    let claim = claims().find(|claim| claim.id == id).unwrap_or_else(|| panic!("no claim {id}"));
    claim.finding(&Case { evidence, token_accuracy: 1.0, controls: &BTreeMap::new(), others: &[] })
}

#[test]
fn claims_are_judged_on_both_sides_of_each_threshold() {
    for (id, made, rows) in TABLE {
        for (number, expected) in *rows {
            let found = finding(id, &made(*number));
            assert_eq!(found.verdict, *expected, "{id} of {number}: {found:?}");
        }
        assert!(rows.iter().any(|(_, verdict)| *verdict == Verdict::Holds), "{id}");
        assert!(rows.iter().any(|(_, verdict)| *verdict == Verdict::Fails), "{id}");
    }
    let asked: BTreeSet<&str> = TABLE.iter().map(|(id, ..)| *id).collect();
    assert_eq!(asked, claims().map(|claim| claim.id).collect::<BTreeSet<_>>());
}

#[test]
fn the_number_shown_is_the_one_made() {
    for (id, number, expected) in [
        ("next_larger", 0.85, 0.85),
        ("second_successor", 3.0, 3.0),
        ("sep_falls_off", 30.0, 30.0),
        ("large_values_break_sep", 0.15, 0.15),
        ("head_order", 0.45, 0.45),
        ("minor_heads_anti_copy", 21.0, 0.5),
        ("ov_asymmetry", 30.0, 30.0 / 49.0),
        ("cancellation", 9.0, 0.45),
        ("large_gaps_fail", 0.1, 0.1),
        ("gaps_lose_the_answer", 0.6, 0.6),
        ("cross_terms_decide", 0.3, 0.3),
    ] {
        let (_, made, _) = TABLE.iter().find(|(of, ..)| *of == id).unwrap();
        let found = finding(id, &made(number)).value.unwrap();
        assert!((found - expected).abs() < 1e-12, "{id}: {found}");
    }
}

/// Nothing at all was measured, or what a claim starts from is not there.
#[test]
fn claims_without_their_premise_are_not_asked() {
    let nothing = blank();
    for claim in claims().filter(|claim| !["copying", "split", "minor_head_serves_28_to_37"].contains(&claim.id)) {
        let without = match claim.id {
            // These have a number as soon as there are weights: their premise is below.
            "minor_heads_anti_copy"
            | "ov_asymmetry"
            | "direct_path_boosts_next"
            | "large_values_attend_to_zero"
            | "late_positions_avoid_small" => continue,
            _ => finding(claim.id, &nothing),
        };
        assert_eq!((without.verdict, without.value), (Verdict::NotAsked, None), "{without:?}");
        assert!(!without.detail.is_empty());
    }
    let made = |id: &str, number: f64| TABLE.iter().find(|(of, ..)| *of == id).unwrap().1(number);
    for (id, evidence) in [
        // SEP never predicts the smallest value.
        ("sep_falls_off", made("sep_falls_off", 0.0)),
        // No token prefers 0.
        ("cancellation", {
            let mut evidence = made("cancellation", 20.0);
            evidence.to_zero.iter_mut().for_each(|pair| pair.tokens = -1.0);
            evidence
        }),
        // No head is worth a tenth of a nat.
        ("head_order", {
            let mut evidence = made("head_order", 0.2);
            evidence.costs.shapley.values_mut().for_each(|cost| *cost *= 0.09);
            evidence
        }),
        // Attention favours y in every triple.
        ("y_ahead", {
            let mut evidence = made("y_ahead", 10.0);
            evidence.triples.attention.column_mut(0).fill(2.0);
            evidence
        }),
        // Every step over a gap is right.
        ("gaps_lose_the_answer", {
            let mut evidence = made("gaps_lose_the_answer", 0.1);
            evidence.gaps.iter_mut().flat_map(|(_, sites)| sites).for_each(|site| site.predicted = site.target);
            evidence
        }),
    ] {
        assert_eq!(finding(id, &evidence).verdict, Verdict::NotAsked, "{id}");
    }
}

#[test]
fn claims_about_behaviour_are_asked_of_models_that_sort() {
    let controls = BTreeMap::new();
    for (id, made, rows) in TABLE {
        let claim = claims().find(|claim| claim.id == *id).unwrap();
        let number = rows.iter().find(|(_, verdict)| *verdict == Verdict::Holds).unwrap().0;
        let evidence = made(number);
        let verdict = |token_accuracy| {
            claim.finding(&Case { evidence: &evidence, token_accuracy, controls: &controls, others: &[] }).verdict
        };
        assert_eq!(verdict(0.9), Verdict::Holds, "{id}");
        assert_eq!(verdict(0.89), if claim.behaviour { Verdict::NotAsked } else { Verdict::Holds }, "{id}");
    }
}
