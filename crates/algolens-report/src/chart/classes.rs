//! Charts of a proof. A *class* here is a class of predictions.

use super::{
    panel::{Chart, Content, Grid, Hue, Layer, Look, Mark, Names, Scale, Shape, Stroke},
    source::Source,
    words::{brief, exact, label, row},
};
use crate::{Proof, ReportError, proof};
use algolens::{
    Error,
    check::certificate::{ClassStatus, Counterexample, Status},
    interpret::AttentionRow,
};
use ndarray::Array2;

/// Shares below this look alike.
const LEAST_UNPROVED: f64 = 1e-6;

/// What is proved of every class at the position of the one that costs the proof most.
pub(super) fn class_map(source: Source) -> Result<Chart, ReportError> {
    let proof = source.proof()?;
    let chosen = chosen(proof)?;
    let position = chosen.position;
    let classes: Vec<&ClassStatus> =
        proof.certificate.class_status.iter().filter(|class| class.position == position).collect();
    // The last token and the last class are the separator's.
    let values = |labels: &[String]| labels[..labels.len().saturating_sub(1)].to_vec();
    let rows = match position {
        0 => Names { title: String::new(), labels: vec!["SEP".into()] },
        _ => Names { title: "d: the token that predicts".into(), labels: values(&source.labels().tokens) },
    };
    let columns = Names { title: "y: the right answer".into(), labels: values(&source.labels().classes) };
    let layer = |status: Status, scale: Scale, number: fn(&ClassStatus) -> f64| {
        let mut cells = Array2::from_elem((rows.labels.len(), columns.labels.len()), f32::NAN);
        for class in classes.iter().filter(|class| class.status == status) {
            if let Some(cell) = cells.get_mut(cell(class)) {
                *cell = number(class) as f32;
            }
        }
        Layer { cells, scale }
    };
    let unproved = |class: &ClassStatus| (1.0 - class.right).max(LEAST_UNPROVED).log10();
    let layers = vec![
        layer(Status::Certified, Scale::Tint(Hue::Certified), |_| 1.0),
        layer(Status::Undecided, Scale::Tint(Hue::Undecided), |_| 1.0),
        layer(Status::Refuted, Scale::Unproved, unproved),
    ];
    let head = ["position", "d", "y", "status", "share", "not proved right", "proved wrong"];
    let line = |class: &&ClassStatus| {
        let names = [predicting(source, class), label(&source.labels().classes, class.target as usize)];
        let numbers = [class.share, 1.0 - class.right, class.wrong].map(exact);
        let status = words(class.status).to_owned();
        [position.to_string()].into_iter().chain(names).chain([status]).chain(numbers).collect()
    };
    let table = [row(&head, [])].into_iter().chain(classes.iter().map(line)).collect();
    let (at_row, at_column) = cell(chosen);
    let frames = vec![(at_row..at_row + 1, at_column..at_column + 1)];
    let unit = "share not proved right".into();
    let (look, marks, strokes) = (Look::Square, Vec::new(), Vec::new());
    let grid = Grid { rows, columns, layers, unit, look, frames, marks, strokes };
    let hues =
        [(Status::Certified, Hue::Certified), (Status::Refuted, Hue::Refuted), (Status::Undecided, Hue::Undecided)];
    let legend = hues.map(|(status, hue)| (hue, words(status).to_owned())).to_vec();
    Ok(Chart::of(counted(position, &classes), Content::Grid(grid), table).with_legend(legend))
}

/// The classes of a position by what is proved of them.
fn counted(position: usize, classes: &[&ClassStatus]) -> String {
    let count = |status: Status| classes.iter().filter(|class| class.status == status).count();
    let mass = |only: Option<Status>| -> f64 {
        classes.iter().filter(|class| only.is_none_or(|status| class.status == status)).map(|class| class.share).sum()
    };
    let certified = brief(100.0 * mass(Some(Status::Certified)) / mass(None));
    format!(
        "Position {position}: {} of {} classes, with {certified} % of its predictions, are right on every list; {} are wrong \
         on some, {} undecided",
        count(Status::Certified),
        classes.len(),
        count(Status::Refuted),
        count(Status::Undecided),
    )
}

/// A list of the chosen class that is predicted wrong, and what the heads of the first block attend to there.
pub(super) fn counterexample(source: Source) -> Result<Chart, ReportError> {
    let proof = source.proof()?;
    let class = chosen(proof)?;
    let classes = &source.labels().classes;
    let step = format!(
        "After {} at position {} comes {}: {}",
        predicting(source, class),
        class.position,
        label(classes, class.target as usize),
        words(class.status)
    );
    let found = proof.certificate.counterexamples.iter().flatten().zip(&proof.attention);
    let Some((wrong, attention)) = found.into_iter().find(|(wrong, _)| proof::class_of(wrong) == Some(class.class()))
    else {
        let token = class.token.map_or("SEP".into(), |token| token.to_string());
        let name = format!("{}-{token}-{}", class.position, class.target);
        let table = vec![row(&["class", "status"], []), row(&[&name, words(class.status)], [])];
        return Ok(Chart::of(step, Content::Words(no_list(class.status).into()), table));
    };
    let list: Vec<String> = wrong.list.iter().map(|token| label(&source.labels().tokens, *token as usize)).collect();
    let said =
        format!("the model says {} (margin {} logits)", label(classes, wrong.predicted as usize), brief(wrong.margin));
    strip(source, format!("{step}. For {} {said}", list.join(" ")), wrong, attention)
}

/// A strip of attention for each head, marks above it.
fn strip(
    source: Source,
    title: String,
    wrong: &Counterexample,
    AttentionRow { keys, attention }: &AttentionRow,
) -> Result<Chart, ReportError> {
    let heads = source.heads();
    let tokens: Vec<String> = keys.iter().map(|key| label(&source.labels().tokens, *key as usize)).collect();
    // The first row is that of the marks.
    let cells = Array2::from_shape_fn((attention.len() + 1, keys.len()), |(row, key)| {
        row.checked_sub(1).and_then(|head| attention[head].get(key)).copied().unwrap_or(f32::NAN)
    });
    let named: Vec<String> =
        (0..attention.len()).map(|at| heads.get(at).map_or(String::new(), ToString::to_string)).collect();
    let rows =
        Names { title: "head".into(), labels: [String::new()].into_iter().chain(named.iter().cloned()).collect() };
    let columns = Names::new("list, SEP, sorted so far", &tokens);
    let layer = Layer { cells, scale: Scale::Probability };
    let mut grid = Grid::new(rows, columns, layer, "attention", Look::Wide);
    let over = |token: u32| keys.iter().enumerate().filter(move |(_, key)| **key == token).map(|(column, _)| column);
    let rings = over(wrong.expected).map(|column| Mark { row: 0, column, shape: Shape::Ring });
    grid.marks =
        rings.chain(over(wrong.predicted).map(|column| Mark { row: 0, column, shape: Shape::Cross })).collect();
    let bottom = attention.len() as f64 + 0.5;
    let beside = |column: f64| Stroke { from: (-0.5, column), to: (bottom, column), hue: Hue::Undecided, thick: false };
    grid.strokes = [-0.5, 0.5].map(|by| beside(wrong.list.len() as f64 + by)).into();
    let line = |(key, token): (usize, &String)| {
        let percents = attention.iter().map(|row| exact(100.0 * row.get(key).copied().unwrap_or(f32::NAN)));
        row(&[&key.to_string(), token], percents)
    };
    let head = row(&["key", "token"], named.iter().map(|head| format!("head {head} (percent)")));
    let table = [head].into_iter().chain(tokens.iter().enumerate().map(line)).collect();
    Ok(Chart::of(title, Content::Grid(grid), table))
}

/// The class that costs the proof most.
fn chosen(proof: &Proof) -> Result<&ClassStatus, ReportError> {
    let cost = |class: &ClassStatus| proof::rounded(class.share) * proof::rounded(1.0 - class.right);
    let dearer = |best: Option<&'_ ClassStatus>, class: &ClassStatus| best.is_none_or(|best| cost(class) > cost(best));
    let classes = proof.certificate.class_status.iter();
    let chosen = classes.fold(None, |best, class| if dearer(best, class) { Some(class) } else { best });
    Ok(chosen.ok_or_else(|| Error::invalid("the proof", "at least one class", 0))?)
}

/// The row and the column of a class on its map.
fn cell(class: &ClassStatus) -> (usize, usize) {
    (class.token.map_or(0, |token| token as usize), class.target as usize)
}

fn predicting(source: Source, class: &ClassStatus) -> String {
    class.token.map_or("SEP".into(), |token| label(&source.labels().tokens, token as usize))
}

fn words(status: Status) -> &'static str {
    match status {
        Status::Certified => "right on every list",
        Status::Refuted => "wrong on some list",
        Status::Undecided => "undecided",
    }
}

/// Why there is no list of a class.
fn no_list(status: Status) -> &'static str {
    match status {
        Status::Certified => "Right on every list: there is no counterexample.",
        Status::Refuted => "The certificate holds no list of it.",
        Status::Undecided => "Undecided: neither proved nor refuted so far.",
    }
}
