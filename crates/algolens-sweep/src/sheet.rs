//! The page of a sweep.

mod claims;
mod measures;

use crate::{Plan, Row, Standout, row::said};
use algolens::interpret::{Arrays, Cell, Item, Note, Section, Table, Unit};
use algolens_report::Sheet;

/// The page of some runs of a plan, those that stand out linked to their reports.
pub fn sheet(plan: &Plan, rows: &[Row], standouts: &[Standout]) -> Sheet {
    let runs = Runs::new(rows, standouts);
    let mut arrays = Arrays::new();
    let mut sections = vec![what(plan, rows), measures::section(plan, &runs, &mut arrays)];
    sections.extend(claims::section(&runs, &mut arrays));
    sections.extend(outstanding(&runs, standouts));
    sections.extend(failures(rows));
    let failed = rows.iter().filter(|row| row.error.is_some()).count();
    let headline = match failed {
        0 => counted(rows.len(), "run"),
        failed => format!("{}, {failed} of them failed", counted(rows.len(), "run")),
    };
    let origin = format!("algolens {}, a sweep of {headline}", env!("CARGO_PKG_VERSION"));
    Sheet { title: format!("Sweep: {}", tasks(rows)), headline, origin, sections, arrays }
}

/// Runs with their names and the pages that they have.
struct Runs<'a> {
    rows: &'a [Row],
    names: Vec<String>,
    links: Vec<Option<String>>,
}

impl<'a> Runs<'a> {
    fn new(rows: &'a [Row], standouts: &[Standout]) -> Self {
        let mut links = vec![None; rows.len()];
        standouts.iter().for_each(|one| links[one.run] = Some(one.report()));
        // What differs says more than a number.
        let name = |row: &Row| format!("{} ({})", row.run, said(&row.fields));
        Self { rows, names: rows.iter().map(name).collect(), links }
    }
}

/// A number with its unit, if there is one.
fn number(value: Option<f64>, unit: Unit) -> Cell {
    value.map_or(Cell::Empty, |value| Cell::Number(value, unit))
}

/// So many things, in words.
fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// The tasks of the runs, in words.
fn tasks(rows: &[Row]) -> String {
    let mut tasks: Vec<String> =
        rows.iter().filter_map(|row| Some(row.recipe.as_ref()?.task.as_ref()?.to_string())).collect();
    tasks.sort_unstable();
    tasks.dedup();
    match &tasks[..] {
        [] => "no task".into(),
        [task] => task.clone(),
        [first, ..] => format!("{first} and {}", counted(tasks.len() - 1, "more task")),
    }
}

/// What was run.
fn what(plan: &Plan, rows: &[Row]) -> Section {
    const SHOWN: usize = 8;
    let words = |values: Vec<String>| match values.len() {
        ..=SHOWN => values.join(", "),
        many => format!("{}, … to {} ({many} values)", values[..3].join(", "), values[many - 1]),
    };
    let fact = |name: &str, value: String| vec![Cell::text(name), Cell::text(value)];
    let done = rows.iter().filter(|row| row.error.is_none()).count();
    let mut facts =
        vec![fact("task", tasks(rows)), fact("runs", format!("{done} of {} came to their end", rows.len()))];
    for (path, values) in &plan.grid {
        facts.push(fact(path, words(values.iter().map(ToString::to_string).collect())));
    }
    for (path, draw) in plan.sample.iter().flat_map(|sample| &sample.fields) {
        facts.push(fact(path, format!("drawn: {}", draw.words())));
    }
    for (path, value) in plan.recipe.iter().filter(|(path, _)| *path != "task" && !plan.swept().contains(path)) {
        facts.push(fact(path, value.to_string()));
    }
    facts.push(fact("studied on", format!("{} examples of seed {}", plan.study.size, plan.study.seed)));
    let origins = rows.iter().filter_map(|row| row.provenance.as_ref());
    let mut machines: Vec<String> =
        origins.map(|origin| format!("{} backend, {}", origin.backend, origin.vectors)).collect();
    machines.sort_unstable();
    machines.dedup();
    facts.push(fact("computed by", format!("algolens {} ({})", env!("CARGO_PKG_VERSION"), machines.join("; "))));
    let table = Table {
        id: "what".into(),
        caption: "What all runs share, and what differs".into(),
        columns: Vec::new(),
        rows: facts,
    };
    Section {
        id: "what".into(),
        title: "What was run".into(),
        headline: counted(rows.len(), "run"),
        caption:
            "Each run trains a model by its recipe and studies it; what is not said is as the task's own recipe has it."
                .into(),
        items: vec![Item::Table(table)],
    }
}

/// The runs that stand out.
fn outstanding(runs: &Runs, standouts: &[Standout]) -> Option<Section> {
    if standouts.is_empty() {
        return None;
    }
    let row = |one: &Standout| {
        let row = &runs.rows[one.run];
        vec![
            Cell::Link { words: row.run.clone(), href: one.report() },
            Cell::text(said(&row.fields)),
            Cell::text(one.why.join("; ")),
            number(row.evaluation.map(|found| found.loss), Unit::Nats),
            number(row.evaluation.map(|found| found.token_accuracy), Unit::Accuracy),
        ]
    };
    let table = Table {
        id: "standouts".into(),
        caption: "Runs that stand out, each with its report".into(),
        columns: ["run", "fields", "why", "loss, nats", "tokens right"].map(String::from).to_vec(),
        rows: standouts.iter().map(row).collect(),
    };
    Some(Section {
        id: "standouts".into(),
        title: "Runs that stand out".into(),
        headline: counted(standouts.len(), "report"),
        caption: "Extremes, and those whose verdicts differ most from what more than two thirds of the runs have."
            .into(),
        items: vec![Item::Table(table)],
    })
}

/// The runs that failed.
fn failures(rows: &[Row]) -> Option<Section> {
    const SHOWN: usize = 50;
    let failed: Vec<&Row> = rows.iter().filter(|row| row.error.is_some()).collect();
    if failed.is_empty() {
        return None;
    }
    let row = |row: &&Row| {
        let error = row.error.as_ref().map_or(Cell::Empty, Cell::text);
        vec![Cell::text(row.run.as_str()), Cell::text(said(&row.fields)), error]
    };
    let table = Table {
        id: "failed".into(),
        caption: "Runs that failed, and why".into(),
        columns: ["run", "fields", "error"].map(String::from).to_vec(),
        rows: failed.iter().take(SHOWN).map(row).collect(),
    };
    let more = failed.len().saturating_sub(SHOWN);
    let note = Note { title: None, lines: vec![format!("{more} more are in `rows.parquet`.")] };
    let items = [Some(Item::Table(table)), (more > 0).then_some(Item::Note(note))];
    Some(Section {
        id: "failed".into(),
        title: "Runs that failed".into(),
        headline: format!("{} of {}", failed.len(), rows.len()),
        caption: "A run that fails has a row all the same, with as much as there was before.".into(),
        items: items.into_iter().flatten().collect(),
    })
}
