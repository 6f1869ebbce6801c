//! Attacks on models that sort lists, with proof.

use super::args::{Args, ListFlags};
use crate::{load::Opened, output, terminal::Terminal};
use algolens::{
    Error, Result,
    check::certificate::Counterexample,
    engine::{Engine, Plain},
    interpret::{Subject, predict},
    observer::Observer,
    prove::{
        self, Attack, AttackProgress, Classes, Failures, Family, Order, Restrictions, Sorter, Tables,
        failures_by_family,
    },
    task::{Dataset, SortedList, Task, Token},
};
use std::ops::ControlFlow;

/// The number of lists drawn for the rates of families.
const SAMPLED: usize = 20_000;
/// Passes of the oracle, where nobody says how many.
const WORK: u64 = 20_000_000;

/// Searches for the lists that a model sorts worst, whose tables are given, proves them worst, and shows them.
pub fn run(
    args: &Args,
    opened: &Opened,
    task: &SortedList,
    tables: &Tables,
    engine: &dyn Engine,
    terminal: &Terminal,
) -> Result<String> {
    let work = args.work.unwrap_or(WORK);
    if args.families {
        let sorter = Sorter { model: &opened.model, task, engine };
        let failures = watched(terminal, |watch| failures_by_family(sorter, tables, SAMPLED, work, watch))?;
        return if args.json { output::json(&failures) } else { Ok(families(&failures)) };
    }
    let (classes, restrictions) = (Classes::of(task)?, restrictions(args, task)?);
    let attack = watched(terminal, |watch| prove::attack(tables, &classes, &restrictions, work, watch))?;
    let shown = confirmed(opened, task, attack, args.count)?;
    if args.json { output::json_of(opened, &shown) } else { text(opened, task, &shown) }
}

/// The worst lists that a search without proof finds, each of another class of predictions; none for models whose class
/// is out of reach of proofs.
pub fn worst_lists(
    opened: &Opened,
    task: &SortedList,
    count: usize,
    terminal: &Terminal,
) -> Result<Vec<Counterexample>> {
    let Ok(tables) = Tables::of(&opened.model, task) else { return Ok(Vec::new()) };
    if count == 0 {
        return Ok(Vec::new());
    }
    let classes = Classes::of(task)?;
    let attack = watched(terminal, |watch| prove::attack(&tables, &classes, &Restrictions::default(), 0, watch))?;
    Ok(confirmed(opened, task, attack, count)?.found)
}

/// The lists and predictions that the flags allow.
pub fn restrictions(args: &Args, task: &SortedList) -> Result<Restrictions> {
    let ListFlags { token, target, min_gap, max_gap, values: text, order } = &args.lists;
    if let Some(position) = args.position.filter(|position| *position >= task.list_len()) {
        return Err(Error::invalid("--position", format!("below {}", task.list_len()), position));
    }
    for (flag, value) in [("--token", token), ("--target", target)] {
        if let Some(value) = value.filter(|value| *value > task.max_value()) {
            return Err(Error::invalid(flag, format!("at most {}", task.max_value()), value));
        }
    }
    Ok(Restrictions {
        position: args.position,
        token: *token,
        target: *target,
        min_gap: *min_gap,
        max_gap: *max_gap,
        values: text.as_deref().map(|text| values(text, task)).transpose()?,
        order: match order.as_deref() {
            Some("ascending") => Order::Ascending,
            Some("descending") => Order::Descending,
            _ => Order::Any,
        },
    })
}

/// The values of a text of values and ranges, parted by commas.
fn values(text: &str, task: &SortedList) -> Result<Vec<Token>> {
    let refused = |found: &str| {
        let expected = format!("values up to {} and ranges such as 30..50, parted by commas", task.max_value());
        Error::invalid("--values", expected, format!("{found:?}"))
    };
    let mut all = Vec::new();
    for part in text.split(',').map(str::trim) {
        let number = |text: &str| text.trim().parse().ok().filter(|value: &Token| *value <= task.max_value());
        let (from, to) = part.split_once("..").unwrap_or((part, part));
        let (Some(from), Some(to)) = (number(from), number(to)) else { return Err(refused(part)) };
        all.extend(from..=to);
    }
    all.sort_unstable();
    all.dedup();
    if all.len() < task.list_len() {
        return Err(Error::invalid("--values", format!("at least {} values", task.list_len()), all.len()));
    }
    Ok(all)
}

fn watched<R>(terminal: &Terminal, work: impl FnOnce(&mut dyn Observer<AttackProgress>) -> Result<R>) -> Result<R> {
    let bar = terminal.spinner();
    let result = work(&mut |progress: AttackProgress| {
        let AttackProgress { least, done, of } = progress;
        bar.set_message(format!("least margin {least:.4} · {done} of {of} classes"));
        bar.tick();
        if terminal.interrupted() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    bar.finish_and_clear();
    result
}

/// The worst lists, with the plain backend's predictions.
fn confirmed(opened: &Opened, task: &SortedList, attack: Attack, count: usize) -> Result<Attack> {
    let found: Vec<Counterexample> = attack.found.into_iter().take(count).collect();
    let answers = prove::plain_answers(&opened.model, task, &found.iter().collect::<Vec<_>>())?;
    let found = found.into_iter().zip(answers).map(|(found, predicted)| Counterexample { predicted, ..found });
    Ok(Attack { found: found.collect(), ..attack })
}

fn text(opened: &Opened, task: &SortedList, attack: &Attack) -> Result<String> {
    let lists: Vec<&[Token]> = attack.found.iter().map(|found| found.list.as_slice()).collect();
    let data = Dataset::from_inputs(task, &lists)?;
    let predictions = predict(Subject { model: &opened.model, engine: &Plain::new() }, &data)?;
    let labels = task.token_labels();
    let mut text = String::new();
    for (found, prediction) in attack.found.iter().zip(&predictions) {
        let verdict = if found.predicted == found.expected { "right" } else { "wrong" };
        text += &format!(
            "{}\n  prediction {} is {verdict}: {} (expected {}, margin {:.4})\n",
            output::spaced(&found.list),
            found.position,
            found.predicted,
            found.expected,
            found.margin
        );
        text += &(output::prediction(prediction, &labels) + "\n");
    }
    text += &match attack.proved {
        Some(least) => format!("proved: no list that may be used has a margin below {least:.4}\n"),
        None => "not proved: there may be worse lists\n".to_owned(),
    };
    Ok(text)
}

/// The worst lists in a table, a line each.
pub fn worst_table(found: &[Counterexample]) -> String {
    let rows = found.iter().map(|found| {
        let answer = format!("{} for {}", found.predicted, found.expected);
        vec![output::spaced(&found.list), found.position.to_string(), answer, format!("{:.3}", found.margin)]
    });
    output::table(&["worst lists found", "prediction", "says", "margin"], rows)
}

fn families(failures: &[Failures]) -> String {
    let rows = failures.iter().map(|failures| {
        let family = match failures.family {
            Family::Gap(gap) => format!("gap {gap}"),
            Family::Position(position) => format!("position {position}"),
            Family::Order(order) => format!("{order:?} order").to_lowercase(),
        };
        let (margin, list) = match &failures.worst {
            None => (String::new(), String::new()),
            Some(worst) => (format!("{:.3}", worst.margin), output::spaced(&worst.list)),
        };
        let proved = failures.proved.map_or("none".to_owned(), |proved| format!("{proved:.3}"));
        let rate = format!("{:.5}", failures.rate);
        vec![family, failures.predictions.to_string(), rate, margin, proved, list]
    });
    output::table(&["family", "sampled", "wrong", "least found", "proved", "worst list"], rows)
}
