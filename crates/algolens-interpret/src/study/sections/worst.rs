//! The section about the examples that the model answers worst, and tables of examples.

use crate::{
    Answer, Unit,
    study::{
        data::Study,
        examples::{RANDOM, WORST},
        section::{Cell, Item, Section, Table},
    },
};

/// The examples with the least probability on a right answer; none where no prediction of them is scored.
pub(super) fn section(study: &Study) -> Option<Section> {
    let worst = study.examples.iter().find(|example| example.group == WORST)?;
    let least = worst.prediction.least_prob()?;
    let wrong = study.examples.iter().filter(|example| example.group == WORST && !example.prediction.correct).count();
    let words = (
        format!("{wrong} wrong"),
        format!(
            "Of {} the worst gets a probability of {least:.3} on a right answer.",
            if study.task.is_some() { "many random examples" } else { "the data" }
        ),
    );
    let tables = study.groups.iter().filter(|group| group.id != RANDOM);
    let tables = tables.filter_map(|group| examples_table(study, &group.id)).map(Item::Table).collect();
    Some(super::section("worst", "Worst inputs", words, tables))
}

/// The table of a group's examples: the first wrong answer of each; none without such examples.
pub(crate) fn examples_table(study: &Study, group: &str) -> Option<Table> {
    let title = &study.groups.iter().find(|candidate| candidate.id == group)?.title;
    let label = |labels: &[String], token: u32| labels.get(token as usize).map_or("?", String::as_str).to_owned();
    let examples = study.examples.iter().enumerate().filter(|(_, example)| example.group == group);
    let row = |(at, example): (usize, &super::super::examples::ShownExample)| {
        let tokens = example.input.iter().map(|token| label(&study.labels.tokens, *token)).collect::<Vec<_>>();
        let prediction = &example.prediction;
        let wrong = prediction.correct_at.iter().position(|correct| *correct == Some(false));
        let class = |token: u32| label(&study.labels.classes, token);
        let classes = |answer: &Answer| answer.classes().iter().map(|at| class(*at)).collect::<Vec<_>>().join(", ");
        let mut cells = vec![Cell::Text(tokens.join(" "))];
        cells.extend(match wrong {
            None if !prediction.is_scored() => [Cell::text("not scored"), Cell::Empty, Cell::Empty],
            None => [Cell::text("all right"), Cell::Empty, Cell::Empty],
            Some(slot) => [
                Cell::Wrong { said: classes(&prediction.predicted[slot]), right: classes(&prediction.expected[slot]) },
                Cell::Number(prediction.prob_expected[slot], Unit::Probability),
                Cell::Number(prediction.prob_predicted[slot], Unit::Probability),
            ],
        });
        cells.push(Cell::Example(at));
        cells
    };
    Some(Table {
        id: format!("examples-{group}"),
        caption: title.clone(),
        columns: ["input", "first wrong answer", "p(right)", "p(said)", ""].map(String::from).to_vec(),
        rows: examples.map(row).collect(),
    })
}
