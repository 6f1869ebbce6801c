//! Charts of the chosen example: what is predicted, what attends to what, and why.

use super::{
    panel::{Bars, Chart, Content, Grid, Hue, Layer, Look, Mark, Names, Panel, Scale, Shape},
    source::{Chosen, Source, largest_of},
    words::{self, brief, exact, label, row},
};
use crate::ReportError;
use algolens::interpret::{AxisLabels, KEY_TERMS, Prediction, QUERY_TERMS, ShownExample};
use ndarray::{ArrayView4, Axis};

/// Probabilities of the chosen example: rings on the right answers, crosses on wrong predictions.
pub(super) fn probs(source: Source) -> Result<Chart, ReportError> {
    let probs = source.arrays().matrix("probs", &[Source::EXAMPLE])?;
    let (example, query) = source.example()?;
    let (classes, shown) = (source.axis_labels(AxisLabels::Classes), source.shown());
    let places: Vec<String> = source.positions().iter().map(|at| source.place(example, *at)).collect();
    let ShownExample { prediction, .. } = example;
    let mark =
        |column: usize, class: u32, shape: Shape| shown.place_of_class(class).map(|row| Mark { row, column, shape });
    let scored = |column: &usize| prediction.correct_at[*column].is_some();
    let expected = prediction.expected.iter().enumerate().filter(|(column, _)| scored(column));
    let rings = expected.flat_map(|(column, right)| right.classes().iter().map(move |class| (column, *class)));
    let rings = rings.filter_map(|(column, class)| mark(column, class, Shape::Ring));
    let wrong = (0..places.len()).filter(|column| prediction.correct_at.get(*column) == Some(&Some(false)));
    let crosses = wrong.flat_map(|column| {
        let said = prediction.predicted[column].classes().iter();
        said.filter(move |class| !prediction.expected[column].classes().contains(class))
            .map(move |class| (column, *class))
    });
    let crosses = crosses.filter_map(|(column, class)| mark(column, class, Shape::Cross));
    let rows = Names { title: "prediction".into(), labels: (0..probs.nrows()).map(|at| label(&classes, at)).collect() };
    let columns = Names::new("token (position) the prediction is made at", &places);
    let layer = Layer { cells: probs.to_owned(), scale: Scale::Probability };
    let table = words::matrix("prediction", &rows.labels, &places, probs);
    let mut grid = Grid::new(rows, columns, layer, "probability", Look::Wide);
    grid.marks = rings.chain(crosses).collect();
    let framed = source.positions().iter().position(|at| *at == query);
    grid.frames = framed.map(|column| (0..probs.nrows(), column..column + 1)).into_iter().collect();
    Ok(Chart::of(right_answers(prediction), Content::Grid(grid), table))
}

/// How many answers are right, and the least probability of a right answer.
fn right_answers(prediction: &Prediction) -> String {
    let Some(least) = prediction.least_prob() else { return "No answer is scored".into() };
    let scored = || prediction.correct_at.iter().flatten();
    let wrong = scored().filter(|correct| !**correct).count();
    let right = match (wrong, scored().count()) {
        (0, 1) => "The answer is right".into(),
        (0, count) => format!("All {count} answers are right"),
        (_, count) => format!("{wrong} of {count} answers {} wrong", if wrong == 1 { "is" } else { "are" }),
    };
    format!("{right}; the least probable right answer has {}", brief(least))
}

/// Most heads whose patterns stand side by side.
const HEADS_ACROSS: usize = 4;

/// The pattern of every head on the chosen example.
pub(super) fn thumbs(source: Source, title: &str) -> Result<Chart, ReportError> {
    let Chosen { example, pattern, .. } = source.chosen()?;
    let heads = source.heads();
    let names = Names { title: String::new(), labels: Vec::new() };
    let panel = |(at, weights): (usize, ndarray::ArrayView2<f32>)| {
        let layer = Layer { cells: weights.to_owned(), scale: Scale::Tint(Hue::Head(at)) };
        let content = Content::Grid(Grid::new(names.clone(), names.clone(), layer, "", Look::Bare));
        Panel { title: format!("head {}", heads[at]), content }
    };
    let line = |((head, query, key), weight): ((usize, usize, usize), &f32)| {
        let places = [query, key].map(|position| source.place(example, position));
        row(&[&heads[head].to_string()], places.into_iter().chain([exact(*weight)]))
    };
    let head = row(&["head", "query", "key", "weight"], []);
    let table = [head].into_iter().chain(pattern.indexed_iter().map(line)).collect();
    let title = format!("{title}: {}", all_tokens(source, example));
    let panels = pattern.outer_iter().enumerate().map(panel).collect();
    Ok(Chart { title, legend: Vec::new(), panels, across: heads.len().min(HEADS_ACROSS), table })
}

/// The patterns of the shown heads over each other: the query's row and the chosen cell are framed.
pub(super) fn pattern(source: Source) -> Result<Chart, ReportError> {
    let Chosen { example, pattern, query, key } = source.chosen()?;
    let (heads, shown) = (source.heads(), source.shown_heads());
    let len = example.prediction.tokens.len();
    let labels: Vec<String> = (0..len).map(|position| source.token_at(example, position)).collect();
    let scale = |head: usize| if shown.len() == 1 { Scale::Probability } else { Scale::Tint(Hue::Head(head)) };
    let layer = |head: &usize| Layer { cells: pattern.index_axis(Axis(0), *head).to_owned(), scale: scale(*head) };
    let (rows, columns) = (Names::new("query token", &labels), Names::new("key token", &labels));
    let mut grid = Grid::new(rows, columns, layer(&0), "attention weight", Look::Square);
    grid.layers = shown.iter().map(layer).collect();
    grid.frames = vec![(query..query + 1, 0..len), (query..query + 1, key..key + 1)];
    let most = shown.iter().map(|head| {
        let weights = pattern.index_axis(Axis(0), *head).row(query).to_owned();
        let key = largest_of(weights.view()).unwrap_or(0);
        let place = source.place(example, key);
        format!("head {} attends most to {place}, weight {:.2}", heads[*head], weights[key])
    });
    let title = format!("From {}, {}", source.place(example, query), most.collect::<Vec<_>>().join("; "));
    let pairs = (0..len).flat_map(|query| (0..len).map(move |key| (query, key)));
    let line = |(query, key): (usize, usize)| weights_row(source, example, &[], (query, key), &shown, pattern);
    let table = [weights_head(source, &["query", "key"], &shown)].into_iter().chain(pairs.map(line)).collect();
    Ok(Chart::of(title, Content::Grid(grid), table).with_legend(legend(source, &shown)))
}

/// What the query attends to, and what attends to it, token by token.
pub(super) fn tokens(source: Source, title: &str) -> Result<Chart, ReportError> {
    let Chosen { example, pattern, query, .. } = source.chosen()?;
    let (shown, len) = (source.shown_heads(), example.prediction.tokens.len());
    let place = source.place(example, query);
    let directions =
        [("attends", format!("{place} attends to"), true), ("attended", format!("{place} is attended to by"), false)];
    let pair = |of_query: bool, other: usize| if of_query { (query, other) } else { (other, query) };
    let labels: Vec<String> = (0..len).map(|position| source.token_at(example, position)).collect();
    let panels = directions.iter().map(|(_, heading, of_query)| {
        let weights = |head: &usize| {
            let weight = |other| {
                let (query, key) = pair(*of_query, other);
                f64::from(pattern[[*head, query, key]])
            };
            (Hue::Head(*head), (0..len).map(weight).collect())
        };
        let (names, series) = (Names::new("", &labels), shown.iter().map(weights).collect());
        let bars = Bars { names, series, unit: "weight".into(), chosen: Some(query) };
        Panel { title: heading.clone(), content: Content::Bars(bars) }
    });
    let lines = directions.iter().flat_map(|(name, _, of_query)| {
        let shown = &shown;
        (0..len).map(move |other| weights_row(source, example, &[name], pair(*of_query, other), shown, pattern))
    });
    let table = [weights_head(source, &["direction", "query", "key"], &shown)].into_iter().chain(lines).collect();
    let (title, legend) = (format!("{title}: {}", all_tokens(source, example)), legend(source, &shown));
    Ok(Chart { title, legend, panels: panels.collect(), across: 1, table })
}

/// The score of the chosen pair as a sum of terms.
pub(super) fn terms(source: Source) -> Result<Chart, ReportError> {
    let Chosen { example, query, key, .. } = source.chosen()?;
    let (heads, shown) = (source.heads(), source.first_heads());
    let slot = source.positions().iter().position(|at| *at == query);
    let names: Vec<String> =
        QUERY_TERMS.iter().flat_map(|query| KEY_TERMS.iter().map(move |key| format!("{query} → {key}"))).collect();
    let of_head = |head: &usize| -> Result<Vec<f64>, ReportError> {
        let all: ArrayView4<f32> = source.arrays().part("score_terms", &[Source::EXAMPLE, *head])?;
        let seen = source.sees(query, key);
        let term = |query: usize, term: usize| {
            let slot = slot.filter(|_| seen)?;
            all.get([query, term, slot, key]).copied()
        };
        let terms = (0..QUERY_TERMS.len()).flat_map(|q| (0..KEY_TERMS.len()).map(move |k| term(q, k)));
        Ok(terms.map(|term| term.map_or(f64::NAN, f64::from)).collect())
    };
    let columns = shown.iter().map(of_head).collect::<Result<Vec<_>, _>>()?;
    let totals: Vec<f64> = columns.iter().map(|terms| terms.iter().sum()).collect();
    let words = shown.iter().zip(&totals).map(|(head, total)| {
        let head = heads[*head];
        if total.is_nan() {
            format!("head {head} cannot see this key")
        } else {
            format!("head {head} scores {}", brief(*total))
        }
    });
    let pair = [query, key].map(|position| source.place(example, position)).join(" → ");
    let title = format!("{pair}: {}", words.collect::<Vec<_>>().join(", "));
    let line = |(at, name): (usize, &String)| row(&[name], columns.iter().map(|terms| exact(terms[at] as f32)));
    let head = row(&["term"], shown.iter().map(|head| format!("head {}", heads[*head])));
    let total = row(&["total"], totals.iter().map(|total| exact(*total)));
    let table = [head].into_iter().chain(names.iter().enumerate().map(line)).chain([total]).collect();
    let labels: Vec<String> = names.into_iter().chain(["total".into()]).collect();
    let series = shown.iter().zip(columns).zip(totals);
    let series = series.map(|((head, terms), total)| (Hue::Head(*head), terms.into_iter().chain([total]).collect()));
    let names = Names::new("term of the score: query → key", &labels);
    let bars = Bars { names, series: series.collect(), unit: "score (logits)".into(), chosen: None };
    Ok(Chart::of(title, Content::Bars(bars), table).with_legend(legend(source, &shown)))
}

/// The tokens of an example.
fn all_tokens(source: Source, example: &ShownExample) -> String {
    let tokens = (0..example.prediction.tokens.len()).map(|position| source.token_at(example, position));
    tokens.collect::<Vec<_>>().join(" ")
}

fn legend(source: Source, shown: &[usize]) -> Vec<(Hue, String)> {
    let heads = source.heads();
    shown.iter().map(|head| (Hue::Head(*head), format!("head {}", heads[*head]))).collect()
}

/// The headings of a table of weights.
fn weights_head(source: Source, first: &[&str], shown: &[usize]) -> Vec<String> {
    row(first, legend(source, shown).into_iter().map(|(_, name)| name))
}

/// The weights of a pair of positions in each shown head.
fn weights_row(
    source: Source,
    example: &ShownExample,
    first: &[&str],
    (query, key): (usize, usize),
    shown: &[usize],
    pattern: ndarray::ArrayView3<f32>,
) -> Vec<String> {
    let places = [query, key].map(|position| source.place(example, position));
    row(first, places.into_iter().chain(shown.iter().map(|head| exact(pattern[[*head, query, key]]))))
}
