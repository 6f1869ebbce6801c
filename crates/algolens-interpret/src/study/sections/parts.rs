//! The sections about the model's parts: what it loses without them, and what they add to the right answer.

use super::{Names, figure};
use crate::study::{arrays::Arrays, data::Study, figure::Plot, section::Section};

/// What ablating each part costs.
pub(super) fn ablation(study: &Study) -> Section {
    let rows = study.ablation.rows();
    let (headline, caption, title) = match study.ablation.mean.iter().max_by(|a, b| a.1.total_cmp(b.1)) {
        None => Default::default(),
        Some((head, cost)) => (
            format!("{head}: {cost:.2} nats"),
            format!("Without head {head}, which matters most, the loss rises by {cost:.3} nats (mean ablation)."),
            format!("Without head {head} the loss rises by {cost:.2} nats"),
        ),
    };
    let heads = study.ablation.mean.len();
    let named = |(at, (part, _)): (usize, _)| if at < heads { format!("head {part}") } else { part };
    let plot = Plot::Bars {
        values: "ablation".into(),
        names: rows.into_iter().enumerate().map(named).collect(),
        series: ["mean", "zero", "resampled"].map(String::from).to_vec(),
        unit: "loss gained (nats)".into(),
    };
    let how = "In nats: each part replaced by its mean over the data, by zero, or by what it is on other examples.";
    super::section("ablation", "Ablation", (headline, caption), vec![figure("ablation", title, how, plot)])
}

/// What each component adds to the right answer.
pub(super) fn attribution(arrays: &Arrays, names: &Names) -> Section {
    let logits = arrays["attribution"].iter().zip(&names.components);
    let (headline, caption, title) = match logits.max_by(|a, b| a.0.total_cmp(b.0)) {
        None => Default::default(),
        Some((logit, component)) => (
            format!("{component}: {logit:+.2}"),
            format!(
                "On average {component} adds most to the right answer: {logit:.2} logits more than to the mean of all answers."
            ),
            format!("{component} adds {logit:.2} logits to the right answer"),
        ),
    };
    let plot = Plot::Bars {
        values: "attribution".into(),
        names: names.components.clone(),
        series: vec!["to the right answer".into()],
        unit: "logits".into(),
    };
    let how = "Direct logit attribution: what each component of the residual stream adds to the right answer, less what it adds \
               to the mean of all answers, over the first examples of the evaluation data.";
    super::section("attribution", "Attribution", (headline, caption), vec![figure("attribution", title, how, plot)])
}
