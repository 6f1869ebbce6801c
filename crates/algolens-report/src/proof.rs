//! The section about a certificate, and the data of its figures. A *class* here is a class of predictions.

use crate::Proof;
use algolens::{
    check::certificate::{Bracket, Certificate, Class, ClassStatus, Counterexample, Status, Tally},
    interpret::{AttentionRow, Cell, Figure, Item, Note, Plot, Section, Table},
    task::{MaxOfList, SortedList, TaskKind, TaskSpec, Token},
};
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};

/// The section about a certificate.
pub(crate) fn section(certificate: &Certificate) -> Section {
    let range = |bracket: Bracket| format!("between {} and {}", at_least(bracket.lower), at_most(bracket.upper));
    let sorts = SortedList::of(&certificate.model.task).is_ok();
    let caption = format!(
        "Of all {} lists {} are {}right, and of all predictions {} are right: proved, not sampled.",
        all_lists(&certificate.model.task),
        range(certificate.list_accuracy),
        if sorts { "sorted " } else { "" },
        range(certificate.token_accuracy),
    );
    let a_class = if sorts {
        "A class is what predictions have in common: the position i in the sorted list, the token d that predicts (SEP at \
         position 0), and the right answer y."
    } else {
        "A class is what predictions have in common: which prediction it is, the number that predicts, if one does, and the \
         right answer."
    };
    let about = format!(
        "{a_class} Found in {:.0} s; a longer `algolens certify` narrows the bounds, and `algolens check` verifies the \
         certificate with code of its own.",
        certificate.seconds
    );
    let tables = vec![Item::Table(classes(certificate.classes, certificate.mass)), Item::Table(accuracy(certificate))];
    let mut items = vec![Item::Row(tables), Item::Note(Note { title: None, lines: vec![about] })];
    if sorts {
        items.extend(sorting_figures())
    } else {
        items.extend(worst(certificate).map(Item::Table))
    }
    Section {
        id: "proof".into(),
        title: "Proof".into(),
        headline: format!("≥ {} of lists", at_least(certificate.list_accuracy.lower)),
        caption,
        items,
    }
}

/// The figures of a certificate about sorting.
fn sorting_figures() -> [Item; 2] {
    [
        Item::Figure(Figure {
            id: "class-map".into(),
            title: "Every class of predictions".into(),
            how: "A cell is all lists in which y comes after d at this position; the darker, the larger the share of them \
                  that may be wrong. Choose a cell to see a list of it below."
                .into(),
            plot: Plot::ClassMap,
        }),
        Item::Figure(Figure {
            id: "counterexample".into(),
            title: "A list that is predicted wrong".into(),
            how: "What each head attends to where the model is wrong: the list, SEP, and what is sorted so far; the last \
                  token predicts. The ring is the right answer; a cross is what the model says instead."
                .into(),
            plot: Plot::Counterexample,
        }),
    ]
}

/// The table of lists that are predicted wrong, the worst first, or of the one with the least margin; none where no list was
/// evaluated.
fn worst(certificate: &Certificate) -> Option<Table> {
    /// The most lists that are shown.
    const MOST: usize = 20;
    let mut found: Vec<&Counterexample> = certificate.counterexamples.iter().flatten().collect();
    found.sort_by(|a, b| a.margin.total_cmp(&b.margin));
    if found.is_empty() {
        found.extend(&certificate.worst);
    }
    let row = |found: &&Counterexample| {
        let list: Vec<String> = found.list.iter().map(ToString::to_string).collect();
        let numbers = [found.predicted.to_string(), found.expected.to_string(), format!("{:.3}", found.margin)];
        [list.join(" "), found.position.to_string()].into_iter().chain(numbers).map(Cell::Text).collect()
    };
    let rows: Vec<Vec<Cell>> = found.iter().take(MOST).map(row).collect();
    (!rows.is_empty()).then(|| Table {
        id: "worst-lists".into(),
        caption: "Lists with the least margins, a class each".into(),
        columns: ["list", "prediction", "says", "right is", "margin"].map(String::from).to_vec(),
        rows,
    })
}

/// The number of lists of a task, as a formula: sets of values times their orders, or a power.
fn all_lists(task: &TaskSpec) -> String {
    if let Ok(task) = MaxOfList::of(task) {
        let (list_len, values) = (task.list_len(), f64::from(task.max() + 1));
        return format!("{values}^{list_len} = {:.3e}", values.powi(list_len as i32));
    }
    let Ok(task) = SortedList::of(task) else { return String::new() };
    let (list_len, values) = (task.list_len(), task.max_value() as usize + 1);
    let count: f64 = (0..list_len).map(|taken| (values - taken) as f64).product();
    format!("C({values}, {list_len}) · {list_len}! = {count:.3e}")
}

/// A share in percent with three decimals, rounded down, so that what is proved stays true.
fn at_least(share: f64) -> String {
    format!("{:.3}\u{a0}%", (1e5 * share).floor() / 1e3)
}

/// A share in percent with three decimals, rounded up, so that what is proved stays true.
fn at_most(share: f64) -> String {
    format!("{:.3}\u{a0}%", (1e5 * share).ceil() / 1e3)
}

/// The table of classes by status.
fn classes(counts: Tally<usize>, mass: Tally<f64>) -> Table {
    let rows = [
        ("right on every list", counts.certified, mass.certified),
        ("wrong on some list", counts.refuted, mass.refuted),
        ("undecided", counts.undecided, mass.undecided),
    ];
    let row = |(what, count, mass): (&str, usize, f64)| {
        vec![Cell::text(what), Cell::Text(count.to_string()), Cell::Text(format!("{:.3}\u{a0}%", 100.0 * mass))]
    };
    Table {
        id: "classes".into(),
        caption: format!("The {} classes of predictions", counts.total),
        columns: ["", "classes", "of all predictions"].map(String::from).to_vec(),
        rows: rows.map(row).to_vec(),
    }
}

/// The table of proved accuracies.
fn accuracy(certificate: &Certificate) -> Table {
    let rows = [("predictions right", certificate.token_accuracy), ("lists right", certificate.list_accuracy)];
    let row = |(what, bracket): (&str, Bracket)| {
        let sampled = format!("{:.3}\u{a0}%", 100.0 * bracket.sampled);
        [what.to_owned(), at_least(bracket.lower), at_most(bracket.upper), sampled].map(Cell::Text).to_vec()
    };
    Table {
        id: "proved".into(),
        caption: format!("Over all lists (sampled: {})", certificate.sampled_lists),
        columns: ["", "at least", "at most", "sampled"].map(String::from).to_vec(),
        rows: rows.map(row).to_vec(),
    }
}

/// The data of the proof's figures: the classes as columns, in the order of the certificate.
#[derive(Serialize)]
pub(crate) struct ProofData<'a> {
    positions: Vec<usize>,
    tokens: Vec<Option<Token>>,
    targets: Vec<Token>,
    /// One letter per class: c(ertified), r(efuted), u(ndecided).
    status: String,
    /// Share of all predictions.
    share: Vec<f64>,
    /// Share of each class's lists that are not proved correct.
    unproved: Vec<f64>,
    /// Share of each class's lists that are proved wrong.
    wrong: Vec<f64>,
    /// Counterexamples by the number of their class.
    examples: BTreeMap<usize, Example<'a>>,
}

/// A counterexample: the list, the predicted token, the margin in logits, and the attention `[head][key]` in percent.
#[derive(Serialize)]
struct Example<'a>(&'a [Token], Token, f64, Vec<Vec<u8>>);

impl<'a> ProofData<'a> {
    /// Most classes that a page has room for.
    const MOST_CLASSES: usize = 60_000;
    /// Most numbers of all examples.
    const MOST_NUMBERS: usize = 400_000;

    /// The data of a proof's figures, which only sorting has; none if it has too many classes.
    pub fn new(proof: &'a Proof) -> Option<Self> {
        SortedList::of(&proof.certificate.model.task).ok()?;
        let classes = &proof.certificate.class_status;
        let column =
            |number: &dyn Fn(&ClassStatus) -> f64| classes.iter().map(|class| rounded(number(class))).collect();
        (classes.len() <= Self::MOST_CLASSES).then(|| Self {
            positions: classes.iter().map(|class| class.position).collect(),
            tokens: classes.iter().map(|class| class.token).collect(),
            targets: classes.iter().map(|class| class.target).collect(),
            status: classes.iter().map(|class| letter(class.status)).collect(),
            share: column(&|class| class.share),
            unproved: column(&|class| 1.0 - class.right),
            wrong: column(&|class| class.wrong),
            examples: examples(proof),
        })
    }
}

/// A status as a letter.
fn letter(status: Status) -> char {
    match status {
        Status::Certified => 'c',
        Status::Refuted => 'r',
        Status::Undecided => 'u',
    }
}

/// A number with four significant digits.
pub(crate) fn rounded(number: f64) -> f64 {
    format!("{number:.3e}").parse().unwrap_or(number)
}

/// Counterexamples by the number of their class, as many as a page has room for, those of the largest classes first.
fn examples(proof: &Proof) -> BTreeMap<usize, Example<'_>> {
    let classes = &proof.certificate.class_status;
    let numbers: HashMap<Class, usize> = classes.iter().map(ClassStatus::class).zip(0..).collect();
    let found = proof.certificate.counterexamples.iter().flatten().zip(&proof.attention);
    let mut found: Vec<_> =
        found.filter_map(|(wrong, row)| Some((*numbers.get(&class_of(wrong)?)?, wrong, row))).collect();
    found.sort_by(|(a, ..), (b, ..)| classes[*b].share.total_cmp(&classes[*a].share));
    let mut room = ProofData::MOST_NUMBERS;
    let fits = |(_, wrong, row): &(usize, &Counterexample, &AttentionRow)| {
        let rest = room.checked_sub(wrong.list.len() + row.keys.len() * row.attention.len());
        room = rest.unwrap_or(0);
        rest.is_some()
    };
    found.into_iter().take_while(fits).map(|(class, wrong, row)| (class, Example::new(wrong, row))).collect()
}

/// The class of a counterexample's wrong prediction.
pub(crate) fn class_of(wrong: &Counterexample) -> Option<Class> {
    let mut sorted = wrong.list.clone();
    sorted.sort_unstable();
    let position = wrong.position;
    let token = position.checked_sub(1).and_then(|before| sorted.get(before)).copied();
    Some(Class { position, token, target: *sorted.get(position)? })
}

impl<'a> Example<'a> {
    fn new(wrong: &'a Counterexample, row: &AttentionRow) -> Self {
        let percents = |weights: &Vec<f32>| weights.iter().map(|weight| (100.0 * weight).round() as u8).collect();
        Self(&wrong.list, wrong.predicted, rounded(wrong.margin), row.attention.iter().map(percents).collect())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use algolens::{check::certificate::Identity, model::Config};
    use serde_json::json;

    /// Lists of two values below three, with a list for class (1, 0, 2).
    pub(crate) fn proof() -> Proof {
        let class = |position, token, target, status, right| ClassStatus {
            position,
            token,
            target,
            share: 1.0 / 6.0,
            status,
            right,
            wrong: (1.0 - right) / 2.0,
        };
        let bracket = Bracket { lower: 0.98765432, upper: 0.98765432, sampled: 0.99 };
        let config: Config = serde_json::from_value(json!({
            "n_layers": 1, "n_heads": 1, "d_model": 2, "d_head": 2, "mlp": null, "n_ctx": 5, "d_vocab": 4, "d_vocab_out": 4,
            "normalization_type": "LN", "attention_dir": "causal", "positional_embedding_type": "standard", "eps": 1e-5,
        }))
        .unwrap();
        let task = algolens::task::Task::spec(&SortedList::new(2, 2).unwrap());
        let wrong = Counterexample { list: vec![2, 0], position: 1, predicted: 1, expected: 2, margin: -0.123456 };
        let certificate = Certificate {
            format: Certificate::FORMAT,
            model: Identity { sha256: String::new(), processing: Vec::new(), task, config },
            classes: Tally { total: 3, certified: 1, refuted: 1, undecided: 1 },
            mass: Tally { total: 0.5, certified: 0.25, refuted: 0.125, undecided: 0.125 },
            token_accuracy: bracket,
            list_accuracy: bracket,
            sampled_lists: 1000,
            worst: Some(wrong.clone()),
            slack: 1e-4,
            step: 1e-5,
            seconds: 1.0,
            work: 1,
            class_status: vec![
                class(0, None, 0, Status::Certified, 1.0),
                class(0, None, 1, Status::Undecided, 0.5),
                class(1, Some(0), 2, Status::Refuted, 1.0 - 1.23456e-7),
            ],
            counterexamples: Some(vec![wrong]),
            provenance: None,
            evidence: String::new(),
        };
        let row = AttentionRow { keys: vec![2, 0, 3, 0], attention: vec![vec![0.006, 0.25, 0.5, 0.244]] };
        Proof { certificate, attention: vec![row] }
    }

    #[test]
    fn classes_become_columns_and_lists_stand_by_their_class() {
        let proof = proof();
        let data = serde_json::to_value(ProofData::new(&proof)).unwrap();
        let expected = json!({
            "positions": [0, 0, 1], "tokens": [null, null, 0], "targets": [0, 1, 2], "status": "cur",
            "share": [0.1667, 0.1667, 0.1667], "unproved": [0.0, 0.5, 1.235e-7], "wrong": [0.0, 0.25, 6.173e-8],
            "examples": {"2": [[2, 0], 1, -0.1235, [[1, 25, 50, 24]]]},
        });
        assert_eq!(data, expected);
    }

    #[test]
    fn what_is_proved_is_rounded_to_the_safe_side() {
        let Section { headline, caption: text, .. } = section(&proof().certificate);
        assert_eq!(headline, "≥ 98.765\u{a0}% of lists");
        assert!(text.contains("C(3, 2) · 2! = 6.000e0") && text.contains("98.765\u{a0}% and 98.766\u{a0}%"), "{text}");
    }
}
