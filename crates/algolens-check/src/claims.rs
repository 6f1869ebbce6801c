//! Comparison of a certificate's claims with what is proved.

use super::{
    accuracy::{Bounds, Proved, share, tally},
    ball::Ball,
    circuits::Circuits,
    class::{Class, Counts},
    logits::{logits, margin},
    replay::Lists,
    sizes::{Sizes, task_of},
};
use crate::certificate::{Bracket, Certificate, Counterexample, Status, Tally};
use algolens_core::{Error, Result, model::Model, task::Task};
use std::collections::HashSet;

/// A class as position, token that predicts, target.
type Key = (usize, Option<usize>, usize);

/// Absolute tolerance for numbers printed as decimals.
const IN_PRINT: f64 = 1e-9;

/// An error unless a condition holds; comparisons with NaN do not.
fn require(holds: bool, what: impl Into<String>, expected: impl Into<String>, found: impl ToString) -> Result<()> {
    if holds { Ok(()) } else { Err(Error::invalid(what, expected, found)) }
}

/// Checks format, model, slack and floor unit; the task.
pub(super) fn check_head(certificate: &Certificate, model: &Model) -> Result<(Box<dyn Task>, Sizes)> {
    certificate.check_model(model)?;
    if certificate.model.config != *model.config() {
        return Err(Error::invalid("certificate's config", "the model's", "another"));
    }
    let (task, sizes) = task_of(&certificate.model.task)?;
    if task.spec() != certificate.model.task {
        return Err(Error::invalid("certificate's task", "every option", &certificate.model.task));
    }
    let (slack, step) = (certificate.slack, certificate.step);
    require(slack > 0.0 && slack <= 1.0, "certificate's slack", "above 0, at most 1", slack)?;
    require(step > 0.0 && step.is_finite(), "certificate's step", "a positive number", step)?;
    Ok((task, sizes))
}

/// Checks that the certificate's classes are the task's, with their shares; the classes.
pub(super) fn check_classes(certificate: &Certificate, counts: &Counts) -> Result<Vec<Class>> {
    const RELATIVE: f64 = 1e-12;
    let predictions = counts.sizes.predictions();
    let mut claimed = certificate.class_status.iter();
    let mut classes = Vec::with_capacity(certificate.class_status.len());
    for class in counts.classes() {
        let Some(status) = claimed.next() else {
            return Err(Error::invalid("class_status", class.name(), "its end"));
        };
        let token = status.token.map(|token| token as usize);
        if (status.position, token, status.target as usize) != (class.position, class.token, class.target) {
            let token = status.token.map_or_else(|| "SEP".to_owned(), |token| token.to_string());
            let found = format!("({}, {token} → {})", status.position, status.target);
            return Err(Error::invalid(format!("class_status[{}]", classes.len()), class.name(), found));
        }
        let share = share(&class, counts, predictions);
        let is_near = (status.share - share).abs() <= RELATIVE * share;
        require(is_near, format!("the share of {}", class.name()), share.to_string(), status.share)?;
        classes.push(class);
    }
    match claimed.len() {
        0 => Ok(classes),
        more => Err(Error::invalid("class_status", format!("{} classes", classes.len()), format!("{more} more"))),
    }
}

/// Checks a class's claims against the lists proved of it.
pub(super) fn check_class(claimed: &crate::certificate::ClassStatus, class: &Class, lists: Lists) -> Result<()> {
    let Lists { total, right, wrong, .. } = lists;
    if claimed.status == Status::Certified && right < total {
        let found = format!("{right} of {total} lists proved right, {wrong} proved wrong");
        return Err(Error::invalid(class.name(), "a proof of all lists, as it is certified", found));
    }
    for (what, claimed, proved) in [("right", claimed.right, right), ("wrong", claimed.wrong, wrong)] {
        let proved = proved as f64 / total as f64;
        let what = format!("the {what} lists of {}", class.name());
        require(claimed <= proved + IN_PRINT, what, at_most(proved), claimed)?;
    }
    Ok(())
}

/// Checks the tallies against the classes' claims, and the accuracies against what is proved.
pub(super) fn check_totals(certificate: &Certificate, proved: &Proved) -> Result<()> {
    let (classes, mass) = tally(certificate.class_status.iter().map(|class| (class.status, class.share)));
    if certificate.classes != classes {
        let found = format!("{:?}", certificate.classes);
        return Err(Error::invalid("certificate's classes", format!("{classes:?}, as in class_status"), found));
    }
    let said = |mass: &Tally<f64>| [mass.total, mass.certified, mass.refuted, mass.undecided];
    let is_near = said(&certificate.mass).iter().zip(said(&mass)).all(|(said, sum)| (said - sum).abs() <= IN_PRINT);
    let expected = format!("{mass:?}, as in class_status");
    require(is_near, "certificate's mass", expected, format!("{:?}", certificate.mass))?;
    check_bracket("token_accuracy", certificate.token_accuracy, proved.token_accuracy)?;
    check_bracket("list_accuracy", certificate.list_accuracy, proved.list_accuracy)
}

/// Checks that a claimed bracket contains the proved bounds.
fn check_bracket(what: &str, claimed: Bracket, proved: Bounds) -> Result<()> {
    let is_proved = claimed.lower <= proved.lower + IN_PRINT;
    require(is_proved, format!("{what}'s lower bound"), at_most(proved.lower), claimed.lower)?;
    let is_proved = claimed.upper >= proved.upper - IN_PRINT;
    let expected = format!("at least {}, which is proved", proved.upper);
    require(is_proved, format!("{what}'s upper bound"), expected, claimed.upper)
}

/// The expected part of an error.
fn at_most(proved: f64) -> String {
    format!("at most {proved}, which is proved")
}

/// Checks the certificate's lists; the classes that they refute.
pub(super) fn check_lists(certificate: &Certificate, circuits: &Circuits, task: &dyn Task) -> Result<HashSet<Key>> {
    let mut shown = HashSet::new();
    let counterexamples = certificate.counterexamples.iter().flatten();
    let named = counterexamples.enumerate().map(|(at, list)| (format!("counterexample {at}"), list, true));
    let worst = certificate.worst.iter().map(|list| ("the worst list".to_owned(), list, false));
    for (name, example, must_be_wrong) in worst.chain(named) {
        let fits = !must_be_wrong || example.predicted != example.expected;
        require(fits, &*name, "a prediction that is wrong", example.predicted)?;
        let (class, margin) = check_list(&name, example, circuits, task, certificate.slack)?;
        if margin.high() < -certificate.slack {
            shown.insert(class);
        }
    }
    Ok(shown)
}

/// Checks that a list is the task's and is predicted as claimed, up to the slack; its class and margin.
fn check_list(
    name: &str,
    example: &Counterexample,
    circuits: &Circuits,
    task: &dyn Task,
    slack: f64,
) -> Result<(Key, Ball)> {
    task.complete(&example.list).map_err(|error| Error::invalid(name, "one of the task's lists", error))?;
    let (position, predictions) = (example.position, circuits.sizes.predictions());
    require(position < predictions, format!("{name}'s position"), format!("below {predictions}"), position)?;
    let list: Vec<usize> = example.list.iter().map(|token| *token as usize).collect();
    let (token, target) = circuits.sizes.asked(&list, position);
    let is_target = example.expected as usize == target;
    require(is_target, format!("{name}'s right answer"), target.to_string(), example.expected)?;
    let logits = logits(circuits, &list, position);
    let margin = margin(&logits, target);
    let is_near = (margin.value - example.margin).abs() + margin.error <= slack;
    let expected = format!("{}, up to the slack", margin.value);
    require(is_near, format!("{name}'s margin"), expected, example.margin)?;
    let predicted = example.predicted as usize;
    let best = logits.iter().map(|logit| logit.value).fold(f64::NEG_INFINITY, f64::max);
    let largest = logits.iter().position(|logit| logit.value == best).unwrap_or(0);
    let is_near = logits.get(predicted).is_some_and(|logit| logit.value + logit.error >= best - slack);
    require(is_near, format!("{name}'s prediction"), largest.to_string(), predicted)?;
    Ok(((position, token, target), margin))
}
