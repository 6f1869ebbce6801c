//! The section about attention patterns.

use super::figure;
use crate::{
    Head, HeadAttention, Unit,
    study::{
        data::Study,
        figure::{Axis, AxisLabels, Plot},
        section::{Cell, Item, Note, Section, Table},
    },
    support::check_scores,
};

pub(super) fn section(study: &Study, heads_attend: &[HeadAttention]) -> Section {
    let mut items = vec![
        figure(
            "thumbs",
            "Every head at a glance",
            "Rows attend, columns are attended to. Choose the heads that the figures below and the strip above show.",
            Plot::Thumbs,
        ),
        figure(
            "pattern",
            "Who attends to whom",
            "Each row sums to 1. Choose a cell to see what its score is made of.",
            Plot::Pattern,
        ),
        figure(
            "tokens",
            "Attention over the tokens",
            "Above, what the chosen token attends to; below, who attends to it. A bar is a weight, in the colour of its head.",
            Plot::Tokens,
        ),
    ];
    if check_scores(&study.config).is_ok() {
        items.push(figure(
            "terms",
            "What a score is made of",
            "The score before the softmax as a sum over what the query and the key are made of; each term is given relative to \
             its mean over the keys that the query sees.",
            Plot::Terms,
        ));
    }
    items.push(Item::Row(Head::all(&study.config).into_iter().enumerate().map(mean_pattern).collect()));
    items.push(Item::Table(weights(heads_attend)));
    if study.config.n_layers > 1 {
        let line = "Score terms and circuits are those of the first block, whose inputs are a token and a position.";
        items.push(Item::Note(Note { title: None, lines: vec![line.into()] }));
    }
    let heads = study.config.n_layers * study.config.n_heads;
    let headline = format!("{heads} {}", if heads == 1 { "head" } else { "heads" });
    let caption =
        format!("What each of the {headline} attends to: on one example, and on average over the evaluation data.");
    super::section("attention", "Attention", (headline, caption), items)
}

/// The mean pattern of the head with this place on the head axis.
fn mean_pattern((at, head): (usize, Head)) -> Item {
    let axis = |title: &str| Axis { title: title.into(), labels: AxisLabels::Positions };
    figure(
        format!("mean-pattern-{}-{}", head.layer, head.head),
        format!("Where head {head} looks on average"),
        "Rows are positions that attend, columns are positions that are attended to: mean weights over the evaluation data.",
        Plot::Matrix {
            array: "pattern_mean".into(),
            head: Some(at),
            rows: axis("attending position"),
            columns: axis("attended position"),
            unit: "weight".into(),
            ranges: Vec::new(),
        },
    )
}

/// What each head attends to, in a table.
fn weights(heads: &[HeadAttention]) -> Table {
    let row = |head: &HeadAttention| {
        let HeadAttention { head, to_itself, to_previous, to_first, to_same_token, entropy } = head;
        let weights =
            [to_itself, to_previous, to_first, to_same_token].map(|weight| Cell::Number(*weight, Unit::Probability));
        let head = Cell::Text(format!("head {head}"));
        [head].into_iter().chain(weights).chain([Cell::Number(*entropy, Unit::Nats)]).collect()
    };
    Table {
        id: "mean-weights".into(),
        caption: "Mean weight from the predicted positions, over the evaluation data".into(),
        columns: ["", "on itself", "one before", "the first", "same token", "entropy (nats)"]
            .map(String::from)
            .to_vec(),
        rows: heads.iter().map(row).collect(),
    }
}
