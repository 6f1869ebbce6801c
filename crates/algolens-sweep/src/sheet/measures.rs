//! Loss and accuracy of runs, over what differs.

use super::{Runs, number};
use crate::{
    Column, Plan, Row, Values,
    table::{share, table},
};
use algolens::interpret::{Arrays, Cell, Figure, Item, Known, Plot, Section, Table, Unit};
use ndarray::Array2;
use serde_json::Value;

/// Loss and accuracy: a dot for each run, and how far runs lie apart.
pub(super) fn section(plan: &Plan, runs: &Runs, arrays: &mut Arrays) -> Section {
    let losses = sorted(runs.rows.iter().filter_map(|row| Some(row.evaluation?.loss)));
    let headline = match (losses.first(), losses.last()) {
        (Some(least), Some(most)) => format!("loss {} to {} nats", Unit::Nats.number(*least), Unit::Nats.number(*most)),
        _ => "no run came to its end".into(),
    };
    let mut items = figure(plan, runs, arrays);
    items.push(Item::Table(spread(runs)));
    items.extend(each(plan, runs).map(Item::Table));
    Section {
        id: "measures".into(),
        title: "Loss and accuracy".into(),
        headline,
        caption: "Every run over any field that differs, measure or claim.".into(),
        items,
    }
}

/// The columns of a figure: fields that differ come first.
fn columns(plan: &Plan, runs: &Runs) -> Vec<(String, Vec<Option<f64>>)> {
    let swept = plan.swept();
    let column = |Column { name, values }: Column| {
        let is_swept = swept.contains(&&name);
        match (values.numbers(), values) {
            (Some(numbers), _) => Some((name, numbers)),
            (None, Values::Texts(texts)) if is_swept => Some(coded(&name, &texts)),
            _ => None,
        }
    };
    let has_numbers = |(_, numbers): &(String, Vec<Option<f64>>)| numbers.iter().any(Option::is_some);
    table(runs.rows).into_iter().filter_map(column).filter(has_numbers).collect()
}

/// Texts as numbers, which the name of the column explains.
fn coded(name: &str, texts: &[Option<String>]) -> (String, Vec<Option<f64>>) {
    let mut known: Vec<&String> = texts.iter().flatten().collect();
    known.sort();
    known.dedup();
    let code = |text: &String| known.binary_search(&text).ok().map(|at| at as f64);
    let words: Vec<String> = known.iter().enumerate().map(|(at, text)| format!("{at}: {text}")).collect();
    (format!("{name} ({})", words.join(", ")), texts.iter().map(|text| text.as_ref().and_then(code)).collect())
}

fn figure(plan: &Plan, runs: &Runs, arrays: &mut Arrays) -> Vec<Item> {
    let columns = columns(plan, runs);
    let Some(loss) = columns.iter().position(|(name, _)| name == "loss") else { return Vec::new() };
    // Seeds are only where nothing else differs.
    let over =
        columns.iter().position(|(name, _)| plan.swept().iter().any(|path| name.starts_with(*path) && *path != "seed"));
    let number = |run: usize, column: usize| columns[column].1[run].map_or(f32::NAN, |value| value as f32);
    let values = Array2::from_shape_fn((runs.rows.len(), columns.len()), |(run, column)| number(run, column));
    arrays.insert("runs".into(), values.into_dyn());
    let plot = Plot::Runs {
        values: "runs".into(),
        columns: columns.iter().map(|(name, _)| name.clone()).collect(),
        names: runs.names.clone(),
        links: runs.links.clone(),
        chosen: [over.unwrap_or(0), loss],
    };
    vec![Item::Figure(Figure {
        id: "runs".into(),
        title: "Each run, by what differs and what it came to".into(),
        how: "A dot is a run; both axes can be chosen. A ringed dot has a report, which a click opens.".into(),
        plot,
    })]
}

/// Every run in a line, where there are not too many.
fn each(plan: &Plan, runs: &Runs) -> Option<Table> {
    const MOST: usize = 64;
    let swept = plan.swept();
    let row = |row: &Row| {
        let known = row.known.as_ref().map_or_else(String::new, Known::headline);
        let mut cells = vec![Cell::text(row.run.as_str())];
        cells.extend(
            swept.iter().map(|path| Cell::text(row.fields.get(*path).map_or_else(String::new, Value::to_string))),
        );
        cells.push(number(row.evaluation.map(|found| found.loss), Unit::Nats));
        cells.push(number(row.evaluation.map(|found| found.token_accuracy), Unit::Accuracy));
        cells.push(Cell::text(known));
        cells
    };
    let columns = ["run"].into_iter().chain(swept.iter().map(|path| path.as_str()));
    let columns = columns.chain(["loss, nats", "tokens right", "examples right"]).map(String::from).collect();
    (runs.rows.len() <= MOST).then(|| Table {
        id: "each".into(),
        caption: "Every run".into(),
        columns,
        rows: runs.rows.iter().map(row).collect(),
    })
}

/// How far runs lie apart.
fn spread(runs: &Runs) -> Table {
    let evaluated = |of: fn(&algolens::evaluation::Evaluation) -> f64| {
        sorted(runs.rows.iter().filter_map(|row| row.evaluation.as_ref().map(of)))
    };
    let least = |is: fn(&Known) -> bool| {
        sorted(
            runs.rows
                .iter()
                .filter_map(|row| row.known.as_ref().filter(|known| is(known)).map(|known| share(known)[0])),
        )
    };
    let measures = [
        ("loss, nats", evaluated(|found| found.loss), Unit::Nats),
        ("mean probability of what is right", evaluated(|found| found.mean_prob), Unit::Probability),
        ("tokens right", evaluated(|found| found.token_accuracy), Unit::Accuracy),
        ("examples right", evaluated(|found| found.list_accuracy), Unit::Accuracy),
        ("all inputs right, counted", least(|known| matches!(known, Known::Exact { .. })), Unit::Accuracy),
        ("all inputs right, at least (99.9 %)", least(|known| matches!(known, Known::Sampled { .. })), Unit::Accuracy),
    ];
    let row = |(name, numbers, unit): (&str, Vec<f64>, Unit)| {
        let at = |share: f64| Cell::Number(quantile(&numbers, share), unit);
        let count = Cell::Number(numbers.len() as f64, Unit::Count);
        vec![Cell::text(name), count, at(0.0), at(0.25), at(0.5), at(0.75), at(1.0)]
    };
    Table {
        id: "spread".into(),
        caption: "How far runs lie apart".into(),
        columns: ["", "runs", "least", "lower quarter", "median", "upper quarter", "most"].map(String::from).to_vec(),
        rows: measures.into_iter().filter(|(_, numbers, _)| !numbers.is_empty()).map(row).collect(),
    }
}

/// Numbers in their order, without what is none.
pub(super) fn sorted(numbers: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut numbers: Vec<f64> = numbers.filter(|number| !number.is_nan()).collect();
    numbers.sort_by(f64::total_cmp);
    numbers
}

/// The number of some in order below which a share of them is: between two neighbours in proportion, as NumPy has it.
pub(super) fn quantile(sorted: &[f64], share: f64) -> f64 {
    let at = share * (sorted.len() - 1) as f64;
    let (low, high) = (sorted[at.floor() as usize], sorted[at.ceil() as usize]);
    if at.fract() == 0.0 { low } else { low + (high - low) * at.fract() }
}
