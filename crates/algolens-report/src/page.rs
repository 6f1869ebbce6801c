//! The page.

use crate::{
    ReportError,
    heatmap::{Heatmap, Ramp},
    tables,
};
use algolens::{
    interpret::{Arrays, StudyResults},
    task::{SortedList, Task, TaskSpec},
};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use ndarray::{ArrayView, ArrayView2, ArrayView3, Axis, Dimension, Ix2, Ix3, Ix4};

/// Everything a study found, on one page that needs nothing else.
///
/// # Errors
/// Results whose arrays are not those of a study.
pub fn page(title: &str, results: &StudyResults, arrays: &Arrays) -> Result<String, ReportError> {
    let labels = Labels::of(results);
    let sections = [
        ("evaluation", html! { (tables::evaluation(&results.evaluation, results.greedy_list_accuracy)) }),
        ("ablation", html! { (tables::ablation(&results.ablation)) }),
        ("predictions", predictions(arrays, &labels)?),
        ("attention", attention(results, arrays)?),
        ("circuits", circuits(arrays, &labels)?),
        ("adversarial", html! { @for list in &results.adversarial { (tables::prediction(list)) } }),
        ("triples", html! { div.figures { @for triple in &results.triples { (tables::triple(triple)) } } }),
    ];
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) " · algolens" }
                style { (PreEscaped(include_str!("style.css"))) }
            }
            body {
                h1 { (title) }
                p { (summary(results)) }
                @for ((id, body), caption) in sections.iter().zip(captions(results)) {
                    section id=(id) { h2 { (heading(id)) } p { (caption) } (body) }
                }
            }
        }
    };
    Ok(page.into_string())
}

fn heading(id: &str) -> &'static str {
    match id {
        "evaluation" => "How well it sorts",
        "ablation" => "What breaks without a part",
        "predictions" => "What it says of one list",
        "attention" => "Who attends to whom",
        "circuits" => "What the weights say",
        "adversarial" => "The post's adversarial lists",
        _ => "The post's triples",
    }
}

fn summary(results: &StudyResults) -> String {
    let config = &results.config;
    let steps: Vec<String> = results.processing.iter().map(|step| step.name().replace('_', " ")).collect();
    format!(
        "{} layer(s) of {} head(s), d_model {}, {} parameters. Weights: {}. Engine: {}.",
        config.n_layers,
        config.n_heads,
        config.d_model,
        results.parameters,
        if steps.is_empty() { "as they are".into() } else { steps.join(", ") },
        results.engine
    )
}

/// One sentence a section: what to see, from this model's numbers.
fn captions(results: &StudyResults) -> [String; 7] {
    let percent = |share: f64| format!("{:.2} %", 100.0 * share);
    let evaluation = &results.evaluation;
    let most = results.ablation.mean.iter().max_by(|a, b| a.1.total_cmp(b.1));
    let ranges: Vec<String> =
        results.serving.ranges.iter().map(|r| format!("{}–{} by {}", r.from, r.to, r.head)).collect();
    let wrong = results.adversarial.iter().filter(|list| !list.right).count();
    let kept = results.triples.iter().filter(|t| t.dla[0].iter().sum::<f64>() > t.dla[1].iter().sum()).count();
    [
        format!(
            "On {} lists of seed {}, {} of the tokens and {} of the lists are right.",
            evaluation.size,
            results.seed,
            percent(evaluation.token_accuracy),
            percent(evaluation.list_accuracy)
        ),
        most.map_or_else(String::new, |(head, loss)| {
            format!("Increase of the loss in nats. The head that matters most is {head}: without it the loss gains {loss:.3}.")
        }),
        "Probability of every token at each predicted position of the first list; the darkest cell of a column is the model's answer.".into(),
        format!(
            "SEP attends most to the smallest value in {} of the lists, a value to the next larger one in {} of the cases, in some head.",
            percent(results.attention.sep_to_smallest),
            percent(results.attention.next_larger)
        ),
        format!(
            "A red diagonal in OV means copying: {} of the tokens peak on themselves in the head that serves them ({}).",
            percent(results.serving.copied),
            ranges.join(", ")
        ),
        if results.adversarial.is_empty() {
            "They are of another size of the task.".into()
        } else {
            format!("{wrong} of {} are sorted wrong; a cross marks what the model says instead.", results.adversarial.len())
        },
        if results.triples.is_empty() {
            "They are of another size of the task.".into()
        } else {
            format!(
                "Direct logit attribution of the two values after x: the nearer one gains more in {kept} of {} triples, though attention may favour the other.",
                results.triples.len()
            )
        },
    ]
}

/// What tokens and positions are called.
struct Labels {
    tokens: Vec<String>,
    positions: Vec<String>,
    predicted: Vec<String>,
}

impl Labels {
    fn of(results: &StudyResults) -> Self {
        let numbers = |n: usize| (0..n).map(|at| at.to_string()).collect::<Vec<_>>();
        let mut tokens = numbers(results.config.d_vocab);
        let mut positions = numbers(results.config.n_ctx);
        let mut predicted = positions.clone();
        let TaskSpec::SortedList { list_len, max_value } = results.task else {
            return Self { tokens, positions, predicted };
        };
        if let Ok(task) = SortedList::new(list_len, max_value) {
            tokens = task.token_labels();
            predicted = numbers(list_len);
        }
        positions[list_len] = "SEP".into();
        Self { tokens, positions, predicted }
    }
}

fn array<'a, D: Dimension>(
    arrays: &'a Arrays,
    name: &'static str,
    expected: &'static str,
) -> Result<ArrayView<'a, f32, D>, ReportError> {
    let found = arrays.get(name).ok_or_else(|| ReportError::Array { name, expected, found: "none".into() })?;
    let shape = format!("shape {:?}", found.shape());
    found.view().into_dimensionality().map_err(|_| ReportError::Array { name, expected, found: shape })
}

fn predictions(arrays: &Arrays, labels: &Labels) -> Result<Markup, ReportError> {
    let probs = array::<Ix2>(arrays, "probs_first_list", "[class, position]")?;
    let rows = ("token", labels.tokens.as_slice());
    let columns = ("predicted value", labels.predicted.as_slice());
    Ok(figure("First list", &Heatmap { values: probs, rows, columns, ramp: Ramp::Share }.svg(230)?))
}

fn attention(results: &StudyResults, arrays: &Arrays) -> Result<Markup, ReportError> {
    let patterns = array::<Ix4>(arrays, "pattern_first_10", "[list, head, query, key]")?;
    let (_, _, queries, _) = patterns.dim();
    let labels: Vec<String> = (0..queries).map(|at| at.to_string()).collect();
    let first = patterns.index_axis_move(Axis(0), 0);
    let figures = first
        .outer_iter()
        .enumerate()
        .map(|(head, values)| {
            let (rows, columns) = (("query position", labels.as_slice()), ("key position", labels.as_slice()));
            let svg = Heatmap { values, rows, columns, ramp: Ramp::Share }.svg(440)?;
            Ok(figure(&format!("Pattern of head 0.{head} on the first list"), &svg))
        })
        .collect::<Result<Vec<_>, ReportError>>()?;
    Ok(html! { (tables::attention(&results.attention)) div.figures { @for figure in figures { (figure) } } })
}

fn circuits(arrays: &Arrays, labels: &Labels) -> Result<Markup, ReportError> {
    let (tokens, positions) = (labels.tokens.as_slice(), labels.positions.as_slice());
    let by_head = [
        ("W_OV_full", "OV", ("source token", tokens), ("prediction", tokens)),
        ("W_QK_full", "QK as the post draws it", ("attending token", tokens), ("attended token", tokens)),
        ("QK_effective", "QK as the model scores", ("attending token", tokens), ("attended token", tokens)),
        ("W_QK_pos_query", "QK, positions attending", ("attending position", positions), ("attended token", tokens)),
        ("W_QK_pos_key", "QK, positions attended", ("attending token", tokens), ("attended position", positions)),
    ];
    let mut figures = Vec::new();
    for (name, title, rows, columns) in by_head {
        let values: ArrayView3<f32> = array::<Ix3>(arrays, name, "[head, row, column]")?;
        let ramp = Ramp::Diverging(largest(values.iter()));
        for (head, values) in values.outer_iter().enumerate() {
            let svg = Heatmap { values, rows, columns, ramp }.svg(440)?;
            figures.push(figure(&format!("{title}, head 0.{head}"), &svg));
        }
    }
    let values: ArrayView2<f32> = array::<Ix2>(arrays, "direct_path", "[source, prediction]")?;
    let (rows, columns) = (("source token", tokens), ("prediction", tokens));
    let svg = Heatmap { values, rows, columns, ramp: Ramp::Diverging(largest(values.iter())) }.svg(440)?;
    figures.push(figure("Direct path", &svg));
    Ok(html! { div.figures { @for figure in figures { (figure) } } })
}

fn largest<'a>(values: impl Iterator<Item = &'a f32>) -> f32 {
    values.filter(|value| value.is_finite()).fold(f32::MIN_POSITIVE, |max, value| max.max(value.abs()))
}

fn figure(title: &str, svg: &str) -> Markup {
    html! { figure { figcaption { (title) } (PreEscaped(svg)) } }
}
