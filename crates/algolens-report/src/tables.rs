//! The tables of the page.

use algolens::{
    interpret::{AblationTable, AttentionStatistics, Evaluation, Prediction, TripleAttribution},
    task::Token,
};
use maud::{Markup, html};

pub(crate) fn evaluation(evaluation: &Evaluation, greedy_list_accuracy: Option<f64>) -> Markup {
    let rows = [
        ("loss (nats)", evaluation.loss, 3),
        ("mean probability on the right token", evaluation.mean_prob, 3),
        ("median probability on the right token", evaluation.median_prob, 3),
        ("min probability on the right token", evaluation.min_prob, 3),
        ("token accuracy", evaluation.token_accuracy, 4),
        ("list accuracy, given the right values before", evaluation.list_accuracy, 4),
    ];
    let written = greedy_list_accuracy.map(|share| ("list accuracy, written by the model itself", share, 4));
    html! {
        table {
            @for (name, value, digits) in rows.into_iter().chain(written) { tr { th { (name) } td { (format!("{value:.digits$}")) } } }
        }
    }
}

pub(crate) fn ablation(table: &AblationTable) -> Markup {
    html! {
        table {
            tr { th { "without" } th { "mean" } th { "zero" } th { "resampled" } }
            @for (part, costs) in table.rows() {
                tr {
                    th { (part) }
                    @for cost in [costs.mean, costs.zero, costs.resample] { td { (format!("{cost:.3}")) } }
                }
            }
        }
    }
}

pub(crate) fn attention(statistics: &AttentionStatistics) -> Markup {
    let percent = |share: f64| format!("{:.1} %", 100.0 * share);
    let row = |name: String, shares: [f64; 3]| html! { tr { th { (name) } @for share in shares { td { (percent(share)) } } } };
    html! {
        table {
            tr { th { "attends most" } th { "SEP to the smallest" } th { "d to the next larger" } th { "d to itself" } }
            @for head in &statistics.heads {
                (row(head.head.to_string(), [head.sep_to_smallest, head.next_larger, head.to_itself]))
            }
            (row("some head".into(), [statistics.sep_to_smallest, statistics.next_larger, statistics.to_itself]))
        }
    }
}

pub(crate) fn prediction(prediction: &Prediction) -> Markup {
    let list = &prediction.tokens[..prediction.tokens.len() / 2];
    let spaced = |values: &[Token]| values.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    html! {
        table.wide {
            caption { (spaced(list)) }
            tr { th { "right" } @for token in &prediction.expected { td { (token) } } }
            tr {
                th { "predicted" }
                @for (token, right) in prediction.predicted.iter().zip(&prediction.expected) {
                    @if token == right { td { (token) } } @else { td.wrong { "✗ " (token) } }
                }
            }
            tr { th { "p(right)" } @for prob in &prediction.prob_expected { td { (format!("{prob:.3}")) } } }
        }
    }
}

pub(crate) fn triple(triple: &TripleAttribution) -> Markup {
    let TripleAttribution { head, x, y, z, dla, .. } = triple;
    html! {
        table {
            caption { "after " (x) ", head 0." (head) }
            tr { th {} th { "source " (y) } th { "source " (z) } th { "sum" } }
            @for (prediction, row) in [y, z].into_iter().zip(dla) {
                tr {
                    th { "to " (prediction) }
                    @for value in row { td { (format!("{value:+.2}")) } }
                    td { (format!("{:+.2}", row.iter().sum::<f64>())) }
                }
            }
        }
    }
}
