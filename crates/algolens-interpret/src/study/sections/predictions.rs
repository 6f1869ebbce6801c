//! The section about predictions: of one example, and by family.

use super::{Names, figure, percent};
use crate::study::{
    data::Study,
    figure::Plot,
    section::{Item, Section},
};

pub(super) fn section(study: &Study, names: &Names) -> Section {
    let wrong = study.examples.iter().filter(|example| !example.prediction.correct).count();
    let headline = format!("{wrong} of {} wrong", study.examples.len());
    let caption = format!(
        "Of the {} examples looked at {wrong} are answered wrong; over the evaluation data the right answer gets {} on average \
         and never less than {}.",
        study.examples.len(),
        percent(study.evaluation.mean_prob),
        percent(study.evaluation.min_prob)
    );
    let mut families = Vec::new();
    if study.positions.len() > 1 {
        families.push(figure(
            "accuracy-by-position",
            "Accuracy at each predicted position",
            "The share of right answers at each position, over the evaluation data.",
            Plot::Lines {
                values: "accuracy_by_position".into(),
                over: "predicted position".into(),
                series: vec!["accuracy".into()],
            },
        ));
    }
    if !names.classes.is_empty() {
        families.push(by_class(study, names));
    }
    let how = "Each column is one prediction: the probability of every answer after the one below. Rings are the right answers; \
               a cross is what the model says instead.";
    let how = study.with_not_shown(how.into());
    let probs = figure("probs", "What the model says of the example", &how, Plot::Probs);
    super::section("predictions", "Predictions", (headline, caption), vec![probs, Item::Row(families)])
}

/// Accuracy by the shown classes that are right somewhere.
fn by_class(study: &Study, names: &Names) -> Item {
    let how = study.with_not_shown("The share of right answers, by what the right answer is.".into());
    let plot = Plot::Bars {
        values: "accuracy_by_class".into(),
        names: names.classes.clone(),
        series: vec!["accuracy".into()],
        unit: "share".into(),
    };
    figure("accuracy-by-class", "Accuracy by right answer", &how, plot)
}
