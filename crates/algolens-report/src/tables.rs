//! The tables of the page.

use crate::{Report, ReportError, Training, captions::percent};
use algolens::{
    interpret::{Prediction, StudyResults, Unit, Verdict},
    model::processing::Step,
    task::{SortedList, Task, TaskKind},
};
use maud::{Markup, html};

/// A table of names and values.
fn facts(caption: &str, rows: &[(&str, String)]) -> Markup {
    html! {
        div.wide { table.numbers.facts {
            caption { (caption) }
            @for (what, value) in rows { tr { th scope="row" { (what) } td { (value) } } }
        } }
    }
}

/// The table of the model: task, shape, processing.
pub(crate) fn model(report: &Report) -> Markup {
    let Report { title, results, .. } = report;
    let config = &results.config;
    let task = SortedList::of(&results.task).map_or_else(
        |_| results.task.to_string(),
        |task| format!("sort {} distinct values of 0 to {}", task.list_len(), task.max_value()),
    );
    let assumed =
        if results.task_assumed { " (assumed: the file names none, and only this one has its sizes)" } else { "" };
    let mlp = config.mlp.map_or("attention only".into(), |mlp| format!("MLP of width {}", mlp.d_mlp));
    let steps: Vec<&str> = results.processing.iter().map(|step: &Step| step.name()).collect();
    facts(
        "What it is",
        &[
            ("task", task + assumed),
            ("weights from", (*title).to_owned()),
            ("layers, heads", format!("{}, {} ({mlp})", config.n_layers, config.n_heads)),
            ("d_model, d_head", format!("{}, {}", config.d_model, config.d_head)),
            ("tokens, positions", format!("{}, {}", config.d_vocab, config.n_ctx)),
            ("norm", named(&config.normalization_type)),
            (
                "attention, positions",
                format!("{}, {}", named(&config.attention_dir), named(&config.positional_embedding_type)),
            ),
            ("parameters", results.parameters.to_string()),
            (
                "processing",
                if steps.is_empty() { "none: raw weights".into() } else { steps.join(", ").replace('_', " ") },
            ),
            ("run by", format!("the {} engine, algolens {}", results.engine, results.version)),
        ],
    )
}

/// The name of a variant in JSON.
fn named(variant: &impl serde::Serialize) -> String {
    serde_json::to_value(variant).ok().and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default()
}

/// The table of the training: the recipe, and the best epoch.
pub(crate) fn training(training: &Training) -> Markup {
    let mut rows = Vec::new();
    if let Some(recipe) = &training.recipe {
        rows.extend([
            ("data", format!("{} lists, validated on {}", recipe.train_size, recipe.validation_size)),
            ("seed, batch", format!("{}, {}", recipe.seed, recipe.batch_size)),
            ("optimizer", format!("{}, weight decay {}", named(&recipe.optimizer), recipe.weight_decay)),
        ]);
    }
    if let (Some(first), Some(last)) = (training.history.first(), training.history.last()) {
        rows.push(("epochs, steps", format!("{}, {}", last.epoch, last.steps)));
        rows.push(("learning rate", format!("{} to {}", first.learning_rate, last.learning_rate)));
        if let Some(best) = training.history.iter().rfind(|record| record.best) {
            rows.push(("kept", format!("epoch {}, validation accuracy {:.4}", best.epoch, best.validation_accuracy)));
        }
    }
    facts("How it was trained", &rows)
}

/// The post's evaluation of its own model: loss, mean, median and smallest probability.
const POST: [&str; 4] = ["0.039", "0.966", "0.981", "0.001"];

/// The table of the evaluation, beside the post's numbers where the task is the post's.
pub(crate) fn evaluation(results: &StudyResults) -> Markup {
    let evaluation = &results.evaluation;
    let is_post = results.task == SortedList::POST.spec();
    let mut rows = vec![
        ("loss (nats)", format!("{:.3}", evaluation.loss)),
        ("mean probability on the right token", format!("{:.3}", evaluation.mean_prob)),
        ("median probability on the right token", format!("{:.3}", evaluation.median_prob)),
        ("smallest probability on the right token", format!("{:.3}", evaluation.min_prob)),
        ("token accuracy", format!("{:.4}", evaluation.token_accuracy)),
        ("list accuracy", format!("{:.4}", evaluation.list_accuracy)),
    ];
    if let Some(share) = results.greedy_list_accuracy {
        rows.push(("lists sorted when it writes the sorted half itself", format!("{share:.4}")));
    }
    html! {
        div.wide { table.numbers {
            caption { "Evaluation on " (evaluation.size) " lists of seed " (results.seed) }
            thead { tr { th {} th { "this model" } @if is_post { th { "the post's" } } } }
            @for (at, (what, value)) in rows.iter().enumerate() {
                tr { th scope="row" { (what) } td { (value) } @if is_post { td { (POST.get(at).unwrap_or(&"—")) } } }
            }
        } }
    }
}

/// The table of some lists' predictions: the first wrong one of each, and a button that selects the list. Lists come with
/// their index on the page.
pub(crate) fn lists(caption: &str, lists: &[(usize, &Prediction)], labels: &[String]) -> Markup {
    let label = |token: u32| labels.get(token as usize).map_or("?", String::as_str);
    html! {
        div.wide { table.numbers.examples {
            caption { (caption) }
            thead { tr { th { "unsorted list" } th { "first wrong answer" } th { "p(right)" } th { "p(said)" } th {} } }
            @for (at, list) in lists {
                @let wrong = (0..list.expected.len()).find(|slot| list.expected[*slot] != list.predicted[*slot]);
                tr {
                    th scope="row" { (algolens::task::labels_of(labels, &list.tokens[..list.tokens.len() / 2]).join(" ")) }
                    @match wrong {
                        None => { td { "all right" } td { "" } td { "" } }
                        Some(slot) => {
                            td { span.wrong { "✗ " (label(list.predicted[slot])) } " for " (label(list.expected[slot])) }
                            td { (format!("{:.3}", list.prob_expected[slot])) }
                            td { (format!("{:.3}", list.prob_predicted[slot])) }
                        }
                    }
                    td { button type="button" data-list=(at) aria-label={ "Look at list " (at + 1) } { "Look" } }
                }
            }
        } }
    }
}

/// The table of the attributions of close triples: means and signs.
pub(crate) fn close_triples(results: &StudyResults) -> Markup {
    let Some(found) = &results.close_triples else { return html! {} };
    let cell = |p: usize, s: usize, sign: &str| {
        html! { td { (format!("{:+.2}", found.mean[p][s])) " " small { (percent(found.expected_sign[p][s])) " are " (sign) " 0" } } }
    };
    html! {
        div.wide { table.numbers {
            caption { "Mean over all " (found.count) " close triples, in logits, and how often the sign is the expected one" }
            thead { tr { th {} th { "src = y" } th { "src = z" } } }
            tr { th scope="row" { "pred = y" } (cell(0, 0, ">")) (cell(0, 1, ">")) }
            tr { th scope="row" { "pred = z" } (cell(1, 0, "<")) (cell(1, 1, ">")) }
        } }
    }
}

/// A finding's number with its unit, in words.
fn number(value: Option<f64>, unit: Unit) -> String {
    value.map_or_else(|| "—".into(), |value| unit.number(value))
}

/// From one number to another, in words.
fn from_to([low, high]: [f64; 2], unit: Unit) -> String {
    format!("{} to {}", unit.number(low), unit.number(high))
}

/// A verdict's mark and CSS class.
fn verdict(verdict: Verdict) -> (&'static str, &'static str) {
    match verdict {
        Verdict::Holds => ("✓", "holds"),
        Verdict::HoldsAsControl => ("≈", "partly"),
        Verdict::Partly => ("~", "partly"),
        Verdict::Fails => ("✗", "fails"),
        Verdict::NotAsked => ("–", "not-asked"),
    }
}

/// The id of the figure or section that shows what a claim is about.
///
/// # Errors
/// A claim that has no place on the page.
fn shown_at(claim: &str, results: &StudyResults) -> Result<&'static str, ReportError> {
    Ok(match claim {
        // Short lists have no such figures.
        "gaps_lose_the_answer" | "large_gaps_fail" if results.gaps.is_empty() => "adversarial",
        "triple_signs" | "y_ahead" | "cross_terms_decide" if results.close_triples.is_none() => "triples",
        "next_larger" | "sep_to_smallest" | "predicted_is_attended" => "fig-pattern",
        "sep_falls_off" | "large_values_break_sep" | "large_lists_fail_at_sep" => "fig-smallest",
        "head_order" => "fig-ablation",
        "copying"
        | "split"
        | "minor_head_serves_28_to_37"
        | "ov_asymmetry"
        | "minor_heads_anti_copy"
        | "main_head_does_not_anti_copy" => "fig-ov-0",
        "direct_path_boosts_next" => "fig-direct",
        "large_values_attend_to_zero" => "fig-qk-bar",
        "late_positions_avoid_small" => "fig-pos-query-0",
        "cancellation" => "fig-terms",
        "gaps_lose_the_answer" | "large_gaps_fail" => "fig-gaps",
        "triple_signs" | "y_ahead" | "cross_terms_decide" => "fig-triples-all",
        "second_successor"
        | "second_successor_is_harmless"
        | "runs_survive_without_direct_path"
        | "direct_path_silences_d" => "triples",
        _ => return Err(ReportError::UnknownClaim(claim.into())),
    })
}

/// The table of findings, one row a claim.
///
/// # Errors
/// A claim that has no place on the page.
pub(crate) fn findings(results: &StudyResults) -> Result<Markup, ReportError> {
    let (findings, other_models) = (&results.findings, results.other_models);
    Ok(html! {
        div.wide { table.numbers.findings {
            thead { tr {
                th scope="col" { "claim" } th scope="col" { "this model" } th scope="col" { "controls" }
                @if other_models > 0 { th scope="col" { "spread over " (other_models + 1) " seeds" } }
                th scope="col" { "verdict" }
            } }
            @for finding in findings {
                @let (mark, css_class) = verdict(finding.verdict);
                tr id={ "finding-" (finding.id) } {
                    th scope="row" {
                        (finding.claim)
                        small.measure { (capitalised(&finding.measure)) ". " (capitalised(&finding.thresholds)) "." }
                    }
                    td {
                        strong { (number(finding.value, finding.unit)) }
                        @if let Some(interval) = finding.interval { small { "95 %: " (from_to(interval, finding.unit)) } }
                        @if !finding.detail.is_empty() { small { (finding.detail) } }
                    }
                    td { @for control in &finding.controls {
                        (control.control.name()) ": " (number(control.mean, finding.unit))
                        small {
                            @if let Some(spread) = control.spread { "± " (finding.unit.number(spread)) "; " }
                            (control.verdict.words())
                        }
                    } }
                    @if other_models > 0 {
                        td { @match finding.spread {
                            None => "—",
                            Some(spread) => (from_to(spread, finding.unit)),
                        } }
                    }
                    td.verdict.(css_class) { span.mark aria-hidden="true" { (mark) } " " (finding.verdict.words()) " " a href={ "#" (shown_at(&finding.id, results)?) } { "see" } }
                }
            }
        } }
    })
}

/// A text with its first letter in upper case.
fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().collect::<String>() + letters.as_str())
}
